/* slab.c - size classes, per-page free lists, a cache for each thread.
 *
 * Address space comes in regions of 4 MiB that stand on a multiple of 4 MiB.
 * A region is 64 slices of 64 KiB; the first holds the region's records, so
 * that nothing of ours stands between blocks:
 *
 *   region  | records |  page  |  page  |       page (8 slices)        | ...
 *                |        ^
 *                +-- struct page: free -> block -> block -> NULL   (owner)
 *                                 remote -> block -> NULL   (other threads)
 *
 * A page is one or more slices cut into blocks of one size class and belongs
 * to the cache of one thread.  Its owner pops and pushes `free` without any
 * atomic instruction; others push onto `remote`, which the owner takes over
 * whole when `free` runs dry.  A page without a free block leaves the owner's
 * queue and is marked FULL in its `remote` word: who frees into it from
 * elsewhere clears the mark and mails the page to its owner, once.  A block of
 * more than 64 KiB has a page, beyond 1 MiB a region, for itself.
 *
 * A thread that leaves vacates its cache, after it gave back the empty pages;
 * the next thread takes it over with all that is in it, so a page never
 * changes its cache.  Free slices keep their memory for one to two decay
 * periods and are then given back, looked at whenever pages come and go.
 *
 * Not detected: double frees, pointers that are not ours.
 *
 * Invariant: of every page, used + |free| = carved <= capacity, and the blocks
 *            of `remote` still count as used; a slice is either free or in
 *            exactly one page; a page is in a queue, in the mail, or FULL.
 *            (slab_check() proves it.)
 *
 * Source: D. Leijen, B. Zorn, L. de Moura, "Mimalloc: Free List Sharding in
 * Action", APLAS 2019 (lists by page); J. Bonwick, "The Slab Allocator",
 * USENIX Summer 1994.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "slab.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "heap_walk.h"
#include "os_pages.h"
#include "size_class.h"

enum {
    REGION_BYTES = 4 << 20,
    SLICE_BYTES = 64 << 10,
    SLICES = REGION_BYTES / SLICE_BYTES,
    SMALL_BYTES = 8 << 10, /* blocks up to this live in pages of a slice */
    MEDIUM_SLICES = 8,     /* of a page for larger classes */
    LARGE_BYTES = 1 << 20, /* blocks beyond this have their own region */
    DIRECT_BYTES = 1024,   /* sizes up to this find their page directly */
    DIRECT = DIRECT_BYTES / SIZE_CLASS_STEP + 1,
    CARVE_BYTES = 4096, /* cut into blocks at a time */
    SEATS_MAX = 4096,   /* threads at once */
    DECAY_MS = 50,
    MAX_ALIGN = 2 << 20,
    CACHE_LINE = 64
};

/* All slices but the one of the records. */
#define ALL_SLICES (~(uint64_t)1)

/* page->remote is one word: the first block in the low 48 bits, how many
 * there are above them, and in bit 0 FULL: nobody but a free from elsewhere
 * will find this page. */
#define FULL     ((uint64_t)1)
#define ONE_MORE ((uint64_t)1 << 48)

/* Of a thread without a seat; no page has it. */
#define NO_TICKET UINT64_MAX

struct block {
    struct block *next;
};

/* The first line is the owner's, the second is shared. */
struct page {
    _Alignas(CACHE_LINE) struct block *free;
    uint32_t used;     /* blocks handed out, those in `remote` included */
    uint32_t carved;   /* blocks that were ever cut off */
    uint32_t capacity; /* blocks that fit */
    uint8_t class;     /* 0: one block of its own size */
    uint8_t slices;    /* 0: no page starts here */
    bool is_zero;      /* one block, whose memory is fresh */
    size_t block_size; /* bytes */
    struct page *next, *prev;
    char *start;

    _Alignas(CACHE_LINE) _Atomic uint64_t owner; /* a ticket; 0 when FULL */
    struct cache *home;                          /* always */
    _Atomic uint64_t remote;                     /* what others freed */
    struct page *mailed;                         /* next in the mail */
};

struct region {
    struct page page[SLICES];
    uint8_t back[SLICES]; /* slices from here to the start of the page */
    uint64_t free;        /* a bit a slice; these three under the heap's lock */
    uint64_t dirty;       /* free, and written since the last look */
    uint64_t stale;       /* free, and written before it */
    bool is_huge;         /* has one block, and none of the above */
    size_t bytes;         /* of the mapping */
    struct region *next, *prev; /* of all regions */
};

struct queue {
    struct page *first, *last;
};

/* One a seat; stands at a multiple of its size. */
struct cache {
    _Alignas(4096) uintptr_t owner; /* 0: vacant; under the heap's lock */
    uint64_t ticket;
    struct page *direct[DIRECT];      /* by size in steps of 16 */
    struct queue queue[SIZE_CLASSES]; /* pages that may have blocks */
    _Atomic(struct page *) mail;      /* were FULL; sent by others */
};

_Static_assert(sizeof(struct cache) == 4096, "a cache is one page");
_Static_assert(sizeof(struct region) <= SLICE_BYTES, "records fit a slice");

struct heap {
    uint64_t serial; /* 1 or more */
    struct os_account account;
    pthread_mutex_t lock;   /* of what follows, up to no_page */
    struct region *regions; /* with free slices first, about */
    struct region *huge;    /* with one block each */
    uint64_t looked_ms;     /* when stale slices were last given back */
    unsigned seats;         /* that were ever taken */
    struct page no_page;    /* has no blocks; stands for "none" */
    struct cache cache[SEATS_MAX];
};

/* Where the thread sits, in the heap that it used last.  Tickets are never
 * used twice in a process, so what is left of a heap that is gone, or of
 * another one, fits no page and no heap. */
struct seating {
    uint64_t heap;   /* its serial number; 0: none */
    uint64_t ticket; /* serial number and seat */
    struct cache *cache;
};

static _Thread_local struct seating mine = {.ticket = NO_TICKET};

/* Heaps that were ever opened: where serial numbers come from. */
static _Atomic uint64_t heaps_opened;

/* Differs between all threads that are alive. */
static inline uintptr_t my_identity(void)
{
    return (uintptr_t)&mine;
}

static inline struct cache *find_cache(const struct heap *heap)
{
    return mine.heap == heap->serial ? mine.cache : NULL;
}

/* ---- regions and slices: under the heap's lock ---- */

static uint64_t slice_bits(unsigned first, unsigned n)
{
    return (((uint64_t)1 << n) - 1) << first;
}

/* A bit i is left when i to i + n - 1 are all set (Warren, Hacker's Delight,
 * 2nd ed., section 6-2). */
static uint64_t runs_of(uint64_t free, unsigned n)
{
    while (n > 1) {
        const unsigned half = n / 2;

        free &= free >> half;
        n -= half;
    }
    return free;
}

static void region_link(struct region **list, struct region *region)
{
    region->prev = NULL;
    region->next = *list;
    if (*list)
        (*list)->prev = region;
    *list = region;
}

static void region_unlink(struct region **list, struct region *region)
{
    if (region->prev)
        region->prev->next = region->next;
    else
        *list = region->next;
    if (region->next)
        region->next->prev = region->prev;
}

static struct region *region_map(struct heap *heap, size_t bytes)
{
    struct region *region = os_pages_reserve(bytes, REGION_BYTES);

    if (!region)
        return NULL;
    if (os_pages_commit(&heap->account, region, bytes)) {
        (void)os_pages_release(&heap->account, region, bytes, 0);
        return NULL;
    }
    region->bytes = bytes;
    return region;
}

static void region_unmap(struct heap *heap, struct region *region)
{
    (void)os_pages_release(&heap->account, region, region->bytes,
                           region->bytes);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void discard(struct region *region)
{
    uint64_t left = region->stale;

    while (left) {
        const unsigned first = (unsigned)__builtin_ctzll(left);
        const uint64_t rest = ~(left >> first);
        const unsigned n = rest ? (unsigned)__builtin_ctzll(rest) : 64 - first;

        (void)os_pages_discard((char *)region + (size_t)first * SLICE_BYTES,
                               (size_t)n * SLICE_BYTES);
        left &= ~slice_bits(first, n);
    }
    region->stale = region->dirty;
    region->dirty = 0;
}

/* Give back what was free for a whole period.  One empty region stays. */
static void decay(struct heap *heap)
{
    const uint64_t now = now_ms();
    bool has_spare = false;

    if (now - heap->looked_ms < DECAY_MS)
        return;
    heap->looked_ms = now;
    for (struct region *r = heap->regions, *next; r; r = next) {
        next = r->next;
        discard(r);
        if (r->free != ALL_SLICES || r->stale)
            continue;
        if (has_spare) {
            region_unlink(&heap->regions, r);
            region_unmap(heap, r);
        }
        has_spare = true;
    }
}

/* Out of address space: give back every empty region at once.  Returns
 * whether there was one. */
static bool release_empty(struct heap *heap)
{
    bool any = false;

    for (struct region *r = heap->regions, *next; r; r = next) {
        next = r->next;
        if (r->free != ALL_SLICES)
            continue;
        region_unlink(&heap->regions, r);
        region_unmap(heap, r);
        any = true;
    }
    return any;
}

/* A region with a run of n free slices, or NULL. */
static struct region *find_run(struct heap *heap, unsigned n, unsigned *first)
{
    for (struct region *r = heap->regions; r; r = r->next) {
        const uint64_t runs = runs_of(r->free, n);

        if (runs) {
            *first = (unsigned)__builtin_ctzll(runs);
            if (r != heap->regions) { /* the next search starts here */
                region_unlink(&heap->regions, r);
                region_link(&heap->regions, r);
            }
            return r;
        }
    }
    struct region *fresh = region_map(heap, REGION_BYTES);
    if (!fresh)
        return NULL;
    fresh->free = ALL_SLICES;
    region_link(&heap->regions, fresh);
    *first = 1;
    return fresh;
}

/* A page of n slices for blocks of that size, with none carved yet. */
static struct page *page_take(struct heap *heap, unsigned n, unsigned class,
                              size_t block_size)
{
    unsigned first;

    pthread_mutex_lock(&heap->lock);
    decay(heap);
    struct region *const region = find_run(heap, n, &first);
    if (!region) {
        pthread_mutex_unlock(&heap->lock);
        return NULL;
    }
    const uint64_t bits = slice_bits(first, n);
    struct page *const page = &region->page[first];

    region->free &= ~bits;
    page->is_zero = class == 0 && !((region->dirty | region->stale) & bits);
    region->dirty &= ~bits;
    region->stale &= ~bits;
    for (unsigned i = 0; i < n; i++)
        region->back[first + i] = (uint8_t)i;
    page->slices = (uint8_t)n;
    pthread_mutex_unlock(&heap->lock);

    page->class = (uint8_t) class;
    page->block_size = block_size;
    page->start = (char *)region + (size_t)first * SLICE_BYTES;
    page->capacity = (uint32_t)((size_t)n * SLICE_BYTES / block_size);
    page->free = NULL;
    page->used = page->carved = 0;
    return page;
}

static struct region *region_of(const void *p)
{
    return (struct region *)((uintptr_t)p & ~(uintptr_t)(REGION_BYTES - 1));
}

static inline struct page *page_of(const void *p)
{
    struct region *const region = region_of(p);
    const size_t slice = ((uintptr_t)p & (REGION_BYTES - 1)) / SLICE_BYTES;

    return &region->page[slice - region->back[slice]];
}

static void page_give(struct heap *heap, struct page *page)
{
    struct region *const region = region_of(page);
    const unsigned first = (unsigned)(page - region->page);

    pthread_mutex_lock(&heap->lock);
    const uint64_t bits = slice_bits(first, page->slices);
    region->free |= bits;
    region->dirty |= bits;
    page->slices = 0;
    decay(heap);
    pthread_mutex_unlock(&heap->lock);
}

/* ---- the queues of a cache: its owner only ---- */

/* The queue's first page changed: so did the page of all sizes that look for
 * it directly. */
static void refresh_direct(struct heap *heap, struct cache *cache,
                           unsigned class)
{
    const size_t bytes = size_class_bytes(class);

    if (bytes > DIRECT_BYTES)
        return;
    struct page *const first = cache->queue[class].first;
    size_t i = class > 1 ? size_class_bytes(class - 1) / 16 + 1 : 0;

    for (; i <= bytes / 16; i++)
        cache->direct[i] = first ? first : &heap->no_page;
}

static void queue_push(struct heap *heap, struct cache *cache,
                       struct page *page)
{
    struct queue *const queue = &cache->queue[page->class];

    page->prev = NULL;
    page->next = queue->first;
    if (queue->first)
        queue->first->prev = page;
    else
        queue->last = page;
    queue->first = page;
    refresh_direct(heap, cache, page->class);
}

/* Behind the others: filled up only when they are. */
static void queue_append(struct heap *heap, struct cache *cache,
                         struct page *page)
{
    struct queue *const queue = &cache->queue[page->class];

    page->next = NULL;
    page->prev = queue->last;
    if (queue->last)
        queue->last->next = page;
    else
        queue->first = page;
    queue->last = page;
    if (queue->first == page)
        refresh_direct(heap, cache, page->class);
}

static void queue_remove(struct heap *heap, struct cache *cache,
                         struct page *page)
{
    struct queue *const queue = &cache->queue[page->class];
    const bool was_first = queue->first == page;

    if (page->prev)
        page->prev->next = page->next;
    else
        queue->first = page->next;
    if (page->next)
        page->next->prev = page->prev;
    else
        queue->last = page->prev;
    if (was_first)
        refresh_direct(heap, cache, page->class);
}

/* ---- pages and what others freed into them ---- */

static inline struct block *remote_first(uint64_t remote)
{
    return (struct block *)(uintptr_t)(remote & (ONE_MORE - 1) & ~FULL);
}

static inline uint32_t remote_count(uint64_t remote)
{
    return (uint32_t)(remote / ONE_MORE);
}

/* Take over what others freed.  The page is not FULL. */
static void page_collect(struct page *page)
{
    if (!atomic_load_explicit(&page->remote, memory_order_relaxed))
        return;
    const uint64_t remote =
        atomic_exchange_explicit(&page->remote, 0, memory_order_acquire);
    struct block *const first = remote_first(remote);

    if (page->free) {
        struct block *last = first;

        while (last->next)
            last = last->next;
        last->next = page->free;
    }
    page->free = first;
    page->used -= remote_count(remote);
}

static void page_carve(struct page *page)
{
    uint32_t n = (uint32_t)(CARVE_BYTES / page->block_size);
    const uint32_t left = page->capacity - page->carved;

    n = n == 0 ? 1 : n;
    n = n < left ? n : left;
    char *p = page->start + (size_t)page->carved * page->block_size;
    struct block **link = &page->free;
    for (uint32_t i = 0; i < n; i++, p += page->block_size) {
        *link = (struct block *)p;
        link = &((struct block *)p)->next;
    }
    *link = NULL;
    page->carved += n;
}

/* Does the page have a free block, now that all was tried? */
static bool page_refill(struct page *page)
{
    if (!page->free)
        page_collect(page);
    if (!page->free && page->carved < page->capacity)
        page_carve(page);
    return page->free != NULL;
}

/* Out of the queue, until something is freed into it.  False if that has
 * happened already. */
static bool page_retire_full(struct heap *heap, struct cache *cache,
                             struct page *page)
{
    uint64_t none = 0;

    atomic_store_explicit(&page->owner, 0, memory_order_relaxed);
    if (!atomic_compare_exchange_strong(&page->remote, &none, FULL)) {
        atomic_store_explicit(&page->owner, cache->ticket,
                              memory_order_relaxed);
        return false;
    }
    queue_remove(heap, cache, page);
    return true;
}

static void page_return(struct heap *heap, struct cache *cache,
                        struct page *page)
{
    atomic_store_explicit(&page->owner, cache->ticket, memory_order_relaxed);
    queue_append(heap, cache, page);
}

static void page_free_empty(struct heap *heap, struct cache *cache,
                            struct page *page)
{
    queue_remove(heap, cache, page);
    page_give(heap, page);
}

/* Pages that were FULL and that others freed into. */
static void read_mail(struct heap *heap, struct cache *cache)
{
    if (!atomic_load_explicit(&cache->mail, memory_order_relaxed))
        return;
    struct page *page =
        atomic_exchange_explicit(&cache->mail, NULL, memory_order_acquire);
    while (page) {
        struct page *const next = page->mailed;

        page_return(heap, cache, page);
        page_collect(page);
        if (page->used == 0)
            page_free_empty(heap, cache, page);
        page = next;
    }
}

/* ---- allocating ---- */

/* The first page of the class with a free block: made if there is none. */
static struct page *find_page(struct heap *heap, struct cache *cache,
                              unsigned class)
{
    struct page *page;

    read_mail(heap, cache);
    while ((page = cache->queue[class].first)) {
        if (page_refill(page))
            return page;
        (void)page_retire_full(heap, cache, page);
    }
    const size_t bytes = size_class_bytes(class);
    page =
        page_take(heap, bytes <= SMALL_BYTES ? 1 : MEDIUM_SLICES, class, bytes);
    if (!page)
        return NULL;
    page->home = cache;
    atomic_store_explicit(&page->remote, 0, memory_order_relaxed);
    atomic_store_explicit(&page->owner, cache->ticket, memory_order_relaxed);
    queue_push(heap, cache, page);
    page_carve(page);
    return page;
}

static inline void *page_pop(struct page *page)
{
    struct block *const block = page->free;

    page->free = block->next;
    page->used++;
    return block;
}

static void *alloc_class(struct heap *heap, struct cache *cache, unsigned class)
{
    struct page *page = cache->queue[class].first;

    if (!page || !page->free)
        page = find_page(heap, cache, class);
    return page ? page_pop(page) : NULL;
}

/* A block that is a page. */
static void *alloc_large(struct heap *heap, size_t size)
{
    const size_t n = (size + SLICE_BYTES - 1) / SLICE_BYTES;
    struct page *page = page_take(heap, (unsigned)n, 0, n * SLICE_BYTES);

    if (!page)
        return NULL;
    page->home = NULL;
    atomic_store_explicit(&page->remote, 0, memory_order_relaxed);
    atomic_store_explicit(&page->owner, 0, memory_order_relaxed);
    page->used = page->carved = 1;
    return page->start;
}

/* A block that has a region; it starts in the region's first 4 MiB. */
static void *alloc_huge(struct heap *heap, size_t size, size_t align)
{
    const size_t offset = align > SLICE_BYTES ? align : SLICE_BYTES;
    const size_t whole = os_pages_round(size ? size : 1);

    if (whole == 0 || whole > PTRDIFF_MAX - REGION_BYTES - offset)
        return NULL;
    struct region *region = region_map(heap, offset + whole);
    if (!region) {
        pthread_mutex_lock(&heap->lock);
        const bool any = release_empty(heap);
        pthread_mutex_unlock(&heap->lock);
        region = any ? region_map(heap, offset + whole) : NULL;
    }
    if (!region)
        return NULL;
    struct page *const page = &region->page[offset / SLICE_BYTES];
    region->is_huge = true;
    page->slices = 1;
    page->is_zero = true;
    page->block_size = whole;
    page->capacity = page->carved = page->used = 1;
    page->start = (char *)region + offset;
    pthread_mutex_lock(&heap->lock);
    region_link(&heap->huge, region);
    pthread_mutex_unlock(&heap->lock);
    return page->start;
}

static struct cache *claim_cache(struct heap *heap);

/* The class whose blocks hold size bytes and are all aligned, or 0.  Pages
 * stand on a slice, so a block is aligned when its size is a multiple. */
static unsigned class_for(size_t size, size_t align)
{
    if (align > SLICE_BYTES || size > SIZE_CLASS_MAX)
        return 0;
    if (align > SIZE_CLASS_STEP)
        size = size ? (size + align - 1) & ~(align - 1) : align;
    if (size > SIZE_CLASS_MAX)
        return 0;
    unsigned class = size_class_of(size);
    if (align > SIZE_CLASS_STEP)
        while (class < SIZE_CLASSES && size_class_bytes(class) & (align - 1))
            class ++;
    return class < SIZE_CLASSES ? class : 0;
}

static void *alloc_any(struct heap *heap, size_t size, size_t align)
{
    if (align > MAX_ALIGN)
        return NULL;
    const unsigned class = class_for(size, align);
    if (class) {
        struct cache *cache = find_cache(heap);

        if (!cache)
            cache = claim_cache(heap);
        return cache ? alloc_class(heap, cache, class) : NULL;
    }
    if (size <= LARGE_BYTES && align <= SLICE_BYTES)
        return alloc_large(heap, size);
    return alloc_huge(heap, size, align);
}

__attribute__((noinline)) static void *alloc_slow(struct heap *heap,
                                                  size_t size, size_t align)
{
    const int saved = errno;
    void *const p = alloc_any(heap, size, align);

    errno = p ? saved : ENOMEM;
    return p;
}

static void *slab_alloc(struct heap *heap, size_t size, size_t align)
{
    if (__builtin_expect(mine.heap != heap->serial, 0) ||
        __builtin_expect(size > DIRECT_BYTES, 0) ||
        __builtin_expect(align > SIZE_CLASS_STEP, 0))
        return alloc_slow(heap, size, align);
    struct page *const page = mine.cache->direct[(size + 15) / 16];

    if (__builtin_expect(!page->free, 0))
        return alloc_slow(heap, size, align);
    return page_pop(page);
}

static void *slab_zalloc(struct heap *heap, size_t size)
{
    void *const p = slab_alloc(heap, size, 0);

    if (p && (size <= SIZE_CLASS_MAX || !page_of(p)->is_zero))
        memset(p, 0, size);
    return p;
}

/* ---- freeing ---- */

static void free_own(struct heap *heap, struct page *page)
{
    struct region *const region = region_of(page);

    if (!region->is_huge) {
        page_give(heap, page);
        return;
    }
    pthread_mutex_lock(&heap->lock);
    region_unlink(&heap->huge, region);
    pthread_mutex_unlock(&heap->lock);
    region_unmap(heap, region);
}

/* By a thread that does not own the page. */
static void free_remote(struct page *page, struct block *block)
{
    uint64_t old = atomic_load_explicit(&page->remote, memory_order_relaxed);
    uint64_t new;

    do {
        block->next = remote_first(old);
        new = (old & ~(ONE_MORE - 1)) + ONE_MORE + (uintptr_t)block;
    } while (!atomic_compare_exchange_weak_explicit(
        &page->remote, &old, new, memory_order_acq_rel, memory_order_relaxed));
    if (!(old & FULL))
        return;
    struct cache *const home = page->home;
    struct page *first =
        atomic_load_explicit(&home->mail, memory_order_relaxed);
    do
        page->mailed = first;
    while (!atomic_compare_exchange_weak_explicit(
        &home->mail, &first, page, memory_order_release, memory_order_relaxed));
}

/* Into a page of the caller's that is FULL, or was a moment ago and is in the
 * mail now. */
static void free_into_full(struct heap *heap, struct cache *cache,
                           struct page *page, struct block *block)
{
    const uint64_t old =
        atomic_fetch_and_explicit(&page->remote, ~FULL, memory_order_acq_rel);

    block->next = page->free;
    page->free = block;
    page->used--;
    if (!(old & FULL))
        return;
    page_return(heap, cache, page);
    if (page->used == 0 && cache->queue[page->class].first != page)
        page_free_empty(heap, cache, page);
}

__attribute__((noinline)) static void
free_slow(struct heap *heap, struct page *page, struct block *block)
{
    struct cache *const cache = find_cache(heap);

    if (page->class == 0)
        free_own(heap, page);
    else if (cache && page->home == cache)
        free_into_full(heap, cache, page, block);
    else
        free_remote(page, block);
}

/* The last page of its class stays: the next block is likely to want it. */
__attribute__((noinline)) static void free_last(struct heap *heap,
                                                struct page *page)
{
    struct cache *const cache = page->home;

    if (cache->queue[page->class].first != cache->queue[page->class].last)
        page_free_empty(heap, cache, page);
}

static void slab_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)size;
    if (__builtin_expect(!p, 0))
        return;
    struct page *const page = page_of(p);
    struct block *const block = p;
    if (__builtin_expect(atomic_load_explicit(
                             &page->owner, memory_order_relaxed) != mine.ticket,
                         0)) {
        free_slow(heap, page, block);
        return;
    }
    block->next = page->free;
    page->free = block;
    if (__builtin_expect(--page->used == 0, 0))
        free_last(heap, page);
}

static size_t slab_usable(struct heap *heap, const void *p, size_t size)
{
    (void)heap;
    (void)size;
    return page_of(p)->block_size;
}

/* The block's region moves, by page tables; nothing is copied.  NULL if that
 * cannot be. */
static void *move_huge(struct heap *heap, struct region *region,
                       struct page *page, size_t new_size)
{
    const size_t offset = (size_t)(page->start - (char *)region);
    const size_t whole = os_pages_round(new_size);

    if (whole == 0 || whole > PTRDIFF_MAX - REGION_BYTES - offset)
        return NULL;
    struct region *const target =
        os_pages_reserve(offset + whole, REGION_BYTES);
    if (!target)
        return NULL;
    pthread_mutex_lock(&heap->lock);
    region_unlink(&heap->huge, region);
    const int err = os_pages_move(&heap->account, region, region->bytes, target,
                                  offset + whole);
    region_link(&heap->huge, err ? region : target);
    pthread_mutex_unlock(&heap->lock);
    if (err) {
        (void)os_pages_release(NULL, target, offset + whole, 0);
        return NULL;
    }
    struct page *const moved = &target->page[page - region->page];
    target->bytes = offset + whole;
    moved->block_size = whole;
    moved->start = (char *)target + offset;
    return moved->start;
}

/* A block stays where it is unless that would waste more than half of it. */
static void *slab_resize(struct heap *heap, void *p, size_t old_size,
                         size_t new_size)
{
    struct page *const page = page_of(p);
    const size_t room = page->block_size;

    if (new_size <= room && (new_size >= room / 2 || room <= 64))
        return p;
    if (region_of(p)->is_huge && new_size > LARGE_BYTES) {
        const int saved = errno;
        void *const moved = move_huge(heap, region_of(p), page, new_size);

        errno = saved;
        if (moved)
            return moved;
    }
    void *const copy = slab_alloc(heap, new_size, 0);
    if (!copy)
        return new_size <= room ? p : NULL;
    memcpy(copy, p, old_size < new_size ? old_size : new_size);
    slab_dealloc(heap, p, old_size);
    return copy;
}

/* ---- threads ---- */

static int cache_make(struct heap *heap, struct cache *cache)
{
    if (cache != heap->cache &&
        os_pages_commit(&heap->account, cache, sizeof *cache))
        return ENOMEM;
    for (unsigned i = 0; i < DIRECT; i++)
        cache->direct[i] = &heap->no_page;
    return 0;
}

/* A vacant seat, or one of a thread that ended without leaving and had my
 * identity, or a new one.  Under the lock. */
static struct cache *claim_locked(struct heap *heap)
{
    unsigned seat = 0;

    while (seat < heap->seats && heap->cache[seat].owner != 0 &&
           heap->cache[seat].owner != my_identity())
        seat++;
    if (seat == SEATS_MAX)
        return NULL;
    struct cache *const cache = &heap->cache[seat];
    if (seat == heap->seats) {
        if (cache_make(heap, cache))
            return NULL;
        cache->ticket = heap->serial * SEATS_MAX + seat;
        heap->seats++;
    }
    cache->owner = my_identity();
    mine = (struct seating){heap->serial, cache->ticket, cache};
    return cache;
}

static struct cache *claim_cache(struct heap *heap)
{
    pthread_mutex_lock(&heap->lock);
    struct cache *const cache = claim_locked(heap);
    pthread_mutex_unlock(&heap->lock);
    return cache;
}

static int slab_enter(struct heap *heap)
{
    return find_cache(heap) || claim_cache(heap) ? 0 : ENOMEM;
}

static void slab_leave(struct heap *heap)
{
    struct cache *const cache = find_cache(heap);

    if (!cache)
        return;
    read_mail(heap, cache);
    for (unsigned class = 1; class < SIZE_CLASSES; class ++) {
        for (struct page *page = cache->queue[class].first, *next; page;
             page = next) {
            next = page->next;
            page_collect(page);
            if (page->used == 0)
                page_free_empty(heap, cache, page);
        }
    }
    mine = (struct seating){.ticket = NO_TICKET};
    pthread_mutex_lock(&heap->lock);
    cache->owner = 0;
    pthread_mutex_unlock(&heap->lock);
}

/* ---- the heap ---- */

/* What of a heap is committed from the start: all up to the first cache's
 * end. */
static size_t head_bytes(void)
{
    return offsetof(struct heap, cache) + sizeof(struct cache);
}

static int slab_open(const struct heap_config *config, struct heap **out)
{
    if (config->threads > SEATS_MAX)
        return EINVAL;
    struct heap *const heap =
        os_pages_reserve(sizeof *heap, sizeof(struct cache));
    if (!heap)
        return errno;
    const int err = os_pages_commit(NULL, heap, head_bytes());
    if (err) {
        (void)os_pages_release(NULL, heap, sizeof *heap, 0);
        return err;
    }
    atomic_store(&heap->account.mapped, os_pages_round(head_bytes()));
    heap->serial = atomic_fetch_add(&heaps_opened, 1) + 1;
    pthread_mutex_init(&heap->lock, NULL);
    heap->looked_ms = now_ms();
    *out = heap;
    return 0;
}

static void slab_close(struct heap *heap)
{
    struct region **const lists[] = {&heap->regions, &heap->huge};

    for (unsigned i = 0; i < 2; i++)
        while (*lists[i]) {
            struct region *const region = *lists[i];

            region_unlink(lists[i], region);
            region_unmap(heap, region);
        }
    pthread_mutex_destroy(&heap->lock);
    (void)os_pages_release(NULL, heap, sizeof *heap, 0);
}

static void count_region(struct region *region, struct heap_report *report)
{
    for (unsigned i = 1; i < SLICES; i++) {
        struct page *const page = &region->page[i];

        if (!page->slices)
            continue;
        const size_t live =
            page->used - remote_count(atomic_load(&page->remote));
        report->live_blocks += live;
        report->live_bytes += live * page->block_size;
    }
}

/* In the child the lock is the forking thread's own. */
static void slab_fork(struct heap *heap, enum fork_phase phase)
{
    if (phase == FORK_BEFORE)
        pthread_mutex_lock(&heap->lock);
    else
        pthread_mutex_unlock(&heap->lock);
}

static int slab_inspect(struct heap *heap, struct heap_report *report)
{
    *report = (struct heap_report){
        .mapped_bytes = atomic_load(&heap->account.mapped),
    };
    pthread_mutex_lock(&heap->lock);
    for (struct region *r = heap->regions; r; r = r->next)
        count_region(r, report);
    for (struct region *r = heap->huge; r; r = r->next)
        count_region(r, report);
    pthread_mutex_unlock(&heap->lock);
    return 0;
}

/* ---- shown to a visitor ---- */

static void show_span(const struct heap_visitor *v, const void *start,
                      size_t bytes, enum span_kind kind, size_t block_bytes)
{
    const struct heap_span span = {start, bytes, kind, block_bytes};

    v->span(v->arg, &span);
}

/* A block is live if it was carved and is on neither list. */
static void show_page(const struct heap_visitor *v, const struct page *page,
                      size_t bytes)
{
    uint64_t listed[SLICE_BYTES / SIZE_CLASS_STEP / 64] = {0};
    const struct block *const list[] = {
        page->free, remote_first(atomic_load(&page->remote))};
    const char *p = page->start;

    for (unsigned i = 0; i < 2; i++)
        for (const struct block *b = list[i]; b; b = b->next) {
            const size_t n = (size_t)((const char *)b - p) / page->block_size;

            listed[n / 64] |= (uint64_t)1 << n % 64;
        }
    show_span(v, p, bytes, SPAN_BLOCKS, page->block_size);
    for (uint32_t i = 0; i < page->capacity; i++, p += page->block_size) {
        const bool is_free = i >= page->carved || listed[i / 64] >> i % 64 & 1;
        const struct heap_block block = {p, page->block_size,
                                         is_free ? BLOCK_FREE : BLOCK_LIVE};

        v->block(v->arg, &block);
    }
}

static void show_region(const struct heap_visitor *v,
                        const struct region *region)
{
    const char *const base = (const char *)region;
    unsigned n;

    show_span(v, base, SLICE_BYTES, SPAN_METADATA, 0);
    for (unsigned i = 1; i < SLICES; i += n) {
        const uint64_t taken = ~(region->free >> i); /* a bit is set: i > 0 */
        const char *const start = base + (size_t)i * SLICE_BYTES;

        n = region->page[i].slices;
        if (n) {
            show_page(v, &region->page[i], (size_t)n * SLICE_BYTES);
            continue;
        }
        n = (unsigned)__builtin_ctzll(taken);
        n = n < SLICES - i ? n : SLICES - i;
        show_span(v, start, (size_t)n * SLICE_BYTES, SPAN_FREE, 0);
    }
}

/* The block, and before it the records and what alignment left over. */
static void show_huge(const struct heap_visitor *v, const struct region *region)
{
    const struct page *page = region->page;

    while (!page->slices)
        page++;
    const size_t before = (size_t)(page->start - (const char *)region);
    show_span(v, region, before, SPAN_METADATA, 0);
    show_page(v, page, region->bytes - before);
}

static int slab_walk(struct heap *heap, const struct heap_visitor *v)
{
    pthread_mutex_lock(&heap->lock);
    const size_t caches = (heap->seats ? heap->seats : 1) * sizeof *heap->cache;
    show_span(v, heap, os_pages_round(offsetof(struct heap, cache) + caches),
              SPAN_METADATA, 0);
    for (const struct region *r = heap->regions; r; r = r->next)
        show_region(v, r);
    for (const struct region *r = heap->huge; r; r = r->next)
        show_huge(v, r);
    pthread_mutex_unlock(&heap->lock);
    return 0;
}

/* ---- the invariant ---- */

static bool is_block_of(const struct page *page, const struct block *block)
{
    const size_t at = (size_t)((const char *)block - page->start);

    return (const char *)block >= page->start && at % page->block_size == 0 &&
           at / page->block_size < page->carved;
}

static const char *check_page(struct page *page)
{
    const uint64_t remote = atomic_load(&page->remote);
    uint32_t n = 0;

    if (page->carved > page->capacity)
        return "a page has more blocks than fit";
    for (struct block *b = page->free; b; b = b->next, n++)
        if (!is_block_of(page, b) || n >= page->carved)
            return "a free list leads out of its page, or around";
    if (page->used + n != page->carved)
        return "used and free blocks are not all that were carved";
    n = 0;
    for (struct block *b = remote_first(remote); b; b = b->next, n++)
        if (!is_block_of(page, b) || n >= page->used)
            return "a remote list leads out of its page, or around";
    if (n != remote_count(remote))
        return "a remote list is not as long as its count";
    if (remote & FULL && (page->free || page->owner || remote != FULL))
        return "a page counts as full and has free blocks";
    return NULL;
}

static const char *check_region(struct region *region)
{
    uint64_t taken = 1;

    for (unsigned i = 1; i < SLICES; i++) {
        struct page *const page = &region->page[i];

        if (!page->slices)
            continue;
        const uint64_t bits = slice_bits(i, page->slices);
        if (taken & bits || region->free & bits)
            return "a slice is in two pages, or in one and free";
        taken |= bits;
        const char *fault = page->class ? check_page(page) : NULL;
        if (fault)
            return fault;
    }
    if ((taken | region->free) != UINT64_MAX)
        return "a slice is lost";
    if ((region->dirty | region->stale) & ~region->free)
        return "a slice in use counts as dirty";
    return NULL;
}

static const char *check_cache(struct heap *heap, struct cache *cache)
{
    for (unsigned class = 1; class < SIZE_CLASSES; class ++) {
        const struct page *prev = NULL;

        for (struct page *p = cache->queue[class].first; p; p = p->next) {
            if (p->prev != prev || p->class != class || p->home != cache ||
                atomic_load(&p->owner) != cache->ticket)
                return "a queue holds a page that does not belong there";
            prev = p;
        }
        if (cache->queue[class].last != prev)
            return "a queue does not end with its last page";
    }
    for (size_t i = 0; i < DIRECT; i++) {
        struct page *const first =
            cache->queue[size_class_of(i * SIZE_CLASS_STEP)].first;

        if (cache->direct[i] != (first ? first : &heap->no_page))
            return "a size leads to a page that is not first in its queue";
    }
    return NULL;
}

const char *slab_check(struct heap *heap)
{
    const char *fault = NULL;

    pthread_mutex_lock(&heap->lock);
    for (struct region *r = heap->regions; r && !fault; r = r->next)
        fault = check_region(r);
    for (unsigned i = 0; i < heap->seats && !fault; i++)
        fault = check_cache(heap, &heap->cache[i]);
    pthread_mutex_unlock(&heap->lock);
    return fault;
}

const struct allocator slab_allocator = {
    .name = "slab",
    .summary = "size classes, free lists by page, a cache a thread",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .max_align = MAX_ALIGN,
    .open = slab_open,
    .close = slab_close,
    .alloc = slab_alloc,
    .zalloc = slab_zalloc,
    .dealloc = slab_dealloc,
    .resize = slab_resize,
    .usable = slab_usable,
    .enter = slab_enter,
    .leave = slab_leave,
    .fork = slab_fork,
    .inspect = slab_inspect,
    .walk = slab_walk,
};
