/* min_heap.c - the smallest heap that a program runs in.
 *
 * Invariant: out->fits was tried and fits; out->too_small was tried and does
 *            not, or is 0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "min_heap.h"

#include <errno.h>
#include <math.h>

#define LARGEST (UINT64_C(1) << 40)

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + MIN_HEAP_GRAIN - 1) / MIN_HEAP_GRAIN * MIN_HEAP_GRAIN;
}

static int try(const struct min_heap_search *s, uint64_t limit,
               struct min_heap *m, int *fits)
{
    int err = s->try(s->arg, limit, fits);

    m->tries++;
    if (!err && *fits)
        m->fits = limit;
    else if (!err)
        m->too_small = limit;
    return err;
}

/* Upwards until it fits. */
static int find_fitting(const struct min_heap_search *s, uint64_t limit,
                        struct min_heap *m)
{
    int err = 0, fits = 0;

    for (; !err && !fits; limit *= 2) {
        if (limit > LARGEST)
            return ERANGE;
        err = try(s, limit, m, &fits);
    }
    return err;
}

/* Downwards until it does not, or there is nothing below. */
static int find_too_small(const struct min_heap_search *s, uint64_t least,
                          struct min_heap *m)
{
    int err = 0, fits = 1;

    while (!err && fits && m->fits > least) {
        uint64_t half = round_up(m->fits / 2);

        err = try(s, half > least ? half : least, m, &fits);
    }
    return err;
}

static int bisect(const struct min_heap_search *s, struct min_heap *m)
{
    int err = 0, fits;

    while (!err && m->fits - m->too_small > MIN_HEAP_GRAIN &&
           (double)m->fits > s->precision * (double)m->too_small) {
        double middle = sqrt((double)m->fits * (double)m->too_small);
        uint64_t limit = round_up((uint64_t)middle);

        if (limit >= m->fits)
            limit = m->fits - MIN_HEAP_GRAIN;
        err = try(s, limit, m, &fits);
    }
    return err;
}

int min_heap_find(const struct min_heap_search *s, struct min_heap *out)
{
    uint64_t least = round_up(s->least ? s->least : 1);
    uint64_t start = round_up(s->start > least ? s->start : least);

    *out = (struct min_heap){0};
    int err = find_fitting(s, start, out);

    if (!err && !out->too_small)
        err = find_too_small(s, least, out);
    if (!err && out->too_small)
        err = bisect(s, out);
    return err;
}
