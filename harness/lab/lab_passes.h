/* lab_passes.h - a trace played again and again in one process, and timed.
 *
 * As the lab's own driver does: the heap is warm, and the best pass counts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LAB_PASSES_H
#define HEAPYARD_LAB_PASSES_H

#include "meter.h"

struct lab_passes {
    uint64_t best_ns;     /* of a whole pass: estimate */
    unsigned passes;      /* that it is the best of */
    uint32_t *call_ticks; /* [ops]: the best of each call, clock read in it */
    uint64_t ops;
};

/* Play the run's trace some more; its first play is over, and its blocks were
 * freed.  Returns 0 or an errno; lab_passes_free in every case. */
int lab_passes_play(const struct run_context *, struct lab_passes *out);
void lab_passes_free(struct lab_passes *);

#endif
