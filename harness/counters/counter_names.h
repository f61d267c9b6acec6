/* counter_names.h - names of hardware events, and the PMUs they are of.
 *
 * Two files: by libpfm4, or none, for a build without it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_COUNTER_NAMES_H
#define HEAPYARD_COUNTER_NAMES_H

#include "counter_events.h"

/* NULL, or why no name can be looked up: "built without …". */
const char *counter_names_missing(void);

/* Find the code of every name; for one that is not known here, err is
 * COUNTER_UNKNOWN.  Calls malloc. */
void counter_names_encode(struct counter_list *);

struct counter_pmu {
    const char *name, *description;
    int counters, fixed; /* of the processor; 0 for the kernel's own */
    int is_core;
};

/* Every PMU that is said to be present, which is not to say that it can be
 * used.  Returns how many are of a processor's core. */
int counter_names_visit_pmus(void (*visit)(void *arg,
                                           const struct counter_pmu *),
                             void *arg);

#endif
