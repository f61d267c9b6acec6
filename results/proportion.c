/* proportion.c - how sure a share of trials is.
 *
 * The ends of the interval are the shares under which so few, or so many,
 * would be seen with probability 2.5 %; found by bisection, since the
 * binomial tail is monotonic in the share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proportion.h"

#include <math.h>

enum { BISECTIONS = 60 };

static double log_choose(unsigned n, unsigned k)
{
    return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0);
}

/* P(X <= k), X ~ Binomial(n, p), 0 < p < 1. */
static double at_most(unsigned k, unsigned n, double p)
{
    double sum = 0;

    for (unsigned i = 0; i <= k; i++)
        sum += exp(log_choose(n, i) + i * log(p) + (n - i) * log1p(-p));
    return sum < 1 ? sum : 1;
}

/* The share p at which P(X <= k) is `tail`. */
static double solve(unsigned k, unsigned n, double tail)
{
    double lo = 0, hi = 1;

    for (int i = 0; i < BISECTIONS; i++) {
        double p = (lo + hi) / 2;

        if (at_most(k, n, p) > tail)
            lo = p;
        else
            hi = p;
    }
    return (lo + hi) / 2;
}

struct interval proportion(unsigned k, unsigned n)
{
    return (struct interval){.value = (double)k / n,
                             .lo = k == 0 ? 0 : solve(k - 1, n, 0.975),
                             .hi = k == n ? 1 : solve(k, n, 0.025)};
}
