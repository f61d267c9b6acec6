/* trace_anonymize.c - `heapyard trace anonymize`: a trace without what tells
 * where it comes from.
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
#include "trace_verbs.h"

enum { NAMES_MAX = 1024 };

struct anonymize_args {
    const char *in, *out;
    int has_no_times;
};

/* Passes on, but for names and, if wanted, times. */
struct veil {
    struct op_sink sink; /* first: put casts back */
    struct op_sink *next;
    int has_no_times;
    char (*names)[OP_NAME_MAX + 1]; /* [nnames]: seen, the n-th is "mark-n" */
    size_t nnames;
};

/* Which of the names it is, from 1; names beyond NAMES_MAX are the last. */
static int name_number(struct veil *v, const char *name, size_t *number)
{
    size_t i = 0;

    while (i < v->nnames && strcmp(v->names[i], name) != 0)
        i++;
    if (i == v->nnames && i < NAMES_MAX) {
        void *more = realloc(v->names, (i + 1) * sizeof *v->names);

        if (!more)
            return ENOMEM;
        v->names = more;
        snprintf(v->names[v->nnames++], sizeof *v->names, "%s", name);
    }
    *number = i + 1;
    return 0;
}

static int veil_put(struct op_sink *sink, const struct op *op)
{
    struct veil *v = (struct veil *)sink;
    struct op veiled = *op;
    char name[OP_NAME_MAX + 1];
    size_t number;

    if (op->kind == OP_TIME && v->has_no_times)
        return 0;
    if (op->kind == OP_MARK) {
        int err = name_number(v, op->name, &number);

        if (err)
            return err;
        snprintf(name, sizeof name, "mark-%zu", number);
        veiled.name = name;
    }
    return v->next->put(v->next, &veiled);
}

/* Of the provenance, only who may use it. */
static void keep_licence(const struct archive *archive,
                         char text[ARCHIVE_PROVENANCE_MAX + 1])
{
    const char *line = archive_provenance(archive);
    size_t n = 0;

    while (line && *line) {
        const char *end = strchr(line, '\n');
        size_t length = end ? (size_t)(end - line) : strlen(line);

        if (!strncmp(line, "licence:", 8))
            n += (size_t)snprintf(text + n, ARCHIVE_PROVENANCE_MAX + 1 - n,
                                  "%.*s\n", (int)length, line);
        line = end ? end + 1 : NULL;
    }
    text[n] = '\0';
}

static int anonymize(const struct anonymize_args *a)
{
    char text[ARCHIVE_PROVENANCE_MAX + 1];
    struct trace_output out;
    struct archive *archive;
    int code = trace_open(a->in, &archive);

    if (code)
        return code;
    keep_licence(archive, text);
    code = trace_output_open(&out, a->out, text, TRACE_LEVEL_PRESET);
    if (!code) {
        struct veil veil = {{veil_put}, &out.sink, a->has_no_times, NULL, 0};

        code = trace_play(archive, a->in, &veil.sink, trace_output_why(&out));
        code = trace_output_close(&out, code);
        if (!code)
            fprintf(stderr,
                    "heapyard trace: %s: kept are operations, sizes, threads, "
                    "their order%s and the licence;\nleft out are all other "
                    "provenance and %zu names of marks%s\n",
                    a->out, a->has_no_times ? "" : ", times", veil.nnames,
                    a->has_no_times ? ", and times" : "");
        free(veil.names);
    }
    archive_close(archive);
    return code;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct anonymize_args *a = state->input;

    if (key == 't') {
        a->has_no_times = 1;
        return 0;
    }
    return trace_parse_in_out(key, arg, state, &a->in, &a->out);
}

int trace_anonymize(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"no-times", 't', NULL, 0, "Leave out times too", 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        "IN OUT",
        "A trace without what tells where it comes from.\v"
        "Left out: the provenance (program, command, paths, date, machine, "
        "allocator, comments), but for lines \"licence:\"; the names of marks, "
        "which become mark-1, mark-2 in the order in which they appear. "
        "Addresses are in no archive.\n\n"
        "Kept: each operation with its size, alignment and thread, their "
        "order, and times. Whoever has a recording of the same program can "
        "tell by its sizes that it is the same: anonymous is the place, not "
        "the program.\n\n"
        "Examples:\n"
        "  heapyard trace anonymize app.hyt anonymous.hyt\n"
        "  heapyard trace anonymize --no-times app.hyt anonymous.hyt",
        NULL,
        NULL,
        NULL};
    struct anonymize_args a = {0};

    argp_parse(&argp, argc, argv, 0, NULL, &a);
    return anonymize(&a);
}
