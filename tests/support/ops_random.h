/* ops_random.h - random, well-formed streams of operations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_OPS_RANDOM_H
#define HEAPYARD_OPS_RANDOM_H

#include "op.h"

/* Same figures, same operations. */
struct ops_random {
    struct trace_source source; /* first: play casts back */
    uint64_t seed;
    unsigned threads;  /* 1 or more */
    unsigned ops;      /* about as many */
    unsigned live;     /* blocks at once, about */
    uint64_t max_size; /* bytes, of all blocks but the wide ones */
    unsigned max_align_log2;
    int wide; /* some blocks of 4 GiB and more */
};

/* A source of the figures given, whose seed also decides how threads start:
 * all at once and unannounced, or spawned and joined at any time, with numbers
 * used again after a join, and some threads that do nothing. */
struct ops_random ops_random(struct ops_random figures);

#endif
