/* pool.c - a typed object pool: magazines over a lock-free depot.
 *
 * A magazine is an array of up to 64 idle objects.  Every thread's cache has
 * two; what they cannot serve goes to the depot, a whole magazine at a time:
 *
 *   cache (a thread)        depot (all threads)             slabs (locked)
 *   +--------+----------+   full:  tag|i -> [64] -> [64]    +--------------+
 *   | loaded | previous |   empty: tag|i -> [ 0] -> [ 0]    |hdr|o|o|o|    |
 *   |  [37]  |   [64]   |   rest:  [12]   (locked)          +--------------+
 *   +--------+----------+                                    256 KiB, aligned
 *      get v ^ put                                           (cut off in order)
 *
 * If a get finds loaded empty, it tries previous (exchanging the two), then
 * the depot's full stack, then cuts new objects off a slab.  A put does the
 * same with "full" and "empty" exchanged.  As previous is always full or
 * empty, at least 64 calls lie between two visits to the depot.
 *
 * The two stacks are Treiber's: the head is one 64-bit word, the index of the
 * top magazine and a tag that every change increments, so that a head that
 * was popped and pushed again in between is not taken for the same (the tag
 * wraps after 2^32 changes).  A pop reads `next` of a magazine that another
 * thread may have taken already; it may, as magazines are never unmapped
 * before close, and the tag then makes the exchange fail.
 *
 * A put may not fail, so the magazines for it are there before the objects
 * are.  Full magazines hold 64 objects each, all others sit in a cache (two
 * each), are `rest`, or are empty.  So if
 *
 *     magazines >= slots / 64 + 2 * caches + 1
 *
 * then a put whose two magazines are full, or rest, when it is full, finds an
 * empty one.  Growing a slab or attaching a cache fails if that cannot be had.
 * Detaching would leave partly filled magazines behind: they are poured into
 * `rest`, the only one of its kind.
 *
 * Slabs are not given back before close: what is idle in the depot stays.
 *
 * Invariant: a magazine is in exactly one of: full stack (64 rounds), empty
 *            stack (0), a cache, rest, or not yet made; previous has 0 or 64;
 *            no object is in two rounds; the inequality above.
 *            (hy_pool_check() proves it.)
 *
 * Source: J. Bonwick, J. Adams, "Magazines and Vmem: Extending the Slab
 * Allocator to Many CPUs and Arbitrary Resources", USENIX 2001, section 3
 * (there the depot has a lock); R. K. Treiber, "Systems Programming: Coping
 * with Parallelism", IBM RJ 5118, 1986.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "heap_walk.h"
#include "os_pages.h"

enum {
    CHUNKS = 26,             /* of magazines, each twice the one before */
    CHUNK_FIRST = 32,        /* magazines of the first */
    COMMIT_BYTES = 64 << 10, /* of a slab at a time */
    BATCH_BYTES = 16 << 10   /* of new objects at a time, about */
};

#define TAG_ONE ((uint64_t)1 << 32)

/* The stacks' heads have a line each; what follows is under the lock, but for
 * reading `pool->capacity` and `made`. */
struct hy_pool {
    struct hy_pool_config config;
    struct os_account account;
    size_t stride;     /* bytes from an object to the next */
    size_t first;      /* bytes from a slab's start to its first object */
    uint32_t per_slab; /* objects */
    uint32_t batch;    /* objects cut off at a time */
    struct hy_pool_magazine *chunk[CHUNKS];

    _Alignas(64) _Atomic uint64_t full;
    _Alignas(64) _Atomic uint64_t empty;
    _Alignas(64) _Atomic uint32_t made; /* magazines ever taken */
    _Atomic uint32_t capacity;          /* magazines that memory is there for */
    pthread_mutex_t lock;
    size_t chunk_committed; /* bytes of the last chunk */
    struct hy_pool_magazine *rest;
    struct hy_pool_slab *slabs; /* the first is the one being cut */
    size_t slots;               /* objects that fit the slabs */
    size_t objects;             /* ever constructed */
    struct hy_pool_cache *caches;
    size_t attached;              /* of them */
    struct hy_pool_cache retired; /* sums of those that were detached */
};

/* ---- magazines, by index from 1 ---- */

static unsigned chunk_of(uint32_t i)
{
    return 31 - (unsigned)__builtin_clz((i - 1) / CHUNK_FIRST + 1);
}

/* Magazines in the chunks before chunk k. */
static uint32_t chunk_start(unsigned k)
{
    return CHUNK_FIRST * ((UINT32_C(1) << k) - 1);
}

static size_t chunk_bytes(unsigned k)
{
    return ((size_t)CHUNK_FIRST << k) * sizeof(struct hy_pool_magazine);
}

static struct hy_pool_magazine *magazine_at(struct hy_pool *pool, uint32_t i)
{
    const unsigned k = chunk_of(i);

    return &pool->chunk[k][i - 1 - chunk_start(k)];
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Have memory for that many.  Under the lock. */
static int provide_magazines(struct hy_pool *pool, size_t want)
{
    const size_t each = sizeof(struct hy_pool_magazine);
    uint32_t capacity = atomic_load(&pool->capacity);

    if (want > chunk_start(CHUNKS))
        return ENOMEM;
    while (capacity < want) {
        const unsigned k = chunk_of(capacity + 1);
        const uint32_t start = chunk_start(k);
        const size_t n = least(want - start, (size_t)CHUNK_FIRST << k);

        if (!pool->chunk[k]) {
            pool->chunk[k] = os_pages_reserve(chunk_bytes(k), 0);
            if (!pool->chunk[k])
                return ENOMEM;
            pool->chunk_committed = 0;
        }
        const size_t bytes = os_pages_round(n * each);
        if (os_pages_commit(&pool->account,
                            (char *)pool->chunk[k] + pool->chunk_committed,
                            bytes - pool->chunk_committed))
            return ENOMEM;
        pool->chunk_committed = bytes;
        capacity =
            start + (uint32_t)least(bytes / each, (size_t)CHUNK_FIRST << k);
        atomic_store(&pool->capacity, capacity);
    }
    return 0;
}

/* As many as the invariant asks for, if there were so many slots and caches. */
static int provide_for(struct hy_pool *pool, size_t slots, size_t caches)
{
    return provide_magazines(pool, slots / HY_POOL_ROUNDS + 2 * caches + 1);
}

/* ---- the stacks ---- */

static void push(_Atomic uint64_t *stack, struct hy_pool_magazine *magazine)
{
    uint64_t head = atomic_load_explicit(stack, memory_order_relaxed), next;

    do {
        atomic_store_explicit(&magazine->next, (uint32_t)head,
                              memory_order_relaxed);
        next = ((head & ~(TAG_ONE - 1)) + TAG_ONE) | magazine->index;
    } while (!atomic_compare_exchange_weak_explicit(
        stack, &head, next, memory_order_release, memory_order_relaxed));
}

static struct hy_pool_magazine *pop(struct hy_pool *pool,
                                    _Atomic uint64_t *stack)
{
    uint64_t head = atomic_load_explicit(stack, memory_order_acquire), next;
    struct hy_pool_magazine *magazine;

    do {
        if ((uint32_t)head == 0)
            return NULL;
        magazine = magazine_at(pool, (uint32_t)head);
        next = ((head & ~(TAG_ONE - 1)) + TAG_ONE) |
               atomic_load_explicit(&magazine->next, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(
        stack, &head, next, memory_order_acquire, memory_order_acquire));
    return magazine;
}

/* The next magazine that was never used, or NULL. */
static struct hy_pool_magazine *make_magazine(struct hy_pool *pool)
{
    uint32_t made = atomic_load(&pool->made);

    do {
        if (made >= atomic_load(&pool->capacity))
            return NULL;
    } while (!atomic_compare_exchange_weak(&pool->made, &made, made + 1));
    struct hy_pool_magazine *const magazine = magazine_at(pool, made + 1);
    magazine->index = made + 1;
    return magazine;
}

/* An empty magazine.  The invariant promises one, on the stack or not yet
 * made; a second look is needed only if it moved during the first. */
static struct hy_pool_magazine *take_empty(struct hy_pool *pool)
{
    for (;;) {
        struct hy_pool_magazine *magazine = pop(pool, &pool->empty);
        if (!magazine)
            magazine = make_magazine(pool);
        if (magazine)
            return magazine;
    }
}

/* Under the lock. */
static void pour(struct hy_pool *pool, void *object)
{
    if (pool->rest->rounds == HY_POOL_ROUNDS) {
        push(&pool->full, pool->rest);
        pool->rest = take_empty(pool);
    }
    pool->rest->round[pool->rest->rounds++] = object;
}

/* ---- slabs: under the lock ---- */

static struct hy_pool_slab *add_slab(struct hy_pool *pool)
{
    const size_t bytes =
        least(HY_POOL_SLAB_BYTES,
              os_pages_round(pool->first + pool->stride > COMMIT_BYTES
                                 ? pool->first + pool->stride
                                 : COMMIT_BYTES));

    if (pool->slots > UINT32_MAX - pool->per_slab ||
        provide_for(pool, pool->slots + pool->per_slab, pool->attached))
        return NULL;
    struct hy_pool_slab *slab =
        os_pages_reserve(HY_POOL_SLAB_BYTES, HY_POOL_SLAB_BYTES);
    if (!slab)
        return NULL;
    if (os_pages_commit(&pool->account, slab, bytes)) {
        (void)os_pages_release(&pool->account, slab, HY_POOL_SLAB_BYTES, 0);
        return NULL;
    }
    slab->pool = pool;
    slab->tag = pool->config.tag;
    slab->capacity = pool->per_slab;
    slab->first_slot = (uint32_t)pool->slots;
    slab->committed = bytes;
    slab->next = pool->slabs;
    pool->slabs = slab;
    pool->slots += pool->per_slab;
    return slab;
}

static char *object_at(struct hy_pool *pool, struct hy_pool_slab *slab,
                       uint32_t i)
{
    return (char *)slab + pool->first + i * pool->stride;
}

/* One new object, constructed.  NULL, and *err says why. */
static void *cut(struct hy_pool *pool, int *err)
{
    struct hy_pool_slab *slab = pool->slabs;

    *err = ENOMEM;
    if (!slab || slab->constructed == slab->capacity)
        slab = add_slab(pool);
    if (!slab)
        return NULL;
    char *const object = object_at(pool, slab, slab->constructed);
    const size_t end = (size_t)(object - (char *)slab) + pool->stride;
    if (end > slab->committed) {
        const size_t step = slab->committed + COMMIT_BYTES;
        const size_t want =
            least(HY_POOL_SLAB_BYTES, os_pages_round(end > step ? end : step));
        if (os_pages_commit(&pool->account, (char *)slab + slab->committed,
                            want - slab->committed))
            return NULL;
        slab->committed = want;
    }
    *err = pool->config.construct
               ? pool->config.construct(object, pool->config.arg)
               : 0;
    if (*err)
        return NULL;
    slab->constructed++;
    pool->objects++;
    return object;
}

/* Fill the cache's empty loaded magazine with new objects, the lowest on top.
 * Returns 0 or an errno if there is not even one. */
static int load_new(struct hy_pool_cache *cache)
{
    struct hy_pool *const pool = cache->pool;
    struct hy_pool_magazine *const magazine = cache->loaded;
    uint32_t n = 0;
    int err = 0;

    while (n < pool->batch && (magazine->round[n] = cut(pool, &err)))
        n++;
    for (uint32_t i = 0; i < n / 2; i++) {
        void *const low = magazine->round[i];
        magazine->round[i] = magazine->round[n - 1 - i];
        magazine->round[n - 1 - i] = low;
    }
    magazine->rounds = n;
    return n ? 0 : err;
}

/* ---- the slow paths ---- */

static void *take_round(struct hy_pool_cache *cache)
{
    return cache->loaded->round[--cache->loaded->rounds];
}

static void exchange(struct hy_pool_cache *cache)
{
    struct hy_pool_magazine *const loaded = cache->loaded;

    cache->loaded = cache->previous;
    cache->previous = loaded;
}

/* Neither the cache nor the full stack had an object. */
static void *get_locked(struct hy_pool_cache *cache)
{
    struct hy_pool *const pool = cache->pool;
    int err = 0;

    pthread_mutex_lock(&pool->lock);
    if (pool->rest->rounds) {
        struct hy_pool_magazine *const rest = pool->rest;
        pool->rest = cache->loaded;
        cache->loaded = rest;
        cache->depot_hits++;
    } else {
        err = load_new(cache);
        cache->fresh += err == 0;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!err)
        return take_round(cache);
    errno = err;
    return NULL;
}

void *hy_pool_get_slow(struct hy_pool_cache *cache)
{
    struct hy_pool *const pool = cache->pool;

    if (cache->previous->rounds) {
        exchange(cache);
        cache->previous_hits++;
        return take_round(cache);
    }
    struct hy_pool_magazine *const full = pop(pool, &pool->full);
    if (!full)
        return get_locked(cache);
    push(&pool->empty, cache->previous);
    cache->previous = cache->loaded;
    cache->loaded = full;
    cache->depot_hits++;
    return take_round(cache);
}

void hy_pool_put_slow(struct hy_pool_cache *cache, void *object)
{
    struct hy_pool *const pool = cache->pool;

    if (cache->previous->rounds == 0) {
        exchange(cache);
    } else {
        push(&pool->full, cache->previous);
        cache->previous = cache->loaded;
        cache->loaded = take_empty(pool);
    }
    cache->loaded->round[cache->loaded->rounds++] = object;
}

void hy_pool_put_shared(struct hy_pool *pool, void *object)
{
    pthread_mutex_lock(&pool->lock);
    pour(pool, object);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- caches ---- */

int hy_pool_attach(struct hy_pool *pool, struct hy_pool_cache *cache)
{
    *cache = (struct hy_pool_cache){.pool = pool};
    pthread_mutex_lock(&pool->lock);
    const int err = provide_for(pool, pool->slots, pool->attached + 1);
    if (!err) {
        cache->loaded = take_empty(pool);
        cache->previous = take_empty(pool);
        cache->next = pool->caches;
        cache->link = &pool->caches;
        if (cache->next)
            cache->next->link = &cache->next;
        pool->caches = cache;
        pool->attached++;
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}

static void add_counts(struct hy_pool_cache *sum,
                       const struct hy_pool_cache *cache)
{
    sum->loaded_hits += cache->loaded_hits;
    sum->previous_hits += cache->previous_hits;
    sum->depot_hits += cache->depot_hits;
    sum->fresh += cache->fresh;
}

/* Under the lock. */
static void give_back(struct hy_pool *pool, struct hy_pool_magazine *magazine)
{
    if (magazine->rounds == HY_POOL_ROUNDS) {
        push(&pool->full, magazine);
        return;
    }
    /* Emptied before it is shared, and never short of magazines: as long as
     * this one has a round, a full rest has an empty one to follow it. */
    while (magazine->rounds)
        pour(pool, magazine->round[--magazine->rounds]);
    push(&pool->empty, magazine);
}

void hy_pool_detach(struct hy_pool_cache *cache)
{
    struct hy_pool *const pool = cache->pool;

    pthread_mutex_lock(&pool->lock);
    give_back(pool, cache->loaded);
    give_back(pool, cache->previous);
    add_counts(&pool->retired, cache);
    *cache->link = cache->next;
    if (cache->next)
        cache->next->link = cache->link;
    pool->attached--;
    pthread_mutex_unlock(&pool->lock);
    *cache = (struct hy_pool_cache){0};
}

/* ---- the pool ---- */

int hy_pool_open(const struct hy_pool_config *config, struct hy_pool **out)
{
    const size_t align = config->align ? config->align : 16;

    if (config->size == 0 || config->size > HY_POOL_SLAB_BYTES ||
        (align & (align - 1)) || align > HY_POOL_SLAB_BYTES / 2)
        return EINVAL;
    const size_t stride = (config->size + align - 1) & ~(align - 1);
    const size_t header = sizeof(struct hy_pool_slab);
    const size_t first = align > header ? align : header;
    if (stride > HY_POOL_SLAB_BYTES - first)
        return EINVAL;
    struct hy_pool *pool = os_pages_map(NULL, sizeof *pool);
    if (!pool)
        return ENOMEM;
    pool->config = *config;
    pool->stride = stride;
    pool->first = first;
    pool->per_slab = (uint32_t)((HY_POOL_SLAB_BYTES - first) / stride);
    pool->batch = (uint32_t)least(HY_POOL_ROUNDS, BATCH_BYTES / stride);
    if (pool->batch == 0)
        pool->batch = 1;
    int err = pthread_mutex_init(&pool->lock, NULL);
    if (!err && (err = provide_for(pool, 0, 0)))
        pthread_mutex_destroy(&pool->lock);
    if (err) {
        if (pool->chunk[0])
            (void)os_pages_release(NULL, pool->chunk[0], chunk_bytes(0), 0);
        (void)os_pages_unmap(NULL, pool, sizeof *pool);
        return err;
    }
    pool->rest = take_empty(pool);
    *out = pool;
    return 0;
}

void hy_pool_close(struct hy_pool *pool)
{
    if (!pool)
        return;
    for (struct hy_pool_slab *slab = pool->slabs, *next; slab; slab = next) {
        next = slab->next;
        for (uint32_t i = 0; pool->config.destroy && i < slab->constructed; i++)
            pool->config.destroy(object_at(pool, slab, i), pool->config.arg);
        (void)os_pages_release(NULL, slab, HY_POOL_SLAB_BYTES, 0);
    }
    for (unsigned k = 0; k < CHUNKS && pool->chunk[k]; k++)
        (void)os_pages_release(NULL, pool->chunk[k], chunk_bytes(k), 0);
    pthread_mutex_destroy(&pool->lock);
    (void)os_pages_unmap(NULL, pool, sizeof *pool);
}

void hy_pool_measure(struct hy_pool *pool, struct hy_pool_metrics *metrics)
{
    size_t idle = 0;

    pthread_mutex_lock(&pool->lock);
    struct hy_pool_cache sum = pool->retired;
    for (struct hy_pool_cache *cache = pool->caches; cache; cache = cache->next)
        add_counts(&sum, cache);
    for (uint32_t i = 1; i <= atomic_load(&pool->made); i++)
        idle += magazine_at(pool, i)->rounds;
    *metrics = (struct hy_pool_metrics){
        .loaded_hits = sum.loaded_hits,
        .previous_hits = sum.previous_hits,
        .depot_hits = sum.depot_hits,
        .fresh = sum.fresh,
        .objects = pool->objects,
        .live = pool->objects - least(idle, pool->objects),
        .idle_bytes = idle * pool->config.size,
        .mapped_bytes =
            atomic_load(&pool->account.mapped) + os_pages_round(sizeof *pool),
    };
    pthread_mutex_unlock(&pool->lock);
}

void hy_pool_lock(struct hy_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
}

void hy_pool_unlock(struct hy_pool *pool)
{
    pthread_mutex_unlock(&pool->lock);
}

/* ---- the structure, shown ---- */

static void note_rounds(struct hy_pool *pool,
                        const struct hy_pool_magazine *magazine,
                        enum block_state state, unsigned char *states)
{
    for (uint32_t i = 0; i < magazine->rounds; i++) {
        const char *const object = magazine->round[i];
        const struct hy_pool_slab *const slab = hy_pool_slab_of(object);
        const size_t at = (size_t)(object - (const char *)slab) - pool->first;
        states[slab->first_slot + at / pool->stride] = (unsigned char)state;
    }
}

/* states[]: of each slot; live where no magazine says otherwise. */
static void note_states(struct hy_pool *pool, unsigned char *states)
{
    for (struct hy_pool_slab *s = pool->slabs; s; s = s->next)
        for (uint32_t i = 0; i < s->capacity; i++)
            states[s->first_slot + i] =
                i < s->constructed ? BLOCK_LIVE : BLOCK_FREE;
    for (uint32_t i = 1; i <= atomic_load(&pool->made); i++)
        note_rounds(pool, magazine_at(pool, i), BLOCK_FREE, states);
    for (struct hy_pool_cache *c = pool->caches; c; c = c->next) {
        note_rounds(pool, c->loaded, BLOCK_CACHED, states);
        note_rounds(pool, c->previous, BLOCK_CACHED, states);
    }
}

static void walk_slab(struct hy_pool *pool, struct hy_pool_slab *slab,
                      const unsigned char *states,
                      const struct heap_visitor *visitor)
{
    const struct heap_span span = {.start = slab,
                                   .bytes = slab->committed,
                                   .kind = SPAN_BLOCKS,
                                   .block_bytes = pool->config.size};

    visitor->span(visitor->arg, &span);
    for (uint32_t i = 0; i < slab->capacity; i++) {
        const struct heap_block block = {object_at(pool, slab, i),
                                         pool->config.size,
                                         states[slab->first_slot + i]};
        const size_t at = (size_t)((const char *)block.start - (char *)slab);
        if (at + pool->stride > slab->committed)
            return;
        visitor->block(visitor->arg, &block);
    }
}

static void walk_metadata(struct hy_pool *pool,
                          const struct heap_visitor *visitor)
{
    const struct heap_span self = {.start = pool,
                                   .bytes = os_pages_round(sizeof *pool),
                                   .kind = SPAN_METADATA};

    visitor->span(visitor->arg, &self);
    for (unsigned k = 0; k < CHUNKS && pool->chunk[k]; k++) {
        const bool is_last = k + 1 == CHUNKS || !pool->chunk[k + 1];
        const struct heap_span chunk = {
            .start = pool->chunk[k],
            .bytes = is_last ? pool->chunk_committed
                             : os_pages_round(chunk_bytes(k)),
            .kind = SPAN_METADATA};
        visitor->span(visitor->arg, &chunk);
    }
}

int hy_pool_walk(struct hy_pool *pool, const struct heap_visitor *visitor)
{
    pthread_mutex_lock(&pool->lock);
    const size_t bytes = pool->slots + 1;
    unsigned char *const states = os_pages_map(NULL, bytes);
    if (states) {
        note_states(pool, states);
        walk_metadata(pool, visitor);
        for (struct hy_pool_slab *s = pool->slabs; s; s = s->next)
            walk_slab(pool, s, states, visitor);
    }
    (void)os_pages_unmap(NULL, states, bytes);
    pthread_mutex_unlock(&pool->lock);
    return states ? 0 : ENOMEM;
}

/* ---- the invariant ---- */

/* A visit to a magazine: the first one, with so many rounds of good objects?
 * `seen` has a byte a slot. */
static const char *visit(struct hy_pool *pool,
                         struct hy_pool_magazine *magazine, unsigned char *seen)
{
    if (magazine->index == 0 || magazine->index > pool->made ||
        magazine_at(pool, magazine->index) != magazine)
        return "a magazine does not know its index";
    if (magazine->mark)
        return "a magazine is in two places";
    magazine->mark = 1;
    if (magazine->rounds > HY_POOL_ROUNDS)
        return "a magazine has too many rounds";
    for (uint32_t i = 0; i < magazine->rounds; i++) {
        const char *const object = magazine->round[i];
        const struct hy_pool_slab *const slab = hy_pool_slab_of(object);
        if (!slab || slab->pool != pool)
            return "a round is not of this pool";
        const size_t at = (size_t)(object - (const char *)slab);
        const size_t slot = (at - pool->first) / pool->stride;
        if (at < pool->first || (at - pool->first) % pool->stride != 0)
            return "a round is not the start of an object";
        if (slot >= slab->constructed)
            return "a round was never constructed";
        if (seen[slab->first_slot + slot]++)
            return "an object is in two rounds";
    }
    return NULL;
}

static const char *visit_stack(struct hy_pool *pool, uint64_t head,
                               uint32_t rounds, unsigned char *seen)
{
    for (uint32_t i = (uint32_t)head; i;) {
        struct hy_pool_magazine *const magazine = magazine_at(pool, i);
        const char *const fault = visit(pool, magazine, seen);
        if (fault)
            return fault;
        if (magazine->rounds != rounds)
            return "a magazine is on the wrong stack";
        i = atomic_load(&magazine->next);
    }
    return NULL;
}

static const char *visit_caches(struct hy_pool *pool, unsigned char *seen)
{
    size_t n = 0;

    for (struct hy_pool_cache *c = pool->caches; c; c = c->next, n++) {
        const char *fault = visit(pool, c->loaded, seen);
        if (!fault)
            fault = visit(pool, c->previous, seen);
        if (fault)
            return fault;
        if (c->previous->rounds % HY_POOL_ROUNDS != 0)
            return "a previous magazine is neither full nor empty";
    }
    return n == pool->attached ? NULL : "caches are miscounted";
}

static const char *visit_all(struct hy_pool *pool, unsigned char *seen)
{
    size_t objects = 0;

    for (uint32_t i = 1; i <= pool->made; i++)
        magazine_at(pool, i)->mark = 0;
    const char *fault = visit(pool, pool->rest, seen);
    if (!fault)
        fault = visit_caches(pool, seen);
    if (!fault)
        fault = visit_stack(pool, pool->full, HY_POOL_ROUNDS, seen);
    if (!fault)
        fault = visit_stack(pool, pool->empty, 0, seen);
    if (fault)
        return fault;
    for (uint32_t i = 1; i <= pool->made; i++)
        if (!magazine_at(pool, i)->mark)
            return "a magazine is lost";
    for (struct hy_pool_slab *slab = pool->slabs; slab; slab = slab->next)
        objects += slab->constructed;
    if (objects != pool->objects)
        return "objects are miscounted";
    if (pool->capacity < pool->slots / HY_POOL_ROUNDS + 2 * pool->attached + 1)
        return "a put might find no empty magazine";
    return NULL;
}

const char *hy_pool_check(struct hy_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    const size_t bytes = pool->slots + 1;
    unsigned char *seen = os_pages_map(NULL, bytes);
    const char *const fault = seen ? visit_all(pool, seen) : "no memory";
    (void)os_pages_unmap(NULL, seen, bytes);
    pthread_mutex_unlock(&pool->lock);
    return fault;
}
