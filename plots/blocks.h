/* blocks.h - the estimates of a summary by what a reader compares.
 *
 * A block is a workload at a number of threads (and scale, touch, window):
 * within it allocators are comparable, across blocks they are not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_BLOCKS_H
#define HEAPYARD_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "summary.h"

struct block {
    const struct run_key *key; /* of any estimate of it; borrowed */
    const char **allocator;    /* [n]: null first, then by time an
                                  operation, then by name; borrowed */
    size_t n;
    const struct estimate *first; /* [estimates], copied: of this block only */
    size_t estimates;
};

struct blocks {
    struct block *block; /* [n] */
    size_t n;
    bool has_variants; /* touch or window differ between blocks */
    const char *baseline;
};

/* Returns 0 or ENOMEM.  Borrows from the summary. */
int blocks_open(const struct summary *, struct blocks *out);
void blocks_close(struct blocks *);

/* The estimate of a metric over the whole run, or NULL. */
const struct estimate *block_find(const struct block *, const char *allocator,
                                  const char *meter, const char *metric);
/* Whether the text is that meter, "NAME" or "NAME:OPTIONS". */
bool is_meter(const char *text, const char *name);
/* What failed of a meter, with any options: the estimate that stands for its
 * runs if none was ok, or one with both ok and failed runs; NULL if none
 * failed. */
const struct estimate *block_failure(const struct block *,
                                     const char *allocator, const char *meter);
/* The most and the fewest ok runs of a metric, over allocators that have
 * any; both 0 if none has. */
void block_runs(const struct block *, const char *meter, const char *metric,
                uint32_t *fewest, uint32_t *most);
/* "server-sim:profile=B, 2 threads" and what else tells it from others. */
void block_title(const struct blocks *, const struct block *, char *text,
                 size_t size);

/* What an interval of a ratio to the baseline says. */
enum verdict {
    VERDICT_NONE,
    VERDICT_LESS,
    VERDICT_MORE,
    VERDICT_SAME,
    VERDICT_FEW
};
enum verdict verdict_of(const struct estimate *); /* NULL gives NONE */

/* Decimals for three significant digits without exponent: 0.0312, 4.56,
 * 12346; and for a ratio: two as a rule. */
int decimals_short(double value);
int decimals_ratio(double value);
/* "0", "512", "64K", "1.5M": bytes by powers of 1024. */
void format_bytes(double value, char *text, size_t size);

/* A unit in which the largest value reads well. */
struct scale {
    const char *unit;
    double divisor;
};
struct scale scale_for_time(double most_ns);
struct scale scale_for_bytes(double most_bytes);

#endif
