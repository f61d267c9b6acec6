/* cmd_history.c - `heapyard history`: medians of many commits, and where they
 * changed.
 *
 * Two verbs of its own.  append takes a summary into a file; show looks for
 * change points in each of its series.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "subverbs.h"
#include "facts.h"
#include "history_report.h"
#include "places.h"

enum { PATH_ROOM = 4096, WHY_SIZE = PATH_ROOM + 512 };

/* ---- shared by the verbs ---- */

static int fail(const char *verb, const char *why, int err)
{
    if (err == EBADMSG || err == ENODATA || err == ENOENT) {
        fprintf(stderr, "%s: %s\n", verb, why);
        return EXIT_USAGE;
    }
    fprintf(stderr, "%s: %s: %s\n", verb, why, strerror(err));
    return EXIT_INFRA;
}

/* ---- append ---- */

struct append_args {
    const char *file, *summary, *commit, *date;
};

static const struct argp_option append_options[] = {
    {"file", 'f', "H.csv", 0, "the history; made if it is missing", 0},
    {"commit", 'c', "ID", 0,
     "what was measured (default: the commit in environment.csv)", 0},
    {"date", 'd', "ISO", 0,
     "when, UTC: 2026-11-25 or 2026-11-25T01:38:37Z (default: the date in "
     "environment.csv)",
     0},
    {0},
};

static error_t parse_append(int key, char *arg, struct argp_state *state)
{
    struct append_args *a = state->input;

    switch (key) {
    case 'f':
        a->file = arg;
        return 0;
    case 'c':
        if (!*arg || strlen(arg) >= sizeof((struct history_point *)0)->commit)
            argp_error(state, "--commit = '%s' (want 1 to 63 bytes)", arg);
        a->commit = arg;
        return 0;
    case 'd':
        if (!history_is_date(arg))
            argp_error(state,
                       "--date = '%s' (want YYYY-MM-DD or "
                       "YYYY-MM-DDThh:mm:ssZ)",
                       arg);
        a->date = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->summary)
            argp_error(state, "want one SUMMARY.csv");
        a->summary = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->file || !a->summary)
            argp_error(state, "want a --file and a SUMMARY.csv");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp append_argp = {
    append_options,
    parse_append,
    "SUMMARY.csv",
    "Append the medians of a summary to a history, a row a cell.\v"
    "The machine, and by default commit and date, come from environment.csv "
    "beside the summary.  A commit that is there already, or a date before the "
    "last, is refused, and the file left as it was.\n\n"
    "Example:\n"
    "  heapyard history append --file history.csv "
    "results/out/nightly/summary.csv",
    NULL,
    NULL,
    NULL};

/* What is the same in all rows of one summary. */
struct origin {
    char machine[192], commit[64], date[24];
};

enum { HOST, CPU, CPUS, COMMIT, DATE, FACTS };

static int find_origin(const char *verb, const struct append_args *a,
                       const struct summary *s, struct origin *out)
{
    static const char *const names[FACTS] = {"host", "cpu", "cpus", "commit",
                                             "date"};
    char fact[FACTS][FACT_ROOM], path[PATH_ROOM];
    const char *slash = strrchr(a->summary, '/');
    int folder = slash ? (int)(slash - a->summary) + 1 : 0;

    snprintf(path, sizeof path, "%.*senvironment.csv", folder, a->summary);
    facts_read(path, s->estimates[0].key.session, names, FACTS, fact);
    snprintf(out->machine, sizeof out->machine, "%.64s: %.80s, %.16s CPUs",
             fact[HOST], fact[CPU], fact[CPUS]);
    snprintf(out->commit, sizeof out->commit, "%.63s",
             a->commit ? a->commit : fact[COMMIT]);
    snprintf(out->date, sizeof out->date, "%.23s",
             a->date ? a->date : fact[DATE]);
    if (!strcmp(fact[HOST], "unknown") || !strcmp(fact[CPU], "unknown"))
        fprintf(stderr,
                "%s: %s: no host and cpu of session '%s' (want the machine "
                "that was measured)\n",
                verb, path, s->estimates[0].key.session);
    else if (!strcmp(out->commit, "unknown"))
        fprintf(stderr, "%s: %s: no commit (give it by --commit)\n", verb,
                path);
    else if (!history_is_date(out->date))
        fprintf(stderr, "%s: %s: date = '%s' (give it by --date)\n", verb, path,
                out->date);
    else
        return EXIT_GOOD;
    return EXIT_USAGE;
}

static struct history_row make_row(const struct estimate *e,
                                   const struct origin *o)
{
    struct history_row row = {.cell.key = e->key, .point.n = e->n};

    memcpy(row.cell.machine, o->machine, sizeof row.cell.machine);
    memcpy(row.cell.metric, e->metric, sizeof row.cell.metric);
    memcpy(row.cell.at, e->at, sizeof row.cell.at);
    memcpy(row.cell.unit, e->unit, sizeof row.cell.unit);
    memcpy(row.point.commit, o->commit, sizeof row.point.commit);
    memcpy(row.point.date, o->date, sizeof row.point.date);
    row.point.median = e->median;
    return row;
}

/* Check all rows against what is there, then write them. */
static int extend(const char *verb, const struct append_args *a,
                  const struct summary *s, const struct origin *o)
{
    struct history h;
    char why[WHY_SIZE] = "";
    size_t n = 0;
    struct history_row *row = calloc(s->n, sizeof *row);
    int err = history_read(a->file, &h, why, sizeof why);

    err = err == ENOENT ? 0 : err;
    if (!row)
        err = ENOMEM;
    for (size_t i = 0; i < s->n && !err; i++) {
        if (s->estimates[i].n == 0)
            continue;
        row[n] = make_row(&s->estimates[i], o);
        err = history_add(&h, &row[n++], a->summary, 0, why, sizeof why);
    }
    if (!err)
        err = history_append(a->file, row, n, why, sizeof why);
    history_free(&h);
    free(row);
    if (err)
        return fail(verb, why, err == ENOENT ? EIO : err);
    printf("%s: %zu rows of %.12s, %.10s\n", a->file, n, o->commit, o->date);
    return EXIT_GOOD;
}

static int run_append(int argc, char **argv)
{
    struct append_args a = {0};
    struct summary summary;
    struct origin origin;
    char why[WHY_SIZE] = "";

    argp_parse(&append_argp, argc, argv, 0, NULL, &a);
    int err = summary_read(a.summary, &summary, why, sizeof why);
    if (err)
        return fail(argv[0], why, err);
    int code = find_origin(argv[0], &a, &summary, &origin);
    if (code == EXIT_GOOD)
        code = extend(argv[0], &a, &summary, &origin);
    summary_free(&summary);
    return code;
}

/* ---- show ---- */

struct show_args {
    const char *file, *metric, *workload, *allocator, *svg;
};

static const struct argp_option show_options[] = {
    {"file", 'f', "H.csv", 0, "the history", 0},
    {"metric", 'm', "NAME", 0, "only this metric", 0},
    {"workload", 'w', "NAME", 0, "only this workload, with whatever knobs", 0},
    {"allocator", 'a', "NAME", 0, "only this allocator, with whatever knobs",
     0},
    {"svg", 's', "FILE", 0,
     "draw up to 4 series of one machine: .svg or .png (needs gnuplot)", 0},
    {0},
};

static void set_image(struct argp_state *state, const char *path)
{
    struct show_args *a = state->input;
    const char *suffix = strrchr(path, '.');

    if (!suffix || (strcmp(suffix, ".svg") && strcmp(suffix, ".png")) ||
        strlen(path) >= PATH_ROOM - 8)
        argp_error(state, "--svg = %s (want a FILE.svg or FILE.png)", path);
    a->svg = path;
}

static error_t parse_show(int key, char *arg, struct argp_state *state)
{
    struct show_args *a = state->input;

    switch (key) {
    case 'f':
        a->file = arg;
        return 0;
    case 'm':
        a->metric = arg;
        return 0;
    case 'w':
        a->workload = arg;
        return 0;
    case 'a':
        a->allocator = arg;
        return 0;
    case 's':
        set_image(state, arg);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' (want no more than options)", arg);
        return 0;
    case ARGP_KEY_END:
        if (!a->file)
            argp_error(state, "want a --file");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp show_argp = {
    show_options,
    parse_show,
    NULL,
    "Say where the level of each series of a history changed: at which commit, "
    "from what to what.\v"
    "A series is one cell on one machine.  Change points are found by "
    "E-divisive (Matteson & James 2014): a permutation test at 1 %, so among "
    "100 series without change one will show some.\n\n"
    "Examples:\n"
    "  heapyard history show --file history.csv\n"
    "  heapyard history show --file history.csv --metric wall_per_op "
    "--workload redis --allocator slab --svg redis.svg",
    NULL,
    NULL,
    NULL};

/* "churn" is also churn:objects=5. */
static int is_wanted(const char *wanted, const char *name)
{
    size_t length = wanted ? strlen(wanted) : 0;

    return !wanted || (!strncmp(wanted, name, length) &&
                       (!name[length] || name[length] == ':'));
}

/* The series that are asked for; how many. */
static size_t choose(const struct history *h, const struct show_args *a,
                     struct history_view view[])
{
    size_t n = 0;

    for (size_t i = 0; i < h->n; i++) {
        const struct history_cell *c = &h->series[i].cell;
        if (is_wanted(a->workload, c->key.workload) &&
            is_wanted(a->allocator, c->key.allocator) &&
            (!a->metric || !strcmp(a->metric, c->metric)))
            view[n++] = (struct history_view){.series = &h->series[i]};
    }
    return n;
}

static int find_changes(struct history_view *v, const struct change_rule *rule)
{
    size_t n = v->series->n;
    double *x = malloc(n * sizeof *x);

    if (!x)
        return ENOMEM;
    for (size_t i = 0; i < n; i++)
        x[i] = v->series->point[i].median.value;
    int err = change_points_find(x, n, rule, &v->change, &v->changes);
    v->rule = rule;
    free(x);
    return err;
}

static int check_drawable(const char *verb, const struct history_view view[],
                          size_t n)
{
    if (n > HISTORY_PANELS_MAX) {
        fprintf(stderr,
                "%s: --svg with %zu series (want 1 to %d: choose by --metric, "
                "--workload, --allocator)\n",
                verb, n, HISTORY_PANELS_MAX);
        return EXIT_USAGE;
    }
    for (size_t i = 1; i < n; i++) {
        const char *first = view[0].series->cell.machine;
        const char *other = view[i].series->cell.machine;
        if (!strcmp(first, other))
            continue;
        fprintf(stderr,
                "%s: --svg with series of two machines, '%s' and '%s' (want "
                "one: figures of two are not comparable)\n",
                verb, first, other);
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

static int show(const char *verb, const struct show_args *a,
                struct history_view view[], size_t n)
{
    static const struct change_rule rule = {CHANGE_SEGMENT, 0.01,
                                            CHANGE_PERMUTATIONS, 1};
    char why[WHY_SIZE] = "memory";
    int err = 0, code = a->svg ? check_drawable(verb, view, n) : EXIT_GOOD;

    if (code != EXIT_GOOD)
        return code;
    for (size_t i = 0; i < n && !err; i++)
        err = find_changes(&view[i], &rule);
    if (!err) {
        err = history_print(view, n, stdout);
        snprintf(why, sizeof why, "standard output");
    }
    if (err || !a->svg)
        return err ? fail(verb, why, err) : EXIT_GOOD;
    err = history_draw(view, n, a->svg, places_plots(), why, sizeof why);
    if (err == ENOENT || err == EIO) { /* why says it all */
        fprintf(stderr, "%s: %s\n", verb, why);
        return EXIT_INFRA;
    }
    return err ? fail(verb, why, err) : EXIT_GOOD;
}

static int run_show(int argc, char **argv)
{
    struct show_args a = {0};
    struct history h;
    char why[WHY_SIZE] = "";

    argp_parse(&show_argp, argc, argv, 0, NULL, &a);
    int code, err = history_read(a.file, &h, why, sizeof why);
    struct history_view *view = err ? NULL : calloc(h.n + 1, sizeof *view);
    size_t n = view ? choose(&h, &a, view) : 0;
    if (!err && !view) {
        err = ENOMEM;
        snprintf(why, sizeof why, "%s", a.file);
    }
    if (err) {
        code = fail(argv[0], why, err);
    } else if (n == 0) {
        fprintf(stderr,
                "%s: %s: no series of metric %s, workload %s, allocator %s\n",
                argv[0], a.file, a.metric ? a.metric : "(any)",
                a.workload ? a.workload : "(any)",
                a.allocator ? a.allocator : "(any)");
        code = EXIT_USAGE;
    } else {
        code = show(argv[0], &a, view, n);
    }
    for (size_t i = 0; i < n; i++)
        free(view[i].change);
    free(view);
    history_free(&h);
    return code;
}

/* ---- the verb ---- */

static const struct subverb verbs[] = {
    {"append", run_append, "take the medians of a summary into a history"},
    {"show", run_show, "where medians changed, and at which commit"},
};

int cmd_history(int argc, char **argv)
{
    static const struct subverbs all = {
        .of = "history",
        .operands = "[OPTION...]",
        .about = "Keeps the medians of many commits, and finds changes.",
        .examples = "  heapyard history append --file history.csv "
                    "results/out/nightly/summary.csv\n"
                    "  heapyard history show --file history.csv --metric "
                    "wall_per_op\n",
        .verbs = verbs,
        .n = sizeof verbs / sizeof *verbs,
    };

    return subverbs_run(&all, argc, argv);
}
