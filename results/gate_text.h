/* gate_text.h - what the reports of the gate share: names and figures in
 * words.
 *
 * Texts made here are fit for any format to escape: valid UTF-8 without
 * control bytes, numbers with a point whatever the locale.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GATE_TEXT_H
#define HEAPYARD_GATE_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "gate.h"

enum { GATE_TEXT = 704 }; /* bytes that hold any text made here, with its 0 */

/* The order of reports: what needs attention comes first. */
extern const enum gate_verdict gate_worst_first[GATE_VERDICTS];

/* Copy; control bytes become spaces, bytes that are not UTF-8, and the two
 * characters that XML forbids, question marks. */
void gate_text_clean(const char *from, char *text, size_t size);

/* "server-sim:profile=B/threads:2/slab", with touch, window and scale only
 * if cells of the report differ in them, and the mark if there is one.
 * gate_text_name appends "/METRIC": unique in a report.  gate_text_short is
 * for narrow columns: "server-sim:profile=B/2/slab". */
void gate_text_place(const struct gate_report *, const struct gate_cell *,
                     char text[GATE_TEXT]);
void gate_text_name(const struct gate_report *, const struct gate_cell *,
                    char text[GATE_TEXT]);
void gate_text_short(const struct gate_report *, const struct gate_cell *,
                     char text[GATE_TEXT]);

/* "187.6 ms", "12.06 KiB", "45633372"; "-" if it is not finite. */
void gate_text_value(double value, const char *unit, char *text, size_t size);
/* "+3.2 % [+1.0, +5.4]", "12.0x", "-". */
void gate_text_change(const struct gate_cell *, char *text, size_t size);
/* A share in per cent, such as a margin: "2 %". */
void gate_text_share(double share, char *text, size_t size);
/* Baseline, candidate, change, margin, and what else is known: one line. */
void gate_text_figures(const struct gate_cell *, char text[GATE_TEXT]);
/* "2 regressed, 1 undecided, 14 unchanged of 17 cells" */
void gate_text_sum(const struct gate_report *, char text[GATE_TEXT]);

/* The values of one side: those of its pairs, else its median alone.
 * *n is 0 if there is neither.  Borrowed; some may be NAN. */
const double *gate_base_values(const struct gate_cell *, size_t *n);
const double *gate_candidate_values(const struct gate_cell *, size_t *n);

/* 0, or the errno of a stream that was written to. */
int gate_text_end(FILE *);

#endif
