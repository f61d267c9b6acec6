/* blowup.c - what an adversary made an allocator hold, beside its theorem.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blowup.h"

#include <stdio.h>
#include <string.h>

#include "workload.h"

/* The ratio that the bound is about, among the figures there are, or NULL. */
static const struct outcome_value *find_ratio(const struct outcome *o,
                                              const char *mark)
{
    char at[sizeof o->values->at];

    if (!mark)
        return outcome_find(o, "frag_peak");
    snprintf(at, sizeof at, "mark:%s", mark);
    for (size_t i = 0; i < o->n; i++)
        if (!strcmp(o->values[i].metric, "frag") &&
            !strcmp(o->values[i].at, at))
            return &o->values[i];
    return NULL;
}

int blowup_report(const struct trace_request *request, unsigned threads,
                  struct outcome *o)
{
    const struct workload *workload;
    struct knob_values values;
    char why[160];

    if (prepare_find_synthetic(request->workload, &workload, &values, why,
                               sizeof why) ||
        !workload->bound)
        return 0;
    const struct workload_bound *bound = workload->bound;
    const struct outcome_value *held = find_ratio(o, bound->mark);
    if (!held)
        return 0; /* no memory, or nothing live at the mark */
    int err = outcome_add(o, "blowup", "", "ratio", held->value);

    if (!err)
        err = outcome_add(o, "blowup_bound", "", "ratio",
                          bound->ratio(&values, threads, request->scale));
    if (!err)
        snprintf(o->values[o->n - 1].note, sizeof o->values->note, "%.*s",
                 BOUND_CLAIM_MAX, bound->claim);
    return err;
}
