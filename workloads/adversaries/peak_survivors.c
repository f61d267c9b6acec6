/* peak_survivors.c - what lives long is allocated at the peak of the load.
 *
 * Each wave of load allocates blocks up to its peak, then all but a few die;
 * which ones live is random and shows only then.  They are replaced by those
 * of the next wave, when it has reached its peak.  So the memory of a quiet
 * server is the pages that its few long-lived blocks lie on, which were chosen
 * when memory was full.  In the end short-lived blocks come and go one by one
 * for a while, since many allocators give memory back only while they are
 * called.
 *
 * Source: M. Maas et al., "Learning-based Memory Allocation for C++ Server
 * Workloads" (LLAMA), ASPLOS 2020: long-lived objects that are allocated when
 * the load is high keep (huge) pages which nothing else uses.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bag.h"
#include "pinned_pages.h"
#include "random.h"
#include "workload.h"

enum { KNOB_OBJECTS, KNOB_MIN, KNOB_MAX, KNOB_STAY, KNOB_WAVES, KNOB_QUIET };
enum { TURN = 64 /* blocks of a thread before the next one's */ };

/* clang-format off */
static const struct knob peak_survivors_knobs[] = {
[KNOB_OBJECTS] = {"objects", "objects", 250000, 1, 1e9,
    "of a wave, of all threads together, at scale 1", NULL},
[KNOB_MIN] = {"min", "bytes", 16, 1, 0x1p30,
    "smallest block", NULL},
[KNOB_MAX] = {"max", "bytes", 512, 1, 0x1p30,
    "largest block; sizes are uniform", NULL},
[KNOB_STAY] = {"stay", "%", 5, 0.001, 100,
    "of a wave's blocks until the next wave is at its peak", NULL},
[KNOB_WAVES] = {"waves", "waves", 6, 1, 1000,
    "of load", NULL},
[KNOB_QUIET] = {"quiet", "events", 400000, 0, 1e12,
    "allocations and frees after the last wave, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

/* The blocks of one thread. */
struct lane {
    struct bag fleeting, staying, old; /* old: stayed from the wave before */
};

struct peak_survivors {
    const double *knob;
    struct op_feed *feed;
    struct random random;
    uint64_t objects, stay_odds;
    struct lane *lane; /* [threads] */
    unsigned threads;
    int err; /* ENOMEM, or 0 */
};

static uint64_t draw_size(struct peak_survivors *w)
{
    return random_between(&w->random, (uint64_t)w->knob[KNOB_MIN],
                          (uint64_t)w->knob[KNOB_MAX]);
}

static void rise(struct peak_survivors *w)
{
    for (uint64_t i = 0; i < w->objects && !w->err && !w->feed->err; i++) {
        const unsigned thread = (unsigned)(i / TURN % w->threads);
        struct lane *lane = &w->lane[thread];
        const uint64_t block = feed_alloc(w->feed, thread, draw_size(w));

        w->err =
            bag_add(random_chance(&w->random, w->stay_odds) ? &lane->staying
                                                            : &lane->fleeting,
                    block);
    }
}

static void free_all(struct peak_survivors *w, unsigned thread, struct bag *bag)
{
    for (size_t i = 0; i < bag->count; i++)
        feed_free(w->feed, thread, bag->object[i]);
    bag->count = 0;
}

static void fall(struct peak_survivors *w)
{
    for (unsigned t = 0; t < w->threads; t++) {
        struct lane *lane = &w->lane[t];
        const struct bag empty = lane->old;

        free_all(w, t, &lane->old);
        free_all(w, t, &lane->fleeting);
        lane->old = lane->staying;
        lane->staying = empty;
        lane->staying.count = 0;
    }
}

/* Nothing of this is live at the mark that follows. */
static void go_on_quietly(struct peak_survivors *w, uint64_t blocks)
{
    for (uint64_t i = 0; i < blocks && !w->feed->err; i++) {
        const unsigned thread = (unsigned)(i / TURN % w->threads);

        feed_free(w->feed, thread, feed_alloc(w->feed, thread, draw_size(w)));
    }
}

static void play_waves(struct peak_survivors *w, double scale)
{
    char mark[OP_NAME_MAX + 1];

    for (unsigned i = 1; i <= (unsigned)w->knob[KNOB_WAVES]; i++) {
        if (i <= 100) { /* a trace has only so many marks */
            snprintf(mark, sizeof mark, "wave-%u", i);
            feed_mark(w->feed, 0, mark);
        }
        rise(w);
        fall(w);
    }
    go_on_quietly(w, (uint64_t)(w->knob[KNOB_QUIET] * scale / 2));
    feed_mark(w->feed, 0, "quiet");
    for (unsigned t = 0; t < w->threads; t++)
        free_all(w, t, &w->lane[t].old);
}

static void free_lanes(struct peak_survivors *w)
{
    for (unsigned t = 0; t < w->threads; t++) {
        bag_free(&w->lane[t].fleeting);
        bag_free(&w->lane[t].staying);
        bag_free(&w->lane[t].old);
    }
    free(w->lane);
}

static int peak_survivors_compose(const struct knob_values *values,
                                  uint64_t seed, unsigned threads, double scale,
                                  struct op_feed *feed)
{
    const double *knob = values->v;
    struct peak_survivors w = {
        .knob = knob,
        .feed = feed,
        .objects = (uint64_t)(knob[KNOB_OBJECTS] * scale),
        .stay_odds = random_odds(knob[KNOB_STAY] / 100),
        .lane = calloc(threads, sizeof *w.lane),
        .threads = threads,
    };

    if (!w.lane)
        return ENOMEM;
    w.objects = w.objects ? w.objects : 1;
    random_seed(&w.random, seed);
    for (unsigned t = 1; t < threads; t++)
        feed_spawn(feed, 0, t);
    play_waves(&w, scale);
    for (unsigned t = 1; t < threads; t++)
        feed_join(feed, 0, t);
    free_lanes(&w);
    return w.err ? w.err : feed->err;
}

static double peak_survivors_ratio(const struct knob_values *values,
                                   unsigned threads, double scale)
{
    const double *knob = values->v;

    (void)threads;
    (void)scale;
    return pinned_pages_ratio(knob[KNOB_MIN], knob[KNOB_MAX],
                              knob[KNOB_STAY] / 100);
}

static const struct workload_bound peak_survivors_bound = {
    .claim = "the least to be expected, at mark quiet, of all that knows no "
             "lifetimes, moves nothing and merges no 4 KiB pages",
    .mark = "quiet",
    .ratio = peak_survivors_ratio,
};

static int peak_survivors_check(const struct knob_values *values, char *why,
                                size_t why_size)
{
    return knobs_check_min("peak-survivors", values->v[KNOB_MIN],
                           values->v[KNOB_MAX], why, why_size);
}

const struct workload peak_survivors_workload = {
    .name = "peak-survivors",
    .summary =
        "what lives long is allocated at each peak of 63 MiB (3.4 M ops)",
    .source = "LLAMA: Maas et al., ASPLOS 2020",
    .version = 1,
    .knobs = peak_survivors_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = peak_survivors_check,
    .compose = peak_survivors_compose,
    .bound = &peak_survivors_bound,
};
