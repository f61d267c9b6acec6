/* test_judge.c - verdicts: on counts by table, on pairs by simulation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gate_pairs.h"
#include "judge.h"
#include "random.h"

enum { PAIRS = GATE_PAIRS_MAX, FAMILY = 20 };

static const double level = 0.01, look_level = 0.01 / GATE_LOOKS;

/* ---- counts ---- */

static struct gate_cell exact_cell(double margin, int less_is_better)
{
    return (struct gate_cell){.tier = GATE_EXACT,
                              .less_is_better = less_is_better,
                              .margin = margin,
                              .verdict = GATE_UNDECIDED};
}

#define N(...) {__VA_ARGS__}, sizeof((double[]){__VA_ARGS__}) / sizeof(double)

static const struct exact_case {
    double margin;
    int less_is_better;
    enum gate_verdict verdict;
    double base[4];
    size_t nbase;
    double candidate[4];
    size_t ncandidate;
} exact_cases[] = {
    {0.01, 1, GATE_UNCHANGED, N(1000), N(1000)},
    {0.01, 1, GATE_UNCHANGED, N(1000), N(1009)},
    {0.01, 1, GATE_UNCHANGED, N(1000), N(1010)},
    {0.01, 1, GATE_REGRESSED, N(1000), N(1011)},
    {0.01, 1, GATE_UNCHANGED, N(1010), N(1000)},
    {0.01, 1, GATE_IMPROVED, N(1011), N(1000)},
    {0.01, 0, GATE_IMPROVED, N(1000), N(1011)},
    {0.01, 0, GATE_REGRESSED, N(1011), N(1000)},
    {0, 1, GATE_UNCHANGED, N(0), N(0)},
    {0, 1, GATE_REGRESSED, N(0), N(1)},
    {10, 1, GATE_REGRESSED, N(0), N(1)},
    {10, 1, GATE_IMPROVED, N(1), N(0)},
    {0, 0, GATE_IMPROVED, N(0), N(1)},
    {0, 0, GATE_REGRESSED, N(1), N(0)},
    {0, 0, GATE_REGRESSED, N(5), N(4)},
    {0, 1, GATE_REGRESSED, N(1e15), N(1e15 + 1)},
    /* medians: of an odd and of an even number of runs */
    {0.01, 1, GATE_UNCHANGED, N(100, 900, 1), N(100)},
    {0.01, 1, GATE_UNCHANGED, N(90, 110), N(100, 100, 5, 700)},
    {0.01, 1, GATE_REGRESSED, N(90, 110), N(102, 102, 102)},
    /* figures that no meter has: better refused than called the same */
    {0.01, 1, GATE_REFUSED, N(100), N(-50)},
    {0.01, 1, GATE_REFUSED, N(-50), N(100)},
    {0.01, 1, GATE_REFUSED, N(-1), N(-1)},
    {0.01, 1, GATE_REFUSED, N(100), N(NAN)},
    {0.01, 1, GATE_REFUSED, N(INFINITY), N(100)},
};

static void expect_exact(const struct exact_case *k, int i)
{
    struct gate_cell c = exact_cell(k->margin, k->less_is_better);

    cr_assert_eq(
        judge_exact(&c, k->base, k->nbase, k->candidate, k->ncandidate), 0);
    cr_expect_eq(c.verdict, k->verdict, "case %d: %s: %s", i,
                 gate_verdict_name(c.verdict), c.why);
    cr_expect(isnan(c.p) && isnan(c.detectable), "case %d", i);
    cr_expect(c.why[0], "case %d: no sentence", i);
    cr_expect_null(strstr(c.why, "nan"), "case %d: %s", i, c.why);
    if (c.verdict == GATE_REFUSED)
        return;
    cr_expect(isfinite(c.base) && isfinite(c.candidate), "case %d", i);
    if (c.base > 0)
        cr_expect_float_eq(c.ratio.value, c.candidate / c.base, 1e-15);
    else
        cr_expect(isnan(c.ratio.value), "case %d", i);
}

Test(judge, counts_are_held_against_the_margin)
{
    for (size_t i = 0; i < sizeof exact_cases / sizeof *exact_cases; i++)
        expect_exact(&exact_cases[i], (int)i);
}

/* 107 is 7 % more than 100, whatever 1 + 0.07 is in binary. */
Test(judge, a_count_exactly_at_the_margin_is_within_it)
{
    for (int percent = 1; percent <= 100; percent++)
        for (int base = 100; base <= 20000; base += 100) {
            struct gate_cell c = exact_cell(percent / 100.0, 1);
            double a = base, b = base + (double)base / 100 * percent;

            cr_assert_eq(judge_exact(&c, &a, 1, &b, 1), 0);
            cr_assert_eq(c.verdict, GATE_UNCHANGED, "%g to %g, margin %d %%", a,
                         b, percent);
            cr_assert_eq(judge_exact(&c, &b, 1, &a, 1), 0);
            cr_assert_eq(c.verdict, GATE_UNCHANGED, "%g to %g, margin %d %%", b,
                         a, percent);
        }
}

static enum gate_verdict mirror(enum gate_verdict v)
{
    return v == GATE_IMPROVED    ? GATE_REGRESSED
           : v == GATE_REGRESSED ? GATE_IMPROVED
                                 : v;
}

Test(judge, swapping_the_sides_of_counts_swaps_the_verdict)
{
    struct random random;

    random_seed(&random, 7);
    for (int i = 0; i < 20000; i++) {
        double a = (double)random_below(&random, 200);
        double b = (double)random_below(&random, 200);
        struct gate_cell c =
            exact_cell((double)random_below(&random, 50) / 100, i & 1);
        struct gate_cell d = c;

        cr_assert_eq(judge_exact(&c, &a, 1, &b, 1), 0);
        cr_assert_eq(judge_exact(&d, &b, 1, &a, 1), 0);
        cr_assert_eq(d.verdict, mirror(c.verdict), "%g and %g: %s; %s", a, b,
                     c.why, d.why);
    }
}

/* ---- pairs ---- */

struct samples {
    double base[PAIRS], candidate[PAIRS];
    struct gate_cell cell;
};

static double normal(struct random *r)
{
    double u = random_unit(r), v = random_unit(r);

    return sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v);
}

/* Pairs of which the candidate is `ratio` times the baseline; the machine's
 * speed drifts for both, and each run is off by 0.7 %, the pair by 1 %. */
static void make_pairs(struct samples *s, struct random *r, double ratio,
                       double margin)
{
    double drift = 0;

    for (int i = 0; i < PAIRS; i++) {
        drift += 0.01 * normal(r);
        s->base[i] = 100 * exp(drift + 0.00707 * normal(r));
        s->candidate[i] = 100 * ratio * exp(drift + 0.00707 * normal(r));
    }
    s->cell = (struct gate_cell){.tier = GATE_PAIRED,
                                 .less_is_better = 1,
                                 .margin = margin,
                                 .base_values = s->base,
                                 .candidate_values = s->candidate,
                                 .verdict = GATE_UNDECIDED};
}

static void look(struct samples *s, uint32_t pairs, double at_level)
{
    struct gate_cell *cell = &s->cell;

    if (cell->verdict == GATE_UNDECIDED)
        cell->pairs = pairs;
    cr_assert_eq(judge_look(&cell, 1, at_level), 0);
}

/* The looks of the gate, until it is decided. */
static enum gate_verdict look_at_all(struct samples *s)
{
    for (uint32_t n = GATE_PAIRS_FIRST;
         n <= GATE_PAIRS_MAX && s->cell.verdict == GATE_UNDECIDED; n *= 2)
        look(s, n, look_level);
    return s->cell.verdict;
}

static const struct {
    double ratio;
    enum gate_verdict verdict;
} paired_cases[] = {
    {1, GATE_UNCHANGED},    {1.002, GATE_UNCHANGED}, {0.998, GATE_UNCHANGED},
    {1.02, GATE_REGRESSED}, {1.3, GATE_REGRESSED},   {0.98, GATE_IMPROVED},
    {0.7, GATE_IMPROVED},
};

Test(judge, pairs_are_decided_in_the_right_direction)
{
    static struct samples s;
    struct random random;

    random_seed(&random, 1);
    for (size_t i = 0; i < sizeof paired_cases / sizeof *paired_cases; i++)
        for (int turn = 0; turn < 20; turn++) {
            double ratio = paired_cases[i].ratio;

            make_pairs(&s, &random, ratio, 0.01);
            cr_assert_eq(look_at_all(&s), paired_cases[i].verdict,
                         "ratio %g: %s", ratio, s.cell.why);
            cr_assert(s.cell.p <= look_level, "%g", s.cell.p);
            cr_assert_float_eq(s.cell.ratio.value, ratio, 0.012 * ratio);
            cr_assert(s.cell.ratio.lo <= s.cell.ratio.value &&
                      s.cell.ratio.value <= s.cell.ratio.hi);
            cr_assert(s.cell.base > 0 && s.cell.candidate > 0);
        }
}

Test(judge, where_more_is_better_up_is_an_improvement)
{
    static struct samples s;
    struct random random;

    random_seed(&random, 2);
    make_pairs(&s, &random, 1.1, 0.01);
    s.cell.less_is_better = 0;
    cr_assert_eq(look_at_all(&s), GATE_IMPROVED, "%s", s.cell.why);
    cr_assert_float_eq(s.cell.ratio.value, 1.1, 0.02);
    make_pairs(&s, &random, 0.9, 0.01);
    s.cell.less_is_better = 0;
    cr_assert_eq(look_at_all(&s), GATE_REGRESSED, "%s", s.cell.why);
    cr_assert(s.cell.ratio.hi < 1, "%s", s.cell.why);
}

Test(judge, few_pairs_are_undecided_and_say_how_many_would_do)
{
    static struct samples s;
    struct random random;

    random_seed(&random, 3);
    for (uint32_t n = 1; n <= 8; n++) {
        make_pairs(&s, &random, 1, 0.01);
        look(&s, n, look_level);
        cr_assert_eq(s.cell.verdict, GATE_UNDECIDED, "%s", s.cell.why);
        cr_assert(n < 2 || s.cell.needed > n, "%u pairs: %s", n, s.cell.why);
        cr_assert(s.cell.why[0]);
    }
    cr_assert_not_null(strstr(s.cell.why, "pairs would decide"), "%s",
                       s.cell.why);
}

/* What is undecided after n pairs is not said to be decided by n. */
Test(judge, undecided_cells_need_more_pairs_than_they_have)
{
    static struct samples s[FAMILY];
    struct gate_cell *cells[FAMILY];
    struct random random;

    random_seed(&random, 4);
    for (int turn = 0; turn < 200; turn++) {
        double ratio = 0.97 + 0.06 * random_unit(&random);
        uint32_t n = (uint32_t)random_between(&random, 2, 100);
        int m = turn & 1 ? FAMILY : 1;

        for (int i = 0; i < m; i++) {
            make_pairs(&s[i], &random, ratio, 0.01);
            cells[i] = &s[i].cell;
            s[i].cell.pairs = n;
        }
        cr_assert_eq(judge_look(cells, (size_t)m, look_level), 0);
        for (int i = 0; i < m; i++)
            cr_assert(cells[i]->verdict != GATE_UNDECIDED ||
                          !cells[i]->needed || cells[i]->needed > n,
                      "%s", cells[i]->why);
    }
}

/* The interval has 95 %, a verdict is surer than that. */
Test(judge, the_sentence_and_the_interval_bear_the_verdict_out)
{
    static struct samples s;
    struct random random;
    int seen[GATE_VERDICTS] = {0};

    random_seed(&random, 5);
    for (int turn = 0; turn < 1000; turn++) {
        make_pairs(&s, &random, 0.97 + 0.06 * random_unit(&random), 0.01);
        look(&s, GATE_PAIRS_FIRST << random_below(&random, 3), look_level);
        double lo = s.cell.ratio.lo, hi = s.cell.ratio.hi;
        enum gate_verdict v = s.cell.verdict;

        seen[v]++;
        cr_assert(v != GATE_REGRESSED || lo > 1.01, "%s", s.cell.why);
        cr_assert(v != GATE_IMPROVED || hi < 1 / 1.01, "%s", s.cell.why);
        cr_assert(v != GATE_UNCHANGED || (lo > 1 / 1.01 && hi < 1.01), "%s",
                  s.cell.why);
        /* that may lie on one side and still not be enough */
        cr_assert(v != GATE_UNDECIDED || strstr(s.cell.why, "neither within"),
                  "%s", s.cell.why);
    }
    for (int v = 0; v <= GATE_UNDECIDED; v++)
        cr_assert(seen[v] > 20, "%s: %d",
                  gate_verdict_name((enum gate_verdict)v), seen[v]);
}

Test(judge, swapping_the_sides_of_pairs_swaps_the_verdict)
{
    static struct samples s, t;
    struct random random;

    random_seed(&random, 6);
    for (int turn = 0; turn < 500; turn++) {
        make_pairs(&s, &random, 0.97 + 0.06 * random_unit(&random), 0.01);
        t = s;
        t.cell.base_values = t.candidate;
        t.cell.candidate_values = t.base;
        uint32_t n = (uint32_t)random_between(&random, 1, 80);

        look(&s, n, look_level);
        look(&t, n, look_level);
        cr_assert_eq(t.cell.verdict, mirror(s.cell.verdict), "%s; %s",
                     s.cell.why, t.cell.why);
        cr_assert_float_eq(s.cell.ratio.value * t.cell.ratio.value, 1, 1e-12);
        cr_assert_float_eq(s.cell.p, t.cell.p, 1e-12);
        if (isfinite(s.cell.ratio.hi))
            cr_assert_float_eq(s.cell.ratio.lo * t.cell.ratio.hi, 1, 1e-12);
    }
}

/* P(more than this many of n) is below 10^-4 where each has probability p. */
static int tolerable(int n, double p)
{
    return (int)(n * p + 4 * sqrt(n * p) + 1);
}

/* The promise: at the margin, whence alarms are most likely, no more than the
 * level over all looks. */
Test(judge, false_alarms_over_all_looks_keep_the_level, .timeout = 60)
{
    enum { TURNS = 1500 };
    static struct samples s;
    struct random random;
    int alarms = 0, none = 0;

    random_seed(&random, 8);
    for (int turn = 0; turn < TURNS; turn++) {
        make_pairs(&s, &random, 1.01, 0.01);
        alarms += look_at_all(&s) == GATE_REGRESSED;
        make_pairs(&s, &random, 1, 0.01);
        none += look_at_all(&s) == GATE_UNCHANGED;
    }
    cr_assert(alarms <= tolerable(TURNS, level), "%d of %d", alarms, TURNS);
    cr_assert(alarms > 0, "so careful that the test cannot fail");
    cr_assert_eq(none, TURNS, "%d of %d", none, TURNS);
}

/* One look at many cells; all of them at the margin. */
Test(judge, false_alarms_of_a_family_keep_the_level, .timeout = 60)
{
    enum { TURNS = 400 };
    static struct samples s[FAMILY];
    struct gate_cell *cells[FAMILY];
    struct random random;
    int alarms = 0;

    random_seed(&random, 9);
    for (int turn = 0; turn < TURNS; turn++) {
        int any = 0;

        for (int i = 0; i < FAMILY; i++) {
            make_pairs(&s[i], &random, 1.01, 0.01);
            s[i].cell.pairs = 32;
            cells[i] = &s[i].cell;
        }
        cr_assert_eq(judge_look(cells, FAMILY, level), 0);
        for (int i = 0; i < FAMILY; i++)
            any |= cells[i]->verdict == GATE_REGRESSED;
        alarms += any;
    }
    cr_assert(alarms <= tolerable(TURNS, level), "%d of %d", alarms, TURNS);
}

/* 12 pairs all worse: p = 2^-12, which is below 0.001, but not in 20 cells. */
Test(judge, the_whole_family_counts_decided_cells_too)
{
    static struct samples s[FAMILY];
    struct gate_cell *cells[FAMILY];
    struct random random;

    random_seed(&random, 10);
    for (int i = 0; i < FAMILY; i++) {
        make_pairs(&s[i], &random, i ? 1 : 1.2, 0.01);
        cells[i] = &s[i].cell;
        cells[i]->pairs = i ? 200 : 12;
    }
    cr_assert_eq(judge_look(cells, 1, 0.001), 0);
    cr_assert_eq(cells[0]->verdict, GATE_REGRESSED, "%s", cells[0]->why);
    cr_assert_float_eq(cells[0]->p, 1 / 4096.0, 1e-12);
    cells[0]->verdict = GATE_UNDECIDED;
    for (int turn = 0; turn < 2; turn++) { /* the others are decided by then */
        cr_assert_eq(judge_look(cells, FAMILY, 0.001), 0);
        cr_assert_eq(cells[0]->verdict, GATE_UNDECIDED, "%s", cells[0]->why);
        cr_assert_float_eq(cells[0]->p, 20 / 4096.0, 1e-12);
        cr_assert_eq(cells[1]->verdict, GATE_UNCHANGED, "%s", cells[1]->why);
    }
    cells[0]->pairs = 20;
    cr_assert_eq(judge_look(cells, FAMILY, 0.001), 0);
    cr_assert_eq(cells[0]->verdict, GATE_REGRESSED, "%s", cells[0]->why);
}

Test(judge, values_without_a_logarithm_are_refused_and_spare_the_others)
{
    static const double bad[] = {0, -1, NAN};
    static struct samples s[2];
    struct gate_cell *cells[] = {&s[0].cell, &s[1].cell};
    struct random random;

    random_seed(&random, 11);
    for (int i = 0; i < 6; i++) {
        make_pairs(&s[0], &random, 1, 0.01);
        make_pairs(&s[1], &random, 1.1, 0.01);
        (i < 3 ? s[0].base : s[0].candidate)[5] = bad[i % 3];
        cells[0]->pairs = cells[1]->pairs = 20;
        cr_assert_eq(judge_look(cells, 2, look_level), 0);
        cr_assert_eq(cells[0]->verdict, GATE_REFUSED, "%s", cells[0]->why);
        cr_assert(cells[0]->why[0] && isnan(cells[0]->p));
        cr_assert_eq(cells[1]->verdict, GATE_REGRESSED, "%s", cells[1]->why);
    }
}

/* A crash of the candidate is a regression already: it stays one. */
Test(judge, what_was_decided_stays_so)
{
    static struct samples s;
    struct random random;
    struct gate_cell *cell = &s.cell;

    random_seed(&random, 12);
    make_pairs(&s, &random, 1, 0.01);
    judge_refuse(cell, "the candidate's run failed: %s", "crash");
    cell->verdict = GATE_REGRESSED;
    cell->pairs = 40;
    s.base[3] = 0;
    cr_assert_eq(judge_look(&cell, 1, look_level), 0);
    cr_assert_eq(cell->verdict, GATE_REGRESSED, "%s", cell->why);
    cr_assert_str_eq(cell->why, "the candidate's run failed: crash");
}

Test(judge, an_empty_family_is_no_error)
{
    struct gate_cell *none[1] = {NULL};

    cr_assert_eq(judge_look(none, 0, level), 0);
}
