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
    double change;
    for (int i = 0; i < 20; i++) {
        double drift = exp(0.2 * normal(&state));
        a[i] = 1.10 * drift * exp(0.002 * normal(&state));
        b[i] = drift;
    }
    cr_assert_eq(stat_ratio(a, b, 20, &paired, &change), 0);
    cr_assert_eq(stat_median(a, 20, 3, &left), 0);
    cr_assert_eq(stat_median(b, 20, 3, &right), 0);
    cr_assert_float_eq(paired.value, 1.10, 0.005);
    cr_assert(paired.lo > 1.09 && paired.hi < 1.11);
    cr_assert(change > 0.0005 && change < 0.003, "detectable %g", change);
    /* the medians by themselves tell nothing apart */
    cr_assert(left.lo < right.hi && right.lo < left.hi);
}

Test(stat, ratio_intervals_hold_the_truth_about_95_times_in_100)
{
    uint64_t state = 10;
    int held = 0, rounds = 1500;
    for (int r = 0; r < rounds; r++) {
        double a[10], b[10], change;
        struct interval m;
        for (int i = 0; i < 10; i++) {
            double drift = exp(0.3 * normal(&state));
            a[i] = drift * exp(0.02 * normal(&state));
            b[i] = drift * exp(0.02 * normal(&state));
        }
        cr_assert_eq(stat_ratio(a, b, 10, &m, &change), 0);
        held += m.lo <= 1 && 1 <= m.hi;
    }
    double c = (double)held / rounds;
    cr_assert(c >= 0.90 && c <= 0.99, "coverage %.3f", c);
}

Test(stat, a_ratio_to_itself_is_one)
{
    const double x[] = {3, 1, 4, 1, 5, 9, 2, 6};
    struct interval m;
    double change;
    cr_assert_eq(stat_ratio(x, x, 8, &m, &change), 0);
    cr_assert_eq(m.value, 1);
    cr_assert_eq(m.lo, 1);
    cr_assert_eq(m.hi, 1);
    cr_assert_eq(change, 0);
}

Test(stat, fewer_than_six_pairs_have_their_extremes_and_find_nothing)
{
    const double a[] = {2, 8, 4, 2, 16, 4}, b[] = {1, 1, 1, 1, 1, 1};
    for (size_t n = 1; n <= 6; n++) {
        struct interval m;
        double change;
        cr_assert_eq(stat_ratio(a, b, n, &m, &change), 0);
        cr_assert_float_eq(m.lo, 2, 1e-14);
        cr_assert_float_eq(m.hi, n < 2 ? 2 : n < 5 ? 8 : 16, 1e-14);
        cr_assert_eq(isnan(change), n < STAT_FEW);
    }
}

/* The mean of two logarithms is a geometric mean. */
Test(stat, the_ratio_of_two_arms_is_one_over_that_of_the_other_way)
{
    uint64_t state = 12;
    for (int round = 0; round < 100; round++) {
        double a[30], b[30], change[2];
        size_t n = 1 + next_random(&state) % 30;
        struct interval m, w;
        for (size_t i = 0; i < n; i++) {
            a[i] = exp(3 * normal(&state));
            b[i] = exp(3 * normal(&state));
        }
        cr_assert_eq(stat_ratio(a, b, n, &m, &change[0]), 0);
        cr_assert_eq(stat_ratio(b, a, n, &w, &change[1]), 0);
        cr_assert_float_eq(m.value * w.value, 1, 1e-12);
        cr_assert_float_eq(m.lo * w.hi, 1, 1e-12);
        cr_assert_float_eq(m.hi * w.lo, 1, 1e-12);
    }
}

/* ---- outliers ---- */

Test(stat, a_value_far_from_the_others_is_an_outlier)
{
    static const struct {
        double x[9];
        size_t n;
        uint32_t outliers;
    } cases[] = {
        {{10, 11, 12, 13, 14, 15, 16}, 7, 0},
        {{10, 11, 12, 13, 14, 15, 100}, 7, 1},
        {{-90, 11, 12, 13, 14, 15, 100}, 7, 2},
        /* median 13, MAD 2: the limit is 14.826 away */
        {{10, 11, 12, 13, 14, 15, 27.82}, 7, 0},
        {{10, 11, 12, 13, 14, 15, 27.83}, 7, 1},
        {{10, 11, 12, 13, 100}, 5, 0},   /* too few to say */
        {{5, 5, 5, 5, 5, 6, 900}, 7, 0}, /* no scale */
        {{5, 5, 5, 5, 6, 7, 8, 900}, 8, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t n;
        cr_assert_eq(stat_outliers(cases[i].x, cases[i].n, &n), 0);
        cr_assert_eq(n, cases[i].outliers, "case %zu: %u", i, (unsigned)n);
    }
}

/* As results/README.md says: of ten normal values in one of 25 cells. */
Test(stat, normal_values_have_few_outliers)
{
    static const struct {
        size_t n;
        double most; /* cells with an outlier */
    } cases[] = {{6, 0.15}, {10, 0.06}, {20, 0.02}, {40, 0.01}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t state = 300 + i;
        int with = 0, rounds = 4000;
        for (int r = 0; r < rounds; r++) {
            double x[40];
            uint32_t n;
            for (size_t k = 0; k < cases[i].n; k++)
                x[k] = normal(&state);
            cr_assert_eq(stat_outliers(x, cases[i].n, &n), 0);
            with += n > 0;
        }
        double share = (double)with / rounds;
        cr_log_info("n = %zu: outliers in %.4f", cases[i].n, share);
        cr_assert(share <= cases[i].most, "n = %zu: %.4f", cases[i].n, share);
    }
}
