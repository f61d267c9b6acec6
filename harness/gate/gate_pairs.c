/* gate_pairs.c - pairs of runs until each cell is decided.
 *
 * Group sequential: a look at 16, 32, 64 … pairs, each at a sixth of the
 * level, so that looking often does not cry wolf (Bonferroni).  A round plays
 * every arm that is still open once, in shuffled order, so that the time that
 * one arm takes does not put its pairs into another hour than the others'.
 *
 * Invariant: an arm has as many values on one side as on the other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_pairs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "judge.h"
#include "progress.h"
#include "ticks.h"

struct pairs {
    struct gate_session *session;
    struct gate_arm *arms;
    size_t n;
    struct gate_cell **cells;
    size_t m;
    uint32_t round;
    struct progress progress;
    char *why;
    size_t why_size;
};

/* A run that failed decides all that it can: there is nothing to compare, or
 * the candidate has broken what the baseline can do. */
static void judge_failure(struct gate_arm *arm, const struct outcome out[])
{
    const struct outcome *base = &out[GATE_BASE],
                         *candidate = &out[GATE_CANDIDATE];

    arm->is_over = 1;
    for (unsigned i = 0; i < arm->ncells; i++) {
        struct gate_cell *c = arm->cell[i];

        if (base->status != STATUS_OK) {
            judge_refuse(c, "the baseline's run failed: %s: %.120s",
                         status_name(base->status), base->note);
        } else {
            judge_refuse(c, "the candidate's run failed: %s: %.120s",
                         status_name(candidate->status), candidate->note);
            if (candidate->status != STATUS_SKIP)
                c->verdict = GATE_REGRESSED;
        }
    }
}

/* The value of a pair is the geometric mean of its turns, but for what only
 * the last one has. */
static void take_values(struct gate_arm *arm, const struct outcome out[],
                        unsigned turn)
{
    const unsigned last = GATE_TURNS - 1;

    for (unsigned i = 0; i < arm->ncells; i++) {
        struct gate_cell *c = arm->cell[i];

        for (int side = 0; side < GATE_SIDES; side++) {
            const struct outcome_value *v = outcome_find(&out[side], c->metric);
            double *value = &arm->values[side][i][c->pairs];
            double power = pow(turn ? *value : 1, turn / (turn + 1.0));

            if (v && !strcmp(c->metric, "mid_per_op"))
                *value = v->value;
            else if (v)
                *value = power * pow(v->value, 1 / (turn + 1.0));
            else if (strcmp(c->metric, "mid_per_op") || turn == last)
                judge_refuse(c, "a run has no %s", c->metric);
        }
        c->pairs += turn == last && c->verdict != GATE_REFUSED;
    }
}

static int is_decided(const struct gate_arm *arm)
{
    for (unsigned i = 0; i < arm->ncells; i++)
        if (arm->cell[i]->verdict == GATE_UNDECIDED)
            return 0;
    return 1;
}

static int play_turn(struct pairs *p, struct gate_arm *arm,
                     const struct stored_trace *t, unsigned turn,
                     const struct gate_turn *how)
{
    struct outcome out[GATE_SIDES];

    arm->run.block = GATE_TURNS * (p->round - 1) + turn + 1;
    int err = gate_session_pair(p->session, &arm->run, t, how, out, p->why,
                                p->why_size);

    if (!err && out[0].status == STATUS_OK && out[1].status == STATUS_OK)
        take_values(arm, out, turn);
    else if (!err)
        judge_failure(arm, out);
    outcome_free(&out[0]);
    outcome_free(&out[1]);
    return err;
}

/* One pair: turns in which the sides change places (there, back, back, there),
 * so that what makes one CPU slower for a while, or all of them slower and
 * slower, cancels. */
static int play(struct pairs *p, struct gate_arm *arm)
{
    const struct stored_trace *t =
        gate_session_trace(p->session, &arm->run, p->why, p->why_size);
    const unsigned first = (unsigned)random_below(&p->session->random, 2);
    const uint64_t start = clock_wall_ns();
    struct slices slices;
    int err = 0;

    if (!t) {
        for (unsigned i = 0; i < arm->ncells; i++)
            judge_refuse(arm->cell[i], "%.180s", p->why);
        arm->is_over = 1;
        return 0;
    }
    slices_begin(&slices);
    for (unsigned turn = 0; turn < GATE_TURNS && !err && !arm->is_over;
         turn++) {
        const struct gate_turn how = {.swap = first ^ (turn == 1 || turn == 2),
                                      .is_last = turn + 1 == GATE_TURNS,
                                      .slices = &slices};

        err = play_turn(p, arm, t, turn, &how);
    }
    double took_s = (double)(clock_wall_ns() - start) * 1e-9;

    arm->used_s += took_s;
    arm->is_over |= arm->used_s + took_s > p->session->config->budget_s ||
                    p->round == GATE_PAIRS_MAX;
    return err;
}

static size_t count_open(const struct pairs *p)
{
    size_t open = 0;

    for (size_t i = 0; i < p->n; i++)
        open += !p->arms[i].is_over;
    return open;
}

static void show(struct pairs *p)
{
    char what[96];

    if (p->session->config->is_quiet)
        return;
    snprintf(what, sizeof what, "pair %u of at most %d; %zu of %zu arms open",
             (unsigned)p->round, GATE_PAIRS_MAX, count_open(p), p->n);
    progress_show(&p->progress, what);
}

/* Fisher and Yates; the arms themselves stay where they are. */
static void shuffle(struct random *random, size_t order[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)random_below(random, i), other = order[i - 1];

        order[i - 1] = order[j];
        order[j] = other;
    }
}

static int play_round(struct pairs *p, size_t order[])
{
    int err = 0;

    p->round++;
    shuffle(&p->session->random, order, p->n);
    for (size_t i = 0; i < p->n && !err; i++) {
        struct gate_arm *arm = &p->arms[order[i]];

        if (arm->is_over)
            continue;
        show(p);
        err = exec_stop ? EINTR : play(p, arm);
    }
    return err;
}

/* 16, 32, 64, … */
static int is_look(uint32_t round)
{
    return round >= GATE_PAIRS_FIRST && !(round & (round - 1));
}

static int look(struct pairs *p)
{
    int err =
        judge_look(p->cells, p->m, p->session->config->level / GATE_LOOKS);

    for (size_t i = 0; i < p->n; i++)
        p->arms[i].is_over |= is_decided(&p->arms[i]);
    if (err)
        snprintf(p->why, p->why_size, "%s", strerror(err));
    return err;
}

int gate_pairs(struct gate_session *session, struct gate_arm arms[], size_t n,
               struct gate_cell *cells[], size_t m, char *why, size_t why_size)
{
    struct pairs p = {.session = session,
                      .arms = arms,
                      .n = n,
                      .cells = cells,
                      .m = m,
                      .why = why,
                      .why_size = why_size};
    size_t order[SPEC_LIST_MAX * SPEC_LIST_MAX];
    int err = n <= sizeof order / sizeof *order ? 0 : E2BIG;

    progress_start(&p.progress, 0);
    if (err)
        snprintf(why, why_size, "more than %zu arms",
                 sizeof order / sizeof *order);
    while (!err && count_open(&p)) {
        err = play_round(&p, order);
        if (!err && (is_look(p.round) || !count_open(&p)))
            err = look(&p);
    }
    if (!session->config->is_quiet)
        progress_clear(&p.progress);
    return err;
}
