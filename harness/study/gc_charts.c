/* gc_charts.c - the charts of a study of collectors.
 *
 * A collector has the same colour everywhere; where a chart shows it twice,
 * the solid line is at twice its minimum heap, the dashed one without a limit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "blocks.h"
#include "gc_result.h"
#include "line_chart.h"
#include "percentiles.h"
#include "robust.h"

#define MS  1e6
#define MIB 1048576.0

struct studio {
    const struct gc_result *r;
    const char *scripts, *out, *machine;
    char *why;
    size_t why_size;
};

/* ---- helpers ---- */

/* "gc" of "gc:generational=on": for the colour. */
static void base_name(const char *text, char name[48])
{
    snprintf(name, 48, "%.*s", (int)strcspn(text, ":"), text);
}

/* How many collectors before the k-th have its base name: they take another
 * colour. */
static struct line_series *add(struct line_panel *p, const struct gc_result *r,
                               size_t k, const char *suffix,
                               enum line_style style)
{
    const char *collector = study_collector(r, k);
    char name[48], colour[48], other[48];

    base_name(collector, colour);
    for (size_t i = 0; i < k; i++) {
        base_name(study_collector(r, i), other);
        if (!strcmp(other, colour)) {
            snprintf(colour, sizeof colour, "other");
            break;
        }
    }
    snprintf(name, sizeof name, "%.30s%.16s", collector, suffix);
    return line_panel_add(p, name, colour, k, style);
}

static struct line_panel *panel(struct line_chart *c, const char *title)
{
    struct line_panel *p = &c->panel[c->n++];

    *p = (struct line_panel){.reference = NAN};
    snprintf(p->title, sizeof p->title, "%s", title);
    return p;
}

/* "Pauses: gcbench, 1 thread", and what the marks mean. */
static void label(struct line_chart *c, const struct studio *s,
                  const char *title, const char *text)
{
    const struct run_key *key = &s->r->summary->estimates[0].key;
    char scale[32] = "";

    if (key->scale != 1)
        snprintf(scale, sizeof scale, ", scale %g", key->scale);
    snprintf(c->title, sizeof c->title, "%s: %.80s, %u thread%s%s", title,
             key->workload, key->threads, key->threads == 1 ? "" : "s", scale);
    snprintf(c->caption, sizeof c->caption, "%s\n%s", text, s->machine);
}

static int draw(const struct studio *s, struct line_chart *c)
{
    int err = line_chart_draw(c, s->scripts, s->out, s->why, s->why_size);

    line_chart_free(c);
    return err;
}

/* ---- over the size of the heap ---- */

static int is_arm_of(const struct gc_result *r, size_t i, const char *name)
{
    return !strcmp(r->arms->arm[i].collector, name) &&
           isfinite(r->arms->arm[i].factor);
}

/* One curve a collector: y, with an interval or NAN, over its limits. */
static void add_curves(struct line_panel *p, const struct gc_result *r,
                       struct interval (*y)(const struct gc_result *,
                                            size_t arm),
                       int by_factor)
{
    const char *name;

    for (size_t k = 0; (name = study_collector(r, k)); k++) {
        struct line_series *s = add(p, r, k, "", LINE_SOLID);

        for (size_t i = 0; s && i < r->arms->n; i++) {
            const struct gc_arm *a = &r->arms->arm[i];

            if (!is_arm_of(r, i, name))
                continue;
            const struct interval v = y(r, i);

            line_series_add_interval(s, by_factor ? a->factor : a->limit / MIB,
                                     v.value, v.lo, v.hi);
        }
    }
}

/* A line across for each allocator whose memory is freed; their colours come
 * after those of the collectors. */
static void add_freed(struct line_panel *p, const struct gc_result *r,
                      struct interval (*y)(const struct gc_result *,
                                           size_t arm),
                      double from, double to)
{
    size_t place = 0;

    while (study_collector(r, place))
        place++;
    for (size_t i = 0; i < r->arms->n; i++) {
        const char *name = r->arms->arm[i].allocator;
        const double level = y(r, i).value;

        if (r->arms->arm[i].collector[0] || !isfinite(level))
            continue;
        struct line_series *s =
            line_panel_add(p, name, name, place++, LINE_DASHED);

        if (s) {
            line_series_add(s, from, level);
            line_series_add(s, to, level);
        }
    }
}

static struct interval median_of(const struct estimate *e, double unit)
{
    if (!e || !e->n)
        return (struct interval){NAN, NAN, NAN};
    return (struct interval){e->median.value / unit, e->median.lo / unit,
                             e->median.hi / unit};
}

static struct interval wall_ms(const struct gc_result *r, size_t arm)
{
    return median_of(study_find(r, arm, "time", "wall", ""), MS);
}

static struct interval rss_mib(const struct gc_result *r, size_t arm)
{
    return median_of(study_find(r, arm, "memory", "rss_peak", ""), MIB);
}

/* Where a collector ran out of memory. */
static void add_crosses(struct line_panel *p, const struct gc_result *r)
{
    const char *name;

    for (size_t k = 0; (name = study_collector(r, k)); k++) {
        struct line_series *s = add(p, r, k, "", LINE_MARKS);

        if (!s)
            return;
        s->name[0] = 0;
        for (size_t i = 0; i < r->arms->n; i++) {
            const struct gc_arm *a = &r->arms->arm[i];

            if (!is_arm_of(r, i, name))
                continue;
            if (a->too_small > 0)
                line_series_add(s, a->too_small / MIB, 1);
            if (study_status(r, i) == STATUS_NOMEM)
                line_series_add(s, a->limit / MIB, 1);
        }
    }
}

static void limits_range(const struct gc_result *r, double *from, double *to,
                         int by_factor)
{
    *from = INFINITY;
    *to = 0;
    for (size_t i = 0; i < r->arms->n; i++) {
        const struct gc_arm *a = &r->arms->arm[i];

        if (!a->collector[0] || !isfinite(a->factor))
            continue;
        double x = by_factor ? a->factor : a->limit / MIB;

        *from = fmin(*from, x);
        *to = fmax(*to, x);
    }
}

/* Runs behind a median of the study: fewer only where some failed. */
static unsigned most_runs(const struct gc_result *r)
{
    unsigned most = 0;

    for (size_t i = 0; i < r->summary->n; i++)
        if (r->summary->estimates[i].n > most)
            most = r->summary->estimates[i].n;
    return most;
}

static int draw_time_space(const struct studio *s)
{
    static const struct {
        const char *title, *label;
        struct interval (*y)(const struct gc_result *, size_t arm);
    } panels[] = {{"Time", "wall-clock time (ms)", wall_ms},
                  {"Memory", "peak resident memory (MiB)", rss_mib}};
    struct line_chart c = {.name = "time-space"};
    char text[256];
    double from, to;

    limits_range(s->r, &from, &to, 0);
    for (size_t i = 0; i < 2; i++) {
        struct line_panel *p = panel(&c, panels[i].title);

        p->x = (struct line_axis){.label = "heap limit (MiB)", .is_log = 1};
        p->y = (struct line_axis){.label = panels[i].label, .is_log = 1};
        add_curves(p, s->r, panels[i].y, 0);
        add_freed(p, s->r, panels[i].y, from, to);
        add_crosses(p, s->r);
    }
    snprintf(text, sizeof text,
             "Median of %u runs at each heap limit; bars: 95 %% interval. "
             "Crosses: limits in which it ran out of memory. Dashed: memory is "
             "freed, no limit.",
             most_runs(s->r));
    label(&c, s, "What a larger heap buys", text);
    return draw(s, &c);
}

static struct interval wall_bound(const struct gc_result *r, size_t arm)
{
    return (struct interval){r->wall.over[arm], NAN, NAN};
}

static struct interval cpu_bound(const struct gc_result *r, size_t arm)
{
    return (struct interval){r->cpu.over[arm], NAN, NAN};
}

static int draw_bounds(const struct studio *s)
{
    struct line_chart c = {.name = "lower-bound"};
    char text[256];
    double from, to;

    limits_range(s->r, &from, &to, 1);
    for (int cpu = 0; cpu < 2; cpu++) {
        struct line_panel *p = panel(&c, cpu ? "CPU time" : "Wall-clock time");

        p->x = (struct line_axis){.label = "heap limit over minimum heap",
                                  .is_log = 1};
        p->y = (struct line_axis){.label = "cost over the least cost",
                                  .begins_at_0 = 1};
        p->reference = 1;
        add_curves(p, s->r, cpu ? cpu_bound : wall_bound, 1);
        add_freed(p, s->r, cpu ? cpu_bound : wall_bound, from, to);
    }
    snprintf(text, sizeof text,
             "Cost over that of the cheapest configuration without its pauses "
             "(Cai et al., ISPASS 2022);\nof medians of %u runs, without "
             "intervals. Dashed: memory is freed.",
             most_runs(s->r));
    label(&c, s, "Lower bound of the overhead", text);
    return draw(s, &c);
}

/* ---- pauses ---- */

/* Both settings in which a collector is shown: the solid and the dashed. */
static size_t setting(const struct gc_result *r, size_t k, int is_free)
{
    return study_arm_at(r, study_collector(r, k), is_free ? (double)NAN : 2);
}

static const char *const suffix[] = {"", ", no limit"};

static void add_mmu(struct line_panel *p, const struct gc_result *r, size_t k,
                    int is_free)
{
    size_t arm = setting(r, k, is_free);
    struct line_series *s = NULL;

    if (arm < r->arms->n)
        s = add(p, r, k, suffix[is_free], is_free ? LINE_DASHED : LINE_SOLID);
    for (size_t i = 0; s && i < r->summary->n; i++) {
        const struct estimate *e = &r->summary->estimates[i];
        unsigned ms;

        if (!strcmp(e->metric, "mmu") && e->n &&
            !strcmp(e->key.allocator, r->arms->arm[arm].allocator) &&
            sscanf(e->at, "window:%ums", &ms) == 1)
            line_series_add(s, ms, e->median.value);
    }
}

static int draw_mmu(const struct studio *s)
{
    struct line_chart c = {.name = "utilization"};
    char text[256];
    struct line_panel *p = panel(&c, "");

    p->x = (struct line_axis){.label = "window (ms)", .is_log = 1};
    p->y = (struct line_axis){.label = "least share of the program's own time",
                              .begins_at_0 = 1,
                              .to = 1};
    for (size_t k = 0; study_collector(s->r, k); k++)
        for (int is_free = 0; is_free < 2; is_free++)
            add_mmu(p, s->r, k, is_free);
    snprintf(text, sizeof text,
             "Of all windows of that length, the one in which pauses take most "
             "(Cheng & Blelloch, PLDI 2001); median of %u runs.\nSolid: at "
             "twice the minimum heap. Dashed: no limit.",
             most_runs(s->r));
    label(&c, s, "Minimum mutator utilization", text);
    return draw(s, &c);
}

/* Pauses of one arm in the log, sorted; how many. */
static size_t take_pauses(const struct gc_result *r, size_t arm, double x[])
{
    size_t n = 0;

    for (size_t i = 0; i < r->log->n; i++)
        if (!strcmp(r->log->row[i].allocator, r->arms->arm[arm].allocator))
            x[n++] = collection_pause(&r->log->row[i]);
    reals_sort(x, n);
    return n;
}

static void add_quantiles(struct line_panel *p, const struct gc_result *r,
                          size_t k, int is_free, double x[])
{
    size_t arm = setting(r, k, is_free);

    if (arm == r->arms->n)
        return;
    size_t n = take_pauses(r, arm, x);
    struct line_series *s =
        n ? add(p, r, k, suffix[is_free], is_free ? LINE_DASHED : LINE_SOLID)
          : NULL;

    for (size_t i = 0; s && i < n; i++)
        line_series_add(s, 100 * (double)(i + 1) / (double)n, x[i] / MS);
}

static int draw_pauses(const struct studio *s)
{
    struct line_chart c = {.name = "pauses"};
    struct line_panel *p = panel(&c, "");
    double *x = malloc((s->r->log->n + 1) * sizeof *x);

    if (!x)
        return ENOMEM;
    p->x = (struct line_axis){
        .label = "share of the collections (%)", .begins_at_0 = 1, .to = 100};
    p->y = (struct line_axis){.label = "pause of at most (ms)", .is_log = 1};
    for (size_t k = 0; study_collector(s->r, k); k++)
        for (int is_free = 0; is_free < 2; is_free++)
            add_quantiles(p, s->r, k, is_free, x);
    free(x);
    label(&c, s, "Pauses",
          "Every pause of one run, sorted. Solid: at twice the minimum "
          "heap. Dashed: no limit.");
    return draw(s, &c);
}

/* ---- the heap over time ---- */

static void add_sawtooth(struct line_chart *c, const struct gc_result *r,
                         size_t k)
{
    size_t arm = setting(r, k, 0);
    double live = 0;

    if (arm == r->arms->n || c->n == LINE_PANELS_MAX)
        return;
    struct line_panel *p = panel(c, r->arms->arm[arm].collector);
    struct line_series *s = add(p, r, k, "", LINE_PLAIN);

    s->name[0] = 0; /* it is the panel's */
    p->x = (struct line_axis){.label = "time since the run began (ms)",
                              .begins_at_0 = 1};
    p->y = (struct line_axis){.label = "live, and new (MiB)", .begins_at_0 = 1};
    line_series_add(s, 0, 0);
    for (size_t i = 0; i < r->log->n; i++) {
        const struct collection_row *row = &r->log->row[i];

        if (strcmp(row->allocator, r->arms->arm[arm].allocator))
            continue;
        line_series_add(s, row->begin / MS, (live + row->allocated) / MIB);
        line_series_add(s, (row->begin + collection_pause(row)) / MS,
                        row->live / MIB);
        live = row->live;
    }
}

static int draw_heap(const struct studio *s)
{
    struct line_chart c = {.name = "heap-over-time"};

    for (size_t k = 0; study_collector(s->r, k); k++)
        add_sawtooth(&c, s->r, k);
    label(&c, s, "What is in the heap",
          "One run of each at twice its minimum heap. Up: allocated since the "
          "last collection. Down: a collection,\nto what it found alive.");
    return draw(s, &c);
}

/* ---- requests ---- */

/* By nines: each is as wide as the one before. */
static double nines(double share)
{
    return -log10(1 - share);
}

static void add_latency(struct line_panel *p, const struct gc_result *r,
                        size_t k, const char *what, const char *shown,
                        enum line_style style)
{
    size_t arm = setting(r, k, 0);
    char metric[64];

    if (arm == r->arms->n || !study_find(r, arm, "gc", "requests", ""))
        return;
    struct line_series *s = add(p, r, k, shown, style);

    for (const struct percentile *q = percentiles; s && q->name; q++) {
        snprintf(metric, sizeof metric, "%s_%s", what, q->name);
        line_series_add(s, nines(q->share),
                        study_median(r, arm, "gc", metric, "") / MS);
    }
}

static int draw_latency(const struct studio *s)
{
    struct line_chart c = {.name = "latency"};
    char text[256];
    struct line_panel *p = panel(&c, "");

    p->x = (struct line_axis){
        .label = "percentile",
        /* labels are formats to gnuplot */
        .tics = "0.30103|50%% 1|90%% 2|99%% 3|99.9%% 4|99.99%% 5|99.999%%"};
    p->y = (struct line_axis){.label = "latency (ms)", .is_log = 1};
    for (size_t k = 0; study_collector(s->r, k); k++) {
        add_latency(p, s->r, k, "request_metered_full", "", LINE_SOLID);
        add_latency(p, s->r, k, "request", ", simple", LINE_DASHED);
    }
    snprintf(text, sizeof text,
             "At twice the minimum heap, medians of %u runs. Dashed: from a "
             "request's own beginning. Solid: as if requests\ncame evenly, so "
             "that a pause delays those behind it (DaCapo Chopin's metered "
             "latency).",
             most_runs(s->r));
    label(&c, s, "Latency of requests", text);
    return draw(s, &c);
}

int study_charts(const struct gc_result *r, const char *scripts,
                 const char *out, const char *machine, char *why,
                 size_t why_size)
{
    static int (*const drawings[])(const struct studio *) = {
        draw_time_space, draw_bounds, draw_mmu,
        draw_pauses,     draw_heap,   draw_latency};
    struct studio s = {r, scripts, out, machine, why, why_size};
    int err = mkdir(out, 0777) && errno != EEXIST ? errno : 0;

    if (err)
        snprintf(why, why_size, "%s: %s", out, strerror(err));
    for (size_t i = 0; i < sizeof drawings / sizeof *drawings && !err; i++)
        err = drawings[i](&s);
    return err;
}
