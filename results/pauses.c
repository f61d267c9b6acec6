/* pauses.c - what pauses leave of a program's time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pauses.h"

#include <math.h>
#include <stdlib.h>

static int order_spans(const void *a, const void *b)
{
    const struct time_span *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

size_t pauses_tidy(struct time_span pause[], size_t n, struct time_span run)
{
    size_t kept = 0;
    if (n)
        qsort(pause, n, sizeof *pause, order_spans);
    for (size_t i = 0; i < n; i++) {
        struct time_span p = {most(pause[i].begin, run.begin),
                              least(pause[i].end, run.end)};
        if (p.begin >= p.end)
            continue;
        if (kept && p.begin <= pause[kept - 1].end)
            pause[kept - 1].end = most(pause[kept - 1].end, p.end);
        else
            pause[kept++] = p;
    }
    return kept;
}

/* Walks along the pauses: how much of them lies before a time that only
 * grows. */
struct walk {
    size_t next;     /* the first pause that ends after it */
    uint64_t before; /* ns, of all pauses before `next` */
};

static uint64_t paused_before(struct walk *w, const struct time_span pause[],
                              size_t n, uint64_t time)
{
    while (w->next < n && pause[w->next].end <= time) {
        w->before += pause[w->next].end - pause[w->next].begin;
        w->next++;
    }
    uint64_t part = 0;
    if (w->next < n && time > pause[w->next].begin)
        part = time - pause[w->next].begin;
    return w->before + part;
}

/* The window that begins, or ends, with pause i; moved into the run. */
static struct time_span window_at(struct time_span pause, int is_at_end,
                                  struct time_span run, uint64_t length)
{
    uint64_t begin =
        is_at_end ? most(pause.end, run.begin + length) - length : pause.begin;
    begin = least(begin, run.end - length);
    return (struct time_span){begin, begin + length};
}

double pauses_mmu(const struct time_span pause[], size_t n,
                  struct time_span run, uint64_t window)
{
    uint64_t longest = 0;
    if (window == 0 || run.end < run.begin || window > run.end - run.begin)
        return NAN;
    for (int is_at_end = 0; is_at_end < 2; is_at_end++) {
        struct walk from = {0}, to = {0};
        for (size_t i = 0; i < n; i++) {
            struct time_span w = window_at(pause[i], is_at_end, run, window);
            uint64_t paused = paused_before(&to, pause, n, w.end) -
                              paused_before(&from, pause, n, w.begin);
            longest = most(longest, paused);
        }
    }
    return 1 - (double)longest / (double)window;
}

uint64_t sorted_quantile(const uint64_t sorted[], size_t n, double q)
{
    /* 0.9 * 10 must be 9, whatever the last bit of 0.9 is */
    double rank = ceil(q * (double)n - 1e-9);
    size_t i = rank < 1 ? 0 : (size_t)rank - 1;
    return sorted[i < n ? i : n - 1];
}

static int order_counts(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void counts_sort(uint64_t x[], size_t n)
{
    if (n)
        qsort(x, n, sizeof *x, order_counts);
}
