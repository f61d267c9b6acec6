/* waste.c - another allocator, slowed down by a known amount of work.
 *
 * To try out whoever judges allocators: every `every`th allocation of a
 * thread runs `loops` turns of a loop of four instructions, each of which
 * needs the result of the one before, and then goes to the allocator that is
 * wrapped.  With loops = 0 only the wrapping is left, so two settings differ
 * by the wasted work alone.
 *
 * Invariant: every block is the wrapped allocator's; nothing is kept here.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "allocator.h"
#include "os_pages.h"

#include <errno.h>

extern const struct allocator system_allocator, slab_allocator, buddy_allocator,
    pool_allocator;

enum { KNOB_OF, KNOB_LOOPS, KNOB_EVERY };

static const char *const wrapped_names[] = {"slab", "system", "buddy", "pool",
                                            NULL};
static const struct allocator *const wrapped[] = {
    &slab_allocator, &system_allocator, &buddy_allocator, &pool_allocator};

static const struct knob knobs[] = {
    [KNOB_OF] = {"of", "", 0, 0, 3, "the allocator that is slowed down",
                 wrapped_names},
    [KNOB_LOOPS] = {"loops", "turns", 0, 0, 1e6,
                    "of a loop of 4 instructions, wasted at a time", NULL},
    [KNOB_EVERY] = {"every", "allocations", 1, 1, 1e6,
                    "of a thread, of which one wastes", NULL},
    {.name = NULL},
};

struct heap {
    const struct allocator *of;
    struct heap *inner;
    uint32_t loops, every;
};

/* Only a count: which heap it counts for does not matter. */
static _Thread_local uint32_t until_next;

__attribute__((noinline)) static void turn(uint32_t loops)
{
    uint64_t x = loops;

    for (uint32_t i = 0; i < loops; i++) {
        x *= UINT64_C(6364136223846793005);
        __asm__ volatile("" : "+r"(x));
    }
}

static inline void waste(const struct heap *heap)
{
    if (until_next-- > 0)
        return;
    until_next = heap->every - 1;
    turn(heap->loops);
}

static int waste_open(const struct heap_config *config, struct heap **out)
{
    struct heap *heap = os_pages_map(NULL, sizeof *heap);
    const struct heap_config inner = {.threads = config->threads,
                                      .max_size = config->max_size,
                                      .is_timeless = config->is_timeless};

    if (!heap)
        return errno;
    heap->of = wrapped[(size_t)heap_knob(config, knobs, KNOB_OF)];
    heap->loops = (uint32_t)heap_knob(config, knobs, KNOB_LOOPS);
    heap->every = (uint32_t)heap_knob(config, knobs, KNOB_EVERY);
    int err = heap->of->open(&inner, &heap->inner);

    if (err)
        (void)os_pages_unmap(NULL, heap, sizeof *heap);
    else
        *out = heap;
    return err;
}

static void waste_close(struct heap *heap)
{
    heap->of->close(heap->inner);
    (void)os_pages_unmap(NULL, heap, sizeof *heap);
}

static void *waste_alloc(struct heap *heap, size_t size, size_t align)
{
    waste(heap);
    return heap->of->alloc(heap->inner, size, align);
}

static void *waste_zalloc(struct heap *heap, size_t size)
{
    waste(heap);
    return heap->of->zalloc(heap->inner, size);
}

static void waste_dealloc(struct heap *heap, void *p, size_t size)
{
    heap->of->dealloc(heap->inner, p, size);
}

static void *waste_resize(struct heap *heap, void *p, size_t old_size,
                          size_t new_size)
{
    return heap->of->resize(heap->inner, p, old_size, new_size);
}

static size_t waste_usable(struct heap *heap, const void *p, size_t size)
{
    return heap->of->usable ? heap->of->usable(heap->inner, p, size) : size;
}

static int waste_enter(struct heap *heap)
{
    return heap->of->enter ? heap->of->enter(heap->inner) : 0;
}

static void waste_leave(struct heap *heap)
{
    if (heap->of->leave)
        heap->of->leave(heap->inner);
}

static int waste_inspect(struct heap *heap, struct heap_report *report)
{
    return heap->of->inspect ? heap->of->inspect(heap->inner, report) : ENOTSUP;
}

const struct allocator waste_allocator = {
    .name = "waste",
    .summary = "another one, slowed down by a known amount, to try out gates",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .max_align = 65536, /* the least of those that can be wrapped */
    .knobs = knobs,
    .open = waste_open,
    .close = waste_close,
    .alloc = waste_alloc,
    .zalloc = waste_zalloc,
    .dealloc = waste_dealloc,
    .resize = waste_resize,
    .usable = waste_usable,
    .enter = waste_enter,
    .leave = waste_leave,
    .inspect = waste_inspect,
};
