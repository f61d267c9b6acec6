/* sheet.h - a table of text laid out to a width.
 *
 * If the columns do not fit, the gaps shrink from two to one, then whole
 * columns go, the one of the highest `rank` first; rank 0 never goes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SHEET_H
#define HEAPYARD_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { SHEET_COLUMNS_MAX = 16, SHEET_CELL_MAX = 48 };

enum style { STYLE_PLAIN, STYLE_GOOD, STYLE_BAD, STYLE_DIM, STYLE_LOUD };

struct sheet_cell {
    char text[SHEET_CELL_MAX];
    enum style style;
};

struct sheet_column {
    char head[2][SHEET_CELL_MAX]; /* two lines of header */
    unsigned rank;
    bool is_dropped; /* did not fit: set by sheet_print */
};

struct sheet {
    struct sheet_column column[SHEET_COLUMNS_MAX]; /* the first is flush left */
    size_t columns;
    struct sheet_cell (*row)[SHEET_COLUMNS_MAX];
    size_t rows;
};

/* Returns 0 or ENOMEM; all cells are empty. */
int sheet_init(struct sheet *, size_t rows);
void sheet_free(struct sheet *);

/* Columns whose cells are all empty are left out.  Returns how many others
 * were left out because they did not fit. */
unsigned sheet_print(struct sheet *, FILE *, unsigned width, bool colour);

/* Print the label in a column of `indent`, then the text beside it in lines
 * that end before `width`, broken at spaces. */
void print_wrapped(FILE *, const char *label, const char *text, unsigned indent,
                   unsigned width);

/* Switch the terminal to a style (and back, with STYLE_PLAIN). */
void print_style(FILE *, enum style, bool colour);

#endif
