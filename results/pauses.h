/* pauses.h - what pauses leave of a program's time.
 *
 * Pure functions of the pauses of one run, in whole nanoseconds of one clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PAUSES_H
#define HEAPYARD_PAUSES_H

#include <stddef.h>
#include <stdint.h>

/* From begin, up to but not with end. */
struct time_span {
    uint64_t begin, end; /* ns; begin <= end */
};

/* Sort pauses by begin, unite those that overlap or touch, cut what lies
 * outside the run and drop what is empty.  Returns how many are left, at the
 * front. */
size_t pauses_tidy(struct time_span pause[], size_t n, struct time_span run);

/* Minimum mutator utilization: the smallest share of the program's own time in
 * any window of `window` ns that lies within the run.  0 .. 1; NAN if window
 * is 0 or longer than the run.  pause[n] as pauses_tidy leaves them.
 *
 * As a window slides, what it holds of pauses changes by straight lines that
 * bend only where an edge of the window meets an edge of a pause, so those
 * windows are enough.  O(n).
 * Source: P. Cheng & G. Blelloch, "A parallel, real-time garbage collector",
 * PLDI 2001. */
double pauses_mmu(const struct time_span pause[], size_t n,
                  struct time_span run, uint64_t window);

/* The value at share q of sorted x[n], n >= 1, 0 < q <= 1: the smallest that
 * at least q n values do not exceed ("nearest rank"); q = 1 is the maximum. */
uint64_t sorted_quantile(const uint64_t sorted[], size_t n, double q);

/* Sort upwards. */
void counts_sort(uint64_t x[], size_t n);

#endif
