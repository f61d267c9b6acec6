/* test_lab_score.c - the courses' formulas give the points that they should.
 *
 * Expected points were worked out by hand from the formulas as published.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <math.h>

#include "lab_score.h"

/* One trace of `kops` with utilization u. */
static struct lab_trial trial(double u, double kops)
{
    return (struct lab_trial){.weight = LAB_BOTH,
                              .is_valid = true,
                              .utilization = u,
                              .ops = 1000,
                              .seconds = 1 / kops,
                              .align = 16};
}

static const struct {
    enum lab_formula formula;
    double utilization, kops, points;
} points[] = {
    {LAB_3E, 1, 600, 100},       {LAB_3E, 1, 6000, 100},
    {LAB_3E, .5, 600, 70},       {LAB_3E, .5, 300, 50},
    {LAB_3E, 0, 60, 4},          {LAB_2004, .92, 13000, 100},
    {LAB_2004, .99, 99000, 100}, {LAB_2004, .60, 3000, 0},
    {LAB_2004, .10, 100, 0},     {LAB_2004, .76, 13000, 69.5},
    {LAB_2004, .92, 8000, 80.5}, {LAB_2004, .92, 3000, 61},
    {LAB_2016, .75, 18500, 100}, {LAB_2016, .55, 10500, 0},
    {LAB_2016, .65, 14500, 50},  {LAB_2016, .75, 10500, 50},
    {LAB_2016, .40, 18500, 50},
};

Test(lab_score, one_trace_gives_the_published_points)
{
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        const struct lab_trial t = trial(points[i].utilization, points[i].kops);
        const struct lab_score s = lab_score_of(points[i].formula, &t, 1);

        cr_assert_null(s.zero);
        cr_assert_float_eq(s.points, points[i].points, 1e-9,
                           "case %zu: %g (want %g)", i, s.points,
                           points[i].points);
    }
}

Test(lab_score, throughput_is_all_over_all_or_a_geometric_mean)
{
    /* 1000 operations at 1000 Kops/s, and 1000 at 4000: 1.25 ms in all. */
    const struct lab_trial t[] = {trial(.6, 1000), trial(.8, 4000)};

    cr_assert_float_eq(lab_score_of(LAB_3E, t, 2).kops, 1600, 1e-6);
    cr_assert_float_eq(lab_score_of(LAB_2004, t, 2).kops, 1600, 1e-6);
    cr_assert_float_eq(lab_score_of(LAB_2016, t, 2).kops, 2000, 1e-6);
    for (int f = 0; f < LAB_FORMULAS; f++)
        cr_assert_float_eq(lab_score_of((enum lab_formula)f, t, 2).utilization,
                           .7, 1e-12);
}

Test(lab_score, weights_say_where_a_trace_counts_but_not_in_the_book)
{
    struct lab_trial t[] = {trial(.9, 5000), trial(.5, 1000), trial(.3, 2000),
                            trial(.1, 100)};

    t[1].weight = LAB_SPACE;
    t[2].weight = LAB_SPEED;
    t[3].weight = LAB_IGNORED;
    const struct lab_score s = lab_score_of(LAB_2016, t, 4);

    cr_assert_float_eq(s.utilization, .7, 1e-12);
    cr_assert_float_eq(s.kops, sqrt(5000. * 2000.), 1e-6);
    cr_assert_float_eq(lab_score_of(LAB_3E, t, 4).utilization, .45, 1e-12);
}

Test(lab_score, what_is_wrong_gives_nothing_and_says_why)
{
    struct lab_trial t[] = {trial(.9, 20000), trial(.9, 20000)};

    t[1].align = 8;
    cr_assert_null(lab_score_of(LAB_3E, t, 2).zero);
    cr_assert_null(lab_score_of(LAB_2004, t, 2).zero);
    cr_assert_not_null(lab_score_of(LAB_2016, t, 2).zero);
    cr_assert_eq(lab_score_of(LAB_2016, t, 2).points, 0);
    t[0].is_valid = false;
    for (int f = 0; f < LAB_FORMULAS; f++) {
        cr_assert_not_null(lab_score_of((enum lab_formula)f, t, 2).zero);
        cr_assert_eq(lab_score_of((enum lab_formula)f, t, 2).points, 0);
        cr_assert_not_null(lab_score_of((enum lab_formula)f, t, 0).zero);
    }
    t[0] = trial(.9, 20000);
    t[0].weight = LAB_IGNORED;
    cr_assert_not_null(lab_score_of(LAB_2004, t, 1).zero);
    cr_assert_null(lab_score_of(LAB_3E, t, 1).zero);
}
