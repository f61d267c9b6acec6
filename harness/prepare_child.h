/* prepare_child.h - prepares a trace in a process of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PREPARE_CHILD_H
#define HEAPYARD_PREPARE_CHILD_H

#include "prepare.h"

/* As prepare_compile, in a child process: it can be stopped (exec_stop), its
 * memory is gone when it is done, and should it crash, that is an error like
 * others.  Returns as prepare_compile does; EINTR if it was stopped; ECHILD
 * if the child died.  On an error nothing is left at path. */
int prepare_in_child(const struct trace_request *, const char *path, char *why,
                     size_t why_size);

#endif
