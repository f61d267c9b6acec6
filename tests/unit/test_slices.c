/* test_slices.c - pairs compared slice by slice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "slices.h"

enum { SLICES = 256, OPS = 4096, TURNS = 4 };

/* A side whose slice i takes work[i] * factor ticks, and longer where it is
 * disturbed. */
static struct outcome make(const double work[], double factor,
                           struct random *random, double odds)
{
    struct outcome o = {.status = STATUS_OK,
                        .slices = SLICES,
                        .slice_ops = OPS,
                        .ns_per_tick = 0.5};
    double now = 1e6;

    for (unsigned i = 0; i < SLICES; i++) {
        now += work[i] * factor;
        if (random_unit(random) < odds)
            now += work[i] * 20 * random_unit(random);
        o.slice[i] = (uint64_t)now;
    }
    cr_assert_eq(outcome_add(&o, "cpu_per_op", "", "ns", 7 * factor), 0);
    return o;
}

static void make_work(double work[], struct random *random)
{
    for (unsigned i = 0; i < SLICES; i++)
        work[i] = 1e5 * (1 + 4 * random_unit(random));
}

static double value_of(const struct outcome *o, const char *metric)
{
    for (size_t i = 0; i < o->n; i++)
        if (!strcmp(o->values[i].metric, metric))
            return o->values[i].value;
    return NAN;
}

/* The ratio that a pair of noisy turns finds. */
static double ratio_of(double factor, double odds, uint64_t seed)
{
    struct random random;
    struct slices slices;
    struct outcome out[2] = {{0}, {0}};
    double work[SLICES], ratio = NAN;

    random_seed(&random, seed);
    make_work(work, &random);
    slices_begin(&slices);
    for (int turn = 0; turn < TURNS; turn++) {
        for (int side = 0; side < 2; side++) {
            outcome_free(&out[side]);
            out[side] = make(work, side ? factor : 1, &random, odds);
        }
        slices_take(&slices, out);
    }
    cr_assert_eq(slices_report(&slices, out), 0);
    ratio = value_of(&out[1], "mid_per_op") / value_of(&out[0], "mid_per_op");
    outcome_free(&out[0]);
    outcome_free(&out[1]);
    return ratio;
}

Test(slices, a_quiet_machine_gives_the_exact_ratio)
{
    static const double factors[] = {0.5, 0.99, 1, 1.001, 1.02, 3};

    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        cr_expect_float_eq(ratio_of(factors[i], 0, i), factors[i], 1e-4);
}

Test(slices, bursts_in_a_third_of_the_slices_of_each_turn_do_not_matter)
{
    for (uint64_t seed = 1; seed <= 50; seed++)
        cr_expect_float_eq(ratio_of(1.02, 0.33, seed), 1.02, 0.004, "seed %llu",
                           (unsigned long long)seed);
}

Test(slices, a_turn_that_is_slow_throughout_does_not_matter)
{
    struct random random;
    struct slices slices;
    struct outcome out[2];
    double work[SLICES];

    random_seed(&random, 7);
    make_work(work, &random);
    slices_begin(&slices);
    for (int turn = 0; turn < TURNS; turn++) {
        out[0] = make(work, turn == 1 ? 1.5 : 1, &random, 0);
        out[1] = make(work, turn == 2 ? 2.2 : 1.1, &random, 0);
        slices_take(&slices, out);
        if (turn + 1 < TURNS) {
            outcome_free(&out[0]);
            outcome_free(&out[1]);
        }
    }
    cr_assert_eq(slices_report(&slices, out), 0);
    cr_expect_float_eq(value_of(&out[1], "mid_per_op") /
                           value_of(&out[0], "mid_per_op"),
                       1.1, 1e-4);
    outcome_free(&out[0]);
    outcome_free(&out[1]);
}

Test(slices, the_figure_is_nanoseconds_an_operation)
{
    struct random random;
    struct slices slices;
    struct outcome out[2];
    double work[SLICES];

    random_seed(&random, 1);
    for (unsigned i = 0; i < SLICES; i++)
        work[i] = 8 * OPS; /* ticks of half a nanosecond */
    slices_begin(&slices);
    out[0] = make(work, 1, &random, 0);
    out[1] = make(work, 2, &random, 0);
    slices_take(&slices, out);
    cr_assert_eq(slices_report(&slices, out), 0);
    cr_expect_float_eq(value_of(&out[0], "mid_per_op"), 4, 1e-3);
    cr_expect_float_eq(value_of(&out[1], "mid_per_op"), 8, 1e-3);
    outcome_free(&out[0]);
    outcome_free(&out[1]);
}

/* Runs without slices, with too few, or with others than in the first turn:
 * the CPU time of the whole run stands in. */
Test(slices, without_slices_it_is_the_cpu_time)
{
    for (int how = 0; how < 4; how++) {
        struct random random;
        struct slices slices;
        struct outcome out[2];
        double work[SLICES];

        random_seed(&random, 3);
        make_work(work, &random);
        slices_begin(&slices);
        for (int turn = 0; turn < 2; turn++) {
            out[0] = make(work, 1, &random, 0);
            out[1] = make(work, 1.5, &random, 0);
            if (how == 0)
                out[0].slices = 0;
            else if (how == 1)
                out[0].slices = out[1].slices = 3;
            else if (how == 2)
                out[1].slice_ops = OPS / 2;
            else if (turn == 1)
                out[0].slices = out[1].slices = SLICES - 1;
            slices_take(&slices, out);
            if (turn == 0) {
                outcome_free(&out[0]);
                outcome_free(&out[1]);
            }
        }
        cr_assert_eq(slices_report(&slices, out), 0);
        cr_expect_float_eq(value_of(&out[0], "mid_per_op"), 7, 1e-9);
        cr_expect_float_eq(value_of(&out[1], "mid_per_op"), 10.5, 1e-9);
        outcome_free(&out[0]);
        outcome_free(&out[1]);
    }
}
