/* run_rows.c - the rows that one run leaves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct row run_row(const char *session, const struct plan_run *run,
                   const struct outcome *o, const struct trace *trace)
{
    struct row row = {.status = o->status, .value = NAN};

    snprintf(row.key.session, sizeof row.key.session, "%s", session);
    row.key.run = run->run;
    row.key.block = run->block;
    snprintf(row.key.workload, sizeof row.key.workload, "%s",
             run->trace.workload);
    row.key.threads = trace                ? trace->threads
                      : run->trace.threads ? run->trace.threads
                                           : 1; /* who knows */
    row.key.scale = run->trace.scale;
    row.key.seed = run->trace.seed;
    snprintf(row.key.allocator, sizeof row.key.allocator, "%s", run->allocator);
    snprintf(row.key.served_by, sizeof row.key.served_by, "%s", o->served_by);
    snprintf(row.key.meter, sizeof row.key.meter, "%s", run->meter);
    snprintf(row.key.touch, sizeof row.key.touch, "%s", touch_name(run->touch));
    row.key.window = run->window;
    snprintf(row.note, sizeof row.note, "%s", o->note);
    return row;
}

void run_row_set(struct row *row, const struct outcome *o, size_t i)
{
    const struct outcome_value *v = &o->values[i];

    memcpy(row->metric, v->metric, sizeof row->metric);
    memcpy(row->at, v->at, sizeof row->at);
    memcpy(row->unit, v->unit, sizeof row->unit);
    row->value = v->value;
    snprintf(row->note, sizeof row->note, "%s", v->note[0] ? v->note : o->note);
}
