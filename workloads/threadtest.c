/* threadtest.c - all blocks of a round, then none: allocate many, free them.
 *
 * Each thread allocates its part of the objects, all of one size, frees them
 * in the order in which it allocated them, and does so again and again.
 * Nothing is shared and nothing is random: a model of nothing, but it shows
 * what threads cost each other in an allocator, and what one thread's blocks
 * cost when a whole heap of them comes and goes.
 *
 * The spinning between operations that the original can be given is left
 * out: a trace has no work of the program in it.
 *
 * Source: threadtest of E. Berger, K. McKinley, R. Blumofe & P. Wilson,
 * "Hoard: A Scalable Memory Allocator for Multithreaded Applications", ASPLOS
 * 2000, section 5.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "workload.h"

enum { KNOB_OBJECTS, KNOB_SIZE, KNOB_ROUNDS };
enum { TURN = 64 /* operations of a thread before the next one's */ };

/* clang-format off */
static const struct knob threadtest_knobs[] = {
[KNOB_OBJECTS] = {"objects", "objects", 30000, 1, 1e8,
    "live at the end of each filling, of all threads together", NULL},
[KNOB_SIZE] = {"size", "bytes", 8, 1, 0x1p30,
    "of a block", NULL},
[KNOB_ROUNDS] = {"rounds", "rounds", 50, 1, 1e9,
    "at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

struct threadtest {
    struct op_feed *feed;
    uint64_t *object; /* [own * threads] */
    uint64_t own;     /* objects of a thread */
    uint64_t size;
    unsigned threads;
};

/* What a thread does with its object at a place of the table. */
typedef void object_step(struct threadtest *, unsigned thread, uint64_t *);

static void allocate(struct threadtest *w, unsigned thread, uint64_t *object)
{
    *object = feed_alloc(w->feed, thread, w->size);
}

static void release(struct threadtest *w, unsigned thread, uint64_t *object)
{
    feed_free(w->feed, thread, *object);
}

/* All threads, in turns, with all their objects. */
static void for_all_objects(struct threadtest *w, object_step *step)
{
    for (uint64_t from = 0; from < w->own && !w->feed->err; from += TURN)
        for (unsigned t = 0; t < w->threads; t++)
            for (uint64_t i = from; i < from + TURN && i < w->own; i++)
                step(w, t, &w->object[t * w->own + i]);
}

static int threadtest_compose(const struct knob_values *values, uint64_t seed,
                              unsigned threads, double scale,
                              struct op_feed *feed)
{
    uint64_t share = (uint64_t)values->v[KNOB_OBJECTS] / threads;
    uint64_t rounds = (uint64_t)(values->v[KNOB_ROUNDS] * scale);
    struct threadtest w = {
        .feed = feed,
        .own = share > 0 ? share : 1,
        .size = (uint64_t)values->v[KNOB_SIZE],
        .threads = threads,
    };

    (void)seed; /* nothing is random */
    w.object = malloc(w.own * threads * sizeof *w.object);
    if (!w.object)
        return ENOMEM;
    for (unsigned t = 1; t < threads; t++)
        feed_spawn(feed, 0, t);
    for (uint64_t i = 0; i < (rounds > 0 ? rounds : 1) && !feed->err; i++) {
        for_all_objects(&w, allocate);
        for_all_objects(&w, release);
    }
    for (unsigned t = 1; t < threads; t++)
        feed_join(feed, 0, t);
    free(w.object);
    return feed->err;
}

const struct workload threadtest_workload = {
    .name = "threadtest",
    .summary = "all blocks of a round are allocated, then freed (3 M ops)",
    .source = "threadtest: Berger et al., Hoard, ASPLOS 2000",
    .version = 1,
    .knobs = threadtest_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .compose = threadtest_compose,
};
