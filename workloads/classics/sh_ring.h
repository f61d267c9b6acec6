/* sh_ring.h - the table of sh6bench and sh8bench.
 *
 * Blocks go into a table from its start to its end.  When the end is reached,
 * a fifth of the table survives, and all else is freed: what lies before that
 * fifth first in, first out, what lies after it last in, first out.  Then the
 * table is filled from its start again, around the survivors; the next time
 * the next fifth survives, and the fifth before it has become old.
 *
 * All threads do it in lockstep.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SH_RING_H
#define HEAPYARD_SH_RING_H

#include <stdint.h>

#include "lockstep.h"

struct sh_ring {
    struct lockstep *lockstep; /* has `places` places */
    uint64_t places;
    uint64_t at;       /* the place of the next block */
    uint64_t from, to; /* the survivors' places, from included; none at first */
};

/* All threads allocate a block of that size. */
void sh_ring_add(struct sh_ring *, uint64_t size);

/* Free all that is live, first in first out, and feed all of it. */
void sh_ring_drain(struct sh_ring *);

#endif
