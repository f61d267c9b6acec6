/* gate_baseline.h - rows of an earlier session, as a baseline.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GATE_BASELINE_H
#define HEAPYARD_GATE_BASELINE_H

#include "cells.h"
#include "gate_rules.h"

/* What is known of the machine of the baseline: environment.csv beside it. */
struct gate_baseline {
    char cpu[128], libc[128], thp[128]; /* "" if there is no such file */
    char date[32];
};

/* Read the rows that rules may ask for, and the environment beside the file.
 * path: a file of rows, or a folder that has samples.csv.
 *
 * Returns 0; EBADMSG where the file is no good: why begins with FILE:LINE and
 * says what was wrong (a value missing or not a number, a key that stands
 * twice, a column missing); ENODATA if it has no row; or an errno. */
int gate_baseline_read(const char *path, struct cells *cells,
                       struct gate_baseline *out, char *why, size_t why_size);

/* Why this rule's counts of that machine cannot be held against ours; "" if
 * they can. */
void gate_baseline_excuse(const struct gate_baseline *,
                          const struct gate_rule *, char *why, size_t why_size);

#endif
