/* mleak.c - threads that live for one allocation and one free.
 *
 * A round starts ten threads and awaits them.  Each allocates a zeroed block,
 * swaps it for what is at a random place of a table, and frees that: a block of
 * a thread that has long ended, mostly.  An allocator that has a heap for each
 * thread has to find out what to do with the heaps of dead threads; one that
 * does nothing leaks.
 *
 * It is a program, not a trace: the births and deaths of threads are what it
 * is about, and a replay makes its threads before the clock starts.  Every
 * thread of the harness drives rounds of its own, all through one table.
 * Beside the program, each block is verified: zeroed when it comes, and its
 * stamp still there when it goes.  glibc allocates for each thread that it
 * starts, by the process's malloc, and that is not counted.
 *
 * Source: mleak by D. Leijen, of mimalloc-bench.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "random.h"
#include "swap_places.h"
#include "workload.h"

enum { KNOB_WORKERS, KNOB_WORDS, KNOB_PLACES, KNOB_ROUNDS };
enum { WORKERS_MAX = 256 };

/* clang-format off */
static const struct knob mleak_knobs[] = {
[KNOB_WORKERS] = {"workers", "threads", 10, 1, WORKERS_MAX,
    "that a round starts and awaits", NULL},
[KNOB_WORDS] = {"words", "words", 16, 1, 1 << 20,
    "of 8 bytes, of a block", NULL},
[KNOB_PLACES] = {"places", "blocks", 1000, 1, 1e8,
    "in the table", NULL},
[KNOB_ROUNDS] = {"rounds", "rounds", 5000, 1, 1e9,
    "at scale 1 (mleak 5 and 50: 500 and 5000)", NULL},
{.name = NULL},
};
/* clang-format on */

struct mleak {
    struct swap_places table;
    uint64_t words;
    _Atomic unsigned driving; /* threads of the harness that have not ended */
};

static uint64_t stamp(uint64_t i)
{
    return ~i * UINT64_C(0x9e3779b97f4a7c15);
}

static bool is_zeroed(const uint64_t *block, uint64_t words)
{
    uint64_t bits = 0;

    for (uint64_t i = 0; i < words; i++)
        bits |= block[i];
    return bits == 0;
}

/* Returns 0, or EBADMSG: it is not as it was put there. */
static int drop_block(struct native *n, uint64_t *block)
{
    const struct mleak *m = n->shared;

    for (uint64_t i = 0; i < m->words; i++)
        if (block[i] != stamp(i))
            return EBADMSG;
    native_drop(n, block, m->words * sizeof *block);
    return 0;
}

static int worker_run(struct native *n)
{
    struct mleak *m = n->shared;
    uint64_t *block = native_alloc(n, m->words * sizeof *block);

    if (!block)
        return ENOMEM;
    if (!is_zeroed(block, m->words))
        return EBADMSG;
    for (uint64_t i = 0; i < m->words; i++)
        block[i] = stamp(i);
    uint64_t *other = swap_at(&m->table, n->seed % m->table.count, block);

    return other ? drop_block(n, other) : 0;
}

/* The first error of all of them; if one cannot be started, the others are
 * awaited all the same. */
static int play_round(struct native *n, struct native_thread worker[],
                      struct random *random)
{
    unsigned workers = (unsigned)n->knobs->v[KNOB_WORKERS], started = 0;
    int err = 0;

    while (started < workers && !err) {
        struct native_thread *w = &worker[started];

        native_thread_init(w, n, worker_run);
        w->native.seed = random_next(random);
        err = native_thread_start(w);
        started += !err;
    }
    for (unsigned i = 0; i < started; i++) {
        int its = native_thread_await(&worker[i], n);

        err = err ? err : its;
    }
    return err;
}

static int drain(struct native *n)
{
    struct mleak *m = n->shared;
    int err = 0;

    for (size_t i = 0; i < m->table.count && !err; i++) {
        uint64_t *block = swap_at(&m->table, i, NULL);

        err = block ? drop_block(n, block) : 0;
    }
    return err;
}

static int mleak_run(struct native *n)
{
    struct mleak *m = n->shared;
    struct native_thread worker[WORKERS_MAX];
    uint64_t rounds = native_scaled(n, n->knobs->v[KNOB_ROUNDS]);
    struct random random;
    int err = 0;

    random_seed(&random, n->seed);
    for (uint64_t i = 0; i < rounds && !err; i++)
        err = play_round(n, worker, &random);
    bool is_last = atomic_fetch_sub(&m->driving, 1) == 1;
    if (err == EBADMSG || !is_last)
        return err;
    int at_end = drain(n);

    return err ? err : at_end;
}

static int mleak_prepare(struct native *n, void **shared)
{
    struct mleak *m = malloc(sizeof *m);

    if (!m)
        return ENOMEM;
    m->words = (uint64_t)n->knobs->v[KNOB_WORDS];
    atomic_init(&m->driving, n->threads);
    int err = swap_places_open(n, (size_t)n->knobs->v[KNOB_PLACES], &m->table);
    if (err) {
        free(m);
        return err;
    }
    *shared = m;
    return 0;
}

static void mleak_finish(struct native *n)
{
    struct mleak *m = n->shared;

    swap_places_close(n, &m->table);
    free(m);
}

static unsigned mleak_own_threads(const struct knob_values *values,
                                  unsigned threads)
{
    return threads * (unsigned)values->v[KNOB_WORKERS];
}

const struct workload mleak_workload = {
    .name = "mleak",
    .summary = "50,000 threads of one allocation each",
    .source = "mleak by D. Leijen, of mimalloc-bench",
    .version = 1,
    .knobs = mleak_knobs,
    .min_threads = 1,
    .max_threads = 64,
    .own_threads = mleak_own_threads,
    .prepare = mleak_prepare,
    .run = mleak_run,
    .finish = mleak_finish,
};
