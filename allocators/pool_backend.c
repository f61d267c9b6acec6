/* pool_backend.c - object pools as a backend: one pool for each size class.
 *
 * Sizes go in steps of 16 bytes to 128, then four a doubling to 32 KiB; each
 * such class has a pool (pool.h), made when it is first needed.  A thread sits
 * on a seat of the heap, and the seat has a cache of every pool it has used.
 * What a class cannot hold, or not so aligned, is a mapping of its own.
 *
 * A block tells by its address how it was made:
 *
 *   | slab header | block | block | ...     | own header | block ......... |
 *   ^ multiple of 256 KiB, has the class    ^ the same, has no pool
 *
 *          ... | own header | block .........
 *                           ^ multiple of 256 KiB: only own blocks are
 *
 * Blocks of a class are aligned to the largest power of two that divides the
 * class, up to a page, so an aligned block is one of a class that has it.
 *
 * Who leaves gives the magazines of its caches back to the depots; its seat,
 * with the (now unattached) caches, waits for the next thread.  Who frees
 * without a seat (a thread that never allocated, or one that runs its last
 * destructors) does not take one: the block goes into the depot.
 *
 * At most once a period, a thread that frees reaps all pools and
 * empties those of its own caches that it did not use since: so memory goes
 * back to the system two to four periods after it was freed, if somebody still
 * allocates.
 *
 * Not detected, unless the knob debug is on: double frees, and pointers that
 * are no blocks of ours.
 *
 * Invariant: a cache is used by the owner of its seat only; a block's pool is
 *            the one of its slab; live blocks are the objects that are in no
 *            magazine, and the own mappings of the list.
 *
 * Source: J. Bonwick, J. Adams, "Magazines and Vmem", USENIX 2001 (there the
 * general-purpose allocator is made of object caches in the same way).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* CLOCK_MONOTONIC_COARSE */
#include "allocator.h"
#include "heap_walk.h"
#include "os_pages.h"
#include "pool.h"
#include "pool_backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const off_on[] = {"off", "on", NULL};

enum { KNOB_MAGAZINE, KNOB_MAX, KNOB_PERIOD, KNOB_TRIM, KNOB_DEBUG };

static const struct knob pool_knobs[] = {
    {"magazine", "objects", 0, 0, HY_POOL_ROUNDS_MAX,
     "in a magazine at first; 0: 64, or 64 KiB of them if that is less", NULL},
    {"magazine_max", "objects", 0, 0, HY_POOL_ROUNDS_MAX,
     "that contention for the depot may make of it; 0: 4 times", NULL},
    {"period", "ms", HY_POOL_PERIOD_MS, 0, 3600000,
     "after which what lay unused in the depot is reaped; 0: never", NULL},
    {"trim", "1", 1, 0, 1, "give idle slabs back to the system", off_on},
    {"debug", "1", 0, 0, 1, "check every free, and abort at a bad one: slow",
     off_on},
    {.name = NULL}};

enum {
    SEATS_MAX = 4096,  /* threads at once */
    FREES_A_LOOK = 64, /* at the clock: work that visits no depot is enough */
    CACHE_LINE = 64,
    CLASS_MAX = 32 << 10, /* bytes of the largest class */
    CLASSES = 8 + 8 * 4,
    CLASS_ALIGN_MAX = 4096,
    OWN_ALIGN = HY_POOL_SLAB_BYTES /* of own mappings: found as slabs are */
};

struct caches {
    struct hy_pool_cache cache[CLASSES]; /* loaded = NULL: not attached */
};

struct seat {
    _Alignas(CACHE_LINE) _Atomic uintptr_t owner; /* 0: free */
    struct caches *caches; /* NULL until first owned, and with debug */
    uint64_t looked_ms;    /* when unused caches were last emptied */
    unsigned frees;        /* into caches */
};

/* The header of an own mapping; begins like that of a slab. */
struct own {
    struct hy_pool *pool; /* NULL: not a slab */
    void *start;          /* of the reservation */
    size_t reserved;      /* bytes */
    size_t committed;     /* bytes */
    size_t usable;        /* bytes of the block */
    struct own *next, **link;
    size_t unused;
};

_Static_assert(sizeof(struct own) == sizeof(struct hy_pool_slab), "one layout");
_Static_assert(offsetof(struct hy_pool_slab, pool) == 0, "one layout");

struct heap {
    struct os_account account;    /* of caches and own mappings */
    struct hy_pool_config config; /* of all pools, but for the sizes */
    uint64_t period_ms;           /* 0: never */
    _Atomic uint64_t reaped_ms;
    _Atomic unsigned used; /* seats from there on were never owned */
    pthread_mutex_t lock;  /* of what follows, up to the seats */
    _Atomic(struct hy_pool *) pool[CLASSES]; /* written under it */
    struct own *own;
    size_t own_bytes, own_blocks;
    struct seat seat[SEATS_MAX];
};

/* ---- size classes ---- */

/* The smallest class that holds `size`, which is at most CLASS_MAX. */
static inline unsigned class_of(size_t size)
{
    if (size <= 128)
        return size ? (unsigned)((size - 1) >> 4) : 0;
    const unsigned top = 63 - (unsigned)__builtin_clzll(size - 1);
    return 8 + (top - 7) * 4 + (unsigned)((size - 1) >> (top - 2)) - 4;
}

static inline size_t class_bytes(unsigned c)
{
    return c < 8 ? (size_t)(c + 1) * 16
                 : (size_t)(5 + (c - 8) % 4) << (5 + (c - 8) / 4);
}

static size_t class_align(unsigned c)
{
    const size_t align = class_bytes(c) & (~class_bytes(c) + 1);
    return align < CLASS_ALIGN_MAX ? align : CLASS_ALIGN_MAX;
}

/* CLASSES if there is none. */
static unsigned class_of_aligned(size_t size, size_t align)
{
    const size_t least = size > align ? size : align;
    if (least > CLASS_MAX || align > CLASS_ALIGN_MAX)
        return CLASSES;
    unsigned c = class_of(least);
    while (c < CLASSES && class_align(c) < align)
        c++;
    return c;
}

/* ---- seats ---- */

static _Thread_local unsigned my_seat; /* a hint; below SEATS_MAX */

/* Differs between all threads that are alive. */
static inline uintptr_t my_identity(void)
{
    return (uintptr_t)&my_seat;
}

static inline struct seat *find_seat(struct heap *heap)
{
    struct seat *const seat = &heap->seat[my_seat];
    return atomic_load_explicit(&seat->owner, memory_order_relaxed) ==
                   my_identity()
               ? seat
               : NULL;
}

/* Sit down on seat i if it is mine (of a thread that ended without leaving
 * and had my identity) or free. */
static struct seat *try_seat(struct heap *heap, unsigned i)
{
    struct seat *const seat = &heap->seat[i];
    uintptr_t owner = atomic_load(&seat->owner);
    if (owner == 0 &&
        atomic_compare_exchange_strong(&seat->owner, &owner, my_identity()))
        owner = my_identity();
    if (owner != my_identity())
        return NULL;
    my_seat = i;
    return seat;
}

static struct seat *claim_seat(struct heap *heap)
{
    const unsigned used = atomic_load(&heap->used);
    for (unsigned i = 0; i < used && i < SEATS_MAX; i++) {
        struct seat *seat = try_seat(heap, i);
        if (seat)
            return seat;
    }
    for (;;) {
        const unsigned i = atomic_fetch_add(&heap->used, 1);
        if (i >= SEATS_MAX) {
            atomic_fetch_sub(&heap->used, 1);
            return NULL;
        }
        struct seat *seat = try_seat(heap, i);
        if (seat)
            return seat;
    }
}

/* The caller's caches, or NULL: no memory, too many threads, or debug. */
static struct caches *claim_caches(struct heap *heap)
{
    struct seat *seat = find_seat(heap);
    if (!seat)
        seat = claim_seat(heap);
    if (!seat || heap->config.debug)
        return NULL;
    if (!seat->caches)
        seat->caches = os_pages_map(&heap->account, sizeof *seat->caches);
    return seat->caches;
}

static struct hy_pool *claim_pool(struct heap *heap, unsigned c)
{
    struct hy_pool *pool = atomic_load(&heap->pool[c]);
    if (pool)
        return pool;
    struct hy_pool_config config = heap->config;
    config.size = class_bytes(c);
    config.align = class_align(c);
    config.tag = c;
    pthread_mutex_lock(&heap->lock);
    pool = atomic_load(&heap->pool[c]);
    if (!pool && hy_pool_open(&config, &pool) == 0)
        atomic_store(&heap->pool[c], pool);
    pthread_mutex_unlock(&heap->lock);
    return pool;
}

static struct hy_pool_cache *claim_cache(struct heap *heap, unsigned c)
{
    struct caches *const caches = claim_caches(heap);
    if (!caches)
        return NULL;
    struct hy_pool_cache *const cache = &caches->cache[c];
    if (cache->loaded)
        return cache;
    struct hy_pool *const pool = claim_pool(heap, c);
    return pool && hy_pool_attach(pool, cache) == 0 ? cache : NULL;
}

/* The caller's cache of a class, or NULL: not attached yet. */
static inline struct hy_pool_cache *find_cache(struct heap *heap, unsigned c)
{
    struct seat *const seat = find_seat(heap);
    if (__builtin_expect(!seat || !seat->caches, 0))
        return NULL;
    struct hy_pool_cache *const cache = &seat->caches->cache[c];
    return cache->loaded ? cache : NULL;
}

/* ---- reaping, by the clock ---- */

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void flush_unused(struct caches *caches)
{
    for (unsigned c = 0; c < CLASSES; c++)
        if (caches->cache[c].loaded)
            hy_pool_flush_unused(&caches->cache[c]);
}

/* The calling thread was at a depot, or has worked for a while without. */
static void after_visit(void *arg)
{
    struct heap *const heap = arg;
    struct seat *const seat = find_seat(heap);
    const uint64_t now = now_ms();

    if (heap->period_ms == 0)
        return; /* never */
    if (seat && seat->caches && now - seat->looked_ms >= heap->period_ms) {
        seat->looked_ms = now;
        flush_unused(seat->caches);
    }
    uint64_t last =
        atomic_load_explicit(&heap->reaped_ms, memory_order_relaxed);
    if (now - last < heap->period_ms ||
        !atomic_compare_exchange_strong(&heap->reaped_ms, &last, now))
        return;
    for (unsigned c = 0; c < CLASSES; c++) {
        struct hy_pool *const pool = atomic_load(&heap->pool[c]);
        if (pool)
            hy_pool_reap(pool);
    }
}

bool pool_backend_trim(struct heap *heap)
{
    size_t bytes = 0;

    for (unsigned c = 0; c < CLASSES; c++) {
        struct hy_pool *const pool = atomic_load(&heap->pool[c]);
        if (pool)
            bytes += hy_pool_trim(pool);
    }
    return bytes > 0;
}

/* ---- own mappings ---- */

/* Nothing else stands on a multiple of OWN_ALIGN. */
static inline struct hy_pool_slab *header_of(const void *p)
{
    return (uintptr_t)p & (OWN_ALIGN - 1)
               ? hy_pool_slab_of(p)
               : (struct hy_pool_slab *)p - 1; /* a struct own, truly */
}

static void *fail(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *own_alloc(struct heap *heap, size_t size, size_t align)
{
    if (size > PTRDIFF_MAX || align > PTRDIFF_MAX / 2)
        return fail();
    const size_t page = os_page_size();
    const size_t header = sizeof(struct own);
    const bool is_far = align >= OWN_ALIGN;
    const size_t offset = align > header ? align : header;
    /* Of a far block only the page before it is needed. */
    const size_t skipped = is_far ? offset - page : 0;
    const size_t reserved = os_pages_round(offset + (size ? size : 1));
    if (reserved == 0)
        return fail();
    char *start = os_pages_reserve(reserved, is_far ? align : OWN_ALIGN);
    if (!start)
        return fail();
    const size_t committed = reserved - skipped;
    if (os_pages_commit(&heap->account, start + skipped, committed)) {
        (void)os_pages_release(&heap->account, start, reserved, 0);
        return fail();
    }
    struct own *own =
        (struct own *)(void *)(is_far ? start + offset - header : start);
    *own = (struct own){.start = start,
                        .reserved = reserved,
                        .committed = committed,
                        .usable = reserved - offset};
    pthread_mutex_lock(&heap->lock);
    own->next = heap->own;
    own->link = &heap->own;
    if (own->next)
        own->next->link = &own->next;
    heap->own = own;
    heap->own_bytes += own->usable;
    heap->own_blocks++;
    pthread_mutex_unlock(&heap->lock);
    return start + offset;
}

static void own_free(struct heap *heap, struct own *own)
{
    pthread_mutex_lock(&heap->lock);
    *own->link = own->next;
    if (own->next)
        own->next->link = own->link;
    heap->own_bytes -= own->usable;
    heap->own_blocks--;
    pthread_mutex_unlock(&heap->lock);
    (void)os_pages_release(&heap->account, own->start, own->reserved,
                           own->committed);
}

/* ---- the hooks ---- */

static void configure(struct heap *heap, const struct heap_config *config)
{
    const double period =
        config->is_timeless ? 0 : heap_knob(config, pool_knobs, KNOB_PERIOD);

    heap->period_ms = (uint64_t)period;
    heap->reaped_ms = now_ms();
    heap->config = (struct hy_pool_config){
        .magazine = (uint32_t)heap_knob(config, pool_knobs, KNOB_MAGAZINE),
        .magazine_max = (uint32_t)heap_knob(config, pool_knobs, KNOB_MAX),
        .period_ms = HY_POOL_NEVER,
        .keep_slabs = heap_knob(config, pool_knobs, KNOB_TRIM) == 0,
        .debug = heap_knob(config, pool_knobs, KNOB_DEBUG) != 0,
        .visit = heap->period_ms ? after_visit : NULL,
        .arg = heap,
    };
}

static int backend_open(const struct heap_config *config, struct heap **out)
{
    if (config->threads > SEATS_MAX)
        return EINVAL;
    struct heap *heap = os_pages_map(NULL, sizeof *heap);
    if (!heap)
        return errno;
    const int err = pthread_mutex_init(&heap->lock, NULL);
    if (err) {
        (void)os_pages_unmap(NULL, heap, sizeof *heap);
        return err;
    }
    configure(heap, config);
    *out = heap;
    return 0;
}

static void backend_close(struct heap *heap)
{
    const unsigned used = atomic_load(&heap->used);
    while (heap->own)
        own_free(heap, heap->own);
    for (unsigned c = 0; c < CLASSES; c++)
        hy_pool_close(atomic_load(&heap->pool[c]));
    for (unsigned i = 0; i < used && i < SEATS_MAX; i++)
        (void)os_pages_unmap(NULL, heap->seat[i].caches, sizeof(struct caches));
    pthread_mutex_destroy(&heap->lock);
    (void)os_pages_unmap(NULL, heap, sizeof *heap);
}

static int backend_enter(struct heap *heap)
{
    return claim_caches(heap) || heap->config.debug ? 0 : ENOMEM;
}

static void backend_leave(struct heap *heap)
{
    struct seat *const seat = find_seat(heap);
    if (!seat)
        return;
    for (unsigned c = 0; seat->caches && c < CLASSES; c++)
        if (seat->caches->cache[c].loaded)
            hy_pool_detach(&seat->caches->cache[c]);
    atomic_store(&seat->owner, 0);
}

/* Without a cache, blocks come right out of the depot. */
__attribute__((noinline)) static void *class_alloc_slow(struct heap *heap,
                                                        unsigned c)
{
    struct hy_pool_cache *const cache = claim_cache(heap, c);
    if (cache)
        return hy_pool_get(cache);
    struct hy_pool *const pool = claim_pool(heap, c);
    return pool ? hy_pool_get_shared(pool) : fail();
}

static inline void *class_alloc(struct heap *heap, unsigned c)
{
    struct hy_pool_cache *const cache = find_cache(heap, c);
    return __builtin_expect(cache != NULL, 1) ? hy_pool_get(cache)
                                              : class_alloc_slow(heap, c);
}

static void *backend_alloc(struct heap *heap, size_t size, size_t align)
{
    if (__builtin_expect(size <= CLASS_MAX && align <= 16, 1))
        return class_alloc(heap, class_of(size));
    const unsigned c = class_of_aligned(size, align);
    return c < CLASSES ? class_alloc(heap, c) : own_alloc(heap, size, align);
}

static void *backend_zalloc(struct heap *heap, size_t size)
{
    if (size > CLASS_MAX)
        return own_alloc(heap, size, 0); /* fresh pages are zero */
    void *const p = class_alloc(heap, class_of(size));
    return p ? memset(p, 0, size) : NULL;
}

/* The own mapping of block p, or NULL.  O(own mappings). */
static struct own *find_own(struct heap *heap, const void *p)
{
    pthread_mutex_lock(&heap->lock);
    struct own *own = heap->own;
    while (own && (const char *)own->start + own->reserved - own->usable != p)
        own = own->next;
    pthread_mutex_unlock(&heap->lock);
    return own;
}

/* What is no start of an own block, nor within a slab, is nothing of ours; the
 * pool knows the rest.  Looks at nothing that p points to. */
static void dealloc_checked(struct heap *heap, void *p)
{
    static const char what[] = "free: not a block of this heap, or a large "
                               "one that was freed before\n";
    struct own *const own = find_own(heap, p);
    if (own) {
        own_free(heap, own);
        return;
    }
    for (unsigned c = 0; c < CLASSES; c++) {
        struct hy_pool *const pool = atomic_load(&heap->pool[c]);
        if (pool && hy_pool_owns(pool, p)) {
            hy_pool_put_shared(pool, p);
            return;
        }
    }
    if (write(STDERR_FILENO, what, sizeof what - 1) < 0)
        abort(); /* and nobody listens */
    abort();
}

/* A thread without a seat does not get one. */
__attribute__((noinline)) static void dealloc_slow(struct heap *heap, void *p)
{
    if (heap->config.debug) {
        dealloc_checked(heap, p);
        return;
    }
    struct hy_pool_slab *const slab = header_of(p);
    if (!slab->pool) {
        own_free(heap, (struct own *)(void *)slab);
        return;
    }
    struct hy_pool_cache *const cache =
        find_seat(heap) ? claim_cache(heap, slab->tag) : NULL;
    if (cache)
        hy_pool_put(cache, p);
    else
        hy_pool_put_shared(slab->pool, p);
}

/* Only who has caches, which nobody has with debug, looks at the header. */
static void backend_dealloc(struct heap *heap, void *p, size_t size)
{
    struct seat *const seat = find_seat(heap);
    (void)size;
    if (!p)
        return;
    if (__builtin_expect(seat && seat->caches, 1)) {
        struct hy_pool_slab *const slab = header_of(p);
        if (__builtin_expect(slab->pool != NULL, 1)) {
            struct hy_pool_cache *cache = &seat->caches->cache[slab->tag];
            if (__builtin_expect(cache->loaded != NULL, 1)) {
                hy_pool_put(cache, p);
                if (__builtin_expect(++seat->frees % FREES_A_LOOK == 0, 0))
                    after_visit(heap);
                return;
            }
        }
    }
    dealloc_slow(heap, p);
}

static size_t backend_usable(struct heap *heap, const void *p, size_t size)
{
    (void)heap;
    (void)size;
    const struct hy_pool_slab *const slab = header_of(p);
    return slab->pool ? class_bytes(slab->tag)
                      : ((const struct own *)(const void *)slab)->usable;
}

/* Does the block serve as it is?  Own ones may be filled by half. */
static bool fits(struct heap *heap, const void *p, size_t size)
{
    const struct hy_pool_slab *const slab = header_of(p);
    if (slab->pool)
        return size <= CLASS_MAX && class_of(size) == slab->tag;
    const size_t usable = backend_usable(heap, p, size);
    return size <= usable && size > CLASS_MAX && size >= usable / 2;
}

static void *backend_resize(struct heap *heap, void *p, size_t old_size,
                            size_t new_size)
{
    if (p && fits(heap, p, new_size))
        return p;
    void *const fresh = backend_alloc(heap, new_size, 0);
    if (fresh && p) {
        memcpy(fresh, p, old_size < new_size ? old_size : new_size);
        backend_dealloc(heap, p, old_size);
    }
    return fresh;
}

/* Heap before pools, as everywhere; in the child the locks are the forking
 * thread's own. */
static void backend_fork(struct heap *heap, enum fork_phase phase)
{
    if (phase == FORK_BEFORE)
        pthread_mutex_lock(&heap->lock);
    for (unsigned c = 0; c < CLASSES; c++) {
        struct hy_pool *const pool = atomic_load(&heap->pool[c]);
        if (pool && phase == FORK_BEFORE)
            hy_pool_lock(pool);
        else if (pool)
            hy_pool_unlock(pool);
    }
    if (phase != FORK_BEFORE)
        pthread_mutex_unlock(&heap->lock);
}

static int backend_inspect(struct heap *heap, struct heap_report *report)
{
    pthread_mutex_lock(&heap->lock);
    *report = (struct heap_report){
        .live_bytes = heap->own_bytes,
        .live_blocks = heap->own_blocks,
        .mapped_bytes =
            atomic_load(&heap->account.mapped) + os_pages_round(sizeof *heap),
    };
    for (unsigned c = 0; c < CLASSES; c++) {
        struct hy_pool *const pool = atomic_load(&heap->pool[c]);
        struct hy_pool_metrics metrics;
        if (!pool)
            continue;
        hy_pool_measure(pool, &metrics);
        report->live_bytes += metrics.live * class_bytes(c);
        report->live_blocks += metrics.live;
        report->mapped_bytes += metrics.mapped_bytes;
    }
    pthread_mutex_unlock(&heap->lock);
    return 0;
}

/* The page of a far block's header, or the whole of another. */
static void walk_own(struct own *own, const struct heap_visitor *visitor)
{
    char *const end = (char *)own->start + own->reserved;
    const struct heap_span span = {.start = end - own->committed,
                                   .bytes = own->committed,
                                   .kind = SPAN_BLOCKS,
                                   .block_bytes = own->usable};
    const struct heap_block block = {end - own->usable, own->usable,
                                     BLOCK_LIVE};

    visitor->span(visitor->arg, &span);
    visitor->block(visitor->arg, &block);
}

static int backend_walk(struct heap *heap, const struct heap_visitor *visitor)
{
    const unsigned used = atomic_load(&heap->used);
    const struct heap_span seats = {.start = heap,
                                    .bytes = os_pages_round(sizeof *heap),
                                    .kind = SPAN_METADATA};
    int err = 0;

    visitor->span(visitor->arg, &seats);
    for (unsigned i = 0; i < used && i < SEATS_MAX; i++) {
        const struct heap_span caches = {
            .start = heap->seat[i].caches,
            .bytes = os_pages_round(sizeof(struct caches)),
            .kind = SPAN_METADATA};
        if (caches.start)
            visitor->span(visitor->arg, &caches);
    }
    for (struct own *own = heap->own; own; own = own->next)
        walk_own(own, visitor);
    for (unsigned c = 0; !err && c < CLASSES; c++) {
        struct hy_pool *const pool = atomic_load(&heap->pool[c]);
        if (pool)
            err = hy_pool_walk(pool, visitor);
    }
    return err;
}

const struct allocator pool_allocator = {
    .name = "pool",
    .summary = "object pools by size class: magazines a thread over a "
               "lock-free depot",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .knobs = pool_knobs,
    .open = backend_open,
    .close = backend_close,
    .alloc = backend_alloc,
    .zalloc = backend_zalloc,
    .dealloc = backend_dealloc,
    .resize = backend_resize,
    .usable = backend_usable,
    .enter = backend_enter,
    .leave = backend_leave,
    .fork = backend_fork,
    .inspect = backend_inspect,
    .walk = backend_walk,
};
