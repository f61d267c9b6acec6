/* ticks.h - the cheapest clock of the machine, in units of its own.
 *
 * On x86-64 the time-stamp counter (constant rate on every CPU of the last
 * fifteen years), about 8 ns a read; elsewhere CLOCK_MONOTONIC, in ns.  Ticks
 * are turned into nanoseconds by a rate taken over the run (clock.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TICKS_H
#define HEAPYARD_TICKS_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
static inline uint64_t ticks_now(void)
{
    return __builtin_ia32_rdtsc();
}

static inline void ticks_pause(void)
{
    __builtin_ia32_pause();
}
#else
static inline uint64_t ticks_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void ticks_pause(void)
{
}
#endif

/* CLOCK_MONOTONIC, in ns. */
uint64_t clock_wall_ns(void);
/* CPU time of the calling thread, in ns. */
uint64_t clock_thread_cpu_ns(void);

/* Both clocks at one moment, to find the rate between two. */
struct clock_pair {
    uint64_t ticks, ns;
};
struct clock_pair clock_pair_now(void);
/* Nanoseconds of one tick, from two moments at least 1 ms apart: estimate,
 * good to about 1e-4 over 10 ms. */
double clock_ns_per_tick(struct clock_pair from, struct clock_pair to);

#endif
