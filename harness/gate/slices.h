/* slices.h - runs of one trace on two sides, compared part by part.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SLICES_H
#define HEAPYARD_SLICES_H

#include "exec.h"

/* What the turns of one pair have come to. */
struct slices {
    unsigned turns, n; /* n: slices; 0: some run had none */
    uint32_t ops;      /* of a slice */
    /* [2][n]: of the baseline and the candidate, the least time of each slice
     * over the turns, in ns. */
    double least[2][SHARED_SLICES_MAX];
    double log_cpu[2]; /* sums of the logarithms of cpu_per_op */
};

void slices_begin(struct slices *);
/* Take one turn: out[2], both ok. */
void slices_take(struct slices *, const struct outcome out[]);
/* Add the metric mid_per_op (ns) to both: the mean, over the slices whose
 * ratio of the two sides is in the middle half, of their least times, for an
 * operation.  Where there are no slices (several threads, or a very short
 * trace) it is the geometric mean of cpu_per_op.  Returns 0 or ENOMEM. */
int slices_report(const struct slices *, struct outcome out[]);

#endif
