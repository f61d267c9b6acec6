/* gc_print.c - the tables of a study of collectors, for a terminal.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "gc_result.h"
#include "sheet.h"

struct printer {
    const struct gc_result *r;
    FILE *f;
    unsigned width;
    int colour;
    struct scale time; /* of wall */
};

/* "4.13 MiB" */
static void bytes_text(double bytes, char text[32])
{
    struct scale s = scale_for_bytes(bytes);

    snprintf(text, 32, "%.*f %s", decimals_short(bytes / s.divisor),
             bytes / s.divisor, s.unit);
}

/* "0.31 ms" */
static void time_text(double ns, char text[32])
{
    struct scale s = scale_for_time(ns);

    snprintf(text, 32, "%.*f %s", decimals_short(ns / s.divisor),
             ns / s.divisor, s.unit);
}

/* ---- cells ---- */

enum kind {
    KIND_ARM,
    KIND_HEAP,
    KIND_TIME,  /* with its interval */
    KIND_RATIO, /* to system, with its interval */
    KIND_BYTES,
    KIND_NS,
    KIND_COUNT,
    KIND_SHARE, /* as per cent */
    KIND_REAL,
    KIND_WALL_BOUND,
    KIND_CPU_BOUND
};

struct view {
    enum kind kind;
    const char *meter, *metric, *at;
    const char *head[2];
    unsigned rank;
};

static const struct view main_view[] = {
    {KIND_ARM, "", "", "", {"", "collector"}, 0},
    {KIND_HEAP, "", "", "", {"heap", "limit"}, 0},
    {KIND_TIME, "time", "wall", "", {"wall time,", "%s [95 %]"}, 1},
    {KIND_RATIO, "time", "wall", "", {"time: ratio", "to system"}, 0},
    {KIND_BYTES, "memory", "rss_peak", "", {"peak", "RSS"}, 0},
    {KIND_COUNT, "gc", "collections", "", {"", "GCs"}, 2},
    {KIND_NS, "gc", "pause_p50", "", {"pause", "p50"}, 2},
    {KIND_NS, "gc", "pause_max", "", {"pause", "max"}, 0},
    {KIND_SHARE, "gc", "gc_share", "", {"time in", "pauses"}, 3},
    {KIND_REAL, "gc", "mmu", "window:10ms", {"MMU", "10 ms"}, 0},
    {KIND_REAL, "gc", "mmu", "window:100ms", {"MMU", "100 ms"}, 4},
    {KIND_WALL_BOUND, "", "", "", {"LBO", "wall"}, 0},
    {KIND_CPU_BOUND, "", "", "", {"LBO", "CPU"}, 0},
};

/* Of collectors, at twice the minimum heap. */
static const struct view nominal_view[] = {
    {KIND_ARM, "", "", "", {"nominal", "statistics"}, 0},
    {KIND_HEAP, "", "", "", {"heap", "limit"}, 1},
    {KIND_BYTES, "gc", "alloc_rate", "", {"allocated", "a second"}, 0},
    {KIND_REAL, "gc", "mean_size", "", {"mean size,", "bytes"}, 0},
    {KIND_COUNT, "gc", "collections", "", {"", "GCs"}, 0},
    {KIND_COUNT, "gc", "minor_collections", "", {"of them", "minor"}, 1},
    {KIND_SHARE, "gc", "gc_share", "", {"time in", "pauses"}, 0},
    {KIND_SHARE, "gc", "survival", "", {"", "survival"}, 0},
    {KIND_BYTES, "gc", "live_after_mean", "", {"mean live", "after"}, 1},
    {KIND_NS, "gc", "mark_per_object", "", {"mark, per", "object"}, 1},
};

static const struct view latency_view[] = {
    {KIND_ARM, "", "", "", {"requests,", "simple | metered"}, 0},
    {KIND_HEAP, "", "", "", {"heap", "limit"}, 1},
    {KIND_NS, "gc", "request_p50", "", {"simple", "p50"}, 0},
    {KIND_NS, "gc", "request_p99", "", {"simple", "p99"}, 0},
    {KIND_NS, "gc", "request_p999", "", {"simple", "p99.9"}, 1},
    {KIND_NS, "gc", "request_max", "", {"simple", "max"}, 0},
    {KIND_NS, "gc", "request_metered_100ms_p99", "", {"100 ms", "p99"}, 1},
    {KIND_NS, "gc", "request_metered_100ms_max", "", {"100 ms", "max"}, 2},
    {KIND_NS, "gc", "request_metered_full_p50", "", {"metered", "p50"}, 0},
    {KIND_NS, "gc", "request_metered_full_p99", "", {"metered", "p99"}, 0},
    {KIND_NS, "gc", "request_metered_full_p999", "", {"metered", "p99.9"}, 1},
    {KIND_NS, "gc", "request_metered_full_max", "", {"metered", "max"}, 0},
};

static void show_heap(const struct gc_arm *arm, char *text, size_t size)
{
    char bytes[32];

    bytes_text(arm->limit, bytes);
    if (!arm->collector[0])
        snprintf(text, size, "freed");
    else if (isnan(arm->limit))
        snprintf(text, size, "none");
    else
        snprintf(text, size, "%gx %s", arm->factor, bytes);
}

static void show_interval(const struct interval *i, double divisor,
                          int (*decimals)(double), char *text, size_t size)
{
    int d = decimals(i->value / divisor);

    snprintf(text, size, "%.*f [%.*f, %.*f]", d, i->value / divisor, d,
             i->lo / divisor, d, i->hi / divisor);
}

static void show_ratio(const struct estimate *e, struct sheet_cell *cell)
{
    enum verdict v = verdict_of(e);

    if (!strcmp(e->key.allocator, "system")) {
        snprintf(cell->text, sizeof cell->text, "1 (baseline)");
        return;
    }
    if (!e->pairs)
        return;
    show_interval(&e->ratio, 1, decimals_ratio, cell->text, sizeof cell->text);
    cell->style = v == VERDICT_LESS   ? STYLE_GOOD
                  : v == VERDICT_MORE ? STYLE_BAD
                                      : STYLE_DIM;
}

static void show_estimate(const struct printer *p, const struct view *v,
                          const struct estimate *e, struct sheet_cell *cell)
{
    double x = e->median.value;
    char text[32] = "";

    if (v->kind == KIND_TIME)
        show_interval(&e->median, p->time.divisor, decimals_short, cell->text,
                      sizeof cell->text);
    else if (v->kind == KIND_RATIO)
        show_ratio(e, cell);
    else if (v->kind == KIND_BYTES)
        bytes_text(x, text);
    else if (v->kind == KIND_NS)
        time_text(x, text);
    else if (v->kind == KIND_SHARE)
        snprintf(text, sizeof text, "%.*f %%", decimals_short(100 * x),
                 100 * x);
    else if (v->kind == KIND_COUNT)
        snprintf(text, sizeof text, "%.0f", x);
    else
        snprintf(text, sizeof text, "%.*f", x > 10 ? 1 : 2, x);
    if (text[0])
        snprintf(cell->text, sizeof cell->text, "%s", text);
}

static void show_bound(double over, struct sheet_cell *cell)
{
    if (isfinite(over))
        snprintf(cell->text, sizeof cell->text, "%.2f", over);
}

/* A failed arm tells so where its time would stand. */
static void show_failure(const struct printer *p, size_t arm,
                         struct sheet_cell *cell)
{
    enum status status = study_status(p->r, arm);

    snprintf(cell->text, sizeof cell->text, "%s", status_name(status));
    for (char *c = cell->text; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    cell->style = status == STATUS_SKIP ? STYLE_DIM : STYLE_LOUD;
}

static void show_cell(const struct printer *p, const struct view *v, size_t arm,
                      struct sheet_cell *cell)
{
    const struct gc_arm *a = &p->r->arms->arm[arm];

    *cell = (struct sheet_cell){"-", STYLE_DIM};
    if (v->kind == KIND_ARM)
        snprintf(cell->text, sizeof cell->text, "%.40s",
                 a->collector[0] ? a->collector : a->allocator);
    else if (v->kind == KIND_HEAP)
        show_heap(a, cell->text, sizeof cell->text);
    else if (v->kind == KIND_WALL_BOUND)
        show_bound(p->r->wall.over[arm], cell);
    else if (v->kind == KIND_CPU_BOUND)
        show_bound(p->r->cpu.over[arm], cell);
    else {
        const struct estimate *e =
            study_find(p->r, arm, v->meter, v->metric, v->at);

        if (e && e->n) {
            cell->style = STYLE_PLAIN;
            show_estimate(p, v, e, cell);
            return;
        }
        if (v->kind == KIND_RATIO && study_status(p->r, arm) != STATUS_OK)
            show_failure(p, arm, cell);
        return;
    }
    cell->style = STYLE_PLAIN;
}

/* ---- tables ---- */

static void head(const struct printer *p, const struct view *v,
                 struct sheet_column *column)
{
    for (int h = 0; h < 2; h++) {
        const char *mark = strstr(v->head[h], "%s");
        int before = mark ? (int)(mark - v->head[h]) : 0;

        snprintf(column->head[h], SHEET_CELL_MAX, "%.*s%s%s", before,
                 v->head[h], mark ? p->time.unit : "",
                 mark ? mark + 2 : v->head[h]);
    }
    column->rank = v->rank;
}

static int has_any(const struct printer *p, const struct view *v,
                   const size_t arm[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sheet_cell cell;

        show_cell(p, v, arm[i], &cell);
        if (strcmp(cell.text, "-"))
            return 1;
    }
    return 0;
}

static int print_view(const struct printer *p, const struct view view[],
                      size_t views, const size_t arm[], size_t n)
{
    struct sheet sheet;
    int err = sheet_init(&sheet, n);

    if (err)
        return err;
    for (size_t c = 0; c < views; c++) {
        if (!has_any(p, &view[c], arm, n))
            continue;
        head(p, &view[c], &sheet.column[sheet.columns]);
        for (size_t i = 0; i < n; i++)
            show_cell(p, &view[c], arm[i], &sheet.row[i][sheet.columns]);
        sheet.columns++;
    }
    putc('\n', p->f);
    sheet_print(&sheet, p->f, p->width, p->colour);
    sheet_free(&sheet);
    return 0;
}

#define PRINT(p, view, arm, n)                                                 \
    print_view(p, view, sizeof view / sizeof view[0], arm, n)

/* Of each collector: at twice its minimum, or as near as there is. */
static size_t at_twice(const struct gc_result *r, size_t arm[])
{
    size_t n = 0;
    const char *name;

    for (size_t k = 0; (name = study_collector(r, k)); k++) {
        size_t at = study_arm_at(r, name, 2);

        if (at < r->arms->n)
            arm[n++] = at;
    }
    return n;
}

static int has_requests(const struct gc_result *r, const size_t arm[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (study_find(r, arm[i], "gc", "requests", ""))
            return 1;
    return 0;
}

/* "tight heap": the smallest factor over no limit. */
static double slowdown(const struct gc_result *r, const char *collector)
{
    size_t tight = study_arm_at(r, collector, 1);
    size_t free = study_arm_at(r, collector, NAN);

    if (tight == r->arms->n || free == r->arms->n)
        return NAN;
    return study_median(r, tight, "time", "wall", "") /
           study_median(r, free, "time", "wall", "");
}

static void print_heaps(const struct printer *p)
{
    const char *name;

    for (size_t k = 0; (name = study_collector(p->r, k)); k++) {
        const struct gc_arm *arm = p->r->arms->arm;
        char fits[32], not [32], text[256];

        while (strcmp(arm->collector, name))
            arm++;
        bytes_text(arm->min_heap, fits);
        bytes_text(arm->too_small, not );
        int n = snprintf(text, sizeof text, "%s runs in %s", name, fits);

        if (arm->too_small > 0)
            n += snprintf(text + n, sizeof text - (size_t)n, ", not in %s",
                          not );
        else
            n += snprintf(text + n, sizeof text - (size_t)n,
                          ", its least limit");
        double slow = slowdown(p->r, name);

        if (isfinite(slow))
            snprintf(text + n, sizeof text - (size_t)n,
                     "; in the tightest heap of the study it takes %.2f times "
                     "what it takes without a limit",
                     slow);
        print_wrapped(p->f, k ? "" : "min heap", text, 10, p->width);
    }
}

static void print_bounds(const struct printer *p)
{
    const struct gc_result *r = p->r;
    char text[512];

    if (r->wall.which == r->arms->n || r->cpu.which == r->arms->n)
        return;
    snprintf(text, sizeof text,
             "time over that of the cheapest configuration without its "
             "pauses: a lower bound of what collecting costs. Wall: %.60s, "
             "CPU: %.60s",
             r->arms->arm[r->wall.which].allocator,
             r->arms->arm[r->cpu.which].allocator);
    print_wrapped(p->f, "LBO", text, 10, p->width);
}

int study_print(const struct gc_result *r, FILE *f, unsigned width, int colour)
{
    struct printer p = {.r = r, .f = f, .width = width, .colour = colour};
    size_t all[GC_ARMS_MAX], some[GC_ARMS_MAX];
    double most = 0;

    for (size_t i = 0; i < r->arms->n; i++) {
        all[i] = i;
        most = fmax(most, study_median(r, i, "time", "wall", ""));
    }
    p.time = scale_for_time(most);
    int err = PRINT(&p, main_view, all, r->arms->n);
    size_t n = at_twice(r, some);

    if (!err && n)
        err = PRINT(&p, nominal_view, some, n);
    if (!err && has_requests(r, some, n))
        err = PRINT(&p, latency_view, some, n);
    putc('\n', f);
    print_heaps(&p);
    print_bounds(&p);
    return err ? err : ferror(f) ? EIO : 0;
}
