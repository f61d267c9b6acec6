/* gc_boehm_threads.c - threads, stacks and fork by Boehm's names.
 *
 * A thread made by GC_pthread_create has a record that is a root: it keeps the
 * argument until the thread runs, and the result until it is joined.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* pthread_getattr_np */
#define GC_THREADS
#define GC_NO_THREAD_REDIRECTS

#include "gc_boehm.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

/* Of a stack whose other end is not known: what it may have at most. */
static const size_t stack_most = (size_t)64 << 20;

struct record {
    void *(*run)(void *);
    void *arg, *result;
    pthread_t thread;
    bool is_detached, is_over;
    struct record *next;
};

/* Mutable by need.  Records of threads that are not both over and joined or
 * detached. */
static struct {
    pthread_mutex_t lock;
    struct record *first;
} records = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local struct record *own_record;

/* ---- making threads ---- */

static void unlink_record(struct record *r)
{
    for (struct record **at = &records.first; *at; at = &(*at)->next)
        if (*at == r) {
            *at = r->next;
            break;
        }
}

static void thread_over(void *arg)
{
    struct record *r = arg;

    pthread_mutex_lock(&records.lock);
    r->is_over = true;
    const bool is_done = r->is_detached;

    if (is_done)
        unlink_record(r);
    pthread_mutex_unlock(&records.lock);
    if (is_done)
        GC_free(r);
    if (hy_gc_thread_self())
        hy_gc_thread_leave(hy_gc_thread_self());
}

static void *thread_main(void *arg)
{
    struct record *volatile r = arg;
    void *result;

    (void)boehm_thread();
    own_record = r;
    pthread_cleanup_push(thread_over, r);
    result = r->run(r->arg);
    r->result = result;
    pthread_cleanup_pop(1);
    return result;
}

static bool is_made_detached(const pthread_attr_t *attr)
{
    int state = PTHREAD_CREATE_JOINABLE;

    if (attr)
        (void)pthread_attr_getdetachstate(attr, &state);
    return state == PTHREAD_CREATE_DETACHED;
}

/* The lock is held until the record knows its thread. */
int GC_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                      void *(*run)(void *), void *arg)
{
    struct record *r = GC_malloc_uncollectable(sizeof *r);

    if (!r)
        return ENOMEM;
    *r = (struct record){
        .run = run, .arg = arg, .is_detached = is_made_detached(attr)};
    pthread_mutex_lock(&records.lock);
    const int err = pthread_create(&r->thread, attr, thread_main, r);

    if (!err) {
        *thread = r->thread;
        r->next = records.first;
        records.first = r;
    }
    pthread_mutex_unlock(&records.lock);
    if (err)
        GC_free(r);
    return err;
}

/* The record of a thread that can still be joined. */
static struct record *find_record(pthread_t thread)
{
    struct record *r = records.first;

    while (r && (r->is_detached || !pthread_equal(r->thread, thread)))
        r = r->next;
    return r;
}

int GC_pthread_join(pthread_t thread, void **result)
{
    pthread_mutex_lock(&records.lock);
    struct record *r = find_record(thread);

    pthread_mutex_unlock(&records.lock);
    const int err = pthread_join(thread, result);

    if (err || !r)
        return err;
    pthread_mutex_lock(&records.lock);
    unlink_record(r);
    pthread_mutex_unlock(&records.lock);
    GC_free(r);
    return 0;
}

int GC_pthread_detach(pthread_t thread)
{
    const int err = pthread_detach(thread);
    bool is_done = false;

    if (err)
        return err;
    pthread_mutex_lock(&records.lock);
    struct record *r = find_record(thread);

    if (r) {
        r->is_detached = true;
        is_done = r->is_over;
    }
    if (is_done)
        unlink_record(r);
    pthread_mutex_unlock(&records.lock);
    if (is_done)
        GC_free(r);
    return 0;
}

int GC_pthread_cancel(pthread_t thread)
{
    return pthread_cancel(thread);
}

void GC_pthread_exit(void *result)
{
    if (own_record)
        own_record->result = result;
    pthread_exit(result);
}

int GC_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    sigset_t ours;

    if (!set || how == SIG_UNBLOCK)
        return pthread_sigmask(how, set, old);
    ours = *set;
    sigdelset(&ours, GC_get_suspend_signal());
    return pthread_sigmask(how, &ours, old);
}

/* ---- registering ---- */

void GC_allow_register_threads(void)
{
    (void)boehm_heap();
}

int GC_register_my_thread(const struct GC_stack_base *base)
{
    (void)base;
    if (hy_gc_thread_self())
        return GC_DUPLICATE;
    (void)boehm_register();
    return GC_SUCCESS;
}

int GC_unregister_my_thread(void)
{
    struct hy_gc_thread *t = hy_gc_thread_self();

    if (!t)
        return GC_NOT_FOUND;
    if (t == boehm_first)
        boehm_first = NULL;
    hy_gc_thread_leave(t);
    return GC_SUCCESS;
}

int GC_thread_is_registered(void)
{
    return hy_gc_thread_self() != NULL;
}

void GC_register_altstack(void *stack, GC_word stack_bytes, void *alternative,
                          GC_word alternative_bytes)
{
    (void)stack;
    (void)stack_bytes;
    (void)alternative;
    (void)alternative_bytes;
}

void GC_start_mark_threads(void)
{
}

int GC_get_suspend_signal(void)
{
    return SIGRTMIN + HY_GC_SIGNAL_OFFSET;
}

int GC_get_thr_restart_signal(void)
{
    return GC_get_suspend_signal();
}

void GC_set_suspend_signal(int signal)
{
    (void)signal;
}

void GC_set_thr_restart_signal(int signal)
{
    (void)signal;
}

/* ---- stacks ---- */

int GC_get_stack_base(struct GC_stack_base *out)
{
    pthread_attr_t attr;
    void *low;
    size_t bytes;

    if (pthread_getattr_np(pthread_self(), &attr))
        return GC_UNIMPLEMENTED;
    const int err = pthread_attr_getstack(&attr, &low, &bytes);

    (void)pthread_attr_destroy(&attr);
    out->mem_base = (char *)low + bytes;
    return err ? GC_UNIMPLEMENTED : GC_SUCCESS;
}

void *GC_call_with_stack_base(GC_stack_base_func run, void *data)
{
    struct GC_stack_base base = {__builtin_frame_address(0)};

    return run(&base, data);
}

void *GC_get_my_stackbottom(struct GC_stack_base *out)
{
    struct hy_gc_thread *t = boehm_thread();

    if (t == boehm_first && GC_stackbottom)
        out->mem_base = GC_stackbottom;
    else
        (void)GC_get_stack_base(out);
    return t;
}

void GC_set_stackbottom(void *thread, const struct GC_stack_base *base)
{
    struct hy_gc_thread *t = thread ? thread : boehm_thread();

    if (t == boehm_first)
        GC_stackbottom = base->mem_base;
    hy_gc_thread_on_stack(t, base->mem_base, stack_most);
}

/* GC_stackbottom as the heap knows it. */
static char *seen;

void boehm_find_stackbottom(void)
{
    struct GC_stack_base base = {NULL};

    (void)GC_get_stack_base(&base);
    seen = base.mem_base;
    if (!GC_stackbottom)
        GC_stackbottom = seen;
}

void boehm_follow_stackbottom(void)
{
    if (!boehm_first || GC_stackbottom == seen)
        return;
    seen = GC_stackbottom;
    hy_gc_thread_on_stack(boehm_first, seen, stack_most);
}

void *GC_do_blocking(GC_fn_type run, void *data)
{
    return run(data);
}

void *GC_call_with_gc_active(GC_fn_type run, void *data)
{
    return run(data);
}

void *GC_dlopen(const char *path, int mode)
{
    return dlopen(path, mode);
}

/* ---- fork ---- */

static void fork_before(void)
{
    boehm_fork_lock();
    pthread_mutex_lock(&records.lock);
    hy_gc_fork_before(boehm_heap());
}

static void fork_parent(void)
{
    hy_gc_fork_parent(boehm_heap());
    pthread_mutex_unlock(&records.lock);
    boehm_fork_unlock(false);
}

static void fork_child(void)
{
    hy_gc_fork_child(boehm_heap());
    pthread_mutex_init(&records.lock, NULL);
    boehm_fork_unlock(true);
}

void boehm_install_fork_handlers(void)
{
    (void)pthread_atfork(fork_before, fork_parent, fork_child);
}

/* Programs may call these whether there are handlers or not. */
void GC_atfork_prepare(void)
{
    GC_init();
    if (boehm_handles_fork() <= 0)
        fork_before();
}

void GC_atfork_parent(void)
{
    if (boehm_handles_fork() <= 0)
        fork_parent();
}

void GC_atfork_child(void)
{
    if (boehm_handles_fork() <= 0)
        fork_child();
}
