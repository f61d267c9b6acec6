/* handles.c - a compacting heap of objects that are named by handles.
 *
 * A handle is an index into a table and the generation of that entry; the
 * entry says where the object is, in units of 16 bytes of a segment.
 *
 *   handle           entries                segments of 256 KiB
 *   +-----+-----+    +------------------+    +-----------------------------+
 *   | gen | i   |--->| where  gen  pins |--->|#### .... ## .. #######      |
 *   +-----+-----+    +------------------+    +-----------------------------+
 *                     valid if the two          # live  . dead  ^ used
 *                     generations agree
 *
 * An object is a header of 8 bytes, its own entry's index (0: dead) and its
 * size, and then its contents: so a segment can be walked, and whoever moves
 * an object finds the one word that must follow.
 *
 * Memory is a log.  New objects are put at the end of the head segment; a
 * freed one is only marked dead and subtracted from the segment's live bytes.
 * There are no free lists: memory comes back by evacuation.  The emptiest
 * segment (they are kept in lists by their live sixteenths) is the victim; its
 * live objects are copied to a second head, so that survivors stand together,
 * and the segment goes back to the system.  The work can stop after any
 * object, and goes on there the next time.  A segment that is more than 15/16
 * full is not worth it; as heads are left that full, compaction ends.
 *
 * Pinned objects are passed over.  What is dead around them becomes one gap
 * each, and the whole pages of a gap are given back; the segment is then set
 * aside ("swept") until one of them is unpinned.
 *
 * Pacing: while held > threshold * live, each allocation and each free owes
 * copying.  At worst all segments are equally full, 1 / threshold; then
 * 1 / (threshold - 1) bytes are copied for each that comes back, and that is
 * what keeps up.  Twice that is owed, and done in steps of 16 KiB.
 *
 * One segment is kept in reserve, so that compaction has somewhere to begin
 * when there is no memory; the first victim then takes its place.
 *
 * Objects over 16 KiB have pages of their own and need not move.
 *
 * Invariant: a live object's entry leads to it, and its header to the entry;
 *            objects of a segment follow one another without a hole, the live
 *            ones add up to its `live`, the pinned ones to its `pinned`; a
 *            segment is in the list of its live sixteenths, or a head, the
 *            victim, swept, the reserve, or of one large object; an entry is
 *            live (odd generation), on the free list, or worn out.
 *            (hy_handles_check() proves it.)
 *
 * Sources: relocatable blocks, master pointers and HLock of the Macintosh
 * Memory Manager (Inside Macintosh: Memory, 1992, ch. 1 and 2); a heap that is
 * a log, cleaned from its emptiest segments, with survivors kept apart: S. M.
 * Rumble, A. Kejriwal, J. Ousterhout, "Log-structured Memory for DRAM-based
 * Storage", FAST 2014; for sliding and two-finger compaction, of which neither
 * can stop half-way and go round pinned objects as this does: R. Jones, A.
 * Hosking, E. Moss, The Garbage Collection Handbook (2012), ch. 3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "handles.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "os_pages.h"

enum {
    SEGMENT = 256 << 10,
    UNIT = 16,      /* of sizes and places; the alignment */
    UNIT_BITS = 14, /* of a place within a segment: SEGMENT / UNIT */
    LISTS = 17,     /* 0: empty; else 1 + live sixteenths */
    SMALL_MAX = SEGMENT / 16,
    STEP = 16 << 10,     /* copied in one go by the pacing, at least */
    SLACK = 4 * SEGMENT, /* not held against a heap: two heads, and then some */
    MAX_BYTES_LEAST = 1 << 20,
    TABLE_LEAST = 16 << 10,
    WALK_SHARE = 16, /* bytes looked through that cost as one copied */
    LAST_GENERATION = (1 << 20) - 2 /* even: this entry is worn out */
};

/* For the compiler, that knows no 36-bit numbers. */
#define WHERE_MASK (((uint64_t)1 << 36) - 1)

struct header {
    uint32_t index; /* of its entry; 0: dead */
    uint32_t size;  /* of the contents, as asked for; dead: up to the next */
};

/* 8 bytes a handle are what it costs. */
struct entry {
    uint64_t where : 36;      /* segment and unit; free: the next free one */
    uint64_t generation : 20; /* odd: live */
    uint64_t pins : 8;
};

enum state {
    STATE_FREE, /* the descriptor only; next is the next free one */
    STATE_LISTED,
    STATE_HEAD,
    STATE_VICTIM,
    STATE_SWEPT,
    STATE_RESERVE,
    STATE_LARGE
};

struct segment {
    char *base;
    size_t bytes;        /* mapped there */
    size_t held;         /* of them not discarded */
    size_t live, used;   /* in live objects; up to where objects stand */
    uint32_t pinned;     /* live objects with pins */
    uint32_t next, prev; /* in its list; 0: none */
    unsigned char list;
    unsigned char state; /* enum state */
};

enum head { HEAD_NEW, HEAD_MOVED, HEADS };

/* An array that grows by page tables: its elements move, but are not copied. */
struct table {
    void *at;
    size_t bytes;
    uint32_t used; /* elements; 0 is never one */
    uint32_t free; /* first of the free list; 0: none */
};

struct hy_handles {
    pthread_mutex_t lock;
    struct os_account account;
    size_t max_bytes;
    double threshold, rate; /* rate: bytes owed for one byte */
    struct table entries, segments;
    uint32_t head[HEADS], list[LISTS];
    uint32_t reserve, victim;
    size_t cursor; /* in the victim: done up to here */
    bool is_reserve_dirty;
    size_t live, held; /* of all segments but large ones and the reserve */
    size_t discarded;  /* bytes mapped and not held */
    size_t lost;       /* that the kernel would not unmap; they are empty */
    size_t owed;       /* copying */
    struct hy_handles_metrics metrics; /* those that are counted up */
};

/* ---- tables ---- */

static struct entry *entry_at(const struct hy_handles *heap, uint32_t index)
{
    return (struct entry *)heap->entries.at + index;
}

static struct segment *segment_at(const struct hy_handles *heap,
                                  uint64_t number)
{
    return (struct segment *)heap->segments.at + number;
}

static size_t held_bytes(const struct hy_handles *heap)
{
    return atomic_load_explicit(&heap->account.mapped, memory_order_relaxed) -
           heap->discarded;
}

static bool may_map(const struct hy_handles *heap, size_t bytes)
{
    const size_t held = held_bytes(heap);

    return held <= heap->max_bytes && bytes <= heap->max_bytes - held;
}

/* Twice as large, or the first pages. */
static int table_grow(struct hy_handles *heap, struct table *table)
{
    const size_t bytes = table->bytes ? 2 * table->bytes : TABLE_LEAST;
    int err;

    if (!may_map(heap, bytes - table->bytes))
        return ENOMEM;
    void *const at = os_pages_reserve(bytes, 0);
    if (!at)
        return ENOMEM;
    if (table->at)
        err = os_pages_move(&heap->account, table->at, table->bytes, at, bytes);
    else
        err = os_pages_commit(&heap->account, at, bytes);
    if (err) {
        (void)os_pages_release(&heap->account, at, bytes, 0);
        return ENOMEM;
    }
    table->at = at;
    table->bytes = bytes;
    return 0;
}

/* An element at the end; 0 if there is no memory.  All pointers into the
 * table are void afterwards. */
static uint32_t table_extend(struct hy_handles *heap, struct table *table,
                             size_t element, uint32_t most)
{
    if (table->used == 0)
        table->used = 1;
    if (table->used > most ||
        ((table->used + 1) * element > table->bytes && table_grow(heap, table)))
        return 0;
    return table->used++;
}

/* ---- segments and their lists ---- */

static unsigned list_of(const struct segment *segment)
{
    return segment->live ? 1 + (unsigned)(segment->live * 16 / SEGMENT) : 0;
}

static void list_put(struct hy_handles *heap, uint32_t number)
{
    struct segment *const segment = segment_at(heap, number);
    const unsigned list = list_of(segment);

    segment->state = STATE_LISTED;
    segment->list = (unsigned char)list;
    segment->prev = 0;
    segment->next = heap->list[list];
    if (segment->next)
        segment_at(heap, segment->next)->prev = number;
    heap->list[list] = number;
}

static void list_take(struct hy_handles *heap, uint32_t number)
{
    const struct segment *const segment = segment_at(heap, number);

    if (segment->next)
        segment_at(heap, segment->next)->prev = segment->prev;
    if (segment->prev)
        segment_at(heap, segment->prev)->next = segment->next;
    else
        heap->list[segment->list] = segment->next;
}

/* Map a segment; 0 if there is no memory. */
static uint32_t segment_map(struct hy_handles *heap, size_t bytes)
{
    uint32_t number = heap->segments.free;

    if (!may_map(heap, bytes))
        return 0;
    if (number)
        heap->segments.free = segment_at(heap, number)->next;
    else
        number = table_extend(heap, &heap->segments, sizeof(struct segment),
                              (1u << (36 - UNIT_BITS)) - 1);
    if (number == 0)
        return 0;
    char *const base = os_pages_map(&heap->account, bytes);
    struct segment *const segment = segment_at(heap, number);
    *segment = (struct segment){.base = base, .bytes = bytes, .held = bytes};
    if (base)
        return number;
    *segment = (struct segment){.next = heap->segments.free};
    heap->segments.free = number;
    return 0;
}

static void segment_unmap(struct hy_handles *heap, uint32_t number)
{
    struct segment *const segment = segment_at(heap, number);

    if (os_pages_unmap(&heap->account, segment->base, segment->bytes))
        heap->lost += segment->bytes;
    heap->discarded -= segment->bytes - segment->held;
    *segment = (struct segment){.next = heap->segments.free};
    heap->segments.free = number;
}

/* A segment of which nothing is live leaves the heap, or is the reserve. */
static void segment_retire(struct hy_handles *heap, uint32_t number)
{
    struct segment *const segment = segment_at(heap, number);

    heap->held -= segment->held;
    if (heap->reserve) {
        heap->metrics.given_back += segment->held;
        segment_unmap(heap, number);
        return;
    }
    heap->discarded -= segment->bytes - segment->held;
    segment->held = segment->bytes;
    segment->state = STATE_RESERVE;
    heap->reserve = number;
    heap->is_reserve_dirty = true;
}

/* An empty segment for a head; 0 if there is none. */
static uint32_t segment_acquire(struct hy_handles *heap, enum head kind)
{
    uint32_t number = heap->list[0];

    if (number) {
        list_take(heap, number);
        heap->held -= segment_at(heap, number)->held;
    } else if (kind == HEAD_MOVED && heap->reserve) {
        number = heap->reserve;
        heap->reserve = 0;
    } else {
        number = segment_map(heap, SEGMENT);
    }
    if (number == 0)
        return 0;
    struct segment *const segment = segment_at(heap, number);
    heap->discarded -= segment->bytes - segment->held;
    segment->held = segment->bytes;
    heap->held += segment->held;
    segment->state = STATE_HEAD;
    segment->used = sizeof(struct header);
    return number;
}

/* ---- objects in segments ---- */

static size_t total_of(size_t size)
{
    return (size + sizeof(struct header) + UNIT - 1) & ~(size_t)(UNIT - 1);
}

static struct header *header_at(const struct hy_handles *heap, uint64_t where)
{
    const uint64_t units = where & ((1u << UNIT_BITS) - 1);

    return (struct header *)(segment_at(heap, where >> UNIT_BITS)->base +
                             units * UNIT + sizeof(struct header));
}

/* Room for a block of `total` bytes in a head segment; NULL: no memory.  All
 * pointers to segments are void afterwards. */
static struct header *place_small(struct hy_handles *heap, size_t total,
                                  enum head kind, uint64_t *where)
{
    uint32_t number = heap->head[kind];

    if (!number || segment_at(heap, number)->used + total > SEGMENT) {
        number = segment_acquire(heap, kind);
        if (number == 0)
            return NULL;
        if (heap->head[kind])
            list_put(heap, heap->head[kind]);
        heap->head[kind] = number;
    }
    struct segment *const segment = segment_at(heap, number);
    *where = (uint64_t)number << UNIT_BITS | segment->used / UNIT;
    segment->used += total;
    segment->live += total;
    heap->live += total;
    return header_at(heap, *where);
}

static struct header *place_large(struct hy_handles *heap, size_t total,
                                  uint64_t *where)
{
    const size_t bytes = os_pages_round(total + sizeof(struct header));
    const uint32_t number = segment_map(heap, bytes);

    if (number == 0)
        return NULL;
    struct segment *const segment = segment_at(heap, number);
    segment->state = STATE_LARGE;
    segment->used = sizeof(struct header) + total;
    segment->live = total;
    *where = (uint64_t)number << UNIT_BITS;
    return header_at(heap, *where);
}

static struct header *place(struct hy_handles *heap, size_t total,
                            uint64_t *where)
{
    return total > SMALL_MAX ? place_large(heap, total, where)
                             : place_small(heap, total, HEAD_NEW, where);
}

/* `bytes` at the end of a block, or all of it, are no longer live. */
static void drop(struct hy_handles *heap, uint64_t number, size_t bytes)
{
    struct segment *const segment = segment_at(heap, number);

    segment->live -= bytes;
    heap->live -= bytes;
    if (segment->state == STATE_LISTED && list_of(segment) != segment->list) {
        list_take(heap, (uint32_t)number);
        list_put(heap, (uint32_t)number);
    }
}

/* Make [from, from + bytes) of a segment dead: one header says so, or, where
 * the youngest block of a head ends there, the end is drawn back. */
static void bury(struct segment *segment, char *from, size_t bytes)
{
    const size_t at = (size_t)(from - segment->base);

    if (segment->state == STATE_HEAD && at + bytes == segment->used)
        segment->used = at;
    else
        *(struct header *)(void *)from =
            (struct header){.size = (uint32_t)(bytes - sizeof(struct header))};
}

/* The block of an object that is freed, or now lives elsewhere. */
static void vacate(struct hy_handles *heap, uint64_t where)
{
    struct header *const header = header_at(heap, where);
    const size_t total = total_of(header->size);
    const uint64_t number = where >> UNIT_BITS;

    if (segment_at(heap, number)->state == STATE_LARGE) {
        segment_unmap(heap, (uint32_t)number);
        return;
    }
    bury(segment_at(heap, number), (char *)header, total);
    drop(heap, number, total);
}

/* ---- compaction ---- */

/* Returns false if there is nowhere to go. */
static bool move_object(struct hy_handles *heap, struct header *from)
{
    struct entry *const entry = entry_at(heap, from->index);
    const uint64_t old = entry->where;
    const size_t total = total_of(from->size);
    uint64_t where;
    struct header *const to = place_small(heap, total, HEAD_MOVED, &where);

    if (!to)
        return false;
    memcpy(to, from, total);
    entry->where = where & WHERE_MASK;
    vacate(heap, old);
    heap->metrics.moved_objects++;
    heap->metrics.moved_bytes += total;
    return true;
}

/* Give the whole pages of a gap back; returns how many bytes they are. */
static size_t gap_discard(char *from, char *to)
{
    const uintptr_t page = os_page_size();
    const uintptr_t first =
        ((uintptr_t)from + sizeof(struct header) + page - 1) & ~(page - 1);
    const uintptr_t end = (uintptr_t)to & ~(page - 1);

    if (first >= end || os_pages_discard((void *)first, end - first))
        return 0;
    return end - first;
}

/* One gap between live objects, and only the pages that they stand on.  A gap
 * only grows, so all that was ever discarded is discarded here. */
static void segment_sweep(struct hy_handles *heap, struct segment *segment)
{
    char *const end = segment->base + segment->used;
    char *gap = NULL;
    size_t discarded = 0;

    for (char *at = segment->base + sizeof(struct header); at <= end;) {
        const struct header *const header = (struct header *)(void *)at;
        const bool is_live = at < end && header->index;
        if ((is_live || at == end) && gap) {
            bury(segment, gap, (size_t)(at - gap));
            discarded += gap_discard(gap, at);
            gap = NULL;
        }
        if (at == end)
            break;
        if (!is_live && !gap)
            gap = at;
        at += total_of(header->size);
    }
    const size_t held = segment->bytes - discarded;
    heap->metrics.given_back += segment->held > held ? segment->held - held : 0;
    heap->discarded += segment->held - held;
    heap->held -= segment->held - held;
    segment->held = held;
    segment->state = STATE_SWEPT;
}

static void victim_finish(struct hy_handles *heap)
{
    const uint32_t number = heap->victim;
    struct segment *const segment = segment_at(heap, number);

    heap->victim = 0;
    if (segment->live == 0)
        segment_retire(heap, number);
    else if (segment->pinned > 0)
        segment_sweep(heap, segment);
    else
        list_put(heap, number); /* unpinned behind the cursor */
}

/* The emptiest segment, if it is worth it. */
static bool victim_choose(struct hy_handles *heap)
{
    for (unsigned list = 0; list < LISTS - 1; list++) {
        if (heap->list[list]) {
            heap->victim = heap->list[list];
            heap->cursor = sizeof(struct header);
            list_take(heap, heap->victim);
            segment_at(heap, heap->victim)->state = STATE_VICTIM;
            return true;
        }
    }
    return false;
}

/* Work on the victim; returns what it cost, or 0 if there is no room. */
static size_t victim_evacuate(struct hy_handles *heap, size_t budget)
{
    size_t cost = 0;

    while (cost < budget) {
        const struct segment *const segment = segment_at(heap, heap->victim);
        if (segment->live == 0 || heap->cursor >= segment->used) {
            cost += (segment->bytes - heap->cursor) / WALK_SHARE + 1;
            victim_finish(heap);
            break;
        }
        struct header *const header =
            (struct header *)(void *)(segment->base + heap->cursor);
        const size_t total = total_of(header->size);
        if (header->index && entry_at(heap, header->index)->pins == 0) {
            if (!move_object(heap, header))
                return 0;
            cost += total;
        }
        cost += total / WALK_SHARE;
        heap->cursor += total;
    }
    return cost;
}

static void reserve_clean(struct hy_handles *heap)
{
    if (heap->reserve && heap->is_reserve_dirty)
        (void)os_pages_discard(segment_at(heap, heap->reserve)->base, SEGMENT);
    heap->is_reserve_dirty = false;
}

/* Returns whether there is more to do. */
static bool compact(struct hy_handles *heap, size_t budget)
{
    bool is_idle = true;

    for (size_t cost = 0; cost < budget;) {
        if (!heap->victim && !victim_choose(heap)) {
            reserve_clean(heap);
            return false;
        }
        if (is_idle) {
            is_idle = false;
            heap->metrics.compactions++;
            heap->metrics.pinned_at_compaction = heap->metrics.pinned;
        }
        const size_t step = victim_evacuate(heap, budget - cost);
        if (step == 0)
            return false;
        cost = step > SIZE_MAX - cost ? SIZE_MAX : cost + step;
    }
    return true;
}

/* After `bytes` were allocated or freed. */
static void pace(struct hy_handles *heap, size_t bytes)
{
    if ((double)heap->held <=
        heap->threshold * (double)heap->live + (double)SLACK) {
        heap->owed = 0;
        return;
    }
    heap->owed += (size_t)(heap->rate * (double)bytes);
    if (heap->owed >= STEP) {
        (void)compact(heap, heap->owed);
        heap->owed = 0;
    }
}

/* ---- entries ---- */

/* The entry of a live object, or NULL. */
static struct entry *entry_find(const struct hy_handles *heap, uint64_t handle)
{
    const uint32_t index = (uint32_t)handle;

    if (index == 0 || index >= heap->entries.used)
        return NULL;
    struct entry *const entry = entry_at(heap, index);
    return entry->generation == handle >> 32 && (entry->generation & 1) ? entry
                                                                        : NULL;
}

/* A free entry, not yet live; 0: no memory. */
static uint32_t entry_take(struct hy_handles *heap)
{
    const uint32_t index = heap->entries.free;

    if (index == 0)
        return table_extend(heap, &heap->entries, sizeof(struct entry),
                            UINT32_MAX - 1);
    heap->entries.free = (uint32_t)entry_at(heap, index)->where;
    return index;
}

/* Free an entry that was or was not live; not if it is worn out. */
static void entry_put(struct hy_handles *heap, uint32_t index)
{
    struct entry *const entry = entry_at(heap, index);

    entry->generation = (entry->generation + 1u) & ~1u & 0xfffff;
    if (entry->generation == LAST_GENERATION)
        return;
    entry->where = heap->entries.free;
    heap->entries.free = index;
}

/* ---- with the lock held ---- */

static uint64_t alloc(struct hy_handles *heap, size_t size)
{
    uint64_t where;

    if (size > UINT32_MAX - 2 * UNIT)
        return 0;
    const size_t total = total_of(size);
    uint32_t index = entry_take(heap);
    if (index == 0) {
        (void)compact(heap, SIZE_MAX);
        index = entry_take(heap);
    }
    if (index == 0)
        return 0;
    struct header *header = place(heap, total, &where);
    if (!header) {
        (void)compact(heap, SIZE_MAX);
        header = place(heap, total, &where);
    }
    if (!header) {
        entry_put(heap, index);
        return 0;
    }
    *header = (struct header){.index = index, .size = (uint32_t)size};
    struct entry *const entry = entry_at(heap, index);
    entry->generation = entry->generation | 1u;
    entry->where = where & WHERE_MASK;
    entry->pins = 0;
    heap->metrics.objects++;
    heap->metrics.live_bytes += size;
    heap->metrics.block_bytes += total;
    const uint64_t handle = (uint64_t)entry->generation << 32 | index;
    pace(heap, total);
    return handle;
}

static int release(struct hy_handles *heap, uint64_t handle)
{
    struct entry *const entry = entry_find(heap, handle);

    if (!entry)
        return ESTALE;
    if (entry->pins > 0)
        return EBUSY;
    const size_t size = header_at(heap, entry->where)->size;
    const size_t total = total_of(size);
    vacate(heap, entry->where);
    entry_put(heap, (uint32_t)handle);
    heap->metrics.objects--;
    heap->metrics.live_bytes -= size;
    heap->metrics.block_bytes -= total;
    pace(heap, total);
    return 0;
}

static void *pin(struct hy_handles *heap, uint64_t handle, int *err)
{
    struct entry *const entry = entry_find(heap, handle);

    *err = !entry ? ESTALE : entry->pins == HY_HANDLES_PINS_MAX ? EOVERFLOW : 0;
    if (*err)
        return NULL;
    if (entry->pins == 0) {
        segment_at(heap, entry->where >> UNIT_BITS)->pinned++;
        heap->metrics.pinned++;
    }
    entry->pins = (entry->pins + 1u) & 0xff;
    return header_at(heap, entry->where) + 1;
}

static int unpin(struct hy_handles *heap, uint64_t handle)
{
    struct entry *const entry = entry_find(heap, handle);

    if (!entry)
        return ESTALE;
    if (entry->pins == 0)
        return EINVAL;
    entry->pins = (entry->pins - 1u) & 0xff;
    if (entry->pins == 0) {
        const uint32_t number = (uint32_t)(entry->where >> UNIT_BITS);
        struct segment *const segment = segment_at(heap, number);
        segment->pinned--;
        heap->metrics.pinned--;
        if (segment->state == STATE_SWEPT)
            list_put(heap, number); /* this one can move now */
    }
    return 0;
}

/* In its own block; returns whether that could be. */
static bool resize_in_place(struct hy_handles *heap, const struct entry *entry,
                            size_t total)
{
    const uint64_t number = entry->where >> UNIT_BITS;
    struct segment *const segment = segment_at(heap, number);
    struct header *const header = header_at(heap, entry->where);
    const size_t old = total_of(header->size);

    if (segment->state == STATE_LARGE) {
        const size_t used = sizeof(struct header) + total;
        if (used > segment->bytes ||
            (entry->pins == 0 && used < segment->bytes / 2))
            return false;
        segment->used = used;
        segment->live = total;
        return true;
    }
    if (total > old)
        return false;
    if (total < old) {
        bury(segment, (char *)header + total, old - total);
        drop(heap, number, old - total);
    }
    return true;
}

/* To another block.  Compaction may move the object meanwhile. */
static int resize_elsewhere(struct hy_handles *heap, struct entry *entry,
                            size_t size, size_t total)
{
    uint64_t where;
    struct header *to = place(heap, total, &where);

    if (!to) {
        (void)compact(heap, SIZE_MAX);
        to = place(heap, total, &where);
    }
    if (!to)
        return ENOMEM;
    const struct header *const from = header_at(heap, entry->where);
    *to = (struct header){.index = from->index, .size = (uint32_t)size};
    memcpy(to + 1, from + 1, from->size < size ? from->size : size);
    const uint64_t old = entry->where;
    entry->where = where & WHERE_MASK;
    vacate(heap, old);
    return 0;
}

static int resize(struct hy_handles *heap, uint64_t handle, size_t size)
{
    struct entry *const entry = entry_find(heap, handle);

    if (!entry)
        return ESTALE;
    if (size > UINT32_MAX - 2 * UNIT)
        return ENOMEM;
    const size_t old_size = header_at(heap, entry->where)->size;
    const size_t old = total_of(old_size), total = total_of(size);
    if (resize_in_place(heap, entry, total)) {
        header_at(heap, entry->where)->size = (uint32_t)size;
    } else {
        const int err = entry->pins > 0
                            ? EBUSY
                            : resize_elsewhere(heap, entry, size, total);
        if (err)
            return err;
    }
    heap->metrics.live_bytes += size - old_size;
    heap->metrics.block_bytes += total - old;
    pace(heap, total > old ? total : old);
    return 0;
}

/* ---- the check ---- */

static const char *check_object(const struct hy_handles *heap,
                                const struct header *header, uint64_t where)
{
    if (header->index >= heap->entries.used)
        return "a header names an entry that there is not";
    const struct entry *const entry = entry_at(heap, header->index);
    if ((entry->generation & 1) == 0)
        return "a live object has a free entry";
    return entry->where == where ? NULL : "an entry leads elsewhere";
}

/* Adds the segment's live objects to *objects. */
static const char *check_objects(const struct hy_handles *heap, uint32_t number,
                                 size_t *objects)
{
    const struct segment *const segment = segment_at(heap, number);
    size_t at = sizeof(struct header), live = 0, pinned = 0;

    while (at < segment->used) {
        const struct header *const header =
            (struct header *)(void *)(segment->base + at);
        const uint64_t where = (uint64_t)number << UNIT_BITS | at / UNIT;
        const size_t total = total_of(header->size);
        if (header->index) {
            const char *const fault = check_object(heap, header, where);
            if (fault)
                return fault;
            live += total;
            pinned += entry_at(heap, header->index)->pins > 0;
            ++*objects;
        }
        at += total;
    }
    if (at != segment->used || at > segment->bytes)
        return "objects do not end where the segment's use ends";
    if (live != segment->live)
        return "a segment's live bytes are wrong";
    return pinned == segment->pinned ? NULL : "a segment's pins are wrong";
}

static bool is_in_its_place(const struct hy_handles *heap, uint32_t number)
{
    const struct segment *const segment = segment_at(heap, number);

    switch ((enum state)segment->state) {
    case STATE_HEAD:
        return heap->head[HEAD_NEW] == number ||
               heap->head[HEAD_MOVED] == number;
    case STATE_VICTIM:
        return heap->victim == number && heap->cursor <= segment->bytes;
    case STATE_RESERVE:
        return heap->reserve == number && segment->live == 0;
    case STATE_LISTED:
        return segment->list == list_of(segment) &&
               (segment->prev ? segment_at(heap, segment->prev)->next == number
                              : heap->list[segment->list] == number);
    case STATE_SWEPT:
        return segment->pinned > 0;
    default:
        return true;
    }
}

static const char *check_segments(const struct hy_handles *heap)
{
    size_t objects = 0, live = 0, held = 0, mapped = 0, discarded = 0;

    for (uint32_t number = 1; number < heap->segments.used; number++) {
        const struct segment *const segment = segment_at(heap, number);
        if (!is_in_its_place(heap, number))
            return "a segment is not where its state says";
        if (segment->state != STATE_FREE && segment->state != STATE_RESERVE) {
            const char *const fault = check_objects(heap, number, &objects);
            if (fault)
                return fault;
        }
        mapped += segment->bytes;
        discarded += segment->bytes - segment->held;
        if (segment->state == STATE_LARGE || segment->state == STATE_RESERVE)
            continue;
        live += segment->live;
        held += segment->held;
    }
    if (objects != heap->metrics.objects)
        return "objects in segments are not those that live";
    if (live != heap->live || held != heap->held ||
        discarded != heap->discarded)
        return "the heap's sums are not those of its segments";
    mapped += heap->entries.bytes + heap->segments.bytes + heap->lost +
              os_pages_round(sizeof *heap);
    return mapped == heap->account.mapped ? NULL : "mapped bytes are wrong";
}

static const char *check_entries(const struct hy_handles *heap)
{
    size_t live = 0, worn = 0, unused = 0;

    for (uint32_t i = 1; i < heap->entries.used; i++) {
        const struct entry *const entry = entry_at(heap, i);
        live += entry->generation & 1;
        worn += entry->generation == LAST_GENERATION;
        if ((entry->generation & 1) &&
            header_at(heap, entry->where)->index != i)
            return "an entry leads to another's object";
    }
    for (uint32_t i = heap->entries.free; i;
         i = (uint32_t)entry_at(heap, i)->where)
        if (entry_at(heap, i)->generation & 1 || ++unused > heap->entries.used)
            return "the list of free entries is broken";
    if (live != heap->metrics.objects)
        return "live entries are not as many as objects";
    return heap->entries.used == 0 ||
                   live + worn + unused + 1 == heap->entries.used
               ? NULL
               : "an entry is neither live, nor free, nor worn out";
}

/* ---- what the header declares ---- */

int hy_handles_open(const struct hy_handles_config *config,
                    struct hy_handles **out)
{
    const double threshold = config->threshold != 0 ? config->threshold : 1.25;
    const size_t most = config->max_bytes ? config->max_bytes : SIZE_MAX;
    struct os_account account = {0};

    if (!(threshold >= 1.1) || most < MAX_BYTES_LEAST)
        return EINVAL;
    struct hy_handles *const heap = os_pages_map(&account, sizeof *heap);
    if (!heap)
        return ENOMEM;
    heap->account.mapped = account.mapped;
    heap->max_bytes = most;
    heap->threshold = threshold;
    heap->rate = 1 + 2 / (threshold - 1);
    int err = pthread_mutex_init(&heap->lock, NULL);
    if (err) {
        (void)os_pages_unmap(NULL, heap, sizeof *heap);
        return err;
    }
    heap->reserve = segment_map(heap, SEGMENT);
    if (heap->reserve == 0) {
        hy_handles_close(heap);
        return ENOMEM;
    }
    segment_at(heap, heap->reserve)->state = STATE_RESERVE;
    *out = heap;
    return 0;
}

void hy_handles_close(struct hy_handles *heap)
{
    if (!heap)
        return;
    for (uint32_t number = 1; number < heap->segments.used; number++)
        if (segment_at(heap, number)->base)
            segment_unmap(heap, number);
    (void)os_pages_unmap(NULL, heap->entries.at, heap->entries.bytes);
    (void)os_pages_unmap(NULL, heap->segments.at, heap->segments.bytes);
    pthread_mutex_destroy(&heap->lock);
    (void)os_pages_unmap(NULL, heap, sizeof *heap);
}

uint64_t hy_handles_alloc(struct hy_handles *heap, size_t size)
{
    pthread_mutex_lock(&heap->lock);
    const uint64_t handle = alloc(heap, size);
    pthread_mutex_unlock(&heap->lock);
    if (handle == 0)
        errno = ENOMEM;
    return handle;
}

int hy_handles_free(struct hy_handles *heap, uint64_t handle)
{
    pthread_mutex_lock(&heap->lock);
    const int err = release(heap, handle);
    pthread_mutex_unlock(&heap->lock);
    return err;
}

void *hy_handles_pin(struct hy_handles *heap, uint64_t handle)
{
    int err;

    pthread_mutex_lock(&heap->lock);
    void *const p = pin(heap, handle, &err);
    pthread_mutex_unlock(&heap->lock);
    if (err)
        errno = err;
    return p;
}

int hy_handles_unpin(struct hy_handles *heap, uint64_t handle)
{
    pthread_mutex_lock(&heap->lock);
    const int err = unpin(heap, handle);
    pthread_mutex_unlock(&heap->lock);
    return err;
}

int hy_handles_resize(struct hy_handles *heap, uint64_t handle, size_t size)
{
    pthread_mutex_lock(&heap->lock);
    const int err = resize(heap, handle, size);
    pthread_mutex_unlock(&heap->lock);
    return err;
}

int hy_handles_size(struct hy_handles *heap, uint64_t handle, size_t *size)
{
    pthread_mutex_lock(&heap->lock);
    const struct entry *const entry = entry_find(heap, handle);
    if (entry)
        *size = header_at(heap, entry->where)->size;
    pthread_mutex_unlock(&heap->lock);
    return entry ? 0 : ESTALE;
}

bool hy_handles_compact(struct hy_handles *heap, size_t budget)
{
    pthread_mutex_lock(&heap->lock);
    const bool has_more = compact(heap, budget);
    pthread_mutex_unlock(&heap->lock);
    return has_more;
}

void hy_handles_measure(struct hy_handles *heap,
                        struct hy_handles_metrics *metrics)
{
    pthread_mutex_lock(&heap->lock);
    *metrics = heap->metrics;
    metrics->mapped_bytes = held_bytes(heap);
    metrics->table_bytes = heap->entries.bytes + heap->segments.bytes +
                           os_pages_round(sizeof *heap);
    pthread_mutex_unlock(&heap->lock);
}

const char *hy_handles_check(struct hy_handles *heap)
{
    pthread_mutex_lock(&heap->lock);
    const char *fault = check_segments(heap);
    if (!fault)
        fault = check_entries(heap);
    pthread_mutex_unlock(&heap->lock);
    return fault;
}
