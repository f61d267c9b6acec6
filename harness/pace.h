/* pace.h - calls that are due at even times.
 *
 * A replay without pauses cannot show a queue: while one call is slow the next
 * is simply not made, so one stall counts once (G. Tene's "coordinated
 * omission").  At a pace, call i of a thread is due at a time of its own, and
 * its response time counts from then: a stall is seen by all calls that were
 * due while it lasted.
 *
 * Time that a thread waits for another thread's block or place moves its later
 * calls: the trace makes it wait, not the allocator.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PACE_H
#define HEAPYARD_PACE_H

#include <stdint.h>

/* Of one thread; all times in ticks (ticks.h).  Begins as { 0 }: no pace. */
struct pace {
    double interval; /* from one due time to the next; 0: no pace */
    uint64_t start;  /* when call 0 is due */
    uint64_t calls;  /* begun so far */
    uint64_t late;   /* of them: those whose due time had passed */
    uint64_t due;    /* of the call begun last */
};

/* Ticks between calls at calls_per_s, if a tick is so long.  0 for 0. */
double pace_interval(double calls_per_s, double ns_per_tick);

/* When call i is due, after `waited` ticks of waiting for other threads.  Not
 * a sum of intervals, so no error adds up. */
uint64_t pace_due(const struct pace *, uint64_t i, uint64_t waited);

/* Spin until the next call is due; now it begins. */
void pace_await(struct pace *, uint64_t waited);

#endif
