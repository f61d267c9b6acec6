/* columns.c - typed columns: a CSV file as an array of C structs.
 *
 * Invariant: what table_write writes, table_next reads back the same, if the
 * values are in the ranges of the columns and texts hold no control bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "columns.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "row.h"

struct table_reader {
    struct csv_reader *csv;
    const struct column *columns;
    size_t n;
    size_t width;                 /* fields of the header */
    size_t field[CSV_FIELDS_MAX]; /* [n]: where each column stands */
    unsigned long line;
    char path[256]; /* for messages, cut if longer */
    char place[288];
};

const char *table_place(struct table_reader *r)
{
    snprintf(r->place, sizeof r->place, "%s:%lu", r->path, r->line);
    return r->place;
}

static bool is_text(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

static int parse_text(const struct column *c, const char *text, char *member)
{
    size_t length = strlen(text);
    if (length >= c->size || !is_text(text))
        return EINVAL;
    memcpy(member, text, length + 1);
    return 0;
}

/* Digits only: strtoull would take signs and spaces. */
static int parse_count(const struct column *c, const char *text, char *member)
{
    if (!*text || strspn(text, "0123456789") != strlen(text))
        return EINVAL;
    errno = 0;
    unsigned long long v = strtoull(text, NULL, 10);
    if (errno || (double)v < c->min)
        return EINVAL;
    if (c->type == COLUMN_COUNT32) {
        uint32_t narrow = (uint32_t)v;
        if (narrow != v)
            return EINVAL;
        memcpy(member, &narrow, sizeof narrow);
    } else {
        uint64_t wide = v;
        memcpy(member, &wide, sizeof wide);
    }
    return 0;
}

/* Decimal only: strtod would take inf, nan, hexadecimal and spaces. */
static int parse_real(const struct column *c, const char *text, char *member)
{
    double v = NAN;
    if (*text || c->type == COLUMN_REAL) {
        char *end;
        if (!*text || strspn(text, "0123456789+-.eE") != strlen(text))
            return EINVAL;
        v = strtod(text, &end);
        if (*end || !isfinite(v) || v < c->min)
            return EINVAL;
    }
    memcpy(member, &v, sizeof v);
    return 0;
}

static int parse_status(const char *text, char *member)
{
    enum status status;
    int err = status_parse(text, &status);
    if (!err)
        memcpy(member, &status, sizeof status);
    return err;
}

static int parse_member(const struct column *c, const char *text, void *record)
{
    char *member = (char *)record + c->offset;
    switch (c->type) {
    case COLUMN_TEXT:
        return parse_text(c, text, member);
    case COLUMN_COUNT32:
    case COLUMN_COUNT64:
        return parse_count(c, text, member);
    case COLUMN_REAL:
    case COLUMN_MAYBE:
        return parse_real(c, text, member);
    case COLUMN_STATUS:
        return parse_status(text, member);
    }
    return EINVAL;
}

static void describe(const struct column *c, char *text, size_t size)
{
    if (c->want)
        snprintf(text, size, "%s", c->want);
    else if (c->type == COLUMN_TEXT)
        snprintf(text, size, "at most %zu bytes without control bytes",
                 c->size - 1);
    else if (c->type == COLUMN_STATUS)
        snprintf(text, size, "ok, skip, crash, timeout, corrupt, nomem, error");
    else if (c->type == COLUMN_MAYBE)
        snprintf(text, size, "a decimal number or nothing");
    else if (c->type == COLUMN_REAL)
        snprintf(text, size, "a decimal number");
    else
        snprintf(text, size, "a whole number of %g or more", c->min);
}

/* Values in messages are cut, and their control bytes hidden. */
static int refuse_value(struct table_reader *r, const struct column *c,
                        const char *text, char *why, size_t why_size)
{
    char want[80], shown[48];
    describe(c, want, sizeof want);
    snprintf(shown, sizeof shown, "%s", text);
    for (char *p = shown; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    snprintf(why, why_size, "%s: %s = '%s' (want %s)", table_place(r), c->name,
             shown, want);
    return EBADMSG;
}

static int map_columns(struct table_reader *r, const struct csv_record *header,
                       char *why, size_t why_size)
{
    r->width = header->n;
    for (size_t i = 0; i < r->n; i++) {
        size_t times = 0;
        for (size_t j = 0; j < header->n; j++) {
            if (strcmp(header->field[j], r->columns[i].name))
                continue;
            r->field[i] = j;
            times++;
        }
        if (times != 1) {
            snprintf(why, why_size, "%s: %s column '%s' in the header",
                     table_place(r), times ? "more than one" : "no",
                     r->columns[i].name);
            return EBADMSG;
        }
    }
    return 0;
}

static int read_header(struct table_reader *r, char *why, size_t why_size)
{
    struct csv_record header;
    int err = csv_next(r->csv, &header);
    r->line = header.line;
    if (!err)
        return map_columns(r, &header, why, why_size);
    snprintf(why, why_size, "%s: %s (want a line of column names)",
             table_place(r),
             err == ENOENT    ? "empty file"
             : err == EBADMSG ? csv_why(r->csv)
                              : strerror(err));
    return err == ENOENT ? EBADMSG : err;
}

int table_open(const char *path, const struct column *columns, size_t n,
               struct table_reader **out, char *why, size_t why_size)
{
    assert(n <= CSV_FIELDS_MAX);
    struct table_reader *r = calloc(1, sizeof *r);
    if (!r)
        return ENOMEM;
    r->columns = columns;
    r->n = n;
    snprintf(r->path, sizeof r->path, "%s", path);
    int err = csv_open(path, &r->csv);
    if (err)
        snprintf(why, why_size, "%s: %s", path, strerror(err));
    else
        err = read_header(r, why, why_size);
    if (err) {
        table_close(r);
        return err;
    }
    *out = r;
    return 0;
}

void table_close(struct table_reader *r)
{
    if (!r)
        return;
    csv_close(r->csv);
    free(r);
}

int table_next(struct table_reader *r, void *record, char *why, size_t why_size)
{
    struct csv_record fields;
    int err = csv_next(r->csv, &fields);
    if (err == ENOENT)
        return err;
    r->line = fields.line;
    if (err) {
        snprintf(why, why_size, "%s: %s", table_place(r),
                 err == EBADMSG ? csv_why(r->csv) : strerror(err));
        return err;
    }
    if (fields.n != r->width) {
        snprintf(why, why_size, "%s: %zu fields (want %zu, as in the header)",
                 table_place(r), fields.n, r->width);
        return EBADMSG;
    }
    for (size_t i = 0; i < r->n; i++) {
        const char *text = fields.field[r->field[i]];
        if (parse_member(&r->columns[i], text, record))
            return refuse_value(r, &r->columns[i], text, why, why_size);
    }
    return 0;
}

int table_write_header(FILE *f, const struct column *columns, size_t n)
{
    const char *names[CSV_FIELDS_MAX];
    assert(n <= CSV_FIELDS_MAX);
    for (size_t i = 0; i < n; i++)
        names[i] = columns[i].name;
    return csv_write(f, names, n);
}

void real_set_point(char *text)
{
    char *sign = text + strspn(text, "+-0123456789");
    size_t bytes = strcspn(sign, "0123456789eE");
    if (bytes == 0)
        return;
    *sign = '.';
    memmove(sign + 1, sign + bytes, strlen(sign + bytes) + 1);
}

void real_format(double value, char *text, size_t size)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    real_set_point(text);
}

enum { FIELD_MAX = 256 }; /* bytes of a written field, with its 0 */

static void format_text(const char *member, char *text, size_t size)
{
    snprintf(text, size, "%s", member);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
}

static void format_member(const struct column *c, const void *record,
                          char text[FIELD_MAX])
{
    const char *member = (const char *)record + c->offset;
    uint32_t narrow;
    uint64_t wide;
    double real;
    enum status status;
    switch (c->type) {
    case COLUMN_TEXT:
        format_text(member, text, FIELD_MAX);
        break;
    case COLUMN_COUNT32:
        memcpy(&narrow, member, sizeof narrow);
        snprintf(text, FIELD_MAX, "%" PRIu32, narrow);
        break;
    case COLUMN_COUNT64:
        memcpy(&wide, member, sizeof wide);
        snprintf(text, FIELD_MAX, "%" PRIu64, wide);
        break;
    case COLUMN_REAL:
    case COLUMN_MAYBE:
        memcpy(&real, member, sizeof real);
        text[0] = '\0';
        if (isfinite(real))
            real_format(real, text, FIELD_MAX);
        break;
    case COLUMN_STATUS:
        memcpy(&status, member, sizeof status);
        snprintf(text, FIELD_MAX, "%s", status_name(status));
        break;
    }
}

int table_write(FILE *f, const struct column *columns, size_t n,
                const void *record)
{
    char text[CSV_FIELDS_MAX][FIELD_MAX];
    const char *fields[CSV_FIELDS_MAX];
    assert(n <= CSV_FIELDS_MAX);
    for (size_t i = 0; i < n; i++) {
        format_member(&columns[i], record, text[i]);
        fields[i] = text[i];
    }
    return csv_write(f, fields, n);
}
