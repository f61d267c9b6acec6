/* test_random.c - random numbers are the published ones, and spread as said.
 *
 * Statistical checks use fixed seeds, so they cannot fail by chance; their
 * bounds are wide enough that a right generator passes with nearly any seed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <float.h>
#include <math.h>

#include "random.h"

enum { DRAWS = 200000 };

/* The first state words are splitmix64's published outputs for seed 0, and
 * the generator's follow from its reference code with state 1, 2, 3, 4. */
Test(random, seed_0_fills_the_state_with_splitmix64)
{
    struct random r;

    random_seed(&r, 0);
    cr_assert_eq(r.s[0], UINT64_C(0xe220a8397b1dcdaf));
    cr_assert_eq(r.s[1], UINT64_C(0x6e789e6aa1b965f4));
    cr_assert_eq(r.s[2], UINT64_C(0x06c45d188009454f));
}

Test(random, next_is_xoshiro256_starstar)
{
    struct random r = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240,
                                        UINT64_C(1215971899390074240),
                                        UINT64_C(1216172134540287360)};

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        cr_assert_eq(random_next(&r), expected[i], "draw %zu", i);
}

Test(random, one_seed_gives_one_sequence)
{
    struct random a, b, other;
    int same = 0;

    random_seed(&a, 42);
    random_seed(&b, 42);
    random_seed(&other, 43);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = random_next(&a);
        cr_assert_eq(x, random_next(&b));
        same += x == random_next(&other);
    }
    cr_assert_eq(same, 0);
}

/* Chi-square over n equally likely values, against 5 standard deviations. */
static void assert_uniform(const unsigned count[], unsigned n)
{
    double expected = (double)DRAWS / n, chi2 = 0;

    for (unsigned i = 0; i < n; i++)
        chi2 += (count[i] - expected) * (count[i] - expected) / expected;
    cr_assert_lt(chi2, n - 1 + 5 * sqrt(2.0 * (n - 1)), "chi2 = %g, n = %u",
                 chi2, n);
}

Test(random, below_is_uniform_and_in_range)
{
    static const unsigned ns[] = {1, 2, 3, 10, 1000};
    struct random r;

    random_seed(&r, 1);
    for (size_t k = 0; k < sizeof ns / sizeof ns[0]; k++) {
        unsigned count[1000] = {0};
        for (int i = 0; i < DRAWS; i++) {
            uint64_t x = random_below(&r, ns[k]);
            cr_assert_lt(x, ns[k]);
            count[x]++;
        }
        if (ns[k] > 1)
            assert_uniform(count, ns[k]);
    }
}

Test(random, below_handles_more_than_32_bits)
{
    const uint64_t n = UINT64_C(3) << 62; /* a quarter must be rejected */
    unsigned third[3] = {0};
    struct random r;

    random_seed(&r, 2);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t x = random_below(&r, n);
        cr_assert_lt(x, n);
        third[x >> 62]++;
    }
    assert_uniform(third, 3);
}

Test(random, between_reaches_both_ends)
{
    struct random r;
    unsigned seen[3] = {0};

    random_seed(&r, 3);
    for (int i = 0; i < 100; i++)
        seen[random_between(&r, 7, 9) - 7]++;
    cr_assert(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
    cr_assert_eq(random_between(&r, 5, 5), 5);
}

Test(random, odds_of_0_and_1_are_certain)
{
    struct random r;
    int hits = 0;

    random_seed(&r, 4);
    for (int i = 0; i < 10000; i++) {
        cr_assert_not(random_chance(&r, random_odds(0)));
        cr_assert(random_chance(&r, random_odds(1)));
        hits += random_chance(&r, random_odds(0.07));
    }
    cr_assert_float_eq(hits / 10000.0, 0.07, 0.01);
}

Test(random, ln_and_exp_agree_with_libm)
{
    struct random r;

    random_seed(&r, 5);
    for (int i = 0; i < 20000; i++) {
        double x =
            ldexp(random_unit(&r) + 0x1p-53, (int)random_below(&r, 200) - 100);
        double tolerance = 4 * DBL_EPSILON * fabs(log(x)) + 1e-15;
        cr_assert_float_eq(random_ln(x), log(x), tolerance, "ln %a", x);
        double y = 100 * random_unit(&r) - 50;
        cr_assert_float_eq(random_exp(y), exp(y), 4 * DBL_EPSILON * exp(y),
                           "exp %a", y);
    }
    cr_assert_eq(random_ln(1), 0);
    cr_assert_eq(random_exp(0), 1);
}

/* Kolmogorov-Smirnov's distance at 50 points; bound 2 / sqrt(DRAWS). */
Test(random, exponential_has_its_distribution)
{
    enum { POINTS = 50 };
    unsigned below[POINTS] = {0};
    struct random r;

    random_seed(&r, 6);
    for (int i = 0; i < DRAWS; i++) {
        double x = random_exponential(&r, 3);
        cr_assert(x >= 0 && x < 37 * 3);
        for (int p = 0; p < POINTS; p++)
            below[p] += x < 0.2 * (p + 1);
    }
    for (int p = 0; p < POINTS; p++)
        cr_assert_float_eq((double)below[p] / DRAWS,
                           1 - exp(-0.2 * (p + 1) / 3), 2 / sqrt(DRAWS));
}

Test(random, geometric_has_its_mean_and_first_odds)
{
    static const double means[] = {1, 1.5, 4, 24, 1000};
    struct random r;

    random_seed(&r, 7);
    for (size_t k = 0; k < sizeof means / sizeof means[0]; k++) {
        double sum = 0, ones = 0;
        for (int i = 0; i < DRAWS; i++) {
            uint64_t x = random_geometric(&r, means[k]);
            cr_assert_geq(x, 1);
            sum += (double)x;
            ones += x == 1;
        }
        cr_assert_float_eq(sum / DRAWS, means[k], 0.015 * means[k]);
        cr_assert_float_eq(ones / DRAWS, 1 / means[k], 0.006);
    }
}

Test(random, alias_draws_by_weight_and_never_a_zero)
{
    static const double weight[] = {5, 0, 1, 0.5, 0, 3.5};
    struct alias a;
    struct random r;
    unsigned count[6] = {0};

    random_seed(&r, 8);
    cr_assert_eq(alias_init(&a, weight, 6), 0);
    for (int i = 0; i < DRAWS; i++)
        count[alias_draw(&a, &r)]++;
    alias_free(&a);
    for (int i = 0; i < 6; i++) {
        if (weight[i] == 0)
            cr_assert_eq(count[i], 0);
        else
            cr_assert_float_eq((double)count[i] / DRAWS, weight[i] / 10, 0.006);
    }
}

Test(random, alias_of_one_is_certain)
{
    static const double weight[] = {0.3};
    struct alias a;
    struct random r;

    random_seed(&r, 9);
    cr_assert_eq(alias_init(&a, weight, 1), 0);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(alias_draw(&a, &r), 0);
    alias_free(&a);
}

Test(random, zipf_follows_its_law)
{
    enum { N = 1000 };
    static const double exponents[] = {0, 0.99, 2};
    struct random r;

    random_seed(&r, 10);
    for (size_t k = 0; k < 3; k++) {
        struct alias a;
        unsigned count[N] = {0};
        double norm = 0, have = 0, want = 0;
        cr_assert_eq(alias_init_zipf(&a, exponents[k], N), 0);
        for (int i = 0; i < DRAWS; i++)
            count[alias_draw(&a, &r)]++;
        for (int i = 0; i < N; i++)
            norm += pow(i + 1, -exponents[k]);
        for (int i = 0; i < N; i++) { /* the distance of Kolmogorov-Smirnov */
            have += (double)count[i] / DRAWS;
            want += pow(i + 1, -exponents[k]) / norm;
            cr_assert_float_eq(have, want, 2 / sqrt(DRAWS));
        }
        alias_free(&a);
    }
}
