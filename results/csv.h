/* csv.h - records of comma-separated text: reader and writer.
 *
 * One record at a time, in memory that does not grow: a record has at most
 * CSV_RECORD_MAX bytes and CSV_FIELDS_MAX fields.  LF is written; LF and CRLF
 * are read; a byte-order mark and empty lines are passed over.
 *
 * Source: RFC 4180, "Common Format and MIME Type for CSV Files", 2005.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CSV_H
#define HEAPYARD_CSV_H

#include <stddef.h>
#include <stdio.h>

enum { CSV_RECORD_MAX = 65536, CSV_FIELDS_MAX = 64 };

struct csv_record {
    unsigned long line; /* of the file, where the record begins; from 1 */
    size_t n;
    const char *field[CSV_FIELDS_MAX]; /* borrowed until the next csv_next */
};

struct csv_reader;

/* Open path, or standard input for "-".  Returns 0 or an errno. */
int csv_open(const char *path, struct csv_reader **out);

/* The next record.  Returns 0; ENOENT at the end; EBADMSG for a malformed
 * one, where out->line is set, csv_why() says what is wrong, and the next
 * call goes on after the end of that line; or EIO. */
int csv_next(struct csv_reader *, struct csv_record *out);
const char *csv_why(const struct csv_reader *);
void csv_close(struct csv_reader *);

/* Write one record and its LF; a field is quoted only where it must be.
 * Returns 0 or an errno. */
int csv_write(FILE *, const char *const field[], size_t n);

#endif
