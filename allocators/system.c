/* system.c - the process's own malloc, whichever library serves it.
 *
 * Foreign allocators are measured through this backend: they are preloaded
 * into the process, and these calls then reach them.  A library may serve
 * only a part of the malloc family; what it does not serve is not called,
 * since the C library's version would be handed blocks that are not its own.
 *
 * Invariant: every block comes from, and goes back to, the file that serves
 * malloc.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "allocator.h"
#include "foreign.h"
#include "malloc_stats.h"
#include "os_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Not in memory of the malloc that is measured. */
struct heap {
    size_t (*usable_size)(void *);                      /* NULL: not served */
    int (*aligned)(void **, size_t align, size_t size); /* NULL: not served */
};

/* Compilers may remove a malloc whose block is only freed.  This hides from
 * them where a pointer came from, at the cost of no instruction. */
static inline void *opaque(void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

static void system_close(struct heap *heap)
{
    (void)os_pages_unmap(NULL, heap, sizeof *heap);
}

static int system_open(const struct heap_config *config, struct heap **out)
{
    (void)config;
    struct heap *heap = os_pages_map(NULL, sizeof *heap);
    if (!heap)
        return errno;
    /* POSIX promises that these pointers have the form of functions. */
    void *const usable_size = foreign_symbol("malloc_usable_size");
    memcpy(&heap->usable_size, &usable_size, sizeof usable_size);
    void *const aligned = foreign_symbol("posix_memalign");
    memcpy(&heap->aligned, &aligned, sizeof aligned);
    *out = heap;
    return 0;
}

static void *alloc_aligned(struct heap *heap, size_t size, size_t align)
{
    void *p = NULL;
    const int err = heap->aligned ? heap->aligned(&p, align, size) : ENOTSUP;
    if (err) {
        errno = err;
        return NULL;
    }
    return opaque(p);
}

/* Every malloc aligns to the size of a pointer. */
static void *system_alloc(struct heap *heap, size_t size, size_t align)
{
    if (align > sizeof(void *))
        return alloc_aligned(heap, size, align);
    return opaque(malloc(size));
}

static void *system_zalloc(struct heap *heap, size_t size)
{
    (void)heap;
    return opaque(calloc(1, size));
}

static void system_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)heap;
    (void)size;
    free(opaque(p));
}

static void *system_resize(struct heap *heap, void *p, size_t old_size,
                           size_t new_size)
{
    (void)heap;
    (void)old_size;
    return opaque(realloc(opaque(p), new_size));
}

static size_t system_usable(struct heap *heap, const void *p, size_t size)
{
    return heap->usable_size ? heap->usable_size((void *)p) : size;
}

static int system_inspect(struct heap *heap, struct heap_report *report)
{
    (void)heap;
    return malloc_stats_read(report);
}

const struct allocator system_allocator = {
    .name = "system",
    .summary = "the malloc of this process: the C library's, or one preloaded",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN | TRAIT_PRELOADABLE,
    .open = system_open,
    .close = system_close,
    .alloc = system_alloc,
    .zalloc = system_zalloc,
    .dealloc = system_dealloc,
    .resize = system_resize,
    .usable = system_usable,
    .inspect = system_inspect,
};
