/* mdriver.h - what `heapyard mdriver` finds out: traces by allocators.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MDRIVER_H
#define HEAPYARD_MDRIVER_H

#include <stdio.h>

#include "exec.h"
#include "lab_trace.h"
#include "solution.h"

enum { MDRIVER_ALLOCATORS = 12, MDRIVER_MAP_COLUMNS = 72 };

/* One trace on one allocator. */
struct mdriver_cell {
    struct plan_run run;
    struct outcome outcome;
};

struct mdriver {
    const char *verb;
    const char *solution; /* path of the source */
    struct solution_made made;
    struct lab_trace *trace; /* [ntraces] */
    size_t ntraces;
    const char *allocator[MDRIVER_ALLOCATORS]; /* [nallocators]; 0: solution */
    size_t nallocators;
    unsigned align; /* bytes that every block of the solution must have */
    unsigned timeout_s;
    const char *heap;          /* largest, as a knob's value */
    struct mdriver_cell *cell; /* [ntraces * nallocators] */
    const char *low;           /* name of a trace that crashed, but not with the
                                  heap below 4 GiB; NULL: none */
};

/* Play every trace on every allocator, each in a child.  Returns an exit code,
 * EXIT_GOOD also if children failed; what goes wrong is said. */
int mdriver_play(struct mdriver *);

const struct mdriver_cell *mdriver_cell(const struct mdriver *, size_t trace,
                                        size_t allocator);
/* The value of a metric, at "" or at `at`; NAN if there is none. */
double mdriver_value(const struct mdriver_cell *, const char *metric,
                     const char *at);
/* Whether the solution did all traces right. */
bool mdriver_is_right(const struct mdriver *);

/* The report for a terminal of 80 columns; all_maps: of every trace, not only
 * of the one that is used worst. */
void mdriver_print(const struct mdriver *, bool all_maps, FILE *);

/* FOLDER/samples.csv, and for each trace FOLDER/map-NAME.svg.  Returns an exit
 * code; what goes wrong is said. */
int mdriver_save(const struct mdriver *, const char *folder);

#endif
