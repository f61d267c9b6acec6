/* buddy_extent.c - the mappings of the buddy system: regions and singles.
 *
 * Both stand on a multiple of 4 MiB and have what is known of them in front,
 * so any pointer into a region, and the first byte of a single, leads to its
 * extent by a mask.  To get there, space for one alignment more is reserved
 * and what is not needed in front goes back at once.
 *
 * Invariant: of an extent, [end - mapped, end) is mapped, all of it usable.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "buddy_core.h"

#include <errno.h>
#include <time.h>

uint64_t buddy_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Reserve `bytes` at a multiple of align, and `front` bytes before them.
 * Returns the former, or NULL. */
static char *reserve(size_t front, size_t bytes, size_t align)
{
    const size_t limit = PTRDIFF_MAX / 4;
    if (align > limit || bytes > limit)
        return NULL;
    /* Records longer than the alignment take several of it. */
    const size_t before = (front + align - 1) & ~(align - 1);
    char *const start = os_pages_reserve(before + bytes, align);
    if (!start)
        return NULL;
    if (before > front)
        (void)os_pages_release(NULL, start, before - front, 0);
    return start + before;
}

/* Front: whole pages, zeroed, that end in an extent. */
static struct extent *extent_map(struct heap *heap, size_t front, size_t bytes,
                                 size_t align)
{
    char *const base = reserve(front, bytes, align);
    if (base && os_pages_commit(&heap->account, base - front, front + bytes))
        (void)os_pages_release(NULL, base - front, front + bytes, 0);
    else if (base) {
        struct extent *const extent = (struct extent *)(void *)base - 1;
        extent->mapped = front + bytes;
        return extent;
    }
    errno = ENOMEM;
    return NULL;
}

struct extent *extent_map_region(struct heap *heap, enum zone_name zone)
{
    const unsigned shift = zone_shift(zone);
    const size_t front =
        os_pages_round(heap->kind->record_bytes(shift) +
                       (REGION_BYTES >> shift) + sizeof(struct extent));
    struct extent *const extent =
        extent_map(heap, front, REGION_BYTES, REGION_BYTES);
    if (!extent)
        return NULL;
    extent->shift = (uint8_t)shift;
    extent->zone = (uint8_t)zone;
    extent->records = (char *)(extent + 1) - front;
    return extent;
}

struct extent *extent_map_single(struct heap *heap, size_t bytes, size_t align)
{
    struct extent *const extent =
        extent_map(heap, os_pages_round(1 + sizeof *extent), bytes,
                   align > REGION_BYTES ? align : REGION_BYTES);
    if (!extent)
        return NULL;
    extent->bytes = bytes;
    *state_at(extent, 0) = CLASS_SINGLE + 1;
    return extent;
}

struct extent *extent_move_single(struct heap *heap, struct extent *extent,
                                  size_t bytes)
{
    const size_t front = extent->mapped - extent->bytes;
    char *const from = (char *)(extent + 1) - front;
    char *const base = reserve(front, bytes, REGION_BYTES);
    if (!base)
        return NULL;
    if (os_pages_move(&heap->account, from, extent->mapped, base - front,
                      front + bytes)) {
        (void)os_pages_release(NULL, base - front, front + bytes, 0);
        return NULL;
    }
    struct extent *const moved = (struct extent *)(void *)base - 1;
    moved->bytes = bytes;
    moved->mapped = front + bytes;
    return moved;
}

void extent_cut_single(struct heap *heap, struct extent *extent, size_t bytes)
{
    const size_t less = extent->bytes - bytes;
    char *const tail = (char *)(extent + 1) + bytes;
    if (!less || os_pages_unmap(&heap->account, tail, less))
        return;
    extent->bytes -= less;
    extent->mapped -= less;
}

void extent_unmap(struct heap *heap, struct extent *extent)
{
    const size_t bytes = extent->bytes ? extent->bytes : REGION_BYTES;
    char *const end = (char *)(extent + 1) + bytes;
    (void)os_pages_unmap(&heap->account, end - extent->mapped, extent->mapped);
}

void extent_link(struct heap *heap, struct extent *extent)
{
    extent->prev = NULL;
    extent->next = heap->extents;
    if (extent->next)
        extent->next->prev = extent;
    heap->extents = extent;
}

void extent_unlink(struct heap *heap, struct extent *extent)
{
    if (extent->next)
        extent->next->prev = extent->prev;
    if (extent->prev)
        extent->prev->next = extent->next;
    else
        heap->extents = extent->next;
}
