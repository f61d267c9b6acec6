/* lab_passes.c - a trace played again and again in one process, and timed.
 *
 * A solution of the lab begins each pass with an empty heap and mm_init, out of
 * the clock.  Any other allocator goes on with its heap, from which all was
 * freed.  Nothing is written to the blocks.
 *
 * The best time of each call, over some passes, is free of interrupts: what is
 * left is the work of that call on that heap, which is the same each time.
 *
 * Invariant: between two passes no block of the trace is live.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lab_passes.h"

#include <errno.h>

#include "malloclab.h"
#include "os_pages.h"
#include "ticks.h"

enum {
    PASSES_MIN = 3,
    PASSES_MAX = 200,
    PASSES_NS = 30000000, /* enough, once there are PASSES_MIN */
    CALL_PASSES = 5
};

struct calls {
    uint32_t *best; /* [ops] */
    uint64_t i;
    int is_first; /* pass */
};

/* ---- a call, timed ---- */

static void note(struct player *p, uint64_t ticks)
{
    struct calls *const c = p->own;
    const uint32_t t = ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks;

    if (c->is_first || t < c->best[c->i])
        c->best[c->i] = t;
    c->i++;
}

static void *must(struct player *p, void *q, size_t size)
{
    if (!q)
        player_fail(p, STATUS_NOMEM, "NULL for %zu bytes, in a later pass",
                    size);
    return q;
}

static void *call_alloc(struct player *p, size_t size, size_t align, int zero)
{
    const uint64_t from = ticks_now();
    void *const q = zero ? p->allocator->zalloc(p->heap, size)
                         : p->allocator->alloc(p->heap, size, align);

    note(p, ticks_now() - from);
    return must(p, q, size);
}

static void call_dealloc(struct player *p, void *q, size_t size)
{
    const uint64_t from = ticks_now();

    p->allocator->dealloc(p->heap, q, size);
    note(p, ticks_now() - from);
}

static void *call_resize(struct player *p, void *q, size_t old_size,
                         size_t new_size)
{
    const uint64_t from = ticks_now();
    void *const r = p->allocator->resize(p->heap, q, old_size, new_size);

    note(p, ticks_now() - from);
    return must(p, r, new_size);
}

static void call_touch(struct player *p, void *q, size_t size)
{
    (void)q;
    (void)size;
    note(p, 0); /* so that calls and operations have the same numbers */
}

static const struct block_ops call_ops = {call_alloc, call_dealloc, call_resize,
                                          call_touch};

/* ---- a pass ---- */

static int begin(const struct run_context *run)
{
    return run->allocator == &malloclab_allocator ? malloclab_reset(run->heap)
                                                  : 0;
}

static void end(const struct run_context *run, const struct player *p)
{
    const struct trace *const t = run->trace;

    for (uint64_t i = 0; i < t->totals.left_blocks; i++)
        run->allocator->dealloc(run->heap, p->slots[t->left[i].place],
                                t->left[i].size);
}

static int time_passes(const struct run_context *run, struct player *p,
                       struct lab_passes *out)
{
    uint64_t total = 0;

    out->best_ns = UINT64_MAX;
    while (out->passes < PASSES_MIN ||
           (total < PASSES_NS && out->passes < PASSES_MAX)) {
        const int err = begin(run);
        if (err)
            return err;
        const uint64_t from = clock_wall_ns();
        play_fast(p, TOUCH_NONE);
        const uint64_t ns = clock_wall_ns() - from;

        end(run, p);
        out->passes++;
        total += ns;
        out->best_ns = ns < out->best_ns ? ns : out->best_ns;
    }
    return 0;
}

static int time_calls(const struct run_context *run, struct player *p,
                      struct lab_passes *out)
{
    struct calls calls = {.best = out->call_ticks};

    int err = 0;

    p->own = &calls;
    for (unsigned pass = 0; pass < CALL_PASSES && !err; pass++) {
        err = begin(run);
        if (err)
            break;
        calls.i = 0;
        calls.is_first = pass == 0;
        play_with(p, &call_ops);
        end(run, p);
    }
    p->own = NULL;
    return err;
}

static int play_all(const struct run_context *run, struct player *p,
                    struct lab_passes *out)
{
    const struct allocator *const a = run->allocator;
    int err = a->enter ? a->enter(run->heap) : 0;

    if (err)
        return err;
    err = time_passes(run, p, out);
    if (!err)
        err = time_calls(run, p, out);
    if (a->leave)
        a->leave(run->heap);
    return err;
}

int lab_passes_play(const struct run_context *run, struct lab_passes *out)
{
    const struct trace_thread *const thread = &run->trace->thread[0];
    const size_t slots_bytes = (thread->slots + 8) * sizeof(void *);
    struct player p = {.first = thread->events,
                       .at = thread->events,
                       .allocator = run->allocator,
                       .heap = run->heap,
                       .page = run->page,
                       .threads = 1,
                       .result_fd = run->result_fd};

    *out = (struct lab_passes){.ops = run->trace->totals.ops};
    p.slots = os_pages_map(NULL, slots_bytes);
    out->call_ticks = os_pages_map(NULL, (out->ops + 1) * sizeof(uint32_t));
    if (!p.slots || !out->call_ticks)
        return ENOMEM;
    os_pages_touch(p.slots, slots_bytes);
    os_pages_touch(out->call_ticks, (out->ops + 1) * sizeof(uint32_t));
    const int err = play_all(run, &p, out);

    (void)os_pages_unmap(NULL, p.slots, slots_bytes);
    return err;
}

void lab_passes_free(struct lab_passes *l)
{
    (void)os_pages_unmap(NULL, l->call_ticks,
                         (l->ops + 1) * sizeof *l->call_ticks);
}
