/* test_classics_b.c - alloc-test, rptest, malloc-large, cfrac, espresso,
 * barnes, mleak and mstress do what their page says.
 *
 * A witness listens to the streams of those that are traces, over a ledger
 * that refuses what is malformed.  Everything is seeded, so a bound that holds
 * once holds always.  The programs run over memory that counts, overwrites
 * what is freed, and refuses an allocation or damages a block on demand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forked.h"
#include "ledger.h"
#include "native_lanes.h"
#include "workload.h"

/* ---- a witness of streams ---- */

enum { OCTAVES = 24, MARKS = 4, EVERY = 512, SAMPLES = 1 << 13 };

struct life {
    uint64_t birth; /* births before it */
    uint32_t size, born_size;
    uint16_t thread;
    uint8_t align_log2;
    bool is_dead;
};

struct witness {
    struct op_sink sink; /* first: the sink is the witness */
    struct ledger ledger;
    struct life *object; /* [capacity] */
    uint64_t capacity;
    uint64_t kinds[OP_KINDS];
    uint64_t cross, touched;   /* frees by another thread; bytes */
    uint64_t octave[OCTAVES];  /* deaths, by lifetime: as life_table.h */
    uint64_t short_lived;      /* deaths, with no or one birth in between */
    uint64_t live_at[SAMPLES]; /* blocks, after each 512th birth */
    uint64_t births_at_mark[MARKS], old_at_mark[MARKS];
    unsigned marks;
    uint64_t digest; /* FNV-1a of all operations */
    uint64_t stop_at, puts;
};

static void digest_add(struct witness *w, uint64_t value)
{
    for (int i = 0; i < 8; i++, value >>= 8)
        w->digest = (w->digest ^ (value & 0xff)) * UINT64_C(0x100000001b3);
}

static unsigned octave_of(uint64_t lifetime)
{
    unsigned octave = 0;

    for (; lifetime > 0; lifetime >>= 1)
        octave++;
    return octave < OCTAVES ? octave : OCTAVES - 1;
}

static void see_birth(struct witness *w, const struct op *op)
{
    uint64_t births = w->ledger.births;

    if (op->object == w->capacity) {
        w->capacity = w->capacity ? 2 * w->capacity : 65536;
        w->object = realloc(w->object, w->capacity * sizeof *w->object);
        cr_assert_not_null(w->object);
    }
    w->object[op->object] = (struct life){.birth = births,
                                          .size = (uint32_t)op->size,
                                          .born_size = (uint32_t)op->size,
                                          .align_log2 = op->align_log2,
                                          .thread = op->thread};
    if (births % EVERY == 0 && births / EVERY < SAMPLES)
        w->live_at[births / EVERY] = ledger_blocks(&w->ledger);
}

static void see_death(struct witness *w, const struct op *op)
{
    struct life *life = &w->object[op->object];
    uint64_t lifetime = w->ledger.births - life->birth;

    life->is_dead = true;
    w->cross += life->thread != op->thread;
    w->octave[octave_of(lifetime)]++;
    w->short_lived += lifetime <= 1;
}

/* How many of the blocks that were there at the first mark but one are still
 * there at this one. */
static void see_mark(struct witness *w)
{
    cr_assert_lt(w->marks, MARKS);
    w->births_at_mark[w->marks] = w->ledger.births;
    for (uint64_t i = 0; w->marks > 1 && i < w->births_at_mark[1]; i++)
        w->old_at_mark[w->marks] += !w->object[i].is_dead;
    w->marks++;
}

static void see(struct witness *w, const struct op *op)
{
    w->kinds[op->kind]++;
    if (op->kind == OP_ALLOC || op->kind == OP_ZALLOC)
        see_birth(w, op);
    if (op->kind == OP_FREE)
        see_death(w, op);
    if (op->kind == OP_RESIZE)
        w->object[op->object].size = (uint32_t)op->size;
    if (op->kind == OP_TOUCH)
        w->touched += op->size;
    if (op->kind == OP_MARK)
        see_mark(w);
}

static int witness_put(struct op_sink *sink, const struct op *op)
{
    struct witness *w = (struct witness *)sink;
    struct live before;

    if (w->stop_at && ++w->puts == w->stop_at)
        return ENOSPC;
    cr_assert_eq(ledger_apply(&w->ledger, op, &before), 0, "%s", w->ledger.why);
    digest_add(w, (uint64_t)op->kind << 32 | op->thread);
    digest_add(w, op->align_log2);
    digest_add(w, op->object);
    digest_add(w, op->size);
    see(w, op);
    return 0;
}

struct run {
    const char *workload, *knobs;
    uint64_t seed;
    unsigned threads;
    double scale;
};

static int knobs_of(const char *workload, const char *knobs,
                    struct knob_values *values)
{
    char why[160] = "";

    cr_assert_not_null(workload_find(workload));
    cr_assert_eq(
        workload_knobs(workload_find(workload), knobs, values, why, sizeof why),
        0, "%s", why);
    return 0;
}

/* Compose; the caller closes. */
static int witness_try(struct witness *w, struct run run)
{
    struct op_feed feed = {.sink = &w->sink};
    struct knob_values values;

    knobs_of(run.workload, run.knobs, &values);
    cr_assert_eq(ledger_init(&w->ledger), 0);
    w->sink.put = witness_put;
    w->digest = UINT64_C(0xcbf29ce484222325);
    return workload_find(run.workload)
        ->compose(&values, run.seed, run.threads, run.scale, &feed);
}

static void witness_close(struct witness *w)
{
    ledger_free(&w->ledger);
    free(w->object);
    free(w);
}

static struct witness *witness_run(struct run run)
{
    struct witness *w = calloc(1, sizeof *w);

    cr_assert_not_null(w);
    cr_assert_eq(witness_try(w, run), 0);
    cr_assert_eq(ledger_blocks(&w->ledger), 0, "%s leaves blocks",
                 run.workload);
    return w;
}

static double births_of(const struct witness *w)
{
    return (double)w->ledger.births;
}

/* ---- all traces ---- */

static const struct {
    const char *workload, *knobs;
    unsigned threads;
    uint64_t digest; /* of seed 4141 */
} small[] = {
    {"alloc-test", "slots=3000:picks=20000", 2, UINT64_C(0xf34f9fa7c2730234)},
    {"alloc-test", "slots=1:picks=600:levels=0", 1,
     UINT64_C(0xbb94f9706e71f28e)},
    {"rptest", "slots=70:ops=50:loops=40", 3, UINT64_C(0x3e6d998ce0f3895f)},
    {"rptest", "slots=1:ops=5:loops=300", 1, UINT64_C(0x9692791e7aa3f13a)},
    {"malloc-large", "slots=3:min=1:max=100:blocks=4000", 1,
     UINT64_C(0x7149f71003408195)},
    {"malloc-large", "slots=1:min=5:max=5:blocks=300:zeroed=calloc", 1,
     UINT64_C(0x1301c22d2f6805ad)},
    {"cfrac", "allocs=20000:kept=100", 1, UINT64_C(0x123aac8727c93bc6)},
    {"espresso", "allocs=30000", 1, UINT64_C(0x0b8f0a959ffbe42b)},
    {"barnes", "rounds=30", 1, UINT64_C(0xfd1089a893b6221d)},
};
enum { SMALL = sizeof small / sizeof small[0] };

static struct run small_run(int i, uint64_t seed)
{
    return (struct run){small[i].workload, small[i].knobs, seed,
                        small[i].threads, 1};
}

/* A stream may change only together with the version of its workload; and it
 * must not depend on compiler or machine. */
Test(classics_b, streams_are_those_of_version_1)
{
    for (int i = 0; i < SMALL; i++) {
        struct witness *w = witness_run(small_run(i, 4141));

        cr_assert_eq(workload_find(small[i].workload)->version, 1);
        cr_expect_eq(w->digest, small[i].digest, "%s:%s is 0x%016lx",
                     small[i].workload, small[i].knobs,
                     (unsigned long)w->digest);
        witness_close(w);
    }
}

Test(classics_b, seeds_make_other_streams_of_the_same_kind)
{
    for (int i = 0; i < SMALL; i++) {
        struct witness *a = witness_run(small_run(i, 1));
        struct witness *again = witness_run(small_run(i, 1));
        struct witness *b = witness_run(small_run(i, 2));
        bool is_random = strcmp(small[i].workload, "barnes") != 0 &&
                         small[i].knobs[6] != '1';

        cr_expect_eq(a->digest, again->digest);
        if (is_random)
            cr_expect_neq(a->digest, b->digest, "%s:%s", small[i].workload,
                          small[i].knobs);
        witness_close(a);
        witness_close(again);
        witness_close(b);
    }
}

Test(classics_b, the_sinks_error_is_returned)
{
    static const uint64_t stops[] = {1, 2, 100, 500};

    for (int i = 0; i < SMALL; i++)
        for (int s = 0; s < 4; s++) {
            struct witness *w = calloc(1, sizeof *w);

            cr_assert_not_null(w);
            w->stop_at = stops[s];
            cr_assert_eq(witness_try(w, small_run(i, 1)), ENOSPC);
            cr_assert_eq(w->puts, stops[s], "it went on after the error");
            witness_close(w);
        }
}

Test(classics_b, a_least_size_above_the_largest_is_refused)
{
    static const struct {
        const char *workload, *knobs, *why;
    } cases[] = {
        {"rptest", "min=17k",
         "rptest: min = 17408 (want at most max, 16000 bytes)"},
        {"malloc-large", "max=1m",
         "malloc-large: min = 5242880 (want at most max, 1048576 bytes)"},
    };

    for (int i = 0; i < 2; i++) {
        struct knob_values values;
        char why[160] = "";

        cr_expect_eq(workload_knobs(workload_find(cases[i].workload),
                                    cases[i].knobs, &values, why, sizeof why),
                     EINVAL);
        cr_expect_str_eq(why, cases[i].why);
    }
}

/* ---- the models, beside what was measured of the programs ---- */

/* A share of the blocks that is not larger, or does not live longer. */
struct step {
    uint64_t at;
    double share;
};

static double share_of_sizes(const struct witness *w, uint64_t at)
{
    uint64_t n = 0;

    for (uint64_t i = 0; i < w->ledger.births; i++)
        n += w->object[i].born_size <= at;
    return (double)n / births_of(w);
}

/* at: 2^octave - 1. */
static double share_of_lifetimes(const struct witness *w, uint64_t at)
{
    uint64_t n = 0;

    for (unsigned i = 0; i <= octave_of(at); i++)
        n += w->octave[i];
    return (double)n / births_of(w);
}

/* Kolmogorov and Smirnov's distance, as far as the steps show it. */
static double distance(const struct witness *w, const struct step step[],
                       size_t steps,
                       double (*share)(const struct witness *, uint64_t))
{
    double worst = 0;

    for (size_t i = 0; i < steps; i++)
        worst = fmax(worst, fabs(share(w, step[i].at) - step[i].share));
    return worst;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* So many of a hundred blocks are not larger, and fewer are below. */
static bool is_percentile(const struct witness *w, double percent,
                          uint64_t size)
{
    return 100 * share_of_sizes(w, size) >= percent &&
           100 * share_of_sizes(w, size - 1) < percent;
}

/* Of all 91,530,284 blocks of the program. */
static const struct step cfrac_sizes[] = {
    {9, 0},       {10, 0.1148}, {12, 0.1530}, {14, 0.1556}, {16, 0.1718},
    {18, 0.5676}, {20, 0.6924}, {26, 0.8155}, {28, 0.9407}, {30, 0.9996}};
static const struct step cfrac_lives[] = {
    {0, 0.1834},  {1, 0.5145},  {3, 0.6210},  {7, 0.7189},
    {15, 0.7784}, {31, 0.9052}, {63, 0.9996}, {127, 0.9997}};

Test(classics_b, cfrac_has_the_programs_sizes_lifetimes_and_heap)
{
    struct witness *w = witness_run((struct run){"cfrac", "", 1, 1, 1});
    double sizes = distance(w, cfrac_sizes, COUNT(cfrac_sizes), share_of_sizes);
    double lives =
        distance(w, cfrac_lives, COUNT(cfrac_lives), share_of_lifetimes);

    cr_expect_lt(sizes, 0.006, "KS %g", sizes);
    cr_expect_lt(lives, 0.015, "KS %g", lives);
    cr_expect(is_percentile(w, 50, 18) && is_percentile(w, 90, 28) &&
              is_percentile(w, 99, 30));
    cr_expect_float_eq((double)w->ledger.peak_blocks, 24381, 24381 * 0.01);
    cr_expect_float_eq((double)w->ledger.peak_bytes, 663245, 663245 * 0.01);
    cr_expect_eq(w->ledger.births, 2000000 + 24381);
    witness_close(w);
}

/* Of all 33,187,680 blocks of the program, as they were born. */
static const struct step espresso_sizes[] = {
    {8, 0.0141},    {16, 0.3339},   {40, 0.3388},   {48, 0.7097},
    {56, 0.8519},   {64, 0.8640},   {72, 0.8804},   {80, 0.8911},
    {88, 0.9053},   {128, 0.9331},  {192, 0.9523},  {264, 0.9634},
    {272, 0.9722},  {384, 0.9795},  {512, 0.9827},  {1023, 0.9887},
    {2047, 0.9914}, {3071, 0.9920}, {4095, 0.9943}, {5119, 0.9967},
    {8191, 0.9980}, {16384, 0.9998}};
static const struct step espresso_lives[] = {
    {0, 0.1025},    {1, 0.1809},    {3, 0.2353},   {7, 0.3109},   {15, 0.3829},
    {31, 0.4717},   {63, 0.5494},   {127, 0.6320}, {255, 0.7167}, {511, 0.8010},
    {1023, 0.8874}, {2047, 0.9599}, {4095, 0.9989}};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t live_percentile(const struct witness *w, double percent)
{
    uint64_t live[SAMPLES], n = w->ledger.births / EVERY;

    memcpy(live, w->live_at, sizeof live);
    qsort(live + 1, n - 1, sizeof *live, by_value);
    return live[1 + (uint64_t)((double)(n - 2) * percent / 100)];
}

Test(classics_b, espresso_has_the_programs_sizes_lifetimes_and_heap)
{
    struct witness *w = witness_run((struct run){"espresso", "", 1, 1, 1});
    double sizes =
        distance(w, espresso_sizes, COUNT(espresso_sizes), share_of_sizes);
    double lives =
        distance(w, espresso_lives, COUNT(espresso_lives), share_of_lifetimes);
    double resizes = (double)w->kinds[OP_RESIZE] / births_of(w);

    cr_expect_lt(sizes, 0.012, "KS %g", sizes);
    cr_expect_lt(lives, 0.016, "KS %g", lives);
    cr_expect(is_percentile(w, 50, 48) && is_percentile(w, 90, 88));
    cr_expect(share_of_sizes(w, 900) < 0.99 && share_of_sizes(w, 1100) >= 0.99,
              "%g %g", share_of_sizes(w, 900), share_of_sizes(w, 1100));
    cr_expect_float_eq(resizes, 322560.0 / 33187680, 0.0005, "%g", resizes);
    cr_expect_float_eq((double)w->ledger.peak_blocks, 4427, 0.1 * 4427);
    cr_expect_float_eq((double)w->ledger.peak_bytes, 438476, 0.05 * 438476);
    /* Calm and waves. */
    cr_expect_float_eq((double)live_percentile(w, 50), 151, 0.1 * 151);
    cr_expect_float_eq((double)live_percentile(w, 90), 1133, 0.25 * 1133);
    witness_close(w);
}

Test(classics_b, espresso_can_do_without_waves_and_growth)
{
    struct witness *w = witness_run(
        (struct run){"espresso", "allocs=100000:waves=0:grows=0", 1, 1, 1});

    cr_expect_eq(w->kinds[OP_RESIZE], 0);
    cr_expect_lt(w->ledger.peak_blocks, 250);
    witness_close(w);
}

Test(classics_b, barnes_has_the_programs_twenty_blocks)
{
    struct witness *w = witness_run((struct run){"barnes", "", 1, 1, 1});

    cr_expect_eq(w->ledger.births, 20);
    cr_expect_eq(w->ledger.peak_bytes, 512500227);
    cr_expect_eq(w->object[14].size, 262144000);
    witness_close(w);
    w = witness_run((struct run){"barnes", "bodies=1:rounds=10", 1, 1, 0.5});
    cr_expect_eq(w->ledger.births, 5 * 20);
    cr_expect_eq(w->ledger.peak_bytes, 8707 + 3128);
    witness_close(w);
}

/* ---- the others that are traces ---- */

/* Marks: fill, picks, drain. */
Test(classics_b, alloc_test_halves_each_range_of_sizes_and_half_the_slots)
{
    struct witness *w =
        witness_run((struct run){"alloc-test", "slots=40000", 1, 2, 0.05});
    double least = share_of_sizes(w, 4), shares = 0.5;

    cr_expect_eq(least, 0);
    for (unsigned i = 0; i < 7; i++, shares += (1 - shares) / 2)
        cr_expect_float_eq(share_of_sizes(w, UINT64_C(8) << i), shares, 0.01);
    cr_expect_eq(share_of_sizes(w, 1024), 1);
    cr_expect_gt(share_of_sizes(w, 1024) - share_of_sizes(w, 512), 0.006);
    cr_expect_float_eq((double)w->births_at_mark[1], 20000, 500);
    cr_expect_float_eq((double)w->births_at_mark[2], 120000, 1000);
    cr_expect_eq(w->cross, 0);
    cr_expect_eq(w->kinds[OP_TOUCH], w->kinds[OP_FREE]);
    witness_close(w);
}

/* Of the blocks that are there before the picks, who was never picked?  By
 * (1 - p)^picks of each slot: of 200 slots that get 4/5 of the picks, and of
 * 800 that get the others.  Were all alike: 0.368. */
Test(classics_b, alloc_test_picks_a_fifth_of_the_slots_most_often)
{
    double stay =
        0.2 * pow(1 - 0.8 / 200, 1000) + 0.8 * pow(1 - 0.2 / 800, 1000);
    double stayed = 0, of = 0;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct witness *w = witness_run((struct run){
            "alloc-test", "slots=1000:picks=1000:levels=1", seed, 1, 1});
        of += (double)w->births_at_mark[1];
        stayed += (double)w->old_at_mark[2];
        witness_close(w);
    }
    cr_expect_float_eq(stayed / of, stay, 0.01, "%g of %g", stayed / of, stay);
}

Test(classics_b, rptest_sends_a_third_of_its_blocks_to_others)
{
    static const unsigned threads[] = {1, 2, 5};

    for (int t = 0; t < 3; t++) {
        struct witness *w =
            witness_run((struct run){"rptest", "", 1, threads[t], 0.2});
        double cross = (double)w->cross / (double)w->kinds[OP_FREE];

        cr_expect_float_eq(cross, threads[t] > 1 ? 0.34 : 0, 0.03,
                           "%u threads: %g", threads[t], cross);
        cr_expect_leq(w->ledger.peak_bytes,
                      (uint64_t)threads[t] * 1300 * 16000);
        witness_close(w);
    }
}

Test(classics_b, rptest_draws_sizes_and_alignments_as_the_program)
{
    struct witness *w = witness_run((struct run){"rptest", "cross=0", 1, 1, 1});
    uint64_t of_align[8] = {0}, small_blocks = 0;
    double sum = 0;

    for (uint64_t i = 0; i < w->ledger.births; i++) {
        const struct life *l = &w->object[i];

        cr_assert(l->size >= 8 && l->size <= 16000 && l->align_log2 < 8);
        sum += l->size;
        small_blocks += l->size < 4096;
        of_align[l->align_log2] += l->size < 4096;
        cr_assert(l->size < 4096 || l->align_log2 == 0);
    }
    /* The mean of e |a + b - 1| is a sixth of the range. */
    cr_expect_float_eq(sum / births_of(w), 8 + 15992.0 / 6, 60, "%g",
                       sum / births_of(w));
    for (int log2 = 3; log2 <= 4; log2++)
        cr_expect_float_eq((double)of_align[log2] / (double)small_blocks,
                           1.0 / 3, 0.02);
    cr_expect_float_eq((double)of_align[0] / (double)small_blocks, 1.0 / 3,
                       0.02);
    /* Two passes of 500 loops with 30 to 99 blocks each. */
    cr_expect_float_eq(births_of(w), 1000 * 64.5, 1500);
    witness_close(w);
}

Test(classics_b, malloc_large_keeps_twenty_blocks_and_replaces_them)
{
    struct witness *w = witness_run((struct run){"malloc-large", "", 1, 1, 1});
    double sum = 0;

    for (uint64_t i = 0; i < w->ledger.births; i++) {
        cr_assert(w->object[i].size >= 5 << 20);
        cr_assert(w->object[i].size <= 25 << 20);
        sum += w->object[i].size;
    }
    cr_expect_eq(w->ledger.births, 2000);
    cr_expect_float_eq(sum / 2000, 0xfp20, 0.03 * 0xfp20);
    cr_expect_eq(w->touched, (uint64_t)sum, "the program zeroes all");
    cr_expect_lt(w->ledger.peak_bytes, 21 * UINT64_C(25) << 20);
    cr_expect_gt(w->ledger.peak_bytes, 20 * UINT64_C(15) << 20);
    witness_close(w);
    w = witness_run((struct run){"malloc-large", "zeroed=calloc", 1, 1, 0.1});
    cr_expect_eq(w->kinds[OP_ZALLOC], 200);
    cr_expect_eq(w->touched, 0);
    witness_close(w);
}

/* ---- those that are programs ---- */

extern const struct workload mleak_workload;
extern const struct workload mstress_workload;

static const struct {
    struct program program;
    unsigned threads;
    uint64_t allocs;
} programs[] = {
    /* Rounds of threads with one block each. */
    {{&mleak_workload, "places=20", 0.04}, 1, 200 * 10},
    {{&mleak_workload, "places=3:workers=3:words=1", 0.02}, 3, 3 * 100 * 3},
    /* Rounds in which thread t makes 3 / 2 times 100 * load * (t + 1) blocks,
     * and two tables. */
    {{&mstress_workload, "load=2:places=10", 0.2}, 1, 5 * (300 + 2)},
    {{&mstress_workload, "load=2:places=10", 0.2},
     3,
     5 * (300 * (1 + 2 + 3) + 3 * 2)},
};
enum { PROGRAMS = COUNT(programs) };

static struct played play(int i, struct counted *c, uint64_t seed)
{
    return native_lanes_play_counted(&programs[i].program, c,
                                     programs[i].threads, seed);
}

Test(classics_b, programs_allocate_as_much_as_their_page_says)
{
    for (int i = 0; i < PROGRAMS; i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct counted c = {0};
            struct played played = play(i, &c, seed);

            cr_assert_eq(played.err, 0, "program %d: %d", i, played.err);
            cr_expect_eq(played.allocs, programs[i].allocs);
            cr_expect_eq(c.allocs, programs[i].allocs);
        }
}

Test(classics_b, programs_say_how_many_threads_they_start)
{
    struct knob_values knobs;

    knobs_of("mleak", "workers=7", &knobs);
    cr_expect_eq(mleak_workload.own_threads(&knobs, 3), 21);
    knobs_of("mstress", "", &knobs);
    cr_expect_eq(mstress_workload.own_threads(&knobs, 3), 2);
}

Test(classics_b, a_seed_gives_programs_the_same_allocations)
{
    for (int i = 0; i < PROGRAMS; i++) {
        struct counted c[3] = {0};
        struct played one = play(i, &c[0], 7), again = play(i, &c[1], 7);
        struct played other = play(i, &c[2], 8);
        bool has_sizes = programs[i].program.workload == &mstress_workload;

        cr_expect_eq(one.allocs, again.allocs);
        cr_expect_eq(one.bytes, again.bytes);
        cr_expect_eq(one.bytes != other.bytes, has_sizes);
    }
}

Test(classics_b, programs_say_no_memory_and_leave_nothing)
{
    for (int i = 0; i < PROGRAMS; i++)
        for (uint64_t at = 1; at < 900; at += 1 + at / 3) {
            struct counted c = {.fail_at = at, .fail_for = 1};
            int err = play(i, &c, 1).err;

            cr_assert_eq(err, ENOMEM, "program %d: %d when call %lu failed", i,
                         err, (unsigned long)at);
        }
}

/* Memory that changes a byte of the block of call `at` when the next call
 * comes, if the block is still in use; or gives what is not zeroed. */
struct bad_memory {
    struct counted counted; /* first: it is the heap of counted_memory */
    struct native_memory good;
    pthread_mutex_t lock;
    uint64_t calls, at;
    unsigned char *last_byte; /* of the block that is to be damaged */
    bool is_dirty;
};

static void *bad_give(struct bad_memory *b, unsigned char *p, size_t size)
{
    pthread_mutex_lock(&b->lock);
    if (b->last_byte)
        *b->last_byte ^= 0x40;
    b->last_byte = ++b->calls == b->at ? p + size - 1 : NULL;
    pthread_mutex_unlock(&b->lock);
    return p;
}

static void *bad_alloc(struct heap *heap, size_t size)
{
    struct bad_memory *b = (struct bad_memory *)heap;
    unsigned char *p = b->good.alloc(heap, size);

    p[size / 2] = b->is_dirty;
    return bad_give(b, p, size);
}

static void *bad_leaf(struct heap *heap, size_t size)
{
    struct bad_memory *b = (struct bad_memory *)heap;

    return bad_give(b, b->good.alloc_leaf(heap, size), size);
}

static void bad_free(struct heap *heap, void *p, size_t size)
{
    struct bad_memory *b = (struct bad_memory *)heap;

    pthread_mutex_lock(&b->lock);
    if (b->last_byte == (unsigned char *)p + size - 1)
        b->last_byte = NULL;
    b->good.dealloc(heap, p, size);
    pthread_mutex_unlock(&b->lock);
}

struct bad_run {
    int program;
    uint64_t at;
    bool is_dirty;
};

static void play_bad(void *arg, int fd)
{
    const struct bad_run *run = arg;
    struct bad_memory b = {.at = run->at, .is_dirty = run->is_dirty};

    pthread_mutex_init(&b.lock, NULL);
    b.good = counted_memory(&b.counted);
    struct native_memory memory = b.good;
    memory.alloc = bad_alloc;
    memory.alloc_leaf = bad_leaf;
    memory.dealloc = bad_free;
    int err = native_lanes_play(&programs[run->program].program, &memory,
                                programs[run->program].threads, 1)
                  .err;

    dprintf(fd, "%s", err == EBADMSG ? "noticed" : err ? "error" : "ok");
}

/* In a process of its own: what is in use then is left. */
static bool is_noticed(struct bad_run run)
{
    char said[40];

    run_forked(play_bad, &run, said, sizeof said);
    cr_assert(!strcmp(said, "noticed") || !strcmp(said, "ok"), "%s", said);
    return !strcmp(said, "noticed");
}

/* A block may be freed before its byte is changed; some of 20 are not. */
Test(classics_b, programs_notice_a_changed_byte)
{
    for (int i = 0; i < PROGRAMS; i++) {
        unsigned noticed = 0;

        for (uint64_t at = 10; at < 30; at++)
            noticed += is_noticed((struct bad_run){.program = i, .at = at});
        cr_expect_geq(noticed, 5, "program %d: %u", i, noticed);
    }
}

Test(classics_b, mleak_notices_memory_that_is_not_zeroed)
{
    cr_expect(is_noticed((struct bad_run){.program = 0, .is_dirty = true}));
    cr_expect_not(is_noticed((struct bad_run){.program = 0}));
}
