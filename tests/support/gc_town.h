/* gc_town.h - threads that live on one collected heap.
 *
 * Each grows trees of its own and checks them, and swaps lists of nodes with
 * the others over a shelf that a lock protects.  What a thread holds is on its
 * stack only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GC_TOWN_H
#define HEAPYARD_GC_TOWN_H

#include <pthread.h>
#include <stdatomic.h>

#include "hy_gc.h"

enum { GC_TOWN_SHELF = 64 };

struct gc_town {
    struct hy_gc *heap;
    pthread_mutex_t lock;   /* of shelf */
    void **shelf;           /* [GC_TOWN_SHELF], registered */
    _Atomic unsigned users; /* so far: seeds */
    _Atomic unsigned faults;
    _Atomic unsigned rounds; /* done by all */
    _Atomic int is_over;
};

/* On a heap that the town owns; aborts if it cannot be opened. */
void gc_town_open(struct gc_town *, const struct hy_gc_config *);
void gc_town_close(struct gc_town *);

/* One round of a registered thread; *seed is its state.  Returns faults. */
unsigned gc_town_round(struct gc_town *, struct hy_gc_thread *, uint64_t *seed);
/* A thread's function: enter the heap, do rounds until is_over, leave. */
void *gc_town_live(void *town);
/* See that what is on the shelf is whole; returns faults. */
unsigned gc_town_check(struct gc_town *);

#endif
