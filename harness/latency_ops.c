/* latency_ops.c - the latency replayer: a stamp on each side of every call.
 *
 * Stamps are not fenced: a fence costs more than a hot malloc (15 against
 * 8 ns) and hides what it measures.  The price of an empty pair of stamps is
 * reported beside the figures (metric stamp_cost), never subtracted.  Touching
 * the block is the client's work and outside the stamps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "latency_ops.h"

#include "player.h"
#include "ticks.h"

static void note(struct player *p, enum latency_kind kind, uint64_t start)
{
    struct latency_state *state = p->own;
    uint64_t end = ticks_now();

    histogram_add(&state->ticks[kind], end > start ? end - start : 0);
}

static void *timed_alloc(struct player *p, size_t size, size_t align, int zero)
{
    uint64_t start = ticks_now();
    void *q = zero ? p->allocator->zalloc(p->heap, size)
                   : p->allocator->alloc(p->heap, size, align);

    note(p, zero ? LATENCY_CALLOC : LATENCY_MALLOC, start);
    if (!q)
        player_fail(p, STATUS_NOMEM, "NULL for %zu bytes", size);
    touch_bytes(q, size, p->touch);
    return q;
}

static void timed_dealloc(struct player *p, void *q, size_t size)
{
    uint64_t start = ticks_now();

    p->allocator->dealloc(p->heap, q, size);
    note(p, LATENCY_FREE, start);
}

static void *timed_resize(struct player *p, void *q, size_t old_size,
                          size_t new_size)
{
    uint64_t start = ticks_now();
    void *r = p->allocator->resize(p->heap, q, old_size, new_size);

    note(p, LATENCY_REALLOC, start);
    if (!r)
        player_fail(p, STATUS_NOMEM, "NULL for a resize to %zu bytes",
                    new_size);
    if (new_size > old_size)
        touch_bytes((char *)r + old_size, new_size - old_size, p->touch);
    return r;
}

static void untimed_touch(struct player *p, void *q, size_t size)
{
    touch_bytes(q, size, p->touch);
}

const struct block_ops latency_ops = {
    .alloc = timed_alloc,
    .dealloc = timed_dealloc,
    .resize = timed_resize,
    .touch = untimed_touch,
};
