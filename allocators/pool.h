/* pool.h - a typed object pool: magazines over a lock-free depot.
 *
 * A thread attaches a cache to the pool and then gets and puts objects of one
 * size.  Both are a few instructions without any atomic one, as long as the
 * cache's two magazines last; then whole magazines are exchanged with a depot
 * that all threads share.  pool.c tells how.
 *
 * Objects stay constructed while they are idle: the constructor runs once for
 * each, when it is cut from its slab, and the destructor once, at close.
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
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_POOL_H
#define HEAPYARD_POOL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HY_POOL_ROUNDS = 64,           /* objects of a full magazine */
    HY_POOL_SLAB_BYTES = 256 << 10 /* of a slab, and its alignment */
};

struct hy_pool;      /* pool.c */
struct heap_visitor; /* heap_walk.h */

struct hy_pool_config {
    size_t size;  /* bytes of an object; more than 0 */
    size_t align; /* a power of two; 0 = 16 */
    uint32_t tag; /* the caller's, found again in the slab's header */
    /* Not required.  Makes an object; returns 0 or an errno, and then the
     * get fails.  Both hooks run under the pool's lock: they may not use it. */
    int (*construct)(void *object, void *arg);
    void (*destroy)(void *object, void *arg);
    void *arg;
};

/* What stands at the start of every slab; its objects follow. */
struct hy_pool_slab {
    _Alignas(64) struct hy_pool *pool;
    uint32_t tag;
    uint32_t capacity;         /* objects that fit */
    uint32_t constructed;      /* objects that were ever cut off */
    uint32_t first_slot;       /* objects that fit the slabs before it */
    size_t committed;          /* bytes, from the start of this header */
    struct hy_pool_slab *next; /* older */
};

/* The slab of an object. */
static inline struct hy_pool_slab *hy_pool_slab_of(const void *object)
{
    return (struct hy_pool_slab *)((uintptr_t)object &
                                   ~(uintptr_t)(HY_POOL_SLAB_BYTES - 1));
}

struct hy_pool_magazine {
    _Alignas(64) _Atomic uint32_t next; /* below it in a stack; 0: none */
    uint32_t index;                     /* its own; from 1 */
    uint32_t rounds;                    /* objects in it */
    uint32_t mark;                      /* hy_pool_check's */
    void *round[HY_POOL_ROUNDS];
};

/* A thread's handle; nothing in it is for the caller. */
struct hy_pool_cache {
    struct hy_pool_magazine *loaded;   /* NULL: not attached */
    struct hy_pool_magazine *previous; /* full or empty */
    struct hy_pool *pool;
    uint64_t loaded_hits, previous_hits, depot_hits, fresh; /* gets */
    struct hy_pool_cache *next, **link;
};

/* Exact when taken while no thread is inside. */
struct hy_pool_metrics {
    uint64_t loaded_hits;   /* gets out of the loaded magazine */
    uint64_t previous_hits; /* after an exchange with the previous one */
    uint64_t depot_hits;    /* after an exchange with the depot */
    uint64_t fresh;         /* that had new objects cut off */
    size_t objects;         /* ever cut off = constructed */
    size_t live;            /* of them handed out */
    size_t idle_bytes;      /* of the others */
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

/* Put an object without a cache: slower, and never fails. */
void hy_pool_put_shared(struct hy_pool *, void *object);

/* Around a fork while other threads are inside; in the child, what is in
 * their caches is lost. */
void hy_pool_lock(struct hy_pool *);
void hy_pool_unlock(struct hy_pool *);

/* While threads are inside, figures are estimates. */
void hy_pool_measure(struct hy_pool *, struct hy_pool_metrics *);

/* Show the pool's memory to a visitor: a slab is a span of equal blocks,
 * which are cached while in a thread's cache and free while in the depot.  No
 * thread is inside.  Returns 0 or ENOMEM.  O(objects). */
int hy_pool_walk(struct hy_pool *, const struct heap_visitor *);

/* Does the invariant at the top of pool.c hold?  No thread is inside.
 *
 * Returns NULL, or a sentence that says what is wrong.  O(objects). */
const char *hy_pool_check(struct hy_pool *);

/* What the two below do when the loaded magazine does not serve. */
void *hy_pool_get_slow(struct hy_pool_cache *);
void hy_pool_put_slow(struct hy_pool_cache *, void *object);

/* A constructed object, or NULL and the reason in errno. */
static inline void *hy_pool_get(struct hy_pool_cache *cache)
{
    struct hy_pool_magazine *const magazine = cache->loaded;
    if (__builtin_expect(magazine->rounds == 0, 0))
        return hy_pool_get_slow(cache);
    cache->loaded_hits++;
    return magazine->round[--magazine->rounds];
}

/* Take an object of the same pool back, constructed.  Never fails. */
static inline void hy_pool_put(struct hy_pool_cache *cache, void *object)
{
    struct hy_pool_magazine *const magazine = cache->loaded;
    if (__builtin_expect(magazine->rounds == HY_POOL_ROUNDS, 0))
        hy_pool_put_slow(cache, object);
    else
        magazine->round[magazine->rounds++] = object;
}

#endif
