/* summary.c - samples.csv reduced to estimates.
 *
 * Gather rows into cells (cells.c); charge each failed run to all metrics of
 * its meter; reduce each cell to a median and, with its partner cell of the
 * baseline, to a ratio paired within blocks; sort.
 *
 * Why pairs: two runs of one block ran within seconds of each other, so the
 * drift of the machine cancels in their ratio.  The pair of a sample is the
 * one with its session, block and seed.
 *
 * Invariant: the order of rows in the file changes no number (ties are
 * paired in order of value).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "summary.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "warmup.h"

static int order_samples(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    if (x->session != y->session)
        return x->session < y->session ? -1 : 1;
    if (x->block != y->block)
        return x->block < y->block ? -1 : 1;
    if (x->seed != y->seed)
        return x->seed < y->seed ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

/* The same place in the schedule; 0 if so, else which comes first. */
static int order_places(const struct sample *x, const struct sample *y)
{
    struct sample same = *y;
    same.value = x->value;
    return order_samples(x, &same);
}

static int gather(struct row_reader *reader, struct cells *cells, char *why,
                  size_t why_size)
{
    struct row row;
    int err;
    while ((err = row_reader_next(reader, &row, why, why_size)) == 0) {
        err = cells_take(cells, &row, row_reader_place(reader), why, why_size);
        if (err)
            return err;
    }
    return err == ENOENT ? 0 : err;
}

/* A failed run has one row without a metric: its cell stands for the whole
 * meter of that allocator. */
static bool is_run_cell(const struct cell *c)
{
    return !c->estimate.metric[0];
}

static bool is_same_meter(const struct cell *a, const struct cell *b)
{
    const struct run_key *x = &a->estimate.key, *y = &b->estimate.key;
    return x->threads == y->threads && x->window == y->window &&
           x->scale == y->scale && !strcmp(x->meter, y->meter) &&
           !strcmp(x->allocator, y->allocator) &&
           !strcmp(x->workload, y->workload) && !strcmp(x->touch, y->touch);
}

static void charge_run_cell(const struct cells *cells, struct cell *run)
{
    for (size_t i = 0; i < cells->n; i++) {
        struct cell *c = cells->cell[i];
        if (is_run_cell(c) || !is_same_meter(c, run))
            continue;
        for (int s = STATUS_OK + 1; s < STATUS_KINDS; s++) {
            c->failed[s] += run->failed[s];
            if (!c->note[s][0])
                memcpy(c->note[s], run->note[s], sizeof c->note[s]);
        }
        run->is_charged = true;
    }
}

static void charge_failures(const struct cells *cells)
{
    for (size_t i = 0; i < cells->n; i++)
        if (is_run_cell(cells->cell[i]))
            charge_run_cell(cells, cells->cell[i]);
}

static int reduce_median(struct cell *c)
{
    struct estimate *e = &c->estimate;
    e->n = (uint32_t)c->n;
    e->median = (struct interval){NAN, NAN, NAN};
    if (c->n == 0)
        return 0;
    double *x = malloc(c->n * sizeof *x);
    if (!x)
        return ENOMEM;
    for (size_t i = 0; i < c->n; i++)
        x[i] = c->samples[i].value;
    uint64_t seed = cell_hash(&e->key, e->metric, e->at);
    int err = stat_median(x, c->n, seed, &e->median);
    if (!err)
        err = stat_outliers(x, c->n, &e->outliers);
    free(x);
    return err;
}

static bool has_ratio(double a, double b)
{
    return a > 0 && b > 0 && a / b > 0 && isfinite(a / b);
}

/* Merge two cells, both in order of place, into pairs.  Returns their number,
 * or 0 if one of them has no ratio: leaving only that one out would choose
 * among the runs. */
static size_t pair_samples(const struct cell *c, const struct cell *base,
                           double a[], double b[])
{
    size_t i = 0, j = 0, n = 0;
    while (i < c->n && j < base->n) {
        const struct sample *x = &c->samples[i], *y = &base->samples[j];
        int order = order_places(x, y);
        if (order == 0 && !has_ratio(x->value, y->value))
            return 0;
        if (order == 0) {
            a[n] = x->value;
            b[n++] = y->value;
        }
        i += order <= 0;
        j += order >= 0;
    }
    return n;
}

static int reduce_ratio(const struct cells *cells, const char *baseline,
                        struct cell *c)
{
    struct estimate *e = &c->estimate;
    e->ratio = (struct interval){NAN, NAN, NAN};
    e->detectable = NAN;
    const struct cell *base =
        cells_find(cells, &e->key, baseline, e->metric, e->at);
    if (!base || c->n == 0 || base->n == 0)
        return 0;
    double *a = malloc(c->n * sizeof *a), *b = malloc(c->n * sizeof *b);
    int err = a && b ? 0 : ENOMEM;
    if (!err) {
        e->pairs = (uint32_t)pair_samples(c, base, a, b);
        if (e->pairs)
            err = stat_ratio(a, b, e->pairs, &e->ratio, &e->detectable);
        if (c == base) /* a ratio to itself tells nothing */
            e->detectable = NAN;
    }
    free(b);
    free(a);
    return err;
}

/* Status, number of failures, and the note that explains most of them. */
static void reduce_status(struct cell *c)
{
    struct estimate *e = &c->estimate;
    enum status most = STATUS_OK;
    uint32_t count = 0;
    for (int s = STATUS_OK + 1; s < STATUS_KINDS; s++) {
        e->failed += c->failed[s];
        if (c->failed[s] > count) {
            count = c->failed[s];
            most = (enum status)s;
        }
    }
    e->status = e->n ? STATUS_OK : most;
    snprintf(e->note, sizeof e->note, "%s", c->note[most]);
    if (e->n && count) /* ok in the main: the note must say what failed */
        snprintf(e->note, sizeof e->note, "%s%s%.140s", status_name(most),
                 c->note[most][0] ? ": " : "", c->note[most]);
}

static int reduce_all(struct cells *cells, const char *baseline)
{
    for (size_t i = 0; i < cells->n; i++) {
        struct cell *c = cells->cell[i];
        if (c->n)
            qsort(c->samples, c->n, sizeof *c->samples, order_samples);
    }
    charge_failures(cells);
    int err = 0;
    for (size_t i = 0; i < cells->n && !err; i++) {
        struct cell *c = cells->cell[i];
        err = reduce_median(c);
        reduce_status(c);
        if (!err)
            err = reduce_ratio(cells, baseline, c);
    }
    return err;
}

/* What sorts an estimate, beside its key. */
struct ranked {
    const struct cell *cell;
    size_t metric, at;  /* place where first met */
    unsigned allocator; /* null 0, baseline 1, others 2 */
};

static unsigned rank_meter(const char *meter)
{
    static const char *const known[] = {"time",      "memory", "leak",
                                        "latency",   "check",  "counters",
                                        "simulated", "gc"};
    unsigned n = sizeof known / sizeof known[0], i = 0;
    size_t length = strcspn(meter, ":"); /* without its options */
    while (i < n &&
           (strlen(known[i]) != length || strncmp(known[i], meter, length)))
        i++;
    return i;
}

static int order_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int order_keys(const struct run_key *x, const struct run_key *y)
{
    int by = strcmp(x->workload, y->workload);
    if (!by)
        by = order_numbers(x->threads, y->threads);
    if (!by)
        by = order_numbers(x->scale, y->scale);
    if (!by)
        by = strcmp(x->touch, y->touch);
    if (!by)
        by = order_numbers(x->window, y->window);
    if (!by)
        by = order_numbers(rank_meter(x->meter), rank_meter(y->meter));
    return by ? by : strcmp(x->meter, y->meter);
}

static int order_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int by = order_keys(&x->cell->estimate.key, &y->cell->estimate.key);
    if (!by)
        by = order_numbers((double)x->metric, (double)y->metric);
    if (!by)
        by = order_numbers((double)x->at, (double)y->at);
    if (!by)
        by = order_numbers(x->allocator, y->allocator);
    return by ? by
              : strcmp(x->cell->estimate.key.allocator,
                       y->cell->estimate.key.allocator);
}

static bool is_same_text(const struct ranked *r, const char *metric,
                         const char *at)
{
    const struct estimate *e = &r->cell->estimate;
    return metric ? !strcmp(e->metric, metric) : !strcmp(e->at, at);
}

static void rank(struct ranked ranked[], size_t i, const char *baseline)
{
    const struct estimate *e = &ranked[i].cell->estimate;
    size_t m = i, at = i; /* the nearest before i of the same text */
    while (m > 0 && !is_same_text(&ranked[m - 1], e->metric, NULL))
        m--;
    while (at > 0 && !is_same_text(&ranked[at - 1], NULL, e->at))
        at--;
    ranked[i].metric = m ? ranked[m - 1].metric : i;
    ranked[i].at = at ? ranked[at - 1].at : i;
    ranked[i].allocator = !strcmp(e->key.allocator, "null")     ? 0
                          : !strcmp(e->key.allocator, baseline) ? 1
                                                                : 2;
}

/* All allocators of what ranked[0] is of: they stand beside each other. */
static size_t count_arms(const struct ranked ranked[], size_t n)
{
    const struct cell *first = ranked[0].cell;
    size_t k = 1;
    while (k < n && ranked[k].metric == ranked[0].metric &&
           ranked[k].at == ranked[0].at &&
           !order_keys(&ranked[k].cell->estimate.key, &first->estimate.key))
        k++;
    return k;
}

static int add_warmup(const struct cells *cells, const struct ranked ranked[],
                      struct summary *out)
{
    const struct cell **arm = malloc((out->n ? out->n : 1) * sizeof *arm);
    int err = arm ? 0 : ENOMEM;
    for (size_t i = 0, n; i < out->n && !err; i += n) {
        struct warmup w;
        n = count_arms(ranked + i, out->n - i);
        for (size_t k = 0; k < n; k++)
            arm[k] = ranked[i + k].cell;
        err = warmup_of_arms(cells, arm, n, &w);
        for (size_t k = 0; k < n && !err; k++) {
            out->estimates[i + k].warmup = w.blocks;
            out->estimates[i + k].warmup_by = w.by;
        }
    }
    free(arm);
    return err;
}

static int collect(const struct cells *cells, const char *baseline,
                   struct summary *out)
{
    struct ranked *ranked = calloc(cells->n, sizeof *ranked);
    out->estimates = calloc(cells->n, sizeof *out->estimates);
    if (!ranked || !out->estimates) {
        free(ranked);
        summary_free(out);
        return ENOMEM;
    }
    for (size_t i = 0; i < cells->n; i++) {
        ranked[out->n].cell = cells->cell[i];
        if (!cells->cell[i]->is_charged)
            rank(ranked, out->n++, baseline);
    }
    qsort(ranked, out->n, sizeof *ranked, order_ranked);
    for (size_t i = 0; i < out->n; i++)
        out->estimates[i] = ranked[i].cell->estimate;
    int err = add_warmup(cells, ranked, out);
    if (err)
        summary_free(out);
    free(ranked);
    return err;
}

int summary_from_samples(const char *path, const char *baseline,
                         struct summary *out, char *why, size_t why_size)
{
    struct cells cells = {0};
    struct row_reader *reader;
    *out = (struct summary){0};
    snprintf(out->baseline, sizeof out->baseline, "%s", baseline);
    snprintf(why, why_size, "%s", path);
    int err = row_reader_open(path, &reader, why, why_size);
    if (err)
        return err;
    err = gather(reader, &cells, why, why_size);
    row_reader_close(reader);
    if (!err && cells.n == 0) {
        snprintf(why, why_size, "%s: no rows (want at least one run)", path);
        err = ENODATA;
    }
    if (!err)
        err = reduce_all(&cells, baseline);
    if (!err)
        err = collect(&cells, baseline, out);
    cells_free(&cells);
    return err;
}

void summary_free(struct summary *s)
{
    free(s->estimates);
    s->estimates = NULL;
    s->n = 0;
}
