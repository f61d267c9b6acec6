/* meter_lab.c - what the malloc lab asks, and what it does not.
 *
 * The first play checks every block and takes notes (lab_check.h): how much of
 * the heap was asked for, and where the rest is, at the trace's peak of live
 * bytes.  Then the trace is played again, and timed (lab_passes.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab_check.h"
#include "lab_passes.h"
#include "malloclab.h"
#include "meter.h"
#include "percentiles.h"
#include "resident.h"
#include "ticks.h"

enum { RUNS_MAX = 1 << 16, CALIBRATION_NS = 2000000 };
enum { ALIGN, MAP };

static const struct knob knobs[] = {
    {"align", "bytes", 8, 1, 4096, "alignment of every block", NULL},
    {"map", "columns", 0, 0, LAB_MAP_COLUMNS, "moments of the heap", NULL},
    {.name = NULL},
};

struct lab_state {
    struct lab_check check;
    struct lab_check *own;            /* what the player's `own` gets */
    struct page_run before[RUNS_MAX]; /* [nbefore], in memory at the start */
    size_t nbefore, from;
    bool is_cut;       /* there were more than RUNS_MAX */
    uint64_t resident; /* bytes that came into memory up to the peak */
    struct clock_pair start;
};

static int lab_check_options(const char *options, char *why, size_t why_size)
{
    struct knob_values values;

    return knobs_parse("lab", knobs, options, &values, why, why_size);
}

static const char *lab_open(void *arg)
{
    struct run_context *run = arg;
    struct lab_state *s = run->meter_state;
    struct knob_values values;
    char why[160];

    if (run->trace->native)
        return "meter lab plays traces only, and this workload is a program";
    if (run->allocator->collection)
        return "meter lab is not for collectors";
    if (run->allocator->traits & TRAIT_OVERLAPPING)
        return "it hands out overlapping memory by design";
    if (knobs_parse("", knobs, run->options, &values, why, sizeof why))
        return "bad options"; /* cannot be: check_options has taken them */
    s->check.due = (size_t)values.v[ALIGN];
    s->check.is_lab = run->allocator == &malloclab_allocator;
    if (s->check.is_lab && values.v[MAP] > 0)
        s->check.step =
            lab_map_step(run->trace->totals.ops, (uint64_t)values.v[MAP]);
    s->own = &s->check;
    return lab_check_open(&s->check, (size_t)run->trace->thread[0].slots)
               ? "no memory for its notes"
               : NULL;
}

/* ---- the first play ---- */

static void lab_thread_start(void *arg, unsigned thread)
{
    struct run_context *run = arg;
    struct lab_state *s = run->meter_state;

    memcpy(replay_own(run->replay, thread), &s->own, sizeof s->own);
}

static void keep_run(void *arg, struct page_run run)
{
    struct lab_state *s = arg;

    if (s->nbefore < RUNS_MAX)
        s->before[s->nbefore++] = run;
    else
        s->is_cut = true;
}

static void count_run(void *arg, struct page_run run)
{
    struct lab_state *s = arg;

    s->resident += run.end - run.start;
}

static void count_new(void *arg, struct page_run run)
{
    struct lab_state *s = arg;

    resident_subtract(run, s->before, s->nbefore, &s->from, count_run, s);
}

static void lab_start(void *arg)
{
    struct run_context *run = arg;
    struct lab_state *s = run->meter_state;

    os_pages_touch(s->check.list, (s->check.most + 1) * sizeof *s->check.list);
    os_pages_touch(s->check.peak, (s->check.most + 1) * sizeof *s->check.peak);
    s->start = clock_pair_now();
    resident_visit(keep_run, s);
}

static void lab_mark(void *arg, unsigned mark)
{
    struct run_context *run = arg;
    struct lab_state *s = run->meter_state;

    if (mark)
        return;
    resident_visit(count_new, s);
    lab_check_peak(&s->check, run->heap);
}

static void lab_stop(void *arg)
{
    (void)arg;
}

/* ---- the report ---- */

static void report_losses(struct run_context *run)
{
    struct lab_state *s = run->meter_state;
    struct lab_losses l;
    const char *lo;
    size_t bytes;

    malloclab_extent(run->heap, &lo, &bytes);
    lab_losses_find(&s->check.gaps, s->check.peak, s->check.npeak, lo,
                    s->check.peak_heap, bytes, &l);
    const struct {
        const char *name;
        uint64_t bytes;
    } part[] = {{"lost_fixed", l.fixed},     {"lost_headers", l.headers},
                {"lost_padding", l.padding}, {"lost_holes", l.holes},
                {"lost_tail", l.tail},       {"lost_later", l.later}};

    emit_value(run, "heap_end", "", "bytes", (double)bytes);
    emit_value(run, "utilization", "", "ratio",
               bytes ? (double)run->trace->totals.peak_bytes / (double)bytes
                     : 0);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        emit_value(run, part[i].name, "mark:peak", "bytes",
                   (double)part[i].bytes);
}

static void report_map(struct run_context *run)
{
    const struct lab_state *s = run->meter_state;
    const struct lab_map *m = &s->check.map;
    char at[48], text[LAB_MAP_ROWS + 1];

    if (m->columns)
        emit_value(run, "map_row", "", "bytes", (double)m->row_bytes);
    for (unsigned c = 0; c < m->columns; c++) {
        snprintf(at, sizeof at, "op:%llu", (unsigned long long)m->column[c].op);
        lab_map_text(m, c, text);
        emit_noted(run, "map", at, "bytes", (double)m->column[c].heap_bytes,
                   "%s", text);
    }
}

static int by_ticks(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Sorts the ticks. */
static void report_calls(struct run_context *run, const struct lab_passes *l,
                         double ns_per_tick)
{
    uint64_t worst = 0;
    char name[48], at[48];

    for (uint64_t i = 0; i < l->ops; i++)
        if (l->call_ticks[i] > l->call_ticks[worst])
            worst = i;
    snprintf(at, sizeof at, "op:%llu", (unsigned long long)worst + 1);
    emit_value(run, "call_worst", at, "ns", l->call_ticks[worst] * ns_per_tick);
    qsort(l->call_ticks, l->ops, sizeof *l->call_ticks, by_ticks);
    for (const struct percentile *p = percentiles; p->name; p++) {
        if (!percentile_is_backed(p, l->ops))
            continue;
        snprintf(name, sizeof name, "call_%s", p->name);
        emit_value(run, name, "", "ns",
                   l->call_ticks[(uint64_t)(p->share * (double)(l->ops - 1))] *
                       ns_per_tick);
    }
    emit_value(run, "call_max", "", "ns",
               l->call_ticks[l->ops - 1] * ns_per_tick);
}

static double ns_per_tick(const struct lab_state *s)
{
    while (clock_wall_ns() < s->start.ns + CALIBRATION_NS)
        ;
    return clock_ns_per_tick(s->start, clock_pair_now());
}

static void report_passes(struct run_context *run)
{
    struct lab_passes l;
    const int err = lab_passes_play(run, &l);

    if (err) {
        const struct player p = {.result_fd = run->result_fd};

        player_fail(&p, STATUS_ERROR, "%s",
                    err == ECANCELED ? "mm_init returned an error, in a later "
                                       "pass"
                                     : strerror(err));
    }
    emit_noted(run, "best_pass", "", "ns", (double)l.best_ns, "of %u passes",
               l.passes);
    emit_value(run, "best_per_op", "", "ns", (double)l.best_ns / (double)l.ops);
    report_calls(run, &l, ns_per_tick(run->meter_state));
    lab_passes_free(&l);
}

static void free_left(struct run_context *run)
{
    for (uint64_t i = 0; i < run->trace->totals.left_blocks; i++)
        run->allocator->dealloc(run->heap, replay_left(run->replay, i),
                                run->trace->left[i].size);
}

static void lab_report(struct run_context *run)
{
    struct lab_state *s = run->meter_state;
    const struct player p = {.result_fd = run->result_fd};

    lab_check_end(&s->check, &p);
    emit_value(run, "ops", "", "1", (double)run->trace->totals.ops);
    emit_value(run, "live_peak", "", "bytes",
               (double)run->trace->totals.peak_bytes);
    if (!s->is_cut)
        emit_value(run, "resident", "mark:peak", "bytes", (double)s->resident);
    emit_value(run, "align", "", "bytes", (double)s->check.align);
    if (s->check.is_lab)
        report_losses(run);
    report_map(run);
    free_left(run);
    lab_check_close(&s->check);
    report_passes(run);
}

const struct meter meter_lab = {
    .name = "lab",
    .summary = "as the malloc lab: where the heap is lost, warm best time",
    .ops = &lab_check_ops,
    .own_bytes = sizeof(struct lab_check *),
    .state_bytes = sizeof(struct lab_state),
    .one_thread = "meter lab plays one thread",
    .check_options = lab_check_options,
    .options_help = "    align=N    alignment that every block must have (8)\n"
                    "    map=N      at N moments, how full each part of an "
                    "mm.c's heap is\n",
    .open = lab_open,
    .start = lab_start,
    .stop = lab_stop,
    .mark = lab_mark,
    .thread_start = lab_thread_start,
    .report = lab_report,
};
