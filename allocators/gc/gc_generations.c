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

/* The part of the object that lies in [begin, end): all of it if it has a
 * layout, which is short. */
static void mark_part(struct hy_gc *gc, const struct gc_object *o,
                      uintptr_t begin, uintptr_t end)
{
    const uintptr_t start = (uintptr_t)o->start, stop = start + o->bytes;

    if (*o->mark != gc->epoch)
        return;
    if (o->info.kind == KIND_LAYOUT)
        gc_mark_contents(gc, o->start, false);
    else
        gc_mark_range(gc, begin > start ? begin : start,
                      end < stop ? end : stop);
}

static void mark_card(struct hy_gc *gc, size_t card)
{
    const uintptr_t begin = gc->base + (card << CARD_SHIFT);
    const uintptr_t end = begin + CARD_BYTES;
    struct gc_object o;

    for (uintptr_t p = begin; p < end; p = (uintptr_t)o.start + o.bytes) {
        if (!gc_find(gc, (const void *)p, &o) || gc_kind_is_leaf(o.info.kind) ||
            o.info.kind == KIND_EPHEMERON)
            return;
        mark_part(gc, &o, begin, end);
    }
}

void gc_cards_mark_roots(struct hy_gc *gc)
{
    const size_t n = gc->extent >> CARD_SHIFT;

    for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
        uint64_t eight;

        memcpy(&eight, gc->card + i, sizeof eight);
        for (size_t k = 0; eight; k++, eight >>= 8)
            if (eight & 1)
                mark_card(gc, i + k);
    }
}
