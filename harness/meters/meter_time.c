/* meter_time.c - how long the replay takes: wall and CPU, and per operation.
 *
 * Wall time runs from just before the gate opens to just after the last
 * thread is through; CPU time is the sum of the replaying threads' own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/resource.h>

#include "meter.h"
#include "ticks.h"

struct time_state {
    struct clock_pair begin, end;
    struct rusage before, after;
};

static void time_start(void *arg)
{
    struct run_context *run = arg;
    struct time_state *s = run->meter_state;

    getrusage(RUSAGE_SELF, &s->before);
    s->begin = clock_pair_now();
}

static void time_stop(void *arg)
{
    struct run_context *run = arg;
    struct time_state *s = run->meter_state;

    s->end = clock_pair_now();
    getrusage(RUSAGE_SELF, &s->after);
}

static void time_report(struct run_context *run)
{
    const struct time_state *s = run->meter_state;
    double ops = (double)run->trace->totals.ops;
    double wall = (double)(s->end.ns - s->begin.ns);
    double cpu = (double)replay_cpu_ns(run->replay);

    emit_value(run, "wall", "", "ns", wall);
    emit_value(run, "cpu", "", "ns", cpu);
    emit_value(run, "wall_per_op", "", "ns", wall / ops);
    emit_value(run, "cpu_per_op", "", "ns", cpu / ops);
    emit_value(run, "ops", "", "1", ops);
    if (run->trace->threads > 1)
        emit_value(run, "wait", "", "ns",
                   (double)replay_wait_ticks(run->replay) *
                       clock_ns_per_tick(s->begin, s->end));
    emit_value(run, "minor_faults", "", "1",
               (double)(s->after.ru_minflt - s->before.ru_minflt));
    emit_value(run, "involuntary_switches", "", "1",
               (double)(s->after.ru_nivcsw - s->before.ru_nivcsw));
}

const struct meter meter_time = {
    .name = "time",
    .summary = "wall and CPU time of the replay, per operation; faults",
    .state_bytes = sizeof(struct time_state),
    .start = time_start,
    .stop = time_stop,
    .report = time_report,
};
