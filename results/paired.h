/* paired.h - what paired runs tell: estimates and tests on log-ratios.
 *
 * x[i] is the logarithm of candidate over baseline in pair i, so 0 is "no
 * difference" and pairs are exchangeable.  Everything here is a pure function
 * of its samples, which are finite; n may be any, and is tested to PAIRED_MAX.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PAIRED_H
#define HEAPYARD_PAIRED_H

#include <stddef.h>

#include "summary.h"

enum {
    PAIRED_MAX = 4096, /* pairs: 8 million averages */
    PAIRED_EXACT = 50  /* pairs: up to here the signed-rank null is exact */
};

/* The Hodges-Lehmann centre of x[n], the median of all averages (x[i] + x[j])
 * / 2 with i <= j, and its interval at confidence `level` (0.95), by inverting
 * the Wilcoxon signed-rank test.  Where n is too small for that level (below 6
 * for 0.95) lo and hi are -INFINITY and INFINITY.
 *
 * n >= 1.  Returns 0 or ENOMEM.  O(n log n): the averages
 * are counted, never made; 4096 pairs take milliseconds.
 * Source: Hodges & Lehmann, Ann. Math. Statist. 34(2), 1963; Hollander, Wolfe
 * & Chicken, Nonparametric Statistical Methods, 3rd ed. (2014), ch. 3. */
int paired_centre(const double x[], size_t n, double level,
                  struct interval *out);

/* The same centre by the sign test: the median and its order-statistic
 * interval, which needs no symmetry and is wider. */
int paired_sign(const double x[], size_t n, double level, struct interval *out);

/* One-sided p-value of the signed-rank test that the centre of x[n] is above
 * `margin` (below it) against the null that it is not.  Zeros after shifting
 * are left out, ties share ranks and are exact too; 1 if all are zero.  NAN if
 * n is 0 or memory is short.
 * Source: Wilcoxon, Biometrics Bulletin 1(6), 1945. */
double paired_p_above(const double x[], size_t n, double margin);
double paired_p_below(const double x[], size_t n, double margin);

/* The smallest |centre - margin| that a one-sided test at level `alpha` finds
 * with probability `power` in n such pairs: estimate, from the robust spread
 * of x (1.4826 MAD, or the standard deviation where that is 0) and the test's
 * asymptotic efficiency of 3/pi, with corrections for small n.  INFINITY where
 * no n pairs can reach alpha (2^-n > alpha), NAN if n is 0 or memory is short.
 * alpha < 0.5. */
double paired_detectable(const double x[], size_t n, double alpha,
                         double power);

/* Pairs that would be needed to tell a centre from a margin that is `gap`
 * away; estimate, by the same formula; 0 if it cannot be said (n < 2, no gap,
 * more than 10^9 pairs, memory short). */
size_t paired_needed(const double x[], size_t n, double gap, double alpha,
                     double power);

/* Replace m p-values by Holm's adjusted ones (in place, same order); NANs are
 * left out of the family.  Returns 0 or ENOMEM.
 * Source: Holm, Scandinavian J. of Statistics 6(2), 1979. */
int holm_adjust(double p[], size_t m);

/* Two-sided p-value of the Mann-Whitney test on unpaired samples, as others
 * use it: here only to be compared with.  Normal approximation with ties and
 * continuity.  1 if all values are equal; NAN if na or nb is 0 or memory is
 * short.
 * Source: Mann & Whitney, Ann. Math. Statist. 18(1), 1947. */
double mann_whitney_p(const double a[], size_t na, const double b[], size_t nb);

#endif
