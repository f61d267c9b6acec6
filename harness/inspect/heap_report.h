/* heap_report.h - a heap's picture as text, as records, and as charts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_HEAP_REPORT_H
#define HEAPYARD_HEAP_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "heap_picture.h"
#include "prepare.h"

/* Where a picture comes from. */
struct heap_origin {
    const struct trace_request *request;
    unsigned threads;      /* of the trace up to the mark */
    const char *allocator; /* as the user named it */
    const char *served_by;
    const char *touch;
    const char *at;      /* "mark:peak" */
    uint64_t place, ops; /* operations up to there, and of the whole trace */
};

/* For a reader at a terminal of 80 columns.  Returns 0 or an errno. */
int heap_print(const struct heap_origin *, const struct heap_picture *, FILE *);

/* The same and more as CSV; results/README.md, "heap.csv", says what it
 * holds.  Returns 0 or an errno. */
int heap_write_csv(const struct heap_origin *, const struct heap_picture *,
                   FILE *);

enum heap_chart { HEAP_MAP, HEAP_HISTOGRAM };

/* Draw a chart into `image`, which ends in .svg or .png, by gnuplot and the
 * scripts in that folder; its data is written to `data`, a file that the
 * caller removes.
 *
 * Returns 0; ENOENT if gnuplot is missing (why names its package); EIO if it
 * failed (why is what it said); or the errno of a file, which why names. */
int heap_draw(const struct heap_origin *, const struct heap_picture *,
              enum heap_chart, const char *image, const char *data,
              const char *scripts, char *why, size_t why_size);

#endif
