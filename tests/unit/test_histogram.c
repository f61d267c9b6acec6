/* test_histogram.c - a value comes back within 1/64 of itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "random.h"

enum { VALUES = 2000 };

static struct histogram h, other;

/* All magnitudes up to 2^log2, alike. */
static uint64_t some_value(struct random *random, unsigned log2)
{
    return random_next(random) >> (64 - log2 + random_below(random, log2));
}

/* What one recorded value comes back as (with a larger one beside it, since
 * no quantile is above the maximum). */
static uint64_t recall(uint64_t value)
{
    memset(&h, 0, sizeof h);
    histogram_add(&h, value);
    histogram_add(&h, UINT64_MAX);
    return histogram_quantile(&h, 0.5);
}

Test(histogram, values_below_128_come_back_exactly)
{
    for (uint64_t v = 0; v < 128; v++)
        cr_assert_eq(recall(v), v);
    cr_assert_eq(recall(128), 129);
}

Test(histogram, no_value_comes_back_smaller_or_more_than_a_64th_larger)
{
    struct random random;

    random_seed(&random, 1);
    for (int i = 0; i < 20000; i++) {
        uint64_t v = some_value(&random, HISTOGRAM_MAX_LOG2);
        uint64_t back = recall(v);

        cr_assert(back >= v && back - v <= v / 64, "%llu came back as %llu",
                  (unsigned long long)v, (unsigned long long)back);
    }
}

Test(histogram, the_edges_of_all_powers_of_two_are_within_the_bound)
{
    for (unsigned log2 = 1; log2 < HISTOGRAM_MAX_LOG2; log2++)
        for (int off = -1; off <= 1; off++) {
            uint64_t v = (UINT64_C(1) << log2) + (uint64_t)off;
            uint64_t back = recall(v);

            cr_assert(back >= v && back - v <= v / 64, "2^%u %+d", log2, off);
        }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

Test(histogram, quantiles_are_those_of_the_sorted_values)
{
    /* Exact in binary, but the last: 1999.8 rounds up to the 2000th. */
    static const double shares[] = {0,      0.0625,    0.25,   0.5, 0.75,
                                    0.9375, 0.9990234, 0.9999, 1};
    static uint64_t values[VALUES];
    struct random random;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        random_seed(&random, seed);
        memset(&h, 0, sizeof h);
        for (size_t i = 0; i < VALUES; i++) {
            values[i] = some_value(&random, 1 + (unsigned)seed * 2 - 1);
            histogram_add(&h, values[i]);
        }
        qsort(values, VALUES, sizeof *values, compare);
        cr_assert_eq(h.count, VALUES);
        cr_assert_eq(h.max, values[VALUES - 1]);
        for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
            size_t rank = (size_t)ceil(shares[k] * VALUES);
            uint64_t v = values[rank ? rank - 1 : 0];
            uint64_t q = histogram_quantile(&h, shares[k]);

            cr_assert(q >= v && q - v <= v / 64 && q <= h.max,
                      "seed %d, share %g: %llu (want %llu)", (int)seed,
                      shares[k], (unsigned long long)q, (unsigned long long)v);
        }
        cr_assert_eq(histogram_quantile(&h, 1), h.max);
    }
}

Test(histogram, quantiles_grow_with_their_share)
{
    struct random random;
    uint64_t before = 0;

    random_seed(&random, 3);
    for (size_t i = 0; i < VALUES; i++)
        histogram_add(&h, some_value(&random, 45));
    for (double share = 0; share <= 1; share += 1.0 / 1024) {
        uint64_t q = histogram_quantile(&h, share);

        cr_assert_geq(q, before);
        before = q;
    }
}

Test(histogram, an_empty_one_says_0)
{
    cr_assert_eq(histogram_quantile(&h, 0), 0);
    cr_assert_eq(histogram_quantile(&h, 0.5), 0);
    cr_assert_eq(histogram_quantile(&h, 1), 0);
}

Test(histogram, what_is_too_large_counts_last_and_keeps_the_maximum)
{
    const uint64_t huge = (UINT64_C(1) << HISTOGRAM_MAX_LOG2) + 12345;

    histogram_add(&h, 5);
    histogram_add(&h, huge);
    histogram_add(&h, UINT64_MAX - 1);
    cr_assert_eq(h.count, 3);
    cr_assert_eq(h.bucket[HISTOGRAM_BUCKETS - 1], 2);
    cr_assert_eq(histogram_quantile(&h, 0.25), 5);
    cr_assert_eq(histogram_quantile(&h, 1), UINT64_MAX - 1);
}

Test(histogram, merging_is_adding_all_values)
{
    static struct histogram both;
    struct random random;

    random_seed(&random, 9);
    for (size_t i = 0; i < VALUES; i++) {
        uint64_t v = some_value(&random, 42);

        histogram_add(i % 3 ? &h : &other, v);
        histogram_add(&both, v);
    }
    histogram_merge(&h, &other);
    cr_assert_eq(memcmp(&h, &both, sizeof h), 0);
    memset(&other, 0, sizeof other);
    histogram_merge(&h, &other);
    cr_assert_eq(memcmp(&h, &both, sizeof h), 0);
}
