/* pace.c - calls that are due at even times.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pace.h"

#include "ticks.h"

double pace_interval(double calls_per_s, double ns_per_tick)
{
    return calls_per_s > 0 ? 1e9 / calls_per_s / ns_per_tick : 0;
}

uint64_t pace_due(const struct pace *p, uint64_t i, uint64_t waited)
{
    return p->start + waited + (uint64_t)((double)i * p->interval);
}

void pace_await(struct pace *p, uint64_t waited)
{
    uint64_t due = pace_due(p, p->calls, waited);

    p->calls++;
    p->due = due;
    if (ticks_now() > due)
        p->late++;
    while (ticks_now() < due)
        ; /* no pause: it may take longer than the calls that we time */
}
