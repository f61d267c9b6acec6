/* line_chart.h - named curves in panels, drawn by gnuplot.
 *
 * For charts whose data is no summary of allocators: whoever has the figures
 * fills panels, and this writes the data beside the pictures and has them
 * drawn.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LINE_CHART_H
#define HEAPYARD_LINE_CHART_H

#include <stdbool.h>
#include <stddef.h>

enum { LINE_SERIES_MAX = 16, LINE_PANELS_MAX = 4 };

enum line_style {
    LINE_SOLID, /* with its points */
    LINE_DASHED,
    LINE_MARKS, /* crosses at the foot of the panel, whatever their y: what
                   went wrong there */
    LINE_PLAIN  /* without points: there are many */
};

struct line_series {
    char name[48];   /* stands beside the curve; "": no name */
    char colour[48]; /* as the allocator of this name (palette.gp) */
    size_t place;    /* of those without a fixed colour */
    enum line_style style;
    double (*at)[4]; /* [n]: x, y, and the interval of y; owned */
    size_t n, room;
};

struct line_axis {
    const char *label;
    bool is_log;      /* where it is, values of 0 or less are left out */
    bool begins_at_0; /* else where the data does; not if is_log */
    double to;        /* 0: where the data ends */
    const char *tics; /* "POS|LABEL POS|LABEL", or NULL: by the range */
};

struct line_panel {
    char title[128];
    struct line_axis x, y;
    double reference; /* a line across at this y; NAN: none */
    struct line_series series[LINE_SERIES_MAX]; /* [n] */
    size_t n;
};

struct line_chart {
    const char *name; /* of the files */
    char title[192];
    char caption[1024];                       /* is broken into lines */
    struct line_panel panel[LINE_PANELS_MAX]; /* [n] */
    size_t n;
};

/* A new series of a panel; NULL if it has LINE_SERIES_MAX. */
struct line_series *line_panel_add(struct line_panel *, const char *name,
                                   const char *colour, size_t place,
                                   enum line_style);
/* Returns 0 or ENOMEM; points that are not finite are left out. */
int line_series_add(struct line_series *, double x, double y);
/* The same with y's interval, which is drawn as a bar (LINE_SOLID) unless it is
 * not finite. */
int line_series_add_interval(struct line_series *, double x, double y,
                             double low, double high);

/* Write OUT/NAME.tsv and draw OUT/NAME.svg and OUT/NAME.png, with the panels
 * that have a point.  scripts: the folder of the .gp files.  Returns 0 (also
 * if there is nothing to draw), ENOENT if gnuplot is missing (the .tsv is
 * written), EIO if it failed, or an errno; why is set. */
int line_chart_draw(struct line_chart *, const char *scripts, const char *out,
                    char *why, size_t why_size);
void line_chart_free(struct line_chart *);

#endif
