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
#include "folders.h"
#include "spec.h"
#include "stop_rule.h"
#include "ticks.h"

struct run_args {
    const char *plan, *out, *baseline;
    int resume;
    struct spec limits; /* of which precision and budget count */
};

enum { KEY_RESUME = 256, KEY_BASELINE, KEY_PRECISION, KEY_BUDGET };

static const struct argp_option options[] = {
    {"out", 'o', "FOLDER", 0,
     "gets samples.csv and environment.csv "
     "(default: .)",
     0},
    {"resume", KEY_RESUME, NULL, 0, "leave out what samples.csv has already",
     0},
    {"precision", KEY_PRECISION, "P%", 0,
     "stop when every time ratio is as precise (see: heapyard bench --help)",
     0},
    {"budget", KEY_BUDGET, "TIME", 0,
     "begin no block that would end later than this, as 60s, 5m or 1h", 0},
    {"baseline", KEY_BASELINE, "NAME", 0,
     "the allocator that those ratios relate to (default: system)", 0},
    {0},
};

static error_t set_limit(struct argp_state *state, const char *key,
                         const char *value)
{
    struct run_args *a = state->input;
    char why[256];

    if (spec_set(&a->limits, key, value, why, sizeof why))
        argp_error(state, "--%s", why);
    return 0;
}

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
    case KEY_PRECISION:
        return set_limit(state, "precision", arg);
    case KEY_BUDGET:
        return set_limit(state, "budget", arg);
    case KEY_BASELINE:
        a->baseline = arg;
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

static int after_block(void *arg, uint32_t block, size_t done)
{
    return stop_rule_after_block(arg, block, done);
}

/* The folder is made only for a plan that can be carried out. */
static int run(const char *verb, const struct run_args *a,
               const struct plan *plan)
{
    char again[640], samples[4200], why[512];
    struct stop_rule rule = {.precision = a->limits.precision,
                             .budget_s = a->limits.budget_s,
                             .baseline = a->baseline,
                             .plan = plan,
                             .samples = samples,
                             .begin_ns = clock_wall_ns()};
    struct run_config config = {.plan = plan,
                                .folder = a->out,
                                .resume = a->resume,
                                .again = again,
                                .after_block = after_block,
                                .arg = &rule,
                                .may_stop = stop_rule_is_set(&rule)};

    if (stop_rule_check(&rule, why, sizeof why)) {
        fprintf(stderr, "%s: %s\n", verb, why);
        return EXIT_USAGE;
    }
    int err = make_folders(a->out);
    if (err) {
        fprintf(stderr, "%s: %s: %s\n", verb, a->out, strerror(err));
        return EXIT_INFRA;
    }
    snprintf(samples, sizeof samples, "%.4000s/samples.csv", a->out);
    snprintf(again, sizeof again, "run %.500s", a->plan);
    stop_rule_options(&rule, again + strlen(again),
                      sizeof again - strlen(again));
    int code = carry_out(verb, &config);

    if (code == EXIT_GOOD || code == EXIT_BAD_RUNS)
        stop_rule_tell(&rule, verb, stderr);
    return code;
}

int cmd_run(int argc, char **argv)
{
    struct run_args a = {.out = ".", .baseline = "system"};
    struct plan plan;
    char why[512];

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (plan_read(a.plan, &plan, why, sizeof why)) {
        fprintf(stderr, "%s: %s\n", argv[0], why);
        return EXIT_USAGE;
    }
    int code = run(argv[0], &a, &plan);

    plan_free(&plan);
    return code;
}
