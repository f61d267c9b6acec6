/* run.h - carries out a plan: rows into samples.csv.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_RUN_H
#define HEAPYARD_RUN_H

#include <stddef.h>

#include "plan.h"

struct run_config {
    const struct plan *plan;
    const char *folder; /* exists; gets samples.csv, environment.csv */
    int resume;         /* leave out runs that samples.csv has already */
    const char *again;  /* verb and arguments that resume, for messages */
    /* At the end of each block that samples.csv now ends with, or NULL; `done`
     * is how many runs were carried out now.  Returns 1 to leave the rest of
     * the plan undone, else 0. */
    int (*after_block)(void *arg, uint32_t block, size_t done);
    void *arg;
    int may_stop; /* after_block may; for what is said meanwhile */
};

struct run_counts {
    size_t done;                /* runs carried out now */
    size_t kept;                /* found in samples.csv by resume */
    size_t ok, skipped, failed; /* of done + kept */
    char first_failure[256];    /* what, where, why; "" without */
};

/* Carry out the plan.  Each run's rows are written at once or not at all; on
 * a full disk the rows before stay whole.
 *
 * Returns 0, also if after_block ended it; EINTR if the user stopped it (rows
 * are kept); EBUSY if another runner is at work in the folder; EEXIST if there
 * are samples and resume is 0; EINVAL if they are of another plan; or the errno
 * of a file.  On error why[why_size] is one line. */
int run_plan(const struct run_config *, struct run_counts *, char *why,
             size_t why_size);

#endif
