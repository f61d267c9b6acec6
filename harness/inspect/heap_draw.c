/* heap_draw.c - a heap's picture as charts: the data, and gnuplot's call.
 *
 * The map lays pages out in the order of their addresses, as one reads: to
 * the right, then down.  A cell is one page, or 2, 4, 8, ... of them so that
 * the whole heap fits; where a gap in the address space was left out, a cell
 * marks it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "heap_report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "charts.h"

enum {
    CELLS_MAX = 144 * 64,
    COLUMNS_MIN = 32,
    DOTS = 4, /* a side of a cell */
    TICS = 8, /* of rows, at most */
    PATH_SIZE = 4200,
    CELL_GAP = PAGE_ABSENT + 1, /* beyond enum page_kind */
    CELL_NONE                   /* fills up the last row */
};

/* Width of the map over its height, as heap-map.gp has room for. */
#define SHAPE 1.68

struct cell {
    unsigned kind; /* enum page_kind, or CELL_GAP */
    unsigned doubling;
    uint64_t live; /* bytes */
    uint64_t of;   /* bytes of its pages */
};

/* ---- cells ---- */

static bool follows(const struct heap_picture *p, size_t i)
{
    return p->page[i].address == p->page[i - 1].address + p->page_bytes;
}

/* One cell of the pages from `i` on, at most `most` of them.  Live bytes win
 * over free ones, those over records, those over nothing.  Returns the next
 * page. */
static size_t fill_cell(const struct heap_picture *p, size_t i, size_t most,
                        struct cell *c)
{
    static const unsigned rank[] = {[PAGE_LIVE] = 3,
                                    [PAGE_FREE] = 2,
                                    [PAGE_METADATA] = 1,
                                    [PAGE_ABSENT] = 0};
    uint64_t by_doubling[PICTURE_DOUBLINGS] = {0};
    const size_t first = i;

    *c = (struct cell){.kind = PAGE_ABSENT};
    do {
        const struct picture_page *page = &p->page[i];

        if (rank[page->kind] > rank[c->kind])
            c->kind = page->kind;
        c->live += page->live_bytes;
        c->of += p->page_bytes;
        by_doubling[page->doubling] += page->live_bytes;
        i++;
    } while (i < p->npages && i - first < most && follows(p, i));
    for (unsigned k = 0; k < PICTURE_DOUBLINGS; k++)
        if (by_doubling[k] > by_doubling[c->doubling])
            c->doubling = k;
    return i;
}

/* Cells of at most `pages` pages each into cell[CELLS_MAX], or only count
 * them if cell is NULL. */
static size_t lay_cells(const struct heap_picture *p, size_t pages,
                        struct cell cell[])
{
    size_t n = 0;

    for (size_t i = 0; i < p->npages;) {
        struct cell c = {.kind = CELL_GAP};

        if (i && !follows(p, i)) {
            if (cell)
                cell[n] = c;
            n++;
        }
        i = fill_cell(p, i, pages, &c);
        if (cell)
            cell[n] = c;
        n++;
    }
    return n;
}

/* ---- the map ---- */

struct grid {
    struct cell *cell; /* [n] */
    size_t n, pages, columns;
    uint64_t seen[CELL_GAP + 1]; /* bytes, or gaps, by kind */
};

static int make_grid(const struct heap_picture *p, struct grid *g)
{
    g->pages = 1;
    while ((g->n = lay_cells(p, g->pages, NULL)) > CELLS_MAX &&
           g->pages < p->npages)
        g->pages *= 2;
    g->cell = malloc((g->n + 1) * sizeof *g->cell);
    if (!g->cell)
        return ENOMEM;
    lay_cells(p, g->pages, g->cell);
    g->columns = (size_t)ceil(sqrt((double)g->n * SHAPE));
    if (g->columns < COLUMNS_MIN)
        g->columns = COLUMNS_MIN;
    for (size_t i = 0; i < g->n; i++)
        g->seen[g->cell[i].kind] +=
            g->cell[i].kind == CELL_GAP ? 1 : g->cell[i].of;
    return 0;
}

/* MiB above some of the rows. */
static void write_tics(const struct grid *g, size_t rows, FILE *f)
{
    const size_t step = (rows + TICS - 1) / TICS;
    uint64_t above = 0;

    fprintf(f, "\n\n# row\tMiB above\n");
    for (size_t i = 0; i < g->n; i++) {
        const double mib = (double)above / (1 << 20);

        if (i % (step * g->columns) == 0)
            fprintf(f, "%zu\t%.*f MiB\n", i / g->columns, above > 0 && mib < 10,
                    mib);
        above += g->cell[i].of;
    }
}

/* Row, column, kind, doubling, share of live bytes: one dot a line.  A cell is
 * DOTS x DOTS of them, because gnuplot puts one pixel a dot into an SVG, and
 * viewers blur pixels that they enlarge much. */
static int write_map(const struct heap_picture *p, FILE *f, char *more,
                     size_t more_size)
{
    struct grid g = {0};
    const struct cell none = {.kind = CELL_NONE};
    int err = make_grid(p, &g);

    if (err)
        return err;
    const size_t rows = (g.n + g.columns - 1) / g.columns;
    fprintf(f, "# row\tcolumn\tkind\tdoubling\toccupancy\n");
    for (size_t y = 0; y < rows * DOTS; y++)
        for (size_t x = 0; x < g.columns * DOTS; x++) {
            const size_t i = y / DOTS * g.columns + x / DOTS;
            const struct cell *c = i < g.n ? &g.cell[i] : &none;

            fprintf(f, "%.3f\t%.3f\t%u\t%u\t%.3f\n", (double)y / DOTS,
                    (double)x / DOTS, c->kind, c->doubling,
                    c->of ? (double)c->live / (double)c->of : 0);
        }
    write_tics(&g, rows, f);
    snprintf(more, more_size, "%zu %zu %d %d %d %d", g.columns, rows,
             g.seen[PAGE_FREE] > 0, g.seen[PAGE_METADATA] > 0,
             g.seen[PAGE_ABSENT] > 0, g.seen[CELL_GAP] > 0);
    free(g.cell);
    return 0;
}

static void map_caption(const struct heap_picture *p, char *text, size_t size)
{
    size_t pages = 1;

    while (lay_cells(p, pages, NULL) > CELLS_MAX && pages < p->npages)
        pages *= 2;
    snprintf(text, size,
             "A cell is %zu page%s (%" PRIu64
             " KiB), by address: to the right, "
             "then down. Its colour is the size of the blocks that have most "
             "of its live bytes,\nits strength the share of bytes that are "
             "live, as asked for.",
             pages, pages == 1 ? "" : "s", pages * p->page_bytes / 1024);
}

/* ---- the histogram ---- */

/* Decile, then its MiB: free, records, then by pairs of doublings. */
static int write_histogram(const struct heap_picture *p, FILE *f, char *more,
                           size_t more_size)
{
    uint64_t all = 0;

    for (unsigned d = 0; d < PICTURE_DECILES; d++)
        all += p->decile[d].bytes;
    fprintf(f, "# decile\tdoubling (-2 free, -1 records)\tfrom MiB\tto "
               "MiB\n");
    for (unsigned d = 0; d < PICTURE_DECILES; d++) {
        double sum = 0;

        for (int k = -2; k < PICTURE_DOUBLINGS; k++) {
            const uint64_t bytes = k >= 0 ? p->decile_bytes[d][k]
                                   : d    ? 0
                                   : k == -2
                                       ? p->decile[0].bytes - p->metadata_bytes
                                       : p->metadata_bytes;

            if (!bytes)
                continue;
            fprintf(f, "%u\t%d\t%.6f\t%.6f\n", d, k, sum,
                    sum + (double)bytes / (1 << 20));
            sum += (double)bytes / (1 << 20);
        }
    }
    fprintf(f, "\n\n# decile\tMiB\tshare\n");
    for (unsigned d = 0; d < PICTURE_DECILES; d++)
        fprintf(f, "%u\t%.6f\t%.1f %%\n", d,
                (double)p->decile[d].bytes / (1 << 20),
                all ? 100 * (double)p->decile[d].bytes / (double)all : 0);
    snprintf(more, more_size, "0 0 %d %d 0 0",
             p->decile[0].bytes > p->metadata_bytes, p->metadata_bytes > 0);
    return 0;
}

static void histogram_caption(const struct heap_picture *p, char *text,
                              size_t size)
{
    uint64_t all = 0;

    for (unsigned d = 0; d < PICTURE_DECILES; d++)
        all += p->decile[d].bytes;
    snprintf(
        text, size,
        "Pages of %" PRIu64 " KiB by the share of their bytes that are "
        "live, as asked for; all pages together: %.1f %%.\nColour: the size of "
        "the blocks that have most of the live bytes of a page.",
        p->page_bytes / 1024,
        all ? 100 * (double)p->live_bytes / (double)all : 0);
}

/* ---- both ---- */

static const struct {
    const char *script;
    const char *what; /* begins the title */
    int (*write)(const struct heap_picture *, FILE *, char *more, size_t size);
    void (*caption)(const struct heap_picture *, char *text, size_t size);
} charts[] = {
    [HEAP_MAP] = {"heap-map", "Heap", write_map, map_caption},
    [HEAP_HISTOGRAM] = {"heap-histogram", "Occupancy of pages", write_histogram,
                        histogram_caption},
};

/* What the allocator got from the system, or else what is in memory. */
static void write_subtitle(const struct heap_origin *o,
                           const struct heap_picture *p, char *text,
                           size_t size)
{
    const bool has = p->has_total[TOTAL_MAPPED];
    const double held =
        (double)(has ? p->total[TOTAL_MAPPED] : p->resident_bytes) / (1 << 20);
    const double live = (double)p->live_bytes / (1 << 20);

    snprintf(text, size, "at %s: live %.1f MiB, resident %.1f MiB (%.2fx)",
             o->at, live, (double)p->resident_bytes / (1 << 20),
             live > 0 ? (double)p->resident_bytes / (1 << 20) / live : 0);
    if (has) {
        const size_t n = strlen(text);

        snprintf(text + n, size - n, ", from the system %.1f MiB (%.2fx)", held,
                 live > 0 ? held / live : 0);
    }
}

static int write_data(const struct heap_picture *p, enum heap_chart chart,
                      const char *path, char *more, size_t more_size)
{
    FILE *f = fopen(path, "w");

    if (!f)
        return errno;
    int err = charts[chart].write(p, f, more, more_size);
    if (!err && ferror(f))
        err = EIO;
    if (fclose(f) && !err)
        err = errno;
    return err;
}

int heap_draw(const struct heap_origin *o, const struct heap_picture *p,
              enum heap_chart chart, const char *image, const char *data,
              const char *scripts, char *why, size_t why_size)
{
    char script[PATH_SIZE], to[PATH_SIZE], title[256], subtitle[256];
    char caption[512], more[128] = "";
    const char *format = image + strlen(image) - 3;
    int err = write_data(p, chart, data, more, sizeof more);
    snprintf(why, why_size, "%s", data);
    if (err)
        return err;
    snprintf(script, sizeof script, "%s/%s.gp", scripts, charts[chart].script);
    snprintf(to, sizeof to, "%s%s", strchr("/.", image[0]) ? "" : "./", image);
    snprintf(title, sizeof title, "%s of %s on %s, %u thread%s",
             charts[chart].what, shown_name(o->allocator), o->request->workload,
             o->threads, o->threads == 1 ? "" : "s");
    write_subtitle(o, p, subtitle, sizeof subtitle);
    charts[chart].caption(p, caption, sizeof caption);
    const char *const argument[] = {"gnuplot", "-d",    "-c",   script, scripts,
                                    data,      to,      format, more,   title,
                                    subtitle,  caption, NULL};
    return gnuplot_run(argument, why, why_size);
}
