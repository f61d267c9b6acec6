/* lab_trace.h - a .rep file, with the line that each operation stands in.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LAB_TRACE_H
#define HEAPYARD_LAB_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "lab_score.h"
#include "op.h"

enum { LAB_NAME_SIZE = 64, LAB_LINE_SIZE = 80 };

struct lab_trace {
    struct trace_source source; /* first: play casts back */
    const char *path;           /* borrowed */
    char name[LAB_NAME_SIZE];   /* of the file */
    enum lab_weight weight;
    struct op *op;  /* [n] */
    uint64_t *line; /* [n], from 1 */
    size_t n, room;
    uint64_t faults; /* lines that were left out or mended */
    char first[240]; /* the first of them: "LINE: what", or "" */
};

/* Read it, in any dialect.  Returns 0, or an errno and why[why_size], which
 * names file and line; lab_trace_free in every case. */
int lab_trace_read(const char *path, struct lab_trace *out, char *why,
                   size_t why_size);
void lab_trace_free(struct lab_trace *);

/* The text of a line of the file, without control bytes; "" if it cannot be
 * read again. */
void lab_trace_text(const struct lab_trace *, uint64_t line,
                    char text[LAB_LINE_SIZE]);

#endif
