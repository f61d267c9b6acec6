/* cmd_fidelity.c - `heapyard fidelity`: does a replay say what the program
 * says?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app_list.h"
#include "arguments.h"
#include "carry_out.h"
#include "commands.h"
#include "fidelity_run.h"
#include "folders.h"
#include "hyperfine.h"
#include "result_files.h"
#include "terminal.h"

enum {
    PATH_ROOM = 4096,
    RUNS_PRESET = FIDELITY_BLOCKS_MIN,
    MEMORY_RUNS_PRESET = 2
};

/* Those whose memory is malloc's, by and large, and that can be recorded. */
static const char program_presets[] =
    "cc1,cppcheck,jq,lua,perl,python,sqlite,xmllint";
static const char allocator_presets[] =
    "system,jemalloc,mimalloc,tcmalloc,tbbmalloc";

struct fidelity_args {
    struct app_names_list apps, arms;
    const char *out;
    uint64_t runs, memory_runs, seed;
};

enum { KEY_MEMORY_RUNS = 256 };

static const struct argp_option options[] = {
    {"allocators", 'a', "A,B,...", 0,
     "two or more; the first is the baseline (default: "
     "system,jemalloc,mimalloc,tcmalloc,tbbmalloc)",
     0},
    {"runs", 'r', "N", 0,
     "timed runs of each program and of each replay (default: 8, the fewest "
     "that can tell two allocators apart)",
     0},
    {"memory-runs", KEY_MEMORY_RUNS, "N", 0,
     "runs of each in which memory is sampled (default: 2)", 0},
    {"seed", 's', "N", 0, "of the order of runs (default: 1)", 0},
    {"out", 'o', "DIR", 0, "results (default: results/out/DATE-fidelity)", 0},
    {0},
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct fidelity_args *a = state->input;

    switch (key) {
    case 'a':
        app_names_argument(state, &a->arms, arg);
        return 0;
    case 'r':
        argument_whole(state, "runs", arg, 1, FIDELITY_BLOCKS_MAX, &a->runs);
        return 0;
    case KEY_MEMORY_RUNS:
        argument_whole(state, "memory-runs", arg, 1, FIDELITY_BLOCKS_MAX,
                       &a->memory_runs);
        return 0;
    case 's':
        argument_whole(state, "seed", arg, 0, UINT64_MAX, &a->seed);
        return 0;
    case 'o':
        a->out = arg;
        return 0;
    case ARGP_KEY_ARG:
        app_names_argument(state, &a->apps, arg);
        return 0;
    case ARGP_KEY_END:
        for (size_t i = 0; i < a->arms.n; i++)
            if (!strcmp(a->arms.name[i], "own"))
                argp_error(state, "--allocators = own (want allocators that "
                                  "a replay can have too)");
        if (!a->apps.n)
            app_names_argument(state, &a->apps, program_presets);
        if (!a->arms.n)
            app_names_argument(state, &a->arms, allocator_presets);
        if (a->arms.n < 2 || a->arms.n > FIDELITY_ARMS_MAX)
            argp_error(state, "--allocators = %s (want 2..%d names)",
                       a->arms.name[0], FIDELITY_ARMS_MAX);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse_opt,
    "[NAME...]",
    "Does a replay say of allocators what the real program says? Record each "
    "program, replay it, run the program itself, and compare.\v"
    "Each NAME is a program of heapyard apps; without any: cc1, cppcheck, jq, "
    "lua, perl, python, sqlite and xmllint, which takes about five minutes. "
    "Compared are CPU time (how much the allocators differ, and in which "
    "order), peak and mean memory. Two allocators are in an order only where "
    "the program tells them apart: where the interval (99 %, by signed ranks) "
    "of their ratio does not hold 1.\n\n"
    "DIR gets fidelity.csv, the samples of the programs, the traces and, in "
    "replay/, the samples of the replays.\n\n"
    "Examples:\n"
    "  heapyard fidelity\n"
    "  heapyard fidelity perl jq --allocators system,mimalloc --runs 12",
    NULL,
    NULL,
    NULL};

/* All stages; what fails is said in study->why or suite->why. */
static int study_all(struct fidelity_study *study)
{
    struct app_suite *suite = study->suite;
    int err = app_suite_set_up(suite);

    err = err ? err : fidelity_record(study);
    err = err ? err : app_suite_run(suite);
    err = err ? err : fidelity_replay(study);
    err = err ? err : fidelity_gather(study);
    err = err ? err
              : fidelity_report(study, suite->arm[0].allocator, stdout,
                                terminal_width(), isatty(STDOUT_FILENO));
    if (!err)
        err = result_schema_copy(suite->verb, suite->folder,
                                 "fidelity.schema.json");
    return err;
}

static int run(struct app_suite *suite)
{
    struct fidelity_study study = {.suite = suite};
    int err = fidelity_check(&study);

    if (err) {
        fprintf(stderr, "%s: %s\n", suite->verb, study.why);
        return EXIT_USAGE;
    }
    err = make_folders(suite->folder);
    if (err) {
        fprintf(stderr, "%s: %s: %s\n", suite->verb, suite->folder,
                strerror(err));
        return EXIT_INFRA;
    }
    carry_out_catch_signals();
    err = study_all(&study);
    fidelity_study_close(&study);
    if (!err)
        printf("\nTable    %s/fidelity.csv\n", suite->folder);
    return app_suite_tell(suite, err, study.why[0] ? study.why : suite->why);
}

static int run_fidelity(const char *verb, const struct fidelity_args *a)
{
    char folder[PATH_ROOM];
    uint64_t memory_runs = a->memory_runs < a->runs ? a->memory_runs : a->runs;

    if (!hyperfine_exists()) {
        fprintf(stderr, "%s: " HYPERFINE_MISSING "\n", verb);
        return EXIT_INFRA;
    }
    folder_name("fidelity", folder, sizeof folder);
    struct app_suite s = {.verb = verb,
                          .folder = a->out ? a->out : folder,
                          .runs = (uint32_t)a->runs,
                          .memory_runs = (uint32_t)memory_runs,
                          .seed = a->seed};
    int err =
        app_suite_open(&s, a->apps.name, (const char *const *)a->arms.name);
    int code = EXIT_USAGE;

    if (err)
        fprintf(stderr, "%s: %s\n", verb, s.why);
    else
        code = run(&s);
    app_suite_close(&s);
    return code;
}

int cmd_fidelity(int argc, char **argv)
{
    struct fidelity_args a = {
        .runs = RUNS_PRESET, .memory_runs = MEMORY_RUNS_PRESET, .seed = 1};

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    int code = run_fidelity(argv[0], &a);

    app_names_clear(&a.apps);
    app_names_clear(&a.arms);
    return code;
}
