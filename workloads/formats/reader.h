/* reader.h - lines and records of an input, and what lines are made of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_READER_H
#define HEAPYARD_READER_H

#include <stddef.h>
#include <stdint.h>

#include "input.h"

enum { READER_SIZE = 1 << 18 /* the longest line, and all of a head */ };

struct reader {
    struct input *input; /* borrowed */
    char *buffer;        /* [READER_SIZE + 1] */
    char *at, *end;      /* of what is not yet read */
    int is_end;          /* the input has no more */
};

/* Returns 0 or ENOMEM. */
int reader_init(struct reader *, struct input *);
void reader_free(struct reader *);

/* The first bytes, up to READER_SIZE, which are read again later.  Only
 * before anything else.  *head is borrowed until the next call. */
int reader_head(struct reader *, const char **head, size_t *n);

/* The next line, without its newline or CR LF, as a string: a 0 byte in it
 * ends it early.  *line is borrowed until the next call, and NULL at the end.
 * *is_whole: it was ended by a newline.  Returns 0, EMSGSIZE if a line is
 * longer than READER_SIZE, or what input_read returns. */
int reader_line(struct reader *, const char **line, int *is_whole);

/* The next size (up to READER_SIZE) bytes.  *got is less only at the end. */
int reader_bytes(struct reader *, size_t size, const unsigned char **bytes,
                 size_t *got);

/* All that is left; *bytes is the caller's to free.  Returns ENOMEM too. */
int reader_rest(struct reader *, unsigned char **bytes, size_t *n);

/* ---- what lines are made of ----
 *
 * Each takes the position in a string, moves it behind what it found and
 * returns whether it found it; otherwise the position stays. */

/* Decimal digits, a number below 2^64. */
int scan_decimal(const char **at, uint64_t *out);
/* Hexadecimal digits, "0x" before them or not. */
int scan_hex(const char **at, uint64_t *out);
/* Either: hexadecimal after "0x", else decimal. */
int scan_number(const char **at, uint64_t *out);
/* Exactly these characters. */
int scan_word(const char **at, const char *word);
/* One space or tab and all that follow. */
int scan_blank(const char **at);

#endif
