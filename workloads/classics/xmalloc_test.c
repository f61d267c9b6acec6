/* xmalloc_test.c - producers and consumers with a bounded stack between them.
 *
 * Threads with an even number are producers, the others consumers.  A producer
 * allocates a batch, which is an array and as many blocks as it holds, writes
 * the blocks, and puts the batch on a stack; if that is full it waits.  A
 * consumer takes the batch on top, waiting if there is none, looks at the
 * blocks, and frees them and the array.  So every block dies in another thread
 * than the one that made it.  A lock and two conditions guard the stack.
 *
 * How full the stack is, and so how long a block lives, follows from how fast
 * allocator and threads are.  That makes it a program: handoff is the trace
 * with the same sizes, where the order is drawn at random and the same for
 * every allocator.
 *
 * Source: xmalloc-test of C. Lever & D. Boreham, "malloc() Performance in a
 * Multithreaded Linux Environment", USENIX 2000 (FREENIX), as changed into
 * producers and consumers by the later suites; a number of batches in place of
 * a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "native.h"
#include "workload.h"

enum { KNOB_SIZE, KNOB_BATCH, KNOB_LIMIT, KNOB_BLOCKS };
enum { WRITTEN_MAX = 128 /* bytes of a block */ };

/* clang-format off */
static const struct knob xmalloc_test_knobs[] = {
[KNOB_SIZE] = {"size", "bytes", 64, 1, 0x1p30,
    "of a block", NULL},
[KNOB_BATCH] = {"batch", "blocks", 4096, 1, 1e6,
    "handed over at once, with an array of their addresses", NULL},
[KNOB_LIMIT] = {"limit", "batches", 100, 1, 1e6,
    "that may wait for a consumer", NULL},
[KNOB_BLOCKS] = {"blocks", "blocks", 2e6, 1, 1e12,
    "of all producers together, at scale 1, in whole batches (published: 5 s)",
    NULL},
{.name = NULL},
};
/* clang-format on */

struct xmalloc {
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t is_filled, is_taken;
    void **stack; /* [limit]: arrays of blocks; roots */
    uint64_t waiting, limit;
    uint64_t unmade; /* batches that no producer has begun */
    unsigned producers, consumers;
    unsigned producing;   /* producers that have not ended */
    unsigned running;     /* threads that have not ended */
    uint64_t made, freed; /* blocks */
    int err;              /* of a producer: all stop */
};

/* ---- batches ---- */

struct shape {
    size_t size, written; /* of a block: bytes */
    uint64_t blocks;      /* of a batch */
};

static struct shape shape_of(const struct native *n)
{
    size_t size = (size_t)n->knobs->v[KNOB_SIZE];

    return (struct shape){.size = size,
                          .written = size < WRITTEN_MAX ? size : WRITTEN_MAX,
                          .blocks = (uint64_t)n->knobs->v[KNOB_BATCH]};
}

static int stamp_of(uint64_t i)
{
    return (unsigned char)(i * 7 + 1);
}

/* The first count of its blocks, and the array. */
static void drop_batch(struct native *n, const struct shape *s, void **batch,
                       uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        native_drop(n, batch[i], s->size);
    native_drop(n, batch, s->blocks * sizeof *batch);
}

static void **make_batch(struct native *n, const struct shape *s)
{
    void **batch = native_any(n, s->blocks * sizeof *batch);

    for (uint64_t i = 0; batch && i < s->blocks; i++) {
        void *block = native_leaf(n, s->size);

        if (!block) {
            drop_batch(n, s, batch, i);
            return NULL;
        }
        memset(block, stamp_of(i), s->written);
        native_store(n, batch, &batch[i], block);
    }
    return batch;
}

static int batch_is_right(const struct shape *s, void *const *batch)
{
    for (uint64_t i = 0; i < s->blocks; i++) {
        const unsigned char *block = batch[i];

        if (block[0] != stamp_of(i) || block[s->written - 1] != stamp_of(i))
            return 0;
    }
    return 1;
}

/* ---- the stack ---- */

/* A producer may make one more batch. */
static int begin_batch(struct xmalloc *x)
{
    pthread_mutex_lock(&x->lock);
    int may = x->unmade > 0 && !x->err;
    x->unmade -= (uint64_t)may;
    pthread_mutex_unlock(&x->lock);
    return may;
}

/* Returns 0 if all stop: the batch stays the caller's. */
static int push(struct xmalloc *x, void **batch, uint64_t blocks)
{
    pthread_mutex_lock(&x->lock);
    while (x->waiting == x->limit && !x->err)
        pthread_cond_wait(&x->is_taken, &x->lock);
    int may = !x->err;
    if (may) {
        x->stack[x->waiting++] = batch;
        x->made += blocks;
        pthread_cond_signal(&x->is_filled);
    }
    pthread_mutex_unlock(&x->lock);
    return may;
}

/* NULL if nothing is to come. */
static void **pop(struct xmalloc *x)
{
    void **batch = NULL;

    pthread_mutex_lock(&x->lock);
    while (x->waiting == 0 && x->producing > 0)
        pthread_cond_wait(&x->is_filled, &x->lock);
    if (x->waiting > 0) {
        batch = x->stack[--x->waiting];
        x->stack[x->waiting] = NULL;
        pthread_cond_signal(&x->is_taken);
    }
    pthread_mutex_unlock(&x->lock);
    return batch;
}

/* ---- the threads ---- */

static int produce(struct native *n, struct xmalloc *x, const struct shape *s)
{
    while (begin_batch(x)) {
        void **batch = make_batch(n, s);

        if (!batch)
            return ENOMEM;
        if (!push(x, batch, s->blocks))
            drop_batch(n, s, batch, s->blocks);
    }
    return 0;
}

/* What is wrong is not freed. */
static int consume(struct native *n, struct xmalloc *x, const struct shape *s)
{
    uint64_t freed = 0;
    int err = 0;

    for (void **batch; !err && (batch = pop(x));) {
        if (!batch_is_right(s, batch))
            err = EBADMSG;
        else
            drop_batch(n, s, batch, s->blocks);
        freed += s->blocks;
    }
    pthread_mutex_lock(&x->lock);
    x->freed += freed;
    pthread_mutex_unlock(&x->lock);
    return err;
}

/* The last of all threads sees whether all that was made was freed. */
static int end_thread(struct xmalloc *x, int is_producer, int err)
{
    pthread_mutex_lock(&x->lock);
    x->producing -= (unsigned)is_producer;
    if (err)
        x->err = err;
    if (--x->running == 0 && !x->err && x->made != x->freed)
        err = EBADMSG;
    pthread_cond_broadcast(&x->is_filled);
    pthread_cond_broadcast(&x->is_taken);
    pthread_mutex_unlock(&x->lock);
    return err;
}

static int xmalloc_test_run(struct native *n)
{
    struct xmalloc *x = n->shared;
    struct shape shape = shape_of(n);
    int is_producer = n->thread % 2 == 0;
    int err = is_producer ? produce(n, x, &shape) : consume(n, x, &shape);

    return end_thread(x, is_producer, err);
}

static int xmalloc_test_prepare(struct native *n, void **shared)
{
    double batches = n->knobs->v[KNOB_BLOCKS] / n->knobs->v[KNOB_BATCH];
    struct xmalloc *x = calloc(1, sizeof *x);
    int err = ENOMEM;

    if (!x)
        return err;
    x->limit = (uint64_t)n->knobs->v[KNOB_LIMIT];
    x->unmade = native_scaled(n, batches);
    x->running = n->threads;
    x->producing = n->threads - n->threads / 2;
    x->stack = calloc(x->limit, sizeof *x->stack);
    if (x->stack)
        err = native_roots_add(n, x->stack, x->stack + x->limit);
    if (err) {
        free(x->stack);
        free(x);
        return err;
    }
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->is_filled, NULL);
    pthread_cond_init(&x->is_taken, NULL);
    *shared = x;
    return 0;
}

static void xmalloc_test_finish(struct native *n)
{
    struct xmalloc *x = n->shared;

    native_roots_remove(n, x->stack, x->stack + x->limit);
    pthread_cond_destroy(&x->is_taken);
    pthread_cond_destroy(&x->is_filled);
    pthread_mutex_destroy(&x->lock);
    free(x->stack);
    free(x);
}

const struct workload xmalloc_test_workload = {
    .name = "xmalloc-test",
    .summary = "producers, a bounded stack, consumers that free (4 M ops)",
    .source = "xmalloc-test: Lever & Boreham, USENIX 2000",
    .version = 1,
    .knobs = xmalloc_test_knobs,
    .min_threads = 2,
    .max_threads = 256,
    .prepare = xmalloc_test_prepare,
    .run = xmalloc_test_run,
    .finish = xmalloc_test_finish,
};
