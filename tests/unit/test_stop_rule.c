/* test_stop_rule.c - a bench ends when it is precise or out of time.
 *
 * Samples are made up: two allocators whose ratio spreads by a known amount.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scratch.h"
#include "stop_rule.h"
#include "ticks.h"

enum { BLOCKS = 60 };

static struct scratch scratch;
static char samples[600], why[512];
static struct plan_run runs[2 * BLOCKS];
static struct plan plan = {.runs = runs, .n = 2 * BLOCKS};
static struct stop_rule rule;

static void set_up(void)
{
    scratch_open(&scratch);
    scratch_path(&scratch, "samples.csv", samples, sizeof samples);
    for (uint32_t i = 0; i < 2 * BLOCKS; i++) {
        runs[i] = (struct plan_run){.run = i + 1, .block = i / 2 + 1};
        strcpy(runs[i].meter, "time");
        strcpy(runs[i].allocator, i % 2 ? "arena" : "system");
    }
    rule = (struct stop_rule){.baseline = "system",
                              .plan = &plan,
                              .samples = samples,
                              .begin_ns = clock_wall_ns()};
}

static void tear_down(void)
{
    scratch_close(&scratch);
}

TestSuite(stop_rule, .init = set_up, .fini = tear_down);

static void put_sample(FILE *f, uint32_t block, const char *allocator,
                       double value)
{
    struct row row = {.status = STATUS_OK, .value = value};

    row.key = (struct run_key){.block = block, .threads = 1, .scale = 1};
    row.key.run = 1; /* not looked at here */
    strcpy(row.key.session, "s");
    strcpy(row.key.workload, "churn");
    strcpy(row.key.allocator, allocator);
    strcpy(row.key.meter, "time");
    strcpy(row.key.touch, "page");
    strcpy(row.metric, "wall_per_op");
    strcpy(row.unit, "ns");
    cr_assert_eq(row_write(f, &row), 0);
}

/* `blocks` pairs whose ratios lie evenly in 1.5 -+ spread; the null floor
 * jumps about. */
static void put_samples(uint32_t blocks, double spread)
{
    FILE *f = fopen(samples, "w");

    cr_assert_not_null(f);
    cr_assert_eq(row_write_header(f), 0);
    for (uint32_t b = 1; b <= blocks; b++) {
        double at = blocks > 1 ? (b - 1.0) / (blocks - 1.0) : 0.5;

        put_sample(f, b, "system", 20);
        put_sample(f, b, "arena", 20 * (1.5 + spread * (2 * at - 1)));
        put_sample(f, b, "null", b % 2 ? 1 : 9);
    }
    fclose(f);
}

static void told(const char *want)
{
    char text[512] = "";
    FILE *f = fmemopen(text, sizeof text, "w");

    stop_rule_tell(&rule, "bench", f);
    fclose(f);
    cr_expect_str_eq(text, want);
}

/* ---- precision ---- */

Test(stop_rule, precision_is_half_the_interval_over_the_ratio)
{
    struct summary s = {.baseline = "system"};
    struct estimate e[4] = {{.pairs = 9}, {.pairs = 7}, {.pairs = 9}};
    static const char *const names[] = {"arena", "slab", "system", "null"};
    struct precision p;

    for (int i = 0; i < 4; i++) {
        strcpy(e[i].key.meter, "time");
        strcpy(e[i].key.allocator, names[i]);
        strcpy(e[i].key.workload, "churn");
        strcpy(e[i].metric, "wall_per_op");
    }
    e[0].ratio = (struct interval){2, 1.98, 2.06};   /* 2 % */
    e[1].ratio = (struct interval){0.5, 0.49, 0.52}; /* 3 % */
    e[2].ratio = (struct interval){1, 0, 9};         /* the baseline itself */
    e[3].ratio = (struct interval){0.1, 0.01, 9};
    s.estimates = e;
    s.n = 4;
    precision_of(&s, &p);
    cr_assert_eq(p.ratios, 2);
    cr_assert_eq(p.pairs, 7);
    cr_assert_float_eq(p.widest, 0.03, 1e-12);
    cr_assert_str_eq(p.allocator, "slab");
    strcpy(e[1].metric, "cpu_per_op"); /* is no figure of the verdict */
    strcpy(e[0].key.meter, "latency");
    precision_of(&s, &p);
    cr_assert_eq(p.ratios, 0);
    strcpy(e[0].key.meter, "time");
    e[0].ratio.value = NAN; /* every run failed */
    precision_of(&s, &p);
    cr_assert_eq(p.ratios, 0);
}

Test(stop_rule, it_stops_at_the_first_block_that_is_precise)
{
    rule.precision = 0.05;
    put_samples(10, 0.3); /* 20 % about the ratio */
    cr_assert_eq(stop_rule_after_block(&rule, 10, 20), 0);
    put_samples(11, 0.03);
    cr_assert_eq(stop_rule_after_block(&rule, 11, 22), 1);
    cr_assert_eq(rule.reason, STOP_PRECISION);
    cr_assert_leq(rule.reached.widest, 0.02 + 1e-9);
    cr_assert_gt(rule.reached.widest, 0);
}

Test(stop_rule, it_never_stops_before_six_blocks_nor_with_fewer_pairs)
{
    rule.precision = 0.05;
    for (uint32_t b = 1; b < STAT_FEW; b++) {
        put_samples(b, 0);
        cr_assert_eq(stop_rule_after_block(&rule, b, 2 * b), 0, "block %u", b);
    }
    put_samples(STAT_FEW - 1, 0); /* one block's run of it failed */
    cr_assert_eq(stop_rule_after_block(&rule, STAT_FEW, 2 * STAT_FEW), 0);
    put_samples(STAT_FEW, 0);
    cr_assert_eq(stop_rule_after_block(&rule, STAT_FEW, 2 * STAT_FEW), 1);
    told("bench: stopped after 6 blocks: all ratios within 5 %; widest ratio "
         "interval +-0 % (arena on churn)\n");
}

Test(stop_rule, without_any_ratio_there_is_nothing_to_wait_for)
{
    FILE *f = fopen(samples, "w");

    rule.precision = 0.05;
    row_write_header(f);
    for (uint32_t b = 1; b <= STAT_FEW; b++)
        put_sample(f, b, "system", 20);
    fclose(f);
    cr_assert_eq(stop_rule_after_block(&rule, STAT_FEW, 2 * STAT_FEW), 1);
    told("bench: stopped after 6 blocks: no time ratio to system came "
         "about\n");
}

Test(stop_rule, a_plan_without_a_ratio_cannot_be_precise)
{
    rule.precision = 0.05;
    cr_assert_eq(stop_rule_check(&rule, why, sizeof why), 0);
    rule.baseline = "slab";
    cr_assert_eq(stop_rule_check(&rule, why, sizeof why), EINVAL);
    cr_assert_not_null(strstr(why, "--precision = 5% (want meter time with "
                                   "the baseline slab and another"));
    rule.baseline = "system";
    for (uint32_t i = 1; i < 2 * BLOCKS; i += 2)
        strcpy(runs[i].allocator, "null");
    cr_assert_eq(stop_rule_check(&rule, why, sizeof why), EINVAL);
    rule.precision = 0; /* no such rule */
    cr_assert_eq(stop_rule_check(&rule, why, sizeof why), 0);
}

/* ---- budget ---- */

Test(stop_rule, no_block_is_begun_that_would_end_after_the_budget)
{
    rule.budget_s = 100;
    put_samples(5, 0);
    rule.begin_ns = clock_wall_ns() - UINT64_C(80000000000);
    cr_assert_eq(stop_rule_after_block(&rule, 5, 10), 0); /* 16 s a block */
    rule.begin_ns = clock_wall_ns() - UINT64_C(90000000000);
    cr_assert_eq(stop_rule_after_block(&rule, 5, 10), 1); /* 18 s a block */
    cr_assert_eq(rule.reason, STOP_BUDGET);
    told("bench: budget of 100 s used: 5 blocks; widest ratio interval +-0 % "
         "(arena on churn); 95 % needs 6 blocks or more\n");
}

Test(stop_rule, a_session_that_has_done_nothing_yet_goes_on)
{
    rule.budget_s = 1;
    put_samples(5, 0);
    cr_assert_eq(stop_rule_after_block(&rule, 5, 0), 0);
}

Test(stop_rule, the_last_block_ends_it_whatever_the_rule)
{
    rule.budget_s = 1;
    rule.begin_ns = clock_wall_ns() - UINT64_C(80000000000);
    put_samples(BLOCKS, 0.3);
    cr_assert_eq(stop_rule_after_block(&rule, BLOCKS, 2 * BLOCKS), 0);
    cr_assert_eq(rule.reason, STOP_NOT);
    cr_assert_eq(rule.reached.ratios, 1);
    rule.budget_s = 0;
    rule.precision = 0.01;
    cr_assert_eq(stop_rule_after_block(&rule, BLOCKS, 2 * BLOCKS), 0);
    cr_assert_gt(rule.reached.widest, 0.01);
}

Test(stop_rule, without_a_rule_nothing_stops_and_nothing_is_said)
{
    put_samples(10, 0);
    cr_assert_eq(stop_rule_after_block(&rule, 10, 20), 0);
    told("");
}

Test(stop_rule, the_options_can_be_given_again)
{
    char text[128];

    stop_rule_options(&rule, text, sizeof text);
    cr_assert_str_eq(text, "");
    rule.precision = 0.015;
    rule.budget_s = 90;
    stop_rule_options(&rule, text, sizeof text);
    cr_assert_str_eq(text, " --precision 1.5% --budget 90s");
}
