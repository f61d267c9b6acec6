/* report_table.c - the table for a terminal.
 *
 * One block a workload x threads: the table, then what may be concluded from
 * it in words, then what failed and why.  A verdict is given only where the
 * interval of the paired ratio leaves 1 outside; the rest is "not told apart".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "sheet.h"

enum { LABEL = 10, WIDTH_MIN = 80 };

/* What the columns show. */
enum kind {
    KIND_NAME,
    KIND_TIME,   /* median and interval */
    KIND_RATIO,  /* to the baseline, with interval */
    KIND_PLAIN,  /* median in the unit of time */
    KIND_MEMORY, /* median in the unit of memory */
    KIND_RATIO_ONLY,
    KIND_NUMBER, /* median of a ratio */
    KIND_RATE,   /* median, if it is of something per second */
    KIND_BYTES   /* median, each with its own unit */
};

struct view {
    enum kind kind;
    const char *meter, *metric;
    const char *head[2]; /* "%s" becomes the unit, or the baseline */
    unsigned rank;       /* as in sheet.h */
};

static const struct view main_view[] = {
    {KIND_NAME, "", "", {"", "allocator"}, 0},
    {KIND_TIME, "time", "wall_per_op", {"time/op,", "%s [95 %%]"}, 0},
    {KIND_RATIO, "time", "wall_per_op", {"time: ratio", "to %s"}, 0},
    {KIND_PLAIN, "time", "cpu_per_op", {"CPU", "/op"}, 4},
    {KIND_RATE, "time", "score", {"score,", "per s"}, 0}, /* of a program */
    {KIND_MEMORY, "memory", "rss_peak", {"peak", "%s"}, 0},
    {KIND_RATIO_ONLY, "memory", "rss_peak", {"peak", "ratio"}, 2},
    {KIND_RATIO_ONLY, "memory", "rss_mean", {"mean", "ratio"}, 5},
    {KIND_NUMBER, "memory", "frag_peak", {"peak", "frag"}, 3},
    {KIND_NUMBER, "memory", "blowup", {"blow-", "up"}, 0},
    {KIND_NUMBER, "memory", "blowup_bound", {"", "bound"}, 0},
    {KIND_BYTES, "leak", "leaked_bytes", {"", "leaked"}, 1},
};

static const struct view latency_view[] = {
    {KIND_NAME, "", "", {"latency,", "%s"}, 0},
    {KIND_PLAIN, "latency", "malloc_p50", {"malloc", "p50"}, 0},
    {KIND_PLAIN, "latency", "malloc_p99", {"malloc", "p99"}, 0},
    {KIND_PLAIN, "latency", "malloc_p999", {"malloc", "p99.9"}, 0},
    {KIND_PLAIN, "latency", "malloc_max", {"malloc", "max"}, 1},
    {KIND_PLAIN, "latency", "free_p50", {"free", "p50"}, 0},
    {KIND_PLAIN, "latency", "free_p99", {"free", "p99"}, 0},
    {KIND_PLAIN, "latency", "free_p999", {"free", "p99.9"}, 0},
    {KIND_PLAIN, "latency", "free_max", {"free", "max"}, 1},
    {KIND_PLAIN, "latency", "realloc_p50", {"realloc", "p50"}, 3},
    {KIND_PLAIN, "latency", "realloc_p99", {"realloc", "p99"}, 2},
};

/* From the time a call was due, at a pace; behind the columns above. */
static const struct view response_view[] = {
    {KIND_NAME, "", "", {"response,", "%s"}, 0},
    {KIND_PLAIN, "latency", "malloc_response_p50", {"malloc", "p50"}, 0},
    {KIND_PLAIN, "latency", "malloc_response_p99", {"malloc", "p99"}, 0},
    {KIND_PLAIN, "latency", "malloc_response_p999", {"malloc", "p99.9"}, 0},
    {KIND_PLAIN, "latency", "malloc_response_max", {"malloc", "max"}, 1},
    {KIND_PLAIN, "latency", "free_response_p50", {"free", "p50"}, 0},
    {KIND_PLAIN, "latency", "free_response_p99", {"free", "p99"}, 0},
    {KIND_PLAIN, "latency", "free_response_p999", {"free", "p99.9"}, 0},
    {KIND_PLAIN, "latency", "free_response_max", {"free", "max"}, 1},
    {KIND_NUMBER, "latency", "late", {"late", "share"}, 2},
};

/* Of a program that says when it uses what it has built. */
static const struct view use_view[] = {
    {KIND_NAME, "", "", {"use of what", "was built"}, 0},
    {KIND_TIME, "time", "wall_per_use", {"time/use,", "%s [95 %%]"}, 0},
    {KIND_RATIO, "time", "wall_per_use", {"time: ratio", "to %s"}, 0},
    {KIND_PLAIN, "time", "cpu_per_use", {"CPU", "/use"}, 1},
};

static const struct view simulated_view[] = {
    {KIND_NAME, "", "", {"simulated", "per op"}, 0},
    {KIND_NUMBER, "", "sim_instructions_per_op", {"instruc-", "tions"}, 0},
    {KIND_RATIO_ONLY, "", "sim_instructions_per_op", {"", "ratio"}, 1},
    {KIND_NUMBER, "", "sim_branches_per_op", {"", "branches"}, 4},
    {KIND_NUMBER, "", "sim_branch_misses_per_op", {"branch", "misses"}, 2},
    {KIND_NUMBER, "", "sim_d1_misses_per_op", {"D1", "misses"}, 1},
    {KIND_NUMBER, "", "sim_ll_misses_per_op", {"LL", "misses"}, 3},
    {KIND_NUMBER, "", "sim_d1_misses_per_use", {"D1 misses", "a use"}, 1},
    {KIND_NUMBER, "", "sim_ll_misses_per_use", {"LL misses", "a use"}, 2},
};

static const struct view counters_view[] = {
    {KIND_NAME, "", "", {"counters", "per op"}, 0},
    {KIND_NUMBER, "", "cycles_per_op", {"", "cycles"}, 0},
    {KIND_NUMBER, "", "instructions_per_op", {"instruc-", "tions"}, 0},
    {KIND_NUMBER, "", "ipc", {"", "IPC"}, 1},
    {KIND_NUMBER, "", "branch_misses_per_op", {"branch", "misses"}, 2},
    {KIND_NUMBER, "", "l1d_misses_per_op", {"L1D", "misses"}, 1},
    {KIND_NUMBER, "", "llc_misses_per_op", {"LLC", "misses"}, 2},
    {KIND_NUMBER, "", "dtlb_misses_per_op", {"dTLB", "misses"}, 3},
    {KIND_NUMBER, "", "minor_faults", {"page", "faults"}, 2},
    {KIND_NUMBER, "", "context_switches", {"context", "switches"}, 4},
};

/* Tables below the main one, of meters that have one of their own. */
static const struct part {
    const char *meter;
    const struct view *view;
    size_t n;
    const char *wants; /* the metric whose largest value sets the unit */
    bool is_only_if_there;
} parts[] = {
#define PART(meter, view, wants, only)                                         \
    {                                                                          \
        meter, view, sizeof view / sizeof view[0], wants, only                 \
    }
    PART("time", use_view, "wall_per_use", true),
    PART("latency", latency_view, "malloc_p99", false),
    PART("latency", response_view, "malloc_response_p50", true),
    PART("simulated", simulated_view, "sim_instructions", true),
    PART("counters", counters_view, "task_clock", true),
};

enum {
    MAIN_VIEWS = sizeof main_view / sizeof main_view[0],
    PART_VIEWS_MAX = 16,
    PARTS = sizeof parts / sizeof parts[0]
};

/* All that printing one block needs. */
struct page {
    FILE *f;
    unsigned width;
    bool colour;
    const struct blocks *all;
    const struct block *block;
    struct scale time, memory;
    unsigned dropped; /* columns that did not fit, of all blocks */
};

static double largest(const struct block *b, const char *meter,
                      const char *metric)
{
    double most = 0;
    for (size_t i = 0; i < b->n; i++) {
        const struct estimate *e =
            block_find(b, b->allocator[i], meter, metric);
        if (e && e->n && e->median.hi > most)
            most = e->median.hi;
    }
    return most;
}

static bool is_baseline(const struct page *p, const char *allocator)
{
    return !strcmp(allocator, p->all->baseline);
}

static bool is_floor(const char *allocator)
{
    return !strcmp(allocator, "null");
}

static void show_name(const char *allocator, struct sheet_cell *cell)
{
    enum { SHOWN = 24 };
    const char *lead = "", *shown = allocator;
    if (is_floor(allocator)) {
        shown = "null floor";
    } else if (strlen(allocator) > SHOWN) { /* of a path, the end says more */
        lead = "...";
        shown += strlen(allocator) - (SHOWN - 3);
        while (((unsigned char)*shown & 0xc0) == 0x80) /* in a character */
            shown++;
    }
    snprintf(cell->text, sizeof cell->text, "%s%.32s", lead, shown);
}

static void show_interval(const struct page *p, const struct interval *i,
                          double divisor, int (*decimals)(double),
                          struct sheet_cell *cell)
{
    int d = decimals(i->value / divisor);
    snprintf(cell->text, sizeof cell->text, "%.*f [%.*f,%s%.*f]", d,
             i->value / divisor, d, i->lo / divisor,
             p->width > WIDTH_MIN ? " " : "", d, i->hi / divisor);
}

static void show_number(double v, int (*decimals)(double),
                        struct sheet_cell *cell)
{
    snprintf(cell->text, sizeof cell->text, "%.*f", decimals(v), v);
}

static enum style style_of(const struct page *p, const struct estimate *e)
{
    if (is_floor(e->key.allocator) || is_baseline(p, e->key.allocator))
        return STYLE_PLAIN;
    enum verdict v = verdict_of(e);
    return v == VERDICT_LESS   ? STYLE_GOOD
           : v == VERDICT_MORE ? STYLE_BAD
                               : STYLE_DIM;
}

static void show_ratio(const struct page *p, const struct estimate *e,
                       bool is_whole, struct sheet_cell *cell)
{
    if (!e->pairs) {
        *cell = (struct sheet_cell){"-", STYLE_DIM};
        return;
    }
    cell->style = style_of(p, e);
    if (is_baseline(p, e->key.allocator))
        snprintf(cell->text, sizeof cell->text,
                 is_whole ? "1 (baseline)" : "1");
    else if (is_whole)
        show_interval(p, &e->ratio, 1, decimals_ratio, cell);
    else
        show_number(e->ratio.value, decimals_ratio, cell);
}

static void show_estimate(const struct page *p, const struct view *v,
                          const struct estimate *e, struct sheet_cell *cell)
{
    double median = e->median.value;
    switch (v->kind) {
    case KIND_NAME:
        break;
    case KIND_TIME:
        show_interval(p, &e->median, p->time.divisor, decimals_short, cell);
        break;
    case KIND_RATIO:
    case KIND_RATIO_ONLY:
        show_ratio(p, e, v->kind == KIND_RATIO, cell);
        break;
    case KIND_PLAIN:
        show_number(median / p->time.divisor, decimals_short, cell);
        break;
    case KIND_MEMORY:
        show_number(median / p->memory.divisor, decimals_short, cell);
        break;
    case KIND_NUMBER:
        show_number(median, decimals_ratio, cell);
        break;
    case KIND_RATE:
        snprintf(cell->text, sizeof cell->text, "%.0f", median);
        break;
    case KIND_BYTES:
        format_bytes(median, cell->text, sizeof cell->text);
        cell->style = median > 0 ? STYLE_BAD : STYLE_PLAIN;
        break;
    }
}

static void show_status(enum status status, struct sheet_cell *cell)
{
    snprintf(cell->text, sizeof cell->text, "%s", status_name(status));
    for (char *c = cell->text; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    cell->style = status == STATUS_SKIP ? STYLE_DIM : STYLE_LOUD;
}

/* is_first: the first column of its meter, which tells of a failure. */
static void show_cell(const struct page *p, const struct view *v,
                      const char *allocator, bool is_first,
                      struct sheet_cell *cell)
{
    if (v->kind == KIND_NAME) {
        show_name(allocator, cell);
        return;
    }
    const struct estimate *e =
        block_find(p->block, allocator, v->meter, v->metric);
    if (e && e->n) {
        show_estimate(p, v, e, cell);
        return;
    }
    e = block_failure(p->block, allocator, v->meter);
    if (e && !e->n && is_first)
        show_status(e->status, cell);
    else
        *cell = (struct sheet_cell){"-", STYLE_DIM};
}

static void show_head(const struct page *p, const struct view *v,
                      struct sheet_column *column)
{
    const char *word = v->kind == KIND_MEMORY  ? p->memory.unit
                       : v->kind == KIND_RATIO ? p->all->baseline
                                               : p->time.unit;
    for (int h = 0; h < 2; h++) {
        const char *mark = strstr(v->head[h], "%s");
        int before = mark ? (int)(mark - v->head[h]) : 0;
        const char *after = mark ? mark + 2 : v->head[h];
        snprintf(column->head[h], SHEET_CELL_MAX, "%.*s%.13s%s", before,
                 v->head[h], mark ? word : "", after);
        char *twice = strstr(column->head[h], "%%");
        if (twice)
            memmove(twice, twice + 1, strlen(twice));
    }
    column->rank = v->rank;
}

static bool has_meter(const struct page *p, const char *meter)
{
    for (size_t i = 0; i < p->block->estimates; i++)
        if (!strcmp(p->block->first[i].key.meter, meter))
            return true;
    return false;
}

static bool has_any(const struct page *p, const struct view *v)
{
    bool is_ratio = v->kind == KIND_RATIO || v->kind == KIND_RATIO_ONLY;
    bool is_rate = v->kind == KIND_RATE;
    for (size_t i = 0; i < p->block->n; i++) {
        const struct estimate *e =
            block_find(p->block, p->block->allocator[i], v->meter, v->metric);
        if (e && (is_ratio ? e->pairs : e->n) &&
            (!is_rate || !strcmp(e->unit, "per_s")))
            return true;
    }
    return false;
}

static int print_view(struct page *p, const struct view view[], size_t n)
{
    struct sheet sheet;
    const char *meter = "";
    int err = sheet_init(&sheet, p->block->n);
    if (err)
        return err;
    for (size_t i = 0; i < n; i++) {
        /* A meter without any value keeps a column to say why. */
        bool is_first = strcmp(meter, view[i].meter) != 0;
        if (!has_any(p, &view[i]) &&
            !(is_first && has_meter(p, view[i].meter)) &&
            view[i].kind != KIND_NAME)
            continue;
        meter = view[i].meter;
        size_t c = sheet.columns++;
        show_head(p, &view[i], &sheet.column[c]);
        for (size_t r = 0; r < p->block->n; r++)
            show_cell(p, &view[i], p->block->allocator[r], is_first,
                      &sheet.row[r][c]);
    }
    p->dropped += sheet_print(&sheet, p->f, p->width, p->colour);
    sheet_free(&sheet);
    return 0;
}

/* Words of a verdict, for the ratio below 1 and above. */
struct words {
    const char *label, *meter, *metric, *less, *more;
};

/* "arena 0.21x, mimalloc 0.60x" of all that have this verdict. */
static void list_verdict(const struct page *p, const struct words *w,
                         enum verdict wanted, const char *lead, FILE *text)
{
    bool is_first = true;
    for (size_t i = 0; i < p->block->n; i++) {
        const char *name = p->block->allocator[i];
        const struct estimate *e =
            block_find(p->block, name, w->meter, w->metric);
        if (is_floor(name) || is_baseline(p, name) || verdict_of(e) != wanted)
            continue;
        struct sheet_cell shown;
        double ratio = e->ratio.value;
        show_name(name, &shown);
        fprintf(text, "%s%s %.*fx", is_first ? lead : ", ", shown.text,
                decimals_ratio(ratio), ratio);
        is_first = false;
    }
    if (!is_first)
        fputs(". ", text);
}

static int print_verdict(const struct page *p, const struct words *w)
{
    char *text = NULL, lead[128];
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return ENOMEM;
    const struct estimate *base =
        block_find(p->block, p->all->baseline, w->meter, w->metric);
    if (!base || !base->n) {
        fprintf(f, "no verdict: %s has no ok run here", p->all->baseline);
    } else {
        snprintf(lead, sizeof lead, "%s than %s: ", w->less, p->all->baseline);
        list_verdict(p, w, VERDICT_LESS, lead, f);
        snprintf(lead, sizeof lead, "%s than %s: ", w->more, p->all->baseline);
        list_verdict(p, w, VERDICT_MORE, lead, f);
        list_verdict(p, w, VERDICT_SAME, "not told apart: ", f);
        list_verdict(p, w, VERDICT_FEW,
                     "too few runs to tell (want 6 pairs): ", f);
    }
    int err = ferror(f) ? ENOMEM : 0;
    err = fclose(f) ? ENOMEM : err;
    if (!err && *text)
        print_wrapped(p->f, w->label, text, LABEL, p->width);
    free(text);
    return err;
}

/* Which allocators kept every content and alignment. */
static void print_check(const struct page *p)
{
    unsigned good = 0, all = 0;
    for (size_t i = 0; i < p->block->n; i++) {
        const char *name = p->block->allocator[i];
        const struct estimate *e =
            block_find(p->block, name, "check", "checked_ops");
        const struct estimate *bad = block_failure(p->block, name, "check");
        if (is_floor(name) || !(e || bad))
            continue;
        all++;
        good += e && e->n && !bad;
    }
    if (all)
        fprintf(p->f, "%-*scontents, alignment and overlap right in %u of %u\n",
                LABEL, "check", good, all);
}

/* What is remarked on of the runs of a meter. */
static const struct remark {
    const char *meter, *metric, *more;
} remarks[] = {{"time", "wall_per_op", "slower"},
               {"memory", "rss_peak", "larger"}};
enum { REMARKS = sizeof remarks / sizeof remarks[0] };

/* "time: slab 1 of 10, system 2 of 10" */
static void list_outliers(const struct page *p, const struct remark *r,
                          FILE *text)
{
    bool is_first = true;
    for (size_t i = 0; i < p->block->n; i++) {
        struct sheet_cell shown;
        const struct estimate *e =
            block_find(p->block, p->block->allocator[i], r->meter, r->metric);
        if (!e || !e->outliers)
            continue;
        show_name(e->key.allocator, &shown);
        if (is_first)
            fprintf(text, "%s%s: ", ftell(text) ? "; " : "", r->meter);
        fprintf(text, "%s%s %u of %u", is_first ? "" : ", ", shown.text,
                (unsigned)e->outliers, (unsigned)e->n);
        is_first = false;
    }
}

/* "blocks 1 to 2 of time were 6 % slower over all arms" */
static void tell_warmup(const struct page *p, const struct remark *r,
                        FILE *text)
{
    const struct estimate *e = NULL;
    for (size_t i = 0; i < p->block->n && !e; i++)
        e = block_find(p->block, p->block->allocator[i], r->meter, r->metric);
    if (!e || !e->warmup)
        return;
    fputs(ftell(text) ? "; block" : "block", text);
    if (e->warmup > 1)
        fprintf(text, "s 1 to %u of %s were", (unsigned)e->warmup, r->meter);
    else
        fprintf(text, " 1 of %s was", r->meter);
    fprintf(text, " %.*f %% %s over all arms", e->warmup_by < 0.095,
            100 * e->warmup_by, r->more);
}

/* One line of all meters, ended by `end`, if there is anything to say. */
static int print_remarks(const struct page *p, const char *label,
                         void (*tell)(const struct page *,
                                      const struct remark *, FILE *),
                         const char *end)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return ENOMEM;
    for (size_t i = 0; i < REMARKS; i++)
        tell(p, &remarks[i], f);
    if (ftell(f))
        fputs(end, f);
    int err = ferror(f) ? ENOMEM : 0;
    err = fclose(f) ? ENOMEM : err;
    if (!err && *text)
        print_wrapped(p->f, label, text, LABEL, p->width);
    free(text);
    return err;
}

static bool is_same_failure(const struct estimate *x, const struct estimate *y)
{
    return x->status == y->status && x->n == y->n && x->failed == y->failed &&
           !strcmp(x->note, y->note);
}

static const char *const meters[] = {"time",  "memory",   "leak",     "latency",
                                     "check", "counters", "simulated"};
enum { METERS = sizeof meters / sizeof meters[0] };

/* "CRASH in time, memory: 10 of 10 runs each: killed by signal 11" for all
 * meters, from `m` on, that failed in the same way. */
static void print_failure(const struct page *p, const char *allocator, int m,
                          const struct estimate *e)
{
    char text[512];
    struct sheet_cell name, status = {"some runs failed", STYLE_LOUD};
    show_name(allocator, &name);
    if (!e->n)
        show_status(e->status, &status);
    int n = snprintf(text, sizeof text, "%s: %s in %s", name.text, status.text,
                     meters[m]);
    bool is_one = true;
    for (int i = m + 1; i < METERS; i++) {
        const struct estimate *other =
            block_failure(p->block, allocator, meters[i]);
        if (!other || !is_same_failure(e, other))
            continue;
        n += snprintf(text + n, sizeof text - (size_t)n, ", %s", meters[i]);
        is_one = false;
    }
    snprintf(text + n, sizeof text - (size_t)n, " (%u of %u runs%s)%s%s",
             (unsigned)e->failed, (unsigned)(e->failed + e->n),
             is_one ? "" : " each", e->note[0] ? ": " : "", e->note);
    bool is_skip = e->status == STATUS_SKIP;
    print_style(p->f, STYLE_LOUD, p->colour && !is_skip);
    print_wrapped(p->f, is_skip ? "skipped" : "failed", text, LABEL, p->width);
    print_style(p->f, STYLE_PLAIN, p->colour && !is_skip);
}

static void print_failures(const struct page *p, const char *allocator)
{
    for (int m = 0; m < METERS; m++) {
        const struct estimate *e =
            block_failure(p->block, allocator, meters[m]);
        bool is_told = false;
        for (int i = 0; e && i < m && !is_told; i++) {
            const struct estimate *before =
                block_failure(p->block, allocator, meters[i]);
            is_told = before && is_same_failure(before, e);
        }
        if (e && !is_told)
            print_failure(p, allocator, m, e);
    }
}

/* "; 10 runs of time, 3 of memory" */
static void print_runs(const struct page *p)
{
    static const char *const of[][2] = {{"time", "wall_per_op"},
                                        {"memory", "rss_peak"}};
    const char *lead = "; ";
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        uint32_t fewest, most;
        block_runs(p->block, of[i][0], of[i][1], &fewest, &most);
        if (!most)
            continue;
        fputs(lead, p->f);
        if (fewest < most)
            fprintf(p->f, "%u to ", (unsigned)fewest);
        fprintf(p->f, "%u%s of %s", (unsigned)most,
                *lead == ',' ? ""
                : most == 1  ? " run"
                             : " runs",
                of[i][0]);
        lead = ", ";
    }
}

static void print_title(const struct page *p)
{
    char title[256];
    double live = largest(p->block, "memory", "live_peak");
    struct scale unit = scale_for_bytes(live);
    block_title(p->all, p->block, title, sizeof title);
    fprintf(p->f, "%s%s", p->colour ? "\033[1m" : "", title);
    print_style(p->f, STYLE_PLAIN, p->colour);
    putc('\n', p->f);
    fprintf(p->f, "touch %s", p->block->key->touch);
    print_runs(p);
    live /= unit.divisor;
    if (live > 0)
        fprintf(p->f, "; live bytes up to %.*f %s", decimals_short(live), live,
                unit.unit);
    fputs("\n\n", p->f);
}

/* A view of a meter, with the options that these runs had. */
static int print_part(struct page *p, const char *meter,
                      const struct part *part)
{
    struct view with_options[PART_VIEWS_MAX];
    struct page page = *p;
    double most = largest(p->block, meter, part->wants);
    if (part->is_only_if_there && !(most > 0))
        return 0;
    page.time = scale_for_time(most);
    for (size_t i = 0; i < part->n; i++) {
        with_options[i] = part->view[i];
        if (part->view[i].kind != KIND_NAME)
            with_options[i].meter = meter;
    }
    putc('\n', p->f);
    if (strchr(meter, ':'))
        fprintf(p->f, "%s\n", meter);
    int err = print_view(&page, with_options, part->n);
    p->dropped = page.dropped;
    return err;
}

/* Whether an estimate before this one has its meter, options included. */
static bool is_told(const struct block *b, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(b->first[k].key.meter, b->first[i].key.meter))
            return true;
    return false;
}

static int print_parts(struct page *p)
{
    int err = 0;
    for (size_t i = 0; i < p->block->estimates; i++) {
        const char *meter = p->block->first[i].key.meter;
        for (size_t k = 0; k < PARTS && !is_told(p->block, i) && !err; k++)
            if (is_meter(meter, parts[k].meter))
                err = print_part(p, meter, &parts[k]);
    }
    return err;
}

static int print_block(struct page *p)
{
    static const struct words verdicts[] = {
        {"time", "time", "wall_per_op", "faster", "slower"},
        {"use", "time", "wall_per_use", "faster", "slower"},
        {"memory", "memory", "rss_peak", "less", "more"},
    };
    print_title(p);
    int err = print_view(p, main_view, MAIN_VIEWS);
    if (!err)
        err = print_parts(p);
    putc('\n', p->f);
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts && !err; i++)
        if (has_meter(p, verdicts[i].meter) &&
            (strcmp(verdicts[i].label, "use") != 0 ||
             largest(p->block, "time", "wall_per_use") > 0))
            err = print_verdict(p, &verdicts[i]);
    if (!err)
        err = print_remarks(p, "outliers", list_outliers,
                            " runs. They are in all figures.");
    if (!err)
        err = print_remarks(p, "warm-up", tell_warmup,
                            "; ratios are within blocks and keep it.");
    print_check(p);
    if (largest(p->block, "counters", "task_clock") > 0 &&
        !(largest(p->block, "counters", "instructions") > 0))
        print_wrapped(p->f, "counters",
                      "no hardware events here; the notes in samples.csv and "
                      "heapyard counters say why",
                      LABEL, p->width);
    if (largest(p->block, "memory", "blowup_bound") > 0)
        print_wrapped(p->f, "blow-up",
                      "memory held over live bytes; bound: what a theorem says "
                      "of it, which heapyard list names for each workload",
                      LABEL, p->width);
    for (size_t i = 0; i < p->block->n; i++)
        print_failures(p, p->block->allocator[i]);
    putc('\n', p->f);
    return err;
}

static void print_legend(const struct page *p)
{
    char text[1024];
    fputs("How to read this\n", p->f);
    snprintf(
        text, sizeof text,
        "median over runs [its 95 %% bootstrap interval; below %d runs, "
        "the extremes]. Ratios are taken to %s within blocks of runs; "
        "shown is their Hodges-Lehmann centre [its 95 %% interval by signed "
        "ranks; below %d pairs, the extremes]: below 1 is faster, or less. "
        "\"Not told apart\": "
        "the interval of the ratio holds 1. One in twenty intervals misses "
        "by chance.",
        STAT_BOOTSTRAP, p->all->baseline, STAT_FEW);
    print_wrapped(p->f, "  values", text, 12, p->width);
    print_wrapped(p->f, "  time",
                  "wall-clock and CPU time of the replay over its operations. "
                  "null floor: no allocator, the harness alone; it is in every "
                  "other line, never subtracted.",
                  12, p->width);
    print_wrapped(p->f, "  memory",
                  "peak: most anonymous resident memory beyond the baseline of "
                  "the process; mean: over time; peak frag: peak over the "
                  "trace's most live bytes. leaked: bytes beyond what the "
                  "trace leaves (K = 1024).",
                  12, p->width);
    print_wrapped(p->f, "  latency",
                  "of one call, with the cost of reading the clock: "
                  "percentiles of a run, then the median over runs.",
                  12, p->width);
    if (p->dropped)
        print_wrapped(p->f, "  width",
                      "some columns did not fit; a larger --width shows them.",
                      12, p->width);
}

int report_table(const struct summary *s, FILE *f, unsigned width, int flags)
{
    struct blocks all;
    int err = blocks_open(s, &all);
    if (err)
        return err;
    struct page p = {.f = f, .colour = flags & REPORT_COLOUR, .all = &all};
    p.width = width < WIDTH_MIN ? WIDTH_MIN : width;
    for (size_t i = 0; i < all.n && !err; i++) {
        p.block = &all.block[i];
        p.time = scale_for_time(largest(p.block, "time", "wall_per_op"));
        p.memory = scale_for_bytes(largest(p.block, "memory", "rss_peak"));
        err = print_block(&p);
    }
    if (!err && !(flags & REPORT_BRIEF))
        print_legend(&p);
    blocks_close(&all);
    return err ? err : ferror(f) ? EIO : 0;
}
