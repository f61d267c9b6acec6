/* latency_ops.c - the latency replayer: a stamp on each side of every call.
 *
 * Stamps are not fenced: a fence costs more than a hot malloc (15 against
 * 8 ns) and hides what it measures.  The price of an empty pair of stamps is
 * reported beside the figures (metric stamp_cost), never subtracted.  All else
 * is outside the stamps: touching the block, which is the client's work, the
 * books, and waiting for the call to be due.
 *
 * Why a call was long is asked of the kernel, by getrusage.  At 250 ns that
 * cannot be done at every call: it is done after each call that is among the
 * longest so far (some hundreds a run), and before every
 * LATENCY_USAGE_EVERY-th, so that the counts of a long call are those since
 * the reading before it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* RUSAGE_THREAD */

#include "latency_ops.h"

#include <sys/resource.h>

#include "player.h"
#include "ticks.h"

static void read_usage(struct latency_state *s)
{
    struct rusage u = {0};

    getrusage(RUSAGE_THREAD, &u);
    s->usage = (struct latency_usage){
        .faults = (uint64_t)u.ru_minflt + (uint64_t)u.ru_majflt,
        .preemptions = (uint64_t)u.ru_nivcsw,
        .waits = (uint64_t)u.ru_nvcsw,
    };
    s->read_at = s->calls;
}

/* Returns the first stamp. */
static uint64_t begin(struct player *p)
{
    struct latency_state *s = p->own;

    if (s->calls % LATENCY_USAGE_EVERY == 0)
        read_usage(s);
    s->calls++;
    if (s->pace.interval > 0)
        pace_await(&s->pace, p->wait_ticks);
    return ticks_now();
}

__attribute__((noinline)) static void keep_worst(struct player *p,
                                                 enum latency_kind kind,
                                                 size_t size, uint64_t ticks)
{
    struct latency_state *s = p->own;
    const struct latency_usage before = s->usage;
    struct worst_call call = {
        .ticks = ticks,
        .size = size,
        .record = (uint64_t)(p->at - p->first),
        .after = atomic_load_explicit(&p->page->thread[p->thread].place,
                                      memory_order_relaxed),
        .thread = p->thread,
        .kind = kind,
        .within = s->calls - s->read_at,
    };

    read_usage(s);
    call.faults = s->usage.faults - before.faults;
    call.preemptions = s->usage.preemptions - before.preemptions;
    call.waits = s->usage.waits - before.waits;
    worst_add(&s->worst, &call);
}

/* The second stamp. */
static void end(struct player *p, enum latency_kind kind, size_t size,
                uint64_t start)
{
    uint64_t now = ticks_now();
    uint64_t ticks = now > start ? now - start : 0;
    struct latency_state *s = p->own;

    if (worst_takes(&s->worst, ticks))
        keep_worst(p, kind, size, ticks);
    histogram_add(&s->ticks[kind][latency_class(size)], ticks);
    if (s->pace.interval > 0)
        histogram_add(&s->response[kind],
                      now > s->pace.due ? now - s->pace.due : 0);
}

static void *timed_alloc(struct player *p, size_t size, size_t align, int zero)
{
    uint64_t start = begin(p);
    void *q = zero ? p->allocator->zalloc(p->heap, size)
                   : p->allocator->alloc(p->heap, size, align);

    end(p, zero ? LATENCY_CALLOC : LATENCY_MALLOC, size, start);
    if (!q)
        player_fail(p, STATUS_NOMEM, "NULL for %zu bytes", size);
    touch_bytes(q, size, p->touch);
    return q;
}

static void timed_dealloc(struct player *p, void *q, size_t size)
{
    uint64_t start = begin(p);

    p->allocator->dealloc(p->heap, q, size);
    end(p, LATENCY_FREE, size, start);
}

static void *timed_resize(struct player *p, void *q, size_t old_size,
                          size_t new_size)
{
    uint64_t start = begin(p);
    void *r = p->allocator->resize(p->heap, q, old_size, new_size);

    end(p, LATENCY_REALLOC, new_size, start);
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
