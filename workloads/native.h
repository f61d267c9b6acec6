/* native.h - workloads that are programs, because no trace can hold them.
 *
 * A trace says when an object dies.  A program that leaves that to a
 * collector, or whose next step depends on what memory looks like, is written
 * as a native workload instead: `run` in its struct workload.  It runs on any
 * allocator through struct native_memory, whose members are the allocator's
 * own hooks, so that a call costs what it costs in a replay.
 *
 * Every pointer into an object goes through native_store, and every object of
 * fixed shape comes from native_new, so that generations and layouts can be
 * measured.  Where the memory is not collected the workload frees what it
 * drops (native_drop): it has to know what is dead, as any C program does.
 *
 * A workload that is about the cost after allocation says where its use of
 * what it has built begins and ends (native_use_begin, native_use_end), so that
 * meters can tell that phase from the building.
 *
 * A workload reads no clock and prints nothing.  It verifies its own result
 * (the size of a tree, a checksum) and returns EBADMSG if it is wrong.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_NATIVE_H
#define HEAPYARD_NATIVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "knobs.h"

struct heap; /* the allocator's */

/* The hooks; a NULL member means that this memory cannot. */
struct native_memory {
    struct heap *heap;
    bool is_collected;
    void *(*alloc)(struct heap *, size_t size); /* zeroed, may hold pointers */
    void *(*alloc_leaf)(struct heap *, size_t size); /* holds none; undefined
                                                        contents.  NULL: this
                                                        memory does not care */
    void *(*alloc_any)(struct heap *, size_t size,
                       size_t align);                     /* as malloc */
    void (*dealloc)(struct heap *, void *p, size_t size); /* NULL: collected */
    void (*store)(struct heap *, void *object, void **field,
                  void *value); /* NULL: a plain store does */
    int (*layout_add)(struct heap *, size_t size, const bool word_is_pointer[],
                      unsigned *layout);
    void *(*alloc_layout)(struct heap *, unsigned layout);
    int (*roots_add)(struct heap *, void *begin, void *end);
    void (*roots_remove)(struct heap *, void *begin, void *end);
    int (*finalizer)(struct heap *, void *object,
                     void (*run)(void *object, void *arg), void *arg);
    int (*weak)(struct heap *, void **link, void *target);
    void *(*ephemeron)(struct heap *, void *key, void *value);
    void *(*ephemeron_key)(struct heap *, void *ephemeron);
    void *(*ephemeron_value)(struct heap *, void *ephemeron);
};

/* An object's shape: made once by native_shape, shared by all threads. */
struct native_shape {
    size_t bytes;
    unsigned layout;
    bool has_layout;
};

/* One thread of a native workload. */
struct native {
    struct native_memory memory;
    const struct knob_values *knobs;
    uint64_t seed; /* differs by thread */
    double scale;
    unsigned thread, threads;
    void *shared;    /* what native_prepare of the workload made, or NULL */
    uint64_t allocs; /* the workload counts its allocations here … */
    uint64_t bytes;  /* … and the bytes it asked for; the harness reads them
                        when it has returned */
    /* A unit of work (a request) begins and ends: NULL, or called by the
     * workload through native_begin and native_end. */
    void (*begin)(struct native *);
    void (*end)(struct native *);
    /* The phase in which the workload uses what it has built: NULL, or called
     * by native_use_begin and native_use_end, once each in a run, by a thread
     * of the harness.  uses: how often it used something (a node visited, a key
     * found). */
    void (*use_begin)(struct native *);
    void (*use_end)(struct native *);
    uint64_t uses;
    void (*collect)(struct native *); /* all of it, now; NULL: cannot */
    /* A thread that the workload has started itself begins and ends its use of
     * the heap: NULL, or called in native_thread_start.  enter returns 0 or an
     * errno; leave adds the thread's CPU time to cpu_ns. */
    int (*enter)(struct native *);
    void (*leave)(struct native *);
    /* As fork(2), with the heap in order on both sides; NULL: cannot. */
    pid_t (*fork)(struct native *);
    uint64_t cpu_ns; /* of such threads, when they have been awaited */
    void *harness;   /* the harness's */
};

/* A thread that the workload starts itself, because its birth and death are
 * what is measured.  Lies where a collector finds it. */
struct native_thread {
    struct native native;        /* the thread's own */
    int (*run)(struct native *); /* as a workload's */
    int err;                     /* what run returned */
    pthread_t id;
};

static inline void native_begin(struct native *n)
{
    if (n->begin)
        n->begin(n);
}

static inline void native_end(struct native *n)
{
    if (n->end)
        n->end(n);
}

static inline void native_use_begin(struct native *n)
{
    if (n->use_begin)
        n->use_begin(n);
}

static inline void native_use_end(struct native *n, uint64_t uses)
{
    if (n->use_end)
        n->use_end(n);
    n->uses = uses;
}

static inline void *native_alloc(struct native *n, size_t bytes)
{
    n->allocs++;
    n->bytes += bytes;
    return n->memory.alloc(n->memory.heap, bytes);
}

static inline void *native_leaf(struct native *n, size_t bytes)
{
    n->allocs++;
    n->bytes += bytes;
    return n->memory.alloc_leaf ? n->memory.alloc_leaf(n->memory.heap, bytes)
                                : n->memory.alloc_any(n->memory.heap, bytes, 0);
}

/* May hold pointers; undefined contents. */
static inline void *native_any(struct native *n, size_t bytes)
{
    n->allocs++;
    n->bytes += bytes;
    return n->memory.alloc_any(n->memory.heap, bytes, 0);
}

static inline void *native_new(struct native *n, const struct native_shape *s)
{
    if (!s->has_layout)
        return native_alloc(n, s->bytes);
    n->allocs++;
    n->bytes += s->bytes;
    return n->memory.alloc_layout(n->memory.heap, s->layout);
}

/* Object's field = value. */
static inline void native_store(struct native *n, void *object, void **field,
                                void *value)
{
    if (n->memory.store)
        n->memory.store(n->memory.heap, object, field, value);
    else
        *field = value;
}

/* [begin, end), in memory that is not the heap's, holds objects: until it is
 * removed.  0 or ENOMEM; nothing to do where the memory does not collect. */
static inline int native_roots_add(struct native *n, void *begin, void *end)
{
    return n->memory.roots_add ? n->memory.roots_add(n->memory.heap, begin, end)
                               : 0;
}

static inline void native_roots_remove(struct native *n, void *begin, void *end)
{
    if (n->memory.roots_remove)
        n->memory.roots_remove(n->memory.heap, begin, end);
}

/* The workload will not use this object again. */
static inline void native_drop(struct native *n, void *p, size_t bytes)
{
    if (n->memory.dealloc && p)
        n->memory.dealloc(n->memory.heap, p, bytes);
}

/* Declare the shape of objects of `bytes` bytes, whose words with
 * word_is_pointer are NULL or another object's first byte. */
void native_shape(const struct native_memory *, size_t bytes,
                  const bool word_is_pointer[], struct native_shape *out);

/* For prepare of a workload whose objects are of one shape: *shared is that
 * struct native_shape.  0 or ENOMEM. */
int native_prepare_shape(struct native *, size_t bytes,
                         const bool word_is_pointer[], void **shared);

/* For finish: shared is freed. */
void native_free_shared(struct native *);

/* A thread-to-be, whose struct native is as its parent's but counts from 0;
 * what else is to differ (shared, seed) the caller sets in it. */
void native_thread_init(struct native_thread *, const struct native *parent,
                        int (*run)(struct native *));

/* Start it: it enters the heap, calls run and leaves.  Returns 0 or an errno;
 * if 0, the parent has to await it. */
int native_thread_start(struct native_thread *);

/* Wait for its end, and add what it counted to its parent.  Returns what run
 * returned. */
int native_thread_await(struct native_thread *, struct native *parent);

/* How many at this scale, of so many at scale 1: 1 or more. */
uint64_t native_scaled(const struct native *, double count);

/* Zero the stack below the caller, so that no word that earlier calls left
 * there keeps an object that the workload has dropped. */
void native_scrub(void);

#endif
