/* test_classics_a.c - larson, xmalloc-test, cache-scratch, cache-thrash,
 * sh6bench, sh8bench, linux-scalability, glibc-simple and glibc-thread do what
 * their descriptions say.
 *
 * The traces are held against models that follow one thread at a time; the
 * programs run over memory that counts, so that every allocation they report
 * is one that was made.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "native_lanes.h"
#include "ops_list.h"
#include "workload.h"

extern const struct workload cache_scratch_workload;
extern const struct workload cache_thrash_workload;
extern const struct workload larson_workload;
extern const struct workload xmalloc_test_workload;

/* ---- traces: what one thread does ---- */

/* An allocation of a size, or a free of the thread's allocation of that number
 * (from 0). */
struct deed {
    bool is_free;
    uint64_t value;
};

struct deeds {
    struct deed *deed; /* [n] */
    size_t n, room;
    uint64_t births;
};

static void deeds_add(struct deeds *d, bool is_free, uint64_t value)
{
    if (d->n == d->room) {
        d->room = d->room ? 2 * d->room : 4096;
        d->deed = realloc(d->deed, d->room * sizeof *d->deed);
        cr_assert_not_null(d->deed);
    }
    d->deed[d->n++] = (struct deed){is_free, value};
}

static uint64_t deeds_alloc(struct deeds *d, uint64_t size)
{
    deeds_add(d, false, size);
    return d->births++;
}

static void deeds_free(struct deeds *d, uint64_t birth)
{
    deeds_add(d, true, birth);
}

static void compose(const char *name, const char *knobs, unsigned threads,
                    struct ops_list *list)
{
    const struct workload *w = workload_find(name);
    struct knob_values values;
    char why[160] = "";

    ops_list_init(list);
    struct op_feed feed = {.sink = &list->sink};
    cr_assert_not_null(w);
    cr_assert_eq(workload_knobs(w, knobs, &values, why, sizeof why), 0, "%s",
                 why);
    cr_assert_eq(w->compose(&values, 1, threads, 1, &feed), 0);
}

/* What a thread does to blocks of its own; foreign ones are counted. */
static uint64_t deeds_of(const struct ops_list *list, unsigned thread,
                         struct deeds *out)
{
    uint64_t *birth = malloc(list->n * sizeof *birth);
    uint64_t births = 0, foreign = 0;

    cr_assert_not_null(birth);
    *out = (struct deeds){.n = 0};
    for (size_t i = 0; i < list->n; i++) {
        const struct op *op = &list->ops[i];

        if (op->kind == OP_ALLOC)
            birth[births++] =
                op->thread == thread ? deeds_alloc(out, op->size) : UINT64_MAX;
        if (op->kind != OP_FREE || op->thread != thread)
            continue;
        if (birth[op->object] == UINT64_MAX)
            foreign++;
        else
            deeds_free(out, birth[op->object]);
    }
    free(birth);
    return foreign;
}

static void expect_same(const struct deeds *have, const struct deeds *want,
                        const char *what)
{
    cr_assert_eq(have->n, want->n, "%s: %zu deeds, not %zu", what, have->n,
                 want->n);
    for (size_t i = 0; i < want->n; i++)
        if (have->deed[i].is_free != want->deed[i].is_free ||
            have->deed[i].value != want->deed[i].value)
            cr_assert_fail("%s: deed %zu is %s %lu, not %s %lu", what, i,
                           have->deed[i].is_free ? "free" : "alloc",
                           (unsigned long)have->deed[i].value,
                           want->deed[i].is_free ? "free" : "alloc",
                           (unsigned long)want->deed[i].value);
}

/* ---- the table of sh6bench and sh8bench, as a list of what is in it ---- */

struct table {
    struct deeds *deeds;
    int64_t *birth;            /* [places]; -1: nothing is there */
    unsigned places, survivor; /* of the five parts the one to survive next */
};

static void table_open(struct table *t, struct deeds *deeds, unsigned places)
{
    *t = (struct table){.deeds = deeds, .places = places};
    t->birth = malloc(places * sizeof *t->birth);
    cr_assert_not_null(t->birth);
    memset(t->birth, -1, places * sizeof *t->birth);
}

static void table_free_at(struct table *t, unsigned i)
{
    if (t->birth[i] >= 0)
        deeds_free(t->deeds, (uint64_t)t->birth[i]);
    t->birth[i] = -1;
}

/* The first empty place; when there is none, four of five parts are freed.
 * (places is a multiple of 5.) */
static void table_add(struct table *t, uint64_t size)
{
    unsigned i = 0, part = t->places / 5;

    while (i < t->places && t->birth[i] >= 0)
        i++;
    if (i == t->places) {
        unsigned from = t->survivor * part, to = from + part;

        for (i = 0; i < from; i++)
            table_free_at(t, i);
        for (i = t->places; i > to; i--)
            table_free_at(t, i - 1);
        t->survivor = (t->survivor + 1) % 5;
        i = from == 0 ? to : 0;
    }
    t->birth[i] = (int64_t)deeds_alloc(t->deeds, size);
}

static void table_close(struct table *t)
{
    for (unsigned i = 0; i < t->places; i++)
        table_free_at(t, i);
    free(t->birth);
}

/* The sizes are written out: 1, 2, 4, 7, … and each of them halved. */
static void sh6bench_repeat(struct table *t)
{
    static const unsigned bases[] = {1,  2,  4,   7,   11,  17,  26, 40,
                                     61, 92, 139, 209, 314, 472, 709};

    for (size_t b = 0; b < sizeof bases / sizeof *bases; b++)
        for (unsigned size = bases[b]; size > 0; size /= 2)
            for (int i = 0; i < (size < 100 ? 250 : 50); i++)
                table_add(t, size);
}

Test(classics_a, sh6bench_fills_its_table_and_frees_in_both_orders)
{
    static const unsigned threads[] = {1, 2, 5};

    for (int t = 0; t < 3; t++) {
        struct deeds want = {.n = 0}, have;
        struct table table;
        struct ops_list list;

        table_open(&table, &want, 1000 / threads[t]);
        for (unsigned i = 0; i < 10 / threads[t]; i++)
            sh6bench_repeat(&table);
        cr_assert_eq(want.births, 19300 * (10 / threads[t]));
        table_close(&table);
        compose("sh6bench", "calls=1000:repeats=10", threads[t], &list);
        for (unsigned thread = 0; thread < threads[t]; thread++) {
            cr_assert_eq(deeds_of(&list, thread, &have), 0);
            expect_same(&have, &want, "sh6bench");
            free(have.deed);
        }
        ops_list_free(&list);
        free(want.deed);
    }
}

Test(classics_a, sh8bench_fills_its_tables_while_main_hands_blocks_over)
{
    static const struct {
        unsigned size, count;
    } rows[] = {{8, 1000},  {16, 5000}, {48, 1000}, {72, 100},
                {148, 100}, {200, 100}, {520, 10},  {1056, 5},
                {4096, 3},  {9162, 1},  {34562, 1}, {168524, 1}};
    static const unsigned workers[] = {1, 3};

    for (int w = 0; w < 2; w++) {
        unsigned steps = 60 / workers[w];
        struct deeds want = {.n = 0}, have;
        struct table table;
        struct ops_list list;

        table_open(&table, &want, 3000 / workers[w]);
        for (unsigned i = 0; i < steps; i++)
            for (unsigned k = 0; k < rows[i % 12].count; k++)
                table_add(&table, rows[i % 12].size);
        table_close(&table);
        compose("sh8bench", "slots=3000:steps=60:handed=6000", workers[w] + 1,
                &list);
        for (unsigned thread = 1; thread <= workers[w]; thread++) {
            cr_assert_eq(deeds_of(&list, thread, &have), 6000 / workers[w],
                         "its share of main's blocks");
            expect_same(&have, &want, "sh8bench");
            free(have.deed);
        }
        cr_assert_eq(deeds_of(&list, 0, &have), 0);
        cr_assert_eq(have.n, 6000, "main frees nothing");
        for (size_t i = 0; i < have.n; i++)
            cr_assert_eq(have.deed[i].value, 8);
        free(have.deed);
        ops_list_free(&list);
        free(want.deed);
    }
}

/* ---- the other traces ---- */

Test(classics_a, linux_scalability_has_never_two_blocks)
{
    struct deeds want = {.n = 0}, have;
    struct ops_list list;

    for (int i = 0; i < 700; i++)
        deeds_free(&want, deeds_alloc(&want, 512));
    compose("linux-scalability", "pairs=700", 3, &list);
    for (unsigned thread = 0; thread < 3; thread++) {
        deeds_of(&list, thread, &have);
        expect_same(&have, &want, "linux-scalability");
        free(have.deed);
    }
    ops_list_free(&list);
    free(want.deed);
}

static void glibc_simple_pass(struct deeds *d, unsigned allocations)
{
    static const unsigned sizes[] = {16, 32, 64};
    static const unsigned counts[] = {25, 100, 400, 1600};

    for (int s = 0; s < 3; s++)
        for (int c = 0; c < 4; c++)
            for (unsigned r = 0; r < allocations / counts[c]; r++) {
                uint64_t first = d->births;
                unsigned n = counts[c];

                for (unsigned i = 0; i < n; i++)
                    deeds_alloc(d, sizes[s]);
                for (unsigned i = 0; i < n / 2; i++)
                    deeds_free(d, first + i);
                for (unsigned i = n - 1; i + 1 > n / 2; i--)
                    deeds_free(d, first + i);
            }
}

Test(classics_a, glibc_simple_makes_its_passes)
{
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct deeds main_one = {.n = 0}, other = {.n = 0}, have;
        struct ops_list list;
        bool has_ended = false;
        uint64_t births = 0;

        for (unsigned i = 0; i < (threads > 1 ? 3 : 2); i++)
            glibc_simple_pass(&main_one, 3200);
        glibc_simple_pass(&other, 3200);
        compose("glibc-simple", "allocations=3200", threads, &list);
        for (unsigned thread = 0; thread < threads; thread++) {
            deeds_of(&list, thread, &have);
            expect_same(&have, thread ? &other : &main_one, "glibc-simple");
            free(have.deed);
        }
        /* Main is idle while the others are at work. */
        for (size_t i = 0; i < list.n; i++) {
            if (list.ops[i].kind == OP_ALLOC && list.ops[i].thread == 0)
                births++;
            if (list.ops[i].kind == OP_SPAWN)
                cr_assert_eq(births, 2 * 12 * 3200);
            if (list.ops[i].kind == OP_JOIN) {
                cr_assert_eq(births, 2 * 12 * 3200);
                has_ended = true;
            }
        }
        cr_assert_eq(has_ended, threads > 1);
        ops_list_free(&list);
        free(main_one.deed);
        free(other.deed);
    }
}

/* Of 4 / x of all blocks the size is at least x; 5 standard deviations. */
Test(classics_a, glibc_thread_draws_by_an_inverse_square_law)
{
    struct ops_list list;
    uint64_t births = 0, live = 0, at_least[16] = {0};

    compose("glibc-thread", "ops=400000", 2, &list);
    for (size_t i = 0; i < list.n; i++) {
        const struct op *op = &list.ops[i];

        live += op->kind == OP_ALLOC;
        live -= op->kind == OP_FREE;
        cr_assert_leq(live, 2 * 1024);
        if (op->kind != OP_ALLOC)
            continue;
        births++;
        cr_assert(op->size >= 4 && op->size <= 32768);
        for (int k = 2; k < 15; k++)
            at_least[k] += op->size >= UINT64_C(1) << k;
    }
    cr_assert_eq(births, 2 * 200000);
    for (int k = 2; k < 15; k++) {
        double x = (double)(UINT64_C(1) << k), least = 1.0 / 32768;
        double p = (1 / x - least) / (0.25 - least);
        double n = (double)births, off = (double)at_least[k] - p * n;

        cr_expect(off * off <= 25 * n * p * (1 - p), "%g of size >= %g: not %g",
                  (double)at_least[k] / n, x, p);
    }
    ops_list_free(&list);
}

/* ---- programs ---- */

static const struct program programs[] = {
    {&larson_workload, "slots=40:generation=30:ops=1000", 0.2},
    {&larson_workload, "min=2:max=2:slots=1:ops=9", 1},
    {&xmalloc_test_workload, "batch=7:limit=3:blocks=2000", 0.5},
    {&xmalloc_test_workload, "size=1000:batch=1:limit=1:blocks=30", 1},
    {&cache_scratch_workload, "rounds=50:writes=100", 2},
    {&cache_scratch_workload, "size=9:rounds=3:writes=1001", 1},
    {&cache_thrash_workload, "rounds=50:writes=100", 2},
};
enum { PROGRAMS = sizeof programs / sizeof *programs };

/* What each program must allocate with so many threads, by its description. */
static uint64_t expected(int program, uint64_t threads)
{
    switch (program) {
    case 0: /* a table, 4 times replaced by main, then 200 replacements */
        return threads * (40 + 4 * 40 + 200);
    case 1:
        return threads * (1 + 4 + 9);
    case 2: /* 142 batches of 7 and their arrays, whoever makes them */
        return 142 * (7 + 1);
    case 3:
        return 30 * (1 + 1);
    case 4: /* a gift each, then one a round */
        return threads * (1 + 100);
    case 5:
        return threads * (1 + 3);
    default:
        return threads * 100;
    }
}

/* So that no compiler has left out what is measured. */
Test(classics_a, every_allocation_of_the_description_is_made_and_freed)
{
    for (int i = 0; i < PROGRAMS; i++)
        for (unsigned t = programs[i].workload->min_threads; t <= 5; t++)
            for (uint64_t seed = 1; seed <= 5; seed++) {
                struct counted c = {0};
                struct played played =
                    native_lanes_play_counted(&programs[i], &c, t, seed);
                const char *name = programs[i].workload->name;

                cr_assert_eq(played.err, 0, "%s: %d", name, played.err);
                cr_assert_eq(c.calls, expected(i, t), "%s, %u threads: %lu",
                             name, t, (unsigned long)c.calls);
                cr_assert_eq(played.allocs, c.calls, "%s", name);
                cr_assert_geq(played.bytes, played.allocs);
            }
}

Test(classics_a, larson_is_the_same_for_the_same_seed)
{
    struct counted c[3] = {0};
    struct played one = native_lanes_play_counted(&programs[0], &c[0], 3, 7);
    struct played again = native_lanes_play_counted(&programs[0], &c[1], 3, 7);
    struct played other = native_lanes_play_counted(&programs[0], &c[2], 3, 8);

    cr_assert_eq(one.bytes, again.bytes);
    cr_assert_neq(one.bytes, other.bytes);
    /* 8..1000, uniform: 1200 draws, so 5 standard deviations are 41 */
    cr_assert_float_eq((double)one.bytes / (double)one.allocs, 504, 42);
}

Test(classics_a, no_memory_is_said_and_leaves_nothing)
{
    for (int i = 0; i < PROGRAMS; i++)
        for (unsigned t = programs[i].workload->min_threads; t <= 3; t++) {
            uint64_t calls = expected(i, t);

            for (uint64_t at = 1; at <= calls;
                 at += 1 + (at > 20 ? at / 12 : 0)) {
                struct counted once = {.fail_at = at, .fail_for = 1};
                struct counted after = {.fail_at = at, .fail_for = UINT64_MAX};

                cr_assert_eq(
                    native_lanes_play_counted(&programs[i], &once, t, 1).err,
                    ENOMEM, "%s: call %lu of %lu", programs[i].workload->name,
                    (unsigned long)at, (unsigned long)calls);
                cr_assert_eq(
                    native_lanes_play_counted(&programs[i], &after, t, 1).err,
                    ENOMEM);
            }
        }
}

/* Memory that once gives a block that it has given before. */
struct doubling {
    char *at, *last;
    uint64_t calls, twice_at;
};

static void *doubling_any(struct heap *heap, size_t size, size_t align)
{
    struct doubling *d = (struct doubling *)heap;

    (void)align;
    if (++d->calls == d->twice_at)
        return d->last;
    d->last = d->at;
    d->at += (size + 15) / 16 * 16;
    return d->last;
}

static void doubling_free(struct heap *heap, void *p, size_t size)
{
    (void)heap;
    (void)p;
    (void)size;
}

Test(classics_a, a_block_that_is_given_twice_is_noticed)
{
    enum { ROOM = 4 << 20 };
    static const struct {
        struct program program;
        unsigned threads;
        uint64_t at;
    } faults[] = {
        {{&larson_workload, "slots=20:ops=1000", 1}, 1, 15},  /* filled */
        {{&larson_workload, "slots=20:ops=1000", 1}, 1, 60},  /* replaced */
        {{&larson_workload, "slots=20:ops=1000", 1}, 1, 900}, /* in a thread */
        {{&xmalloc_test_workload, "batch=9:blocks=900", 1}, 2, 505},
    };
    char *room = malloc(ROOM);

    cr_assert_not_null(room);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        for (int is_faulty = 0; is_faulty <= 1; is_faulty++) {
            struct doubling d = {.at = room,
                                 .twice_at = is_faulty ? faults[i].at : 0};
            struct native_memory memory = {.heap = (struct heap *)&d,
                                           .alloc_any = doubling_any,
                                           .dealloc = doubling_free};
            int err = native_lanes_play(&faults[i].program, &memory,
                                        faults[i].threads, 3)
                          .err;

            cr_assert_eq(err, is_faulty ? EBADMSG : 0, "%zu: %d", i, err);
        }
    free(room);
}

/* Somebody else writes to the object now and then. */
static volatile unsigned char disturbed[16];

static void disturb(int signal)
{
    (void)signal;
    disturbed[0] ^= 0x80;
}

static void *disturbed_any(struct heap *heap, size_t size, size_t align)
{
    (void)heap;
    (void)size;
    (void)align;
    return (void *)disturbed;
}

Test(classics_a, a_write_that_is_lost_is_noticed)
{
    static const struct program thrash = {&cache_thrash_workload,
                                          "rounds=30:writes=10000000", 1};
    const struct itimerval often = {{0, 100}, {0, 100}},
                           never = {{0, 0}, {0, 0}};
    const struct native_memory memory = {.alloc_any = disturbed_any,
                                         .dealloc = doubling_free};

    const struct sigaction action = {.sa_handler = disturb};

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    int err = native_lanes_play(&thrash, &memory, 1, 1).err;
    setitimer(ITIMER_REAL, &never, NULL);
    cr_assert_eq(err, EBADMSG, "%d", err);
}
