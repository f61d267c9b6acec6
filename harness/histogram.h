/* histogram.h - a log-linear histogram of durations.
 *
 * EXECUTIVE SUMMARY: any value is recorded in O(1) with a relative error of
 * at most 1/64 (1.6 %), from 0 to 2^40 units, in 18 KiB and without malloc.
 *
 * DETAILS: values below 64 have a bucket each.  Above, every power of two is
 * cut into 64 equal buckets, so a bucket's width is at most 1/64 of its
 * start.  A percentile is reported as the largest value of its bucket.
 *
 * Source: G. Tene's HdrHistogram, as described at hdrhistogram.org.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_HISTOGRAM_H
#define HEAPYARD_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_SUB_LOG2 = 6,
    HISTOGRAM_MAX_LOG2 = 40,
    HISTOGRAM_SUBS = 1 << HISTOGRAM_SUB_LOG2,
    /* The last one holds what is too large. */
    HISTOGRAM_BUCKETS =
        (HISTOGRAM_MAX_LOG2 - HISTOGRAM_SUB_LOG2 + 1) * HISTOGRAM_SUBS + 1
};

struct histogram {
    uint64_t count, max;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* Values of 2^40 and more count in a bucket of their own; max is exact. */
void histogram_add(struct histogram *, uint64_t value);
/* Add all of `from` to `into`. */
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The smallest bucket end such that at least `share` (0 .. 1) of the values
 * are not above it; 0 if empty; never above max. */
uint64_t histogram_quantile(const struct histogram *, double share);

#endif
