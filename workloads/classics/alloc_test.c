/* alloc_test.c - slots that are filled and emptied, a few of them all the
 * time.
 *
 * Each thread has a table of slots, half of which it fills.  Then it picks a
 * slot, again and again: if there is a block, it is read and freed, otherwise
 * one is allocated.  A fifth of the slots is picked four times out of five,
 * and so on within each part, so that some blocks live for a few operations
 * and others for the whole run.  Half of the sizes are 5 to 8 bytes, a quarter
 * 9 to 16, and so on up to 1 KiB.
 *
 * The program reads each byte before it frees; a trace cannot read, so it
 * writes (a touch of the whole block).  The table is not in the heap.
 *
 * Source: alloc-test by OLogN Technologies (2018), as in mimalloc-bench.  Its
 * hundred million picks a thread are scale 25 and more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "random.h"
#include "workload.h"

enum { KNOB_SLOTS, KNOB_DOUBLINGS, KNOB_HOT, KNOB_LEVELS, KNOB_PICKS };
enum {
    TURN = 64, /* picks of a thread before the next one's */
    LEAST = 4  /* bytes: the smallest sizes are above it, up to twice it */
};

/* clang-format off */
static const struct knob alloc_test_knobs[] = {
[KNOB_SLOTS] = {"slots", "slots", 1 << 18, 1, 1e9,
    "of all threads together", NULL},
[KNOB_DOUBLINGS] = {"doublings", "1", 8, 1, 24,
    "ranges of sizes, from 5..8 bytes, each half as likely", NULL},
[KNOB_HOT] = {"hot", "%", 20, 1, 100,
    "of the slots have the others' share of the picks", NULL},
[KNOB_LEVELS] = {"levels", "1", 6, 0, 30,
    "times that each part is divided so", NULL},
[KNOB_PICKS] = {"picks", "events", 4e6, 1, 1e12,
    "of slots, at scale 1 (alloc-test: 1e8 a thread)", NULL},
{.name = NULL},
};
/* clang-format on */

struct slot {
    uint64_t object; /* + 1; 0: empty */
    uint64_t size;
};

struct alloc_test {
    struct op_feed *feed;
    struct random random;
    struct slot *slot;  /* [own * threads] */
    uint64_t own;       /* slots of a thread */
    uint64_t doublings; /* the knobs */
    double hot;         /* share of the slots */
    uint64_t hot_odds;  /* that a pick is of those */
    unsigned levels;
    unsigned threads;
};

static uint64_t draw_size(struct alloc_test *w)
{
    uint64_t bits = random_next(&w->random), base = LEAST;

    for (uint64_t i = 1; i < w->doublings && bits & 1; i++, bits >>= 1)
        base *= 2;
    return base + 1 + random_below(&w->random, base);
}

static uint64_t draw_slot(struct alloc_test *w)
{
    uint64_t first = 0, n = w->own;

    for (unsigned i = 0; i < w->levels && n > 1; i++) {
        uint64_t hot = (uint64_t)(w->hot * (double)n);

        hot = hot > 0 ? hot : 1;
        if (hot == n || random_chance(&w->random, w->hot_odds)) {
            n = hot;
        } else {
            first += hot;
            n -= hot;
        }
    }
    return first + random_below(&w->random, n);
}

static void fill(struct alloc_test *w, unsigned thread, struct slot *slot)
{
    slot->size = draw_size(w);
    slot->object = feed_alloc(w->feed, thread, slot->size) + 1;
}

static void empty(struct alloc_test *w, unsigned thread, struct slot *slot)
{
    feed_touch(w->feed, thread, slot->object - 1, slot->size);
    feed_free(w->feed, thread, slot->object - 1);
    slot->object = 0;
}

static void pick(struct alloc_test *w, unsigned thread)
{
    struct slot *slot = &w->slot[thread * w->own + draw_slot(w)];

    if (slot->object)
        empty(w, thread, slot);
    else
        fill(w, thread, slot);
}

static void fill_half(struct alloc_test *w, unsigned thread, struct slot *slot)
{
    if (random_next(&w->random) & 1)
        fill(w, thread, slot);
}

static void empty_full(struct alloc_test *w, unsigned thread, struct slot *slot)
{
    if (slot->object)
        empty(w, thread, slot);
}

typedef void slot_step(struct alloc_test *, unsigned thread, struct slot *);

/* All threads, in turns, with all their slots. */
static void for_all_slots(struct alloc_test *w, slot_step *step)
{
    for (uint64_t from = 0; from < w->own && !w->feed->err; from += TURN)
        for (unsigned t = 0; t < w->threads; t++)
            for (uint64_t i = from; i < from + TURN && i < w->own; i++)
                step(w, t, &w->slot[t * w->own + i]);
}

static void play(struct alloc_test *w, uint64_t picks)
{
    feed_mark(w->feed, 0, "fill");
    for_all_slots(w, fill_half);
    feed_mark(w->feed, 0, "picks");
    for (uint64_t i = 0; i < picks && !w->feed->err; i++)
        pick(w, (unsigned)(i / TURN % w->threads));
    feed_mark(w->feed, 0, "drain");
    for_all_slots(w, empty_full);
}

static int alloc_test_compose(const struct knob_values *values, uint64_t seed,
                              unsigned threads, double scale,
                              struct op_feed *feed)
{
    const double *knob = values->v;
    const uint64_t share = (uint64_t)knob[KNOB_SLOTS] / threads;
    struct alloc_test w = {
        .feed = feed,
        .own = share > 0 ? share : 1,
        .doublings = (uint64_t)knob[KNOB_DOUBLINGS],
        .hot = knob[KNOB_HOT] / 100,
        .hot_odds = random_odds(1 - knob[KNOB_HOT] / 100),
        .levels = (unsigned)knob[KNOB_LEVELS],
        .threads = threads,
    };

    w.slot = calloc(w.own * threads, sizeof *w.slot);
    if (!w.slot)
        return ENOMEM;
    random_seed(&w.random, seed);
    for (unsigned t = 1; t < threads; t++)
        feed_spawn(feed, 0, t);
    play(&w, (uint64_t)(knob[KNOB_PICKS] * scale));
    for (unsigned t = 1; t < threads; t++)
        feed_join(feed, 0, t);
    free(w.slot);
    return feed->err;
}

const struct workload alloc_test_workload = {
    .name = "alloc-test",
    .summary = "slots filled and emptied by an 80/20 law (6 M ops)",
    .source = "alloc-test by OLogN Technologies, 2018",
    .version = 1,
    .knobs = alloc_test_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .compose = alloc_test_compose,
};
