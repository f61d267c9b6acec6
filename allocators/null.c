/* null.c - a backend that does nothing: the price of the harness itself.
 *
 * Blocks are addresses inside one region that is in memory before any clock
 * starts, so writing to a block costs a write and no fault.  Each thread
 * walks a window of its own in that region (a lane) and starts again at its
 * end; blocks larger than a window all stand at the start of the region.
 * Nothing is kept, freed, zeroed or copied.
 *
 * Invariant: a block lies within the region; lane->next is a multiple of
 *            NULL_DEFAULT_ALIGN and not beyond lane->end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "allocator.h"
#include "os_pages.h"

#include <errno.h>
#include <stdatomic.h>

enum {
    NULL_WINDOW = 16 * 1024,         /* bytes of a lane: fits a level-1 cache */
    NULL_LANES_MAX = 64,             /* more threads than that share lanes */
    NULL_REGION_ALIGN = 2048 * 1024, /* the largest alignment on offer */
    NULL_TOUCH_MAX = 1024 * 1024 * 1024, /* pages beyond that fault in use */
    NULL_DEFAULT_ALIGN = 16,
    CACHE_LINE = 64
};

struct lane {
    _Alignas(CACHE_LINE) _Atomic(char *) next;
    char *end; /* of the window */
};

struct heap {
    char *region;
    size_t bytes;   /* of the region */
    unsigned lanes; /* a power of two */
    _Atomic unsigned entered;
    struct os_account account; /* of the region */
    struct lane lane[NULL_LANES_MAX];
};

/* Only a hint, never trusted: the number is masked to the heap at hand. */
static _Thread_local unsigned my_lane;

/* To NULL_DEFAULT_ALIGN; never overflows for a size that fits a window. */
static inline size_t round_size(size_t size)
{
    return (size + NULL_DEFAULT_ALIGN - 1) & ~(size_t)(NULL_DEFAULT_ALIGN - 1);
}

static unsigned lanes_for(unsigned threads)
{
    unsigned lanes = 1;
    while (lanes < threads && lanes < NULL_LANES_MAX)
        lanes *= 2;
    return lanes;
}

static void null_close(struct heap *heap)
{
    (void)os_pages_release(&heap->account, heap->region, heap->bytes,
                           atomic_load(&heap->account.mapped));
    (void)os_pages_unmap(NULL, heap, sizeof *heap);
}

static void set_lanes(struct heap *heap)
{
    char *window = heap->region;
    for (unsigned i = 0; i < heap->lanes; i++) {
        atomic_init(&heap->lane[i].next, window);
        window += NULL_WINDOW;
        heap->lane[i].end = window;
    }
}

static int null_open(const struct heap_config *config, struct heap **out)
{
    struct heap *heap = os_pages_map(NULL, sizeof *heap);
    if (!heap)
        return errno;
    heap->lanes = lanes_for(config->threads);
    heap->bytes = (size_t)heap->lanes * NULL_WINDOW;
    if (heap->bytes < config->max_size)
        heap->bytes = config->max_size;
    heap->region = os_pages_reserve(heap->bytes, NULL_REGION_ALIGN);
    int err = heap->region ? 0 : errno;
    if (!err)
        err = os_pages_commit(&heap->account, heap->region, heap->bytes);
    if (err) {
        null_close(heap);
        return err;
    }
    os_pages_touch(heap->region, heap->bytes < NULL_TOUCH_MAX
                                     ? heap->bytes
                                     : (size_t)NULL_TOUCH_MAX);
    set_lanes(heap);
    *out = heap;
    return 0;
}

static int null_enter(struct heap *heap)
{
    my_lane =
        atomic_fetch_add_explicit(&heap->entered, 1, memory_order_relaxed);
    return 0;
}

/* A larger alignment, the end of the window, a block beyond windows, or one
 * that cannot be. */
static void *alloc_slow(struct heap *heap, struct lane *lane, size_t size,
                        size_t align)
{
    if (size > heap->bytes || align > NULL_REGION_ALIGN)
        return NULL;
    if (size > NULL_WINDOW || align > NULL_WINDOW)
        return heap->region;
    char *at = atomic_load_explicit(&lane->next, memory_order_relaxed);
    if (align > NULL_DEFAULT_ALIGN)
        at += -(uintptr_t)at & (align - 1);
    if (size > (size_t)(lane->end - at))
        at = lane->end - NULL_WINDOW;
    atomic_store_explicit(&lane->next, at + round_size(size),
                          memory_order_relaxed);
    return at;
}

static void *null_alloc(struct heap *heap, size_t size, size_t align)
{
    struct lane *const lane = &heap->lane[my_lane & (heap->lanes - 1)];
    char *const at = atomic_load_explicit(&lane->next, memory_order_relaxed);
    if (size > (size_t)(lane->end - at) || align > NULL_DEFAULT_ALIGN)
        return alloc_slow(heap, lane, size, align);
    atomic_store_explicit(&lane->next, at + round_size(size),
                          memory_order_relaxed);
    return at;
}

static void *null_zalloc(struct heap *heap, size_t size)
{
    return null_alloc(heap, size, 0);
}

static void null_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)heap;
    (void)p;
    (void)size;
}

static void *null_resize(struct heap *heap, void *p, size_t old_size,
                         size_t new_size)
{
    return new_size <= old_size ? p : null_alloc(heap, new_size, 0);
}

static int null_inspect(struct heap *heap, struct heap_report *report)
{
    *report = (struct heap_report){
        .live_bytes = SIZE_MAX,
        .live_blocks = SIZE_MAX,
        .mapped_bytes =
            atomic_load(&heap->account.mapped) + os_pages_round(sizeof *heap),
    };
    return 0;
}

const struct allocator null_allocator = {
    .name = "null",
    .summary = "returns addresses and does nothing: the harness's own cost",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN | TRAIT_OVERLAPPING,
    .max_align = NULL_REGION_ALIGN,
    .open = null_open,
    .close = null_close,
    .alloc = null_alloc,
    .zalloc = null_zalloc,
    .dealloc = null_dealloc,
    .resize = null_resize,
    .enter = null_enter,
    .inspect = null_inspect,
};
