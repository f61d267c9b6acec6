/* sampler.c - the memory of a running child, sampled from outside.
 *
 * The child publishes its place in the trace; the trace knows the live bytes
 * at every place.  So one sample is both numbers of one moment, and the child
 * does nothing for it.
 *
 * Invariant: points are in order of time and evenly thinned: stride doubles
 * whenever the table is full.
 *
 * Source of the four fragmentation figures: M. Johnstone & P. Wilson, "The
 * memory fragmentation problem: solved?", ISMM 1998, section 4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sampler.h"

#include <stdio.h>
#include <string.h>

#include "mark_at.h"
#include "rss.h"
#include "ticks.h"

void sampler_init(struct sampler *s)
{
    s->n = s->skipped = 0;
    s->stride = 1;
}

static void thin_out(struct sampler *s)
{
    for (unsigned i = 0; i < SAMPLER_POINTS / 2; i++)
        s->point[i] = s->point[2 * i];
    s->n = SAMPLER_POINTS / 2;
    s->stride *= 2;
}

void sampler_take(struct sampler *s, pid_t pid, const struct shared_page *page,
                  const struct trace *trace)
{
    uint64_t bytes, baseline = atomic_load(&page->baseline);
    uint64_t now = clock_wall_ns();
    uint64_t place = shared_page_place(page, trace->totals.ops - 1);

    if (atomic_load(&page->state) != SHARED_RUNNING || !baseline ||
        ++s->skipped < s->stride || rss_held(pid, &bytes))
        return;
    s->skipped = 0;
    if (s->n == SAMPLER_POINTS)
        thin_out(s);
    if (s->n == 0)
        s->first_ns = now;
    s->point[s->n++] =
        (struct sampler_point){.ns = now - s->first_ns,
                               .rss = bytes > baseline ? bytes - baseline : 0,
                               .live = trace_live_at(trace, place)};
}

/* ---- figures ---- */

struct integrals {
    double rss, live; /* byte-seconds */
    double seconds;
    uint64_t peak_rss, live_at_peak_rss;
};

static struct integrals integrate(const struct sampler *s)
{
    struct integrals sum = {0};

    for (unsigned i = 0; i < s->n; i++) {
        const struct sampler_point *p = &s->point[i];

        if (p->rss > sum.peak_rss) {
            sum.peak_rss = p->rss;
            sum.live_at_peak_rss = p->live;
        }
        if (i == 0)
            continue;
        double dt = (double)(p->ns - p[-1].ns) * 1e-9;

        sum.seconds += dt;
        sum.rss += dt * 0.5 * (double)(p->rss + p[-1].rss);
        sum.live += dt * 0.5 * (double)(p->live + p[-1].live);
    }
    return sum;
}

/* The child's own reading at the trace's peak may top every sample. */
static void consider_marks(const struct outcome *o, struct integrals *sum,
                           const struct trace *trace)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct outcome_value *v = &o->values[i];

        if (strcmp(v->metric, "rss") != 0 || strncmp(v->at, "mark:", 5) != 0 ||
            v->value <= (double)sum->peak_rss)
            continue;
        sum->peak_rss = (uint64_t)v->value;
        for (unsigned m = 0; m < trace->nmarks; m++) {
            char at[MARK_AT_SIZE];

            mark_at(trace, m, at);
            if (!strcmp(at, v->at))
                sum->live_at_peak_rss = trace->marks[m].live_bytes;
        }
    }
}

static int add_curve(const struct sampler *s, const struct trace *trace,
                     struct outcome *o)
{
    unsigned step = (s->n + SAMPLER_CURVE - 1) / SAMPLER_CURVE;
    int err = 0;

    for (unsigned i = 0; i < s->n && !err; i += step) {
        char at[32];

        snprintf(at, sizeof at, "%.6f", (double)s->point[i].ns * 1e-9);
        err = outcome_add(o, "rss", at, "bytes", (double)s->point[i].rss);
        if (!err && !trace->native)
            err = outcome_add(o, "live", at, "bytes", (double)s->point[i].live);
    }
    return err;
}

static int add_ratio(struct outcome *o, const char *metric, double above,
                     double below)
{
    if (below <= 0)
        return 0;
    return outcome_add(o, metric, "", "ratio", above / below);
}

int sampler_report(const struct sampler *s, const struct trace *trace,
                   struct outcome *o)
{
    struct integrals sum = integrate(s);
    int err = 0;

    consider_marks(o, &sum, trace);
    if (sum.peak_rss)
        err = outcome_add(o, "rss_peak", "", "bytes", (double)sum.peak_rss);
    if (!err && sum.peak_rss)
        err = add_ratio(o, "frag_peak", (double)sum.peak_rss,
                        (double)trace->totals.peak_bytes);
    if (!err && sum.peak_rss)
        err = add_ratio(o, "frag_at_peak_rss", (double)sum.peak_rss,
                        (double)sum.live_at_peak_rss);
    if (s->n < 3 || sum.seconds <= 0)
        return err;
    if (!err)
        err = outcome_add(o, "rss_mean", "", "bytes", sum.rss / sum.seconds);
    if (!err)
        err = outcome_add(o, "rss_integral", "", "byte_s", sum.rss);
    if (!err && !trace->native)
        err = outcome_add(o, "live_mean", "", "bytes", sum.live / sum.seconds);
    if (!err)
        err = add_ratio(o, "frag_mean", sum.rss, sum.live);
    return err ? err : add_curve(s, trace, o);
}
