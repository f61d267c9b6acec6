/* buddy_locked.c - the binary and the weighted buddy system, behind one lock.
 *
 * Binary: a block of 2^k units stands on a multiple of its length.  To serve a
 * wish, a block that is long enough is halved until it fits; one that comes
 * back is joined with its other half, its buddy, for as long as that is free
 * too.  The buddy's place is one XOR away, and whether it is free one byte
 * tells.
 *
 *     |               4               |     free
 *     |       2       |       2       |     halved once
 *     |   1   |   1   |       2       |     halved again
 *     0       1       2               4     index i
 *     buddy of (i, 2^k) = i XOR 2^k
 *
 * Weighted: there are blocks of 3 * 2^k units too, by which at most a third of
 * a block is lost and not half.  A region that is free as a whole may be cut
 * into three quarters and one; from there on both are halved as above, so
 * blocks of 3 * 2^k have buddies of their own length.  Shen and Peterson cut 4
 * into 3 + 1 at every length, and 3 into 2 + 1: then every 3 leaves a 1 beside
 * it, and there are more of these than anybody wants.  (Uniform sizes to
 * 4 KiB: memory over live bytes was 1.28 so, and is 1.19.)
 *
 *     |                  3 MiB                  |    1 MiB    |
 *     |       3 / 2        |       3 / 2        |  1/2 |  1/2 |
 *     | 3 / 4   |  3 / 4   |       3 / 2        |  1/2 |  1/2 |
 *
 * A free block of a page or more is linked by the records of its region and
 * is not touched.  Its pages, if they stay free for a decay period or two, go
 * back to the system; so do, whole, regions without any block.
 *
 * Invariant: no two free blocks could be joined; a block is in the list of its
 * zone and class if and only if its state byte says free.  (check_region() and
 * check_heap() prove it.)  All is under the lock, but the state byte of a
 * block that one holds may be read without it.
 *
 * Sources: K. C. Knowlton, A fast storage allocator, CACM 8(10), 1965;
 * K. K. Shen and J. L. Peterson, A weighted buddy method for dynamic storage
 * allocation, CACM 17(10), 1974; I. P. Page and J. Hagins, Improving the
 * performance of buddy systems, IEEE Trans. Computers C-35(5), 1986, whose
 * dual buddy system this halving is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "buddy_core.h"

#include <string.h>

enum {
    LINK_SHIFT = 12, /* a page at least; so many bytes have one link */
    LINKS = 1 << (REGION_SHIFT - LINK_SHIFT),
    WORD_BITS = 64,
    PAGE_WORDS = LINKS / WORD_BITS,
    TOP_ODD = TOP_CLASS - 1,     /* three quarters of a region */
    TOP_QUARTER = TOP_CLASS - 4, /* and the last */
    GIVEN_BYTES = 64 << 10       /* come back between two looks at the clock */
};

/* Classes that may serve a wish for an even, or an odd one. */
#define EVEN_WISH (UINT64_MAX / 3)
#define ODD_WISH  (~EVEN_WISH | UINT64_C(1) << TOP_CLASS)

/* Of a free block. */
struct links {
    char *next, *prev;
};

/* A bit a page: handed out since it was last given back to the system; and,
 * of those that are free now, free since the last look. */
struct records {
    uint64_t touched[PAGE_WORDS];
    uint64_t stale[PAGE_WORDS];
    struct links links[LINKS];
};

static size_t record_bytes(unsigned shift)
{
    (void)shift;
    return sizeof(struct records);
}

static inline struct records *records_of(const struct extent *extent)
{
    return extent->records;
}

static inline uint8_t free_state(unsigned class)
{
    return (uint8_t)((class + 1) | STATE_FREE);
}

static inline bool is_free(struct extent *e, size_t i, unsigned class)
{
    return *state_at(e, i) == free_state(class);
}

/* Blocks of a class, in units of the zone. */
static inline size_t class_units(const struct extent *e, unsigned class)
{
    return class_bytes(class) >> e->shift;
}

/* ---- Free lists ---- */

static inline struct links *links_of(const char *p, unsigned class)
{
    if (class < 2 * (LINK_SHIFT - FINE_SHIFT))
        return (struct links *)(void *)p;
    return &records_of(extent_of(p))->links[offset_of(p) >> LINK_SHIFT];
}

static void list_push(struct heap *heap, struct extent *e, size_t i,
                      unsigned class)
{
    struct zone *const zone = &heap->zone[e->zone];
    char *const p = unit_at(e, i);
    char *const next = zone->free[class];
    *links_of(p, class) = (struct links){.next = next};
    if (next)
        links_of(next, class)->prev = p;
    zone->free[class] = p;
    zone->filled |= UINT64_C(1) << class;
    *state_at(e, i) = free_state(class);
}

static void list_remove(struct heap *heap, struct extent *e, size_t i,
                        unsigned class)
{
    struct zone *const zone = &heap->zone[e->zone];
    const struct links links = *links_of(unit_at(e, i), class);
    if (links.next)
        links_of(links.next, class)->prev = links.prev;
    if (links.prev)
        links_of(links.prev, class)->next = links.next;
    else
        zone->free[class] = links.next;
    if (!zone->free[class])
        zone->filled &= ~(UINT64_C(1) << class);
    *state_at(e, i) = 0;
}

/* ---- Pages ---- */

/* Bits [from, to) of one word. */
static inline uint64_t bits(size_t from, size_t to)
{
    return (to < WORD_BITS ? (UINT64_C(1) << to) - 1 : UINT64_MAX) &
           ~((UINT64_C(1) << from) - 1);
}

/* A block is handed out. */
static void pages_touch(struct heap *heap, const char *p, unsigned class)
{
    struct records *const r = records_of(extent_of(p));
    const size_t at = offset_of(p);
    const size_t first = at >> heap->page_shift;
    const size_t end = ((at + class_bytes(class) - 1) >> heap->page_shift) + 1;
    for (size_t w = first / WORD_BITS; w * WORD_BITS < end; w++) {
        const size_t base = w * WORD_BITS;
        const uint64_t mine = bits(first > base ? first - base : 0, end - base);
        r->touched[w] |= mine;
        r->stale[w] &= ~mine;
    }
}

/* Give stale pages that are wholly in a free block to the system, mark the
 * others stale. */
static void pages_age(struct heap *heap, char *p, unsigned class)
{
    struct records *const r = records_of(extent_of(p));
    char *const base = p - offset_of(p);
    const size_t page = (size_t)1 << heap->page_shift;
    const size_t first = (offset_of(p) + page - 1) >> heap->page_shift;
    const size_t end = (offset_of(p) + class_bytes(class)) >> heap->page_shift;
    size_t run = 0; /* stale pages before i */
    for (size_t i = first; i <= end; i++) {
        const uint64_t bit = UINT64_C(1) << i % WORD_BITS;
        if (i < end && r->stale[i / WORD_BITS] & bit) {
            r->stale[i / WORD_BITS] &= ~bit;
            r->touched[i / WORD_BITS] &= ~bit;
            run++;
            continue;
        }
        if (i < end && r->touched[i / WORD_BITS] & bit)
            r->stale[i / WORD_BITS] |= bit;
        if (run)
            (void)os_pages_discard(base + ((i - run) << heap->page_shift),
                                   run << heap->page_shift);
        run = 0;
    }
}

static bool is_touched(const struct extent *e)
{
    for (size_t w = 0; w < PAGE_WORDS; w++) {
        if (records_of(e)->touched[w])
            return true;
    }
    return false;
}

static void region_drop(struct heap *heap, struct extent *e)
{
    list_remove(heap, e, 0, TOP_CLASS);
    extent_unlink(heap, e);
    extent_unmap(heap, e);
}

/* Regions without a block that have given all their pages go too. */
static void zone_age(struct heap *heap, struct zone *zone)
{
    for (unsigned class = 2 * (heap->page_shift - FINE_SHIFT); class < CLASSES;
         class ++) {
        for (char *p = zone->free[class], *next; p; p = next) {
            next = links_of(p, class)->next;
            pages_age(heap, p, class);
            struct extent *const e = extent_of(p);
            if (class == TOP_CLASS && !is_touched(e))
                region_drop(heap, e);
        }
    }
}

/* Under the lock. */
static void heap_age(struct heap *heap)
{
    heap->given_bytes = 0;
    const uint64_t now = buddy_now_ms();
    if (now - heap->looked_ms < heap->decay_ms)
        return;
    heap->looked_ms = now;
    for (unsigned z = 0; z < ZONES; z++)
        zone_age(heap, &heap->zone[z]);
}

/* ---- Cutting and joining ---- */

/* Cut a block (i, from), that is in no list, until it is of class `to`; the
 * rest becomes free. */
static void cut(struct heap *heap, struct extent *e, size_t i, unsigned from,
                unsigned to)
{
    if (from == TOP_CLASS && to & 1) { /* 4 = 3 + 1 */
        from = TOP_ODD;
        list_push(heap, e, class_units(e, TOP_ODD), TOP_QUARTER);
    }
    while (from > to) {
        from -= 2;
        list_push(heap, e, i + class_units(e, from), from);
    }
}

/* The buddy of (i, class), a part of a region. */
static inline size_t buddy_of(const struct extent *e, size_t i, unsigned class)
{
    const size_t units = class_units(e, class);
    if (!(class & 1))
        return i ^ units;
    const size_t third = (size_t)1 << __builtin_ctzll(units);
    return i / third / 3 & 1 ? i - units : i + units;
}

/* Join (i, class) with what of its region is free. */
static void put(struct heap *heap, struct extent *e, size_t i, unsigned class)
{
    while (class < TOP_ODD) {
        const size_t buddy = buddy_of(e, i, class);
        if (!is_free(e, buddy, class))
            break;
        list_remove(heap, e, buddy, class);
        i = buddy < i ? buddy : i;
        class += 2;
    }
    const size_t last = class_units(e, TOP_ODD);
    if (class == TOP_ODD && is_free(e, last, TOP_QUARTER)) { /* 3 + 1 = 4 */
        list_remove(heap, e, last, TOP_QUARTER);
        class = TOP_CLASS;
    } else if (class == TOP_QUARTER && i == last && is_free(e, 0, TOP_ODD)) {
        list_remove(heap, e, 0, TOP_ODD);
        class = TOP_CLASS;
        i = 0;
    }
    list_push(heap, e, i, class);
}

/* Unmap every region without a block. */
static void drop_all(struct heap *heap)
{
    for (unsigned z = 0; z < ZONES; z++) {
        while (heap->zone[z].free[TOP_CLASS])
            region_drop(heap, extent_of(heap->zone[z].free[TOP_CLASS]));
    }
}

static bool grow(struct heap *heap, enum zone_name zone)
{
    struct extent *region = extent_map_region(heap, zone);
    if (!region) {
        drop_all(heap);
        region = extent_map_region(heap, zone);
    }
    if (!region)
        return false;
    extent_link(heap, region);
    list_push(heap, region, 0, TOP_CLASS);
    return true;
}

/* ---- The kind's functions ---- */

static char *take_one(struct heap *heap, unsigned class, bool may_grow)
{
    const enum zone_name name = zone_for(class);
    struct zone *const zone = &heap->zone[name];
    const uint64_t fit = (class & 1 ? ODD_WISH : EVEN_WISH) >> class << class;
    if (!(zone->filled & fit) && (!may_grow || !grow(heap, name)))
        return NULL;
    const unsigned from = (unsigned)__builtin_ctzll(zone->filled & fit);
    char *const p = zone->free[from];
    struct extent *const e = extent_of(p);
    const size_t i = offset_of(p) >> e->shift;
    list_remove(heap, e, i, from);
    cut(heap, e, i, from, class);
    *state_at(e, i) = (uint8_t)(class + 1);
    pages_touch(heap, p, class);
    return p;
}

static size_t locked_take(struct heap *heap, unsigned class, size_t n,
                          struct block **list)
{
    size_t taken = 0;
    (void)pthread_mutex_lock(&heap->lock);
    for (; taken < n; taken++) {
        char *const p = take_one(heap, class, taken == 0);
        if (!p)
            break;
        *list = (struct block *)(void *)p;
        list = &(*list)->next;
    }
    (void)pthread_mutex_unlock(&heap->lock);
    if (taken)
        *list = NULL;
    return taken;
}

static void locked_give(struct heap *heap, struct block *list, unsigned class)
{
    (void)pthread_mutex_lock(&heap->lock);
    while (list) {
        struct block *const next = list->next;
        struct extent *const e = extent_of(list);
        const size_t i = offset_of(list) >> e->shift;
        *state_at(e, i) = 0;
        put(heap, e, i, class);
        heap->given_bytes += class_bytes(class);
        list = next;
    }
    if (heap->given_bytes >= GIVEN_BYTES)
        heap_age(heap);
    (void)pthread_mutex_unlock(&heap->lock);
}

/* Nobody waits for the lock: who has it will look. */
static void locked_age(struct heap *heap)
{
    if (pthread_mutex_trylock(&heap->lock))
        return;
    heap_age(heap);
    (void)pthread_mutex_unlock(&heap->lock);
}

/* A block of that class may stand at i. */
static bool may_stand(const struct extent *e, size_t i, unsigned class)
{
    const size_t units = class_units(e, class);
    return class & 1 ? i % units == 0 && i + units <= class_units(e, TOP_ODD)
                     : (i & (units - 1)) == 0;
}

static void locked_trim(struct heap *heap)
{
    (void)pthread_mutex_lock(&heap->lock);
    drop_all(heap);
    (void)pthread_mutex_unlock(&heap->lock);
}

/* Join a taken block with all that follows it, if that is free. */
static bool extend(struct heap *heap, struct extent *e, size_t i, unsigned from,
                   unsigned to)
{
    if (!may_stand(e, i, to))
        return false;
    for (unsigned k = from; k < to; k += 2) {
        if (!is_free(e, i + class_units(e, k), k))
            return false;
    }
    for (unsigned k = from; k < to; k += 2)
        list_remove(heap, e, i + class_units(e, k), k);
    return true;
}

static bool locked_resize(struct heap *heap, char *p, unsigned from,
                          unsigned to)
{
    struct extent *const e = extent_of(p);
    const size_t i = offset_of(p) >> e->shift;
    (void)pthread_mutex_lock(&heap->lock);
    bool done = true;
    if (to < from) /* the parts' buddies are parts too: nothing to join */
        cut(heap, e, i, from, to);
    else
        done = extend(heap, e, i, from, to);
    if (done) {
        *state_at(e, i) = (uint8_t)(to + 1);
        pages_touch(heap, p, to);
    }
    (void)pthread_mutex_unlock(&heap->lock);
    return done;
}

/* ---- The check ---- */

static const char *check_free(struct heap *heap, struct extent *e, size_t i,
                              unsigned class)
{
    const struct links *const links = links_of(unit_at(e, i), class);
    const struct zone *const zone = &heap->zone[e->zone];
    if (links->prev ? links_of(links->prev, class)->next != unit_at(e, i)
                    : zone->free[class] != unit_at(e, i))
        return "a free block is in no list";
    if (class < TOP_ODD && is_free(e, buddy_of(e, i, class), class))
        return "two buddies are both free";
    if (class == TOP_ODD && is_free(e, class_units(e, class), TOP_QUARTER))
        return "three quarters of a region and the last are both free";
    return NULL;
}

static const char *locked_check_region(struct heap *heap, struct extent *e)
{
    size_t i = 0;
    while (i < region_units(e)) {
        const uint8_t state = *state_at(e, i);
        const unsigned class = (state & ~(unsigned)STATE_FREE) - 1U;
        if (class > TOP_CLASS)
            return "no block starts where one ends";
        if (!may_stand(e, i, class))
            return "a block stands where none of its class may";
        for (size_t k = 1; k < class_units(e, class); k++) {
            if (*state_at(e, i + k))
                return "a block starts inside of another";
        }
        const char *const fault =
            state & STATE_FREE ? check_free(heap, e, i, class) : NULL;
        if (fault)
            return fault;
        i += class_units(e, class);
    }
    return NULL;
}

static const char *locked_check_heap(struct heap *heap)
{
    for (unsigned z = 0; z < ZONES; z++) {
        const struct zone *const zone = &heap->zone[z];
        for (unsigned class = 0; class < CLASSES; class ++) {
            const char *prev = NULL;
            for (const char *p = zone->free[class]; p;
                 p = links_of(p, class)->next) {
                if (*state_of(p) != free_state(class))
                    return "a block in a free list is not free, or not of its "
                           "class";
                if (links_of(p, class)->prev != prev)
                    return "a free list is not linked both ways";
                prev = p;
            }
            if (((zone->filled >> class) & 1) != (prev != NULL))
                return "the mask of filled lists is wrong";
        }
    }
    return NULL;
}

const struct buddy_kind buddy_locked = {
    .record_bytes = record_bytes,
    .take = locked_take,
    .give = locked_give,
    .resize = locked_resize,
    .age = locked_age,
    .trim = locked_trim,
    .check_region = locked_check_region,
    .check_heap = locked_check_heap,
};
