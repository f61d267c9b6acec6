/* result_files.h - the files that a verb leaves in its folder.
 *
 * Each says on standard error what went wrong, in a line that begins with the
 * verb, and returns 0 or an errno.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_RESULT_FILES_H
#define HEAPYARD_RESULT_FILES_H

#include "plan.h"
#include "summary.h"

/* FOLDER/plan.tsv; EEXIST if it is there. */
int result_plan_save(const char *verb, const char *folder, const struct plan *);

/* FOLDER/summary.csv. */
int result_summary_save(const char *verb, const char *folder,
                        const struct summary *);

/* What the columns of a CSV file mean, for machines, beside the file:
 * "samples.schema.json". */
int result_schema_copy(const char *verb, const char *folder, const char *name);

#endif
