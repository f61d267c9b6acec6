/* ranks.c - ranks of samples, and the null distribution of the signed ranks.
 *
 * The exact distribution counts, rank by rank, in how many ways each sum can
 * be made: ways[s] += ways[s - rank].  The counts are whole and at most 2^50,
 * so a double holds them exactly.  Shared ranks need no other method.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ranks.h"

#include <math.h>
#include <stdlib.h>

#include "paired.h"

static int order_values(const void *a, const void *b)
{
    const struct ranked_value *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

void ranks_assign(struct ranked_value v[], size_t n)
{
    if (n)
        qsort(v, n, sizeof *v, order_values);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && v[end].value == v[i].value; end++)
            ;
        for (size_t k = i; k < end; k++) /* ranks i + 1 .. end */
            v[k].twice = (uint32_t)(i + 1 + end);
    }
}

double normal_tail(double z)
{
    return erfc(z / sqrt(2)) / 2;
}

double normal_tail_z(double p)
{
    double lo = -40, hi = 40; /* the tail falls from lo to hi */
    for (int i = 0; i < 100; i++) {
        double z = (lo + hi) / 2;
        if (normal_tail(z) > p)
            lo = z;
        else
            hi = z;
    }
    return (lo + hi) / 2;
}

static double count_exactly(const uint32_t twice[], size_t n, size_t total,
                            size_t t)
{
    double *ways = calloc(total + 1, sizeof *ways);
    if (!ways)
        return NAN;
    size_t reach = 0; /* the largest sum so far */
    ways[0] = 1;
    for (size_t i = 0; i < n; i++) {
        reach += twice[i];
        for (size_t s = reach; s >= twice[i]; s--)
            ways[s] += ways[s - twice[i]];
    }
    double above = 0;
    for (size_t s = t; s <= total; s++)
        above += ways[s];
    free(ways);
    return ldexp(above, -(int)n);
}

double signed_ranks_above(const uint32_t twice[], size_t n, uint64_t t)
{
    uint64_t total = 0;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        total += twice[i];
        squares += (double)twice[i] * (double)twice[i];
    }
    if (t == 0)
        return 1;
    if (n <= PAIRED_EXACT)
        return count_exactly(twice, n, total, t);
    /* half a rank, doubled, is 1 */
    double z = ((double)t - 1 - (double)total / 2) / sqrt(squares / 4);
    return normal_tail(z);
}

/* All signs turned: the sum of the others is as likely. */
double signed_ranks_below(const uint32_t twice[], size_t n, uint64_t t)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += twice[i];
    return t >= total ? 1 : signed_ranks_above(twice, n, total - t);
}
