/* test_fidelity.c - the comparison of programs with their replays.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* open_memstream */

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "fidelity.h"

enum { ARMS = 5, BLOCKS = 8 };

static const char *const names[ARMS] = {"system", "a", "b", "c", "d"};

static struct fidelity_program *program;
static struct fidelity_row rows[FIDELITY_ARMS_MAX];
static struct fidelity_order order;

static void begin(void)
{
    program = fidelity_program_new("prog");
}

static void end(void)
{
    free(program);
}

TestSuite(fidelity, .init = begin, .fini = end);

static void put(enum fidelity_side side, const char *allocator, uint32_t block,
                const char *meter, const char *metric, double value)
{
    struct row row = {.key = {.block = block}, .value = value};

    strcpy(row.key.allocator, allocator);
    strcpy(row.key.meter, meter);
    strcpy(row.metric, metric);
    cr_assert_eq(fidelity_take(program, side, &row), 0);
}

/* Times around mean[arm], with so much noise, which all arms of a block
 * share in part: as on a machine that drifts. */
static void put_times(enum fidelity_side side, const double mean[],
                      unsigned blocks, double noise, uint64_t seed)
{
    for (uint32_t b = 1; b <= blocks; b++) {
        double drift = 1 + (double)draw_index(&seed, 1000) / 2000;

        for (size_t i = 0; i < ARMS; i++) {
            double own = (double)draw_index(&seed, 2001) / 1000 - 1;

            put(side, names[i], b, "time", "cpu",
                mean[i] * drift * (1 + noise * own));
        }
    }
}

static void compare(void)
{
    cr_assert_eq(fidelity_compare(program, "system", rows, &order), 0);
}

Test(fidelity, the_same_order_has_tau_1_and_the_opposite_one_minus_1)
{
    static const double up[ARMS] = {100, 110, 120, 130, 140};
    static const double down[ARMS] = {14, 13, 12, 11, 10};

    put_times(FIDELITY_REAL, up, BLOCKS, 0.002, 1);
    put_times(FIDELITY_REPLAY, down, BLOCKS, 0.002, 2);
    compare();
    cr_assert_eq(order.pairs, 10);
    cr_assert_eq(order.told_apart, 10);
    cr_assert_eq(order.alike, 0);
    cr_assert_float_eq(order.tau, -1, 1e-12);
    put_times(FIDELITY_REPLAY, up, BLOCKS, 0.002, 3);
    compare();
    cr_assert_eq(order.alike, 10);
    cr_assert_float_eq(order.tau, 1, 1e-12);
}

Test(fidelity, one_swapped_neighbour_costs_a_fifth)
{
    static const double real[ARMS] = {100, 110, 120, 130, 140};
    static const double replay[ARMS] = {10, 12, 11, 13, 14};

    put_times(FIDELITY_REAL, real, BLOCKS, 0.002, 1);
    put_times(FIDELITY_REPLAY, replay, BLOCKS, 0.002, 2);
    compare();
    cr_assert_eq(order.alike, 9);
    cr_assert_float_eq(order.tau, 0.8, 1e-12);
}

/* The level is 1 % a pair: 40 studies of equal allocators have 400 pairs. */
Test(fidelity, equal_allocators_are_not_told_apart)
{
    static const double equal[ARMS] = {100, 100, 100, 100, 100};
    unsigned told_apart = 0;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        put_times(FIDELITY_REAL, equal, BLOCKS, 0.05, seed);
        put_times(FIDELITY_REPLAY, equal, BLOCKS, 0.05, seed + 1000);
        compare();
        told_apart += order.told_apart;
    }
    cr_assert_leq(told_apart, 16, "%u", told_apart);
}

Test(fidelity, fewer_than_eight_blocks_tell_nothing_apart)
{
    static const double up[ARMS] = {100, 200, 300, 400, 500};

    put_times(FIDELITY_REAL, up, 7, 0.001, 1);
    put_times(FIDELITY_REPLAY, up, 7, 0.001, 2);
    compare();
    cr_assert_eq(order.pairs, 10);
    cr_assert_eq(order.told_apart, 0);
    cr_assert(isnan(order.tau));
}

Test(fidelity, figures_of_a_row_are_those_that_were_put_in)
{
    for (uint32_t b = 1; b <= BLOCKS; b++) {
        put(FIDELITY_REAL, "system", b, "time", "cpu", 100 + b);
        put(FIDELITY_REAL, "a", b, "time", "cpu", 90 + b);
        put(FIDELITY_REPLAY, "null", b, "time", "cpu", 5);
        put(FIDELITY_REPLAY, "system", b, "time", "cpu", 20);
        put(FIDELITY_REPLAY, "a", b, "time", "cpu", 12);
    }
    put(FIDELITY_REAL, "a", 1, "memory", "rss_peak", 1000);
    put(FIDELITY_REAL, "a", 2, "memory", "rss_peak", 1010);
    put(FIDELITY_REPLAY, "a", 1, "memory", "rss_peak", 1020);
    put(FIDELITY_REPLAY, "a", 1, "memory", "rss_mean", 500);
    compare();
    const struct fidelity_row *a = &rows[1];
    cr_assert_str_eq(a->allocator, "a");
    cr_assert_eq(a->runs, BLOCKS);
    cr_assert_float_eq(a->real_cpu, 94.5, 1e-9);
    cr_assert_float_eq(a->malloc_cpu, 7, 1e-9);
    cr_assert_float_eq(a->floor_cpu, 5, 1e-9);
    cr_assert_float_eq(a->real_diff, -10, 1e-9);
    cr_assert_float_eq(a->replay_diff, -8, 1e-9);
    cr_assert_float_eq(a->real_peak, 1005, 1e-9);
    cr_assert_float_eq(a->replay_peak, 1020, 1e-9);
    cr_assert(isnan(a->real_mean));
    cr_assert(isnan(rows[0].real_diff), "the baseline differs from itself");
}

Test(fidelity, a_failure_stays_with_its_allocator)
{
    struct row row = {
        .key = {.block = 1}, .status = STATUS_CRASH, .value = NAN};

    strcpy(row.key.allocator, "bad");
    strcpy(row.note, "killed");
    put(FIDELITY_REAL, "good", 1, "time", "cpu", 1);
    cr_assert_eq(fidelity_take(program, FIDELITY_REAL, &row), 0);
    compare();
    cr_assert_eq(rows[0].status, STATUS_OK);
    cr_assert_eq(rows[1].status, STATUS_CRASH);
    cr_assert_str_eq(rows[1].note, "killed");
    row.key.block = FIDELITY_BLOCKS_MAX + 1;
    cr_assert_eq(fidelity_take(program, FIDELITY_REAL, &row), E2BIG);
}

Test(fidelity, kendalls_tau_of_counts)
{
    cr_assert(isnan(kendall_tau(0, 0)));
    cr_assert_float_eq(kendall_tau(10, 10), 1, 1e-12);
    cr_assert_float_eq(kendall_tau(10, 5), 0, 1e-12);
    cr_assert_float_eq(kendall_tau(10, 9), 0.8, 1e-12);
    cr_assert_float_eq(kendall_tau(4, 0), -1, 1e-12);
}

Test(fidelity, what_is_not_known_is_an_empty_field)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    struct row row = {.key = {.block = 1}, .value = 2};

    strcpy(row.key.allocator, "x");
    strcpy(row.key.meter, "time");
    strcpy(row.metric, "cpu");
    cr_assert_eq(fidelity_take(program, FIDELITY_REAL, &row), 0);
    compare();
    cr_assert_eq(fidelity_write_header(f), 0);
    cr_assert_eq(fidelity_write(f, &rows[0]), 0);
    fclose(f);
    cr_assert(strstr(text, "\n,,prog,x,0,ok,2,2,2,,,,,,,,,,,,,,,,0,0,,\n"),
              "%s", text);
    free(text);
}
