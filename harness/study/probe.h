/* probe.h - single runs of one workload, outside of any plan.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PROBE_H
#define HEAPYARD_PROBE_H

#include "exec.h"
#include "spec.h"
#include "trace_store.h"

struct probe {
    struct trace_store traces;
    const struct stored_trace *trace;
    struct plan_run run; /* but for allocator and meter */
};

/* Prepare the first workload of the spec, at its first number of threads;
 * what has to lie on disk goes into a folder within `folder`.  Returns 0, or
 * an errno (EINVAL: the workload is wrong) and why. */
int probe_open(struct probe *, const struct spec *, const char *folder,
               char *why, size_t why_size);
void probe_close(struct probe *);

/* One run.  Returns 0 and whatever it came to; EINTR if the user stopped it;
 * or an errno.  why is set; outcome_free afterwards in every case. */
int probe_run(struct probe *, const char *allocator, const char *meter,
              struct outcome *out, char *why, size_t why_size);

/* The value of a metric of an outcome, or NAN. */
double probe_value(const struct outcome *, const char *metric);

#endif
