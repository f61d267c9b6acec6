/* unit_blocks.h - blocks that fill whole units of memory, header included.
 *
 * Theorems count in units; an allocator that puts a header before each block
 * takes a little more.  So a block of n units asks for n units less a header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_UNIT_BLOCKS_H
#define HEAPYARD_UNIT_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "op.h"

struct unit_blocks {
    uint64_t unit, header; /* bytes; header < unit */
};

static inline uint64_t unit_bytes(const struct unit_blocks *u, uint64_t units)
{
    return units * u->unit - u->header;
}

static inline uint64_t feed_units(struct op_feed *feed,
                                  const struct unit_blocks *u, uint64_t units)
{
    return feed_alloc(feed, 0, unit_bytes(u, units));
}

/* Is header < unit, and largest / unit, rounded down, a power of two from
 * `least` on?  If not, EINVAL and why, in the words of knobs_parse. */
int unit_blocks_check(const char *owner, double unit, double header,
                      double largest, unsigned least, char *why,
                      size_t why_size);

#endif
