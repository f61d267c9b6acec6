/* prepare.h - from the name of a workload to a run-time trace on disk.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PREPARE_H
#define HEAPYARD_PREPARE_H

#include <stddef.h>
#include <stdint.h>

#include "op.h"

struct knob_values; /* knobs.h */
struct workload;    /* workload.h */

enum { PREPARE_NAME_MAX = 200 };

/* What names a trace.  For a recorded one only the name counts. */
struct trace_request {
    char workload[PREPARE_NAME_MAX]; /* NAME[:KNOB=VALUE…] or a recorded one:
                                        its name, or a path to a .hyt */
    unsigned threads;
    uint64_t seed;
    double scale;
    uint64_t first_ops; /* only so many operations; 0: all */
};

/* Whether the name is that of a workload that can be made here.  *recorded
 * is 1 for a file: its threads are those it was recorded with.  Returns 0, or
 * EINVAL or ENOENT and why. */
int prepare_check(const char *workload, unsigned threads, int *recorded,
                  char *why, size_t why_size);

/* The synthetic workload of NAME[:KNOB=VALUE…], and the values of its knobs.
 * Returns 0; ENOENT and NULL if there is none of that name; EINVAL and why, of
 * its knobs, *out being set all the same. */
int prepare_find_synthetic(const char *workload, const struct workload **out,
                           struct knob_values *values, char *why,
                           size_t why_size);

/* Compose or read it, and compile it to `path`.  Returns 0 or an errno and
 * why[why_size] in one line. */
int prepare_compile(const struct trace_request *, const char *path, char *why,
                    size_t why_size);

/* Compose a synthetic workload that is a trace into a sink.  Returns 0, ENOENT
 * if it is no synthetic workload, ENOTSUP if it is a program, or an errno and
 * why; why is "" if the error is the sink's. */
int prepare_compose(const struct trace_request *, struct op_sink *, char *why,
                    size_t why_size);

/* The path of a recorded trace: the name itself if it has a '/' or ends in
 * .hyt, else NAME.hyt in the folder of recorded traces.  Returns 0, or ENOENT
 * if there is no such file. */
int prepare_find_recorded(const char *name, char *path, size_t path_size);

#endif
