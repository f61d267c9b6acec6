/* gc_study.h - the stages of a study of collectors, in a folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GC_STUDY_H
#define HEAPYARD_GC_STUDY_H

#include "gc_arms.h"
#include "plan.h"
#include "probe.h"

struct gc_study {
    const char *verb;
    const struct spec *spec;       /* one workload, one number of threads;
                                      allocators: the collectors */
    double factor[GC_FACTORS_MAX]; /* [nfactors], rising */
    size_t nfactors;
    int is_quick;
    const char *folder;
    struct gc_arms arms;
    struct plan plan;
    char why[512];
};

/* Find the minimum heap of each collector, said as found on standard error,
 * and fill arms.  A collector that cannot be used here is left out, and said.
 * Returns 0, or an errno and why (EINTR: stopped). */
int gc_study_heaps(struct gc_study *);

/* Fill plan from arms: time, memory and gc; gc only where there is a
 * collector.  Returns 0, or an errno and why. */
int gc_study_plan(struct gc_study *);

/* One run more of each arm that collects and that ok[arm] says works: its
 * collections go into FOLDER/collections.csv.  Returns 0, or an errno and
 * why. */
int gc_study_log(struct gc_study *, const int ok[]);

#endif
