/* random_free.c - a large heap of which a random few blocks stay.
 *
 * Each thread allocates its share of the objects, frees most of them, chosen
 * at random and in random order, and goes on at that level for a while, where
 * each step frees a random block and allocates another.  Then all is freed.
 *
 * The blocks that stay pin the pages that they lie in: an allocator that
 * moves nothing can give hardly any page back, unless it merges pages whose
 * blocks do not overlap.  The steps are there because many allocators give
 * memory back only while they are called.
 *
 * Source: the heaps that Mesh merges the pages of: B. Powers, D. Tench,
 * E. Berger & A. McGregor, "Mesh: Compacting Memory Management for C/C++
 * Applications", PLDI 2019.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bag.h"
#include "pinned_pages.h"
#include "random.h"
#include "workload.h"

enum { KNOB_OBJECTS, KNOB_MIN, KNOB_MAX, KNOB_FREED, KNOB_OPS };
enum { TURN = 64 /* operations of a thread before the next one's */ };

/* clang-format off */
static const struct knob random_free_knobs[] = {
[KNOB_OBJECTS] = {"objects", "objects", 800000, 1, 1e9,
    "blocks before the frees, of all threads together, at scale 1", NULL},
[KNOB_MIN] = {"min", "bytes", 16, 1, 0x1p30,
    "smallest block", NULL},
[KNOB_MAX] = {"max", "bytes", 256, 1, 0x1p30,
    "largest block; sizes are uniform", NULL},
[KNOB_FREED] = {"freed", "%", 90, 0, 100,
    "of the blocks that are freed at random", NULL},
[KNOB_OPS] = {"ops", "events", 200000, 0, 1e12,
    "allocations and frees at the level after it, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

struct random_free {
    const double *knob;
    struct op_feed *feed;
    struct random random;
    struct bag *live; /* [threads] */
    unsigned threads;
    int err; /* ENOMEM, or 0 */
};

static void add_block(struct random_free *w, unsigned thread)
{
    uint64_t size = random_between(&w->random, (uint64_t)w->knob[KNOB_MIN],
                                   (uint64_t)w->knob[KNOB_MAX]);
    int err = bag_add(&w->live[thread], feed_alloc(w->feed, thread, size));

    w->err = w->err ? w->err : err;
}

static void free_any_block(struct random_free *w, unsigned thread)
{
    struct bag *live = &w->live[thread];

    if (live->count > 0)
        feed_free(w->feed, thread,
                  bag_take(live, random_below(&w->random, live->count)));
}

static void replace_any_block(struct random_free *w, unsigned thread)
{
    if (w->live[thread].count == 0)
        return;
    free_any_block(w, thread);
    add_block(w, thread);
}

/* All threads together do a step n times, in turns. */
static void repeat(struct random_free *w, uint64_t n,
                   void (*step)(struct random_free *, unsigned thread))
{
    for (uint64_t i = 0; i < n && !w->err && !w->feed->err; i++)
        step(w, (unsigned)(i / TURN % w->threads));
}

static void drain(struct random_free *w)
{
    bool has_more = true;

    while (has_more) {
        has_more = false;
        for (unsigned t = 0; t < w->threads; t++) {
            for (unsigned i = 0; i < TURN; i++)
                free_any_block(w, t);
            has_more |= w->live[t].count > 0;
        }
    }
}

static void play_phases(struct random_free *w, double scale)
{
    uint64_t objects = (uint64_t)(w->knob[KNOB_OBJECTS] * scale);
    objects = objects > 0 ? objects : 1;
    uint64_t freed = (uint64_t)((double)objects * w->knob[KNOB_FREED] / 100);

    feed_mark(w->feed, 0, "fill");
    repeat(w, objects, add_block);
    feed_mark(w->feed, 0, "free");
    repeat(w, freed, free_any_block);
    feed_mark(w->feed, 0, "sparse");
    repeat(w, (uint64_t)(w->knob[KNOB_OPS] * scale / 2), replace_any_block);
    feed_mark(w->feed, 0, "drain");
    drain(w);
}

static int random_free_compose(const struct knob_values *values, uint64_t seed,
                               unsigned threads, double scale,
                               struct op_feed *feed)
{
    struct random_free w = {
        .knob = values->v,
        .feed = feed,
        .live = calloc(threads, sizeof *w.live),
        .threads = threads,
    };

    if (!w.live)
        return ENOMEM;
    random_seed(&w.random, seed);
    for (unsigned t = 1; t < threads; t++)
        feed_spawn(feed, 0, t);
    play_phases(&w, scale);
    for (unsigned t = 1; t < threads; t++)
        feed_join(feed, 0, t);
    for (unsigned t = 0; t < threads; t++)
        bag_free(&w.live[t]);
    free(w.live);
    return w.err ? w.err : feed->err;
}

/* At mark sparse.  Nothing is left to bound if all are freed. */
static double random_free_ratio(const struct knob_values *values,
                                unsigned threads, double scale)
{
    const double *knob = values->v;

    (void)threads;
    (void)scale;
    return pinned_pages_ratio(knob[KNOB_MIN], knob[KNOB_MAX],
                              1 - knob[KNOB_FREED] / 100);
}

static const struct workload_bound random_free_bound = {
    .claim = "the least to be expected, at mark sparse, of all that knows no "
             "lifetimes, moves nothing and merges no 4 KiB pages",
    .mark = "sparse",
    .ratio = random_free_ratio,
};

static int random_free_check(const struct knob_values *values, char *why,
                             size_t why_size)
{
    return knobs_check_min("random-free", values->v[KNOB_MIN],
                           values->v[KNOB_MAX], why, why_size);
}

const struct workload random_free_workload = {
    .name = "random-free",
    .summary = "90 % of a 104 MiB heap is freed at random (1.8 M ops)",
    .source = "the heaps that Mesh compacts: Powers et al., PLDI 2019",
    .version = 1,
    .knobs = random_free_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = random_free_check,
    .compose = random_free_compose,
    .bound = &random_free_bound,
};
