/* record_run.h - runs a program with the recorder preloaded.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_RECORD_RUN_H
#define HEAPYARD_RECORD_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct recorded_run {
    pid_t pid;
    int status;              /* as wait4 gives it */
    double user_s, system_s; /* of the program and the children it awaited */
};

/* From here on the signals that ask to stop wait until record_run passes them
 * on, or record_is_stopped asks for them. */
void record_hold_signals(void);

/* Whether one of them has come since record_run returned. */
bool record_is_stopped(void);

/* Run argv (NULL-ended) with its standard files as ours, `recorder` before
 * what is preloaded already, and HEAPYARD_SPOOL set to `spool`; wait for its
 * end.  Signals sent to us go to it; those of the terminal reach it anyway.
 *
 * Returns 0, or the errno of exec, pipe or fork; then why[why_size] says
 * which. */
int record_run(char *const argv[], const char *recorder, const char *spool,
               struct recorded_run *out, char *why, size_t why_size);

#endif
