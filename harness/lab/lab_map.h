/* lab_map.h - a heap over time: for moments, how full each part of it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LAB_MAP_H
#define HEAPYARD_LAB_MAP_H

#include "live_blocks.h"

enum { LAB_MAP_COLUMNS = 100, LAB_MAP_ROWS = 96, LAB_MAP_FIRST = 64 };

struct lab_map {
    size_t row_bytes; /* 0 at first; it doubles when the heap outgrows */
    unsigned columns;
    struct lab_map_column {
        uint64_t op;                 /* how many were done */
        uint64_t heap_bytes;         /* the heap then */
        uint32_t live[LAB_MAP_ROWS]; /* bytes */
    } column[LAB_MAP_COLUMNS];
};

/* Operations from one column to the next, where `ops` of them have at most so
 * many columns. */
uint64_t lab_map_step(uint64_t ops, uint64_t columns);

/* Note block[n] of a heap of `bytes` from lo, after `op` operations; not more
 * than LAB_MAP_COLUMNS times. */
void lab_map_add(struct lab_map *, uint64_t op, const struct live_block block[],
                 size_t n, const char *lo, size_t bytes);

/* A column as text, from the bottom of the heap: a digit a row, tenths of it
 * that are live (0: nothing, 9: nine tenths and more); no row beyond the heap.
 */
void lab_map_text(const struct lab_map *, unsigned column,
                  char text[LAB_MAP_ROWS + 1]);

#endif
