/* calibration.h - how often a judge is wrong, and how often it finds what is
 * there: rows of calibration.csv.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CALIBRATION_H
#define HEAPYARD_CALIBRATION_H

#include <stdio.h>

#include "summary.h"

enum { CALIBRATION_ROWS_MAX = 64 };

/* One judge on one change. */
struct calibration_row {
    char date[24];
    char cpu[128], kernel[128];
    uint32_t cpus;
    char workload[200], allocator[200];
    char metric[48];
    char judge[24];
    double injected; /* relative change: 0 for a program against itself */
    double measured; /* its size, median of the gate's estimates; NAN */
    double margin;   /* of the judge */
    uint32_t trials;
    uint32_t called;       /* slower or faster */
    uint32_t open;         /* undecided at the end of the budget */
    struct interval share; /* called / trials, exact 95 % */
    double seconds;        /* of a verdict, median */
    double worst_seconds;
};

/* What the trials of one kind have come to, before it is a row. */
int calibration_write(FILE *, const struct calibration_row[], size_t n);

/* Returns 0 and *n rows, at most CALIBRATION_ROWS_MAX; EBADMSG and why; or an
 * errno. */
int calibration_read(const char *path, struct calibration_row out[], size_t *n,
                     char *why, size_t why_size);

/* One sentence on the newest calibration of a machine like this one, from the
 * files in `folder`: "" if there is none. */
void calibration_sentence(const char *folder, char *out, size_t size);

/* A table for people. */
void calibration_print(FILE *, const struct calibration_row[], size_t n);

#endif
