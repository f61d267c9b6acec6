/* test_paired.c - estimates and tests on pairs, against enumeration of all
 * signs and all averages, published examples, and synthetic data.
 *
 * Published: the examples of R's help page of wilcox.test (R 4, package
 * stats), whose data are from Hollander & Wolfe (1973), pages 29 and 69, and
 * Chambers et al. (1983).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "paired.h"

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

/* Symmetric about 0; the last has no variance. */
static double normal(uint64_t *state)
{
    double u = uniform(state), v = uniform(state);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static double flat(uint64_t *state)
{
    return uniform(state) - 0.5;
}

static double laplace(uint64_t *state)
{
    double u = uniform(state) - 0.5;
    return u < 0 ? log(1 + 2 * u) : -log(1 - 2 * u);
}

static double cauchy(uint64_t *state)
{
    return tan(3.141592653589793 * (uniform(state) - 0.5));
}

/* Small whole numbers: many ties and zeros. */
static double tied(uint64_t *state)
{
    return (double)(next_random(state) % 9) - 4;
}

static const struct shape {
    const char *name;
    double (*draw)(uint64_t *);
} shapes[] = {{"normal", normal},
              {"uniform", flat},
              {"laplace", laplace},
              {"cauchy", cauchy},
              {"tied", tied}};
enum { CONTINUOUS = 4, SHAPES = 5 };

static void fill(double x[], size_t n, double (*draw)(uint64_t *),
                 uint64_t *state)
{
    for (size_t i = 0; i < n; i++)
        x[i] = draw(state);
}

/* ---- the slow and obvious way ---- */

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* All averages, sorted; n (n + 1) / 2 of them. */
static double *make_averages(const double x[], size_t n)
{
    double *w = malloc(n * (n + 1) / 2 * sizeof *w);
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            w[m++] = (x[i] + x[j]) / 2;
    qsort(w, m, sizeof *w, order);
    return w;
}

/* Rank of |x[i]| among the others that are not 0: by counting. */
static double rank_of(const double x[], size_t n, size_t i)
{
    double rank = 0.5;
    for (size_t j = 0; j < n; j++)
        if (x[j] != 0)
            rank += fabs(x[j]) < fabs(x[i])    ? 1
                    : fabs(x[j]) == fabs(x[i]) ? 0.5
                                               : 0;
    return rank;
}

/* P(T >= t) by going through all 2^m signs of the m that are not 0. */
static double enumerate_p(const double x[], size_t n)
{
    double rank[16], t = 0;
    size_t m = 0, hits = 0;
    for (size_t i = 0; i < n; i++) {
        if (x[i] == 0)
            continue;
        rank[m++] = rank_of(x, n, i);
        t += x[i] > 0 ? rank[m - 1] : 0;
    }
    for (size_t signs = 0; signs < (size_t)1 << m; signs++) {
        double sum = 0;
        for (size_t i = 0; i < m; i++)
            sum += signs >> i & 1 ? rank[i] : 0;
        hits += sum >= t;
    }
    return (double)hits / (double)((size_t)1 << m);
}

/* The interval's place k among the averages, by the same enumeration. */
static size_t enumerate_place(size_t n, double tail)
{
    size_t count[200] = {0}, sum_of = 0, k = 0;
    double below = 0, all = (double)((size_t)1 << n);
    for (size_t signs = 0; signs < (size_t)1 << n; signs++) {
        sum_of = 0;
        for (size_t i = 0; i < n; i++)
            sum_of += signs >> i & 1 ? i + 1 : 0;
        count[sum_of]++;
    }
    while ((below += (double)count[k]) / all <= tail)
        k++;
    return k;
}

/* ---- against published values ---- */

static const double before[] = {1.83, 0.50, 1.62, 2.48, 1.68,
                                1.88, 1.55, 3.06, 1.30};
static const double after[] = {0.878, 0.647, 0.598, 2.05, 1.06,
                               1.29,  1.06,  3.14,  1.29};

Test(paired, the_depression_scores_of_hollander_and_wolfe)
{
    double x[9];
    for (int i = 0; i < 9; i++)
        x[i] = before[i] - after[i];
    /* R: V = 40, p-value = 0.01953 (alternative "greater") */
    cr_assert_float_eq(paired_p_above(x, 9, 0), 10.0 / 512, 1e-15);
    cr_assert_float_eq(paired_p_above(x, 9, 0), enumerate_p(x, 9), 1e-15);
    struct interval c;
    cr_assert_eq(paired_centre(x, 9, 0.95, &c), 0);
    /* Hollander & Wolfe's estimate of the effect is 0.46 */
    cr_assert_float_eq(c.value, 0.46, 1e-12);
}

/* Ozone in New York, May and August 1973 (R's airquality). */
Test(paired, mann_whitney_of_the_ozone_of_two_months)
{
    static const double may[] = {41, 36, 12, 18, 28, 23, 19,  8,  7,
                                 16, 11, 14, 18, 14, 34, 6,   30, 11,
                                 1,  11, 4,  32, 23, 45, 115, 37};
    static const double august[] = {39, 9,  16,  78, 35, 66,  122, 89, 110,
                                    44, 28, 65,  22, 59, 23,  31,  44, 21,
                                    9,  45, 168, 73, 76, 118, 84,  85};
    /* R: W = 127.5, p-value = 0.0001208 */
    cr_assert_float_eq(mann_whitney_p(may, 26, august, 26), 0.0001208, 5e-8);
    cr_assert_float_eq(mann_whitney_p(august, 26, may, 26), 0.0001208, 5e-8);
}

Test(paired, holm_by_hand)
{
    /* sorted .005 .01 .03 .04 times 4 3 2 1: .02 .03 .06 .04 -> .06 */
    double p[] = {0.01, NAN, 0.04, 0.03, 0.005};
    static const double want[] = {0.03, NAN, 0.06, 0.06, 0.02};
    cr_assert_eq(holm_adjust(p, 5), 0);
    for (int i = 0; i < 5; i++)
        cr_assert(i == 1 ? isnan(p[i]) : fabs(p[i] - want[i]) < 1e-15,
                  "p[%d] = %g", i, p[i]);
    double large[] = {0.9, 0.8, 0.5};
    cr_assert_eq(holm_adjust(large, 3), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(large[i], 1);
    cr_assert_eq(holm_adjust(NULL, 0), 0);
}

/* Of 20 true nulls, one below 5 % in at most 5 % of families. */
Test(paired, holm_keeps_the_rate_of_the_family)
{
    uint64_t state = 77;
    int families = 4000, wrong = 0;
    for (int f = 0; f < families; f++) {
        double p[20], least = 1;
        fill(p, 20, uniform, &state);
        cr_assert_eq(holm_adjust(p, 20), 0);
        for (int i = 0; i < 20; i++)
            least = fmin(least, p[i]);
        wrong += least <= 0.05;
    }
    /* 1 - (1 - .05/20)^20 = 4.88 %, and four deviations of 0.34 % */
    cr_assert(wrong > 0.035 * families && wrong < 0.0625 * families, "%d of %d",
              wrong, families);
}

/* ---- against enumeration ---- */

Test(paired, p_is_the_share_of_all_signs)
{
    uint64_t state = 3;
    for (size_t n = 1; n <= 12; n++) {
        for (int s = 0; s < SHAPES; s++) {
            double x[12], y[12];
            fill(x, n, shapes[s].draw, &state);
            for (size_t i = 0; i < n; i++)
                y[i] = -x[i];
            cr_assert_float_eq(paired_p_above(x, n, 0), enumerate_p(x, n),
                               1e-12, "%s, n = %zu", shapes[s].name, n);
            cr_assert_float_eq(paired_p_below(x, n, 0), enumerate_p(y, n),
                               1e-12, "%s, n = %zu", shapes[s].name, n);
        }
    }
}

Test(paired, the_interval_is_of_the_averages_at_the_enumerated_place)
{
    uint64_t state = 4;
    for (size_t n = 1; n <= 14; n++) {
        for (int s = 0; s < SHAPES; s++) {
            double x[14];
            struct interval c;
            fill(x, n, shapes[s].draw, &state);
            double *w = make_averages(x, n);
            size_t all = n * (n + 1) / 2, k = enumerate_place(n, 0.025);
            cr_assert_eq(paired_centre(x, n, 0.95, &c), 0);
            cr_assert_float_eq(c.value, (w[(all - 1) / 2] + w[all / 2]) / 2,
                               1e-12);
            cr_assert_eq(k == 0, n < STAT_FEW);
            cr_assert_eq(c.lo, k ? w[k - 1] : -INFINITY, "n = %zu", n);
            cr_assert_eq(c.hi, k ? w[all - k] : INFINITY, "n = %zu", n);
            free(w);
        }
    }
}

/* An average is met exactly, however many there are. */
Test(paired, order_statistics_of_large_samples_are_exact)
{
    static const size_t sizes[] = {51, 200, 700};
    uint64_t state = 5;
    for (int i = 0; i < 3; i++) {
        for (int s = 0; s < SHAPES; s++) {
            size_t n = sizes[i], all = n * (n + 1) / 2;
            double x[700], m = (double)n;
            struct interval c;
            fill(x, n, shapes[s].draw, &state);
            double *w = make_averages(x, n);
            double mean = m * (m + 1) / 4,
                   sd = sqrt(m * (m + 1) * (2 * m + 1) / 24);
            size_t k = (size_t)floor(mean + 0.5 - 1.959963984540054 * sd);
            cr_assert_eq(paired_centre(x, n, 0.95, &c), 0);
            cr_assert_float_eq(c.value, (w[(all - 1) / 2] + w[all / 2]) / 2,
                               1e-12);
            cr_assert_eq(c.lo, w[k - 1], "%s, n = %zu", shapes[s].name, n);
            cr_assert_eq(c.hi, w[all - k], "%s, n = %zu", shapes[s].name, n);
            free(w);
        }
    }
}

/* P(T >= t) of n pairs without ties, by counting the ways to each sum. */
static double count_p(size_t n, size_t t)
{
    static double ways[80 * 81 / 2 + 1];
    size_t all = n * (n + 1) / 2;
    double p = 0;
    memset(ways, 0, sizeof ways);
    ways[0] = 1;
    for (size_t rank = 1; rank <= n; rank++)
        for (size_t s = all; s >= rank; s--)
            ways[s] += ways[s - rank];
    for (size_t s = t; s <= all; s++)
        p += ldexp(ways[s], -(int)n);
    return p;
}

/* Off by the kurtosis of T at most, which is -3.6 / n. */
Test(paired, above_fifty_pairs_the_approximation_is_near_the_exact_value)
{
    uint64_t state = 6;
    for (int round = 0; round < 60; round++) {
        double x[80], shift = (round % 20 - 10) * 0.05;
        size_t n = PAIRED_EXACT + 1 + next_random(&state) % 30, t = 0;
        fill(x, n, normal, &state);
        for (size_t i = 0; i < n; i++)
            x[i] -= shift;
        for (size_t i = 0; i < n; i++)
            t += x[i] > 0 ? (size_t)rank_of(x, n, i) : 0;
        double p = paired_p_above(x, n, 0), exact = count_p(n, t);
        cr_assert_float_eq(p, exact, 2e-3, "n = %zu: %g, exact %g", n, p,
                           exact);
    }
}

Test(paired, the_largest_sample_is_done)
{
    static double x[PAIRED_MAX];
    uint64_t state = 8;
    struct interval c, s;
    fill(x, PAIRED_MAX, cauchy, &state);
    cr_assert_eq(paired_centre(x, PAIRED_MAX, 0.95, &c), 0);
    cr_assert_eq(paired_sign(x, PAIRED_MAX, 0.95, &s), 0);
    cr_assert(c.lo < 0 && c.hi > 0 && c.hi - c.lo < 0.3);
    cr_assert(s.lo < 0 && s.hi > 0 && s.hi - s.lo < 0.3);
}

/* ---- coverage ---- */

/* How often the interval holds the true centre, 0. */
static double coverage(const struct shape *shape, size_t n, int rounds,
                       int (*estimate)(const double[], size_t, double,
                                       struct interval *))
{
    uint64_t state = 1000 + n;
    int held = 0;
    for (int r = 0; r < rounds; r++) {
        double x[128];
        struct interval c;
        fill(x, n, shape->draw, &state);
        cr_assert_eq(estimate(x, n, 0.95, &c), 0);
        cr_assert(c.lo <= c.value && c.value <= c.hi);
        held += c.lo <= 0 && 0 <= c.hi;
    }
    return (double)held / rounds;
}

Test(paired, intervals_hold_the_centre_95_times_in_100)
{
    static const size_t sizes[] = {6, 7, 10, 20, 40, 60, 120};
    enum { ROUNDS = 2000 }; /* a deviation is 0.5 % */
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int s = 0; s < CONTINUOUS; s++) {
            size_t n = sizes[i];
            double c = coverage(&shapes[s], n, ROUNDS, paired_centre);
            double m = coverage(&shapes[s], n, ROUNDS, paired_sign);
            cr_log_info("%s, n = %zu: %.3f, sign %.3f", shapes[s].name, n, c,
                        m);
            /* never below 95 % but by chance; n = 6 can only have 96.9 % */
            cr_assert(c > 0.93 && c < 0.985, "%s, n = %zu: %.3f",
                      shapes[s].name, n, c);
            cr_assert(m > 0.93 && m < 0.995, "%s, n = %zu, sign: %.3f",
                      shapes[s].name, n, m);
        }
    }
}

Test(paired, without_symmetry_the_sign_interval_holds_the_median)
{
    uint64_t state = 15;
    int held = 0, rounds = 3000;
    for (int r = 0; r < rounds; r++) {
        double x[30];
        struct interval s;
        for (int i = 0; i < 30; i++)
            x[i] = -log(uniform(&state)) - log(2); /* median 0 */
        cr_assert_eq(paired_sign(x, 30, 0.95, &s), 0);
        held += s.lo <= 0 && 0 <= s.hi;
    }
    /* P(B <= 9) of 30 is 2.14 %: 95.7 % */
    cr_assert_float_eq((double)held / rounds, 0.957, 0.015);
}

/* ---- the test's size ---- */

Test(paired, p_is_uniform_if_nothing_is_there)
{
    static const size_t sizes[] = {8, 20, 50, 51, 90};
    static const double levels[] = {0.01, 0.05, 0.2, 0.5, 0.9};
    enum { ROUNDS = 3000 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t state = 40 + i;
        int below[5] = {0};
        for (int r = 0; r < ROUNDS; r++) {
            double x[90];
            fill(x, sizes[i], shapes[r % CONTINUOUS].draw, &state);
            double p = r % 2 ? paired_p_above(x, sizes[i], 0)
                             : paired_p_below(x, sizes[i], 0);
            for (int k = 0; k < 5; k++)
                below[k] += p <= levels[k];
        }
        /* by steps: of 8 pairs at most 2.6 % wide */
        double step = sizes[i] == 8 ? 0.04 : 0.01;
        for (int k = 0; k < 5; k++) {
            double got = (double)below[k] / ROUNDS, q = levels[k];
            double off = 4 * sqrt(q * (1 - q) / ROUNDS);
            cr_assert(got <= q + off && got >= q - off - step,
                      "n = %zu: P(p <= %g) = %.4f", sizes[i], q, got);
        }
    }
}

/* The interval and the test are one: its ends are where p crosses. */
Test(paired, margins_outside_the_interval_are_refused_those_inside_not)
{
    uint64_t state = 9;
    for (int round = 0; round < 200; round++) {
        double x[40];
        size_t n = 6 + next_random(&state) % 35;
        struct interval c;
        fill(x, n, shapes[round % CONTINUOUS].draw, &state);
        cr_assert_eq(paired_centre(x, n, 0.95, &c), 0);
        double step = 1e-9 * (1 + fabs(c.lo) + fabs(c.hi));
        cr_assert(paired_p_above(x, n, c.lo - step) <= 0.025);
        cr_assert(paired_p_above(x, n, c.lo + step) > 0.025);
        cr_assert(paired_p_below(x, n, c.hi + step) <= 0.025);
        cr_assert(paired_p_below(x, n, c.hi - step) > 0.025);
    }
}

/* ---- equivariance, monotonicity ---- */

Test(paired, a_shift_shifts_and_a_sign_flips)
{
    uint64_t state = 10;
    for (int round = 0; round < 300; round++) {
        double x[80], y[80], z[80];
        size_t n = 1 + next_random(&state) % 80;
        for (size_t i = 0; i < n; i++) {
            x[i] = tied(&state) / 64; /* eighths and shifts are exact */
            y[i] = x[i] + 3;
            z[i] = -x[i];
        }
        struct interval a, b, c;
        for (int k = 0; k < 2; k++) {
            int (*of)(const double[], size_t, double, struct interval *) =
                k ? paired_sign : paired_centre;
            cr_assert_eq(of(x, n, 0.95, &a), 0);
            cr_assert_eq(of(y, n, 0.95, &b), 0);
            cr_assert_eq(of(z, n, 0.95, &c), 0);
            cr_assert(b.value == a.value + 3 && b.lo == a.lo + 3 &&
                      b.hi == a.hi + 3);
            cr_assert(c.value == -a.value && c.lo == -a.hi && c.hi == -a.lo);
        }
        double m = 0.0625;
        cr_assert_eq(paired_p_above(x, n, m), paired_p_above(y, n, m + 3));
        cr_assert_eq(paired_p_above(x, n, m), paired_p_below(z, n, -m));
        cr_assert_eq(paired_detectable(x, n, 0.05, 0.8),
                     paired_detectable(z, n, 0.05, 0.8));
    }
}

Test(paired, a_larger_margin_is_harder_to_pass_a_higher_level_is_wider)
{
    static const double level[] = {0.5, 0.8, 0.9, 0.95, 0.99};
    uint64_t state = 11;
    for (int round = 0; round < 100; round++) {
        double x[60], last = 0;
        size_t n = 8 + next_random(&state) % 53;
        fill(x, n, normal, &state);
        for (int k = -20; k <= 20; k++) {
            double p = paired_p_above(x, n, k * 0.1);
            cr_assert(p >= last - 1e-12 && p <= 1, "margin %g: %g after %g",
                      k * 0.1, p, last);
            last = p;
        }
        struct interval c = {0, 0, 0}, inner;
        for (int k = 0; k < 5; k++) {
            inner = c;
            cr_assert_eq(paired_centre(x, n, level[k], &c), 0);
            cr_assert(!k || (c.lo <= inner.lo && inner.hi <= c.hi));
        }
    }
}

/* ---- edges ---- */

Test(paired, nothing_one_all_equal_all_zero)
{
    static const double zero[12] = {0};
    const double one[] = {0.25};
    double same[12];
    struct interval c;
    for (int i = 0; i < 12; i++)
        same[i] = 0.7;
    cr_assert(isnan(paired_p_above(zero, 0, 0)));
    cr_assert(isnan(paired_p_below(zero, 0, 0)));
    cr_assert(isnan(paired_detectable(zero, 0, 0.05, 0.8)));
    cr_assert_eq(paired_needed(zero, 0, 0.1, 0.05, 0.8), 0u);
    cr_assert(isnan(mann_whitney_p(one, 0, one, 1)));
    cr_assert(isnan(mann_whitney_p(one, 1, one, 0)));
    cr_assert_eq(mann_whitney_p(zero, 12, zero, 12), 1);
    cr_assert_eq(mann_whitney_p(one, 1, one, 1), 1);

    cr_assert_eq(paired_p_above(one, 1, 0), 0.5);
    cr_assert_eq(paired_p_below(one, 1, 0), 1);
    cr_assert_eq(paired_centre(one, 1, 0.95, &c), 0);
    cr_assert(c.value == 0.25 && c.lo == -INFINITY && c.hi == INFINITY);
    cr_assert_eq(paired_sign(one, 1, 0.95, &c), 0);
    cr_assert(c.value == 0.25 && c.lo == -INFINITY && c.hi == INFINITY);
    cr_assert_eq(paired_detectable(one, 1, 0.05, 0.8), INFINITY);
    cr_assert_eq(paired_needed(one, 1, 0.1, 0.05, 0.8), 0u);

    cr_assert_eq(paired_centre(same, 12, 0.95, &c), 0);
    cr_assert(c.value == 0.7 && c.lo == 0.7 && c.hi == 0.7);
    cr_assert_eq(paired_p_above(same, 12, 0.7), 1, "no pair differs");
    cr_assert_eq(paired_p_above(same, 12, 0), ldexp(1, -12));
    cr_assert_eq(paired_p_below(same, 12, 0), 1);
    cr_assert_float_eq(paired_detectable(same, 12, 0.05, 0.8), 0, 1e-15);
    cr_assert_eq(paired_needed(same, 12, 0.1, 0.05, 0.8), 5u, "2^-5 < 5 %%");
    cr_assert_eq(paired_needed(same, 12, 0, 0.05, 0.8), 0u);
    cr_assert_eq(paired_needed(same, 12, NAN, 0.05, 0.8), 0u);

    cr_assert_eq(paired_p_above(zero, 12, 0), 1);
    cr_assert_eq(paired_p_below(zero, 12, 0), 1);
    cr_assert_eq(paired_centre(zero, 12, 0.95, &c), 0);
    cr_assert(c.value == 0 && c.lo == 0 && c.hi == 0);
}

/* ---- what can be told ---- */

/* How often a true centre of `shift` is found at one-sided 2.5 %. */
static double find_power(size_t n, double shift, int rounds, uint64_t *state)
{
    int found = 0;
    for (int r = 0; r < rounds; r++) {
        double x[64];
        fill(x, n, normal, state);
        found += paired_p_above(x, n, -shift) <= 0.025;
    }
    return (double)found / rounds;
}

Test(paired, what_is_called_detectable_is_found_about_that_often)
{
    static const size_t sizes[] = {8, 10, 20, 40, 60};
    enum { ROUNDS = 2000 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t state = 500 + i;
        size_t n = sizes[i];
        double sum = 0;
        for (int r = 0; r < ROUNDS; r++) {
            double x[64];
            fill(x, n, normal, &state);
            sum += paired_detectable(x, n, 0.025, 0.8) / ROUNDS;
        }
        double power = find_power(n, sum, ROUNDS, &state);
        cr_log_info("n = %zu: %.3f sigma, power %.3f", n, sum, power);
        cr_assert(power > 0.7 && power < 0.88, "n = %zu: power %.3f", n, power);
    }
}

Test(paired, as_many_pairs_as_are_called_needed_find_it)
{
    static const double gaps[] = {0.5, 0.6, 0.9};
    for (int i = 0; i < 3; i++) {
        uint64_t state = 600;
        double x[60], power = 0;
        int rounds = 40;
        for (int r = 0; r < rounds; r++) {
            fill(x, 60, normal, &state);
            size_t n = paired_needed(x, 60, gaps[i], 0.025, 0.8);
            cr_assert(n >= 6 && n <= 64, "%zu", n);
            cr_assert_eq(n, paired_needed(x, 60, -gaps[i], 0.025, 0.8));
            power += find_power(n, gaps[i], 100, &state) / rounds;
        }
        cr_assert_float_eq(power, 0.8, 0.08, "gap %g: %.3f", gaps[i], power);
    }
}
