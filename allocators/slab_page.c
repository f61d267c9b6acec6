/* slab_page.c - the slab allocator's pages: cut, queued, refilled, sent.
 *
 *   owner:  malloc pops, free pushes      page->free
 *   others: gather a parcel a page   -->  page->remote, one word: taken over
 *                                         whole when `free` runs dry
 *
 * A page without a free block leaves its queue and is marked FULL in `remote`:
 * who sends a parcel into it clears the mark and mails the page to its owner,
 * once.
 *
 * A free of somebody else's block costs no atomic instruction until its
 * parcel goes: when another page wants its place in the outbox, when the
 * outbox holds options.batch bytes, or when its thread leaves.
 *
 * Invariant: used + |free| + aside = carved <= capacity; the blocks of
 *            `remote` and of parcels still count as used.
 *
 * Source: P. Liétar et al., "snmalloc: A Message Passing Allocator", ISMM 2019
 * (gathered frees).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "slab_heap.h"
#include "slab_mesh.h"

enum {
    /* From so many regions on the heap is large, and a fresh page is likely to
     * be used whole: its memory comes at once, not by a fault each 4 KiB. */
    POPULATE_REGIONS = 8,
    CHOICES = 4 /* pages that are looked at for the next to allocate from */
};

/* ---- queues ---- */

/* The queue's first page changed: so did the page of all sizes that look for
 * it directly. */
static void refresh_direct(const struct heap *heap, struct cache *cache,
                           unsigned class)
{
    const size_t bytes = slab_class_bytes(heap, class);

    if (bytes > DIRECT_BYTES || heap->options.is_hardened)
        return;
    const struct page *const first = cache->queue[class].first;
    size_t i = class > 1 ? slab_class_bytes(heap, class - 1) / 16 + 1 : 0;

    for (; i <= bytes / 16; i++)
        cache->direct[i] = (struct page *)(first ? first : &slab_no_page);
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

/* Behind the others: when its turn comes, more of it will be free. */
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

/* ---- free blocks of a page ---- */

void slab_collect(struct page *page)
{
    if (!atomic_load_explicit(&page->remote, memory_order_relaxed))
        return;
    const uint64_t remote =
        atomic_exchange_explicit(&page->remote, 0, memory_order_acquire);
    struct block *const first = slab_remote_first(remote);

    if (page->free) {
        struct block *last = first;

        while (slab_next(page, last))
            last = slab_next(page, last);
        slab_link(page, last, page->free);
    }
    page->free = first;
    page->used -= slab_remote_count(remote);
}

static void carve(const struct heap *heap, struct page *page)
{
    uint32_t n = (uint32_t)(heap->options.carve / page->block_size);
    const uint32_t left = page->capacity - page->carved;

    n = n == 0 ? 1 : n;
    n = n < left ? n : left;
    char *const first = page->start + (size_t)page->carved * page->block_size;
    char *p = first + (n - 1) * page->block_size;
    struct block *next = NULL;
    for (uint32_t i = 0; i < n; i++, p -= page->block_size) {
        slab_link(page, (struct block *)p, next);
        ((struct block *)p)->tag = page;
        next = (struct block *)p;
    }
    page->free = (struct block *)first;
    page->carved += n;
}

/* Does the page have a free block, now that all was tried? */
static bool refill(const struct heap *heap, struct page *page)
{
    if (!page->free)
        slab_collect(page);
    if (!page->free && page->aside)
        mesh_recall(heap, page);
    if (!page->free && page->carved < page->capacity)
        carve(heap, page);
    return page->free != NULL;
}

/* ---- full pages and the mail ---- */

/* Out of the queue, until something is freed into it.  False if that has
 * happened already. */
static bool retire_full(struct heap *heap, struct cache *cache,
                        struct page *page)
{
    uint64_t none = 0;

    atomic_store_explicit(&page->owner, NULL, memory_order_relaxed);
    if (!atomic_compare_exchange_strong(&page->remote, &none, FULL)) {
        atomic_store_explicit(&page->owner, cache, memory_order_relaxed);
        return false;
    }
    queue_remove(heap, cache, page);
    return true;
}

static void page_return(struct heap *heap, struct cache *cache,
                        struct page *page)
{
    atomic_store_explicit(&page->owner, cache, memory_order_relaxed);
    queue_append(heap, cache, page);
}

void slab_free_page(struct heap *heap, struct cache *cache, struct page *page)
{
    queue_remove(heap, cache, page);
    atomic_store_explicit(&page->owner, NULL, memory_order_relaxed);
    page->magic = 0;
    if (page->meshed)
        mesh_dissolve(heap, page);
    if (heap->options.is_hardened)
        slab_hard_unguard(page);
    pthread_mutex_lock(&heap->lock);
    slab_give_slices(heap, page);
    pthread_mutex_unlock(&heap->lock);
}

void slab_read_mail(struct heap *heap, struct cache *cache)
{
    if (!atomic_load_explicit(&cache->mail, memory_order_relaxed))
        return;
    struct page *page =
        atomic_exchange_explicit(&cache->mail, NULL, memory_order_acquire);
    while (page) {
        struct page *const next = page->mailed;

        page_return(heap, cache, page);
        slab_collect(page);
        if (page->used == 0)
            slab_free_page(heap, cache, page);
        page = next;
    }
}

void slab_free_idle(struct heap *heap, struct cache *cache)
{
    slab_read_mail(heap, cache);
    for (unsigned class = 1; class < slab_classes(heap); class ++)
        for (struct page *page = cache->queue[class].first, *next; page;
             page = next) {
            next = page->next;
            slab_collect(page);
            if (page->used == 0)
                slab_free_page(heap, cache, page);
        }
}

void slab_free_into_full(struct heap *heap, struct cache *cache,
                         struct page *page, struct block *block)
{
    const uint64_t old =
        atomic_fetch_and_explicit(&page->remote, ~FULL, memory_order_acq_rel);

    slab_link(page, block, page->free);
    page->free = block;
    page->used--;
    if (!(old & FULL))
        return;
    page_return(heap, cache, page);
    if (page->used == 0 && cache->queue[page->class].first != page)
        slab_free_page(heap, cache, page);
}

/* ---- what is freed by others ---- */

static void mail_page(struct page *page)
{
    struct cache *const home = page->home;
    struct page *first =
        atomic_load_explicit(&home->mail, memory_order_relaxed);

    do
        page->mailed = first;
    while (!atomic_compare_exchange_weak_explicit(
        &home->mail, &first, page, memory_order_release, memory_order_relaxed));
}

static void send(const struct parcel *parcel)
{
    struct page *const page = parcel->page;
    uint64_t old = atomic_load_explicit(&page->remote, memory_order_relaxed);
    uint64_t new;

    do {
        slab_link(page, parcel->last, slab_remote_first(old));
        new = (old & ~(ONE_MORE - 1)) + parcel->count *ONE_MORE +
              (uintptr_t)parcel->first;
    } while (!atomic_compare_exchange_weak_explicit(
        &page->remote, &old, new, memory_order_acq_rel, memory_order_relaxed));
    if (old & FULL)
        mail_page(page);
}

void slab_send_outbox(struct cache *cache)
{
    for (unsigned i = 0; i < OUTBOX; i++) {
        if (!cache->outbox[i].page)
            continue;
        send(&cache->outbox[i]);
        cache->outbox[i].page = NULL;
    }
    cache->outbox_room = cache->heap->options.batch;
}

void slab_free_remote(struct heap *heap, struct cache *cache, struct page *page,
                      struct block *block)
{
    const struct parcel fresh = {page, block, block, 1};

    if (!cache || heap->options.batch < page->block_size) {
        send(&fresh);
        return;
    }
    if (cache->outbox_room < page->block_size)
        slab_send_outbox(cache);
    struct parcel *const parcel =
        &cache->outbox[(size_t)(page - heap->pages) % OUTBOX];
    if (parcel->page == page) {
        slab_link(page, block, parcel->first);
        parcel->first = block;
        parcel->count++;
    } else {
        if (parcel->page) {
            cache->outbox_room += parcel->count * parcel->page->block_size;
            send(parcel);
        }
        *parcel = fresh;
    }
    cache->outbox_room -= page->block_size;
}

/* ---- pages for a class ---- */

static struct page *make_page(struct heap *heap, struct cache *cache,
                              unsigned class)
{
    const size_t bytes = slab_class_bytes(heap, class);
    const size_t guard = heap->options.is_hardened ? os_page_size() : 0;

    pthread_mutex_lock(&heap->lock);
    struct page *const page =
        slab_take_slices(heap, bytes <= SMALL_BYTES ? 1 : MEDIUM_SLICES);
    const bool is_large = heap->regions >= POPULATE_REGIONS;
    pthread_mutex_unlock(&heap->lock);
    if (!page)
        return NULL;
    if (is_large && page->is_zero && page->slices == 1)
        os_pages_populate(page->start, SLICE_BYTES);
    page->class = (uint8_t) class;
    page->block_size = bytes;
    page->magic = UINT64_MAX / bytes + 1;
    page->capacity = (uint32_t)((page->slices * SLICE_BYTES - guard) / bytes);
    page->free = NULL;
    page->used = page->carved = page->aside = 0;
    page->home = cache;
    page->code = 0;
    if (heap->options.is_hardened) {
        page->code = slab_hard_code(page);
        slab_hard_guard(page);
    }
    atomic_store_explicit(&page->remote, 0, memory_order_relaxed);
    atomic_store_explicit(&page->owner, cache, memory_order_relaxed);
    queue_push(heap, cache, page);
    carve(heap, page);
    return page;
}

/* With so few free blocks a page is not worth being chosen. */
static bool is_nearly_full(const struct page *page)
{
    return page->used > page->capacity - page->capacity / 8;
}

/* Bring the fullest of the next few pages to the front, and the others behind
 * all: so full pages are filled up, and sparse ones have the time to become
 * empty.  Where pages are nearly full, the one that waited longest has most
 * blocks, and order stays as it is. */
static void choose_first(struct heap *heap, struct cache *cache, unsigned class)
{
    struct queue *const queue = &cache->queue[class];
    struct page *best = queue->first;

    for (unsigned i = 1; i < CHOICES && best && best->next; i++) {
        struct page *const other = best->next;

        if (is_nearly_full(best))
            return;
        const bool is_better =
            other->used > best->used && !is_nearly_full(other);
        struct page *const loser = is_better ? best : other;
        best = is_better ? other : best;
        queue_remove(heap, cache, loser);
        queue_append(heap, cache, loser);
    }
}

struct page *slab_find_page(struct heap *heap, struct cache *cache,
                            unsigned class)
{
    struct page *page;

    slab_read_mail(heap, cache);
    if (heap->mesh)
        mesh_tick(heap, cache);
    while ((page = cache->queue[class].first)) {
        if (refill(heap, page))
            return page;
        (void)retire_full(heap, cache, page);
        choose_first(heap, cache, class);
    }
    return make_page(heap, cache, class);
}
