/* bdwgc.c - the conservative collector of Boehm, Demers and Weiser.
 *
 * Objects are found from the stacks and registers of the threads that have
 * entered, and from the ranges that were added as roots.  Data segments are
 * not scanned, though libgc would: they are the harness's, and no other
 * collector that is measured here sees them.
 *
 * libgc knows one heap a process, which lasts as long as the process: what is
 * left when the heap is closed is garbage of the next one.  Its events come
 * without an argument, so the heap is a static variable.
 *
 * Invariant: the time of a pause is split at the events of one stop of the
 * world, from PRE_STOP_WORLD on, all sent by one thread that holds the lock of
 * libgc.  (An incremental collection has many stops, each an event.)
 *
 * Source: libgc 8.2, gc.h; H. Boehm & M. Weiser, "Garbage collection in an
 * uncooperative environment", Software - Practice and Experience 18(9), 1988.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define GC_THREADS
#define GC_NO_THREAD_REDIRECTS /* no threads are made here */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <gc/gc.h>

#include "allocator.h"
#include "bdwgc.h"
#include "collection.h"

enum {
    GRANULE = 16,     /* bytes; every object begins at a multiple */
    MAX_ALIGN = 4096, /* HBLKSIZE: GC_memalign refuses more */
    PHASES = 4        /* moments of one stop of the world */
};

/* When it asked them to stop, all stood, it had marked, and all went on. */
enum { ASKED, STOPPED, MARKED, DONE };

struct heap {
    atomic_bool is_open;
    bool is_started; /* libgc is, in this process */
    bool frees;      /* dealloc gives the block back */
    unsigned markers;
    pthread_t opener; /* libgc has registered it by itself */
    void (*listener)(const struct collection_event *, void *arg);
    void *arg;
    /* Below: under the lock of libgc. */
    uint64_t number;
    uint64_t at[PHASES];
    struct GC_prof_stats_s before; /* this stop */
    bool is_pending;               /* a stop that was not told of yet */
    atomic_bool is_asked;          /* collect was called */
};

static struct heap the_heap;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- what the listener is told ---- */

/* Bytes of blocks that hold objects, dead ones included where a block is not
 * swept yet: an upper bound of what is live. */
static uint64_t bytes_in_use(const struct GC_prof_stats_s *s)
{
    return s->heapsize_full - s->free_bytes_full;
}

static void tell(struct heap *h)
{
    struct GC_prof_stats_s after;

    h->is_pending = false;
    if (!h->listener)
        return;
    GC_get_prof_stats_unsafe(&after, sizeof after);
    const struct collection_event event = {
        .number = ++h->number,
        .start_ns = h->at[ASKED],
        .stop_ns = h->at[STOPPED] - h->at[ASKED],
        .mark_ns = h->at[MARKED] - h->at[STOPPED],
        .finish_ns = h->at[DONE] - h->at[MARKED],
        .marked_objects = UINT64_MAX,
        .marked_bytes = UINT64_MAX,
        .live_bytes = bytes_in_use(&after),
        .allocated_bytes = h->before.bytes_allocd_since_gc,
        .heap_bytes = bytes_in_use(&h->before),
        .freed_bytes = UINT64_MAX,
        .moved_bytes = 0,
        .reason = atomic_load(&h->is_asked) ? "asked" : "budget",
        .kind = COLLECTION_FULL,
        .threads = 0,
        .markers = (unsigned)after.markers_m1 + 1,
    };

    h->listener(&event, h->arg);
}

/* Until RECLAIM_END the thread that collects, and every other one that wants
 * memory, stands still: that is part of the pause.  A stop whose marking was
 * given up has no reclaiming, and is told of when the next one begins. */
static void on_event(GC_EventType event)
{
    struct heap *h = &the_heap;

    switch (event) {
    case GC_EVENT_PRE_STOP_WORLD:
        if (h->is_pending)
            tell(h);
        GC_get_prof_stats_unsafe(&h->before, sizeof h->before);
        h->at[ASKED] = now_ns();
        break;
    case GC_EVENT_POST_STOP_WORLD:
        h->at[STOPPED] = now_ns();
        break;
    case GC_EVENT_MARK_END:
        h->at[MARKED] = now_ns();
        break;
    case GC_EVENT_POST_START_WORLD:
        h->at[DONE] = now_ns();
        h->is_pending = true;
        break;
    case GC_EVENT_RECLAIM_END:
        h->at[DONE] = now_ns();
        if (h->is_pending)
            tell(h);
        break;
    default:
        break;
    }
}

struct listening {
    struct heap *heap;
    void (*listener)(const struct collection_event *, void *arg);
    void *arg;
};

static void *set_listener(void *arg)
{
    const struct listening *l = arg;

    if (l->heap->is_pending)
        tell(l->heap);
    l->heap->listener = l->listener;
    l->heap->arg = l->arg;
    return NULL;
}

static void bdwgc_listen(struct heap *heap,
                         void (*listener)(const struct collection_event *,
                                          void *arg),
                         void *arg)
{
    struct listening l = {heap, listener, arg};

    (void)GC_call_with_alloc_lock(set_listener, &l);
}

/* ---- the heap ---- */

static void start_collector(struct heap *h)
{
    if (h->markers)
        GC_set_markers_count(h->markers);
    GC_set_no_dls(1);
    GC_set_warn_proc(GC_ignore_warn_proc);
    GC_INIT();
    GC_clear_roots();
    GC_allow_register_threads();
    GC_set_on_collection_event(on_event);
    h->opener = pthread_self();
    h->is_started = true;
}

/* EBUSY: there is a heap, or libgc runs with other markers. */
static int bdwgc_open(const struct heap_config *config, struct heap **out)
{
    struct heap *h = &the_heap;
    const unsigned markers =
        (unsigned)heap_knob(config, bdwgc_knobs, BDWGC_MARKERS);

    if (atomic_exchange(&h->is_open, true))
        return EBUSY;
    if (h->is_started && h->markers != markers) {
        atomic_store(&h->is_open, false);
        return EBUSY;
    }
    h->markers = markers;
    if (!h->is_started)
        start_collector(h);
    h->frees = heap_knob(config, bdwgc_knobs, BDWGC_FREE) > 0;
    GC_set_max_heap_size((GC_word)heap_knob(config, bdwgc_knobs, BDWGC_LIMIT));
    GC_set_free_space_divisor(
        (GC_word)heap_knob(config, bdwgc_knobs, BDWGC_DIVISOR));
    if (heap_knob(config, bdwgc_knobs, BDWGC_INCREMENTAL) > 0)
        GC_enable_incremental(); /* for good */
    *out = h;
    return 0;
}

static void bdwgc_close(struct heap *heap)
{
    bdwgc_listen(heap, NULL, NULL);
    GC_gcollect();
    atomic_store(&heap->is_open, false);
}

static int bdwgc_enter(struct heap *heap)
{
    struct GC_stack_base base;

    (void)heap;
    if (GC_get_stack_base(&base) != GC_SUCCESS)
        return ENOTSUP;
    int result = GC_register_my_thread(&base);

    return result == GC_SUCCESS || result == GC_DUPLICATE ? 0 : ENOMEM;
}

static void bdwgc_leave(struct heap *heap)
{
    if (!pthread_equal(pthread_self(), heap->opener))
        (void)GC_unregister_my_thread();
}

static void *bdwgc_alloc(struct heap *heap, size_t size, size_t align)
{
    (void)heap;
    return align <= GRANULE ? GC_malloc(size) : GC_memalign(align, size);
}

static void *bdwgc_zalloc(struct heap *heap, size_t size)
{
    (void)heap;
    return GC_malloc(size);
}

static void *bdwgc_alloc_leaf(struct heap *heap, size_t size)
{
    (void)heap;
    return GC_malloc_atomic(size);
}

/* What GC_memalign gave may lie inside of its object. */
static void bdwgc_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)size;
    if (heap->frees)
        GC_free(GC_base(p));
}

static void *bdwgc_resize(struct heap *heap, void *p, size_t old_size,
                          size_t new_size)
{
    if (GC_base(p) == p)
        return GC_realloc(p, new_size);
    void *q = GC_malloc(new_size);

    if (!q)
        return NULL;
    memcpy(q, p, old_size < new_size ? old_size : new_size);
    bdwgc_dealloc(heap, p, old_size);
    return q;
}

static size_t bdwgc_usable(struct heap *heap, const void *p, size_t size)
{
    const char *base = GC_base((void *)p);

    (void)heap;
    (void)size;
    return GC_size(base) - (size_t)((const char *)p - base);
}

static int bdwgc_inspect(struct heap *heap, struct heap_report *report)
{
    struct GC_prof_stats_s s;

    (void)heap;
    GC_get_prof_stats(&s, sizeof s);
    *report = (struct heap_report){
        .live_bytes = SIZE_MAX,
        .live_blocks = SIZE_MAX,
        .mapped_bytes = s.obtained_from_os_bytes - s.unmapped_bytes,
    };
    return 0;
}

/* ---- collecting ---- */

static int bdwgc_roots_add(struct heap *heap, void *begin, void *end)
{
    (void)heap;
    GC_add_roots(begin, end);
    return 0;
}

static void bdwgc_roots_remove(struct heap *heap, void *begin, void *end)
{
    (void)heap;
    GC_remove_roots(begin, end);
}

static void bdwgc_collect(struct heap *heap, enum collection_kind kind)
{
    (void)kind; /* it has one */
    atomic_store(&heap->is_asked, true);
    GC_gcollect();
    atomic_store(&heap->is_asked, false);
}

static int bdwgc_finalizer(struct heap *heap, void *object,
                           void (*run)(void *object, void *arg), void *arg)
{
    (void)heap;
    GC_register_finalizer_no_order(object, run, arg, NULL, NULL);
    return 0;
}

/* The link must not be where libgc looks for pointers: in a leaf, or outside
 * of its heap and the roots. */
static int bdwgc_weak(struct heap *heap, void **link, void *target)
{
    (void)heap;
    switch (GC_general_register_disappearing_link(link, target)) {
    case GC_SUCCESS:
    case GC_DUPLICATE: /* set again: the new target counts */
        return 0;
    default:
        return ENOMEM;
    }
}

static const struct collection bdwgc_collection = {
    .alloc_leaf = bdwgc_alloc_leaf,
    .roots_add = bdwgc_roots_add,
    .roots_remove = bdwgc_roots_remove,
    .collect = bdwgc_collect,
    .listen = bdwgc_listen,
    .finalizer = bdwgc_finalizer,
    .weak = bdwgc_weak,
};

const struct allocator bdwgc_allocator = {
    .name = "bdwgc",
    .summary = BDWGC_SUMMARY,
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .max_align = MAX_ALIGN,
    .knobs = bdwgc_knobs,
    .collection = &bdwgc_collection,
    .open = bdwgc_open,
    .close = bdwgc_close,
    .alloc = bdwgc_alloc,
    .zalloc = bdwgc_zalloc,
    .dealloc = bdwgc_dealloc,
    .resize = bdwgc_resize,
    .usable = bdwgc_usable,
    .enter = bdwgc_enter,
    .leave = bdwgc_leave,
    .inspect = bdwgc_inspect,
};
