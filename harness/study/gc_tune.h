/* gc_tune.h - searches the knobs of a collector for one workload.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GC_TUNE_H
#define HEAPYARD_GC_TUNE_H

#include "gc_study.h"

/* What is to become smaller. */
struct gc_goal {
    const char *name; /* throughput, pause, memory */
    const char *meter, *metric;
    const char *what; /* for people: "wall time" */
};
extern const struct gc_goal gc_goals[]; /* ended by one without a name */

const struct gc_goal *gc_goal_find(const char *name); /* or NULL */

/* A knob that is worth trying, and values for it. */
struct gc_tunable {
    const char *allocator, *knob;
    const char *values; /* separated by spaces */
};
extern const struct gc_tunable gc_tunables[]; /* ended by one without a name */

/* Search the knobs of the spec's one allocator by successive halving, compare
 * what was found with the allocator as it was named in fresh pairs of runs,
 * and print that.  Returns an exit code; what is wrong is said on standard
 * error. */
int gc_tune(struct gc_study *, const struct gc_goal *);

#endif
