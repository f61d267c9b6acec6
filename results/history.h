/* history.h - medians of many commits: history.csv.
 *
 * A row is one cell of one summary at one commit.  A series is all rows of one
 * cell on one machine, in the order of the file: rows of two machines are never
 * in one series.  results/README.md says what the columns mean.
 *
 * Invariant: the dates of a series do not go back, and no commit is in it
 * twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_HISTORY_H
#define HEAPYARD_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "summary.h"

/* What the rows of a series share.  Of the key, the parts that make a cell. */
struct history_cell {
    char machine[192];
    struct run_key key;
    char metric[48], at[48], unit[16];
};

struct history_point {
    char date[24];   /* ISO 8601, UTC */
    char commit[64]; /* what was measured; any name */
    uint32_t n;      /* ok runs, 1 or more */
    struct interval median;
};

struct history_row {
    struct history_cell cell;
    struct history_point point;
};

struct history_series {
    struct history_cell cell;
    struct history_point *point; /* [n] */
    unsigned long *line;         /* [n]: of the file; 0: of no file */
    size_t n, room;
};

struct history {
    char path[256];                /* for messages, cut if longer */
    struct history_series *series; /* [n], as first met */
    size_t n, room;
    size_t next; /* where the row after the last one is likely to belong */
};

/* "2026-11-25" or "2026-11-25T01:38:37Z", and a day that there is. */
bool history_is_date(const char *text);

/* Read a file.  Returns 0; EBADMSG with why = "FILE:LINE: what is wrong";
 * ENOENT; or an errno.  *out is to be freed in any case. */
int history_read(const char *path, struct history *out, char *why,
                 size_t why_size);
void history_free(struct history *);

/* Take in a row, if it keeps the invariant.  place: for the message; line: of
 * the file, or 0.  Returns 0, EBADMSG with why set, or ENOMEM. */
int history_add(struct history *, const struct history_row *, const char *place,
                unsigned long line, char *why, size_t why_size);

/* Append rows to the file, which is made if missing; it changes whole or not at
 * all.  Returns 0; EBADMSG if its header is another one; or an errno. */
int history_append(const char *path, const struct history_row row[], size_t n,
                   char *why, size_t why_size);

#endif
