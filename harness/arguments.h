/* arguments.h - arguments of the verbs, checked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_ARGUMENTS_H
#define HEAPYARD_ARGUMENTS_H

#include <stdint.h>

struct argp_state;

/* The whole number arg of --name, in min .. max; if it is none, argp_error,
 * which ends the program, says what would be right. */
void argument_whole(const struct argp_state *, const char *name,
                    const char *arg, uint64_t min, uint64_t max, uint64_t *out);

#endif
