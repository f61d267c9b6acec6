/* cmd_apps.c - `heapyard apps`: real programs under allocators.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app_list.h"
#include "app_suite.h"
#include "arguments.h"
#include "carry_out.h"
#include "commands.h"
#include "environment.h"
#include "folders.h"
#include "hyperfine.h"
#include "places.h"
#include "report.h"
#include "result_files.h"
#include "terminal.h"

enum {
    PATH_ROOM = 4096,
    RUNS_PRESET = 10,
    MEMORY_RUNS_PRESET = 3,
    RUNS_MAX = 1000
};

struct apps_args {
    struct app_names_list apps, arms;
    const char *out, *baseline;
    uint64_t runs, memory_runs, seed;
    int is_list;
};

enum { KEY_LIST = 256, KEY_MEMORY_RUNS, KEY_BASELINE };

static const struct argp_option options[] = {
    {"allocators", 'a', "A,B,...", 0,
     "system, own, a known library, one of ours with its knobs, or a .so file "
     "(default: system and all others)",
     0},
    {"runs", 'r', "N", 0, "timed runs of each (default: 10)", 0},
    {"memory-runs", KEY_MEMORY_RUNS, "N", 0,
     "runs of each in which memory is sampled (default: 3)", 0},
    {"seed", 's', "N", 0, "of the order of runs (default: 1)", 0},
    {"baseline", KEY_BASELINE, "NAME", 0,
     "allocator of the ratios (default: system)", 0},
    {"out", 'o', "DIR", 0, "results (default: results/out/DATE-apps)", 0},
    {"list", KEY_LIST, NULL, 0, "the programs, and which are installed", 0},
    {0},
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct apps_args *a = state->input;

    switch (key) {
    case 'a':
        app_names_argument(state, &a->arms, arg);
        return 0;
    case 'r':
        argument_whole(state, "runs", arg, 1, RUNS_MAX, &a->runs);
        return 0;
    case KEY_MEMORY_RUNS:
        argument_whole(state, "memory-runs", arg, 0, RUNS_MAX, &a->memory_runs);
        return 0;
    case 's':
        argument_whole(state, "seed", arg, 0, UINT64_MAX, &a->seed);
        return 0;
    case KEY_BASELINE:
        a->baseline = arg;
        return 0;
    case 'o':
        a->out = arg;
        return 0;
    case KEY_LIST:
        a->is_list = 1;
        return 0;
    case ARGP_KEY_ARG:
        app_names_argument(state, &a->apps, arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse_opt,
    "[NAME...]",
    "Run real programs under allocators: timed by hyperfine, their memory "
    "sampled, their output verified.\v"
    "Each NAME is a file NAME.app in workloads/apps, or the path of one; "
    "without any, all run. The library is preloaded, and the program itself "
    "says which one serves its malloc. In each block every program runs under "
    "each allocator, in shuffled order. A crash, a wrong output, a missing "
    "program or library is a row with that status.\n\n"
    "The allocator system is the C library, preloaded: own is what a program "
    "is linked with. Results are those of heapyard bench, with the workload "
    "app:NAME, where an operation is one run of the program.\n\n"
    "Examples:\n"
    "  heapyard apps --list\n"
    "  heapyard apps perl jq --allocators system,jemalloc --runs 10\n"
    "  heapyard apps redis --allocators own,system,./libmine.so",
    NULL,
    NULL,
    NULL};

/* ---- the end ---- */

static int report(const struct app_suite *s, const char *baseline)
{
    char samples[PATH_ROOM], charts[PATH_ROOM], machine[512], why[512];
    struct summary summary;

    snprintf(samples, sizeof samples, "%.3000s/samples.csv", s->folder);
    snprintf(charts, sizeof charts, "%.3000s/charts", s->folder);
    if (summary_from_samples(samples, baseline, &summary, why, sizeof why)) {
        fprintf(stderr, "%s: %s\n", s->verb, why);
        return EXIT_INFRA;
    }
    int err = result_summary_save(s->verb, s->folder, &summary);
    err = err ? err
              : result_schema_copy(s->verb, s->folder, "samples.schema.json");
    err = err ? err
              : result_schema_copy(s->verb, s->folder, "summary.schema.json");
    report_table(&summary, stdout, terminal_width(),
                 isatty(STDOUT_FILENO) ? REPORT_COLOUR : 0);
    environment_line(machine, sizeof machine);
    if (s->ok && report_charts(&summary, NULL, places_plots(), charts, machine,
                               why, sizeof why))
        fprintf(stderr, "%s: no charts: %s\n", s->verb, why);
    printf("\nSamples  %s\nSummary  %s/summary.csv\n", samples, s->folder);
    printf("An operation is one run of the program; metrics are defined in "
           "results/README.md.\n");
    summary_free(&summary);
    return err ? EXIT_INFRA : EXIT_GOOD;
}

static int run(struct app_suite *s, const char *baseline)
{
    int err = make_folders(s->folder);

    if (err) {
        fprintf(stderr, "%s: %s: %s\n", s->verb, s->folder, strerror(err));
        return EXIT_INFRA;
    }
    carry_out_catch_signals();
    err = app_suite_set_up(s);
    if (!err)
        err = app_suite_run(s);
    int code = app_suite_tell(s, err, s->why);

    if (!s->ok && !s->skipped && !s->failed)
        return code;
    int reported = report(s, baseline);
    return code ? code : reported;
}

static int check_baseline(const struct app_suite *s, const char *baseline)
{
    for (size_t i = 0; i < s->arms; i++)
        if (!strcmp(s->arm[i].allocator, baseline))
            return 0;
    if (!strcmp(baseline, "system"))
        return 0;
    fprintf(stderr, "%s: --baseline = %s (want one of the allocators)\n",
            s->verb, baseline);
    return EINVAL;
}

static int run_apps(const char *verb, struct apps_args *a)
{
    char folder[PATH_ROOM];
    uint64_t memory_runs = a->memory_runs < a->runs ? a->memory_runs : a->runs;

    if (!hyperfine_exists()) {
        fprintf(stderr, "%s: " HYPERFINE_MISSING "\n", verb);
        return EXIT_INFRA;
    }
    folder_name("apps", folder, sizeof folder);
    struct app_suite s = {.verb = verb,
                          .folder = a->out ? a->out : folder,
                          .runs = (uint32_t)a->runs,
                          .memory_runs = (uint32_t)memory_runs,
                          .seed = a->seed};
    int code = EXIT_USAGE;
    int err = app_names_preset(&a->apps, &a->arms, s.why, sizeof s.why);

    if (!err)
        err =
            app_suite_open(&s, a->apps.name, (const char *const *)a->arms.name);
    if (err)
        fprintf(stderr, "%s: %s\n", verb, s.why);
    else if (!check_baseline(&s, a->baseline))
        code = run(&s, a->baseline);
    app_suite_close(&s);
    return code;
}

int cmd_apps(int argc, char **argv)
{
    struct apps_args a = {.baseline = "system",
                          .runs = RUNS_PRESET,
                          .memory_runs = MEMORY_RUNS_PRESET,
                          .seed = 1};

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    int code = !a.is_list                ? run_apps(argv[0], &a)
               : app_list_print(argv[0]) ? EXIT_INFRA
                                         : EXIT_GOOD;

    app_names_clear(&a.apps);
    app_names_clear(&a.arms);
    return code;
}
