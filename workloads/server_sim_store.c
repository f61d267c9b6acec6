/* server_sim_store.c - the cache and the sessions: blocks that stay.
 *
 * The cache holds entries of one to three blocks, looked up by keys of Zipf
 * popularity.  A miss puts a new entry in the place of an old one.  All
 * caches and sessions together follow a target in bytes: when they are off it
 * by more than a tolerance, keys are loaded at random, or entries evicted,
 * until the target is met.  Without the tolerance a single large block that
 * comes or goes would turn over thousands of small ones.
 *
 * Invariant: stay_bytes is the sum of the sizes of all blocks in caches and
 * sessions.  See server_sim.h for the cache's own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server_sim.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { RANDOM_TRIES = 64 }; /* to find a key that is not cached */

int store_init(struct server *s, struct lane *lane)
{
    struct cache *cache = &lane->cache;

    cache->newest = cache->oldest = NO_ENTRY;
    cache->slot_of_key = malloc(s->keys * sizeof *cache->slot_of_key);
    if (!cache->slot_of_key)
        return ENOMEM;
    for (uint32_t key = 0; key < s->keys; key++)
        cache->slot_of_key[key] = NO_ENTRY;
    return 0;
}

void store_free(struct lane *lane)
{
    free(lane->cache.slot_of_key);
    free(lane->cache.entry);
    free(lane->session);
}

/* Blocks leave the store: their life ends here, or they are left. */
static void store_release(struct server *s, struct lane *lane,
                          const struct block block[], uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        s->stay_bytes -= block[i].size;
    blocks_release(s, lane, block, n, PATIENCE_STORE);
}

static void cache_link_newest(struct cache *cache, int32_t at)
{
    struct entry *entry = &cache->entry[at];

    entry->newer = NO_ENTRY;
    entry->older = cache->newest;
    if (cache->newest != NO_ENTRY)
        cache->entry[cache->newest].newer = at;
    else
        cache->oldest = at;
    cache->newest = at;
}

static void cache_unlink(struct cache *cache, int32_t at)
{
    const struct entry *entry = &cache->entry[at];

    if (entry->newer != NO_ENTRY)
        cache->entry[entry->newer].older = entry->older;
    else
        cache->newest = entry->older;
    if (entry->older != NO_ENTRY)
        cache->entry[entry->older].newer = entry->newer;
    else
        cache->oldest = entry->newer;
}

/* Fill the gap at `at` with the last entry. */
static void cache_close_gap(struct cache *cache, int32_t at)
{
    int32_t last = (int32_t)--cache->count;
    struct entry *moved = &cache->entry[at];

    if (at == last)
        return;
    *moved = cache->entry[last];
    cache->slot_of_key[moved->key] = at;
    if (moved->newer != NO_ENTRY)
        cache->entry[moved->newer].older = at;
    else
        cache->newest = at;
    if (moved->older != NO_ENTRY)
        cache->entry[moved->older].newer = at;
    else
        cache->oldest = at;
}

/* Take the entry out of the cache; its blocks are the caller's. */
static struct entry cache_take(struct cache *cache, int32_t at)
{
    struct entry taken = cache->entry[at];

    cache_unlink(cache, at);
    cache->slot_of_key[taken.key] = NO_ENTRY;
    cache_close_gap(cache, at);
    return taken;
}

static void cache_evict(struct server *s, struct lane *lane)
{
    enum { EVICT_LRU, EVICT_RANDOM } evict = (unsigned)s->knob[KNOB_EVICT];
    struct cache *cache = &lane->cache;
    int32_t victim = evict == EVICT_RANDOM
                         ? (int32_t)random_below(&s->random, cache->count)
                         : cache->oldest;
    struct entry evicted = cache_take(cache, victim);

    store_release(s, lane, evicted.block, evicted.count);
}

/* Room for one more entry: 0 or ENOMEM. */
static int cache_reserve(struct cache *cache)
{
    if (cache->count < cache->capacity)
        return 0;
    uint32_t capacity = cache->capacity ? 2 * cache->capacity : 64;
    struct entry *grown = realloc(cache->entry, capacity * sizeof *grown);
    if (!grown)
        return ENOMEM;
    cache->entry = grown;
    cache->capacity = capacity;
    return 0;
}

static void blocks_make(struct server *s, const struct lane *lane,
                        struct block block[], uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        block[i] = block_make(s, lane, sizes_draw_stay(s));
        s->stay_bytes += block[i].size;
    }
}

/* Insert a key that is not cached. */
static void cache_insert(struct server *s, struct lane *lane, uint32_t key)
{
    struct cache *cache = &lane->cache;
    uint64_t most = (uint64_t)s->knob[KNOB_ENTRY];

    s->err = s->err ? s->err : cache_reserve(cache);
    if (s->err)
        return;
    int32_t at = (int32_t)cache->count++;
    struct entry *made = &cache->entry[at];
    made->key = key;
    made->count = 1 + (uint32_t)random_below(&s->random, most);
    blocks_make(s, lane, made->block, made->count);
    cache->slot_of_key[key] = at;
    cache_link_newest(cache, at);
}

static void touch(struct server *s, const struct lane *lane,
                  const struct block *block)
{
    uint64_t most = (uint64_t)s->knob[KNOB_TOUCH_MAX];

    if (random_chance(&s->random, s->odds.touch))
        feed_touch(s->feed, lane->thread, block->object,
                   block->size < most ? block->size : most);
}

static void look_up(struct server *s, struct lane *lane)
{
    struct cache *cache = &lane->cache;
    uint32_t key = alias_draw(&s->popularity, &s->random);
    int32_t at = cache->slot_of_key[key];

    if (at == NO_ENTRY) {
        if (s->stay_bytes >= s->stay_target && cache->count > 0)
            cache_evict(s, lane);
        cache_insert(s, lane, key);
        return;
    }
    touch(s, lane, &cache->entry[at].block[cache->entry[at].count - 1]);
    cache_unlink(cache, at);
    cache_link_newest(cache, at);
}

static int session_reserve(struct lane *lane)
{
    if (lane->sessions < lane->session_capacity)
        return 0;
    uint32_t capacity = lane->sessions ? 2 * lane->sessions : 16;
    struct session *grown = realloc(lane->session, capacity * sizeof *grown);
    if (!grown)
        return ENOMEM;
    lane->session = grown;
    lane->session_capacity = capacity;
    return 0;
}

static void session_open(struct server *s, struct lane *lane)
{
    uint64_t n = random_geometric(&s->random, s->knob[KNOB_SESSION_OBJECTS]);

    s->err = s->err ? s->err : session_reserve(lane);
    if (s->err)
        return;
    struct session *opened = &lane->session[lane->sessions++];
    opened->count = (uint32_t)(n < SESSION_BLOCKS ? n : SESSION_BLOCKS);
    blocks_make(s, lane, opened->block, opened->count);
}

static struct session session_take(struct lane *lane, uint32_t at)
{
    struct session taken = lane->session[at];

    lane->session[at] = lane->session[--lane->sessions];
    return taken;
}

static void session_close(struct server *s, struct lane *lane, uint32_t at)
{
    struct session closed = session_take(lane, at);

    store_release(s, lane, closed.block, closed.count);
}

static void visit_session(struct server *s, struct lane *lane)
{
    if (lane->sessions == 0)
        return;
    uint32_t at = (uint32_t)random_below(&s->random, lane->sessions);
    touch(s, lane, &lane->session[at].block[0]);
    if (random_chance(&s->random, s->odds.session_end))
        session_close(s, lane, at);
}

void store_visit(struct server *s, struct lane *lane)
{
    double lookups = s->knob[KNOB_LOOKUPS];

    for (; lookups >= 1; lookups--)
        look_up(s, lane);
    if (lookups > 0 && random_unit(&s->random) < lookups)
        look_up(s, lane);
    visit_session(s, lane);
}

/* A key that is not cached; false if all are. */
static bool find_absent_key(struct server *s, const struct cache *cache,
                            uint32_t *key)
{
    if (cache->count >= s->keys)
        return false;
    for (int i = 0; i < RANDOM_TRIES; i++) {
        *key = (uint32_t)random_below(&s->random, s->keys);
        if (cache->slot_of_key[*key] == NO_ENTRY)
            return true;
    }
    while (cache->slot_of_key[*key] != NO_ENTRY)
        *key = (*key + 1) % s->keys;
    return true;
}

static void follow_session_target(struct server *s, struct lane *lane)
{
    while (lane->sessions > s->session_target)
        session_close(s, lane,
                      (uint32_t)random_below(&s->random, lane->sessions));
    while (lane->sessions < s->session_target && !s->err)
        session_open(s, lane);
}

void store_follow_targets(struct server *s, struct lane *lane)
{
    uint32_t key;

    follow_session_target(s, lane);
    if (s->stay_bytes > s->stay_target + s->tolerance)
        while (s->stay_bytes > s->stay_target && lane->cache.count > 0)
            cache_evict(s, lane);
    if (s->stay_bytes + s->tolerance < s->stay_target)
        while (s->stay_bytes < s->stay_target && !s->err &&
               find_absent_key(s, &lane->cache, &key))
            cache_insert(s, lane, key);
}

/* Of block[n], keep those that shall die; the others are left. */
static uint32_t leave_some(struct server *s, struct lane *lane,
                           struct block block[], uint32_t n)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++) {
        lane->leave_debt += s->knob[KNOB_LEAVE] / 100;
        if (lane->leave_debt >= 1) {
            lane->leave_debt -= 1;
            s->stay_bytes -= block[i].size;
        } else {
            block[kept++] = block[i];
        }
    }
    return kept;
}

bool store_close(struct server *s, struct lane *lane, uint32_t n)
{
    for (; n > 0 && lane->sessions > 0; n--) {
        struct session closed = session_take(lane, lane->sessions - 1);
        store_release(s, lane, closed.block,
                      leave_some(s, lane, closed.block, closed.count));
    }
    for (; n > 0 && lane->cache.count > 0; n--) {
        struct entry closed =
            cache_take(&lane->cache, (int32_t)lane->cache.count - 1);
        store_release(s, lane, closed.block,
                      leave_some(s, lane, closed.block, closed.count));
    }
    return lane->sessions > 0 || lane->cache.count > 0;
}
