/* test_workloads.c - every workload's stream is sound, and is what the README
 * of the workloads says.
 *
 * A witness listens to the stream, refuses what is malformed, and counts.
 * Everything is seeded, so a bound that holds once holds always.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fleet_profiles.h"
#include "workload.h"

enum { MARKS = 16, THREADS = 64 };

enum thread_state { UNBORN, RUNNING, JOINED };

struct life {
    uint32_t size;
    uint16_t thread;
    bool is_alive;
};

struct witness {
    struct op_sink sink; /* first: the sink is the witness */
    struct life *object; /* [capacity] */
    uint64_t capacity, births;
    uint64_t kinds[OP_KINDS];
    uint64_t aligned, cross, grown, trimmed;
    uint64_t live, peak, live_blocks, blocks_at_shutdown;
    uint64_t births_of_row[FLEET_ROWS];
    char mark[MARKS][OP_NAME_MAX + 1];
    uint64_t live_at_mark[MARKS];
    unsigned marks;
    enum thread_state state[THREADS];
    uint64_t digest;  /* FNV-1a of all operations */
    uint64_t stop_at; /* refuse the operation of that number */
    uint64_t puts;
};

static void digest_add(struct witness *w, uint64_t value)
{
    for (int i = 0; i < 8; i++, value >>= 8)
        w->digest = (w->digest ^ (value & 0xff)) * UINT64_C(0x100000001b3);
}

static void witness_birth(struct witness *w, const struct op *op)
{
    cr_assert_eq(op->object, w->births, "births are numbered in order");
    cr_assert(op->size > 0 && op->size <= UINT32_MAX);
    if (w->births == w->capacity) {
        w->capacity = w->capacity ? 2 * w->capacity : 65536;
        w->object = realloc(w->object, w->capacity * sizeof *w->object);
        cr_assert_not_null(w->object);
    }
    w->object[w->births++] = (struct life){
        .size = (uint32_t)op->size, .thread = op->thread, .is_alive = true};
    w->aligned += op->align_log2 > 0;
    w->live += op->size;
    w->live_blocks++;
    unsigned row = 0;
    while (row < FLEET_ROWS - 1 && fleet_profiles[0][row].size < op->size)
        row++;
    w->births_of_row[row]++;
}

static void witness_object(struct witness *w, const struct op *op)
{
    cr_assert_lt(op->object, w->births);
    struct life *life = &w->object[op->object];

    cr_assert(life->is_alive, "operation %d on dead object %lu", op->kind,
              (unsigned long)op->object);
    if (op->kind == OP_FREE) {
        life->is_alive = false;
        w->live -= life->size;
        w->live_blocks--;
        w->cross += life->thread != op->thread;
        return;
    }
    cr_assert_eq(life->thread, op->thread, "only its thread uses a block");
    if (op->kind == OP_TOUCH) {
        cr_assert(op->size > 0 && op->size <= life->size);
        return;
    }
    w->grown += op->size > life->size;
    w->trimmed += op->size < life->size;
    w->live += op->size - life->size;
    life->size = (uint32_t)op->size;
}

static void witness_thread(struct witness *w, const struct op *op)
{
    cr_assert_lt(op->object, THREADS);
    enum thread_state *child = &w->state[op->object];

    cr_assert_eq(op->thread, 0, "thread 0 starts and awaits the others");
    cr_assert_eq(*child, op->kind == OP_SPAWN ? UNBORN : RUNNING);
    *child = op->kind == OP_SPAWN ? RUNNING : JOINED;
}

static void witness_mark(struct witness *w, const struct op *op)
{
    cr_assert_lt(w->marks, MARKS);
    cr_assert_leq(strlen(op->name), OP_NAME_MAX);
    cr_assert_eq(op->thread, 0);
    strcpy(w->mark[w->marks], op->name);
    w->live_at_mark[w->marks++] = w->live;
    if (strcmp(op->name, "shutdown") == 0)
        w->blocks_at_shutdown = w->live_blocks;
}

static int witness_put(struct op_sink *sink, const struct op *op)
{
    struct witness *w = (struct witness *)sink;

    if (w->stop_at && ++w->puts == w->stop_at)
        return ENOSPC;
    cr_assert_eq(w->state[op->thread], RUNNING, "thread %u", op->thread);
    digest_add(w, (uint64_t)op->kind << 32 | op->thread);
    digest_add(w, (uint64_t)op->align_log2);
    digest_add(w, op->object);
    digest_add(w, op->size);
    w->kinds[op->kind]++;
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        witness_birth(w, op);
        break;
    case OP_SPAWN:
    case OP_JOIN:
        witness_thread(w, op);
        break;
    case OP_MARK:
        witness_mark(w, op);
        break;
    case OP_TIME:
        break;
    default:
        witness_object(w, op);
    }
    w->peak = w->live > w->peak ? w->live : w->peak;
    return 0;
}

struct run {
    const char *workload, *knobs;
    uint64_t seed;
    unsigned threads;
    double scale;
};

/* Compose; the caller frees with witness_free. */
static int witness_try(struct witness *w, struct run run)
{
    const struct workload *workload = workload_find(run.workload);
    struct op_feed feed = {.sink = &w->sink};
    struct knob_values values;
    char why[160] = "";

    cr_assert_not_null(workload);
    cr_assert_eq(workload_knobs(workload, run.knobs, &values, why, sizeof why),
                 0, "%s", why);
    w->sink.put = witness_put;
    w->state[0] = RUNNING;
    w->digest = UINT64_C(0xcbf29ce484222325);
    return workload->compose(&values, run.seed, run.threads, run.scale, &feed);
}

static void witness_run(struct witness *w, struct run run)
{
    *w = (struct witness){.births = 0};
    cr_assert_eq(witness_try(w, run), 0);
    for (unsigned t = 1; t < run.threads; t++)
        cr_assert_eq(w->state[t], JOINED, "thread %u", t);
}

static void witness_free(struct witness *w)
{
    free(w->object);
}

static uint64_t live_at(const struct witness *w, const char *mark)
{
    for (unsigned i = 0; i < w->marks; i++)
        if (strcmp(w->mark[i], mark) == 0)
            return w->live_at_mark[i];
    cr_assert_fail("no mark %s", mark);
    return 0;
}

static double births_of(const struct witness *w)
{
    return (double)w->births;
}

/* All workloads. */

Test(workloads, all_are_found_by_their_name_only)
{
    for (size_t i = 0; workloads[i]; i++)
        cr_assert_eq(workload_find(workloads[i]->name), workloads[i]);
    cr_assert_null(workload_find("server"));
    cr_assert_null(workload_find(""));
}

enum { CROSS = 1 /* it has that knob */, SEEDED = 2 /* it is random */ };

static const struct {
    const char *workload, *small; /* knobs of a short run */
    unsigned flags;
    uint64_t ops; /* at least */
} small[] = {
    {"server-sim", "heap=4m:requests=3000", CROSS | SEEDED, 30000},
    {"server-sim", "profile=C:heap=4m:requests=2000:evict=random",
     CROSS | SEEDED, 30000},
    {"churn", "objects=3000:ops=40000", CROSS | SEEDED, 30000},
    {"churn", "objects=1:ops=100", CROSS, 100},
    {"random-free", "objects=15000:ops=5000", SEEDED, 30000},
    {"random-free", "objects=1:freed=100:ops=100", 0, 2},
    {"phase-change", "heap=1m:size=100:phases=5:ratio=1.3", SEEDED, 30000},
    {"phase-change", "heap=1:size=1:ratio=1", 0, 8},
    {"trees", "depth=8:node=40", 0, 30000},
    {"trees", "depth=4:array=1", 0, 500},
    {"handoff", "batch=10:limit=3:ops=40000", SEEDED, 30000},
    {"handoff", "batch=1:limit=1:ops=2", 0, 4},
    {"threadtest", "objects=3000:rounds=7", 0, 30000},
    {"threadtest", "objects=1:rounds=1", 0, 2},
    {"sh6bench", "calls=500:repeats=9", 0, 30000},
    {"sh6bench", "calls=1:repeats=1:max=2", 0, 500},
    {"sh8bench", "slots=3000:steps=48:handed=3000", 0, 30000},
    {"sh8bench", "slots=1:steps=1:handed=0", 0, 2000},
    {"linux-scalability", "pairs=20000", 0, 30000},
    {"linux-scalability", "pairs=1", 0, 2},
    {"glibc-simple", "allocations=1600", 0, 30000},
    {"glibc-simple", "allocations=1", 0, 8500},
    {"glibc-thread", "slots=100:ops=40000", SEEDED, 30000},
    {"glibc-thread", "slots=1:min=7:max=7:ops=4", 0, 4},
};

enum { SMALL = sizeof small / sizeof small[0] };

static unsigned min_threads(const char *workload)
{
    return workload_find(workload)->min_threads;
}

Test(workloads, streams_are_well_formed_and_free_everything)
{
    static const unsigned threads[] = {1, 2, 5};
    static const char *const cross[] = {"0", "7", "100"};

    for (int i = 0; i < SMALL; i++)
        for (int t = 0; t < 3; t++)
            for (int c = 0; c < (small[i].flags & CROSS ? 3 : 1); c++) {
                struct witness w;
                char knobs[128];
                if (threads[t] < min_threads(small[i].workload))
                    continue;
                snprintf(knobs, sizeof knobs, "%s%s%s", small[i].small,
                         small[i].flags & CROSS ? ":cross=" : "",
                         small[i].flags & CROSS ? cross[c] : "");
                witness_run(&w, (struct run){small[i].workload, knobs, 7,
                                             threads[t], 1});
                cr_assert_gt(w.births, 0);
                cr_assert_eq(w.live_blocks, 0);
                cr_assert_eq(w.live, 0);
                witness_free(&w);
            }
}

Test(workloads, same_arguments_same_operations)
{
    for (int i = 0; i < SMALL; i++) {
        struct run run = {small[i].workload, small[i].small, 1, 3, 1};
        struct witness a, b, other;
        witness_run(&a, run);
        witness_run(&b, run);
        run.seed = 2;
        witness_run(&other, run);
        cr_assert_eq(a.digest, b.digest);
        if (small[i].flags & SEEDED)
            cr_assert_neq(a.digest, other.digest);
        witness_free(&a);
        witness_free(&b);
        witness_free(&other);
    }
}

/* A stream may change only together with the version of its workload; and it
 * must not depend on compiler or machine. */
Test(workloads, streams_are_those_of_their_version)
{
    static const struct {
        const char *workload, *knobs;
        unsigned version;
        uint64_t digest;
    } golden[] = {
        {"server-sim", "heap=4m:requests=3000", 1,
         UINT64_C(0x5b2b37e50c71fbd5)},
        {"server-sim", "profile=C:heap=4m:requests=2000:evict=random", 1,
         UINT64_C(0xadab9dcc8b02c8be)},
        {"churn", "objects=3000:ops=40000:cross=5", 1,
         UINT64_C(0x7de7573702e623f7)},
        {"churn", "objects=3000:ops=40000:sizes=exponential", 1,
         UINT64_C(0xf9ea838635da5e48)},
        {"churn", "objects=3000:ops=40000:sizes=log-uniform", 1,
         UINT64_C(0x031a5acfccce79d8)},
        {"random-free", "objects=15000:ops=5000", 1,
         UINT64_C(0x7d204d92f70e730f)},
        {"phase-change", "heap=1m:size=100:phases=5:ratio=1.3", 1,
         UINT64_C(0xd812f196eaea37ad)},
        {"trees", "depth=8:node=40", 1, UINT64_C(0x781526dad473d7c4)},
        {"handoff", "batch=10:limit=3:ops=40000", 1,
         UINT64_C(0x61b43ae9273c15e6)},
        {"threadtest", "objects=3000:rounds=7", 1,
         UINT64_C(0x89945c814b00f496)},
        {"sh6bench", "calls=500:repeats=9", 1, UINT64_C(0x4690a700460c9642)},
        {"sh8bench", "slots=3000:steps=48:handed=3000", 1,
         UINT64_C(0x7123511bdb050d9e)},
        {"linux-scalability", "pairs=20000", 1, UINT64_C(0x3a848469e7ef8096)},
        {"glibc-simple", "allocations=1600", 1, UINT64_C(0x3a5372a0da24bd46)},
        {"glibc-thread", "slots=100:ops=40000", 1,
         UINT64_C(0x549617a7e34f7690)},
    };

    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        struct witness w;
        cr_assert_eq(workload_find(golden[i].workload)->version,
                     golden[i].version);
        witness_run(
            &w, (struct run){golden[i].workload, golden[i].knobs, 4141, 2, 1});
        cr_expect_eq(w.digest, golden[i].digest, "%s:%s is 0x%016lx",
                     golden[i].workload, golden[i].knobs,
                     (unsigned long)w.digest);
        witness_free(&w);
    }
}

Test(workloads, the_sinks_error_is_returned)
{
    for (int i = 0; i < SMALL; i++) {
        static const uint64_t stops[] = {1, 2, 1000, 30000};
        for (int s = 0; s < 4 && stops[s] <= small[i].ops; s++) {
            struct witness w = {.stop_at = stops[s]};
            cr_assert_eq(witness_try(&w, (struct run){small[i].workload,
                                                      small[i].small, 1, 2, 1}),
                         ENOSPC);
            cr_assert_eq(w.puts, stops[s], "it went on after the error");
            witness_free(&w);
        }
    }
}

/* server-sim. */

/* The shares of a profile's rows that server-sim can draw at that heap. */
static void profile_shares(unsigned profile, double heap,
                           double share[FLEET_ROWS])
{
    double sum = 0;

    for (int i = 0; i < FLEET_ROWS; i++) {
        const struct fleet_row *row = &fleet_profiles[profile][i];
        share[i] = (double)row->size <= heap / 16 ? row->share : 0;
        sum += share[i];
    }
    for (int i = 0; i < FLEET_ROWS; i++)
        share[i] /= sum;
}

/* Kolmogorov-Smirnov's distance over the rows (0 .. 1), and the total
 * variation: half of all differences.  Not bounded by chance (a tenth of
 * that) but by the rows that load more objects than their share of births. */
static const struct {
    const char *profile;
    unsigned number;
    double ks, variation;
} fits[] = {{"A", 0, 0.01, 0.02}, {"B", 1, 0.01, 0.02}, {"C", 2, 0.02, 0.05}};

Test(workloads, server_sim_allocates_the_sizes_of_its_profile)
{
    for (int p = 0; p < 3; p++) {
        struct witness w;
        double share[FLEET_ROWS], have = 0, want = 0, ks = 0, variation = 0;
        char knobs[64];
        snprintf(knobs, sizeof knobs, "profile=%s:heap=16m:requests=20000",
                 fits[p].profile);
        witness_run(&w, (struct run){"server-sim", knobs, 1, 2, 1});
        profile_shares(fits[p].number, 0x1p24, share);
        for (int i = 0; i < FLEET_ROWS; i++) {
            double part = (double)w.births_of_row[i] / births_of(&w);
            have += part;
            want += share[i];
            ks = fmax(ks, fabs(have - want));
            variation += fabs(part - share[i]) / 2;
        }
        cr_expect_lt(ks, fits[p].ks, "%s: KS %g", fits[p].profile, ks);
        cr_expect_lt(variation, fits[p].variation, "%s: variation %g",
                     fits[p].profile, variation);
        witness_free(&w);
    }
}

static int by_count_down(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x < y) - (x > y);
}

/* As recorded programs: top-2 17-100 %, top-10 40-100 % of allocations. */
Test(workloads, server_sim_has_favourite_sizes)
{
    enum { LARGEST = 1 << 20 };
    uint32_t *count = calloc(LARGEST + 1, sizeof *count);
    struct witness w;
    double top = 0;

    cr_assert_not_null(count);
    witness_run(&w, (struct run){"server-sim",
                                 "heap=16m:requests=20000:buffers=0", 1, 1, 1});
    for (uint64_t i = 0; i < w.births; i++)
        count[w.object[i].size]++;
    qsort(count, LARGEST + 1, sizeof *count, by_count_down);
    cr_assert_float_eq((count[0] + count[1]) / births_of(&w), 0.175, 0.02);
    for (int i = 0; i < 10; i++)
        top += count[i];
    cr_assert_float_eq(top / births_of(&w), 0.55, 0.03);
    witness_free(&w);
    free(count);
}

static void assert_level(const struct witness *w, const char *mark, double heap,
                         double level, double tolerance)
{
    double live = (double)live_at(w, mark) / heap;

    cr_expect_float_eq(live, level, tolerance, "at %s: %g of the heap, not %g",
                       mark, live, level);
}

/* A mark stands where a phase begins, so where the one before it ends.  The
 * largest block is a sixteenth of the heap: C, most of whose bytes are in
 * such blocks, may be off by that much. */
Test(workloads, server_sim_ramps_peaks_and_drains)
{
    static const struct {
        const char *knobs;
        unsigned threads;
        double scale, tolerance;
    } runs[] = {
        {"heap=16m:requests=20000", 1, 1, 0.02},
        {"heap=16m:requests=20000", 4, 1, 0.02},
        {"heap=16m:requests=20000", 2, 0.01, 0.02},
        {"profile=B:heap=32m:requests=20000", 2, 1, 0.04},
        {"profile=C:heap=32m:requests=20000", 2, 1, 0.08},
    };

    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        struct witness w;
        double heap = i < 3 ? 0x1p24 : 0x1p25, off = runs[i].tolerance;
        witness_run(&w, (struct run){"server-sim", runs[i].knobs, 3,
                                     runs[i].threads, runs[i].scale});
        assert_level(&w, "warm-up", heap, 0, 0);
        assert_level(&w, "steady", heap, 0.70, off);
        assert_level(&w, "peak", heap, 0.70, off);
        assert_level(&w, "drain", heap, 1.00, off);
        assert_level(&w, "second-peak", heap, 0.25, off);
        assert_level(&w, "idle", heap, 0.95, off);
        assert_level(&w, "shutdown", heap, 0.30, off);
        cr_expect_float_eq((double)w.peak / heap, 1, off + 0.02,
                           "peak %g of the heap", (double)w.peak / heap);
        witness_free(&w);
    }
}

Test(workloads, server_sim_frees_the_asked_share_in_other_threads)
{
    static const double asked[] = {0, 1, 2, 7, 42, 75, 100};
    static const unsigned threads[] = {2, 4};

    for (int a = 0; a < 7; a++)
        for (int t = 0; t < 2; t++) {
            struct witness w;
            char knobs[64];
            snprintf(knobs, sizeof knobs, "heap=8m:requests=10000:cross=%g",
                     asked[a]);
            witness_run(&w,
                        (struct run){"server-sim", knobs, 5, threads[t], 1});
            double share = 100.0 * (double)w.cross / (double)w.kinds[OP_FREE];
            cr_expect_float_eq(share, asked[a], 0.1 * asked[a] + 1e-9,
                               "%g %% of frees cross, not %g", share, asked[a]);
            witness_free(&w);
        }
}

Test(workloads, server_sim_alone_crosses_nothing)
{
    struct witness w;

    witness_run(&w, (struct run){"server-sim", "heap=4m:requests=2000:cross=50",
                                 1, 1, 1});
    cr_assert_eq(w.cross, 0);
    cr_assert_eq(w.kinds[OP_SPAWN], 0);
    witness_free(&w);
}

Test(workloads, server_sim_leaves_the_asked_share_of_live_blocks)
{
    static const double asked[] = {0, 1, 10, 100};

    for (int i = 0; i < 4; i++) {
        struct witness w;
        char knobs[64];
        snprintf(knobs, sizeof knobs, "heap=8m:requests=3000:leave=%g",
                 asked[i]);
        witness_run(&w, (struct run){"server-sim", knobs, 1, 3, 1});
        cr_assert_gt(w.blocks_at_shutdown, 1000);
        cr_expect_float_eq(100.0 * (double)w.live_blocks /
                               (double)w.blocks_at_shutdown,
                           asked[i], 0.05);
        witness_free(&w);
    }
}

Test(workloads, server_sim_zeroes_aligns_grows_and_touches_as_asked)
{
    struct witness w;

    witness_run(&w, (struct run){"server-sim",
                                 "heap=8m:requests=10000:zeroed=20:aligned=3",
                                 1, 1, 1});
    cr_expect_float_eq((double)w.kinds[OP_ZALLOC] / births_of(&w), 0.2, 0.005);
    cr_expect_float_eq((double)w.aligned / births_of(&w), 0.03, 0.003);
    cr_expect_gt(w.grown, 3000, "3 of 10 requests have a buffer");
    cr_expect_gt(w.trimmed, 1500);
    cr_expect_gt(w.kinds[OP_TOUCH], 5000);
    witness_free(&w);
    witness_run(&w, (struct run){"server-sim",
                                 "heap=8m:requests=1000:zeroed=0:aligned=0:"
                                 "buffers=0:touch=0",
                                 1, 1, 1});
    cr_expect_eq(w.kinds[OP_ZALLOC] + w.aligned + w.kinds[OP_RESIZE] +
                     w.kinds[OP_TOUCH],
                 0);
    witness_free(&w);
}

Test(workloads, server_sim_scales_requests_not_the_heap)
{
    struct witness one, two;

    witness_run(&one,
                (struct run){"server-sim", "heap=8m:requests=10000", 1, 1, 1});
    witness_run(&two,
                (struct run){"server-sim", "heap=8m:requests=10000", 1, 1, 2});
    /* The touches come with the requests, the loads with the heap. */
    cr_expect_float_eq(
        (double)two.kinds[OP_TOUCH] / (double)one.kinds[OP_TOUCH], 2, 0.1);
    cr_expect_float_eq((double)two.peak / (double)one.peak, 1, 0.02);
    witness_free(&one);
    witness_free(&two);
}

Test(workloads, server_sim_has_the_announced_length)
{
    struct witness w;
    uint64_t ops = 0;

    witness_run(&w, (struct run){"server-sim", "", 1, 2, 1});
    for (int i = 0; i < OP_KINDS; i++)
        ops += w.kinds[i];
    cr_expect(ops > 5500000 && ops < 7500000, "%lu operations",
              (unsigned long)ops);
    cr_expect_geq(w.peak, 64u << 20);
    witness_free(&w);
}

/* Any single knob at either end of its range, in a small server. */
Test(workloads, server_sim_bears_its_extremes)
{
    static const char *const extremes[] = {
        "spread=0",        "spread=100",   "objects=1",
        "objects=1000",    "steps=1",      "steps=100",
        "inflight=1",      "inflight=256", "temporary=0",
        "temporary=100",   "lifo=0",       "lifo=100",
        "buffers=100",     "grows=64",     "growth=double",
        "growth=half",     "buffer-max=1", "buffer-max=1g",
        "zeroed=99",       "lookups=0",    "lookups=10.5",
        "zipf=0",          "zipf=3",       "keys=1.5",
        "keys=100",        "entry=1",      "sessions=0",
        "sessions=100",    "steady=1",     "session-objects=16",
        "drain=100",       "second=0",     "session-requests=1",
        "idle=0",          "idle=100",     "peak-load=0.01",
        "peak-load=10",    "warm-time=0",  "quiet-load=10",
        "quiet-load=0.01", "cross=100",    "requests=1",
    };

    for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
        struct witness w;
        char knobs[96];
        snprintf(knobs, sizeof knobs, "heap=1m:%s%s", extremes[i],
                 strncmp(extremes[i], "requests", 8) ? ":requests=300" : "");
        witness_run(&w, (struct run){"server-sim", knobs, 1, 3, 1});
        cr_expect_eq(w.live_blocks, 0, "%s", knobs);
        witness_free(&w);
    }
}

static const struct {
    const char *workload, *knobs, *why;
} conflicts[] = {
    {"server-sim", "zeroed=60:aligned=50",
     "server-sim: zeroed + aligned = 110 (want 0..100 %)"},
    {"server-sim",
     "warm-time=0:steady-time=0:peak-time=0:drain-time=0:second-time=0:"
     "idle-time=0",
     "server-sim: warm-time .. idle-time = 0 (want one above 0)"},
    {"churn", "min=100:max=50",
     "churn: min = 100 (want at most max, 50 "
     "bytes)"},
    {"churn", "sizes=power-of-two:min=17:max=31",
     "churn: min..max = 17..31 (want a power of two in it)"},
    {"random-free", "min=300",
     "random-free: min = 300 (want at most max, 256 bytes)"},
    {"phase-change", "heap=1m:phases=3:size=512k:ratio=2",
     "phase-change: blocks of the last phase = 2097152 bytes (want at most "
     "heap, 1048576)"},
    {"glibc-thread", "min=9:max=8",
     "glibc-thread: min = 9 (want at most max, 8 bytes)"},
    {"larson", "max=7", "larson: min = 8 (want at most max, 7 bytes)"},
};

Test(workloads, knobs_that_do_not_go_together_are_refused)
{
    for (size_t i = 0; i < sizeof conflicts / sizeof conflicts[0]; i++) {
        struct knob_values values;
        char why[160] = "";
        cr_expect_eq(workload_knobs(workload_find(conflicts[i].workload),
                                    conflicts[i].knobs, &values, why,
                                    sizeof why),
                     EINVAL);
        cr_expect_str_eq(why, conflicts[i].why);
    }
}

/* churn. */

Test(workloads, churn_keeps_its_number_of_blocks)
{
    static const unsigned threads[] = {1, 3};

    for (int t = 0; t < 2; t++) {
        struct witness w;
        witness_run(&w, (struct run){"churn",
                                     "objects=10000:min=100:max=100:ops=50000",
                                     1, threads[t], 2});
        cr_expect_eq(live_at(&w, "churn"), 1000000);
        cr_expect_eq(live_at(&w, "drain"), 1000000);
        cr_expect_eq(w.births, 10000 + 50000, "ops / 2 * scale replacements");
        cr_expect_eq(w.peak, 1000000);
        witness_free(&w);
    }
}

Test(workloads, churn_crosses_the_asked_share)
{
    struct witness w;

    witness_run(
        &w, (struct run){"churn", "objects=5000:ops=100000:cross=30", 1, 3, 1});
    cr_expect_float_eq((double)w.cross / (double)w.kinds[OP_FREE], 0.3, 0.015);
    witness_free(&w);
}

Test(workloads, churn_draws_sizes_as_asked)
{
    static const struct {
        const char *sizes;
        double mean; /* bytes: of min=16, max=4096 */
    } cases[] = {
        {"uniform", 2056},
        /* 16 + m - d / (e^(d/m) - 1), less half a byte of rounding, with
         * d = 4080, m = d / 4 */
        {"exponential", 959.4},
        {"power-of-two", 8176.0 / 9},
        /* (max + 1 - min) / ln((max + 1) / min), less half a byte */
        {"log-uniform", 735.4},
    };

    for (int i = 0; i < 4; i++) {
        struct witness w;
        double sum = 0;
        char knobs[96];
        snprintf(knobs, sizeof knobs,
                 "objects=100:ops=100000:min=16:max=4096:sizes=%s",
                 cases[i].sizes);
        witness_run(&w, (struct run){"churn", knobs, 1, 1, 1});
        for (uint64_t k = 0; k < w.births; k++) {
            uint32_t size = w.object[k].size;
            cr_assert(size >= 16 && size <= 4096);
            if (i == 2)
                cr_assert_eq(size & (size - 1), 0);
            sum += size;
        }
        cr_expect_float_eq(sum / births_of(&w), cases[i].mean,
                           0.02 * cases[i].mean, "%s: mean %g", cases[i].sizes,
                           sum / births_of(&w));
        witness_free(&w);
    }
}

/* The others. */

Test(workloads, random_free_leaves_the_asked_share_at_random)
{
    static const unsigned threads[] = {1, 3};

    for (int t = 0; t < 2; t++) {
        struct witness w;
        witness_run(&w, (struct run){"random-free",
                                     "objects=40000:min=50:max=50:freed=80:"
                                     "ops=20000",
                                     1, threads[t], 0.5});
        cr_expect_eq(live_at(&w, "fill"), 0);
        cr_expect_eq(live_at(&w, "free"), 20000 * 50);
        cr_expect_eq(live_at(&w, "sparse"), 4000 * 50);
        cr_expect_eq(live_at(&w, "drain"), 4000 * 50);
        cr_expect_eq(w.births, 20000 + 5000, "ops / 2 * scale replacements");
        cr_expect_eq(w.cross, 0);
        witness_free(&w);
    }
}

/* The frees' order and choice: of the blocks that stay, as many come from
 * each tenth of the births. */
Test(workloads, random_free_spares_old_and_young_alike)
{
    enum { OBJECTS = 50000, STAY = 5000 };
    struct witness w;
    unsigned of_tenth[10] = {0};

    /* The first operation after the frees is a replacement's free: stop
     * there, and see who is alive. */
    w = (struct witness){.stop_at = 1 + OBJECTS + 1 + (OBJECTS - STAY) + 1 + 1};
    cr_assert_eq(
        witness_try(
            &w, (struct run){"random-free", "objects=50000:ops=1000", 1, 1, 1}),
        ENOSPC);
    cr_assert_eq(w.live_blocks, STAY);
    for (uint64_t i = 0; i < OBJECTS; i++)
        of_tenth[i / (OBJECTS / 10)] += w.object[i].is_alive;
    for (int i = 0; i < 10; i++) /* of 500: 5 standard deviations */
        cr_expect(of_tenth[i] > 400 && of_tenth[i] < 600, "tenth %d: %u", i,
                  of_tenth[i]);
    witness_free(&w);
}

Test(workloads, phase_change_fills_the_heap_with_larger_and_larger_blocks)
{
    static const unsigned threads[] = {1, 4};

    for (int t = 0; t < 2; t++) {
        struct witness w;
        uint64_t of_size[401] = {0};
        witness_run(&w, (struct run){"phase-change",
                                     "heap=8m:size=100:ratio=2:phases=3:"
                                     "freed=75",
                                     1, threads[t], 0.5});
        for (uint64_t i = 0; i < w.births; i++)
            of_size[w.object[i].size]++;
        cr_expect_eq(of_size[100] + of_size[200] + of_size[400], w.births);
        cr_expect_float_eq((double)of_size[100] * 100 / 0x1p22, 1, 0.001);
        cr_expect_float_eq((double)of_size[200] * 200 / 0x1p22, 0.75, 0.01);
        cr_expect_float_eq((double)of_size[400] * 400 / 0x1p22, 0.75, 0.01);
        assert_level(&w, "full-1", 0x1p22, 1, 0.001);
        assert_level(&w, "sparse-1", 0x1p22, 0.25, 0.01);
        assert_level(&w, "full-2", 0x1p22, 1, 0.001);
        assert_level(&w, "full-3", 0x1p22, 1, 0.001);
        assert_level(&w, "sparse-3", 0x1p22, 0.25, 0.02);
        witness_free(&w);
    }
}

Test(workloads, trees_builds_as_many_nodes_as_gcbench)
{
    static const unsigned threads[] = {1, 2};

    for (int t = 0; t < 2; t++) {
        struct witness w;
        uint64_t stretch = 4095, long_lived = 1023, nodes = 0;
        witness_run(
            &w, (struct run){"trees", "depth=9:array=1000", 1, threads[t], 1});
        for (unsigned depth = 4; depth <= 9; depth += 2) {
            uint64_t tree = (2u << depth) - 1;
            nodes += 2 * (2 * stretch / tree / threads[t] * threads[t]) * tree;
        }
        cr_expect_eq(w.births, stretch + long_lived + 1 + nodes);
        cr_expect_eq(live_at(&w, "long-lived"), 0);
        cr_expect_eq(live_at(&w, "depth-4"), long_lived * 24 + 1000);
        cr_expect_eq(live_at(&w, "depth-8"), long_lived * 24 + 1000);
        cr_expect_eq(live_at(&w, "drop"), long_lived * 24 + 1000);
        cr_expect_eq(w.peak, stretch * 24);
        cr_expect_eq(w.cross, 0);
        witness_free(&w);
    }
}

Test(workloads, handoff_crosses_every_block_and_bounds_what_waits)
{
    static const unsigned threads[] = {2, 3, 8};

    for (int t = 0; t < 3; t++) {
        struct witness w;
        witness_run(&w, (struct run){"handoff",
                                     "size=100:batch=50:limit=6:ops=100000", 1,
                                     threads[t], 1});
        /* Waiting, and half made or half freed, one a thread. */
        uint64_t batches = 6 + threads[t];
        uint64_t arrays = w.births - 50000;
        cr_expect(arrays >= 1000 && arrays <= 1000 + threads[t],
                  "%lu arrays of 50 blocks", (unsigned long)arrays);
        cr_expect_eq(w.cross, w.births);
        cr_expect_eq(w.cross, w.kinds[OP_FREE]);
        cr_expect_leq(w.peak, batches * (50 * 100 + 50 * sizeof(void *)));
        cr_expect_geq(w.peak, 6 * (50 * 100 + 50 * sizeof(void *)),
                      "the stack is full at times");
        witness_free(&w);
    }
}

Test(workloads, threadtest_allocates_all_then_frees_all_in_order)
{
    static const unsigned threads[] = {1, 3};

    for (int t = 0; t < 2; t++) {
        struct witness w;
        witness_run(&w, (struct run){"threadtest", "objects=3000:rounds=40", 1,
                                     threads[t], 0.25});
        cr_expect_eq(w.births, 3000 * 10);
        cr_expect_eq(w.peak, 3000 * 8);
        cr_expect_eq(w.cross, 0);
        witness_free(&w);
    }
}
