/* gc_log.h - what meter gc keeps while a program runs, and says afterwards.
 *
 * Collections and requests go into tables of fixed size, so that nothing here
 * calls malloc, or touches the heap, while the clock runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GC_LOG_H
#define HEAPYARD_GC_LOG_H

#include <stdatomic.h>

#include "collection.h"
#include "meter.h"
#include "pauses.h"

enum {
    GC_COLLECTIONS_MAX = 65536, /* 7 MiB */
    GC_REQUESTS_MAX = 1 << 20   /* 16 MiB */
};

struct gc_log {
    struct time_span run;
    uint64_t cpu_begin, cpu_end;            /* ns, of the process */
    int fd;                                 /* of log=FILE, or -1 */
    char why[160];                          /* it cannot be opened */
    _Atomic uint64_t collections, requests; /* more than there is room for:
                                               the rest was lost */
    struct {
        uint64_t begin; /* of the request that this thread is at */
        char pad[64 - sizeof(uint64_t)];
    } thread[OP_MAX_THREADS];
    struct collection_event collection[GC_COLLECTIONS_MAX];
    struct time_span request[GC_REQUESTS_MAX];
};

/* How many of each are in the tables. */
size_t gc_log_collections(const struct gc_log *);
size_t gc_log_requests(const struct gc_log *);

/* After the run: emit the figures.  Sorts the requests. */
void gc_emit_collections(const struct run_context *, const struct gc_log *);
void gc_emit_requests(const struct run_context *, struct gc_log *);

/* Write every collection as a row of collections.csv.  Returns 0 or an
 * errno. */
int gc_log_write(const struct run_context *, const struct gc_log *);

#endif
