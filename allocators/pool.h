/* pool.h - a typed object pool: magazines over a lock-free depot.
 *
 * A thread attaches a cache to the pool and then gets and puts objects of one
 * size.  Both are a few instructions without any atomic read-modify-write, as
 * long as the cache's two magazines last; then whole magazines are exchanged
 * with a depot that all threads share.  pool.c tells how.
 *
 * Objects stay constructed while they are idle: the constructor runs once for
 * each, when it is cut from its slab, and the destructor once, when the slab
 * is given back or the pool closed.
 *
 *     struct hy_pool *pool;
 *     struct hy_pool_cache cache;                     (one a thread)
 *     hy_pool_open(&(struct hy_pool_config){.size = 48}, &pool);
 *     hy_pool_attach(pool, &cache);
 *     void *object = hy_pool_get(&cache);
 *     hy_pool_put(&cache, object);                    (any thread's cache)
 *     hy_pool_detach(&cache);
 *     hy_pool_close(pool);
 *
 * What is idle goes back to the system by the working set: at the end of each
 * period the pool takes as many magazines out of the depot as lay there unused
 * all through it, and gives back the slabs that had no object in use for a
 * whole period.  The clock is looked at when a thread visits the depot, every
 * fourth time, so a pool that nobody uses keeps what it has, until hy_pool_reap
 * or hy_pool_trim; and what is in a cache (two magazines at most) stays with
 * its thread.
 *
 * Not detected, unless `debug` is set: an object that is put twice, and one
 * that is not of the pool.  Both corrupt it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_POOL_H
#define HEAPYARD_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HY_POOL_SLAB_BYTES = 256 << 10,  /* of a slab, and its alignment */
    HY_POOL_ROUNDS = 64,             /* objects of a magazine, by default: */
    HY_POOL_ROUNDS_BYTES = 64 << 10, /* fewer, if they hold more than that */
    HY_POOL_ROUNDS_MAX = 1024,
    HY_POOL_PERIOD_MS = 100,
    HY_POOL_CONTENDED = 16 /* in a period: then magazines double */
};

#define HY_POOL_NEVER UINT32_MAX /* as period_ms: only when asked */

struct hy_pool;      /* pool_parts.h */
struct heap_visitor; /* heap_walk.h */

/* What is 0 has its default. */
struct hy_pool_config {
    size_t size;  /* bytes of an object; more than 0 */
    size_t align; /* a power of two; 0 = 16 */
    uint32_t tag; /* the caller's, found again in the slab's header */

    uint32_t magazine;     /* objects of a magazine at first, at most
                              HY_POOL_ROUNDS_MAX */
    uint32_t magazine_max; /* that contention may make of it; 0 = 4 times */
    uint32_t period_ms;    /* of reaping; 0 = HY_POOL_PERIOD_MS */
    bool keep_slabs;       /* until close, or hy_pool_trim */

    /* Every put is checked: an object that is idle already, or not of this
     * pool, is reported and left alone.  Magazines are not used then, so both
     * get and put take a lock. */
    bool debug;

    /* Not required.  Makes an object; returns 0 or an errno, and then the
     * get fails.  These two run under the pool's lock: they may not use it. */
    int (*construct)(void *object, void *arg);
    void (*destroy)(void *object, void *arg);
    /* Not required.  Called after a visit to the depot, instead of looking at
     * the clock: then the caller sees to it that hy_pool_reap is called. */
    void (*visit)(void *arg);
    /* Not required.  What debug found; without it, a line goes to stderr and
     * the process is aborted. */
    void (*fault)(const char *what, const void *object, void *arg);
    void *arg; /* of all four */
};

/* What stands at the start of every slab; a bit an object follows, set while
 * it is idle in the slab, and then the objects. */
struct hy_pool_slab {
    _Alignas(64) struct hy_pool *pool;
    uint32_t tag;
    uint32_t capacity;    /* objects that fit */
    uint32_t constructed; /* objects that were cut off */
    uint32_t idle;        /* of them, in no magazine and not handed out */
    uint32_t first_word;  /* of the bits: none is set before */
    uint32_t committed;   /* bytes, from the start of this header */
    uint32_t first_slot;  /* objects of the slabs before it: hy_pool_check's */
    uint16_t list;        /* that it is on */
    uint16_t is_stale; /* idle as a whole since the last reaping, or longer */
    struct hy_pool_slab *next, *prev;
};

/* The slab of an object. */
static inline struct hy_pool_slab *hy_pool_slab_of(const void *object)
{
    return (struct hy_pool_slab *)((uintptr_t)object &
                                   ~(uintptr_t)(HY_POOL_SLAB_BYTES - 1));
}

/* Atomic where others than its owner look at it: in passing through a stack,
 * and in measuring. */
struct hy_pool_magazine {
    _Alignas(64) _Atomic uint32_t next; /* below it in a stack; 0: none */
    _Atomic uint32_t depth;             /* of the stack up to it */
    _Atomic uint32_t rounds;            /* objects in it */
    uint32_t limit;                     /* of rounds */
    uint32_t index;                     /* its own; not 0 */
    uint32_t filler;                    /* number of the cache that filled it */
    uint32_t mark;                      /* hy_pool_check's */
    void *round[];
};

/* A thread's handle; nothing in it is for the caller.  Counts are written by
 * the owner and read by hy_pool_measure. */
struct hy_pool_cache {
    struct hy_pool_magazine *loaded;   /* NULL: not attached */
    struct hy_pool_magazine *previous; /* full or empty */
    struct hy_pool *pool;
    _Atomic uint64_t loaded_hits, previous_hits, depot_hits, fresh, steals;
    uint64_t seen_gets; /* hy_pool_flush_unused's */
    struct hy_pool_cache *next, **link;
    uint32_t number; /* from 1 */
    uint32_t visits; /* to the depot */
};

/* Exact when taken while no thread is inside. */
struct hy_pool_metrics {
    uint64_t loaded_hits;   /* gets out of the loaded magazine */
    uint64_t previous_hits; /* after an exchange with the previous one */
    uint64_t depot_hits;    /* after an exchange with the depot */
    uint64_t fresh;         /* misses: from the slabs, new or given back */
    uint64_t steals;        /* depot hits on what another cache had filled */
    uint64_t contention;    /* failed exchanges, and waits for the lock */
    uint64_t resizes;       /* of magazines */
    uint64_t reaped;        /* objects that went back to their slabs */
    uint64_t slabs_freed;   /* given back to the system */
    uint32_t magazine;      /* objects that one holds now */
    size_t objects;         /* constructed and not destroyed */
    size_t live;            /* of them handed out */
    size_t idle_bytes;      /* of the others */
    size_t slab_idle_bytes; /* of those, what is in no magazine */
    size_t mapped_bytes;    /* got from the system */
};

/* Make a pool.  Returns 0, EINVAL or ENOMEM. */
int hy_pool_open(const struct hy_pool_config *, struct hy_pool **out);

/* Destroy all objects, also those not put back, and give everything back.
 * No thread is inside; caches need not be detached, only forgotten. */
void hy_pool_close(struct hy_pool *);

/* Make `cache` the caller's.  Returns 0 or ENOMEM. */
int hy_pool_attach(struct hy_pool *, struct hy_pool_cache *cache);

/* Give all that is in the cache back to the depot. */
void hy_pool_detach(struct hy_pool_cache *);

/* The same, if the cache served no get since the last such call; it stays
 * attached. */
void hy_pool_flush_unused(struct hy_pool_cache *);

/* Get or put an object without a cache: slower.  A put never fails. */
void *hy_pool_get_shared(struct hy_pool *);
void hy_pool_put_shared(struct hy_pool *, void *object);

/* End a period now: objects of magazines that the depot did not need since the
 * last one go back to their slabs; slabs that were idle since the last one are
 * destroyed; magazines double if they were contended for.  Any thread may
 * call it. */
void hy_pool_reap(struct hy_pool *);

/* Give back all that is idle in the depot, at once.  Returns how many bytes
 * went back to the system.  Any thread may call it. */
size_t hy_pool_trim(struct hy_pool *);

/* Is p within a slab of this pool?  O(slabs): for debugging. */
bool hy_pool_owns(struct hy_pool *, const void *p);

/* Around a fork while other threads are inside; in the child, what is in
 * their caches is lost. */
void hy_pool_lock(struct hy_pool *);
void hy_pool_unlock(struct hy_pool *);

/* While threads are inside, figures are estimates. */
void hy_pool_measure(struct hy_pool *, struct hy_pool_metrics *);

/* Show the pool's memory to a visitor: a slab is a span of equal blocks,
 * which are cached while in a thread's cache and free while in the depot or
 * the slab.  No thread is inside.  Returns 0 or ENOMEM.  O(objects). */
int hy_pool_walk(struct hy_pool *, const struct heap_visitor *);

/* Does the invariant at the top of pool.c hold?  No thread is inside.
 *
 * Returns NULL, or a sentence that says what is wrong.  O(objects). */
const char *hy_pool_check(struct hy_pool *);

/* What the two below do when the loaded magazine does not serve. */
void *hy_pool_get_slow(struct hy_pool_cache *);
void hy_pool_put_slow(struct hy_pool_cache *, void *object);

/* By the only thread that writes the count: no locked instruction. */
static inline void hy_pool_count(_Atomic uint64_t *count)
{
    atomic_store_explicit(count,
                          atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* A constructed object, or NULL and the reason in errno. */
static inline void *hy_pool_get(struct hy_pool_cache *cache)
{
    struct hy_pool_magazine *const magazine = cache->loaded;
    const uint32_t rounds =
        atomic_load_explicit(&magazine->rounds, memory_order_relaxed);
    if (__builtin_expect(rounds == 0, 0))
        return hy_pool_get_slow(cache);
    hy_pool_count(&cache->loaded_hits);
    atomic_store_explicit(&magazine->rounds, rounds - 1, memory_order_relaxed);
    return magazine->round[rounds - 1];
}

/* Take an object of the same pool back, constructed.  Never fails. */
static inline void hy_pool_put(struct hy_pool_cache *cache, void *object)
{
    struct hy_pool_magazine *const magazine = cache->loaded;
    const uint32_t rounds =
        atomic_load_explicit(&magazine->rounds, memory_order_relaxed);
    if (__builtin_expect(rounds == magazine->limit, 0)) {
        hy_pool_put_slow(cache, object);
        return;
    }
    magazine->round[rounds] = object;
    atomic_store_explicit(&magazine->rounds, rounds + 1, memory_order_relaxed);
}

#endif
