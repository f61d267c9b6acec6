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

/* Split "name:knobs"; knobs points into workload, "" if there are none. */
static const char *split(const char *workload, char *name, size_t size)
{
    size_t n = strcspn(workload, ":");

    snprintf(name, size, "%.*s", (int)n, workload);
    return workload[n] ? workload + n + 1 : "";
}

static int find_synthetic(const char *workload, unsigned threads,
                          struct composed *c, char *why, size_t why_size)
{
    char name[PREPARE_NAME_MAX];
    const char *knobs = split(workload, name, sizeof name);

    c->workload = workload_find(name);
    if (!c->workload)
        return ENOENT;
    if (threads < c->workload->min_threads ||
        threads > c->workload->max_threads) {
        snprintf(why, why_size, "%s: threads = %u (want %u..%u)", name, threads,
                 c->workload->min_threads, c->workload->max_threads);
        return EINVAL;
    }
    return workload_knobs(c->workload, knobs, &c->values, why, why_size);
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
    err = trace_compile(archive_source(archive), out, why, why_size);
    if (err && archive_why(archive)[0])
        snprintf(why, why_size, "%s", archive_why(archive));
    archive_close(archive);
    return err;
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
    return trace_compile(&c.source, path, why, why_size);
}
