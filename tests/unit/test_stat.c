/* test_stat.c - medians, ratios and the coverage of their intervals.
 *
 * Synthetic data with a known median; the generator here is not the one under
 * test.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <math.h>
#include <stdint.h>

#include "summary.h"

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13; /* xorshift64: Marsaglia, JSS 8(14), 2003 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double uniform(uint64_t *state)
{
    return ((double)(next_random(state) >> 11) + 0.5) / 9007199254740992.0;
}

/* Standard normal: Box & Muller, Ann. Math. Stat. 29, 1958. */
static double normal(uint64_t *state)
{
    double u = uniform(state), v = uniform(state);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

Test(stat, the_median_is_the_middle_value)
{
    static const struct {
        double x[6];
        size_t n;
        double median;
    } cases[] = {
        {{3}, 1, 3},
        {{1, 2}, 2, 1.5},
        {{9, -1, 4}, 3, 4},
        {{4, 1, 3, 2}, 4, 2.5},
        {{5, 5, 5, 5, 5}, 5, 5},
        {{1e308, 1.7e308, 1.7e308, 1e308, 1e308, 1.7e308}, 6, 1.35e308},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct interval m;
        cr_assert_eq(stat_median(cases[i].x, cases[i].n, 1, &m), 0);
        cr_assert_float_eq(m.value / cases[i].median, 1, 1e-12, "case %zu", i);
    }
}

Test(stat, fewer_than_eight_values_have_their_extremes)
{
    const double x[] = {5, 1, 4, 2, 3, 9, 0};
    for (size_t n = 1; n < STAT_BOOTSTRAP; n++) {
        struct interval m;
        double lo = INFINITY, hi = -INFINITY;
        for (size_t i = 0; i < n; i++) {
            lo = fmin(lo, x[i]);
            hi = fmax(hi, x[i]);
        }
        cr_assert_eq(stat_median(x, n, 1, &m), 0);
        cr_assert_eq(m.lo, lo);
        cr_assert_eq(m.hi, hi);
    }
}

Test(stat, many_values_have_an_interval_inside_their_range)
{
    const double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1000};
    struct interval m;
    cr_assert_eq(stat_median(x, 12, 1, &m), 0);
    cr_assert(m.lo > 1 && m.lo < m.value, "lo %g", m.lo);
    cr_assert(m.hi > m.value && m.hi < 1000, "hi %g", m.hi);
}

Test(stat, the_same_seed_gives_the_same_interval_in_any_order)
{
    uint64_t state = 7;
    for (int round = 0; round < 50; round++) {
        double x[31], y[31];
        size_t n = 6 + next_random(&state) % 26;
        for (size_t i = 0; i < n; i++)
            x[i] = y[i] = exp(normal(&state));
        for (size_t i = n - 1; i > 0; i--) {
            size_t j = next_random(&state) % (i + 1);
            double t = y[i];
            y[i] = y[j];
            y[j] = t;
        }
        struct interval a, b;
        cr_assert_eq(stat_median(x, n, 99, &a), 0);
        cr_assert_eq(stat_median(y, n, 99, &b), 0);
        cr_assert_eq(a.value, b.value);
        cr_assert_eq(a.lo, b.lo);
        cr_assert_eq(a.hi, b.hi);
        cr_assert(a.lo <= a.value && a.value <= a.hi);
    }
}

Test(stat, a_change_of_unit_changes_the_interval_alike)
{
    uint64_t state = 8;
    double x[20], y[20];
    struct interval a, b;
    for (int i = 0; i < 20; i++) {
        x[i] = 100 + normal(&state);
        y[i] = x[i] * 1024; /* a power of two: exact */
    }
    cr_assert_eq(stat_median(x, 20, 5, &a), 0);
    cr_assert_eq(stat_median(y, 20, 5, &b), 0);
    cr_assert_eq(b.value, 1024 * a.value);
    cr_assert_eq(b.lo, 1024 * a.lo);
    cr_assert_eq(b.hi, 1024 * a.hi);
}

/* How often, of `rounds`, the interval holds the true median of
 * exp(normal), which is 1. */
static double coverage(size_t n, int rounds)
{
    uint64_t state = 1000 + n;
    int held = 0;
    for (int r = 0; r < rounds; r++) {
        double x[64];
        struct interval m;
        for (size_t i = 0; i < n; i++)
            x[i] = exp(0.1 * normal(&state));
        cr_assert_eq(stat_median(x, n, next_random(&state), &m), 0);
        held += m.lo <= 1 && 1 <= m.hi;
    }
    return (double)held / rounds;
}

Test(stat, the_interval_holds_the_true_median_about_95_times_in_100)
{
    static const size_t sizes[] = {6, 7, 8, 10, 13, 20, 40};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        double c = coverage(sizes[i], 1500);
        cr_log_info("n = %zu: coverage %.3f", sizes[i], c);
        cr_assert(c >= 0.90 && c <= 0.99, "n = %zu: coverage %.3f", sizes[i],
                  c);
    }
}

/* As results/README.md says: 1 - 2^(1-n). */
Test(stat, extremes_hold_the_true_median_as_often_as_is_documented)
{
    for (size_t n = 2; n < STAT_BOOTSTRAP; n++) {
        double c = coverage(n, 4000), want = 1 - pow(2, 1 - (double)n);
        cr_assert_float_eq(c, want, 0.03, "n = %zu: %.3f (want %.3f)", n, c,
                           want);
    }
}

Test(stat, pairs_cancel_what_both_sides_share)
{
    uint64_t state = 9;
    double a[20], b[20];
    struct interval paired, left, right;
    for (int i = 0; i < 20; i++) {
        double drift = exp(0.2 * normal(&state));
        a[i] = 1.10 * drift * exp(0.002 * normal(&state));
        b[i] = drift;
    }
    cr_assert_eq(stat_ratio(a, b, 20, 3, &paired), 0);
    cr_assert_eq(stat_median(a, 20, 3, &left), 0);
    cr_assert_eq(stat_median(b, 20, 3, &right), 0);
    cr_assert_float_eq(paired.value, 1.10, 0.005);
    cr_assert(paired.lo > 1.09 && paired.hi < 1.11);
    /* the medians by themselves tell nothing apart */
    cr_assert(left.lo < right.hi && right.lo < left.hi);
}

Test(stat, ratio_intervals_hold_the_truth_about_95_times_in_100)
{
    uint64_t state = 10;
    int held = 0, rounds = 1500;
    for (int r = 0; r < rounds; r++) {
        double a[10], b[10];
        struct interval m;
        for (int i = 0; i < 10; i++) {
            double drift = exp(0.3 * normal(&state));
            a[i] = drift * exp(0.02 * normal(&state));
            b[i] = drift * exp(0.02 * normal(&state));
        }
        cr_assert_eq(stat_ratio(a, b, 10, next_random(&state), &m), 0);
        held += m.lo <= 1 && 1 <= m.hi;
    }
    double c = (double)held / rounds;
    cr_assert(c >= 0.90 && c <= 0.99, "coverage %.3f", c);
}

Test(stat, a_ratio_to_itself_is_one)
{
    const double x[] = {3, 1, 4, 1, 5, 9, 2, 6};
    struct interval m;
    cr_assert_eq(stat_ratio(x, x, 8, 1, &m), 0);
    cr_assert_eq(m.value, 1);
    cr_assert_eq(m.lo, 1);
    cr_assert_eq(m.hi, 1);
}
