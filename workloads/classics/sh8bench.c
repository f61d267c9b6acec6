/* sh8bench.c - runs of blocks of twelve sizes, while others' blocks are freed.
 *
 * The workers fill tables with blocks (sh_ring.h): a step allocates as many
 * blocks of one size as its row says, and the rows take turns.  Meanwhile
 * thread 0, the main one, allocates blocks of 8 bytes, and each worker frees
 * every so manieth of them, a step after they were made.  Nothing is random.
 *
 * A model of nothing, but it has what sh6bench lacks: blocks of up to 165 KiB
 * beside small ones, and one thread that allocates what all others free.
 *
 * Source: sh8bench of MicroQuill (SmartHeap), as the later suites run it; from
 * a description of its steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "sh_ring.h"
#include "workload.h"

enum { KNOB_SLOTS, KNOB_STEPS, KNOB_HANDED };
enum { HANDED_BYTES = 8 };

/* clang-format off */
static const struct knob sh8bench_knobs[] = {
[KNOB_SLOTS] = {"slots", "places", 1e6, 1, 1e8,
    "in the tables of all workers together", NULL},
[KNOB_STEPS] = {"steps", "steps", 3500, 1, 1e9,
    "of all workers together, at scale 1 (published: 700,000)", NULL},
[KNOB_HANDED] = {"handed", "blocks", 50000, 0, 1e9,
    "from the main thread to workers, at scale 1 (published: 10 million)",
    NULL},
{.name = NULL},
};

static const struct row {
    uint64_t size; /* bytes */
    unsigned count;
} rows[] = {
    {8, 1000},  {16, 5000},  {48, 1000},  {72, 100},
    {148, 100}, {200, 100},  {520, 10},   {1056, 5},
    {4096, 3},  {9162, 1},   {34562, 1},  {168524, 1},
};
/* clang-format on */

enum { ROWS = sizeof rows / sizeof *rows };

struct sh8bench {
    struct op_feed *feed;
    struct sh_ring ring;
    uint64_t *handed; /* [made - freed]: blocks that the workers know of */
    uint64_t made, freed;
    unsigned workers;
};

/* Worker 1 frees the first of all blocks, worker 2 the second, … */
static void free_handed(struct sh8bench *w)
{
    for (uint64_t i = 0; w->freed < w->made; i++, w->freed++)
        feed_free(w->feed, 1 + (unsigned)(w->freed % w->workers), w->handed[i]);
}

static void hand_over(struct sh8bench *w, uint64_t until)
{
    for (uint64_t i = 0; w->made < until; i++, w->made++)
        w->handed[i] = feed_alloc(w->feed, 0, HANDED_BYTES);
}

static void work(struct sh8bench *w, uint64_t steps, uint64_t handed)
{
    for (uint64_t i = 0; i < steps && !w->feed->err; i++) {
        const struct row *row = &rows[i % ROWS];

        for (unsigned k = 0; k < row->count; k++)
            sh_ring_add(&w->ring, row->size);
        lockstep_flush(w->ring.lockstep);
        free_handed(w);
        hand_over(w,
                  (uint64_t)((double)handed * (double)(i + 1) / (double)steps));
    }
    free_handed(w);
    sh_ring_drain(&w->ring);
}

static uint64_t at_least_one(double x)
{
    return x > 1 ? (uint64_t)x : 1;
}

static int sh8bench_compose(const struct knob_values *values, uint64_t seed,
                            unsigned threads, double scale,
                            struct op_feed *feed)
{
    const double *knob = values->v;
    struct lockstep lockstep;
    struct sh8bench w = {.feed = feed, .workers = threads - 1};
    uint64_t steps = at_least_one(knob[KNOB_STEPS] * scale / w.workers);
    uint64_t handed = (uint64_t)(knob[KNOB_HANDED] * scale);

    (void)seed; /* nothing is random */
    w.ring.lockstep = &lockstep;
    w.ring.places = at_least_one(knob[KNOB_SLOTS] / w.workers);
    int err = lockstep_init(&lockstep, feed, w.ring.places, 1, w.workers);
    w.handed = malloc((handed / steps + 2) * sizeof *w.handed);
    if (!err && !w.handed)
        err = ENOMEM;
    if (!err) {
        for (unsigned t = 1; t < threads; t++)
            feed_spawn(feed, 0, t);
        work(&w, steps, handed);
        for (unsigned t = 1; t < threads; t++)
            feed_join(feed, 0, t);
        err = feed->err;
    }
    free(w.handed);
    lockstep_free(&lockstep);
    return err;
}

const struct workload sh8bench_workload = {
    .name = "sh8bench",
    .summary = "runs of twelve sizes, and blocks handed to workers (4 M ops)",
    .source = "sh8bench: MicroQuill, SmartHeap",
    .version = 1,
    .knobs = sh8bench_knobs,
    .min_threads = 2,
    .max_threads = 256,
    .compose = sh8bench_compose,
};
