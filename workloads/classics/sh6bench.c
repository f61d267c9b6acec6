/* sh6bench.c - small blocks of all sizes, most of which die in long runs.
 *
 * Each thread fills a table with blocks (sh_ring.h).  Sizes go from 1 byte by
 * about half more each time up to a limit, and from each of them down again
 * by halves to 1 byte; of each size below 100 bytes 250 blocks are allocated
 * in a row, of the others 50.  Nothing is random, and no block crosses.
 *
 * A model of nothing but of patterns that caches of blocks like: long runs of
 * one size, freed in order or in reverse.  Of the blocks 97 % have less than
 * 100 bytes.
 *
 * Source: sh6bench of MicroQuill (SmartHeap), as the later suites run it; from
 * a description of its steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>

#include "sh_ring.h"
#include "workload.h"

enum { KNOB_CALLS, KNOB_MAX, KNOB_REPEATS };
enum { SMALL_BYTES = 100, SMALL_RUN = 250, RUN = 50 };

/* clang-format off */
static const struct knob sh6bench_knobs[] = {
[KNOB_CALLS] = {"calls", "places", 10000, 1, 1e8,
    "in the tables of all threads together", NULL},
[KNOB_MAX] = {"max", "bytes", 1000, 2, 0x1p30,
    "that no block reaches", NULL},
[KNOB_REPEATS] = {"repeats", "1", 100, 1, 1e9,
    "of all sizes, all threads together, at scale 1 (published: as calls)",
    NULL},
{.name = NULL},
};
/* clang-format on */

static void allocate_run(struct sh_ring *ring, uint64_t size)
{
    unsigned count = size < SMALL_BYTES ? SMALL_RUN : RUN;

    for (unsigned i = 0; i < count; i++)
        sh_ring_add(ring, size);
}

static void allocate_all_sizes(struct sh_ring *ring, uint64_t max)
{
    for (uint64_t base = 1; base < max; base = base * 3 / 2 + 1)
        for (uint64_t size = base; size > 0; size /= 2)
            allocate_run(ring, size);
}

static uint64_t share_of(double all, unsigned threads)
{
    double share = all / threads;

    return share > 1 ? (uint64_t)share : 1;
}

static int sh6bench_compose(const struct knob_values *values, uint64_t seed,
                            unsigned threads, double scale,
                            struct op_feed *feed)
{
    uint64_t repeats = share_of(values->v[KNOB_REPEATS] * scale, threads);
    struct lockstep lockstep;
    struct sh_ring ring = {.lockstep = &lockstep,
                           .places = share_of(values->v[KNOB_CALLS], threads)};
    int err = lockstep_init(&lockstep, feed, ring.places, 0, threads);

    (void)seed; /* nothing is random */
    if (err)
        return err;
    for (unsigned t = 1; t < threads; t++)
        feed_spawn(feed, 0, t);
    for (uint64_t i = 0; i < repeats && !feed->err; i++)
        allocate_all_sizes(&ring, (uint64_t)values->v[KNOB_MAX]);
    sh_ring_drain(&ring);
    for (unsigned t = 1; t < threads; t++)
        feed_join(feed, 0, t);
    lockstep_free(&lockstep);
    return feed->err;
}

const struct workload sh6bench_workload = {
    .name = "sh6bench",
    .summary = "runs of small blocks, freed in order or in reverse (4 M ops)",
    .source = "sh6bench: MicroQuill, SmartHeap",
    .version = 1,
    .knobs = sh6bench_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .compose = sh6bench_compose,
};
