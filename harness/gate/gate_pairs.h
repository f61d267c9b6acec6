/* gate_pairs.h - pairs of runs until each cell is decided.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GATE_PAIRS_H
#define HEAPYARD_GATE_PAIRS_H

#include "gate_session.h"

enum {
    GATE_PAIRS_FIRST = 16, /* pairs at the first look; each next has double */
    GATE_LOOKS = 6,
    GATE_TURNS = 4, /* runs of each side that make a pair */
    GATE_PAIRS_MAX = GATE_PAIRS_FIRST << (GATE_LOOKS - 1),
    GATE_CELLS_OF_ARM = 3 /* paired metrics */
};

/* One workload x threads x allocator, and its cells. */
struct gate_arm {
    struct plan_run run; /* of meter time */
    struct gate_cell *cell[GATE_CELLS_OF_ARM];
    double *values[GATE_SIDES][GATE_CELLS_OF_ARM]; /* [GATE_PAIRS_MAX] each:
                                                      behind the cells */
    unsigned ncells;
    double used_s; /* of the budget */
    int is_over;   /* decided, failed, or out of budget */
};

/* Play pairs of all arms, round by round in shuffled order, and look at 16,
 * 32, … pairs, until each cell is decided or its budget is used.
 *
 * cells[m] are those of the arms: the family of the test.  Returns 0, EINTR
 * (the cells are as far as they have come), or an errno and why. */
int gate_pairs(struct gate_session *, struct gate_arm arms[], size_t n,
               struct gate_cell *cells[], size_t m, char *why, size_t why_size);

#endif
