/* chart_latency.c - percentiles of single calls, a line an allocator.
 *
 * The axis of percentiles goes by the share that is above: 90 %, 99 % and
 * 99.9 % are equally far apart, so the tail has the room that it wants.
 * Times are on a logarithmic axis.  What lies in the grey band at the bottom
 * is the price of the two clock reads, which is in every figure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "charts.h"

enum { POINTS = 6, LINES_MAX = 24, METRIC_SIZE = 32 };

static const struct {
    const char *name;
    double share; /* of the calls that take longer */
} percentiles[POINTS] = {{"p50", 0.5},   {"p90", 0.1},    {"p99", 1e-2},
                         {"p999", 1e-3}, {"p9999", 1e-4}, {"p99999", 1e-5}};

/* One allocator. */
struct line {
    const char *name;
    double x[POINTS]; /* [n], rising */
    const struct estimate *y[POINTS];
    size_t n;
    double label; /* log10 of where its name stands */
};

struct panel {
    const struct block *block;
    const char *meter;           /* "latency", or with its options */
    struct line line[LINES_MAX]; /* [n], by what they end at, upwards */
    size_t n;
    double from, to; /* of the axis, ns */
    double stamps;   /* ns: two clock reads, or NAN */
};

/* The runs without options, else the first with some; or NULL. */
static const char *choose_meter(const struct block *b)
{
    const char *found = NULL;
    for (size_t i = 0; i < b->estimates; i++) {
        const char *meter = b->first[i].key.meter;
        if (!strcmp(meter, "latency"))
            return meter;
        if (!found && is_meter(meter, "latency"))
            found = meter;
    }
    return found;
}

static void fill_line(const struct panel *t, const char *call,
                      const char *allocator, struct line *l)
{
    char metric[METRIC_SIZE];
    *l = (struct line){.name = allocator};
    for (size_t k = 0; k < POINTS; k++) {
        snprintf(metric, sizeof metric, "%s_%s", call, percentiles[k].name);
        const struct estimate *e =
            block_find(t->block, allocator, t->meter, metric);
        if (!e || !e->n || !(e->median.lo > 0))
            continue;
        l->x[l->n] = -log10(percentiles[k].share);
        l->y[l->n++] = e;
    }
}

static double last_value(const struct line *l)
{
    return l->y[l->n - 1]->median.value;
}

static int order_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    double vx = last_value(x), vy = last_value(y);
    return vx != vy ? (vx > vy) - (vx < vy) : strcmp(x->name, y->name);
}

/* Of any allocator: it is the same clock.  NAN: none has it. */
static double find_clock(const struct panel *t, const char *metric)
{
    for (size_t i = 0; i < t->block->n; i++) {
        const struct estimate *e =
            block_find(t->block, t->block->allocator[i], t->meter, metric);
        if (e && e->n && e->median.value > 0)
            return e->median.value;
    }
    return NAN;
}

static void find_range(struct panel *t)
{
    t->from = isnan(t->stamps) ? INFINITY : t->stamps;
    t->to = 0;
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->line[i].n; k++) {
            t->from = fmin(t->from, t->line[i].y[k]->median.lo);
            t->to = fmax(t->to, t->line[i].y[k]->median.hi);
        }
    t->to *= 1.3;
    t->from /= pow(t->to / t->from, 0.08); /* room for the band's name */
}

static void place_labels(struct panel *t, double pixels)
{
    const double line_pixels = 21;
    double y[LINES_MAX], range = log10(t->to / t->from);
    for (size_t i = 0; i < t->n; i++)
        y[i] = log10(last_value(&t->line[i]));
    spread_labels(y, t->n,
                  range * fmin(line_pixels / pixels, 1.0 / (double)t->n),
                  log10(t->from), log10(t->to));
    for (size_t i = 0; i < t->n; i++)
        t->line[i].label = y[i];
}

static void fill_panel(const struct block *b, const char *call,
                       const char *meter, double pixels, struct panel *t)
{
    *t = (struct panel){.block = b, .meter = meter};
    for (size_t i = 0; i < b->n && t->n < LINES_MAX; i++) {
        fill_line(t, call, b->allocator[i], &t->line[t->n]);
        t->n += t->line[t->n].n > 0;
    }
    if (t->n == 0)
        return;
    qsort(t->line, t->n, sizeof *t->line, order_lines);
    t->stamps = find_clock(t, "stamp_cost");
    find_range(t);
    place_labels(t, pixels);
}

/* What both sets of a panel begin with. */
static void print_name(FILE *f, const struct page *page, const struct panel *t,
                       const struct line *l)
{
    char title[256];
    block_title(page->all, t->block, title, sizeof title);
    print_field(f, title);
    if (strcmp(t->meter, "latency")) {
        fputs(", ", f);
        print_field(f, t->meter);
    }
    putc('\t', f);
    print_field(f, shown_name(l->name));
    fprintf(f, "\t%zu", page_colour(page, l->name));
}

static void write_line(FILE *f, const struct page *page, const struct panel *t,
                       const struct line *l, struct chart_notes *notes)
{
    for (size_t k = 0; k < l->n; k++) {
        const struct interval *m = &l->y[k]->median;
        print_name(f, page, t, l);
        fprintf(f, "\t%.9g\t%.9g\t%.9g\t%.9g\n", l->x[k], m->value, m->lo,
                m->hi);
        notes_count(notes, l->y[k]);
    }
    notes_name(notes, l->name);
}

/* Two data sets: the lines, then a row for each name. */
static void write_panel(FILE *f, const struct page *page, const struct panel *t,
                        struct chart_notes *notes)
{
    double end = 0;
    for (size_t i = 0; i < t->n; i++) {
        write_line(f, page, t, &t->line[i], notes);
        fputs(i + 1 < t->n ? "\n" : "\n\n", f);
        end = fmax(end, t->line[i].x[t->line[i].n - 1]);
    }
    for (size_t i = 0; i < t->n; i++) {
        const struct line *l = &t->line[i];
        print_name(f, page, t, l);
        fprintf(f, "\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\n",
                l->x[l->n - 1], last_value(l), pow(10, l->label), t->from,
                t->to, known(t->stamps), end);
    }
    fputs("\n\n", f);
    notes->panels++;
}

static int write_call(const struct page *page, const char *call, FILE *f,
                      struct chart_notes *notes)
{
    struct panel t;
    fputs("# panel\tallocator\tcolour\tplace\tmedian\tlo\thi\n"
          "# panel\tallocator\tcolour\tplace\tmedian\tname at\tfrom\tto\t"
          "clock reads\tlast place\n",
          f);
    for (size_t i = 0; i < page->n; i++) {
        const char *meter = choose_meter(page->block[i]);
        if (!meter)
            continue;
        fill_panel(page->block[i], call, meter, page_row_pixels(page), &t);
        if (!t.n)
            continue;
        write_panel(f, page, &t, notes);
        if (find_clock(&t, "clock_step") > 0)
            notes->more = "The smallest figures are one step of the clock.";
    }
    return 0;
}

static int write_malloc(const struct page *page, FILE *f,
                        struct chart_notes *notes, char *why, size_t why_size)
{
    (void)why, (void)why_size;
    return write_call(page, "malloc", f, notes);
}

static int write_free(const struct page *page, FILE *f,
                      struct chart_notes *notes, char *why, size_t why_size)
{
    (void)why, (void)why_size;
    return write_call(page, "free", f, notes);
}

static const char caption[] =
    "Dot: median over runs of a run's percentile; whiskers: its 95 %% "
    "interval. Shown only with ten calls or more above it. Grey band: two "
    "clock reads, which are in every figure.";

const struct chart malloc_latency_chart = {"latency-malloc", "latency",
                                           "How long a malloc takes", caption,
                                           write_malloc};

const struct chart free_latency_chart = {
    "latency-free", "latency", "How long a free takes", caption, write_free};
