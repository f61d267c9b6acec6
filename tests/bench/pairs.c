/* pairs.c - nanoseconds of one allocation and one free, the bare loops.
 *
 *   [LD_PRELOAD=LIB] pairs WHO HOW PAIRS [FILE]
 *
 * WHO is who serves: `malloc` (whichever the process has), `pool` (hy_pool_get
 * and hy_pool_put of allocators/pool.h, inlined) or `floor` (nobody: one and
 * the same block, for the price of the loop).  HOW is the loop:
 *
 *   one   a block of 64 bytes is allocated, its first byte written, and it is
 *         freed, PAIRS times
 *   two   the same in two threads at once, PAIRS times in each
 *   ring  one thread allocates and writes, another frees; between them is a
 *         ring of 4096 slots
 *
 * Each loop runs in a thread of its own.  Prints the wall time over PAIRS in
 * ns: from when all threads stand ready, after a sixteenth of the pairs as a
 * warm-up, to the end of the last.  With FILE, malloc must come from that file.
 *
 * A compiler may remove malloc and free in pairs; here each block's address
 * passes through an empty assembler statement in between, so it cannot know
 * that nobody looks.  tests/cli/bench-pairs.sh counts the calls.
 *
 * Exits 0; 1 if memory or a thread is not to be had; 2 for bad arguments; 3
 * if malloc comes from another file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pool.h"

enum {
    SIZE = 64,      /* bytes of a block */
    SLOTS = 4096,   /* of the ring */
    STEP = 32,      /* blocks from one telling of a count to the next */
    WARM_PART = 16, /* of the pairs */
    SPINS = 64,     /* looks before the CPU is yielded */
    LINE = 64,      /* bytes: a cache line */
    THREADS = 2
};

enum who { MALLOC, POOL, FLOOR };
enum role { PAIR, PRODUCE, CONSUME };

/* One producer, one consumer.  Each keeps what it last saw of the other's
 * count, and tells of its own only at every STEP-th block, so that the cache
 * lines of the two counts move seldom.  A full or empty ring is always told
 * of, as SLOTS is a multiple of STEP.
 * Source: L. Lamport, "Proving the Correctness of Multiprocess Programs",
 * IEEE TSE 3(2), 1977. */
struct ring {
    _Alignas(LINE) _Atomic uint64_t put;   /* blocks ever put */
    _Alignas(LINE) _Atomic uint64_t taken; /* blocks ever taken */
    _Alignas(LINE) void *slot[SLOTS];
};

struct bench {
    enum who who;
    struct hy_pool *pool;   /* POOL only */
    uint64_t pairs;         /* of each thread */
    _Atomic unsigned ready; /* threads that have warmed up */
    unsigned threads;
    struct ring ring;
};

struct worker { /* lines of its own, so that no thread waits for another's */
    _Alignas(2 * LINE) struct bench *bench;
    enum role role;
    struct hy_pool_cache cache; /* POOL only */
    char block[SIZE];           /* FLOOR only */
    pthread_t thread;
    uint64_t started_ns, ended_ns;
};

static void fail(const char *what)
{
    fprintf(stderr, "pairs: %s\n", what);
    exit(1);
}

/* ---- one block ---- */

/* From here on the block is used in ways that the compiler cannot see. */
static inline void use(void *block)
{
    __asm__ volatile("" : "+r"(block) : : "memory");
}

__attribute__((always_inline)) static inline void *get(struct worker *w,
                                                       enum who who)
{
    void *block = who == MALLOC ? malloc(SIZE)
                  : who == POOL ? hy_pool_get(&w->cache)
                                : w->block;

    if (__builtin_expect(!block, 0))
        fail("no memory");
    *(volatile char *)block = 1;
    use(block);
    return block;
}

__attribute__((always_inline)) static inline void
release(struct worker *w, enum who who, void *block)
{
    use(block);
    if (who == MALLOC)
        free(block);
    else if (who == POOL)
        hy_pool_put(&w->cache, block);
}

/* ---- the loops: one instance of each for each who ---- */

static inline void relax(unsigned turn)
{
    if (turn % SPINS == SPINS - 1)
        sched_yield();
}

__attribute__((always_inline)) static inline void
pair(struct worker *w, enum who who, uint64_t pairs)
{
    for (uint64_t i = 0; i < pairs; i++)
        release(w, who, get(w, who));
}

__attribute__((always_inline)) static inline void
produce(struct worker *w, enum who who, uint64_t pairs)
{
    struct ring *r = &w->bench->ring;
    uint64_t put = atomic_load(&r->put), taken = atomic_load(&r->taken);

    for (uint64_t end = put + pairs; put < end;) {
        void *block = get(w, who);

        for (unsigned turn = 0; put - taken == SLOTS; relax(turn++))
            taken = atomic_load_explicit(&r->taken, memory_order_acquire);
        r->slot[put++ % SLOTS] = block;
        if (put % STEP == 0 || put == end)
            atomic_store_explicit(&r->put, put, memory_order_release);
    }
}

__attribute__((always_inline)) static inline void
consume(struct worker *w, enum who who, uint64_t pairs)
{
    struct ring *r = &w->bench->ring;
    uint64_t taken = atomic_load(&r->taken), put = taken;

    for (uint64_t end = taken + pairs; taken < end;) {
        for (unsigned turn = 0; put == taken; relax(turn++))
            put = atomic_load_explicit(&r->put, memory_order_acquire);
        release(w, who, r->slot[taken++ % SLOTS]);
        if (taken % STEP == 0 || taken == end)
            atomic_store_explicit(&r->taken, taken, memory_order_release);
    }
}

__attribute__((always_inline)) static inline void
play_as(struct worker *w, enum who who, uint64_t pairs)
{
    if (w->role == PAIR)
        pair(w, who, pairs);
    else if (w->role == PRODUCE)
        produce(w, who, pairs);
    else
        consume(w, who, pairs);
}

static void play(struct worker *w, uint64_t pairs)
{
    if (w->bench->who == MALLOC)
        play_as(w, MALLOC, pairs);
    else if (w->bench->who == POOL)
        play_as(w, POOL, pairs);
    else
        play_as(w, FLOOR, pairs);
}

/* ---- threads and the clock ---- */

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct bench *b = w->bench;

    if (b->pool && hy_pool_attach(b->pool, &w->cache))
        fail("no cache of the pool");
    play(w, b->pairs / WARM_PART);
    /* Awake, so that the threads stay on the CPUs that they are spread on. */
    atomic_fetch_add(&b->ready, 1);
    for (unsigned turn = 0; atomic_load(&b->ready) < b->threads; turn++)
        relax(turn);
    w->started_ns = now_ns();
    play(w, b->pairs);
    w->ended_ns = now_ns();
    if (b->pool)
        hy_pool_detach(&w->cache);
    return NULL;
}

/* Wall ns over the pairs of a thread. */
static double run(struct bench *b, const enum role role[])
{
    static struct worker worker[THREADS];
    uint64_t first = UINT64_MAX, last = 0;

    for (unsigned i = 0; i < b->threads; i++) {
        worker[i] = (struct worker){.bench = b, .role = role[i]};
        if (pthread_create(&worker[i].thread, NULL, work, &worker[i]))
            fail("no thread");
    }
    for (unsigned i = 0; i < b->threads; i++) {
        struct worker *w = &worker[i];

        pthread_join(w->thread, NULL);
        first = w->started_ns < first ? w->started_ns : first;
        last = w->ended_ns > last ? w->ended_ns : last;
    }
    return (double)(last - first) / (double)b->pairs;
}

/* ---- arguments ---- */

static const char *const who_names[] = {"malloc", "pool", "floor", NULL};
static const char *const how_names[] = {"one", "two", "ring", NULL};

static const struct {
    unsigned threads;
    enum role role[THREADS];
} how_roles[] = {
    {1, {PAIR}},
    {2, {PAIR, PAIR}},
    {2, {PRODUCE, CONSUME}},
};

static int find(const char *const names[], const char *name)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

/* Exits with 3 unless `file` defines the malloc of this process. */
static void expect_malloc_of(const char *file)
{
    static char have[PATH_MAX], want[PATH_MAX];
    void *symbol = dlsym(RTLD_DEFAULT, "malloc");
    Dl_info info;

    if (symbol && dladdr(symbol, &info) && realpath(info.dli_fname, have) &&
        realpath(file, want) && strcmp(have, want) == 0)
        return;
    fprintf(stderr, "pairs: malloc does not come from %s\n", file);
    exit(3);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    bool is_whole = argc == 4 || argc == 5;
    int who = is_whole ? find(who_names, argv[1]) : -1;
    int how = is_whole ? find(how_names, argv[2]) : -1;
    char *end = NULL;

    bench.pairs = is_whole ? strtoull(argv[3], &end, 10) : 0;
    if (who < 0 || how < 0 || bench.pairs < WARM_PART || *end) {
        fprintf(stderr, "usage: pairs malloc|pool|floor one|two|ring PAIRS "
                        "[FILE]   (PAIRS: 16 or more)\n");
        return 2;
    }
    if (argc == 5)
        expect_malloc_of(argv[4]);
    bench.who = (enum who)who;
    if (who == POOL &&
        hy_pool_open(&(struct hy_pool_config){.size = SIZE}, &bench.pool))
        fail("no pool");
    bench.threads = how_roles[how].threads;
    printf("%.4f\n", run(&bench, how_roles[how].role));
    if (bench.pool)
        hy_pool_close(bench.pool);
    return 0;
}
