/* trace_shape.h - how far one trace is from another, as distributions.
 *
 * Each is played once into its shape: how often each size and each lifetime
 * occurs, and the curve of live bytes over births.  Two shapes have a
 * distance, which is 0 from a trace to itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRACE_SHAPE_H
#define HEAPYARD_TRACE_SHAPE_H

#include <stdint.h>

#include "ledger.h"
#include "op.h"
#include "size_tally.h"

enum { SHAPE_POINTS = 1024 }; /* steps of the curve */

struct trace_shape {
    struct op_sink sink; /* first: put casts back */
    struct ledger ledger;
    uint64_t births;         /* of the whole, told to shape_init */
    struct size_tally sizes; /* of births */
    struct size_tally lives; /* births in between, of those freed; rounded
                                down to 12 leading bits */
    uint64_t
        curve[SHAPE_POINTS + 1]; /* live bytes before birth
                                    births * i / SHAPE_POINTS; at the end */
    unsigned next;               /* point */
    uint64_t zeroed, aligned;
    uint64_t frees, cross_frees, resizes;
    uint64_t pairs; /* frees that follow another without a birth in between … */
    uint64_t older; /* … of a younger object */
    uint64_t run;   /* frees since the last birth */
    uint64_t last_freed;
};

/* Its put refuses a malformed stream with EBADMSG and shape->ledger.why.
 * Returns 0 or ENOMEM; to be freed either way. */
int shape_init(struct trace_shape *, uint64_t births);
void shape_free(struct trace_shape *);

/* The trace is whole. */
void shape_finish(struct trace_shape *);

/* All 0 (peak_ratio 1) if both are shapes of one trace.  Shares are 0 .. 1. */
struct trace_distance {
    double sizes_ks;   /* Kolmogorov-Smirnov: largest difference of the
                          distribution functions of sizes */
    double sizes_tv;   /* total variation: the share of births of other sizes */
    double lives_ks;   /* KS of lifetimes, of all births: what is never freed
                          lives longest */
    double curve_max;  /* largest difference of live bytes, over the first's
                          peak */
    double peak_ratio; /* the second's peak over the first's; 1 if both are 0 */
};
struct trace_distance shape_distance(const struct trace_shape *,
                                     const struct trace_shape *);

#endif
