/* sheet.c - a table of text laid out to a width.
 *
 * Widths are counted in characters of UTF-8, each taken as one column.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sheet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sheet_init(struct sheet *s, size_t rows)
{
    *s = (struct sheet){.rows = rows};
    s->row = calloc(rows ? rows : 1, sizeof *s->row);
    return s->row ? 0 : ENOMEM;
}

void sheet_free(struct sheet *s)
{
    free(s->row);
    s->row = NULL;
}

static size_t text_width(const char *text, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes && text[i]; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static size_t column_width(const struct sheet *s, size_t c)
{
    size_t widest = 0, used = 0;
    for (size_t r = 0; r < s->rows; r++) {
        size_t w = text_width(s->row[r][c].text, SHEET_CELL_MAX);
        used += w;
        widest = w > widest ? w : widest;
    }
    for (size_t h = 0; h < 2 && used; h++) {
        size_t w = text_width(s->column[c].head[h], SHEET_CELL_MAX);
        widest = w > widest ? w : widest;
    }
    return widest;
}

static size_t total_width(const struct sheet *s, size_t gap)
{
    size_t total = 0;
    for (size_t c = 0; c < s->columns; c++) {
        size_t w = s->column[c].is_dropped ? 0 : column_width(s, c);
        total += w + (w && total ? gap : 0);
    }
    return total;
}

/* Drop columns until all fit or none may go; the gap that fits. */
static size_t fit(struct sheet *s, unsigned width)
{
    for (;;) {
        if (total_width(s, 2) <= width)
            return 2;
        if (total_width(s, 1) <= width)
            return 1;
        struct sheet_column *least = &s->column[0];
        for (size_t c = 0; c < s->columns; c++)
            if (!s->column[c].is_dropped && column_width(s, c) &&
                s->column[c].rank > (least->is_dropped ? 0 : least->rank))
                least = &s->column[c];
        if (least->rank == 0)
            return 1;
        least->is_dropped = true;
    }
}

void print_style(FILE *f, enum style style, bool colour)
{
    static const char *const code[] = {
        [STYLE_PLAIN] = "\033[0m",   [STYLE_GOOD] = "\033[32m",
        [STYLE_BAD] = "\033[31m",    [STYLE_DIM] = "\033[2m",
        [STYLE_LOUD] = "\033[1;31m",
    };
    if (colour)
        fputs(code[style], f);
}

/* One line; trailing spaces are not written. */
static void print_cells(const struct sheet *s, FILE *f, size_t gap,
                        const struct sheet_cell *const cell[], bool colour)
{
    size_t pending = 0, written = 0;
    for (size_t c = 0; c < s->columns; c++) {
        size_t width = s->column[c].is_dropped ? 0 : column_width(s, c);
        if (!width)
            continue;
        size_t own = text_width(cell[c]->text, SHEET_CELL_MAX);
        size_t pad = width > own ? width - own : 0;
        pending += (written++ ? gap : 0) + (c ? pad : 0);
        if (own) {
            enum style style = cell[c]->style;
            fprintf(f, "%*s", (int)pending, "");
            print_style(f, style, colour && style);
            fputs(cell[c]->text, f);
            print_style(f, STYLE_PLAIN, colour && style);
            pending = 0;
        }
        pending += c ? 0 : pad;
    }
    putc('\n', f);
}

unsigned sheet_print(struct sheet *s, FILE *f, unsigned width, bool colour)
{
    unsigned dropped = 0;
    const struct sheet_cell *cell[SHEET_COLUMNS_MAX];
    struct sheet_cell head[SHEET_COLUMNS_MAX];
    for (size_t c = 0; c < s->columns; c++)
        s->column[c].is_dropped = false;
    size_t gap = fit(s, width);
    for (size_t h = 0; h < 2; h++) {
        for (size_t c = 0; c < s->columns; c++) {
            head[c].style = STYLE_DIM;
            memcpy(head[c].text, s->column[c].head[h], SHEET_CELL_MAX);
            cell[c] = &head[c];
        }
        print_cells(s, f, gap, cell, colour);
    }
    for (size_t i = total_width(s, gap); i-- > 0;)
        putc('-', f);
    putc('\n', f);
    for (size_t r = 0; r < s->rows; r++) {
        for (size_t c = 0; c < s->columns; c++)
            cell[c] = &s->row[r][c];
        print_cells(s, f, gap, cell, colour);
    }
    for (size_t c = 0; c < s->columns; c++)
        dropped += s->column[c].is_dropped;
    return dropped;
}

void print_wrapped(FILE *f, const char *label, const char *text,
                   unsigned indent, unsigned width)
{
    size_t column = indent;
    fprintf(f, "%-*s", (int)indent, label);
    while (*text) {
        size_t bytes = strcspn(text, " ");
        size_t word = text_width(text, bytes);
        if (column > indent && column + 1 + word > width) {
            fprintf(f, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            putc(' ', f);
            column++;
        }
        fwrite(text, 1, bytes, f);
        column += word;
        text += bytes;
        text += strspn(text, " ");
    }
    putc('\n', f);
}
