/* percentiles.c - which percentiles are given, and when.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "percentiles.h"

const struct percentile percentiles[] = {
    {"p50", 0.5, 50000},
    {"p90", 0.9, 10000},
    {"p99", 0.99, 1000},
    {"p999", 0.999, 100},
    {"p9999", 0.9999, 10},
    {"p99999", 0.99999, 1},
    {0},
};

int percentile_is_backed(const struct percentile *p, uint64_t count)
{
    const uint64_t whole = 100000;

    return count >= PERCENTILE_TAIL * whole / p->above;
}
