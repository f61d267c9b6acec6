/* trace_info.h - figures of a trace, gathered in one pass, and their print.
 *
 * All figures are exact and computed from the operations alone, unless
 * sizes_are_estimates says that there were too many distinct sizes.  Memory
 * follows the live objects and the distinct sizes, not the length.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRACE_INFO_H
#define HEAPYARD_TRACE_INFO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "op.h"
#include "size_tally.h"

enum {
    INFO_TOP = 10,
    INFO_MARKS_MAX = 256,
    INFO_BUCKETS = 65 /* bucket 0: up to 1; bucket k: up to 2^k */
};

struct info_mark {
    char name[OP_NAME_MAX + 1];
    uint64_t place;      /* in the global order, OP_TIME left out */
    uint64_t live_bytes; /* at that place */
    uint64_t live_blocks;
};

struct trace_figures {
    uint64_t ops; /* all operations but OP_TIME */
    uint64_t by_kind[OP_KINDS];
    unsigned threads; /* highest number that occurs, plus one */
    uint64_t thread_ops[OP_MAX_THREADS];
    uint64_t duration_ns; /* the last OP_TIME; 0 without one */

    uint64_t births;
    uint64_t birth_bytes; /* asked for by OP_ALLOC and OP_ZALLOC */
    uint64_t zeroed, aligned;
    unsigned max_align_log2;
    uint64_t size_count[INFO_BUCKETS]; /* births, by size */
    uint64_t size_bytes[INFO_BUCKETS];
    struct size_count top[INFO_TOP]; /* the commonest sizes */
    size_t ntop;
    uint64_t distinct_sizes;
    int sizes_are_estimates; /* then top and quantiles are of the first
                                SIZE_TALLY_MAX distinct sizes, and
                                distinct_sizes is a lower bound */
    uint64_t size_p50, size_p99, size_max; /* bytes, of births */

    uint64_t frees;
    uint64_t cross_frees; /* by another thread than the last that used it */
    /* Freed objects by lifetime: births of other objects in their life.
     * Bucket 0 is 0, bucket 1 is 1, bucket k > 1 is up to 2^(k - 1). */
    uint64_t lifetime[INFO_BUCKETS];

    uint64_t resizes, grown, shrunk;
    uint64_t growth_bytes; /* of those that grew */
    uint64_t touched_bytes;

    uint64_t peak_bytes;  /* most live bytes at once (requested) */
    uint64_t peak_blocks; /* live at that moment */
    uint64_t peak_place;  /* of the operation that reached it first */
    uint64_t left_blocks, left_bytes; /* live at the end */

    struct info_mark marks[INFO_MARKS_MAX];
    size_t nmarks; /* kept; by_kind[OP_MARK] counts all */
};

struct trace_info; /* begins with its op_sink */

/* Returns 0 or ENOMEM. */
int trace_info_create(struct trace_info **out);
void trace_info_destroy(struct trace_info *);

/* Its put refuses a malformed stream with EBADMSG; trace_info_why then says
 * which operation and what is wrong. */
struct op_sink *trace_info_sink(struct trace_info *);
const char *trace_info_why(const struct trace_info *);

/* The figures of all operations so far; no more may be put.  Borrowed until
 * trace_info_destroy. */
const struct trace_figures *trace_info_finish(struct trace_info *);

/* The name of a kind: "alloc", "zalloc", "resize", … */
const char *op_kind_name(enum op_kind);

/* Write the figures for a reader at a terminal of 80 columns. */
void trace_figures_print(const struct trace_figures *, FILE *);

/* Write records "figure,key,unit,value" (RFC 4180), without the header. */
void trace_figures_csv(const struct trace_figures *, FILE *);

#endif
