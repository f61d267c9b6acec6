/* gate_session.h - plays runs of the two sides and keeps their rows.
 *
 * FOLDER/baseline/ and FOLDER/candidate/ each get samples.csv and
 * environment.csv, as any other result, so a candidate's folder can be the
 * next gate's baseline.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GATE_SESSION_H
#define HEAPYARD_GATE_SESSION_H

#include <stdio.h>

#include "environment.h"
#include "exec.h"
#include "gate_run.h"
#include "random.h"
#include "slices.h"
#include "trace_store.h"

struct gate_session {
    const struct gate_config *config;
    struct trace_store traces;
    FILE *samples[GATE_SIDES]; /* NULL: not played */
    struct cells cells[GATE_SIDES];
    struct random random;
    char id[SESSION_MAX];
    uint32_t runs[GATE_SIDES]; /* so far: numbers of rows */
    unsigned cpu[EXEC_AT_ONCE];
    unsigned cpus; /* that may be used; of which cpu[] are two */
};

/* Returns 0 or an errno and why. */
int gate_session_open(struct gate_session *, const struct gate_config *,
                      char *why, size_t why_size);
void gate_session_close(struct gate_session *);

/* The trace that a run of the plan plays; NULL and why if there is none. */
const struct stored_trace *gate_session_trace(struct gate_session *,
                                              const struct plan_run *,
                                              char *why, size_t why_size);

/* Play the run on one side: its rows are written, and gathered in cells under
 * the plan's name of the allocator.  Returns 0, EINTR, or an errno and why;
 * outcome_free afterwards. */
int gate_session_play(struct gate_session *, enum gate_side_index,
                      const struct plan_run *, const struct stored_trace *,
                      struct outcome *out, char *why, size_t why_size);

/* One turn of a pair. */
struct gate_turn {
    unsigned swap;         /* 0 or 1: which side has which place */
    int is_last;           /* of its pair: then mid_per_op is reported */
    struct slices *slices; /* of the pair; borrowed */
};

/* Play it on both sides: side by side, the baseline on CPU cpu[swap]; or one
 * after the other, the side `swap` first.  out[GATE_SIDES]. */
int gate_session_pair(struct gate_session *, const struct plan_run *,
                      const struct stored_trace *, const struct gate_turn *,
                      struct outcome out[], char *why, size_t why_size);

#endif
