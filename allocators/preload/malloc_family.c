/* malloc_family.c - a backend as a library that serves a whole program.
 *
 * Built once for each backend (HEAPYARD_BACKEND names it) and put before libc
 * by LD_PRELOAD or at link time.  One heap serves the process: the first call
 * opens it, nothing closes it.
 *
 *   malloc --> my_heap, thread-local --> backend
 *                 NULL: the thread's first call: open the heap if need be, and
 *                 have the thread's end announced to the backend
 *
 * A thread's end is noticed by the destructor of a pthread key.  Destructors
 * that run later may allocate again: then the key is set again, and glibc
 * calls again, up to four rounds.
 *
 * The environment variable HEAPYARD_KNOBS sets the backend's knobs.
 *
 * The state is global because malloc has no argument that could carry it.
 *
 * Sizes beyond PTRDIFF_MAX are refused by the backends: NULL and ENOMEM.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* reallocarray, mallinfo2 and others of malloc.h */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator.h"
#include "front.h"
#include "os_pages.h"

#define EXPORT __attribute__((visibility("default")))

/* At once, that a backend need be fast for. */
enum { THREADS_MAX = 1024 };
enum { FREES_BEFORE_SEAT = 256 };

extern const struct allocator HEAPYARD_BACKEND;
static const struct allocator *const backend = &HEAPYARD_BACKEND;
static const struct knob no_knobs[] = {{.name = NULL}};

static _Atomic(struct heap *) the_heap;
static _Atomic bool is_opening;
static pthread_key_t end_of_thread;
static _Thread_local struct heap *my_heap; /* NULL: not announced */

/* C23; glibc 2.36 does not declare them. */
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t align, size_t size);

/* ---- the heap and its threads ---- */

static void on_thread_end(void *heap)
{
    my_heap = NULL;
    if (backend->leave)
        backend->leave(heap);
}

static void on_fork(enum fork_phase phase)
{
    if (backend->fork)
        backend->fork(atomic_load(&the_heap), phase);
}

static void before_fork(void)
{
    on_fork(FORK_BEFORE);
}

static void after_fork_in_parent(void)
{
    on_fork(FORK_PARENT);
}

static void after_fork_in_child(void)
{
    on_fork(FORK_CHILD);
}

static void complain(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nobody listens */
}

/* The knobs that HEAPYARD_KNOBS sets, as "knob=value:knob=value".  A mistake
 * in it ends the process: else something other than was asked for would be
 * measured. */
static void read_knobs(struct knob_values *values)
{
    const char *const text = getenv("HEAPYARD_KNOBS");
    char why[256];

    if (!knobs_parse(backend->name, backend->knobs ? backend->knobs : no_knobs,
                     text, values, why, sizeof why))
        return;
    complain("HEAPYARD_KNOBS: ");
    complain(why);
    complain("\n");
    _exit(2);
}

static int open_backend(struct heap **heap)
{
    struct knob_values knobs;

    read_knobs(&knobs);
    return backend->open(
        &(struct heap_config){.threads = THREADS_MAX, .knobs = &knobs}, heap);
}

/* By the thread that got here first; the others wait.  pthread_atfork may
 * allocate, so the heap is made known before. */
static struct heap *open_heap(void)
{
    struct heap *heap;
    bool expected = false;

    while (!(heap = atomic_load(&the_heap))) {
        if (!atomic_compare_exchange_strong(&is_opening, &expected, true)) {
            expected = false;
            sched_yield();
            continue;
        }
        if (open_backend(&heap)) {
            atomic_store(&is_opening, false);
            return NULL;
        }
        pthread_key_create(&end_of_thread, on_thread_end);
        atomic_store(&the_heap, heap);
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        break;
    }
    return heap;
}

/* pthread_setspecific may allocate, so my_heap is set before. */
__attribute__((noinline)) static struct heap *first_call(void)
{
    const int saved = errno;
    struct heap *const heap = open_heap();

    errno = saved;
    if (!heap) {
        errno = ENOMEM;
        return NULL;
    }
    my_heap = heap;
    pthread_setspecific(end_of_thread, heap);
    errno = saved;
    return heap;
}

static inline struct heap *get_heap(void)
{
    struct heap *const heap = my_heap;

    return __builtin_expect(heap != NULL, 1) ? heap : first_call();
}

static inline size_t usable(struct heap *heap, const void *p)
{
    return backend->usable(heap, p, 0);
}

/* align is a power of two. */
static void *alloc_aligned(size_t align, size_t size)
{
    struct heap *const heap = get_heap();

    if (backend->max_align && align > backend->max_align) {
        errno = ENOMEM;
        return NULL;
    }
    return heap ? backend->alloc(heap, size, align) : NULL;
}

static inline bool is_power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* ---- the family ---- */

__attribute__((noinline)) static void *malloc_slow(size_t size)
{
    struct heap *const heap = get_heap();

    return heap ? backend->alloc(heap, size, 0) : NULL;
}

EXPORT void *malloc(size_t size)
{
    void *const p = front_alloc(size);

    return __builtin_expect(p != NULL, 1) ? p : malloc_slow(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
    struct heap *const heap = get_heap();
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return heap ? backend->zalloc(heap, bytes) : NULL;
}

/* A thread that only frees takes a seat too, since frees are faster with one;
 * but not for the few frees of its last destructors, after which nobody would
 * tell that it has ended. */
__attribute__((noinline)) static void consider_seat(void)
{
    static _Thread_local unsigned frees;

    if (++frees == FREES_BEFORE_SEAT && first_call() && backend->enter)
        (void)backend->enter(my_heap); /* it goes without, if there is none */
}

static void free_slow(void *p)
{
    struct heap *heap = my_heap;

    if (!p)
        return;
    if (__builtin_expect(!heap, 0)) {
        consider_seat();
        heap = atomic_load_explicit(&the_heap, memory_order_relaxed);
    }
    backend->dealloc(heap, p, 0);
}

EXPORT void free(void *p)
{
    if (__builtin_expect(!front_free(p), 0))
        free_slow(p);
}

EXPORT void *realloc(void *p, size_t size)
{
    struct heap *const heap = get_heap();

    if (!heap)
        return NULL;
    if (!p)
        return backend->alloc(heap, size, 0);
    if (size == 0) {
        backend->dealloc(heap, p, 0);
        return NULL;
    }
    return backend->resize(heap, p, usable(heap, p), size);
}

EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(p, bytes);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
    const int saved = errno;

    if (!is_power_of_two(align) || align % sizeof(void *))
        return EINVAL;
    void *const p = alloc_aligned(align, size);
    errno = saved;
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    if (!is_power_of_two(align)) {
        errno = EINVAL;
        return NULL;
    }
    return alloc_aligned(align, size);
}

/* As glibc: any alignment is rounded up to a power of two. */
EXPORT void *memalign(size_t align, size_t size)
{
    size_t whole = 1;

    if (align > (SIZE_MAX >> 1) + 1) {
        errno = EINVAL;
        return NULL;
    }
    while (whole < align)
        whole *= 2;
    return alloc_aligned(whole, size);
}

EXPORT void *valloc(size_t size)
{
    return alloc_aligned(os_page_size(), size);
}

EXPORT void *pvalloc(size_t size)
{
    const size_t whole = os_pages_round(size ? size : 1);

    if (whole == 0) {
        errno = ENOMEM;
        return NULL;
    }
    return alloc_aligned(os_page_size(), whole);
}

EXPORT size_t malloc_usable_size(void *p)
{
    return p ? usable(get_heap(), p) : 0;
}

EXPORT void free_sized(void *p, size_t size)
{
    (void)size;
    free(p);
}

EXPORT void free_aligned_sized(void *p, size_t align, size_t size)
{
    (void)align;
    (void)size;
    free(p);
}

/* arena: bytes from the system; uordblks: bytes in live blocks; fordblks: the
 * rest.  Estimates while other threads allocate. */
EXPORT struct mallinfo2 mallinfo2(void)
{
    struct mallinfo2 info = {0};
    struct heap_report report;
    struct heap *const heap = get_heap();

    if (!heap || !backend->inspect || backend->inspect(heap, &report))
        return info;
    info.arena = report.mapped_bytes;
    info.uordblks = report.live_bytes;
    info.fordblks = report.mapped_bytes - report.live_bytes;
    return info;
}

/* Free memory goes back by itself.  This gives at once what the caller's cache
 * and the heap hold; the other threads' caches stay. */
EXPORT int malloc_trim(size_t pad)
{
    struct heap *const heap = get_heap();
    const int saved = errno;

    (void)pad;
    if (!heap)
        return 0;
    on_thread_end(heap); /* which may come again */
    const bool is_less = front_trim(heap);
    errno = saved;
    return is_less;
}
