/* plan.h - the list of runs: one line of plan.tsv each.
 *
 * Every block holds every arm (workload x threads x allocator x meter) once,
 * in a shuffled order of its own, so that a drift of the machine meets all
 * arms alike.  Source: facts on interleaving in results/README.md.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PLAN_H
#define HEAPYARD_PLAN_H

#include <stdio.h>

#include "spec.h"

struct plan_run {
    uint32_t run;   /* from 1, in the order of execution */
    uint32_t block; /* from 1 */
    struct trace_request trace;
    char allocator[SPEC_NAME_MAX];
    char meter[200]; /* NAME or NAME:OPTIONS */
    enum touch touch;
    uint32_t window;
    uint32_t timeout_s;
    /* No part of a plan: */
    const char *facts;   /* the run is one of meter heap, and leaves its facts
                            in this file */
    const char *program; /* the heapyard that plays it; NULL: this one */
    unsigned pin;        /* 1 + the CPU that it is bound to; 0: any */
};

struct plan {
    struct plan_run *runs; /* [n] */
    size_t n;
};

/* Expand and shuffle.  Refuses unknown workloads.  Returns 0, EINVAL or
 * ENOENT and why, or ENOMEM. */
int plan_expand(const struct spec *, struct plan *out, char *why,
                size_t why_size);

/* Write the header and all lines.  Returns 0 or an errno. */
int plan_write(const struct plan *, FILE *);

/* Returns 0, EINVAL and why "FILE:LINE: column = value (want …)", ENOMEM, or
 * the errno of the file. */
int plan_read(const char *path, struct plan *out, char *why, size_t why_size);
void plan_free(struct plan *);

/* Whether both hold the same runs in the same order. */
int plan_equal(const struct plan *, const struct plan *);

#endif
