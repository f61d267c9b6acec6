/* command.h - runs a program of others to its end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_COMMAND_H
#define HEAPYARD_COMMAND_H

enum command_stop {
    COMMAND_STOPS,    /* it and all that it has started, if exec_stop is set */
    COMMAND_TIDIES_UP /* it is waited for in any case */
};

/* Run argv[], found as a shell finds it, with its output at the end of the
 * file `log`, or nowhere if that is NULL.  Returns 0; ECHILD if it failed;
 * EINTR if it was stopped; or an errno if it cannot be started. */
int command_run(const char *const argv[], const char *log, enum command_stop);

#endif
