/* mdriver_save.c - the files of `heapyard mdriver`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* basename of string.h */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "charts.h"
#include "commands.h"
#include "folders.h"
#include "lab_map.h"
#include "mdriver.h"
#include "places.h"
#include "run_rows.h"

enum { PATH_ROOM = 4096 };

static int complain(const struct mdriver *m, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", m->verb, what, why);
    return EXIT_INFRA;
}

/* ---- samples.csv ---- */

/* All but the map, which is a picture and no figure. */
static int write_cell(const struct mdriver_cell *c, FILE *f)
{
    struct row row = run_row("mdriver", &c->run, &c->outcome, NULL);
    int err = c->outcome.status == STATUS_OK ? 0 : row_write(f, &row);

    for (size_t i = 0; i < c->outcome.n && !err; i++) {
        if (!strcmp(c->outcome.values[i].metric, "map"))
            continue;
        run_row_set(&row, &c->outcome, i);
        err = row_write(f, &row);
    }
    return err;
}

static int save_samples(const struct mdriver *m, const char *folder)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof path, "%s/samples.csv", folder);
    FILE *const f = fopen(path, "w");
    int err = f ? row_write_header(f) : errno;

    for (size_t i = 0; i < m->ntraces * m->nallocators && !err; i++)
        err = write_cell(&m->cell[i], f);
    if (f && fclose(f) && !err)
        err = errno;
    return err ? complain(m, path, strerror(err)) : EXIT_GOOD;
}

/* ---- maps ---- */

/* Lines "operation, heap KiB", and then the cells: operation, KiB from the
 * bottom, tenths that are live.  Returns 0 or an errno. */
static int write_map(const struct mdriver_cell *c, const char *path)
{
    const double row = mdriver_value(c, "map_row", "") / 1024;
    FILE *const f = fopen(path, "w");

    if (!f)
        return errno;
    for (size_t i = 0; i < c->outcome.n; i++) {
        const struct outcome_value *const v = &c->outcome.values[i];

        if (strcmp(v->metric, "map"))
            continue;
        for (size_t r = 0; v->note[r]; r++)
            fprintf(f, "%s\t%g\t%c\n", v->at + strlen("op:"),
                    ((double)r + 0.5) * row, v->note[r]);
    }
    const int err = ferror(f) ? EIO : 0;
    return fclose(f) ? errno : err;
}

static int draw_map(const struct mdriver *m, size_t t, const char *folder)
{
    const struct mdriver_cell *const c = mdriver_cell(m, t, 0);
    char data[PATH_ROOM], image[PATH_ROOM], script[PATH_ROOM], shape[96];
    char title[256], caption[256], why[512];

    snprintf(data, sizeof data, "%s/map-%s.tsv", folder, m->trace[t].name);
    snprintf(image, sizeof image, "%s/map-%s.svg", folder, m->trace[t].name);
    snprintf(script, sizeof script, "%s/lab-map.gp", places_plots());
    snprintf(shape, sizeof shape, "%" PRIu64 " %g %zu",
             lab_map_step(m->trace[t].n, MDRIVER_MAP_COLUMNS),
             mdriver_value(c, "map_row", "") / 1024, m->trace[t].n);
    snprintf(title, sizeof title, "%s on %s", m->trace[t].name,
             basename(m->solution));
    snprintf(caption, sizeof caption,
             "The heap over time. Used %.1f %%: most bytes live over the heap "
             "in the end.",
             100 * mdriver_value(c, "utilization", ""));
    int err = write_map(c, data);
    if (err)
        return complain(m, data, strerror(err));
    const char *const argument[] = {"gnuplot", "-c",  script, places_plots(),
                                    data,      image, shape,  title,
                                    caption,   NULL};
    err = gnuplot_run(argument, why, sizeof why);
    return err ? complain(m, image, why) : EXIT_GOOD;
}

int mdriver_save(const struct mdriver *m, const char *folder)
{
    const int err = make_folders(folder);
    int code = err ? complain(m, folder, strerror(err)) : EXIT_GOOD;

    if (!code)
        code = save_samples(m, folder);
    for (size_t t = 0; t < m->ntraces && !code; t++)
        if (!isnan(mdriver_value(mdriver_cell(m, t, 0), "map_row", "")))
            code = draw_map(m, t, folder);
    return code;
}
