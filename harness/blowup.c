/* blowup.c - what an adversary made an allocator hold, beside its theorem.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blowup.h"

#include <stdio.h>
#include <string.h>

#include "workload.h"

static double value_of(const struct outcome_value *v)
{
    return v ? v->value : 0;
}

/* The ratio that the bound is about, of the figures there are; 0: none. */
static double find_ratio(const struct outcome *o, const char *mark)
{
    char at[sizeof o->values->at];

    if (!mark)
        return value_of(outcome_find(o, "frag_peak"));
    snprintf(at, sizeof at, "mark:%s", mark);
    for (size_t i = 0; i < o->n; i++)
        if (!strcmp(o->values[i].metric, "frag") &&
            !strcmp(o->values[i].at, at))
            return o->values[i].value;
    return 0;
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
    double held = bound->live
                      ? value_of(outcome_find(o, "rss_peak")) /
                            bound->live(&values, threads, request->scale)
                      : find_ratio(o, bound->mark);
    if (held <= 0)
        return 0; /* no memory, or nothing live at the mark */
    int err = outcome_add(o, "blowup", "", "ratio", held);

    if (!err)
        err = outcome_add(o, "blowup_bound", "", "ratio",
                          bound->ratio(&values, threads, request->scale));
    if (!err)
        snprintf(o->values[o->n - 1].note, sizeof o->values->note, "%.*s",
                 BOUND_CLAIM_MAX, bound->claim);
    return err;
}
