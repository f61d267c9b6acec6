/* trace_cut.c - `heapyard trace cut`: a part of a trace as a trace of its own.
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

#include "commands.h"
#include "numbers.h"
#include "op_cut.h"
#include "trace_verbs.h"

enum { HOW_SIZE = 512, NAME_SIZE = OP_NAME_MAX + 24 };

struct cut_args {
    const char *in, *out;
    const char *from_text, *to_text;
    struct cut_bound from, to;
    char from_name[NAME_SIZE], to_name[NAME_SIZE];
    int is_empty;
};

/* "mark:NAME" or "mark:NAME#2" */
static void parse_mark(const char *text, struct cut_bound *b,
                       char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%s", text);
    char *hash = strrchr(name, '#');

    *b = (struct cut_bound){CUT_MARK, 1, name};
    if (hash && !number_parse(hash + 1, 1, UINT32_MAX, &b->value))
        *hash = '\0';
}

/* "1.5s", "20ms", "3us": whether it is one. */
static int parse_time(const char *text, struct cut_bound *b)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"s", 1e9}};
    size_t n = strlen(text);

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t length = strlen(units[i].unit);
        char digits[32];
        double value;

        if (n <= length || n - length >= sizeof digits ||
            strcmp(text + n - length, units[i].unit) != 0)
            continue;
        snprintf(digits, sizeof digits, "%.*s", (int)(n - length), text);
        if (real_parse(digits, 0, 1e9, &value))
            return 0;
        *b =
            (struct cut_bound){CUT_TIME, (uint64_t)(value * units[i].ns), NULL};
        return 1;
    }
    return 0;
}

static void parse_bound(struct argp_state *state, const char *option,
                        const char *text, struct cut_bound *b,
                        char name[NAME_SIZE])
{
    uint64_t place;

    if (!strncmp(text, "mark:", 5) && text[5]) {
        parse_mark(text + 5, b, name);
        return;
    }
    if (!number_parse(text, 0, UINT64_MAX, &place)) {
        *b = (struct cut_bound){CUT_PLACE, place, NULL};
        return;
    }
    if (!parse_time(text, b))
        argp_error(state,
                   "--%s = %s (want an operation, such as 1000; mark:NAME; or "
                   "a time, such as 1.5s or 20ms)",
                   option, text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct cut_args *a = state->input;

    switch (key) {
    case 'f':
        a->from_text = arg;
        parse_bound(state, "from", arg, &a->from, a->from_name);
        return 0;
    case 't':
        a->to_text = arg;
        parse_bound(state, "to", arg, &a->to, a->to_name);
        return 0;
    case 'e':
        a->is_empty = 1;
        return 0;
    case ARGP_KEY_SUCCESS:
        if (!a->from_text && !a->to_text)
            argp_error(state, "want --from, --to, or both");
        return 0;
    default:
        return trace_parse_in_out(key, arg, state, &a->in, &a->out);
    }
}

/* A bound that never came is an error, not a whole or an empty trace. */
static int check_reached(const struct cut_args *a, const struct op_cut *cut,
                         int is_to_reached)
{
    const char *missing = !cut->is_inside                ? "from"
                          : a->to_text && !is_to_reached ? "to"
                                                         : NULL;
    char why[HOW_SIZE];

    if (!missing)
        return EXIT_GOOD;
    snprintf(why, sizeof why,
             "--%s %s: not reached in %" PRIu64 " operations and %.6f s of %s",
             missing, missing[0] == 'f' ? a->from_text : a->to_text, cut->place,
             (double)cut->time_ns * 1e-9, a->in);
    return trace_complain(why, EBADMSG);
}

/* Notices that the part has ended, which trace_play takes for a success. */
struct end_sink {
    struct op_sink sink; /* first: put casts back */
    struct op_cut *cut;
    int is_ended;
};

static int end_put(struct op_sink *sink, const struct op *op)
{
    struct end_sink *e = (struct end_sink *)sink;
    int err = e->cut->sink.put(&e->cut->sink, op);

    e->is_ended = err == ECANCELED;
    return err;
}

static int cut_into(const struct cut_args *a, const struct archive *archive,
                    struct trace_output *out)
{
    struct op_cut cut;

    if (op_cut_init(&cut, &out->sink))
        return trace_complain(strerror(ENOMEM), ENOMEM);
    cut.from = a->from;
    cut.to = a->to;
    cut.is_empty = a->is_empty;
    struct end_sink sink = {{end_put}, &cut, 0};
    int code = trace_play(archive, a->in, &sink.sink, trace_output_why(out));

    if (!code)
        code = check_reached(a, &cut, sink.is_ended);
    if (!code)
        fprintf(stderr,
                "heapyard trace: %s: %" PRIu64 " operations, %" PRIu64
                " of them allocate what lived before, %" PRIu64 " left out\n",
                a->out, out->ops, cut.carried, cut.left_out);
    op_cut_free(&cut);
    return code;
}

static int cut(const struct cut_args *a)
{
    char how[HOW_SIZE];
    struct trace_output out;
    struct archive *archive;
    int code = trace_open(a->in, &archive);

    if (code)
        return code;
    snprintf(how, sizeof how, "trace cut from %.80s to %.80s%s",
             a->from_text ? a->from_text : "the begin",
             a->to_text ? a->to_text : "the end", a->is_empty ? ", empty" : "");
    code = trace_output_derived(&out, a->out, archive, how);
    if (!code)
        code = trace_output_close(&out, cut_into(a, archive, &out));
    archive_close(archive);
    return code;
}

int trace_cut(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"from", 'f', "PLACE", 0, "Begin at this (preset: the begin)", 0},
        {"to", 't', "PLACE", 0, "End before this (preset: the end)", 0},
        {"empty", 'e', NULL, 0,
         "Begin with an empty heap: leave out what concerns older blocks", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "IN OUT",
        "A part of a trace as a trace of its own.\v"
        "PLACE is the number of an operation (as trace dump prints it), "
        "mark:NAME (mark:NAME#2 for the second of that name), or a time since "
        "the trace began (1.5s, 20ms).\n\n"
        "What lives where the part begins is allocated first, in the order of "
        "its birth, by the thread that used it last; then comes the mark "
        "\"cut\". So the heap is as full as in the whole, though not as worn. "
        "What lives where it ends is left.\n\n"
        "Examples:\n"
        "  heapyard trace cut --from 1000 --to 5000 long.hyt part.hyt\n"
        "  heapyard trace cut --from mark:phase app.hyt part.hyt\n"
        "  heapyard trace cut --to 10us --empty app.hyt part.hyt",
        NULL,
        NULL,
        NULL};
    struct cut_args a = {0};

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    return cut(&a);
}
