/* pool.c - a typed object pool: magazines over a lock-free depot.
 *
 * A magazine is an array of idle objects.  Every thread's cache has two; what
 * they cannot serve goes to the depot, a whole magazine at a time:
 *
 *   cache (a thread)        depot (all threads)             slabs (locked)
 *   +--------+----------+   full:  tag|i -> [64] -> [64]    +--------------+
 *   | loaded | previous |   empty: tag|i -> [ 0] -> [ 0]    |hdr|bits|o|o| |
 *   |  [37]  |   [64]   |   rest:  [12]   (locked)          +--------------+
 *   +--------+----------+                                    256 KiB, aligned
 *      get v ^ put                                           (pool_slabs.c)
 *
 * If a get finds loaded empty, it tries previous (exchanging the two), then
 * the depot's full stack, then takes objects out of the slabs.  A put does the
 * same with "full" and "empty" exchanged.  As previous is always full or
 * empty, at least a magazine's worth of calls lies between two visits to the
 * depot.
 *
 * A put may not fail, so the magazines for it are there before the objects
 * are.  Those of the current size that are full hold `limit` objects each, all
 * others sit in a cache (two each), are `rest`, in the hand of who pours one
 * out, or are empty.  So if
 *
 *     magazines of the current size >= slots / limit + 2 * caches + 2
 *
 * then a put whose two magazines are full, or rest, when it is full, finds an
 * empty one.  Growing a slab or attaching a cache fails if that cannot be had.
 * Detaching would leave partly filled magazines behind: they are poured into
 * `rest`, the only one of its kind.
 *
 * The full stack is last in first out, so if its depth never fell below n for
 * a period, then n magazines were not needed: they are beyond the working set.
 * Reaping pours n of them back into their slabs, and what then was idle as a
 * whole for another period is given back to the system.
 *
 * Invariant: a magazine is in exactly one of: full stack (all rounds), empty
 *            stack (0), a cache, rest, retired, or not yet made; previous is
 *            full or empty; no object is in two rounds, or in one and idle in
 *            its slab; what pool_slabs.c states; the inequality above.
 *            (hy_pool_check() proves it.)
 *
 * Source: J. Bonwick, J. Adams, "Magazines and Vmem: Extending the Slab
 * Allocator to Many CPUs and Arbitrary Resources", USENIX 2001, section 3
 * (there the depot has a lock; 3.4 sizes magazines by contention for it, 3.5
 * trims the depot to its working set).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* CLOCK_MONOTONIC_COARSE */
#include "pool_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { VISITS_A_LOOK = 4 }; /* of a cache, for one at the clock */

void pool_lock(struct hy_pool *pool)
{
    if (pthread_mutex_trylock(&pool->lock) == 0)
        return;
    atomic_fetch_add_explicit(&pool->contention, 1, memory_order_relaxed);
    pthread_mutex_lock(&pool->lock);
}

static void pool_unlock(struct hy_pool *pool)
{
    pthread_mutex_unlock(&pool->lock);
}

/* ---- the depot's rest: under the lock ---- */

static void pour(struct hy_pool *pool, void *object)
{
    struct hy_pool_magazine *rest = pool->rest;

    if (pool_rounds(rest) == rest->limit) {
        rest->filler = 0;
        pool_push(pool, &pool->full, rest);
        pool->rest = rest = pool_take_empty(pool);
    }
    const uint32_t rounds = pool_rounds(rest);
    rest->round[rounds] = object;
    pool_set_rounds(rest, rounds + 1);
}

static void *take_round(struct hy_pool_magazine *magazine)
{
    const uint32_t rounds = pool_rounds(magazine) - 1;

    pool_set_rounds(magazine, rounds);
    return magazine->round[rounds];
}

/* Emptied before it is shared, and never short of magazines: as long as this
 * one has a round, a full rest has an empty one to follow it. */
static void give_back(struct hy_pool *pool, struct hy_pool_magazine *magazine)
{
    if (pool_rounds(magazine) && pool_rounds(magazine) == magazine->limit) {
        magazine->filler = 0;
        pool_push(pool, &pool->full, magazine);
        return;
    }
    while (pool_rounds(magazine))
        pour(pool, take_round(magazine));
    pool_push(pool, &pool->empty, magazine);
}

/* ---- reaping ---- */

/* Returns how many objects there were in it. */
static uint32_t pour_into_slabs(struct hy_pool *pool,
                                struct hy_pool_magazine *magazine)
{
    const uint32_t n = pool_rounds(magazine);

    for (uint32_t i = 0; i < n; i++)
        pool_return_object(pool, magazine->round[i]);
    pool_set_rounds(magazine, 0);
    return n;
}

/* Up to n magazines. */
static void reap_full(struct hy_pool *pool, uint32_t n)
{
    struct hy_pool_magazine *magazine;

    while (n-- && (magazine = pool_pop(pool, &pool->full))) {
        pool->reaped += pour_into_slabs(pool, magazine);
        pool_push(pool, &pool->empty, magazine);
    }
    atomic_store_explicit(&pool->full.low, pool_depth(pool, &pool->full),
                          memory_order_relaxed);
}

static void resize_magazines(struct hy_pool *pool)
{
    const uint32_t contention =
        atomic_exchange_explicit(&pool->contention, 0, memory_order_relaxed);
    const uint32_t limit = pool->rack[atomic_load(&pool->current)].limit;
    const uint32_t next =
        (uint32_t)pool_least(2 * (size_t)limit, pool->config.magazine_max);

    pool->contended += contention;
    if (contention >= HY_POOL_CONTENDED && next > limit &&
        pool_set_limit(pool, next) == 0)
        pool->resizes++;
}

void hy_pool_reap(struct hy_pool *pool)
{
    pool_lock(pool);
    reap_full(pool, atomic_load(&pool->full.low));
    if (!pool->config.keep_slabs)
        pool_free_slabs(pool, false);
    resize_magazines(pool);
    pool_discard_racks(pool);
    pool_unlock(pool);
}

size_t hy_pool_trim(struct hy_pool *pool)
{
    pool_lock(pool);
    const size_t before = atomic_load(&pool->account.mapped);
    reap_full(pool, UINT32_MAX);
    pool->reaped += pour_into_slabs(pool, pool->rest);
    pool_free_slabs(pool, true);
    pool_discard_racks(pool);
    const size_t after = atomic_load(&pool->account.mapped);
    pool_unlock(pool);
    return before - after;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A thread was at the depot: is a period over?  Not under the lock. */
static void after_visit(struct hy_pool *pool)
{
    if (pool->config.visit) {
        pool->config.visit(pool->config.arg);
        return;
    }
    if (pool->config.period_ms == HY_POOL_NEVER)
        return;
    const uint64_t now = now_ms();
    uint64_t last =
        atomic_load_explicit(&pool->reaped_ms, memory_order_relaxed);
    if (now - last >= pool->config.period_ms &&
        atomic_compare_exchange_strong(&pool->reaped_ms, &last, now))
        hy_pool_reap(pool);
}

static void after_cache_visit(struct hy_pool_cache *cache)
{
    if (++cache->visits % VISITS_A_LOOK == 0)
        after_visit(cache->pool);
}

/* ---- getting ---- */

/* Fill the empty loaded magazine out of the slabs, the first one on top.
 * Returns 0 or an errno if there is not even one. */
static int load_from_slabs(struct hy_pool_cache *cache)
{
    struct hy_pool *const pool = cache->pool;
    struct hy_pool_magazine *const magazine = cache->loaded;
    const uint32_t want = (uint32_t)pool_least(pool->batch, magazine->limit);
    int err;
    const uint32_t n = pool_take_objects(pool, magazine->round, want, &err);

    for (uint32_t i = 0; i < n / 2; i++) {
        void *const low = magazine->round[i];
        magazine->round[i] = magazine->round[n - 1 - i];
        magazine->round[n - 1 - i] = low;
    }
    pool_set_rounds(magazine, n);
    return n ? 0 : err;
}

/* Neither the cache nor the full stack had an object. */
static void *get_locked(struct hy_pool_cache *cache)
{
    struct hy_pool *const pool = cache->pool;
    int err = 0;

    pool_lock(pool);
    if (pool_rounds(pool->rest)) {
        struct hy_pool_magazine *const rest = pool->rest;
        pool->rest = cache->loaded;
        cache->loaded = rest;
        hy_pool_count(&cache->depot_hits);
    } else {
        err = load_from_slabs(cache);
        if (!err)
            hy_pool_count(&cache->fresh);
    }
    pool_unlock(pool);
    if (!err)
        return take_round(cache->loaded);
    errno = err;
    return NULL;
}

static void exchange(struct hy_pool_cache *cache)
{
    struct hy_pool_magazine *const loaded = cache->loaded;

    cache->loaded = cache->previous;
    cache->previous = loaded;
}

static void *get_from_depot(struct hy_pool_cache *cache)
{
    struct hy_pool *const pool = cache->pool;
    struct hy_pool_magazine *const full = pool_pop(pool, &pool->full);

    if (!full)
        return get_locked(cache);
    pool_push(pool, &pool->empty, cache->previous);
    cache->previous = cache->loaded;
    cache->loaded = full;
    hy_pool_count(&cache->depot_hits);
    if (full->filler && full->filler != cache->number)
        hy_pool_count(&cache->steals);
    return take_round(full);
}

void *hy_pool_get_slow(struct hy_pool_cache *cache)
{
    if (cache->pool->config.debug)
        return hy_pool_get_shared(cache->pool);
    if (pool_rounds(cache->previous)) {
        exchange(cache);
        hy_pool_count(&cache->previous_hits);
        return take_round(cache->loaded);
    }
    void *const object = get_from_depot(cache);
    after_cache_visit(cache);
    return object;
}

/* Under the lock.  NULL, and *err says why. */
static void *get_one(struct hy_pool *pool, int *err)
{
    void *object = NULL;

    if (pool_rounds(pool->rest) == 0) {
        struct hy_pool_magazine *const full = pool_pop(pool, &pool->full);
        if (full) {
            pool_push(pool, &pool->empty, pool->rest);
            pool->rest = full;
        }
    }
    if (pool_rounds(pool->rest)) {
        object = take_round(pool->rest);
        hy_pool_count(&pool->retired.depot_hits);
    } else if (pool_take_objects(pool, &object, 1, err)) {
        hy_pool_count(&pool->retired.fresh);
    }
    return object;
}

void *hy_pool_get_shared(struct hy_pool *pool)
{
    int err = 0;

    pool_lock(pool);
    void *const object = get_one(pool, &err);
    pool_unlock(pool);
    after_visit(pool);
    if (!object)
        errno = err;
    return object;
}

/* ---- putting ---- */

void hy_pool_put_slow(struct hy_pool_cache *cache, void *object)
{
    struct hy_pool *const pool = cache->pool;

    if (pool->config.debug) {
        hy_pool_put_shared(pool, object);
        return;
    }
    const bool is_visit = pool_rounds(cache->previous) != 0;
    if (is_visit) {
        cache->previous->filler = cache->number;
        pool_push(pool, &pool->full, cache->previous);
        cache->previous = cache->loaded;
        cache->loaded = pool_take_empty(pool);
    } else {
        exchange(cache);
    }
    hy_pool_put(cache, object);
    if (is_visit)
        after_cache_visit(cache);
}

static void report_fault(struct hy_pool *pool, const char *what,
                         const void *object)
{
    char line[160];

    if (pool->config.fault) {
        pool->config.fault(what, object, pool->config.arg);
        return;
    }
    (void)snprintf(line, sizeof line, "hy_pool_put: %p: %s\n", object, what);
    if (write(STDERR_FILENO, line, strlen(line)) < 0)
        abort(); /* and nobody listens */
    abort();
}

static void put_checked(struct hy_pool *pool, void *object)
{
    pool_lock(pool);
    const char *const fault = pool_object_fault(pool, object);
    if (!fault)
        pool_return_object(pool, object);
    pool_unlock(pool);
    if (fault)
        report_fault(pool, fault, object);
}

void hy_pool_put_shared(struct hy_pool *pool, void *object)
{
    if (pool->config.debug) {
        put_checked(pool, object);
    } else {
        pool_lock(pool);
        pour(pool, object);
        pool_unlock(pool);
    }
    after_visit(pool);
}

/* ---- caches ---- */

static void link_cache(struct hy_pool *pool, struct hy_pool_cache *cache)
{
    cache->number = ++pool->caches_ever;
    cache->next = pool->caches;
    cache->link = &pool->caches;
    if (cache->next)
        cache->next->link = &cache->next;
    pool->caches = cache;
    pool->attached++;
}

static struct hy_pool_magazine *first_magazine(struct hy_pool *pool)
{
    return pool->config.debug ? (struct hy_pool_magazine *)(void *)pool->none
                              : pool_take_empty(pool);
}

int hy_pool_attach(struct hy_pool *pool, struct hy_pool_cache *cache)
{
    *cache = (struct hy_pool_cache){.pool = pool};
    pool_lock(pool);
    const int err = pool_provide(pool, pool->slots, pool->attached + 1);
    if (!err) {
        cache->loaded = first_magazine(pool);
        cache->previous = first_magazine(pool);
        link_cache(pool, cache);
    }
    pool_unlock(pool);
    return err;
}

static void add_counts(struct hy_pool_cache *sum,
                       const struct hy_pool_cache *cache)
{
    sum->loaded_hits += atomic_load(&cache->loaded_hits);
    sum->previous_hits += atomic_load(&cache->previous_hits);
    sum->depot_hits += atomic_load(&cache->depot_hits);
    sum->fresh += atomic_load(&cache->fresh);
    sum->steals += atomic_load(&cache->steals);
}

void hy_pool_detach(struct hy_pool_cache *cache)
{
    struct hy_pool *const pool = cache->pool;

    pool_lock(pool);
    if (!pool->config.debug) {
        give_back(pool, cache->loaded);
        give_back(pool, cache->previous);
    }
    add_counts(&pool->retired, cache);
    *cache->link = cache->next;
    if (cache->next)
        cache->next->link = cache->link;
    pool->attached--;
    pool_unlock(pool);
    *cache = (struct hy_pool_cache){0};
}

void hy_pool_flush_unused(struct hy_pool_cache *cache)
{
    struct hy_pool *const pool = cache->pool;
    const uint64_t gets = cache->loaded_hits + cache->previous_hits +
                          cache->depot_hits + cache->fresh;
    const bool is_unused = gets == cache->seen_gets;

    cache->seen_gets = gets;
    if (!is_unused ||
        (!pool_rounds(cache->loaded) && !pool_rounds(cache->previous)))
        return;
    pool_lock(pool);
    give_back(pool, cache->loaded);
    give_back(pool, cache->previous);
    cache->loaded = pool_take_empty(pool);
    cache->previous = pool_take_empty(pool);
    pool_unlock(pool);
}

/* ---- the pool ---- */

/* The presets in place of zeros.  Returns 0 or EINVAL. */
static int complete_config(struct hy_pool *pool)
{
    struct hy_pool_config *const config = &pool->config;

    if (config->magazine > HY_POOL_ROUNDS_MAX ||
        config->magazine_max > HY_POOL_ROUNDS_MAX)
        return EINVAL;
    if (config->magazine == 0) {
        const size_t fit = HY_POOL_ROUNDS_BYTES / pool->stride;
        config->magazine =
            fit < 2 ? 2 : (uint32_t)pool_least(fit, HY_POOL_ROUNDS);
    }
    if (config->magazine_max == 0)
        config->magazine_max =
            (uint32_t)pool_least(4 * config->magazine, HY_POOL_ROUNDS_MAX);
    if (config->period_ms == 0)
        config->period_ms = HY_POOL_PERIOD_MS;
    return 0;
}

int hy_pool_open(const struct hy_pool_config *config, struct hy_pool **out)
{
    struct hy_pool *const pool = os_pages_map(NULL, sizeof *pool);

    if (!pool)
        return ENOMEM;
    pool->config = *config;
    int err = pool_lay_out(pool);
    if (!err)
        err = complete_config(pool);
    if (!err)
        err = pthread_mutex_init(&pool->lock, NULL);
    if (!err && (err = pool_set_limit(pool, pool->config.magazine)))
        pthread_mutex_destroy(&pool->lock);
    if (err) {
        pool_close_racks(pool);
        (void)os_pages_unmap(NULL, pool, sizeof *pool);
        return err;
    }
    pool->rest = pool_take_empty(pool);
    atomic_store(&pool->reaped_ms, now_ms());
    *out = pool;
    return 0;
}

void hy_pool_close(struct hy_pool *pool)
{
    if (!pool)
        return;
    pool_close_slabs(pool);
    pool_close_racks(pool);
    pthread_mutex_destroy(&pool->lock);
    (void)os_pages_unmap(NULL, pool, sizeof *pool);
}

static size_t rounds_of_all(struct hy_pool *pool)
{
    size_t rounds = 0;

    for (uint32_t r = 0; r <= atomic_load(&pool->current); r++)
        for (uint32_t i = pool_rack_made(&pool->rack[r]); i > 0; i--)
            rounds +=
                pool_rounds(pool_magazine(pool, r << POOL_RACK_SHIFT | i));
    return rounds;
}

void hy_pool_measure(struct hy_pool *pool, struct hy_pool_metrics *metrics)
{
    pthread_mutex_lock(&pool->lock);
    struct hy_pool_cache sum = pool->retired;
    for (struct hy_pool_cache *cache = pool->caches; cache; cache = cache->next)
        add_counts(&sum, cache);
    const size_t idle = rounds_of_all(pool) + pool->idle;
    *metrics = (struct hy_pool_metrics){
        .loaded_hits = sum.loaded_hits,
        .previous_hits = sum.previous_hits,
        .depot_hits = sum.depot_hits,
        .fresh = sum.fresh,
        .steals = sum.steals,
        .contention = pool->contended + atomic_load(&pool->contention),
        .resizes = pool->resizes,
        .reaped = pool->reaped,
        .slabs_freed = pool->slabs_freed,
        .magazine = pool->rack[atomic_load(&pool->current)].limit,
        .objects = pool->objects,
        .live = pool->objects - pool_least(idle, pool->objects),
        .idle_bytes = idle * pool->config.size,
        .slab_idle_bytes = pool->idle * pool->config.size,
        .mapped_bytes =
            atomic_load(&pool->account.mapped) + os_pages_round(sizeof *pool),
    };
    pool_unlock(pool);
}

bool hy_pool_owns(struct hy_pool *pool, const void *p)
{
    pool_lock(pool);
    const bool is_ours = pool_find_slab(pool, p) != NULL;
    pool_unlock(pool);
    return is_ours;
}

void hy_pool_lock(struct hy_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
}

void hy_pool_unlock(struct hy_pool *pool)
{
    pool_unlock(pool);
}
