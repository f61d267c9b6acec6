/* glibc_simple.c - glibc's bench-malloc-simple: batches of one size.
 *
 * A pass is, for each of three sizes and each of four counts, as many rounds
 * as make a given number of allocations: a round allocates that count of
 * blocks and frees them, the first half first in first out, the second half
 * last in first out.  The main thread makes a pass to warm up, a pass that is
 * the first result, lets a second thread make one, and makes one more when
 * that has ended.  With one thread only the first two passes are made, with
 * more than two all the others make theirs at one time.
 *
 * glibc takes short cuts in a process that has never had a second thread:
 * that is the first result, and it shows only where there is one thread (the
 * replayer makes all threads before the clock starts).
 *
 * A model of nothing: it counts what the fast paths cost when a cache of free
 * blocks suffices (25) and when it does not (1600).
 *
 * Source: benchtests/bench-malloc-simple.c of glibc (2018), with the three
 * sizes that mimalloc-bench runs it with.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>

#include "lockstep.h"
#include "workload.h"

enum { KNOB_ALLOCATIONS };
enum { COUNT_MAX = 1600 };

/* clang-format off */
static const struct knob glibc_simple_knobs[] = {
[KNOB_ALLOCATIONS] = {"allocations", "blocks", 50000, 1, 1e12,
    "of a size and a count in a pass, at scale 1 (published: 2 million)",
    NULL},
{.name = NULL},
};
/* clang-format on */

static const uint64_t sizes[] = {16, 32, 64};
static const unsigned counts[] = {25, 100, 400, COUNT_MAX};

enum {
    SIZES = sizeof sizes / sizeof *sizes,
    COUNTS = sizeof counts / sizeof *counts
};

static void play_round(struct lockstep *l, uint64_t size, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        lockstep_alloc(l, i, size);
    for (unsigned i = 0; i < count / 2; i++)
        lockstep_release(l, i);
    for (unsigned i = count; i > count / 2; i--)
        lockstep_release(l, i - 1);
}

/* By threads first .. first + threads - 1; at least one round of each. */
static void play_pass(struct lockstep *l, unsigned first, unsigned threads,
                      double allocations)
{
    l->first = first;
    l->threads = threads;
    for (unsigned s = 0; s < SIZES; s++)
        for (unsigned c = 0; c < COUNTS; c++) {
            double rounds = allocations / counts[c];

            for (double i = 0; i < rounds && !l->feed->err; i++)
                play_round(l, sizes[s], counts[c]);
        }
    lockstep_flush(l);
}

static void play_others(struct lockstep *l, unsigned threads,
                        double allocations)
{
    feed_mark(l->feed, 0, "other-threads");
    for (unsigned t = 1; t < threads; t++)
        feed_spawn(l->feed, 0, t);
    play_pass(l, 1, threads - 1, allocations);
    for (unsigned t = 1; t < threads; t++)
        feed_join(l->feed, 0, t);
    feed_mark(l->feed, 0, "main-again");
    play_pass(l, 0, 1, allocations);
}

static int glibc_simple_compose(const struct knob_values *values, uint64_t seed,
                                unsigned threads, double scale,
                                struct op_feed *feed)
{
    double allocations = values->v[KNOB_ALLOCATIONS] * scale;
    struct lockstep l;
    int err = lockstep_init(&l, feed, COUNT_MAX, 0, threads);

    (void)seed; /* nothing is random */
    if (err)
        return err;
    feed_mark(feed, 0, "warm-up");
    play_pass(&l, 0, 1, allocations);
    feed_mark(feed, 0, "main");
    play_pass(&l, 0, 1, allocations);
    if (threads > 1)
        play_others(&l, threads, allocations);
    lockstep_free(&l);
    return feed->err;
}

const struct workload glibc_simple_workload = {
    .name = "glibc-simple",
    .summary = "batches of one size, freed half in reverse (2.4 M ops)",
    .source = "bench-malloc-simple of glibc's benchtests",
    .version = 1,
    .knobs = glibc_simple_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .compose = glibc_simple_compose,
};
