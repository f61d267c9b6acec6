/* gc_result.c - what a study of collectors found out, ready to be shown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_result.h"

#include <math.h>
#include <string.h>

#include "blocks.h"
#include "lower_bound.h"

const struct estimate *study_find(const struct gc_result *r, size_t arm,
                                  const char *meter, const char *metric,
                                  const char *at)
{
    for (size_t i = 0; i < r->summary->n; i++) {
        const struct estimate *e = &r->summary->estimates[i];

        if (!strcmp(e->metric, metric) && !strcmp(e->at, at) &&
            is_meter(e->key.meter, meter) &&
            !strcmp(e->key.allocator, r->arms->arm[arm].allocator))
            return e;
    }
    return NULL;
}

double study_median(const struct gc_result *r, size_t arm, const char *meter,
                    const char *metric, const char *at)
{
    const struct estimate *e = study_find(r, arm, meter, metric, at);

    return e && e->n ? e->median.value : (double)NAN;
}

enum status study_status(const struct gc_result *r, size_t arm)
{
    enum status status = STATUS_ERROR;

    for (size_t i = 0; i < r->summary->n; i++) {
        const struct estimate *e = &r->summary->estimates[i];

        if (!is_meter(e->key.meter, "time") ||
            strcmp(e->key.allocator, r->arms->arm[arm].allocator))
            continue;
        if (e->n)
            return STATUS_OK;
        status = e->status;
    }
    return status;
}

size_t study_arm_at(const struct gc_result *r, const char *collector,
                    double factor)
{
    size_t best = r->arms->n;
    double nearest = INFINITY;

    for (size_t i = 0; i < r->arms->n; i++) {
        const struct gc_arm *arm = &r->arms->arm[i];
        double off = isnan(factor) || isnan(arm->factor)
                         ? (isnan(factor) && isnan(arm->factor) ? 0 : INFINITY)
                         : fabs(log(arm->factor / factor));

        if (strcmp(arm->collector, collector) || off >= nearest ||
            study_status(r, i) != STATUS_OK)
            continue;
        best = i;
        nearest = off;
    }
    return best;
}

const char *study_collector(const struct gc_result *r, size_t k)
{
    const char *last = "";

    for (size_t i = 0; i < r->arms->n; i++) {
        const char *name = r->arms->arm[i].collector;

        if (!name[0] || !strcmp(name, last))
            continue;
        if (k-- == 0)
            return name;
        last = name;
    }
    return NULL;
}

/* Of wall time the pauses are the collector's; of CPU time as much of them as
 * one thread can have used, on a machine where the process got less of its
 * CPU than wall time went by. */
static struct run_cost collected_cost(const struct gc_result *r, size_t arm,
                                      int cpu)
{
    double wall = study_median(r, arm, "gc", "wall", "");
    double used = study_median(r, arm, "gc", "process_cpu", "");
    double pause = study_median(r, arm, "gc", "gc_pause", "");

    return cpu ? (struct run_cost){used, pause * fmin(used / wall, 1)}
               : (struct run_cost){wall, pause};
}

static void fill(struct gc_result *r, struct gc_bound *b, int cpu)
{
    struct run_cost cost[GC_ARMS_MAX] = {0};
    size_t n = r->arms->n;

    for (size_t i = 0; i < n; i++)
        cost[i] =
            r->arms->arm[i].collector[0]
                ? collected_cost(r, i, cpu)
                : (struct run_cost){
                      study_median(r, i, "time", cpu ? "cpu" : "wall", ""), 0};
    b->base = lower_bound_base(cost, n, &b->which);
    for (size_t i = 0; i < n; i++)
        b->over[i] = cost[i].total / b->base;
}

void study_bounds(struct gc_result *r)
{
    fill(r, &r->wall, 0);
    fill(r, &r->cpu, 1);
}
