/* buddy_nonblocking.c - the binary buddy system without a lock.
 *
 * Every block that a region could be cut into is a node of a complete binary
 * tree; of each node one word says that it is taken, or how many nodes below
 * it are:
 *
 *              2                      TAKEN: this node is a block
 *          1       1                  n > 0: n nodes below are taken, or being
 *        0   T   0   1                       taken or given back
 *       0 0 0 0 0 0 T 0               0:     free, and so is all below
 *
 * To take a node, turn its word from 0 to TAKEN, then climb to the root and
 * count oneself in at each ancestor.  An ancestor that is TAKEN was so before:
 * undo, and go on behind it.  So two that want overlapping blocks meet at an
 * ancestor, the one that is taken.  To give a node back, count oneself out up
 * to the root, then clear the node.  Buddies need not be joined: a node is
 * free as soon as nothing below it is taken.
 *
 * The scheme is that of NBBS but for the counts.  There a word has a bit for
 * each half that is in use and another that announces its clearing, so that
 * who gives back may stop early.  An announcement may be taken for that of
 * another, though: three threads can bring one block into two hands
 * (tests/model/buddy.pml finds it).  Counts tell no one from another, and
 * everyone takes out what he put in.
 *
 * A step is one compare-and-swap; when it fails, another's has succeeded.
 * Only a further region is mapped behind the heap's lock.  Regions stay until
 * the end, but pages in free chunks of 64 KiB go back after a decay period or
 * two: whoever gets to it takes the chunk as a block, discards it and gives it
 * back.
 *
 * A fork may catch other threads on their way.  What they held then is lost
 * in the child, as all that only they knew; nobody waits for them.
 *
 * Invariant: of a node that is not taken, the word is the number of nodes
 * below that someone has taken and not yet counted out.  (check_region() proves
 * it while nobody is inside; the model all interleavings of a small tree.)
 *
 * Source: R. Marotta, M. Ianni, A. Pellegrini, A. Scarselli, F. Quaglia, NBBS:
 * A Non-Blocking Buddy System for Multi-core Machines, IEEE Trans. Computers
 * 71(3), 2022, and arXiv 1804.03436.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "buddy_core.h"

enum {
    ORDERS = REGION_SHIFT - FINE_SHIFT + 1,
    /* Below this order there are at most 126 nodes below a node, and all of
     * them may be counted in a byte. */
    WORD_ORDER = 7,
    CHUNK_SHIFT = 16,
    CHUNKS = 1 << (REGION_SHIFT - CHUNK_SHIFT),
    GIVES = 512 /* between two looks at the clock */
};

#define TAKEN_BYTE ((uint8_t)0x80)
#define TAKEN_WORD (UINT32_C(1) << 31)

/* What may be in the memory of a chunk. */
enum { CHUNK_CLEAN, CHUNK_STALE, CHUNK_USED };

struct records {
    struct extent *older; /* the region that was mapped before, of its zone */
    size_t top;           /* nodes from there on may be taken */
    size_t bytes;         /* nodes from there on are bytes */
    _Atomic uint8_t *byte;
    _Atomic uint32_t *word;
    /* Grows with what comes back.  A region is full for an order as long as
     * this is what it was before a search in vain. */
    _Alignas(CACHE_LINE) _Atomic uint64_t gives;
    _Atomic uint64_t full[ORDERS];
    _Atomic size_t next[ORDERS]; /* where to search first */
    _Atomic uint8_t chunk[CHUNKS];
    /* word[units >> (WORD_ORDER - 1)], byte[2 * units]; the first node is 1 */
};

static size_t word_bytes(size_t units)
{
    return (units >> (WORD_ORDER - 1)) * sizeof(uint32_t);
}

static size_t record_bytes(unsigned shift)
{
    const size_t units = REGION_BYTES >> shift;
    return sizeof(struct records) + word_bytes(units) + 2 * units;
}

static inline struct records *records_of(const struct extent *e)
{
    return e->records;
}

/* ---- The tree ---- */

static inline bool node_is_clear(const struct records *r, size_t n)
{
    return n >= r->bytes
               ? !atomic_load_explicit(&r->byte[n], memory_order_relaxed)
               : !atomic_load_explicit(&r->word[n], memory_order_relaxed);
}

static bool node_take(struct records *r, size_t n)
{
    uint8_t byte = 0;
    uint32_t word = 0;
    return n >= r->bytes
               ? atomic_compare_exchange_strong(&r->byte[n], &byte, TAKEN_BYTE)
               : atomic_compare_exchange_strong(&r->word[n], &word, TAKEN_WORD);
}

static void node_clear(struct records *r, size_t n)
{
    if (n >= r->bytes)
        atomic_store_explicit(&r->byte[n], 0, memory_order_release);
    else
        atomic_store_explicit(&r->word[n], 0, memory_order_release);
}

/* False, and nothing has changed, if the node is taken. */
static bool count_in(struct records *r, size_t n)
{
    if (n >= r->bytes) {
        uint8_t old = atomic_load_explicit(&r->byte[n], memory_order_relaxed);
        do {
            if (old & TAKEN_BYTE)
                return false;
        } while (!atomic_compare_exchange_weak(&r->byte[n], &old,
                                               (uint8_t)(old + 1)));
        return true;
    }
    uint32_t old = atomic_load_explicit(&r->word[n], memory_order_relaxed);
    do {
        if (old & TAKEN_WORD)
            return false;
    } while (!atomic_compare_exchange_weak(&r->word[n], &old, old + 1));
    return true;
}

static void count_out(struct records *r, size_t n)
{
    if (n >= r->bytes)
        atomic_fetch_sub(&r->byte[n], 1);
    else
        atomic_fetch_sub(&r->word[n], 1);
}

/* Free node n, which is counted in by the ancestors before `end`; 0: by all.
 * In this order no node is ever counted twice. */
static void release(struct records *r, size_t n, size_t end)
{
    for (size_t up = n >> 1; up >= r->top && up != end; up >>= 1)
        count_out(r, up);
    node_clear(r, n);
}

/* Returns 0, or the node that is in the way: n or an ancestor. */
static size_t try_take(struct records *r, size_t n)
{
    if (!node_take(r, n))
        return n;
    for (size_t up = n >> 1; up >= r->top; up >>= 1) {
        if (!count_in(r, up)) {
            release(r, n, up);
            return up;
        }
    }
    return 0;
}

static inline unsigned log2_floor(size_t n)
{
    return 63 - (unsigned)__builtin_clzll(n);
}

/* The first node of an order. */
static inline size_t first_node(const struct extent *e, unsigned order)
{
    return region_units(e) >> order;
}

static inline unsigned order_of(const struct extent *e, unsigned class)
{
    return class / 2 - (e->shift - (unsigned)FINE_SHIFT);
}

/* ---- Regions ---- */

/* Take any node of an order; returns it, or 0. */
static size_t search(struct extent *e, unsigned order)
{
    struct records *const r = records_of(e);
    const size_t first = first_node(e, order);
    const size_t start =
        atomic_load_explicit(&r->next[order], memory_order_relaxed);
    for (size_t k = 0; k < first;) {
        const size_t at = (start + k) & (first - 1);
        const size_t n = first + at;
        if (!node_is_clear(r, n)) {
            k++;
            continue;
        }
        const size_t obstacle = try_take(r, n);
        if (!obstacle) {
            atomic_store_explicit(&r->next[order], at + 1,
                                  memory_order_relaxed);
            return n;
        }
        const unsigned depth = log2_floor(n) - log2_floor(obstacle);
        k += ((obstacle + 1) << depth) - n;
    }
    return 0;
}

static void chunks_use(struct records *r, size_t offset, size_t bytes)
{
    const size_t end = (offset + bytes - 1) >> CHUNK_SHIFT;
    for (size_t c = offset >> CHUNK_SHIFT; c <= end; c++) {
        if (atomic_load_explicit(&r->chunk[c], memory_order_relaxed) !=
            CHUNK_USED)
            atomic_store_explicit(&r->chunk[c], CHUNK_USED,
                                  memory_order_relaxed);
    }
}

static char *region_take(struct extent *e, unsigned class)
{
    struct records *const r = records_of(e);
    const unsigned order = order_of(e, class);
    const uint64_t gives = atomic_load(&r->gives);
    if (atomic_load(&r->full[order]) == gives + 1)
        return NULL;
    const size_t n = search(e, order);
    if (!n) {
        atomic_store(&r->full[order], gives + 1);
        return NULL;
    }
    const size_t i = (n - first_node(e, order)) << order;
    *state_at(e, i) = (uint8_t)(class + 1);
    chunks_use(r, i << e->shift, class_bytes(class));
    return unit_at(e, i);
}

/* In the fine zone nothing is longer than a chunk, so nobody need climb
 * further. */
static void region_init(struct extent *e, struct extent *older)
{
    struct records *const r = records_of(e);
    const size_t units = region_units(e);
    r->older = older;
    r->top = e->zone == ZONE_FINE ? CHUNKS : 1;
    r->bytes = units >> (WORD_ORDER - 1);
    r->word = (_Atomic uint32_t *)(void *)(r + 1);
    r->byte = (_Atomic uint8_t *)(r + 1) + word_bytes(units);
}

/* A new region, unless another thread brought one since `newest` was seen. */
static bool grow(struct heap *heap, enum zone_name zone, struct extent *newest)
{
    bool done = true;
    (void)pthread_mutex_lock(&heap->lock);
    if (atomic_load(&heap->newest[zone]) == newest) {
        struct extent *const e = extent_map_region(heap, zone);
        done = e != NULL;
        if (done) {
            region_init(e, newest);
            extent_link(heap, e);
            atomic_store(&heap->newest[zone], e);
            atomic_store(&heap->last[zone], e);
        }
    }
    (void)pthread_mutex_unlock(&heap->lock);
    return done;
}

/* Search all regions in a round that begins where the last block was found. */
static char *search_regions(struct heap *heap, enum zone_name zone,
                            unsigned class)
{
    struct extent *const newest = atomic_load(&heap->newest[zone]);
    struct extent *const last = atomic_load(&heap->last[zone]);
    struct extent *const start = last ? last : newest;
    struct extent *e = start;
    if (!e)
        return NULL;
    do {
        char *const p = region_take(e, class);
        if (p) {
            if (e != last)
                atomic_store(&heap->last[zone], e);
            return p;
        }
        e = records_of(e)->older ? records_of(e)->older
                                 : atomic_load(&heap->newest[zone]);
    } while (e != start);
    return NULL;
}

static char *take_one(struct heap *heap, unsigned class, bool may_grow)
{
    const enum zone_name zone = zone_for(class);
    for (;;) {
        struct extent *const newest = atomic_load(&heap->newest[zone]);
        char *const p = search_regions(heap, zone, class);
        if (p || !may_grow || !grow(heap, zone, newest))
            return p;
    }
}

/* ---- Pages ---- */

/* Take each free chunk that has been used, and discard it if it was free at
 * the last look too. */
static void region_age(struct extent *e)
{
    struct records *const r = records_of(e);
    const size_t first = first_node(e, CHUNK_SHIFT - e->shift);
    for (size_t c = 0; c < CHUNKS; c++) {
        const uint8_t used = atomic_load(&r->chunk[c]);
        if (used == CHUNK_CLEAN || !node_is_clear(r, first + c) ||
            try_take(r, first + c))
            continue;
        if (used == CHUNK_STALE)
            (void)os_pages_discard((char *)(e + 1) + (c << CHUNK_SHIFT),
                                   1 << CHUNK_SHIFT);
        atomic_store(&r->chunk[c], (uint8_t)(used - 1));
        release(r, first + c, 0);
        atomic_fetch_add(&r->gives, 1);
    }
}

/* Nobody waits for the lock: who has it does the work. */
static void heap_age(struct heap *heap)
{
    const uint64_t now = buddy_now_ms();
    if (pthread_mutex_trylock(&heap->lock))
        return;
    if (now - heap->looked_ms >= heap->decay_ms) {
        heap->looked_ms = now;
        for (struct extent *e = heap->extents; e; e = e->next) {
            if (!e->bytes)
                region_age(e);
        }
    }
    (void)pthread_mutex_unlock(&heap->lock);
}

/* ---- The kind's functions ---- */

static size_t nonblocking_take(struct heap *heap, unsigned class, size_t n,
                               struct block **list)
{
    size_t taken = 0;
    for (; taken < n; taken++) {
        char *const p = take_one(heap, class, taken == 0);
        if (!p)
            break;
        *list = (struct block *)(void *)p;
        list = &(*list)->next;
    }
    if (taken)
        *list = NULL;
    return taken;
}

static void nonblocking_give(struct heap *heap, struct block *list,
                             unsigned class)
{
    const size_t weight = 1 + (class_bytes(class) >> 12);
    bool is_time = false;
    while (list) {
        struct block *const next = list->next;
        struct extent *const e = extent_of(list);
        struct records *const r = records_of(e);
        const unsigned order = order_of(e, class);
        const size_t i = offset_of(list) >> e->shift;
        *state_at(e, i) = 0;
        release(r, first_node(e, order) + (i >> order), 0);
        const uint64_t gives = atomic_fetch_add(&r->gives, weight);
        is_time = is_time || gives / GIVES != (gives + weight) / GIVES;
        list = next;
    }
    if (is_time)
        heap_age(heap);
}

/* ---- The check ---- */

/* How many nodes are taken at n and below; *fault: what is wrong there. */
static uint32_t check_node(struct extent *e, size_t n, const char **fault)
{
    const struct records *const r = records_of(e);
    const unsigned order = log2_floor(region_units(e)) - log2_floor(n);
    const uint8_t state = *state_at(e, (n - first_node(e, order)) << order);
    const bool is_taken = state && order_of(e, state - 1U) == order;
    const uint32_t byte = n >= r->bytes ? atomic_load(&r->byte[n]) : 0;
    const uint32_t word = n >= r->bytes ? 0 : atomic_load(&r->word[n]);
    uint32_t below = 0;
    if (order > 0)
        below = check_node(e, 2 * n, fault) + check_node(e, 2 * n + 1, fault);
    if (is_taken &&
        (byte + word != (n >= r->bytes ? TAKEN_BYTE : TAKEN_WORD) || below))
        *fault = "the node of a block is not taken, or one below is";
    if (!is_taken && byte + word != (n >= r->top ? below : 0))
        *fault = "a node does not count what is taken below";
    return below + is_taken;
}

static const char *nonblocking_check_region(struct heap *heap, struct extent *e)
{
    const char *fault = NULL;
    (void)heap;
    (void)check_node(e, 1, &fault);
    return fault;
}

static const char *nonblocking_check_heap(struct heap *heap)
{
    size_t regions = 0, listed = 0;
    for (struct extent *e = heap->extents; e; e = e->next)
        regions += e->bytes == 0;
    for (unsigned z = 0; z < ZONES; z++) {
        for (struct extent *e = atomic_load(&heap->newest[z]); e;
             e = records_of(e)->older)
            listed++;
    }
    return regions == listed ? NULL : "a region is not searched";
}

const struct buddy_kind buddy_nonblocking = {
    .record_bytes = record_bytes,
    .age = heap_age,
    .take = nonblocking_take,
    .give = nonblocking_give,
    .check_region = nonblocking_check_region,
    .check_heap = nonblocking_check_heap,
};
