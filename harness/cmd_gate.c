/* cmd_gate.c - `heapyard gate`: is the candidate worse than the baseline?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <errno.h>
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
#include "gate_build.h"
#include "gate_run.h"
#include "numbers.h"
#include "places.h"
#include "report.h"
#include "spec_args.h"
#include "terminal.h"

#define DEFAULT_ALLOCATORS "slab,buddy,pool,arena"

enum { PATH_ROOM = 4096, REPORTS_MAX = 16 };

/* Of this verb, and of no other; README.md lists them. */
enum gate_exit {
    GATE_PASSED = 0,
    GATE_FAILED = 1,
    GATE_BROKEN = 2, /* usage, infrastructure, or nothing to compare */
    GATE_OPEN = 3    /* undecided or refused, with --strict */
};

struct gate_args {
    struct spec_args spec;
    struct gate_config config;
    const char *file, *build, *ref, *library;
    const char *report[REPORTS_MAX]; /* KIND=FILE */
    unsigned reports;
    int is_strict;
};

enum {
    KEY_BASELINE = 512,
    KEY_BUILD,
    KEY_REF,
    KEY_LIBRARY,
    KEY_METRICS,
    KEY_THRESHOLD,
    KEY_BUDGET,
    KEY_LEVEL,
    KEY_EXACT_SCALE,
    KEY_REPORT,
    KEY_STRICT,
    KEY_NO_DUET
};

static const struct argp_option options[] = {
    {0, 0, 0, 0, "What to compare with (one of these):", 1},
    {"baseline", KEY_BASELINE, "FILE", 0,
     "samples.csv of an earlier bench or gate, or its folder: for counts that "
     "repeat, never for times",
     1},
    {"baseline-build", KEY_BUILD, "DIR", 0,
     "another build of heapyard, for its own allocators", 1},
    {"baseline-ref", KEY_REF, "GIT", 0,
     "a commit of this source tree, which is built first", 1},
    {"baseline-library", KEY_LIBRARY, "FILE", 0,
     "the library that the one of --allocator replaces", 1},
    {0, 0, 0, 0, "How:", 2},
    {"metrics", KEY_METRICS, "LIST", 0, "judge these only; see below", 2},
    {"threshold", KEY_THRESHOLD, "LIST", 0,
     "margins: METRIC=2%,… or one for all", 2},
    {"budget", KEY_BUDGET, "S", 0,
     "seconds of pairs for each cell of times, 1..86400 (default: 60)", 2},
    {"level", KEY_LEVEL, "SHARE", 0,
     "chance of one or more false alarms among all times, 0.0001..0.2 "
     "(default: 1%)",
     2},
    {"exact-scale", KEY_EXACT_SCALE, "F", 0,
     "counts are taken at --scale times this (default: 0.1; simulation is "
     "slow)",
     2},
    {"no-duet", KEY_NO_DUET, NULL, 0,
     "the runs of a pair one after the other, even with one thread", 2},
    {0, 0, 0, 0, "What comes of it:", 3},
    {"report", KEY_REPORT, "KIND=FILE", 0,
     "write a report too, to standard output if FILE is - (may be given "
     "again); see below",
     3},
    {"strict", KEY_STRICT, NULL, 0,
     "exit 3 if a cell stays undecided or cannot be compared", 3},
    {0},
};

/* ---- options ---- */

static double parse_seconds(const char *text, struct argp_state *state)
{
    char number[32];
    size_t n = strlen(text);
    double unit = n && text[n - 1] == 'm' ? 60 : 1, value;

    n -= n && (text[n - 1] == 's' || text[n - 1] == 'm');
    snprintf(number, sizeof number, "%.*s", (int)(n < 31 ? n : 31), text);
    if (real_parse(number, 1 / unit, 86400 / unit, &value))
        argp_error(state, "--budget = %s (want 1s..86400s)", text);
    return value * unit;
}

static void set_report(struct gate_args *a, const char *arg,
                       struct argp_state *state)
{
    char kind[40];
    const char *equals = strchr(arg, '=');

    snprintf(kind, sizeof kind, "%.*s",
             equals && equals - arg < 39 ? (int)(equals - arg) : 0, arg);
    if (!equals || !equals[1] || !gate_format_find(kind))
        argp_error(state, "--report = %s (want KIND=FILE; see --help)", arg);
    if (a->reports == REPORTS_MAX)
        argp_error(state, "more than %d reports", REPORTS_MAX);
    else
        a->report[a->reports++] = arg;
}

static void check_all(struct gate_args *a, struct argp_state *state)
{
    int given = !!a->file + !!a->build + !!a->ref + !!a->library;

    if (given != 1)
        argp_error(state, "want one of --baseline, --baseline-build, "
                          "--baseline-ref, --baseline-library");
    if (a->library && a->spec.spec.allocators.n != 1)
        argp_error(state, "--baseline-library wants one --allocator: the "
                          "candidate");
    if (a->library && strlen(a->library) >= SPEC_NAME_MAX)
        argp_error(state, "--baseline-library = %s (want at most %d bytes)",
                   a->library, SPEC_NAME_MAX - 1);
}

static error_t parse_how(int key, char *arg, struct argp_state *state)
{
    struct gate_args *a = state->input;
    struct gate_config *c = &a->config;
    char why[512];

    switch (key) {
    case KEY_METRICS:
        if (gate_choice_metrics(&c->choice, arg, why, sizeof why))
            argp_error(state, "--metrics = %s", why);
        return 0;
    case KEY_THRESHOLD:
        if (gate_choice_margins(&c->choice, arg, why, sizeof why))
            argp_error(state, "--threshold = %s", why);
        return 0;
    case KEY_BUDGET:
        c->budget_s = parse_seconds(arg, state);
        return 0;
    case KEY_LEVEL:
        if (share_parse(arg, 1e-4, 0.2, &c->level))
            argp_error(state, "--level = %s (want 0.0001..0.2)", arg);
        return 0;
    case KEY_EXACT_SCALE:
        if (real_parse(arg, 1e-3, 1e3, &c->exact_scale))
            argp_error(state, "--exact-scale = %s (want 0.001..1000)", arg);
        return 0;
    case KEY_NO_DUET:
        c->is_duet = 0;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct gate_args *a = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->spec;
        return 0;
    case KEY_BASELINE:
        a->file = arg;
        return 0;
    case KEY_BUILD:
        a->build = arg;
        return 0;
    case KEY_REF:
        a->ref = arg;
        return 0;
    case KEY_LIBRARY:
        a->library = arg;
        return 0;
    case KEY_REPORT:
        set_report(a, arg, state);
        return 0;
    case KEY_STRICT:
        a->is_strict = 1;
        return 0;
    case ARGP_KEY_END:
        check_all(a, state);
        return 0;
    default:
        return parse_how(key, arg, state);
    }
}

static char *help_filter(int key, const char *text, void *input)
{
    char *help = NULL;
    size_t size = 0;
    FILE *f =
        key == ARGP_KEY_HELP_POST_DOC ? open_memstream(&help, &size) : NULL;

    (void)input;
    if (!f)
        return (char *)text;
    fputs("Metrics (* judged if --metrics says nothing else), with their "
          "margins:\n",
          f);
    for (int i = 0; i < GATE_RULES; i++)
        fprintf(f, "  %c %-18s %5.4g %%  %s\n",
                gate_rules[i].is_preset ? '*' : ' ', gate_rules[i].metric,
                100 * gate_rules[i].margin, gate_rules[i].summary);
    fputs("\nReports:\n", f);
    for (int i = 0; gate_formats[i].name; i++)
        fprintf(f, "  %-23s %s\n", gate_formats[i].name,
                gate_formats[i].summary);
    fprintf(f, "\n%s", text ? text : "");
    fclose(f);
    return help;
}

static void parse(int argc, char **argv, struct gate_args *a)
{
    static const char doc[] =
        "Judge a candidate against a baseline, cell by cell: improved, "
        "unchanged, regressed or undecided.\v"
        "Counts that repeat are compared as they are.  Times are compared only "
        "between runs of one session, in pairs, by a test against the margin; "
        "looking stops when all is decided.\n\n"
        "Exit codes: 0 nothing regressed, 1 something did, 2 usage or the "
        "machine failed, 3 undecided with --strict, 130 stopped.\n\nExamples:\n"
        "  heapyard gate --baseline-ref HEAD~1 --allocators slab,pool\n"
        "  heapyard gate --allocator ./libnew.so --baseline-library "
        "./libold.so\n"
        "  heapyard gate --baseline ci/baseline --metrics "
        "sim_instructions,leaked_bytes\n"
        "  heapyard gate --baseline-build ../old --report junit=gate.xml "
        "--report markdown=\"$GITHUB_STEP_SUMMARY\"";
    /* what the gate decides itself */
    static const char *const without[] = {"meters",    "runs",   "memory-runs",
                                          "precision", "budget", NULL};
    struct argp_option keys[SPEC_OPTIONS_MAX];
    struct argp spec;
    struct argp_child children[] = {
        {.argp = &spec, .header = "Of the runs:", .group = 4}, {0}};
    struct argp argp = {options,  parse_opt,   NULL, doc,
                        children, help_filter, NULL};

    spec_args_argp(keys, without, &spec);
    for (int i = 0; keys[i].name; i++)
        if (!strcmp(keys[i].name, "allocators"))
            keys[i].doc = "backends, known libraries, or paths of libraries "
                          "(default: " DEFAULT_ALLOCATORS ")";
    argp_parse(&argp, argc, argv, 0, NULL, a);
}

/* ---- the work ---- */

static int fail(const char *verb, const char *why)
{
    fprintf(stderr, "%s: %s\n", verb, why);
    return GATE_BROKEN;
}

static int make_folder(struct gate_args *a, char folder[PATH_ROOM], char *why,
                       size_t why_size)
{
    if (a->spec.out)
        snprintf(folder, PATH_ROOM, "%s", a->spec.out);
    else
        folder_name("gate", folder, PATH_ROOM);
    a->config.folder = folder;
    int err = make_folders(folder);

    if (err)
        snprintf(why, why_size, "%.400s: %s", folder, strerror(err));
    return err;
}

static int make_sides(struct gate_args *a, char *why, size_t why_size)
{
    struct gate_side *base = &a->config.side[GATE_BASE];
    struct gate_side *candidate = &a->config.side[GATE_CANDIDATE];

    snprintf(candidate->name, sizeof candidate->name, "heapyard %s",
             places_commit());
    if (a->library)
        snprintf(candidate->name, sizeof candidate->name, "%.199s",
                 a->spec.spec.allocators.item[0]);
    if (a->build)
        return gate_build_use(a->build, base, why, why_size);
    if (a->ref) {
        fprintf(stderr, "building %s\n", a->ref);
        return gate_build_ref(a->ref, a->config.folder, base, why, why_size);
    }
    snprintf(base->name, sizeof base->name, "%.199s",
             a->file ? a->file : a->library);
    a->config.baseline = a->file;
    if (a->file)
        gate_choice_counts(&a->config.choice);
    if (a->library)
        snprintf(base->allocator, sizeof base->allocator, "%s", a->library);
    return 0;
}

/* ---- reports ---- */

static int write_report(const char *verb, const struct gate_format *format,
                        const char *path, const struct gate_report *report)
{
    const int is_out = !strcmp(path, "-");
    FILE *f = is_out ? stdout /* a step summary may have text already: */
                     : fopen(path, "a");
    int err = f ? 0 : errno;

    if (f && !is_out && strcmp(format->name, "markdown") &&
        strcmp(format->name, "annotations"))
        err = ftruncate(fileno(f), 0) && errno != EINVAL ? errno : 0;
    if (!err)
        err = format->write(report, f);
    if (f && (is_out ? fflush(f) : fclose(f)) && !err)
        err = errno;
    if (err)
        fprintf(stderr, "%s: %s: %s\n", verb, path, strerror(err));
    return err;
}

static int write_reports(const char *verb, const struct gate_args *a,
                         const struct gate_report *report)
{
    char path[PATH_ROOM + 16], kind[40];
    int err;

    snprintf(path, sizeof path, "%.4000s/gate.csv", a->config.folder);
    err = write_report(verb, gate_format_find("csv"), path, report);
    for (unsigned i = 0; i < a->reports; i++) {
        const char *equals = strchr(a->report[i], '=');

        snprintf(kind, sizeof kind, "%.*s", (int)(equals - a->report[i]),
                 a->report[i]);
        int failed =
            write_report(verb, gate_format_find(kind), equals + 1, report);
        err = err ? err : failed;
    }
    return err;
}

static int verdict(const struct gate_args *a, const struct gate_report *r)
{
    size_t open = gate_count(r, GATE_UNDECIDED) + gate_count(r, GATE_REFUSED);

    if (gate_count(r, GATE_REGRESSED))
        return GATE_FAILED;
    if (gate_count(r, GATE_REFUSED) == r->n)
        return GATE_BROKEN; /* nothing was compared */
    return open && a->is_strict ? GATE_OPEN : GATE_PASSED;
}

/* How far these verdicts can be trusted, if that was measured. */
static void print_calibration(const struct gate_report *r)
{
    char sentence[300];
    int is_timed = 0;

    for (size_t i = 0; i < r->n; i++)
        is_timed |= r->cells[i].tier == GATE_PAIRED && r->cells[i].pairs;
    calibration_sentence(places_calibration(), sentence, sizeof sentence);
    if (is_timed && sentence[0])
        printf("\nCalibration: %s.\n", sentence);
    else if (is_timed)
        printf("\nHow often such verdicts are wrong on this kind of machine "
               "was not measured: heapyard calibrate\n");
}

static int report(const char *verb, const struct gate_args *a,
                  const struct gate_result *result)
{
    struct gate_report r = {
        .cells = result->cells, .n = result->n, .level = a->config.level};

    memcpy(r.base_name, a->config.side[GATE_BASE].name, sizeof r.base_name);
    memcpy(r.candidate_name, a->config.side[GATE_CANDIDATE].name,
           sizeof r.candidate_name);
    environment_line(r.machine, sizeof r.machine);
    environment_date(r.date, sizeof r.date);
    int err = gate_print(&r, stdout, terminal_width(), isatty(STDOUT_FILENO));

    if (!err)
        err = write_reports(verb, a, &r);
    print_calibration(&r);
    printf("\nRows     %s/%s/samples.csv\nVerdicts %s/gate.csv\n",
           a->config.folder, a->file ? "candidate" : "{baseline,candidate}",
           a->config.folder);
    return err ? GATE_BROKEN : verdict(a, &r);
}

int cmd_gate(int argc, char **argv)
{
    struct gate_args a = {
        .config = {
            .exact_scale = 0.1, .budget_s = 60, .level = 0.01, .is_duet = 1}};
    struct gate_result result = {0};
    char folder[PATH_ROOM], why[512] = "";

    spec_args_init(&a.spec);
    gate_choice_init(&a.config.choice);
    a.spec.spec.allocators.n = 0; /* those that are named, or these: */
    parse(argc, argv, &a);
    if (!a.spec.spec.allocators.n)
        (void)spec_set(&a.spec.spec, "allocators", DEFAULT_ALLOCATORS, why,
                       sizeof why);
    a.config.spec = &a.spec.spec;
    carry_out_catch_signals();
    int err = make_folder(&a, folder, why, sizeof why);

    if (!err)
        err = make_sides(&a, why, sizeof why);
    if (!err)
        err = gate_run(&a.config, &result, why, sizeof why);
    int code = err == EINTR ? EXIT_STOPPED
               : err        ? fail(argv[0], why)
                            : report(argv[0], &a, &result);
    if (err == EINTR)
        fprintf(stderr, "%s: stopped; the rows so far are in %s\n", argv[0],
                folder);
    gate_result_free(&result);
    return code;
}
