/* history_report.h - series of medians and their change points, told and drawn.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_HISTORY_REPORT_H
#define HEAPYARD_HISTORY_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "change_points.h"
#include "history.h"

enum { HISTORY_PANELS_MAX = 4 };

/* A series and its change points; borrowed. */
struct history_view {
    const struct history_series *series;
    struct change_point *change; /* [changes], in order */
    size_t changes;
    const struct change_rule *rule; /* by which they were found */
};

/* For people: a block a machine, and in it a series in one line, or a line for
 * each of its change points below.  Returns 0 or EIO. */
int history_print(const struct history_view view[], size_t n, FILE *);

/* Draw up to HISTORY_PANELS_MAX series of one machine, a panel each, into
 * image, which ends in .svg or .png; the data is written beside it as .tsv.
 * Returns 0, ENOENT if gnuplot is missing, EIO if it failed, or an errno; why
 * is set. */
int history_draw(const struct history_view view[], size_t n, const char *image,
                 const char *scripts, char *why, size_t why_size);

#endif
