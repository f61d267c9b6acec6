/* pool_check.c - the pool's invariant proved, and its structure shown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pool_parts.h"

#include <errno.h>

#include "heap_walk.h"

/* Every slab gets a range of slots, so that tables by slot can be used. */
static void number_slots(struct hy_pool *pool)
{
    uint32_t slot = 0;

    for (unsigned list = 0; list < POOL_SLAB_LISTS; list++)
        for (struct hy_pool_slab *s = pool->slabs[list]; s; s = s->next) {
            s->first_slot = slot;
            slot += s->capacity;
        }
}

/* The object's slot, or why it has none. */
static const char *find_slot(struct hy_pool *pool, const void *object,
                             size_t *slot)
{
    const struct hy_pool_slab *const slab = hy_pool_slab_of(object);

    if (!slab || slab->pool != pool)
        return "a round is not of this pool";
    const size_t at = (size_t)((const char *)object - (const char *)slab);
    if (at < pool->first || (at - pool->first) % pool->stride != 0)
        return "a round is not the start of an object";
    const size_t i = (at - pool->first) / pool->stride;
    if (i >= slab->constructed)
        return "a round was never constructed";
    *slot = slab->first_slot + i;
    return NULL;
}

static bool is_in_use(const struct pool_rack *rack)
{
    return rack->limit && !rack->is_discarded;
}

/* ---- the structure ---- */

static void note_rounds(struct hy_pool *pool,
                        const struct hy_pool_magazine *magazine,
                        enum block_state state, unsigned char *states)
{
    size_t slot;

    for (uint32_t i = 0; i < pool_rounds(magazine); i++)
        if (!find_slot(pool, magazine->round[i], &slot))
            states[slot] = (unsigned char)state;
}

static void note_slab(struct hy_pool_slab *slab, unsigned char *states)
{
    for (uint32_t i = 0; i < slab->capacity; i++)
        states[slab->first_slot + i] =
            i < slab->constructed && !pool_is_idle(slab, i) ? BLOCK_LIVE
                                                            : BLOCK_FREE;
}

/* states[]: of each slot; live where nothing says otherwise. */
static void note_states(struct hy_pool *pool, unsigned char *states)
{
    for (unsigned list = 0; list < POOL_SLAB_LISTS; list++)
        for (struct hy_pool_slab *s = pool->slabs[list]; s; s = s->next)
            note_slab(s, states);
    for (uint32_t r = 0; r < POOL_RACKS; r++)
        for (uint32_t i = pool_rack_made(&pool->rack[r]);
             i > 0 && is_in_use(&pool->rack[r]); i--)
            note_rounds(pool, pool_magazine(pool, r << POOL_RACK_SHIFT | i),
                        BLOCK_FREE, states);
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
        const struct heap_block block = {pool_object(pool, slab, i),
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
    for (unsigned r = 0; r < POOL_RACKS; r++) {
        const struct pool_rack *const rack = &pool->rack[r];
        for (unsigned k = 0; k < POOL_CHUNKS && rack->chunk[k]; k++) {
            const struct heap_span chunk = {.start = rack->chunk[k],
                                            .bytes =
                                                pool_chunk_committed(rack, k),
                                            .kind = SPAN_METADATA};
            if (chunk.bytes)
                visitor->span(visitor->arg, &chunk);
        }
    }
}

int hy_pool_walk(struct hy_pool *pool, const struct heap_visitor *visitor)
{
    pool_lock(pool);
    const size_t bytes = pool->slots + 1;
    unsigned char *const states = os_pages_map(NULL, bytes);
    if (states) {
        number_slots(pool);
        note_states(pool, states);
        walk_metadata(pool, visitor);
        for (unsigned list = 0; list < POOL_SLAB_LISTS; list++)
            for (struct hy_pool_slab *s = pool->slabs[list]; s; s = s->next)
                walk_slab(pool, s, states, visitor);
    }
    (void)os_pages_unmap(NULL, states, bytes);
    hy_pool_unlock(pool);
    return states ? 0 : ENOMEM;
}

/* ---- the invariant ---- */

/* A visit to a magazine: the first one, with good objects, seen nowhere else?
 * `seen` has a byte a slot. */
static const char *visit(struct hy_pool *pool,
                         struct hy_pool_magazine *magazine, unsigned char *seen)
{
    const uint32_t index = magazine->index;
    const uint32_t r = index >> POOL_RACK_SHIFT;
    const uint32_t i = index & ((UINT32_C(1) << POOL_RACK_SHIFT) - 1);

    if (i == 0 || i > pool_rack_made(&pool->rack[r]) ||
        pool_magazine(pool, index) != magazine)
        return "a magazine does not know its index";
    if (magazine->mark)
        return "a magazine is in two places";
    magazine->mark = 1;
    if (magazine->limit != pool->rack[r].limit)
        return "a magazine has not the size of its rack";
    if (pool_rounds(magazine) > magazine->limit)
        return "a magazine has too many rounds";
    for (uint32_t k = 0; k < pool_rounds(magazine); k++) {
        size_t slot;
        const char *const fault = find_slot(pool, magazine->round[k], &slot);
        if (fault)
            return fault;
        if (seen[slot]++)
            return "an object is in two rounds, or in one and in its slab";
    }
    return NULL;
}

static const char *visit_stack(struct hy_pool *pool, struct pool_stack *stack,
                               bool is_full, unsigned char *seen)
{
    uint32_t depth = pool_depth(pool, stack);

    for (uint32_t i = (uint32_t)stack->head; i; depth--) {
        struct hy_pool_magazine *const magazine = pool_magazine(pool, i);
        const char *const fault = visit(pool, magazine, seen);
        if (fault)
            return fault;
        if (pool_rounds(magazine) != (is_full ? magazine->limit : 0))
            return "a magazine is on the wrong stack";
        if (magazine->depth != depth)
            return "a magazine does not know the stack's depth";
        i = atomic_load(&magazine->next);
    }
    return depth ? "a stack is miscounted" : NULL;
}

static const char *visit_caches(struct hy_pool *pool, unsigned char *seen)
{
    size_t n = 0;

    for (struct hy_pool_cache *c = pool->caches; c; c = c->next, n++) {
        if (pool->config.debug)
            continue;
        const char *fault = visit(pool, c->loaded, seen);
        if (!fault)
            fault = visit(pool, c->previous, seen);
        if (fault)
            return fault;
        if (pool_rounds(c->previous) % c->previous->limit != 0)
            return "a previous magazine is neither full nor empty";
    }
    return n == pool->attached ? NULL : "caches are miscounted";
}

static const char *visit_slab(struct hy_pool *pool, struct hy_pool_slab *slab,
                              unsigned char *seen)
{
    uint32_t idle = 0;

    for (uint32_t i = 0; i < slab->capacity; i++)
        if (pool_is_idle(slab, i)) {
            seen[slab->first_slot + i] = 1;
            idle++;
            if (i >= slab->constructed || i / 64 < slab->first_word)
                return "an idle object is where none can be";
        }
    if (slab->pool != pool || idle != slab->idle)
        return "a slab's idle objects are miscounted";
    return slab->list == pool_list_of(slab) ? NULL
                                            : "a slab is on the wrong list";
}

static const char *visit_slabs(struct hy_pool *pool, unsigned char *seen)
{
    size_t objects = 0, idle = 0, slots = 0;

    for (unsigned list = 0; list < POOL_SLAB_LISTS; list++)
        for (struct hy_pool_slab *s = pool->slabs[list]; s; s = s->next) {
            const char *const fault = visit_slab(pool, s, seen);
            if (fault)
                return fault;
            objects += s->constructed;
            idle += s->idle;
            slots += s->capacity;
        }
    if (objects != pool->objects || idle != pool->idle || slots != pool->slots)
        return "objects are miscounted";
    return NULL;
}

/* How many magazines of a rack bear the mark. */
static uint32_t count_marks(struct hy_pool *pool, uint32_t r, bool clear)
{
    uint32_t n = 0;

    for (uint32_t i = pool_rack_made(&pool->rack[r]); i > 0; i--) {
        struct hy_pool_magazine *const magazine =
            pool_magazine(pool, r << POOL_RACK_SHIFT | i);
        n += magazine->mark;
        if (clear)
            magazine->mark = 0;
    }
    return n;
}

static const char *count_magazines(struct hy_pool *pool)
{
    const uint32_t current = atomic_load(&pool->current);
    const struct pool_rack *const rack = &pool->rack[current];

    for (uint32_t r = 0; r <= current; r++)
        if (is_in_use(&pool->rack[r]) &&
            count_marks(pool, r, false) + pool->rack[r].retired !=
                pool_rack_made(&pool->rack[r]))
            return "a magazine is lost";
    if (rack->capacity < pool->slots / rack->limit + 2 * pool->attached + 2)
        return "a put might find no empty magazine";
    return NULL;
}

static const char *visit_all(struct hy_pool *pool, unsigned char *seen)
{
    for (uint32_t r = 0; r < POOL_RACKS; r++)
        if (is_in_use(&pool->rack[r]))
            (void)count_marks(pool, r, true);
    number_slots(pool);
    const char *fault = visit_slabs(pool, seen);
    if (!fault)
        fault = visit(pool, pool->rest, seen);
    if (!fault)
        fault = visit_caches(pool, seen);
    if (!fault)
        fault = visit_stack(pool, &pool->full, true, seen);
    if (!fault)
        fault = visit_stack(pool, &pool->empty, false, seen);
    return fault ? fault : count_magazines(pool);
}

const char *hy_pool_check(struct hy_pool *pool)
{
    pool_lock(pool);
    const size_t bytes = pool->slots + 1;
    unsigned char *const seen = os_pages_map(NULL, bytes);
    const char *const fault = seen ? visit_all(pool, seen) : "no memory";
    (void)os_pages_unmap(NULL, seen, bytes);
    hy_pool_unlock(pool);
    return fault;
}
