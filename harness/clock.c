/* clock.c - reads the clocks that ticks.h names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ticks.h"

static uint64_t read_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_wall_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

struct clock_pair clock_pair_now(void)
{
    return (struct clock_pair){.ticks = ticks_now(), .ns = clock_wall_ns()};
}

double clock_ns_per_tick(struct clock_pair from, struct clock_pair to)
{
    if (to.ticks <= from.ticks)
        return 1.0;
    return (double)(to.ns - from.ns) / (double)(to.ticks - from.ticks);
}
