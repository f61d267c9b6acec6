/* charts.h - what the charts share: pages, panels, data files.
 *
 * A chart is a writer of a .tsv file and a gnuplot script that draws it.  A
 * page is one such file: up to PANELS_MAX blocks, a panel each.  All thinking
 * (units, ranges, places of labels) is done here, in C; the scripts draw.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CHARTS_H
#define HEAPYARD_CHARTS_H

#include <stddef.h>
#include <stdio.h>

#include "blocks.h"

/* Bars and time go by powers where the range is over CHART_LOG_FROM; memory
 * against time, where no bar begins at 0, sooner. */
enum { PANELS_MAX = 4, CHART_LOG_FROM = 20, MEMORY_LOG_FROM = 3 };

struct page {
    const struct blocks *all;
    const struct block *block[PANELS_MAX]; /* [n] */
    size_t n;
    char suffix[128];         /* of file names: "" or "-server-sim-profile-B" */
    const char *const *names; /* [nnames]: all allocators, sorted: colours */
    size_t nnames;
    const char *samples_path; /* or NULL */
};

/* What a chart's writer found out for its caption. */
struct chart_notes {
    size_t panels;         /* panels written; 0: nothing to draw */
    uint32_t fewest, most; /* runs */
    size_t longest;        /* characters of the longest allocator name */
    const char *more;      /* a sentence for the caption, or NULL */
};

struct chart {
    const char *name;   /* of the files */
    const char *script; /* without .gp */
    const char *title;
    const char *caption; /* what marks mean, after "n = 10 runs." */
    /* Write the data.  Returns 0, or an errno with why set. */
    int (*write)(const struct page *, FILE *, struct chart_notes *, char *why,
                 size_t why_size);
};

extern const struct chart time_chart, use_chart, peak_memory_chart,
    memory_curve_chart, time_memory_chart, malloc_latency_chart,
    free_latency_chart;

/* Number of the allocator's colour among those without a fixed one. */
size_t page_colour(const struct page *, const char *allocator);
/* Count the runs behind e in the notes. */
void notes_count(struct chart_notes *, const struct estimate *e);
void notes_name(struct chart_notes *, const char *allocator);
/* Make room for so many characters beside the panels. */
void notes_width(struct chart_notes *, size_t characters);
/* Height of the inside of a panel, as page.gp makes it. */
double page_row_pixels(const struct page *);
/* Print text as a field: no tab, quote or backslash. */
void print_field(FILE *, const char *text);
/* The value, or -1 for NAN, on which gnuplot would drop the whole line. */
double known(double value);
/* An allocator as charts show it: the end of a long path. */
const char *shown_name(const char *allocator);

/* Spread y[n], sorted upwards, so that neighbours are `gap` apart and all lie
 * in lo .. hi, if there is room; each moves as little as is simple. */
void spread_labels(double y[], size_t n, double gap, double lo, double hi);

/* Where the axis of curves ends whose peaks, sorted downwards, these are.  A
 * peak over it is cut: those over 2.5 times all others; but at most half of
 * them, and none up to `kept`. */
double curves_top(const double peak[], size_t n, double kept);

/* Break a caption at spaces into lines that fit, in place. */
void wrap_caption(char *text);

/* Round numbers for a logarithmic axis, upwards; how many.  At least two if
 * to is 2.4 times from. */
enum { LOG_TICS_MAX = 32 };
size_t log_tics(double from, double to, double tic[LOG_TICS_MAX]);

/* Run gnuplot with arguments (ended by NULL), without a shell.  Returns 0,
 * ENOENT if it is not installed, EIO if it failed (why: what it said). */
int gnuplot_run(const char *const argument[], char *why, size_t why_size);

#endif
