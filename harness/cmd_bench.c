/* cmd_bench.c - `heapyard bench`: plan, run, stat and report in a row.
 *
 * The stages meet in files of one folder only: plan.tsv, samples.csv,
 * summary.csv, charts/.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "carry_out.h"
#include "commands.h"
#include "doctor.h"
#include "environment.h"
#include "folders.h"
#include "places.h"
#include "report.h"
#include "result_files.h"
#include "spec_args.h"
#include "terminal.h"
#include "stop_rule.h"
#include "ticks.h"

enum { PATH_ROOM = 4096 };

struct bench {
    const char *verb;
    struct spec_args args;
    struct plan plan;
    char folder[PATH_ROOM];
    char samples[PATH_ROOM + 32];
    struct stop_rule rule;
};

static int fail(const struct bench *b, const char *what, int code)
{
    fprintf(stderr, "%s: %s\n", b->verb, what);
    return code;
}

static void path_in(const struct bench *b, const char *name,
                    char out[PATH_ROOM + 32])
{
    snprintf(out, PATH_ROOM + 32, "%s/%s", b->folder, name);
}

/* ---- plan ---- */

static void default_folder(struct bench *b)
{
    char name[64];

    snprintf(name, sizeof name, "%.40s", b->args.spec.workloads.item[0]);
    name[strcspn(name, ":")] = 0;
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '_';
    folder_name(name, b->folder, sizeof b->folder);
}

static int check_rule(struct bench *b)
{
    char why[512];

    b->rule = (struct stop_rule){.precision = b->args.spec.precision,
                                 .budget_s = b->args.spec.budget_s,
                                 .baseline = b->args.baseline,
                                 .plan = &b->plan,
                                 .samples = b->samples,
                                 .begin_ns = clock_wall_ns()};
    return stop_rule_check(&b->rule, why, sizeof why) ? fail(b, why, EXIT_USAGE)
                                                      : EXIT_GOOD;
}

/* A baseline that was asked for must be in the plan. */
static int check_plan(struct bench *b)
{
    char why[512];

    if (!strcmp(b->args.baseline, "system"))
        return check_rule(b);
    for (size_t i = 0; i < b->plan.n; i++)
        if (!strcmp(b->plan.runs[i].allocator, b->args.baseline))
            return check_rule(b);
    snprintf(why, sizeof why,
             "--baseline = %.200s (want one of the allocators of the plan)",
             b->args.baseline);
    return fail(b, why, EXIT_USAGE);
}

/* Options beside --resume must make the plan that the folder has. */
static int read_plan(struct bench *b, const char *path)
{
    struct plan wanted;
    char why[512];

    if (!b->args.out)
        return fail(b, "--resume needs --out FOLDER", EXIT_USAGE);
    if (plan_read(path, &b->plan, why, sizeof why))
        return fail(b, why, EXIT_USAGE);
    if (!b->args.has_spec)
        return check_plan(b);
    if (plan_expand(&b->args.spec, &wanted, why, sizeof why))
        return fail(b, why, EXIT_USAGE);
    int is_same = plan_equal(&b->plan, &wanted);

    plan_free(&wanted);
    if (is_same)
        return check_plan(b);
    snprintf(why, sizeof why,
             "%.300s is another plan than these options make (leave them out, "
             "or use another --out)",
             path);
    return fail(b, why, EXIT_USAGE);
}

static int make_plan(struct bench *b)
{
    char why[512], path[PATH_ROOM + 32];

    if (b->args.out)
        snprintf(b->folder, sizeof b->folder, "%s", b->args.out);
    else
        default_folder(b);
    path_in(b, "samples.csv", b->samples);
    path_in(b, "plan.tsv", path);
    if (b->args.resume)
        return read_plan(b, path);
    if (plan_expand(&b->args.spec, &b->plan, why, sizeof why))
        return fail(b, why, EXIT_USAGE);
    if (check_plan(b))
        return EXIT_USAGE;
    int err = make_folders(b->folder);
    if (err) {
        snprintf(why, sizeof why, "%.400s: %s", b->folder, strerror(err));
        return fail(b, why, EXIT_INFRA);
    }
    err = result_plan_save(b->verb, b->folder, &b->plan);
    return err == EEXIST ? EXIT_USAGE : err ? EXIT_INFRA : EXIT_GOOD;
}

/* ---- stat and report ---- */

static int summarize(const struct bench *b, struct summary *summary)
{
    char why[512];

    if (!summary_from_samples(b->samples, b->args.baseline, summary, why,
                              sizeof why))
        return 0;
    fprintf(stderr, "%s: %s\n", b->verb, why);
    return -1;
}

/* A first look, while the rest is still running. */
static void show_first_block(const struct bench *b)
{
    struct summary summary;

    if (b->plan.runs[b->plan.n - 1].block < 3 || summarize(b, &summary))
        return;
    printf("First look, after 1 of %s%u blocks (no intervals yet):\n\n",
           stop_rule_is_set(&b->rule) ? "up to " : "",
           b->plan.runs[b->plan.n - 1].block);
    report_table(&summary, stdout, terminal_width(),
                 (isatty(STDOUT_FILENO) ? REPORT_COLOUR : 0) | REPORT_BRIEF);
    printf("Going on for intervals; Ctrl-C keeps what is done.\n\n");
    fflush(stdout);
    summary_free(&summary);
}

static int after_block(void *arg, uint32_t block, size_t done)
{
    struct bench *b = arg;
    int stop = stop_rule_after_block(&b->rule, block, done);

    if (block == 1 && !stop)
        show_first_block(b);
    return stop;
}

static int draw(const struct bench *b, const struct summary *summary)
{
    char out[PATH_ROOM + 32], machine[512], why[512];

    path_in(b, "charts", out);
    environment_line(machine, sizeof machine);
    int err = report_charts(summary, b->samples, places_plots(), out, machine,
                            why, sizeof why);
    if (err)
        fprintf(stderr, "%s: no charts: %s\n", b->verb, why);
    return err;
}

static int report(const struct bench *b)
{
    struct summary summary;

    if (summarize(b, &summary))
        return EXIT_INFRA;
    int err = result_summary_save(b->verb, b->folder, &summary);

    if (!err)
        err = result_schema_copy(b->verb, b->folder, "samples.schema.json");
    if (!err)
        err = result_schema_copy(b->verb, b->folder, "summary.schema.json");

    report_table(&summary, stdout, terminal_width(),
                 isatty(STDOUT_FILENO) ? REPORT_COLOUR : 0);
    int undrawn = draw(b, &summary);
    printf("\nSamples  %s\nSummary  %s/summary.csv\n", b->samples, b->folder);
    if (!undrawn)
        printf("Charts   %s/charts/\n", b->folder);
    printf("Columns and metrics are defined in results/README.md.\n");
    summary_free(&summary);
    return err || (undrawn && undrawn != ENOENT) ? EXIT_INFRA : EXIT_GOOD;
}

static int carry_out_bench(struct bench *b)
{
    char again[128] = "bench";

    stop_rule_options(&b->rule, again + strlen(again),
                      sizeof again - strlen(again));
    struct run_config config = {.plan = &b->plan,
                                .folder = b->folder,
                                .resume = b->args.resume,
                                .again = again,
                                .after_block = after_block,
                                .arg = b,
                                .may_stop = stop_rule_is_set(&b->rule)};
    int code = carry_out(b->verb, &config);

    if (code != EXIT_GOOD && code != EXIT_BAD_RUNS)
        return code;
    stop_rule_tell(&b->rule, b->verb, stderr);
    int reported = report(b);

    return reported ? reported : code;
}

int cmd_bench(int argc, char **argv)
{
    static const char doc[] =
        "Compare allocators on workloads: plan, run, stat and report in a "
        "row.\v"
        "Every run is a process of its own; all arms are interleaved in "
        "shuffled blocks.  Results go to results/out/DATE-WORKLOAD unless "
        "--out says otherwise.\n\nExamples:\n"
        "  heapyard bench --workload server-sim\n"
        "  heapyard bench --workload churn:objects=100000 --threads 1,2 "
        "--runs 20\n"
        "  heapyard bench --workload churn --precision 1% --budget 10m\n"
        "  heapyard bench --workload sqlite --allocator ./libmine.so\n"
        "  heapyard bench --resume --out results/out/20261122-server-sim\n";
    struct bench b = {.verb = argv[0]};

    spec_args_parse(argc, argv, doc, 1, &b.args);
    int code = make_plan(&b);
    if (code) {
        plan_free(&b.plan);
        return code;
    }
    doctor_warn(b.verb, b.folder, stderr);
    code = carry_out_bench(&b);
    plan_free(&b.plan);
    return code;
}
