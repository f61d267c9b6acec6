/* heap_facts.h - what a measured child saw of its heap: records in a file.
 *
 * The child looks and writes down; whoever reads the file thinks.  All that
 * a record says was true at one moment, when every thread stood still.
 *
 * The file is an array of struct heap_fact in the byte order of the machine,
 * in any order but this: a FACT_BLOCK stands behind its FACT_SPAN.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_HEAP_FACTS_H
#define HEAPYARD_HEAP_FACTS_H

#include <stdint.h>

#include "meter.h"

enum fact_kind {
    FACT_LIVE,     /* a block of the trace: start, bytes asked for, more: usable
                      bytes, as the allocator says */
    FACT_SPAN,     /* start, bytes, detail: enum span_kind, more: block_bytes */
    FACT_BLOCK,    /* start, bytes, detail: enum block_state */
    FACT_RESIDENT, /* start, bytes: whole pages that came into memory since the
                      replay began, and are in it now */
    FACT_CLASS,    /* a size class by a foreign library's own account: bytes of
                      a block; start: blocks in use (UINT64_MAX: it does
                      not say), more: blocks free, detail: spans */
    FACT_TOTAL,    /* bytes, of what detail (enum fact_total) says */
    FACT_KINDS
};

enum fact_total {
    TOTAL_RSS,        /* private resident bytes, less those before the replay */
    TOTAL_MAPPED,     /* these three as in struct heap_report; not there if */
    TOTAL_LIVE_BYTES, /* the allocator cannot say */
    TOTAL_LIVE_BLOCKS, /* (a count) */
    TOTAL_WALK,        /* 0: every span is in FACT_SPAN; else an errno */
    TOTAL_KINDS
};

struct heap_fact {
    uint32_t kind, detail;
    uint64_t start, bytes, more;
};

/* Plays, and writes run_context.facts when all threads are at rest.  It is in
 * no table: `heapyard heap` uses it, benchmarks cannot. */
extern const struct meter meter_heap;

#endif
