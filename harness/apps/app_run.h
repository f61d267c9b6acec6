/* app_run.h - one run of a real program under one allocator.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_APP_RUN_H
#define HEAPYARD_APP_RUN_H

#include "app_arm.h"
#include "app_file.h"
#include "exec.h"

enum { APP_PLACE_PATH = 3000 };

/* As they stand in samples.csv. */
#define APP_METER_TIME   "time"
#define APP_METER_MEMORY "memory"

/* A program that is set up in a folder of its own. */
struct app_place {
    struct app app;
    char folder[APP_PLACE_PATH]; /* absolute */
    char program[256];           /* name of the file of app.program */
    enum status status;          /* STATUS_OK, or why it cannot be run */
    char note[160];
    uint32_t cksum; /* of its output, which every run must have */
    uint64_t bytes;
};

/* Make the folder, which must be new (it is removed with all in it), set it up,
 * and run the program once as it is, to learn what it prints.  What is missing
 * or fails is a status and a note.  Returns 0, EINTR if stopped, or the errno
 * of the folder. */
int app_place_open(struct app_place *, const char *folder);
/* Remove the folder and all in it. */
void app_place_close(const struct app_place *);

/* Run it under the arm, timed by hyperfine, or with its memory sampled.
 * Whatever becomes of it is an outcome; outcome_free in every case.  Returns 0,
 * EINTR if stopped, or an errno. */
int app_run(const struct app_place *, const struct app_arm *, const char *meter,
            struct outcome *);

/* Run argv, NULL-ended, in the folder of a program that is set up and with the
 * environment of its plain run; what it prints goes to FOLDER/out and
 * FOLDER/err.  Returns 0, ECHILD and why if it failed, EINTR, or an errno. */
int app_place_run(const struct app_place *, char *const argv[], char *why,
                  size_t why_size);

/* The names in app->needs that are not in PATH, in text; "" if none. */
void app_missing(const struct app *, char *text, size_t size);

#endif
