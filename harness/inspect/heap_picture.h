/* heap_picture.h - a heap at one moment, made out of the facts of it.
 *
 * Two views of the same moment.  The *outer* one is alike for every allocator:
 * the blocks that the trace says are live, and the pages that are in memory.
 * The *inner* one is what the allocator shows of itself: spans, free and
 * cached blocks, records; as much of it as there is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_HEAP_PICTURE_H
#define HEAPYARD_HEAP_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap_facts.h"

enum {
    PICTURE_STATES = 3,     /* of enum block_state */
    PICTURE_DOUBLINGS = 28, /* doubling k: blocks of up to 16 << k bytes */
    PICTURE_DECILES = 11,   /* 0: no live byte; k: up to k tenths are live */
    PICTURE_CROWDS = 12,    /* 0: no live block; k: up to 2^(k-1) of them */
    PICTURE_SIZES = 48      /* k: blocks of 2^k to 2^(k+1) - 1 bytes */
};

/* Blocks of one size. */
struct picture_class {
    uint64_t block_bytes;
    uint64_t live, live_bytes;  /* live_bytes: as asked for */
    uint64_t free, cached;      /* blocks */
    uint64_t spans, span_bytes; /* 0: not known */
};

enum page_kind {
    PAGE_LIVE,     /* holds a byte of a live block */
    PAGE_FREE,     /* in memory, and holds none */
    PAGE_METADATA, /* the same, and is of the allocator's records */
    PAGE_ABSENT    /* between others, not in memory */
};

struct picture_page {
    uint64_t address;
    uint32_t live_bytes; /* asked for, on this page */
    uint32_t blocks;     /* live, that touch it */
    uint8_t doubling;    /* of the blocks with the most bytes on it */
    uint8_t is_resident;
    uint8_t span; /* 1 + enum span_kind; 0: not known */
    uint8_t kind; /* enum page_kind */
};

struct tally {
    uint64_t count, bytes;
};

struct heap_picture {
    uint64_t page_bytes;
    uint64_t total[TOTAL_KINDS]; /* by enum fact_total */
    bool has_total[TOTAL_KINDS];
    bool has_walk;     /* spans and blocks are shown, not only the outer view */
    bool has_metadata; /* and the records: so all of the heap */
    bool knows_free, knows_cached; /* blocks */

    uint64_t live_blocks, live_bytes, usable_bytes;
    struct tally span[3];               /* by enum span_kind */
    struct tally block[PICTURE_STATES]; /* by enum block_state, of the walk */
    uint64_t strangers; /* live by the walk, and hold no block of the trace:
                           the C library's, or an arena's chunks */
    uint64_t missing;   /* live by the trace, not in the walk: its error */
    struct picture_class *classes; /* [nclasses], by size */
    size_t nclasses;
    struct tally free_size[PICTURE_SIZES];

    /* Pages that hold something or are in memory, and what little lies
     * between them; upwards.  Where more lies between two, is a gap. */
    struct picture_page *page; /* [npages] */
    size_t npages;
    uint64_t resident_bytes; /* of all pages, also of those left out here */
    struct tally decile[PICTURE_DECILES]; /* pages, by share of live bytes */
    uint64_t decile_bytes[PICTURE_DECILES][PICTURE_DOUBLINGS];
    uint64_t metadata_bytes;            /* part of decile 0 */
    struct tally crowd[PICTURE_CROWDS]; /* pages, by live blocks */
};

/* The doubling of a block size. */
unsigned picture_doubling(uint64_t block_bytes);

/* Draw conclusions from fact[n].  Returns 0, ENOMEM, or EBADMSG if they are
 * not facts.  picture_close afterwards in every case.  O(n log n). */
int picture_open(const struct heap_fact fact[], size_t n, uint64_t page_bytes,
                 struct heap_picture *out);
void picture_close(struct heap_picture *);

#endif
