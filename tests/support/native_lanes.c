/* native_lanes.c - runs a native workload without the harness.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "native_lanes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tiny_gc.h"

static void require(int is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "native_lanes: not so: %s\n", what);
    abort();
}

/* ---- memory that counts ---- */

/* Before each block. */
struct label {
    uint64_t size, magic;
};

static const uint64_t LABEL_MAGIC = UINT64_C(0x600d600d600d600d);

static void *counted_give(struct heap *heap, size_t size, int fill)
{
    struct counted *c = (struct counted *)heap;
    uint64_t call = atomic_fetch_add(&c->calls, 1) + 1;

    if (c->fail_at && call >= c->fail_at && call - c->fail_at < c->fail_for)
        return NULL;
    struct label *label = malloc(sizeof *label + size);
    require(label != NULL, "there is memory");
    *label = (struct label){size, LABEL_MAGIC};
    memset(label + 1, fill, size);
    atomic_fetch_add(&c->allocs, 1);
    return label + 1;
}

static void *counted_alloc(struct heap *heap, size_t size)
{
    return counted_give(heap, size, 0);
}

static void *counted_leaf(struct heap *heap, size_t size)
{
    return counted_give(heap, size, 0xa5);
}

static void *counted_any(struct heap *heap, size_t size, size_t align)
{
    require(align == 0, "no alignment is asked for");
    return counted_give(heap, size, 0x5a);
}

static void counted_free(struct heap *heap, void *p, size_t size)
{
    struct counted *c = (struct counted *)heap;
    struct label *label = (struct label *)p - 1;

    if (label->magic != LABEL_MAGIC || label->size != size) {
        atomic_fetch_add(&c->wrong, 1);
        return;
    }
    label->magic = 0;
    memset(p, 0xdd, size);
    free(label);
    atomic_fetch_add(&c->frees, 1);
}

struct native_memory counted_memory(struct counted *c)
{
    return (struct native_memory){
        .heap = (struct heap *)c,
        .alloc = counted_alloc,
        .alloc_leaf = counted_leaf,
        .alloc_any = counted_any,
        .dealloc = counted_free,
    };
}

/* ---- running ---- */

struct lane {
    struct native native;
    const struct workload *workload;
    uint64_t units; /* begun and ended */
    int open;
    void (*at_use)(struct native *); /* or NULL */
    unsigned uses_begun, uses_ended; /* the phases */
    int err;
};

static void begin_unit(struct native *n)
{
    struct lane *lane = n->harness;

    require(lane->open++ == 0, "units do not nest");
}

static void end_unit(struct native *n)
{
    struct lane *lane = n->harness;

    require(--lane->open == 0, "a unit that ends has begun");
    lane->units++;
}

static void begin_use(struct native *n)
{
    struct lane *lane = n->harness;

    lane->uses_begun++;
    if (lane->at_use)
        lane->at_use(n);
}

static void end_use(struct native *n)
{
    struct lane *lane = n->harness;

    lane->uses_ended += lane->uses_begun == 1;
}

static pid_t fork_plainly(struct native *n)
{
    (void)n;
    return fork();
}

static void *run_lane(void *arg)
{
    struct lane *lane = arg;

    lane->err = lane->workload->run(&lane->native);
    return NULL;
}

static void run_lanes(struct lane lane[], unsigned threads)
{
    pthread_t id[NATIVE_LANES_MAX];

    for (unsigned t = 1; t < threads; t++)
        require(!pthread_create(&id[t], NULL, run_lane, &lane[t]),
                "a thread starts");
    run_lane(&lane[0]);
    for (unsigned t = 1; t < threads; t++)
        pthread_join(id[t], NULL);
}

static void open_lanes(struct lane lane[], const struct program *p,
                       const struct native_memory *memory, unsigned threads,
                       const struct knob_values *knobs, uint64_t seed)
{
    for (unsigned t = 0; t < threads; t++) {
        lane[t].workload = p->workload;
        lane[t].native = (struct native){
            .memory = *memory,
            .knobs = knobs,
            .seed = seed * 64 + t,
            .scale = p->scale,
            .thread = t,
            .threads = threads,
            .begin = begin_unit,
            .end = end_unit,
            .use_begin = begin_use,
            .use_end = end_use,
            .collect = memory->is_collected ? tiny_gc_collect : NULL,
            .fork = fork_plainly,
            .harness = &lane[t]};
    }
}

static struct played sum_up(const struct lane lane[], unsigned threads)
{
    struct played played = {0};

    for (unsigned t = 0; t < threads; t++) {
        if (!played.err)
            played.err = lane[t].err;
        played.allocs += lane[t].native.allocs;
        played.bytes += lane[t].native.bytes;
        played.units += lane[t].units;
        played.uses += lane[t].native.uses;
        played.use_phases += lane[t].uses_ended;
    }
    return played;
}

struct played native_lanes_play_watched(const struct program *p,
                                        const struct native_memory *memory,
                                        unsigned threads, uint64_t seed,
                                        void (*at_use)(struct native *))
{
    struct lane lane[NATIVE_LANES_MAX] = {0};
    struct played played = {0};
    struct knob_values knobs;
    void *shared = NULL;
    char why[200];

    require(threads <= NATIVE_LANES_MAX, "so many threads");
    require(!workload_knobs(p->workload, p->knobs, &knobs, why, sizeof why),
            "the knobs are right");
    open_lanes(lane, p, memory, threads, &knobs, seed);
    if (p->workload->prepare)
        played.err = p->workload->prepare(&lane[0].native, &shared);
    if (played.err)
        return played;
    for (unsigned t = 0; t < threads; t++) {
        lane[t].native.shared = shared;
        lane[t].at_use = at_use;
    }
    run_lanes(lane, threads);
    if (p->workload->finish)
        p->workload->finish(&lane[0].native);
    return sum_up(lane, threads);
}

struct played native_lanes_play(const struct program *p,
                                const struct native_memory *memory,
                                unsigned threads, uint64_t seed)
{
    return native_lanes_play_watched(p, memory, threads, seed, NULL);
}

struct played native_lanes_play_counted(const struct program *p,
                                        struct counted *c, unsigned threads,
                                        uint64_t seed)
{
    struct native_memory memory = counted_memory(c);
    struct played played = native_lanes_play(p, &memory, threads, seed);

    if (c->wrong == 0 && c->frees == c->allocs)
        return played;
    fprintf(stderr,
            "native_lanes: %s:%s: %lu of %lu freed, %lu of a wrong size\n",
            p->workload->name, p->knobs, (unsigned long)c->frees,
            (unsigned long)c->allocs, (unsigned long)c->wrong);
    abort();
}
