/* trial.c - one verdict on a change that is known, by the gate.
 *
 * Waste is linear in how often it is done, so what a small change needs
 * follows from a large one, which is measured far better in relation to itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trial.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gate_pairs.h"
#include "judge.h"
#include "ticks.h"

enum {
    PROBE_LOOPS = 400, /* at every allocation in PROBE_EVERY */
    PROBE_EVERY = 16
};

const char *const judge_names[JUDGES] = {
    [JUDGE_GATE] = "gate",
    [JUDGE_HYPERFINE] = "hyperfine-5%",
    [JUDGE_MANN_WHITNEY] = "mann-whitney",
};

void waste_name(const struct waste *w, char *out, size_t size)
{
    snprintf(out, size, "waste:of=%s:loops=%u:every=%u", w->of, w->loops,
             w->every);
}

/* The cell of a trial, before any pair. */
static struct gate_cell new_cell(const struct gate_config *config)
{
    struct gate_cell c = {.tier = GATE_PAIRED,
                          .less_is_better = 1,
                          .base = NAN,
                          .candidate = NAN,
                          .ratio = {NAN, NAN, NAN},
                          .p = NAN,
                          .detectable = NAN,
                          .verdict = GATE_UNDECIDED};

    for (int i = 0; i < GATE_RULES; i++)
        if (config->choice.is_chosen[i]) {
            c.margin = config->choice.margin[i];
            snprintf(c.metric, sizeof c.metric, "%s", gate_rules[i].metric);
            snprintf(c.unit, sizeof c.unit, "%s", gate_rules[i].unit);
        }
    return c;
}

static enum call call_of(enum gate_verdict verdict)
{
    switch (verdict) {
    case GATE_REGRESSED:
        return CALL_SLOWER;
    case GATE_IMPROVED:
        return CALL_FASTER;
    case GATE_UNCHANGED:
        return CALL_NONE;
    default:
        return CALL_OPEN;
    }
}

static void set_sides(struct gate_config *config, const struct waste *w,
                      struct plan_run *run)
{
    struct waste none = *w;

    none.loops = 0;
    waste_name(&none, config->side[GATE_BASE].allocator,
               sizeof config->side[GATE_BASE].allocator);
    waste_name(w, run->allocator, sizeof run->allocator);
}

int trial_gate(struct gate_session *session, struct gate_config *config,
               const struct plan_run *run, const struct waste *w,
               struct trial *out, char *why, size_t why_size)
{
    double values[GATE_SIDES][GATE_PAIRS_MAX];
    struct gate_cell cell = new_cell(config), *cells[] = {&cell};
    struct gate_arm arm = {.run = *run, .cell = {&cell}, .ncells = 1};
    uint64_t start = clock_wall_ns();

    cell.base_values = arm.values[GATE_BASE][0] = values[GATE_BASE];
    cell.candidate_values = arm.values[GATE_CANDIDATE][0] =
        values[GATE_CANDIDATE];
    set_sides(config, w, &arm.run);
    int err = gate_pairs(session, &arm, 1, cells, 1, why, why_size);

    if (err)
        return err;
    if (cell.verdict == GATE_REFUSED) {
        snprintf(why, why_size, "%s", cell.why);
        return EIO;
    }
    out->cell = cell;
    out->cell.base_values = out->cell.candidate_values = NULL;
    out->call[JUDGE_GATE] = call_of(cell.verdict);
    out->is_judged[JUDGE_GATE] = 1;
    out->seconds[JUDGE_GATE] = (double)(clock_wall_ns() - start) * 1e-9;
    return 0;
}

int waste_for(struct gate_session *session, struct gate_config *config,
              const struct plan_run *run, double share, struct waste *w,
              char *why, size_t why_size)
{
    struct waste probe = *w;
    struct gate_config patient = *config;
    struct trial trial = {0};

    probe.loops = PROBE_LOOPS;
    probe.every = PROBE_EVERY;
    for (int i = 0; i < GATE_RULES; i++)
        patient.choice.margin[i] = 9; /* within it after the first look */
    session->config = &patient;
    int err = trial_gate(session, &patient, run, &probe, &trial, why, why_size);

    session->config = config;
    if (err)
        return err;
    double slower = trial.cell.ratio.value - 1;

    if (!(slower > 2 * share)) {
        snprintf(why, why_size,
                 "%d turns at every %d allocations slow %s by %.2f %% only: "
                 "this workload allocates too little",
                 PROBE_LOOPS, PROBE_EVERY, w->of, 100 * slower);
        return EDOM;
    }
    /* The same turns, less often: a processor hides some of them behind other
     * work, and more of them the fewer they are at a time. */
    w->loops = PROBE_LOOPS;
    w->every = (unsigned)lround(PROBE_EVERY * slower / share);
    return 0;
}
