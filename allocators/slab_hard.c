/* slab_hard.c - the slab allocator's hardened mode.
 *
 *   block | what was asked for | slack 0xA5... | canary | size |
 *   alone | ...                | slack | canary | size | guard page |
 *
 * Every block carries its size and a canary at its end; free verifies both and
 * the slack before them, so that an overflow by a byte is found.  A freed
 * block is filled with 0xDD, waits in its thread's quarantine, and is verified
 * again before it may be handed out: a write after free is found then.  Pages,
 * and blocks that are alone, end with a guard page.  Links in free blocks are
 * xored with a secret of their page.
 *
 * No operation takes a fast path: the cache's table of sizes stays empty.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "slab_heap.h"

#include <string.h>
#include <sys/auxv.h>

#include "misuse.h"

enum {
    HELD_MAX = 4096, /* blocks in a quarantine */
    SLACK = 0xA5,
    POISON = 0xDD
};

#define LIVE  UINT64_C(0x6c697665)
#define FREED UINT64_C(0x66726565)

struct trailer {
    uint64_t canary; /* secret, address and state */
    uint64_t size;   /* that was asked for */
};

struct held {
    struct page *page;
    void *p;
};

struct quarantine {
    size_t bytes;
    size_t first, n; /* of the ring */
    struct held held[HELD_MAX];
};

/* The kernel's random bytes for this process. */
static uint64_t secret(void)
{
    uint64_t word;
    const void *const bytes = (const void *)getauxval(AT_RANDOM);

    if (!bytes)
        return (uintptr_t)&secret;
    memcpy(&word, bytes, sizeof word);
    return word;
}

uintptr_t slab_hard_code(const struct page *page)
{
    return (uintptr_t)(secret() ^
                       (uintptr_t)page * UINT64_C(0x9e3779b97f4a7c15)) |
           1;
}

/* ---- guards ---- */

static char *guard_of(const struct page *page)
{
    const size_t bytes =
        page->class ? (size_t)page->slices * SLICE_BYTES : page->block_size;
    return page->start + bytes - os_page_size();
}

/* Where the kernel has no room for one more mapping, it goes without. */
void slab_hard_guard(const struct page *page)
{
    (void)os_pages_protect(guard_of(page), os_page_size());
}

void slab_hard_unguard(const struct page *page)
{
    (void)os_pages_unprotect(guard_of(page), os_page_size());
}

/* ---- blocks ---- */

static size_t room_of(const struct page *page)
{
    return page->block_size - (page->class ? 0 : os_page_size());
}

static struct trailer *trailer_of(const struct page *page, const void *p)
{
    return (struct trailer *)((char *)p + room_of(page)) - 1;
}

static uint64_t canary(const void *p, uint64_t state)
{
    return secret() ^ (uintptr_t)p ^ state;
}

static bool is_filled(const char *from, const char *to, int with)
{
    while (from < to && *from == (char)with)
        from++;
    return from >= to;
}

/* The block as it was handed out, or an end. */
static struct trailer *verify_live(const struct page *page, const void *p)
{
    struct trailer *const t = trailer_of(page, p);

    if (t->canary == canary(p, FREED))
        misuse_abort("slab", "double free", p);
    if (t->canary != canary(p, LIVE) || t->size > room_of(page) - sizeof *t ||
        !is_filled((const char *)p + t->size, (const char *)t, SLACK))
        misuse_abort("slab", "write past the end of a block", p);
    return t;
}

void *slab_hard_alloc(struct heap *heap, struct cache *cache, size_t size,
                      size_t align)
{
    if (size > PTRDIFF_MAX)
        return NULL;
    size_t whole = size + sizeof(struct trailer);
    if (whole > CLASS_BYTES || align > SLICE_BYTES)
        whole += os_page_size();
    char *const p = slab_alloc_plain(heap, cache, whole, align);
    if (!p)
        return NULL;
    struct page *const page = slab_page_at(heap, p);
    if (page->class == 0)
        slab_hard_guard(page);
    struct trailer *const t = trailer_of(page, p);
    memset(p + size, SLACK, (size_t)((char *)t - (p + size)));
    *t = (struct trailer){canary(p, LIVE), size};
    return p;
}

size_t slab_hard_usable(const struct page *page, const void *p)
{
    return verify_live(page, p)->size;
}

/* ---- quarantine ---- */

static void release(struct heap *heap, struct cache *cache, struct held held)
{
    struct trailer *const t = trailer_of(held.page, held.p);

    if (t->canary != canary(held.p, FREED) ||
        !is_filled(held.p, (const char *)t, POISON))
        misuse_abort("slab", "write to a block after its free", held.p);
    if (held.page->class == 0)
        slab_hard_unguard(held.page);
    slab_free_plain(heap, cache, held.page, held.p);
}

static struct held take_oldest(struct quarantine *q)
{
    const struct held held = q->held[q->first];

    q->first = (q->first + 1) % HELD_MAX;
    q->n--;
    q->bytes -= held.page->block_size;
    return held;
}

static struct quarantine *quarantine_of(struct heap *heap, struct cache *cache)
{
    if (cache && !cache->quarantine)
        cache->quarantine =
            os_pages_map(&heap->account, sizeof(struct quarantine));
    return cache ? cache->quarantine : NULL;
}

static void hold(struct heap *heap, struct cache *cache, struct held held)
{
    struct quarantine *const q = quarantine_of(heap, cache);

    if (!q || held.page->block_size > heap->options.quarantine) {
        release(heap, cache, held);
        return;
    }
    if (q->n == HELD_MAX)
        release(heap, cache, take_oldest(q));
    q->held[(q->first + q->n++) % HELD_MAX] = held;
    q->bytes += held.page->block_size;
    while (q->bytes > heap->options.quarantine)
        release(heap, cache, take_oldest(q));
}

void slab_hard_free(struct heap *heap, struct cache *cache, struct page *page,
                    void *p)
{
    struct trailer *const t = verify_live(page, p);

    memset(p, POISON, (size_t)((char *)t - (char *)p));
    t->canary = canary(p, FREED);
    hold(heap, cache, (struct held){page, p});
}

void slab_hard_flush(struct heap *heap, struct cache *cache)
{
    while (cache->quarantine && cache->quarantine->n)
        release(heap, cache, take_oldest(cache->quarantine));
}

size_t slab_hard_held(const struct cache *cache, size_t *bytes)
{
    const struct quarantine *const q = cache->quarantine;

    *bytes = q ? q->bytes : 0;
    return q ? q->n : 0;
}

void slab_hard_close(struct heap *heap, struct cache *cache)
{
    (void)os_pages_unmap(&heap->account, cache->quarantine,
                         sizeof(struct quarantine));
}
