/* gc_sweep.c - from marks to memory that may be handed out.
 *
 * After a collection a block in which nothing was reached is free at once.
 * The others are listed by bin and looked at only when a thread needs memory
 * of that bin: it takes a block, and goes from one run of unmarked objects to
 * the next.  Marks are read eight at a time.
 *
 * Runs end after RUN_BYTES: what is zeroed is then still in the first or
 * second level of the cache when it is handed out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_heap.h"

#include <string.h>

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

static const struct gc_run no_run = {
    .cursor = (char *)(UINTPTR_MAX / 2), .end = NULL, .block = NO_BLOCK};

static void reset(struct gc_run *run)
{
    const uint32_t step = run->step;

    *run = no_run;
    run->step = step;
}

void gc_init_runs(struct hy_gc_thread *t)
{
    for (size_t i = 0; i < BINS; i++) {
        t->run[i] = no_run;
        t->run[i].step = t->gc->bin[i].bytes;
    }
}

void gc_drop_runs(struct hy_gc_thread *t)
{
    for (size_t i = 0; i < BINS; i++) {
        struct gc_run *run = &t->run[i];

        if (run->block != NO_BLOCK)
            t->gc->is_fresh[run->block] = 0;
        if (run->block != NO_BLOCK || run->freed || run->end)
            reset(run);
    }
}

/* ---- runs ---- */

static uint64_t eight(const uint8_t *mark)
{
    uint64_t word;

    memcpy(&word, mark, sizeof word);
    return word;
}

/* A byte of the word is zero exactly where the mark is the epoch; HELD marks
 * are only in blocks of kinds that are. */
static uint64_t differences(const uint8_t *mark, uint64_t epoch)
{
    return eight(mark) ^ epoch;
}

/* Highest bits of the bytes that are zero; exact up to the lowest. */
static uint64_t zero_bytes(uint64_t x)
{
    return (x - ONES) & ~x & HIGHS;
}

/* The first object from i that was not reached, or n. */
static uint32_t first_dead(const uint8_t *mark, uint32_t i, uint32_t n,
                           uint8_t epoch)
{
    for (; i + 8 <= n; i += 8) {
        const uint64_t x = differences(mark + i, epoch * ONES);

        if (x)
            return i + (uint32_t)__builtin_ctzll(x) / 8;
    }
    while (i < n && mark[i] == epoch)
        i++;
    return i;
}

/* The first from i that was reached, or n. */
static uint32_t first_live(const uint8_t *mark, uint32_t i, uint32_t n,
                           uint8_t epoch)
{
    for (; i + 8 <= n; i += 8) {
        const uint64_t z = zero_bytes(differences(mark + i, epoch * ONES));

        if (z)
            return i + (uint32_t)__builtin_ctzll(z) / 8;
    }
    while (i < n && mark[i] != epoch)
        i++;
    return i;
}

/* The next run of objects from *i, of at most `most`: *i and *end. */
static bool next_dead(const struct hy_gc *gc, const struct gc_bin *bin,
                      const uint8_t *mark, uint32_t *i, uint32_t *end)
{
    const uint32_t n = bin->objects;
    uint32_t most = RUN_BYTES / bin->bytes;

    if (!most)
        most = 1;
    if (gc_kind_is_held(bin->kind)) {
        while (*i < n && gc_mark_is_live(gc, mark[*i]))
            ++*i;
        *end = *i + 1;
        return *i < n;
    }
    *i = first_dead(mark, *i, n, gc->epoch);
    if (*i >= n)
        return false;
    const uint32_t limit = n - *i < most ? n : *i + most;

    *end = first_live(mark, *i, limit, gc->epoch);
    return true;
}

static bool run_of_freed(struct gc_run *run, bool is_leaf)
{
    void *p = run->freed;

    if (!p)
        return false;
    run->freed = *(void **)p;
    if (!is_leaf)
        memset(p, 0, run->step);
    run->cursor = p;
    run->end = run->cursor + run->step;
    return true;
}

bool gc_sweep_run(struct hy_gc_thread *t, unsigned b)
{
    struct hy_gc *gc = t->gc;
    struct gc_run *run = &t->run[b];
    const struct gc_bin *bin = &gc->bin[b];
    const bool is_leaf = gc_kind_is_leaf(bin->kind);
    uint32_t end;

    if (run_of_freed(run, is_leaf))
        return true;
    if (run->block == NO_BLOCK)
        return false;
    const size_t block = (size_t)run->block;
    if (!next_dead(gc, bin, gc->mark + block * MARKS_A_BLOCK, &run->next,
                   &end)) {
        gc->is_fresh[block] = 0;
        run->block = NO_BLOCK;
        return false;
    }
    char *start = gc_block_start(gc, block) + (size_t)run->next * bin->bytes;
    const size_t bytes = (size_t)(end - run->next) * bin->bytes;

    if (!is_leaf && !gc->is_fresh[block])
        memset(start, 0, bytes);
    atomic_fetch_add_explicit(&gc->since_bytes, bytes, memory_order_relaxed);
    run->next = end;
    run->cursor = start;
    run->end = start + bytes;
    return true;
}

/* ---- blocks ---- */

bool gc_is_hot(const struct hy_gc *gc, size_t b)
{
    return memchr(gc->mark + b * MARKS_A_BLOCK, gc->epoch,
                  gc->bin[gc->bin_of[b]].objects) != NULL;
}

/* The blocks of the object or bin at b, and whether they are to be freed. */
static size_t look_at(struct hy_gc *gc, size_t b, bool *is_empty)
{
    const uint8_t kind = gc->block[b].kind;

    *is_empty = false;
    if (kind == KIND_FREE)
        return 1;
    if (kind < KIND_SMALL_END) {
        *is_empty = !gc_is_hot(gc, b) && !gc_kind_is_held(kind);
        gc->hot[b] = *is_empty ? 0 : gc->epoch;
        return 1;
    }
    *is_empty = !gc_mark_is_live(gc, gc->mark[b * MARKS_A_BLOCK]);
    return gc_large_blocks(gc, b);
}

static void list_to_sweep(struct hy_gc *gc, size_t b)
{
    struct gc_bin *bin = &gc->bin[gc->bin_of[b]];

    gc->next[b] = bin->to_sweep;
    bin->to_sweep = (int32_t)b;
}

/* Lists are filled from behind, so that the lowest block comes first. */
static void list_all(struct hy_gc *gc)
{
    for (size_t i = 0; i < BINS; i++)
        gc->bin[i].to_sweep = NO_BLOCK;
    for (size_t b = gc->extent >> BLOCK_SHIFT; b-- > 0;)
        if (gc->block[b].kind < KIND_SMALL_END)
            list_to_sweep(gc, b);
}

uint64_t gc_sweep_blocks(struct hy_gc *gc)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;
    uint64_t freed = 0;
    bool is_empty;

    for (size_t b = 0, n; b < end; b += n) {
        n = look_at(gc, b, &is_empty);
        if (is_empty) {
            gc_blocks_give(gc, b, n);
            freed += n;
        }
    }
    list_all(gc);
    memset(gc->is_young, 0, end);
    return freed << BLOCK_SHIFT;
}
