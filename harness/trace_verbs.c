/* trace_verbs.c - what the verbs of `heapyard trace` share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include "trace_verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "numbers.h"
#include "prepare.h"
#include "record_run.h"

enum {
    WHY_SIZE = 640,
    PROGRESS_MASK = (1 << 20) - 1, /* operations between two looks */
    PROGRESS_FROM = 1 << 22,       /* shorter traces show no progress */
    STOP_CHECK_OPS = 65536
};

/* Bad input is the user's to mend; the rest is the machine's doing. */
static int exit_code_of(int err)
{
    switch (err) {
    case 0:
        return EXIT_GOOD;
    case EINTR:
        return EXIT_STOPPED;
    case EBADMSG:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EACCES:
    case ENOTSUP:
        return EXIT_USAGE;
    default:
        return EXIT_INFRA;
    }
}

int trace_complain(const char *why, int err)
{
    fprintf(stderr, "heapyard trace: %s\n", why);
    return exit_code_of(err);
}

int trace_open(const char *name, struct archive **out)
{
    char path[4096], why[WHY_SIZE];
    const char *file =
        access(name, F_OK) && !prepare_find_recorded(name, path, sizeof path)
            ? path
            : name;
    int err = archive_open(file, out, why, sizeof why);

    return err ? trace_complain(why, err) : EXIT_GOOD;
}

int trace_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_GOOD;
    fprintf(stderr, "heapyard trace: standard output: %s\n", strerror(errno));
    return EXIT_INFRA;
}

/* Passes operations on and shows on a terminal how far it is. */
struct progress_sink {
    struct op_sink sink; /* first: put casts back */
    struct op_sink *next;
    uint64_t done, total;
};

static int progress_put(struct op_sink *sink, const struct op *op)
{
    struct progress_sink *p = (struct progress_sink *)sink;

    if ((++p->done & PROGRESS_MASK) == 0)
        fprintf(stderr, "\r%.0f of %.0f million operations ",
                (double)p->done * 1e-6, (double)p->total * 1e-6);
    return p->next->put(p->next, op);
}

int trace_play(const struct archive *archive, const char *name,
               struct op_sink *sink, const char *sink_why)
{
    const struct trace_source *source = archive_source(archive);
    struct progress_sink progress = {.sink.put = progress_put,
                                     .next = sink,
                                     .total = archive_ops(archive) +
                                              archive_totals(archive)->times};
    int is_shown = isatty(STDERR_FILENO) && progress.total > PROGRESS_FROM;
    int err = source->play(source, is_shown ? &progress.sink : sink);
    char why[WHY_SIZE];

    if (is_shown)
        fprintf(stderr, "\r\033[K");
    if (!err || (err == ECANCELED && !archive_why(archive)[0]))
        return EXIT_GOOD;
    if (archive_why(archive)[0])
        return trace_complain(archive_why(archive), err);
    snprintf(why, sizeof why, "%s: %s", name,
             err != EBADMSG ? strerror(err)
             : sink_why[0]  ? sink_why
                            : "is not well formed (trace check says where)");
    return trace_complain(why, err);
}

/* ---- new archives ---- */

static int output_put(struct op_sink *sink, const struct op *op)
{
    struct trace_output *o = (struct trace_output *)sink;
    struct op_sink *next = archive_sink(o->writer);

    o->ops += op->kind != OP_TIME;
    if (o->ops % STOP_CHECK_OPS == 0 && record_is_stopped())
        return EINTR;
    return next->put(next, op);
}

static int output_failed(const char *path, int err)
{
    char why[WHY_SIZE];

    snprintf(why, sizeof why, "%s: %s", path, strerror(err));
    return trace_complain(why, err);
}

int trace_output_open(struct trace_output *o, const char *path,
                      const char *provenance, int level)
{
    *o = (struct trace_output){.sink.put = output_put, .path = path};
    record_hold_signals();
    int err = archive_create(path, provenance, level, &o->writer);

    return err ? output_failed(path, err) : EXIT_GOOD;
}

const char *trace_output_why(const struct trace_output *o)
{
    return archive_writer_why(o->writer);
}

int trace_output_close(struct trace_output *o, int code)
{
    char why[WHY_SIZE];

    /* Ctrl-C may have ended who writes our input: it looks like its end */
    if (!code && record_is_stopped()) {
        snprintf(why, sizeof why, "stopped, %s was not written", o->path);
        code = trace_complain(why, EINTR);
    }
    if (code) {
        archive_abandon(o->writer);
        return code;
    }
    int err = archive_commit(o->writer);

    return err ? output_failed(o->path, err) : EXIT_GOOD;
}

static int derive(const struct archive *archive, const char *how,
                  char text[ARCHIVE_PROVENANCE_MAX + 1])
{
    const char *old = archive_provenance(archive);
    size_t n = strlen(old);

    while (n && old[n - 1] == '\n') /* also room that was left */
        n--;
    int size = snprintf(text, ARCHIVE_PROVENANCE_MAX + 1, "%.*s%sderived: %s\n",
                        (int)n, old, n ? "\n" : "", how);

    if (size > ARCHIVE_PROVENANCE_MAX)
        return trace_complain("the provenance grows beyond 16384 bytes "
                              "(trace anonymize makes it short)",
                              EBADMSG);
    return EXIT_GOOD;
}

int trace_output_derived(struct trace_output *out, const char *path,
                         const struct archive *archive, const char *how)
{
    char text[ARCHIVE_PROVENANCE_MAX + 1];
    const int code = derive(archive, how, text);

    return code ? code : trace_output_open(out, path, text, TRACE_LEVEL_PRESET);
}

/* ---- arguments ---- */

uint64_t trace_number(struct argp_state *state, const char *option,
                      const char *text, uint64_t min, uint64_t max)
{
    uint64_t value = 0;

    if (number_parse(text, min, max, &value))
        argp_error(state, "--%s = %s (want %" PRIu64 "..%" PRIu64 ")", option,
                   text, min, max);
    return value;
}

error_t trace_parse_in_out(int key, char *arg, struct argp_state *state,
                           const char **in, const char **out)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (*out)
            argp_error(state, "IN and OUT only (\"%s\" is one more)", arg);
        *(*in ? out : in) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!*out)
            argp_error(state, "want IN and OUT, such as app.hyt part.hyt");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
