/* native_play.c - runs a native workload where a trace would be played.
 *
 * The hooks that a workload is given are the allocator's own, so that a call
 * costs what it costs in a replay.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "native_play.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "collection.h"
#include "native_request.h"
#include "random.h"
#include "ticks.h"

static void begin_request(struct native *n)
{
    const struct replay_config *c = n->harness;

    c->request_begin(c->meter, n->thread);
}

static void end_request(struct native *n)
{
    const struct replay_config *c = n->harness;

    c->request_end(c->meter, n->thread);
}

static void begin_use(struct native *n)
{
    const struct replay_config *c = n->harness;

    c->use_begin(c->meter, n->thread);
}

static void end_use(struct native *n)
{
    const struct replay_config *c = n->harness;

    c->use_end(c->meter, n->thread);
}

static void collect_all(struct native *n)
{
    const struct replay_config *c = n->harness;

    c->allocator->collection->collect(c->heap, COLLECTION_FULL);
}

static int enter_heap(struct native *n)
{
    const struct replay_config *c = n->harness;

    return c->allocator->enter ? c->allocator->enter(c->heap) : 0;
}

static void leave_heap(struct native *n)
{
    const struct replay_config *c = n->harness;

    if (c->allocator->leave)
        c->allocator->leave(c->heap);
    n->cpu_ns += clock_thread_cpu_ns();
}

static pid_t fork_heap(struct native *n)
{
    const struct replay_config *c = n->harness;
    const struct allocator *a = c->allocator;

    if (a->fork)
        a->fork(c->heap, FORK_BEFORE);
    pid_t pid = fork();
    if (a->fork)
        a->fork(c->heap, pid == 0 ? FORK_CHILD : FORK_PARENT);
    return pid;
}

static struct native_memory memory_of(const struct replay_config *c)
{
    const struct allocator *a = c->allocator;
    const struct collection *g = a->collection;

    if (!g)
        return (struct native_memory){.heap = c->heap,
                                      .alloc = a->zalloc,
                                      .alloc_any = a->alloc,
                                      .dealloc = a->dealloc};
    return (struct native_memory){
        .heap = c->heap,
        .is_collected = true,
        .alloc = a->zalloc,
        .alloc_any = a->alloc,
        .alloc_leaf = g->alloc_leaf,
        .store = g->store && g->needs_store(c->heap) ? g->store : NULL,
        .layout_add = g->layout_add,
        .alloc_layout = g->alloc_layout,
        .roots_add = g->roots_add,
        .roots_remove = g->roots_remove,
        .finalizer = g->finalizer,
        .weak = g->weak,
        .ephemeron = g->ephemeron,
        .ephemeron_key = g->ephemeron_key,
        .ephemeron_value = g->ephemeron_value,
    };
}

void native_open(const struct replay_config *c, struct native native[])
{
    const struct native_request *r = c->trace->native;
    struct random random;

    random_seed(&random, r->seed);
    for (unsigned i = 0; i < r->threads; i++)
        native[i] = (struct native){
            .memory = memory_of(c),
            .knobs = &r->values,
            .seed = random_next(&random),
            .scale = r->scale,
            .thread = i,
            .threads = r->threads,
            .begin = c->request_begin ? begin_request : NULL,
            .end = c->request_end ? end_request : NULL,
            .use_begin = c->use_begin ? begin_use : NULL,
            .use_end = c->use_end ? end_use : NULL,
            .collect = c->allocator->collection ? collect_all : NULL,
            .enter = enter_heap,
            .leave = leave_heap,
            /* a collector has threads and locks of its own */
            .fork = !c->allocator->collection || c->allocator->fork ? fork_heap
                                                                    : NULL,
            .harness = (void *)c,
        };
}

static void judge(const struct player *p, int err)
{
    if (err == ENOMEM)
        player_fail(p, STATUS_NOMEM, "NULL, after %llu allocations",
                    (unsigned long long)p->native->allocs);
    if (err == EBADMSG)
        player_fail(p, STATUS_CORRUPT, "the workload's own result is wrong");
    if (err == ENOTSUP)
        player_fail(p, STATUS_SKIP, "%s has not got what the workload is about",
                    p->allocator->name);
    if (err)
        player_fail(p, STATUS_ERROR, "%s", strerror(err));
}

void native_prepare(struct player *p, struct native native[])
{
    const struct native_request *r = p->request;
    void *shared = NULL;

    if (!r->workload->prepare)
        return;
    judge(p, r->workload->prepare(p->native, &shared));
    for (unsigned i = 0; i < r->threads; i++)
        native[i].shared = shared;
}

void native_run(struct player *p)
{
    judge(p, p->request->workload->run(p->native));
}

void native_finish(const struct player *p)
{
    if (p->request->workload->finish)
        p->request->workload->finish(p->native);
}
