/* trace_store.h - run-time traces in a folder, each compiled when first asked
 * for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRACE_STORE_H
#define HEAPYARD_TRACE_STORE_H

#include "prepare.h"
#include "trace.h"

enum { TRACE_STORE_PATH = 4096 };

struct stored_trace {
    struct trace_request request;
    char path[TRACE_STORE_PATH];
    struct trace *trace; /* NULL: could not be made */
    int err;             /* why not: an errno, and a line */
    char why[512];
    struct stored_trace *next;
};

struct trace_store {
    char folder[TRACE_STORE_PATH];
    size_t n;
    struct stored_trace *first;
};

/* Make the folder if it is not there.  Returns 0 or an errno. */
int trace_store_open(struct trace_store *, const char *folder);

/* The trace of a request: borrowed until the store is closed; NULL only if
 * memory is short.  Slow the first time. */
struct stored_trace *trace_store_get(struct trace_store *,
                                     const struct trace_request *);
/* Whether it has been asked for before. */
int trace_store_has(const struct trace_store *, const struct trace_request *);

/* Unmap all, remove their files, and the folder if nothing else is in it. */
void trace_store_close(struct trace_store *);

#endif
