/* test_sampler.c - samples are spread evenly, and the figures are exact.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sampler.h"

enum { PLACES = 20000 };

static struct sampler s;
static struct shared_page page;
static struct outcome outcome;
static uint64_t curve[PLACES];

static const struct trace_mark marks[] = {
    {.name = "peak", .live_bytes = 150},
    {.name = "load", .live_bytes = 120},
};

/* At place i, i bytes are live. */
static struct trace trace = {.threads = 1,
                             .totals = {.ops = PLACES, .peak_bytes = 160},
                             .marks = marks,
                             .nmarks = 2,
                             .curve = curve,
                             .ncurve = PLACES,
                             .curve_step = 1};

static void set_up(void)
{
    for (uint64_t i = 0; i < PLACES; i++)
        curve[i] = i;
    sampler_init(&s);
    atomic_store(&page.state, SHARED_RUNNING);
    atomic_store(&page.threads, 1);
    atomic_store(&page.baseline, 4096);
}

static void tear_down(void)
{
    outcome_free(&outcome);
}

TestSuite(sampler, .init = set_up, .fini = tear_down);

/* ---- taking ---- */

static void take_at(uint64_t place)
{
    atomic_store(&page.thread[0].place, place);
    sampler_take(&s, getpid(), &page, &trace);
}

Test(sampler, a_sample_pairs_memory_with_the_live_bytes_of_the_place)
{
    take_at(0);
    take_at(700);
    cr_assert_eq(s.n, 2);
    cr_assert_eq(s.point[0].ns, 0);
    cr_assert_gt(s.point[1].ns, 0);
    cr_assert_gt(s.point[0].rss, 4096); /* this program is larger */
    cr_assert_eq(s.point[0].live, 0);
    cr_assert_eq(s.point[1].live, 700);
}

Test(sampler, memory_below_the_baseline_is_0)
{
    atomic_store(&page.baseline, UINT64_MAX / 2);
    take_at(1);
    cr_assert_eq(s.n, 1);
    cr_assert_eq(s.point[0].rss, 0);
}

Test(sampler, a_thread_that_has_ended_stands_at_the_last_place)
{
    take_at(UINT64_MAX);
    cr_assert_eq(s.point[0].live, PLACES - 1);
}

Test(sampler, nothing_is_taken_before_or_after_the_replay)
{
    atomic_store(&page.state, SHARED_SETUP);
    take_at(1);
    atomic_store(&page.state, SHARED_DONE);
    take_at(1);
    atomic_store(&page.state, SHARED_RUNNING);
    atomic_store(&page.baseline, 0); /* not said yet */
    take_at(1);
    cr_assert_eq(s.n, 0);
}

Test(sampler, nothing_is_taken_of_a_process_that_is_gone)
{
    pid_t pid = fork();

    if (!pid)
        _exit(0);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    sampler_take(&s, pid, &page, &trace);
    cr_assert_eq(s.n, 0);
}

static void check_spacing(uint64_t last_taken)
{
    cr_assert_leq(s.n, SAMPLER_POINTS);
    for (unsigned i = 0; i < s.n; i++) {
        cr_assert_eq(s.point[i].live, (uint64_t)i * s.stride, "point %u", i);
        cr_assert(!i || s.point[i].ns >= s.point[i - 1].ns);
    }
    cr_assert_gt(s.point[s.n - 1].live + s.stride, last_taken);
}

Test(sampler, a_full_table_is_thinned_evenly)
{
    for (uint64_t i = 0; i < 3 * SAMPLER_POINTS; i++) {
        take_at(i);
        if (i == SAMPLER_POINTS - 1)
            cr_assert_eq(s.n, SAMPLER_POINTS);
        if (i % 1000 == 0 || i == SAMPLER_POINTS || i == 2 * SAMPLER_POINTS)
            check_spacing(i);
    }
    cr_assert_eq(s.stride, 4);
    check_spacing(3 * SAMPLER_POINTS - 1);
}

/* ---- figures ---- */

static void add_point(double seconds, uint64_t rss, uint64_t live)
{
    s.point[s.n++] = (struct sampler_point){
        .ns = (uint64_t)(seconds * 1e9), .rss = rss, .live = live};
}

static void report(void)
{
    cr_assert_eq(sampler_report(&s, &trace, &outcome), 0);
}

/* The value, or NAN. */
static double value_of(const char *metric, const char *at)
{
    for (size_t i = 0; i < outcome.n; i++)
        if (!strcmp(outcome.values[i].metric, metric) &&
            !strcmp(outcome.values[i].at, at))
            return outcome.values[i].value;
    return NAN;
}

static void check_figures(const char *const metrics[], const double values[],
                          size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_expect_float_eq(value_of(metrics[i], ""), values[i],
                           1e-12 * values[i], "%s = %g (want %g)", metrics[i],
                           value_of(metrics[i], ""), values[i]);
}

Test(sampler, figures_are_those_of_the_trapezoids)
{
    static const char *const metrics[] = {
        "rss_peak",     "frag_peak", "frag_at_peak_rss", "rss_mean",
        "rss_integral", "live_mean", "frag_mean"};
    static const double values[] = {200, 200.0 / 160, 200.0 / 100, 550.0 / 3,
                                    550, 225.0 / 3,   550.0 / 225};

    add_point(0, 100, 50);
    add_point(1, 200, 100);
    add_point(3, 200, 50);
    report();
    check_figures(metrics, values, 7);
    cr_assert_eq(value_of("rss", "0.000000"), 100);
    cr_assert_eq(value_of("rss", "3.000000"), 200);
    cr_assert_eq(value_of("live", "1.000000"), 100);
    cr_assert_eq(outcome.n, 7 + 2 * 3);
}

Test(sampler, a_mark_above_every_sample_is_the_peak)
{
    static const char *const metrics[] = {"rss_peak", "frag_peak",
                                          "frag_at_peak_rss"};
    static const double values[] = {300, 300.0 / 160, 300.0 / 120};

    add_point(0, 100, 50);
    add_point(1, 200, 100);
    add_point(2, 200, 50);
    cr_assert_eq(outcome_add(&outcome, "rss", "mark:peak", "bytes", 190), 0);
    cr_assert_eq(outcome_add(&outcome, "rss", "mark:load", "bytes", 300), 0);
    cr_assert_eq(outcome_add(&outcome, "live", "mark:load", "bytes", 900), 0);
    cr_assert_eq(outcome_add(&outcome, "rss", "0.5", "bytes", 900), 0);
    report();
    check_figures(metrics, values, 3);
    cr_assert_eq(value_of("rss_mean", ""), 175);
}

Test(sampler, a_mark_below_a_sample_is_not_the_peak)
{
    add_point(0, 200, 100);
    cr_assert_eq(outcome_add(&outcome, "rss", "mark:load", "bytes", 199), 0);
    report();
    cr_assert_eq(value_of("rss_peak", ""), 200);
    cr_assert_eq(value_of("frag_at_peak_rss", ""), 2);
}

Test(sampler, two_samples_make_no_mean)
{
    add_point(0, 100, 50);
    add_point(1, 200, 100);
    report();
    cr_assert_eq(value_of("rss_peak", ""), 200);
    cr_assert_eq(outcome.n, 3);
}

Test(sampler, no_samples_make_no_figures_but_those_of_the_marks)
{
    report();
    cr_assert_eq(outcome.n, 0);
    cr_assert_eq(outcome_add(&outcome, "rss", "mark:peak", "bytes", 320), 0);
    report();
    cr_assert_eq(value_of("rss_peak", ""), 320);
    cr_assert_eq(value_of("frag_peak", ""), 2);
}

Test(sampler, nothing_is_divided_by_0)
{
    add_point(0, 100, 0);
    add_point(1, 200, 0);
    add_point(2, 100, 0);
    report();
    cr_assert(isnan(value_of("frag_at_peak_rss", "")));
    cr_assert(isnan(value_of("frag_mean", "")));
    cr_assert_eq(value_of("live_mean", ""), 0);
    for (size_t i = 0; i < outcome.n; i++)
        cr_assert(isfinite(outcome.values[i].value));
}

Test(sampler, a_curve_has_at_most_160_points)
{
    static const unsigned counts[] = {3,   159, 160,  161,
                                      320, 321, 1000, SAMPLER_POINTS};

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t points = 0;

        sampler_init(&s);
        for (unsigned k = 0; k < counts[i]; k++)
            add_point(k, 1 + k, 1);
        report();
        for (size_t k = 0; k < outcome.n; k++)
            points += !strcmp(outcome.values[k].metric, "rss");
        cr_assert(points <= SAMPLER_CURVE &&
                      2 * points >= (counts[i] < SAMPLER_CURVE ? 2 * counts[i]
                                                               : SAMPLER_CURVE),
                  "%u samples, %zu points", counts[i], points);
        outcome_free(&outcome);
        memset(&outcome, 0, sizeof outcome);
    }
}
