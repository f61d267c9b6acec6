/* simulate.h - a run under valgrind, of meter simulated.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SIMULATE_H
#define HEAPYARD_SIMULATE_H

#include <stddef.h>

#include "row.h"

enum {
    SIMULATE_FD = 5 /* where the process finds callgrind's file */
};

/* Read the options of meter simulated: "", "cache=on" or "cache=off".
 * Returns 0, or EINVAL and why. */
int simulate_parse(const char *options, int *with_caches, char *why,
                   size_t why_size);

/* Execute `heapyard replay` with these arguments under callgrind, in place of
 * this process, whose environment it gets.  args[n]; options: as above, and
 * right.  Returns only if it cannot: STATUS_SKIP or STATUS_ERROR, and why. */
enum status simulate_exec(const char *options, const char *const args[],
                          size_t n, char *why, size_t why_size);

#endif
