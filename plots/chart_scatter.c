/* chart_scatter.c - time against memory: a point an allocator.
 *
 * Labels stand beside their points: of some places each takes the one that
 * overlaps the least with points, whiskers, lines and the other labels.
 *
 * All panels of a page have the same kind of axis, linear or logarithmic: so
 * their pictures can be compared.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "charts.h"

enum { POINTS_MAX = 64, BLOCKED = 3 };

struct box {
    double left, right, bottom, top; /* pixels */
};

struct point {
    const char *name;
    struct interval x, y; /* scaled */
    struct box label;
    bool is_flush_right; /* the label: it stands left of its point */
    bool is_far;         /* the label: a line leads to it */
};

struct axis {
    struct scale scale;
    double least, most; /* of the points with their whiskers, scaled */
    double from, to;
    bool is_log;
    double reference; /* scaled; NAN if there is none */
};

struct panel {
    struct point point[POINTS_MAX];
    size_t n;
    struct axis x, y;
    struct box blocked[BLOCKED]; /* no place for labels */
    double width, height; /* of the inside, in pixels of the script's page */
};

static struct interval scaled(const struct interval *i, double divisor)
{
    return (struct interval){i->value / divisor, i->lo / divisor,
                             i->hi / divisor};
}

static void fit_axis(struct axis *a, bool is_log)
{
    double least = a->least;
    if (a->reference >= least / 100) /* not if NAN */
        least = fmin(least, a->reference);
    a->is_log = is_log;
    a->from = is_log ? least / 1.5 : 0;
    a->to = is_log ? a->most * 1.6 : a->most * 1.18;
    if (a->reference > a->to)
        a->to = a->reference * 1.18;
}

size_t log_tics(double from, double to, double tic[LOG_TICS_MAX])
{
    static const double digits[3][7] = {
        {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 7}, {1}}; /* as many as fit well */
    const size_t enough = 3, too_many = 9;
    size_t n = 0;
    for (int k = 0; k < 3; k++) {
        n = 0;
        for (double power = pow(10, floor(log10(from))); power <= to;
             power *= 10)
            for (int d = 0; d < 7 && digits[k][d] > 0; d++) {
                double v = power * digits[k][d];
                if (v >= from && v <= to && n < LOG_TICS_MAX)
                    tic[n++] = v;
            }
        if (k == 0 ? n >= enough && n <= too_many : n <= too_many)
            break;
    }
    return n;
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

enum { CHAR_WIDTH = 10, CHAR_HEIGHT = 18, PLACES = 18, EDGE = 5, FAR = 20 };

/* Offsets of a label from its point, in pixels; flush right if dx < 0.  One
 * that is FAR above or below gets a line to its point. */
static const struct {
    double dx, dy;
} places[PLACES] = {{9, 0},     {-9, 0},   {10, 16},  {-10, 16},  {10, -16},
                    {-10, -16}, {14, 24},  {-14, 24}, {14, -24},  {-14, -24},
                    {16, 33},   {-16, 33}, {16, -33}, {-16, -33}, {18, 44},
                    {-18, 44},  {18, -44}, {-18, -44}};

static bool is_far(int k)
{
    return fabs(places[k].dy) > FAR;
}

static struct box label_box(const struct panel *p, const struct point *t, int k)
{
    /* beside the point: past the whisker */
    double from = places[k].dy != 0  ? t->x.value
                  : places[k].dx < 0 ? t->x.lo
                                     : t->x.hi;
    double x = place(&p->x, from) * p->width + places[k].dx;
    double y = place(&p->y, t->y.value) * p->height + places[k].dy;
    double width = CHAR_WIDTH * (double)strlen(shown_name(t->name)) + EDGE;
    bool is_left = places[k].dx < 0;
    return (struct box){is_left ? x - width : x, is_left ? x : x + width,
                        y - CHAR_HEIGHT / 2.0, y + CHAR_HEIGHT / 2.0};
}

/* The line of the most live bytes, its name below its right end, and the line
 * of the null floor. */
static void block_references(struct panel *p)
{
    double x = place(&p->x, p->x.reference) * p->width;
    double y = place(&p->y, p->y.reference) * p->height;
    const struct box none = {0, 0, 0, 0};
    p->blocked[0] = p->blocked[1] = p->blocked[2] = none;
    if (isfinite(y)) {
        p->blocked[0] = (struct box){0, p->width, y - 2, y + 2};
        p->blocked[1] = (struct box){p->width - 115, p->width, y - 22, y};
    }
    if (isfinite(x))
        p->blocked[2] = (struct box){x - 2, x + 2, 0, p->height};
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

/* How much of the line from point t to label b runs through the box: pixels,
 * about. */
static double crossing(const struct panel *p, const struct point *t,
                       const struct box *b, bool is_flush_right,
                       const struct box *box)
{
    enum { STEPS = 12 };
    double x = place(&p->x, t->x.value) * p->width;
    double y = place(&p->y, t->y.value) * p->height;
    double dx = (is_flush_right ? b->right : b->left) - x;
    double dy = (b->bottom + b->top) / 2 - y, sum = 0;
    for (int i = 1; i <= STEPS; i++) {
        double u = x + dx * i / STEPS, v = y + dy * i / STEPS;
        if (u > box->left && u < box->right && v > box->bottom && v < box->top)
            sum += hypot(dx, dy) / STEPS;
    }
    return sum;
}

/* How bad it is to put the label of point `own` into box b: square pixels
 * covered, and fines for a line across another label, and for each point that
 * the label would seem to name. */
static double cost(const struct panel *p, const struct point *own,
                   const struct box *b, int k)
{
    const bool is_flush_right = places[k].dx < 0;
    const struct box inside = {EDGE, p->width, EDGE, p->height};
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
        sum += 8 * overlap(b, &mark) + 6 * overlap(b, &across);
        if (t == own)
            continue;
        sum += 8 * overlap(b, &t->label);
        if (is_far(k))
            sum += 60 * crossing(p, own, b, is_flush_right, &t->label);
        if (t->is_far)
            sum += 60 * crossing(p, t, &t->label, t->is_flush_right, b);
        if (distance(p, t, b, is_flush_right) < near + 8)
            sum += 400;
    }
    for (int i = 0; i < BLOCKED; i++)
        sum += 4 * overlap(b, &p->blocked[i]);
    return sum;
}

/* Each label in turn takes its best place, given all others; some rounds. */
static void place_labels(struct panel *p)
{
    enum { ROUNDS = 5 };
    block_references(p);
    for (size_t i = 0; i < ROUNDS * p->n; i++) {
        struct point *t = &p->point[i % p->n];
        double least = INFINITY;
        for (int k = 0; k < PLACES; k++) {
            struct box b = label_box(p, t, k);
            double c = cost(p, t, &b, k) + 12 * k;
            if (c < least) {
                least = c;
                t->label = b;
                t->is_flush_right = places[k].dx < 0;
                t->is_far = is_far(k);
            }
        }
    }
}

static void widen(struct axis *a, const struct interval *i)
{
    a->least = fmin(a->least, i->lo);
    a->most = fmax(a->most, i->hi);
}

static void scale_axis(struct axis *a, struct scale scale)
{
    a->scale = scale;
    a->least /= scale.divisor;
    a->most /= scale.divisor;
    a->reference /= scale.divisor;
}

/* The points of a block: allocators with both figures, the floor apart. */
static void gather(const struct block *b, struct panel *p)
{
    p->n = 0;
    p->x = p->y = (struct axis){.least = INFINITY, .reference = NAN};
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
        widen(&p->x, &x->median);
        widen(&p->y, &y->median);
    }
    scale_axis(&p->x, scale_for_time(p->x.most));
    scale_axis(&p->y, scale_for_bytes(p->y.most));
    for (size_t i = 0; i < p->n; i++) {
        p->point[i].x = scaled(&p->point[i].x, p->x.scale.divisor);
        p->point[i].y = scaled(&p->point[i].y, p->y.scale.divisor);
    }
}

/* Fit the axes of all panels, each kind alike. */
static void fit_axes(struct panel p[], size_t n)
{
    bool is_wide_x = false, is_wide_y = false, has_log_x = true,
         has_log_y = true;
    for (size_t i = 0; i < n; i++) {
        is_wide_x |= p[i].x.most > CHART_LOG_FROM * p[i].x.least;
        is_wide_y |= p[i].y.most > MEMORY_LOG_FROM * p[i].y.least;
        has_log_x &= p[i].n == 0 || p[i].x.least > 0;
        has_log_y &= p[i].n == 0 || p[i].y.least > 0;
    }
    for (size_t i = 0; i < n; i++) {
        fit_axis(&p[i].x, is_wide_x && has_log_x);
        fit_axis(&p[i].y, is_wide_y && has_log_y);
    }
}

/* Round numbers, or "-" for those that gnuplot finds. */
static void print_tics(const struct axis *a, FILE *f)
{
    double tic[LOG_TICS_MAX];
    size_t n = a->is_log ? log_tics(a->from, a->to, tic) : 0;
    putc('\t', f);
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s%g", i ? " " : "", tic[i]);
    if (n == 0)
        putc('-', f);
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
    fprintf(f, "\t%.9g\t%.9g\t%d\t%s%s\t%s%s", p->y.from, p->y.to, p->y.is_log,
            p->x.scale.unit, p->x.is_log ? ", log scale" : "", p->y.scale.unit,
            p->y.is_log ? ", log scale" : "");
    print_tics(&p->x, f);
    print_tics(&p->y, f);
    fprintf(f, "\t%d\n", t->is_far);
}

static void write_panel(const struct page *page, const struct block *b,
                        const struct panel *p, struct chart_notes *notes,
                        FILE *f)
{
    char title[256];
    block_title(page->all, b, title, sizeof title);
    for (size_t i = 0; i < p->n; i++) {
        const char *name = p->point[i].name;
        print_point(page, p, &p->point[i], title, f);
        notes_count(notes, block_find(b, name, "time", "wall_per_op"));
        notes_count(notes, block_find(b, name, "memory", "rss_peak"));
    }
    fputs("\n\n", f);
    notes->panels++;
}

static int write_scatter(const struct page *page, FILE *f,
                         struct chart_notes *notes, char *why, size_t why_size)
{
    struct panel p[PANELS_MAX];
    (void)why, (void)why_size;
    fputs("# panel\tallocator\tcolour\ttime\tlo\thi\tmemory\tlo\thi\tlabel x\t"
          "label y\tflush right\tnull floor\tx from\tx to\tmost live\tx log\t"
          "y from\ty to\ty log\tx unit\ty unit\tx tics\ty tics\tfar label\n",
          f);
    for (size_t i = 0; i < page->n; i++)
        gather(page->block[i], &p[i]);
    fit_axes(p, page->n);
    for (size_t i = 0; i < page->n; i++) {
        p[i].width = page->n == 1 ? 1146 : 525; /* as page.gp makes it */
        p[i].height = page_row_pixels(page);
        if (p[i].n == 0)
            continue;
        place_labels(&p[i]);
        write_panel(page, page->block[i], &p[i], notes, f);
    }
    return 0;
}

const struct chart time_memory_chart = {
    "time-memory", "scatter", "Time against memory",
    "Point: medians of the runs; crosses: their 95 %% bootstrap intervals. "
    "Dashed: the null floor (time of the harness alone) and the most bytes "
    "live at once in the trace.",
    write_scatter};
