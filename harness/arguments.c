/* arguments.c - arguments of the verbs, checked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include "arguments.h"

#include <argp.h>

#include "numbers.h"

void argument_whole(const struct argp_state *state, const char *name,
                    const char *arg, uint64_t min, uint64_t max, uint64_t *out)
{
    if (number_parse(arg, min, max, out))
        argp_error(state, "--%s = %s (want %llu..%llu)", name, arg,
                   (unsigned long long)min, (unsigned long long)max);
}
