/* pinned_pages.c - how many pages a random few of many blocks keep.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pinned_pages.h"

#include <math.h>

enum { PAGE = 4096, SIZES_MAX = 65536 /* more are sampled evenly */ };

double pinned_pages_ratio(double min, double max, double stays)
{
    const double sizes = max - min + 1;
    const double n = sizes < SIZES_MAX ? sizes : SIZES_MAX;
    double pinned = 0, bytes = 0;

    for (double i = 0; i < n; i++) {
        const double size = n > 1 ? min + (max - min) * i / (n - 1) : min;
        const double blocks = size < PAGE ? PAGE / size : 1;

        pinned += size * (1 - pow(1 - stays, blocks));
        bytes += size * stays;
    }
    return pinned / bytes;
}
