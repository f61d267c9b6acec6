/* gc_generations.c - which old objects may point to young ones.
 *
 * A store marks the card of the field.  At a minor collection the words of the
 * old objects in marked cards are roots; whatever they reach is old from then
 * on, so all cards are clean again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_heap.h"

#include <string.h>

void hy_gc_store(struct hy_gc *gc, void *object, void **field, void *value)
{
    (void)object;
    *field = value;
    if (gc_contains(gc, field))
        gc->card[((uintptr_t)field - gc->base) >> CARD_SHIFT] = 1;
}

void gc_store_all(struct hy_gc *gc, void *object)
{
    struct gc_object o;

    if (!gc->config.generational || !gc_find(gc, object, &o))
        return;
    const size_t first = ((uintptr_t)o.start - gc->base) >> CARD_SHIFT;
    const size_t last =
        ((uintptr_t)o.start + o.bytes - 1 - gc->base) >> CARD_SHIFT;

    memset(gc->card + first, 1, last - first + 1);
}

void gc_cards_clear(struct hy_gc *gc)
{
    if (gc->config.generational)
        memset(gc->card, 0, gc->extent >> CARD_SHIFT);
}

/* The words of old objects in the card, of a block of one bin. */
static void mark_small(struct hy_gc *gc, size_t b, uintptr_t begin)
{
    const struct gc_block info = gc->block[b];
    const uintptr_t bytes = (uintptr_t)info.granules * GRANULE;
    const uintptr_t start = (uintptr_t)gc_block_start(gc, b);
    const uint8_t *mark = gc->mark + b * MARKS_A_BLOCK;
    const uintptr_t end = begin + CARD_BYTES;

    for (uint32_t i = gc_index(info, begin - gc->base);; i++) {
        const uintptr_t p = start + i * bytes, stop = p + bytes;

        if (p >= end || stop > start + BLOCK_BYTES)
            return;
        if (mark[i] != gc->epoch)
            continue;
        if (info.kind == KIND_LAYOUT)
            gc_mark_contents(gc, (const void *)p, false);
        else
            gc_mark_range(gc, begin > p ? begin : p, end < stop ? end : stop);
    }
}

static void mark_large(struct hy_gc *gc, uintptr_t begin)
{
    const uintptr_t end = begin + CARD_BYTES;
    struct gc_object o;

    if (!gc_find(gc, (const void *)begin, &o) || *o.mark != gc->epoch)
        return;
    const uintptr_t stop = (uintptr_t)o.start + o.bytes;

    gc_mark_range(gc, begin, end < stop ? end : stop);
}

/* Nothing old is in a block of leaves, or in one that is not hot; what is
 * uncollectable is a root anyway. */
static bool has_old(const struct hy_gc *gc, size_t b)
{
    switch (gc->block[b].kind) {
    case KIND_SCANNED:
    case KIND_LAYOUT:
        return gc->hot[b] == gc->epoch;
    case KIND_LARGE_SCANNED:
    case KIND_TAIL:
        return true;
    default:
        return false;
    }
}

static void mark_block(struct hy_gc *gc, size_t b)
{
    enum { CARDS = BLOCK_BYTES / CARD_BYTES, WORD = sizeof(uint64_t) };
    const uint8_t *card = gc->card + b * CARDS;
    const bool is_small = gc->block[b].kind < KIND_SMALL_END;

    for (size_t i = 0; i < CARDS; i += WORD) {
        uint64_t eight;

        memcpy(&eight, card + i, sizeof eight);
        for (size_t k = i; eight; k++, eight >>= 8) {
            const uintptr_t begin =
                (uintptr_t)gc_block_start(gc, b) + (k << CARD_SHIFT);

            if (!(eight & 1))
                continue;
            if (is_small)
                mark_small(gc, b, begin);
            else
                mark_large(gc, begin);
        }
    }
}

void gc_cards_mark_roots(struct hy_gc *gc)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;

    for (size_t b = 0; b < end; b++)
        if (has_old(gc, b))
            mark_block(gc, b);
}
