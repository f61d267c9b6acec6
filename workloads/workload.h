/* workload.h - the contract of a synthetic workload.
 *
 * A workload turns knobs, a seed and a number of threads into a trace: it
 * feeds operations (op.h) and nothing else.  It reads no clock, allocates
 * nothing that the trace shows, and feeds the same operations whenever it is
 * called with the same arguments.  A new workload is one file with one
 * `const struct workload`, and one line in workloads.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_WORKLOAD_H
#define HEAPYARD_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "knobs.h"
#include "op.h"

struct native; /* native.h */

/* A workload that is made to waste memory: how much a theorem says that it
 * does.  The memory meter puts the figure beside the measured one. */
struct workload_bound {
    const char *claim; /* whose figure that is, and by which theorem, so that
                          it fits a note: at most BOUND_CLAIM_MAX */
    const char *mark;  /* NULL: the most memory held over the most live bytes;
                          or both where this mark stands */
    /* Memory held over live bytes, > 0. */
    double (*ratio)(const struct knob_values *, unsigned threads, double scale);
    /* Of a native workload, whose live bytes the harness cannot know: most
     * that are live, in bytes; mark is NULL.  Else NULL. */
    double (*live)(const struct knob_values *, unsigned threads, double scale);
};
enum { BOUND_CLAIM_MAX = 159 };

struct workload {
    const char *name;
    const char *summary;      /* one line */
    const char *source;       /* the paper, program or data it follows */
    unsigned version;         /* raised when its operations change */
    const struct knob *knobs; /* ended by a knob without a name */
    unsigned min_threads, max_threads;
    /* Not required.  Do the values, each within its range, go together?  If
     * not, EINVAL, and why[why_size] as knobs_parse says it. */
    int (*check)(const struct knob_values *, char *why, size_t why_size);
    /* Feed the whole trace.  scale > 0 multiplies the length (1 = about as
     * many operations as the summary says), never the shape.  Returns 0,
     * feed->err, or ENOMEM. */
    int (*compose)(const struct knob_values *, uint64_t seed, unsigned threads,
                   double scale, struct op_feed *);
    /* Instead of compose, of a native workload (native.h); or compose alone.
     * prepare is called once before the threads run, finish once after: tables
     * that all threads share (shared).  run is each thread's part.  All return
     * 0, ENOMEM when the heap gave NULL, ENOTSUP (the memory lacks a hook that
     * the workload is about), or EBADMSG: its own result is wrong. */
    int (*prepare)(struct native *, void **shared);
    int (*run)(struct native *);
    void (*finish)(struct native *);
    /* Not required.  How many threads a native workload with that many
     * starts itself (native_thread_start), at most, at once. */
    unsigned (*own_threads)(const struct knob_values *, unsigned threads);
    const struct workload_bound *bound; /* of an adversary, or NULL */
};

/* All synthetic workloads, ended by NULL. */
extern const struct workload *const workloads[];

/* The workload of that name, or NULL. */
const struct workload *workload_find(const char *name);

/* knobs_parse for the workload's knobs, then its check. */
int workload_knobs(const struct workload *w, const char *text,
                   struct knob_values *values, char *why, size_t why_size);

#endif
