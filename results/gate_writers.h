/* gate_writers.h - the writers behind the table of formats, one file each.
 *
 * All are pure functions of the report.  Return 0 or an errno.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GATE_WRITERS_H
#define HEAPYARD_GATE_WRITERS_H

#include <stdio.h>

#include "gate.h"

int gate_csv_write(const struct gate_report *, FILE *);
int gate_junit_write(const struct gate_report *, FILE *);
int gate_markdown_write(const struct gate_report *, FILE *);
int gate_annotations_write(const struct gate_report *, FILE *);
int gate_benchstat_write(const struct gate_report *, FILE *);
int gate_google_write(const struct gate_report *, FILE *);
int gate_action_write(const struct gate_report *, FILE *);
int gate_bencher_write(const struct gate_report *, FILE *);

#endif
