/* trace_store.c - run-time traces in a folder, each compiled when first asked
 * for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trace_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prepare_child.h"

int trace_store_open(struct trace_store *s, const char *folder)
{
    *s = (struct trace_store){0};
    snprintf(s->folder, sizeof s->folder, "%.4000s", folder);
    return mkdir(s->folder, 0777) && errno != EEXIST ? errno : 0;
}

static int is_same(const struct trace_request *a, const struct trace_request *b)
{
    return !strcmp(a->workload, b->workload) && a->threads == b->threads &&
           a->seed == b->seed && a->scale == b->scale &&
           a->first_ops == b->first_ops;
}

static struct stored_trace *find(const struct trace_store *s,
                                 const struct trace_request *request)
{
    struct stored_trace *t = s->first;

    while (t && !is_same(&t->request, request))
        t = t->next;
    return t;
}

int trace_store_has(const struct trace_store *s,
                    const struct trace_request *request)
{
    return find(s, request) != NULL;
}

static void make(struct stored_trace *t)
{
    t->err = prepare_in_child(&t->request, t->path, t->why, sizeof t->why);
    if (!t->err)
        t->err = trace_map(t->path, &t->trace, t->why, sizeof t->why);
    if (t->err)
        t->trace = NULL;
}

struct stored_trace *trace_store_get(struct trace_store *s,
                                     const struct trace_request *request)
{
    struct stored_trace *t = find(s, request);

    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->request = *request;
    snprintf(t->path, sizeof t->path, "%.4000s/%zu.hyr", s->folder, s->n++);
    t->next = s->first;
    s->first = t;
    make(t);
    return t;
}

void trace_store_close(struct trace_store *s)
{
    while (s->first) {
        struct stored_trace *t = s->first;

        s->first = t->next;
        if (t->trace)
            trace_unmap(t->trace);
        unlink(t->path);
        free(t);
    }
    rmdir(s->folder);
}
