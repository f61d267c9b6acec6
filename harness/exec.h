/* exec.h - starts one run as a child process and takes what it says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_EXEC_H
#define HEAPYARD_EXEC_H

#include <signal.h>

#include "plan.h"
#include "row.h"
#include "shared_page.h"
#include "trace.h"

enum { EXEC_AT_ONCE = 2 };

struct outcome_value {
    char metric[48], at[48], unit[16];
    double value;
    char note[160]; /* of this value only, or "" */
};

/* What one run came to. */
struct outcome {
    enum status status;
    char note[160];
    uint64_t place; /* operations that were done when it ended badly: exact of
                       meter lab, else an estimate */
    char served_by[128];
    struct outcome_value *values; /* [n] */
    size_t n, room;
    uint64_t slice[SHARED_SLICES_MAX]; /* [slices]: see shared_page.h */
    unsigned slices;
    uint32_t slice_ops;
    double ns_per_tick; /* of the clock of slices: estimate */
};

/* Set by a signal handler when the user wants to stop. */
extern volatile sig_atomic_t exec_stop;

/* Run one line of a plan on the trace at trace_path, within its timeout.
 *
 * Whatever the child does is an outcome.  Returns 0, EINTR if exec_stop was
 * set (the child is gone, the outcome is worthless), or an errno if no child
 * could be started.  outcome_free afterwards in every case. */
int exec_run(const struct plan_run *, const char *trace_path,
             const struct trace *, struct outcome *out);

/* Run n lines of plans on one trace, all at once: a duet, if n is 2 and each is
 * pinned to a CPU of its own.  As exec_run, for each of them. */
int exec_runs(const struct plan_run runs[], unsigned n, const char *trace_path,
              const struct trace *, struct outcome out[]);

/* Its note is empty.  Returns 0 or ENOMEM. */
int outcome_add(struct outcome *, const char *metric, const char *at,
                const char *unit, double value);
/* The value of a metric of the whole run, or NULL; borrowed. */
const struct outcome_value *outcome_find(const struct outcome *,
                                         const char *metric);
/* The note, cut to its room, with blanks for control bytes: they must not reach
 * a CSV file. */
void outcome_set_note(struct outcome *, const char *text);
void outcome_free(struct outcome *);

#endif
