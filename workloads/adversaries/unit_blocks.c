/* unit_blocks.c - blocks that fill whole units of memory, header included.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit_blocks.h"

#include <errno.h>
#include <stdio.h>

int unit_blocks_check(const char *owner, double unit, double header,
                      double largest, unsigned least, char *why,
                      size_t why_size)
{
    const uint64_t n = (uint64_t)(largest / unit);

    if (header >= unit) {
        snprintf(why, why_size,
                 "%s: header = %.0f bytes (want less than unit, %.0f bytes)",
                 owner, header, unit);
        return EINVAL;
    }
    if (n >= least && (n & (n - 1)) == 0 && (double)n * unit == largest)
        return 0;
    snprintf(why, why_size,
             "%s: largest = %.0f bytes (want unit, %.0f bytes, times a power "
             "of two from %u on)",
             owner, largest, unit, least);
    return EINVAL;
}
