/* producer_consumer.c - each thread in turn allocates what the next one frees.
 *
 * In its turn a thread frees what the thread before it has allocated, then
 * allocates as much itself.  No more is ever live, yet an allocator that
 * gives each thread a heap of its own and returns freed blocks to the heap
 * that they came from ends with as much memory in every heap.
 *
 * A turn waits for the blocks of the one before, so the order holds in a
 * replay however fast the threads are.
 *
 * Source: E. Berger, K. McKinley, R. Blumofe & P. Wilson, "Hoard: A Scalable
 * Memory Allocator for Multithreaded Applications", ASPLOS 2000, section 2.2:
 * private heaps with ownership blow up by the number of threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bag.h"
#include "workload.h"

enum { KNOB_LIVE, KNOB_SIZE, KNOB_TURNS };

/* clang-format off */
static const struct knob producer_consumer_knobs[] = {
[KNOB_LIVE] = {"live", "bytes", 16 << 20, 1, 0x1p40,
    "allocated in each turn", NULL},
[KNOB_SIZE] = {"size", "bytes", 64, 1, 0x1p30,
    "of a block", NULL},
[KNOB_TURNS] = {"turns", "turns", 12, 1, 1e9,
    "of all threads together, at scale 1; at least one each", NULL},
{.name = NULL},
};
/* clang-format on */

static uint64_t count_turns(const struct knob_values *values, unsigned threads,
                            double scale)
{
    const double turns = values->v[KNOB_TURNS] * scale;

    return turns > threads ? (uint64_t)turns : threads;
}

static void free_all(struct bag *batch, unsigned thread, struct op_feed *feed)
{
    for (size_t i = 0; i < batch->count; i++)
        feed_free(feed, thread, batch->object[i]);
    batch->count = 0;
}

static int producer_consumer_compose(const struct knob_values *values,
                                     uint64_t seed, unsigned threads,
                                     double scale, struct op_feed *feed)
{
    const uint64_t turns = count_turns(values, threads, scale);
    const uint64_t size = (uint64_t)values->v[KNOB_SIZE];
    const uint64_t live = (uint64_t)values->v[KNOB_LIVE];
    const uint64_t blocks = live > size ? live / size : 1;
    struct bag batch = {0};
    int err = 0;

    (void)seed;
    for (unsigned t = 1; t < threads; t++)
        feed_spawn(feed, 0, t);
    for (uint64_t i = 0; i < turns && !err && !feed->err; i++) {
        const unsigned thread = (unsigned)(i % threads);

        free_all(&batch, thread, feed);
        for (uint64_t b = 0; b < blocks && !err; b++)
            err = bag_add(&batch, feed_alloc(feed, thread, size));
    }
    free_all(&batch, (unsigned)(turns % threads), feed);
    for (unsigned t = 1; t < threads; t++)
        feed_join(feed, 0, t);
    bag_free(&batch);
    return err ? err : feed->err;
}

static double producer_consumer_ratio(const struct knob_values *values,
                                      unsigned threads, double scale)
{
    (void)values;
    (void)scale;
    return threads;
}

static const struct workload_bound producer_consumer_bound = {
    .claim = "heaps of threads that own what they allocated: as many times the "
             "live bytes as there are threads (Hoard, ASPLOS 2000, 2.2)",
    .ratio = producer_consumer_ratio,
};

const struct workload producer_consumer_workload = {
    .name = "producer-consumer",
    .summary = "each thread in turn allocates what the next frees (6 M ops)",
    .source = "Hoard: Berger et al., ASPLOS 2000, section 2.2",
    .version = 1,
    .knobs = producer_consumer_knobs,
    .min_threads = 2,
    .max_threads = 256,
    .compose = producer_consumer_compose,
    .bound = &producer_consumer_bound,
};
