/* draw.h - random numbers for resampling: the same seed, the same numbers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_DRAW_H
#define HEAPYARD_DRAW_H

#include <stddef.h>
#include <stdint.h>

/* The next 64 random bits.
 * Source: SplitMix64, in Steele, Lea & Flood, "Fast splittable pseudorandom
 * number generators", OOPSLA 2014, figure 16. */
uint64_t draw_bits(uint64_t *state);

/* A number below n, n <= 2^32; the bias is below n / 2^32.
 * Source: Lemire, "Fast random integer generation in an interval", ACM TOMACS
 * 29(1), 2019, section 3 (without rejection). */
size_t draw_index(uint64_t *state, size_t n);

#endif
