/* cache_scratch.c - cache-scratch and cache-thrash: false sharing.
 *
 * Each thread allocates a tiny object, writes and reads it very often, and
 * frees it, again and again.  If an allocator puts objects of two threads on
 * one line of the cache, the line goes back and forth between processors, and
 * the writes take many times as long.  In cache-thrash an allocator does that
 * (or not) by itself: active false sharing.  In cache-scratch the main thread
 * has first allocated an object for each thread, most likely side by side, and
 * each thread frees the one that it was given: an allocator that gives such a
 * block to the thread that freed it keeps on sharing: passive false sharing.
 *
 * The time is that of the writes; few allocations are made.  A trace can touch
 * a block but not 2 million times without 2 million records, which would not
 * stay in the cache either, so it is a program.
 *
 * In the programs that suites build of it, the compiler has left out the
 * allocation of the timed loop (gcc 12, clang, -O3): free does not see what
 * was written.  Here both are called through the allocator's table, and a test
 * counts the calls.
 *
 * Source: E. Berger, K. McKinley, R. Blumofe & P. Wilson, "Hoard: A Scalable
 * Memory Allocator for Multithreaded Applications", ASPLOS 2000, section 5.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "native.h"
#include "workload.h"

enum { KNOB_SIZE, KNOB_ROUNDS, KNOB_WRITES };

/* clang-format off */
static const struct knob cache_scratch_knobs[] = {
[KNOB_SIZE] = {"size", "bytes", 1, 1, 4096,
    "of an object, all of them written", NULL},
[KNOB_ROUNDS] = {"rounds", "rounds", 1000, 1, 1e12,
    "of each thread, at scale 1", NULL},
[KNOB_WRITES] = {"writes", "1", 2e6, 1, 1e12,
    "of an object in a round, divided by the number of threads", NULL},
{.name = NULL},
};
/* clang-format on */

/* What the main thread has allocated, one for each thread; roots. */
struct gifts {
    unsigned threads;
    void *object[];
};

/* Of 0, 1 … 255, 0, … : that many terms. */
static uint64_t sum_of_bytes(uint64_t terms)
{
    uint64_t rest = terms % 256;

    return terms / 256 * (255 * 256 / 2) + rest * (rest - 1) / 2;
}

/* Through volatile, so that each write and read is made.  Each read is of the
 * write before it: by then, another's write to the same byte has had a chance
 * to get between, and to be noticed. */
static uint64_t write_and_read(volatile unsigned char *object, size_t bytes,
                               uint64_t writes)
{
    uint64_t sum = 0;

    for (size_t k = 0; k < bytes; k++)
        object[k] = 0;
    for (uint64_t i = 1; i < writes; i++)
        for (size_t k = 0; k < bytes; k++) {
            sum += object[k];
            object[k] = (unsigned char)i;
        }
    for (size_t k = 0; k < bytes; k++)
        sum += object[k];
    return sum;
}

static int play_rounds(struct native *n)
{
    size_t bytes = (size_t)n->knobs->v[KNOB_SIZE];
    uint64_t rounds = native_scaled(n, n->knobs->v[KNOB_ROUNDS]);
    uint64_t writes = (uint64_t)(n->knobs->v[KNOB_WRITES] / n->threads);
    uint64_t want;

    writes = writes > 0 ? writes : 1;
    want = sum_of_bytes(writes) * bytes;
    for (uint64_t i = 0; i < rounds; i++) {
        void *object = native_leaf(n, bytes);

        if (!object)
            return ENOMEM;
        if (write_and_read(object, bytes, writes) != want)
            return EBADMSG;
        native_drop(n, object, bytes);
    }
    return 0;
}

static int cache_scratch_run(struct native *n)
{
    struct gifts *gifts = n->shared;

    native_drop(n, gifts->object[n->thread], (size_t)n->knobs->v[KNOB_SIZE]);
    gifts->object[n->thread] = NULL;
    return play_rounds(n);
}

static void free_gifts(struct native *n, struct gifts *gifts)
{
    native_roots_remove(n, gifts->object, gifts->object + gifts->threads);
    free(gifts);
}

static int fill_gifts(struct native *n, struct gifts *gifts)
{
    size_t bytes = (size_t)n->knobs->v[KNOB_SIZE];

    for (unsigned t = 0; t < gifts->threads; t++) {
        gifts->object[t] = native_leaf(n, bytes);
        if (gifts->object[t])
            continue;
        while (t-- > 0)
            native_drop(n, gifts->object[t], bytes);
        return ENOMEM;
    }
    return 0;
}

static int cache_scratch_prepare(struct native *n, void **shared)
{
    struct gifts *gifts =
        calloc(1, sizeof *gifts + n->threads * sizeof gifts->object[0]);

    if (!gifts)
        return ENOMEM;
    gifts->threads = n->threads;
    int err = native_roots_add(n, gifts->object, gifts->object + n->threads);
    if (err) {
        free(gifts);
        return err;
    }
    err = fill_gifts(n, gifts);
    if (err) {
        free_gifts(n, gifts);
        return err;
    }
    *shared = gifts;
    return 0;
}

static void cache_scratch_finish(struct native *n)
{
    free_gifts(n, n->shared);
}

const struct workload cache_scratch_workload = {
    .name = "cache-scratch",
    .summary = "objects that were allocated side by side (2 G writes)",
    .source = "cache-scratch: Berger et al., Hoard, ASPLOS 2000",
    .version = 1,
    .knobs = cache_scratch_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = cache_scratch_prepare,
    .run = cache_scratch_run,
    .finish = cache_scratch_finish,
};

const struct workload cache_thrash_workload = {
    .name = "cache-thrash",
    .summary = "objects that threads allocate at one time (2 G writes)",
    .source = "cache-thrash: Berger et al., Hoard, ASPLOS 2000",
    .version = 1,
    .knobs = cache_scratch_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .run = play_rounds,
};
