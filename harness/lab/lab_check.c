/* lab_check.c - the replayer of meter lab: trusts no block, and takes notes.
 *
 * As check_ops.c does, it fills blocks with a pattern of their own and looks
 * for it again; it also knows the blocks in the order of their addresses, so an
 * overlap is found when the block is given out, and its place is exact: the
 * shared page says before each call which operation it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lab_check.h"

#include <errno.h>

#include "malloclab.h"
#include "os_pages.h"
#include "pattern.h"

int lab_check_open(struct lab_check *s, size_t most)
{
    const size_t bytes = (most + 1) * sizeof *s->list;
    int err = live_open(most + 1, &s->live);

    if (err)
        return err;
    s->most = most;
    s->list = os_pages_map(NULL, bytes);
    s->peak = os_pages_map(NULL, bytes);
    return s->list && s->peak ? 0 : ENOMEM;
}

void lab_check_close(struct lab_check *s)
{
    const size_t bytes = (s->most + 1) * sizeof *s->list;

    (void)os_pages_unmap(NULL, s->list, bytes);
    (void)os_pages_unmap(NULL, s->peak, bytes);
    live_close(s->live);
}

static struct lab_check *state_of(const struct player *p)
{
    return *(struct lab_check **)p->own;
}

/* ---- an operation ---- */

static void begin(struct player *p)
{
    struct lab_check *const s = state_of(p);

    atomic_store_explicit(&p->page->thread[p->thread].place, s->op,
                          memory_order_relaxed);
    s->op++;
}

static void end(struct player *p)
{
    struct lab_check *const s = state_of(p);
    const char *lo;
    size_t bytes;

    if (!s->step || s->op % s->step || s->map.columns == LAB_MAP_COLUMNS)
        return;
    malloclab_extent(p->heap, &lo, &bytes);
    live_list(s->live, s->list);
    lab_map_add(&s->map, s->op, s->list, live_count(s->live), lo, bytes);
}

void lab_check_peak(struct lab_check *s, struct heap *heap)
{
    const char *lo;

    if (!s->is_lab)
        return;
    malloclab_extent(heap, &lo, &s->peak_heap);
    live_list(s->live, s->peak);
    s->npeak = live_count(s->live);
}

/* ---- a new block ---- */

static size_t alignment_of(const char *q)
{
    const size_t lowest = (uintptr_t)q & -(uintptr_t)q;

    return lowest > 4096 ? 4096 : lowest;
}

static void check_place(struct player *p, const char *q, size_t size)
{
    struct lab_check *const s = state_of(p);
    const char *lo;
    size_t bytes;

    if (!s->is_lab)
        return;
    malloclab_extent(p->heap, &lo, &bytes);
    if (q < lo || q > lo + bytes || size > bytes - (size_t)(q - lo))
        player_fail(p, STATUS_CORRUPT,
                    "%p for %zu bytes is not all in the heap (%p, %zu bytes)",
                    (const void *)q, size, (const void *)lo, bytes);
}

static void check_new(struct player *p, const char *q, size_t size,
                      size_t align)
{
    struct lab_check *const s = state_of(p);
    const size_t due = align ? align : s->due;

    if (!q)
        player_fail(p, STATUS_NOMEM, "NULL for %zu bytes", size);
    if ((uintptr_t)q % due)
        player_fail(p, STATUS_CORRUPT,
                    "misaligned: %p for %zu bytes (want a multiple of %zu)",
                    (const void *)q, size, due);
    if (!s->align || alignment_of(q) < s->align)
        s->align = alignment_of(q);
    check_place(p, q, size);
    const struct live_block *const other = live_overlapped(s->live, q, size);
    if (other)
        player_fail(p, STATUS_CORRUPT,
                    "overlap: %p for %zu bytes, and the %zu bytes at %p of "
                    "operation %llu are live",
                    (const void *)q, size, other->size, (void *)other->at,
                    (unsigned long long)other->born);
}

/* Room between it and its neighbours. */
static void note_gaps(struct lab_check *s, const struct live_block *b)
{
    const struct live_block *const before = live_before(s->live, b->at);
    const struct live_block *const after = live_after(s->live, b->at);

    if (before)
        lab_gap_note(&s->gaps, before->size,
                     (uint64_t)(b->at - before->at) - before->size);
    if (after)
        lab_gap_note(&s->gaps, b->size,
                     (uint64_t)(after->at - b->at) - b->size);
}

static void enlist(struct player *p, char *q, size_t size)
{
    struct lab_check *const s = state_of(p);
    const struct live_block b = {
        .at = q, .size = size, .tag = (s->tag += PATTERN_STEP), .born = s->op};

    if (live_add(s->live, &b))
        player_fail(p, STATUS_ERROR, "more live blocks than the trace has");
    if (s->is_lab)
        note_gaps(s, &b);
    pattern_fill(q, size, b.tag);
}

/* ---- the ops ---- */

static struct live_block take(struct player *p, const char *q)
{
    struct live_block b;

    if (live_take(state_of(p)->live, q, &b))
        player_fail(p, STATUS_ERROR, "%p is no live block", (const void *)q);
    return b;
}

static void verify(const struct player *p, const struct live_block *b,
                   const char *when)
{
    const size_t wrong = pattern_first_wrong(b->at, b->size, b->tag);

    if (wrong < b->size)
        player_fail(p, STATUS_CORRUPT,
                    "%s: byte %zu of the %zu at %p of operation %llu was "
                    "overwritten",
                    when, wrong, b->size, (void *)b->at,
                    (unsigned long long)b->born);
}

static void *lab_alloc(struct player *p, size_t size, size_t align, int zero)
{
    begin(p);
    char *const q = zero ? p->allocator->zalloc(p->heap, size)
                         : p->allocator->alloc(p->heap, size, align);

    check_new(p, q, size, align);
    if (zero)
        player_check_zeroed(p, q, size);
    enlist(p, q, size);
    end(p);
    return q;
}

static void lab_dealloc(struct player *p, void *q, size_t size)
{
    begin(p);
    const struct live_block b = take(p, q);

    verify(p, &b, "before free");
    p->allocator->dealloc(p->heap, q, size);
    end(p);
}

static void *lab_resize(struct player *p, void *q, size_t old_size,
                        size_t new_size)
{
    begin(p);
    struct live_block b = take(p, q);

    verify(p, &b, "before realloc");
    char *const r = p->allocator->resize(p->heap, q, old_size, new_size);

    check_new(p, r, new_size, 0);
    b.at = r;
    b.size = old_size < new_size ? old_size : new_size;
    const size_t wrong = pattern_first_wrong(r, b.size, b.tag);
    if (wrong < b.size)
        player_fail(p, STATUS_CORRUPT,
                    "realloc from %zu to %zu bytes lost the contents: byte %zu "
                    "differs",
                    old_size, new_size, wrong);
    enlist(p, r, new_size);
    end(p);
    return r;
}

/* What the client writes is its own pattern again. */
static void lab_touch(struct player *p, void *q, size_t size)
{
    (void)q;
    (void)size;
    begin(p);
    end(p);
}

void lab_check_end(struct lab_check *s, const struct player *p)
{
    live_list(s->live, s->list);
    for (size_t i = 0; i < live_count(s->live); i++)
        verify(p, &s->list[i], "at the end");
}

const struct block_ops lab_check_ops = {
    .alloc = lab_alloc,
    .dealloc = lab_dealloc,
    .resize = lab_resize,
    .touch = lab_touch,
};
