/* cmd_gc.c - `heapyard gc`: what a collector costs, at every size of heap.
 *
 * Finds the smallest heap of each collector, runs all of them at multiples of
 * it, beside memory that is freed, and shows the trade of time for space,
 * pauses, and a lower bound of the overhead.  The files are those of a bench,
 * with arms.csv and collections.csv.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "allocator.h"
#include "carry_out.h"
#include "commands.h"
#include "doctor.h"
#include "environment.h"
#include "folders.h"
#include "gc_result.h"
#include "gc_study.h"
#include "gc_tune.h"
#include "numbers.h"
#include "places.h"
#include "result_files.h"
#include "spec_args.h"
#include "terminal.h"

enum { PATH_ROOM = 4096 };

struct gc_command {
    struct spec_args args;
    struct gc_study study;
    const struct gc_goal *goal; /* --tune, or NULL */
    char folder[PATH_ROOM];
    char samples[PATH_ROOM + 32];
};

enum { KEY_FACTORS = 256, KEY_QUICK, KEY_RESUME, KEY_TUNE };

static const struct argp_option options[] = {
    {"factors", KEY_FACTORS, "LIST", 0,
     "heaps, as multiples of each collector's minimum, 1..100 (default: "
     "1.25,1.5,2,3,4,6)",
     1},
    {"quick", KEY_QUICK, NULL, 0,
     "a first look: 3 runs at 1.5, 2 and 4, and rougher minimum heaps", 1},
    {"tune", KEY_TUNE, "GOAL", 0,
     "search the knobs of one --allocator instead: throughput, pause or "
     "memory; "
     "prints what it finds, and writes no files",
     1},
    {"resume", KEY_RESUME, NULL, 0,
     "go on where a stopped study left off (needs --out)", 1},
    {0},
};

/* ---- options ---- */

static void set_factors(struct gc_study *s, const char *text,
                        struct argp_state *state)
{
    const char *at = text;

    s->nfactors = 0;
    while (*at) {
        char one[24];
        size_t n = strcspn(at, ",");
        double factor = 0;

        snprintf(one, sizeof one, "%.*s", (int)(n < 23 ? n : 23), at);
        if (s->nfactors == GC_FACTORS_MAX || n > 22 ||
            real_parse(one, 1, 100, &factor) ||
            (s->nfactors && factor <= s->factor[s->nfactors - 1]))
            argp_error(state,
                       "--factors = %s (want at most %d numbers in 1..100, "
                       "rising)",
                       text, GC_FACTORS_MAX);
        s->factor[s->nfactors++] = factor;
        at += n + (at[n] == ',');
    }
    if (!s->nfactors)
        argp_error(state, "--factors = \"\" (want such as 1.5,2,4)");
}

static void add_all_collectors(struct spec *spec)
{
    for (size_t i = 0; allocators[i]; i++)
        if (allocators[i]->collection && spec->allocators.n < SPEC_LIST_MAX)
            snprintf(spec->allocators.item[spec->allocators.n++], SPEC_NAME_MAX,
                     "%s", allocators[i]->name);
}

static void check_all(struct gc_command *c, struct argp_state *state)
{
    struct spec *spec = &c->args.spec;
    char why[512];
    uint64_t least;

    if (c->goal && (c->args.resume || c->study.nfactors))
        argp_error(state, "--tune goes without %s",
                   c->args.resume ? "--resume" : "--factors");
    if (c->args.resume)
        return;
    if (spec->workloads.n != 1)
        argp_error(state, spec->workloads.n ? "want one --workload"
                                            : "want --workload NAME");
    if (spec->nthreads != 1)
        argp_error(state, "want one number of --threads");
    if (!spec->allocators.n)
        add_all_collectors(spec);
    if (c->goal && spec->allocators.n != 1)
        argp_error(state, "--tune wants one --allocator");
    for (unsigned i = 0; i < spec->allocators.n && !c->goal; i++)
        if (gc_collector_check(spec->allocators.item[i], &least, why,
                               sizeof why))
            argp_error(state, "--allocators = %s: %s", spec->allocators.item[i],
                       why);
    if (!c->study.nfactors)
        set_factors(&c->study,
                    c->study.is_quick ? "1.5,2,4" : "1.25,1.5,2,3,4,6", state);
    if (c->study.is_quick && !c->goal && !spec->runs)
        spec->runs = 3;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct gc_command *c = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &c->args;
        return 0;
    case KEY_FACTORS:
        set_factors(&c->study, arg, state);
        return 0;
    case KEY_QUICK:
        c->study.is_quick = 1;
        return 0;
    case KEY_TUNE:
        c->goal = gc_goal_find(arg);
        if (!c->goal)
            argp_error(state, "--tune = %s (want throughput, pause or memory)",
                       arg);
        return 0;
    case KEY_RESUME:
        c->args.resume = 1;
        return 0;
    case ARGP_KEY_END:
        if (c->args.resume && !c->args.out)
            argp_error(state, "--resume needs --out FOLDER");
        check_all(c, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse(int argc, char **argv, struct gc_command *c)
{
    static const char doc[] =
        "Study collectors: minimum heaps, time against space, pauses, "
        "overhead; or tune one.\v"
        "Each collector runs at multiples of the smallest heap that it can "
        "do with, and without a limit; system, slab and arena, whose memory "
        "is freed, are shown beside them.  Running out of memory is a "
        "result.\n\nExamples:\n"
        "  heapyard gc --workload gcbench --quick\n"
        "  heapyard gc --workload binary-trees --allocators gc,bdwgc --runs "
        "20\n"
        "  heapyard gc --workload gcbench --allocator gc --allocator "
        "gc:markers=2\n"
        "  heapyard gc --workload gcbench --tune pause --allocator gc\n"
        "  heapyard gc --resume --out results/out/20261125-gcbench-gc";
    static const char *const without[] = {"meters", "precision", "budget",
                                          NULL};
    struct argp_option keys[SPEC_OPTIONS_MAX];
    struct argp spec;
    struct argp_child children[] = {
        {.argp = &spec, .header = "Of the runs:", .group = 4}, {0}};
    struct argp argp = {options, parse_opt, NULL, doc, children, NULL, NULL};

    spec_args_argp(keys, without, &spec);
    for (int i = 0; keys[i].name; i++)
        if (!strcmp(keys[i].name, "allocators"))
            keys[i].doc = "collectors (default: all there are)";
        else if (!strcmp(keys[i].name, "workload"))
            keys[i].doc = "one workload, or a recorded trace";
        else if (!strcmp(keys[i].name, "memory-runs"))
            keys[i].doc = "runs of the memory meter (default: 3)";
    spec_args_init(&c->args);
    c->args.spec.workloads.n = c->args.spec.allocators.n = 0;
    c->args.spec.memory_runs = 3;
    argp_parse(&argp, argc, argv, 0, NULL, c);
}

/* ---- the study ---- */

static int fail(const struct gc_command *c, int err)
{
    const struct gc_study *s = &c->study;

    fprintf(stderr, "%s: %s\n", s->verb, s->why[0] ? s->why : strerror(err));
    return err == EINTR                                       ? EXIT_STOPPED
           : err == EINVAL || err == ENOENT || err == EBADMSG ? EXIT_USAGE
                                                              : EXIT_INFRA;
}

static int make_folder(struct gc_command *c)
{
    char name[64];

    if (c->args.out) {
        snprintf(c->folder, sizeof c->folder, "%s", c->args.out);
    } else {
        snprintf(name, sizeof name, "%.40s-gc", c->args.spec.workloads.item[0]);
        name[strcspn(name, ":")] = 0;
        for (char *p = name; *p; p++)
            *p = *p == '/' ? '_' : *p;
        folder_name(name, c->folder, sizeof c->folder);
    }
    c->study.folder = c->folder;
    snprintf(c->samples, sizeof c->samples, "%s/samples.csv", c->folder);
    int err = make_folders(c->folder);

    if (err)
        snprintf(c->study.why, sizeof c->study.why, "%.400s: %s", c->folder,
                 strerror(err));
    return err;
}

/* What of the spec its later stages need, from the plan. */
static void take_spec(struct gc_command *c, const struct plan_run *run)
{
    struct spec *spec = &c->args.spec;

    spec->workloads.n = 1;
    snprintf(spec->workloads.item[0], SPEC_NAME_MAX, "%s", run->trace.workload);
    spec->threads[0] = run->trace.threads ? run->trace.threads : 1;
    spec->seed = run->trace.seed;
    spec->scale = run->trace.scale;
    spec->touch = run->touch;
    spec->window = run->window;
    spec->timeout_s = run->timeout_s;
}

static int read_study(struct gc_command *c)
{
    struct gc_study *s = &c->study;
    char path[PATH_ROOM + 32];

    snprintf(path, sizeof path, "%s/plan.tsv", c->folder);
    int err = plan_read(path, &s->plan, s->why, sizeof s->why);

    if (!err)
        err = gc_arms_read(&s->arms, c->folder, s->why, sizeof s->why);
    if (!err)
        take_spec(c, &s->plan.runs[0]);
    return err;
}

static int begin_study(struct gc_command *c)
{
    struct gc_study *s = &c->study;
    char path[PATH_ROOM + 32];

    snprintf(path, sizeof path, "%s/plan.tsv", c->folder);
    if (!access(path, F_OK)) {
        snprintf(s->why, sizeof s->why,
                 "%.300s is there: go on with --resume, or use another --out",
                 path);
        return EINVAL;
    }
    carry_out_catch_signals();
    int err = gc_study_heaps(s);

    if (!err)
        err = gc_arms_write(&s->arms, c->folder, s->why, sizeof s->why);
    if (!err)
        err = gc_study_plan(s);
    return err ? err : result_plan_save(s->verb, c->folder, &s->plan);
}

/* ---- the report ---- */

static int draw(struct gc_command *c, const struct gc_result *r)
{
    char out[PATH_ROOM + 32], machine[512];

    snprintf(out, sizeof out, "%s/charts", c->folder);
    environment_line(machine, sizeof machine);
    int err = study_charts(r, places_plots(), out, machine, c->study.why,
                           sizeof c->study.why);

    if (err)
        fprintf(stderr, "%s: no charts: %s\n", c->study.verb, c->study.why);
    return err == ENOENT ? 0 : err;
}

static int save(const struct gc_command *c, const struct summary *summary)
{
    static const char *const schemas[] = {"samples.schema.json",
                                          "summary.schema.json",
                                          "collections.schema.json"};
    int err = result_summary_save(c->study.verb, c->folder, summary);

    for (size_t i = 0; i < sizeof schemas / sizeof *schemas && !err; i++)
        err = result_schema_copy(c->study.verb, c->folder, schemas[i]);
    return err;
}

static void print(const struct gc_command *c, const struct gc_result *r)
{
    const struct spec *spec = &c->args.spec;
    unsigned threads = spec->threads[0];

    printf("%s, %u thread%s, scale %g\n", spec->workloads.item[0], threads,
           threads == 1 ? "" : "s", spec->scale);
    study_print(r, stdout, terminal_width(), isatty(STDOUT_FILENO));
}

/* Out of memory is a result; anything else is a failure. */
static int exit_code(const struct gc_result *r)
{
    for (size_t i = 0; i < r->summary->n; i++) {
        const struct estimate *e = &r->summary->estimates[i];

        if (!e->n && e->failed && e->status != STATUS_NOMEM &&
            e->status != STATUS_SKIP)
            return EXIT_BAD_RUNS;
    }
    return EXIT_GOOD;
}

static int report(struct gc_command *c, const struct summary *summary)
{
    struct gc_study *s = &c->study;
    struct collections log;
    struct gc_result r = {.arms = &s->arms, .summary = summary, .log = &log};
    int ok[GC_ARMS_MAX];
    char path[PATH_ROOM + 32];

    for (size_t i = 0; i < s->arms.n; i++)
        ok[i] = study_status(&r, i) == STATUS_OK;
    int err = gc_study_log(s, ok);

    snprintf(path, sizeof path, "%s/collections.csv", c->folder);
    if (!err)
        err = collections_read(path, &log, s->why, sizeof s->why);
    if (err)
        return fail(c, err);
    study_bounds(&r);
    print(c, &r);
    err = save(c, summary);
    if (!err)
        err = draw(c, &r);
    printf("\nIn %s: samples.csv, summary.csv, arms.csv, collections.csv, "
           "charts/\nColumns and metrics are defined in results/README.md.\n",
           c->folder);
    collections_free(&log);
    return err ? EXIT_INFRA : exit_code(&r);
}

static int run_study(struct gc_command *c)
{
    struct gc_study *s = &c->study;
    struct run_config config = {.plan = &s->plan,
                                .folder = c->folder,
                                .resume = c->args.resume,
                                .again = "gc"};
    struct summary summary;
    int code = carry_out(s->verb, &config);

    if (code != EXIT_GOOD && code != EXIT_BAD_RUNS)
        return code;
    int err = summary_from_samples(c->samples, "system", &summary, s->why,
                                   sizeof s->why);
    if (err)
        return fail(c, err);
    code = report(c, &summary);
    summary_free(&summary);
    return code;
}

/* It prints what it finds, and leaves no files. */
static int tune(struct gc_command *c)
{
    int code = gc_tune(&c->study, c->goal);

    rmdir(c->folder);
    return code;
}

int cmd_gc(int argc, char **argv)
{
    struct gc_command c = {.study = {.verb = argv[0]}};

    c.study.spec = &c.args.spec;
    parse(argc, argv, &c);
    int err = make_folder(&c);

    if (!err && c.goal)
        return tune(&c);
    if (!err)
        err = c.args.resume ? read_study(&c) : begin_study(&c);
    if (err) {
        rmdir(c.folder); /* if there is nothing in it */
        return fail(&c, err);
    }
    doctor_warn(c.study.verb, c.folder, stderr);
    int code = run_study(&c);

    plan_free(&c.study.plan);
    return code;
}
