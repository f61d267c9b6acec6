/* cmd_calibrate.c - `heapyard calibrate`: how often is the gate wrong here?
 *
 * Trials of a program against itself, where each verdict but "unchanged" (or
 * "undecided") is a false alarm, and trials of a change that was put in,
 * which should be found.  Both kinds come in one shuffled order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calibration.h"
#include "carry_out.h"
#include "commands.h"
#include "environment.h"
#include "exec.h"
#include "folders.h"
#include "numbers.h"
#include "progress.h"
#include "proportion.h"
#include "robust.h"
#include "trial.h"

enum { PATH_ROOM = 4096, TRIALS_MAX = 10000 };

/* Of the scale of the trials of time: simulation is slow. */
#define EXACT_SCALE 0.05

struct calibrate {
    const char *verb;
    struct spec spec;
    struct gate_config config;
    struct gate_session session;
    struct plan plan, exact_plan; /* a line each: CPU time, instructions */
    struct waste waste;           /* that slows down by `slowdown` */
    struct waste exact_waste;     /* that adds `exact_change` */
    char folder[PATH_ROOM];
    const char *out;
    uint32_t trials, slow_trials, other_trials, exact_trials;
    double slowdown, exact_change;
    struct trial *trial; /* [done] */
    size_t done, all;
    struct calibration_row rows[CALIBRATION_ROWS_MAX];
    size_t nrows;
    char why[512];
};

enum {
    KEY_TRIALS = 256,
    KEY_SLOW,
    KEY_OTHERS,
    KEY_EXACT,
    KEY_SLOWDOWN,
    KEY_THRESHOLD,
    KEY_BUDGET,
    KEY_SCALE,
    KEY_SEED
};

static const struct argp_option options[] = {
    {"workload", 'w', "NAME", 0, "on which (default: churn)", 0},
    {"scale", KEY_SCALE, "F", 0, "multiplies its length (default: 1)", 0},
    {"allocator", 'a', "NAME", 0,
     "system, slab, buddy or pool, which is slowed down (default: slab)", 0},
    {"trials", KEY_TRIALS, "N", 0,
     "of the allocator against itself (default: 300)", 0},
    {"slow-trials", KEY_SLOW, "N", 0, "of a known slowdown (default: 100)", 0},
    {"slowdown", KEY_SLOWDOWN, "SHARE", 0,
     "that is put in, 0.1%..50% (default: 2%)", 0},
    {"others", KEY_OTHERS, "N", 0,
     "of each kind, judged by hyperfine's means and by Mann-Whitney too, in "
     "as much time (default: 100)",
     0},
    {"exact-trials", KEY_EXACT, "N", 0,
     "of simulated instructions, of each kind (default: 10)", 0},
    {"threshold", KEY_THRESHOLD, "SHARE", 0,
     "the gate's margin for CPU time (default: 1%)", 0},
    {"budget", KEY_BUDGET, "S", 0, "seconds of one verdict (default: 60)", 0},
    {"seed", KEY_SEED, "N", 0, "of orders and of the workload (default: 1)", 0},
    {"out", 'o', "FOLDER", 0, "where calibration.csv and trials.csv go", 0},
    {0},
};

static double parse_share(struct argp_state *state, const char *name,
                          const char *arg, double min, double max)
{
    double share = 0;

    if (share_parse(arg, min, max, &share))
        argp_error(state, "--%s = %s (want %g%%..%g%%)", name, arg, 100 * min,
                   100 * max);
    return share;
}

static uint32_t parse_count(struct argp_state *state, const char *name,
                            const char *arg, uint32_t min)
{
    uint64_t n = 0;

    if (number_parse(arg, min, TRIALS_MAX, &n))
        argp_error(state, "--%s = %s (want %u..%u)", name, arg, min,
                   TRIALS_MAX);
    return (uint32_t)n;
}

static void set_key(struct calibrate *c, const char *key, const char *arg,
                    struct argp_state *state)
{
    if (spec_set(&c->spec, key, arg, c->why, sizeof c->why))
        argp_error(state, "--%s", c->why);
    if (c->spec.workloads.n != 1)
        argp_error(state, "--workload = %s (want one workload)", arg);
}

static void set_margin(struct calibrate *c, double margin)
{
    for (int i = 0; i < GATE_RULES; i++)
        if (gate_rules[i].tier == GATE_PAIRED)
            c->config.choice.margin[i] = margin;
}

static void set_allocator(struct calibrate *c, const char *arg,
                          struct argp_state *state)
{
    static const char *const can[] = {"system", "slab", "buddy", "pool"};

    for (size_t i = 0; i < sizeof can / sizeof *can; i++)
        if (!strcmp(can[i], arg)) {
            snprintf(c->waste.of, sizeof c->waste.of, "%s", arg);
            return;
        }
    argp_error(state, "--allocator = %s (want system, slab, buddy or pool)",
               arg);
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct calibrate *c = state->input;

    switch (key) {
    case 'w':
        set_key(c, "workload", arg, state);
        return 0;
    case KEY_SCALE:
        set_key(c, "scale", arg, state);
        return 0;
    case KEY_SEED:
        set_key(c, "seed", arg, state);
        return 0;
    case 'a':
        set_allocator(c, arg, state);
        return 0;
    case 'o':
        c->out = arg;
        return 0;
    case KEY_TRIALS:
        c->trials = parse_count(state, "trials", arg, 1);
        return 0;
    case KEY_SLOW:
        c->slow_trials = parse_count(state, "slow-trials", arg, 1);
        return 0;
    case KEY_OTHERS:
        c->other_trials = parse_count(state, "others", arg, 0);
        return 0;
    case KEY_EXACT:
        c->exact_trials = parse_count(state, "exact-trials", arg, 0);
        return 0;
    case KEY_SLOWDOWN:
        c->slowdown = parse_share(state, "slowdown", arg, 0.001, 0.5);
        return 0;
    case KEY_THRESHOLD:
        set_margin(c, parse_share(state, "threshold", arg, 0.001, 0.5));
        return 0;
    case KEY_BUDGET:
        if (real_parse(arg, 1, 86400, &c->config.budget_s))
            argp_error(state, "--budget = %s (want 1..86400 seconds)", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse_opt,
    NULL,
    "Measure how often the gate is wrong on this machine.\v"
    "Takes long: about 5 s a trial, and as much again for the others.  Ctrl-C "
    "keeps and sums up what is done.\n\nExamples:\n"
    "  heapyard calibrate\n"
    "  heapyard calibrate --trials 20 --slow-trials 20 --others 0\n"
    "  heapyard calibrate --workload server-sim --allocator system --slowdown "
    "3%",
    NULL,
    NULL,
    NULL};

/* ---- setting up ---- */

static int fail(const struct calibrate *c, int err)
{
    fprintf(stderr, "%s: %s\n", c->verb,
            err == EINTR ? "stopped"
            : c->why[0]  ? c->why
                         : strerror(err));
    return err == EINTR                     ? EXIT_STOPPED
           : err == EINVAL || err == EEXIST ? EXIT_USAGE
                                            : EXIT_INFRA;
}

static const char *rows_path(const struct calibrate *c,
                             char path[PATH_ROOM + 32])
{
    snprintf(path, PATH_ROOM + 32, "%s/calibration.csv", c->folder);
    return path;
}

static int open_folder(struct calibrate *c)
{
    char path[PATH_ROOM + 32];

    if (c->out)
        snprintf(c->folder, sizeof c->folder, "%s", c->out);
    else
        folder_name("calibrate", c->folder, sizeof c->folder);
    c->config.folder = c->folder;
    int err = make_folders(c->folder);

    if (err)
        snprintf(c->why, sizeof c->why, "%.400s: %s", c->folder, strerror(err));
    else if (!access(rows_path(c, path), F_OK)) { /* it took hours */
        snprintf(c->why, sizeof c->why, "%.400s is there (want a new --out)",
                 path);
        err = EEXIST;
    }
    return err;
}

static int make_plan(struct calibrate *c)
{
    c->spec.runs = 1;
    c->spec.meters.n = 1;
    snprintf(c->spec.meters.item[0], SPEC_NAME_MAX, "time");
    c->spec.allocators.n = 1;
    waste_name(&c->waste, c->spec.allocators.item[0], SPEC_NAME_MAX);
    c->config.spec = &c->spec;
    for (int i = 0; i < GATE_RULES; i++)
        c->config.choice.is_chosen[i] =
            !strcmp(gate_rules[i].metric, "mid_per_op");
    int err = plan_expand(&c->spec, &c->plan, c->why, sizeof c->why);
    struct spec exact = c->spec;

    snprintf(exact.meters.item[0], SPEC_NAME_MAX, "simulated:cache=off");
    exact.scale *= EXACT_SCALE;
    if (!err)
        err = plan_expand(&exact, &c->exact_plan, c->why, sizeof c->why);
    return err;
}

/* Kinds and others' turns, spread evenly and then shuffled. */
static void lay_out(struct calibrate *c)
{
    c->all = c->trials + c->slow_trials;
    for (size_t i = 0; i < c->all; i++) {
        int is_slow = i >= c->trials;
        size_t place = is_slow ? i - c->trials : i;

        c->trial[i] = (struct trial){.injected = is_slow ? c->slowdown : 0,
                                     .others_ratio = NAN};
        c->trial[i].is_judged[JUDGE_HYPERFINE] = place < c->other_trials;
    }
    for (size_t i = c->all; i > 1; i--) {
        size_t j = (size_t)random_below(&c->session.random, i);
        struct trial other = c->trial[i - 1];

        c->trial[i - 1] = c->trial[j];
        c->trial[j] = other;
    }
    for (size_t i = 0; i < 2 * c->exact_trials; i++)
        c->trial[c->all++] =
            (struct trial){.is_exact = 1,
                           .injected = i % 2 ? c->exact_change : 0,
                           .others_ratio = NAN};
}

static int set_up(struct calibrate *c)
{
    int err = make_plan(c);

    if (!err)
        err = open_folder(c);
    if (!err)
        err = gate_session_open(&c->session, &c->config, c->why, sizeof c->why);
    c->trial = calloc(4 * TRIALS_MAX, sizeof *c->trial);
    if (!err && !c->trial)
        err = ENOMEM;
    if (!err && c->other_trials && !trial_others_exist()) {
        fputs("no hyperfine here: only the gate is tried\n", stderr);
        c->other_trials = 0;
    }
    if (!err) {
        fprintf(stderr, "finding how much work slows %s down by %.3g %%\n",
                c->waste.of, 100 * c->slowdown);
        err = waste_for(&c->session, &c->config, &c->plan.runs[0], c->slowdown,
                        &c->waste, c->why, sizeof c->why);
    }
    if (!err) {
        fprintf(stderr, "%u turns at every %u allocations\n", c->waste.loops,
                c->waste.every);
        c->exact_waste = c->waste;
    }
    if (!err && c->exact_trials)
        err = waste_for_count(&c->session, &c->exact_plan.runs[0],
                              c->exact_change, &c->exact_waste, c->why,
                              sizeof c->why);
    if (!err)
        lay_out(c);
    return err;
}

/* ---- trials ---- */

static double exact_margin(const struct calibrate *c)
{
    int i = 0;

    while (strcmp(gate_rules[i].metric, "sim_instructions"))
        i++;
    return c->config.choice.margin[i];
}

static int play_exact(struct calibrate *c, struct trial *t)
{
    struct waste w = c->exact_waste;

    if (t->injected == 0)
        w.loops = 0;
    return trial_exact(&c->session, &c->exact_plan.runs[0], &w, exact_margin(c),
                       t, c->why, sizeof c->why);
}

static int play(struct calibrate *c, struct trial *t)
{
    struct waste w = c->waste;
    int wants_others = t->is_judged[JUDGE_HYPERFINE];

    t->is_judged[JUDGE_HYPERFINE] = 0;
    if (t->injected == 0)
        w.loops = 0;
    int err = trial_gate(&c->session, &c->config, &c->plan.runs[0], &w, t,
                         c->why, sizeof c->why);

    if (!err && wants_others)
        err = trial_others(&c->session, &c->plan.runs[0], &w, t, c->why,
                           sizeof c->why);
    return err;
}

static int play_all(struct calibrate *c)
{
    struct progress progress;
    int err = 0;

    progress_start(&progress, c->all);
    while (c->done < c->all && !err) {
        struct trial *t = &c->trial[c->done];

        progress_show(&progress, t->is_exact ? "trials of instructions"
                                             : "trials of CPU time");
        err = t->is_exact ? play_exact(c, t) : play(c, t);
        c->done += !err;
        progress_step(&progress);
    }
    progress_clear(&progress);
    return err;
}

/* ---- what comes of it ---- */

static struct calibration_row *new_row(struct calibrate *c)
{
    struct calibration_row *r = &c->rows[c->nrows++];
    char cpus[16];

    *r = (struct calibration_row){.measured = NAN, .margin = NAN};
    environment_date(r->date, sizeof r->date);
    environment_fact("cpu", r->cpu, sizeof r->cpu);
    environment_fact("kernel", r->kernel, sizeof r->kernel);
    environment_fact("cpus", cpus, sizeof cpus);
    r->cpus = (uint32_t)atoi(cpus);
    snprintf(r->workload, sizeof r->workload, "%s", c->spec.workloads.item[0]);
    snprintf(r->allocator, sizeof r->allocator, "%s", c->waste.of);
    return r;
}

static double margin_of(const struct calibrate *c, enum judge j)
{
    static const double others[JUDGES] = {
        [JUDGE_HYPERFINE] = 0.05, [JUDGE_MANN_WHITNEY] = NAN};

    for (int i = 0; j == JUDGE_GATE && i < GATE_RULES; i++)
        if (c->config.choice.is_chosen[i])
            return c->config.choice.margin[i];
    return others[j];
}

/* All trials of one judge and one kind as a row, if there are any. */
static void sum_up(struct calibrate *c, enum judge j, int is_exact,
                   double injected, double scratch[])
{
    struct calibration_row row = {.trials = 0};
    size_t n = 0;

    for (size_t i = 0; i < c->done; i++) {
        const struct trial *t = &c->trial[i];

        if (!t->is_judged[j] || t->injected != injected ||
            t->is_exact != is_exact)
            continue;
        /* a slowdown that is called faster was not found */
        row.called += injected > 0 ? t->call[j] == CALL_SLOWER
                                   : t->call[j] == CALL_SLOWER ||
                                         t->call[j] == CALL_FASTER;
        row.open += t->call[j] == CALL_OPEN;
        scratch[n] = t->seconds[j];
        scratch[TRIALS_MAX + n++] =
            (j == JUDGE_GATE ? t->cell.ratio.value : t->others_ratio) - 1;
    }
    if (!n)
        return;
    struct calibration_row *r = new_row(c);

    reals_sort(scratch, n);
    reals_sort(scratch + TRIALS_MAX, n);
    snprintf(r->metric, sizeof r->metric, "%s",
             is_exact          ? "sim_instructions"
             : j == JUDGE_GATE ? "mid_per_op"
                               : "wall of process");
    snprintf(r->judge, sizeof r->judge, "%s", judge_names[j]);
    r->injected = injected;
    r->measured = scratch[TRIALS_MAX + n / 2];
    r->margin = is_exact ? exact_margin(c) : margin_of(c, j);
    r->trials = (uint32_t)n;
    r->called = row.called;
    r->open = row.open;
    r->share = proportion(row.called, (unsigned)n);
    r->seconds = scratch[n / 2];
    r->worst_seconds = scratch[n - 1];
}

/* ",1.020000"; "," if few runs have no such figure. */
static void put_ratio(FILE *f, double ratio)
{
    if (isfinite(ratio) && ratio > 0)
        fprintf(f, ",%.6f", ratio);
    else
        fputc(',', f);
}

static void put_trial(FILE *f, size_t number, const struct trial *t,
                      enum judge j)
{
    static const char *const calls[] = {"none", "slower", "faster", "open"};
    const struct interval others = {t->others_ratio, NAN, NAN};
    const struct interval *ratio = j == JUDGE_GATE ? &t->cell.ratio : &others;

    fprintf(f, "%zu,%s,%g,%s,%s", number,
            t->is_exact       ? "sim_instructions"
            : j == JUDGE_GATE ? "mid_per_op"
                              : "wall",
            t->injected, judge_names[j], calls[t->call[j]]);
    put_ratio(f, ratio->value);
    put_ratio(f, ratio->lo);
    put_ratio(f, ratio->hi);
    fprintf(f, ",%u,%.3f\n", j == JUDGE_GATE ? t->cell.pairs : t->others_runs,
            t->seconds[j]);
}

static int write_trials(const struct calibrate *c)
{
    char path[PATH_ROOM + 32];

    snprintf(path, sizeof path, "%s/trials.csv", c->folder);
    FILE *f = fopen(path, "w");
    if (!f)
        return errno;
    fputs("trial,metric,injected,judge,call,ratio,ratio_lo,ratio_hi,runs,"
          "seconds\n",
          f);
    for (size_t i = 0; i < c->done; i++)
        for (int j = 0; j < JUDGES; j++)
            if (c->trial[i].is_judged[j])
                put_trial(f, i + 1, &c->trial[i], (enum judge)j);
    int err = ferror(f) ? EIO : 0;

    return fclose(f) ? errno : err;
}

static int write_rows(const struct calibrate *c)
{
    char path[PATH_ROOM + 32];

    FILE *f = fopen(rows_path(c, path), "w");
    if (!f)
        return errno;
    int err = calibration_write(f, c->rows, c->nrows);

    return fclose(f) ? errno : err;
}

static int conclude(struct calibrate *c)
{
    double *scratch = malloc(2 * TRIALS_MAX * sizeof *scratch);

    if (!scratch)
        return ENOMEM;
    for (int kind = 0; kind < 2; kind++)
        for (int j = 0; j < JUDGES; j++)
            sum_up(c, (enum judge)j, 0, kind ? c->slowdown : 0, scratch);
    sum_up(c, JUDGE_GATE, 1, 0, scratch);
    sum_up(c, JUDGE_GATE, 1, c->exact_change, scratch);
    free(scratch);
    int err = write_trials(c);

    if (!err)
        err = write_rows(c);
    if (err) {
        snprintf(c->why, sizeof c->why, "%.400s: %s", c->folder, strerror(err));
        return err;
    }
    calibration_print(stdout, c->rows, c->nrows);
    printf("\nTrials   %s/trials.csv\nRows     %s/calibration.csv\n", c->folder,
           c->folder);
    return 0;
}

int cmd_calibrate(int argc, char **argv)
{
    struct calibrate *c = calloc(1, sizeof *c);

    if (!c)
        return EXIT_INFRA;
    c->verb = argv[0];
    c->waste = (struct waste){.of = "slab", .every = 1};
    c->trials = 300;
    c->slow_trials = c->other_trials = 100;
    c->exact_trials = 10;
    c->slowdown = 0.02;
    c->exact_change = 0.001;
    c->config = (struct gate_config){.budget_s = 60,
                                     .level = 0.01,
                                     .exact_scale = 1,
                                     .is_duet = 1,
                                     .is_quiet = 1,
                                     .is_unkept = 1};
    gate_choice_init(&c->config.choice);
    spec_init(&c->spec);
    (void)spec_set(&c->spec, "workload", "churn", c->why, sizeof c->why);
    c->why[0] = 0;
    argp_parse(&argp, argc, argv, 0, NULL, c);
    carry_out_catch_signals();
    int err = set_up(c);

    if (!err)
        err = play_all(c);
    int code = err ? fail(c, err) : EXIT_GOOD;

    if (c->done && (err = conclude(c))) /* whatever ended the trials */
        code = fail(c, err);
    gate_session_close(&c->session);
    plan_free(&c->plan);
    plan_free(&c->exact_plan);
    free(c->trial);
    free(c);
    return code;
}
