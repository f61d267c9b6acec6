/* report_charts.c - all charts of a summary, as files.
 *
 * Up to four blocks go on one page; more are split by workload, four panels a
 * page.  For each page and chart: write the data, then let gnuplot draw it
 * twice, as SVG and as PNG.
 *
 * File names are given to gnuplot beginning with "/" or "./", since it takes
 * "<command" and "|command" for something to run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "charts.h"

enum { PATH_SIZE = 4096, CAPTION_SIZE = 1536, CAPTION_WIDTH = 150 };

static const struct chart *const charts[] = {
    &time_chart,         &use_chart,         &peak_memory_chart,
    &memory_curve_chart, &time_memory_chart, &malloc_latency_chart,
    &free_latency_chart};
enum { CHARTS = sizeof charts / sizeof charts[0] };

size_t page_colour(const struct page *p, const char *allocator)
{
    size_t i = 0;
    while (i < p->nnames && strcmp(p->names[i], allocator))
        i++;
    return i;
}

void notes_count(struct chart_notes *notes, const struct estimate *e)
{
    if (!e || !e->n)
        return;
    if (!notes->fewest || e->n < notes->fewest)
        notes->fewest = e->n;
    if (e->n > notes->most)
        notes->most = e->n;
}

const char *shown_name(const char *allocator)
{
    enum { SHOWN = 24 };
    size_t length = strlen(allocator);
    const char *shown = length > SHOWN ? allocator + length - SHOWN : allocator;
    while (((unsigned char)*shown & 0xc0) == 0x80) /* inside a character */
        shown++;
    return shown;
}

double known(double value)
{
    return isfinite(value) ? value : -1;
}

void notes_name(struct chart_notes *notes, const char *allocator)
{
    notes_width(notes, strlen(shown_name(allocator)));
}

void notes_width(struct chart_notes *notes, size_t characters)
{
    if (characters > notes->longest)
        notes->longest = characters;
}

double page_row_pixels(const struct page *p)
{
    return p->n > 2 ? 332 : 446;
}

void print_field(FILE *f, const char *text)
{
    for (; *text; text++)
        putc(strchr("\t\"\\", *text) ? ' ' : *text, f);
}

void spread_labels(double y[], size_t n, double gap, double lo, double hi)
{
    for (size_t i = 0; i < n; i++) {
        double least = i ? y[i - 1] + gap : lo;
        y[i] = fmax(y[i], least);
    }
    for (size_t i = n; i-- > 0;) {
        double most = i + 1 < n ? y[i + 1] - gap : hi;
        y[i] = fmin(y[i], most);
    }
}

void wrap_caption(char *text)
{
    size_t start = 0, space = 0;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] == '\n')
            start = i + 1, space = 0;
        if (text[i] == ' ')
            space = i;
        if (i - start >= CAPTION_WIDTH && space > start) {
            text[space] = '\n';
            start = space + 1;
        }
    }
}

/* What every drawing needs. */
struct studio {
    const struct page *page;
    const char *scripts, *machine;
    char out[PATH_SIZE]; /* begins with "/" or "./" */
};

static void write_caption(const struct studio *s, const struct chart *c,
                          const struct chart_notes *notes,
                          char text[CAPTION_SIZE])
{
    char runs[64], meaning[768];
    if (notes->fewest == notes->most)
        snprintf(runs, sizeof runs, "n = %u run%s of each.",
                 (unsigned)notes->most, notes->most == 1 ? "" : "s");
    else
        snprintf(runs, sizeof runs, "n = %u to %u runs of each.",
                 (unsigned)notes->fewest, (unsigned)notes->most);
    snprintf(meaning, sizeof meaning, c->caption, s->page->all->baseline);
    snprintf(text, CAPTION_SIZE, "%s %s%s%s%s\n%s", runs, meaning,
             notes->more ? " " : "", notes->more ? notes->more : "",
             notes->fewest < STAT_BOOTSTRAP && strstr(meaning, "95 %")
                 ? " With fewer than 8 runs: the extremes."
                 : "",
             s->machine);
    wrap_caption(text);
}

static int draw(const struct studio *s, const struct chart *c,
                const struct chart_notes *notes, const char *stem, char *why,
                size_t why_size)
{
    static const char *const formats[] = {"svg", "png"};
    char script[PATH_SIZE + 64], data[PATH_SIZE + 256], image[PATH_SIZE + 256];
    char caption[CAPTION_SIZE], panels[16], longest[24];
    write_caption(s, c, notes, caption);
    snprintf(script, sizeof script, "%s/%s.gp", s->scripts, c->script);
    snprintf(data, sizeof data, "%s.tsv", stem);
    snprintf(panels, sizeof panels, "%zu", notes->panels);
    snprintf(longest, sizeof longest, "%zu", notes->longest);
    int err = 0;
    for (size_t i = 0; i < 2 && !err; i++) {
        snprintf(image, sizeof image, "%s.%s", stem, formats[i]);
        const char *const argument[] = {
            "gnuplot",  "-d",   "-c",     script,  s->scripts, data, image,
            formats[i], panels, c->title, caption, longest,    NULL};
        err = gnuplot_run(argument, why, why_size);
    }
    return err;
}

static int write_data(const struct page *page, const struct chart *c,
                      const char *path, struct chart_notes *notes, char *why,
                      size_t why_size)
{
    snprintf(why, why_size, "%s", path);
    FILE *f = fopen(path, "w");
    if (!f)
        return errno;
    int err = c->write(page, f, notes, why, why_size);
    if (!err && ferror(f))
        err = EIO;
    if (fclose(f) && !err)
        err = errno;
    if (!err && notes->panels == 0)
        remove(path); /* nothing was measured that it could show */
    return err;
}

/* All charts of one page.  A missing gnuplot ends only the drawing. */
static int make_page(const struct studio *s, bool *has_gnuplot, char *why,
                     size_t why_size)
{
    int err = 0;
    for (size_t i = 0; i < CHARTS && !err; i++) {
        char stem[PATH_SIZE + 192], path[PATH_SIZE + 200];
        struct chart_notes notes = {0};
        if (charts[i] == &memory_curve_chart && !s->page->samples_path)
            continue;
        snprintf(stem, sizeof stem, "%s/%s%s", s->out, charts[i]->name,
                 s->page->suffix);
        snprintf(path, sizeof path, "%s.tsv", stem);
        err = write_data(s->page, charts[i], path, &notes, why, why_size);
        if (err || !notes.panels || !*has_gnuplot)
            continue;
        err = draw(s, charts[i], &notes, stem, why, why_size);
        if (err == ENOENT) {
            *has_gnuplot = false;
            err = 0;
        }
    }
    return err;
}

/* "-server-sim-profile-B": what is safe in a file name. */
static void clean_name(const char *workload, char suffix[128])
{
    char *to = suffix;
    *to++ = '-';
    for (const char *c = workload; *c && to < suffix + 100; c++)
        *to++ = isalnum((unsigned char)*c) || *c == '.' ? *c : '-';
    *to = '\0';
}

/* How many blocks, from `start`, go on one page. */
static size_t count_panels(const struct blocks *all, size_t start)
{
    const char *workload = all->block[start].key->workload;
    bool is_single = all->n <= PANELS_MAX;
    size_t n = 0;
    while (
        n < PANELS_MAX && start + n < all->n &&
        (is_single || !strcmp(all->block[start + n].key->workload, workload)))
        n++;
    return n;
}

/* Which of the pages of this name it is, from 1: a workload may need several,
 * and two workloads may look alike once cleaned ("a:b" and "a-b"). */
static unsigned number_page(const struct blocks *all, size_t start,
                            const char *suffix)
{
    unsigned number = 1;
    for (size_t i = 0; i < start; i += count_panels(all, i)) {
        char other[128];
        clean_name(all->block[i].key->workload, other);
        number += !strcmp(other, suffix);
    }
    return number;
}

/* Put blocks from `start` on the page; how many. */
static size_t fill_page(const struct blocks *all, size_t start, struct page *p)
{
    p->n = count_panels(all, start);
    for (size_t i = 0; i < p->n; i++)
        p->block[i] = &all->block[start + i];
    p->suffix[0] = '\0';
    if (all->n <= PANELS_MAX)
        return p->n;
    clean_name(p->block[0]->key->workload, p->suffix);
    unsigned number = number_page(all, start, p->suffix);
    size_t used = strlen(p->suffix);
    if (number > 1)
        snprintf(p->suffix + used, sizeof p->suffix - used, "-%u", number);
    return p->n;
}

static int order_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All allocators of the summary, sorted, each once. */
static int list_names(const struct summary *s, const char ***names, size_t *n)
{
    const char **all = malloc((s->n ? s->n : 1) * sizeof *all);
    if (!all)
        return ENOMEM;
    for (size_t i = 0; i < s->n; i++)
        all[i] = s->estimates[i].key.allocator;
    qsort(all, s->n, sizeof *all, order_names);
    *n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (i == 0 || strcmp(all[i], all[*n - 1]))
            all[(*n)++] = all[i];
    *names = all;
    return 0;
}

static void guard_path(const char *path, char guarded[PATH_SIZE])
{
    snprintf(guarded, PATH_SIZE, "%s%s",
             path[0] == '/' || !strncmp(path, "./", 2) ? "" : "./", path);
}

static int make_pages(const struct blocks *all, struct page *page,
                      struct studio *s, char *why, size_t why_size)
{
    bool has_gnuplot = true;
    int err = 0;
    char missing[160] = "";
    for (size_t i = 0; i < all->n && !err;) {
        bool had_gnuplot = has_gnuplot;
        i += fill_page(all, i, page);
        err = make_page(s, &has_gnuplot, why, why_size);
        if (had_gnuplot && !has_gnuplot)
            snprintf(missing, sizeof missing,
                     "gnuplot is not installed (Debian: gnuplot-nox); the data "
                     "of the charts is in %.60s",
                     s->out);
    }
    if (err || has_gnuplot)
        return err;
    snprintf(why, why_size, "%s", missing);
    return ENOENT;
}

int report_charts(const struct summary *summary, const char *samples_path,
                  const char *scripts, const char *out, const char *machine,
                  char *why, size_t why_size)
{
    struct blocks all;
    struct page page = {.all = &all, .samples_path = samples_path};
    char folder[PATH_SIZE];
    struct studio s = {&page, folder, machine, ""};
    const char **names = NULL;
    snprintf(why, why_size, "%s", out);
    if (strlen(out) >= PATH_SIZE - 256 || strlen(scripts) >= PATH_SIZE - 256)
        return ENAMETOOLONG;
    guard_path(scripts, folder);
    guard_path(out, s.out);
    if (mkdir(out, 0777) && errno != EEXIST)
        return errno;
    int err = blocks_open(summary, &all);
    if (err)
        return err;
    err = list_names(summary, &names, &page.nnames);
    page.names = names;
    if (!err)
        err = make_pages(&all, &page, &s, why, why_size);
    free(names);
    blocks_close(&all);
    return err;
}
