/* gc_compact.c - moving objects out of sparse blocks.
 *
 * Only objects with a layout move, and only if nothing but pointers that can
 * be updated refers to them: fields of layouts, weak links, ephemerons and
 * the table of finalizers.  Blocks that are sparse are chosen before marking;
 * a word that may be a pointer into one, on a stack or in an object without a
 * layout, pins the whole block.  After marking, the objects of the blocks that
 * are not pinned are copied into room in other blocks of their bin; the first
 * word of the old object is where it went.  Then every field of every layout
 * is brought up to date.
 *
 * Source: J. F. Bartlett, "Compacting garbage collection with ambiguous
 * roots", DEC WRL 88/2, 1988; S. M. Blackburn & K. S. McKinley, "Immix",
 * PLDI 2008 (opportunistic evacuation).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_heap.h"

#include <string.h>

enum { SPARSE_DENOMINATOR = 2, SPARSE_LEAST = 2 /* blocks of a bin */ };

/* ---- choosing ---- */

static uint32_t count_marked(const struct hy_gc *gc, size_t b, uint32_t n)
{
    const uint8_t *mark = gc->mark + b * MARKS_A_BLOCK;
    uint32_t marked = 0;

    for (uint32_t i = 0; i < n; i++)
        marked += mark[i] == gc->epoch;
    return marked;
}

static bool is_sparse(const struct hy_gc *gc, size_t b)
{
    if (gc->block[b].kind != KIND_LAYOUT)
        return false;
    const uint32_t n = gc->bin[gc->bin_of[b]].objects;

    return !gc->is_young[b] && count_marked(gc, b, n) * SPARSE_DENOMINATOR < n;
}

bool gc_compact_choose(struct hy_gc *gc)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;
    size_t chosen = 0;

    memset(gc->pinned, 0, end);
    for (size_t b = 0; b < end; b++) {
        gc->sparse[b] = is_sparse(gc, b);
        chosen += gc->sparse[b];
    }
    return chosen >= SPARSE_LEAST;
}

/* ---- moving ---- */

static bool moves(const struct hy_gc *gc, size_t b)
{
    return gc->sparse[b] && !gc->pinned[b];
}

void *gc_moved(const struct hy_gc *gc, void *p)
{
    if (!p || !gc_contains(gc, p))
        return p;
    const size_t b = gc_block_of(gc, p);

    if (!moves(gc, b) || !gc_is_marked(gc, p))
        return p;
    struct gc_object o;

    return gc_find(gc, p, &o)
               ? *(char **)(void *)o.start + ((char *)p - o.start)
               : p;
}

/* Where objects of one bin go: the room in block b from object i. */
struct target {
    int32_t b;
    uint32_t i;
    size_t next; /* block to look at */
};

static bool next_target_block(struct hy_gc *gc, unsigned bin, struct target *t)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;

    for (; t->next < end; t->next++) {
        const size_t b = t->next;

        if (gc->block[b].kind != KIND_LAYOUT || gc->bin_of[b] != bin ||
            moves(gc, b) || !gc_is_hot(gc, b))
            continue;
        t->b = (int32_t)t->next++;
        t->i = 0;
        return true;
    }
    t->b = gc_blocks_take(gc, 1, 1);
    if (t->b == NO_BLOCK)
        return false;
    gc_block_open(gc, bin, (size_t)t->b);
    t->i = 0;
    return true;
}

/* An object's room in the target, marked; NULL: no memory. */
static char *take_room(struct hy_gc *gc, unsigned bin, struct target *t)
{
    const struct gc_bin *of = &gc->bin[bin];

    for (;;) {
        if (t->b != NO_BLOCK)
            for (; t->i < of->objects; t->i++) {
                uint8_t *mark = gc->mark + (size_t)t->b * MARKS_A_BLOCK + t->i;

                if (*mark == gc->epoch)
                    continue;
                *mark = gc->epoch;
                gc->is_fresh[t->b] = 0;
                return gc_block_start(gc, (size_t)t->b) +
                       (size_t)t->i++ * of->bytes;
            }
        if (!next_target_block(gc, bin, t))
            return NULL;
    }
}

/* Put back what was overwritten in the first k objects that had moved. */
static void undo(struct hy_gc *gc, size_t b, uint32_t k)
{
    const struct gc_bin *of = &gc->bin[gc->bin_of[b]];
    const uint8_t *mark = gc->mark + b * MARKS_A_BLOCK;

    for (uint32_t i = 0; k; i++) {
        void **old =
            (void **)(void *)(gc_block_start(gc, b) + (size_t)i * of->bytes);

        if (mark[i] != gc->epoch)
            continue;
        *old = *(void **)*old;
        k--;
    }
    gc->pinned[b] = 1;
}

/* Copy the live objects of block b away.  Without room for all, none has
 * moved; what was taken is garbage. */
static uint64_t empty_block(struct hy_gc *gc, size_t b, struct target *t)
{
    const unsigned bin = gc->bin_of[b];
    const struct gc_bin *of = &gc->bin[bin];
    const uint8_t *mark = gc->mark + b * MARKS_A_BLOCK;
    uint32_t k = 0;

    for (uint32_t i = 0; i < of->objects; i++) {
        char *old = gc_block_start(gc, b) + (size_t)i * of->bytes;

        if (mark[i] != gc->epoch)
            continue;
        char *room = take_room(gc, bin, t);

        if (!room) {
            undo(gc, b, k);
            return 0;
        }
        memcpy(room, old, of->bytes);
        *(char **)(void *)old = room;
        k++;
    }
    return k;
}

/* ---- updating ---- */

static void update_object(const struct hy_gc *gc, void **words, uint8_t layout)
{
    for (uint64_t left = gc->layout[layout].pointers; left; left &= left - 1) {
        const int i = __builtin_ctzll(left);

        words[i] = gc_moved(gc, words[i]);
    }
}

static void update_block(struct hy_gc *gc, size_t b)
{
    const struct gc_bin *bin = &gc->bin[gc->bin_of[b]];
    const uint8_t *mark = gc->mark + b * MARKS_A_BLOCK;

    for (uint32_t i = 0; i < bin->objects; i++)
        if (mark[i] == gc->epoch)
            update_object(gc,
                          (void **)(void *)(gc_block_start(gc, b) +
                                            (size_t)i * bin->bytes),
                          bin->layout);
}

static void update_all(struct hy_gc *gc)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;

    for (size_t b = 0; b < end; b++)
        if (gc->block[b].kind == KIND_LAYOUT && !moves(gc, b))
            update_block(gc, b);
    gc_dying_update(gc);
}

void gc_compact_move(struct hy_gc *gc, uint64_t *objects, uint64_t *bytes)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;
    struct target target[HY_GC_LAYOUTS_MAX];

    for (size_t i = 0; i < HY_GC_LAYOUTS_MAX; i++)
        target[i] = (struct target){.b = NO_BLOCK};
    for (size_t b = 0; b < end; b++) {
        if (!moves(gc, b))
            continue;
        const uint64_t n =
            empty_block(gc, b, &target[gc->bin[gc->bin_of[b]].layout]);

        *objects += n;
        *bytes += n * gc->bin[gc->bin_of[b]].bytes;
    }
    update_all(gc);
    for (size_t b = 0; b < end; b++)
        if (moves(gc, b))
            memset(gc->mark + b * MARKS_A_BLOCK, MARK_DEAD, MARKS_A_BLOCK);
}
