/* check_ops.c - the check replayer: trusts no block.
 *
 * Each block gets a tag of its own, and every byte that may be used of it is
 * filled with a pattern made of that tag.  A map from address to {size, tag}
 * holds the live blocks.  So these faults are found: NULL; an address that is
 * live already; misalignment; usable below requested; calloc that is not
 * zero; a resize that loses contents; and, when a block is freed, resized or
 * left at the end, any byte that somebody else wrote: overlap with another
 * block, or metadata inside of one.
 *
 * Invariant: the map is at most half full (its size is fixed by what the slots
 * and mailboxes of the trace can hold), and every live block is in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "check_ops.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "os_pages.h"
#include "pattern.h"

enum { PACK_PAGE = 4096 };

struct block {
    char *at; /* NULL: the cell is free */
    size_t size;
    size_t filled; /* bytes that carry the pattern: all that are usable */
    uint64_t tag;
};

struct check_state {
    struct os_account account;
    size_t bytes;
    pthread_mutex_t lock; /* protects all below */
    size_t mask, count, max;
    uint64_t next_tag;
    uint64_t live, peak; /* bytes requested */
    struct block cell[];
};

int check_open(size_t blocks, struct check_state **out)
{
    size_t capacity = 1024;

    while (capacity < 2 * blocks)
        capacity *= 2;
    size_t bytes = sizeof(struct check_state) + capacity * sizeof(struct block);
    struct check_state *s = os_pages_map(NULL, bytes);

    if (!s)
        return ENOMEM;
    s->bytes = bytes;
    s->mask = capacity - 1;
    s->max = capacity - 1;
    pthread_mutex_init(&s->lock, NULL);
    os_pages_touch(s, bytes);
    *out = s;
    return 0;
}

void check_close(struct check_state *s)
{
    pthread_mutex_destroy(&s->lock);
    os_pages_unmap(NULL, s, s->bytes);
}

/* ---- the map ---- */

static size_t home_of(const struct check_state *s, const char *at)
{
    uint64_t h = (uint64_t)(uintptr_t)at * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(h >> 24) & s->mask;
}

static struct block *probe(struct check_state *s, const char *at)
{
    size_t i = home_of(s, at);

    while (s->cell[i].at && s->cell[i].at != at)
        i = (i + 1) & s->mask;
    return &s->cell[i];
}

static void unmap(struct check_state *s, struct block *b)
{
    size_t hole = (size_t)(b - s->cell);

    for (size_t i = (hole + 1) & s->mask; s->cell[i].at;
         i = (i + 1) & s->mask) {
        size_t home = home_of(s, s->cell[i].at);

        if (((i - home) & s->mask) >= ((i - hole) & s->mask)) {
            s->cell[hole] = s->cell[i];
            hole = i;
        }
    }
    s->cell[hole].at = NULL;
    s->count--;
}

/* Take the block at q out of the map. */
static struct block take(struct player *p, void *q)
{
    struct check_state *s = p->common;

    pthread_mutex_lock(&s->lock);
    struct block *b = probe(s, q), copy = *b;

    if (b->at) {
        unmap(s, b);
        s->live -= copy.size;
    }
    pthread_mutex_unlock(&s->lock);
    if (!copy.at)
        player_fail(p, STATUS_ERROR, "%p is no live block", q);
    return copy;
}

static void verify(struct player *p, const struct block *b, const char *when)
{
    size_t wrong = pattern_first_wrong(b->at, b->filled, b->tag);

    if (wrong < b->filled)
        player_fail(p, STATUS_CORRUPT,
                    "%s: byte %zu of the %zu-byte block at %p was "
                    "overwritten",
                    when, wrong, b->size, (void *)b->at);
}

/* ---- a new block ---- */

/* 16 from 16 bytes up, where the allocator promises that much; below that what
 * an object of that size can need. */
static size_t due_alignment(const struct allocator *a, size_t size,
                            size_t align)
{
    const size_t most = a->max_align && a->max_align < 16 ? a->max_align : 16;
    size_t due = 1;

    if (align)
        return align;
    while (due * 2 <= size && due < most)
        due *= 2;
    return due;
}

static void inspect_new(struct player *p, char *q, size_t size, size_t align)
{
    size_t due = due_alignment(p->allocator, size, align);

    if (!q)
        player_fail(p, STATUS_NOMEM, "NULL for %zu bytes", size);
    if ((uintptr_t)q % due)
        player_fail(p, STATUS_CORRUPT,
                    "misaligned: %p for %zu bytes (want a multiple of %zu)",
                    (void *)q, size, due);
}

static size_t usable_bytes(struct player *p, const char *q, size_t size)
{
    if (!p->allocator->usable)
        return size;
    size_t usable = p->allocator->usable(p->heap, q, size);

    if (usable < size)
        player_fail(p, STATUS_CORRUPT, "usable size %zu of a %zu-byte block",
                    usable, size);
    return usable;
}

static void enlist(struct player *p, char *q, size_t size)
{
    struct check_state *s = p->common;
    struct block b = {.at = q, .size = size};

    b.filled = usable_bytes(p, q, size);
    pthread_mutex_lock(&s->lock);
    struct block *cell = probe(s, q);
    int taken = cell->at != NULL, full = s->count >= s->max;

    b.tag = (s->next_tag += PATTERN_STEP);
    if (!taken && !full) {
        *cell = b;
        s->count++;
        s->live += size;
        if (s->live > s->peak)
            s->peak = s->live;
    }
    pthread_mutex_unlock(&s->lock);
    if (taken)
        player_fail(p, STATUS_CORRUPT,
                    "overlap: %p for %zu bytes is a live block already",
                    (void *)q, size);
    if (full)
        player_fail(p, STATUS_ERROR, "more live blocks than the trace has");
    pattern_fill(q, b.filled, b.tag);
}

static void *checked_alloc(struct player *p, size_t size, size_t align,
                           int zero)
{
    char *q = zero ? p->allocator->zalloc(p->heap, size)
                   : p->allocator->alloc(p->heap, size, align);

    inspect_new(p, q, size, align);
    if (zero)
        player_check_zeroed(p, q, size);
    enlist(p, q, size);
    return q;
}

static void checked_dealloc(struct player *p, void *q, size_t size)
{
    struct block b = take(p, q);

    if (b.size != size)
        player_fail(p, STATUS_ERROR, "frees %zu bytes of a block of %zu", size,
                    b.size);
    verify(p, &b, "at free");
    p->allocator->dealloc(p->heap, q, size);
}

static void *checked_resize(struct player *p, void *q, size_t old_size,
                            size_t new_size)
{
    struct block b = take(p, q);

    verify(p, &b, "before resize");
    char *r = p->allocator->resize(p->heap, q, old_size, new_size);

    inspect_new(p, r, new_size, 0);
    b.at = r;
    b.filled = old_size < new_size ? old_size : new_size;
    verify(p, &b, "after resize");
    enlist(p, r, new_size);
    return r;
}

/* The client's write keeps the pattern: the block is verified instead. */
static void checked_touch(struct player *p, void *q, size_t size)
{
    struct check_state *s = p->common;

    (void)size;
    pthread_mutex_lock(&s->lock);
    struct block b = *probe(s, q);
    pthread_mutex_unlock(&s->lock);
    if (!b.at)
        player_fail(p, STATUS_ERROR, "%p is no live block", q);
    verify(p, &b, "at touch");
}

/* ---- packing ---- */

/* Count the pages of [first, last] that are not in the set yet; 0 marks a
 * free cell, so page numbers are kept plus one. */
static uint64_t add_pages(uintptr_t *set, size_t mask, uintptr_t first,
                          uintptr_t last)
{
    uint64_t fresh = 0;

    for (uintptr_t page = first; page <= last; page++) {
        size_t i = (size_t)((page * UINT64_C(0x9e3779b97f4a7c15)) >> 24) & mask;

        while (set[i] && set[i] != page + 1)
            i = (i + 1) & mask;
        fresh += !set[i];
        set[i] = page + 1;
    }
    return fresh;
}

static uintptr_t first_page(const struct block *b)
{
    return (uintptr_t)b->at / PACK_PAGE;
}

static uintptr_t last_page(const struct block *b)
{
    return ((uintptr_t)b->at + (b->size ? b->size - 1 : 0)) / PACK_PAGE;
}

static int pack_locked(const struct check_state *s, struct check_packing *out)
{
    uint64_t spans = 0;
    size_t capacity = 1024;

    *out = (struct check_packing){.blocks = s->count};
    for (size_t i = 0; i <= s->mask; i++) {
        const struct block *b = &s->cell[i];

        if (!b->at)
            continue;
        out->requested += b->size;
        out->usable += b->filled;
        spans += last_page(b) - first_page(b) + 1;
    }
    while (capacity < 2 * spans)
        capacity *= 2;
    uintptr_t *set = os_pages_map(NULL, capacity * sizeof *set);

    if (!set)
        return ENOMEM;
    for (size_t i = 0; i <= s->mask; i++)
        if (s->cell[i].at)
            out->page_bytes += PACK_PAGE * add_pages(set, capacity - 1,
                                                     first_page(&s->cell[i]),
                                                     last_page(&s->cell[i]));
    os_pages_unmap(NULL, set, capacity * sizeof *set);
    return 0;
}

int check_pack(struct check_state *s, struct check_packing *out)
{
    pthread_mutex_lock(&s->lock);
    int err = pack_locked(s, out);

    pthread_mutex_unlock(&s->lock);
    return err;
}

uint64_t check_peak(const struct check_state *s)
{
    return s->peak;
}

size_t check_left(struct check_state *s, struct player *p)
{
    for (size_t i = 0; i <= s->mask; i++)
        if (s->cell[i].at)
            verify(p, &s->cell[i], "at the end");
    return s->count;
}

const struct block_ops check_ops = {
    .alloc = checked_alloc,
    .dealloc = checked_dealloc,
    .resize = checked_resize,
    .touch = checked_touch,
};
