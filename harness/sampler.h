/* sampler.h - the memory of a running child, sampled from outside.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SAMPLER_H
#define HEAPYARD_SAMPLER_H

#include <sys/types.h>

#include "exec.h"
#include "shared_page.h"

enum {
    SAMPLER_TICK_MS = 1,
    SAMPLER_POINTS = 4096, /* kept; when full every other one is dropped */
    SAMPLER_CURVE = 80     /* points of a curve in samples.csv, at most */
};

struct sampler_point {
    uint64_t ns;   /* since the first sample */
    uint64_t rss;  /* RssAnon over the baseline, bytes */
    uint64_t live; /* live bytes at the place reached, by the trace */
};

struct sampler {
    uint64_t first_ns;
    unsigned n, stride, skipped;
    struct sampler_point point[SAMPLER_POINTS];
};

void sampler_init(struct sampler *);

/* Take a sample if the child is replaying. */
void sampler_take(struct sampler *, pid_t, const struct shared_page *,
                  const struct trace *);

/* Add what the samples say to an outcome that holds the child's own figures:
 * rss_peak, rss_mean, rss_integral, live_mean, frag_peak, frag_at_peak_rss,
 * frag_mean, and the curves rss and live.  Estimates: what happens between
 * two samples is not seen.  Returns 0 or ENOMEM. */
int sampler_report(const struct sampler *, const struct trace *,
                   struct outcome *);

#endif
