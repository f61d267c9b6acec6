/* many_tests.c - many p-values at once, and the test that others use.
 *
 * Holm: the i-th smallest of m p-values (i from 0) is multiplied by m - i, and
 * is never below the one before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "paired.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "ranks.h"

int holm_adjust(double p[], size_t m)
{
    size_t n = 0;
    double least = 0;
    struct ranked_value *v = malloc((m ? m : 1) * sizeof *v);
    if (!v)
        return ENOMEM;
    for (size_t i = 0; i < m; i++)
        if (!isnan(p[i]))
            v[n++] = (struct ranked_value){p[i], i, 0};
    ranks_assign(v, n); /* for the order */
    for (size_t i = 0; i < n; i++) {
        least = fmax(least, fmin(1, (double)(n - i) * v[i].value));
        p[v[i].from] = least;
    }
    free(v);
    return 0;
}

/* Of the rank sum of the first na, z with the ties' correction: each tie of t
 * values takes t^3 - t from the variance. */
static double rank_sum_p(const struct ranked_value v[], size_t na, size_t nb)
{
    double sum = 0, ties = 0, n = (double)(na + nb);
    for (size_t i = 0, end; i < na + nb; i = end) {
        for (end = i; end < na + nb && v[end].twice == v[i].twice; end++)
            sum += v[end].from < na ? v[end].twice / 2.0 : 0;
        double t = (double)(end - i);
        ties += t * t * t - t;
    }
    double a = (double)na, b = (double)nb;
    double variance = a * b / 12 * (n + 1 - ties / (n * (n - 1)));
    double off = fabs(sum - a * (n + 1) / 2);
    if (!(variance > 0))
        return 1;
    return fmin(1, 2 * normal_tail(fmax(0, off - 0.5) / sqrt(variance)));
}

double mann_whitney_p(const double a[], size_t na, const double b[], size_t nb)
{
    if (na == 0 || nb == 0)
        return NAN;
    struct ranked_value *v = malloc((na + nb) * sizeof *v);
    if (!v)
        return NAN;
    for (size_t i = 0; i < na + nb; i++)
        v[i] = (struct ranked_value){i < na ? a[i] : b[i - na], i, 0};
    ranks_assign(v, na + nb);
    double p = rank_sum_p(v, na, nb);
    free(v);
    return p;
}
