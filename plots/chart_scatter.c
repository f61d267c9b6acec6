/* chart_scatter.c - time against memory: a point an allocator.
 *
 * Labels stand beside their points: of eight places each takes the one that
 * overlaps the least with points, whiskers and the labels before it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "charts.h"

enum { POINTS_MAX = 64 };

struct box {
    double left, right, bottom, top; /* pixels */
};

struct point {
    const char *name;
    struct interval x, y; /* scaled */
    struct box label;
    bool is_flush_right; /* the label: it stands left of its point */
};

struct axis {
    struct scale scale;
    double from, to;
    bool is_log;
    double reference; /* scaled; NAN if there is none */
};

struct panel {
    struct point point[POINTS_MAX];
    size_t n;
    struct axis x, y;
    struct box blocked[2]; /* no place for labels */
    double width, height;  /* of the inside, in pixels of the script's page */
};

static struct interval scaled(const struct interval *i, double divisor)
{
    return (struct interval){i->value / divisor, i->lo / divisor,
                             i->hi / divisor};
}

static void fit_axis(struct axis *a, double least, double most)
{
    a->is_log = least > 0 && most > CHART_LOG_FROM * least;
    a->from =
        a->is_log ? fmin(least, fmax(a->reference, least / 100)) / 1.5 : 0;
    a->to = a->is_log ? most * 1.6 : most * 1.18;
    if (isfinite(a->reference) && a->reference > a->to)
        a->to = a->reference * 1.18;
}

/* 0 .. 1 across the axis. */
static double place(const struct axis *a, double v)
{
    return a->is_log ? log(v / a->from) / log(a->to / a->from)
                     : (v - a->from) / (a->to - a->from);
}

static double unplace(const struct axis *a, double u)
{
    return a->is_log ? a->from * pow(a->to / a->from, u)
                     : a->from + u * (a->to - a->from);
}

static double overlap(const struct box *a, const struct box *b)
{
    double w = fmin(a->right, b->right) - fmax(a->left, b->left);
    double h = fmin(a->top, b->top) - fmax(a->bottom, b->bottom);
    return w > 0 && h > 0 ? w * h : 0;
}

enum { CHAR_WIDTH = 10, CHAR_HEIGHT = 18, PLACES = 8 };

/* Offsets of a label from its point, in pixels; flush right if dx < 0. */
static const struct {
    double dx, dy;
} places[PLACES] = {{9, 0},    {-9, 0},    {10, 16}, {-10, 16},
                    {10, -16}, {-10, -16}, {14, 34}, {14, -34}};

static struct box label_box(const struct panel *p, const struct point *t, int k)
{
    /* beside the point: past the whisker */
    double from = places[k].dy != 0  ? t->x.value
                  : places[k].dx < 0 ? t->x.lo
                                     : t->x.hi;
    double x = place(&p->x, from) * p->width + places[k].dx;
    double y = place(&p->y, t->y.value) * p->height + places[k].dy;
    double width = CHAR_WIDTH * (double)strlen(shown_name(t->name));
    bool is_left = places[k].dx < 0;
    return (struct box){is_left ? x - width : x, is_left ? x : x + width,
                        y - CHAR_HEIGHT / 2.0, y + CHAR_HEIGHT / 2.0};
}

/* The line of the most live bytes, and its name below its right end. */
static void block_reference(const struct panel *p, struct box blocked[2])
{
    double y = place(&p->y, p->y.reference) * p->height;
    blocked[0] = (struct box){0, p->width, y - 2, y + 2};
    blocked[1] = (struct box){p->width - 110, p->width, y - 20, y};
    if (!isfinite(y))
        blocked[0] = blocked[1] = (struct box){0, 0, 0, 0};
}

/* Pixels between a point and the near end of a label. */
static double distance(const struct panel *p, const struct point *t,
                       const struct box *b, bool is_flush_right)
{
    double x = place(&p->x, t->x.value) * p->width;
    double y = place(&p->y, t->y.value) * p->height;
    double end = is_flush_right ? b->right : b->left;
    return hypot(end - x, (b->bottom + b->top) / 2 - y);
}

/* How bad it is to put the label of point `own` into box b: square pixels
 * covered, and a fine for each point that the label would seem to name. */
static double cost(const struct panel *p, const struct point *own,
                   const struct box *b, bool is_flush_right)
{
    const struct box inside = {0, p->width, 0, p->height};
    double area = (b->right - b->left) * (b->top - b->bottom);
    double sum = 8 * (area - overlap(b, &inside));
    double near = distance(p, own, b, is_flush_right);
    for (size_t i = 0; i < p->n; i++) {
        const struct point *t = &p->point[i];
        double x = place(&p->x, t->x.value) * p->width;
        double y = place(&p->y, t->y.value) * p->height;
        struct box mark = {x - 8, x + 8, y - 8, y + 8};
        struct box across = {place(&p->x, t->x.lo) * p->width,
                             place(&p->x, t->x.hi) * p->width, y - 2, y + 2};
        sum += 4 * overlap(b, &mark) + 4 * overlap(b, &across);
        if (t == own)
            continue;
        sum += 4 * overlap(b, &t->label);
        if (distance(p, t, b, is_flush_right) < near + 8)
            sum += 400;
    }
    for (int i = 0; i < 2; i++)
        sum += 2 * overlap(b, &p->blocked[i]);
    return sum;
}

/* Each label in turn takes its best place, given all others; some rounds. */
static void place_labels(struct panel *p)
{
    enum { ROUNDS = 5 };
    block_reference(p, p->blocked);
    for (size_t i = 0; i < ROUNDS * p->n; i++) {
        struct point *t = &p->point[i % p->n];
        double least = INFINITY;
        for (int k = 0; k < PLACES; k++) {
            struct box b = label_box(p, t, k);
            double c = cost(p, t, &b, places[k].dx < 0) + 20 * k;
            if (c < least) {
                least = c;
                t->label = b;
                t->is_flush_right = places[k].dx < 0;
            }
        }
    }
}

/* The points of a block: allocators with both figures, the floor apart. */
static void gather(const struct block *b, struct panel *p)
{
    double x_least = INFINITY, x_most = 0, y_least = INFINITY, y_most = 0;
    p->n = 0;
    p->x.reference = p->y.reference = NAN;
    for (size_t i = 0; i < b->n && p->n < POINTS_MAX; i++) {
        const char *name = b->allocator[i];
        const struct estimate *x = block_find(b, name, "time", "wall_per_op");
        const struct estimate *y = block_find(b, name, "memory", "rss_peak");
        const struct estimate *live =
            block_find(b, name, "memory", "live_peak");
        if (live && live->n)
            p->y.reference = live->median.value;
        if (x && x->n && !strcmp(name, "null")) {
            p->x.reference = x->median.value;
            continue;
        }
        if (!x || !y || !x->n || !y->n)
            continue;
        p->point[p->n++] =
            (struct point){.name = name, .x = x->median, .y = y->median};
        x_least = fmin(x_least, x->median.lo);
        x_most = fmax(x_most, x->median.hi);
        y_least = fmin(y_least, y->median.lo);
        y_most = fmax(y_most, y->median.hi);
    }
    p->x.scale = scale_for_time(x_most);
    p->y.scale = scale_for_bytes(y_most);
    double dx = p->x.scale.divisor, dy = p->y.scale.divisor;
    p->x.reference /= dx;
    p->y.reference /= dy;
    fit_axis(&p->x, x_least / dx, x_most / dx);
    fit_axis(&p->y, y_least / dy, y_most / dy);
    for (size_t i = 0; i < p->n; i++) {
        p->point[i].x = scaled(&p->point[i].x, dx);
        p->point[i].y = scaled(&p->point[i].y, dy);
    }
}

static void print_point(const struct page *page, const struct panel *p,
                        const struct point *t, const char *title, FILE *f)
{
    double end = t->is_flush_right ? t->label.right : t->label.left;
    print_field(f, title);
    putc('\t', f);
    print_field(f, shown_name(t->name));
    fprintf(f, "\t%zu\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\t%d",
            page_colour(page, t->name), t->x.value, t->x.lo, t->x.hi,
            t->y.value, t->y.lo, t->y.hi, unplace(&p->x, end / p->width),
            unplace(&p->y, (t->label.bottom + t->label.top) / 2 / p->height),
            t->is_flush_right);
    fprintf(f, "\t%.9g\t%.9g\t%.9g\t%.9g\t%d", known(p->x.reference), p->x.from,
            p->x.to, known(p->y.reference), p->x.is_log);
    fprintf(f, "\t%.9g\t%.9g\t%d\t%s%s\t%s%s\n", p->y.from, p->y.to,
            p->y.is_log, p->x.scale.unit, p->x.is_log ? ", log scale" : "",
            p->y.scale.unit, p->y.is_log ? ", log scale" : "");
}

static int write_scatter(const struct page *page, FILE *f,
                         struct chart_notes *notes, char *why, size_t why_size)
{
    struct panel p;
    char title[256];
    (void)why, (void)why_size;
    fputs("# panel\tallocator\tcolour\ttime\tlo\thi\tmemory\tlo\thi\tlabel x\t"
          "label y\tflush right\tnull floor\tx from\tx to\tmost live\tx log\t"
          "y from\ty to\ty log\tx unit\ty unit\n",
          f);
    p.width = page->n == 1 ? 1146 : 525; /* as page.gp makes it */
    p.height = page->n > 2 ? 332 : 446;
    for (size_t i = 0; i < page->n; i++) {
        gather(page->block[i], &p);
        if (p.n == 0)
            continue;
        place_labels(&p);
        block_title(page->all, page->block[i], title, sizeof title);
        for (size_t j = 0; j < p.n; j++) {
            print_point(page, &p, &p.point[j], title, f);
            notes_count(notes, block_find(page->block[i], p.point[j].name,
                                          "time", "wall_per_op"));
            notes_count(notes, block_find(page->block[i], p.point[j].name,
                                          "memory", "rss_peak"));
        }
        fputs("\n\n", f);
        notes->panels++;
    }
    return 0;
}

const struct chart time_memory_chart = {
    "time-memory", "scatter", "Time against memory",
    "Point: medians of the runs; crosses: their 95 %% bootstrap intervals. "
    "Dashed: the null floor (time of the harness alone) and the most bytes "
    "live at once in the trace.",
    write_scatter};
