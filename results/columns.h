/* columns.h - typed columns: a CSV file as an array of C structs.
 *
 * A table of `struct column` says which member of a struct each column fills.
 * row.c and summary.c are such tables; this reads, checks and writes them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_COLUMNS_H
#define HEAPYARD_COLUMNS_H

#include <stddef.h>
#include <stdio.h>

enum column_type {
    COLUMN_TEXT,    /* char[size] */
    COLUMN_COUNT32, /* uint32_t */
    COLUMN_COUNT64, /* uint64_t */
    COLUMN_REAL,    /* double */
    COLUMN_MAYBE,   /* double, or NAN: an empty field */
    COLUMN_STATUS   /* enum status */
};

struct column {
    const char *name;
    enum column_type type;
    size_t offset;    /* of the member */
    size_t size;      /* of the member, bytes */
    double min;       /* COLUMN_COUNT32, COLUMN_REAL: the least value */
    const char *want; /* what is right, for messages; NULL: by type */
};

/* A column whose member has the same name. */
#define COLUMN(record, member, type, min, want)                                \
    COLUMN_AS(#member, record, member, type, min, want)
#define COLUMN_AS(name, record, member, type, min, want)                       \
    {                                                                          \
        name, type, offsetof(record, member), sizeof((record *)0)->member,     \
            min, want                                                          \
    }

struct table_reader;

/* Open path ("-" for standard input) and read its header.  Columns may stand
 * in any order and unknown ones are ignored.  Returns 0, EBADMSG where one is
 * missing or twice there (why says which), or the errno of the file. */
int table_open(const char *path, const struct column *columns, size_t n,
               struct table_reader **out, char *why, size_t why_size);

/* Fill *record.  Returns 0; ENOENT at the end; EBADMSG (why is
 * "FILE:LINE: column = value (want …)") after which the next call goes on
 * with the next record; or EIO. */
int table_next(struct table_reader *, void *record, char *why, size_t why_size);
/* "FILE:LINE" of the record read last, borrowed until the next call. */
const char *table_place(struct table_reader *);
void table_close(struct table_reader *);

/* Write a header, or a record.  Control bytes of texts become spaces, since
 * the reader refuses them.  Returns 0 or an errno. */
int table_write_header(FILE *, const struct column *columns, size_t n);
int table_write(FILE *, const struct column *columns, size_t n,
                const void *record);

/* The shortest decimal that reads back as the same double.  It has a point,
 * whatever the locale; so has any finite number after real_set_point. */
void real_format(double value, char *text, size_t size);
void real_set_point(char *text);

#endif
