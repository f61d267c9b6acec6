/* chart_curves.c - resident memory over time, one run of each allocator.
 *
 * The run shown is the one whose peak is nearest to the median peak.  Two
 * readings of samples.csv: the first chooses the runs, the second takes their
 * curves; so memory is a few curves, however long the file.
 *
 * A curve far above all others would press them flat: the axis then ends
 * above the others, and a note at its name says how high it goes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "charts.h"

struct curve {
    double (*at)[2]; /* [n]: seconds, bytes */
    size_t n, room;
};

/* The run chosen for one allocator of one block. */
struct pick {
    const struct block *block;
    const struct estimate *peak;
    char session[24];
    uint32_t run; /* 0: none yet */
    double distance;
    struct curve rss, live;
};

struct picks {
    struct pick *pick; /* [n] */
    size_t n;
};

static bool is_same_arm(const struct run_key *x, const struct run_key *y)
{
    return x->threads == y->threads && x->window == y->window &&
           x->scale == y->scale && !strcmp(x->allocator, y->allocator) &&
           !strcmp(x->workload, y->workload) && !strcmp(x->touch, y->touch);
}

static int picks_open(const struct page *p, struct picks *out)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->block[i]->n;
    *out = (struct picks){.pick = calloc(n ? n : 1, sizeof *out->pick)};
    if (!out->pick)
        return ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        const struct block *b = p->block[i];
        for (size_t j = 0; j < b->n; j++) {
            const struct estimate *e =
                block_find(b, b->allocator[j], "memory", "rss_peak");
            if (e && e->n)
                out->pick[out->n++] =
                    (struct pick){.block = b, .peak = e, .distance = INFINITY};
        }
    }
    return 0;
}

static void picks_close(struct picks *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->pick[i].rss.at);
        free(p->pick[i].live.at);
    }
    free(p->pick);
}

static void choose(struct picks *p, const struct row *row)
{
    if (strcmp(row->metric, "rss_peak") || row->at[0])
        return;
    for (size_t i = 0; i < p->n; i++) {
        struct pick *k = &p->pick[i];
        double distance = fabs(row->value - k->peak->median.value);
        if (distance < k->distance && is_same_arm(&row->key, &k->peak->key)) {
            k->distance = distance;
            k->run = row->key.run;
            memcpy(k->session, row->key.session, sizeof k->session);
        }
    }
}

static int append(struct curve *c, double seconds, double bytes)
{
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 256;
        double(*more)[2] = realloc(c->at, room * sizeof *more);
        if (!more)
            return ENOMEM;
        c->at = more;
        c->room = room;
    }
    c->at[c->n][0] = seconds;
    c->at[c->n++][1] = bytes;
    return 0;
}

static int take(struct picks *p, const struct row *row)
{
    bool is_rss = !strcmp(row->metric, "rss");
    if (!isdigit((unsigned char)row->at[0]) ||
        (!is_rss && strcmp(row->metric, "live")))
        return 0;
    for (size_t i = 0; i < p->n; i++) {
        struct pick *k = &p->pick[i];
        if (k->run == row->key.run && !strcmp(k->session, row->key.session) &&
            is_same_arm(&row->key, &k->peak->key))
            return append(is_rss ? &k->rss : &k->live, strtod(row->at, NULL),
                          row->value);
    }
    return 0;
}

static int read_picks(const char *path, struct picks *p, bool is_second,
                      char *why, size_t why_size)
{
    struct row_reader *reader;
    struct row row;
    int err = row_reader_open(path, &reader, why, why_size);
    if (err)
        return err;
    while ((err = row_reader_next(reader, &row, why, why_size)) == 0) {
        if (row.status != STATUS_OK || strcmp(row.key.meter, "memory"))
            continue;
        if (!is_second)
            choose(p, &row);
        else if ((err = take(p, &row)) != 0)
            break;
    }
    row_reader_close(reader);
    return err == ENOENT ? 0 : err;
}

static int order_points(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (x[0] > y[0]) - (x[0] < y[0]);
}

enum { CURVES_MAX = 64 };

/* What a panel needs beside its curves. */
struct panel {
    const struct block *block;
    const struct pick *pick[CURVES_MAX]; /* [n]: those with a curve, lowest end
                                            first */
    double label[CURVES_MAX];            /* [n]: heights of the labels, bytes */
    size_t n;
    const struct pick *live; /* whose live curve is shown */
    double seconds, bytes;   /* the ends of the axes */
    double line;             /* height of a line of text, bytes */
};

double curves_top(const double peak[], size_t n, double kept)
{
    const double outlier = 2.5, room = 1.08, room_if_cut = 1.25;
    double top = room * fmax(n ? peak[0] : 0, kept);
    for (size_t cut = 1; cut <= n / 2; cut++) {
        double rest = fmax(peak[cut], kept);
        if (rest > 0 && peak[cut - 1] > outlier * rest)
            top = room_if_cut * rest;
    }
    return top;
}

static double peak_bytes(const struct curve *c)
{
    double most = 0;
    for (size_t i = 0; i < c->n; i++)
        most = fmax(most, c->at[i][1]);
    return most;
}

static double last_bytes(const struct pick *k)
{
    return k->rss.at[k->rss.n - 1][1];
}

static void add_pick(struct panel *t, const struct pick *k)
{
    size_t i = t->n++;
    for (; i > 0 && last_bytes(t->pick[i - 1]) > last_bytes(k); i--)
        t->pick[i] = t->pick[i - 1];
    t->pick[i] = k;
    t->seconds = fmax(t->seconds, k->rss.at[k->rss.n - 1][0]);
}

static int order_downwards(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

static void fit_height(struct panel *t, const char *baseline)
{
    double peak[CURVES_MAX], kept = t->live ? peak_bytes(&t->live->live) : 0;
    for (size_t i = 0; i < t->n; i++) {
        peak[i] = peak_bytes(&t->pick[i]->rss);
        if (!strcmp(t->pick[i]->peak->key.allocator, baseline))
            kept = fmax(kept, peak[i]);
    }
    qsort(peak, t->n, sizeof *peak, order_downwards);
    t->bytes = curves_top(peak, t->n, kept);
}

static bool is_cut(const struct panel *t, size_t i)
{
    return peak_bytes(&t->pick[i]->rss) > t->bytes;
}

/* Beside the ends of the curves; the name of one that is cut has a second
 * line, which stays right below it, as both want the same place. */
static void place_labels(struct panel *t, double pixels)
{
    const double line_pixels = 21;
    double y[2 * CURVES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        for (int line = 0; line <= is_cut(t, i); line++)
            y[n++] = fmin(last_bytes(t->pick[i]), t->bytes);
    t->line = t->bytes * fmin(line_pixels / pixels, 1.0 / (double)n);
    spread_labels(y, n, t->line, 0, t->bytes);
    n = 0;
    for (size_t i = 0; i < t->n; i++) {
        n += is_cut(t, i);
        t->label[i] = y[n++];
    }
}

static void fill_panel(struct picks *p, const struct block *b,
                       const char *baseline, struct panel *t)
{
    *t = (struct panel){.block = b};
    for (size_t i = 0; i < p->n && t->n < CURVES_MAX; i++) {
        struct pick *k = &p->pick[i];
        if (k->block != b || k->rss.n == 0)
            continue;
        qsort(k->rss.at, k->rss.n, sizeof *k->rss.at, order_points);
        if (k->live.n)
            qsort(k->live.at, k->live.n, sizeof *k->live.at, order_points);
        add_pick(t, k);
        if (k->live.n &&
            (!t->live || !strcmp(k->peak->key.allocator, baseline)))
            t->live = k;
    }
    fit_height(t, baseline);
}

struct units {
    char title[256];
    struct scale x, y;
};

static void print_point(FILE *f, const struct page *page, const char *name,
                        const struct panel *t, const struct units *u,
                        const double at[3], const char *note)
{
    print_field(f, u->title);
    putc('\t', f);
    print_field(f, shown_name(name));
    fprintf(f, "\t%zu\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%s\t%s\t%.9g\t%s\n",
            page_colour(page, name), at[0] * 1e9 / u->x.divisor,
            at[1] / u->y.divisor, at[2] / u->y.divisor,
            t->seconds * 1e9 / u->x.divisor, t->bytes / u->y.divisor, u->x.unit,
            u->y.unit, (at[2] - t->line) / u->y.divisor, note);
}

/* Where the line to the name begins: at the end of the curve, or where it
 * leaves the panel for good. */
static void find_exit(const struct panel *t, const struct curve *c,
                      double at[2])
{
    size_t i = c->n - 1;
    at[0] = c->at[i][0];
    at[1] = fmin(c->at[i][1], t->bytes);
    if (c->at[i][1] <= t->bytes)
        return;
    while (i > 0 && c->at[i - 1][1] > t->bytes)
        i--;
    at[0] = c->at[i][0];
    if (i > 0)
        at[0] -= (c->at[i][0] - c->at[i - 1][0]) * (c->at[i][1] - t->bytes) /
                 (c->at[i][1] - c->at[i - 1][1]);
}

/* "(up to 566 MiB)", or "-" for a curve that is all inside. */
static void write_note(const struct panel *t, size_t i, char note[48])
{
    double peak = peak_bytes(&t->pick[i]->rss);
    struct scale s = scale_for_bytes(peak);
    snprintf(note, 48, "-"); /* gnuplot misreads an empty field */
    if (is_cut(t, i))
        snprintf(note, 48, "(up to %.*f %s)", decimals_short(peak / s.divisor),
                 peak / s.divisor, s.unit);
}

static void write_labels(const struct page *page, const struct panel *t,
                         const struct units *u, struct chart_notes *notes,
                         FILE *f)
{
    char note[48];
    for (size_t k = 0; k < t->n; k++) {
        const char *name = t->pick[k]->peak->key.allocator;
        double at[3] = {0, 0, t->label[k]};
        find_exit(t, &t->pick[k]->rss, at);
        write_note(t, k, note);
        print_point(f, page, name, t, u, at, note);
        notes_count(notes, t->pick[k]->peak);
        notes_name(notes, name);
        if (!is_cut(t, k))
            continue;
        notes_width(notes, strlen(note) * 4 / 5); /* in smaller letters */
        notes->more = "Lines that leave at the top are cut there.";
    }
    fputs("\n\n", f);
}

/* Three data sets: the live curve, the curves, the labels. */
static void write_panel(const struct page *page, const struct panel *t,
                        struct chart_notes *notes, FILE *f)
{
    struct units u = {.x = scale_for_time(t->seconds * 1e9),
                      .y = scale_for_bytes(t->bytes)};
    const double none[3] = {NAN, NAN, NAN};
    block_title(page->all, t->block, u.title, sizeof u.title);
    if (!t->live)
        print_point(f, page, "live", t, &u, none, "-");
    for (size_t i = 0; t->live && i < t->live->live.n; i++) {
        const double *at = t->live->live.at[i];
        print_point(f, page, "live", t, &u, (double[]){at[0], at[1], NAN}, "-");
    }
    fputs("\n\n", f);
    for (size_t k = 0; k < t->n; k++) {
        const struct pick *pick = t->pick[k];
        for (size_t i = 0; i < pick->rss.n; i++) {
            const double *at = pick->rss.at[i];
            print_point(f, page, pick->peak->key.allocator, t, &u,
                        (double[]){at[0], at[1], NAN}, "-");
        }
        fputs(k + 1 < t->n ? "\n" : "\n\n", f);
    }
    write_labels(page, t, &u, notes, f);
}

static int write_curves(const struct page *page, FILE *f,
                        struct chart_notes *notes, char *why, size_t why_size)
{
    struct picks picks;
    struct panel t;
    if (!page->samples_path)
        return 0;
    int err = picks_open(page, &picks);
    if (err)
        return err;
    err = read_picks(page->samples_path, &picks, false, why, why_size);
    if (!err)
        err = read_picks(page->samples_path, &picks, true, why, why_size);
    fputs("# panel\tallocator\tcolour\ttime\tmemory\tlabel\tmost time\t"
          "most memory\ttime unit\tmemory unit\tnote y\tnote\n",
          f);
    for (size_t i = 0; i < page->n && !err; i++) {
        fill_panel(&picks, page->block[i], page->all->baseline, &t);
        if (t.n == 0)
            continue;
        place_labels(&t, page_row_pixels(page));
        write_panel(page, &t, notes, f);
        notes->panels++;
    }
    picks_close(&picks);
    return err;
}

const struct chart memory_curve_chart = {
    "memory-curve", "curves", "Memory over time",
    "Line: resident memory of one run, the one nearest to the median peak. "
    "Dotted: leads to the name. Filled: bytes live in the trace, in the "
    "time of %s.",
    write_curves};
