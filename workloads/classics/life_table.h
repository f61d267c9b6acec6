/* life_table.h - blocks of a program that is modelled: sizes and lifetimes,
 * drawn together from a table that the program was measured to have.
 *
 * A lifetime is the number of blocks that are born while a block lives: 0 if
 * it dies before the next is born.  It is drawn by octave (octave 0 is 0,
 * octave k is 2^(k-1) .. 2^k - 1, all alike), and the size of a row likewise,
 * so what the table holds is exact and what is within its cells is not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LIFE_TABLE_H
#define HEAPYARD_LIFE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "op.h"
#include "random.h"

enum {
    LIFE_OCTAVES = 14,
    LIFE_SPAN = 1 << (LIFE_OCTAVES - 1) /* lifetimes are below it */
};

/* Blocks of min, min + step … max bytes, all alike; step 0: of min bytes.
 * share is of all blocks of the program, in millionths, by octave. */
struct life_row {
    uint32_t min, max, step;
    uint32_t share[LIFE_OCTAVES];
};

struct life_draw {
    size_t row;
    uint64_t size, lifetime;
};

/* One thread's blocks that wait for their death, by when it comes. */
struct life {
    const struct life_row *row;
    struct alias cells; /* row * LIFE_OCTAVES + octave */
    struct op_feed *feed;
    unsigned thread;
    uint64_t births;
    struct life_block *block; /* [LIFE_SPAN], by birth; a list for each death */
};

/* Returns 0 or ENOMEM; release with life_close either way.  The rows are
 * borrowed. */
int life_open(struct life *, const struct life_row row[], size_t rows,
              struct op_feed *, unsigned thread);
void life_close(struct life *);

struct life_draw life_draw(const struct life *, struct random *);

/* A block is born and, after lifetime < LIFE_SPAN further births, dies; so die
 * those whose time has come, the youngest first.  Returns its object. */
uint64_t life_bear(struct life *, uint64_t size, uint64_t lifetime);

/* The same, but the caller frees it. */
uint64_t life_keep(struct life *, uint64_t size);

/* All die that are still alive, in the order of their deaths. */
void life_end(struct life *);

#endif
