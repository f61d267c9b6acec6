/* trace_diff.c - `heapyard trace diff`: what differs between two traces.
 *
 * Each is played once into its figures.  The first is also kept in a
 * temporary file, from which its operations are taken while the second is
 * played.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "op_file.h"
#include "trace_info.h"
#include "trace_verbs.h"

enum { EXIT_DIFFERENT = 1 };

struct diff_args {
    const char *file[2];
};

/* Passes on to the figures, and keeps or compares. */
struct side {
    struct op_sink sink; /* first: put casts back */
    struct trace_info *info;
    struct op_file *first; /* of the first trace */
    uint64_t place;        /* operations so far, times left out */
    int is_different;      /* at that place, in the second */
};

/* ---- operations ---- */

static int keep_put(struct op_sink *sink, const struct op *op)
{
    struct side *s = (struct side *)sink;
    struct op_sink *info = trace_info_sink(s->info);
    int err = info->put(info, op);

    if (err || op->kind == OP_TIME)
        return err;
    return s->first->sink.put(&s->first->sink, op);
}

static int is_same(const struct op *a, const struct op *b)
{
    return a->kind == b->kind && a->thread == b->thread &&
           a->object == b->object && a->size == b->size &&
           a->align_log2 == b->align_log2 &&
           (a->kind != OP_MARK || !strcmp(a->name, b->name));
}

static int compare_put(struct op_sink *sink, const struct op *op)
{
    struct side *s = (struct side *)sink;
    struct op_sink *info = trace_info_sink(s->info);
    int err = info->put(info, op), is_end;
    struct op other;

    if (err || op->kind == OP_TIME || s->is_different)
        return err;
    err = op_file_take(s->first, &other, &is_end);
    s->is_different = !err && (is_end || !is_same(&other, op));
    s->place += !s->is_different;
    return err;
}

/* ---- figures ---- */

static const struct row {
    const char *name, *unit;
    size_t offset; /* of a uint64_t in the figures */
} rows[] = {
    {"operations", "", offsetof(struct trace_figures, ops)},
    {"births", "", offsetof(struct trace_figures, births)},
    {"birth bytes", "B", offsetof(struct trace_figures, birth_bytes)},
    {"zeroed", "", offsetof(struct trace_figures, zeroed)},
    {"aligned", "", offsetof(struct trace_figures, aligned)},
    {"distinct sizes", "", offsetof(struct trace_figures, distinct_sizes)},
    {"size p50", "B", offsetof(struct trace_figures, size_p50)},
    {"size p99", "B", offsetof(struct trace_figures, size_p99)},
    {"size max", "B", offsetof(struct trace_figures, size_max)},
    {"frees", "", offsetof(struct trace_figures, frees)},
    {"cross-thread frees", "", offsetof(struct trace_figures, cross_frees)},
    {"resizes", "", offsetof(struct trace_figures, resizes)},
    {"touched", "B", offsetof(struct trace_figures, touched_bytes)},
    {"peak", "B", offsetof(struct trace_figures, peak_bytes)},
    {"peak blocks", "", offsetof(struct trace_figures, peak_blocks)},
    {"left", "B", offsetof(struct trace_figures, left_bytes)},
    {"left blocks", "", offsetof(struct trace_figures, left_blocks)},
    {"duration", "ns", offsetof(struct trace_figures, duration_ns)},
};

static uint64_t figure(const struct trace_figures *f, const struct row *row)
{
    uint64_t value;

    memcpy(&value, (const char *)f + row->offset, sizeof value);
    return value;
}

static void print_row(const char *name, const char *unit, uint64_t a,
                      uint64_t b)
{
    printf("%-18s %2s %18" PRIu64 " %18" PRIu64, name, unit, a, b);
    if (a == b)
        printf("  same\n");
    else if (a)
        printf("  %.4gx\n", (double)b / (double)a);
    else
        printf("  new\n");
}

static void print_figures(const struct diff_args *args,
                          const struct trace_figures *a,
                          const struct trace_figures *b)
{
    printf("%-21s %18.18s %18.18s\n", "", args->file[0], args->file[1]);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        print_row(rows[i].name, rows[i].unit, figure(a, &rows[i]),
                  figure(b, &rows[i]));
    print_row("threads", "", a->threads, b->threads);
}

static int print_diff(const struct diff_args *args, const struct side *a,
                      const struct side *b)
{
    const struct trace_figures *fa = trace_info_finish(a->info);
    const struct trace_figures *fb = trace_info_finish(b->info);
    int is_different = b->is_different || fa->ops != fb->ops;

    print_figures(args, fa, fb);
    if (is_different)
        printf("\nThe first operation that differs is %" PRIu64 ".\n",
               b->place);
    else
        printf("\nAll operations are the same.\n");
    int flushed = trace_flush();

    return flushed ? flushed : is_different ? EXIT_DIFFERENT : EXIT_GOOD;
}

/* ---- the verb ---- */

static int play(const char *name, struct side *s)
{
    struct archive *archive;
    int code = trace_open(name, &archive);

    if (code)
        return code;
    code = trace_play(archive, name, &s->sink, trace_info_why(s->info));
    archive_close(archive);
    return code;
}

static int diff_sides(const struct diff_args *args, struct side *a,
                      struct side *b)
{
    int code = play(args->file[0], a);
    int err = code ? 0 : op_file_rewind(a->first);

    if (err)
        return trace_complain(strerror(err), err);
    if (!code)
        code = play(args->file[1], b);
    return code ? code : print_diff(args, a, b);
}

static int diff(const struct diff_args *args)
{
    struct op_file first = {0};
    struct side a = {{keep_put}, .first = &first};
    struct side b = {{compare_put}, .first = &first};
    int err = op_file_init(&first);

    if (!err)
        err = trace_info_create(&a.info);
    if (!err)
        err = trace_info_create(&b.info);
    int code =
        err ? trace_complain(strerror(err), err) : diff_sides(args, &a, &b);

    if (a.info)
        trace_info_destroy(a.info);
    if (b.info)
        trace_info_destroy(b.info);
    op_file_free(&first);
    return code;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct diff_args *a = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (a->file[1])
            argp_error(state, "two traces only (\"%s\" is one more)", arg);
        a->file[a->file[0] != NULL] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->file[1])
            argp_error(state, "want two traces, such as old.hyt new.hyt");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int trace_diff(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        parse,
        "A B",
        "What differs between two traces: their figures, and the first "
        "operation.\v"
        "Times and provenance are not compared. Exits with 0 if all "
        "operations are the same, with 1 if not. 24 bytes an operation of A "
        "are needed in a temporary file.\n\n"
        "Examples:\n"
        "  heapyard trace diff app.hyt app.hyt",
        NULL,
        NULL,
        NULL};
    struct diff_args a = {0};

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    return diff(&a);
}
