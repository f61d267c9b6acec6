/* fidelity_run.h - real programs, and the replays of what they were recorded
 * to do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FIDELITY_RUN_H
#define HEAPYARD_FIDELITY_RUN_H

#include "app_suite.h"
#include "fidelity.h"

struct fidelity_study {
    struct app_suite *suite;
    struct fidelity_program **program; /* [n], as suite->place; owned */
    size_t n;
    char why[512];
};

/* Whether FOLDER is one whose traces a bench can have as workloads; told before
 * anything runs.  Returns 0, or EINVAL and why. */
int fidelity_check(struct fidelity_study *);

/* Record each program of a suite that is set up, without a library, into
 * FOLDER/traces/NAME.hyt.  One that cannot be recorded gets a status and a
 * note.  Returns 0, EINTR, or the errno of a file, and why. */
int fidelity_record(struct fidelity_study *);

/* Play all traces on the suite's allocators and on null, as often as the suite
 * runs the programs; samples go into FOLDER/replay.  Likewise. */
int fidelity_replay(struct fidelity_study *);

/* Gather the samples of both. */
int fidelity_gather(struct fidelity_study *);
void fidelity_study_close(struct fidelity_study *);

/* Compare each program, print tables, and write FOLDER/fidelity.csv.  Returns
 * 0 or an errno, and why. */
int fidelity_report(struct fidelity_study *, const char *baseline, FILE *,
                    unsigned width, int colour);

#endif
