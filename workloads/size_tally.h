/* size_tally.h - how often each size was asked for.
 *
 * Exact up to SIZE_TALLY_MAX distinct sizes; later new sizes are only counted
 * together, and what is derived from the tally is an estimate.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SIZE_TALLY_H
#define HEAPYARD_SIZE_TALLY_H

#include <stddef.h>
#include <stdint.h>

enum { SIZE_TALLY_MAX = 1 << 20 }; /* 32 MiB of cells at most */

struct size_count {
    uint64_t size;  /* bytes */
    uint64_t count; /* 0: the cell is free */
};

struct size_tally {
    struct size_count *cell; /* [mask + 1] */
    size_t mask;
    size_t distinct;
    uint64_t untallied; /* allocations of sizes that found no cell */
};

/* Returns 0 or ENOMEM. */
int size_tally_init(struct size_tally *);
void size_tally_free(struct size_tally *);

/* Count one allocation.  Returns 0 or ENOMEM. */
int size_tally_add(struct size_tally *, uint64_t size);

/* Move all cells in use to the front, ordered by size.  Nothing can be added
 * after it. */
void size_tally_sort(struct size_tally *);

/* The commonest sizes of a sorted tally, commonest first (the smaller first
 * among equals), into top[max].  Returns how many. */
size_t size_tally_top(const struct size_tally *, struct size_count top[],
                      size_t max);

/* The smallest size of a sorted tally that at least a share (0 .. 1) of the
 * tallied allocations does not pass; 0 if there are none. */
uint64_t size_tally_quantile(const struct size_tally *, double share);

#endif
