/* meter_latency.c - percentiles of the duration of single calls.
 *
 * Over all calls of a kind, then by class of size and by thread; the longest
 * calls one by one; and, at a pace, response times (pace.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>

#include "knobs.h"
#include "latency_ops.h"
#include "meter.h"
#include "percentiles.h"
#include "ticks.h"
#include "trace_place.h"

enum {
    STAMPS = 10000,           /* in a row, to find their price */
    BY_THREAD_MAX = 64,       /* threads; more would be thousands of rows */
    CALIBRATION_NS = 10000000 /* the rate of ticks is then good to 1e-4 */
};

enum { PACE };

static const struct knob knobs[] = {
    [PACE] = {.name = "pace",
              .unit = "calls/s",
              .max = 1e8,
              .help = "of each thread, at even times; 0: as fast as it can"},
    {0},
};

static const char *const kinds[LATENCY_KINDS] = {
    [LATENCY_MALLOC] = "malloc",
    [LATENCY_CALLOC] = "calloc",
    [LATENCY_REALLOC] = "realloc",
    [LATENCY_FREE] = "free",
};

struct latency_meter_state {
    struct clock_pair begin, end;
    double interval; /* ticks between calls of a thread; 0: no pace */
    double ns_per_tick;
    struct histogram sum, stamps;
    uint64_t stamp[STAMPS];
    struct worst worst;
};

static int latency_check_options(const char *options, char *why,
                                 size_t why_size)
{
    struct knob_values values;

    return knobs_parse("latency", knobs, options, &values, why, why_size);
}

static double chosen_pace(const struct run_context *run)
{
    struct knob_values values;
    char why[160];

    if (knobs_parse("", knobs, run->options, &values, why, sizeof why))
        return 0; /* cannot be: check_options has taken them */
    return values.v[PACE];
}

/* ---- before and after the replay ---- */

static double measure_tick(void)
{
    struct clock_pair from = clock_pair_now();

    while (clock_wall_ns() < from.ns + CALIBRATION_NS)
        ;
    return clock_ns_per_tick(from, clock_pair_now());
}

static void latency_start(void *arg)
{
    struct run_context *run = arg;
    struct latency_meter_state *s = run->meter_state;
    double pace = chosen_pace(run);

    if (pace > 0)
        s->interval = pace_interval(pace, measure_tick());
    s->begin = clock_pair_now();
}

static void latency_thread_start(void *arg, unsigned thread)
{
    struct run_context *run = arg;
    const struct latency_meter_state *s = run->meter_state;
    struct latency_state *own = replay_own(run->replay, thread);

    own->pace.interval = s->interval;
    own->pace.start = ticks_now();
}

static void latency_stop(void *arg)
{
    struct run_context *run = arg;
    struct latency_meter_state *s = run->meter_state;

    s->end = clock_pair_now();
}

/* ---- report ---- */

/* The step of a clock that is coarser than its own reading, or 0.  No reading
 * takes as little as a tick; where one in a hundred seems to, both were of one
 * step (some counters then add one, to grow all the same), and the commonest
 * larger difference is the step. */
static uint64_t find_step(const struct histogram *stamps)
{
    uint64_t step = 2; /* buckets below HISTOGRAM_SUBS hold one value each */

    if (100 * (stamps->bucket[0] + stamps->bucket[1]) < stamps->count)
        return 0;
    for (uint64_t v = 3; v < HISTOGRAM_SUBS; v++)
        if (stamps->bucket[v] > stamps->bucket[step])
            step = v;
    return step;
}

/* What two stamps with nothing in between cost, and in what steps the clock
 * goes: there are machines whose time-stamp counter grows by 26 at once. */
static void report_stamps(struct run_context *run)
{
    struct latency_meter_state *s = run->meter_state;

    for (int i = 0; i < STAMPS; i++)
        s->stamp[i] = ticks_now();
    for (int i = 1; i < STAMPS; i++)
        histogram_add(&s->stamps, s->stamp[i] - s->stamp[i - 1]);
    uint64_t step = find_step(&s->stamps);

    emit_value(run, "stamp_cost", "", "ns",
               s->ns_per_tick * (double)histogram_quantile(&s->stamps, 0.5));
    if (step)
        emit_value(run, "clock_step", "", "ns", s->ns_per_tick * (double)step);
}

static void emit_percentiles(const struct run_context *run, const char *what,
                             const char *at, const struct histogram *h)
{
    const struct latency_meter_state *s = run->meter_state;
    char metric[48];

    for (const struct percentile *p = percentiles; p->name; p++) {
        if (!percentile_is_backed(p, h->count))
            continue;
        snprintf(metric, sizeof metric, "%s_%s", what, p->name);
        emit_value(run, metric, at, "ns",
                   s->ns_per_tick * (double)histogram_quantile(h, p->share));
    }
    snprintf(metric, sizeof metric, "%s_max", what);
    emit_value(run, metric, at, "ns", s->ns_per_tick * (double)h->max);
}

static void emit_calls(const struct run_context *run, unsigned kind,
                       const char *at, const struct histogram *h)
{
    char metric[48];

    if (!h->count)
        return;
    snprintf(metric, sizeof metric, "%s_count", kinds[kind]);
    emit_value(run, metric, at, "1", (double)h->count);
    emit_percentiles(run, kinds[kind], at, h);
}

/* A histogram that is empty may never have been in memory: do not read it. */
static void add(struct histogram *into, const struct histogram *from)
{
    if (from->count)
        histogram_merge(into, from);
}

static void add_thread(struct run_context *run, unsigned thread, unsigned kind)
{
    struct latency_meter_state *s = run->meter_state;
    const struct latency_state *own = replay_own(run->replay, thread);

    for (unsigned c = 0; c < LATENCY_CLASSES; c++)
        add(&s->sum, &own->ticks[kind][c]);
}

static void report_kind(struct run_context *run, unsigned kind)
{
    struct latency_meter_state *s = run->meter_state;

    s->sum = (struct histogram){0};
    for (unsigned i = 0; i < replay_threads(run->replay); i++)
        add_thread(run, i, kind);
    emit_calls(run, kind, "", &s->sum);
}

/* "size:17..32"; the last class has no end: "size:1048577..". */
static void name_class(unsigned class, char name[48])
{
    size_t least =
        class ? ((size_t)1 << (class + LATENCY_SMALL_LOG2 - 1)) + 1 : 0;

    if (class == LATENCY_CLASSES - 1)
        snprintf(name, 48, "size:%zu..", least);
    else
        snprintf(name, 48, "size:%zu..%zu", least,
                 (size_t)1 << (class + LATENCY_SMALL_LOG2));
}

static void report_classes(struct run_context *run, unsigned kind)
{
    struct latency_meter_state *s = run->meter_state;
    char at[48];

    for (unsigned c = 0; c < LATENCY_CLASSES; c++) {
        s->sum = (struct histogram){0};
        for (unsigned i = 0; i < replay_threads(run->replay); i++) {
            const struct latency_state *own = replay_own(run->replay, i);

            add(&s->sum, &own->ticks[kind][c]);
        }
        name_class(c, at);
        emit_calls(run, kind, at, &s->sum);
    }
}

static void report_threads(struct run_context *run, unsigned kind)
{
    struct latency_meter_state *s = run->meter_state;
    unsigned threads = replay_threads(run->replay);
    char at[48];

    if (threads < 2 || threads > BY_THREAD_MAX)
        return;
    for (unsigned i = 0; i < threads; i++) {
        s->sum = (struct histogram){0};
        add_thread(run, i, kind);
        snprintf(at, sizeof at, "thread:%u", i);
        emit_calls(run, kind, at, &s->sum);
    }
}

static void report_responses(struct run_context *run, unsigned kind)
{
    struct latency_meter_state *s = run->meter_state;
    char what[32];

    s->sum = (struct histogram){0};
    for (unsigned i = 0; i < replay_threads(run->replay); i++) {
        const struct latency_state *own = replay_own(run->replay, i);

        add(&s->sum, &own->response[kind]);
    }
    snprintf(what, sizeof what, "%s_response", kinds[kind]);
    if (s->sum.count)
        emit_percentiles(run, what, "", &s->sum);
}

static void report_late(struct run_context *run)
{
    uint64_t calls = 0, late = 0;

    for (unsigned i = 0; i < replay_threads(run->replay); i++) {
        const struct latency_state *own = replay_own(run->replay, i);

        calls += own->pace.calls;
        late += own->pace.late;
    }
    if (calls)
        emit_noted(run, "late", "", "ratio", (double)late / (double)calls,
                   "at a pace of %.0f calls/s a thread, %.2g %% of the calls, "
                   "which is of the time, began late",
                   chosen_pace(run), 100.0 * (double)late / (double)calls);
}

static void emit_worst(const struct run_context *run,
                       const struct worst_call *c)
{
    const struct latency_meter_state *s = run->meter_state;
    struct place_range place =
        trace_place_of(run->trace, c->thread, c->record, c->after);
    char at[48];

    if (place.first == place.last)
        snprintf(at, sizeof at, "op:%llu", (unsigned long long)place.first);
    else
        snprintf(at, sizeof at, "op:%llu..%llu/%u",
                 (unsigned long long)place.first,
                 (unsigned long long)place.last, c->thread);
    emit_noted(run, "worst", at, "ns", s->ns_per_tick * (double)c->ticks,
               "%s of %llu bytes, thread %u, record %llu; within %llu calls: "
               "%llu page faults, %llu preemptions, %llu waits",
               kinds[c->kind], (unsigned long long)c->size, c->thread,
               (unsigned long long)c->record, (unsigned long long)c->within,
               (unsigned long long)c->faults,
               (unsigned long long)c->preemptions,
               (unsigned long long)c->waits);
}

static void report_worst(struct run_context *run)
{
    struct latency_meter_state *s = run->meter_state;

    for (unsigned i = 0; i < replay_threads(run->replay); i++) {
        const struct latency_state *own = replay_own(run->replay, i);

        for (unsigned k = 0; k < own->worst.n; k++)
            worst_add(&s->worst, &own->worst.call[k]);
    }
    for (unsigned k = 0; k < s->worst.n; k++)
        emit_worst(run, &s->worst.call[k]);
}

static void latency_report(struct run_context *run)
{
    static void (*const parts[])(struct run_context *, unsigned kind) = {
        report_kind, report_responses, report_classes, report_threads};
    struct latency_meter_state *s = run->meter_state;

    s->ns_per_tick = clock_ns_per_tick(s->begin, s->end);
    if (replay_threads(run->replay) > BY_THREAD_MAX)
        emit_note(run, "no values by thread: %u threads (want at most %d)",
                  replay_threads(run->replay), BY_THREAD_MAX);
    report_stamps(run);
    report_late(run);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (unsigned kind = 0; kind < LATENCY_KINDS; kind++)
            parts[i](run, kind);
    report_worst(run);
}

const struct meter meter_latency = {
    .name = "latency",
    .summary = "percentiles of single calls (to 1.6 %), and the longest ones",
    .ops = &latency_ops,
    .own_bytes = sizeof(struct latency_state),
    .state_bytes = sizeof(struct latency_meter_state),
    .check_options = latency_check_options,
    .options_help =
        "    pace=N     calls/s of each thread, at even times: then also "
        "response times\n",
    .start = latency_start,
    .stop = latency_stop,
    .thread_start = latency_thread_start,
    .report = latency_report,
};
