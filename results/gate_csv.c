/* gate_csv.c - gate.csv: judgements as rows, with all their figures.
 *
 * What is the same for the whole report stands in every row, so that rows of
 * many reports can be put into one table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_writers.h"

#include <string.h>

#include "columns.h"
#include "gate_text.h"

struct line {
    struct gate_cell cell;
    char verdict[16], tier[8], better[8];
    char baseline[200], candidate[200], machine[256], date[24];
    double level;
};

#define KEY(member, type)                                                      \
    COLUMN_AS(#member, struct line, cell.key.member, type, 0, NULL)
#define OWN(name, member, type)                                                \
    COLUMN_AS(name, struct line, cell.member, type, 0, NULL)
#define ALL(member, type) COLUMN(struct line, member, type, 0, NULL)

static const struct column columns[] = {
    ALL(verdict, COLUMN_TEXT),
    KEY(workload, COLUMN_TEXT),
    KEY(threads, COLUMN_COUNT32),
    KEY(scale, COLUMN_REAL),
    KEY(touch, COLUMN_TEXT),
    KEY(window, COLUMN_COUNT32),
    KEY(meter, COLUMN_TEXT),
    OWN("metric", metric, COLUMN_TEXT),
    OWN("at", at, COLUMN_TEXT),
    OWN("unit", unit, COLUMN_TEXT),
    KEY(allocator, COLUMN_TEXT),
    ALL(tier, COLUMN_TEXT),
    ALL(better, COLUMN_TEXT),
    OWN("base_median", base, COLUMN_MAYBE),
    OWN("candidate_median", candidate, COLUMN_MAYBE),
    OWN("ratio", ratio.value, COLUMN_MAYBE),
    OWN("ratio_lo", ratio.lo, COLUMN_MAYBE),
    OWN("ratio_hi", ratio.hi, COLUMN_MAYBE),
    OWN("margin", margin, COLUMN_MAYBE),
    OWN("p", p, COLUMN_MAYBE),
    OWN("detectable", detectable, COLUMN_MAYBE),
    OWN("pairs", pairs, COLUMN_COUNT32),
    OWN("needed", needed, COLUMN_COUNT32),
    ALL(level, COLUMN_MAYBE),
    ALL(baseline, COLUMN_TEXT),
    ALL(candidate, COLUMN_TEXT),
    ALL(machine, COLUMN_TEXT),
    ALL(date, COLUMN_TEXT),
    KEY(session, COLUMN_TEXT),
    KEY(seed, COLUMN_COUNT64),
    KEY(served_by, COLUMN_TEXT),
    OWN("why", why, COLUMN_TEXT),
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

int gate_csv_write(const struct gate_report *r, FILE *f)
{
    struct line line = {.level = r->level};
    memcpy(line.baseline, r->base_name, sizeof line.baseline);
    memcpy(line.candidate, r->candidate_name, sizeof line.candidate);
    memcpy(line.machine, r->machine, sizeof line.machine);
    memcpy(line.date, r->date, sizeof line.date);
    int err = table_write_header(f, columns, COLUMNS);
    for (size_t i = 0; i < r->n && !err; i++) {
        const struct gate_cell *c = &r->cells[i];
        line.cell = *c;
        strcpy(line.verdict, gate_verdict_name(c->verdict));
        strcpy(line.tier, c->tier == GATE_EXACT ? "exact" : "paired");
        strcpy(line.better, c->less_is_better ? "less" : "more");
        err = table_write(f, columns, COLUMNS, &line);
    }
    return err ? err : gate_text_end(f);
}
