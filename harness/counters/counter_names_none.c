/* counter_names_none.c - in place of counter_names.c, without libpfm4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "counter_names.h"

const char *counter_names_missing(void)
{
    return "built without libpfm4 (libpfm4-dev)";
}

void counter_names_encode(struct counter_list *list)
{
    for (unsigned i = 0; i < list->n; i++)
        list->event[i].err = COUNTER_UNKNOWN;
}

int counter_names_visit_pmus(void (*visit)(void *arg,
                                           const struct counter_pmu *),
                             void *arg)
{
    (void)visit;
    (void)arg;
    return 0;
}
