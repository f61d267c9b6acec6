/* buddy.c - the buddy system: threads' quick lists in front of a kind.
 *
 * A kind (buddy_locked.c: binary and weighted; buddy_nonblocking.c) cuts
 * regions into blocks and joins what comes back. Joining at once what is cut
 * again soon after is lost work, so each thread puts blocks aside first, in
 * short quick lists by class; the kind sees them as taken.
 *
 *     alloc --> quick list of the seat --> kind: take a few
 *     free  --> quick list of the seat --> kind: give the older half
 *
 * A class may hold so many blocks in a seat as fit its share of the knob
 * cache, so that all lists of a seat together stay below it.  A thread
 * without a seat, and one that frees but never allocates, uses the kind alone.
 *
 * What is longer than a region has a mapping of its own and grows by moving
 * its pages.
 *
 * Invariant: a quick list is used by the owner of its seat only; live bytes
 * are what the kind sees as taken less what is in quick lists.
 *
 * Source: T. P. Lee and R. E. Barkley, A watermark-based lazy buddy system for
 * kernel memory allocation, USENIX Summer 1989.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "buddy.h"
#include "buddy_core.h"
#include "heap_walk.h"

#include <errno.h>
#include <string.h>

enum {
    SPARE_SEATS = 16,    /* for threads that do not enter */
    SEATS_MAX = 1 << 16, /* threads at once */
    FREES_A_LOOK = 64,   /* into quick lists, which the kind does not see: so
                            that light work is enough for decay */
    QUICK_BYTES_MAX = 64 << 10, /* longer blocks are in no quick list */
    DEPTH_MAX = 4096,
    ALIGN = 16 /* of every block */
};

enum { KNOB_KIND, KNOB_QUICK, KNOB_CACHE, KNOB_DECAY };
enum { KIND_BINARY, KIND_WEIGHTED, KIND_NONBLOCKING };

static const char *const kind_names[] = {"binary", "weighted", "nonblocking",
                                         NULL};

static const struct knob buddy_knobs[] = {
    [KNOB_KIND] = {"kind", "1", KIND_WEIGHTED, 0, 2,
                   "lengths 2^k; 2^k and 3*2^k; 2^k without a lock",
                   kind_names},
    [KNOB_QUICK] = {"quick", "blocks", 64, 0, DEPTH_MAX,
                    "in a quick list at most; 0: join at once", NULL},
    [KNOB_CACHE] = {"cache", "bytes", 0x1p20, 0, 0x1p30,
                    "in all quick lists of a thread, at most", NULL},
    [KNOB_DECAY] = {"decay", "ms", 50, 0, 1e6,
                    "free pages stay so long, or twice, before they are given "
                    "to the system",
                    NULL},
    {.name = NULL},
};

static const struct buddy_kind *const kinds[] = {
    [KIND_BINARY] = &buddy_locked,
    [KIND_WEIGHTED] = &buddy_locked,
    [KIND_NONBLOCKING] = &buddy_nonblocking,
};

/* Where the thread sits, in the heap that it used last.  Serials are never
 * used twice, so what is left of a heap that is gone fits no other. */
static _Thread_local struct {
    uint64_t heap; /* its serial */
    struct seat *seat;
} mine;

static _Atomic uint64_t heaps_opened;

/* ---- Seats ---- */

/* Differs between all threads that are alive. */
static inline uintptr_t my_identity(void)
{
    return (uintptr_t)&mine;
}

/* The first seat that is mine (I may have sat in another heap meanwhile, or
 * follow a thread that ended without leaving and had my identity) or, if
 * `may_claim`, free. */
static struct seat *search_seat(struct heap *heap, bool may_claim)
{
    struct seat *found = NULL;
    (void)pthread_mutex_lock(&heap->lock);
    for (unsigned i = 0; i < heap->used && !found; i++) {
        if (heap->seat[i].owner == my_identity())
            found = &heap->seat[i];
    }
    for (unsigned i = 0; i < heap->seats && may_claim && !found; i++) {
        if (heap->seat[i].owner)
            continue;
        found = &heap->seat[i];
        found->owner = my_identity();
        for (unsigned c = 0; i == heap->used && c < CLASSES; c++)
            found->quick[c].depth = heap->depth[c];
        heap->used += i == heap->used;
    }
    (void)pthread_mutex_unlock(&heap->lock);
    if (found) {
        mine.heap = heap->serial;
        mine.seat = found;
    }
    return found;
}

static inline struct seat *find_seat(const struct heap *heap)
{
    return mine.heap == heap->serial ? mine.seat : NULL;
}

/* ---- Quick lists ---- */

static inline uint32_t quick_count(const struct quick *quick)
{
    return atomic_load_explicit(&quick->count, memory_order_relaxed);
}

/* Only the owner writes, so no addition need be atomic. */
static inline void quick_set(struct quick *quick, struct block *head,
                             uint32_t count)
{
    quick->head = head;
    atomic_store_explicit(&quick->count, count, memory_order_relaxed);
}

static void count(struct heap *heap, size_t bytes, size_t blocks)
{
    atomic_fetch_add_explicit(&heap->taken_bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&heap->taken_blocks, blocks,
                              memory_order_relaxed);
}

/* A chain of up to n blocks; returns how many. */
static size_t kind_take(struct heap *heap, unsigned class, size_t n,
                        struct block **list)
{
    const size_t taken = heap->kind->take(heap, class, n, list);
    count(heap, taken * class_bytes(class), taken);
    return taken;
}

static void kind_give(struct heap *heap, struct block *list, unsigned class,
                      size_t n)
{
    count(heap, -(n * class_bytes(class)), -n);
    heap->kind->give(heap, list, class);
}

/* Give back all but the `keep` youngest. */
static void quick_flush(struct heap *heap, struct quick *quick, unsigned class,
                        uint32_t keep)
{
    const uint32_t n = quick_count(quick);
    struct block **end = &quick->head;
    if (n <= keep)
        return;
    for (uint32_t i = 0; i < keep; i++)
        end = &(*end)->next;
    struct block *const list = *end;
    *end = NULL;
    quick_set(quick, quick->head, keep);
    kind_give(heap, list, class, n - keep);
}

/* ---- Blocks in regions ---- */

__attribute__((noinline)) static void *region_alloc(struct heap *heap,
                                                    unsigned class)
{
    struct seat *seat = find_seat(heap);
    struct block *list;
    if (!seat)
        seat = search_seat(heap, true);
    struct quick *const quick = seat ? &seat->quick[class] : NULL;
    if (quick && quick->head) {
        list = quick->head;
        quick_set(quick, list->next, quick_count(quick) - 1);
        return list;
    }
    const size_t fill = quick ? quick->depth / 4 : 0;
    const int saved = errno;
    const size_t n = kind_take(heap, class, fill + 1, &list);
    if (n == 0)
        return NULL;
    errno = saved;
    if (n > 1)
        quick_set(quick, list->next, (uint32_t)n - 1);
    return list;
}

/* Where the quick list does not take it. */
static void region_free(struct heap *heap, struct block *block, unsigned class)
{
    struct seat *const seat = find_seat(heap);
    struct quick *const quick = seat ? &seat->quick[class] : NULL;
    if (!quick || !quick->depth) {
        block->next = NULL;
        kind_give(heap, block, class, 1);
        return;
    }
    quick_flush(heap, quick, class, quick->depth / 2);
    block->next = quick->head;
    quick_set(quick, block, quick_count(quick) + 1);
}

/* The class for `size` that a block of class `from` may have where it stands:
 * even stays even, odd stays odd, and cuts are no shorter than a unit. */
static unsigned class_within(const struct heap *heap, const struct extent *e,
                             unsigned from, size_t size)
{
    const unsigned unit = 2 * (e->shift - (unsigned)FINE_SHIFT);
    const unsigned least = from & 1 ? unit + 3 : unit;
    const unsigned class = class_for(heap, size);
    return class < least ? least : class + ((class ^ from) & 1);
}

static bool region_resize(struct heap *heap, char *p, size_t size)
{
    const unsigned from = class_of(p);
    const unsigned to = class_within(heap, extent_of(p), from, size);
    if (from == to)
        return true;
    if (to > TOP_CLASS || !heap->kind->resize ||
        !heap->kind->resize(heap, p, from, to))
        return false;
    count(heap, class_bytes(to) - class_bytes(from), 0);
    return true;
}

/* ---- Blocks with a mapping of their own ---- */

static void extents_change(struct heap *heap, struct extent *extent,
                           void (*change)(struct heap *, struct extent *))
{
    (void)pthread_mutex_lock(&heap->lock);
    change(heap, extent);
    (void)pthread_mutex_unlock(&heap->lock);
}

static void *single_alloc(struct heap *heap, size_t size, size_t align)
{
    const int saved = errno;
    const size_t bytes = os_pages_round(size ? size : 1);
    struct extent *extent =
        bytes ? extent_map_single(heap, bytes, align) : NULL;
    if (!extent && heap->kind->trim) {
        heap->kind->trim(heap);
        extent = bytes ? extent_map_single(heap, bytes, align) : NULL;
    }
    if (!extent) {
        errno = ENOMEM;
        return NULL;
    }
    extents_change(heap, extent, extent_link);
    count(heap, bytes, 1);
    errno = saved;
    return extent + 1;
}

static void single_free(struct heap *heap, void *p)
{
    struct extent *const extent = extent_of(p);
    count(heap, -extent->bytes, (size_t)-1);
    extents_change(heap, extent, extent_unlink);
    extent_unmap(heap, extent);
}

/* Where the block is now, its contents with it; NULL: nothing has changed. */
static void *single_resize(struct heap *heap, void *p, size_t size)
{
    struct extent *extent = extent_of(p);
    const size_t old = extent->bytes;
    const size_t bytes = os_pages_round(size);
    if (!bytes)
        return NULL;
    extents_change(heap, extent, extent_unlink);
    if (bytes <= old) {
        extent_cut_single(heap, extent, bytes);
    } else {
        struct extent *const moved = extent_move_single(heap, extent, bytes);
        if (!moved) {
            extents_change(heap, extent, extent_link);
            return NULL;
        }
        extent = moved;
    }
    extents_change(heap, extent, extent_link);
    count(heap, extent->bytes - old, 0);
    return extent + 1;
}

/* ---- The hooks ---- */

/* How many blocks a seat may put aside, of each class: one, if `cache` has room
 * for one of each, and as many more as fit an equal share of the rest. */
static void set_depths(struct heap *heap, double quick, double cache)
{
    const unsigned end = class_for(heap, QUICK_BYTES_MAX) + 1;
    double ones = 0, classes = 0;
    for (unsigned class = 0; class < end; class += 1 + heap->no_odd) {
        ones += (double)class_bytes(class);
        classes++;
    }
    const unsigned one = cache >= ones && quick >= 1;
    const double share = (cache - one * ones) / classes;
    for (unsigned class = 0; class < end; class ++) {
        const double more = share / (double)class_bytes(class);
        heap->depth[class] =
            one + (uint32_t)(more < quick - one ? more : quick - one);
    }
}

static void set_knobs(struct heap *heap, const struct heap_config *config)
{
    const unsigned kind = (unsigned)heap_knob(config, buddy_knobs, KNOB_KIND);
    const double quick = heap_knob(config, buddy_knobs, KNOB_QUICK);
    const double cache = heap_knob(config, buddy_knobs, KNOB_CACHE);
    heap->kind = kinds[kind];
    heap->no_odd = kind != KIND_WEIGHTED;
    heap->decay_ms = config->is_timeless
                         ? UINT64_MAX
                         : (uint64_t)heap_knob(config, buddy_knobs, KNOB_DECAY);
    set_depths(heap, quick, cache);
}

static int buddy_open(const struct heap_config *config, struct heap **out)
{
    if (config->threads > SEATS_MAX)
        return EINVAL;
    const unsigned seats = config->threads + SPARE_SEATS;
    const size_t bytes = sizeof(struct heap) + seats * sizeof(struct seat);
    struct heap *const heap = os_pages_map(NULL, bytes);
    if (!heap)
        return errno;
    const int error = pthread_mutex_init(&heap->lock, NULL);
    if (error) {
        (void)os_pages_unmap(NULL, heap, bytes);
        return error;
    }
    heap->serial = atomic_fetch_add(&heaps_opened, 1) + 1;
    heap->bytes = bytes;
    heap->seats = seats;
    heap->page_shift = (unsigned)__builtin_ctzll(os_page_size());
    heap->looked_ms = buddy_now_ms();
    set_knobs(heap, config);
    *out = heap;
    return 0;
}

static void buddy_close(struct heap *heap)
{
    struct extent *extent = heap->extents;
    while (extent) {
        struct extent *const next = extent->next;
        extent_unmap(heap, extent);
        extent = next;
    }
    (void)pthread_mutex_destroy(&heap->lock);
    (void)os_pages_unmap(NULL, heap, heap->bytes);
}

static int buddy_enter(struct heap *heap)
{
    if (!find_seat(heap))
        (void)search_seat(heap, true);
    return 0;
}

static void buddy_leave(struct heap *heap)
{
    struct seat *seat = find_seat(heap);
    if (!seat)
        seat = search_seat(heap, false);
    if (!seat)
        return;
    for (unsigned class = 0; class < CLASSES; class ++)
        quick_flush(heap, &seat->quick[class], class, 0);
    mine.heap = 0;
    (void)pthread_mutex_lock(&heap->lock);
    seat->owner = 0;
    (void)pthread_mutex_unlock(&heap->lock);
}

/* A block of 2^k bytes stands on a multiple of its length. */
static void *alloc_aligned(struct heap *heap, size_t size, size_t align)
{
    const size_t bytes = size > align ? size : align;
    if (bytes > REGION_BYTES)
        return single_alloc(heap, size, align);
    const unsigned class = class_for(heap, bytes);
    return region_alloc(heap, class + (class & 1));
}

static void *buddy_alloc(struct heap *heap, size_t size, size_t align)
{
    if (__builtin_expect(align > ALIGN, 0))
        return alloc_aligned(heap, size, align);
    if (__builtin_expect(size > REGION_BYTES, 0))
        return single_alloc(heap, size, 0);
    const unsigned class = class_for(heap, size);
    if (__builtin_expect(mine.heap == heap->serial, 1)) {
        struct quick *const quick = &mine.seat->quick[class];
        struct block *const block = quick->head;
        if (__builtin_expect(block != NULL, 1)) {
            quick_set(quick, block->next, quick_count(quick) - 1);
            return block;
        }
    }
    return region_alloc(heap, class);
}

static void *buddy_zalloc(struct heap *heap, size_t size)
{
    void *const p = buddy_alloc(heap, size, 0);
    if (p && size <= REGION_BYTES)
        memset(p, 0, size);
    return p;
}

__attribute__((noinline)) static void free_slow(struct heap *heap, void *p,
                                                unsigned class)
{
    const int saved = errno;
    if (class == CLASS_SINGLE)
        single_free(heap, p);
    else
        region_free(heap, p, class);
    errno = saved;
}

__attribute__((noinline)) static void look(struct heap *heap)
{
    heap->kind->age(heap);
}

/* The size is not looked at: a block may be longer for its alignment. */
static void buddy_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)size;
    if (__builtin_expect(!p, 0))
        return;
    const unsigned class = class_of(p);
    struct block *const block = p;
    if (__builtin_expect(mine.heap == heap->serial, 1)) {
        struct quick *const quick = &mine.seat->quick[class];
        const uint32_t n = quick_count(quick);
        if (__builtin_expect(n < quick->depth, 1)) {
            block->next = quick->head;
            quick_set(quick, block, n + 1);
            if (__builtin_expect(++mine.seat->frees % FREES_A_LOOK == 0, 0))
                look(heap);
            return;
        }
    }
    free_slow(heap, p, class);
}

static void *buddy_resize(struct heap *heap, void *p, size_t old_size,
                          size_t new_size)
{
    if (!p)
        return buddy_alloc(heap, new_size, 0);
    const int saved = errno;
    const bool is_short = new_size <= REGION_BYTES;
    void *resized = NULL;
    if (class_of(p) != CLASS_SINGLE)
        resized = is_short && region_resize(heap, p, new_size) ? p : NULL;
    else if (!is_short)
        resized = single_resize(heap, p, new_size);
    if (resized) {
        errno = saved;
        return resized;
    }
    void *const copy = buddy_alloc(heap, new_size, 0);
    if (!copy)
        return NULL;
    memcpy(copy, p, old_size < new_size ? old_size : new_size);
    buddy_dealloc(heap, p, old_size);
    return copy;
}

static inline size_t usable(const void *p)
{
    const unsigned class = class_of(p);
    return class == CLASS_SINGLE ? extent_of(p)->bytes : class_bytes(class);
}

static size_t buddy_usable(struct heap *heap, const void *p, size_t size)
{
    (void)heap;
    (void)size;
    return usable(p);
}

/* In the child the lock is the forking thread's own. */
static void buddy_fork(struct heap *heap, enum fork_phase phase)
{
    if (phase == FORK_BEFORE)
        (void)pthread_mutex_lock(&heap->lock);
    else
        (void)pthread_mutex_unlock(&heap->lock);
}

static int buddy_inspect(struct heap *heap, struct heap_report *report)
{
    size_t bytes = atomic_load(&heap->taken_bytes);
    size_t blocks = atomic_load(&heap->taken_blocks);
    (void)pthread_mutex_lock(&heap->lock);
    for (unsigned i = 0; i < heap->used; i++) {
        for (unsigned class = 0; class < CLASSES; class ++) {
            const size_t n = quick_count(&heap->seat[i].quick[class]);
            bytes -= n * class_bytes(class);
            blocks -= n;
        }
    }
    (void)pthread_mutex_unlock(&heap->lock);
    *report = (struct heap_report){
        .live_bytes = bytes,
        .live_blocks = blocks,
        .mapped_bytes =
            atomic_load(&heap->account.mapped) + os_pages_round(heap->bytes),
    };
    return 0;
}

/* ---- The walk ---- */

/* Only the seats know which of the taken blocks are in quick lists. */
static void mark_cached(struct heap *heap)
{
    for (unsigned i = 0; i < heap->used; i++) {
        for (unsigned class = 0; class < CLASSES; class ++) {
            for (struct block *b = heap->seat[i].quick[class].head; b;
                 b = b->next)
                *state_of(b) |= STATE_CACHED;
        }
    }
}

static void show_span(const struct heap_visitor *visitor, const void *start,
                      size_t bytes, enum span_kind kind, size_t block_bytes)
{
    const struct heap_span span = {start, bytes, kind, block_bytes};
    visitor->span(visitor->arg, &span);
}

/* The length of the longest block that may stand at i where nothing is taken:
 * a kind need not mark what is free. */
static size_t gap_units(struct extent *e, size_t i)
{
    const size_t most = i ? i & -i : region_units(e);
    size_t n = 1;
    while (n < most && *state_at(e, i + n) == 0)
        n++;
    return n == most ? n : (size_t)1 << (63 - __builtin_clzll(n));
}

static bool is_unused(struct extent *e)
{
    const uint8_t first = *state_at(e, 0);
    return first == ((TOP_CLASS + 1) | STATE_FREE) ||
           (first == 0 && gap_units(e, 0) == region_units(e));
}

static void show_blocks(const struct heap_visitor *visitor, struct extent *e)
{
    for (size_t i = 0; i < region_units(e);) {
        uint8_t *const state = state_at(e, i);
        struct heap_block block = {.start = unit_at(e, i), .state = BLOCK_LIVE};
        if (*state == 0 || *state & STATE_FREE)
            block.state = BLOCK_FREE;
        else if (*state & STATE_CACHED)
            block.state = BLOCK_CACHED;
        *state &= (uint8_t)~STATE_CACHED;
        const unsigned class = (*state & ~(unsigned)STATE_FREE) - 1U;
        block.bytes = *state ? class_bytes(class) : gap_units(e, i) << e->shift;
        visitor->block(visitor->arg, &block);
        i += block.bytes >> e->shift;
    }
}

static void show_extent(const struct heap_visitor *visitor, struct extent *e)
{
    char *const base = (char *)(e + 1);
    const size_t bytes = e->bytes ? e->bytes : REGION_BYTES;
    const size_t front = e->mapped - bytes;
    show_span(visitor, base - front, front, SPAN_METADATA, 0);
    if (e->bytes) {
        const struct heap_block block = {base, bytes, BLOCK_LIVE};
        show_span(visitor, base, bytes, SPAN_BLOCKS, bytes);
        visitor->block(visitor->arg, &block);
    } else if (is_unused(e)) {
        show_span(visitor, base, bytes, SPAN_FREE, 0);
    } else {
        show_span(visitor, base, bytes, SPAN_BLOCKS, 0);
        show_blocks(visitor, e);
    }
}

static int buddy_walk(struct heap *heap, const struct heap_visitor *visitor)
{
    mark_cached(heap);
    show_span(visitor, heap, os_pages_round(heap->bytes), SPAN_METADATA, 0);
    for (struct extent *e = heap->extents; e; e = e->next)
        show_extent(visitor, e);
    return 0;
}

/* ---- The check ---- */

static const char *check_seat(const struct heap *heap, const struct seat *seat,
                              size_t *bytes)
{
    for (unsigned class = 0; class < CLASSES; class ++) {
        const struct quick *const quick = &seat->quick[class];
        size_t length = 0;
        for (const struct block *b = quick->head; b; b = b->next) {
            if (class_of(b) != class)
                return "a block in a quick list is not taken, or not of its "
                       "class";
            if (++length > heap->depth[class])
                return "a quick list is too long";
        }
        if (length != quick_count(quick))
            return "a quick list is not as long as it says";
        *bytes += length * class_bytes(class);
    }
    return NULL;
}

static size_t taken_in(struct extent *e)
{
    size_t bytes = 0;
    for (size_t i = 0; i < region_units(e); i++) {
        const unsigned state = *state_at(e, i);
        if (state && !(state & STATE_FREE))
            bytes += class_bytes(state - 1);
    }
    return bytes;
}

bool buddy_trim(struct heap *heap)
{
    const size_t before = atomic_load(&heap->account.mapped);
    if (heap->kind->trim)
        heap->kind->trim(heap);
    return atomic_load(&heap->account.mapped) < before;
}

const char *buddy_check(struct heap *heap)
{
    size_t mapped = 0, taken = 0, quick = 0;
    const char *fault = heap->kind->check_heap(heap);
    for (struct extent *e = heap->extents; e && !fault; e = e->next) {
        mapped += e->mapped;
        taken += e->bytes ? e->bytes : taken_in(e);
        if (e->next && e->next->prev != e)
            return "the list of extents is not linked both ways";
        if (!e->bytes)
            fault = heap->kind->check_region(heap, e);
    }
    for (unsigned i = 0; i < heap->used && !fault; i++)
        fault = check_seat(heap, &heap->seat[i], &quick);
    if (fault)
        return fault;
    struct heap_report report;
    (void)buddy_inspect(heap, &report);
    if (taken != atomic_load(&heap->taken_bytes) ||
        report.live_bytes + quick != taken)
        return "live bytes and quick lists do not add up to the taken bytes";
    if (mapped != atomic_load(&heap->account.mapped))
        return "the extents do not add up to the mapped bytes";
    return NULL;
}

const struct allocator buddy_allocator = {
    .name = "buddy",
    .summary = "buddy system, weighted, binary or without a lock, 16 B to "
               "4 MiB, with quick lists a thread",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .knobs = buddy_knobs,
    .open = buddy_open,
    .close = buddy_close,
    .alloc = buddy_alloc,
    .zalloc = buddy_zalloc,
    .dealloc = buddy_dealloc,
    .resize = buddy_resize,
    .usable = buddy_usable,
    .enter = buddy_enter,
    .leave = buddy_leave,
    .fork = buddy_fork,
    .inspect = buddy_inspect,
    .walk = buddy_walk,
};
