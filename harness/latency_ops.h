/* latency_ops.h - what the latency replayer keeps for each thread.
 *
 * Each call is counted once, by kind and by class of its size; sums over
 * classes and threads are made after the run.  That is 1.3 MiB a thread, of
 * which a trace uses little: a histogram for each kind and class that it has.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LATENCY_OPS_H
#define HEAPYARD_LATENCY_OPS_H

#include <stddef.h>

#include "histogram.h"
#include "pace.h"
#include "worst.h"

enum latency_kind {
    LATENCY_MALLOC,
    LATENCY_CALLOC,
    LATENCY_REALLOC,
    LATENCY_FREE,
    LATENCY_KINDS
};

/* Classes of sizes: up to 16 bytes, then a power of two each, then all above
 * 1 MiB. */
enum {
    LATENCY_SMALL_LOG2 = 4,
    LATENCY_LARGE_LOG2 = 20,
    LATENCY_CLASSES = LATENCY_LARGE_LOG2 - LATENCY_SMALL_LOG2 + 2,
    /* Calls between two readings of what the kernel counts of a thread. */
    LATENCY_USAGE_EVERY = 64
};

static inline unsigned latency_class(size_t size)
{
    if (size <= (size_t)1 << LATENCY_SMALL_LOG2)
        return 0;
    unsigned log2 = 64u - (unsigned)__builtin_clzll(size - 1); /* round up */

    return log2 > LATENCY_LARGE_LOG2 ? LATENCY_CLASSES - 1
                                     : log2 - LATENCY_SMALL_LOG2;
}

/* What the kernel has counted of a thread. */
struct latency_usage {
    uint64_t faults, preemptions, waits;
};

struct latency_state {
    uint64_t calls;             /* so far */
    uint64_t read_at;           /* calls when usage was read */
    struct latency_usage usage; /* as read last */
    struct pace pace;           /* its interval is set before the first call */
    struct worst worst;
    struct histogram ticks[LATENCY_KINDS][LATENCY_CLASSES];
    struct histogram response[LATENCY_KINDS]; /* from the due time; at a pace */
};

#endif
