/* calibration.c - how often a judge is wrong, and how often it finds what is
 * there: rows of calibration.csv.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "calibration.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "columns.h"
#include "environment.h"

enum { PATH_ROOM = 4096 };

#define OWN(member, type, min)                                                 \
    COLUMN(struct calibration_row, member, type, min, NULL)

static const struct column columns[] = {
    OWN(date, COLUMN_TEXT, 0),
    OWN(cpu, COLUMN_TEXT, 0),
    OWN(cpus, COLUMN_COUNT32, 1),
    OWN(kernel, COLUMN_TEXT, 0),
    OWN(workload, COLUMN_TEXT, 0),
    OWN(allocator, COLUMN_TEXT, 0),
    OWN(metric, COLUMN_TEXT, 0),
    OWN(judge, COLUMN_TEXT, 0),
    OWN(injected, COLUMN_REAL, 0),
    OWN(measured, COLUMN_MAYBE, -INFINITY),
    OWN(margin, COLUMN_MAYBE, 0),
    OWN(trials, COLUMN_COUNT32, 1),
    OWN(called, COLUMN_COUNT32, 0),
    OWN(open, COLUMN_COUNT32, 0),
    COLUMN_AS("share", struct calibration_row, share.value, COLUMN_REAL, 0,
              NULL),
    COLUMN_AS("share_lo", struct calibration_row, share.lo, COLUMN_REAL, 0,
              NULL),
    COLUMN_AS("share_hi", struct calibration_row, share.hi, COLUMN_REAL, 0,
              NULL),
    OWN(seconds, COLUMN_REAL, 0),
    OWN(worst_seconds, COLUMN_REAL, 0),
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

int calibration_write(FILE *f, const struct calibration_row rows[], size_t n)
{
    int err = table_write_header(f, columns, COLUMNS);

    for (size_t i = 0; i < n && !err; i++)
        err = table_write(f, columns, COLUMNS, &rows[i]);
    return err;
}

int calibration_read(const char *path, struct calibration_row out[], size_t *n,
                     char *why, size_t why_size)
{
    struct table_reader *table;
    struct calibration_row row;
    int err = table_open(path, columns, COLUMNS, &table, why, why_size);

    *n = 0;
    if (err)
        return err;
    while (*n < CALIBRATION_ROWS_MAX &&
           !(err = table_next(table, &row, why, why_size)))
        out[(*n)++] = row;
    table_close(table);
    return err == ENOENT ? 0 : err;
}

static int is_of_this_machine(const struct calibration_row *row)
{
    char cpu[128], cpus[16], kind[16];

    environment_fact("cpu", cpu, sizeof cpu);
    environment_fact("cpus", cpus, sizeof cpus);
    snprintf(kind, sizeof kind, "%u", row->cpus);
    return !strcmp(cpu, row->cpu) && !strcmp(cpus, kind);
}

/* Rows of one kind, added up. */
struct tally {
    uint32_t trials, called;
    double injected, worst_seconds;
    char date[24]; /* the last */
};

static void tally_add(struct tally *t, const struct calibration_row *row)
{
    if (t->trials && row->injected > t->injected)
        return; /* the smallest change that was tried is the one to quote */
    if (t->trials && row->injected < t->injected)
        *t = (struct tally){.trials = 0};
    t->injected = row->injected;
    t->trials += row->trials;
    t->called += row->called;
    if (row->worst_seconds > t->worst_seconds)
        t->worst_seconds = row->worst_seconds;
    if (strcmp(row->date, t->date) > 0)
        memcpy(t->date, row->date, sizeof t->date);
}

/* Of the gate on times, on such a machine: tally[1] with a change. */
static void tally_file(const char *path, struct tally tally[2])
{
    struct calibration_row rows[CALIBRATION_ROWS_MAX];
    char why[256];
    size_t n;

    if (calibration_read(path, rows, &n, why, sizeof why))
        return;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].judge, "gate") &&
            !strcmp(rows[i].metric, "mid_per_op") &&
            is_of_this_machine(&rows[i]))
            tally_add(&tally[rows[i].injected > 0], &rows[i]);
}

void calibration_sentence(const char *folder, char *out, size_t size)
{
    struct tally tally[2] = {{.trials = 0}, {.trials = 0}};
    const struct tally *same = &tally[0], *slower = &tally[1];
    char path[PATH_ROOM];
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    out[0] = 0;
    while (dir && (entry = readdir(dir))) {
        const char *dot = strrchr(entry->d_name, '.');

        if (!dot || strcmp(dot, ".csv"))
            continue;
        snprintf(path, sizeof path, "%.3800s/%.255s", folder, entry->d_name);
        tally_file(path, tally);
    }
    if (dir)
        closedir(dir);
    if (!same->trials || !slower->trials)
        return;
    snprintf(out, size,
             "on this kind of machine (%.10s) %u of %u verdicts on a program "
             "against itself were false alarms, and a slowdown of %.3g %% was "
             "found in %u of %u, within %.0f s",
             same->date, same->called, same->trials, 100 * slower->injected,
             slower->called, slower->trials, slower->worst_seconds);
}

void calibration_print(FILE *f, const struct calibration_row rows[], size_t n)
{
    fprintf(f, "%-14s %-18s %9s %9s %8s %7s %5s  %-22s %s\n", "judge", "metric",
            "injected", "measured", "margin", "called", "open", "share [95 %]",
            "seconds (worst)");
    for (size_t i = 0; i < n; i++) {
        const struct calibration_row *r = &rows[i];
        char measured[24] = "-", margin[24] = "-", called[24];

        if (!isnan(r->measured))
            snprintf(measured, sizeof measured, "%+.3f %%", 100 * r->measured);
        if (!isnan(r->margin))
            snprintf(margin, sizeof margin, "%.3g %%", 100 * r->margin);
        snprintf(called, sizeof called, "%u/%u", r->called, r->trials);
        fprintf(f, "%-14s %-18s %8.3g%% %9s %8s %7s %5u  %5.1f %% [%.1f, %.1f]",
                r->judge, r->metric, 100 * r->injected, measured, margin,
                called, r->open, 100 * r->share.value, 100 * r->share.lo,
                100 * r->share.hi);
        fprintf(f, "%*s %.1f (%.1f)\n", 3, "", r->seconds, r->worst_seconds);
    }
}
