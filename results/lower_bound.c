/* lower_bound.c - the least that collecting can have cost.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lower_bound.h"

#include <math.h>

double lower_bound_base(const struct run_cost cost[], size_t n, size_t *which)
{
    double base = NAN;
    *which = n;
    for (size_t i = 0; i < n; i++) {
        double own = cost[i].total - cost[i].collecting;
        if (isnan(own) || own <= 0 || own >= base)
            continue;
        base = own;
        *which = i;
    }
    return base;
}
