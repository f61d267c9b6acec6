/* cmd_stat.c - `heapyard stat`: samples reduced to medians with intervals.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "summary.h"

enum { PATH_ROOM = 4096 };

struct stat_args {
    const char *samples, *baseline, *out;
};

static const struct argp_option options[] = {
    {"baseline", 'b', "NAME", 0,
     "allocator that ratios are taken to "
     "(default: system)",
     0},
    {"out", 'o', "FILE", 0, "summary.csv to write (default: standard output)",
     0},
    {0},
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    struct stat_args *a = state->input;

    switch (key) {
    case 'b':
        if (!*arg || strlen(arg) >= sizeof((struct summary *)0)->baseline)
            argp_error(state, "baseline = '%s' (want the name of an allocator)",
                       arg);
        a->baseline = arg;
        return 0;
    case 'o':
        a->out = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->samples)
            argp_error(state, "want one SAMPLES.csv");
        a->samples = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->samples)
            argp_error(state, "want a SAMPLES.csv, or - for standard input");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse_opt,
    "SAMPLES.csv",
    "Reduce samples to medians and to ratios against a baseline, each with a "
    "95 % interval.\v"
    "Medians are bootstrapped with a seed made from what is estimated; ratios "
    "are those of pairs of runs (Hodges-Lehmann).  The same samples give the "
    "same summary, byte for byte.  Failed runs are "
    "counted, not dropped; they do not change the exit code.\n\n"
    "Examples:\n"
    "  heapyard stat results/out/churn/samples.csv -o "
    "results/out/churn/summary.csv\n"
    "  heapyard stat --baseline jemalloc samples.csv > summary.csv",
    NULL,
    NULL,
    NULL};

static int fail(const char *verb, const char *where, int err)
{
    fprintf(stderr, "%s: %s: %s\n", verb, where, strerror(err));
    return EXIT_INFRA;
}

/* A file appears whole or not at all: written beside its place, renamed. */
static int save(const char *verb, const struct summary *s, const char *path)
{
    char part[PATH_ROOM];

    if (snprintf(part, sizeof part, "%s.part", path) >= PATH_ROOM)
        return fail(verb, path, ENAMETOOLONG);
    FILE *f = fopen(part, "w");
    if (!f)
        return fail(verb, part, errno);
    int err = summary_write(s, f);
    if (fclose(f) && !err)
        err = errno;
    if (!err && rename(part, path))
        err = errno;
    if (!err)
        return EXIT_GOOD;
    remove(part);
    return fail(verb, path, err);
}

static int print(const char *verb, const struct summary *s)
{
    int err = summary_write(s, stdout);

    if (fflush(stdout) && !err)
        err = errno;
    return err ? fail(verb, "standard output", err) : EXIT_GOOD;
}

static int has_baseline(const struct summary *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->estimates[i].key.allocator, s->baseline))
            return 1;
    return 0;
}

int cmd_stat(int argc, char **argv)
{
    struct stat_args a = {.baseline = "system"};
    struct summary summary;
    char why[512] = "";

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    int err =
        summary_from_samples(a.samples, a.baseline, &summary, why, sizeof why);
    if (err == EBADMSG || err == ENODATA || err == ENOENT) {
        fprintf(stderr, "%s: %s\n", argv[0], why);
        return EXIT_USAGE;
    }
    if (err)
        return fail(argv[0], a.samples, err);
    if (!has_baseline(&summary))
        fprintf(stderr, "%s: no run of baseline '%s': no ratios\n", argv[0],
                a.baseline);
    int code =
        a.out ? save(argv[0], &summary, a.out) : print(argv[0], &summary);
    summary_free(&summary);
    return code;
}
