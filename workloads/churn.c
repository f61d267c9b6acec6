/* churn.c - random replacement at a steady heap: the simplest workload.
 *
 * Each thread has a table of live blocks.  It fills the table, then again and
 * again frees the block of a random slot and allocates another there, then
 * frees all.  Lifetimes are thus geometric, sizes independent of them, and
 * the heap constant: a model of nothing but a long-run worst case for
 * fragmentation by chance.
 *
 * A block that crosses is freed by another thread, when that has its turn.
 *
 * Source: the random-replacement loop of P. Larson & M. Krishnan, "Memory
 * Allocation for Long-Running Server Applications", ISMM 1998, without its
 * change of threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "bag.h"
#include "random.h"
#include "workload.h"

enum { KNOB_OBJECTS, KNOB_MIN, KNOB_MAX, KNOB_SIZES, KNOB_OPS, KNOB_CROSS };
enum { BY_UNIFORM, BY_EXPONENTIAL, BY_POWER_OF_TWO, BY_LOG_UNIFORM };
enum {
    BATCH = 64,          /* replacements of a thread in its turn */
    EXPONENTIAL_PART = 4 /* mean above min: (max - min) / 4 */
};

static const char *const sizes_names[] = {"uniform", "exponential",
                                          "power-of-two", "log-uniform", NULL};

/* clang-format off */
static const struct knob churn_knobs[] = {
[KNOB_OBJECTS] = {"objects", "objects", 131072, 1, 1e9,
    "live blocks, of all threads together", NULL},
[KNOB_MIN] = {"min", "bytes", 16, 1, 0x1p30,
    "smallest block", NULL},
[KNOB_MAX] = {"max", "bytes", 1024, 1, 0x1p30,
    "largest block", NULL},
[KNOB_SIZES] = {"sizes", "1", BY_UNIFORM, 0, 3,
    "how sizes are distributed between them", sizes_names},
[KNOB_OPS] = {"ops", "events", 4e6, 1, 1e12,
    "allocations and frees at scale 1, besides filling and emptying", NULL},
[KNOB_CROSS] = {"cross", "%", 0, 0, 100,
    "frees by another thread than the allocating one", NULL},
{.name = NULL},
};
/* clang-format on */

struct churn_thread {
    uint64_t *object; /* [slots] */
    uint64_t slots;
    struct bag inbox; /* objects to free for others */
};

struct churn {
    const double *knob;
    struct op_feed *feed;
    struct random random;
    uint64_t cross_odds;
    struct churn_thread *thread; /* [threads] */
    unsigned threads;
    int err; /* ENOMEM, or 0 */
};

static unsigned log2_floor(uint64_t x)
{
    unsigned log2 = 0;

    while (x >>= 1)
        log2++;
    return log2;
}

/* All ratios alike: as many sizes of 16..32 as of 512..1024. */
static uint64_t draw_log_uniform(struct random *random, uint64_t min,
                                 uint64_t max)
{
    double least = random_ln((double)min), past = random_ln((double)max + 1);
    double ln = least + random_unit(random) * (past - least);
    uint64_t size = (uint64_t)random_exp(ln);

    return size < min ? min : size > max ? max : size;
}

static uint64_t draw_size(struct churn *c)
{
    uint64_t min = (uint64_t)c->knob[KNOB_MIN];
    uint64_t max = (uint64_t)c->knob[KNOB_MAX];
    double mean = (double)(max - min) / EXPONENTIAL_PART;
    uint64_t above;

    switch ((int)c->knob[KNOB_SIZES]) {
    case BY_POWER_OF_TWO:
        return UINT64_C(1) << random_between(
                   &c->random, log2_floor(2 * min - 1), log2_floor(max));
    case BY_EXPONENTIAL: /* what would be above max is drawn again */
        do
            above = (uint64_t)random_exponential(&c->random, mean);
        while (above > max - min);
        return min + above;
    case BY_LOG_UNIFORM:
        return draw_log_uniform(&c->random, min, max);
    default:
        return random_between(&c->random, min, max);
    }
}

static void take_inbox(struct churn *c, unsigned thread)
{
    struct bag *inbox = &c->thread[thread].inbox;

    for (size_t i = 0; i < inbox->count; i++)
        feed_free(c->feed, thread, inbox->object[i]);
    inbox->count = 0;
}

static void release(struct churn *c, unsigned thread, uint64_t object)
{
    if (c->threads == 1 || !random_chance(&c->random, c->cross_odds)) {
        feed_free(c->feed, thread, object);
        return;
    }
    unsigned step = 1 + (unsigned)random_below(&c->random, c->threads - 1);
    int err = bag_add(&c->thread[(thread + step) % c->threads].inbox, object);
    c->err = c->err ? c->err : err;
}

/* What a thread does with one slot. */
typedef void slot_action(struct churn *, unsigned thread, uint64_t *object);

static void fill_slot(struct churn *c, unsigned thread, uint64_t *object)
{
    *object = feed_alloc(c->feed, thread, draw_size(c));
}

static void empty_slot(struct churn *c, unsigned thread, uint64_t *object)
{
    release(c, thread, *object);
}

/* Each thread does something with all its slots, taking turns. */
static void for_all_slots(struct churn *c, slot_action *action)
{
    bool has_more = true;

    for (uint64_t from = 0; has_more && !c->err && !c->feed->err;
         from += BATCH) {
        has_more = false;
        for (unsigned t = 0; t < c->threads; t++) {
            struct churn_thread *thread = &c->thread[t];
            take_inbox(c, t);
            for (uint64_t i = from; i < from + BATCH && i < thread->slots; i++)
                action(c, t, &thread->object[i]);
            has_more |= from + BATCH < thread->slots;
        }
    }
    for (unsigned t = 0; t < c->threads; t++)
        take_inbox(c, t);
}

static void replace_batch(struct churn *c, unsigned t, uint64_t n)
{
    struct churn_thread *thread = &c->thread[t];

    take_inbox(c, t);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t slot = random_below(&c->random, thread->slots);
        release(c, t, thread->object[slot]);
        fill_slot(c, t, &thread->object[slot]);
    }
}

static void replace(struct churn *c, uint64_t replacements)
{
    for (unsigned t = 0; replacements > 0 && !c->err && !c->feed->err;
         t = (t + 1) % c->threads) {
        uint64_t n = replacements < BATCH ? replacements : BATCH;
        replace_batch(c, t, n);
        replacements -= n;
    }
    for (unsigned t = 0; t < c->threads; t++)
        take_inbox(c, t);
}

static int churn_init(struct churn *c)
{
    uint64_t objects = (uint64_t)c->knob[KNOB_OBJECTS];

    c->thread = calloc(c->threads, sizeof *c->thread);
    if (!c->thread)
        return ENOMEM;
    for (unsigned t = 0; t < c->threads; t++) {
        struct churn_thread *thread = &c->thread[t];
        uint64_t share = objects / c->threads + (t < objects % c->threads);
        thread->slots = share > 0 ? share : 1;
        thread->object = malloc(thread->slots * sizeof *thread->object);
        if (!thread->object)
            return ENOMEM;
    }
    return 0;
}

static void churn_free(struct churn *c)
{
    for (unsigned t = 0; c->thread && t < c->threads; t++) {
        free(c->thread[t].object);
        bag_free(&c->thread[t].inbox);
    }
    free(c->thread);
}

static int churn_compose(const struct knob_values *values, uint64_t seed,
                         unsigned threads, double scale, struct op_feed *feed)
{
    struct churn c = {
        .knob = values->v,
        .feed = feed,
        .cross_odds = random_odds(values->v[KNOB_CROSS] / 100),
        .threads = threads,
    };

    random_seed(&c.random, seed);
    int err = churn_init(&c);
    if (!err) {
        for (unsigned t = 1; t < threads; t++)
            feed_spawn(feed, 0, t);
        feed_mark(feed, 0, "fill");
        for_all_slots(&c, fill_slot);
        feed_mark(feed, 0, "churn");
        replace(&c, (uint64_t)(values->v[KNOB_OPS] * scale / 2));
        feed_mark(feed, 0, "drain");
        for_all_slots(&c, empty_slot);
        for (unsigned t = 1; t < threads; t++)
            feed_join(feed, 0, t);
        err = c.err ? c.err : feed->err;
    }
    churn_free(&c);
    return err;
}

static int churn_check(const struct knob_values *values, char *why,
                       size_t why_size)
{
    double min = values->v[KNOB_MIN], max = values->v[KNOB_MAX];

    if (knobs_check_min("churn", min, max, why, why_size))
        return EINVAL;
    if (values->v[KNOB_SIZES] == BY_POWER_OF_TWO &&
        log2_floor(2 * (uint64_t)min - 1) > log2_floor((uint64_t)max)) {
        snprintf(why, why_size,
                 "churn: min..max = %.0f..%.0f (want a power of two in it)",
                 min, max);
        return EINVAL;
    }
    return 0;
}

const struct workload churn_workload = {
    .name = "churn",
    .summary = "random replacement in a table of live blocks (4 M ops)",
    .source = "Larson & Krishnan, ISMM 1998, reduced to its inner loop",
    .version = 1,
    .knobs = churn_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = churn_check,
    .compose = churn_compose,
};
