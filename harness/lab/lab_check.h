/* lab_check.h - the replayer of meter lab: trusts no block, and takes notes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LAB_CHECK_H
#define HEAPYARD_LAB_CHECK_H

#include <stdbool.h>

#include "lab_losses.h"
#include "lab_map.h"
#include "player.h"

struct lab_check {
    struct live_blocks *live;
    size_t most;   /* blocks that are live at once */
    uint64_t op;   /* that is being done, from 1 */
    uint64_t tag;  /* of the block before */
    size_t due;    /* alignment that is asked for */
    size_t align;  /* least that was seen; 0: no block yet */
    bool is_lab;   /* it has one heap, of malloclab_extent */
    uint64_t step; /* operations between columns of the map; 0: none */
    struct lab_gaps gaps;
    struct lab_map map;
    struct live_block *list; /* [most]: scratch */
    struct live_block *peak; /* [npeak]: those live where most bytes are */
    size_t npeak, peak_heap; /* bytes of the heap then */
};

/* The ops of a player whose `own` is a pointer to a struct lab_check. */
extern const struct block_ops lab_check_ops;

/* Zeroed; due, is_lab and step are set.  Returns 0 or ENOMEM. */
int lab_check_open(struct lab_check *, size_t most);
void lab_check_close(struct lab_check *);

/* Most bytes of the trace are live now. */
void lab_check_peak(struct lab_check *, struct heap *);
/* All was played: what is left was never written to by others. */
void lab_check_end(struct lab_check *, const struct player *);

#endif
