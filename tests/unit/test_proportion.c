/* test_proportion.c - exact intervals of shares.
 *
 * Published: R's help page of binom.test (package stats), 682 of 925, whose
 * interval is printed in Conover (1971), p. 97f; and the closed forms for no
 * and for all successes, of which 10 trials (30.85 %) and 100 (3.62 %) are in
 * every table, as is 5 of 10 (18.71 % .. 81.29 %).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <math.h>

#include "proportion.h"

static const struct {
    unsigned k, n;
    double lo, hi, within;
} published[] = {
    {682, 925, 0.7076683, 0.7654066, 5e-8},
    {5, 10, 0.187086, 0.812914, 5e-7},
    {0, 10, 0, 0.3084971, 5e-8},
    {10, 10, 0.6915029, 1, 5e-8},
    {0, 100, 0, 0.0362167, 5e-8},
    {1, 10, 0.002528579, 0.4450161, 5e-8},
    {0, 1, 0, 0.975, 1e-12},
    {1, 1, 0.025, 1, 1e-12},
};

Test(proportion, intervals_are_those_that_are_published)
{
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        struct interval s = proportion(published[i].k, published[i].n);

        cr_expect_float_eq(s.value, (double)published[i].k / published[i].n,
                           1e-15);
        cr_expect_float_eq(s.lo, published[i].lo, published[i].within,
                           "%u of %u: %.9g", published[i].k, published[i].n,
                           s.lo);
        cr_expect_float_eq(s.hi, published[i].hi, published[i].within,
                           "%u of %u: %.9g", published[i].k, published[i].n,
                           s.hi);
    }
}

Test(proportion, none_and_all_have_a_closed_form)
{
    for (unsigned n = 1; n <= 20000; n = n * 3 + 1) {
        double edge = pow(0.025, 1.0 / n);

        cr_expect_float_eq(proportion(0, n).hi, 1 - edge, 1e-9, "%u", n);
        cr_expect_float_eq(proportion(n, n).lo, edge, 1e-9, "%u", n);
        cr_expect_eq(proportion(0, n).lo, 0.0);
        cr_expect_eq(proportion(n, n).hi, 1.0);
    }
}

/* P(X <= k) of n throws at p, by the recursion of the terms, from the end
 * where they are not too small for a double. */
static double at_most(unsigned k, unsigned n, double p)
{
    if (p > 0.5)
        return k == n ? 1 : 1 - at_most(n - k - 1, n, 1 - p);
    double term = pow(1 - p, n), sum = term;

    for (unsigned i = 0; i < k; i++) {
        term *= (double)(n - i) / (i + 1) * p / (1 - p);
        sum += term;
    }
    return sum;
}

/* The definition: at each end, what was seen or more extreme has 2.5 %. */
Test(proportion, the_ends_have_two_and_a_half_per_cent_beyond)
{
    for (unsigned n = 1; n <= 200; n += 29)
        for (unsigned k = 0; k <= n; k++) {
            struct interval s = proportion(k, n);

            cr_assert(s.lo <= s.value && s.value <= s.hi);
            if (k < n)
                cr_assert_float_eq(at_most(k, n, s.hi), 0.025, 1e-7);
            if (k > 0)
                cr_assert_float_eq(1 - at_most(k - 1, n, s.lo), 0.025, 1e-7);
            /* the mirror image */
            cr_assert_float_eq(proportion(n - k, n).lo, 1 - s.hi, 1e-9);
        }
}
