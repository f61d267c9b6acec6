/* size_tally.c - how often each size was asked for.
 *
 * Open addressing with linear probing; sizes are scattered by multiplication
 * with 2^64 / phi, because many are multiples of 8 or powers of two.
 *
 * Invariant: at most half of the cells are in use.
 *
 * Source: D. E. Knuth, The Art of Computer Programming 3, 6.4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "size_tally.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_CELLS = 1024 };

int size_tally_init(struct size_tally *t)
{
    *t = (struct size_tally){.mask = FIRST_CELLS - 1};
    t->cell = calloc(FIRST_CELLS, sizeof *t->cell);
    return t->cell ? 0 : ENOMEM;
}

void size_tally_free(struct size_tally *t)
{
    free(t->cell);
    *t = (struct size_tally){0};
}

/* The cell of that size, or the free one where it would stand. */
static struct size_count *probe(const struct size_tally *t, uint64_t size)
{
    size_t i = (size_t)(size * UINT64_C(0x9E3779B97F4A7C15) >> 32) & t->mask;

    while (t->cell[i].count && t->cell[i].size != size)
        i = (i + 1) & t->mask;
    return &t->cell[i];
}

static int grow(struct size_tally *t)
{
    struct size_tally bigger = *t;

    bigger.mask = t->mask * 2 + 1;
    bigger.cell = calloc(bigger.mask + 1, sizeof *bigger.cell);
    if (!bigger.cell)
        return ENOMEM;
    for (size_t i = 0; i <= t->mask; i++)
        if (t->cell[i].count)
            *probe(&bigger, t->cell[i].size) = t->cell[i];
    free(t->cell);
    *t = bigger;
    return 0;
}

int size_tally_add(struct size_tally *t, uint64_t size)
{
    struct size_count *cell = probe(t, size);

    if (cell->count) {
        cell->count++;
        return 0;
    }
    if (t->distinct == SIZE_TALLY_MAX) {
        t->untallied++;
        return 0;
    }
    if (t->distinct > t->mask / 2) {
        if (grow(t))
            return ENOMEM;
        cell = probe(t, size);
    }
    *cell = (struct size_count){.size = size, .count = 1};
    t->distinct++;
    return 0;
}

static int by_size(const void *left, const void *right)
{
    const struct size_count *a = left, *b = right;

    return (a->size > b->size) - (a->size < b->size);
}

void size_tally_sort(struct size_tally *t)
{
    size_t n = 0;

    for (size_t i = 0; i <= t->mask; i++)
        if (t->cell[i].count)
            t->cell[n++] = t->cell[i];
    for (size_t i = n; i <= t->mask; i++)
        t->cell[i] = (struct size_count){0};
    qsort(t->cell, n, sizeof *t->cell, by_size);
}

size_t size_tally_top(const struct size_tally *t, struct size_count top[],
                      size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < t->distinct; i++) {
        size_t at = n;

        while (at > 0 && top[at - 1].count < t->cell[i].count)
            at--;
        if (at == max)
            continue;
        if (n < max)
            n++;
        for (size_t j = n - 1; j > at; j--)
            top[j] = top[j - 1];
        top[at] = t->cell[i];
    }
    return n;
}

uint64_t size_tally_quantile(const struct size_tally *t, double share)
{
    uint64_t all = 0, sum = 0;

    for (size_t i = 0; i < t->distinct; i++)
        all += t->cell[i].count;
    for (size_t i = 0; i < t->distinct; i++) {
        sum += t->cell[i].count;
        if ((double)sum >= share * (double)all)
            return t->cell[i].size;
    }
    return 0;
}
