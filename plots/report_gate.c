/* report_gate.c - the judgements of the gate for a terminal.
 *
 * A table, worst first; then why, for each cell that is not unchanged, with
 * its full name, which the table may have to shorten; then the sum.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "gate_text.h"
#include "sheet.h"

enum { WIDTH_MIN = 80, LABEL = 11 };

enum { CELL, METRIC, BASE, CANDIDATE, CHANGE, MARGIN, PAIRS, COLUMNS };

/* Bytes that a column may take.  What never goes fits in WIDTH_MIN: the head
 * of CELL (37), METRIC_FEW, CHANGE_MOST, two gaps of one. */
enum {
    PLACE_MIN = 25,
    PLACE_MOST = SHEET_CELL_MAX - 1 - LABEL,
    METRIC_FEW = 14,
    METRIC_MOST = 20,
    VALUE_MOST = 16,
    CHANGE_MOST = 27,
    OTHERS = 102, /* all but the place, with gaps of two */
    WIDTH_EASY = 110
};

static const struct sheet_column head[COLUMNS] = {
    [CELL] = {{"", "verdict    workload/threads/allocator"}, 0, false},
    [METRIC] = {{"", "metric"}, 0, false},
    [BASE] = {{"", "baseline"}, 1, false},
    [CANDIDATE] = {{"", "candidate"}, 1, false},
    [CHANGE] = {{"change", "[interval]"}, 0, false},
    [MARGIN] = {{"", "margin"}, 2, false},
    [PAIRS] = {{"", "pairs"}, 3, false},
};

static const enum style styles[GATE_VERDICTS] = {
    [GATE_IMPROVED] = STYLE_GOOD,  [GATE_UNCHANGED] = STYLE_DIM,
    [GATE_REGRESSED] = STYLE_LOUD, [GATE_UNDECIDED] = STYLE_PLAIN,
    [GATE_REFUSED] = STYLE_PLAIN,
};

static bool is_inside(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Both ends of a text, if it is longer than `most` bytes. */
static void show_ends(const char *text, size_t most, char *shown)
{
    size_t length = strlen(text);
    if (length <= most) {
        memcpy(shown, text, length + 1);
        return;
    }
    size_t before = (most - 3) / 2, after = length - (most - 3 - before);
    while (before > 0 && is_inside(text[before])) /* not within a character */
        before--;
    while (is_inside(text[after]))
        after++;
    sprintf(shown, "%.*s...%s", (int)before, text, text + after);
}

static void show_row(const struct gate_report *r, const struct gate_cell *c,
                     unsigned width, struct sheet_cell row[])
{
    char text[GATE_TEXT];
    size_t spare = width > OTHERS + PLACE_MIN ? width - OTHERS : PLACE_MIN;
    sprintf(row[CELL].text, "%-*s", LABEL, gate_verdict_name(c->verdict));
    gate_text_short(r, c, text);
    show_ends(text, spare < PLACE_MOST ? spare : PLACE_MOST,
              row[CELL].text + LABEL);
    gate_text_clean(c->metric, text, sizeof text);
    show_ends(text, width < WIDTH_EASY ? METRIC_FEW : METRIC_MOST,
              row[METRIC].text);
    gate_text_value(c->base, c->unit, text, sizeof text);
    show_ends(text, VALUE_MOST, row[BASE].text);
    gate_text_value(c->candidate, c->unit, text, sizeof text);
    show_ends(text, VALUE_MOST, row[CANDIDATE].text);
    gate_text_change(c, text, sizeof text);
    show_ends(text, CHANGE_MOST, row[CHANGE].text);
    gate_text_share(c->margin, text, sizeof text);
    show_ends(text, VALUE_MOST, row[MARGIN].text);
    snprintf(row[PAIRS].text, sizeof row[PAIRS].text, "%" PRIu32, c->pairs);
    row[CELL].style = row[CHANGE].style = styles[c->verdict];
}

static int print_table(const struct gate_report *r, FILE *f, unsigned width,
                       bool colour)
{
    struct sheet sheet;
    size_t row = 0;
    int err = sheet_init(&sheet, r->n);
    if (err)
        return err;
    sheet.columns = COLUMNS;
    memcpy(sheet.column, head, sizeof head);
    for (int v = 0; v < GATE_VERDICTS; v++)
        for (size_t i = 0; i < r->n; i++)
            if (r->cells[i].verdict == gate_worst_first[v])
                show_row(r, &r->cells[i], width, sheet.row[row++]);
    unsigned dropped = sheet_print(&sheet, f, width, colour);
    sheet_free(&sheet);
    if (dropped)
        fputs("Some columns did not fit; a larger --width shows them.\n", f);
    return 0;
}

static void print_reasons(const struct gate_report *r, enum gate_verdict v,
                          FILE *f, unsigned width, bool colour)
{
    char name[GATE_TEXT], why[sizeof r->cells->why], text[2 * GATE_TEXT];
    for (size_t i = 0; i < r->n; i++) {
        const struct gate_cell *c = &r->cells[i];
        if (c->verdict != v)
            continue;
        gate_text_name(r, c, name);
        gate_text_clean(c->why, why, sizeof why);
        snprintf(text, sizeof text, "%s: %s", name, why);
        print_style(f, styles[v], colour && styles[v]);
        print_wrapped(f, gate_verdict_name(v), text, LABEL, width);
        print_style(f, STYLE_PLAIN, colour && styles[v]);
    }
}

static void print_title(const struct gate_report *r, FILE *f, unsigned width)
{
    char raw[GATE_TEXT], text[GATE_TEXT], level[32];
    gate_text_share(r->level, level, sizeof level);
    snprintf(raw, sizeof raw, "%s against %s, on %s, %s", r->candidate_name,
             r->base_name, r->machine, r->date);
    gate_text_clean(raw, text, sizeof text);
    print_wrapped(f, "gate", text, LABEL, width);
    fprintf(f, "%-*s%s, over all cells\n\n", LABEL, "level", level);
}

int gate_print(const struct gate_report *r, FILE *f, unsigned width, int colour)
{
    char sum[GATE_TEXT];
    width = width < WIDTH_MIN ? WIDTH_MIN : width;
    print_title(r, f, width);
    if (r->n) {
        int err = print_table(r, f, width, colour);
        if (err)
            return err;
        putc('\n', f);
    }
    for (int v = 0; v < GATE_VERDICTS; v++)
        if (gate_worst_first[v] != GATE_UNCHANGED)
            print_reasons(r, gate_worst_first[v], f, width, colour);
    gate_text_sum(r, sum);
    fprintf(f, "%s%s\n", r->n > gate_count(r, GATE_UNCHANGED) ? "\n" : "", sum);
    return gate_text_end(f);
}
