/* gc_world.c - registering threads, and stopping all of them.
 *
 * A stop is a signal to every other thread.  Its handler notes the stack
 * pointer (the registers lie above it, where the kernel put them), says that
 * the thread stands, and waits for the stop word to change.  A thread that is
 * busy (gc_heap.h) only owes the stop, and stands when it is through.  The
 * stop word is odd while the world stands, and another at every stop, so a
 * thread that wakes late is not held by the next stop.
 *
 * The collector holds the heap's lock meanwhile: no thread comes or goes, and
 * one that waits for the lock can be stopped there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* pthread_getattr_np, syscall */

#include "gc_heap.h"

#include <errno.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "gc_futex.h"

enum { SPIN = 2000 };

/* Mutable by need: a signal handler can only find its thread here. */
__thread struct hy_gc_thread *gc_self;
static pthread_key_t leave_key; /* its destructor leaves for a thread that
                                   forgot to */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;

/* ---- standing ---- */

/* A signal that has a stack of its own put there the registers of what it
 * interrupted. */
static void note_other_stack(struct hy_gc_thread *t)
{
    stack_t other;

    t->other_low = t->other_high = 0;
    if ((t->sp >= t->stack_low && t->sp < t->stack_high) ||
        sigaltstack(NULL, &other) || !(other.ss_flags & SS_ONSTACK))
        return;
    t->other_low = t->sp;
    t->other_high = (uintptr_t)other.ss_sp + other.ss_size;
}

__attribute__((noinline)) static void stand(struct hy_gc_thread *t)
{
    struct hy_gc *gc = t->gc;
    const uint32_t word = atomic_load(&gc->stop_word);

    if (!(word & 1))
        return;
    t->sp = (uintptr_t)__builtin_frame_address(0);
    note_other_stack(t);
    atomic_fetch_add(&gc->standing, 1);
    gc_futex_wake_all(&gc->standing);
    while (atomic_load(&gc->stop_word) == word)
        gc_futex_wait(&gc->stop_word, word);
}

/* Registers that the caller may hold pointers in go to the stack first. */
__attribute__((noinline)) void gc_stand_if_owed(struct hy_gc_thread *t)
{
    __builtin_unwind_init();
    t->is_stop_owed = 0;
    stand(t);
    atomic_signal_fence(memory_order_seq_cst);
}

static void on_signal(int signal)
{
    struct hy_gc_thread *t = gc_self;
    const int saved = errno;

    (void)signal;
    if (!t)
        return;
    if (t->is_busy)
        t->is_stop_owed = 1;
    else
        stand(t);
    errno = saved;
}

static int stop_signal(void)
{
    return SIGRTMIN + HY_GC_SIGNAL_OFFSET;
}

static void await_standing(struct hy_gc *gc, uint32_t wanted)
{
    uint32_t standing;

    for (unsigned turn = 0; (standing = atomic_load(&gc->standing)) != wanted;
         turn++)
        if (turn < SPIN)
            gc_pause();
        else
            gc_futex_wait(&gc->standing, standing);
}

unsigned gc_world_stop(struct hy_gc *gc)
{
    uint32_t asked = 0;

    atomic_store(&gc->standing, 0);
    atomic_fetch_add(&gc->stop_word, 1);
    for (struct hy_gc_thread *t = gc->threads; t; t = t->next)
        if (t != gc_self && !pthread_kill(t->thread, stop_signal()))
            asked++;
    await_standing(gc, asked);
    return asked;
}

void gc_world_go(struct hy_gc *gc)
{
    atomic_fetch_add(&gc->stop_word, 1);
    if (gc->nthreads > 1 || gc->threads != gc_self)
        gc_futex_wake_all(&gc->stop_word);
}

void gc_world_stacks(struct hy_gc *gc,
                     void (*scan)(struct hy_gc *, uintptr_t begin,
                                  uintptr_t end))
{
    for (struct hy_gc_thread *t = gc->threads; t; t = t->next) {
        uintptr_t low = t == gc_self ? t->entry : t->sp;

        if (low < t->stack_low || low >= t->stack_high)
            low = t->stack_low; /* on another stack: all of its own */
        scan(gc, low, t->stack_high);
        if (t != gc_self && t->other_low)
            scan(gc, t->other_low, t->other_high);
        if (t->tls_low)
            scan(gc, t->tls_low, t->tls_high);
    }
}

/* ---- coming and going ---- */

static void leave_at_exit(void *arg)
{
    hy_gc_thread_leave(arg);
}

static void set_up(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigfillset(&action.sa_mask);
    once_error = pthread_key_create(&leave_key, leave_at_exit);
    if (!once_error && sigaction(stop_signal(), &action, NULL))
        once_error = errno;
}

int gc_world_open(void)
{
    pthread_once(&once, set_up);
    return once_error;
}

static int find_stack(struct hy_gc_thread *t)
{
    pthread_attr_t attr;
    void *low;
    size_t bytes;
    int err = pthread_getattr_np(pthread_self(), &attr);

    if (err)
        return err;
    err = pthread_attr_getstack(&attr, &low, &bytes);
    pthread_attr_destroy(&attr);
    t->stack_low = (uintptr_t)low;
    t->stack_high = (uintptr_t)low + bytes;
    return err;
}

/* The calling thread's static thread-local block, where it is not on the
 * stack: the main thread's. */
static int add_tls(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct hy_gc_thread *t = arg;
    const uintptr_t data = (uintptr_t)info->dlpi_tls_data;

    (void)size;
    for (int i = 0; data && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type != PT_TLS ||
            (data >= t->stack_low && data < t->stack_high))
            continue;
        if (!t->tls_low || data < t->tls_low)
            t->tls_low = data;
        if (data + p->p_memsz > t->tls_high)
            t->tls_high = data + p->p_memsz;
    }
    return 0;
}

/* Blocks of libraries that were loaded later lie elsewhere, and what is
 * between is not ours: only a range of a plausible size is kept. */
static void find_tls(struct hy_gc_thread *t)
{
    dl_iterate_phdr(add_tls, t);
    if (t->tls_high - t->tls_low > 1 << 16)
        t->tls_low = t->tls_high = 0;
}

static void unblock_signal(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, stop_signal());
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void link_in(struct hy_gc_thread *t)
{
    struct hy_gc *gc = t->gc;

    pthread_mutex_lock(&gc->lock);
    gc_init_runs(t);
    t->next = gc->threads;
    if (t->next)
        t->next->previous = t;
    gc->threads = t;
    gc->nthreads++;
    gc_self = t;
    pthread_mutex_unlock(&gc->lock);
}

int hy_gc_thread_enter(struct hy_gc *gc, struct hy_gc_thread **out)
{
    if (gc_self)
        return EBUSY;
    struct hy_gc_thread *t = os_pages_map(&gc->account, sizeof *t);

    if (!t)
        return ENOMEM;
    t->gc = gc;
    t->class_of = gc->class_of;
    t->round = gc->config.past_end ? GRANULE : GRANULE - 1;
    t->thread = pthread_self();
    const int err = find_stack(t);

    if (err) {
        os_pages_unmap(&gc->account, t, sizeof *t);
        return err;
    }
    if (gc->config.scan_globals)
        find_tls(t);
    unblock_signal();
    (void)pthread_setspecific(leave_key, t);
    link_in(t);
    if (out)
        *out = t;
    return 0;
}

void hy_gc_thread_leave(struct hy_gc_thread *t)
{
    struct hy_gc *gc = t->gc;

    pthread_mutex_lock(&gc->lock);
    gc_drop_runs(t);
    if (t->previous)
        t->previous->next = t->next;
    else
        gc->threads = t->next;
    if (t->next)
        t->next->previous = t->previous;
    gc->nthreads--;
    gc_self = NULL;
    pthread_mutex_unlock(&gc->lock);
    (void)pthread_setspecific(leave_key, NULL);
    os_pages_unmap(&gc->account, t, sizeof *t);
}

void hy_gc_thread_on_stack(struct hy_gc_thread *t, const void *high,
                           size_t bytes)
{
    t->stack_high = (uintptr_t)high;
    t->stack_low = (uintptr_t)high - bytes;
}

struct hy_gc_thread *hy_gc_thread_self(void)
{
    return gc_self;
}

/* ---- fork ---- */

void hy_gc_fork_before(struct hy_gc *gc)
{
    pthread_mutex_lock(&gc->lock);
}

void hy_gc_fork_parent(struct hy_gc *gc)
{
    pthread_mutex_unlock(&gc->lock);
}

/* What the other threads held is dropped; their stacks are roots no more. */
void hy_gc_fork_child(struct hy_gc *gc)
{
    for (struct hy_gc_thread *t = gc->threads, *next; t; t = next) {
        next = t->next;
        if (t == gc_self)
            continue;
        gc_drop_runs(t);
        os_pages_unmap(&gc->account, t, sizeof *t);
    }
    gc->threads = gc_self;
    gc->nthreads = gc_self ? 1 : 0;
    if (gc_self)
        gc_self->next = gc_self->previous = NULL;
    gc_markers_forget(gc);
    pthread_mutex_init(&gc->lock, NULL);
}
