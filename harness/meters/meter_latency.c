/* meter_latency.c - percentiles of the duration of single calls.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "latency_ops.h"
#include "meter.h"
#include "ticks.h"

struct latency_meter_state {
    struct clock_pair begin, end;
    struct histogram sum, stamps;
};

static const char *const kinds[LATENCY_KINDS] = {
    [LATENCY_MALLOC] = "malloc",
    [LATENCY_CALLOC] = "calloc",
    [LATENCY_REALLOC] = "realloc",
    [LATENCY_FREE] = "free",
};

static const struct {
    const char *name;
    double share;
} quantiles[] = {
    {"p50", 0.5},    {"p90", 0.9},      {"p99", 0.99},
    {"p999", 0.999}, {"p9999", 0.9999}, {"max", 1.0},
};

static void latency_start(void *arg)
{
    struct run_context *run = arg;
    struct latency_meter_state *s = run->meter_state;

    s->begin = clock_pair_now();
}

static void latency_stop(void *arg)
{
    struct run_context *run = arg;
    struct latency_meter_state *s = run->meter_state;

    s->end = clock_pair_now();
}

/* What two stamps with nothing in between cost. */
static void time_stamps(struct histogram *h)
{
    for (int i = 0; i < 10000; i++) {
        uint64_t start = ticks_now();

        histogram_add(h, ticks_now() - start);
    }
}

static void report_kind(struct run_context *run, enum latency_kind kind,
                        double ns_per_tick)
{
    struct latency_meter_state *s = run->meter_state;
    char metric[48];

    s->sum = (struct histogram){0};
    for (unsigned i = 0; i < replay_threads(run->replay); i++) {
        const struct latency_state *own = replay_own(run->replay, i);

        histogram_merge(&s->sum, &own->ticks[kind]);
    }
    if (!s->sum.count)
        return;
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        snprintf(metric, sizeof metric, "%s_%s", kinds[kind],
                 quantiles[i].name);
        emit_value(run, metric, "", "ns",
                   ns_per_tick *
                       (double)histogram_quantile(&s->sum, quantiles[i].share));
    }
}

static void latency_report(struct run_context *run)
{
    struct latency_meter_state *s = run->meter_state;
    double ns_per_tick = clock_ns_per_tick(s->begin, s->end);

    time_stamps(&s->stamps);
    emit_value(run, "stamp_cost", "", "ns",
               ns_per_tick * (double)histogram_quantile(&s->stamps, 0.5));
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++)
        report_kind(run, (enum latency_kind)kind, ns_per_tick);
}

const struct meter meter_latency = {
    .name = "latency",
    .summary = "percentiles of single calls, with the price of the stamps",
    .ops = &latency_ops,
    .own_bytes = sizeof(struct latency_state),
    .state_bytes = sizeof(struct latency_meter_state),
    .start = latency_start,
    .stop = latency_stop,
    .report = latency_report,
};
