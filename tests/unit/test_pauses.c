/* test_pauses.c - mutator utilization, latencies and lower bounds, against
 * their definitions taken literally.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lower_bound.h"
#include "metered.h"
#include "pauses.h"
#include "random.h"

enum { CASES = 300, LONGEST = 400, PAUSES = 24 };

/* ---- pauses ---- */

/* Any pauses: some overlap, touch, are empty or lie outside the run. */
static size_t some_pauses(struct random *random, struct time_span pause[PAUSES])
{
    size_t n = random_below(random, PAUSES + 1);
    uint64_t longest = 1 + random_below(random, 40);

    for (size_t i = 0; i < n; i++) {
        pause[i].begin = random_below(random, LONGEST);
        pause[i].end = pause[i].begin + random_below(random, longest);
    }
    return n;
}

static struct time_span some_run(struct random *random)
{
    uint64_t begin = random_below(random, 100);

    return (struct time_span){begin, begin + 1 + random_below(random, 300)};
}

/* Whether each nanosecond is one of a pause. */
static void paint(const struct time_span pause[], size_t n,
                  struct time_span run, char is_paused[2 * LONGEST])
{
    memset(is_paused, 0, 2 * LONGEST);
    for (size_t i = 0; i < n; i++)
        for (uint64_t t = pause[i].begin; t < pause[i].end; t++)
            is_paused[t] = t >= run.begin && t < run.end;
}

/* Every window, nanosecond by nanosecond. */
static double brute_mmu(const char is_paused[], struct time_span run,
                        uint64_t window)
{
    uint64_t longest = 0;

    for (uint64_t t = run.begin; t + window <= run.end; t++) {
        uint64_t paused = 0;

        for (uint64_t k = t; k < t + window; k++)
            paused += (uint64_t)is_paused[k];
        longest = paused > longest ? paused : longest;
    }
    return 1 - (double)longest / (double)window;
}

Test(pauses, utilization_is_the_worst_of_all_windows)
{
    struct random random;
    struct time_span pause[PAUSES];
    char is_paused[2 * LONGEST];

    for (uint64_t seed = 1; seed <= CASES; seed++) {
        random_seed(&random, seed);
        size_t n = some_pauses(&random, pause);
        struct time_span run = some_run(&random);
        uint64_t length = run.end - run.begin;

        paint(pause, n, run, is_paused);
        n = pauses_tidy(pause, n, run);
        for (int k = 0; k < 10; k++) {
            uint64_t window = k ? 1 + random_below(&random, length) : length;

            cr_assert_eq(pauses_mmu(pause, n, run, window),
                         brute_mmu(is_paused, run, window),
                         "seed %llu, window %llu", (unsigned long long)seed,
                         (unsigned long long)window);
        }
    }
}

Test(pauses, tidy_keeps_the_same_nanoseconds_apart_and_in_order)
{
    struct random random;
    struct time_span pause[PAUSES];
    char before[2 * LONGEST], after[2 * LONGEST];

    for (uint64_t seed = 1; seed <= CASES; seed++) {
        random_seed(&random, seed);
        size_t n = some_pauses(&random, pause);
        struct time_span run = some_run(&random);

        paint(pause, n, run, before);
        n = pauses_tidy(pause, n, run);
        paint(pause, n, run, after);
        cr_assert_arr_eq(before, after, sizeof before);
        for (size_t i = 0; i < n; i++)
            cr_assert(pause[i].begin < pause[i].end &&
                      (i == 0 || pause[i - 1].end < pause[i].begin));
    }
}

Test(pauses, no_window_is_longer_than_the_run_or_empty)
{
    struct time_span pause = {10, 20}, run = {0, 100};

    cr_assert(isnan(pauses_mmu(&pause, 1, run, 101)));
    cr_assert(isnan(pauses_mmu(&pause, 1, run, 0)));
    cr_assert_eq(pauses_mmu(&pause, 1, run, 100), 0.9);
    cr_assert_eq(pauses_mmu(&pause, 1, run, 10), 0);
    cr_assert_eq(pauses_mmu(NULL, 0, run, 10), 1);
}

Test(pauses, quantiles_are_values_that_were_there)
{
    static const struct {
        double q;
        uint64_t value;
    } of_ten[] = {{0.5, 5}, {0.9, 9}, {0.91, 10}, {0.99, 10},
                  {1, 10},  {0.1, 1}, {0.001, 1}};
    uint64_t x[] = {10, 3, 1, 2, 9, 8, 7, 4, 6, 5}, one = 7;

    counts_sort(x, 10);
    for (size_t i = 0; i < sizeof of_ten / sizeof *of_ten; i++)
        cr_assert_eq(sorted_quantile(x, 10, of_ten[i].q), of_ten[i].value,
                     "q = %g", of_ten[i].q);
    cr_assert_eq(sorted_quantile(&one, 1, 0.5), 7);
    cr_assert_eq(sorted_quantile(&one, 1, 0.999), 7);
}

/* ---- requests ---- */

enum { REQUESTS = 60 };

static size_t some_requests(struct random *random,
                            struct time_span request[REQUESTS])
{
    size_t n = 1 + random_below(random, REQUESTS);

    for (size_t i = 0; i < n; i++) {
        request[i].begin = 1000 + random_below(random, 500);
        request[i].end = request[i].begin + random_below(random, 80);
    }
    requests_sort(request, n);
    return n;
}

/* The definition, searching each window from scratch. */
static uint64_t brute_metered(const struct time_span r[], size_t n, size_t i,
                              double half)
{
    double begin = (double)r[i].begin, end = (double)r[i].end;
    size_t first = 0, last = 0;

    while ((double)r[first].begin < begin - half)
        first++;
    while (last + 1 < n && (double)r[last].begin < begin + half)
        last++;
    double spread = last > first ? (double)(r[last].begin - r[first].begin) /
                                       (double)(last - first)
                                 : 0;
    double smoothed = (double)r[first].begin + (double)(i - first) * spread;
    double latency =
        end - smoothed > end - begin ? end - smoothed : end - begin;

    return (uint64_t)(latency + 1e-6);
}

Test(metered, latency_follows_its_definition)
{
    struct random random;
    struct time_span request[REQUESTS];
    uint64_t latency[REQUESTS], simple[REQUESTS];

    for (uint64_t seed = 1; seed <= CASES; seed++) {
        random_seed(&random, seed);
        size_t n = some_requests(&random, request);
        uint64_t window =
            seed % 3 ? 1 + random_below(&random, 400) : UINT64_MAX;

        latency_simple(request, n, simple);
        latency_metered(request, n, window, latency);
        for (size_t i = 0; i < n; i++) {
            uint64_t want = brute_metered(request, n, i, (double)(window / 2));

            cr_assert_eq(simple[i], request[i].end - request[i].begin);
            cr_assert(latency[i] >= simple[i]);
            cr_assert(llabs((long long)(latency[i] - want)) <= 1,
                      "seed %llu, request %zu: %llu (want %llu)",
                      (unsigned long long)seed, i,
                      (unsigned long long)latency[i], (unsigned long long)want);
        }
    }
}

/* A pause of 500 in the midst of 100 requests of 10: alone it is one slow
 * request; to clients that did not wait, it delays those after it too. */
Test(metered, the_queue_behind_a_pause_is_seen)
{
    struct time_span request[100];
    uint64_t simple[100], metered[100];
    uint64_t now = 0;
    size_t slow_simple = 0, slow_metered = 0;

    for (size_t i = 0; i < 100; i++) {
        request[i].begin = now;
        now += i == 50 ? 510 : 10;
        request[i].end = now;
    }
    latency_simple(request, 100, simple);
    latency_metered(request, 100, UINT64_MAX, metered);
    for (size_t i = 0; i < 100; i++) {
        slow_simple += simple[i] > 100;
        slow_metered += metered[i] > 100;
    }
    cr_assert_eq(slow_simple, 1);
    cr_assert_gt(slow_metered, 20);
    for (size_t i = 0; i < 100; i++) /* all before the pause began early */
        cr_assert(i >= 50 || metered[i] == simple[i]);
}

Test(metered, evenly_spread_requests_are_as_they_are)
{
    struct time_span request[50];
    uint64_t simple[50], metered[50];

    for (size_t i = 0; i < 50; i++)
        request[i] = (struct time_span){100 * i, 100 * i + 30};
    latency_simple(request, 50, simple);
    latency_metered(request, 50, 1000, metered);
    cr_assert_arr_eq(simple, metered, sizeof simple);
    latency_metered(request, 50, UINT64_MAX, metered);
    cr_assert_arr_eq(simple, metered, sizeof simple);
}

/* ---- lower bounds ---- */

Test(lower_bound, is_the_least_of_what_collecting_leaves)
{
    const struct run_cost cost[] = {
        {100, 30}, {NAN, NAN}, {90, 35}, {60, 0}, {NAN, 0}};
    size_t which;

    cr_assert_eq(lower_bound_base(cost, 5, &which), 55);
    cr_assert_eq(which, 2);
    cr_assert(isnan(lower_bound_base(cost + 1, 1, &which)));
    cr_assert_eq(which, 1);
    cr_assert(isnan(lower_bound_base(cost, 0, &which)));
}

/* Of no configuration is the overhead below 1, whatever the figures. */
Test(lower_bound, no_overhead_is_below_one)
{
    struct random random;
    struct run_cost cost[20];
    size_t which;

    random_seed(&random, 1);
    for (int k = 0; k < CASES; k++) {
        for (size_t i = 0; i < 20; i++) {
            cost[i].total = 1 + (double)random_below(&random, 1000);
            cost[i].collecting =
                cost[i].total * 0.001 * (double)random_below(&random, 999);
        }
        double base = lower_bound_base(cost, 20, &which);

        cr_assert(base > 0 && which < 20);
        for (size_t i = 0; i < 20; i++)
            cr_assert_geq(cost[i].total / base, 1);
    }
}
