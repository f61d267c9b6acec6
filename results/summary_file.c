/* summary_file.c - summary.csv: estimates as rows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "summary.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

/* What a line of the file holds: the baseline stands in each. */
struct line {
    struct estimate e;
    char baseline[64];
};

#define KEY(member, type, min, want)                                           \
    COLUMN_AS(#member, struct line, e.key.member, type, min, want)
#define OWN(name, member, type)                                                \
    COLUMN_AS(name, struct line, e.member, type, -INFINITY, NULL)

static const struct column columns[] = {
    KEY(workload, COLUMN_TEXT, 0, NULL),
    KEY(threads, COLUMN_COUNT32, 1, NULL),
    KEY(scale, COLUMN_REAL, 1e-300, "a number above 0"),
    KEY(touch, COLUMN_TEXT, 0, NULL),
    KEY(window, COLUMN_COUNT32, 0, NULL),
    KEY(meter, COLUMN_TEXT, 0, NULL),
    OWN("metric", metric, COLUMN_TEXT),
    OWN("at", at, COLUMN_TEXT),
    OWN("unit", unit, COLUMN_TEXT),
    KEY(allocator, COLUMN_TEXT, 0, NULL),
    OWN("n", n, COLUMN_COUNT32),
    OWN("failed", failed, COLUMN_COUNT32),
    OWN("status", status, COLUMN_STATUS),
    OWN("median", median.value, COLUMN_MAYBE),
    OWN("lo", median.lo, COLUMN_MAYBE),
    OWN("hi", median.hi, COLUMN_MAYBE),
    OWN("outliers", outliers, COLUMN_COUNT32),
    COLUMN(struct line, baseline, COLUMN_TEXT, 0, NULL),
    OWN("ratio", ratio.value, COLUMN_MAYBE),
    OWN("ratio_lo", ratio.lo, COLUMN_MAYBE),
    OWN("ratio_hi", ratio.hi, COLUMN_MAYBE),
    OWN("pairs", pairs, COLUMN_COUNT32),
    OWN("detectable", detectable, COLUMN_MAYBE),
    OWN("warmup", warmup, COLUMN_COUNT32),
    OWN("warmup_by", warmup_by, COLUMN_MAYBE),
    KEY(session, COLUMN_TEXT, 0, NULL),
    KEY(seed, COLUMN_COUNT64, 0, NULL),
    KEY(served_by, COLUMN_TEXT, 0, NULL),
    OWN("note", note, COLUMN_TEXT),
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

int summary_write(const struct summary *s, FILE *f)
{
    int err = table_write_header(f, columns, COLUMNS);
    for (size_t i = 0; i < s->n && !err; i++) {
        struct line line = {.e = s->estimates[i]};
        memcpy(line.baseline, s->baseline, sizeof line.baseline);
        err = table_write(f, columns, COLUMNS, &line);
    }
    return err;
}

/* NULL, or what is wrong in a line whose fields are each right. */
static const char *find_fault(const struct line *l, const struct summary *s)
{
    const struct interval *m = &l->e.median, *r = &l->e.ratio;
    if (s->n && strcmp(s->baseline, l->baseline))
        return "another baseline than in the lines before (want one)";
    if ((l->e.n > 0) != (l->e.status == STATUS_OK))
        return "n is 0 though status is ok, or the reverse";
    if (l->e.n && !(m->lo <= m->value && m->value <= m->hi))
        return "median outside lo .. hi, or missing though n > 0";
    if (l->e.n && !l->e.metric[0])
        return "metric is empty though n > 0";
    if (l->e.pairs && !(0 < r->lo && r->lo <= r->value && r->value <= r->hi))
        return "ratio outside ratio_lo .. ratio_hi, or missing";
    if (l->e.outliers > l->e.n)
        return "more outliers than n";
    if (l->e.detectable < 0)
        return "detectable below 0";
    if (l->e.warmup ? !(l->e.warmup_by > 0) : !isnan(l->e.warmup_by))
        return "warmup without warmup_by above 0, or the reverse";
    return NULL;
}

static int append(struct summary *s, size_t *room, const struct estimate *e)
{
    if (s->n == *room) {
        size_t more = *room ? 2 * *room : 64;
        struct estimate *grown = realloc(s->estimates, more * sizeof *grown);
        if (!grown)
            return ENOMEM;
        s->estimates = grown;
        *room = more;
    }
    s->estimates[s->n++] = *e;
    return 0;
}

static int read_lines(struct table_reader *table, struct summary *out,
                      char *why, size_t why_size)
{
    struct line line = {0};
    size_t room = 0;
    int err;
    while ((err = table_next(table, &line, why, why_size)) == 0) {
        const char *fault = find_fault(&line, out);
        if (fault) {
            snprintf(why, why_size, "%s: %s", table_place(table), fault);
            return EBADMSG;
        }
        memcpy(out->baseline, line.baseline, sizeof out->baseline);
        err = append(out, &room, &line.e);
        if (err)
            return err;
    }
    return err == ENOENT ? 0 : err;
}

int summary_read(const char *path, struct summary *out, char *why,
                 size_t why_size)
{
    struct table_reader *table;
    *out = (struct summary){0};
    snprintf(why, why_size, "%s", path);
    int err = table_open(path, columns, COLUMNS, &table, why, why_size);
    if (err)
        return err;
    err = read_lines(table, out, why, why_size);
    table_close(table);
    if (!err && out->n == 0) {
        snprintf(why, why_size, "%s: no rows (want at least one)", path);
        err = ENODATA;
    }
    if (err)
        summary_free(out);
    return err;
}
