/* prepare.c - from the name of a workload to a run-time trace on disk.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prepare.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "native_request.h"
#include "places.h"
#include "trace.h"
#include "workload.h"

struct composed {
    struct trace_source source; /* first: compose casts back */
    const struct workload *workload;
    struct knob_values values;
    const struct trace_request *request;
};

static int compose(const struct trace_source *source, struct op_sink *sink)
{
    const struct composed *c = (const struct composed *)source;
    struct op_feed feed = {.sink = sink};
    int err =
        c->workload->compose(&c->values, c->request->seed, c->request->threads,
                             c->request->scale, &feed);

    return feed.err ? feed.err : err;
}

/* The first operations of another source. */
struct beginning {
    struct trace_source source; /* first: play casts back */
    const struct trace_source *whole;
    uint64_t ops;
};

struct beginning_sink {
    struct op_sink sink; /* first: put casts back */
    struct op_sink *next;
    uint64_t left;
};

static int put_beginning(struct op_sink *sink, const struct op *op)
{
    struct beginning_sink *b = (struct beginning_sink *)sink;

    if (!b->left)
        return ECANCELED; /* enough */
    b->left -= op->kind != OP_TIME;
    return b->next->put(b->next, op);
}

static int play_beginning(const struct trace_source *source,
                          struct op_sink *next)
{
    const struct beginning *b = (const struct beginning *)source;
    struct beginning_sink sink = {{put_beginning}, next, b->ops};
    int err = b->whole->play(b->whole, &sink.sink);

    return err == ECANCELED && !sink.left ? 0 : err;
}

static int compile(const struct trace_source *whole, uint64_t first_ops,
                   const char *path, char *why, size_t why_size)
{
    struct beginning part = {{play_beginning}, whole, first_ops};

    return trace_compile(first_ops ? &part.source : whole, path, why, why_size);
}

/* Split "name:knobs"; knobs points into workload, "" if there are none. */
static const char *split(const char *workload, char *name, size_t size)
{
    size_t n = strcspn(workload, ":");

    snprintf(name, size, "%.*s", (int)n, workload);
    return workload[n] ? workload + n + 1 : "";
}

int prepare_find_synthetic(const char *workload, const struct workload **out,
                           struct knob_values *values, char *why,
                           size_t why_size)
{
    char name[PREPARE_NAME_MAX];
    const char *knobs = split(workload, name, sizeof name);

    *out = workload_find(name);
    if (!*out)
        return ENOENT;
    return workload_knobs(*out, knobs, values, why, why_size);
}

static int find_synthetic(const char *workload, unsigned threads,
                          struct composed *c, char *why, size_t why_size)
{
    int err = prepare_find_synthetic(workload, &c->workload, &c->values, why,
                                     why_size);

    if (c->workload && (threads < c->workload->min_threads ||
                        threads > c->workload->max_threads)) {
        snprintf(why, why_size, "%s: threads = %u (want %u..%u)",
                 c->workload->name, threads, c->workload->min_threads,
                 c->workload->max_threads);
        return EINVAL;
    }
    return err;
}

static int has_suffix(const char *name)
{
    size_t n = strlen(name), m = strlen(ARCHIVE_SUFFIX);

    return n > m && !strcmp(name + n - m, ARCHIVE_SUFFIX);
}

int prepare_find_recorded(const char *name, char *path, size_t path_size)
{
    int n = strchr(name, '/') || has_suffix(name)
                ? snprintf(path, path_size, "%s", name)
                : snprintf(path, path_size, "%s/%s" ARCHIVE_SUFFIX,
                           places_traces(), name);

    if (n < 0 || (size_t)n >= path_size)
        return ENAMETOOLONG;
    return access(path, R_OK) ? errno : 0;
}

static void say_unknown(const char *workload, const char *path, int err,
                        char *why, size_t why_size)
{
    if (strchr(workload, '/') || has_suffix(workload))
        snprintf(why, why_size, "%s: %s", path, strerror(err));
    else
        snprintf(why, why_size,
                 "no workload or recorded trace is called \"%s\" "
                 "(see: heapyard list)",
                 workload);
}

int prepare_check(const char *workload, unsigned threads, int *recorded,
                  char *why, size_t why_size)
{
    struct composed c;
    struct archive *archive;
    char path[PATH_MAX];
    int err = find_synthetic(workload, threads, &c, why, why_size);

    *recorded = 0;
    if (err != ENOENT)
        return err;
    err = prepare_find_recorded(workload, path, sizeof path);
    if (err) {
        say_unknown(workload, path, err, why, why_size);
        return err;
    }
    *recorded = 1;
    err = archive_open(path, &archive, why, why_size);
    if (!err)
        archive_close(archive);
    return err;
}

static int compile_recorded(const struct trace_request *request,
                            const char *out, char *why, size_t why_size)
{
    struct archive *archive;
    char path[PATH_MAX];
    int err = prepare_find_recorded(request->workload, path, sizeof path);

    if (err) {
        say_unknown(request->workload, path, err, why, why_size);
        return err;
    }
    err = archive_open(path, &archive, why, why_size);
    if (err)
        return err;
    err = compile(archive_source(archive), request->first_ops, out, why,
                  why_size);
    if (err && archive_why(archive)[0])
        snprintf(why, why_size, "%s", archive_why(archive));
    archive_close(archive);
    return err;
}

int prepare_compose(const struct trace_request *request, struct op_sink *sink,
                    char *why, size_t why_size)
{
    struct composed c = {.source = {.play = compose}, .request = request};

    why[0] = 0;
    int err =
        find_synthetic(request->workload, request->threads, &c, why, why_size);

    if (!err && c.workload->run)
        err = ENOTSUP;
    return err ? err : c.source.play(&c.source, sink);
}

int prepare_compile(const struct trace_request *request, const char *path,
                    char *why, size_t why_size)
{
    struct composed c = {.source = {.play = compose}, .request = request};
    int err =
        find_synthetic(request->workload, request->threads, &c, why, why_size);

    if (err == ENOENT)
        return compile_recorded(request, path, why, why_size);
    if (err)
        return err;
    if (c.workload->run && request->first_ops) {
        snprintf(why, why_size,
                 "%s is a program, not a trace: it has no "
                 "first operations",
                 c.workload->name);
        return EINVAL;
    }
    if (c.workload->run)
        return native_request_write(request->workload, request->threads,
                                    request->seed, request->scale, path, why,
                                    why_size);
    return compile(&c.source, request->first_ops, path, why, why_size);
}
