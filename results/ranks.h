/* ranks.h - ranks of samples, and the null distribution of the signed ranks.
 *
 * Ranks are doubled, so that a rank shared by ties is a whole number.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_RANKS_H
#define HEAPYARD_RANKS_H

#include <stddef.h>
#include <stdint.h>

struct ranked_value {
    double value;
    size_t from;    /* its place before sorting */
    uint32_t twice; /* its rank, doubled: 2 .. 2n */
};

/* Sort v[n] by value and give each its rank; equal values share the mean of
 * theirs.  `from` travels with its value. */
void ranks_assign(struct ranked_value v[], size_t n);

/* P(T >= t) and P(T <= t), where T is the sum of those of twice[n] whose sign
 * is +, all 2^n signs being equally likely; the sum of all is 2^32 at most.
 * Exact up to PAIRED_EXACT, a normal approximation with a correction for
 * continuity above.  NAN if memory is short. */
double signed_ranks_above(const uint32_t twice[], size_t n, uint64_t t);
double signed_ranks_below(const uint32_t twice[], size_t n, uint64_t t);

/* P(Z > z) of the standard normal, and the z of which that is p. */
double normal_tail(double z);
double normal_tail_z(double p);

#endif
