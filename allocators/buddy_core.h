/* buddy_core.h - what the kinds of the buddy system share.
 *
 * A block's length is its class: 16, 32, 48, 64, 96, 128, 192 ... bytes; even
 * classes are powers of two, odd ones three halves of the class before.
 *
 *     class   0   1   2   3   4   5   6   7   8  ...  36
 *     bytes  16   -  32  48  64  96 128 192 256 ...  4 MiB
 *
 * Blocks live in regions of 4 MiB, aligned to their length.  A region is of
 * one of two zones: the fine one, whose unit is 16 bytes, serves up to 384
 * bytes, and the coarse one, whose unit is 256 bytes, what is longer.  What is
 * known of a region stands in front of it, so that no block loses bytes to a
 * header:
 *
 *     | the kind's records | state bytes | extent | region: blocks       |
 *                                                 ^ multiple of 4 MiB
 *
 * One state byte for each unit, in falling order of addresses: class + 1
 * where a block starts that is taken, with STATE_FREE where one starts that
 * the kind says is free, else 0.  What fits no region has a mapping of its
 * own, an extent and one state byte.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_BUDDY_CORE_H
#define HEAPYARD_BUDDY_CORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocator.h"
#include "os_pages.h"

enum {
    CACHE_LINE = 64,
    REGION_SHIFT = 22,
    FINE_SHIFT = 4,
    COARSE_SHIFT = 8,
    TOP_CLASS = 2 * (REGION_SHIFT - FINE_SHIFT),
    CLASSES = TOP_CLASS + 1,
    CLASS_SINGLE = CLASSES, /* a block with its own mapping */
    COARSE_CLASS = 10,      /* from there on in the coarse zone: 512 bytes */
    STATE_FREE = 0x80,
    STATE_CACHED = 0x40 /* in a quick list; set during a walk only */
};

#define REGION_BYTES ((size_t)1 << REGION_SHIFT)

enum zone_name { ZONE_FINE, ZONE_COARSE, ZONES };

/* Stands right in front of what it describes. */
struct extent {
    _Alignas(CACHE_LINE) uint8_t shift; /* of a unit */
    uint8_t zone;
    void *records; /* of the kind; first in the mapping */
    struct extent *next, *prev;
    size_t mapped; /* bytes, from records or so to the end */
    size_t bytes;  /* of the one block; 0: a region */
};

/* A block that is in a list that one thread holds. */
struct block {
    struct block *next;
};

struct quick {
    struct block *head;
    _Atomic uint32_t count; /* written by the owner */
    uint32_t depth;         /* at most so many */
};

struct seat {
    _Alignas(CACHE_LINE) uintptr_t owner; /* 0: free; under the lock */
    unsigned frees;                       /* into quick lists */
    struct quick quick[CLASSES + 1];      /* CLASS_SINGLE: never any */
};

struct zone {
    uint64_t filled; /* bit k: free[k] not empty */
    char *free[CLASSES];
};

struct heap {
    uint64_t serial; /* 1 or more, never used twice in a process */
    unsigned no_odd; /* 1: only even classes */
    const struct buddy_kind *kind;
    struct os_account account;
    size_t bytes; /* of this heap itself */
    unsigned seats;
    unsigned page_shift;
    uint64_t decay_ms;
    uint32_t depth[CLASSES + 1]; /* of quick lists */

    /* In regions, quick lists included; and all singles. */
    _Alignas(CACHE_LINE) _Atomic size_t taken_bytes;
    _Atomic size_t taken_blocks;

    /* Of the nonblocking kind: regions by age, and where a block was found. */
    _Atomic(struct extent *) newest[ZONES];
    _Atomic(struct extent *) last[ZONES];

    _Alignas(CACHE_LINE) pthread_mutex_t lock; /* over what follows */
    struct zone zone[ZONES];                   /* of the locked kinds */
    struct extent *extents;
    size_t given_bytes; /* since the clock was last read */
    uint64_t looked_ms; /* when free pages were last looked at */
    unsigned used;      /* seats from there on were never owned */

    struct seat seat[];
};

/* What differs between kinds. */
struct buddy_kind {
    /* Bytes of records of a region with that unit. */
    size_t (*record_bytes)(unsigned shift);
    /* Chain up to n blocks into *list, *list being the first; map memory for
     * one at most.  Returns how many, 0 if there is no memory. */
    size_t (*take)(struct heap *, unsigned class, size_t n,
                   struct block **list);
    /* Take back a chain of blocks of one class. */
    void (*give)(struct heap *, struct block *list, unsigned class);
    /* Make a taken block one of another class where it stands, if that can
     * be.  NULL: never. */
    bool (*resize)(struct heap *, char *p, unsigned from, unsigned to);
    /* Look at the clock, and once a decay period at what lies free. */
    void (*age)(struct heap *);
    /* There is no memory: give back what is kept for later.  NULL: nothing. */
    void (*trim)(struct heap *);
    /* What is wrong in one region; then in all of the heap.  NULL: nothing. */
    const char *(*check_region)(struct heap *, struct extent *);
    const char *(*check_heap)(struct heap *);
};

extern const struct buddy_kind buddy_locked, buddy_nonblocking;

/* ---- Classes ---- */

static inline size_t class_bytes(unsigned class)
{
    return (size_t)(2 + (class & 1)) << (class >> 1) << (FINE_SHIFT - 1);
}

/* The smallest class that holds `bytes`, at most REGION_BYTES. */
static inline unsigned class_for(const struct heap *heap, size_t bytes)
{
    if (bytes <= 2 * class_bytes(0))
        return bytes <= class_bytes(0) ? 0 : 2;
    const unsigned top = 63 - (unsigned)__builtin_clzll(bytes - 1);
    const unsigned half = (unsigned)((bytes - 1) >> (top - 1)) & 1;
    return ((2 * (top - FINE_SHIFT) + half) | heap->no_odd) + 1;
}

static inline enum zone_name zone_for(unsigned class)
{
    return class < COARSE_CLASS ? ZONE_FINE : ZONE_COARSE;
}

static inline unsigned zone_shift(enum zone_name zone)
{
    return zone == ZONE_FINE ? FINE_SHIFT : COARSE_SHIFT;
}

/* ---- Addresses ---- */

static inline size_t offset_of(const void *p)
{
    return (uintptr_t)p & (REGION_BYTES - 1);
}

static inline struct extent *extent_of(const void *p)
{
    return (struct extent *)(void *)((char *)p - offset_of(p)) - 1;
}

static inline uint8_t *state_at(struct extent *extent, size_t i)
{
    return (uint8_t *)extent - 1 - i;
}

static inline uint8_t *state_of(const void *p)
{
    struct extent *const extent = extent_of(p);
    return state_at(extent, offset_of(p) >> extent->shift);
}

/* Of a block that is taken. */
static inline unsigned class_of(const void *p)
{
    return *state_of(p) - 1U;
}

/* Units of a region. */
static inline size_t region_units(const struct extent *extent)
{
    return REGION_BYTES >> extent->shift;
}

static inline char *unit_at(struct extent *extent, size_t i)
{
    return (char *)(extent + 1) + (i << extent->shift);
}

/* ---- Extents; buddy_extent.c ---- */

/* Map a region, not linked yet.  NULL: errno is ENOMEM. */
struct extent *extent_map_region(struct heap *, enum zone_name);

/* Map a block of `bytes`, whole pages, of its own.  NULL: errno is ENOMEM. */
struct extent *extent_map_single(struct heap *, size_t bytes, size_t align);

/* Move a single, not linked now, to where `bytes` are mapped, by page tables.
 * NULL: nothing has changed. */
struct extent *extent_move_single(struct heap *, struct extent *, size_t bytes);

/* Cut a single's tail off. */
void extent_cut_single(struct heap *, struct extent *, size_t bytes);

void extent_unmap(struct heap *, struct extent *);

/* Into and out of the heap's list; under the lock. */
void extent_link(struct heap *, struct extent *);
void extent_unlink(struct heap *, struct extent *);

/* Milliseconds of a clock that never goes back. */
uint64_t buddy_now_ms(void);

#endif
