/* thread_churn.c - threads begin, leave a few blocks, and end.
 *
 * In each lane one thread after another is born.  It allocates, frees what
 * the thread before it has left, frees all but a few of its own blocks, which
 * lie among the others, and ends.  A heap of a thread's own that nobody takes
 * over when the thread has ended is memory that is lost: it grows with the
 * number of threads that ever were, while what is live does not.
 *
 * It is a program, not a trace: a replay makes all its threads before the
 * clock starts.  Every block is stamped, and the stamp verified at its end.
 *
 * Source: mimalloc's issue 1107 (10,000 threads) and its test mleak; E. Berger
 * et al., "Hoard", ASPLOS 2000, section 2.2, on heaps private to a thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>

#include "native.h"
#include "workload.h"

enum { KNOB_BIRTHS, KNOB_BYTES, KNOB_SIZE, KNOB_STAY };

/* clang-format off */
static const struct knob thread_churn_knobs[] = {
[KNOB_BIRTHS] = {"births", "threads", 400, 1, 1e9,
    "in each lane, at scale 1; there are as many lanes as threads", NULL},
[KNOB_BYTES] = {"bytes", "bytes", 1 << 20, 64, 0x1p40,
    "that a thread allocates", NULL},
[KNOB_SIZE] = {"size", "bytes", 64, 8, 1 << 20,
    "of a block", NULL},
[KNOB_STAY] = {"stay", "%", 10, 0, 100,
    "of its blocks when the thread ends", NULL},
{.name = NULL},
};
/* clang-format on */

/* What the threads of a lane share; one of them runs at a time. */
struct lane {
    uint64_t generation; /* of the thread that runs, from 1 */
    uint64_t blocks;     /* of a thread */
    size_t size;         /* of a block */
    double stay;         /* of 1 */
    uint64_t **now;      /* [blocks]: the thread's, or NULL */
    uint64_t **before;   /* [blocks]: what the one before it has left */
};

/* How many of the first n blocks stay: spread evenly. */
static uint64_t staying(const struct lane *lane, uint64_t n)
{
    return (uint64_t)((double)n * lane->stay);
}

/* All of the table that stamped says are of this generation, or those only
 * that do not stay.  0 or EBADMSG. */
static int free_blocks(struct native *n, uint64_t **table, uint64_t generation,
                       bool is_all)
{
    const struct lane *lane = n->shared;
    int err = 0;

    for (uint64_t i = 0; i < lane->blocks; i++) {
        if (!table[i] || (!is_all && staying(lane, i + 1) > staying(lane, i)))
            continue;
        if (*table[i] != generation + i)
            err = EBADMSG;
        native_drop(n, table[i], lane->size);
        table[i] = NULL;
    }
    return err;
}

static int live_and_end(struct native *n)
{
    struct lane *lane = n->shared;
    int err = 0;

    for (uint64_t i = 0; i < lane->blocks; i++) {
        uint64_t *block = native_leaf(n, lane->size);

        if (!block)
            return ENOMEM;
        *block = lane->generation + i;
        native_store(n, lane->now, (void **)&lane->now[i], block);
    }
    err = free_blocks(n, lane->before, lane->generation - 1, true);
    return err ? err : free_blocks(n, lane->now, lane->generation, false);
}

static int bear_and_await(struct native *n)
{
    struct native_thread child;

    native_thread_init(&child, n, live_and_end);
    int err = native_thread_start(&child);

    return err ? err : native_thread_await(&child, n);
}

static int play_lane(struct native *n, struct lane *lane, uint64_t births)
{
    int err = 0;

    n->shared = lane;
    while (lane->generation <= births && !err) {
        uint64_t **was = lane->before;

        err = bear_and_await(n);
        if (err)
            break;
        lane->before = lane->now;
        lane->now = was;
        lane->generation++;
    }
    if (free_blocks(n, lane->before, lane->generation - 1, true))
        err = err ? err : EBADMSG;
    (void)free_blocks(n, lane->now, lane->generation,
                      true); /* after an error */
    n->shared = NULL;
    return err;
}

static struct lane lane_of(const struct knob_values *values)
{
    const double *knob = values->v;
    const double blocks = knob[KNOB_BYTES] / knob[KNOB_SIZE];

    return (struct lane){.generation = 1,
                         .blocks = blocks < 1 ? 1 : (uint64_t)blocks,
                         .size = (size_t)knob[KNOB_SIZE],
                         .stay = knob[KNOB_STAY] / 100};
}

static size_t table_bytes(const struct lane *lane)
{
    return lane->blocks * sizeof *lane->now;
}

static int thread_churn_run(struct native *n)
{
    struct lane lane = lane_of(n->knobs);
    int err = ENOMEM;

    lane.now = native_alloc(n, table_bytes(&lane));
    lane.before = lane.now ? native_alloc(n, table_bytes(&lane)) : NULL;
    if (lane.before)
        err = play_lane(n, &lane, native_scaled(n, n->knobs->v[KNOB_BIRTHS]));
    native_drop(n, lane.before, table_bytes(&lane));
    native_drop(n, lane.now, table_bytes(&lane));
    return err;
}

/* Of a lane: both tables, a thread's blocks, and those that stayed. */
static double live_of(const struct lane *lane)
{
    return 2.0 * (double)table_bytes(lane) +
           (double)((lane->blocks + staying(lane, lane->blocks)) * lane->size);
}

static double thread_churn_live(const struct knob_values *values,
                                unsigned threads, double scale)
{
    const struct lane lane = lane_of(values);

    (void)scale;
    return threads * live_of(&lane);
}

static double thread_churn_ratio(const struct knob_values *values,
                                 unsigned threads, double scale)
{
    const struct lane lane = lane_of(values);
    const double births = values->v[KNOB_BIRTHS] * scale;
    const double each = (double)(lane.blocks * lane.size);

    (void)threads;
    return ((births < 1 ? 1 : (double)(uint64_t)births) * each +
            2.0 * (double)table_bytes(&lane)) /
           live_of(&lane);
}

static const struct workload_bound thread_churn_bound = {
    .claim = "heaps of threads that nobody takes over when the thread has "
             "ended: all that was ever allocated; it grows with every birth",
    .ratio = thread_churn_ratio,
    .live = thread_churn_live,
};

const struct workload thread_churn_workload = {
    .name = "thread-churn",
    .summary = "threads begin, leave a few blocks, and end (7 M allocations)",
    .source = "mimalloc's issue 1107; Hoard, ASPLOS 2000, section 2.2",
    .version = 1,
    .knobs = thread_churn_knobs,
    .min_threads = 1,
    .max_threads = 64,
    .run = thread_churn_run,
    .bound = &thread_churn_bound,
};
