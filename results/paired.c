/* paired.c - what paired runs tell: estimates and tests on log-ratios.
 *
 * Order statistics of the n (n + 1) / 2 averages are found without making
 * them: with x sorted, how many averages are at most v is counted by two
 * pointers in n steps, and v is bisected over the doubles themselves, 64
 * steps.  What remains is exactly the average sought.
 *
 * The interval runs from the k-th smallest average to the k-th largest, k
 * being the largest for which P(T < k) <= (1 - level) / 2 under the null of
 * the signed-rank sum T.  Ties among the averages only make it wider.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "paired.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ranks.h"
#include "robust.h"

/* ---- order statistics of the averages ---- */

static double average(double a, double b)
{
    return (a + b) / 2;
}

/* How many averages of sorted x[n] are at most v. */
static size_t count_averages(const double x[], size_t n, double v)
{
    size_t count = 0, end = n; /* x[i] with x[0 .. end - 1] is at most v */
    for (size_t i = 0; i < n; i++) {
        while (end > i && average(x[i], x[end - 1]) > v)
            end--;
        if (end <= i)
            break;
        count += end - i;
    }
    return count;
}

/* Doubles in their order as whole numbers, and back. */
static int64_t key_of(double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

static double value_of(int64_t key)
{
    double v;
    key = key < 0 ? INT64_MIN - key : key;
    memcpy(&v, &key, sizeof v);
    return v;
}

/* The k-th smallest average, k from 1. */
static double find_average(const double x[], size_t n, size_t k)
{
    int64_t lo = key_of(x[0] + 0.0), hi = key_of(x[n - 1] + 0.0);
    while (lo < hi) {
        /* rounded down, without overflow */
        int64_t mid = (lo >> 1) + (hi >> 1) + (lo & hi & 1);
        if (count_averages(x, n, value_of(mid)) >= k)
            hi = mid;
        else
            lo = mid + 1;
    }
    return value_of(lo);
}

/* ---- the interval ---- */

/* The largest k with P(T < k) <= tail, T the sum of ranks 1..n; 0: none. */
static size_t place_of_tail(size_t n, double tail)
{
    uint32_t twice[PAIRED_EXACT];
    size_t lo = 0, hi = n * (n + 1) / 4; /* the answer is in lo .. hi */
    double half = (double)n * (double)(n + 1) / 4;
    if (n > PAIRED_EXACT) {
        double sigma = sqrt(half * (double)(2 * n + 1) / 6);
        return (size_t)fmax(0, floor(half + 0.5 - normal_tail_z(tail) * sigma));
    }
    for (size_t i = 0; i < n; i++)
        twice[i] = (uint32_t)(2 * i + 2);
    while (lo < hi) {
        size_t k = (lo + hi + 1) / 2;
        double p = signed_ranks_below(twice, n, 2 * (k - 1));
        if (p <= tail)
            lo = k;
        else
            hi = k - 1;
    }
    return lo;
}

static double *copy_sorted(const double x[], size_t n)
{
    double *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return NULL;
    memcpy(sorted, x, n * sizeof *sorted);
    reals_sort(sorted, n);
    return sorted;
}

int paired_centre(const double x[], size_t n, double level,
                  struct interval *out)
{
    assert(n >= 1 && level > 0 && level < 1);
    double *sorted = copy_sorted(x, n);
    if (!sorted)
        return ENOMEM;
    size_t all = n * (n + 1) / 2, k = place_of_tail(n, (1 - level) / 2);
    out->value = reals_middle(find_average(sorted, n, (all + 1) / 2),
                              find_average(sorted, n, all / 2 + 1));
    out->lo = k ? find_average(sorted, n, k) : -INFINITY;
    out->hi = k ? find_average(sorted, n, all + 1 - k) : INFINITY;
    free(sorted);
    return 0;
}

/* The largest k with P(B < k) <= tail, B the number of heads in n throws. */
static size_t place_of_sign(size_t n, double tail)
{
    double below = 0, m = (double)n;
    size_t k = 0;
    while (k < n) {
        double i = (double)k;
        below +=
            exp(lgamma(m + 1) - lgamma(i + 1) - lgamma(m - i + 1) - m * log(2));
        if (below > tail)
            break;
        k++;
    }
    return k;
}

int paired_sign(const double x[], size_t n, double level, struct interval *out)
{
    assert(n >= 1 && level > 0 && level < 1);
    double *sorted = copy_sorted(x, n);
    if (!sorted)
        return ENOMEM;
    size_t k = place_of_sign(n, (1 - level) / 2);
    out->value = sorted_median(sorted, n);
    out->lo = k ? sorted[k - 1] : -INFINITY;
    out->hi = k ? sorted[n - k] : INFINITY;
    free(sorted);
    return 0;
}

/* ---- the test ---- */

/* P(T >= t) of what is seen, for sign 1; of the mirror image for sign -1. */
static double signed_rank_p(const double x[], size_t n, double margin,
                            double sign)
{
    double p = NAN;
    size_t m = 0; /* pairs that differ */
    uint64_t t = 0;
    struct ranked_value *v = malloc((n ? n : 1) * sizeof *v);
    uint32_t *twice = malloc((n ? n : 1) * sizeof *twice);
    if (!v || !twice || n == 0)
        goto out;
    for (size_t i = 0; i < n; i++)
        if (x[i] != margin)
            v[m++] = (struct ranked_value){fabs(x[i] - margin), i, 0};
    ranks_assign(v, m);
    for (size_t i = 0; i < m; i++) {
        twice[i] = v[i].twice;
        if (sign * (x[v[i].from] - margin) > 0)
            t += twice[i];
    }
    p = signed_ranks_above(twice, m, t);
out:
    free(twice);
    free(v);
    return p;
}

double paired_p_above(const double x[], size_t n, double margin)
{
    return signed_rank_p(x, n, margin, 1);
}

double paired_p_below(const double x[], size_t n, double margin)
{
    return signed_rank_p(x, n, margin, -1);
}

/* ---- what a number of pairs can tell ---- */

static double deviation(const double x[], size_t n)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
}

/* NAN if memory is short.  The MAD of few values is too small in the mean, by
 * (n - 0.8) / n: Croux & Rousseeuw, "Time-efficient algorithms for two highly
 * robust estimators of scale", COMPSTAT 1992, section 2. */
static double spread(const double x[], size_t n)
{
    double *own = copy_sorted(x, n);
    if (!own)
        return NAN;
    double m = (double)n, sigma = robust_sigma(own, n, sorted_median(own, n));
    free(own);
    return sigma > 0 ? sigma * m / (m - 0.8) : deviation(x, n);
}

/* The least n with 2^-n <= alpha: all pairs on one side. */
static size_t fewest_pairs(double alpha)
{
    return (size_t)ceil(-log2(alpha) - 1e-9);
}

/* sqrt(pairs) times what they tell apart, in units of the spread; some of the
 * pairs go into learning the spread. */
static double yardstick(double alpha, double power)
{
    const double efficiency = 3 / 3.14159265358979323846; /* Pitman's */
    return (normal_tail_z(alpha) + normal_tail_z(1 - power)) / sqrt(efficiency);
}

/* Source: Guenther, "Sample size formulas for normal theory t tests", The
 * American Statistician 35(4), 1981. */
static double pairs_for_spread(double alpha)
{
    double z = normal_tail_z(alpha);
    return z * z / 2;
}

double paired_detectable(const double x[], size_t n, double alpha, double power)
{
    assert(alpha > 0 && alpha < 0.5 && power > 0 && power < 1);
    if (n == 0)
        return NAN;
    if (n < fewest_pairs(alpha))
        return INFINITY;
    double left = (double)n - pairs_for_spread(alpha);
    return yardstick(alpha, power) * spread(x, n) / sqrt(left);
}

size_t paired_needed(const double x[], size_t n, double gap, double alpha,
                     double power)
{
    assert(alpha > 0 && alpha < 0.5 && power > 0 && power < 1);
    if (n < 2 || !(fabs(gap) > 0))
        return 0;
    double root = yardstick(alpha, power) * spread(x, n) / fabs(gap);
    double pairs = ceil(root * root + pairs_for_spread(alpha));
    pairs = fmax(pairs, (double)fewest_pairs(alpha));
    return isnan(root) || pairs > 1e9 ? 0 : (size_t)pairs;
}
