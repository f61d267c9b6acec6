/* format.h - the contract of a trace format of other programs, and the table.
 *
 * A format is one file with one such struct (or several for dialects), and a
 * line in formats.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FORMAT_H
#define HEAPYARD_FORMAT_H

#include <stdio.h>

#include "archive.h"
#include "import.h"

/* What writing left out; counted while it wrote. */
struct export_losses {
    uint64_t touches, marks, times;
    uint64_t edges;   /* starts and joins of threads */
    uint64_t threads; /* 1 and more: whose operations are now in one list */
    uint64_t zeroed, aligned;
    uint64_t empty; /* blocks of 0 bytes, written as 1 */
};

struct trace_format {
    const char *name;    /* "android" */
    const char *summary; /* of what, for lists */
    const char *suffix;  /* of files that may be written in it, or "" */

    /* Whether head[n], the first bytes of an input, look like it.  head[n] is
     * 0. */
    int (*sniff)(const char *head, size_t n);

    /* Read the reader's input into import_… calls.  Returns as these do. */
    int (*read)(struct import *);

    /* Write a trace; NULL: cannot.  Returns 0, or the error of the source;
     * errors of the file stay in it (ferror). */
    int (*write)(const struct archive *, FILE *, struct export_losses *);
};

extern const struct trace_format android_format, glibc_raw_format,
    glibc_wl_format, heaptrack_format, logalloc_format, lttng_format,
    mtrace_format, rep_format, rep_3e_format, rep_2004_format, rep_xv6_format,
    valgrind_format, webkit_ops_format;

/* All formats, ended by NULL. */
extern const struct trace_format *const trace_formats[];

/* By name, or NULL. */
const struct trace_format *format_find(const char *name);
/* The first that such a head looks like, or NULL. */
const struct trace_format *format_sniff(const char *head, size_t n);
/* The one to write to a file of that name, by its suffix; or NULL. */
const struct trace_format *format_of_suffix(const char *path);

/* For sniffs: whether one of the first lines of head[n] (which is ended by a
 * 0) makes `is_line` true. */
int format_has_line(const char *head, size_t n,
                    int (*is_line)(const char *line));

#endif
