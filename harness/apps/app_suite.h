/* app_suite.h - real programs under allocators, block by block.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_APP_SUITE_H
#define HEAPYARD_APP_SUITE_H

#include "app_run.h"

struct app_suite {
    const char *verb;
    const char *folder;      /* exists; gets samples.csv, environment.csv */
    struct app_place *place; /* [places]: with app read; see app_suite_open */
    size_t places;
    struct app_arm *arm; /* [arms] */
    size_t arms;
    uint32_t runs, memory_runs; /* blocks, and of these how many with memory */
    uint64_t seed;              /* of the order of runs */
    /* The outcome. */
    size_t ok, skipped, failed; /* runs */
    char first_failure[256];
    char why[512]; /* of an error */
};

/* Read the apps and find the arms by name, NULL-ended; what is not installed
 * here is no error, and becomes rows with a status.  Returns 0, or EINVAL,
 * ENOENT or ENOMEM and why. */
int app_suite_open(struct app_suite *, char *const apps[],
                   const char *const arms[]);

/* Set every program up, each in a folder of its own below FOLDER/work. */
int app_suite_set_up(struct app_suite *);

/* In every block each program in turn, in shuffled order, runs under each arm
 * once a meter, in shuffled order: so runs that are compared are neighbours in
 * time.  Rows go into samples.csv run by run.
 *
 * Returns 0 whatever became of the runs; EINTR if stopped, EEXIST if there are
 * samples already, or the errno of a file, and why. */
int app_suite_run(struct app_suite *);

/* Say on stderr why it ended with err, or that runs failed.  Returns the exit
 * code. */
int app_suite_tell(const struct app_suite *, int err, const char *why);

/* Remove what was set up, and free all. */
void app_suite_close(struct app_suite *);

#endif
