/* reader.c - lines and records of an input, and what lines are made of.
 *
 * One buffer; what has been read moves out of it when more is needed.  A line
 * is made a string in place, so that scanning needs no length: every scan
 * stops at the 0.
 *
 * Invariant: buffer <= at <= end <= buffer + READER_SIZE, and *end may be
 * written.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int reader_init(struct reader *r, struct input *input)
{
    *r = (struct reader){.input = input};
    r->buffer = malloc(READER_SIZE + 1);
    r->at = r->end = r->buffer;
    return r->buffer ? 0 : ENOMEM;
}

void reader_free(struct reader *r)
{
    free(r->buffer);
    r->buffer = NULL;
}

/* Read until the buffer holds `want` bytes that are not yet read. */
static int fill(struct reader *r, size_t want)
{
    size_t left = (size_t)(r->end - r->at);

    memmove(r->buffer, r->at, left);
    r->at = r->buffer;
    r->end = r->buffer + left;
    while (!r->is_end && (size_t)(r->end - r->at) < want) {
        size_t got;
        int err = input_read(r->input, r->end,
                             (size_t)(r->buffer + READER_SIZE - r->end), &got);

        if (err)
            return err;
        r->end += got;
        r->is_end = got == 0;
    }
    return 0;
}

int reader_head(struct reader *r, const char **head, size_t *n)
{
    int err = fill(r, READER_SIZE);

    *head = r->at;
    *n = (size_t)(r->end - r->at);
    return err;
}

/* The newline of the line at r->at, or NULL if the input ends before one. */
static int find_newline(struct reader *r, char **newline)
{
    size_t seen = 0;

    for (;;) {
        size_t n = (size_t)(r->end - r->at);

        *newline = memchr(r->at + seen, '\n', n - seen);
        if (*newline || r->is_end)
            return 0;
        if (n == READER_SIZE)
            return EMSGSIZE;
        int err = fill(r, n + 1);

        if (err)
            return err;
        seen = n;
    }
}

int reader_line(struct reader *r, const char **line, int *is_whole)
{
    char *newline;
    int err = find_newline(r, &newline);

    if (err)
        return err;
    *is_whole = newline != NULL;
    *line = newline || r->at < r->end ? r->at : NULL;
    char *end = newline ? newline : r->end;

    if (*line) {
        if (end > r->at && end[-1] == '\r')
            end[-1] = '\0';
        *end = '\0';
        r->at = newline ? end + 1 : end;
    }
    return 0;
}

int reader_bytes(struct reader *r, size_t size, const unsigned char **bytes,
                 size_t *got)
{
    int err = (size_t)(r->end - r->at) < size ? fill(r, size) : 0;
    size_t n = (size_t)(r->end - r->at);

    *bytes = (unsigned char *)r->at;
    *got = n < size ? n : size;
    r->at += *got;
    return err;
}

int reader_rest(struct reader *r, unsigned char **bytes, size_t *n)
{
    size_t room = 0;
    int err = 0;

    *bytes = NULL;
    *n = 0;
    for (;;) {
        const unsigned char *some;
        size_t got;

        err = reader_bytes(r, READER_SIZE, &some, &got);
        if (err || got == 0)
            return err;
        if (*n + got > room) {
            room = 2 * (*n + got);
            unsigned char *more = realloc(*bytes, room);

            if (!more)
                return ENOMEM;
            *bytes = more;
        }
        memcpy(*bytes + *n, some, got);
        *n += got;
    }
}

/* ---- scanning ---- */

int scan_decimal(const char **at, uint64_t *out)
{
    const char *p = *at;
    uint64_t v = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        unsigned digit = (unsigned)(*p - '0');

        if (v > (UINT64_MAX - digit) / 10)
            return 0;
        v = v * 10 + digit;
    }
    if (p == *at)
        return 0;
    *at = p;
    *out = v;
    return 1;
}

/* 0..15, or 16 for what is no digit. */
static unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
}

int scan_hex(const char **at, uint64_t *out)
{
    const char *p = *at;
    uint64_t v = 0;

    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
        p += 2;
    const char *first = p;

    for (unsigned digit; (digit = hex_digit(*p)) < 16; p++) {
        if (v >> 60)
            return 0;
        v = v << 4 | digit;
    }
    if (p == first)
        return 0;
    *at = p;
    *out = v;
    return 1;
}

int scan_number(const char **at, uint64_t *out)
{
    const char *p = *at;

    return p[0] == '0' && (p[1] == 'x' || p[1] == 'X') ? scan_hex(at, out)
                                                       : scan_decimal(at, out);
}

int scan_word(const char **at, const char *word)
{
    const char *p = *at;

    while (*word && *p == *word) {
        p++;
        word++;
    }
    if (*word)
        return 0;
    *at = p;
    return 1;
}

int scan_blank(const char **at)
{
    const char *p = *at;

    while (*p == ' ' || *p == '\t')
        p++;
    if (p == *at)
        return 0;
    *at = p;
    return 1;
}
