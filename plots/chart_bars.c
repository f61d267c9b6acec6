/* chart_bars.c - bars with whiskers: time an operation or a use, peak memory.
 *
 * A row of the .tsv is one bar; what belongs to its panel (range, reference
 * line, label of the axis) stands in each of its rows.  Bars begin at 0.
 * Where the largest value is over 20 times the smallest (the floor apart), a
 * bar would show little: then the axis is logarithmic and dots are drawn.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "charts.h"

/* What differs between the charts. */
struct bars {
    const char *meter, *metric;
    struct scale (*scale)(double most);
    const char *axis;      /* "%s" becomes the unit */
    const char *reference; /* allocator and metric of the line, or the trace */
};

/* The panel's own figures. */
struct range {
    struct scale scale;
    double least, most; /* of all bars with their whiskers, scaled */
    double reference;   /* scaled, or NAN */
    double from, to;    /* of the axis */
    bool is_log;
};

static struct range find_range(const struct block *b, const struct bars *bars)
{
    struct range r = {.least = INFINITY, .reference = NAN};
    double floor_value = INFINITY;
    for (size_t i = 0; i < b->n; i++) {
        const struct estimate *e =
            block_find(b, b->allocator[i], bars->meter, bars->metric);
        if (!e || !e->n)
            continue;
        r.most = fmax(r.most, e->median.hi);
        if (!strcmp(b->allocator[i], "null"))
            floor_value = e->median.value;
        else if (e->median.lo > 0)
            r.least = fmin(r.least, e->median.lo);
        /* of the trace, so the same for all allocators */
        const struct estimate *live =
            block_find(b, b->allocator[i], "memory", "live_peak");
        if (!strcmp(bars->metric, "rss_peak") && live && live->n)
            r.reference = live->median.value;
    }
    if (!strcmp(bars->meter, "time") && isfinite(floor_value))
        r.reference = floor_value;
    r.scale = bars->scale(r.most);
    r.is_log = isfinite(r.least) && r.most > CHART_LOG_FROM * r.least;
    double smallest = fmin(r.least, floor_value);
    r.from = r.is_log && smallest > 0 ? smallest / 1.5 / r.scale.divisor : 0;
    r.most /= r.scale.divisor;
    r.reference /= r.scale.divisor;
    /* room for the figures at the end of the bars */
    r.to = r.is_log ? r.most * pow(r.most / r.from, 0.3) : r.most * 1.45;
    return r;
}

static void print_value(FILE *f, const struct blocks *all,
                        const struct estimate *e, const struct range *r)
{
    double d = r->scale.divisor, v = e->median.value / d;
    fprintf(f, "\t%.9g\t%.9g\t%.9g\t%.*f", v, e->median.lo / d,
            e->median.hi / d, decimals_short(v), v);
    if (e->pairs && strcmp(e->key.allocator, all->baseline) &&
        strcmp(e->key.allocator, "null"))
        fprintf(f, "  (%.*fx)", decimals_ratio(e->ratio.value), e->ratio.value);
    if (e->failed)
        fprintf(f, "  %u failed", (unsigned)e->failed);
}

static void print_status(FILE *f, enum status status)
{
    fputs("\tNaN\tNaN\tNaN\t", f);
    for (const char *c = status_name(status); *c; c++)
        putc(toupper((unsigned char)*c), f);
}

static void print_panel_columns(FILE *f, const struct bars *bars,
                                const struct range *r)
{
    fprintf(f, "\t%.9g\t%.9g\t%.9g\t%d\t", known(r->reference), r->from, r->to,
            r->is_log);
    fprintf(f, bars->axis, r->scale.unit);
    fprintf(f, "%s\t%s\n", r->is_log ? ", log scale" : "", bars->reference);
}

/* Bars from the top down: the block's order, without what was not measured. */
static size_t select_rows(const struct block *b, const struct bars *bars,
                          const char *row[])
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        const struct estimate *e =
            block_find(b, b->allocator[i], bars->meter, bars->metric);
        if ((e && e->n) || block_failure(b, b->allocator[i], bars->meter))
            row[n++] = b->allocator[i];
    }
    return n;
}

enum { ROWS_MAX = 64 };

static void write_panel(const struct page *p, const struct block *b,
                        const struct bars *bars, FILE *f,
                        struct chart_notes *notes)
{
    const char *row[ROWS_MAX];
    char title[256];
    struct block shown = *b;
    if (shown.n > ROWS_MAX)
        shown.n = ROWS_MAX;
    size_t n = select_rows(&shown, bars, row);
    struct range r = find_range(b, bars);
    if (n == 0 || !(r.most > 0))
        return;
    block_title(p->all, b, title, sizeof title);
    for (size_t i = 0; i < n; i++) {
        const struct estimate *e =
            block_find(b, row[i], bars->meter, bars->metric);
        print_field(f, title);
        putc('\t', f);
        print_field(f, shown_name(row[i]));
        fprintf(f, "\t%zu\t%zu", n - i, page_colour(p, row[i]));
        if (e && e->n)
            print_value(f, p->all, e, &r);
        else
            print_status(f, block_failure(b, row[i], bars->meter)->status);
        print_panel_columns(f, bars, &r);
        notes_count(notes, e);
        notes_name(notes, row[i]);
    }
    fputs("\n\n", f);
    notes->panels++;
}

static void write_bars(const struct page *p, const struct bars *bars, FILE *f,
                       struct chart_notes *notes)
{
    fputs("# panel\tallocator\tplace\tcolour\tmedian\tlo\thi\ttext\treference\t"
          "from\tto\tlog\taxis\treference is\n",
          f);
    for (size_t i = 0; i < p->n; i++)
        write_panel(p, p->block[i], bars, f, notes);
}

static int write_time(const struct page *p, FILE *f, struct chart_notes *notes,
                      char *why, size_t why_size)
{
    static const struct bars bars = {
        "time", "wall_per_op", scale_for_time,
        "wall-clock time per operation (%s), less is better", "null floor"};
    (void)why, (void)why_size;
    write_bars(p, &bars, f, notes);
    return 0;
}

static int write_use(const struct page *p, FILE *f, struct chart_notes *notes,
                     char *why, size_t why_size)
{
    static const struct bars bars = {
        "time", "wall_per_use", scale_for_time,
        "wall-clock time per use (%s), less is better", "null floor"};
    (void)why, (void)why_size;
    write_bars(p, &bars, f, notes);
    return 0;
}

static int write_peak(const struct page *p, FILE *f, struct chart_notes *notes,
                      char *why, size_t why_size)
{
    static const struct bars bars = {
        "memory", "rss_peak", scale_for_bytes,
        "peak resident memory (%s), less is better", "most live bytes"};
    (void)why, (void)why_size;
    write_bars(p, &bars, f, notes);
    return 0;
}

const struct chart time_chart = {
    "time", "bars", "Time per operation",
    "Bar (or dot): median of the runs; whiskers: its 95 %% bootstrap interval; "
    "(x): "
    "ratio to %s, paired within blocks. Grey band: the null floor, which is "
    "the harness without an allocator.",
    write_time};

const struct chart use_chart = {
    "time-use", "bars", "Time per use of what was allocated",
    "Bar (or dot): median of the runs; whiskers: its 95 %% bootstrap interval; "
    "(x): "
    "ratio to %s, paired within blocks.",
    write_use};

const struct chart peak_memory_chart = {
    "peak-memory", "bars", "Peak memory",
    "Bar (or dot): median of the runs; whiskers: its 95 %% bootstrap interval; "
    "(x): "
    "ratio to %s, paired within blocks. Grey band: the most bytes live at once "
    "in the trace.",
    write_peak};
