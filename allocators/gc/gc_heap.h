/* gc_heap.h - the collector's data: blocks, side tables, bins, threads.
 *
 * The heap is one reserved range of address space, cut into blocks of 32 KiB.
 * A block holds objects of one size, kind and layout (its *bin*), or is part
 * of one large object.  Objects have no headers; everything about them is in
 * tables beside the heap:
 *
 *   block[b]   8 bytes: kind, size and reciprocal, so that any address in the
 *              block leads to its object by one multiplication
 *   mark       one byte an object, MARKS_A_BLOCK a block: equal to heap.epoch,
 *              the object was reached by the last collection (and is old);
 *              MARK_HELD, it is uncollectable; anything else, it is dead or
 *              younger than the collection.  Bytes, so that markers need no
 *              atomic operations; a collection begins with another epoch, so
 *              nobody clears them
 *   hot[b]     equal to epoch: something in the block is old, since the last
 *              collection
 *   card       one byte for CARD_BYTES: written to since the last collection
 *
 * Memory is handed out by bumping through *runs*: maximal stretches of objects
 * whose mark is not the epoch, found when a thread needs one (lazy sweep), and
 * zeroed then.  There are no free lists but a short one of objects that were
 * freed explicitly since the last collection.
 *
 * A collection takes the heap's lock, stops the other threads (gc_world.c),
 * drops all runs, marks (gc_mark.c), deals with the dying (gc_dying.c) and
 * sorts the blocks into empty ones and ones to sweep (gc_sweep.c).
 *
 * Invariant: outside a collection, of every object that was handed out since
 * the last one the mark differs from the epoch (or it was freed and is handed
 * out again), and no run that a thread holds contains an object whose mark is
 * the epoch.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GC_HEAP_H
#define GC_HEAP_H

#include <pthread.h>
#include <stdatomic.h>

#include "hy_gc.h"
#include "os_pages.h"

enum {
    GRANULE = 16,
    GRANULE_WORDS = GRANULE / sizeof(void *),
    BLOCK_SHIFT = 15,
    BLOCK_BYTES = 1 << BLOCK_SHIFT,
    BLOCK_MASK = BLOCK_BYTES - 1,
    MARKS_A_BLOCK = BLOCK_BYTES / GRANULE,
    SMALL_MAX = BLOCK_BYTES / 2, /* larger objects have blocks of their own */
    RECIPROCAL_SHIFT = 22,       /* exact for 2048 granules a block, 1024 an
                                    object */
    CLASSES_MAX = 96,
    ROWS = 3, /* of bins by size class: the first kinds below */
    BIN_EPHEMERON = ROWS * CLASSES_MAX,
    BIN_LAYOUT,
    BINS = BIN_LAYOUT + HY_GC_LAYOUTS_MAX,
    EPOCH_LAST = 250, /* epochs are 1 .. this */
    MARK_DEAD = 0,
    MARK_FREED = 254, /* only while objects are visited */
    MARK_HELD = 255,
    CARD_SHIFT = 8,
    CARD_BYTES = 1 << CARD_SHIFT,
    RUN_BYTES = 16 * 1024, /* of a run at most, so that it is still in cache
                              when it is used after zeroing */
    NO_GRANULES = 0xffff,  /* more than a block has */
    NO_BLOCK = -1
};

enum gc_block_kind {
    KIND_SCANNED,       /* words may be pointers */
    KIND_LEAF,          /* none is */
    KIND_UNCOLLECTABLE, /* scanned, and a root */
    KIND_EPHEMERON,
    KIND_LAYOUT,
    KIND_SMALL_END, /* those above lie in blocks of one bin */
    KIND_LARGE_SCANNED = KIND_SMALL_END,
    KIND_LARGE_LEAF,
    KIND_LARGE_UNCOLLECTABLE,
    KIND_TAIL, /* of a large object */
    KIND_FREE
};

/* One block.  Of a tail, reciprocal is the distance to the head in blocks. */
struct gc_block {
    unsigned reciprocal : 24; /* of granules, scaled by 2^RECIPROCAL_SHIFT */
    unsigned kind : 8;
    unsigned granules : 16; /* of an object of a bin; else NO_GRANULES */
    unsigned by_word : 16;  /* granules at its start of which each word may be
                               a pointer, while no other is; 0: another way */
};

struct gc_bin {
    uint32_t bytes; /* of an object; 0: not in use */
    uint32_t reciprocal;
    uint32_t objects; /* a block */
    uint8_t kind;
    uint8_t layout;
    uint16_t by_word; /* as in struct gc_block */
    int32_t to_sweep; /* blocks that may have room: a list by heap.next */
};

/* [cursor, end) is a thread's own: no object in it is handed out, and unless
 * its kind is a leaf it is zero.  Without a run, cursor is beyond any end, so
 * that neither a thread that is stopped between its loads of the two, nor one
 * that stores a cursor of before, is misled. */
struct gc_run {
    char *cursor, *end;
    uint32_t step; /* bytes of an object */
    int32_t block; /* that is being swept, or NO_BLOCK */
    uint32_t next; /* object in it where the sweep goes on */
    void *freed;   /* explicitly, since the last collection: a list */
};

struct hy_gc_thread {
    struct hy_gc *gc;
    const uint8_t *class_of;        /* gc's */
    uint32_t round;                 /* 15, or 16 with past_end */
    volatile uint32_t is_busy;      /* may not be stopped now */
    volatile uint32_t is_stop_owed; /* was asked to stop while busy */
    uintptr_t sp;                   /* where it stands */
    uintptr_t entry; /* of the one that collects: its stack is scanned from
                        here */
    uintptr_t stack_low, stack_high;
    uintptr_t tls_low, tls_high;     /* of the main thread: elsewhere */
    uintptr_t other_low, other_high; /* of sigaltstack, where it stands on it */
    pthread_t thread;
    struct hy_gc_thread *next, *previous;
    struct gc_run run[BINS];
};

struct gc_range {
    uintptr_t begin, end;
};

struct gc_ranges {
    struct gc_range *range; /* [n], in pages of their own */
    size_t n, room;
};

/* A layout: bit i of pointers is set if word i of the object is one. */
struct gc_layout {
    uint64_t pointers;
    uint32_t leading; /* if the pointers are the first words: how many; or 0 */
};

struct gc_markers; /* gc_mark.c */
struct gc_dying;   /* gc_dying.c */

struct hy_gc {
    /* Read by everyone, written rarely. */
    uintptr_t base;
    size_t extent; /* bytes from base that may be touched */
    struct gc_block *block;
    uint8_t *mark;
    uint8_t *hot;
    uint8_t *card;
    uint8_t epoch;
    bool is_compacting; /* this collection evacuates */
    uint8_t *sparse;    /* [b]: to be evacuated unless pinned */
    uint8_t *pinned;    /* [b] */
    struct gc_layout layout[HY_GC_LAYOUTS_MAX];
    unsigned layouts;
    unsigned classes;
    uint8_t class_of[SMALL_MAX / GRANULE + 1]; /* [granules] */
    struct hy_gc_config config;

    pthread_mutex_t lock; /* of all below */
    struct os_account account;
    size_t reserved;       /* bytes of address space from base */
    uint64_t *is_free;     /* [b / 64] bits: free blocks below extent */
    uint8_t *is_fresh;     /* [b]: all zero, never touched */
    uint8_t *is_young;     /* [b]: handed out from since the last collection */
    uint16_t *bin_of;      /* [b] */
    int32_t *next;         /* [b]: the to_sweep lists */
    uint64_t *large_bytes; /* [b]: of heads: bytes asked for */
    size_t free_blocks, free_hint, used_blocks, limit_blocks;
    size_t populated; /* blocks whose marks are in memory */
    struct gc_bin bin[BINS];
    struct hy_gc_thread *threads;
    unsigned nthreads;
    struct gc_ranges roots, excluded, globals;
    struct gc_markers *markers;
    struct gc_dying *dying;

    /* Pacing: gc_cycle.c. */
    _Atomic uint64_t since_bytes; /* handed out in runs since the last one */
    uint64_t budget;              /* collect at so many */
    uint64_t live_bytes;          /* after the last one */
    uint64_t full_at;             /* generational: full when live is so much */
    uint64_t recent_live[8];      /* after the last full ones */
    double growth;
    uint64_t total_bytes; /* before the last one */
    uint64_t world_ns;    /* when the world last went on */
    unsigned disabled;
    struct hy_gc_stats stats;
    void (*listener)(const struct hy_gc_event *, void *);
    void *listener_arg;
    struct hy_gc_hooks hooks;

    /* Stopping the world: gc_world.c. */
    _Atomic uint32_t stop_word; /* odd: stand */
    _Atomic uint32_t standing;
};

/* ---- where things are ---- */

static inline size_t gc_block_of(const struct hy_gc *gc, const void *p)
{
    return ((uintptr_t)p - gc->base) >> BLOCK_SHIFT;
}

static inline char *gc_block_start(const struct hy_gc *gc, size_t b)
{
    return (char *)gc->base + (b << BLOCK_SHIFT);
}

static inline bool gc_contains(const struct hy_gc *gc, const void *p)
{
    return (uintptr_t)p - gc->base < gc->extent;
}

/* Of the objects in a block of that kind. */
static inline const struct gc_layout *gc_layout_of(const struct hy_gc *gc,
                                                   size_t b)
{
    return &gc->layout[gc->bin[gc->bin_of[b]].layout];
}

/* Which object of a small block the offset lies in (maybe the rest at its
 * end). */
static inline uint32_t gc_index(struct gc_block block, uintptr_t offset)
{
    return (uint32_t)(((offset & BLOCK_MASK) / GRANULE *
                       (uint64_t)block.reciprocal) >>
                      RECIPROCAL_SHIFT);
}

static inline bool gc_kind_is_held(uint8_t kind)
{
    return kind == KIND_UNCOLLECTABLE || kind == KIND_LARGE_UNCOLLECTABLE;
}

static inline bool gc_kind_is_leaf(uint8_t kind)
{
    return kind == KIND_LEAF || kind == KIND_LARGE_LEAF;
}

/* Whether an object with this mark was reached, or is a root itself. */
static inline bool gc_mark_is_live(const struct hy_gc *gc, uint8_t mark)
{
    return mark == gc->epoch || mark == MARK_HELD;
}

/* Blocks of the large object whose first is `head`. */
static inline size_t gc_large_blocks(const struct hy_gc *gc, size_t head)
{
    return (gc->large_bytes[head] + BLOCK_MASK) >> BLOCK_SHIFT;
}

/* An object: what an address leads to. */
struct gc_object {
    char *start;
    size_t bytes; /* as its class gives; large: as asked, in whole granules */
    uint8_t *mark;
    size_t block; /* its first */
    struct gc_block info;
};

/* The object that p points into.  False if there is none: outside the heap, a
 * free block, the rest at a block's end.  What was never handed out counts. */
bool gc_find(const struct hy_gc *, const void *p, struct gc_object *out);

/* The calling thread, or NULL. */
extern __thread struct hy_gc_thread *gc_self
    __attribute__((tls_model("initial-exec")));

/* ---- a thread's critical sections: it may not be stopped within ---- */

void gc_stand_if_owed(struct hy_gc_thread *);

static inline void gc_busy(struct hy_gc_thread *t)
{
    t->is_busy = 1;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void gc_not_busy(struct hy_gc_thread *t)
{
    atomic_signal_fence(memory_order_seq_cst);
    t->is_busy = 0;
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(t->is_stop_owed, 0))
        gc_stand_if_owed(t);
}

/* ---- gc_alloc.c: the fast path, for gc_backend.c too ---- */

/* What a function returns that has saved registers in its frame: the call that
 * made it cannot be one that leaves the frame first. */
static inline void *gc_frame_kept(void *p)
{
    __asm__ volatile("" : "+r"(p));
    return p;
}

void *gc_alloc_slow(struct hy_gc_thread *, unsigned bin);
/* A free block that was taken becomes one of the bin.  No mark in it is the
 * epoch. */
void gc_block_open(struct hy_gc *, unsigned bin, size_t b);
void *gc_alloc_large(struct hy_gc_thread *, size_t size, uint8_t kind,
                     size_t align);

static inline void *gc_alloc_bin(struct hy_gc_thread *t, unsigned bin)
{
    struct gc_run *run = &t->run[bin];
    char *p = run->cursor;
    char *next = p + run->step;

    if (__builtin_expect(next > run->end, 0))
        return gc_alloc_slow(t, bin);
    run->cursor = next;
    return p;
}

static inline void *gc_alloc_kind(struct hy_gc_thread *t, size_t size,
                                  enum gc_block_kind kind)
{
    if (__builtin_expect(size > SMALL_MAX - GRANULE, 0))
        return gc_alloc_large(t, size, (uint8_t)(kind + KIND_LARGE_SCANNED), 0);
    return gc_alloc_bin(t, (unsigned)kind * CLASSES_MAX +
                               t->class_of[(size + t->round) / GRANULE]);
}

/* ---- gc_blocks.c: under the lock ---- */

int gc_blocks_open(struct hy_gc *);
void gc_blocks_close(struct hy_gc *);
/* `count` free blocks in a row, the first at a multiple of `align` blocks; or
 * NO_BLOCK if that would pass the limit. */
int32_t gc_blocks_take(struct hy_gc *, size_t count, size_t align);
void gc_blocks_give(struct hy_gc *, size_t first, size_t count);
/* Bring the marks of blocks that are new since the last call into memory, so
 * that no marker has to wait for a fault in a pause. */
void gc_blocks_populate_marks(struct hy_gc *);
/* Give memory of free blocks back to the system beyond `keep` of them. */
void gc_blocks_trim(struct hy_gc *, size_t keep);

/* ---- gc_bins.c ---- */

/* All size classes, and the table that leads to them. */
void gc_bins_init(struct hy_gc *);
void gc_bin_set(struct gc_bin *, size_t bytes, enum gc_block_kind,
                uint8_t layout);

/* ---- gc_sweep.c ---- */

/* After marking: empty blocks are free, the others are in their bin's list.
 * Returns the bytes of the empty ones. */
uint64_t gc_sweep_blocks(struct hy_gc *);
/* Whether a small block has an object whose mark is the epoch. */
bool gc_is_hot(const struct hy_gc *, size_t b);
/* The next run of the block that the thread sweeps; false: none is left. */
bool gc_sweep_run(struct hy_gc_thread *, unsigned bin);
/* Drop what the thread holds. */
void gc_drop_runs(struct hy_gc_thread *);
void gc_init_runs(struct hy_gc_thread *);

/* ---- gc_cycle.c: under the lock ---- */

/* Collect; finalizers that it found wait for gc_dying_run. */
void gc_collect_locked(struct hy_gc *, enum hy_gc_kind, enum hy_gc_reason);
bool gc_is_due(struct hy_gc *);
uint64_t gc_now_ns(void);

/* ---- gc_world.c ---- */

int gc_world_open(void);
/* Returns how many others stand. */
unsigned gc_world_stop(struct hy_gc *);
void gc_world_go(struct hy_gc *);
/* Call scan for every stopped thread's stack, and for the caller's from where
 * it entered the collector. */
void gc_world_stacks(struct hy_gc *,
                     void (*scan)(struct hy_gc *, uintptr_t begin,
                                  uintptr_t end));

/* ---- gc_roots.c ---- */

/* Look up the program's data segments: before the world is stopped.  ENOMEM:
 * without all of them nothing may be collected. */
int gc_roots_find_globals(struct hy_gc *);
int gc_ranges_add(struct gc_ranges *, struct gc_range);
void gc_ranges_free(struct gc_ranges *);

/* ---- gc_mark.c ---- */

int gc_markers_open(struct hy_gc *);
void gc_markers_close(struct hy_gc *);
void gc_markers_forget(struct hy_gc *); /* in a forked child */
/* Start helpers if they are wanted and there are none: before the world is
 * stopped, for it needs malloc, whose lock a thread that stands may hold. */
void gc_markers_start(struct hy_gc *);
struct gc_tally {
    uint64_t objects, bytes;
    unsigned markers; /* that took part */
};
/* Begin; then mark what words and objects reach.  Roots make room: a stack that
 * is rather full is worked off before it takes more. */
void gc_mark_begin(struct hy_gc *);
void gc_mark_range(struct hy_gc *, uintptr_t begin, uintptr_t end);
/* What p points to, from a place that is updated if it moves … */
void gc_mark_pointer(struct hy_gc *, const void *p);
/* … and from one that is not, so it must not. */
void gc_mark_ambiguous(struct hy_gc *, const void *p);
/* The words of an object, but not it. */
void gc_mark_contents(struct hy_gc *, const void *object, bool ignore_self);
/* Until everything reached is marked, with all markers.  Returns whether a
 * stack was full on the way: what gc_mark_pointer gave to it may be lost. */
bool gc_mark_drain(struct hy_gc *);
/* The same by this thread, telling of each object that it marks. */
bool gc_mark_drain_telling(struct hy_gc *,
                           void (*tell)(void *object, void *arg), void *arg);
struct gc_tally gc_mark_end(struct hy_gc *);
bool gc_is_marked(const struct hy_gc *, const void *p);

/* ---- gc_dying.c: weak links, ephemerons, finalizers ---- */

int gc_dying_open(struct hy_gc *);
void gc_dying_close(struct hy_gc *);
/* After marking from the roots.  Returns the finalizers found ready. */
uint64_t gc_dying_find(struct hy_gc *);
/* Roots of it: arguments of finalizers, objects that wait for one. */
void gc_dying_mark_roots(struct hy_gc *);
/* Memory that gc_dying_update needs; ENOMEM: nothing may be moved. */
int gc_dying_may_move(struct hy_gc *);
/* Objects moved: where gc_moved leads. */
void gc_dying_update(struct hy_gc *);
/* Run what is ready, without the lock. */
size_t gc_dying_run(struct hy_gc *, bool is_asked);
/* An object is freed explicitly. */
void gc_dying_forget(struct hy_gc *, void *object);

/* ---- gc_generations.c ---- */

void gc_cards_mark_roots(struct hy_gc *);
void gc_cards_clear(struct hy_gc *);
/* All words of this object were written to. */
void gc_store_all(struct hy_gc *, void *object);

/* ---- gc_compact.c ---- */

/* Choose the blocks to evacuate, before marking; false: none is sparse. */
bool gc_compact_choose(struct hy_gc *);
void gc_compact_move(struct hy_gc *, uint64_t *objects, uint64_t *bytes);
/* Where the object is now. */
void *gc_moved(const struct hy_gc *, void *p);

#endif
