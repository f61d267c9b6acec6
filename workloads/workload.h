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
#include <stdio.h>

#include "op.h"

enum { KNOBS_MAX = 40 }; /* of one workload */

/* One figure of a workload that users may set, as name=value. */
struct knob {
    const char *name;
    const char *unit; /* "bytes", "events", …: whole numbers; "%", "1" (a
                         plain number): fractions too */
    double preset;    /* the default */
    double min, max;  /* inclusive */
    const char *help;
    /* NULL-ended names of the values 0, 1, 2 … or NULL for a number */
    const char *const *choices;
};

/* The values of a workload's knobs, in the order of its table. */
struct knob_values {
    double v[KNOBS_MAX];
};

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
};

/* All synthetic workloads, ended by NULL. */
extern const struct workload *const workloads[];

/* The workload of that name, or NULL. */
const struct workload *workload_find(const char *name);

/* Fill values with the presets of w, then apply `text`, a list such as
 * "profile=B:sessions=100" (or "" or NULL).  Knobs in bytes take k, m, g
 * suffixes (1024-based).  On EINVAL, why[why_size] says in one line what was
 * wrong and what would be right. */
int knobs_parse(const struct workload *w, const char *text,
                struct knob_values *values, char *why, size_t why_size);

/* Write one line a knob: name, default, range or choices, unit, help. */
void knobs_print(FILE *, const struct workload *);

#endif
