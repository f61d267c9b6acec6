/* draw.c - random numbers for resampling: the same seed, the same numbers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "draw.h"

uint64_t draw_bits(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

size_t draw_index(uint64_t *state, size_t n)
{
    return (size_t)(((draw_bits(state) >> 32) * (uint64_t)n) >> 32);
}
