/* gc_alloc.c - handing out, resizing and freeing objects.
 *
 * The fast path (gc_heap.h) bumps a thread's cursor.  The slow one looks, in
 * this order, for an object that was freed explicitly, the next run of the
 * block that the thread sweeps, another block of the bin to sweep, and an
 * empty block; before it takes a block it collects if that is due.
 *
 * A thread that finds runs is busy: a collection waits for it.  A thread that
 * waits for the heap's lock is not, and may find after it that its runs are
 * gone; so every step begins anew.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_heap.h"

#include <errno.h>
#include <string.h>

/* ---- when there is none ---- */

static void *no_memory(struct hy_gc *gc, size_t size)
{
    if (gc->config.out_of_memory)
        return gc->config.out_of_memory(size, gc->config.out_of_memory_arg);
    errno = ENOMEM;
    return NULL;
}

/* ---- small ---- */

static bool has_run(const struct gc_run *run)
{
    return run->cursor + run->step <= run->end;
}

void gc_block_open(struct hy_gc *gc, unsigned i, size_t b)
{
    const struct gc_bin *bin = &gc->bin[i];

    gc->block[b] = (struct gc_block){.reciprocal = bin->reciprocal & 0xffffff,
                                     .granules = bin->bytes / GRANULE & 0xffff,
                                     .kind = bin->kind,
                                     .by_word = bin->by_word};
    gc->bin_of[b] = (uint16_t)i;
    gc->hot[b] = 0;
}

/* Under the lock. */
static int32_t take_block(struct hy_gc *gc, unsigned i)
{
    struct gc_bin *bin = &gc->bin[i];
    int32_t b = bin->to_sweep;

    if (b != NO_BLOCK) {
        bin->to_sweep = gc->next[b];
        return b;
    }
    b = gc_blocks_take(gc, 1, 1);
    if (b != NO_BLOCK)
        gc_block_open(gc, i, (size_t)b);
    return b;
}

/* Give the thread a block to sweep; false: there is no memory, even after a
 * full collection, which *is_last_try remembers. */
static bool next_block(struct hy_gc_thread *t, unsigned i, bool *is_last_try)
{
    struct hy_gc *gc = t->gc;
    bool is_collected = gc_is_due(gc);

    pthread_mutex_lock(&gc->lock);
    is_collected = is_collected && gc_is_due(gc);
    if (is_collected)
        gc_collect_locked(gc, HY_GC_MINOR, HY_GC_REASON_BUDGET);
    int32_t b = take_block(gc, i);

    if (b == NO_BLOCK && !gc->disabled && !*is_last_try) {
        gc_collect_locked(gc, HY_GC_FULL, HY_GC_REASON_LIMIT);
        is_collected = *is_last_try = true;
        b = take_block(gc, i);
    }
    if (b != NO_BLOCK) {
        t->run[i].block = b;
        t->run[i].next = 0;
        gc->is_young[b] = 1;
    }
    pthread_mutex_unlock(&gc->lock);
    if (is_collected)
        gc_dying_run(gc, false);
    return b != NO_BLOCK;
}

/* The blocks of a bin may all be full without being known to be, so that a
 * heap at its limit is swept before it is given up. */
__attribute__((noinline)) static void *alloc_small(struct hy_gc_thread *t,
                                                   unsigned i)
{
    struct gc_run *run = &t->run[i];
    bool is_last_try = false;

    if (!run->step) { /* a layout that was not added */
        errno = EINVAL;
        return NULL;
    }
    t->entry = (uintptr_t)__builtin_frame_address(0);
    for (;;) {
        gc_busy(t);
        const bool found = gc_sweep_run(t, i);
        gc_not_busy(t);
        if (found) {
            if (has_run(run))
                return gc_alloc_bin(t, i);
        } else if (!next_block(t, i, &is_last_try)) {
            return no_memory(t->gc, t->gc->bin[i].bytes);
        }
    }
}

/* The mutator's registers are saved in this frame (so it must have one), and
 * its stack is scanned from here: what the collector's own frames lie over is
 * older than this call, and would keep what the mutator has left. */
__attribute__((noinline)) void *gc_alloc_slow(struct hy_gc_thread *t,
                                              unsigned i)
{
    __builtin_unwind_init();
    return gc_frame_kept(alloc_small(t, i));
}

/* ---- large ---- */

static void set_large(struct hy_gc *gc, size_t head, size_t count, size_t size,
                      uint8_t kind)
{
    for (size_t i = 1; i < count; i++)
        gc->block[head + i] = (struct gc_block){.reciprocal = i & 0xffffff,
                                                .granules = NO_GRANULES,
                                                .kind = KIND_TAIL};
    gc->mark[head * MARKS_A_BLOCK] =
        gc_kind_is_held(kind) ? MARK_HELD : MARK_DEAD;
    gc->large_bytes[head] = size;
    gc->is_young[head] = 1;
    gc->hot[head] = 0;
    gc->block[head] = (struct gc_block){.granules = NO_GRANULES, .kind = kind};
}

/* Under the lock; *is_fresh: all of it is zero. */
static int32_t take_large(struct hy_gc *gc, size_t size, uint8_t kind,
                          size_t align, bool *is_fresh)
{
    const size_t count = (size + BLOCK_MASK) >> BLOCK_SHIFT;
    const int32_t head = gc_blocks_take(gc, count, align);

    if (head == NO_BLOCK)
        return head;
    *is_fresh = true;
    for (size_t i = 0; i < count; i++) {
        *is_fresh = *is_fresh && gc->is_fresh[(size_t)head + i];
        gc->is_fresh[(size_t)head + i] = 0;
    }
    set_large(gc, (size_t)head, count, size, kind);
    atomic_fetch_add_explicit(&gc->since_bytes, count << BLOCK_SHIFT,
                              memory_order_relaxed);
    return head;
}

/* An object is scanned before it is zeroed if a collection comes between:
 * what it held of before is then kept once more. */
__attribute__((noinline)) static void *
alloc_large(struct hy_gc_thread *t, size_t size, uint8_t kind, size_t align)
{
    struct hy_gc *gc = t->gc;
    bool is_fresh = false, is_collected = false;

    if (size > PTRDIFF_MAX - 2 * (size_t)BLOCK_BYTES)
        return no_memory(gc, size);
    const size_t bytes = size + (t->round & GRANULE ? 1 : 0);

    align = align ? align : 1;
    t->entry = (uintptr_t)__builtin_frame_address(0);
    pthread_mutex_lock(&gc->lock);
    if (gc_is_due(gc)) {
        gc_collect_locked(gc, HY_GC_MINOR, HY_GC_REASON_BUDGET);
        is_collected = true;
    }
    int32_t head = take_large(gc, bytes, kind, align, &is_fresh);

    if (head == NO_BLOCK && !gc->disabled) {
        gc_collect_locked(gc, HY_GC_FULL, HY_GC_REASON_LIMIT);
        is_collected = true;
        head = take_large(gc, bytes, kind, align, &is_fresh);
    }
    char *volatile p = /* on the stack, whatever the compiler thinks */
        head == NO_BLOCK ? NULL : gc_block_start(gc, (size_t)head);
    pthread_mutex_unlock(&gc->lock);
    if (p && !is_fresh && !gc_kind_is_leaf(kind))
        memset(p, 0, (bytes + GRANULE - 1) / GRANULE * GRANULE);
    if (is_collected)
        gc_dying_run(gc, false);
    return p ? p : no_memory(gc, size);
}

__attribute__((noinline)) void *
gc_alloc_large(struct hy_gc_thread *t, size_t size, uint8_t kind, size_t align)
{
    __builtin_unwind_init(); /* as in gc_alloc_slow */
    return gc_frame_kept(alloc_large(t, size, kind, align));
}

/* ---- the public ones ---- */

void *hy_gc_alloc(struct hy_gc_thread *t, size_t size)
{
    return gc_alloc_kind(t, size, KIND_SCANNED);
}

void *hy_gc_alloc_leaf(struct hy_gc_thread *t, size_t size)
{
    return gc_alloc_kind(t, size, KIND_LEAF);
}

static void hold(struct hy_gc *gc, void *p)
{
    struct gc_object object;

    if (gc_find(gc, p, &object))
        *object.mark = MARK_HELD;
}

void *hy_gc_alloc_uncollectable(struct hy_gc_thread *t, size_t size)
{
    void *volatile p = gc_alloc_kind(t, size, KIND_UNCOLLECTABLE);

    if (p)
        hold(t->gc, p);
    return p;
}

void *hy_gc_alloc_layout(struct hy_gc_thread *t, unsigned layout)
{
    if (layout >= HY_GC_LAYOUTS_MAX) {
        errno = EINVAL;
        return NULL;
    }
    return gc_alloc_bin(t, BIN_LAYOUT + layout);
}

/* Blocks are aligned, and so is every object whose size is a multiple. */
void *hy_gc_alloc_aligned(struct hy_gc_thread *t, size_t size, size_t align,
                          bool is_leaf)
{
    const enum gc_block_kind kind = is_leaf ? KIND_LEAF : KIND_SCANNED;
    const size_t spare = t->round & GRANULE ? 1 : 0;

    if (!align || align > BLOCK_BYTES || align & (align - 1)) {
        errno = EINVAL;
        return NULL;
    }
    if (align <= GRANULE)
        return gc_alloc_kind(t, size, kind);
    if (size > SMALL_MAX)
        return gc_alloc_kind(t, size, kind);
    size_t bytes = (size + spare + align - 1) & ~(align - 1);

    for (unsigned c = t->class_of[bytes / GRANULE]; c < t->gc->classes; c++)
        if (bytes <= SMALL_MAX && t->gc->bin[c].bytes % align == 0)
            return gc_alloc_bin(t, (unsigned)kind * CLASSES_MAX + c);
    return gc_alloc_large(t, size, (uint8_t)(kind + KIND_LARGE_SCANNED), 0);
}

int hy_gc_layout_add(struct hy_gc *gc, size_t size,
                     const bool word_is_pointer[], unsigned *layout)
{
    struct gc_layout made = {0};
    const size_t spare = gc->config.past_end ? 1 : 0;
    const size_t bytes = (size + spare + GRANULE - 1) / GRANULE * GRANULE;

    if (!size || size > HY_GC_LAYOUT_BYTES_MAX)
        return EINVAL;
    for (size_t i = 0; i < size / sizeof(void *); i++)
        made.pointers |= (uint64_t)word_is_pointer[i] << i;
    if (!(made.pointers & (made.pointers + 1)))
        made.leading = (uint32_t)__builtin_popcountll(made.pointers);
    pthread_mutex_lock(&gc->lock);
    const unsigned n = gc->layouts;
    const bool has_room = n < HY_GC_LAYOUTS_MAX;

    if (has_room) {
        struct gc_bin *bin = &gc->bin[BIN_LAYOUT + n];

        gc->layout[n] = made;
        gc_bin_set(bin, bytes, KIND_LAYOUT, (uint8_t)n);
        if (made.leading % GRANULE_WORDS == 0)
            bin->by_word = made.leading / GRANULE_WORDS & 0xffff;
        for (struct hy_gc_thread *t = gc->threads; t; t = t->next)
            t->run[BIN_LAYOUT + n].step = bin->bytes;
        gc->layouts = n + 1;
        *layout = n;
    }
    pthread_mutex_unlock(&gc->lock);
    return has_room ? 0 : ENOSPC;
}

/* ---- freeing and resizing ---- */

static void free_large(struct hy_gc *gc, const struct gc_object *object)
{
    pthread_mutex_lock(&gc->lock);
    if (*object->mark == gc->epoch)
        gc->live_bytes -= object->bytes;
    gc_blocks_give(gc, object->block, gc_large_blocks(gc, object->block));
    pthread_mutex_unlock(&gc->lock);
}

/* A mark that is the epoch stays, or the sweeper would hand the object out as
 * well. */
static void free_small(struct hy_gc_thread *t, const struct gc_object *object)
{
    struct hy_gc *gc = t->gc;
    struct gc_run *run = &t->run[gc->bin_of[object->block]];

    gc_busy(t);
    if (*object->mark == MARK_HELD)
        *object->mark = gc->epoch;
    *(void **)object->start = run->freed;
    run->freed = object->start;
    gc_not_busy(t);
}

void hy_gc_free(struct hy_gc_thread *t, void *p)
{
    struct gc_object object;

    if (!p || !gc_find(t->gc, p, &object) || object.start != p)
        return;
    gc_dying_forget(t->gc, p);
    if (object.info.kind < KIND_SMALL_END)
        free_small(t, &object);
    else
        free_large(t->gc, &object);
}

static void *alloc_like(struct hy_gc_thread *t, size_t size, uint8_t kind)
{
    switch (kind) {
    case KIND_LEAF:
    case KIND_LARGE_LEAF:
        return hy_gc_alloc_leaf(t, size);
    case KIND_UNCOLLECTABLE:
    case KIND_LARGE_UNCOLLECTABLE:
        return hy_gc_alloc_uncollectable(t, size);
    default:
        return hy_gc_alloc(t, size);
    }
}

static size_t usable_bytes(const struct hy_gc *gc,
                           const struct gc_object *object)
{
    return object->bytes - (gc->config.past_end ? 1 : 0);
}

/* Room that is not zero yet: the object was shrunk before, or is a leaf. */
static void *grow_in_place(const struct hy_gc *gc,
                           const struct gc_object *object, size_t size)
{
    const size_t usable = usable_bytes(gc, object);

    if (size > usable || (size < usable / 2 && usable > 4 * GRANULE))
        return NULL;
    if (!gc_kind_is_leaf(object->info.kind))
        memset(object->start + size, 0, usable - size);
    return object->start;
}

void *hy_gc_resize(struct hy_gc_thread *t, void *p, size_t size)
{
    struct gc_object object;

    if (!p)
        return hy_gc_alloc(t, size);
    if (!gc_find(t->gc, p, &object) || object.start != p) {
        errno = EINVAL;
        return NULL;
    }
    if (!size) {
        hy_gc_free(t, p);
        return NULL;
    }
    void *q = grow_in_place(t->gc, &object, size);

    if (q)
        return q;
    void *volatile fresh = alloc_like(t, size, object.info.kind);
    if (!fresh)
        return NULL;
    const size_t usable = usable_bytes(t->gc, &object);

    memcpy(fresh, p, size < usable ? size : usable);
    gc_store_all(t->gc, fresh);
    hy_gc_free(t, p);
    return fresh;
}

/* ---- asking ---- */

void *hy_gc_base(struct hy_gc *gc, const void *p)
{
    struct gc_object object;

    return gc_find(gc, p, &object) ? object.start : NULL;
}

size_t hy_gc_usable(struct hy_gc *gc, const void *p)
{
    struct gc_object object;

    if (!gc_find(gc, p, &object) || object.start != p)
        return 0;
    return usable_bytes(gc, &object);
}

bool hy_gc_may_live(struct hy_gc *gc, const void *p)
{
    struct gc_object object;

    if (!gc_find(gc, p, &object) || object.start != p)
        return false;
    return gc_mark_is_live(gc, *object.mark) || gc->is_young[object.block];
}

bool gc_find(const struct hy_gc *gc, const void *p, struct gc_object *out)
{
    if (!gc_contains(gc, p))
        return false;
    size_t b = gc_block_of(gc, p);

    if (gc->block[b].kind == KIND_TAIL)
        b -= gc->block[b].reciprocal;
    const struct gc_block info = gc->block[b];
    char *const start = gc_block_start(gc, b);

    *out = (struct gc_object){.start = start,
                              .block = b,
                              .info = info,
                              .mark = gc->mark + b * MARKS_A_BLOCK};
    if (info.kind == KIND_FREE || info.kind == KIND_TAIL)
        return false;
    if (info.kind >= KIND_SMALL_END) {
        out->bytes = (gc->large_bytes[b] + GRANULE - 1) / GRANULE * GRANULE;
        return (size_t)((const char *)p - start) < out->bytes;
    }
    const uint32_t i = gc_index(info, (uintptr_t)p - gc->base);

    out->bytes = (size_t)info.granules * GRANULE;
    out->start += i * out->bytes;
    out->mark += i;
    return (size_t)(out->start - start) + out->bytes <= BLOCK_BYTES;
}
