/* rptest.c - threads that free by one stride and refill by another, and send
 * each other batches of blocks.
 *
 * Each thread has a table of slots.  A loop of it
 *   - empties slots by a stride of a prime, as many as fate says;
 *   - frees the batches that other threads have sent it;
 *   - fills slots by the stride of another prime, freeing what is there;
 *   - every other time, sends the next thread a batch of as many new blocks,
 *     in an array with a head, both allocated.
 * After so many loops (a pass) it empties its table, and does all of it again.
 * Sizes fall off linearly from the least to the largest; those below a page
 * are asked for with alignments of nothing, 8 and 16 bytes in turn.
 *
 * The program looks for batches and finds what has come by then; here the
 * threads take turns, so that a batch always arrives with the next loop.  It
 * writes to the first bytes, each page and the last of a block, which is the
 * touch policy `page`.
 *
 * Source: the benchmark of rpmalloc by M. Jansson, as in mimalloc-bench: its
 * numbers of operations (30 to 99 % of `ops`, and 0.8 of that for frees) and
 * its formula of sizes, with random numbers of ours.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "bag.h"
#include "random.h"
#include "workload.h"

enum {
    KNOB_SLOTS,
    KNOB_OPS,
    KNOB_MIN,
    KNOB_MAX,
    KNOB_CROSS,
    KNOB_PASSES,
    KNOB_LOOPS
};
enum {
    LEAST_PERCENT = 30, /* of `ops` that a loop fills … */
    MOST_PERCENT = 99,
    FREES_PERCENT = 80, /* … and of as many that it empties */
    HEAD_BYTES = 32,    /* of a batch */
    ARRAY_ALIGN = 16,
    ALIGNED_BELOW = 4096, /* bytes: larger blocks are not */
    ALIGNMENTS = 3
};

/* clang-format off */
static const struct knob rptest_knobs[] = {
[KNOB_SLOTS] = {"slots", "slots", 1000, 1, 1e8,
    "of a thread", NULL},
[KNOB_OPS] = {"ops", "events", 100, 5, 1e6,
    "of which a loop does 30 to 99 %", NULL},
[KNOB_MIN] = {"min", "bytes", 8, 1, 0x1p30,
    "smallest block", NULL},
[KNOB_MAX] = {"max", "bytes", 16000, 1, 0x1p30,
    "largest block; sizes fall off linearly", NULL},
[KNOB_CROSS] = {"cross", "loops", 2, 0, 1e6,
    "after so many a batch goes to another thread (0: never)", NULL},
[KNOB_PASSES] = {"passes", "1", 2, 1, 1e6,
    "over an empty table", NULL},
[KNOB_LOOPS] = {"loops", "loops", 500, 1, 1e9,
    "of a thread in a pass, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

static const uint64_t primes[] = {7,  11, 13, 17, 19, 23, 29, 31,
                                  37, 41, 43, 47, 53, 59, 61};
enum { PRIMES = sizeof primes / sizeof primes[0] };

struct rptest_thread {
    uint64_t *slot; /* [slots]: object + 1, or 0 */
    uint64_t fill_at, empty_at;
    uint64_t sent;    /* batches, so far */
    struct bag inbox; /* all that it was sent, heads and arrays too */
};

struct rptest {
    struct op_feed *feed;
    struct random random;
    const double *knob;
    uint64_t slots, fill_stride, empty_stride;
    struct rptest_thread *thread; /* [threads] */
    unsigned threads;
    int err; /* ENOMEM, or 0 */
};

/* Two primes that do not divide the number of slots, so that each stride
 * comes to every slot; 1 if there are no more of them. */
static void choose_strides(struct rptest *w)
{
    unsigned p = 0;

    while (p < PRIMES && w->slots % primes[p] == 0)
        p++;
    w->fill_stride = p < PRIMES ? primes[p++] : 1;
    while (p < PRIMES && w->slots % primes[p] == 0)
        p++;
    w->empty_stride = p < PRIMES ? primes[p] : 1;
}

/* How many of so many operations a loop does. */
static uint64_t draw_count(struct rptest *w, double ops)
{
    uint64_t percent = random_between(&w->random, LEAST_PERCENT, MOST_PERCENT);

    return (uint64_t)(ops * (double)percent / 100);
}

/* min + e |a + b - 1| with a and b in [0, 1) and e in [0, max - min). */
static uint64_t draw_size(struct rptest *w)
{
    double range = w->knob[KNOB_MAX] - w->knob[KNOB_MIN] + 1;
    double a = random_unit(&w->random), b = random_unit(&w->random);
    double off = a + b > 1 ? a + b - 1 : 1 - a - b;

    return (uint64_t)w->knob[KNOB_MIN] +
           (uint64_t)(random_unit(&w->random) * range * off);
}

static uint64_t allocate(struct rptest *w, unsigned thread, uint64_t number)
{
    static const uint64_t alignment[ALIGNMENTS] = {0, 8, 16};
    uint64_t size = draw_size(w);

    return feed_aligned(w->feed, thread, size,
                        size < ALIGNED_BELOW ? alignment[number % ALIGNMENTS]
                                             : 0);
}

static void empty_slot(struct rptest *w, unsigned thread, uint64_t at)
{
    uint64_t *slot = &w->thread[thread].slot[at];

    if (*slot)
        feed_free(w->feed, thread, *slot - 1);
    *slot = 0;
}

static void empty_some(struct rptest *w, unsigned thread)
{
    struct rptest_thread *t = &w->thread[thread];
    uint64_t count = draw_count(w, w->knob[KNOB_OPS] * FREES_PERCENT / 100);

    for (uint64_t i = 0; i < count; i++) {
        empty_slot(w, thread, t->empty_at);
        t->empty_at = (t->empty_at + w->empty_stride) % w->slots;
    }
}

static void take_inbox(struct rptest *w, unsigned thread)
{
    struct bag *inbox = &w->thread[thread].inbox;

    for (size_t i = 0; i < inbox->count; i++)
        feed_free(w->feed, thread, inbox->object[i]);
    inbox->count = 0;
}

static void fill_some(struct rptest *w, unsigned thread, uint64_t count)
{
    struct rptest_thread *t = &w->thread[thread];

    for (uint64_t i = 0; i < count; i++) {
        empty_slot(w, thread, t->fill_at);
        t->slot[t->fill_at] = allocate(w, thread, i) + 1;
        t->fill_at = (t->fill_at + w->fill_stride) % w->slots;
    }
}

static void post(struct rptest *w, struct bag *inbox, uint64_t object)
{
    int err = bag_add(inbox, object);

    w->err = w->err ? w->err : err;
}

/* Each time to another thread, in turn. */
static void send_batch(struct rptest *w, unsigned thread, uint64_t count)
{
    unsigned step = 1 + (unsigned)(w->thread[thread].sent % (w->threads - 1));
    struct bag *inbox = &w->thread[(thread + step) % w->threads].inbox;
    uint64_t head = feed_aligned(w->feed, thread, HEAD_BYTES, ARRAY_ALIGN);
    uint64_t array = feed_aligned(
        w->feed, thread, (count > 0 ? count : 1) * sizeof(void *), ARRAY_ALIGN);

    for (uint64_t i = 0; i < count; i++)
        post(w, inbox, allocate(w, thread, i));
    post(w, inbox, array);
    post(w, inbox, head);
    w->thread[thread].sent++;
}

static void loop(struct rptest *w, unsigned thread, uint64_t number)
{
    uint64_t every = (uint64_t)w->knob[KNOB_CROSS];
    uint64_t count = draw_count(w, w->knob[KNOB_OPS]);

    empty_some(w, thread);
    take_inbox(w, thread);
    fill_some(w, thread, count);
    if (every > 0 && w->threads > 1 && number % every == 0)
        send_batch(w, thread, count);
}

static void pass(struct rptest *w, uint64_t loops)
{
    for (uint64_t i = 0; i < loops && !w->err && !w->feed->err; i++)
        for (unsigned t = 0; t < w->threads; t++)
            loop(w, t, i);
    for (unsigned t = 0; t < w->threads; t++)
        take_inbox(w, t);
    for (unsigned t = 0; t < w->threads; t++)
        for (uint64_t i = 0; i < w->slots && !w->feed->err; i++)
            empty_slot(w, t, i);
}

static int rptest_init(struct rptest *w)
{
    choose_strides(w);
    w->thread = calloc(w->threads, sizeof *w->thread);
    if (!w->thread)
        return ENOMEM;
    for (unsigned t = 0; t < w->threads; t++) {
        w->thread[t].slot = calloc(w->slots, sizeof *w->thread[t].slot);
        if (!w->thread[t].slot)
            return ENOMEM;
    }
    return 0;
}

static void rptest_free(struct rptest *w)
{
    for (unsigned t = 0; w->thread && t < w->threads; t++) {
        free(w->thread[t].slot);
        bag_free(&w->thread[t].inbox);
    }
    free(w->thread);
}

static int rptest_compose(const struct knob_values *values, uint64_t seed,
                          unsigned threads, double scale, struct op_feed *feed)
{
    struct rptest w = {
        .feed = feed,
        .knob = values->v,
        .slots = (uint64_t)values->v[KNOB_SLOTS],
        .threads = threads,
    };
    double loops = values->v[KNOB_LOOPS] * scale;

    random_seed(&w.random, seed);
    w.err = rptest_init(&w);
    if (!w.err) {
        for (unsigned t = 1; t < threads; t++)
            feed_spawn(feed, 0, t);
        for (double i = 0; i < values->v[KNOB_PASSES] && !w.err; i++)
            pass(&w, loops > 1 ? (uint64_t)loops : 1);
        for (unsigned t = 1; t < threads; t++)
            feed_join(feed, 0, t);
    }
    rptest_free(&w);
    return w.err ? w.err : feed->err;
}

static int rptest_check(const struct knob_values *values, char *why,
                        size_t why_size)
{
    return knobs_check_min("rptest", values->v[KNOB_MIN], values->v[KNOB_MAX],
                           why, why_size);
}

const struct workload rptest_workload = {
    .name = "rptest",
    .summary = "free by a stride, refill by another, send batches (0.2 M ops)",
    .source = "the benchmark of rpmalloc by M. Jansson",
    .version = 1,
    .knobs = rptest_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = rptest_check,
    .compose = rptest_compose,
};
