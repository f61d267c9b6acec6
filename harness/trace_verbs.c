/* trace_verbs.c - what the verbs of `heapyard trace` share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trace_verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "prepare.h"

enum {
    WHY_SIZE = 640,
    PROGRESS_MASK = (1 << 20) - 1, /* operations between two looks */
    PROGRESS_FROM = 1 << 22        /* shorter traces show no progress */
};

/* Bad input is the user's to mend; the rest is the machine's doing. */
static int exit_code_of(int err)
{
    switch (err) {
    case 0:
        return EXIT_GOOD;
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
    if (!err)
        return EXIT_GOOD;
    if (archive_why(archive)[0])
        return trace_complain(archive_why(archive), err);
    snprintf(why, sizeof why, "%s: %s", name,
             err == EBADMSG ? sink_why : strerror(err));
    return trace_complain(why, err);
}
