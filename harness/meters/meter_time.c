/* meter_time.c - how long the replay takes: wall and CPU, and per operation.
 *
 * Wall time runs from just before the gate opens to just after the last
 * thread is through; CPU time is the sum of the replaying threads' own.  A
 * native workload may say when it uses what it has built: that phase is timed
 * too, from the first thread's beginning to the last one's end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/resource.h>

#include "histogram.h"
#include "meter.h"
#include "ticks.h"

enum { CLOCK_READS = 1000 }; /* about 50 us */

/* A thread's use of what it has built. */
struct use_span {
    uint64_t begin, end;         /* CLOCK_MONOTONIC, ns */
    uint64_t begin_cpu, end_cpu; /* of the thread, ns */
};

struct time_state {
    struct clock_pair begin, end;
    struct rusage before, after;
    struct rusage children_before, children_after;
    struct histogram clock_ns;
    struct use_span use[OP_MAX_THREADS];
};

static void time_start(void *arg)
{
    struct run_context *run = arg;
    struct time_state *s = run->meter_state;

    getrusage(RUSAGE_CHILDREN, &s->children_before);
    getrusage(RUSAGE_SELF, &s->before);
    s->begin = clock_pair_now();
}

static void time_stop(void *arg)
{
    struct run_context *run = arg;
    struct time_state *s = run->meter_state;

    s->end = clock_pair_now();
    getrusage(RUSAGE_SELF, &s->after);
    getrusage(RUSAGE_CHILDREN, &s->children_after);
}

static void time_use_begin(void *arg, unsigned thread)
{
    const struct run_context *run = arg;
    struct use_span *use =
        &((struct time_state *)run->meter_state)->use[thread];

    use->begin_cpu = clock_thread_cpu_ns();
    use->begin = clock_wall_ns();
}

static void time_use_end(void *arg, unsigned thread)
{
    const struct run_context *run = arg;
    struct use_span *use =
        &((struct time_state *)run->meter_state)->use[thread];

    use->end = clock_wall_ns();
    use->end_cpu = clock_thread_cpu_ns();
}

/* What two readings with nothing in between are apart: that much of wall is
 * the harness's. */
static double clock_cost_ns(struct histogram *h)
{
    for (int i = 0; i < CLOCK_READS; i++) {
        struct clock_pair begin = clock_pair_now();

        histogram_add(h, clock_pair_now().ns - begin.ns);
    }
    return (double)histogram_quantile(h, 0.5);
}

static void emit_use(const struct run_context *run, const struct time_state *s)
{
    double uses = (double)replay_uses(run->replay);
    uint64_t begin = UINT64_MAX, end = 0, cpu = 0;

    if (uses == 0)
        return;
    for (unsigned i = 0; i < run->trace->threads; i++) {
        const struct use_span *use = &s->use[i];

        if (use->begin < begin)
            begin = use->begin;
        if (use->end > end)
            end = use->end;
        cpu += use->end_cpu - use->begin_cpu;
    }
    emit_value(run, "uses", "", "1", uses);
    emit_value(run, "use_wall", "", "ns", (double)(end - begin));
    emit_value(run, "use_cpu", "", "ns", (double)cpu);
    emit_value(run, "wall_per_use", "", "ns", (double)(end - begin) / uses);
    emit_value(run, "cpu_per_use", "", "ns", (double)cpu / uses);
}

static void time_report(struct run_context *run)
{
    struct time_state *s = run->meter_state;
    double ops = (double)replay_ops(run->replay);
    double wall = (double)(s->end.ns - s->begin.ns);
    double cpu = (double)replay_cpu_ns(run->replay);

    emit_value(run, "wall", "", "ns", wall);
    emit_value(run, "cpu", "", "ns", cpu);
    emit_value(run, "wall_per_op", "", "ns", wall / ops);
    emit_value(run, "cpu_per_op", "", "ns", cpu / ops);
    emit_value(run, "ops", "", "1", ops);
    emit_use(run, s);
    if (run->trace->threads > 1 && !run->trace->native)
        emit_value(run, "wait", "", "ns",
                   (double)replay_wait_ticks(run->replay) *
                       clock_ns_per_tick(s->begin, s->end));
    emit_value(run, "clock_cost", "", "ns", clock_cost_ns(&s->clock_ns));
    emit_value(run, "minor_faults", "", "1",
               (double)(s->after.ru_minflt - s->before.ru_minflt));
    if (s->children_after.ru_minflt > s->children_before.ru_minflt)
        emit_value(run, "child_faults", "", "1",
                   (double)(s->children_after.ru_minflt -
                            s->children_before.ru_minflt));
    emit_value(run, "involuntary_switches", "", "1",
               (double)(s->after.ru_nivcsw - s->before.ru_nivcsw));
}

const struct meter meter_time = {
    .name = "time",
    .summary = "wall and CPU time of the replay, per operation; faults",
    .state_bytes = sizeof(struct time_state),
    .slices = 256,
    .start = time_start,
    .stop = time_stop,
    .use_begin = time_use_begin,
    .use_end = time_use_end,
    .report = time_report,
};
