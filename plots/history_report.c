/* history_report.c - series of medians and their change points, told and drawn.
 *
 * The data of a panel is three sets: the points; the levels between change
 * points; the marks, which are dates below the axis and the change points.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "history_report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "charts.h"

enum { PATH_SIZE = 4096, SHORT_COMMIT = 12, SHORT_DATE = 10 };

/* "server-sim, 1 thread: wall_per_op of slab"; what is usual is left out. */
static void write_title(const struct history_cell *c, char *text, size_t size)
{
    const struct run_key *k = &c->key;
    char scale[32] = "", touch[16] = "", window[32] = "";
    if (k->scale != 1)
        snprintf(scale, sizeof scale, ", scale %g", k->scale);
    if (strcmp(k->touch, "page"))
        snprintf(touch, sizeof touch, ", touch %s", k->touch);
    if (k->window)
        snprintf(window, sizeof window, ", window %u", (unsigned)k->window);
    snprintf(text, size, "%s, %u thread%s%s%s%s: %s%s%s of %s", k->workload,
             (unsigned)k->threads, k->threads == 1 ? "" : "s", scale, touch,
             window, c->metric, c->at[0] ? " at " : "", c->at,
             shown_name(k->allocator));
}

static struct scale scale_of(const struct history_series *s)
{
    double most = 0;
    for (size_t i = 0; i < s->n; i++)
        most = fmax(most, fabs(s->point[i].median.hi));
    if (!strcmp(s->cell.unit, "ns"))
        return scale_for_time(most);
    if (!strcmp(s->cell.unit, "bytes"))
        return scale_for_bytes(most);
    return (struct scale){strcmp(s->cell.unit, "1") ? s->cell.unit : "", 1};
}

/* "+11.4 %", or what it was and is where that cannot be said. */
static void write_change(const struct change_point *c, char *text, size_t size)
{
    double percent = 100 * (c->after / c->before - 1);
    if (c->before > 0)
        snprintf(text, size, "%+.*f %%", fabs(percent) < 9.95, percent);
    else
        snprintf(text, size, "from %g", c->before);
}

/* ---- told ---- */

static void print_change(const struct history_view *v,
                         const struct change_point *c, FILE *f)
{
    struct scale unit = scale_of(v->series);
    const struct history_point *p = &v->series->point[c->at];
    double before = c->before / unit.divisor, after = c->after / unit.divisor;
    /* enough digits to tell the two apart */
    double step = fabs(after - before) / 10;
    int decimals = decimals_short(after), most = 9;
    while (decimals < most && pow(10, -decimals) > step)
        decimals++;
    char change[48];
    write_change(c, change, sizeof change);
    fprintf(f, "    %.*s  %-*.*s  %.*f -> %.*f%s%s  %s  p = %.4g\n", SHORT_DATE,
            p->date, SHORT_COMMIT, SHORT_COMMIT, p->commit, decimals, before,
            decimals, after, *unit.unit ? " " : "", unit.unit, change, c->p);
}

static void print_series(const struct history_view *v, FILE *f)
{
    char title[512];
    size_t n = v->series->n;
    write_title(&v->series->cell, title, sizeof title);
    fprintf(f, "  %s: ", title);
    if (n < 2 * v->rule->segment) {
        fprintf(f, "too few to look for changes: %zu point%s (want %zu)\n", n,
                n == 1 ? "" : "s", 2 * v->rule->segment);
        return;
    }
    if (v->changes == 0)
        fprintf(f, "no change points in %zu points\n", n);
    else
        fprintf(f, "%zu change point%s in %zu points\n", v->changes,
                v->changes == 1 ? "" : "s", n);
    for (size_t i = 0; i < v->changes; i++)
        print_change(v, &v->change[i], f);
}

static bool is_first_of_machine(const struct history_view view[], size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(view[k].series->cell.machine, view[i].series->cell.machine))
            return false;
    return true;
}

int history_print(const struct history_view view[], size_t n, FILE *f)
{
    for (size_t i = 0; i < n; i++) {
        const char *machine = view[i].series->cell.machine;
        if (!is_first_of_machine(view, i))
            continue;
        fprintf(f, "%s%s\n", i ? "\n" : "", machine);
        for (size_t k = i; k < n; k++)
            if (!strcmp(view[k].series->cell.machine, machine))
                print_series(&view[k], f);
    }
    return ferror(f) ? EIO : 0;
}

/* ---- drawn ---- */

static void write_points(const struct history_view *v, FILE *f)
{
    const struct history_series *s = v->series;
    struct scale unit = scale_of(s);
    char title[512];
    double low = INFINITY, high = -INFINITY;
    write_title(&s->cell, title, sizeof title);
    for (size_t i = 0; i < s->n; i++) {
        low = fmin(low, s->point[i].median.lo / unit.divisor);
        high = fmax(high, s->point[i].median.hi / unit.divisor);
    }
    /* room above for the names of changes */
    double range = high > low ? high - low : fmax(fabs(high), 1) / 10;
    for (size_t i = 0; i < s->n; i++) {
        const struct interval *m = &s->point[i].median;
        print_field(f, title);
        fprintf(f, ", n = %zu\t%zu\t%.9g\t%.9g\t%.9g\t%s%s%s%s\t%.9g\t%.9g\t",
                s->n, i + 1, m->value / unit.divisor, m->lo / unit.divisor,
                m->hi / unit.divisor, s->cell.metric, *unit.unit ? " (" : "",
                unit.unit, *unit.unit ? ")" : "", low - 0.06 * range,
                high + 0.24 * range);
        print_field(f, s->point[i].date);
        putc('\t', f);
        print_field(f, s->point[i].commit);
        putc('\n', f);
    }
    fputs("\n\n", f);
}

static void write_levels(const struct history_view *v, FILE *f)
{
    const struct history_series *s = v->series;
    double divisor = scale_of(s).divisor, *x = malloc(s->n * sizeof *x);
    for (size_t i = 0; x && i < s->n; i++)
        x[i] = s->point[i].median.value;
    for (size_t i = 0, from = 0; x && i <= v->changes; i++) {
        size_t to = i < v->changes ? v->change[i].at : s->n;
        double level = i < v->changes ? v->change[i].before
                       : i > 0        ? v->change[i - 1].after
                                      : NAN;
        if (v->changes) /* else there is one level only, and no line */
            fprintf(f, "%g\t%.9g\n%g\t%.9g\n\n", (double)from + 0.5,
                    level / divisor, (double)to + 0.5, level / divisor);
        from = to;
    }
    if (!v->changes)
        fputs("-1\t-1\n", f); /* gnuplot wants a set to have a line */
    fputs("\n\n", f);
    free(x);
}

/* Dates at about five places, and the changes. */
static void write_marks(const struct history_view *v, FILE *f)
{
    const struct history_series *s = v->series;
    size_t step = (s->n + 4) / 5;
    char change[48];
    for (size_t i = 0; i < s->n; i += step)
        fprintf(f, "0\t%zu\t%.*s\n", i + 1, SHORT_DATE, s->point[i].date);
    for (size_t i = 0; i < v->changes; i++) {
        const struct change_point *c = &v->change[i];
        write_change(c, change, sizeof change);
        fprintf(f, "1\t%g\t", (double)c->at + 0.5);
        char name[80];
        snprintf(name, sizeof name, "%.*s %s", SHORT_COMMIT,
                 s->point[c->at].commit, change);
        print_field(f, name);
        putc('\n', f);
    }
    fputs("\n\n", f);
}

static int write_data(const struct history_view view[], size_t n,
                      const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return errno;
    fputs("# panel\tplace\tmedian\tlo\thi\taxis\tleast\tmost\tdate\tcommit; "
          "then place and level; then kind, place and name of marks\n",
          f);
    for (size_t i = 0; i < n; i++) {
        write_points(&view[i], f);
        write_levels(&view[i], f);
        write_marks(&view[i], f);
    }
    int err = ferror(f) ? EIO : 0;
    if (fclose(f) && !err)
        err = errno;
    return err;
}

static void write_caption(const struct history_view view[], size_t n,
                          char *text, size_t size)
{
    uint32_t fewest = UINT32_MAX, most = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < view[i].series->n; k++) {
            uint32_t runs = view[i].series->point[k].n;
            fewest = runs < fewest ? runs : fewest;
            most = runs > most ? runs : most;
        }
    }
    char runs[32];
    snprintf(runs, sizeof runs, "%u", (unsigned)most);
    if (fewest < most)
        snprintf(runs, sizeof runs, "%u to %u", (unsigned)fewest,
                 (unsigned)most);
    snprintf(text, size,
             "n points, of %s run%s each. Point: median of the runs; bar: its "
             "95 %% interval. Dashed: the first commit of a new level;\nline: "
             "median of the level. Changes by E-divisive, permutation test at "
             "%g %%, %zu points or more between changes.\n%s",
             runs, most == 1 ? "" : "s", 100 * view[0].rule->level,
             view[0].rule->segment, view[0].series->cell.machine);
}

int history_draw(const struct history_view view[], size_t n, const char *image,
                 const char *scripts, char *why, size_t why_size)
{
    char script[PATH_SIZE], data[PATH_SIZE], to[PATH_SIZE], caption[1024];
    char panels[16];
    const char *format = image + strlen(image) - 3;
    const char *guard = strchr("/.", image[0]) ? "" : "./";
    if (snprintf(script, PATH_SIZE, "%s/history.gp", scripts) >= PATH_SIZE ||
        snprintf(to, PATH_SIZE, "%s%s", guard, image) >= PATH_SIZE)
        return ENAMETOOLONG;
    memcpy(data, to, sizeof data);
    strcpy(data + strlen(data) - 3, "tsv");
    snprintf(why, why_size, "%s", data);
    int err = write_data(view, n, data);
    if (err)
        return err;
    write_caption(view, n, caption, sizeof caption);
    snprintf(panels, sizeof panels, "%zu", n);
    const char *const argument[] = {
        "gnuplot", "-d", "-c",   script, scripts,
        data,      to,   format, panels, "Medians over time",
        caption,   NULL};
    return gnuplot_run(argument, why, why_size);
}
