/* fidelity_print.c - the tables of a study of fidelity, and fidelity.csv.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "environment.h"
#include "fidelity_run.h"
#include "sheet.h"

enum { PATH_ROOM = 4096 };

struct printer {
    FILE *f;
    unsigned width;
    int colour;
    const char *baseline;
    FILE *csv;
    char date[24], machine[160];
};

/* ---- cells ---- */

static void put(struct sheet_cell *cell, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(cell->text, sizeof cell->text, format, args);
    va_end(args);
}

/* value in units of `by`, or "-"; where lo is known, with its interval. */
static void put_value(struct sheet_cell *cell, int decimals, double by,
                      double value, double lo, double hi)
{
    if (isnan(value))
        put(cell, "-");
    else if (isnan(lo) || isnan(hi))
        put(cell, "%.*f", decimals, value / by);
    else
        put(cell, "%.*f [%.*f, %.*f]", decimals, value / by, decimals, lo / by,
            decimals, hi / by);
}

static void put_ratio(struct sheet_cell *cell, double above, double below)
{
    if (below > 0 && !isnan(above))
        put(cell, "%.2f", above / below);
    else
        put(cell, "-");
}

/* ---- a program ---- */

enum { COLUMNS = 9 };
static const struct sheet_column heads[COLUMNS] = {
    {{"", "allocator"}, 0, false},
    {{"program CPU", "ms [95 %]"}, 0, false},
    {{"replay CPU", "ms [95 %]"}, 5, false},
    {{"in malloc", "ms"}, 6, false},
    {{"program less", "baseline, ms"}, 0, false},
    {{"replay less", "baseline, ms"}, 0, false},
    {{"peak", "MiB"}, 4, false},
    {{"peak", "replay/"}, 0, false},
    {{"mean", "replay/"}, 3, false},
};

static void fill_row(struct sheet_cell cell[], const struct fidelity_row *r)
{
    static const double ms = 1e6, mib = 1048576;

    put(&cell[0], "%.40s", r->allocator);
    if (r->status != STATUS_OK) {
        put(&cell[1], "%s", status_name(r->status));
        cell[1].style = STYLE_BAD;
        return;
    }
    put_value(&cell[1], 0, ms, r->real_cpu, r->real_cpu_lo, r->real_cpu_hi);
    put_value(&cell[2], 0, ms, r->replay_cpu, r->replay_cpu_lo,
              r->replay_cpu_hi);
    put_value(&cell[3], 0, ms, r->malloc_cpu, NAN, NAN);
    put_value(&cell[4], 0, ms, r->real_diff, r->real_diff_lo, r->real_diff_hi);
    put_value(&cell[5], 0, ms, r->replay_diff, r->replay_diff_lo,
              r->replay_diff_hi);
    put_value(&cell[6], 1, mib, r->real_peak, NAN, NAN);
    put_ratio(&cell[7], r->replay_peak, r->real_peak);
    put_ratio(&cell[8], r->replay_mean, r->real_mean);
}

static void print_order(const struct printer *p, const struct fidelity_order *o,
                        uint32_t blocks)
{
    if (o->told_apart)
        fprintf(p->f,
                "\nThe program tells %u of %u pairs of allocators apart; the "
                "replay has %u of these in the same order: tau %.2f.\n\n",
                o->told_apart, o->pairs, o->alike, o->tau);
    else if (blocks < FIDELITY_BLOCKS_MIN)
        fprintf(p->f,
                "\nToo few blocks to tell allocators apart (want %d or "
                "more).\n\n",
                FIDELITY_BLOCKS_MIN);
    else
        fprintf(p->f,
                "\nThe program shows no difference beyond noise in any "
                "of %u pairs of allocators.\n\n",
                o->pairs);
}

static int print_program(const struct printer *p, const char *name,
                         const struct fidelity_row row[], size_t n,
                         const struct fidelity_order *o)
{
    struct sheet sheet;
    int err = sheet_init(&sheet, n);

    if (err)
        return err;
    memcpy(sheet.column, heads, sizeof heads);
    sheet.columns = COLUMNS;
    fprintf(p->f, "%s, %u blocks\n\n", name, n ? row[0].runs : 0);
    for (size_t i = 0; i < n; i++)
        fill_row(sheet.row[i], &row[i]);
    sheet_print(&sheet, p->f, p->width, p->colour);
    sheet_free(&sheet);
    for (size_t i = 0; i < n; i++)
        if (row[i].status != STATUS_OK &&
            (!i || strcmp(row[i].note, row[i - 1].note) != 0))
            fprintf(p->f, "%s: %s\n", row[i].allocator, row[i].note);
    print_order(p, o, n ? row[0].runs : 0);
    return 0;
}

/* ---- all ---- */

struct totals {
    uint32_t programs, told_apart, alike, close, peaks;
    double worst;
};

enum { SUMMARY_COLUMNS = 7 };
static const struct sheet_column summary_heads[SUMMARY_COLUMNS] = {
    {{"", "program"}, 0, false},        {{"CPU", "ms"}, 0, false},
    {{"in malloc", "%"}, 0, false},     {{"pairs", "told apart"}, 0, false},
    {{"alike in", "replay"}, 0, false}, {{"", "tau"}, 0, false},
    {{"peak", "replay/"}, 0, false},
};

/* "0.99 .. 1.02": of all allocators. */
static void put_peaks(struct sheet_cell *cell, const struct fidelity_row row[],
                      size_t n)
{
    double lo = INFINITY, hi = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        double ratio = row[i].replay_peak / row[i].real_peak;

        lo = ratio < lo ? ratio : lo;
        hi = ratio > hi ? ratio : hi;
    }
    if (lo <= hi)
        put(cell, "%.2f .. %.2f", lo, hi);
    else
        put(cell, "-");
}

/* The first allocator's figures stand for the program's. */
static void fill_summary(struct sheet_cell cell[], const char *name,
                         const struct fidelity_row row[], size_t n,
                         const struct fidelity_order *o)
{
    put(&cell[0], "%.40s", name);
    put_value(&cell[1], 0, 1e6, n ? row[0].real_cpu : NAN, NAN, NAN);
    put_value(&cell[2], 0, 0.01, n ? row[0].malloc_cpu / row[0].real_cpu : NAN,
              NAN, NAN);
    put(&cell[3], "%u of %u", o->told_apart, o->pairs);
    put(&cell[4], "%u", o->alike);
    put_value(&cell[5], 2, 1, o->tau, NAN, NAN);
    put_peaks(&cell[6], row, n);
}

static void add_up(struct totals *t, const struct fidelity_row row[], size_t n,
                   const struct fidelity_order *o)
{
    t->programs += o->told_apart > 0;
    t->told_apart += o->told_apart;
    t->alike += o->alike;
    for (size_t i = 0; i < n; i++) {
        double by = fabs(row[i].replay_peak / row[i].real_peak - 1);

        if (isnan(by) || isinf(by))
            continue;
        t->peaks++;
        t->close += by <= 0.05;
        t->worst = by > t->worst ? by : t->worst;
    }
}

static int write_rows(const struct printer *p, struct fidelity_row row[],
                      size_t n)
{
    int err = 0;

    for (size_t i = 0; i < n && !err; i++) {
        memcpy(row[i].date, p->date, sizeof row[i].date);
        memcpy(row[i].machine, p->machine, sizeof row[i].machine);
        err = fidelity_write(p->csv, &row[i]);
    }
    return err;
}

static int report_program(struct printer *p,
                          const struct fidelity_program *program,
                          struct sheet_cell summary[], struct totals *t)
{
    struct fidelity_row row[FIDELITY_ARMS_MAX];
    struct fidelity_order order;
    int err = fidelity_compare(program, p->baseline, row, &order);

    if (err)
        return err;
    add_up(t, row, program->arms, &order);
    fill_summary(summary, program->name, row, program->arms, &order);
    err = print_program(p, program->name, row, program->arms, &order);
    return err ? err : write_rows(p, row, program->arms);
}

static void print_totals(const struct printer *p, const struct totals *t)
{
    if (t->told_apart)
        fprintf(p->f,
                "\nOrder: %u of %u pairs that %u programs tell apart are alike "
                "in the replays: tau %.2f.\n",
                t->alike, t->told_apart, t->programs,
                kendall_tau(t->told_apart, t->alike));
    if (t->peaks)
        fprintf(p->f,
                "Peak memory: %u of %u replays within 5 %% of the program; "
                "the furthest is off by %.1f %%.\n",
                t->close, t->peaks, 100 * t->worst);
}

static int report_all(struct printer *p, const struct fidelity_study *s)
{
    struct totals t = {0};
    struct sheet summary;
    int err = sheet_init(&summary, s->n);

    if (err)
        return err;
    memcpy(summary.column, summary_heads, sizeof summary_heads);
    summary.columns = SUMMARY_COLUMNS;
    err = fidelity_write_header(p->csv);
    for (size_t i = 0; i < s->n && !err; i++)
        err = report_program(p, s->program[i], summary.row[i], &t);
    if (!err)
        sheet_print(&summary, p->f, p->width, p->colour);
    sheet_free(&summary);
    print_totals(p, &t);
    return err;
}

static void find_machine(struct printer *p)
{
    char cpu[120], cpus[16];

    environment_date(p->date, sizeof p->date);
    environment_fact("cpu", cpu, sizeof cpu);
    environment_fact("cpus", cpus, sizeof cpus);
    snprintf(p->machine, sizeof p->machine, "%s, %s CPUs", cpu, cpus);
}

int fidelity_report(struct fidelity_study *s, const char *baseline, FILE *f,
                    unsigned width, int colour)
{
    struct printer p = {
        .f = f, .width = width, .colour = colour, .baseline = baseline};
    char path[PATH_ROOM];

    find_machine(&p);
    snprintf(path, sizeof path, "%.3000s/fidelity.csv", s->suite->folder);
    p.csv = fopen(path, "w");
    int err = p.csv ? report_all(&p, s) : errno;

    if (p.csv && fclose(p.csv) && !err)
        err = errno;
    if (err)
        snprintf(s->why, sizeof s->why, "%.300s: %s", path, strerror(err));
    return err;
}
