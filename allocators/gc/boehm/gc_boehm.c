/* gc_boehm.c - the heap of the process, and allocation by Boehm's names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_boehm.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY_BYTES = 4096, ALIGN_MOST = 32 * 1024 };

/* Mutable by need: Boehm's interface has no heap to pass. */
static struct hy_gc *heap;
static atomic_bool is_open;
static pthread_once_t once = PTHREAD_ONCE_INIT;
atomic_bool boehm_is_pending;
struct hy_gc_thread *boehm_first;

/* ---- opening ---- */

static void *out_of_memory(size_t size, void *arg)
{
    (void)arg;
    return GC_oom_fn ? GC_oom_fn(size) : NULL;
}

static void open_heap(void)
{
    struct hy_gc_config config;
    char why[160] = "no memory";

    hy_gc_defaults(&config);
    config.scan_globals = true;
    config.out_of_memory = out_of_memory;
    boehm_configure(&config);
    if (hy_gc_open(&config, &heap, why, sizeof why))
        boehm_abort(why);
    hy_gc_finalizers_on_demand(heap, true);
    boehm_watch(heap);
    if (boehm_handles_fork() > 0)
        boehm_install_fork_handlers();
    if (hy_gc_thread_enter(heap, &boehm_first))
        boehm_abort("the first thread cannot be registered");
    boehm_find_stackbottom();
    atomic_store_explicit(&is_open, true, memory_order_release);
}

struct hy_gc *boehm_heap(void)
{
    if (!atomic_load_explicit(&is_open, memory_order_acquire))
        pthread_once(&once, open_heap);
    return heap;
}

struct hy_gc_thread *boehm_register(void)
{
    struct hy_gc *gc = boehm_heap();
    struct hy_gc_thread *t = hy_gc_thread_self();

    if (!t && hy_gc_thread_enter(gc, &t))
        boehm_abort("a thread cannot be registered");
    return t;
}

void GC_init(void)
{
    (void)boehm_heap();
}

int GC_is_init_called(void)
{
    return atomic_load(&is_open);
}

void GC_deinit(void)
{
}

unsigned GC_get_version(void)
{
    return GC_VERSION_MAJOR << 16 | GC_VERSION_MINOR << 8 | GC_VERSION_MICRO;
}

/* ---- allocation ---- */

void *GC_malloc(size_t bytes)
{
    return boehm_settled(hy_gc_alloc(boehm_thread(), bytes));
}

void *GC_malloc_atomic(size_t bytes)
{
    return boehm_settled(hy_gc_alloc_leaf(boehm_thread(), bytes));
}

void *GC_malloc_uncollectable(size_t bytes)
{
    return boehm_settled(hy_gc_alloc_uncollectable(boehm_thread(), bytes));
}

void *GC_malloc_atomic_uncollectable(size_t bytes)
{
    return GC_malloc_uncollectable(bytes);
}

void *GC_malloc_ignore_off_page(size_t bytes)
{
    return GC_malloc(bytes);
}

void *GC_malloc_atomic_ignore_off_page(size_t bytes)
{
    return GC_malloc_atomic(bytes);
}

void *GC_malloc_stubborn(size_t bytes)
{
    return GC_malloc(bytes);
}

void GC_change_stubborn(const void *p)
{
    (void)p;
}

void GC_end_stubborn_change(const void *p)
{
    (void)p;
}

void *GC_memalign(size_t align, size_t bytes)
{
    void *p = hy_gc_alloc_aligned(boehm_thread(), bytes, align, false);

    if (!p && align > ALIGN_MOST)
        p = GC_oom_fn(bytes);
    return boehm_settled(p);
}

int GC_posix_memalign(void **out, size_t align, size_t bytes)
{
    if (align < sizeof(void *) || align & (align - 1))
        return EINVAL;
    void *p = GC_memalign(align, bytes);

    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

char *GC_strndup(const char *s, size_t most)
{
    const size_t n = strnlen(s, most);
    char *copy = GC_malloc_atomic(n + 1);

    if (!copy) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *GC_strdup(const char *s)
{
    return s ? GC_strndup(s, strlen(s)) : NULL;
}

void *GC_realloc(void *p, size_t bytes)
{
    void *q = hy_gc_resize(boehm_thread(), p, bytes);

    if (!q && p && bytes && hy_gc_base(heap, p) != p) {
        char message[80];

        snprintf(message, sizeof message,
                 "GC_realloc(%p): not the first byte of an object", p);
        boehm_abort(message);
    }
    return boehm_settled(q);
}

void GC_free(void *p)
{
    if (p)
        hy_gc_free(boehm_thread(), p);
}

/* The rest of the chain hangs on the first words, so that whoever holds its
 * head keeps all. */
static void *many(size_t bytes)
{
    struct hy_gc_thread *t = boehm_thread();
    void *volatile chain = NULL;

    for (size_t n = bytes ? MANY_BYTES / bytes + 1 : 1; n > 0; n--) {
        void *p = hy_gc_alloc(t, bytes < sizeof p ? sizeof p : bytes);

        if (!p)
            break;
        GC_NEXT(p) = chain;
        chain = p;
    }
    return chain;
}

void *GC_malloc_many(size_t bytes)
{
    return boehm_settled(many(bytes));
}

/* ---- asking ---- */

void *GC_base(void *p)
{
    return hy_gc_base(boehm_heap(), p);
}

int GC_is_heap_ptr(const void *p)
{
    return hy_gc_base(boehm_heap(), p) != NULL;
}

size_t GC_size(const void *p)
{
    return hy_gc_usable(boehm_heap(), p);
}

int GC_is_marked(const void *p)
{
    return hy_gc_may_live(boehm_heap(), p);
}

void GC_enumerate_reachable_objects_inner(GC_reachable_object_proc visit,
                                          void *arg)
{
    hy_gc_visit(boehm_heap(), visit, arg);
}

void GC_ptr_store_and_dirty(void *field, const void *value)
{
    *(const void **)field = value;
}

void *GC_same_obj(void *p, void *q)
{
    (void)q;
    return p;
}

void *GC_is_visible(void *p)
{
    return p;
}

void *GC_is_valid_displacement(void *p)
{
    return p;
}

void GC_register_displacement(size_t offset)
{
    (void)offset;
}

void GC_debug_register_displacement(size_t offset)
{
    (void)offset;
}

size_t GC_get_debug_header_size(void)
{
    return 0;
}
