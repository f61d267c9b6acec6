/* lockstep.h - threads that all do the same, each with objects of its own.
 *
 * Many classics are one loop that every thread runs on a table of its own,
 * with nothing random in it.  So a workload says what one thread does with
 * the places of its table, and here it becomes what all of them do: in turns
 * of so many operations, so that in the trace's order they stay abreast.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LOCKSTEP_H
#define HEAPYARD_LOCKSTEP_H

#include <stdint.h>

#include "op.h"

enum { LOCKSTEP_TURN = 64 /* operations of a thread before the next one's */ };

struct lockstep_step {
    uint64_t place;
    uint64_t size; /* to allocate; 0: free what is there */
};

struct lockstep {
    struct op_feed *feed;
    uint64_t *object; /* [places * threads] */
    uint64_t places;  /* of each thread's table */
    unsigned first;   /* the threads are first .. first + threads - 1: may be */
    unsigned threads; /* changed after a flush, to as many at most */
    unsigned steps;   /* that no thread has done yet */
    struct lockstep_step step[LOCKSTEP_TURN];
};

/* Returns 0 or ENOMEM; release with lockstep_free. */
int lockstep_init(struct lockstep *, struct op_feed *, uint64_t places,
                  unsigned first, unsigned threads);
void lockstep_free(struct lockstep *);

/* Each thread allocates into, or frees, that place of its table. */
void lockstep_alloc(struct lockstep *, uint64_t place, uint64_t size);
void lockstep_release(struct lockstep *, uint64_t place);

/* Feed what is still to be done: before anything else is fed. */
void lockstep_flush(struct lockstep *);

#endif
