/* cmd_report.c - `heapyard report`: the table, and on request the charts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "facts.h"
#include "places.h"
#include "report.h"
#include "terminal.h"

enum { PATH_ROOM = 4096, WIDTH_MIN = 80, WIDTH_MAX = 1000 };

struct report_args {
    const char *input, *charts, *color;
    unsigned width; /* 0: as wide as the terminal */
};

/* The files of one result, found by name beside each other. */
struct report_files {
    char summary[PATH_ROOM], samples[PATH_ROOM], environment[PATH_ROOM];
};

static const struct argp_option options[] = {
    {"charts", 'c', "FOLDER", 0,
     "draw charts into FOLDER as SVG and PNG "
     "(needs gnuplot)",
     0},
    {"width", 'w', "N", 0,
     "columns of the table, 80 or more (default: the "
     "terminal's, 100 in a pipe)",
     0},
    {"color", 'C', "WHEN", 0, "auto, always or never (default: auto)", 0},
    {0},
};

static unsigned parse_width(const char *text, struct argp_state *state)
{
    char *end;
    long width = strtol(text, &end, 10);

    if (*end || end == text || width < WIDTH_MIN || width > WIDTH_MAX)
        argp_error(state, "width = '%s' (want %d..%d)", text, WIDTH_MIN,
                   WIDTH_MAX);
    return (unsigned)width;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct report_args *a = state->input;

    switch (key) {
    case 'c':
        a->charts = arg;
        return 0;
    case 'w':
        a->width = parse_width(arg, state);
        return 0;
    case 'C':
        if (strcmp(arg, "auto") && strcmp(arg, "always") &&
            strcmp(arg, "never"))
            argp_error(state, "color = '%s' (want auto, always or never)", arg);
        a->color = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->input)
            argp_error(state, "want one SUMMARY.csv or FOLDER");
        a->input = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->input)
            argp_error(state, "want a SUMMARY.csv, or a FOLDER that has one");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse_opt,
    "SUMMARY.csv|FOLDER",
    "Print the table of a summary, and draw its charts.\v"
    "In a FOLDER, summary.csv, samples.csv (for the curves of memory) and "
    "environment.csv (for captions) are found by name; beside a SUMMARY.csv "
    "likewise.\n\n"
    "Examples:\n"
    "  heapyard report results/out/churn\n"
    "  heapyard report --charts results/out/churn/charts results/out/churn\n"
    "  heapyard report --color always --width 120 summary.csv | less -R",
    NULL,
    NULL,
    NULL};

static int fail(const char *verb, const char *where, int err)
{
    fprintf(stderr, "%s: %s: %s\n", verb, where, strerror(err));
    return EXIT_INFRA;
}

/* ---- the files ---- */

static void find_files(const char *input, struct report_files *files)
{
    struct stat info;
    const int is_folder = !stat(input, &info) && S_ISDIR(info.st_mode);
    const char *slash = is_folder ? NULL : strrchr(input, '/');
    const char *between = is_folder ? "/" : "";
    const int length = is_folder ? (int)strlen(input)
                       : slash   ? (int)(slash - input) + 1
                                 : 0; /* of the folder */

    snprintf(files->summary, PATH_ROOM, "%s%s", input,
             is_folder ? "/summary.csv" : "");
    snprintf(files->samples, PATH_ROOM, "%.*s%ssamples.csv", length, input,
             between);
    snprintf(files->environment, PATH_ROOM, "%.*s%senvironment.csv", length,
             input, between);
}

static int explain_missing(const char *verb, const struct report_files *files,
                           const char *why)
{
    fprintf(stderr, "%s: %s\n", verb, why);
    if (!access(files->samples, R_OK)) /* missing, or of another version */
        fprintf(stderr, "%s: make it with: heapyard stat %s -o %s\n", verb,
                files->samples, files->summary);
    return EXIT_USAGE;
}

/* ---- the caption ---- */

enum { FACTS = 7 };

static const char *const fact_names[FACTS] = {
    "cpu", "cpus", "kernel", "libc", "heapyard", "commit", "date"};

static void describe_machine(const struct report_files *files,
                             const struct summary *s, char *line, size_t size)
{
    char fact[FACTS][FACT_ROOM];

    if (access(files->environment, R_OK)) {
        snprintf(line, size, "machine unknown: there is no %.200s",
                 files->environment);
        return;
    }
    facts_read(files->environment, s->estimates[0].key.session, fact_names,
               FACTS, fact);
    snprintf(line, size, "%s, %s CPUs, %s, %s; heapyard %s (%s), %.10s",
             fact[0], fact[1], fact[2], fact[3], fact[4], fact[5], fact[6]);
}

/* ---- the two reports ---- */

/* By the convention of no-color.org, and not for terminals without colour. */
static int wants_color(const char *when)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    if (strcmp(when, "auto"))
        return !strcmp(when, "always");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
           !(term && !strcmp(term, "dumb"));
}

static int print_table(const char *verb, const struct report_args *a,
                       const struct summary *s)
{
    int err = report_table(s, stdout, a->width ? a->width : terminal_width(),
                           wants_color(a->color));

    if (fflush(stdout) && !err)
        err = errno;
    return err ? fail(verb, "standard output", err) : EXIT_GOOD;
}

static int draw_charts(const char *verb, const struct report_args *a,
                       const struct report_files *files,
                       const struct summary *s)
{
    char machine[1024], why[PATH_ROOM + 256] = "";
    const char *samples = access(files->samples, R_OK) ? NULL : files->samples;

    describe_machine(files, s, machine, sizeof machine);
    if (!samples)
        fprintf(stderr, "%s: no %s: no chart of memory over time\n", verb,
                files->samples);
    int err = report_charts(s, samples, places_plots(), a->charts, machine, why,
                            sizeof why);
    if (!err) {
        printf("\nCharts are in %s\n", a->charts);
        return fflush(stdout) ? EXIT_INFRA : EXIT_GOOD;
    }
    if (err != ENOENT && err != EIO && err != EBADMSG)
        return fail(verb, why, err);
    fprintf(stderr, "%s: %s\n", verb, why);
    return err == EBADMSG ? EXIT_USAGE : EXIT_INFRA;
}

int cmd_report(int argc, char **argv)
{
    struct report_args a = {.color = "auto"};
    struct report_files files;
    struct summary summary;
    char why[512] = "";

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (strlen(a.input) >= PATH_ROOM - 32)
        return fail(argv[0], a.input, ENAMETOOLONG);
    find_files(a.input, &files);
    int err = summary_read(files.summary, &summary, why, sizeof why);
    if (err == EBADMSG || err == ENODATA || err == ENOENT)
        return explain_missing(argv[0], &files, why);
    if (err)
        return fail(argv[0], files.summary, err);
    int code = print_table(argv[0], &a, &summary);
    if (code == EXIT_GOOD && a.charts)
        code = draw_charts(argv[0], &a, &files, &summary);
    summary_free(&summary);
    return code;
}
