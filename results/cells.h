/* cells.h - samples gathered by cell, before they are reduced.
 *
 * A cell is what the samples of one estimate share: workload, threads, scale,
 * touch, window, meter, metric, at and allocator.  A hash table finds it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CELLS_H
#define HEAPYARD_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "summary.h"

/* One value, and the block of runs it belongs to. */
struct sample {
    double value;
    uint64_t seed;
    uint32_t session; /* number of the session as first met, from 1 */
    uint32_t block;
};

struct cell {
    struct estimate estimate; /* its key, metric, at and unit name the cell */
    struct sample *samples;   /* [n] */
    size_t n, room;
    uint32_t failed[STATUS_KINDS]; /* runs, by status; not STATUS_OK */
    char note[STATUS_KINDS][160];  /* the first of each status */
    bool is_charged;               /* its failures are counted in other cells */
};

struct cells {
    struct cell **cell; /* [n], as first met */
    size_t n, room;
    size_t *slot; /* [slots]: 0 = free, else 1 + index in cell */
    size_t slots; /* a power of two, or 0 */
    char (*session)[24];
    size_t sessions;
};

/* FNV-1a over the fields that make the cell; also the seed of its resampling.
 */
uint64_t cell_hash(const struct run_key *, const char *metric, const char *at);

/* The cell of an allocator otherwise like `key`, or NULL. */
struct cell *cells_find(const struct cells *, const struct run_key *key,
                        const char *allocator, const char *metric,
                        const char *at);

/* Put one row into its cell.  Returns 0, EINVAL if its unit is not the
 * cell's, or ENOMEM. */
int cells_add(struct cells *, const struct row *);
/* The same for a row of a file, of which place is "FILE:LINE": one that is of
 * one run only (a point of a curve, a single call) is left out.  Returns 0;
 * EBADMSG and why for another unit; or ENOMEM. */
int cells_take(struct cells *, const struct row *, const char *place, char *why,
               size_t why_size);
void cells_free(struct cells *);

#endif
