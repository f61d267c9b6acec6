/* gc_cycle.c - when to collect, and the course of a collection.
 *
 * After a collection that found L bytes live the heap may grow to
 * max(min_heap, growth L), and if it was larger before it may stay so up to
 * `retain` times the most that was live lately: memory that was needed once is
 * there, and is better used than given back.  What is between is the budget
 * until the next.  With a time share wanted, growth is moved after each
 * collection: what a collection costs does not depend on how rarely it comes,
 * so its share of the time goes as 1 / (growth - 1).
 *
 * A generational heap collects minor ones in between: marks are kept (an
 * object with the epoch's mark is old and counts as reached), and roots are,
 * beside the usual ones, the old objects in cards that were written to.
 * Source of sticky marks: A. Demers et al., "Combining generational and
 * conservative garbage collection", POPL 1990.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_heap.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { BUDGET_LEAST = 256 * 1024, KEEP_SPARE = 8, WIPED_WORDS = 512 };

static const double growth_least = 1.1, growth_most = 100;

uint64_t gc_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

bool gc_is_due(struct hy_gc *gc)
{
    return atomic_load_explicit(&gc->since_bytes, memory_order_relaxed) >=
               gc->budget &&
           !gc->disabled;
}

/* ---- pacing ---- */

static double between(double low, double x, double high)
{
    return x < low ? low : x > high ? high : x;
}

static void adjust_growth(struct hy_gc *gc, uint64_t start_ns, uint64_t pause)
{
    const double wanted = gc->config.time_share;
    const double elapsed = (double)(start_ns - gc->world_ns + pause);

    if (!(wanted > 0) || gc->config.is_timeless || !gc->world_ns)
        return;
    const double share = (double)pause / elapsed;

    gc->growth = between(growth_least,
                         1 + (gc->growth - 1) * between(0.5, share / wanted, 2),
                         growth_most);
}

static uint64_t most_live_lately(struct hy_gc *gc)
{
    const size_t n = sizeof gc->recent_live / sizeof *gc->recent_live;
    uint64_t most = gc->live_bytes;

    gc->recent_live[gc->stats.collections % n] = gc->live_bytes;
    for (size_t i = 0; i < n; i++)
        if (gc->recent_live[i] > most)
            most = gc->recent_live[i];
    return most;
}

/* Bytes that the heap may take before the next full collection. */
static uint64_t heap_target(struct hy_gc *gc)
{
    const double limit = (double)gc->limit_blocks * BLOCK_BYTES;
    const double retained = (double)most_live_lately(gc) * gc->config.retain;
    const double before = (double)gc->full_at;
    const double grown = (double)gc->live_bytes * gc->growth;
    const double kept = before < retained ? before : retained;
    const double least = (double)gc->config.min_heap;

    return (uint64_t)between(least < limit ? least : limit,
                             grown > kept ? grown : kept, limit);
}

static void set_budget(struct hy_gc *gc, bool is_full)
{
    if (is_full)
        gc->full_at = heap_target(gc);
    uint64_t budget =
        gc->full_at > gc->live_bytes ? gc->full_at - gc->live_bytes : 0;

    if (gc->config.generational) {
        const uint64_t nursery =
            (uint64_t)((double)gc->full_at * gc->config.nursery);

        if (nursery < budget)
            budget = nursery;
    }
    gc->budget = budget > BUDGET_LEAST ? budget : BUDGET_LEAST;
}

/* ---- roots ---- */

static void mark_ranges(struct hy_gc *gc, const struct gc_ranges *all)
{
    for (size_t i = 0; i < all->n; i++)
        gc_mark_range(gc, all->range[i].begin, all->range[i].end);
}

static void mark_held_small(struct hy_gc *gc, size_t b)
{
    const size_t bytes = (size_t)gc->block[b].granules * GRANULE;

    for (size_t i = 0; (i + 1) * bytes <= BLOCK_BYTES; i++)
        if (gc->mark[b * MARKS_A_BLOCK + i] == MARK_HELD)
            gc_mark_contents(gc, gc_block_start(gc, b) + i * bytes, false);
}

static void mark_held(struct hy_gc *gc)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;

    for (size_t b = 0; b < end; b++)
        if (gc->block[b].kind == KIND_UNCOLLECTABLE)
            mark_held_small(gc, b);
        else if (gc->block[b].kind == KIND_LARGE_UNCOLLECTABLE)
            gc_mark_contents(gc, gc_block_start(gc, b), false);
}

/* A thread, but the one that collects, may have been stopped between taking an
 * object off its run and having its address anywhere: the objects on both sides
 * of the cursor are kept. */
static void mark_cursors(struct hy_gc *gc, const struct hy_gc_thread *t)
{
    for (size_t i = 0; i < BINS; i++) {
        const struct gc_run *run = &t->run[i];

        if (!run->end)
            continue;
        gc_mark_ambiguous(gc, run->cursor - run->step);
        gc_mark_ambiguous(gc, run->cursor);
    }
}

static void mark_roots(struct hy_gc *gc, bool is_full)
{
    gc_world_stacks(gc, gc_mark_range);
    mark_ranges(gc, &gc->globals);
    mark_ranges(gc, &gc->roots);
    mark_held(gc);
    gc_dying_mark_roots(gc);
    if (gc->hooks.roots)
        gc->hooks.roots(gc->hooks.arg);
    if (!is_full)
        gc_cards_mark_roots(gc);
}

static void drop_all_runs(struct hy_gc *gc)
{
    for (struct hy_gc_thread *t = gc->threads; t; t = t->next) {
        if (t != gc_self)
            mark_cursors(gc, t);
        gc_drop_runs(t);
    }
}

/* ---- a collection ---- */

static void clear_marks(struct hy_gc *gc)
{
    const size_t end = (gc->extent >> BLOCK_SHIFT) * MARKS_A_BLOCK;

    for (size_t i = 0; i < end; i++)
        if (gc->mark[i] != MARK_HELD)
            gc->mark[i] = MARK_DEAD;
    memset(gc->hot, 0, gc->extent >> BLOCK_SHIFT);
}

static void next_epoch(struct hy_gc *gc)
{
    if (gc->epoch == EPOCH_LAST) {
        clear_marks(gc);
        gc->epoch = 0;
    }
    gc->epoch++;
}

/* With the world standing. */
static void collect(struct hy_gc *gc, struct hy_gc_event *e)
{
    const bool is_full = e->kind != HY_GC_MINOR;
    uint64_t began = gc_now_ns();

    e->stop_ns = began - e->start_ns;
    if (is_full) {
        gc->is_compacting = gc->config.compact && gc_compact_choose(gc) &&
                            gc_dying_may_move(gc) == 0;
        next_epoch(gc);
    }
    gc_mark_begin(gc);
    drop_all_runs(gc);
    mark_roots(gc, is_full);
    gc_mark_drain(gc);
    e->mark_ns = gc_now_ns() - began;
    began += e->mark_ns;
    e->finalizers = gc_dying_find(gc);
    const struct gc_tally tally = gc_mark_end(gc);

    e->marked_objects = tally.objects;
    e->marked_bytes = tally.bytes;
    e->markers = tally.markers;
    if (gc->is_compacting)
        gc_compact_move(gc, &e->moved_objects, &e->moved_bytes);
    e->kind = gc->is_compacting ? HY_GC_COMPACTING : e->kind;
    gc->is_compacting = false;
    e->freed_blocks_bytes = gc_sweep_blocks(gc);
    gc_cards_clear(gc);
    e->live_bytes = tally.bytes + (is_full ? 0 : gc->live_bytes);
    e->finish_ns = gc_now_ns() - began;
}

static void account(struct hy_gc *gc, const struct hy_gc_event *e)
{
    const uint64_t pause = e->stop_ns + e->mark_ns + e->finish_ns;
    const bool is_full = e->kind != HY_GC_MINOR;

    if (is_full)
        adjust_growth(gc, e->start_ns, pause);
    gc->live_bytes = e->live_bytes;
    gc->total_bytes += e->allocated_bytes;
    atomic_store(&gc->since_bytes, 0);
    gc->stats.collections++;
    gc->stats.minor_collections += !is_full;
    gc->stats.pause_ns += pause;
    if (pause > gc->stats.max_pause_ns)
        gc->stats.max_pause_ns = pause;
    set_budget(gc, is_full);
}

static bool may_be_minor(const struct hy_gc *gc)
{
    return gc->config.generational && gc->stats.collections &&
           gc->live_bytes < gc->full_at;
}

/* Memory that the next budget will not need goes back. */
static void trim(struct hy_gc *gc)
{
    gc_blocks_trim(gc, (gc->full_at > gc->live_bytes
                            ? (gc->full_at - gc->live_bytes) >> BLOCK_SHIFT
                            : 0) +
                           KEEP_SPARE);
}

/* What the collector's frames leave below this one would be found again by the
 * collection that stops this thread by a signal: the kernel writes over the
 * stack there, but not over all of it. */
__attribute__((noinline)) static void wipe_stack(void)
{
    uintptr_t word[WIPED_WORDS];

    memset(word, 0, sizeof word);
    __asm__ volatile("" : : "r"(word) : "memory"); /* or it is left out */
}

__attribute__((noinline)) void gc_collect_locked(struct hy_gc *gc,
                                                 enum hy_gc_kind kind,
                                                 enum hy_gc_reason reason)
{
    struct hy_gc_event e = {.reason = reason};

    if (gc->disabled || gc_roots_find_globals(gc) ||
        (gc->hooks.begin && !gc->hooks.begin(gc->hooks.arg)))
        return;
    gc_markers_start(gc);
    gc_blocks_populate_marks(gc);
    e.kind = kind == HY_GC_MINOR && may_be_minor(gc) ? HY_GC_MINOR : HY_GC_FULL;
    e.number = gc->stats.collections + 1;
    e.allocated_bytes = atomic_load(&gc->since_bytes);
    e.heap_bytes = (uint64_t)gc->used_blocks << BLOCK_SHIFT;
    e.start_ns = gc_now_ns();
    e.threads = gc_world_stop(gc) + 1;
    collect(gc, &e);
    account(gc, &e);
    gc_world_go(gc);
    gc->world_ns = gc_now_ns();
    if (e.kind != HY_GC_MINOR)
        trim(gc);
    wipe_stack();
    if (gc->listener)
        gc->listener(&e, gc->listener_arg);
}

__attribute__((noinline)) static void *collect_asked(struct hy_gc *gc,
                                                     enum hy_gc_kind kind)
{
    if (gc_self)
        gc_self->entry = (uintptr_t)__builtin_frame_address(0);
    pthread_mutex_lock(&gc->lock);
    gc_collect_locked(gc, kind, HY_GC_REASON_ASKED);
    pthread_mutex_unlock(&gc->lock);
    gc_dying_run(gc, false);
    return gc;
}

__attribute__((noinline)) void hy_gc_collect(struct hy_gc *gc,
                                             enum hy_gc_kind kind)
{
    __builtin_unwind_init(); /* as in gc_alloc_slow */
    (void)gc_frame_kept(collect_asked(gc, kind));
}

void hy_gc_listen(struct hy_gc *gc,
                  void (*listener)(const struct hy_gc_event *, void *),
                  void *arg)
{
    pthread_mutex_lock(&gc->lock);
    gc->listener = listener;
    gc->listener_arg = arg;
    pthread_mutex_unlock(&gc->lock);
}

void hy_gc_hook(struct hy_gc *gc, const struct hy_gc_hooks *hooks)
{
    pthread_mutex_lock(&gc->lock);
    gc->hooks = hooks ? *hooks : (struct hy_gc_hooks){0};
    pthread_mutex_unlock(&gc->lock);
}

void hy_gc_scan(struct hy_gc *gc, const void *begin, const void *end)
{
    gc_mark_range(gc, (uintptr_t)begin, (uintptr_t)end);
}

void hy_gc_keep(struct hy_gc *gc, const void *p)
{
    gc_mark_ambiguous(gc, p);
}

bool hy_gc_is_reached(struct hy_gc *gc, const void *p)
{
    return gc_is_marked(gc, p);
}

void hy_gc_disable(struct hy_gc *gc)
{
    pthread_mutex_lock(&gc->lock);
    gc->disabled++;
    pthread_mutex_unlock(&gc->lock);
}

void hy_gc_enable(struct hy_gc *gc)
{
    pthread_mutex_lock(&gc->lock);
    if (gc->disabled)
        gc->disabled--;
    pthread_mutex_unlock(&gc->lock);
}

bool hy_gc_is_disabled(struct hy_gc *gc)
{
    pthread_mutex_lock(&gc->lock);
    const bool is_disabled = gc->disabled > 0;

    pthread_mutex_unlock(&gc->lock);
    return is_disabled;
}

int hy_gc_set_growth(struct hy_gc *gc, double growth)
{
    if (!(growth >= growth_least && growth <= growth_most))
        return EINVAL;
    pthread_mutex_lock(&gc->lock);
    gc->growth = growth;
    set_budget(gc, true);
    pthread_mutex_unlock(&gc->lock);
    return 0;
}

void hy_gc_set_min_heap(struct hy_gc *gc, size_t min_heap)
{
    pthread_mutex_lock(&gc->lock);
    gc->config.min_heap = min_heap;
    set_budget(gc, true);
    pthread_mutex_unlock(&gc->lock);
}

int hy_gc_set_limit(struct hy_gc *gc, size_t heap_limit)
{
    pthread_mutex_lock(&gc->lock);
    const size_t most = gc->reserved >> BLOCK_SHIFT;
    const size_t blocks = heap_limit >> BLOCK_SHIFT;

    gc->limit_blocks = blocks && blocks < most ? blocks : most;
    set_budget(gc, true);
    pthread_mutex_unlock(&gc->lock);
    return 0;
}
