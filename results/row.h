/* row.h - one row of samples.csv: one value of one run.
 *
 * Long form: a new meter adds rows, never columns.  results/README.md says
 * what each column and metric means; results/samples.schema.json says it to
 * machines.  A run that failed is one row with its status and no value.
 *
 * Files are RFC 4180: CRLF is accepted, LF is written, fields with comma,
 * quote or newline are quoted, the first record names the columns.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_ROW_H
#define HEAPYARD_ROW_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum status {
    STATUS_OK,
    STATUS_SKIP,  /* cannot be run here; note says why */
    STATUS_CRASH, /* killed by a signal, or left without a result */
    STATUS_TIMEOUT,
    STATUS_CORRUPT, /* the allocator broke its contract; note says how */
    STATUS_NOMEM,   /* the allocator returned NULL */
    STATUS_ERROR,   /* the harness could not do its part */
    STATUS_KINDS
};

const char *status_name(enum status);
int status_parse(const char *name, enum status *out); /* 0 or EINVAL */

/* What was run.  Strings hold no control bytes. */
struct run_key {
    char session[24];   /* of environment.csv: when and where */
    uint32_t run;       /* number in the plan, from 1 */
    uint32_t block;     /* every arm once a block, shuffled; from 1 */
    char workload[200]; /* name and knobs: server-sim:profile=B */
    uint32_t threads;
    double scale;
    uint64_t seed;
    char allocator[200]; /* as the user named it: a name or a path */
    char served_by[128]; /* file that served malloc, and its version */
    char meter[200];     /* time, memory, …; with its options, if any */
    char touch[8];       /* none, byte, page, line, full */
    uint32_t window;     /* skew window in operations; 0 = unbounded */
};

struct row {
    struct run_key key;
    enum status status;
    char metric[48]; /* empty if status is not ok */
    char at[48];     /* "" for one value a run; else seconds since the start
                        of the replay ("0.125"), or a mark ("mark:peak") */
    char unit[16];
    double value; /* NAN if status is not ok: an empty field */
    char note[160];
};

/* Write the header record.  Returns 0 or an errno. */
int row_write_header(FILE *);
/* Write one row.  Returns 0; EINVAL for what the reader would refuse (a
 * metric or a value missing though status is ok, a value though it is not, a
 * count of 0); or an errno.  Control bytes in texts become spaces. */
int row_write(FILE *, const struct row *);

/* Reads rows of one file.  Columns may stand in any order; unknown columns
 * are ignored; a missing one is an error. */
struct row_reader;

/* Returns 0, EBADMSG for a bad header (row_reader_why says what), or the
 * errno of the file.  path may be "-" for standard input. */
int row_reader_open(const char *path, struct row_reader **out, char *why,
                    size_t why_size);
/* 0 and a row; ENOENT at the end; EBADMSG for a bad record: why then is
 * "FILE:LINE: column = value (want …)", and the next call goes on with the
 * record after it. */
int row_reader_next(struct row_reader *, struct row *out, char *why,
                    size_t why_size);
/* "FILE:LINE" of the row read last, for messages; borrowed. */
const char *row_reader_place(struct row_reader *);
void row_reader_close(struct row_reader *);

#endif
