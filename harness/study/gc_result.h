/* gc_result.h - what a study of collectors found out, ready to be shown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GC_RESULT_H
#define HEAPYARD_GC_RESULT_H

#include <stdio.h>

#include "collections.h"
#include "gc_arms.h"
#include "summary.h"

/* A lower bound of overhead: results/lower_bound.h. */
struct gc_bound {
    double base;              /* ns, wall or CPU; NAN: none */
    size_t which;             /* arm that gave it */
    double over[GC_ARMS_MAX]; /* cost over base; NAN */
};

struct gc_result {
    const struct gc_arms *arms;
    const struct summary *summary;
    const struct collections *log; /* one run of each arm that collects */
    struct gc_bound wall, cpu;
};

/* Fill wall and cpu from the rest. */
void study_bounds(struct gc_result *);

/* The estimate of a metric of an arm, or NULL. */
const struct estimate *study_find(const struct gc_result *, size_t arm,
                                  const char *meter, const char *metric,
                                  const char *at);
/* Its median, or NAN. */
double study_median(const struct gc_result *, size_t arm, const char *meter,
                    const char *metric, const char *at);
/* What the runs of an arm came to: STATUS_OK if one was ok. */
enum status study_status(const struct gc_result *, size_t arm);

/* The arm of that collector whose factor is nearest to `factor`, or that has
 * no limit if it is NAN; arms->n if there is none. */
size_t study_arm_at(const struct gc_result *, const char *collector,
                    double factor);
/* Collectors, each once, in order: the k-th's name, or NULL. */
const char *study_collector(const struct gc_result *, size_t k);

/* Tables for a terminal. */
int study_print(const struct gc_result *, FILE *, unsigned width, int colour);

/* All charts into folder out, which is made.  As report_charts. */
int study_charts(const struct gc_result *, const char *scripts, const char *out,
                 const char *machine, char *why, size_t why_size);

#endif
