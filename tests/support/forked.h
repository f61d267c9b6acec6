/* forked.h - code under test that may end its process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FORKED_H
#define HEAPYARD_FORKED_H

#include <stddef.h>

/* Run body(arg, fd) in a child process, and keep in said[size] what it writes
 * to fd (cut off to fit, always ended by 0).  The child ends when body
 * returns.
 *
 * Returns its exit code; 256 + the signal that killed it; or -1 if it had to
 * be killed after 60 seconds.  Call from a process with one thread. */
int run_forked(void (*body)(void *arg, int fd), void *arg, char *said,
               size_t size);

#endif
