/* slab_range.c - the slab allocator's address space: regions and slices.
 *
 * One range is reserved when the heap opens, so that an address is ours
 * exactly if it lies in it.  A region of 4 MiB is opened (committed) when it
 * is needed; its 64 slices of 64 KiB are handed out in runs, from the lowest
 * address that fits, or whole regions are, for one huge block.  The records
 * lie elsewhere, an array of pages and one of regions, indexed by address:
 *
 *   range    | region 0: 64 slices | region 1 | region 2: huge ->   |  ...
 *   pages[]  | page page page ...  | ...      (readable from the start, so
 *                                              that any lookup is safe)
 *
 * Free slices keep their memory for one to two decay periods and are then
 * given back, looked at whenever pages come and go.
 *
 * Invariant: a slice of an open region is either free or in exactly one page.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* CLOCK_MONOTONIC_COARSE */
#include "slab_heap.h"

#include <errno.h>
#include <sys/resource.h>
#include <time.h>

#define ALL_SLICES (~(uint64_t)0)

/* Bytes of the range: as much as there is room for. */
#define RANGE_MOST  ((size_t)1 << 40)
#define RANGE_LEAST ((size_t)2 * REGION_BYTES)

static uint64_t slice_bits(unsigned first, unsigned n)
{
    return (ALL_SLICES >> (SLICES - n)) << first;
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

static char *region_start(const struct heap *heap, size_t r)
{
    return heap->base + r * REGION_BYTES;
}

/* ---- the range ---- */

static size_t address_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return (size_t)limit.rlim_cur;
}

static size_t pages_bytes(size_t bytes)
{
    return bytes / SLICE_BYTES * sizeof(struct page);
}

static size_t region_bytes(size_t bytes)
{
    return os_pages_round(bytes / REGION_BYTES * sizeof(struct region));
}

static int reserve(struct heap *heap, size_t bytes)
{
    heap->base = os_pages_reserve(bytes, REGION_BYTES);
    heap->pages = os_pages_reserve(pages_bytes(bytes), 0);
    heap->region = os_pages_reserve(region_bytes(bytes), 0);
    if (heap->base && heap->pages && heap->region &&
        !os_pages_freeze(heap->pages, pages_bytes(bytes))) {
        heap->bytes = bytes;
        return 0;
    }
    (void)os_pages_release(NULL, heap->base, bytes, 0);
    (void)os_pages_release(NULL, heap->pages, pages_bytes(bytes), 0);
    (void)os_pages_release(NULL, heap->region, region_bytes(bytes), 0);
    return ENOMEM;
}

/* Where address space is limited, half of it at most. */
int slab_range_open(struct heap *heap)
{
    const size_t limit = address_limit();
    size_t bytes = RANGE_MOST;

    while (bytes > limit / 2)
        bytes /= 2;
    while (bytes >= RANGE_LEAST) {
        if (!reserve(heap, bytes))
            return 0;
        bytes /= 2;
    }
    return ENOMEM;
}

void slab_range_close(struct heap *heap)
{
    (void)os_pages_release(NULL, heap->base, heap->bytes, 0);
    (void)os_pages_release(NULL, heap->pages, pages_bytes(heap->bytes), 0);
    (void)os_pages_release(NULL, heap->region, region_bytes(heap->bytes), 0);
}

/* ---- regions ---- */

/* The records of the next region that was never open.  They stay. */
static int extend(struct heap *heap)
{
    const size_t r = heap->regions;
    const size_t page_records = SLICES * sizeof(struct page);
    const size_t a_page = os_page_size() / sizeof(struct region);

    if (r == heap->bytes / REGION_BYTES)
        return ENOMEM;
    if (r % a_page == 0 &&
        os_pages_commit(&heap->account, &heap->region[r], os_page_size()))
        return ENOMEM;
    if (os_pages_commit(&heap->account, &heap->pages[r * SLICES], page_records))
        return ENOMEM;
    heap->regions++;
    return 0;
}

/* A limit that was set after the range was reserved counts too. */
static int commit(struct heap *heap, char *start, size_t bytes)
{
    const size_t mapped = atomic_load(&heap->account.mapped);

    if (bytes > SIZE_MAX - mapped || mapped + bytes > address_limit())
        return ENOMEM;
    const int err = os_pages_commit(&heap->account, start, bytes);
    if (!err && heap->options.huge_pages)
        os_pages_prefer_huge(start, bytes);
    return err;
}

static int region_open(struct heap *heap, size_t r)
{
    const int err = commit(heap, region_start(heap, r), REGION_BYTES);

    if (err)
        return err;
    heap->region[r] = (struct region){.free = ALL_SLICES, .is_open = true};
    if (r < heap->hint)
        heap->hint = r;
    return 0;
}

static void region_close(struct heap *heap, size_t r)
{
    if (!os_pages_decommit(&heap->account, region_start(heap, r), REGION_BYTES))
        heap->region[r] = (struct region){.is_open = false};
}

/* n neighbouring regions that are not open, from `first` on; or SIZE_MAX. */
static size_t find_closed(struct heap *heap, size_t n)
{
    size_t found = 0, r = 0;

    for (; r < heap->regions && found < n; r++)
        found = heap->region[r].is_open ? 0 : found + 1;
    const size_t first = r - found;
    while (heap->regions < first + n)
        if (extend(heap))
            return SIZE_MAX;
    return first;
}

static void discard(struct heap *heap, size_t r)
{
    struct region *const region = &heap->region[r];
    uint64_t left = region->stale;

    while (left) {
        const unsigned first = (unsigned)__builtin_ctzll(left);
        const uint64_t rest = ~(left >> first);
        const unsigned n = rest ? (unsigned)__builtin_ctzll(rest) : 64 - first;

        (void)os_pages_discard(region_start(heap, r) +
                                   (size_t)first * SLICE_BYTES,
                               (size_t)n * SLICE_BYTES);
        left &= ~slice_bits(first, n);
    }
    region->stale = region->dirty;
    region->dirty = 0;
}

uint64_t slab_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One empty region stays. */
static void look(struct heap *heap)
{
    bool has_spare = false;

    for (size_t r = 0; r < heap->regions; r++) {
        if (!heap->region[r].is_open || heap->region[r].run)
            continue;
        discard(heap, r);
        if (heap->region[r].free != ALL_SLICES || heap->region[r].stale)
            continue;
        if (has_spare)
            region_close(heap, r);
        has_spare = true;
    }
}

void slab_decay(struct heap *heap)
{
    const uint64_t now = slab_now_ms();

    if (now - heap->looked_ms < heap->options.decay_ms)
        return;
    heap->looked_ms = now;
    look(heap);
}

/* Twice, as if two periods had passed. */
bool slab_trim_locked(struct heap *heap)
{
    bool any = false;

    for (size_t r = 0; r < heap->regions; r++)
        any |= (heap->region[r].dirty | heap->region[r].stale) != 0;
    look(heap);
    look(heap);
    return any;
}

/* Out of memory: close every empty region at once. */
static void close_empty(struct heap *heap)
{
    for (size_t r = 0; r < heap->regions; r++)
        if (heap->region[r].is_open && !heap->region[r].run &&
            heap->region[r].free == ALL_SLICES)
            region_close(heap, r);
}

/* ---- slices ---- */

/* An open region with a run of n free slices, or a fresh one; or SIZE_MAX. */
static size_t find_region(struct heap *heap, unsigned n)
{
    while (heap->hint < heap->regions && !heap->region[heap->hint].free)
        heap->hint++;
    for (size_t r = heap->hint; r < heap->regions; r++)
        if (runs_of(heap->region[r].free, n))
            return r;
    const size_t r = find_closed(heap, 1);
    return r == SIZE_MAX || region_open(heap, r) ? SIZE_MAX : r;
}

struct page *slab_take_slices(struct heap *heap, unsigned n)
{
    slab_decay(heap);
    const size_t r = find_region(heap, n);
    if (r == SIZE_MAX)
        return NULL;
    struct region *const region = &heap->region[r];
    const unsigned first = (unsigned)__builtin_ctzll(runs_of(region->free, n));
    const uint64_t bits = slice_bits(first, n);
    struct page *const page = &heap->pages[r * SLICES + first];

    page->is_zero = !((region->dirty | region->stale) & bits);
    region->free &= ~bits;
    region->dirty &= ~bits;
    region->stale &= ~bits;
    for (unsigned i = 0; i < n; i++)
        page[i].back = (uint8_t)i;
    page->slices = (uint8_t)n;
    page->start = region_start(heap, r) + (size_t)first * SLICE_BYTES;
    return page;
}

void slab_give_slices(struct heap *heap, struct page *page)
{
    const size_t slice = (size_t)(page - heap->pages);
    struct region *const region = &heap->region[slice / SLICES];
    const uint64_t bits = slice_bits(slice % SLICES, page->slices);

    region->free |= bits;
    region->dirty |= bits;
    page->slices = 0;
    if (slice / SLICES < heap->hint)
        heap->hint = slice / SLICES;
    slab_decay(heap);
}

/* ---- huge blocks ---- */

static size_t run_of(size_t bytes)
{
    return bytes / REGION_BYTES + (bytes % REGION_BYTES != 0);
}

static void mark_run(struct heap *heap, size_t r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        heap->region[r + i] =
            (struct region){.is_open = true, .run = UINT32_MAX};
    heap->region[r].run = (uint32_t)n;
}

static void unmark_run(struct heap *heap, size_t r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        heap->region[r + i] = (struct region){.is_open = false};
}

static struct page *run_page(struct heap *heap, size_t r, size_t bytes)
{
    struct page *const page = &heap->pages[r * SLICES];

    page->slices = 1;
    page->back = 0;
    page->is_zero = true;
    page->start = region_start(heap, r);
    page->block_size = bytes;
    return page;
}

struct page *slab_take_run(struct heap *heap, size_t bytes)
{
    const size_t n = run_of(bytes);

    if (bytes > heap->bytes)
        return NULL;
    for (int try = 0; try < 2; try++) {
        const size_t r = find_closed(heap, n);

        if (r != SIZE_MAX && !commit(heap, region_start(heap, r), bytes)) {
            mark_run(heap, r, n);
            return run_page(heap, r, bytes);
        }
        close_empty(heap);
    }
    return NULL;
}

static size_t region_of(const struct heap *heap, const struct page *page)
{
    return (size_t)(page - heap->pages) / SLICES;
}

static void forget_run(struct heap *heap, struct page *page)
{
    const size_t r = region_of(heap, page);

    page->slices = 0;
    unmark_run(heap, r, heap->region[r].run);
}

void slab_give_run(struct heap *heap, struct page *page)
{
    if (!os_pages_decommit(&heap->account, page->start, page->block_size))
        forget_run(heap, page);
}

/* To other regions, by page tables. */
static struct page *move_run(struct heap *heap, struct page *page, size_t bytes)
{
    const size_t n = run_of(bytes);
    const size_t r = find_closed(heap, n);

    if (r == SIZE_MAX ||
        os_pages_move(&heap->account, page->start, page->block_size,
                      region_start(heap, r), bytes))
        return NULL;
    forget_run(heap, page);
    mark_run(heap, r, n);
    return run_page(heap, r, bytes);
}

/* The regions behind the new end are free for others. */
static struct page *shrink_run(struct heap *heap, struct page *page,
                               size_t bytes)
{
    const size_t r = region_of(heap, page);
    const size_t n = run_of(bytes), old = heap->region[r].run;

    if (os_pages_decommit(&heap->account, page->start + bytes,
                          page->block_size - bytes))
        return NULL;
    unmark_run(heap, r + n, old - n);
    heap->region[r].run = (uint32_t)n;
    page->block_size = bytes;
    return page;
}

struct page *slab_resize_run(struct heap *heap, struct page *page, size_t bytes)
{
    const size_t old = page->block_size;

    if (bytes > heap->bytes)
        return NULL;
    if (bytes < old)
        return shrink_run(heap, page, bytes);
    if (run_of(bytes) > run_of(old))
        return move_run(heap, page, bytes);
    if (bytes > old && commit(heap, page->start + old, bytes - old))
        return NULL;
    page->block_size = bytes;
    return page;
}
