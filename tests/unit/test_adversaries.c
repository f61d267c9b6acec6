/* test_adversaries.c - every adversary does to an ideal allocator of the
 * policy it is made for what its bound says, and its streams are sound.
 *
 * The ideal allocators are small: an address space with first or best fit,
 * superblocks, heaps that keep what they once took.  Each is a sink, so it
 * hears the stream itself.  Nothing here is timed or sampled.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */

#include <criterion/criterion.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "blowup.h"
#include "native_lanes.h"
#include "workload.h"

/* ---- the ear: any stream, whoever allocates ---- */

enum { THREADS = 16 };

struct block {
    uint64_t size, place; /* place: the policy's */
    uint16_t thread;
    bool is_alive;
};

struct ear;

struct policy {
    uint64_t (*take)(struct ear *, uint64_t size, unsigned thread);
    void (*give)(struct ear *, const struct block *);
};

struct gap {
    uint64_t at, size;
};

struct superblock {
    uint64_t size, blocks; /* of what size, and how many live */
};

/* What a private heap, or storage for one size, took and has free. */
struct hoard {
    uint64_t key, free, taken;
};

struct ear {
    struct op_sink sink; /* first: put casts back */
    const struct policy *policy;
    uint64_t header;     /* bytes before each block */
    struct block *block; /* [room] */
    uint64_t births, room, puts, stop_at, digest;
    uint64_t live, peak, live_blocks, held; /* bytes; held: at most */
    const char *await;                      /* stop at this mark */
    /* policies' */
    struct gap *gap; /* [gaps], in order of address */
    size_t gaps;
    uint64_t top; /* of the address space: all above is free */
    bool is_best;
    struct superblock *superblock; /* [superblocks] */
    size_t superblocks, last;
    uint64_t superblock_bytes;
    struct hoard hoard[64];
    unsigned hoards;
    bool is_by_thread;
};

static void digest_add(struct ear *e, uint64_t value)
{
    for (int i = 0; i < 8; i++, value >>= 8)
        e->digest = (e->digest ^ (value & 0xff)) * UINT64_C(0x100000001b3);
}

static void hear_birth(struct ear *e, const struct op *op)
{
    cr_assert_eq(op->object, e->births, "births are numbered in order");
    cr_assert_gt(op->size, 0);
    if (e->births == e->room) {
        e->room = e->room ? 2 * e->room : 4096;
        e->block = realloc(e->block, e->room * sizeof *e->block);
        cr_assert_not_null(e->block);
    }
    struct block *b = &e->block[e->births++];
    *b = (struct block){op->size, 0, op->thread, true};
    if (e->policy)
        b->place = e->policy->take(e, b->size + e->header, b->thread);
    e->live += op->size;
    e->live_blocks++;
}

static struct block *hear_old(struct ear *e, const struct op *op)
{
    cr_assert_lt(op->object, e->births);
    struct block *b = &e->block[op->object];
    cr_assert(b->is_alive, "operation %d on a dead object", (int)op->kind);
    return b;
}

static void hear_death(struct ear *e, const struct op *op)
{
    struct block *b = hear_old(e, op);

    if (e->policy)
        e->policy->give(e, b);
    e->live -= b->size;
    e->live_blocks--;
    b->is_alive = false;
}

/* A realloc that always moves: both places are taken for a moment. */
static void hear_resize(struct ear *e, const struct op *op)
{
    struct block *b = hear_old(e, op), was = *b;

    b->size = op->size;
    if (e->policy) {
        b->place = e->policy->take(e, b->size + e->header, b->thread);
        e->policy->give(e, &was);
    }
    e->live += b->size - was.size;
}

static int put(struct op_sink *sink, const struct op *op)
{
    struct ear *e = (struct ear *)sink;

    if (e->stop_at && ++e->puts == e->stop_at)
        return ENOSPC;
    digest_add(e, (uint64_t)op->kind << 32 | op->thread);
    digest_add(e, op->object);
    digest_add(e, op->size);
    switch (op->kind) {
    case OP_ALLOC:
        hear_birth(e, op);
        break;
    case OP_FREE:
        hear_death(e, op);
        break;
    case OP_RESIZE:
        hear_resize(e, op);
        break;
    case OP_MARK:
        if (e->await && !strcmp(op->name, e->await))
            return ECANCELED;
        break;
    default:
        cr_assert(op->kind == OP_SPAWN || op->kind == OP_JOIN);
    }
    e->peak = e->live > e->peak ? e->live : e->peak;
    return 0;
}

/* ---- policies ---- */

/* First and best fit.  The gap's low end is used. */

static void gap_remove(struct ear *e, size_t i)
{
    e->gaps--;
    memmove(&e->gap[i], &e->gap[i + 1], (e->gaps - i) * sizeof *e->gap);
}

static uint64_t fit_take(struct ear *e, uint64_t size, unsigned thread)
{
    size_t found = e->gaps;

    (void)thread;
    for (size_t i = 0; i < e->gaps && (e->is_best || found == e->gaps); i++)
        if (e->gap[i].size >= size &&
            (found == e->gaps || e->gap[i].size < e->gap[found].size))
            found = i;
    if (found == e->gaps) {
        e->top += size;
        e->held = e->top > e->held ? e->top : e->held;
        return e->top - size;
    }
    uint64_t at = e->gap[found].at;

    e->gap[found].at += size;
    e->gap[found].size -= size;
    if (!e->gap[found].size)
        gap_remove(e, found);
    return at;
}

static void fit_give(struct ear *e, const struct block *b)
{
    const struct gap freed = {b->place, b->size + e->header};
    size_t lo = 0, hi = e->gaps;

    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (e->gap[mid].at < freed.at)
            lo = mid + 1;
        else
            hi = mid;
    }
    e->gap = realloc(e->gap, (e->gaps + 1) * sizeof *e->gap);
    cr_assert_not_null(e->gap);
    memmove(&e->gap[lo + 1], &e->gap[lo], (e->gaps - lo) * sizeof *e->gap);
    e->gap[lo] = freed;
    e->gaps++;
    if (lo + 1 < e->gaps && freed.at + freed.size == e->gap[lo + 1].at) {
        e->gap[lo].size += e->gap[lo + 1].size;
        gap_remove(e, lo + 1);
    }
    if (lo > 0 && e->gap[lo - 1].at + e->gap[lo - 1].size == freed.at) {
        e->gap[lo - 1].size += e->gap[lo].size;
        gap_remove(e, lo--);
    }
    if (e->gap[lo].at + e->gap[lo].size == e->top) {
        e->top = e->gap[lo].at;
        e->gaps--;
    }
}

static const struct policy fit = {fit_take, fit_give};

/* Superblocks: of one size until they are empty. */

static bool has_room(const struct ear *e, size_t i, uint64_t size)
{
    const struct superblock *s = &e->superblock[i];

    return s->blocks == 0 ||
           (s->size == size && (s->blocks + 1) * size <= e->superblock_bytes);
}

static uint64_t superblock_take(struct ear *e, uint64_t size, unsigned thread)
{
    size_t i = e->last;

    (void)thread;
    if (i >= e->superblocks || !has_room(e, i, size) ||
        e->superblock[i].blocks == 0)
        for (i = 0; i < e->superblocks && !has_room(e, i, size); i++)
            ;
    if (i == e->superblocks) {
        e->superblock =
            realloc(e->superblock, ++e->superblocks * sizeof *e->superblock);
        cr_assert_not_null(e->superblock);
        e->superblock[i].blocks = 0;
        e->held += e->superblock_bytes;
    }
    e->superblock[i].size = size;
    e->superblock[i].blocks++;
    return e->last = i;
}

static void superblock_give(struct ear *e, const struct block *b)
{
    e->superblock[b->place].blocks--;
}

static const struct policy superblocks = {superblock_take, superblock_give};

/* What was taken for one thread, or for one size, stays there. */

static uint64_t hoard_take(struct ear *e, uint64_t size, unsigned thread)
{
    const uint64_t key = e->is_by_thread ? thread : size;
    unsigned i = 0;

    while (i < e->hoards && e->hoard[i].key != key)
        i++;
    if (i == e->hoards) {
        cr_assert_lt(i, sizeof e->hoard / sizeof *e->hoard);
        e->hoard[e->hoards++] = (struct hoard){.key = key};
    }
    if (e->hoard[i].free >= size) {
        e->hoard[i].free -= size;
    } else {
        e->hoard[i].taken += size;
        e->held += size;
    }
    return i;
}

static void hoard_give(struct ear *e, const struct block *b)
{
    e->hoard[b->place].free += b->size;
}

static const struct policy hoards = {hoard_take, hoard_give};

/* ---- playing ---- */

struct run {
    const char *name, *knobs;
    unsigned threads;
    double scale;
    uint64_t seed;
};

static void get_knobs(const struct run *run, struct knob_values *values)
{
    char why[200] = "";

    cr_assert_not_null(workload_find(run->name), "%s", run->name);
    cr_assert_eq(workload_knobs(workload_find(run->name), run->knobs, values,
                                why, sizeof why),
                 0, "%s", why);
}

static int hear(struct ear *e, const struct run *run)
{
    struct op_feed feed = {.sink = &e->sink};
    struct knob_values values;

    get_knobs(run, &values);
    e->sink.put = put;
    e->digest = UINT64_C(0xcbf29ce484222325);
    return workload_find(run->name)->compose(&values, run->seed, run->threads,
                                             run->scale, &feed);
}

static void ear_free(struct ear *e)
{
    free(e->block);
    free(e->gap);
    free(e->superblock);
}

static double bound_of(const struct run *run)
{
    struct knob_values values;

    get_knobs(run, &values);
    return workload_find(run->name)->bound->ratio(&values, run->threads,
                                                  run->scale);
}

static double blowup_of(const struct ear *e)
{
    return (double)e->held / (double)e->peak;
}

/* ---- the bounds ---- */

/* By hand. */
Test(adversaries, bounds_are_what_the_theorems_say)
{
    static const struct {
        struct run run;
        double want;
    } cases[] = {
        /* 1 + log2(n) / 2 */
        {{"robson-first-fit", "header=0", 1, 1, 1}, 4.5},
        {{"robson-first-fit", "header=0:largest=64", 1, 1, 1}, 1.5},
        {{"robson-first-fit", "header=0:largest=32k", 1, 0.01, 1}, 6},
        /* of 4 units 3 blocks are live: 3 of them in the second round */
        {{"robson-first-fit", "largest=64", 1, 1, 1}, 1.5 / (1 - 0.1875)},
        /* stages of L = 3 .. 7 with 8, 5, 3, 2, 2 blocks: 83 units of 32 */
        {{"robson-best-fit", "unit=1:header=0:largest=8:live=32", 1, 1, 1},
         83.0 / 32},
        /* 16 bytes in 4 superblocks, 32 bytes in 3 of 64 bytes, 256 live */
        {{"hoard-worst", "superblock=64:largest=32:live=256", 1, 1, 1}, 1.75},
        {{"comb", "tooth=20:gap=80:header=0:live=1000", 1, 1, 1}, 1.8},
        /* ten pairs of 90 and 10 bytes are the most that is live */
        {{"comb", "tooth=50:gap=50:header=10:live=1000", 1, 1, 1}, 15 / 8.5},
        /* a page is empty with 0.9^64, or with 0.5^4 */
        {{"peak-survivors", "min=64:max=64:stay=10", 1, 1, 1}, 9.9882091},
        {{"peak-survivors", "min=4k:max=4k:stay=10", 1, 1, 1}, 1},
        {{"random-free", "min=1k:max=1k:freed=50", 1, 1, 1}, 1.875},
        {{"random-free", "min=2k:max=2k:freed=50", 2, 1, 1}, 1.5},
        {{"phase-change", "phases=3:freed=50", 1, 1, 1}, 2},
        {{"producer-consumer", "", 5, 1, 1}, 5},
        /* 1 + 2 + 4 + 8; then 2, 3, 4, 6 and 9 at the beginning again */
        {{"realloc-ramp", "first=1:last=8", 1, 1, 1}, 15.0 / 8},
        /* 100 threads with 64 blocks, two tables of 64 words; 16 stay */
        {{"thread-churn", "births=100:bytes=4k:stay=25", 3, 1, 1},
         (409600.0 + 1024) / (4096 + 1024 + 1024)},
        {{"realloc-ramp", "first=2:last=9:growth=50", 1, 1, 1}, 15.0 / 9},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_float_eq(bound_of(&cases[i].run), cases[i].want, 1e-6,
                           "%s:%s: %.7f (want %.7f)", cases[i].run.name,
                           cases[i].run.knobs, bound_of(&cases[i].run),
                           cases[i].want);
}

Test(adversaries, claims_fit_a_note)
{
    for (size_t i = 0; workloads[i]; i++)
        if (workloads[i]->bound)
            cr_expect_leq(strlen(workloads[i]->bound->claim), BOUND_CLAIM_MAX,
                          "%s", workloads[i]->name);
}

/* An ideal allocator of the policy holds exactly what the bound says, so the
 * workload is the adversary that it claims to be. */

static const struct ear first_fit = {.policy = &fit, .header = 8};
static const struct ear best_fit = {
    .policy = &fit, .header = 8, .is_best = true};
static const struct ear bare_first_fit = {.policy = &fit};
static const struct ear in_superblocks = {.policy = &superblocks,
                                          .superblock_bytes = 8192};
static const struct ear in_large_superblocks = {.policy = &superblocks,
                                                .superblock_bytes = 65536};
static const struct ear by_thread = {.policy = &hoards, .is_by_thread = true};
static const struct ear by_size = {.policy = &hoards};

static const struct {
    struct run run;
    const struct ear *ideal;
    double tolerance; /* relative; 0 but for blocks that are cut off */
} reached[] = {
    {{"robson-first-fit", "live=128k", 1, 1, 1}, &first_fit, 0},
    {{"robson-first-fit", "live=128k:largest=32k", 1, 1, 1}, &first_fit, 0},
    {{"robson-first-fit", "live=64k:unit=16:largest=64", 1, 1, 1},
     &first_fit,
     0},
    {{"robson-first-fit", "live=64k:header=0", 1, 1, 1}, &bare_first_fit, 0},
    {{"robson-best-fit", "live=256k", 1, 1, 1}, &best_fit, 0},
    {{"robson-best-fit", "live=4k:largest=256", 1, 1, 1}, &best_fit, 0},
    {{"hoard-worst", "live=256k", 1, 1, 1}, &in_superblocks, 0},
    {{"hoard-worst", "live=1m:superblock=64k:largest=32k:ratio=2", 1, 1, 1},
     &in_large_superblocks,
     0},
    {{"comb", "live=512k", 1, 1, 1}, &first_fit, 0},
    {{"comb", "live=512k", 1, 1, 1}, &best_fit, 0},
    {{"phase-change", "heap=1m", 1, 1, 1}, &by_size, 0.002},
    {{"producer-consumer", "live=64k", 2, 1, 1}, &by_thread, 0},
    {{"producer-consumer", "live=64k", 7, 1, 1}, &by_thread, 0},
    {{"realloc-ramp", "", 1, 0.1, 1}, &bare_first_fit, 0},
    {{"realloc-ramp", "growth=50", 1, 0.1, 1}, &bare_first_fit, 0},
    {{"realloc-ramp", "growth=15:first=100:last=1m", 1, 0.1, 1},
     &bare_first_fit,
     0},
};

Test(adversaries, ideal_allocators_hold_what_the_bounds_say)
{
    for (size_t i = 0; i < sizeof reached / sizeof reached[0]; i++) {
        struct ear e = *reached[i].ideal;

        cr_assert_eq(hear(&e, &reached[i].run), 0);
        const double want = bound_of(&reached[i].run);
        cr_expect_float_eq(
            blowup_of(&e), want, reached[i].tolerance * want + 1e-12,
            "%s:%s: %.6f held over live, bound %.6f", reached[i].run.name,
            reached[i].run.knobs, blowup_of(&e), want);
        ear_free(&e);
    }
}

/* The program that Robson's theorem needs sees addresses and gets n - 1 less;
 * and first fit can hardly do worse than Robson's upper bound. */
Test(adversaries, robson_first_fit_is_at_least_robsons_theorem)
{
    struct run run = {"robson-first-fit",
                      "live=64k:unit=16:header=0:largest=4k", 1, 1, 1};
    struct ear e = bare_first_fit;

    cr_assert_eq(hear(&e, &run), 0);
    const double m = 4096, n = 256; /* units of 16 bytes */
    cr_expect_eq(e.peak, 64u << 10);
    cr_expect_geq((double)e.held / 16, m * (1 + 8 / 2.0) - n + 1);
    cr_expect_leq((double)e.held / 16, m * 8);
    ear_free(&e);
}

/* What is bad for one policy is not bad for another. */
Test(adversaries, other_policies_do_not_suffer)
{
    static const struct {
        struct run run;
        const struct ear *other;
        double at_most;
    } cases[] = {
        {{"robson-best-fit", "live=256k", 1, 1, 1}, &first_fit, 6},
        {{"robson-best-fit", "live=256k", 1, 1, 1}, &in_superblocks, 6},
        {{"hoard-worst", "live=256k", 1, 1, 1}, &bare_first_fit, 2.5},
        {{"comb", "live=512k", 1, 1, 1}, &in_superblocks, 1.2},
        {{"phase-change", "heap=1m", 1, 1, 1}, &bare_first_fit, 1.5},
        {{"producer-consumer", "live=64k", 7, 1, 1}, &by_size, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ear e = *cases[i].other;

        cr_assert_eq(hear(&e, &cases[i].run), 0);
        cr_expect_leq(blowup_of(&e), cases[i].at_most, "%s: %.3f",
                      cases[i].run.name, blowup_of(&e));
        ear_free(&e);
    }
}

/* Pages of blocks of one size, filled in order; those that hold something at
 * the mark, over live bytes. */
Test(adversaries, survivors_pin_the_pages_that_chance_lets_them)
{
    static const struct run runs[] = {
        {"peak-survivors", "objects=200000:waves=1:min=128:max=128", 1, 1, 1},
        {"peak-survivors", "objects=200000:waves=1:min=512:max=512:stay=20", 1,
         1, 2},
        {"random-free", "objects=200000:min=256:max=256", 1, 1, 3},
    };

    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        struct ear e = {.await = workload_find(runs[i].name)->bound->mark};
        uint64_t pages = 0, page = UINT64_MAX;

        cr_assert_eq(hear(&e, &runs[i]), ECANCELED);
        for (uint64_t b = 0; b < 200000; b++) {
            const uint64_t its = b * e.block[b].size / 4096;
            pages += e.block[b].is_alive && its != page;
            page = e.block[b].is_alive ? its : page;
        }
        const double held = (double)(pages * 4096) / (double)e.live;
        cr_expect_float_eq(held / bound_of(&runs[i]), 1, 0.03, "%s: %g, not %g",
                           runs[i].knobs, held, bound_of(&runs[i]));
        ear_free(&e);
    }
}

/* ---- streams ---- */

static const struct {
    struct run run;
    uint64_t peak; /* bytes live at most, or 0: random */
    uint64_t digest;
} streams[] = {
    /* 16 KiB in blocks of 32, each 8 bytes less; and 2.5 / 4 of 512 blocks
     * in the last round, which is the peak */
    {{"robson-first-fit", "live=16k:largest=256", 1, 1, 4141},
     16384 - 8 * (512 * 5 / 2) / 8,
     UINT64_C(0xdd01ab745bf290a5)},
    /* 16384 in 128 units, the last stage has the fewest blocks */
    {{"robson-best-fit", "live=32:unit=1:header=0:largest=8", 1, 1, 4141},
     32,
     UINT64_C(0x3807a786662ddd52)},
    {{"hoard-worst", "live=256k:superblock=4k", 1, 1, 4141},
     0,
     UINT64_C(0x3afeca27d8072bac)},
    /* 10 teeth, 8 blocks of 100 */
    {{"comb", "tooth=20:gap=80:header=0:live=1000", 1, 1, 4141},
     1000,
     UINT64_C(0x11e78abd5116ad72)},
    {{"peak-survivors", "objects=5000:waves=3", 3, 1, 4141},
     0,
     UINT64_C(0xeb86d8ac71e7dc5d)},
    {{"producer-consumer", "live=64k:size=100", 3, 1, 4141},
     65500,
     UINT64_C(0xe1d165d7610566a1)},
    {{"realloc-ramp", "first=100:last=1m:growth=7", 1, 1, 4141},
     1 << 20,
     UINT64_C(0xb75eac29518b6045)},
};
enum { STREAMS = sizeof streams / sizeof streams[0] };

Test(adversaries, streams_are_sound_and_free_everything)
{
    for (size_t i = 0; i < STREAMS; i++) {
        struct ear e = {.live = 0};

        cr_assert_eq(hear(&e, &streams[i].run), 0);
        cr_expect_eq(e.live_blocks, 0, "%s", streams[i].run.name);
        cr_expect_eq(e.live, 0);
        cr_expect_eq(e.digest, streams[i].digest, "%s is 0x%016lx",
                     streams[i].run.name, (unsigned long)e.digest);
        if (streams[i].peak)
            cr_expect_eq(e.peak, streams[i].peak, "%s: peak %lu",
                         streams[i].run.name, (unsigned long)e.peak);
        ear_free(&e);
    }
}

Test(adversaries, peaks_are_the_live_knob)
{
    static const struct {
        struct run run;
        double live; /* and no more than 2 % less, or with headers 25 % */
        double least;
    } cases[] = {
        {{"robson-first-fit", "", 1, 0.05, 1}, 0x1p25 * 0.05, 0.97},
        {{"robson-best-fit", "", 1, 0.1, 1}, 0x1p21 * 0.1, 0.97},
        {{"hoard-worst", "", 1, 0.1, 1}, 0x1p24 * 0.1, 0.99},
        {{"comb", "", 1, 0.01, 1}, 0x1p26 * 0.01, 0.97},
        {{"producer-consumer", "", 2, 0.01, 1}, 0x1p24, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ear e = {.live = 0};

        cr_assert_eq(hear(&e, &cases[i].run), 0);
        cr_expect_leq((double)e.peak, cases[i].live * 1.001, "%s: %lu",
                      cases[i].run.name, (unsigned long)e.peak);
        cr_expect_geq((double)e.peak, cases[i].live * cases[i].least, "%s: %lu",
                      cases[i].run.name, (unsigned long)e.peak);
        ear_free(&e);
    }
}

Test(adversaries, the_sinks_error_is_returned)
{
    static const uint64_t stops[] = {1, 2, 7};

    for (size_t i = 0; i < STREAMS; i++)
        for (int s = 0; s < 3; s++) {
            struct ear e = {.stop_at = stops[s]};

            cr_assert_eq(hear(&e, &streams[i].run), ENOSPC, "%s",
                         streams[i].run.name);
            cr_assert_eq(e.puts, stops[s], "%s went on after the error",
                         streams[i].run.name);
            ear_free(&e);
        }
}

/* ---- programs ---- */

extern const struct workload fork_server_workload;
extern const struct workload thread_churn_workload;

/* Memory that a fork does not part: where parent and child take turns, one
 * sees the other's blocks. */
enum { SHARED_BYTES = 1 << 20 };

struct shared_memory {
    char *bytes;
    size_t used;
};

static void *shared_alloc(struct heap *heap, size_t size)
{
    struct shared_memory *m = (struct shared_memory *)heap;

    m->used += (size + 15) & ~(size_t)15;
    return m->bytes + m->used - ((size + 15) & ~(size_t)15);
}

static struct native_memory shared_memory(struct shared_memory *m)
{
    m->bytes = mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    m->used = 0;
    cr_assert_neq(m->bytes, MAP_FAILED);
    return (struct native_memory){.heap = (struct heap *)m,
                                  .alloc = shared_alloc,
                                  .alloc_leaf = shared_alloc};
}

static const struct program programs[] = {
    {&thread_churn_workload, "births=30:bytes=4k:stay=25", 0.5},
    {&thread_churn_workload, "births=20:bytes=1k:size=100:stay=0", 1},
    {&thread_churn_workload, "births=20:bytes=1k:size=8:stay=100", 1},
};
enum { PROGRAMS = sizeof programs / sizeof programs[0] };

static struct played play_counted(const struct program *p, struct counted *c,
                                  unsigned threads)
{
    return native_lanes_play_counted(p, c, threads, 1);
}

Test(adversaries, programs_free_everything_and_count_it)
{
    static const uint64_t blocks[] = {15 * 64, 20 * 10, 20 * 128};

    for (int i = 0; i < PROGRAMS; i++)
        for (unsigned threads = 1; threads <= 3; threads++) {
            struct counted c = {0};
            struct played played = play_counted(&programs[i], &c, threads);

            cr_expect_eq(played.err, 0);
            cr_expect_eq(played.allocs, threads * (blocks[i] + 2));
            cr_expect_eq(played.allocs, c.calls);
        }
}

Test(adversaries, programs_without_memory_say_so_and_leave_nothing)
{
    for (int i = 0; i < PROGRAMS; i++) {
        struct counted whole = {0};
        play_counted(&programs[i], &whole, 1);

        for (uint64_t at = 1; at <= whole.calls; at += 1 + at / 3) {
            struct counted c = {.fail_at = at, .fail_for = UINT64_MAX};
            cr_expect_eq(play_counted(&programs[i], &c, 1).err, ENOMEM);
        }
    }
}

/* Memory that forgets what was written: the first words of blocks change when
 * others are allocated. */
struct forgetful {
    struct counted counted; /* first: its hooks cast back */
    uint64_t *last;
};

static void *forget(struct heap *heap, size_t size)
{
    struct forgetful *f = (struct forgetful *)heap;

    if (f->last)
        ++*f->last;
    return f->last = counted_memory(&f->counted).alloc_leaf(heap, size);
}

Test(adversaries, programs_see_that_a_block_has_changed)
{
    for (int i = 0; i < PROGRAMS; i++) {
        struct forgetful f = {.last = NULL};
        struct native_memory memory = counted_memory(&f.counted);

        memory.alloc_leaf = forget;
        cr_expect_eq(native_lanes_play(&programs[i], &memory, 1, 1).err,
                     EBADMSG);
    }
}

/* A child is a process of its own: what it allocates is counted, by what it
 * says, and what it writes stays with it. */
Test(adversaries, forked_children_count_and_change_nothing)
{
    const struct program p = {&fork_server_workload,
                              "objects=50:requests=6:child=70:parent=20", 1};
    struct counted c = {0};
    struct played played = play_counted(&p, &c, 1);

    cr_expect_eq(played.err, 0);
    cr_expect_eq(played.units, 6);
    cr_expect_eq(c.calls, 1 + 50 + 6 * 20, "table, heap, parent's");
    cr_expect_eq(played.allocs, c.calls + 6 * 70);
}

Test(adversaries, a_forked_child_that_fails_is_heard)
{
    const struct program p = {&fork_server_workload,
                              "objects=50:requests=6:child=70:parent=0", 1};

    for (uint64_t at = 1; at <= 51 + 70; at++) {
        struct counted c = {.fail_at = at, .fail_for = UINT64_MAX};
        cr_expect_eq(play_counted(&p, &c, 1).err, ENOMEM, "call %lu",
                     (unsigned long)at);
    }
    for (uint64_t at = 1; at < 51 + 6 * 20; at += 9) {
        const struct program both = {&fork_server_workload,
                                     "objects=50:requests=6:child=9:parent=20",
                                     1};
        struct counted c = {.fail_at = at, .fail_for = UINT64_MAX};
        cr_expect_eq(play_counted(&both, &c, 1).err, ENOMEM);
    }
}

Test(adversaries, what_a_child_writes_into_its_parent_is_found)
{
    static const char *const knobs[] = {
        "objects=50:requests=2:child=10:parent=5",
        "objects=50:requests=1:child=10:parent=0"};

    for (int i = 0; i < 2; i++) {
        const struct program p = {&fork_server_workload, knobs[i], 1};
        struct shared_memory shared;
        struct native_memory memory = shared_memory(&shared);

        cr_expect_eq(native_lanes_play(&p, &memory, 1, 1).err, EBADMSG);
        munmap(shared.bytes, SHARED_BYTES);
    }
}

/* ---- knobs ---- */

Test(adversaries, knobs_that_do_not_go_together_are_refused)
{
    static const struct {
        const char *name, *knobs, *why;
    } cases[] = {
        {"robson-first-fit", "largest=96",
         "robson-first-fit: largest = 96 bytes (want unit, 32 bytes, times a "
         "power of two from 2 on)"},
        {"robson-first-fit", "unit=8",
         "robson-first-fit: header = 8 bytes (want less than unit, 8 bytes)"},
        {"robson-best-fit", "largest=128",
         "robson-best-fit: largest = 128 bytes (want unit, 32 bytes, times a "
         "power of two from 8 on)"},
        {"hoard-worst", "superblock=1k",
         "hoard-worst: largest = 1024 bytes (want at most half of superblock, "
         "512 bytes)"},
        {"hoard-worst", "smallest=1025",
         "hoard-worst: smallest = 1025, rounded up to 16 bytes (want at most "
         "largest, 1024 bytes)"},
        {"comb", "tooth=8",
         "comb: header = 8 bytes (want less than tooth and gap, 8 and 1024 "
         "bytes)"},
        {"peak-survivors", "min=1k",
         "peak-survivors: min = 1024 (want at most max, 512 bytes)"},
        {"fork-server", "min=1k",
         "fork-server: min = 1024 (want at most max, 512 bytes)"},
        {"realloc-ramp", "first=1m:last=4k",
         "realloc-ramp: first = 1048576 (want at most last, 4096 bytes)"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct knob_values values;
        char why[200] = "";

        cr_expect_eq(workload_knobs(workload_find(cases[i].name),
                                    cases[i].knobs, &values, why, sizeof why),
                     EINVAL);
        cr_expect_str_eq(why, cases[i].why);
    }
}

/* ---- rows ---- */

static const struct outcome_value *value(const struct outcome *o,
                                         const char *metric)
{
    const struct outcome_value *v = outcome_find(o, metric);

    cr_assert_not_null(v, "no %s", metric);
    return v;
}

Test(adversaries, rows_show_the_measured_beside_the_bound)
{
    static const struct {
        const char *workload;
        double measured;
    } cases[] = {{"comb:tooth=20:gap=80:header=0:live=1000", 1.7},
                 {"random-free:min=1k:max=1k:freed=50", 9}};

    for (size_t i = 0; i < 2; i++) {
        struct trace_request request = {.threads = 1, .scale = 1};
        struct outcome o = {.status = STATUS_OK};

        strcpy(request.workload, cases[i].workload);
        cr_assert_eq(outcome_add(&o, "frag_peak", "", "ratio", 1.7), 0);
        cr_assert_eq(outcome_add(&o, "frag", "mark:sparse", "ratio", 9), 0);
        cr_assert_eq(blowup_report(&request, 1, &o), 0);
        cr_expect_eq(value(&o, "blowup")->value, cases[i].measured);
        cr_expect_float_eq(value(&o, "blowup_bound")->value, i ? 1.875 : 1.8,
                           1e-12);
        cr_expect_gt(strlen(value(&o, "blowup_bound")->note), 40);
        cr_expect_str_eq(value(&o, "blowup_bound")->unit, "ratio");
        cr_expect_eq(o.n, 4);
        outcome_free(&o);
    }
}

/* Whose live bytes no trace knows. */
Test(adversaries, rows_of_programs_are_over_what_they_say_is_live)
{
    struct trace_request request = {
        .workload = "thread-churn:bytes=4k:stay=25", .threads = 3, .scale = 1};
    struct outcome o = {.status = STATUS_OK};

    cr_assert_eq(outcome_add(&o, "rss_peak", "", "bytes", 36864), 0);
    cr_assert_eq(blowup_report(&request, 3, &o), 0);
    cr_expect_eq(value(&o, "blowup")->value, 2);
    cr_expect_gt(value(&o, "blowup_bound")->value, 200);
    outcome_free(&o);
}

Test(adversaries, no_row_without_a_bound_or_without_anything_live)
{
    static const char *const names[] = {"churn", "random-free:freed=100",
                                        "sqlite", "comb"};

    for (size_t i = 0; i < 4; i++) {
        struct trace_request request = {.threads = 1, .scale = 1};
        struct outcome o = {.status = STATUS_OK};

        strcpy(request.workload, names[i]);
        if (i < 3)
            cr_assert_eq(outcome_add(&o, "frag_peak", "", "ratio", 1), 0);
        cr_assert_eq(blowup_report(&request, 1, &o), 0);
        cr_expect_eq(o.n, i < 3);
        outcome_free(&o);
    }
}
