/* worst.h - the longest of many calls, with what was seen around each.
 *
 * A sorted array of fixed size: nearly every call is refused by one comparison
 * with the shortest that it holds, and the few that are not are rare enough to
 * be put in their place one by one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_WORST_H
#define HEAPYARD_WORST_H

#include <stdint.h>

enum { WORST_CALLS = 16 };

struct worst_call {
    uint64_t ticks;  /* how long it took */
    uint64_t size;   /* bytes that were asked for */
    uint64_t record; /* index of its record among the thread's */
    uint64_t after;  /* a place in the global order, at or before its own */
    unsigned thread;
    unsigned kind;
    /* What the kernel counted of the thread within so many calls, of which
     * this is the last. */
    uint64_t within, faults, preemptions, waits;
};

/* Begins as { 0 }. */
struct worst {
    uint64_t least; /* ticks of the last one, or 0 while there is room */
    unsigned n;
    struct worst_call call[WORST_CALLS]; /* [n], longest first */
};

/* Whether a call that took so long is among the longest so far.  Of equal
 * ones the first stays; one that took no tick never is. */
static inline int worst_takes(const struct worst *w, uint64_t ticks)
{
    return ticks > w->least;
}

/* Put it in its place, if worst_takes. */
void worst_add(struct worst *, const struct worst_call *);

#endif
