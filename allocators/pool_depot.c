/* pool_depot.c - the pool's magazines and its two lock-free stacks of them.
 *
 * Magazines of one size stand in a rack: chunks that double, reserved when
 * they are needed and committed bit by bit.  When magazines grow, a new rack
 * is begun and the last one closed; its magazines go on as they are, until
 * they are found empty and retired.
 *
 * The stacks are Treiber's: the head is one 64-bit word, the index of the top
 * magazine and a tag that every change increments, so that a head that was
 * popped and pushed again in between is not taken for the same (the tag wraps
 * after 2^32 changes; tests/model/depot.pml shows that the stacks hold with
 * the tag and break without).  A pop reads `next` and `depth` of a magazine
 * that another thread may have taken already, retired, or even given the
 * memory of back: it may, as magazines stay mapped until close, and the tag
 * then makes the exchange fail.
 *
 * Source: R. K. Treiber, "Systems Programming: Coping with Parallelism", IBM
 * RJ 5118, 1986; racks and retiring follow the magazine types of Bonwick &
 * Adams, USENIX 2001, section 3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pool_parts.h"

#include <errno.h>

#define TAG_ONE ((uint64_t)1 << 32)

/* ---- racks ---- */

/* i counts from 1. */
static unsigned chunk_of(uint32_t i)
{
    return 31 - (unsigned)__builtin_clz((i - 1) / POOL_CHUNK_FIRST + 1);
}

/* Magazines in the chunks before chunk k. */
static uint32_t chunk_start(unsigned k)
{
    return POOL_CHUNK_FIRST * ((UINT32_C(1) << k) - 1);
}

static size_t chunk_bytes(const struct pool_rack *rack, unsigned k)
{
    return ((size_t)POOL_CHUNK_FIRST << k) * rack->stride;
}

struct hy_pool_magazine *pool_magazine(struct hy_pool *pool, uint32_t index)
{
    struct pool_rack *const rack = &pool->rack[index >> POOL_RACK_SHIFT];
    const uint32_t i = index & ((UINT32_C(1) << POOL_RACK_SHIFT) - 1);
    const unsigned k = chunk_of(i);
    const size_t at = (size_t)(i - 1 - chunk_start(k)) * rack->stride;

    return (struct hy_pool_magazine *)(void *)(rack->chunk[k] + at);
}

uint32_t pool_rack_made(const struct pool_rack *rack)
{
    return atomic_load(&rack->made) & ~POOL_CLOSED;
}

size_t pool_chunk_committed(const struct pool_rack *rack, unsigned k)
{
    const bool is_last = k + 1 == POOL_CHUNKS || !rack->chunk[k + 1];

    return is_last ? rack->last_committed
                   : os_pages_round(chunk_bytes(rack, k));
}

/* Have memory for that many.  Under the lock. */
static int provide(struct hy_pool *pool, struct pool_rack *rack, size_t want)
{
    uint32_t capacity = atomic_load(&rack->capacity);

    if (want > chunk_start(POOL_CHUNKS))
        return ENOMEM;
    while (capacity < want) {
        const unsigned k = chunk_of(capacity + 1);
        const uint32_t start = chunk_start(k);
        const size_t fit = (size_t)POOL_CHUNK_FIRST << k;
        const size_t n = pool_least(want - start, fit);

        if (!rack->chunk[k]) {
            rack->chunk[k] = os_pages_reserve(chunk_bytes(rack, k), 0);
            if (!rack->chunk[k])
                return ENOMEM;
            rack->last_committed = 0;
        }
        const size_t bytes = os_pages_round(n * rack->stride);
        if (os_pages_commit(&pool->account,
                            rack->chunk[k] + rack->last_committed,
                            bytes - rack->last_committed))
            return ENOMEM;
        rack->last_committed = bytes;
        capacity = start + (uint32_t)pool_least(bytes / rack->stride, fit);
        atomic_store(&rack->capacity, capacity);
    }
    return 0;
}

/* At a put, or while a magazine is poured out, full ones hold `limit` objects
 * each, or more; others are in a cache, rest, or the one in hand. */
static size_t needed(size_t slots, size_t caches, uint32_t limit)
{
    return slots / limit + 2 * caches + 2;
}

int pool_provide(struct hy_pool *pool, size_t slots, size_t caches)
{
    struct pool_rack *const rack = &pool->rack[atomic_load(&pool->current)];

    return provide(pool, rack, needed(slots, caches, rack->limit));
}

int pool_set_limit(struct hy_pool *pool, uint32_t limit)
{
    const uint32_t last = atomic_load(&pool->current);
    const bool is_first = pool->rack[last].limit == 0;
    const uint32_t next = is_first ? 0 : last + 1;
    struct pool_rack *const rack = &pool->rack[next];
    const size_t bytes = offsetof(struct hy_pool_magazine, round) +
                         (size_t)limit * sizeof(void *);

    if (next == POOL_RACKS)
        return ENOMEM;
    if (rack->limit != limit) {
        if (rack->chunk[0]) /* of a try that failed, and for another limit */
            return ENOMEM;
        rack->limit = limit;
        rack->stride = (uint32_t)((bytes + 63) & ~(size_t)63);
    }
    if (provide(pool, rack, needed(pool->slots, pool->attached, limit)))
        return ENOMEM;
    atomic_store(&pool->current, next);
    if (!is_first)
        atomic_fetch_or(&pool->rack[last].made, POOL_CLOSED);
    return 0;
}

void pool_discard_racks(struct hy_pool *pool)
{
    const uint32_t current = atomic_load(&pool->current);

    for (uint32_t r = 0; r < current; r++) {
        struct pool_rack *const rack = &pool->rack[r];
        if (rack->is_discarded ||
            atomic_load(&rack->retired) != pool_rack_made(rack))
            continue;
        for (unsigned k = 0; k < POOL_CHUNKS && rack->chunk[k]; k++)
            (void)os_pages_discard(rack->chunk[k],
                                   pool_chunk_committed(rack, k));
        rack->is_discarded = 1;
    }
}

void pool_close_racks(struct hy_pool *pool)
{
    for (unsigned r = 0; r < POOL_RACKS; r++) {
        struct pool_rack *const rack = &pool->rack[r];
        for (unsigned k = 0; k < POOL_CHUNKS && rack->chunk[k]; k++)
            (void)os_pages_release(NULL, rack->chunk[k], chunk_bytes(rack, k),
                                   0);
    }
}

/* ---- the stacks ---- */

static void note_contention(struct hy_pool *pool, uint32_t failures)
{
    if (__builtin_expect(failures != 0, 0))
        atomic_fetch_add_explicit(&pool->contention, failures,
                                  memory_order_relaxed);
}

static uint32_t depth_at(struct hy_pool *pool, uint64_t head)
{
    return (uint32_t)head ? atomic_load_explicit(
                                &pool_magazine(pool, (uint32_t)head)->depth,
                                memory_order_relaxed)
                          : 0;
}

void pool_push(struct hy_pool *pool, struct pool_stack *stack,
               struct hy_pool_magazine *magazine)
{
    uint64_t head = atomic_load_explicit(&stack->head, memory_order_acquire);
    uint32_t tries = 0;

    for (;; tries++) {
        atomic_store_explicit(&magazine->next, (uint32_t)head,
                              memory_order_relaxed);
        atomic_store_explicit(&magazine->depth, depth_at(pool, head) + 1,
                              memory_order_relaxed);
        const uint64_t next =
            ((head & ~(TAG_ONE - 1)) + TAG_ONE) | magazine->index;
        if (atomic_compare_exchange_weak_explicit(&stack->head, &head, next,
                                                  memory_order_acq_rel,
                                                  memory_order_acquire))
            break;
    }
    note_contention(pool, tries);
}

/* Racing threads may miss a low: it is a figure to reap by, no more. */
static void note_low(struct pool_stack *stack, uint32_t depth)
{
    if (depth < atomic_load_explicit(&stack->low, memory_order_relaxed))
        atomic_store_explicit(&stack->low, depth, memory_order_relaxed);
}

struct hy_pool_magazine *pool_pop(struct hy_pool *pool,
                                  struct pool_stack *stack)
{
    uint64_t head = atomic_load_explicit(&stack->head, memory_order_acquire);
    struct hy_pool_magazine *magazine;
    uint32_t tries = 0;

    for (;; tries++) {
        if ((uint32_t)head == 0) {
            note_low(stack, 0);
            return NULL;
        }
        magazine = pool_magazine(pool, (uint32_t)head);
        const uint64_t next =
            ((head & ~(TAG_ONE - 1)) + TAG_ONE) |
            atomic_load_explicit(&magazine->next, memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&stack->head, &head, next,
                                                  memory_order_acq_rel,
                                                  memory_order_acquire))
            break;
    }
    note_contention(pool, tries);
    note_low(stack,
             atomic_load_explicit(&magazine->depth, memory_order_relaxed) - 1);
    return magazine;
}

uint32_t pool_depth(struct hy_pool *pool, struct pool_stack *stack)
{
    return depth_at(pool, atomic_load(&stack->head));
}

/* ---- empty magazines ---- */

/* The next one of the rack that was never used, or NULL. */
static struct hy_pool_magazine *make_magazine(struct hy_pool *pool, uint32_t r)
{
    struct pool_rack *const rack = &pool->rack[r];
    uint32_t made = atomic_load(&rack->made);

    do {
        if (made >= atomic_load(&rack->capacity)) /* or is closed */
            return NULL;
    } while (!atomic_compare_exchange_weak(&rack->made, &made, made + 1));
    const uint32_t index = r << POOL_RACK_SHIFT | (made + 1);
    struct hy_pool_magazine *const magazine = pool_magazine(pool, index);
    magazine->index = index;
    magazine->limit = rack->limit;
    return magazine;
}

/* A second look is needed only if the stack changed during the first, or
 * magazines grew. */
struct hy_pool_magazine *pool_take_empty(struct hy_pool *pool)
{
    for (;;) {
        const uint32_t current = atomic_load(&pool->current);
        struct hy_pool_magazine *magazine = pool_pop(pool, &pool->empty);
        if (!magazine)
            magazine = make_magazine(pool, current);
        if (!magazine)
            continue;
        const uint32_t r = magazine->index >> POOL_RACK_SHIFT;
        if (__builtin_expect(r >= current, 1))
            return magazine;
        atomic_fetch_add(&pool->rack[r].retired, 1);
    }
}
