/* warmup.h - were the first blocks slower than the rest, in all arms alike?
 *
 * A machine that was idle, a file that was not cached yet: the first blocks of
 * a bench may be slow for everyone.  Ratios within blocks do not care; medians
 * do a little.  So it is told, and nothing is dropped.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_WARMUP_H
#define HEAPYARD_WARMUP_H

#include <stddef.h>
#include <stdint.h>

#include "cells.h"

enum { WARMUP_FEW = 8 }; /* blocks; of fewer nothing is said */

/* One run: the place of its block in the schedule, and the logarithm of its
 * value over the median of its arm. */
struct warmup_run {
    uint64_t place;
    double log_factor;
};

struct warmup {
    uint32_t blocks; /* leading blocks with larger values; 0: none */
    double by;       /* how much larger than the rest, 0.06 = 6 %; else NAN */
};

/* A block's factor is the median of those of its runs.  Leading blocks, at
 * most a quarter of all, are warm-up if each is above the median of the rest
 * by more than five robust standard deviations of the rest (robust.h), and the
 * block after them is not: a longer slow time is no warm-up.  Sorts
 * runs[n] by place.  Returns 0 or ENOMEM. */
int warmup_find(struct warmup_run runs[], size_t n, struct warmup *out);

/* The same of the cells arm[n], which differ in the allocator only and have
 * their medians.  None if a value is 0 or less. */
int warmup_of_arms(const struct cells *, const struct cell *const arm[],
                   size_t n, struct warmup *out);

#endif
