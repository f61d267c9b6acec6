/* gc_blocks.c - the heap's address space, its tables, and which blocks are
 * free.
 *
 * Everything is reserved at once and committed by EXTEND_BLOCKS as the heap
 * grows.  A bit a block says what is free; the lowest free block is taken
 * first, so that what is empty gathers at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_heap.h"

#include <errno.h>
#include <string.h>

#define RESERVE_MOST  ((size_t)64 << 30) /* bytes of address space */
#define RESERVE_LEAST ((size_t)16 << 20)

enum { EXTEND_BLOCKS = 32, WORD = 64 };

static const struct gc_block free_block = {.granules = NO_GRANULES,
                                           .kind = KIND_FREE};

/* The tables that have an entry a block (or more), and the bytes of it. */
struct table {
    void **where;
    size_t a_block;
};

enum { TABLES = 13 };

static size_t tables_of(struct hy_gc *gc, struct table table[TABLES])
{
    const struct table all[TABLES] = {
        {(void **)&gc->block, sizeof *gc->block},
        {(void **)&gc->mark, MARKS_A_BLOCK},
        {(void **)&gc->hot, 1},
        {(void **)&gc->card, BLOCK_BYTES / CARD_BYTES},
        {(void **)&gc->sparse, 1},
        {(void **)&gc->pinned, 1},
        {(void **)&gc->is_fresh, 1},
        {(void **)&gc->is_young, 1},
        {(void **)&gc->bin_of, sizeof *gc->bin_of},
        {(void **)&gc->next, sizeof *gc->next},
        {(void **)&gc->large_bytes, sizeof *gc->large_bytes},
        {(void **)&gc->is_free, 1}, /* eight times too much: keeps pages
                                       of all tables in step */
    };

    memcpy(table, all, sizeof all);
    return TABLES - 1;
}

static void release_all(struct hy_gc *gc, size_t reserved)
{
    struct table table[TABLES];
    const size_t n = tables_of(gc, table), blocks = reserved >> BLOCK_SHIFT;

    for (size_t i = 0; i < n; i++)
        if (*table[i].where) {
            os_pages_release(&gc->account, *table[i].where,
                             blocks * table[i].a_block, 0);
            *table[i].where = NULL;
        }
    if (gc->base)
        os_pages_release(&gc->account, (void *)gc->base, reserved, 0);
    gc->base = 0;
}

static int reserve_all(struct hy_gc *gc, size_t bytes)
{
    struct table table[TABLES];
    const size_t n = tables_of(gc, table), blocks = bytes >> BLOCK_SHIFT;

    gc->base = (uintptr_t)os_pages_reserve(bytes, BLOCK_BYTES);
    if (!gc->base)
        return ENOMEM;
    for (size_t i = 0; i < n; i++) {
        *table[i].where = os_pages_reserve(blocks * table[i].a_block, 0);
        if (!*table[i].where) {
            release_all(gc, bytes);
            return ENOMEM;
        }
    }
    gc->reserved = bytes;
    return 0;
}

int gc_blocks_open(struct hy_gc *gc)
{
    for (size_t bytes = RESERVE_MOST; bytes >= RESERVE_LEAST; bytes /= 2)
        if (!reserve_all(gc, bytes))
            return 0;
    return ENOMEM;
}

void gc_blocks_close(struct hy_gc *gc)
{
    release_all(gc, gc->reserved);
}

/* ---- growing ---- */

/* Commit the pages of a table that entries [from, to) need and [0, from) did
 * not. */
static int commit_part(struct hy_gc *gc, void *table, size_t from, size_t to)
{
    const size_t done = os_pages_round(from), want = os_pages_round(to);

    if (want == done)
        return 0;
    return os_pages_commit(&gc->account, (char *)table + done, want - done);
}

/* A step that fails in the middle leaves pages committed that a later one
 * commits again, which the kernel does not mind but the account would: so they
 * are taken back. */
static int commit_all(struct hy_gc *gc, size_t from, size_t to)
{
    struct table table[TABLES];
    const size_t n = tables_of(gc, table);
    size_t i;
    int err = commit_part(gc, (void *)gc->base, from << BLOCK_SHIFT,
                          to << BLOCK_SHIFT);

    if (err)
        return err;
    for (i = 0; i < n && !err; i++)
        err = commit_part(gc, *table[i].where, from * table[i].a_block,
                          to * table[i].a_block);
    if (!err)
        return 0;
    for (size_t k = 0; k + 1 < i; k++) {
        const size_t done = os_pages_round(from * table[k].a_block);
        const size_t want = os_pages_round(to * table[k].a_block);

        if (want > done)
            os_pages_decommit(&gc->account, (char *)*table[k].where + done,
                              want - done);
    }
    os_pages_decommit(&gc->account, (void *)(gc->base + (from << BLOCK_SHIFT)),
                      (to - from) << BLOCK_SHIFT);
    return err;
}

static void set_free(struct hy_gc *gc, size_t b)
{
    gc->is_free[b / WORD] |= UINT64_C(1) << b % WORD;
}

static void set_taken(struct hy_gc *gc, size_t b)
{
    gc->is_free[b / WORD] &= ~(UINT64_C(1) << b % WORD);
}

static bool is_free(const struct hy_gc *gc, size_t b)
{
    return gc->is_free[b / WORD] >> b % WORD & 1;
}

static int extend(struct hy_gc *gc, size_t count)
{
    const size_t from = gc->extent >> BLOCK_SHIFT;
    const size_t most = gc->reserved >> BLOCK_SHIFT;
    size_t to = from + count + EXTEND_BLOCKS - 1;

    to -= to % EXTEND_BLOCKS;
    if (to > most)
        to = most;
    if (to < from + count)
        return ENOMEM;
    const int err = commit_all(gc, from, to);
    if (err)
        return err;
    for (size_t b = from; b < to; b++) {
        gc->block[b] = free_block;
        gc->is_fresh[b] = 1;
        set_free(gc, b);
    }
    gc->free_blocks += to - from;
    gc->extent = to << BLOCK_SHIFT;
    return 0;
}

void gc_blocks_populate_marks(struct hy_gc *gc)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;

    if (end > gc->populated)
        os_pages_populate(gc->mark + gc->populated * MARKS_A_BLOCK,
                          (end - gc->populated) * MARKS_A_BLOCK);
    gc->populated = end;
}

/* ---- taking ---- */

/* The first free block from b, or the end of the extent. */
static size_t next_free(const struct hy_gc *gc, size_t b)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;

    while (b < end) {
        const uint64_t word = gc->is_free[b / WORD] >> b % WORD;

        if (word)
            return b + (size_t)__builtin_ctzll(word);
        b = (b / WORD + 1) * WORD;
    }
    return end;
}

/* The first of `count` free blocks in a row; *tail: how many free ones the
 * extent ends with, if there is none. */
static int32_t find_row(const struct hy_gc *gc, size_t count, size_t align,
                        size_t *tail)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;
    size_t b = next_free(gc, gc->free_hint);

    *tail = 0;
    while (b < end) {
        const size_t first = (b + align - 1) / align * align;
        size_t last = b;

        while (last < end && is_free(gc, last) && last < first + count)
            last++;
        if (last >= first + count)
            return (int32_t)first;
        if (last == end)
            *tail = end - b;
        b = next_free(gc, last);
    }
    return NO_BLOCK;
}

static int32_t take_row(struct hy_gc *gc, int32_t first, size_t count)
{
    for (size_t b = (size_t)first; b < (size_t)first + count; b++)
        set_taken(gc, b);
    if (count == 1 || (size_t)first == gc->free_hint)
        gc->free_hint = (size_t)first + count;
    gc->free_blocks -= count;
    gc->used_blocks += count;
    return first;
}

int32_t gc_blocks_take(struct hy_gc *gc, size_t count, size_t align)
{
    size_t tail;

    if (count > gc->limit_blocks || gc->used_blocks + count > gc->limit_blocks)
        return NO_BLOCK;
    if (gc->free_blocks >= count) {
        const int32_t first = find_row(gc, count, align, &tail);

        if (first != NO_BLOCK)
            return take_row(gc, first, count);
    }
    if (extend(gc, count + align - 1))
        return NO_BLOCK;
    const int32_t first = find_row(gc, count, align, &tail);

    return first == NO_BLOCK ? NO_BLOCK : take_row(gc, first, count);
}

void gc_blocks_give(struct hy_gc *gc, size_t first, size_t count)
{
    for (size_t b = first; b < first + count; b++) {
        gc->block[b] = free_block;
        gc->is_fresh[b] = 0;
        gc->mark[b * MARKS_A_BLOCK] = MARK_DEAD; /* of a large object */
        set_free(gc, b);
    }
    if (first < gc->free_hint)
        gc->free_hint = first;
    gc->free_blocks += count;
    gc->used_blocks -= count;
}

/* Where the stretch of free blocks that were touched ends, which begins at
 * b. */
static size_t touched_end(const struct hy_gc *gc, size_t b)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;

    while (b < end && is_free(gc, b) && !gc->is_fresh[b])
        b++;
    return b;
}

void gc_blocks_trim(struct hy_gc *gc, size_t keep)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;
    size_t kept = 0;

    for (size_t b = next_free(gc, 0); b < end; b = next_free(gc, b)) {
        const size_t last = touched_end(gc, b);

        if (last == b) { /* fresh */
            b++;
            continue;
        }
        const size_t some = keep - kept < last - b ? keep - kept : last - b;

        kept += some;
        b += some;
        if (b < last &&
            !os_pages_discard(gc_block_start(gc, b), (last - b) << BLOCK_SHIFT))
            memset(gc->is_fresh + b, 1, last - b);
        b = last;
    }
}
