/* meter_memory.c - private resident memory at the marks of the trace.
 *
 * The child reads its own RssAnon at every mark (the trace's peak of live
 * bytes is always one) and at the end; the curve in between is sampled by the
 * runner (sampler.c), so that the child does nothing else than replay.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mark_at.h"
#include "meter.h"
#include "native_request.h"
#include "rss.h"

struct memory_state {
    _Atomic uint64_t at_mark[TRACE_MARKS_MAX]; /* bytes; 0: not reached */
    uint64_t baseline, end;
};

static void memory_start(void *arg)
{
    struct run_context *run = arg;
    struct memory_state *s = run->meter_state;

    rss_held(0, &s->baseline);
    atomic_store(&run->page->baseline, s->baseline);
}

static void memory_stop(void *arg)
{
    struct run_context *run = arg;
    struct memory_state *s = run->meter_state;

    rss_held(0, &s->end);
}

static void memory_mark(void *arg, unsigned mark)
{
    struct run_context *run = arg;
    struct memory_state *s = run->meter_state;
    uint64_t bytes;

    if (!rss_held(0, &bytes))
        atomic_store(&s->at_mark[mark], bytes);
}

static double above(uint64_t bytes, uint64_t baseline)
{
    return bytes > baseline ? (double)(bytes - baseline) : 0;
}

static void report_mark(struct run_context *run, unsigned i)
{
    const struct memory_state *s = run->meter_state;
    double live = (double)run->trace->marks[i].live_bytes;
    uint64_t bytes = atomic_load(&s->at_mark[i]);
    double rss = above(bytes, s->baseline);
    char at[MARK_AT_SIZE];

    if (!bytes)
        return;
    mark_at(run->trace, i, at);
    emit_value(run, "rss", at, "bytes", rss);
    emit_value(run, "live", at, "bytes", live);
    if (live > 0)
        emit_value(run, "frag", at, "ratio", rss / live);
}

static void memory_report(struct run_context *run)
{
    struct memory_state *s = run->meter_state;
    const struct trace *t = run->trace;

    emit_value(run, "rss_baseline", "", "bytes", (double)s->baseline);
    emit_value(run, "rss_end", "", "bytes", above(s->end, s->baseline));
    if (t->native)
        emit_note(run, "%s is a program: nobody knows its live bytes",
                  t->native->workload->name);
    else
        emit_value(run, "live_peak", "", "bytes", (double)t->totals.peak_bytes);
    for (unsigned i = 0; i < t->nmarks; i++)
        report_mark(run, i);
    if (t->totals.peak_bytes && atomic_load(&s->at_mark[0]))
        emit_value(run, "frag_at_peak_live", "", "ratio",
                   above(atomic_load(&s->at_mark[0]), s->baseline) /
                       (double)t->totals.peak_bytes);
}

const struct meter meter_memory = {
    .name = "memory",
    .summary = "resident memory over time, at marks, and over live bytes",
    .state_bytes = sizeof(struct memory_state),
    .start = memory_start,
    .stop = memory_stop,
    .mark = memory_mark,
    .report = memory_report,
};
