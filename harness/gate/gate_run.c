/* gate_run.c - measures two sides and judges one against the other.
 *
 * First the counts, which need few runs: every side plays each line of a plan
 * of the meters that the chosen metrics want.  Then the clocks, in pairs.
 *
 * Invariant: every chosen metric of every arm that one side or the other has
 *            is a cell with a verdict.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate_run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate_baseline.h"
#include "gate_pairs.h"
#include "judge.h"
#include "progress.h"
#include "run_rows.h"

enum { MEMORY_RUNS = 3 };

struct gate {
    const struct gate_config *config;
    struct gate_session session;
    struct gate_baseline baseline;
    struct plan exact;         /* the runs that count */
    struct plan timed;         /* one line an arm, of meter time */
    struct gate_arm *arms;     /* [timed.n] */
    struct gate_cell **paired; /* [npaired]: cells of the arms */
    size_t npaired;
    struct gate_result *result;
    char *why;
    size_t why_size;
};

static int fail(struct gate *g, int err)
{
    snprintf(g->why, g->why_size, "%s", strerror(err));
    return err;
}

/* ---- plans ---- */

static int has_meter(const struct spec_list *list, const char *meter)
{
    for (unsigned i = 0; i < list->n; i++)
        if (!strcmp(list->item[i], meter))
            return 1;
    return 0;
}

/* As a user would write it: 0.7 * 0.1 is 0.07, which in binary it is not, and
 * rows are found by it. */
static double exact_scale(const struct gate_config *c)
{
    char text[32];

    snprintf(text, sizeof text, "%.12g", c->spec->scale * c->exact_scale);
    return strtod(text, NULL);
}

static int make_plans(struct gate *g)
{
    const struct gate_config *c = g->config;
    struct spec spec = *c->spec;
    int err = 0;

    spec.runs = 1;
    spec.meters.n = 1;
    snprintf(spec.meters.item[0], SPEC_NAME_MAX, "time");
    err = plan_expand(&spec, &g->timed, g->why, g->why_size);
    if (err)
        return err;
    spec.runs = spec.memory_runs = MEMORY_RUNS;
    spec.scale = exact_scale(c);
    spec.meters.n = 0;
    for (int i = 0; i < GATE_RULES; i++)
        if (c->choice.is_chosen[i] && gate_rules[i].tier == GATE_EXACT &&
            !has_meter(&spec.meters, gate_rules[i].meter))
            snprintf(spec.meters.item[spec.meters.n++], SPEC_NAME_MAX, "%s",
                     gate_rules[i].meter);
    if (!spec.meters.n)
        return 0;
    return plan_expand(&spec, &g->exact, g->why, g->why_size);
}

/* ---- counts ---- */

static int play_both(struct gate *g, const struct plan_run *run,
                     const struct stored_trace *t)
{
    struct outcome out[GATE_SIDES] = {{.status = STATUS_ERROR},
                                      {.status = STATUS_ERROR}};
    int first = g->config->baseline ? GATE_CANDIDATE : GATE_BASE;
    int err = 0;

    for (int side = first; side < GATE_SIDES && !err; side++) {
        err = gate_session_play(&g->session, (enum gate_side_index)side, run, t,
                                &out[side], g->why, g->why_size);
    }
    outcome_free(&out[0]);
    outcome_free(&out[1]);
    return err;
}

static int count_all(struct gate *g)
{
    struct progress progress;
    char what[320];
    int err = 0;

    progress_start(&progress, g->exact.n);
    for (size_t i = 0; i < g->exact.n && !err; i++) {
        const struct plan_run *run = &g->exact.runs[i];
        const struct stored_trace *t;

        snprintf(what, sizeof what, "counting: %s of %.40s on %.40s",
                 run->meter, run->allocator, run->trace.workload);
        if (!g->config->is_quiet)
            progress_show(&progress, what);
        t = gate_session_trace(&g->session, run, g->why, g->why_size);
        if (exec_stop)
            err = EINTR;
        else if (t)
            err = play_both(g, run, t);
        progress_step(&progress);
    }
    if (!g->config->is_quiet)
        progress_clear(&progress);
    if (err == EINTR)
        snprintf(g->why, g->why_size, "stopped");
    return err;
}

/* ---- judging counts ---- */

/* All of one side's samples of a metric; NULL: none. */
static const struct cell *find_cell(const struct gate *g, int side,
                                    const struct gate_cell *c,
                                    const char *metric)
{
    return cells_find(&g->session.cells[side], &c->key, c->key.allocator,
                      metric, "");
}

/* The first failure of these runs on one side, as a sentence; NULL: none. */
static const char *find_failure(const struct gate *g, int side,
                                const struct gate_cell *c, enum status *status)
{
    const struct cell *cell = find_cell(g, side, c, "");

    for (int s = STATUS_OK + 1; cell && s < STATUS_KINDS; s++)
        if (cell->failed[s]) {
            *status = (enum status)s;
            return cell->note[s];
        }
    return NULL;
}

static int judge_if_failed(const struct gate *g, struct gate_cell *c)
{
    enum status base_status = STATUS_OK, status = STATUS_OK;
    const char *base = find_failure(g, GATE_BASE, c, &base_status);
    const char *candidate = find_failure(g, GATE_CANDIDATE, c, &status);

    if (!candidate && !base)
        return 0;
    if (candidate && base) {
        judge_refuse(c, "both failed: %s: %.150s", status_name(status),
                     candidate);
    } else if (candidate) {
        judge_refuse(c, "the candidate's run failed: %s: %.130s",
                     status_name(status), candidate);
        if (status != STATUS_SKIP)
            c->verdict = GATE_REGRESSED;
    } else {
        judge_refuse(c, "the baseline's run failed: %s: %.130s",
                     status_name(base_status), base);
        if (base_status != STATUS_SKIP)
            c->verdict = GATE_IMPROVED;
    }
    return 1;
}

/* A cell of the baseline that is ours but for one thing: say which. */
static void explain_missing(const struct gate *g, struct gate_cell *c)
{
    const struct cells *all = &g->session.cells[GATE_BASE];
    const struct run_key *k = &c->key;

    for (size_t i = 0; i < all->n; i++) {
        const struct estimate *e = &all->cell[i]->estimate;

        if (strcmp(e->metric, c->metric) ||
            strcmp(e->key.workload, k->workload) ||
            strcmp(e->key.allocator, k->allocator))
            continue;
        judge_refuse(c,
                     "the baseline has it only with meter %.20s, %u threads, "
                     "scale %g, touch %s, window %u (want %.20s, %u, %g, %s, "
                     "%u)",
                     e->key.meter, e->key.threads, e->key.scale, e->key.touch,
                     e->key.window, k->meter, k->threads, k->scale, k->touch,
                     k->window);
        return;
    }
    judge_refuse(c, "the baseline has no such cell");
}

/* The first sample whose seed (value, too) is not that of the first one; or
 * that one itself. */
static const struct sample *find_other(const struct cell *cell, int is_value)
{
    for (size_t i = 1; i < cell->n; i++)
        if (cell->samples[i].seed != cell->samples[0].seed ||
            (is_value && cell->samples[i].value != cell->samples[0].value))
            return &cell->samples[i];
    return &cell->samples[0];
}

/* Whether the two were measured alike; else the cell is refused. */
static int is_comparable(const struct gate *g, struct gate_cell *c,
                         const struct cell *base, const struct cell *candidate)
{
    const struct cell *theirs = find_cell(g, GATE_BASE, c, "trace_hash");
    const struct cell *ours = find_cell(g, GATE_CANDIDATE, c, "trace_hash");

    const uint64_t seed = candidate->samples[0].seed;

    if (base->samples[0].seed != seed || find_other(base, 0)->seed != seed)
        judge_refuse(c, "the baseline has seed %llu (want %llu)",
                     (unsigned long long)(base->samples[0].seed != seed
                                              ? base->samples[0].seed
                                              : find_other(base, 0)->seed),
                     (unsigned long long)seed);
    else if (!theirs || !ours)
        judge_refuse(c, "no trace_hash on one side: it cannot be told whether "
                        "both played the same trace");
    else if (theirs->samples[0].value != ours->samples[0].value ||
             find_other(theirs, 1)->value != ours->samples[0].value)
        judge_refuse(c, "the workload has changed: its trace has another hash "
                        "than the baseline's");
    else if (!strncmp(c->key.meter, "simulated", 9) &&
             strcmp(base->note[STATUS_OK], candidate->note[STATUS_OK]))
        judge_refuse(c, "another simulation: was \"%.70s\", is \"%.70s\"",
                     base->note[STATUS_OK], candidate->note[STATUS_OK]);
    else
        return 1;
    return 0;
}

static int compare(struct gate_cell *c, const struct cell *base,
                   const struct cell *candidate)
{
    double *a = malloc(base->n * sizeof *a);
    double *b = malloc(candidate->n * sizeof *b);
    int err = a && b ? 0 : ENOMEM;

    for (size_t i = 0; i < base->n && !err; i++)
        a[i] = base->samples[i].value;
    for (size_t i = 0; i < candidate->n && !err; i++)
        b[i] = candidate->samples[i].value;
    if (!err)
        err = judge_exact(c, a, base->n, b, candidate->n);
    free(a);
    free(b);
    return err;
}

static int has_values(const struct cell *cell)
{
    return cell && cell->n > 0;
}

static int judge_count(struct gate *g, const struct gate_rule *rule,
                       struct gate_cell *c)
{
    const struct cell *base = find_cell(g, GATE_BASE, c, c->metric);
    const struct cell *candidate = find_cell(g, GATE_CANDIDATE, c, c->metric);
    char excuse[200] = "";

    if (g->config->baseline)
        gate_baseline_excuse(&g->baseline, rule, excuse, sizeof excuse);
    if (judge_if_failed(g, c))
        return 0;
    if (!has_values(candidate) && !has_values(base)) {
        c->why[0] = 0; /* no cell: neither side can say */
        c->verdict = GATE_REFUSED;
    } else if (excuse[0])
        judge_refuse(c, "%s", excuse);
    else if (!has_values(candidate))
        judge_refuse(c, "%.60s has no %s", c->key.allocator, c->metric);
    else if (!has_values(base))
        explain_missing(g, c);
    else if (is_comparable(g, c, base, candidate))
        return compare(c, base, candidate);
    return 0;
}

/* ---- cells ---- */

static struct run_key key_of(const struct plan_run *run, const char *meter,
                             double scale, unsigned threads)
{
    struct run_key key = {.threads = threads,
                          .scale = scale,
                          .seed = run->trace.seed,
                          .window = run->window};

    snprintf(key.workload, sizeof key.workload, "%s", run->trace.workload);
    snprintf(key.allocator, sizeof key.allocator, "%s", run->allocator);
    snprintf(key.meter, sizeof key.meter, "%s", meter);
    snprintf(key.touch, sizeof key.touch, "%s", touch_name(run->touch));
    return key;
}

static void cell_init(struct gate *g, int rule, const struct plan_run *run,
                      struct gate_cell *c)
{
    const struct gate_rule *r = &gate_rules[rule];
    /* a recorded trace has no scale */
    double scale = run->trace.threads && r->tier == GATE_EXACT
                       ? exact_scale(g->config)
                       : run->trace.scale;
    struct plan_run asked = *run;
    char why[512];

    asked.trace.scale = scale;
    const struct stored_trace *t =
        gate_session_trace(&g->session, &asked, why, sizeof why);

    *c = (struct gate_cell){.tier = r->tier,
                            .less_is_better = r->less_is_better,
                            .base = NAN,
                            .candidate = NAN,
                            .ratio = {NAN, NAN, NAN},
                            .margin = g->config->choice.margin[rule],
                            .p = NAN,
                            .detectable = NAN,
                            .verdict = GATE_UNDECIDED};
    c->key = key_of(run, r->meter, scale,
                    t                    ? t->trace->threads
                    : run->trace.threads ? run->trace.threads
                                         : 1);
    snprintf(c->metric, sizeof c->metric, "%s", r->metric);
    snprintf(c->unit, sizeof c->unit, "%s", r->unit);
    if (!t)
        judge_refuse(c, "%.180s", why);
}

static size_t count_chosen(const struct gate_choice *choice,
                           enum gate_tier tier)
{
    size_t n = 0;

    for (int i = 0; i < GATE_RULES; i++)
        n += choice->is_chosen[i] && gate_rules[i].tier == tier;
    return n;
}

static void cell_pair(struct gate *g, struct gate_arm *arm, size_t at,
                      struct gate_cell *c)
{
    double *values = g->result->values + at * 2 * GATE_PAIRS_MAX;
    unsigned i = arm->ncells++;

    arm->cell[i] = c;
    arm->values[GATE_BASE][i] = values;
    arm->values[GATE_CANDIDATE][i] = values + GATE_PAIRS_MAX;
    c->base_values = arm->values[GATE_BASE][i];
    c->candidate_values = arm->values[GATE_CANDIDATE][i];
    g->paired[g->npaired++] = c;
}

static int make_cells(struct gate *g)
{
    const struct gate_choice *choice = &g->config->choice;
    size_t arms = g->timed.n;
    size_t exact = count_chosen(choice, GATE_EXACT);
    size_t paired = count_chosen(choice, GATE_PAIRED);
    size_t n = arms * (exact + paired);

    g->arms = calloc(arms, sizeof *g->arms);
    g->paired = calloc(arms * paired + 1, sizeof *g->paired);
    g->result->cells = calloc(n + 1, sizeof *g->result->cells);
    g->result->values =
        calloc(arms * paired * 2 * GATE_PAIRS_MAX + 1, sizeof(double));
    if (!g->arms || !g->paired || !g->result->cells || !g->result->values)
        return fail(g, ENOMEM);
    for (size_t a = 0; a < arms; a++) {
        g->arms[a].run = g->timed.runs[a];
        for (int r = 0; r < GATE_RULES; r++) {
            if (!choice->is_chosen[r])
                continue;
            struct gate_cell *c = &g->result->cells[g->result->n++];

            cell_init(g, r, &g->timed.runs[a], c);
            if (c->tier == GATE_PAIRED)
                cell_pair(g, &g->arms[a], g->npaired, c);
        }
    }
    return 0;
}

static const struct gate_rule *rule_of(const struct gate_cell *c)
{
    int i = 0;

    while (strcmp(gate_rules[i].metric, c->metric))
        i++;
    return &gate_rules[i];
}

static int judge_counts(struct gate *g)
{
    int err = 0;

    for (size_t i = 0; i < g->result->n && !err; i++) {
        struct gate_cell *c = &g->result->cells[i];

        if (c->tier == GATE_EXACT && c->verdict == GATE_UNDECIDED)
            err = judge_count(g, rule_of(c), c);
    }
    return err ? fail(g, err) : 0;
}

/* Against a file there are no pairs, and each such cell says why. */
static int time_all(struct gate *g)
{
    char excuse[200];

    if (!g->config->baseline)
        return gate_pairs(&g->session, g->arms, g->timed.n, g->paired,
                          g->npaired, g->why, g->why_size);
    for (size_t i = 0; i < g->npaired; i++) {
        gate_baseline_excuse(&g->baseline, rule_of(g->paired[i]), excuse,
                             sizeof excuse);
        judge_refuse(g->paired[i], "%s", excuse);
    }
    return 0;
}

/* Those that turned out to be none: such as leaks of an allocator that cannot
 * say what it has handed out. */
static void drop_absent(struct gate_result *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        if (r->cells[i].why[0])
            r->cells[n++] = r->cells[i];
    r->n = n;
}

static int carry_out(struct gate *g)
{
    int err = 0;

    if (g->config->baseline)
        err = gate_baseline_read(g->config->baseline,
                                 &g->session.cells[GATE_BASE], &g->baseline,
                                 g->why, g->why_size);
    if (!err)
        err = make_cells(g);
    if (!err)
        err = count_all(g);
    if (!err)
        err = judge_counts(g);
    if (!err && g->npaired)
        err = time_all(g);
    if (!err)
        drop_absent(g->result);
    return err;
}

int gate_run(const struct gate_config *config, struct gate_result *out,
             char *why, size_t why_size)
{
    struct gate g = {
        .config = config, .result = out, .why = why, .why_size = why_size};

    *out = (struct gate_result){0};
    int err = make_plans(&g);

    if (!err)
        err = gate_session_open(&g.session, config, why, why_size);
    if (!err)
        err = carry_out(&g);
    gate_session_close(&g.session);
    plan_free(&g.exact);
    plan_free(&g.timed);
    free(g.arms);
    free(g.paired);
    return err;
}

void gate_result_free(struct gate_result *r)
{
    free(r->cells);
    free(r->values);
    *r = (struct gate_result){0};
}
