/* op_scale.h - a trace side by side with itself, and one time after another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_OP_SCALE_H
#define HEAPYARD_OP_SCALE_H

#include "ledger.h"
#include "op.h"

/* Passes on each operation `copies` times: copy k of thread t is thread
 * k * threads + t.  What a copy does depends on nothing of the others. */
struct op_copies {
    struct op_sink sink; /* first: put casts back */
    struct op_sink *next;
    unsigned copies, threads; /* copies * threads <= OP_MAX_THREADS */
};
struct op_copies op_copies(struct op_sink *next, unsigned copies,
                           unsigned threads);

/* Passes on a trace that is played into it several times.  Before each time
 * but the first, op_repeat_again frees what is live, by the thread that used
 * it last: so no time inherits from another. */
struct op_repeat {
    struct op_sink sink; /* first: put casts back */
    struct op_sink *next;
    struct ledger ledger;     /* of this time */
    uint64_t births, time_ns; /* of the times before */
};
/* Returns 0 or ENOMEM. */
int op_repeat_init(struct op_repeat *, struct op_sink *next);
int op_repeat_again(struct op_repeat *);
void op_repeat_free(struct op_repeat *);

#endif
