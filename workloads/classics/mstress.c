/* mstress.c - a stress test: threads that allocate, keep, free and swap blocks
 * of all sizes, each word of which is verified.
 *
 * A round starts all threads but the first, which is the driver itself, and
 * awaits them.  Each thread makes its blocks, half as many of them to be kept
 * until it ends; after each it may free one of the others and may swap one
 * with a place that all threads share.  At its end it frees what it holds.
 * Between the rounds the driver frees half of what is at the shared places;
 * the rest is there in the next.  Sizes are powers of two, 1 to 16 words (1 to
 * 64 of those that are kept), but one in 50 is a hundred, thousand or
 * ten-thousandfold.
 *
 * It is a program, not a trace: which block is swapped for which depends on
 * how the threads run.  How many are allocated, and how large, follows from
 * the seed.  Its author says that it is no benchmark; it is here as a test,
 * whose time should not be compared without looking at its page.
 *
 * Invariant: word i of a block of n words is (n - i) ^ COOKIE, until it is
 * freed.
 *
 * Source: mstress by D. Leijen, of mimalloc-bench; "mstress N 50 25".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "random.h"
#include "swap_places.h"
#include "workload.h"

enum { KNOB_LOAD, KNOB_PLACES, KNOB_ROUNDS };
enum {
    THREADS_MAX = 64,
    LOAD_BLOCKS = 100, /* of a thread, for each of the load, … */
    LOADS = 8,         /* … times 1 to 8, by the thread's number */
    WORDS_LOG2 = 5,    /* blocks of 2^0 .. 2^4 words, … */
    KEPT_LOG2 = 7,     /* … and those that are kept of 2^0 .. 2^6 */
    WORDS_MAX = 64 * 10000
};
static const uint64_t COOKIE = UINT64_C(0xc0ffee0ddba11);

/* The program's chances: of its percents each is one more than it says. */
static const double make_chance = 0.51, free_chance = 0.67, swap_chance = 0.26,
                    drain_chance = 0.51, large_chance = 0.02,
                    huge_chance = 0.02, big_chance = 0.11;

/* clang-format off */
static const struct knob mstress_knobs[] = {
[KNOB_LOAD] = {"load", "1", 50, 1, 1e6,
    "hundred blocks of thread 0; of thread t (t modulo 8) + 1 times as many",
    NULL},
[KNOB_PLACES] = {"places", "blocks", 1000, 1, 1e8,
    "that all threads share", NULL},
[KNOB_ROUNDS] = {"rounds", "rounds", 25, 1, 1e9,
    "at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

struct odds {
    uint64_t make, free, swap, drain, large, huge, big;
};

struct mstress {
    struct swap_places places;
    struct odds odds;
};

/* One thread in one round.  The tables are objects of the heap. */
struct stress {
    struct native *n;
    struct mstress *common;
    struct random random;
    void **held, **kept;
    uint64_t held_count, kept_count;
    uint64_t to_hold, to_keep; /* blocks still to be made */
};

static uint64_t draw_words(struct stress *s, unsigned log2)
{
    const struct odds *o = &s->common->odds;
    uint64_t words = UINT64_C(1) << random_below(&s->random, log2);

    if (!random_chance(&s->random, o->large))
        return words;
    if (random_chance(&s->random, o->huge))
        return words * 10000;
    return random_chance(&s->random, o->big) ? words * 1000 : words * 100;
}

static void *make_block(struct stress *s, unsigned log2)
{
    uint64_t words = draw_words(s, log2);
    uint64_t *block = native_leaf(s->n, words * sizeof *block);

    for (uint64_t i = 0; block && i < words; i++)
        block[i] = (words - i) ^ COOKIE;
    return block;
}

/* Returns 0, or EBADMSG: not as it was made. */
static int drop_block(struct native *n, uint64_t *block)
{
    if (!block)
        return 0;
    uint64_t words = block[0] ^ COOKIE;

    if (words == 0 || words > WORDS_MAX)
        return EBADMSG;
    for (uint64_t i = 0; i < words; i++)
        if ((block[i] ^ COOKIE) != words - i)
            return EBADMSG;
    native_drop(n, block, words * sizeof *block);
    return 0;
}

static int make_one(struct stress *s)
{
    bool is_held =
        s->to_keep == 0 ||
        (s->to_hold > 0 && random_chance(&s->random, s->common->odds.make));
    void **table = is_held ? s->held : s->kept;
    uint64_t *count = is_held ? &s->held_count : &s->kept_count;
    void *block = make_block(s, is_held ? WORDS_LOG2 : KEPT_LOG2);

    if (!block)
        return ENOMEM;
    native_store(s->n, table, &table[(*count)++], block);
    s->to_hold -= is_held;
    s->to_keep -= !is_held;
    return 0;
}

static int free_one(struct stress *s)
{
    void **place = &s->held[random_below(&s->random, s->held_count)];
    void *block = *place;

    native_store(s->n, s->held, place, NULL);
    return drop_block(s->n, block);
}

static void swap_one(struct stress *s)
{
    struct swap_places *places = &s->common->places;
    void **mine = &s->held[random_below(&s->random, s->held_count)];
    size_t theirs = random_below(&s->random, places->count);

    native_store(s->n, s->held, mine, swap_at(places, theirs, *mine));
}

static int make_all(struct stress *s)
{
    const struct odds *o = &s->common->odds;
    int err = 0;

    while ((s->to_hold > 0 || s->to_keep > 0) && !err) {
        err = make_one(s);
        if (!err && random_chance(&s->random, o->free) && s->held_count > 0)
            err = free_one(s);
        if (!err && random_chance(&s->random, o->swap) && s->held_count > 0)
            swap_one(s);
    }
    return err;
}

/* The table, too. */
static int drop_table(struct native *n, void **table, uint64_t count,
                      uint64_t size)
{
    int err = 0;

    for (uint64_t i = 0; i < count && !err; i++)
        err = drop_block(n, table[i]);
    if (!err)
        native_drop(n, table, size * sizeof *table);
    return err;
}

static int stress_run(struct native *n)
{
    uint64_t blocks = LOAD_BLOCKS * (uint64_t)n->knobs->v[KNOB_LOAD] *
                      (n->thread % LOADS + 1);
    uint64_t kept = blocks / 2;
    struct stress s = {
        .n = n, .common = n->shared, .to_hold = blocks, .to_keep = kept};

    random_seed(&s.random, n->seed);
    s.kept = native_alloc(n, kept * sizeof *s.kept);
    s.held = s.kept ? native_alloc(n, blocks * sizeof *s.held) : NULL;
    int err = s.held ? make_all(&s) : ENOMEM;
    if (err == EBADMSG)
        return err;
    int at_end = drop_table(n, s.kept, s.kept_count, kept);
    if (!at_end)
        at_end = drop_table(n, s.held, s.held_count, blocks);
    return at_end ? at_end : err;
}

/* Thread 0 is the caller.  The first error of all; if one cannot be started,
 * the others are awaited all the same. */
static int play_round(struct native *n, struct native_thread thread[],
                      struct random *random)
{
    unsigned started = 1;
    int err = 0;

    while (started < n->threads && !err) {
        struct native_thread *t = &thread[started];

        native_thread_init(t, n, stress_run);
        t->native.thread = started;
        t->native.seed = random_next(random);
        err = native_thread_start(t);
        started += !err;
    }
    n->seed = random_next(random);
    int its = stress_run(n);
    err = err ? err : its;
    for (unsigned i = 1; i < started; i++) {
        its = native_thread_await(&thread[i], n);
        err = err ? err : its;
    }
    return err;
}

/* Free what is at the shared places, each with that chance. */
static int drain(struct native *n, struct random *random, uint64_t odds)
{
    struct mstress *m = n->shared;
    int err = 0;

    for (size_t i = 0; i < m->places.count && !err; i++)
        if (random_chance(random, odds))
            err = drop_block(n, swap_at(&m->places, i, NULL));
    return err;
}

static int mstress_run(struct native *n)
{
    const struct mstress *m = n->shared;
    struct native_thread thread[THREADS_MAX];
    uint64_t rounds = native_scaled(n, n->knobs->v[KNOB_ROUNDS]);
    struct random random;
    int err = 0;

    if (n->thread > 0) /* thread 0 starts those that do something */
        return 0;
    random_seed(&random, n->seed);
    for (uint64_t i = 0; i < rounds && !err; i++) {
        err = play_round(n, thread, &random);
        if (!err)
            err = drain(n, &random, m->odds.drain);
    }
    if (err == EBADMSG)
        return err;
    int at_end = drain(n, &random, random_odds(1));

    return err ? err : at_end;
}

static int mstress_prepare(struct native *n, void **shared)
{
    struct mstress *m = malloc(sizeof *m);

    if (!m)
        return ENOMEM;
    m->odds = (struct odds){
        .make = random_odds(make_chance),
        .free = random_odds(free_chance),
        .swap = random_odds(swap_chance),
        .drain = random_odds(drain_chance),
        .large = random_odds(large_chance),
        .huge = random_odds(huge_chance),
        .big = random_odds(big_chance),
    };
    int err = swap_places_open(n, (size_t)n->knobs->v[KNOB_PLACES], &m->places);
    if (err) {
        free(m);
        return err;
    }
    *shared = m;
    return 0;
}

static void mstress_finish(struct native *n)
{
    struct mstress *m = n->shared;

    swap_places_close(n, &m->places);
    free(m);
}

static unsigned mstress_own_threads(const struct knob_values *values,
                                    unsigned threads)
{
    (void)values;
    return threads - 1;
}

const struct workload mstress_workload = {
    .name = "mstress",
    .summary = "allocate, keep, free, swap, and verify each word",
    .source = "mstress by D. Leijen, of mimalloc-bench",
    .version = 1,
    .knobs = mstress_knobs,
    .min_threads = 1,
    .max_threads = THREADS_MAX,
    .own_threads = mstress_own_threads,
    .prepare = mstress_prepare,
    .run = mstress_run,
    .finish = mstress_finish,
};
