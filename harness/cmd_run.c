/* cmd_run.c - `heapyard run`: carry out a plan.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "carry_out.h"
#include "commands.h"

struct run_args {
    const char *plan, *out;
    int resume;
};

enum { KEY_RESUME = 256 };

static const struct argp_option options[] = {
    {"out", 'o', "FOLDER", 0,
     "gets samples.csv and environment.csv "
     "(default: .)",
     0},
    {"resume", KEY_RESUME, NULL, 0, "leave out what samples.csv has already",
     0},
    {0},
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct run_args *a = state->input;

    switch (key) {
    case 'o':
        a->out = arg;
        return 0;
    case KEY_RESUME:
        a->resume = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (a->plan)
            argp_error(state, "want one PLAN");
        a->plan = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->plan)
            argp_error(state, "want a PLAN (see: heapyard plan --help)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse_opt,
    "PLAN.tsv",
    "Carry out a plan: each run in a child process, its values as rows of "
    "samples.csv.\v"
    "A run that crashes, hangs or breaks its contract is a row with that "
    "status.\n\nExample:\n"
    "  heapyard plan --workload churn > plan.tsv\n"
    "  heapyard run plan.tsv --out results/out/churn",
    NULL,
    NULL,
    NULL};

int cmd_run(int argc, char **argv)
{
    struct run_args a = {.out = "."};
    struct plan plan;
    char why[512];

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (plan_read(a.plan, &plan, why, sizeof why)) {
        fprintf(stderr, "%s: %s\n", argv[0], why);
        return EXIT_USAGE;
    }
    int err = make_folders(a.out);
    if (err) {
        fprintf(stderr, "%s: %s: %s\n", argv[0], a.out, strerror(err));
        plan_free(&plan);
        return EXIT_INFRA;
    }
    char again[512];

    snprintf(again, sizeof again, "run %.500s", a.plan);
    struct run_config config = {
        .plan = &plan, .folder = a.out, .resume = a.resume, .again = again};
    int code = carry_out(argv[0], &config);

    plan_free(&plan);
    return code;
}
