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
    const char *options; /* of the meter: "pace=1000000", or "" */
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
    int is_timeless;             /* see heap_config */
    unsigned slices;             /* see replay_config */
    const char *one_thread;      /* why it plays no trace of several threads, or
                                    NULL */
    /* Whether options ("pace=1000000") are right: 0, or EINVAL and why, which
     * names the option, the value and what would be right.  NULL: it takes
     * none.  Called in the runner too, without a run. */
    int (*check_options)(const char *options, char *why, size_t why_size);
    const char *options_help; /* for `heapyard list`: "    pace=N  …\n" a line
                                 an option, or NULL */
    /* Each gets the run_context; only start, stop and report are required. */
    /* Before any thread of the replay is made: NULL, or why this meter cannot
     * be used here at all, which makes the run a skip. */
    const char *(*open)(void *run);
    void (*start)(void *run);
    void (*stop)(void *run);
    void (*mark)(void *run, unsigned mark);
    void (*at_rest)(void *run, unsigned thread); /* see replay_config */
    /* In each thread of the trace: while nobody plays yet (it may call the
     * system; a failure waits in the state for report); just before its first
     * record; just after its last. */
    void (*thread_open)(void *run, unsigned thread);
    void (*thread_start)(void *run, unsigned thread);
    void (*thread_stop)(void *run, unsigned thread);
    /* By the thread of a native workload whose request begins or ends. */
    void (*request_begin)(void *run, unsigned thread);
    void (*request_end)(void *run, unsigned thread);
    /* By the thread of a native workload that begins or ends to use what it
     * has built, once a run. */
    void (*use_begin)(void *run, unsigned thread);
    void (*use_end)(void *run, unsigned thread);
    void (*report)(struct run_context *);
};

/* All meters, ended by NULL. */
extern const struct meter *const meters[];
const struct meter *meter_find(const char *name);

/* The meter of "NAME" or "NAME:OPTIONS", and where its options begin in the
 * text ("" if there are none).  Returns 0; ENOENT or EINVAL and why. */
int meter_choose(const char *text, const struct meter **out,
                 const char **options, char *why, size_t why_size);

/* "time, memory, …": the names of all, for messages. */
const char *meter_names(void);

/* Whether the text is "NAME" or "NAME:OPTIONS" of this meter. */
int meter_is(const char *text, const char *name);

/* Write one value to the runner: "metric <tab> at <tab> unit <tab> value".
 * It must be finite: a metric that could not be taken has no row. */
void emit_value(const struct run_context *, const char *metric, const char *at,
                const char *unit, double value);
/* The same with a note that stands beside this value only. */
void emit_noted(const struct run_context *, const char *metric, const char *at,
                const char *unit, double value, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* Write what there is to say about the run as a whole, such as why a metric
 * has no value here: it stands in every row without a note of its own. */
void emit_note(const struct run_context *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
