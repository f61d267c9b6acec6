/* app_process.h - one command in a folder, within a time limit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_APP_PROCESS_H
#define HEAPYARD_APP_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct app_process {
    char *const *argv;  /* NULL-ended; found in PATH */
    char *const *env;   /* NULL-ended: the whole environment */
    const char *folder; /* where it runs */
    const char *out;    /* file for its standard output, made anew */
    const char *err;    /* and for its standard error */
    uint32_t timeout_s;
    uint32_t tick_ms; /* between two calls of tick, and of looking */
    void (*tick)(void *arg, pid_t); /* or NULL */
    void *arg;
};

struct app_end {
    int status; /* of waitpid */
    bool timed_out;
};

/* Run it to its end; then nothing is left that it started in its process
 * group.  Returns 0, EINTR after exec_stop, or an errno if it could not be
 * started. */
int app_process_run(const struct app_process *, struct app_end *out);

#endif
