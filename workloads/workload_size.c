/* workload_size.c - finds the row of a workload.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "workload_size.h"

#include <string.h>

const struct workload_size *workload_size_find(const char *name)
{
    for (const struct workload_size *s = workload_sizes; s->name; s++)
        if (!strcmp(s->name, name))
            return s;
    return NULL;
}
