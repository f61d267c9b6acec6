/* slab.c - size classes, per-page free lists, a cache for each thread.
 *
 *   range   |  page  |  page  |     page (8 slices)     | huge block ...
 *               ^
 *   pages[]     +-- struct page: free -> block -> block    (its owner's)
 *                                remote -> block -> block  (from others)
 *
 * A page is one or more slices of 64 KiB cut into blocks of one size class,
 * and belongs to the cache of one thread.  Its owner pops and pushes `free`
 * without any atomic instruction; what others free comes in parcels through
 * `remote` (slab_page.c).  A block of more than 64 KiB has a page for itself,
 * beyond 2 MiB regions (slab_range.c).  All records lie apart from the blocks.
 *
 * Every free checks its pointer: it must lie in the range, at the start of a
 * block (one multiplication by the page's magic), and not be tagged as free.
 * What fails goes the slow way, which finds out exactly and says so.
 *
 * A thread that leaves vacates its cache, after it gave back the empty pages;
 * the next thread takes it over with all that is in it, so a page never
 * changes its cache.
 *
 * Not detected: a double free of a block whose second word was overwritten in
 * between or that was handed out again, and a free of an address where a
 * block would begin that never was handed out.  mode=hardened (slab_hard.c)
 * finds more; mesh=on (slab_mesh.c) gives back memory that fragmentation holds.
 *
 * Invariant: of every page, used + |free| + aside = carved <= capacity; a page
 *            is in a queue, in the mail, or FULL.  (slab_check() proves it.)
 *
 * Source: D. Leijen, B. Zorn, L. de Moura, "Mimalloc: Free List Sharding in
 * Action", APLAS 2019 (lists by page); J. Bonwick, "The Slab Allocator",
 * USENIX Summer 1994; D. Lemire, O. Kaser, N. Kurz, "Faster Remainder by
 * Direct Computation", Software: Practice and Experience 49(6), 2019 (the
 * multiplication).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "slab.h"

#include <errno.h>
#include <string.h>

#include "misuse.h"
#include "slab_heap.h"
#include "slab_mesh.h"

#define NEVER_MS (UINT64_MAX / 2) /* no clock gets there */

enum {
    SLOW_CALLS = 128, /* between two looks at the clock */
    KEPT_BYTES = 1024 /* of the largest blocks whose last page stays */
};
enum {
    KNOB_CLASSES,
    KNOB_CARVE,
    KNOB_BATCH,
    KNOB_DECAY,
    KNOB_HUGE_PAGES,
    KNOB_MODE,
    KNOB_QUARANTINE,
    KNOB_MESH
};

static const char *const classes_names[] = {"2", "4", "8", "16", NULL};
static const char *const switch_names[] = {"off", "on", NULL};
static const char *const mode_names[] = {"fast", "hardened", NULL};

/* clang-format off */
static const struct knob slab_knobs[] = {
[KNOB_CLASSES] = {"classes", "1", 2, 0, 3,
    "size classes a doubling", classes_names},
[KNOB_CARVE] = {"carve", "bytes", 4096, 16, 65536,
    "cut into blocks at a time, when a page runs dry", NULL},
[KNOB_BATCH] = {"batch", "bytes", 16384, 0, 1 << 20,
    "freed blocks of other threads gathered before they are sent", NULL},
[KNOB_DECAY] = {"decay", "ms", 50, 0, 1e9,
    "free slices keep their memory for one to two such periods", NULL},
[KNOB_HUGE_PAGES] = {"huge-pages", "1", 0, 0, 1,
    "ask the kernel for huge pages", switch_names},
[KNOB_MODE] = {"mode", "1", 0, 0, 1,
    "hardened: canaries, quarantine, guard pages, encoded links", mode_names},
[KNOB_QUARANTINE] = {"quarantine", "bytes", 256 << 10, 0, 1 << 30,
    "of freed blocks a thread, in mode hardened", NULL},
[KNOB_MESH] = {"mesh", "1", 0, 0, 1,
    "let pages whose live blocks do not overlap share memory", switch_names},
{.name = NULL},
};
/* clang-format on */

/* Where the thread sits, in the heap that it used last.  Serial numbers are
 * never used twice in a process, so what is left of a heap that is gone, or of
 * another one, fits no heap. */
struct seating {
    uint64_t heap; /* its serial number; 0: none */
    struct cache *cache;
};

const struct page slab_no_page;

#define NONE_5                                                                 \
    (struct page *)&slab_no_page, (struct page *)&slab_no_page,                \
        (struct page *)&slab_no_page, (struct page *)&slab_no_page,            \
        (struct page *)&slab_no_page
#define NONE_13                                                                \
    NONE_5, NONE_5, (struct page *)&slab_no_page,                              \
        (struct page *)&slab_no_page, (struct page *)&slab_no_page

/* Of a thread without a seat: it has no block, and no free is simple. */
static const struct cache no_cache = {
    .direct = {NONE_13, NONE_13, NONE_13, NONE_13, NONE_13}};

_Static_assert(DIRECT == 5 * 13, "all of no_cache's sizes lead nowhere");

static _Thread_local struct seating mine = {.cache = (struct cache *)&no_cache};

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

static struct cache *claim_cache(struct heap *heap);

/* ---- the paths that are taken most ---- */

static inline void *pop_direct(struct cache *cache, size_t size)
{
    struct page *const page = cache->direct[(size + 15) / 16];
    struct block *const block = page->free;

    if (unlikely(!block))
        return NULL;
    page->free = (struct block *)block->next;
    page->used++;
    block->tag = NULL;
    return block;
}

/* The last page of its class stays, since the next block is likely to want it;
 * but not one of large blocks, whose memory other classes can use meanwhile:
 * a small heap would be mostly such pages. */
__attribute__((noinline)) static void free_last(struct page *page)
{
    struct cache *const cache = page->home;
    const struct queue *const queue = &cache->queue[page->class];

    if (queue->first != queue->last || page->block_size > KEPT_BYTES)
        slab_free_page(cache->heap, cache, page);
}

/* Into the parcel of its page, if there is one with room.  That there is says
 * that the page is somebody else's, and in use. */
static inline bool push_others(struct cache *cache, struct page *page,
                               struct block *block)
{
    struct parcel *const parcel =
        &cache->outbox[(size_t)(page - cache->pages) % OUTBOX];

    if (parcel->page != page || cache->outbox_room < page->block_size)
        return false;
    cache->outbox_room -= page->block_size;
    block->tag = page;
    block->next = (uintptr_t)parcel->first;
    parcel->first = block;
    parcel->count++;
    return true;
}

/* False if it takes more than this. */
static inline bool push_own(struct cache *cache, void *p)
{
    const size_t at = (uintptr_t)p - (uintptr_t)cache->base;
    struct block *const block = p;

    if (unlikely(at >= cache->bytes))
        return false;
    struct page *const page = &cache->pages[at / SLICE_BYTES];
    if (unlikely((uint16_t)at * page->magic >= page->magic))
        return false;
    if (unlikely(block->tag == page))
        return false;
    if (unlikely(atomic_load_explicit(&page->owner, memory_order_relaxed) !=
                 cache))
        return push_others(cache, page, block);
    block->tag = page;
    block->next = (uintptr_t)page->free;
    page->free = block;
    if (unlikely(--page->used == 0))
        free_last(page);
    return true;
}

/* ---- allocating ---- */

/* The class whose blocks hold size bytes and are all aligned, or 0.  Pages
 * stand on a slice, so a block is aligned when its size is a multiple. */
static unsigned class_for(const struct heap *heap, size_t size, size_t align)
{
    const unsigned spacing = heap->options.spacing;

    if (align > SLICE_BYTES || size > CLASS_BYTES)
        return 0;
    if (align > SIZE_CLASS_STEP)
        size = size ? (size + align - 1) & ~(align - 1) : align;
    if (size > CLASS_BYTES)
        return 0;
    unsigned class = size_class_spaced(size, spacing);
    if (align > SIZE_CLASS_STEP)
        while (class < slab_classes(heap) &&
               size_class_bytes_spaced(class, spacing) & (align - 1))
            class ++;
    return class < slab_classes(heap) ? class : 0;
}

static void *alloc_class(struct heap *heap, struct cache *cache, unsigned class)
{
    struct page *page = cache->queue[class].first;

    if (!page || !page->free)
        page = slab_find_page(heap, cache, class);
    if (!page)
        return NULL;
    struct block *const block = page->free;
    page->free = slab_next(page, block);
    page->used++;
    block->tag = NULL;
    return block;
}

/* A block that is a page, or a run of regions. */
static void *alloc_alone(struct heap *heap, size_t size, size_t align)
{
    const size_t whole = os_pages_round(size ? size : 1);
    struct page *page;

    if (whole == 0 || whole > PTRDIFF_MAX)
        return NULL;
    pthread_mutex_lock(&heap->lock);
    if (whole <= LARGE_BYTES && align <= SLICE_BYTES) {
        const size_t n = (whole + SLICE_BYTES - 1) / SLICE_BYTES;

        page = slab_take_slices(heap, (unsigned)n);
        if (page)
            page->block_size = n * SLICE_BYTES;
    } else {
        page = slab_take_run(heap, whole);
    }
    pthread_mutex_unlock(&heap->lock);
    if (!page)
        return NULL;
    page->class = 0;
    page->magic = 0;
    page->home = NULL;
    atomic_store_explicit(&page->remote, 0, memory_order_relaxed);
    atomic_store_explicit(&page->owner, NULL, memory_order_relaxed);
    page->free = NULL;
    page->aside = 0;
    page->capacity = page->used = page->carved = 1;
    return page->start;
}

void *slab_alloc_plain(struct heap *heap, struct cache *cache, size_t size,
                       size_t align)
{
    const unsigned class = class_for(heap, size, align);

    return class ? alloc_class(heap, cache, class)
                 : alloc_alone(heap, size, align);
}

/* Work so light that no page comes or goes must not keep memory from decay.
 * Who is in the heap looks already. */
static void tick(struct heap *heap, struct cache *cache)
{
    if (++cache->slow_calls % SLOW_CALLS)
        return;
    const uint64_t now = slab_now_ms();
    if (now < cache->due_ms)
        return;
    cache->due_ms = now + heap->options.decay_ms;
    slab_free_idle(heap, cache);
    if (pthread_mutex_trylock(&heap->lock))
        return;
    slab_decay(heap);
    pthread_mutex_unlock(&heap->lock);
}

__attribute__((noinline)) static void *alloc_slow(struct heap *heap,
                                                  size_t size, size_t align)
{
    const int saved = errno;
    struct cache *cache = find_cache(heap);
    void *p = NULL;

    if (!cache)
        cache = claim_cache(heap);
    if (cache)
        tick(heap, cache);
    if (cache && align <= MAX_ALIGN)
        p = heap->options.is_hardened
                ? slab_hard_alloc(heap, cache, size, align)
                : slab_alloc_plain(heap, cache, size, align);
    errno = p ? saved : ENOMEM;
    return p;
}

static void *slab_alloc(struct heap *heap, size_t size, size_t align)
{
    void *p;

    if (unlikely(mine.heap != heap->serial) || unlikely(size > DIRECT_BYTES) ||
        unlikely(align > SIZE_CLASS_STEP) ||
        unlikely(!(p = pop_direct(mine.cache, size))))
        return alloc_slow(heap, size, align);
    return p;
}

static void *slab_zalloc(struct heap *heap, size_t size)
{
    void *const p = slab_alloc(heap, size, 0);

    if (p && (size <= CLASS_BYTES || heap->options.is_hardened ||
              !slab_page_at(heap, p)->is_zero))
        memset(p, 0, size);
    return p;
}

/* ---- freeing ---- */

static bool is_in_list(const struct page *page, const struct block *list,
                       const struct block *block)
{
    while (list && list != block)
        list = slab_next(page, list);
    return list != NULL;
}

/* The owner's own look is exact.  Elsewhere the tag has to do: it is an
 * address that no program is ever given. */
static bool is_free_already(const struct page *page, const struct cache *cache,
                            const struct block *block)
{
    if (block->tag != page)
        return false;
    if (cache != page->home)
        return true;
    return is_in_list(page, page->free, block) ||
           is_in_list(page, slab_remote_first(atomic_load(&page->remote)),
                      block);
}

/* What only the owner can see without a race. */
static void check_own_block(const struct page *page, const void *p,
                            uint32_t block)
{
    if (block >= page->carved)
        misuse_abort("slab", "free of what never was a block", p);
    if (mesh_is_aside(page, block))
        misuse_abort("slab", "double free", p);
}

/* The page whose live block p is, or an end with a line. */
static struct page *check_pointer(const struct heap *heap,
                                  const struct cache *cache, const void *p)
{
    struct page *const page = slab_page_at(heap, p);

    if (!page)
        misuse_abort("slab", "free of what is no block (foreign, or freed)", p);
    const size_t at = (size_t)((const char *)p - page->start);
    if (page->class == 0 ? at != 0 : at % page->block_size != 0)
        misuse_abort("slab", "free of an address inside a block", p);
    if (page->class && is_free_already(page, cache, p))
        misuse_abort("slab", "double free", p);
    if (page->class && cache == page->home)
        check_own_block(page, p, (uint32_t)(at / page->block_size));
    return page;
}

static void free_alone(struct heap *heap, struct page *page)
{
    pthread_mutex_lock(&heap->lock);
    if (slab_is_run(heap, page))
        slab_give_run(heap, page);
    else
        slab_give_slices(heap, page);
    pthread_mutex_unlock(&heap->lock);
}

void slab_free_plain(struct heap *heap, struct cache *cache, struct page *page,
                     void *p)
{
    struct block *const block = p;

    if (page->class == 0) {
        free_alone(heap, page);
        return;
    }
    block->tag = page;
    if (!cache || page->home != cache) {
        slab_free_remote(heap, cache, page, block);
        return;
    }
    if (!atomic_load_explicit(&page->owner, memory_order_relaxed)) {
        slab_free_into_full(heap, cache, page, block);
        return;
    }
    slab_link(page, block, page->free);
    page->free = block;
    if (--page->used == 0)
        free_last(page);
}

__attribute__((noinline)) static void free_slow(struct heap *heap, void *p)
{
    struct cache *const cache = find_cache(heap);

    if (!p)
        return;
    const int saved = errno;
    struct page *const page = check_pointer(heap, cache, p);

    if (heap->options.is_hardened)
        slab_hard_free(heap, cache, page, p);
    else
        slab_free_plain(heap, cache, page, p);
    if (cache)
        tick(heap, cache);
    if (heap->mesh && cache)
        mesh_tick(heap, cache);
    errno = saved;
}

static void slab_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)size;
    if (unlikely(mine.heap != heap->serial) ||
        unlikely(!push_own(mine.cache, p)))
        free_slow(heap, p);
}

static size_t slab_usable(struct heap *heap, const void *p, size_t size)
{
    const struct page *const page = check_pointer(heap, NULL, p);

    (void)size;
    return heap->options.is_hardened ? slab_hard_usable(page, p)
                                     : page->block_size;
}

/* ---- resizing ---- */

/* A huge block stays huge: pages move, nothing is copied.  NULL if that
 * cannot be. */
static void *resize_run(struct heap *heap, struct page *page, size_t new_size)
{
    const size_t whole = os_pages_round(new_size);

    if (whole == 0 || whole > PTRDIFF_MAX)
        return NULL;
    pthread_mutex_lock(&heap->lock);
    struct page *const moved = slab_resize_run(heap, page, whole);
    pthread_mutex_unlock(&heap->lock);
    if (!moved)
        return NULL;
    moved->class = 0;
    moved->magic = 0;
    moved->home = NULL;
    moved->capacity = moved->used = moved->carved = 1;
    return moved->start;
}

static void *resize_by_copy(struct heap *heap, void *p, size_t old_size,
                            size_t new_size)
{
    void *const copy = slab_alloc(heap, new_size, 0);

    if (!copy)
        return NULL;
    memcpy(copy, p, old_size < new_size ? old_size : new_size);
    slab_dealloc(heap, p, old_size);
    return copy;
}

/* A block stays where it is unless that would waste more than half of it. */
static void *slab_resize(struct heap *heap, void *p, size_t old_size,
                         size_t new_size)
{
    struct page *const page = check_pointer(heap, NULL, p);
    const size_t room = page->block_size;

    if (heap->options.is_hardened)
        return resize_by_copy(heap, p, slab_hard_usable(page, p), new_size);
    if (new_size <= room && (new_size >= room / 2 || room <= 64))
        return p;
    if (slab_is_run(heap, page) && new_size > LARGE_BYTES) {
        const int saved = errno;
        void *const moved = resize_run(heap, page, new_size);

        errno = saved;
        if (moved)
            return moved;
    }
    void *const copy = resize_by_copy(heap, p, old_size, new_size);
    return copy || new_size > room ? copy : p;
}

/* ---- threads ---- */

static int cache_make(struct heap *heap, struct cache *cache)
{
    if (os_pages_commit(&heap->account, cache, sizeof *cache))
        return ENOMEM;
    for (unsigned i = 0; i < DIRECT; i++)
        cache->direct[i] = (struct page *)&slab_no_page;
    cache->heap = heap;
    cache->base = heap->base;
    if (!heap->options.is_hardened && !heap->mesh)
        cache->bytes = heap->bytes;
    cache->pages = heap->pages;
    cache->outbox_room = heap->options.batch;
    return 0;
}

/* A vacant seat, or one of a thread that ended without leaving and had my
 * identity, or a new one.  Under the lock. */
static struct cache *claim_locked(struct heap *heap)
{
    unsigned seat = 0;

    while (seat < heap->seats && heap->cache[seat].identity != 0 &&
           heap->cache[seat].identity != my_identity())
        seat++;
    if (seat == heap->seats_max)
        return NULL;
    struct cache *const cache = &heap->cache[seat];
    if (seat == heap->seats) {
        if (cache_make(heap, cache))
            return NULL;
        heap->seats++;
    }
    cache->identity = my_identity();
    mine = (struct seating){heap->serial, cache};
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
    if (heap->options.is_hardened)
        slab_hard_flush(heap, cache);
    slab_send_outbox(cache);
    slab_free_idle(heap, cache);
    mine = (struct seating){.cache = (struct cache *)&no_cache};
    pthread_mutex_lock(&heap->lock);
    cache->identity = 0;
    pthread_mutex_unlock(&heap->lock);
}

/* In the child the lock is the forking thread's own. */
static void slab_fork(struct heap *heap, enum fork_phase phase)
{
    if (phase == FORK_BEFORE)
        pthread_mutex_lock(&heap->lock);
    if (heap->mesh)
        mesh_fork(heap, phase);
    if (phase != FORK_BEFORE)
        pthread_mutex_unlock(&heap->lock);
}

/* ---- the heap ---- */

static void read_options(const struct heap_config *config,
                         struct heap_options *o)
{
    const struct knob *const k = slab_knobs;

    o->spacing = 1 + (unsigned)heap_knob(config, k, KNOB_CLASSES);
    o->carve = (size_t)heap_knob(config, k, KNOB_CARVE);
    o->batch = (size_t)heap_knob(config, k, KNOB_BATCH);
    o->decay_ms = config->is_timeless
                      ? NEVER_MS
                      : (uint64_t)heap_knob(config, k, KNOB_DECAY);
    o->quarantine = (size_t)heap_knob(config, k, KNOB_QUARANTINE);
    o->huge_pages = heap_knob(config, k, KNOB_HUGE_PAGES) > 0;
    o->is_hardened = heap_knob(config, k, KNOB_MODE) > 0;
    o->has_meshing =
        !config->is_timeless && heap_knob(config, k, KNOB_MESH) > 0;
}

/* Fewer seats where address space is short. */
static int reserve_caches(struct heap *heap)
{
    unsigned n = SEATS_MAX;

    while (n > 1 && n * sizeof *heap->cache > heap->bytes / 16)
        n /= 2;
    heap->cache = os_pages_reserve(n * sizeof *heap->cache, 0);
    heap->seats_max = n;
    return heap->cache ? 0 : ENOMEM;
}

static size_t caches_bytes(const struct heap *heap)
{
    return heap->seats_max * sizeof *heap->cache;
}

static int open_parts(struct heap *heap)
{
    int err = slab_range_open(heap);

    if (err)
        return err;
    err = reserve_caches(heap);
    if (!err && heap->options.has_meshing) {
        err = mesh_open(heap);
        if (err)
            (void)os_pages_release(NULL, heap->cache, caches_bytes(heap), 0);
    }
    if (err)
        slab_range_close(heap);
    return err;
}

static int slab_open(const struct heap_config *config, struct heap **out)
{
    struct os_account account = {0};
    struct heap *const heap = os_pages_map(&account, sizeof *heap);

    if (!heap)
        return errno;
    atomic_store(&heap->account.mapped, atomic_load(&account.mapped));
    read_options(config, &heap->options);
    const int err = open_parts(heap);
    if (err) {
        (void)os_pages_unmap(NULL, heap, sizeof *heap);
        return err;
    }
    heap->serial = atomic_fetch_add(&heaps_opened, 1) + 1;
    pthread_mutex_init(&heap->lock, NULL);
    *out = heap;
    return 0;
}

static void slab_close(struct heap *heap)
{
    if (heap->mesh)
        mesh_close(heap);
    for (unsigned i = 0; i < heap->seats; i++)
        slab_hard_close(heap, &heap->cache[i]);
    pthread_mutex_destroy(&heap->lock);
    (void)os_pages_release(NULL, heap->cache, caches_bytes(heap), 0);
    slab_range_close(heap);
    (void)os_pages_unmap(NULL, heap, sizeof *heap);
}

/* ---- for the preload library, whose process has no other heap ---- */

void *slab_fast_alloc(size_t size)
{
    return likely(size <= DIRECT_BYTES) ? pop_direct(mine.cache, size) : NULL;
}

bool slab_fast_free(void *p)
{
    return push_own(mine.cache, p);
}

bool slab_trim(struct heap *heap)
{
    pthread_mutex_lock(&heap->lock);
    const bool any = slab_trim_locked(heap);
    pthread_mutex_unlock(&heap->lock);
    return any;
}

const struct allocator slab_allocator = {
    .name = "slab",
    .summary = "size classes, free lists by page, a cache a thread",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .max_align = MAX_ALIGN,
    .knobs = slab_knobs,
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
