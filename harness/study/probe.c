/* probe.c - single runs of one workload, outside of any plan.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "probe.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int probe_open(struct probe *p, const struct spec *spec, const char *folder,
               char *why, size_t why_size)
{
    char traces[TRACE_STORE_PATH];
    int recorded;

    *p = (struct probe){.run = {.run = 1,
                                .block = 1,
                                .touch = spec->touch,
                                .window = spec->window,
                                .timeout_s = spec->timeout_s}};
    int err = prepare_check(spec->workloads.item[0], spec->threads[0],
                            &recorded, why, why_size);
    if (err)
        return EINVAL;
    p->run.trace.threads = recorded ? 0 : spec->threads[0];
    p->run.trace.seed = spec->seed;
    p->run.trace.scale = recorded ? 1.0 : spec->scale;
    snprintf(p->run.trace.workload, sizeof p->run.trace.workload, "%s",
             spec->workloads.item[0]);
    snprintf(traces, sizeof traces, "%.4000s/traces", folder);
    err = trace_store_open(&p->traces, traces);
    if (!err)
        p->trace = trace_store_get(&p->traces, &p->run.trace);
    if (p->trace && p->trace->trace)
        return 0;
    snprintf(why, why_size, "%s",
             p->trace ? p->trace->why : strerror(err ? err : ENOMEM));
    err = p->trace ? p->trace->err : err ? err : ENOMEM;
    probe_close(p);
    return err;
}

void probe_close(struct probe *p)
{
    trace_store_close(&p->traces);
    p->trace = NULL;
}

int probe_run(struct probe *p, const char *allocator, const char *meter,
              struct outcome *out, char *why, size_t why_size)
{
    *out = (struct outcome){.status = STATUS_ERROR};
    snprintf(p->run.allocator, sizeof p->run.allocator, "%s", allocator);
    if (snprintf(p->run.meter, sizeof p->run.meter, "%s", meter) >=
        (int)sizeof p->run.meter)
        return ENAMETOOLONG;
    int err = exec_stop
                  ? EINTR
                  : exec_run(&p->run, p->trace->path, p->trace->trace, out);

    if (err)
        snprintf(why, why_size, "%s", err == EINTR ? "stopped" : strerror(err));
    return err;
}

double probe_value(const struct outcome *o, const char *metric)
{
    const struct outcome_value *v = outcome_find(o, metric);

    return v ? v->value : (double)NAN;
}
