/* mark_at.c - how a mark of a trace is called in the column `at`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mark_at.h"

#include <stdio.h>
#include <string.h>

enum { NAME_SHOWN = MARK_AT_SIZE - sizeof "mark:#255" };

void mark_at(const struct trace *trace, unsigned i, char at[MARK_AT_SIZE])
{
    const char *name = trace->marks[i].name;
    unsigned same = 1;

    for (unsigned earlier = 0; earlier < i; earlier++)
        same += !strncmp(trace->marks[earlier].name, name, NAME_SHOWN);
    if (same == 1)
        snprintf(at, MARK_AT_SIZE, "mark:%.*s", NAME_SHOWN, name);
    else
        snprintf(at, MARK_AT_SIZE, "mark:%.*s#%u", NAME_SHOWN, name, same);
}
