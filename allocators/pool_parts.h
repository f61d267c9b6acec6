/* pool_parts.h - what the files of the pool share; for nobody else.
 *
 *   pool.c        caches, the slow paths, reaping
 *   pool_depot.c  magazines, and the two stacks of them
 *   pool_slabs.c  slabs, and the objects that are in no magazine
 *   pool_check.c  the invariant, and the structure shown
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_POOL_PARTS_H
#define HEAPYARD_POOL_PARTS_H

#include <pthread.h>

#include "os_pages.h"
#include "pool.h"

/* An index is the rack's number above the magazine's, which counts from 1. */
enum {
    POOL_RACKS = 16,
    POOL_RACK_SHIFT = 28,
    POOL_CHUNKS = 23,     /* of a rack, each twice the one before */
    POOL_CHUNK_FIRST = 32 /* magazines of the first */
};

/* In rack->made: no more are made. */
#define POOL_CLOSED ((uint32_t)1 << 31)

/* Magazines of one size.  All but `made` and `retired` is written under the
 * pool's lock. */
struct pool_rack {
    uint32_t limit;            /* rounds */
    uint32_t stride;           /* bytes from a magazine to the next */
    _Atomic uint32_t made;     /* magazines ever taken, and POOL_CLOSED */
    _Atomic uint32_t capacity; /* magazines that memory is there for */
    _Atomic uint32_t retired;  /* of a closed rack: never used again */
    uint32_t is_discarded;
    size_t last_committed; /* bytes of the last chunk */
    char *chunk[POOL_CHUNKS];
};

/* The head is the index of the top magazine, 0 for none, and a tag above. */
struct pool_stack {
    _Alignas(64) _Atomic uint64_t head;
    _Atomic uint32_t low; /* least depth since the last reaping; about */
};

/* By what can be taken from it. */
enum pool_slab_list {
    POOL_SLAB_PARTIAL, /* some objects */
    POOL_SLAB_IDLE,    /* all its objects: none is in use */
    POOL_SLAB_USED,    /* none */
    POOL_SLAB_LISTS
};

/* From `lock` on, what follows is under it. */
struct hy_pool {
    struct hy_pool_config config;
    struct os_account account;
    size_t stride;     /* bytes from an object to the next */
    size_t first;      /* bytes from a slab's start to its first object */
    uint32_t per_slab; /* objects */
    uint32_t batch;    /* objects taken from the slabs at a time, at most */
    struct pool_rack rack[POOL_RACKS];
    _Alignas(64) char none[64]; /* both magazines of a cache with debug: of
                                   limit 0, so full as well as empty */

    struct pool_stack full, empty;
    _Alignas(64) _Atomic uint32_t current; /* rack: the last */
    _Atomic uint32_t contention;           /* since the last reaping */
    _Atomic uint64_t reaped_ms;            /* when that was */

    pthread_mutex_t lock;
    struct hy_pool_magazine *rest; /* the only one in the depot that is neither
                                      full nor empty */
    struct hy_pool_slab *slabs[POOL_SLAB_LISTS];
    size_t slots;   /* objects that fit the slabs */
    size_t objects; /* constructed */
    size_t idle;    /* of them, in the slabs */
    struct hy_pool_cache *caches;
    size_t attached;              /* of them */
    uint32_t caches_ever;         /* that were attached */
    struct hy_pool_cache retired; /* sums of those that were detached */
    uint64_t contended, resizes, reaped, slabs_freed; /* up to the last
                                                         reaping */
};

static inline size_t pool_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline uint32_t pool_rounds(const struct hy_pool_magazine *magazine)
{
    return atomic_load_explicit(&magazine->rounds, memory_order_relaxed);
}

static inline void pool_set_rounds(struct hy_pool_magazine *magazine,
                                   uint32_t rounds)
{
    atomic_store_explicit(&magazine->rounds, rounds, memory_order_relaxed);
}

/* Counts as contention if it has to wait. */
void pool_lock(struct hy_pool *);

/* ---- pool_depot.c ---- */

/* By its index. */
struct hy_pool_magazine *pool_magazine(struct hy_pool *, uint32_t index);

/* How many were made of a rack. */
uint32_t pool_rack_made(const struct pool_rack *);

/* Bytes committed of chunk k of a rack. */
size_t pool_chunk_committed(const struct pool_rack *, unsigned k);

/* Make `limit` the size of the magazines to come, memory for as many as the
 * invariant asks for included; the others are retired when they are found
 * empty.  Under the lock.  Returns 0 or ENOMEM, and then nothing changed. */
int pool_set_limit(struct hy_pool *, uint32_t limit);

/* Have memory for as many magazines as the invariant asks for, if there were
 * so many slots and caches.  Under the lock.  Returns 0 or ENOMEM. */
int pool_provide(struct hy_pool *, size_t slots, size_t caches);

void pool_push(struct hy_pool *, struct pool_stack *,
               struct hy_pool_magazine *);

/* NULL if the stack is empty. */
struct hy_pool_magazine *pool_pop(struct hy_pool *, struct pool_stack *);

/* An empty magazine; the invariant promises one. */
struct hy_pool_magazine *pool_take_empty(struct hy_pool *);

/* How many magazines are on the stack; about, while threads are inside. */
uint32_t pool_depth(struct hy_pool *, struct pool_stack *);

/* Give back the memory of racks all of whose magazines are retired; they stay
 * mapped, as others may still look at them.  Under the lock. */
void pool_discard_racks(struct hy_pool *);

/* Give back all racks. */
void pool_close_racks(struct hy_pool *);

/* ---- pool_slabs.c: under the lock ---- */

/* How objects lie in a slab, by the config.  Returns 0 or EINVAL. */
int pool_lay_out(struct hy_pool *);

void *pool_object(struct hy_pool *, struct hy_pool_slab *, uint32_t i);

/* Is object i of the slab idle in it? */
bool pool_is_idle(struct hy_pool_slab *, uint32_t i);

/* Where the slab belongs by its counts. */
enum pool_slab_list pool_list_of(const struct hy_pool_slab *);

/* Up to n objects out of the slabs, constructed.  Returns how many; if there
 * is none, *err says why. */
uint32_t pool_take_objects(struct hy_pool *, void *out[], uint32_t n, int *err);

/* Back to its slab. */
void pool_return_object(struct hy_pool *, void *object);

/* What is wrong with putting this object?  NULL: nothing.  O(slabs). */
const char *pool_object_fault(struct hy_pool *, const void *object);

/* The slab that p lies in, or NULL.  O(slabs). */
struct hy_pool_slab *pool_find_slab(struct hy_pool *, const void *p);

/* Destroy the slabs that are idle; only the stale ones, and make the others
 * stale, or all at once. */
void pool_free_slabs(struct hy_pool *, bool all);

/* Destroy all slabs, whatever is in them. */
void pool_close_slabs(struct hy_pool *);

#endif
