/* stat.c - medians and ratios with their intervals, and outliers.
 *
 * Medians are bootstrapped; ratios are paired, so signed ranks do (paired.c).
 *
 * A resample of n sorted values is n draws of an index, so its median is
 * found by counting how often each index was drawn: no sort per resample, and
 * the order of the samples cannot matter.
 *
 * The percentile interval is the 50th smallest and the 50th largest of 2000
 * medians.  On synthetic data it held the true median in 91 to 96 % of cases
 * for n = 8 .. 41 (92 to 96 % from n = 14 on), but in 87 % for n = 7, whose
 * resampled medians take too few values.  So below 8 the extremes are given:
 * they hold it with probability 1 - 2^(1-n) (not all samples on one side),
 * which is 98 % for n = 7, 97 % for 6, 94 % for 5 and 75 % for 3.
 *
 * Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "summary.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "paired.h"
#include "robust.h"

enum {
    RESAMPLES = 2000,
    TAIL = 50 /* 2.5 % of RESAMPLES */
};

/* The median of the multiset in which sorted[i] occurs count[i] times, n in
 * all. */
static double counted_median(const double sorted[], const uint32_t count[],
                             size_t n)
{
    size_t upper = n / 2, lower = (n - 1) / 2; /* places of the middle two */
    size_t i = 0, below = count[0];
    while (below <= lower)
        below += count[++i];
    double low = sorted[i];
    while (below <= upper)
        below += count[++i];
    return reals_middle(low, sorted[i]);
}

static void resample(const double sorted[], size_t n, uint64_t seed,
                     uint32_t count[], double medians[RESAMPLES])
{
    for (size_t b = 0; b < RESAMPLES; b++) {
        memset(count, 0, n * sizeof count[0]);
        for (size_t i = 0; i < n; i++)
            count[draw_index(&seed, n)]++;
        medians[b] = counted_median(sorted, count, n);
    }
    reals_sort(medians, RESAMPLES);
}

int stat_median(const double x[], size_t n, uint64_t seed, struct interval *out)
{
    assert(n >= 1 && n <= UINT32_MAX);
    int err = ENOMEM;
    double *sorted = malloc(n * sizeof *sorted);
    uint32_t *count = malloc(n * sizeof *count);
    double *medians = malloc(RESAMPLES * sizeof *medians);
    if (!sorted || !count || !medians)
        goto out;
    memcpy(sorted, x, n * sizeof *sorted);
    reals_sort(sorted, n);
    out->value = sorted_median(sorted, n);
    out->lo = sorted[0];
    out->hi = sorted[n - 1];
    if (n >= STAT_BOOTSTRAP) {
        resample(sorted, n, seed, count, medians);
        out->lo = medians[TAIL - 1];
        out->hi = medians[RESAMPLES - TAIL];
    }
    err = 0;
out:
    free(medians);
    free(count);
    free(sorted);
    return err;
}

int stat_outliers(const double x[], size_t n, uint32_t *out)
{
    const double far = 5;
    *out = 0;
    if (n < STAT_FEW)
        return 0;
    double *own = malloc(n * sizeof *own);
    if (!own)
        return ENOMEM;
    memcpy(own, x, n * sizeof *own);
    double median = reals_median(own, n);
    double limit = far * robust_sigma(own, n, median);
    for (size_t i = 0; i < n; i++)
        *out += limit > 0 && fabs(x[i] - median) > limit;
    free(own);
    return 0;
}

/* With too few logarithms for the level, their extremes. */
static int find_centre(const double log_ratio[], size_t n, struct interval *out)
{
    int err = paired_centre(log_ratio, n, 0.95, out);
    if (err || isfinite(out->lo))
        return err;
    out->lo = out->hi = log_ratio[0];
    for (size_t i = 1; i < n; i++) {
        out->lo = fmin(out->lo, log_ratio[i]);
        out->hi = fmax(out->hi, log_ratio[i]);
    }
    return 0;
}

int stat_ratio(const double a[], const double b[], size_t n,
               struct interval *out, double *detectable)
{
    assert(n >= 1);
    struct interval centre;
    double *log_ratio = malloc(n * sizeof *log_ratio);
    if (!log_ratio)
        return ENOMEM;
    for (size_t i = 0; i < n; i++) {
        assert(a[i] > 0 && b[i] > 0);
        log_ratio[i] = log(a[i] / b[i]);
    }
    int err = find_centre(log_ratio, n, &centre);
    if (!err) { /* exp may be one digit off: keep the order */
        out->value = exp(centre.value);
        out->lo = fmin(exp(centre.lo), out->value);
        out->hi = fmax(exp(centre.hi), out->value);
        double change = paired_detectable(log_ratio, n, 0.05 / 2, 0.8);
        *detectable = isfinite(change) ? expm1(change) : NAN;
    }
    free(log_ratio);
    return err;
}
