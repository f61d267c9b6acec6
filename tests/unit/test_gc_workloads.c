/* test_gc_workloads.c - the workloads of collectors do what they say.
 *
 * Each is run over memory that counts, overwrites what is freed and refuses an
 * allocation on demand, and over a collector that holds it to the rules of
 * native.h (tiny_gc.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "forked.h"
#include "gc_probe.h"
#include "native.h"
#include "native_lanes.h"
#include "tiny_gc.h"
#include "workload.h"

extern const struct workload cache_server_workload;
extern const struct workload ephemerons_workload;
extern const struct workload finalizers_workload;
extern const struct workload gcbench_workload;
extern const struct workload gcold_workload;
extern const struct workload quads_workload;
extern const struct workload splay_workload;

static const struct program freeing[] = {
    {&gcbench_workload, "depth=6:array=100", 0.1},
    {&quads_workload, "depth=3:multiple=9", 1},
    {&splay_workload, "size=30:depth=2:modifications=5:runs=20", 1},
    {&gcold_workload, "size=1:height=7:ratio=50:mutations=40", 0.005},
    {&gcold_workload, "size=1:height=6:ratio=0.7:mutations=0:work=1", 0.003},
    {&cache_server_workload,
     "cache=20k:keys=100:sessions=10:session-requests=3:puts=20:deletes=10"
     ":scans=5:shared=30",
     0.001},
    {&cache_server_workload,
     "cache=4k:keys=9:sessions=1:headers=0:terms=0:shared=100", 0.001},
};
enum { FREEING = sizeof freeing / sizeof *freeing };

static const struct program collecting[] = {
    {&ephemerons_workload, "links=1000:order=chain", 0.2},
    {&ephemerons_workload, "links=1000:order=reverse:rounds=2", 1},
    {&ephemerons_workload, "links=1001:order=random:rounds=2", 1},
    {&finalizers_workload, "objects=500:rounds=3", 1},
};
enum { COLLECTING = sizeof collecting / sizeof *collecting };

/* ---- memory that is freed ---- */

Test(gc_workloads, all_is_freed_and_right)
{
    for (int i = 0; i < FREEING; i++)
        for (unsigned threads = 1; threads <= 3; threads++)
            for (uint64_t seed = 1; seed <= 5; seed++) {
                struct counted c = {0};
                struct played played =
                    native_lanes_play_counted(&freeing[i], &c, threads, seed);

                cr_assert_eq(played.err, 0, "%s: %d", freeing[i].workload->name,
                             played.err);
                cr_assert_eq(played.allocs, c.calls,
                             "every allocation is counted");
                cr_assert_gt(played.allocs, 1000);
                cr_assert_gt(played.bytes, 16 * played.allocs);
            }
}

Test(gc_workloads, a_seed_gives_the_same_allocations)
{
    for (int i = 0; i < FREEING; i++) {
        struct counted c[3] = {0};
        struct played one = native_lanes_play_counted(&freeing[i], &c[0], 1, 7);
        struct played again =
            native_lanes_play_counted(&freeing[i], &c[1], 1, 7);
        struct played other =
            native_lanes_play_counted(&freeing[i], &c[2], 1, 8);
        bool is_random = freeing[i].workload == &cache_server_workload;

        cr_assert_eq(one.allocs, again.allocs);
        cr_assert_eq(one.bytes, again.bytes);
        cr_assert_eq(one.bytes != other.bytes, is_random, "%s",
                     freeing[i].workload->name);
    }
}

Test(gc_workloads, units_of_work_are_told)
{
    static const uint64_t want[FREEING] = {0, 0, 100, 2, 1, 200, 200};

    for (int i = 0; i < FREEING; i++) {
        struct counted c = {0};

        cr_assert_eq(native_lanes_play_counted(&freeing[i], &c, 1, 1).units,
                     want[i], "%s", freeing[i].workload->name);
    }
}

/* For one allocation, or for all from there on. */
static void fail_at(const struct program *p, uint64_t at, uint64_t calls,
                    unsigned threads)
{
    struct counted c = {.fail_at = at, .fail_for = calls};
    int err = native_lanes_play_counted(p, &c, threads, 1).err;

    cr_assert_eq(err, ENOMEM, "%s:%s: %d when allocation %lu failed",
                 p->workload->name, p->knobs, err, (unsigned long)at);
}

Test(gc_workloads, no_memory_is_said_and_leaves_nothing)
{
    for (int i = 0; i < FREEING; i++) {
        struct counted c = {0};
        native_lanes_play_counted(&freeing[i], &c, 1, 1);
        uint64_t calls = c.calls;

        for (uint64_t at = 1; at <= calls; at += 1 + (at > 100 ? at / 25 : 0)) {
            fail_at(&freeing[i], at, 1, 1);
            fail_at(&freeing[i], at, UINT64_MAX, 1);
        }
        fail_at(&freeing[i], calls, 1, 1);
    }
}

Test(gc_workloads, no_memory_for_one_of_two_threads)
{
    for (int i = 0; i < FREEING; i++) {
        struct counted c = {0};
        native_lanes_play_counted(&freeing[i], &c, 1, 1);
        uint64_t calls = c.calls;

        for (uint64_t at = 1; at < calls; at += calls / 7)
            fail_at(&freeing[i], at, 1, 2);
    }
}

Test(gc_workloads, what_memory_cannot_do_is_said)
{
    for (int i = 0; i < COLLECTING; i++) {
        struct counted c = {0};

        cr_assert_eq(native_lanes_play_counted(&collecting[i], &c, 1, 1).err,
                     ENOTSUP);
    }
}

Test(gc_workloads, a_cache_that_asks_for_more_than_all_is_refused)
{
    struct knob_values values;
    char why[200];

    cr_assert_eq(workload_knobs(&cache_server_workload, "puts=60:scans=50",
                                &values, why, sizeof why),
                 EINVAL);
    cr_assert_str_eq(why, "cache-server: puts, deletes and scans are 113 % of "
                          "the requests (want at most 100)");
}

/* ---- memory that is collected ---- */

enum { RANGE = 16 << 20 };

/* What a run on the tiny collector came to; the heap is closed. */
static int play_collected(const struct program *p, uint64_t seed,
                          const struct tiny_gc_config *want,
                          struct tiny_gc_counts *counts)
{
    int base = 0;
    struct tiny_gc_config config = *want;
    struct native_memory memory;

    config.bytes = RANGE;
    config.stack_base = &base;
    struct tiny_gc *gc = tiny_gc_open(&config, &memory);
    cr_assert_not_null(gc);
    int err = native_lanes_play(p, &memory, 1, seed).err;
    native_scrub();
    tiny_gc_count(gc, counts);
    cr_assert_eq(counts->faults, 0, "%s:%s: %s", p->workload->name, p->knobs,
                 counts->fault);
    tiny_gc_close(gc);
    return err;
}

static void keep_the_rules(const struct program *p, uint64_t seed,
                           bool has_layouts)
{
    struct tiny_gc_config config = {.period = 211 + 100 * seed,
                                    .has_layouts = has_layouts};
    struct tiny_gc_counts counts;
    int err = play_collected(p, seed, &config, &counts);

    cr_assert_eq(err, 0, "%s:%s: %d", p->workload->name, p->knobs, err);
    cr_assert_gt(counts.collections, 2);
    cr_assert_lt(counts.live, 100, "%s:%s keeps %lu objects in the end",
                 p->workload->name, p->knobs, (unsigned long)counts.live);
}

Test(gc_workloads, a_collector_takes_only_what_is_dropped)
{
    for (int layouts = 0; layouts <= 1; layouts++)
        for (uint64_t seed = 1; seed <= 2; seed++) {
            for (int i = 0; i < FREEING; i++)
                keep_the_rules(&freeing[i], seed, layouts);
            for (int i = 0; i < COLLECTING; i++)
                keep_the_rules(&collecting[i], seed, layouts);
        }
}

static void fail_collected_at(const struct program *p, uint64_t at)
{
    struct tiny_gc_config config = {.period = 1009, .fail_at = at};
    struct tiny_gc_counts counts;
    int err = play_collected(p, 1, &config, &counts);

    cr_assert_eq(err, ENOMEM, "%s:%s: %d when allocation %lu failed",
                 p->workload->name, p->knobs, err, (unsigned long)at);
}

Test(gc_workloads, no_memory_of_a_collector_is_said)
{
    for (int i = 0; i < COLLECTING; i++)
        for (uint64_t at = 1; at<500; at += at> 9 ? 61 : 1)
            fail_collected_at(&collecting[i], at);
}

struct loss {
    struct program program;
    uint64_t at;  /* the number of the allocation at which an object is lost */
    unsigned nth; /* the how manieth oldest */
};

/* A run in which a live object is lost; says what came of it. */
static void lose_one(void *arg, int fd)
{
    const struct loss *loss = arg;
    struct tiny_gc_config config = {
        .period = 1000000, .lose_at = loss->at, .lose_nth = loss->nth};
    struct tiny_gc_counts counts;
    int err = play_collected(&loss->program, 1, &config, &counts);

    dprintf(fd, "%s", err == EBADMSG ? "noticed" : "not noticed");
}

/* In a process of its own: a program that meets it may also crash. */
Test(gc_workloads, a_lost_object_is_noticed)
{
    static const struct loss losses[] = {
        {{&gcbench_workload, "depth=6:array=100", 0.02}, 900, 2},
        {{&quads_workload, "depth=3:multiple=20", 1}, 900, 2},
        {{&splay_workload, "size=30:depth=2:modifications=5:runs=20", 1},
         2050,
         2},
        {{&gcold_workload, "size=1:height=7:ratio=1000000:mutations=0", 0.005},
         900,
         2},
        {{&cache_server_workload, "cache=20k:keys=100:sessions=10", 0.001},
         7000,
         3},
        {{&ephemerons_workload, "links=1000", 0.2}, 900, 2},
        {{&finalizers_workload, "objects=1000", 0.2}, 900, 2},
    };

    if (!GC_PROBE_IS_EXACT)
        cr_skip("a sanitizer keeps single objects: a dead one may be lost");
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        struct loss loss = losses[i];
        char said[100];

        run_forked(lose_one, &loss, said, sizeof said);
        cr_assert_str_eq(said, "noticed", "%s: %s", loss.program.workload->name,
                         said);
    }
}
