/* change_points.h - where the level of a series changed.
 *
 * E-divisive with means: the place that parts a segment best is the one with
 * the largest energy statistic (alpha = 1) between its two sides; a
 * permutation test says whether chance does as well; each part is searched
 * again until nothing is found.
 *
 * Sources: Matteson & James, "A nonparametric approach for multiple change
 * point analysis of multivariate data", JASA 109(505), 2014, section 2; used on
 * nightly benchmarks by Daly, Brown, Ingo, O'Leary & Bradford, "The use of
 * change point detection to identify software performance regressions in a
 * continuous integration system", ICPE 2020.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CHANGE_POINTS_H
#define HEAPYARD_CHANGE_POINTS_H

#include <stddef.h>
#include <stdint.h>

enum {
    CHANGE_SEGMENT = 5,       /* least points of a segment */
    CHANGE_PERMUTATIONS = 399 /* 1 % of 400 is a whole number */
};

struct change_point {
    size_t at;            /* first point of the new level, 1 .. n - 1 */
    double p;             /* of the permutation test when it was found */
    double before, after; /* medians of the segments on its two sides */
};

struct change_rule {
    size_t segment;        /* least points of a segment, 2 or more */
    double level;          /* of the test: 0.01 */
    uint32_t permutations; /* 399: p is a multiple of 1 / 400 */
    uint64_t seed;         /* same seed, same points */
};

/* Find the change points of x[n], finite, in order.  *out is the caller's to
 * free; NULL if there are none.  Returns 0 or ENOMEM.  O(n^2) for each
 * permutation; a series without change needs few of them. */
int change_points_find(const double x[], size_t n, const struct change_rule *,
                       struct change_point **out, size_t *found);

#endif
