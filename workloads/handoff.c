/* handoff.c - producers allocate, consumers free: every block crosses.
 *
 * Half of the threads are producers.  Each fills a batch with blocks and puts
 * it on a stack that all share and that holds only so many; the consumers
 * take batches off its top and free what is in them, and the batch itself.
 * Whose turn it is, is random, so that the stack is now nearly empty, now
 * full; a producer that finds it full and a consumer that finds it empty do
 * nothing.  At the end the consumers empty it.
 *
 * An allocator whose free keeps blocks with the thread that freed them lets
 * the consumers hoard what the producers lack: its memory grows for ever.
 *
 * Source: xmalloc-test of C. Lever & D. Boreham, "malloc() Performance in a
 * Multithreaded Linux Environment", USENIX 2000 (FREENIX), as changed into
 * producers and consumers by the later suites; its sizes, with a count of
 * blocks in place of a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bag.h"
#include "random.h"
#include "workload.h"

enum { KNOB_SIZE, KNOB_BATCH, KNOB_LIMIT, KNOB_OPS };
enum { TURN = 64 /* blocks of a thread in its turn */ };

/* clang-format off */
static const struct knob handoff_knobs[] = {
[KNOB_SIZE] = {"size", "bytes", 64, 1, 0x1p30,
    "of a block", NULL},
[KNOB_BATCH] = {"batch", "blocks", 4096, 1, 1e6,
    "handed over at once, with an array of their addresses", NULL},
[KNOB_LIMIT] = {"limit", "batches", 100, 1, 1e6,
    "that may wait for a consumer", NULL},
[KNOB_OPS] = {"ops", "events", 4e6, 1, 1e12,
    "allocations and frees at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

struct handoff {
    struct op_feed *feed;
    struct random random;
    uint64_t size, batch_blocks, limit; /* the knobs */
    uint64_t unborn;                    /* blocks still to be allocated */
    struct bag *held;  /* [threads]: a batch, its array first, or empty */
    struct bag *stack; /* [limit]: batches that wait */
    uint64_t waiting;
    unsigned threads;
    int err; /* ENOMEM, or 0 */
};

static bool is_consumer(unsigned thread)
{
    return thread % 2 == 1;
}

static void hold(struct handoff *w, unsigned thread, uint64_t bytes)
{
    int err = bag_add(&w->held[thread], feed_alloc(w->feed, thread, bytes));

    w->err = w->err ? w->err : err;
}

/* Exchange an empty bag for a full one or the reverse: nothing is copied. */
static void swap(struct bag *a, struct bag *b)
{
    struct bag was = *a;

    *a = *b;
    *b = was;
}

static bool is_full(const struct handoff *w, const struct bag *batch)
{
    return batch->count == w->batch_blocks + 1;
}

static void produce(struct handoff *w, unsigned thread)
{
    struct bag *batch = &w->held[thread];

    for (unsigned i = 0; i < TURN; i++) {
        if ((is_full(w, batch) || w->unborn == 0) && batch->count > 0) {
            if (w->waiting == w->limit)
                return;
            swap(batch, &w->stack[w->waiting++]);
        }
        if (w->unborn == 0)
            return;
        if (batch->count == 0)
            hold(w, thread, w->batch_blocks * sizeof(void *));
        hold(w, thread, w->size);
        w->unborn--;
    }
}

/* The array is the bag's first, so it is freed last. */
static void consume(struct handoff *w, unsigned thread)
{
    struct bag *batch = &w->held[thread];

    for (unsigned i = 0; i < TURN; i++) {
        if (batch->count == 0) {
            if (w->waiting == 0)
                return;
            swap(batch, &w->stack[--w->waiting]);
        }
        feed_free(w->feed, thread, bag_take(batch, batch->count - 1));
    }
}

static bool is_over(const struct handoff *w)
{
    uint64_t left = w->unborn + w->waiting;

    for (unsigned t = 0; t < w->threads; t++)
        left += w->held[t].count;
    return left == 0;
}

static void play_turns(struct handoff *w)
{
    while (!is_over(w) && !w->err && !w->feed->err) {
        unsigned thread = (unsigned)random_below(&w->random, w->threads);

        if (is_consumer(thread))
            consume(w, thread);
        else
            produce(w, thread);
    }
}

static void handoff_free(struct handoff *w)
{
    for (unsigned t = 0; w->held && t < w->threads; t++)
        bag_free(&w->held[t]);
    for (uint64_t i = 0; w->stack && i < w->limit; i++)
        bag_free(&w->stack[i]);
    free(w->held);
    free(w->stack);
}

static int handoff_compose(const struct knob_values *values, uint64_t seed,
                           unsigned threads, double scale, struct op_feed *feed)
{
    struct handoff w = {
        .feed = feed,
        .size = (uint64_t)values->v[KNOB_SIZE],
        .batch_blocks = (uint64_t)values->v[KNOB_BATCH],
        .limit = (uint64_t)values->v[KNOB_LIMIT],
        .unborn = (uint64_t)(values->v[KNOB_OPS] * scale / 2),
        .threads = threads,
    };

    random_seed(&w.random, seed);
    w.held = calloc(threads, sizeof *w.held);
    w.stack = calloc(w.limit, sizeof *w.stack);
    w.err = w.held && w.stack ? 0 : ENOMEM;
    if (!w.err) {
        for (unsigned t = 1; t < threads; t++)
            feed_spawn(feed, 0, t);
        play_turns(&w);
        for (unsigned t = 1; t < threads; t++)
            feed_join(feed, 0, t);
    }
    handoff_free(&w);
    return w.err ? w.err : feed->err;
}

const struct workload handoff_workload = {
    .name = "handoff",
    .summary = "producers allocate, consumers free (4 M ops)",
    .source = "xmalloc-test: Lever & Boreham, USENIX 2000",
    .version = 1,
    .knobs = handoff_knobs,
    .min_threads = 2,
    .max_threads = 256,
    .compose = handoff_compose,
};
