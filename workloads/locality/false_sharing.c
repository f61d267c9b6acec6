/* false_sharing.c - threads that count in objects of their own, which may lie
 * in one cache line.
 *
 * Each thread has `objects` objects, which nobody else reads or writes until
 * the end, and adds to their first words in turn.  With by=main thread 0
 * allocated all of them, one for each thread in turn, as a program does that
 * makes its workers' state; with by=self each thread allocated its own, all
 * at the same time.  Where two threads' objects share a line, it travels
 * between their cores at every write, although no object is shared.
 *
 * align=64 asks for objects aligned to a line, which alone does not keep two
 * of them apart where `size` is smaller than that and the allocator fills the
 * rest of the line: sizes are as they are asked for.
 *
 * A use is an addition.  In the end every object holds the number of them.
 *
 * Source: the passive false sharing of Hoard's cache-scratch and the active
 * one of cache-thrash (Berger et al., ASPLOS 2000), without their allocations
 * in the loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "meeting.h"
#include "native.h"
#include "workload.h"

enum { KNOB_ALIGN, KNOB_BY, KNOB_OBJECTS, KNOB_SIZE, KNOB_ROUNDS };
enum { BY_MAIN, BY_SELF };

static const char *const by_names[] = {"main", "self", NULL};

/* clang-format off */
static const struct knob false_sharing_knobs[] = {
[KNOB_ALIGN] = {"align", "bytes", 0, 0, 4096,
    "a power of two; 0: as malloc", NULL},
[KNOB_BY] = {"by", "", BY_MAIN, 0, 1,
    "who allocates: thread 0 for all in turn, or each its own", by_names},
[KNOB_OBJECTS] = {"objects", "objects", 16, 1, 65536,
    "of each thread", NULL},
[KNOB_SIZE] = {"size", "bytes", 16, 8, 65536,
    "of an object", NULL},
[KNOB_ROUNDS] = {"rounds", "rounds", 5e7, 1, 1e12,
    "over a thread's objects, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

/* What all threads share. */
struct common {
    struct meeting step; /* made; used */
    uint64_t count;      /* of a thread's objects */
    size_t bytes;        /* of each */
    void **object;       /* [threads * count], a root; NULL: none */
};

static struct common *common_of(const struct native *n)
{
    return n->shared;
}

/* With by=main object i of every thread stands beside the others'. */
static void **object_of(const struct native *n, unsigned thread, uint64_t i)
{
    return &common_of(n)->object[i * n->threads + thread];
}

static bool make(struct native *n, unsigned thread, uint64_t i)
{
    const struct common *c = common_of(n);
    uint64_t *object = n->memory.alloc_any(n->memory.heap, c->bytes,
                                           (size_t)n->knobs->v[KNOB_ALIGN]);

    n->allocs++;
    n->bytes += c->bytes;
    if (!object)
        return false;
    *object = 0;
    *object_of(n, thread, i) = object;
    return true;
}

/* Returns whether this thread makes and drops the objects of that one. */
static bool cares_for(const struct native *n, unsigned thread)
{
    return n->knobs->v[KNOB_BY] == BY_SELF ? thread == n->thread
                                           : n->thread == 0;
}

static int make_objects(struct native *n)
{
    for (uint64_t i = 0; i < common_of(n)->count; i++)
        for (unsigned t = 0; t < n->threads; t++)
            if (cares_for(n, t) && !make(n, t, i))
                return ENOMEM;
    return 0;
}

/* Returns whether the objects are there, for all threads alike: a NULL of
 * another thread's allocation is in the table. */
static bool all_are_made(const struct native *n)
{
    const struct common *c = common_of(n);

    for (uint64_t i = 0; i < c->count * n->threads; i++)
        if (!c->object[i])
            return false;
    return true;
}

/* Writes that the compiler must make. */
static void add(struct native *n, uint64_t rounds)
{
    const uint64_t count = common_of(n)->count;

    for (uint64_t round = 0; round < rounds; round++)
        for (uint64_t i = 0; i < count; i++)
            ++*(volatile uint64_t *)*object_of(n, n->thread, i);
}

static int use(struct native *n)
{
    uint64_t rounds = native_scaled(n, n->knobs->v[KNOB_ROUNDS]);
    const uint64_t count = common_of(n)->count;

    native_use_begin(n);
    add(n, rounds);
    native_use_end(n, rounds * count);
    for (uint64_t i = 0; i < count; i++)
        if (*(uint64_t *)*object_of(n, n->thread, i) != rounds)
            return EBADMSG;
    return 0;
}

/* When all have used theirs: who made them drops them. */
static void drop_objects(struct native *n)
{
    const struct common *c = common_of(n);

    for (uint64_t i = 0; i < c->count; i++)
        for (unsigned t = 0; t < n->threads; t++)
            if (cares_for(n, t))
                native_drop(n, *object_of(n, t, i), c->bytes);
}

static int false_sharing_run(struct native *n)
{
    struct common *c = common_of(n);
    int err = make_objects(n);

    meeting_wait(&c->step, n->threads);
    if (!err && all_are_made(n))
        err = use(n);
    meeting_wait(&c->step, n->threads);
    if (err != EBADMSG)
        drop_objects(n);
    return err;
}

static int false_sharing_prepare(struct native *n, void **shared)
{
    struct common *c = calloc(1, sizeof *c);

    if (!c)
        return ENOMEM;
    c->count = (uint64_t)n->knobs->v[KNOB_OBJECTS];
    c->bytes = (size_t)n->knobs->v[KNOB_SIZE];
    c->object = calloc(c->count * n->threads, sizeof *c->object);
    if (!c->object)
        goto free_common;
    if (native_roots_add(n, c->object, c->object + c->count * n->threads))
        goto free_objects;
    *shared = c;
    return 0;
free_objects:
    free(c->object);
free_common:
    free(c);
    return ENOMEM;
}

static void false_sharing_finish(struct native *n)
{
    struct common *c = n->shared;

    native_roots_remove(n, c->object, c->object + c->count * n->threads);
    free(c->object);
    free(c);
}

static int false_sharing_check(const struct knob_values *values, char *why,
                               size_t why_size)
{
    const uint64_t align = (uint64_t)values->v[KNOB_ALIGN];

    if ((align & (align - 1)) == 0)
        return 0;
    snprintf(why, why_size,
             "false-sharing: align = %llu (want 0 or a power of "
             "two)",
             (unsigned long long)align);
    return EINVAL;
}

const struct workload false_sharing_workload = {
    .name = "false-sharing",
    .summary = "threads that write to objects of their own (800 M uses)",
    .source = "Hoard's cache-scratch and cache-thrash (ASPLOS 2000)",
    .version = 1,
    .knobs = false_sharing_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = false_sharing_check,
    .prepare = false_sharing_prepare,
    .run = false_sharing_run,
    .finish = false_sharing_finish,
};
