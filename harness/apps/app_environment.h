/* app_environment.h - the environment in which a real program runs.
 *
 * Ours, but for the variables that would change what is measured; commands of
 * packages before others; and what the app and the run need.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_APP_ENVIRONMENT_H
#define HEAPYARD_APP_ENVIRONMENT_H

#include "app_arm.h"
#include "app_file.h"

struct app_environment {
    char **variable; /* NULL-ended */
    char *own[48];   /* those that are ours to free, NULL-ended */
};

/* arm: NULL for a plain run.  witness: the file that the witness writes.
 * Returns 0 or ENOMEM. */
int app_environment_open(struct app_environment *, const struct app *,
                         const struct app_arm *, const char *meter,
                         const char *witness);
void app_environment_close(struct app_environment *);

#endif
