/* slab_check.c - the slab allocator looked at: counted, shown, verified.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "slab.h"

#include <errno.h>
#include <string.h>

#include "heap_walk.h"
#include "slab_heap.h"
#include "slab_mesh.h"

/* Calls `each` for every page until one returns a fault, which it returns. */
static const char *for_each_page(struct heap *heap,
                                 const char *(*each)(struct heap *,
                                                     struct page *, void *),
                                 void *arg)
{
    const size_t n = heap->regions * SLICES;
    const char *fault = NULL;

    for (size_t i = 0; i < n && !fault; i++)
        if (heap->pages[i].slices)
            fault = each(heap, &heap->pages[i], arg);
    return fault;
}

/* ---- counting ---- */

/* Blocks that others freed still count as used; hardened ones that wait in a
 * quarantine too. */
static const char *count_page(struct heap *heap, struct page *page, void *arg)
{
    struct heap_report *const report = arg;
    const uint64_t remote = atomic_load(&page->remote);
    const size_t live = page->used - slab_remote_count(remote);

    (void)heap;
    report->live_blocks += live;
    report->live_bytes += live * page->block_size;
    return NULL;
}

static void uncount_cache(struct cache *cache, struct heap_report *report)
{
    size_t bytes;

    report->live_blocks -= slab_hard_held(cache, &bytes);
    report->live_bytes -= bytes;
    for (unsigned i = 0; i < OUTBOX; i++) {
        const struct parcel *const parcel = &cache->outbox[i];

        if (!parcel->page)
            continue;
        report->live_blocks -= parcel->count;
        report->live_bytes -= parcel->count * parcel->page->block_size;
    }
}

int slab_inspect(struct heap *heap, struct heap_report *report)
{
    pthread_mutex_lock(&heap->lock);
    *report = (struct heap_report){
        .mapped_bytes = atomic_load(&heap->account.mapped),
    };
    (void)for_each_page(heap, count_page, report);
    for (unsigned i = 0; i < heap->seats; i++)
        uncount_cache(&heap->cache[i], report);
    pthread_mutex_unlock(&heap->lock);
    return 0;
}

/* ---- showing ---- */

enum { BLOCKS_MOST = MEDIUM_SLICES * SLICE_BYTES / SIZE_CLASS_STEP };

/* A state of every block of one page. */
struct states {
    uint8_t of[BLOCKS_MOST];
};

static void mark_list(const struct page *page, const struct block *block,
                      enum block_state state, struct states *states)
{
    for (; block; block = slab_next(page, block))
        states->of[(size_t)((const char *)block - page->start) /
                   page->block_size] = (uint8_t)state;
}

static void mark_outboxes(const struct heap *heap, const struct page *page,
                          struct states *states)
{
    for (unsigned i = 0; i < heap->seats; i++) {
        const struct parcel *const parcel =
            &heap->cache[i].outbox[(size_t)(page - heap->pages) % OUTBOX];
        const struct block *block = parcel->first;

        if (parcel->page != page)
            continue;
        for (uint32_t n = 0; n < parcel->count; n++) {
            states->of[(size_t)((const char *)block - page->start) /
                       page->block_size] = BLOCK_CACHED;
            block = slab_next(page, block);
        }
    }
}

static void find_states(struct heap *heap, struct page *page,
                        struct states *states)
{
    memset(states->of, BLOCK_LIVE, page->carved);
    memset(states->of + page->carved, BLOCK_FREE,
           page->capacity - page->carved);
    mark_list(page, page->free, BLOCK_FREE, states);
    mark_list(page, slab_remote_first(atomic_load(&page->remote)), BLOCK_CACHED,
              states);
    if (page->class)
        mark_outboxes(heap, page, states);
    for (uint32_t i = 0; page->aside && i < page->carved; i++)
        if (mesh_is_aside(page, i))
            states->of[i] = BLOCK_FREE;
}

struct showing {
    const struct heap_visitor *visitor;
    struct states *states;
};

static const char *show_page(struct heap *heap, struct page *page, void *arg)
{
    const struct showing *const s = arg;
    const struct heap_visitor *const v = s->visitor;
    const size_t bytes = slab_is_run(heap, page)
                             ? page->block_size
                             : (size_t)page->slices * SLICE_BYTES;

    v->span(v->arg, &(struct heap_span){page->start, bytes, SPAN_BLOCKS,
                                        page->block_size});
    find_states(heap, page, s->states);
    for (uint32_t i = 0; i < page->capacity; i++)
        v->block(v->arg,
                 &(struct heap_block){page->start + i * page->block_size,
                                      page->block_size,
                                      (enum block_state)s->states->of[i]});
    return NULL;
}

static void show_free(struct heap *heap, const struct heap_visitor *v)
{
    for (size_t r = 0; r < heap->regions; r++) {
        const struct region *const region = &heap->region[r];

        if (!region->is_open || region->run)
            continue;
        for (unsigned i = 0, n; i < SLICES; i += n) {
            for (n = 0; i + n < SLICES && region->free >> (i + n) & 1;)
                n++;
            if (n)
                v->span(v->arg,
                        &(struct heap_span){
                            heap->base + r * REGION_BYTES + i * SLICE_BYTES,
                            (size_t)n * SLICE_BYTES, SPAN_FREE, 0});
            n += n == 0;
        }
    }
}

static void show_records(const struct heap *heap, const struct heap_visitor *v)
{
    const size_t region_bytes =
        os_pages_round(heap->regions * sizeof(struct region));
    const struct heap_span records[] = {
        {heap, os_pages_round(sizeof *heap), SPAN_METADATA, 0},
        {heap->cache, heap->seats * sizeof(struct cache), SPAN_METADATA, 0},
        {heap->pages, heap->regions * SLICES * sizeof(struct page),
         SPAN_METADATA, 0},
        {heap->region, region_bytes, SPAN_METADATA, 0},
    };

    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        if (records[i].bytes)
            v->span(v->arg, &records[i]);
}

int slab_walk(struct heap *heap, const struct heap_visitor *visitor)
{
    struct showing showing = {visitor,
                              os_pages_map(NULL, sizeof(struct states))};

    if (!showing.states)
        return ENOMEM;
    pthread_mutex_lock(&heap->lock);
    (void)for_each_page(heap, show_page, &showing);
    show_free(heap, visitor);
    show_records(heap, visitor);
    pthread_mutex_unlock(&heap->lock);
    (void)os_pages_unmap(NULL, showing.states, sizeof(struct states));
    return 0;
}

/* ---- the invariant ---- */

static bool is_block_of(const struct page *page, const struct block *block)
{
    const size_t at = (size_t)((const char *)block - page->start);

    return (const char *)block >= page->start && at % page->block_size == 0 &&
           at / page->block_size < page->carved;
}

static const char *check_lists(const struct page *page)
{
    const uint64_t remote = atomic_load(&page->remote);
    uint32_t n = 0;

    for (struct block *b = page->free; b; b = slab_next(page, b), n++)
        if (!is_block_of(page, b) || n >= page->carved || b->tag != page)
            return "a free list leads out of its page, or around";
    if (page->used + n + page->aside != page->carved)
        return "used and free blocks are not all that were carved";
    n = 0;
    for (struct block *b = slab_remote_first(remote); b;
         b = slab_next(page, b), n++)
        if (!is_block_of(page, b) || n >= page->used)
            return "a remote list leads out of its page, or around";
    if (n != slab_remote_count(remote))
        return "a remote list is not as long as its count";
    return NULL;
}

static const char *check_page(struct heap *heap, struct page *page, void *arg)
{
    const uint64_t remote = atomic_load(&page->remote);
    uint64_t *const taken = arg;
    const size_t slice = (size_t)(page - heap->pages);

    if (!slab_is_run(heap, page))
        for (unsigned i = 0; i < page->slices; i++) {
            if (taken[slice / SLICES] >> (slice % SLICES + i) & 1 ||
                page[i].back != i)
                return "a slice is in two pages";
            taken[slice / SLICES] |= (uint64_t)1 << (slice % SLICES + i);
        }
    if (page->class == 0)
        return page->used == 1 ? NULL : "a block alone is not used";
    if (page->carved > page->capacity)
        return "a page has more blocks than fit";
    if (remote & FULL &&
        (page->free || atomic_load(&page->owner) || remote != FULL))
        return "a page counts as full and has free blocks";
    return check_lists(page);
}

static const char *check_regions(struct heap *heap, const uint64_t *taken)
{
    for (size_t r = 0; r < heap->regions; r++) {
        const struct region *const region = &heap->region[r];

        if (!region->is_open || region->run)
            continue;
        if (region->free & taken[r] || ~(region->free | taken[r]))
            return "a slice is in a page and free, or lost";
        if ((region->dirty | region->stale) & ~region->free)
            return "a slice in use counts as dirty";
    }
    return NULL;
}

static const char *check_cache(struct heap *heap, struct cache *cache)
{
    for (unsigned class = 1; class < slab_classes(heap); class ++) {
        const struct page *prev = NULL;

        for (struct page *p = cache->queue[class].first; p; p = p->next) {
            if (p->prev != prev || p->class != class || p->home != cache ||
                atomic_load(&p->owner) != cache)
                return "a queue holds a page that does not belong there";
            prev = p;
        }
        if (cache->queue[class].last != prev)
            return "a queue does not end with its last page";
    }
    for (size_t i = 0; i < DIRECT; i++) {
        const unsigned class =
            size_class_spaced(i * SIZE_CLASS_STEP, heap->options.spacing);
        const struct page *const first = cache->queue[class].first;
        const bool has_page = first && !heap->options.is_hardened;

        if (cache->direct[i] != (has_page ? first : &slab_no_page))
            return "a size leads to a page that is not first in its queue";
    }
    return NULL;
}

const char *slab_check(struct heap *heap)
{
    pthread_mutex_lock(&heap->lock);
    const size_t bytes = heap->regions * sizeof(uint64_t) + 1;
    uint64_t *const taken = os_pages_map(NULL, bytes);
    const char *fault = taken ? for_each_page(heap, check_page, taken)
                              : "no memory to check with";

    if (!fault)
        fault = check_regions(heap, taken);
    for (unsigned i = 0; i < heap->seats && !fault; i++)
        fault = check_cache(heap, &heap->cache[i]);
    if (!fault && heap->mesh)
        fault = mesh_check(heap);
    pthread_mutex_unlock(&heap->lock);
    (void)os_pages_unmap(NULL, taken, bytes);
    return fault;
}
