/* trace_scale.c - `heapyard trace scale`: more threads, or a longer trace, of
 * the same profile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "op_scale.h"
#include "trace_verbs.h"

enum { HOW_SIZE = 128, TIMES_MAX = 1000000 };

struct scale_args {
    const char *in, *out;
    unsigned copies;
    uint64_t times;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct scale_args *a = state->input;

    switch (key) {
    case 't':
        a->copies =
            (unsigned)trace_number(state, "threads", arg, 1, OP_MAX_THREADS);
        return 0;
    case 'n':
        a->times = trace_number(state, "times", arg, 1, TIMES_MAX);
        return 0;
    case ARGP_KEY_SUCCESS:
        if (a->copies * a->times == 1)
            argp_error(state, "want --threads or --times, of 2 or more");
        return 0;
    default:
        return trace_parse_in_out(key, arg, state, &a->in, &a->out);
    }
}

static int repeat_into(const struct scale_args *a,
                       const struct archive *archive, struct op_repeat *r,
                       const struct trace_output *out)
{
    int code = EXIT_GOOD;

    for (uint64_t i = 0; i < a->times && !code; i++) {
        int err = i ? op_repeat_again(r) : 0;

        if (err)
            return trace_complain(
                err == EBADMSG ? trace_output_why(out) : strerror(err), err);
        code = trace_play(archive, a->in, &r->sink, trace_output_why(out));
    }
    return code;
}

static int scale_into(const struct scale_args *a, const struct archive *archive,
                      struct trace_output *out)
{
    struct op_copies copies =
        op_copies(&out->sink, a->copies, archive_totals(archive)->threads);
    struct op_repeat repeat;

    if (op_repeat_init(&repeat, a->copies > 1 ? &copies.sink : &out->sink))
        return trace_complain(strerror(ENOMEM), ENOMEM);
    int code = repeat_into(a, archive, &repeat, out);

    op_repeat_free(&repeat);
    return code;
}

static int check_threads(const struct scale_args *a,
                         const struct archive *archive)
{
    uint32_t threads = archive_totals(archive)->threads;
    char why[256];

    if (threads * a->copies <= OP_MAX_THREADS)
        return EXIT_GOOD;
    snprintf(why, sizeof why,
             "--threads %u: %s has %u threads, together %u (want at most %d)",
             a->copies, a->in, threads, threads * a->copies, OP_MAX_THREADS);
    return trace_complain(why, EBADMSG);
}

static int scale(const struct scale_args *a)
{
    char how[HOW_SIZE];
    struct trace_output out;
    struct archive *archive;
    int code = trace_open(a->in, &archive);

    if (code)
        return code;
    snprintf(how, sizeof how, "trace scale, %u side by side, %llu in a row",
             a->copies, (unsigned long long)a->times);
    code = check_threads(a, archive);
    if (!code)
        code = trace_output_derived(&out, a->out, archive, how);
    if (!code)
        code = trace_output_close(&out, scale_into(a, archive, &out));
    archive_close(archive);
    return code;
}

int trace_scale(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"threads", 't', "N", 0, "N copies of each thread, side by side", 0},
        {"times", 'n', "N", 0, "The trace N times in a row", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "IN OUT",
        "More threads, or a longer trace, of the same profile.\v"
        "Sizes, lifetimes and the share of frees by other threads stay as "
        "they are. With --threads, copies share nothing, and each allocates "
        "blocks of its own: N times the live bytes. With --times, what a "
        "time leaves is freed before the next, so that the live bytes come "
        "again and do not pile up; the last leaves what the trace leaves.\n\n"
        "Examples:\n"
        "  heapyard trace scale --threads 4 app.hyt wide.hyt\n"
        "  heapyard trace scale --times 10 app.hyt long.hyt",
        NULL,
        NULL,
        NULL};
    struct scale_args a = {.copies = 1, .times = 1};

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    return scale(&a);
}
