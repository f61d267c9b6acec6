/* history.c - medians of many commits: history.csv.
 *
 * The rows of one summary are in the order of its cells, and so are those of
 * the next: the series of a row is mostly the one after that of the row
 * before, so the search begins there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "history.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

enum { PATH_SIZE = 4096 };

#define POINT(name, member, type, min)                                         \
    COLUMN_AS(name, struct history_row, point.member, type, min, NULL)
#define CELL(name, member, type, min)                                          \
    COLUMN_AS(name, struct history_row, cell.member, type, min, NULL)

static const struct column columns[] = {
    POINT("date", date, COLUMN_TEXT, 0),
    POINT("commit", commit, COLUMN_TEXT, 0),
    CELL("machine", machine, COLUMN_TEXT, 0),
    CELL("workload", key.workload, COLUMN_TEXT, 0),
    CELL("threads", key.threads, COLUMN_COUNT32, 1),
    CELL("scale", key.scale, COLUMN_REAL, 1e-300),
    CELL("touch", key.touch, COLUMN_TEXT, 0),
    CELL("window", key.window, COLUMN_COUNT32, 0),
    CELL("meter", key.meter, COLUMN_TEXT, 0),
    CELL("allocator", key.allocator, COLUMN_TEXT, 0),
    CELL("metric", metric, COLUMN_TEXT, 0),
    CELL("at", at, COLUMN_TEXT, 0),
    CELL("unit", unit, COLUMN_TEXT, 0),
    POINT("n", n, COLUMN_COUNT32, 1),
    POINT("median", median.value, COLUMN_REAL, -INFINITY),
    POINT("lo", median.lo, COLUMN_REAL, -INFINITY),
    POINT("hi", median.hi, COLUMN_REAL, -INFINITY),
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* ---- dates ---- */

/* Does text look like the pattern, in which 0 is any digit? */
static bool is_like(const char *text, const char *pattern)
{
    for (; *pattern; text++, pattern++)
        if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
            return false;
    return !*text;
}

bool history_is_date(const char *text)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, hour = 0, minute = 0, second = 0;
    if (!is_like(text, "0000-00-00") && !is_like(text, "0000-00-00T00:00:00Z"))
        return false;
    sscanf(text, "%d-%d-%dT%d:%d:%d", &year, &month, &day, &hour, &minute,
           &second);
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] &&
           (month != 2 || day < 29 || is_leap) && hour < 24 && minute < 60 &&
           second <= 60;
}

/* ---- series ---- */

static bool is_same_cell(const struct history_cell *x,
                         const struct history_cell *y)
{
    const struct run_key *a = &x->key, *b = &y->key;
    return !strcmp(x->metric, y->metric) && !strcmp(x->at, y->at) &&
           !strcmp(x->unit, y->unit) && !strcmp(x->machine, y->machine) &&
           a->threads == b->threads && a->scale == b->scale &&
           a->window == b->window && !strcmp(a->touch, b->touch) &&
           !strcmp(a->meter, b->meter) && !strcmp(a->allocator, b->allocator) &&
           !strcmp(a->workload, b->workload);
}

static int make_series(struct history *h, const struct history_cell *cell,
                       struct history_series **out)
{
    if (h->n == h->room) {
        size_t room = h->room ? 2 * h->room : 64;
        struct history_series *more = realloc(h->series, room * sizeof *more);
        if (!more)
            return ENOMEM;
        h->series = more;
        h->room = room;
    }
    h->series[h->n] = (struct history_series){.cell = *cell};
    *out = &h->series[h->n++];
    return 0;
}

static int find_series(struct history *h, const struct history_cell *cell,
                       struct history_series **out)
{
    for (size_t i = 0; i < h->n; i++) {
        size_t at = (h->next + i) % h->n;
        if (is_same_cell(&h->series[at].cell, cell)) {
            h->next = at + 1;
            *out = &h->series[at];
            return 0;
        }
    }
    int err = make_series(h, cell, out);
    h->next = h->n;
    return err;
}

static int add_point(struct history_series *s, const struct history_point *p,
                     unsigned long line)
{
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 8;
        struct history_point *points = realloc(s->point, room * sizeof *points);
        if (points)
            s->point = points;
        unsigned long *lines = realloc(s->line, room * sizeof *lines);
        if (lines)
            s->line = lines;
        if (!points || !lines)
            return ENOMEM;
        s->room = room;
    }
    s->point[s->n] = *p;
    s->line[s->n++] = line;
    return 0;
}

/* What is wrong with a row by itself, or NULL. */
static const char *find_fault(const struct history_row *row)
{
    const struct interval *m = &row->point.median;
    if (!row->point.commit[0])
        return "commit is empty (want what was measured)";
    if (!row->cell.machine[0])
        return "machine is empty (want where it was measured)";
    if (!row->cell.metric[0])
        return "metric is empty";
    if (!(m->lo <= m->value && m->value <= m->hi))
        return "median outside lo .. hi";
    return NULL;
}

int history_add(struct history *h, const struct history_row *row,
                const char *place, unsigned long line, char *why,
                size_t why_size)
{
    struct history_series *s;
    const struct history_point *p = &row->point;
    const char *fault = find_fault(row);
    if (!history_is_date(p->date)) {
        snprintf(why, why_size,
                 "%s: date = '%s' (want YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ)",
                 place, p->date);
        return EBADMSG;
    }
    if (fault) {
        snprintf(why, why_size, "%s: %s", place, fault);
        return EBADMSG;
    }
    int err = find_series(h, &row->cell, &s);
    for (size_t i = 0; !err && i < s->n; i++) {
        if (strcmp(s->point[i].commit, p->commit))
            continue;
        snprintf(why, why_size,
                 "%s: commit = '%s' has %s of %s already, at %s:%lu (want one "
                 "row a commit and cell)",
                 place, p->commit, s->cell.metric, s->cell.key.allocator,
                 h->path, s->line[i]);
        return EBADMSG;
    }
    if (!err && s->n && strcmp(p->date, s->point[s->n - 1].date) < 0) {
        snprintf(why, why_size,
                 "%s: date = '%s' is before '%s' of %s:%lu (want dates in "
                 "order)",
                 place, p->date, s->point[s->n - 1].date, h->path,
                 s->line[s->n - 1]);
        return EBADMSG;
    }
    return err ? err : add_point(s, p, line);
}

static unsigned long line_of(const char *place)
{
    const char *colon = strrchr(place, ':');
    return colon ? strtoul(colon + 1, NULL, 10) : 0;
}

int history_read(const char *path, struct history *out, char *why,
                 size_t why_size)
{
    struct table_reader *table;
    struct history_row row = {0};
    *out = (struct history){0};
    snprintf(out->path, sizeof out->path, "%s", path);
    int err = table_open(path, columns, COLUMNS, &table, why, why_size);
    if (err)
        return err;
    while ((err = table_next(table, &row, why, why_size)) == 0) {
        const char *place = table_place(table);
        err = history_add(out, &row, place, line_of(place), why, why_size);
        if (err)
            break;
    }
    table_close(table);
    return err == ENOENT ? 0 : err;
}

void history_free(struct history *h)
{
    for (size_t i = 0; i < h->n; i++) {
        free(h->series[i].point);
        free(h->series[i].line);
    }
    free(h->series);
    *h = (struct history){0};
}

/* ---- appending ---- */

/* Copy all of `from`, and end its last line.  Its first line must be ours. */
static int copy_file(FILE *from, FILE *to, const char *path, char *why,
                     size_t why_size)
{
    char *header = NULL, *line = NULL;
    size_t size = 0, room = 0;
    ssize_t length;
    int err = 0, last = '\n';
    FILE *own = open_memstream(&header, &size);
    if (!own)
        return ENOMEM;
    err = table_write_header(own, columns, COLUMNS);
    err = fclose(own) ? ENOMEM : err;
    for (size_t n = 0; !err && (length = getline(&line, &room, from)) > 0;
         n++) {
        if (n == 0 && strcmp(line, header)) {
            snprintf(why, why_size, "%s:1: another header (want %.*s)", path,
                     (int)strcspn(header, "\n"), header);
            err = EBADMSG;
        } else if (fwrite(line, 1, (size_t)length, to) != (size_t)length) {
            err = errno;
        }
        last = line[length - 1];
    }
    if (!err && ferror(from))
        err = EIO;
    if (!err && last != '\n' && putc('\n', to) == EOF)
        err = errno;
    free(line);
    free(header);
    return err;
}

static int write_all(const char *path, FILE *to, const struct history_row row[],
                     size_t n, char *why, size_t why_size)
{
    FILE *from = fopen(path, "r");
    int err = from ? 0 : errno;
    if (from) {
        err = copy_file(from, to, path, why, why_size);
        fclose(from);
    } else if (err == ENOENT) {
        err = table_write_header(to, columns, COLUMNS);
    }
    for (size_t i = 0; i < n && !err; i++)
        err = table_write(to, columns, COLUMNS, &row[i]);
    return err;
}

int history_append(const char *path, const struct history_row row[], size_t n,
                   char *why, size_t why_size)
{
    char part[PATH_SIZE];
    snprintf(why, why_size, "%s", path);
    if (snprintf(part, sizeof part, "%s.part", path) >= PATH_SIZE)
        return ENAMETOOLONG;
    FILE *to = fopen(part, "w");
    if (!to)
        return errno;
    int err = write_all(path, to, row, n, why, why_size);
    if (fclose(to) && !err)
        err = errno;
    if (!err && rename(part, path))
        err = errno;
    if (err)
        remove(part);
    return err;
}
