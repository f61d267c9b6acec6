/* bdwgc_none.c - the backend bdwgc of a build without libgc.
 *
 * Taken where libgc-dev is missing, and with sanitizers, whose bookkeeping
 * the collector's signals and stack scans run into.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "allocator.h"
#include "bdwgc.h"

static int none_open(const struct heap_config *config, struct heap **out)
{
    (void)config;
    (void)out;
    return ENOSYS;
}

static void none_close(struct heap *heap)
{
    (void)heap;
}

static void *none_alloc(struct heap *heap, size_t size, size_t align)
{
    (void)heap;
    (void)size;
    (void)align;
    return NULL;
}

static void *none_zalloc(struct heap *heap, size_t size)
{
    return none_alloc(heap, size, 0);
}

static void none_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)heap;
    (void)p;
    (void)size;
}

static void *none_resize(struct heap *heap, void *p, size_t old_size,
                         size_t new_size)
{
    (void)p;
    (void)old_size;
    return none_alloc(heap, new_size, 0);
}

const struct allocator bdwgc_allocator = {
    .name = "bdwgc",
    .summary = BDWGC_SUMMARY,
    .missing = "built without libgc (libgc-dev), or with a sanitizer",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .knobs = bdwgc_knobs,
    .open = none_open,
    .close = none_close,
    .alloc = none_alloc,
    .zalloc = none_zalloc,
    .dealloc = none_dealloc,
    .resize = none_resize,
};
