/* glibc_thread.c - glibc's bench-malloc-thread: random replacement, small.
 *
 * Each thread has a table of slots, empty at first.  Again and again it frees
 * what is in a random slot and allocates another block there.  Sizes follow an
 * inverse square law: a block of at least x bytes comes with a probability of
 * about min / x.  Nothing crosses.
 *
 * churn is the same loop over a large heap and other sizes; this heap fits
 * into a cache of the processor, so that the allocator's own work is what
 * shows, and its locks when there are many threads.
 *
 * Source: benchtests/bench-malloc-thread.c of glibc (2014), with a number of
 * operations in place of a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "random.h"
#include "workload.h"

enum { KNOB_SLOTS, KNOB_MIN, KNOB_MAX, KNOB_OPS };
enum { TURN = 64 /* replacements of a thread before the next one's */ };

/* clang-format off */
static const struct knob glibc_thread_knobs[] = {
[KNOB_SLOTS] = {"slots", "slots", 1024, 1, 1e8,
    "of each thread", NULL},
[KNOB_MIN] = {"min", "bytes", 4, 1, 0x1p30,
    "smallest block", NULL},
[KNOB_MAX] = {"max", "bytes", 32768, 1, 0x1p30,
    "largest block", NULL},
[KNOB_OPS] = {"ops", "events", 4e6, 1, 1e12,
    "of each thread at scale 1, besides the last frees (published: 2 s)",
    NULL},
{.name = NULL},
};
/* clang-format on */

static const uint64_t EMPTY = UINT64_MAX;

struct glibc_thread {
    struct op_feed *feed;
    struct random random;
    double min, max;
    uint64_t *object; /* [slots * threads], EMPTY or the object */
    uint64_t slots;
    unsigned threads;
};

/* The density falls with the square: its integral can be inverted. */
static uint64_t draw_size(struct glibc_thread *w)
{
    double most = 1 / w->min, least = 1 / w->max;
    double size = 1 / (most - random_unit(&w->random) * (most - least));

    return (uint64_t)(size < w->min ? w->min : size > w->max ? w->max : size);
}

static void empty_slot(struct glibc_thread *w, unsigned thread, uint64_t *slot)
{
    if (*slot != EMPTY)
        feed_free(w->feed, thread, *slot);
    *slot = EMPTY;
}

static void replace_some(struct glibc_thread *w, unsigned thread, uint64_t n)
{
    uint64_t *object = &w->object[thread * w->slots];

    for (uint64_t i = 0; i < n; i++) {
        uint64_t *slot = &object[random_below(&w->random, w->slots)];

        empty_slot(w, thread, slot);
        *slot = feed_alloc(w->feed, thread, draw_size(w));
    }
}

static void replace(struct glibc_thread *w, uint64_t replacements)
{
    for (uint64_t n; replacements > 0 && !w->feed->err; replacements -= n) {
        n = replacements < TURN ? replacements : TURN;
        for (unsigned t = 0; t < w->threads; t++)
            replace_some(w, t, n);
    }
}

static void empty_all(struct glibc_thread *w)
{
    for (uint64_t from = 0; from < w->slots; from += TURN)
        for (unsigned t = 0; t < w->threads; t++)
            for (uint64_t i = from; i < from + TURN && i < w->slots; i++)
                empty_slot(w, t, &w->object[t * w->slots + i]);
}

static int glibc_thread_compose(const struct knob_values *values, uint64_t seed,
                                unsigned threads, double scale,
                                struct op_feed *feed)
{
    struct glibc_thread w = {
        .feed = feed,
        .min = values->v[KNOB_MIN],
        .max = values->v[KNOB_MAX],
        .slots = (uint64_t)values->v[KNOB_SLOTS],
        .threads = threads,
    };

    random_seed(&w.random, seed);
    w.object = malloc(w.slots * threads * sizeof *w.object);
    if (!w.object)
        return ENOMEM;
    for (uint64_t i = 0; i < w.slots * threads; i++)
        w.object[i] = EMPTY;
    for (unsigned t = 1; t < threads; t++)
        feed_spawn(feed, 0, t);
    replace(&w, (uint64_t)(values->v[KNOB_OPS] * scale / 2));
    empty_all(&w);
    for (unsigned t = 1; t < threads; t++)
        feed_join(feed, 0, t);
    free(w.object);
    return feed->err;
}

static int glibc_thread_check(const struct knob_values *values, char *why,
                              size_t why_size)
{
    return knobs_check_min("glibc-thread", values->v[KNOB_MIN],
                           values->v[KNOB_MAX], why, why_size);
}

const struct workload glibc_thread_workload = {
    .name = "glibc-thread",
    .summary = "random replacement of small blocks (4 M ops a thread)",
    .source = "bench-malloc-thread of glibc's benchtests",
    .version = 1,
    .knobs = glibc_thread_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = glibc_thread_check,
    .compose = glibc_thread_compose,
};
