/* csv.c - records of comma-separated text: reader and writer.
 *
 * The reader is a descent of one level: a record is fields up to a newline, a
 * field is plain or quoted.  What RFC 4180 leaves open is refused rather than
 * guessed: a quote inside a plain field, text after a closing quote, a
 * carriage return alone, a NUL.
 *
 * Source: RFC 4180, section 2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "csv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct csv_reader {
    FILE *file;
    unsigned long line; /* of the next byte */
    const char *why;
    bool started;
    size_t used;
    char text[CSV_RECORD_MAX]; /* the fields of one record, each ended by 0 */
};

int csv_open(const char *path, struct csv_reader **out)
{
    struct csv_reader *r = calloc(1, sizeof *r);
    if (!r)
        return ENOMEM;
    r->file = strcmp(path, "-") ? fopen(path, "r") : stdin;
    if (!r->file) {
        int err = errno;
        free(r);
        return err;
    }
    r->line = 1;
    r->why = "";
    *out = r;
    return 0;
}

void csv_close(struct csv_reader *r)
{
    if (!r)
        return;
    if (r->file != stdin)
        fclose(r->file);
    free(r);
}

const char *csv_why(const struct csv_reader *r)
{
    return r->why;
}

static int next_byte(struct csv_reader *r)
{
    int c = getc_unlocked(r->file);
    if (c == '\n')
        r->line++;
    return c;
}

/* As next_byte, but CRLF is one LF: between quotes it must stay as it is. */
static int next_plain(struct csv_reader *r)
{
    int c = next_byte(r);
    if (c != '\r')
        return c;
    int after = next_byte(r);
    if (after == '\n' || after == EOF)
        return after;
    ungetc(after, r->file);
    return '\r';
}

/* Refuse the record: `last` is the byte read last; go on after its line. */
static int refuse(struct csv_reader *r, int last, const char *why)
{
    r->why = why;
    while (last != '\n' && last != EOF)
        last = next_byte(r);
    return EBADMSG;
}

static bool keep(struct csv_reader *r, int c)
{
    if (r->used == sizeof r->text)
        return false;
    r->text[r->used++] = (char)c;
    return true;
}

static const char too_long[] = "record of more than 65536 bytes";

/* Both read one field and leave in *end what ended it: comma, LF or EOF. */
static int read_plain(struct csv_reader *r, int first, int *end)
{
    int c = first;
    for (; c != ',' && c != '\n' && c != EOF; c = next_plain(r)) {
        if (c == '"')
            return refuse(r, c, "quote inside a field that is not quoted");
        if (c == '\r')
            return refuse(r, c, "carriage return without a newline");
        if (c == '\0')
            return refuse(r, c, "zero byte");
        if (!keep(r, c))
            return refuse(r, c, too_long);
    }
    *end = c;
    return keep(r, '\0') ? 0 : refuse(r, c, too_long);
}

static int read_quoted(struct csv_reader *r, int *end)
{
    for (;;) {
        int c = next_byte(r);
        if (c == EOF)
            return refuse(r, c, "quoted field without its closing quote");
        if (c == '\0')
            return refuse(r, c, "zero byte");
        if (c == '"') {
            c = next_plain(r);
            if (c == ',' || c == '\n' || c == EOF) {
                *end = c;
                return keep(r, '\0') ? 0 : refuse(r, c, too_long);
            }
            if (c != '"')
                return refuse(r, c, "text after a closing quote");
        }
        if (!keep(r, c))
            return refuse(r, c, too_long);
    }
}

static int read_record(struct csv_reader *r, int first, struct csv_record *out)
{
    int c = first;
    for (;;) {
        if (out->n == CSV_FIELDS_MAX)
            return refuse(r, c, "more than 64 fields");
        out->field[out->n++] = r->text + r->used;
        int end = EOF;
        int err = c == '"' ? read_quoted(r, &end) : read_plain(r, c, &end);
        if (err || end != ',')
            return err;
        c = next_plain(r);
    }
}

/* The first byte of the file that is not of a byte-order mark. */
static int skip_mark(struct csv_reader *r)
{
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
    int c = next_plain(r);
    for (size_t i = 0; i < sizeof mark && c == mark[i]; i++)
        c = next_plain(r);
    return c;
}

int csv_next(struct csv_reader *r, struct csv_record *out)
{
    out->n = 0;
    r->used = 0;
    int c = r->started ? next_plain(r) : skip_mark(r);
    r->started = true;
    while (c == '\n')
        c = next_plain(r);
    out->line = r->line;
    if (c == EOF)
        return ferror(r->file) ? EIO : ENOENT;
    int err = read_record(r, c, out);
    return ferror(r->file) ? EIO : err;
}

static void write_quoted(FILE *f, const char *text)
{
    putc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', f);
        putc(*text, f);
    }
    putc('"', f);
}

int csv_write(FILE *f, const char *const field[], size_t n)
{
    errno = 0;
    for (size_t i = 0; i < n; i++) {
        if (i)
            putc(',', f);
        /* A record of one empty field would be an empty line. */
        if (strpbrk(field[i], ",\"\r\n") || (n == 1 && !*field[i]))
            write_quoted(f, field[i]);
        else
            fputs(field[i], f);
    }
    putc('\n', f);
    if (!ferror(f))
        return 0;
    return errno ? errno : EIO;
}
