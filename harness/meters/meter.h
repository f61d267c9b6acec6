/* meter.h - the contract of a meter: what one run measures.
 *
 * A run has one meter, so meters never disturb one another.  start and stop
 * stand beside the measured part: no malloc, no printing.  State is
 * state_bytes of zeroed memory that is not the allocator's.  A new meter is
 * one file with one `const struct meter`, and one line in meters.c; it adds
 * rows, never columns.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_METER_H
#define HEAPYARD_METER_H

#include <stddef.h>
#include <stdint.h>

#include "replay.h"

/* One run, as the measured child sees it. */
struct run_context {
    const struct allocator *allocator;
    struct heap *heap;
    const struct trace *trace;
    struct shared_page *page;
    struct replay *replay;
    struct check_state *checked; /* meter check only */
    void *meter_state;
    const struct meter *meter;
    int result_fd;
    const char *facts; /* file to write, of meter heap only */
};

struct meter {
    const char *name;
    const char *summary;         /* one line */
    const struct block_ops *ops; /* NULL: the fast replayer */
    size_t own_bytes;            /* of the ops, for each thread */
    size_t state_bytes;          /* of the meter; at least 1 */
    int workers_only;            /* see replay_config */
    /* All required but mark and at_rest; each gets the run_context. */
    void (*start)(void *run);
    void (*stop)(void *run);
    void (*mark)(void *run, unsigned mark);
    void (*at_rest)(void *run, unsigned thread); /* see replay_config */
    void (*report)(struct run_context *);
};

/* All meters, ended by NULL. */
extern const struct meter *const meters[];
const struct meter *meter_find(const char *name);

/* Write one value to the runner: "metric <tab> at <tab> unit <tab> value".
 * NAN is written as a metric that could not be taken, with `at` empty. */
void emit_value(const struct run_context *, const char *metric, const char *at,
                const char *unit, double value);
/* Write why a metric has no value here. */
void emit_note(const struct run_context *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
