/* gc_backend.c - the collector as a backend.
 *
 * dealloc does nothing, unless knob `free` says otherwise: what the program
 * drops is found by the next collection.  Blocks of alloc are scanned as those
 * of zalloc are, because nobody says what is in them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>

#include "allocator.h"
#include "collection.h"
#include "gc_heap.h"

struct heap {
    struct hy_gc *gc;
    bool is_freed; /* explicitly */
    bool has_layouts;
    void (*listener)(const struct collection_event *, void *);
    void *listener_arg;
};

enum {
    KNOB_LIMIT,
    KNOB_MIN,
    KNOB_GROWTH,
    KNOB_RETAIN,
    KNOB_SHARE,
    KNOB_MARKERS,
    KNOB_GENERATIONAL,
    KNOB_NURSERY,
    KNOB_LAYOUTS,
    KNOB_COMPACT,
    KNOB_PAST_END,
    KNOB_FREE
};

static const char *const off_on[] = {"off", "on", NULL};
static const char *const frees[] = {"forget", "explicit", NULL};

/* clang-format off */
static const struct knob gc_knobs[] = {
[KNOB_LIMIT] = {"limit", "bytes", 0, 0, 0x1p36,
    "heap limit; beyond it an allocation fails (0: none)", NULL},
[KNOB_MIN] = {"min", "bytes", 8 << 20, 1 << 16, 0x1p36,
    "no collection before the heap is so large", NULL},
[KNOB_GROWTH] = {"growth", "1", 1.8, 1.1, 100,
    "the heap may grow to so many times what survived", NULL},
[KNOB_RETAIN] = {"retain", "1", 4, 1.1, 100,
    "a heap that was larger stays so, up to so many times what survived", NULL},
[KNOB_SHARE] = {"share", "%", 0, 0, 90,
    "of the time for collections, by which growth is moved (0: it is fixed)",
    NULL},
[KNOB_MARKERS] = {"markers", "threads", 0, 0, HY_GC_MARKERS_MAX,
    "that mark (0: one a CPU, at most 4)", NULL},
[KNOB_GENERATIONAL] = {"generational", "", 0, 0, 1,
    "minor collections, by sticky marks and a card barrier", off_on},
[KNOB_NURSERY] = {"nursery", "%", 10, 1, 100,
    "of the heap, allocated between two minor collections", NULL},
[KNOB_LAYOUTS] = {"layouts", "", 1, 0, 1,
    "use what native workloads say of their objects' pointers", off_on},
[KNOB_COMPACT] = {"compact", "", 0, 0, 1,
    "evacuate sparse blocks of objects with layouts", off_on},
[KNOB_PAST_END] = {"past-end", "", 0, 0, 1,
    "a spare byte in every object, as Boehm's collector has by default",
    off_on},
[KNOB_FREE] = {"free", "", 0, 0, 1,
    "what dealloc does: nothing, or give the object back at once", frees},
{.name = NULL},
};
/* clang-format on */

static int gc_open(const struct heap_config *config, struct heap **out)
{
    struct heap *heap = os_pages_map(NULL, sizeof *heap);
    struct hy_gc_config c;
    char why[128];

    if (!heap)
        return ENOMEM;
    hy_gc_defaults(&c);
    c.heap_limit = (size_t)heap_knob(config, gc_knobs, KNOB_LIMIT);
    c.min_heap = (size_t)heap_knob(config, gc_knobs, KNOB_MIN);
    c.growth = heap_knob(config, gc_knobs, KNOB_GROWTH);
    c.retain = heap_knob(config, gc_knobs, KNOB_RETAIN);
    if (c.retain < c.growth)
        c.retain = c.growth;
    c.time_share = heap_knob(config, gc_knobs, KNOB_SHARE) / 100;
    c.markers = (unsigned)heap_knob(config, gc_knobs, KNOB_MARKERS);
    c.generational = heap_knob(config, gc_knobs, KNOB_GENERATIONAL) > 0;
    c.nursery = heap_knob(config, gc_knobs, KNOB_NURSERY) / 100;
    c.compact = heap_knob(config, gc_knobs, KNOB_COMPACT) > 0;
    c.past_end = heap_knob(config, gc_knobs, KNOB_PAST_END) > 0;
    c.is_timeless = config->is_timeless;
    heap->is_freed = heap_knob(config, gc_knobs, KNOB_FREE) > 0;
    heap->has_layouts = heap_knob(config, gc_knobs, KNOB_LAYOUTS) > 0;
    const int err = hy_gc_open(&c, &heap->gc, why, sizeof why);

    if (err)
        os_pages_unmap(NULL, heap, sizeof *heap);
    else
        *out = heap;
    return err;
}

static void gc_close(struct heap *heap)
{
    hy_gc_close(heap->gc);
    os_pages_unmap(NULL, heap, sizeof *heap);
}

/* A thread that did not enter does so now. */
static struct hy_gc_thread *late(struct heap *heap)
{
    struct hy_gc_thread *t = NULL;

    errno = hy_gc_thread_enter(heap->gc, &t);
    return t;
}

static inline struct hy_gc_thread *me(struct heap *heap)
{
    return __builtin_expect(gc_self != NULL, 1) ? gc_self : late(heap);
}

/* What is rare is called last, so that what is not needs no frame. */
__attribute__((noinline)) static void *late_alloc(struct heap *heap,
                                                  size_t size, size_t align,
                                                  enum gc_block_kind kind)
{
    struct hy_gc_thread *t = me(heap);

    if (!t)
        return NULL;
    return align > GRANULE
               ? hy_gc_alloc_aligned(t, size, align, kind == KIND_LEAF)
               : gc_alloc_kind(t, size, kind);
}

static void *gc_zalloc(struct heap *heap, size_t size)
{
    if (__builtin_expect(!gc_self, 0))
        return late_alloc(heap, size, 0, KIND_SCANNED);
    return gc_alloc_kind(gc_self, size, KIND_SCANNED);
}

static void *gc_alloc(struct heap *heap, size_t size, size_t align)
{
    if (__builtin_expect(!gc_self || align > GRANULE, 0))
        return late_alloc(heap, size, align, KIND_SCANNED);
    return gc_alloc_kind(gc_self, size, KIND_SCANNED);
}

static void *gc_leaf(struct heap *heap, size_t size)
{
    if (__builtin_expect(!gc_self, 0))
        return late_alloc(heap, size, 0, KIND_LEAF);
    return gc_alloc_kind(gc_self, size, KIND_LEAF);
}

__attribute__((noinline)) static void *late_layout(struct heap *heap,
                                                   unsigned layout)
{
    struct hy_gc_thread *t = late(heap);

    return t ? gc_alloc_bin(t, BIN_LAYOUT + layout) : NULL;
}

static void *gc_layout(struct heap *heap, unsigned layout)
{
    if (__builtin_expect(!gc_self, 0))
        return late_layout(heap, layout);
    return gc_alloc_bin(gc_self, BIN_LAYOUT + layout);
}

static void gc_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)size;
    if (heap->is_freed)
        hy_gc_free(me(heap), p);
}

static void *gc_resize(struct heap *heap, void *p, size_t old_size,
                       size_t new_size)
{
    struct hy_gc_thread *t = me(heap);

    (void)old_size;
    return t ? hy_gc_resize(t, p, new_size) : NULL;
}

static size_t gc_usable(struct heap *heap, const void *p, size_t size)
{
    (void)size;
    return hy_gc_usable(heap->gc, p);
}

static int gc_enter(struct heap *heap)
{
    return hy_gc_thread_enter(heap->gc, NULL);
}

static void gc_leave(struct heap *heap)
{
    (void)heap;
    if (gc_self)
        hy_gc_thread_leave(gc_self);
}

static void gc_fork(struct heap *heap, enum fork_phase phase)
{
    static void (*const phases[])(struct hy_gc *) = {
        [FORK_BEFORE] = hy_gc_fork_before,
        [FORK_PARENT] = hy_gc_fork_parent,
        [FORK_CHILD] = hy_gc_fork_child,
    };

    phases[phase](heap->gc);
}

static int gc_inspect(struct heap *heap, struct heap_report *report)
{
    struct hy_gc_stats stats;

    hy_gc_stats(heap->gc, &stats);
    *report = (struct heap_report){
        .live_bytes = SIZE_MAX, /* what is dead is not known yet */
        .live_blocks = SIZE_MAX,
        .mapped_bytes = stats.mapped_bytes,
    };
    return 0;
}

/* ---- the collection table ---- */

static int gc_roots_add(struct heap *heap, void *begin, void *end)
{
    char why[160];

    return hy_gc_roots_add(heap->gc, begin, end, why, sizeof why);
}

static void gc_roots_remove(struct heap *heap, void *begin, void *end)
{
    (void)hy_gc_roots_remove(heap->gc, begin, end);
}

static void gc_collect(struct heap *heap, enum collection_kind kind)
{
    static const enum hy_gc_kind kinds[] = {
        [COLLECTION_MINOR] = HY_GC_MINOR,
        [COLLECTION_FULL] = HY_GC_FULL,
        [COLLECTION_COMPACTING] = HY_GC_COMPACTING,
    };

    hy_gc_collect(heap->gc, kinds[kind]);
}

static void heard(const struct hy_gc_event *e, void *arg)
{
    static const char *const reasons[HY_GC_REASONS] = {
        [HY_GC_REASON_BUDGET] = "budget",
        [HY_GC_REASON_LIMIT] = "limit",
        [HY_GC_REASON_ASKED] = "asked",
    };
    struct heap *heap = arg;
    const struct collection_event told = {
        .number = e->number,
        .start_ns = e->start_ns,
        .stop_ns = e->stop_ns,
        .mark_ns = e->mark_ns,
        .finish_ns = e->finish_ns,
        .marked_objects = e->marked_objects,
        .marked_bytes = e->marked_bytes,
        .live_bytes = e->live_bytes,
        .allocated_bytes = e->allocated_bytes,
        .heap_bytes = e->heap_bytes,
        .freed_bytes = e->freed_blocks_bytes,
        .moved_bytes = e->moved_bytes,
        .reason = reasons[e->reason],
        .kind = e->kind == HY_GC_MINOR  ? COLLECTION_MINOR
                : e->kind == HY_GC_FULL ? COLLECTION_FULL
                                        : COLLECTION_COMPACTING,
        .threads = e->threads,
        .markers = e->markers,
    };

    if (heap->listener)
        heap->listener(&told, heap->listener_arg);
}

static void gc_listen(struct heap *heap,
                      void (*listener)(const struct collection_event *, void *),
                      void *arg)
{
    heap->listener = listener;
    heap->listener_arg = arg;
    hy_gc_listen(heap->gc, listener ? heard : NULL, heap);
}

static void gc_store(struct heap *heap, void *object, void **field, void *value)
{
    hy_gc_store(heap->gc, object, field, value);
}

static bool gc_needs_store(struct heap *heap)
{
    return heap->gc->config.generational;
}

static int gc_layout_add(struct heap *heap, size_t size,
                         const bool word_is_pointer[], unsigned *layout)
{
    return heap->has_layouts
               ? hy_gc_layout_add(heap->gc, size, word_is_pointer, layout)
               : ENOTSUP;
}

static int gc_finalizer(struct heap *heap, void *object,
                        void (*run)(void *, void *), void *arg)
{
    return hy_gc_finalizer_set(
        heap->gc, object, &(struct hy_gc_finalizer){run, arg, HY_GC_ORDER_NONE},
        NULL);
}

static int gc_weak(struct heap *heap, void **link, void *target)
{
    return hy_gc_weak_add(heap->gc, link, target, false);
}

static void *gc_ephemeron(struct heap *heap, void *key, void *value)
{
    return hy_gc_ephemeron_new(me(heap), key, value);
}

static void *gc_ephemeron_key(struct heap *heap, void *ephemeron)
{
    (void)heap;
    return hy_gc_ephemeron_key(ephemeron);
}

static void *gc_ephemeron_value(struct heap *heap, void *ephemeron)
{
    (void)heap;
    return hy_gc_ephemeron_value(ephemeron);
}

static const struct collection gc_collection = {
    .alloc_leaf = gc_leaf,
    .roots_add = gc_roots_add,
    .roots_remove = gc_roots_remove,
    .collect = gc_collect,
    .listen = gc_listen,
    .store = gc_store,
    .needs_store = gc_needs_store,
    .layout_add = gc_layout_add,
    .alloc_layout = gc_layout,
    .finalizer = gc_finalizer,
    .weak = gc_weak,
    .ephemeron = gc_ephemeron,
    .ephemeron_key = gc_ephemeron_key,
    .ephemeron_value = gc_ephemeron_value,
};

const struct allocator gc_allocator = {
    .name = "gc",
    .summary = "garbage collector: conservative, parallel, lazily swept",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .max_align = BLOCK_BYTES,
    .knobs = gc_knobs,
    .collection = &gc_collection,
    .open = gc_open,
    .close = gc_close,
    .alloc = gc_alloc,
    .zalloc = gc_zalloc,
    .dealloc = gc_dealloc,
    .resize = gc_resize,
    .usable = gc_usable,
    .enter = gc_enter,
    .leave = gc_leave,
    .fork = gc_fork,
    .inspect = gc_inspect,
};
