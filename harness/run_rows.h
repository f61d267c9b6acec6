/* run_rows.h - the rows that one run leaves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_RUN_ROWS_H
#define HEAPYARD_RUN_ROWS_H

#include "exec.h"
#include "plan.h"
#include "row.h"

/* A row with all that the run and its outcome say, but for the value: metric
 * is empty and value NAN, as in the row of a run that failed.
 * trace: what was played; NULL if there was none. */
struct row run_row(const char *session, const struct plan_run *,
                   const struct outcome *, const struct trace *trace);

/* Put value i of the outcome into such a row. */
void run_row_set(struct row *, const struct outcome *, size_t i);

/* Append the rows of a run to a file: one a value of the outcome, each filled
 * from `row`, and one without if the run failed.  They are on the disk when it
 * returns, or none of them is there.  Returns 0 or an errno. */
int run_rows_append(const char *path, const struct row *row,
                    const struct outcome *);

#endif
