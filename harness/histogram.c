/* histogram.c - a log-linear histogram of durations.
 *
 * Invariant: bucket_of is monotonic, and bucket_end(bucket_of(v)) is in
 * [v, v + v / 64].
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "histogram.h"

#include <math.h>

static unsigned bucket_of(uint64_t v)
{
    if (v < HISTOGRAM_SUBS)
        return (unsigned)v;
    unsigned log2 = 63u - (unsigned)__builtin_clzll(v);
    if (log2 >= HISTOGRAM_MAX_LOG2)
        return HISTOGRAM_BUCKETS - 1;
    unsigned shift = log2 - HISTOGRAM_SUB_LOG2;

    return ((shift + 1) << HISTOGRAM_SUB_LOG2) +
           (unsigned)((v >> shift) - HISTOGRAM_SUBS);
}

static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < HISTOGRAM_SUBS)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_LOG2) - 1;
    uint64_t sub = (bucket & (HISTOGRAM_SUBS - 1)) + HISTOGRAM_SUBS;

    return ((sub + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->bucket[bucket_of(value)]++;
    h->count++;
    if (value > h->max)
        h->max = value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
    into->count += from->count;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
    uint64_t rank = (uint64_t)ceil(share * (double)h->count);
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= rank && seen > 0)
            return bucket_end(i) < h->max && i + 1 < HISTOGRAM_BUCKETS
                       ? bucket_end(i)
                       : h->max;
    }
    return h->max;
}
