/* lab_losses.h - where the bytes of a heap go that nobody asked for.
 *
 * Seen from outside: between two live blocks lies what belongs to the first
 * (its footer, what it was rounded up by), free memory, and the header of the
 * second.  The least room ever seen behind live blocks of that size is taken
 * to be the block's own; what is beyond is a hole.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LAB_LOSSES_H
#define HEAPYARD_LAB_LOSSES_H

#include "live_blocks.h"

enum { LAB_SIZES = 4096, LAB_RESIDUES = 16, LAB_SEEN = 8 };

/* Zeroed at first. */
struct lab_gaps {
    struct lab_gap {
        size_t size;
        uint64_t least;                        /* bytes */
        uint64_t seen;                         /* 0: the cell is free */
    } exact[LAB_SIZES], residue[LAB_RESIDUES]; /* by size; by size % 16 */
};

/* A block of that size had so many bytes between its end and the next one's
 * start. */
void lab_gap_note(struct lab_gaps *, size_t size, uint64_t gap);
/* What such a block needs beside its payload: the least of blocks of its size,
 * if LAB_SEEN of them were seen, else of all with the same remainder. */
uint64_t lab_gap_need(const struct lab_gaps *, size_t size);

struct lab_losses {
    uint64_t payload; /* bytes asked for and live */
    uint64_t fixed;   /* before the first block */
    uint64_t headers; /* what every block has: estimate */
    uint64_t padding; /* what its size is rounded up by: estimate */
    uint64_t holes;   /* free between blocks: estimate */
    uint64_t tail;    /* behind the last block */
    uint64_t later;   /* that the heap grew after this moment */
};

/* Of block[n], upwards, in a heap of `bytes` from lo, that in the end has
 * `end_bytes`.  All parts add up to end_bytes: exact. */
void lab_losses_find(const struct lab_gaps *, const struct live_block block[],
                     size_t n, const char *lo, size_t bytes, size_t end_bytes,
                     struct lab_losses *out);

#endif
