/* trace_merge.c - `heapyard trace merge`: several traces as one, side by side.
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
#include "op_merge.h"
#include "trace_verbs.h"

enum { PARTS_MAX = 64, HOW_SIZE = 256 };

struct merge_args {
    const char *file[PARTS_MAX + 1]; /* [n], the last is OUT */
    size_t n;
    enum merge_order order;
};

struct merge_input {
    struct archive *archive[PARTS_MAX];
    struct op_file ops[PARTS_MAX];
    struct merge_part part[PARTS_MAX];
    size_t n; /* opened */
    unsigned threads;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct merge_args *a = state->input;

    switch (key) {
    case 't':
        a->order = MERGE_BY_TIME;
        return 0;
    case ARGP_KEY_ARG:
        if (a->n > PARTS_MAX)
            argp_error(state, "want at most %d traces", PARTS_MAX);
        a->file[a->n++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->n < 3)
            argp_error(state, "want two INs or more, and OUT");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int file_failed(int err)
{
    char why[256];

    snprintf(why, sizeof why, "temporary file in %s: %s", op_file_folder(),
             strerror(err));
    return trace_complain(why, err);
}

/* Open one trace and put its operations where they can be taken singly. */
static int input_add(struct merge_input *in, const char *name, int needs_times)
{
    size_t i = in->n;
    char why[256];
    int code = trace_open(name, &in->archive[i]);

    if (code)
        return code;
    in->n++;
    if (needs_times && !archive_totals(in->archive[i])->times) {
        snprintf(why, sizeof why, "%.200s: has no times (leave out --by-time)",
                 name);
        return trace_complain(why, EBADMSG);
    }
    int err = op_file_init(&in->ops[i]);

    if (err)
        return file_failed(err);
    code = trace_play(in->archive[i], name, &in->ops[i].sink, "");
    err = code ? 0 : op_file_rewind(&in->ops[i]);
    in->part[i] =
        (struct merge_part){.ops = &in->ops[i], .first_thread = in->threads};
    in->threads += archive_totals(in->archive[i])->threads;
    return err ? file_failed(err) : code;
}

static int check_threads(const struct merge_input *in)
{
    char why[128];

    if (in->threads <= OP_MAX_THREADS)
        return EXIT_GOOD;
    snprintf(why, sizeof why, "%u threads together (want at most %d)",
             in->threads, OP_MAX_THREADS);
    return trace_complain(why, EBADMSG);
}

static int merge_into(const struct merge_args *a, struct merge_input *in)
{
    char how[HOW_SIZE];
    const char *path = a->file[a->n - 1];
    struct trace_output out;

    snprintf(how, sizeof how, "trace merge of this and %zu more, by %s",
             in->n - 1, a->order == MERGE_BY_TIME ? "time" : "progress");
    int code = trace_output_derived(&out, path, in->archive[0], how);

    if (code)
        return code;
    int err = op_merge(in->part, in->n, a->order, &out.sink);

    if (err)
        code = trace_complain(
            err == EBADMSG ? trace_output_why(&out) : strerror(err), err);
    return trace_output_close(&out, code);
}

static void input_close(struct merge_input *in)
{
    for (size_t i = 0; i < in->n; i++) {
        op_file_free(&in->ops[i]);
        archive_close(in->archive[i]);
    }
    free(in);
}

static int merge(const struct merge_args *a)
{
    struct merge_input *in = calloc(1, sizeof *in);
    int code = EXIT_GOOD;

    if (!in)
        return trace_complain(strerror(ENOMEM), ENOMEM);
    for (size_t i = 0; i + 1 < a->n && !code; i++)
        code = input_add(in, a->file[i], a->order == MERGE_BY_TIME);
    if (!code)
        code = check_threads(in);
    if (!code)
        code = merge_into(a, in);
    input_close(in);
    return code;
}

int trace_merge(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"by-time", 't', NULL, 0, "In the order of their times, and keep these",
         0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "IN IN... OUT",
        "Several traces as one, side by side, as if one process ran them.\v"
        "The threads of each IN come after those of the one before. Without "
        "--by-time all begin and end together, however long each is: the "
        "order is that of the share of its operations that each has done, and "
        "times are lost. The provenance is that of the first.\n\n"
        "24 bytes an operation are needed in a temporary file.\n\n"
        "Examples:\n"
        "  heapyard trace merge app.hyt long.hyt both.hyt",
        NULL,
        NULL,
        NULL};
    struct merge_args a = {.order = MERGE_BY_PROGRESS};

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    return merge(&a);
}
