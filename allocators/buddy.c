/* buddy.c - the binary buddy system, with lazy coalescing.
 *
 * Every block is 2^k minimum blocks long and stands on a multiple of its
 * length.  To serve a size, the smallest free block that is long enough is
 * halved until it fits; a block that comes back is joined with its other half,
 * its buddy, for as long as that is free too.  The buddy's place is one XOR
 * away, and whether it is free one byte tells.
 *
 *     order 3  |               A               |     free
 *     order 2  |       B       |   A' (free)   |     halved once
 *     order 1  | C     | free  |   free        |     halved again
 *              0       2       4               8     index i
 *              buddy of (i, k) = i XOR 2^k
 *
 * A region is 32 MiB, the largest block, aligned to its length.  What is known
 * of it stands in front of it, so that no block loses bytes to a header:
 *
 *     | reserved only ... | state bytes | extent | region: blocks          |
 *                                                ^ multiple of 32 MiB
 *
 * One state byte for each minimum block: order + 1 where a block starts, with
 * STATE_FREE if it is free, and 0 inside of blocks.  What does not fit into a
 * region has a mapping of its own, with an extent in front of it too, and as
 * it also stands on a multiple of 32 MiB any pointer leads to its extent.
 *
 * Joining at once what is halved again soon after is lost work, so each thread
 * puts blocks aside first, in short quick lists by order; the core, behind one
 * lock, sees them as taken.  A full list gives its older half to the core, an
 * empty one fetches a few blocks: one lock for many blocks.
 *
 * Invariant: no two buddies of one order are both free in the core; a block is
 * in the core's list of its order if and only if its byte says free.  A quick
 * list is used by the owner of its seat only.  State bytes are written under
 * the lock; without it, only the byte of a block that one holds is read.
 *
 * Sources: K. C. Knowlton, A fast storage allocator, CACM 8(10), 1965;
 * T. P. Lee and R. E. Barkley, A watermark-based lazy buddy system for kernel
 * memory allocation, USENIX Summer 1989.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "buddy.h"
#include "heap_walk.h"
#include "os_pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

enum {
    CACHE_LINE = 64,
    MIN_SHIFT = 5, /* minimum block: 32 bytes */
    REGION_SHIFT = 25,
    TOP_ORDER = REGION_SHIFT - MIN_SHIFT,
    ORDERS = TOP_ORDER + 1,
    STATE_BYTES = 1 << TOP_ORDER,
    STATE_FREE = 0x80,
    STATE_CACHED = 0x40,  /* in a quick list; set during a walk only */
    QUICK_ORDERS = 11,    /* up to 32 KiB */
    QUICK_DEPTH = 64,     /* blocks in a quick list... */
    QUICK_FULL_DEPTH = 7, /* ...up to this order (4 KiB); then it halves */
    SPARE_SEATS = 16      /* for threads that use the heap without entering */
};

#define REGION_BYTES ((size_t)1 << REGION_SHIFT)

/* Stands right in front of what it describes. */
struct extent {
    _Alignas(CACHE_LINE) struct extent *next;
    struct extent *prev;
    char *start;      /* of the reservation */
    size_t reserved;  /* bytes from start */
    size_t committed; /* bytes, of them */
    size_t bytes;     /* of the one block; 0: a region */
};

/* A free block. */
struct block {
    struct block *next;
    struct block *prev; /* not kept in quick lists */
};

struct quick {
    struct block *head;
    size_t count;
};

struct seat {
    _Alignas(CACHE_LINE) _Atomic uintptr_t owner; /* 0: free */
    /* Written by the owner; modulo 2^64, as blocks may be freed by another
     * thread than took them. */
    _Atomic size_t live_bytes;
    _Atomic size_t live_blocks;
    struct quick quick[QUICK_ORDERS];
};

struct heap {
    struct os_account account;
    size_t bytes; /* of this heap itself */
    unsigned seats;
    _Atomic unsigned used; /* seats from there on were never owned */
    /* The seat of those who found none; quick lists are empty. */
    struct seat shared;

    _Alignas(CACHE_LINE) pthread_mutex_t lock; /* over all below */
    uint32_t filled;                           /* bit k: free[k] not empty */
    struct block *free[ORDERS];
    struct extent *extents;

    struct seat seat[];
};

static _Thread_local unsigned my_seat; /* a hint only */

/* ---- Addresses ---- */

static inline size_t order_bytes(unsigned order)
{
    return (size_t)1 << (order + MIN_SHIFT);
}

/* The smallest order that holds `bytes`, at most REGION_BYTES. */
static inline unsigned order_for(size_t bytes)
{
    if (bytes <= order_bytes(0))
        return 0;
    return 64 - MIN_SHIFT - (unsigned)__builtin_clzll(bytes - 1);
}

static inline size_t offset_of(const void *p)
{
    return (uintptr_t)p & (REGION_BYTES - 1);
}

static inline size_t index_of(const void *p)
{
    return offset_of(p) >> MIN_SHIFT;
}

static inline char *base_of(const void *p)
{
    return (char *)p - offset_of(p);
}

static inline struct extent *extent_of(const void *p)
{
    return (struct extent *)(void *)base_of(p) - 1;
}

static inline uint8_t *states_of(const void *p)
{
    return (uint8_t *)extent_of(p) - STATE_BYTES;
}

/* Of a block that is not free, in a region. */
static inline unsigned order_of(const void *p)
{
    return states_of(p)[index_of(p)] - 1U;
}

/* Only the first block of an extent can be one with its own mapping. */
static inline bool is_single(const void *p)
{
    return offset_of(p) == 0 && extent_of(p)->bytes != 0;
}

static inline uint8_t taken_state(unsigned order)
{
    return (uint8_t)(order + 1);
}

static inline uint8_t free_state(unsigned order)
{
    return (uint8_t)((order + 1) | STATE_FREE);
}

/* ---- Extents; link and unlink under the lock ---- */

/* Map `bytes` at a multiple of align (at least REGION_BYTES), and `before`
 * bytes in front of them that end in an extent.  NULL: errno is ENOMEM. */
static struct extent *extent_map(struct heap *heap, size_t before, size_t bytes,
                                 size_t align)
{
    const size_t front = os_pages_round(before);
    if (align > PTRDIFF_MAX / 4 || bytes > PTRDIFF_MAX / 4)
        goto no_memory;
    char *const start = os_pages_reserve(align + bytes, align);
    if (!start)
        goto no_memory;
    char *const base = start + align;
    if (os_pages_commit(&heap->account, base - front, front + bytes)) {
        (void)os_pages_release(&heap->account, start, align + bytes, 0);
        goto no_memory;
    }
    struct extent *const extent = (struct extent *)(void *)base - 1;
    extent->start = start;
    extent->reserved = align + bytes;
    extent->committed = front + bytes;
    return extent;
no_memory:
    errno = ENOMEM;
    return NULL;
}

static void extent_unmap(struct heap *heap, struct extent *extent)
{
    (void)os_pages_release(&heap->account, extent->start, extent->reserved,
                           extent->committed);
}

static void extent_link(struct heap *heap, struct extent *extent)
{
    extent->prev = NULL;
    extent->next = heap->extents;
    if (extent->next)
        extent->next->prev = extent;
    heap->extents = extent;
}

static void extent_unlink(struct heap *heap, struct extent *extent)
{
    if (extent->next)
        extent->next->prev = extent->prev;
    if (extent->prev)
        extent->prev->next = extent->next;
    else
        heap->extents = extent->next;
}

/* ---- The core, under the lock ---- */

static void list_push(struct heap *heap, void *p, unsigned order)
{
    struct block *const block = p;
    block->prev = NULL;
    block->next = heap->free[order];
    if (block->next)
        block->next->prev = block;
    heap->free[order] = block;
    heap->filled |= UINT32_C(1) << order;
    states_of(p)[index_of(p)] = free_state(order);
}

static void list_remove(struct heap *heap, void *p, unsigned order)
{
    struct block *const block = p;
    if (block->next)
        block->next->prev = block->prev;
    if (block->prev)
        block->prev->next = block->next;
    else
        heap->free[order] = block->next;
    if (!heap->free[order])
        heap->filled &= ~(UINT32_C(1) << order);
    states_of(p)[index_of(p)] = 0;
}

static bool core_grow(struct heap *heap)
{
    struct extent *const region = extent_map(
        heap, STATE_BYTES + sizeof(struct extent), REGION_BYTES, REGION_BYTES);
    if (!region)
        return false;
    extent_link(heap, region);
    list_push(heap, region + 1, TOP_ORDER);
    return true;
}

/* A block, or NULL if there is none and `may_grow` is false or in vain. */
static void *core_take(struct heap *heap, unsigned order, bool may_grow)
{
    if (!(heap->filled >> order) && (!may_grow || !core_grow(heap)))
        return NULL;
    unsigned k = order + (unsigned)__builtin_ctz(heap->filled >> order);
    char *const p = (char *)heap->free[k];
    list_remove(heap, p, k);
    while (k > order) {
        k--;
        list_push(heap, p + order_bytes(k), k);
    }
    states_of(p)[index_of(p)] = taken_state(order);
    return p;
}

/* One region that is free as a whole is kept for the next wish. */
static void core_give(struct heap *heap, void *p, unsigned order)
{
    char *const base = base_of(p);
    uint8_t *const state = states_of(p);
    size_t i = index_of(p);
    state[i] = 0;
    for (; order < TOP_ORDER; order++) {
        const size_t buddy = i ^ ((size_t)1 << order);
        if (state[buddy] != free_state(order))
            break;
        list_remove(heap, base + (buddy << MIN_SHIFT), order);
        i &= buddy;
    }
    if (order == TOP_ORDER && heap->free[TOP_ORDER]) {
        extent_unlink(heap, extent_of(base));
        extent_unmap(heap, extent_of(base));
        return;
    }
    list_push(heap, base + (i << MIN_SHIFT), order);
}

/* Cut a taken block down to its first part. */
static void core_shrink(struct heap *heap, char *p, unsigned order,
                        unsigned wanted)
{
    states_of(p)[index_of(p)] = taken_state(wanted);
    /* Their buddies are parts of this block, so there is nothing to join. */
    while (order > wanted) {
        order--;
        list_push(heap, p + order_bytes(order), order);
    }
}

/* Join a taken block with all that follows it up to `wanted`, if that is
 * free. */
static bool core_extend(struct heap *heap, char *p, unsigned order,
                        unsigned wanted)
{
    uint8_t *const state = states_of(p) + index_of(p);
    for (unsigned k = order; k < wanted; k++) {
        if (state[(size_t)1 << k] != free_state(k))
            return false;
    }
    for (unsigned k = order; k < wanted; k++)
        list_remove(heap, p + order_bytes(k), k);
    *state = taken_state(wanted);
    return true;
}

static inline void enter_core(struct heap *heap)
{
    (void)pthread_mutex_lock(&heap->lock);
}

static inline void leave_core(struct heap *heap)
{
    (void)pthread_mutex_unlock(&heap->lock);
}

/* ---- Seats ---- */

/* Differs between all threads that are alive. */
static inline uintptr_t my_identity(void)
{
    return (uintptr_t)&my_seat;
}

static inline struct seat *find_seat(struct heap *heap)
{
    if (my_seat >= heap->seats)
        return NULL;
    struct seat *const seat = &heap->seat[my_seat];
    return atomic_load_explicit(&seat->owner, memory_order_relaxed) ==
                   my_identity()
               ? seat
               : NULL;
}

/* Sit down on the first seat that is mine (of a thread that ended without
 * leaving and had my identity) or free; the shared one if there is none. */
static struct seat *claim_seat(struct heap *heap)
{
    unsigned used = atomic_load(&heap->used);
    for (unsigned i = 0; i < heap->seats; i++) {
        struct seat *const seat = &heap->seat[i];
        while (used <= i &&
               !atomic_compare_exchange_weak(&heap->used, &used, i + 1)) {
        }
        uintptr_t owner = atomic_load(&seat->owner);
        if (owner == 0 &&
            atomic_compare_exchange_strong(&seat->owner, &owner, my_identity()))
            owner = my_identity();
        if (owner == my_identity()) {
            my_seat = i;
            return seat;
        }
    }
    return &heap->shared;
}

static inline struct seat *sit(struct heap *heap)
{
    struct seat *const seat = find_seat(heap);
    return seat ? seat : claim_seat(heap);
}

/* Only the owner writes, so a plain sum will do. */
static inline void add(_Atomic size_t *sum, size_t n)
{
    atomic_store_explicit(sum,
                          atomic_load_explicit(sum, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Differences are modulo 2^64. */
static inline void count(struct heap *heap, struct seat *seat, size_t bytes,
                         size_t blocks)
{
    if (seat == &heap->shared) {
        atomic_fetch_add(&seat->live_bytes, bytes);
        atomic_fetch_add(&seat->live_blocks, blocks);
        return;
    }
    add(&seat->live_bytes, bytes);
    add(&seat->live_blocks, blocks);
}

/* ---- Quick lists ---- */

static inline size_t quick_depth(unsigned order)
{
    return order <= QUICK_FULL_DEPTH
               ? QUICK_DEPTH
               : (size_t)QUICK_DEPTH >> (order - QUICK_FULL_DEPTH);
}

/* Fetch a quarter of a list, but map nothing for more than one block. */
static bool quick_fill(struct heap *heap, struct quick *quick, unsigned order)
{
    struct block **end = &quick->head;
    enter_core(heap);
    for (size_t i = 0; i < quick_depth(order) / 4; i++) {
        struct block *const block = core_take(heap, order, i == 0);
        if (!block)
            break;
        *end = block;
        end = &block->next;
        quick->count++;
    }
    *end = NULL;
    leave_core(heap);
    return quick->head;
}

/* Give back all but the `keep` youngest. */
static void quick_flush(struct heap *heap, struct quick *quick, unsigned order,
                        size_t keep)
{
    struct block **end = &quick->head;
    for (size_t i = 0; i < keep && *end; i++)
        end = &(*end)->next;
    struct block *block = *end;
    *end = NULL;
    enter_core(heap);
    while (block) {
        struct block *const next = block->next;
        core_give(heap, block, order);
        quick->count--;
        block = next;
    }
    leave_core(heap);
}

static void *region_alloc(struct heap *heap, unsigned order)
{
    struct seat *const seat = sit(heap);
    void *p;
    if (order < QUICK_ORDERS && seat != &heap->shared) {
        struct quick *const quick = &seat->quick[order];
        if (!quick->head && !quick_fill(heap, quick, order))
            return NULL;
        p = quick->head;
        quick->head = quick->head->next;
        quick->count--;
    } else {
        enter_core(heap);
        p = core_take(heap, order, true);
        leave_core(heap);
        if (!p)
            return NULL;
    }
    count(heap, seat, order_bytes(order), 1);
    return p;
}

static void region_free(struct heap *heap, void *p)
{
    struct seat *const seat = sit(heap);
    const unsigned order = order_of(p);
    count(heap, seat, -order_bytes(order), (size_t)-1);
    if (order < QUICK_ORDERS && seat != &heap->shared) {
        struct quick *const quick = &seat->quick[order];
        struct block *const block = p;
        block->next = quick->head;
        quick->head = block;
        if (++quick->count >= quick_depth(order))
            quick_flush(heap, quick, order, quick_depth(order) / 2);
    } else {
        enter_core(heap);
        core_give(heap, p, order);
        leave_core(heap);
    }
}

/* True if the block has the wanted order now. */
static bool region_resize(struct heap *heap, char *p, unsigned wanted)
{
    const unsigned order = order_of(p);
    if (wanted == order)
        return true;
    if (index_of(p) & (((size_t)1 << wanted) - 1) && wanted > order)
        return false;
    bool done = true;
    enter_core(heap);
    if (wanted < order)
        core_shrink(heap, p, order, wanted);
    else
        done = core_extend(heap, p, order, wanted);
    leave_core(heap);
    if (done)
        count(heap, sit(heap), order_bytes(wanted) - order_bytes(order), 0);
    return done;
}

/* ---- Blocks with a mapping of their own ---- */

static void *single_alloc(struct heap *heap, size_t size, size_t align)
{
    const size_t bytes = os_pages_round(size ? size : 1);
    if (!bytes) {
        errno = ENOMEM;
        return NULL;
    }
    struct extent *const extent =
        extent_map(heap, sizeof(struct extent), bytes,
                   align > REGION_BYTES ? align : REGION_BYTES);
    if (!extent)
        return NULL;
    extent->bytes = bytes;
    enter_core(heap);
    extent_link(heap, extent);
    leave_core(heap);
    count(heap, sit(heap), bytes, 1);
    return extent + 1;
}

static void single_free(struct heap *heap, void *p)
{
    struct extent *const extent = extent_of(p);
    count(heap, sit(heap), -extent->bytes, (size_t)-1);
    enter_core(heap);
    extent_unlink(heap, extent);
    leave_core(heap);
    extent_unmap(heap, extent);
}

/* True if the block fits the new size now: only for less, or as much. */
static bool single_resize(struct heap *heap, char *p, size_t size)
{
    struct extent *const extent = extent_of(p);
    const size_t bytes = os_pages_round(size);
    if (!bytes || bytes > extent->bytes)
        return false;
    const size_t less = extent->bytes - bytes;
    if (!less || os_pages_decommit(&heap->account, p + bytes, less))
        return true;
    extent->bytes -= less;
    extent->committed -= less;
    count(heap, sit(heap), -less, 0);
    return true;
}

/* ---- The hooks ---- */

static int buddy_open(const struct heap_config *config, struct heap **out)
{
    const unsigned seats = config->threads + SPARE_SEATS;
    if (seats < SPARE_SEATS)
        return EINVAL;
    const size_t bytes = sizeof(struct heap) + seats * sizeof(struct seat);
    struct heap *const heap = os_pages_map(NULL, bytes);
    if (!heap)
        return errno;
    const int error = pthread_mutex_init(&heap->lock, NULL);
    if (error) {
        (void)os_pages_unmap(NULL, heap, bytes);
        return error;
    }
    heap->bytes = bytes;
    heap->seats = seats;
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
    (void)sit(heap);
    return 0;
}

static void buddy_leave(struct heap *heap)
{
    struct seat *const seat = find_seat(heap);
    if (!seat)
        return;
    for (unsigned k = 0; k < QUICK_ORDERS; k++) {
        if (seat->quick[k].head)
            quick_flush(heap, &seat->quick[k], k, 0);
    }
    atomic_store(&seat->owner, 0);
}

static void *buddy_alloc(struct heap *heap, size_t size, size_t align)
{
    /* A block stands on a multiple of its length, so length is alignment. */
    const size_t bytes = size > align ? size : align;
    return bytes <= REGION_BYTES ? region_alloc(heap, order_for(bytes))
                                 : single_alloc(heap, size, align);
}

static void *buddy_zalloc(struct heap *heap, size_t size)
{
    void *const p = buddy_alloc(heap, size, 0);
    if (p && size <= REGION_BYTES)
        memset(p, 0, size);
    return p;
}

/* The size is not looked at: a block may be longer for its alignment. */
static void buddy_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)size;
    if (!p)
        return;
    if (is_single(p))
        single_free(heap, p);
    else
        region_free(heap, p);
}

static void *buddy_resize(struct heap *heap, void *p, size_t old_size,
                          size_t new_size)
{
    if (!p)
        return buddy_alloc(heap, new_size, 0);
    const bool single = is_single(p), small = new_size <= REGION_BYTES;
    if (single && !small && single_resize(heap, p, new_size))
        return p;
    if (!single && small && region_resize(heap, p, order_for(new_size)))
        return p;
    void *const copy = buddy_alloc(heap, new_size, 0);
    if (!copy)
        return NULL;
    memcpy(copy, p, old_size < new_size ? old_size : new_size);
    buddy_dealloc(heap, p, old_size);
    return copy;
}

static size_t buddy_usable(struct heap *heap, const void *p, size_t size)
{
    (void)heap;
    (void)size;
    return is_single(p) ? extent_of(p)->bytes : order_bytes(order_of(p));
}

/* In the child the lock is the forking thread's own. */
static void buddy_fork(struct heap *heap, enum fork_phase phase)
{
    if (phase == FORK_BEFORE)
        pthread_mutex_lock(&heap->lock);
    else
        pthread_mutex_unlock(&heap->lock);
}

static int buddy_inspect(struct heap *heap, struct heap_report *report)
{
    size_t bytes = atomic_load(&heap->shared.live_bytes);
    size_t blocks = atomic_load(&heap->shared.live_blocks);
    for (unsigned i = 0; i < atomic_load(&heap->used); i++) {
        bytes += atomic_load(&heap->seat[i].live_bytes);
        blocks += atomic_load(&heap->seat[i].live_blocks);
    }
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
    for (unsigned i = 0; i < atomic_load(&heap->used); i++) {
        for (unsigned k = 0; k < QUICK_ORDERS; k++) {
            for (struct block *b = heap->seat[i].quick[k].head; b; b = b->next)
                states_of(b)[index_of(b)] |= STATE_CACHED;
        }
    }
}

static void show_span(const struct heap_visitor *visitor, const void *start,
                      size_t bytes, enum span_kind kind, size_t block_bytes)
{
    visitor->span(visitor->arg,
                  &(struct heap_span){.start = start,
                                      .bytes = bytes,
                                      .kind = kind,
                                      .block_bytes = block_bytes});
}

static void show_blocks(const struct heap_visitor *visitor, char *base)
{
    uint8_t *const state = states_of(base);
    for (size_t i = 0; i < STATE_BYTES;) {
        const bool is_free = state[i] & STATE_FREE;
        const bool is_cached = state[i] & STATE_CACHED;
        state[i] &= (uint8_t)~STATE_CACHED;
        const unsigned order = (state[i] & ~(unsigned)STATE_FREE) - 1U;
        visitor->block(visitor->arg, &(struct heap_block){
                                         .start = base + (i << MIN_SHIFT),
                                         .bytes = order_bytes(order),
                                         .state = is_free     ? BLOCK_FREE
                                                  : is_cached ? BLOCK_CACHED
                                                              : BLOCK_LIVE,
                                     });
        i += (size_t)1 << order;
    }
}

static void show_extent(const struct heap_visitor *visitor,
                        struct extent *extent)
{
    char *const base = (char *)(extent + 1);
    const size_t bytes = extent->bytes ? extent->bytes : REGION_BYTES;
    const size_t front = extent->committed - bytes;
    show_span(visitor, base - front, front, SPAN_METADATA, 0);
    if (extent->bytes) {
        show_span(visitor, base, bytes, SPAN_BLOCKS, bytes);
        visitor->block(visitor->arg,
                       &(struct heap_block){base, bytes, BLOCK_LIVE});
    } else if (states_of(base)[0] == free_state(TOP_ORDER)) {
        show_span(visitor, base, bytes, SPAN_FREE, 0);
    } else {
        show_span(visitor, base, bytes, SPAN_BLOCKS, 0);
        show_blocks(visitor, base);
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

const struct allocator buddy_allocator = {
    .name = "buddy",
    .summary = "binary buddy system, 32 B to 32 MiB, with quick lists a "
               "thread in front of one locked core",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
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

/* ---- The check ---- */

struct tally {
    size_t free[ORDERS]; /* blocks whose byte says free */
    size_t taken_bytes;  /* in all other blocks */
    size_t quick_bytes;  /* of them, in quick lists */
    size_t committed;
};

static const char *check_region(const uint8_t *state, struct tally *tally)
{
    size_t i = 0;
    while (i < STATE_BYTES) {
        const unsigned order = (state[i] & ~(unsigned)STATE_FREE) - 1U;
        if (order > TOP_ORDER)
            return "no block starts where one ends";
        const size_t units = (size_t)1 << order;
        if (i & (units - 1))
            return "a block does not stand on a multiple of its length";
        if (units > 1 && (state[i + 1] != 0 ||
                          memcmp(&state[i + 1], &state[i + 2], units - 2) != 0))
            return "a block starts inside of another";
        if (state[i] == taken_state(order)) {
            tally->taken_bytes += order_bytes(order);
        } else {
            if (order < TOP_ORDER && state[i ^ units] == state[i])
                return "two buddies are both free";
            tally->free[order]++;
        }
        i += units;
    }
    return NULL;
}

static const char *check_lists(const struct heap *heap,
                               const struct tally *tally)
{
    for (unsigned k = 0; k < ORDERS; k++) {
        size_t length = 0;
        const struct block *prev = NULL;
        for (const struct block *b = heap->free[k]; b; b = b->next) {
            if (states_of(b)[index_of(b)] != free_state(k))
                return "a block in a free list is not free, or not of its "
                       "order";
            if (b->prev != prev)
                return "a free list is not linked both ways";
            prev = b;
            if (++length > tally->free[k])
                return "a free list is longer than there are free blocks";
        }
        if (length != tally->free[k])
            return "a free block is in no list";
        if (((heap->filled >> k) & 1) != (length != 0))
            return "the mask of filled lists is wrong";
    }
    return tally->free[TOP_ORDER] > 1 ? "more than one region is kept" : NULL;
}

static const char *check_quick(const struct seat *seat, struct tally *tally)
{
    for (unsigned k = 0; k < QUICK_ORDERS; k++) {
        size_t length = 0;
        for (const struct block *b = seat->quick[k].head; b; b = b->next) {
            if (states_of(b)[index_of(b)] != taken_state(k))
                return "a block in a quick list is not taken, or not of its "
                       "order";
            if (++length > quick_depth(k))
                return "a quick list is too long";
        }
        if (length != seat->quick[k].count)
            return "a quick list is not as long as it says";
        tally->quick_bytes += length * order_bytes(k);
    }
    return NULL;
}

const char *buddy_check(struct heap *heap)
{
    struct tally tally = {0};
    const char *fault = NULL;
    for (struct extent *e = heap->extents; e && !fault; e = e->next) {
        tally.committed += e->committed;
        tally.taken_bytes += e->bytes;
        if (e->next && e->next->prev != e)
            return "the list of extents is not linked both ways";
        if (!e->bytes)
            fault = check_region(states_of(e + 1), &tally);
    }
    if (!fault)
        fault = check_lists(heap, &tally);
    for (unsigned i = 0; i < atomic_load(&heap->used) && !fault; i++)
        fault = check_quick(&heap->seat[i], &tally);
    if (fault)
        return fault;
    struct heap_report report;
    (void)buddy_inspect(heap, &report);
    if (report.live_bytes + tally.quick_bytes != tally.taken_bytes)
        return "live bytes and quick lists do not add up to the taken bytes";
    if (tally.committed != atomic_load(&heap->account.mapped))
        return "the extents do not add up to the mapped bytes";
    return NULL;
}
