/* gate_run.h - measures two sides and judges one against the other.
 *
 * A side is what plays: a build of heapyard, or a library in place of the
 * allocator.  The candidate is always played now; the baseline is too, unless
 * it is a file of rows, which serves for counts that repeat only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GATE_RUN_H
#define HEAPYARD_GATE_RUN_H

#include "cells.h"
#include "gate_rules.h"
#include "plan.h"

enum gate_side_index { GATE_BASE, GATE_CANDIDATE, GATE_SIDES };

struct gate_side {
    char name[200];
    char program[4096];            /* a heapyard; "": this one */
    char allocator[SPEC_NAME_MAX]; /* in place of that of the plan; "": that */
};

struct gate_config {
    const struct spec *spec; /* workloads, allocators, threads, … */
    struct gate_choice choice;
    struct gate_side side[GATE_SIDES];
    const char *baseline; /* a file of rows, or NULL */
    double exact_scale;   /* counts are taken at spec's scale times this */
    double budget_s;      /* of one cell of pairs */
    double level;         /* of the family of pairs: 0.01 */
    const char *folder;   /* exists; rows of both sides go below it */
    int is_duet;          /* pairs run at the same time, on a CPU each, where
                             they have one thread and there are two CPUs */
    int is_quiet;         /* no progress */
    int is_unkept;        /* no rows are written: for calibration */
};

/* What a gate found.  gate_result_free afterwards. */
struct gate_result {
    struct gate_cell *cells; /* [n] */
    size_t n;
    double *values; /* behind base_values and candidate_values */
};

/* Returns 0; EINVAL for a bad plan, EBADMSG for a bad baseline file, EINTR if
 * exec_stop was set, or an errno; why[why_size] says in one line. */
int gate_run(const struct gate_config *, struct gate_result *out, char *why,
             size_t why_size);
void gate_result_free(struct gate_result *);

#endif
