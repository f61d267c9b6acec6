/* line_chart.c - named curves in panels, drawn by gnuplot.
 *
 * A panel is two sets of the data file: the points, and the names with where
 * their curves end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "line_chart.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "charts.h"

enum { PATH_SIZE = 4096, NAME_PIXELS = 20 };

struct line_series *line_panel_add(struct line_panel *p, const char *name,
                                   const char *colour, size_t place,
                                   enum line_style style)
{
    if (p->n == LINE_SERIES_MAX)
        return NULL;
    struct line_series *s = &p->series[p->n++];
    *s = (struct line_series){.place = place, .style = style};
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->colour, sizeof s->colour, "%s", colour);
    return s;
}

int line_series_add(struct line_series *s, double x, double y)
{
    return line_series_add_interval(s, x, y, y, y);
}

int line_series_add_interval(struct line_series *s, double x, double y,
                             double low, double high)
{
    if (!isfinite(x) || !isfinite(y))
        return 0;
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 32;
        double(*more)[4] = realloc(s->at, room * sizeof *more);
        if (!more)
            return ENOMEM;
        s->at = more;
        s->room = room;
    }
    double *at = s->at[s->n++];
    at[0] = x;
    at[1] = y;
    at[2] = isfinite(low) && isfinite(high) ? low : y;
    at[3] = isfinite(low) && isfinite(high) ? high : y;
    return 0;
}

void line_chart_free(struct line_chart *c)
{
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < c->panel[i].n; k++)
            free(c->panel[i].series[k].at);
    c->n = 0;
}

/* ---- axes ---- */

struct range {
    double from, to;
    char tics[512]; /* "-": gnuplot's own */
};

static bool is_shown(const struct line_panel *p, const double at[4])
{
    return (!p->x.is_log || at[0] > 0) && (!p->y.is_log || at[1] > 0);
}

static size_t count_points(const struct line_panel *p)
{
    size_t points = 0;
    for (size_t k = 0; k < p->n; k++)
        for (size_t i = 0; i < p->series[k].n; i++)
            points += is_shown(p, p->series[k].at[i]);
    return points;
}

static void write_tics(const struct line_axis *a, struct range *r)
{
    double tic[LOG_TICS_MAX];
    size_t used = 0, n;
    snprintf(r->tics, sizeof r->tics, "%s", a->tics ? a->tics : "-");
    if (a->tics || !a->is_log)
        return;
    n = log_tics(r->from, r->to, tic);
    for (size_t i = 0; i < n && used < sizeof r->tics - 32; i++)
        used += (size_t)snprintf(r->tics + used, sizeof r->tics - used,
                                 "%s%.9g|%.9g", i ? " " : "", tic[i], tic[i]);
}

/* dimension: 0 x, 1 y. */
static struct range fit(const struct line_panel *p, int dimension)
{
    const struct line_axis *a = dimension ? &p->y : &p->x;
    struct range r = {.from = INFINITY, .to = -INFINITY};
    if (dimension && isfinite(p->reference))
        r.from = r.to = p->reference;
    for (size_t k = 0; k < p->n; k++)
        for (size_t i = 0; i < p->series[k].n; i++) {
            const double *at = p->series[k].at[i];
            if (!is_shown(p, at) ||
                (dimension && p->series[k].style == LINE_MARKS))
                continue;
            r.from = fmin(r.from, at[dimension ? 2 : 0]);
            r.to = fmax(r.to, at[dimension ? 3 : 0]);
        }
    double room = dimension ? 0.08 : 0;   /* names need none to the right */
    if (a->is_log && r.to < 2.4 * r.from) /* or it would have no tics */
        room = fmax(room, 0.5);
    if (a->is_log) {
        double span = fmax(log(r.to / r.from), 0.7);
        r.from *= exp(-room * span);
        r.to *= exp(room * span);
    } else {
        r.from = a->begins_at_0 ? 0 : r.from;
        r.to += room * (r.to - r.from);
        r.to = r.to > r.from ? r.to : r.from + 1;
    }
    r.to = a->to > 0 ? a->to : r.to;
    write_tics(a, &r);
    return r;
}

/* Where a value stands on its axis, 0 .. 1. */
static double share_of(const struct line_axis *a, const struct range *r,
                       double v)
{
    double share = a->is_log ? log(v / r->from) / log(r->to / r->from)
                             : (v - r->from) / (r->to - r->from);
    return fmin(fmax(share, 0), 1);
}

/* ---- data ---- */

static void write_points(const struct line_panel *p, const struct range *x,
                         const struct range *y, FILE *f)
{
    for (size_t k = 0; k < p->n; k++) {
        const struct line_series *s = &p->series[k];
        for (size_t i = 0; i < s->n; i++) {
            if (!is_shown(p, s->at[i]))
                continue;
            print_field(f, p->title);
            fprintf(f,
                    "\t%s\t%s\t%.9g\t%.9g\t%.9g\t%.9g\t%d\t%d\t%s\t%s\t%.9g\t",
                    p->x.label, p->y.label, x->from, x->to, y->from, y->to,
                    p->x.is_log, p->y.is_log, x->tics, y->tics,
                    known(p->reference));
            print_field(f, s->colour);
            fprintf(f, "\t%zu\t%d\t%.9g\t%.9g\t", s->place, (int)s->style,
                    s->at[i][0],
                    s->style == LINE_MARKS ? y->from : s->at[i][1]);
            print_field(f, s->name[0] ? s->name : "-");
            fprintf(f, "\t%.9g\t%.9g\n", s->at[i][2], s->at[i][3]);
        }
        if (s->n)
            putc('\n', f);
    }
    putc('\n', f);
}

struct name {
    const struct line_series *series;
    const double *end; /* its last point */
    double y;          /* 0 .. 1 */
};

static int order_names(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    return (x->y > y->y) - (x->y < y->y);
}

static void write_names(const struct line_panel *p, const struct range *y,
                        double pixels, struct chart_notes *notes, FILE *f)
{
    struct name name[LINE_SERIES_MAX];
    double place[LINE_SERIES_MAX];
    size_t n = 0;
    for (size_t k = 0; k < p->n; k++) {
        const struct line_series *s = &p->series[k];
        if (!s->n || !s->name[0])
            continue;
        const double *end = s->at[s->n - 1];
        name[n++] = (struct name){s, end, share_of(&p->y, y, end[1])};
        notes_width(notes, strlen(s->name));
    }
    qsort(name, n, sizeof *name, order_names);
    for (size_t i = 0; i < n; i++)
        place[i] = name[i].y;
    spread_labels(place, n, NAME_PIXELS / pixels, 0, 1);
    for (size_t i = 0; i < n; i++) {
        print_field(f, name[i].series->name);
        putc('\t', f);
        print_field(f, name[i].series->colour);
        fprintf(f, "\t%zu\t%.9g\t%.9g\t%.6f\n", name[i].series->place,
                name[i].end[0], name[i].end[1], place[i]);
    }
    if (!n)
        fputs("-\t-\t0\t0\t0\t-1\n", f); /* a set must have a line */
    fputs("\n\n", f);
}

static int write_data(const struct line_chart *c, const char *path,
                      struct chart_notes *notes)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return errno;
    for (size_t i = 0; i < c->n; i++)
        notes->panels += count_points(&c->panel[i]) > 0;
    double pixels = notes->panels > 2 ? 332 : 446;
    fputs(
        "# panel\tx axis\ty axis\tx from\tx to\ty from\ty to\tx log\ty log\t"
        "x tics\ty tics\treference\tcolour\tplace\tstyle\tx\ty\tname\tlo\thi; "
        "then name, colour, place, end x, end y, height\n",
        f);
    for (size_t i = 0; i < c->n; i++) {
        const struct line_panel *p = &c->panel[i];
        if (!count_points(p))
            continue;
        struct range x = fit(p, 0), y = fit(p, 1);
        write_points(p, &x, &y, f);
        write_names(p, &y, pixels, notes, f);
    }
    int err = ferror(f) ? EIO : 0;
    if (fclose(f) && !err)
        err = errno;
    return err;
}

int line_chart_draw(struct line_chart *c, const char *scripts, const char *out,
                    char *why, size_t why_size)
{
    static const char *const formats[] = {"svg", "png"};
    struct chart_notes notes = {0};
    char data[PATH_SIZE], image[PATH_SIZE], script[PATH_SIZE];
    char panels[16], longest[24];
    const char *guard = out[0] == '/' ? "" : "./";
    if (snprintf(data, PATH_SIZE, "%s%s/%s.tsv", guard, out, c->name) >=
            PATH_SIZE ||
        snprintf(script, PATH_SIZE, "%s/lines.gp", scripts) >= PATH_SIZE)
        return ENAMETOOLONG;
    snprintf(why, why_size, "%s", data);
    wrap_caption(c->caption);
    int err = write_data(c, data, &notes);
    if (!err && !notes.panels)
        remove(data);
    snprintf(panels, sizeof panels, "%zu", notes.panels);
    snprintf(longest, sizeof longest, "%zu", notes.longest);
    for (size_t i = 0; i < 2 && !err && notes.panels; i++) {
        snprintf(image, sizeof image, "%.*s%s", (int)strlen(data) - 3, data,
                 formats[i]);
        const char *const argument[] = {
            "gnuplot",  "-d",   "-c",     script,     scripts, data, image,
            formats[i], panels, c->title, c->caption, longest, NULL};
        err = gnuplot_run(argument, why, why_size);
    }
    return err;
}
