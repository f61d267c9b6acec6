/* swap_places.h - places through which the threads of a native workload swap
 * blocks: what one puts in, another gets.
 *
 * They lie outside the heap and are roots of one that collects.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SWAP_PLACES_H
#define HEAPYARD_SWAP_PLACES_H

#include <stdatomic.h>
#include <stddef.h>

#include "native.h"

struct swap_places {
    size_t count;
    void *_Atomic *place; /* [count]; starts as NULL */
};

/* Returns 0, or ENOMEM and then nothing is left to be closed. */
int swap_places_open(struct native *, size_t count, struct swap_places *out);
void swap_places_close(struct native *, struct swap_places *);

/* Put p there and return what was there. */
static inline void *swap_at(struct swap_places *s, size_t i, void *p)
{
    return atomic_exchange_explicit(&s->place[i], p, memory_order_acq_rel);
}

#endif
