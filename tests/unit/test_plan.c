/* test_plan.c - every arm once a block, and nothing lost on the way to disk.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "plan.h"
#include "scratch.h"

enum { WHY = 1200 };

static struct scratch scratch;
static struct spec spec;
static char path[600], why[WHY];

static void open_scratch(void)
{
    scratch_open(&scratch);
    scratch_path(&scratch, "p", path, sizeof path);
    spec_init(&spec);
}

static void close_scratch(void)
{
    scratch_close(&scratch);
}

TestSuite(plan, .init = open_scratch, .fini = close_scratch);

static void set(const char *key, const char *value)
{
    cr_assert_eq(spec_set(&spec, key, value, why, WHY), 0, "%s", why);
}

static struct plan expanded(void)
{
    struct plan plan;

    cr_assert_eq(plan_expand(&spec, &plan, why, WHY), 0, "%s", why);
    return plan;
}

/* ---- expansion ---- */

static void set_small_spec(void)
{
    set("workload", "churn,server-sim");
    set("allocators", "null,system,arena");
    set("threads", "1,2");
    set("meters", "time,memory,leak,check");
    set("runs", "4");
    set("memory-runs", "2");
    set("seed", "42");
    set("scale", "0.25");
    set("touch", "line");
    set("window", "600");
    set("timeout", "5");
}

static size_t count_arm(const struct plan *plan, uint32_t block,
                        const char *workload, unsigned threads,
                        const char *allocator, const char *meter)
{
    size_t n = 0;

    for (size_t i = 0; i < plan->n; i++) {
        const struct plan_run *r = &plan->runs[i];

        n += r->block == block && r->trace.threads == threads &&
             !strcmp(r->trace.workload, workload) &&
             !strcmp(r->allocator, allocator) && !strcmp(r->meter, meter);
    }
    return n;
}

static uint32_t blocks_of(const char *meter)
{
    if (!strcmp(meter, "time") || !strcmp(meter, "latency"))
        return spec.runs;
    if (strcmp(meter, "memory") != 0)
        return 1;
    return spec.memory_runs < spec.runs ? spec.memory_runs : spec.runs;
}

/* Returns how many arms the block has. */
static size_t check_block(const struct plan *plan, uint32_t block)
{
    size_t arms = 0;

    for (unsigned m = 0; m < spec.meters.n; m++)
        for (unsigned w = 0; w < spec.workloads.n; w++)
            for (unsigned t = 0; t < spec.nthreads; t++)
                for (unsigned a = 0; a < spec.allocators.n; a++) {
                    const char *meter = spec.meters.item[m];
                    size_t due = block <= blocks_of(meter);

                    cr_assert_eq(count_arm(plan, block, spec.workloads.item[w],
                                           spec.threads[t],
                                           spec.allocators.item[a], meter),
                                 due, "block %u, %s", block, meter);
                    arms += due;
                }
    return arms;
}

static void check_order(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        cr_assert_eq(plan->runs[i].run, i + 1);
        if (i)
            cr_assert_geq(plan->runs[i].block, plan->runs[i - 1].block);
    }
}

Test(plan, every_block_holds_every_arm_once)
{
    set_small_spec();
    struct plan plan = expanded();
    size_t arms = 0;

    for (uint32_t block = 1; block <= 4; block++)
        arms += check_block(&plan, block);
    cr_assert_eq(plan.n, arms);
    cr_assert_eq(plan.n, 12 * (4 + 2 + 1 + 1));
    check_order(&plan);
    plan_free(&plan);
}

Test(plan, the_memory_meter_has_no_more_blocks_than_the_time_meter)
{
    set_small_spec();
    set("runs", "2");
    set("memory-runs", "5");
    struct plan plan = expanded();

    cr_assert_eq(plan.n, 12 * (2 + 2 + 1 + 1));
    cr_assert_eq(plan.runs[plan.n - 1].block, 2);
    check_block(&plan, 2);
    check_order(&plan);
    plan_free(&plan);
}

Test(plan, runs_carry_the_figures_of_the_spec)
{
    set_small_spec();
    struct plan plan = expanded();

    for (size_t i = 0; i < plan.n; i++) {
        cr_assert_eq(plan.runs[i].trace.seed, 42);
        cr_assert_eq(plan.runs[i].trace.scale, 0.25);
        cr_assert_eq(plan.runs[i].touch, TOUCH_LINE);
        cr_assert_eq(plan.runs[i].window, 600);
        cr_assert_eq(plan.runs[i].timeout_s, 5);
    }
    plan_free(&plan);
}

Test(plan, the_same_seed_gives_the_same_order_and_another_another)
{
    set_small_spec();
    struct plan first = expanded(), again = expanded();

    cr_assert(plan_equal(&first, &again));
    set("seed", "43");
    struct plan other = expanded();
    size_t moved = 0;
    cr_assert_eq(other.n, first.n);
    for (size_t i = 0; i < first.n; i++)
        moved += strcmp(first.runs[i].allocator, other.runs[i].allocator) != 0;
    cr_assert_gt(moved, first.n / 4);
    for (uint32_t block = 1; block <= 4; block++)
        check_block(&other, block);
    plan_free(&first);
    plan_free(&again);
    plan_free(&other);
}

/* 6 arms, 600 blocks: each stands first 100 times, give or take 5 sigma. */
Test(plan, every_arm_may_come_first_in_a_block)
{
    set("workload", "churn");
    set("allocators", "a,b,c,d,e,f");
    set("meters", "time");
    set("runs", "600");
    struct plan plan = expanded();
    unsigned first[6] = {0};

    cr_assert_eq(plan.n, 3600);
    for (size_t i = 0; i < plan.n; i += 6)
        first[plan.runs[i].allocator[0] - 'a']++;
    for (size_t i = 0; i < 6; i++)
        cr_assert(first[i] > 54 && first[i] < 146, "%u", first[i]);
    plan_free(&plan);
}

static void make_archive(const char *at)
{
    struct archive_writer *writer;

    cr_assert_eq(archive_create(at, "program: a test\n", 1, &writer), 0);
    struct op_feed feed = {.sink = archive_sink(writer)};
    feed_alloc(&feed, 0, 8);
    cr_assert_eq(feed.err, 0);
    cr_assert_eq(archive_commit(writer), 0);
}

Test(plan, a_recorded_trace_has_its_own_threads_and_length)
{
    char at[600];

    set_small_spec();
    make_archive(scratch_path(&scratch, "t.hyt", at, sizeof at));
    cr_assert_lt(strlen(at), SPEC_NAME_MAX);
    set("workload", at);
    struct plan plan = expanded();
    cr_assert_eq(plan.n, 3 * (4 + 2 + 1 + 1)); /* not once a thread count */
    for (size_t i = 0; i < plan.n; i++) {
        cr_assert_eq(plan.runs[i].trace.threads, 0);
        cr_assert_eq(plan.runs[i].trace.scale, 1.0);
        cr_assert_str_eq(plan.runs[i].trace.workload, at);
    }
    plan_free(&plan);
}

static void refuse(const char *workload, int err, const char *reason)
{
    struct plan plan;

    set("workload", workload);
    cr_assert_eq(plan_expand(&spec, &plan, why, WHY), err, "%s", why);
    cr_assert_neq(strstr(why, reason), NULL, "%s", why);
    cr_assert_eq(plan.n, 0);
}

Test(plan, what_cannot_be_made_is_refused_before_anything_runs)
{
    refuse("churn,nope", ENOENT,
           "no workload or recorded trace is called \"nope\" "
           "(see: heapyard list)");
    refuse("./nope.hyt", ENOENT, "./nope.hyt: No such file or directory");
    refuse("churn:nope=1", EINVAL, "nope");
    scratch_write(&scratch, "bad.hyt", "x", 1);
    char at[600];
    refuse(scratch_path(&scratch, "bad.hyt", at, sizeof at), EBADMSG, at);
}

/* ---- the file ---- */

static const struct plan_run extremes[] = {
    {.run = 1,
     .block = 1,
     .trace = {"w", 0, 0, 1e-4},
     .allocator = "a",
     .meter = "time",
     .touch = TOUCH_NONE,
     .window = 0,
     .timeout_s = 1},
    {.run = 2,
     .block = UINT32_MAX,
     .trace = {"server-sim:profile=B:x=1", OP_MAX_THREADS, UINT64_MAX, 1e4},
     .allocator = "/a b/lib\xc3\xa4.so",
     .meter = "latency",
     .touch = TOUCH_FULL,
     .window = UINT32_MAX,
     .timeout_s = 86400},
    {.run = 3,
     .block = 7,
     .trace = {"x", 3, 12345678901234567, 1.0 / 3},
     .allocator = "y",
     .meter = "memory",
     .touch = TOUCH_LINE,
     .window = 512,
     .timeout_s = 60},
};

static void write_plan(const struct plan *plan)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    cr_assert_eq(plan_write(plan, file), 0);
    fclose(file);
}

static void check_same(const struct plan_run *a, const struct plan_run *b)
{
    cr_assert_eq(a->run, b->run);
    cr_assert_eq(a->block, b->block);
    cr_assert_str_eq(a->trace.workload, b->trace.workload);
    cr_assert_eq(a->trace.threads, b->trace.threads);
    cr_assert_eq(a->trace.seed, b->trace.seed);
    cr_assert_eq(a->trace.scale, b->trace.scale);
    cr_assert_str_eq(a->allocator, b->allocator);
    cr_assert_str_eq(a->meter, b->meter);
    cr_assert_eq(a->touch, b->touch);
    cr_assert_eq(a->window, b->window);
    cr_assert_eq(a->timeout_s, b->timeout_s);
}

static void check_round_trip(const struct plan *plan)
{
    struct plan back;

    write_plan(plan);
    cr_assert_eq(plan_read(path, &back, why, WHY), 0, "%s", why);
    cr_assert_eq(back.n, plan->n);
    for (size_t i = 0; i < plan->n; i++)
        check_same(&back.runs[i], &plan->runs[i]);
    cr_assert(plan_equal(&back, plan));
    plan_free(&back);
}

Test(plan, what_was_written_is_what_is_read)
{
    struct plan plan = {(struct plan_run *)extremes, 3};

    check_round_trip(&plan);
    set_small_spec();
    plan = expanded();
    check_round_trip(&plan);
    plan_free(&plan);
}

Test(plan, a_text_at_its_longest_survives)
{
    struct plan_run run = extremes[0];
    struct plan plan = {&run, 1};

    memset(run.allocator, 'a', SPEC_NAME_MAX - 1);
    memset(run.trace.workload, 'w', PREPARE_NAME_MAX - 1);
    check_round_trip(&plan);
}

Test(plan, plans_that_differ_are_not_equal)
{
    struct plan_run other = extremes[2];
    struct plan_run same = extremes[2];
    struct plan a = {&same, 1}, b = {&other, 1};

    cr_assert(plan_equal(&a, &b));
#define DIFFERS(change, undo)                                                  \
    do {                                                                       \
        change;                                                                \
        cr_expect_not(plan_equal(&a, &b), #change);                            \
        undo;                                                                  \
    } while (0)
    DIFFERS(other.run++, other.run--);
    DIFFERS(other.block++, other.block--);
    DIFFERS(other.trace.workload[0]++, other.trace.workload[0]--);
    DIFFERS(other.trace.threads++, other.trace.threads--);
    DIFFERS(other.trace.seed++, other.trace.seed--);
    DIFFERS(other.trace.scale *= 2, other.trace.scale /= 2);
    DIFFERS(other.allocator[0]++, other.allocator[0]--);
    DIFFERS(other.meter[0]++, other.meter[0]--);
    DIFFERS(other.touch = TOUCH_NONE, other.touch = TOUCH_LINE);
    DIFFERS(other.window++, other.window--);
    DIFFERS(other.timeout_s++, other.timeout_s--);
    DIFFERS(b.n = 0, b.n = 1);
    cr_assert(plan_equal(&a, &b));
}

Test(plan, a_full_disk_is_an_errno)
{
    struct plan plan = {(struct plan_run *)extremes, 3};
    FILE *file = fopen("/dev/full", "w");

    if (!file)
        cr_skip_test("no /dev/full here");
    cr_assert_eq(plan_write(&plan, file), ENOSPC);
    fclose(file);
}

/* ---- bad files ---- */

#define HEADER                                                                 \
    "run\tblock\tworkload\tthreads\tscale\tseed\tallocator\tmeter\ttouch\t"    \
    "window\ttimeout_s"
#define RUN(run) run "\t1\tchurn\t1\t1\t1\tsystem\ttime\tpage\t2000\t60"

static const struct {
    const char *text;
    const char *why; /* behind the path; NULL: good */
} files[] = {
    {HEADER "\n" RUN("1") "\n", NULL},
    {HEADER "\r\n" RUN("1") "\r\n" RUN("2") "\r\n", NULL},
    {"", ": has no runs"},
    {HEADER "\n", ": has no runs"},
    {HEADER, ":1: line is cut off"},
    {HEADER "\n" RUN("1"), ":2: line is cut off"},
    {"\n", ":1: is not the header of a plan"},
    {"run\tblock\n", ":1: is not the header of a plan"},
    {HEADER "\t\n", ":1: is not the header of a plan"},
    {HEADER "\r\r\n", ":1: is not the header of a plan"},
    {RUN("1") "\n", ":1: is not the header of a plan"},
    {HEADER "\n\n", ":2: want 11 columns separated by tabs"},
    {HEADER "\n" RUN("1") "\t\n", ":2: want 11 columns separated by tabs"},
    {HEADER "\n1\t2\n", ":2: want 11 columns separated by tabs"},
    {HEADER "\n" RUN("2") "\n", ":2: run = 2 (want 1)"},
    {HEADER "\n" RUN("1") "\n" RUN("1") "\n", ":3: run = 1 (want 2)"},
    {HEADER "\n" RUN("0") "\n", ":2: run = 0 (want 1..)"},
    {HEADER "\n" RUN("4294967296") "\n", ":2: run = 4294967296 (want 1..)"},
    {HEADER "\n" RUN("one") "\n", ":2: run = one (want 1..)"},
    {HEADER "\n" RUN(" 1") "\n", ":2: run =  1 (want 1..)"},
    {HEADER "\n1\t0\tw\t1\t1\t1\ta\ttime\tpage\t0\t1\n",
     ":2: block = 0 (want 1..)"},
    {HEADER "\n1\t1\t\t1\t1\t1\ta\ttime\tpage\t0\t1\n",
     ":2: workload =  (want a workload)"},
    {HEADER "\n1\t1\tw\x1b[m\t1\t1\t1\ta\ttime\tpage\t0\t1\n",
     ":2: workload = w\x1b[m (want a workload)"},
    {HEADER "\n1\t1\tw\t1025\t1\t1\ta\ttime\tpage\t0\t1\n",
     ":2: threads = 1025 (want 0 (as recorded), or 1..1024)"},
    {HEADER "\n1\t1\tw\t1\t0\t1\ta\ttime\tpage\t0\t1\n",
     ":2: scale = 0 (want 0.0001..10000)"},
    {HEADER "\n1\t1\tw\t1\tnan\t1\ta\ttime\tpage\t0\t1\n",
     ":2: scale = nan (want 0.0001..10000)"},
    {HEADER "\n1\t1\tw\t1\t1\t-1\ta\ttime\tpage\t0\t1\n",
     ":2: seed = -1 (want 0..18446744073709551615)"},
    {HEADER "\n1\t1\tw\t1\t1\t1\t\ttime\tpage\t0\t1\n",
     ":2: allocator =  (want an allocator)"},
    {HEADER "\n1\t1\tw\t1\t1\t1\ta\tspeed\tpage\t0\t1\n",
     ":2: meter = speed (want time, memory, leak, latency, check, "
     "simulated, counters, gc, lab)"},
    {HEADER "\n1\t1\tw\t1\t1\t1\ta\ttime\t1\t0\t1\n",
     ":2: touch = 1 (want none, byte, page, line, full)"},
    {HEADER "\n1\t1\tw\t1\t1\t1\ta\ttime\tpage\t511\t1\n",
     ":2: window = 511 (want 0, or 512..)"},
    {HEADER "\n1\t1\tw\t1\t1\t1\ta\ttime\tpage\t0\t0\n",
     ":2: timeout_s = 0 (want 1..86400)"},
    {HEADER "\n" RUN("1") "\r9\n", ":2: timeout_s = 60\r9 (want 1..86400)"},
};

Test(plan, bad_files_are_refused_with_line_and_column)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct plan plan;
        char want[WHY];

        scratch_write(&scratch, "p", files[i].text, strlen(files[i].text));
        int err = plan_read(path, &plan, why, WHY);
        cr_expect_eq(err, files[i].why ? EINVAL : 0, "\"%s\"", files[i].text);
        snprintf(want, sizeof want, "%s%s", path,
                 files[i].why ? files[i].why : "");
        if (files[i].why)
            cr_expect_str_eq(why, want);
        cr_expect_eq(plan.n > 0, !files[i].why);
        plan_free(&plan);
    }
}

static void refuse_bytes(const char *bytes, size_t n, const char *reason)
{
    struct plan plan;
    char want[WHY];

    scratch_write(&scratch, "p", bytes, n);
    cr_assert_eq(plan_read(path, &plan, why, WHY), EINVAL);
    snprintf(want, sizeof want, "%s%s", path, reason);
    cr_assert_str_eq(why, want);
}

Test(plan, NUL_bytes_and_endless_lines_are_refused)
{
    static const char nul[] = HEADER "\n" RUN("1") "\n1\t\0\n";
    static char endless[5000];

    refuse_bytes(nul, sizeof nul - 1, ":3: line holds a NUL byte");
    memset(endless, '1', sizeof endless);
    refuse_bytes(endless, sizeof endless, ":1: line is too long");
    endless[2047] = '\n';
    refuse_bytes(endless, sizeof endless, ":1: is not the header of a plan");
}

/* Expected: a folder, or a disk that fails, is an error of its own.
 * Buggy:    reading stopped there, and what came before was the plan. */
Test(plan, what_cannot_be_read_is_an_errno)
{
    struct plan plan;
    char at[600], want[WHY];

    scratch_path(&scratch, "none", at, sizeof at);
    cr_assert_eq(plan_read(at, &plan, why, WHY), ENOENT);
    snprintf(want, sizeof want, "%s: %s", at, strerror(ENOENT));
    cr_assert_str_eq(why, want);
    cr_assert_eq(plan_read(scratch.dir, &plan, why, WHY), EIO);
    snprintf(want, sizeof want, "%s:1: cannot be read", scratch.dir);
    cr_assert_str_eq(why, want);
}
