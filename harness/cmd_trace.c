/* cmd_trace.c - `heapyard trace`: looks into traces and makes new ones of them.
 *
 * Verbs of its own, in a table.  Those here open an archive and play it into
 * a sink: the figures (info), a ledger (check), a printer (dump).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "commands.h"
#include "subverbs.h"
#include "ledger.h"
#include "numbers.h"
#include "trace_info.h"
#include "trace_verbs.h"

enum { DUMP_PRESET = 100 /* operations, without --count */ };

/* ---- info ---- */

struct info_args {
    const char *file;
    int is_csv;
};

static void print_archive(const struct archive *archive, const char *name)
{
    const struct archive_totals *t = archive_totals(archive);
    uint64_t bytes = archive_bytes(archive);

    printf("%s: %" PRIu64 " bytes in %" PRIu32 " chunks", name, bytes,
           t->chunks);
    if (t->ops)
        printf(", %.3f bytes an operation", (double)bytes / (double)t->ops);
    printf("\n\n");
}

/* What was wrong with what it was made of: lines "import-fault: KEY N TEXT" of
 * the provenance (import.h), or "record-fault: " (record_images.c). */
static void print_faults(const struct archive *archive, int is_csv)
{
    const char *line = archive_provenance(archive);
    int shown = 0;

    for (; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        char from[8], key[32], n[24], text[160] = "";

        if (sscanf(line, "%7[a-z]-fault: %31s %23[0-9] %159[^\n]", from, key, n,
                   text) < 3)
            continue;
        if (is_csv)
            printf("%s_fault,%s,1,%s\n", from, key, n);
        else
            printf("%s  %-13s %s\n", shown++ ? "" : "Wrong in its source:\n", n,
                   text);
    }
    if (shown)
        putchar('\n');
}

static void print_figures(const struct archive *archive,
                          const struct info_args *args,
                          const struct trace_figures *figures)
{
    if (!args->is_csv) {
        print_archive(archive, args->file);
        print_faults(archive, 0);
        trace_figures_print(figures, stdout);
        return;
    }
    printf("figure,key,unit,value\n");
    printf("archive,,bytes,%" PRIu64 "\n", archive_bytes(archive));
    printf("archive,,chunks,%" PRIu32 "\n", archive_totals(archive)->chunks);
    print_faults(archive, 1);
    trace_figures_csv(figures, stdout);
}

static error_t parse_info(int key, char *arg, struct argp_state *state)
{
    struct info_args *args = state->input;

    switch (key) {
    case 'c':
        args->is_csv = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (args->file)
            argp_error(state, "one FILE at a time (\"%s\" is the second)", arg);
        args->file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "FILE is missing (want a trace, such as app.hyt)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_info(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"csv", 'c', NULL, 0, "Records figure,key,unit,value, unrounded", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse_info,
        "FILE",
        "Figures of a trace: operations, threads, sizes, lifetimes, memory.\v"
        "FILE is an archive (.hyt) or the name of a trace that comes with "
        "heapyard.  All figures are of what the program asked for; no "
        "allocator is involved.\n\n"
        "Examples:\n"
        "  heapyard trace info app.hyt\n"
        "  heapyard trace info --csv app.hyt | grep ^peak",
        NULL,
        NULL,
        NULL};
    struct info_args args = {0};
    struct trace_info *info;
    struct archive *archive;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    int code = trace_open(args.file, &archive);
    if (code)
        return code;
    int err = trace_info_create(&info);
    if (err) {
        archive_close(archive);
        return trace_complain(strerror(err), err);
    }
    code = trace_play(archive, args.file, trace_info_sink(info),
                      trace_info_why(info));
    if (!code) {
        print_figures(archive, &args, trace_info_finish(info));
        code = trace_flush();
    }
    trace_info_destroy(info);
    archive_close(archive);
    return code;
}

/* ---- provenance ---- */

static error_t parse_file(int key, char *arg, struct argp_state *state)
{
    const char **file = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (*file)
            argp_error(state, "one FILE at a time (\"%s\" is the second)", arg);
        *file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "FILE is missing (want a trace, such as app.hyt)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_provenance(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        parse_file,
        "FILE",
        "What was recorded, where and when, under which licence.\v"
        "Examples:\n"
        "  heapyard trace provenance app.hyt",
        NULL,
        NULL,
        NULL};
    const char *file = NULL;
    struct archive *archive;

    argp_parse(&argp, argc, argv, 0, NULL, &file);
    int code = trace_open(file, &archive);
    if (code)
        return code;
    const char *text = archive_provenance(archive);
    size_t n = strlen(text);

    while (n && text[n - 1] == '\n') /* room that was left */
        n--;
    printf("%.*s%s", (int)n, text, n ? "\n" : "");
    archive_close(archive);
    return trace_flush();
}

/* ---- check ---- */

static int differs(const char *name, const char *what, uint64_t is,
                   uint64_t want)
{
    if (is == want)
        return 0;
    fprintf(stderr,
            "heapyard trace: %s: %s = %" PRIu64 " (the trailer says %" PRIu64
            ")\n",
            name, what, is, want);
    return 1;
}

/* What the reader cannot know without a ledger. */
static int check_totals(const char *name, const struct ledger *l,
                        const struct archive_totals *t)
{
    int bad = differs(name, "peak bytes", l->peak_bytes, t->peak_bytes) |
              differs(name, "blocks left", ledger_blocks(l), t->left_blocks) |
              differs(name, "bytes left", l->live_bytes, t->left_bytes);

    return bad ? EXIT_USAGE : EXIT_GOOD;
}

static int check_one(const char *name)
{
    struct archive *archive;
    struct ledger ledger;
    int code = trace_open(name, &archive);

    if (code)
        return code;
    if (ledger_init(&ledger)) {
        archive_close(archive);
        return trace_complain(strerror(ENOMEM), ENOMEM);
    }
    code = trace_play(archive, name, &ledger.sink, ledger.why);
    if (!code)
        code = check_totals(name, &ledger, archive_totals(archive));
    if (!code)
        printf("%s: good: %" PRIu64 " operations in %" PRIu32 " chunks\n", name,
               ledger.ops, archive_totals(archive)->chunks);
    ledger_free(&ledger);
    archive_close(archive);
    return code;
}

static error_t parse_check(int key, char *arg, struct argp_state *state)
{
    int *code = state->input;

    switch (key) {
    case ARGP_KEY_ARG: {
        int one = check_one(arg);

        if (one > *code)
            *code = one;
        return 0;
    }
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "FILE is missing (want a trace, such as app.hyt)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_check(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        parse_check,
        "FILE...",
        "Verify whole archives: every checksum, every operation.\v"
        "Exits with 0 if all are good, with 2 if one is not: damaged, cut "
        "short, of another version, or with an operation on an object that "
        "is not live.\n\n"
        "Examples:\n"
        "  heapyard trace check app.hyt",
        NULL,
        NULL,
        NULL};
    int code = EXIT_GOOD;

    argp_parse(&argp, argc, argv, 0, NULL, &code);
    int flushed = trace_flush();
    return code ? code : flushed;
}

/* ---- dump ---- */

struct dump_args {
    const char *file;
    uint64_t from, count;
};

struct dump_sink {
    struct op_sink sink; /* first: put casts back */
    uint64_t place;      /* of the next operation; OP_TIME has none */
    uint64_t from, end;
};

static void dump_op(const struct op *op, uint64_t place)
{
    if (op->kind == OP_TIME) {
        printf("%12s     - time    %.9f s\n", "", (double)op->size * 1e-9);
        return;
    }
    printf("%12" PRIu64 " %5u %-7s ", place, (unsigned)op->thread,
           op_kind_name(op->kind));
    switch (op->kind) {
    case OP_FREE:
        printf("#%" PRIu64 "\n", op->object);
        break;
    case OP_SPAWN:
    case OP_JOIN:
        printf("thread %" PRIu64 "\n", op->object);
        break;
    case OP_MARK:
        printf("%s\n", op->name);
        break;
    default:
        printf("#%-12" PRIu64 " %12" PRIu64, op->object, op->size);
        if (op->align_log2)
            printf(" align %" PRIu64, UINT64_C(1) << op->align_log2);
        putchar('\n');
    }
}

static int dump_put(struct op_sink *sink, const struct op *op)
{
    struct dump_sink *d = (struct dump_sink *)sink;

    if (d->place >= d->end)
        return ECANCELED; /* enough */
    if (d->place >= d->from)
        dump_op(op, d->place);
    d->place += op->kind != OP_TIME;
    return ferror(stdout) ? EIO : 0;
}

static uint64_t whole_number(struct argp_state *state, const char *option,
                             const char *text)
{
    uint64_t value = 0;

    if (number_parse(text, 0, UINT64_MAX, &value))
        argp_error(state, "--%s = %s (want a whole number)", option, text);
    return value;
}

static error_t parse_dump(int key, char *arg, struct argp_state *state)
{
    struct dump_args *args = state->input;

    switch (key) {
    case 'f':
        args->from = whole_number(state, "from", arg);
        return 0;
    case 'n':
        args->count = whole_number(state, "count", arg);
        return 0;
    default:
        state->input = &args->file;
        error_t err = parse_file(key, arg, state);
        state->input = args;
        return err;
    }
}

static int dump_archive(const struct archive *archive,
                        const struct dump_args *args)
{
    const struct trace_source *source = archive_source(archive);
    uint64_t last = UINT64_MAX - args->from;
    struct dump_sink sink = {.sink.put = dump_put,
                             .from = args->from,
                             .end = args->from +
                                    (args->count < last ? args->count : last)};

    printf("%12s %5s %-7s %-13s %12s\n", "# operation", "thread", "kind",
           "object", "bytes");
    int err = source->play(source, &sink.sink);
    if (archive_why(archive)[0])
        return trace_complain(archive_why(archive), err);
    if (err && err != ECANCELED && !ferror(stdout))
        return trace_complain(strerror(err), err);
    return trace_flush();
}

static int run_dump(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"from", 'f', "N", 0, "Begin at operation N (0: the first)", 0},
        {"count", 'n', "N", 0, "Print N operations (preset: 100)", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse_dump,
        "FILE",
        "Print operations, one a line, in their global order.\v"
        "Objects are numbered by birth, from #0.  Time stamps stand between "
        "operations and have no number.\n\n"
        "Examples:\n"
        "  heapyard trace dump app.hyt\n"
        "  heapyard trace dump --from 1000000 --count 20 app.hyt",
        NULL,
        NULL,
        NULL};
    struct dump_args args = {.count = DUMP_PRESET};
    struct archive *archive;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    int code = trace_open(args.file, &archive);
    if (code)
        return code;
    code = dump_archive(archive, &args);
    archive_close(archive);
    return code;
}

/* ---- the verb ---- */

static const struct subverb verbs[] = {
    {"info", run_info, "figures: operations, sizes, lifetimes, memory"},
    {"provenance", run_provenance, "what was recorded, where and when"},
    {"check", run_check, "verify every checksum and every operation"},
    {"dump", run_dump, "operations as text"},
    {"convert", trace_convert, "from and to the formats of other programs"},
    {"cut", trace_cut, "a part of a trace, by operations, marks or time"},
    {"merge", trace_merge, "several traces side by side"},
    {"scale", trace_scale, "more threads, or a longer trace"},
    {"fit", trace_fit, "a synthetic trace like it, and how like"},
    {"diff", trace_diff, "what differs between two traces"},
    {"anonymize", trace_anonymize, "without names, paths, dates and machine"},
};

int cmd_trace(int argc, char **argv)
{
    static const struct subverbs all = {
        .of = "trace",
        .operands = "[OPTION...] FILE",
        .about = "Looks into recorded traces, and makes new ones of them.",
        .examples = "  heapyard trace info app.hyt\n"
                    "  heapyard trace check app.hyt\n",
        .verbs = verbs,
        .n = sizeof verbs / sizeof *verbs,
    };

    return subverbs_run(&all, argc, argv);
}
