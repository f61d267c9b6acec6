/* trace_fit.c - `heapyard trace fit`: a synthetic trace like a given one, and
 * how far it is from it.
 *
 * The trace is played twice into its profile, the second time into its shape
 * too.  What is composed of the profile goes into the new archive and, at the
 * same time, into a shape of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "trace_profile.h"
#include "trace_shape.h"
#include "trace_verbs.h"

enum { SEED_PRESET = 1, WHY_MAX = 512 };

struct fit_args {
    const char *in, *out;
    uint64_t seed;
    int is_csv;
};

/* What goes into two sinks, unless the first refuses it. */
struct tee {
    struct op_sink sink; /* first: put casts back */
    struct op_sink *to[2];
};

static int tee_put(struct op_sink *sink, const struct op *op)
{
    const struct tee *t = (const struct tee *)sink;
    int err = t->to[0]->put(t->to[0], op);

    return err ? err : t->to[1]->put(t->to[1], op);
}

/* ---- report ---- */

static double share(uint64_t part, uint64_t of)
{
    return of ? (double)part / (double)of : 0;
}

struct figure {
    const char *name; /* for --csv */
    const char *text;
    const char *unit;
    int decimals;
    double value[2]; /* of the trace, and of what was composed */
};

enum { FIGURES = 10 };

static void gather(const struct trace_shape *s, int which,
                   struct figure figures[FIGURES])
{
    const struct ledger *l = &s->ledger;
    const struct figure of[FIGURES] = {
        {"births", "allocations", "objects", 0, {(double)l->births}},
        {"peak_bytes", "peak", "bytes", 0, {(double)l->peak_bytes}},
        {"left_bytes", "left", "bytes", 0, {(double)l->live_bytes}},
        {"threads", "threads", "threads", 0, {l->threads}},
        {"cross",
         "frees by another thread",
         "%",
         2,
         {100 * share(s->cross_frees, s->frees)}},
        {"resizes",
         "resizes, of allocations",
         "%",
         2,
         {100 * share(s->resizes, l->births)}},
        {"zeroed",
         "zeroed, of allocations",
         "%",
         2,
         {100 * share(s->zeroed, l->births)}},
        {"aligned",
         "aligned, of allocations",
         "%",
         2,
         {100 * share(s->aligned, l->births)}},
        {"frees_in_a_row",
         "frees in a row, mean",
         "frees",
         2,
         {share(s->frees, s->frees - s->pairs)}},
        {"lifo",
         "in a row, the younger first",
         "%",
         2,
         {100 * share(s->older, s->pairs)}},
    };

    for (size_t i = 0; i < FIGURES; i++) {
        const double value = of[i].value[0];

        if (which == 0)
            figures[i] = of[i];
        figures[i].value[which] = value;
    }
}

static const struct row {
    const char *name, *text;
    size_t offset; /* of a double in struct trace_distance */
} rows[] = {
    {"sizes_ks", "sizes, Kolmogorov-Smirnov",
     offsetof(struct trace_distance, sizes_ks)},
    {"sizes_tv", "sizes, total variation",
     offsetof(struct trace_distance, sizes_tv)},
    {"lives_ks", "lifetimes, Kolmogorov-Smirnov",
     offsetof(struct trace_distance, lives_ks)},
    {"curve_max", "live bytes, largest difference over the peak",
     offsetof(struct trace_distance, curve_max)},
    {"peak_ratio", "peak, fitted over trace",
     offsetof(struct trace_distance, peak_ratio)},
};

enum { ROWS = sizeof rows / sizeof *rows };

static double distance_of(const struct trace_distance *d, size_t i)
{
    double value;

    memcpy(&value, (const char *)d + rows[i].offset, sizeof value);
    return value;
}

static void print_csv(uint64_t numbers, const struct figure figures[FIGURES],
                      const struct trace_distance *d)
{
    static const char *const which[] = {"trace", "fitted"};

    printf("figure,key,unit,value\nprofile,,numbers,%" PRIu64 "\n", numbers);
    for (size_t i = 0; i < FIGURES; i++)
        for (int k = 0; k < 2; k++)
            printf("%s,%s,%s,%.17g\n", figures[i].name, which[k],
                   figures[i].unit, figures[i].value[k]);
    for (size_t i = 0; i < ROWS; i++)
        printf("distance,%s,1,%.17g\n", rows[i].name, distance_of(d, i));
}

static void print_text(const struct fit_args *a, uint64_t numbers,
                       const struct figure figures[FIGURES],
                       const struct trace_distance *d)
{
    printf("%s: fitted to %s by a profile of %" PRIu64 " numbers\n\n", a->out,
           a->in, numbers);
    printf("%-36s %18s %18s\n", "", "trace", "fitted");
    for (size_t i = 0; i < FIGURES; i++) {
        const struct figure *f = &figures[i];

        printf("%-27s %8s %18.*f %18.*f\n", f->text, f->unit, f->decimals,
               f->value[0], f->decimals, f->value[1]);
    }
    printf("\nDistance\n");
    for (size_t i = 0; i < ROWS; i++)
        printf("  %-48s %10.4f\n", rows[i].text, distance_of(d, i));
}

static int report(const struct fit_args *a, const struct trace_profile *p,
                  const struct trace_shape *of, const struct trace_shape *is)
{
    const struct trace_distance d = shape_distance(of, is);
    struct figure figures[FIGURES];

    gather(of, 0, figures);
    gather(is, 1, figures);
    if (a->is_csv)
        print_csv(profile_numbers(p), figures, &d);
    else
        print_text(a, profile_numbers(p), figures, &d);
    return trace_flush();
}

/* ---- composing ---- */

static int compose(const struct fit_args *a, const struct trace_profile *p,
                   struct trace_output *out, struct trace_shape *is)
{
    struct tee tee = {{tee_put}, {&out->sink, &is->sink}};
    struct op_feed feed = {.sink = &tee.sink};
    char why[WHY_MAX];
    int err = profile_compose(p, a->seed, &feed);

    shape_finish(is);
    if (!err || err == EINTR) /* then closing says so */
        return err ? trace_complain("stopped", err) : EXIT_GOOD;
    snprintf(why, sizeof why, "%s: %s", a->out,
             err == EBADMSG ? trace_output_why(out) : strerror(err));
    return trace_complain(why, err);
}

static int compose_archive(const struct fit_args *a,
                           const struct archive *archive,
                           const struct trace_profile *p,
                           const struct trace_shape *of)
{
    struct trace_shape is;
    struct trace_output out;
    char how[64];
    int err = shape_init(&is, p->births);

    snprintf(how, sizeof how, "trace fit, composed with seed %" PRIu64,
             a->seed);
    int code = err ? trace_complain(strerror(err), err)
                   : trace_output_derived(&out, a->out, archive, how);

    if (!code)
        code = trace_output_close(&out, compose(a, p, &out, &is));
    if (!code)
        code = report(a, p, of, &is);
    shape_free(&is);
    return code;
}

/* ---- fitting ---- */

static int fit_failed(const struct fit_args *a, int err)
{
    char why[WHY_MAX];

    snprintf(why, sizeof why,
             err == ENODATA ? "%s: allocates nothing (want a trace with "
                              "allocations)"
                            : "%s: %s",
             a->in, strerror(err));
    return trace_complain(why, err == ENODATA ? EBADMSG : err);
}

/* The profile of the trace, and its shape. */
static int fit_profile(const struct fit_args *a, const struct archive *archive,
                       struct trace_profile *p, struct trace_shape *of)
{
    struct profile_fit fit;
    struct tee tee = {{tee_put}, {&fit.sink, &of->sink}};
    int err = profile_fit_init(&fit, p), code = EXIT_GOOD;

    if (!err)
        code = trace_play(archive, a->in, &fit.sink, fit.ledger.why);
    if (!err && !code)
        err = profile_fit_again(&fit);
    if (!err && !code)
        err = shape_init(of, p->births);
    if (!err && !code)
        code = trace_play(archive, a->in, &tee.sink, fit.ledger.why);
    if (!err && !code)
        err = profile_fit_finish(&fit);
    profile_fit_free(&fit);
    return err ? fit_failed(a, err) : code;
}

static int fit_archive(const struct fit_args *a, const struct archive *archive)
{
    struct trace_profile p;
    struct trace_shape of = {0};
    int code = fit_profile(a, archive, &p, &of);

    if (!code) {
        shape_finish(&of);
        code = compose_archive(a, archive, &p, &of);
    }
    shape_free(&of);
    trace_profile_free(&p);
    return code;
}

/* ---- the verb ---- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct fit_args *a = state->input;

    switch (key) {
    case 's':
        a->seed = trace_number(state, "seed", arg, 0, UINT64_MAX);
        return 0;
    case 'c':
        a->is_csv = 1;
        return 0;
    default:
        return trace_parse_in_out(key, arg, state, &a->in, &a->out);
    }
}

int trace_fit(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"seed", 's', "N", 0, "Another trace of the same profile (preset: 1)",
         0},
        {"csv", 'c', NULL, 0, "Records figure,key,unit,value, unrounded", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "IN OUT",
        "A synthetic trace like a given one, and how far it is from it.\v"
        "A profile is fitted to IN: sizes with their favourites, lifetimes by "
        "size and by part of the trace, threads and who frees whose objects, "
        "resizes, zeroing and alignment, the order of frees. OUT is composed "
        "of it by chance, as long as IN, and is played like any trace. What "
        "the profile leaves out (which objects live and die together, touches, "
        "marks, times) is not in OUT: where an allocator does better on one "
        "than on the other, it depends on that.\n\n"
        "Distances are 0 for the same trace. The last two are of bytes asked "
        "for, compared before every 1024th part of the allocations.\n\n"
        "Examples:\n"
        "  heapyard trace fit app.hyt like-app.hyt\n"
        "  heapyard trace fit --seed 2 --csv app.hyt like-app.hyt",
        NULL,
        NULL,
        NULL};
    struct fit_args a = {.seed = SEED_PRESET};
    struct archive *archive;

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    int code = trace_open(a.in, &archive);

    if (code)
        return code;
    code = fit_archive(&a, archive);
    archive_close(archive);
    return code;
}
