/* slab_heap.h - the structures of the slab allocator, for its own files.
 *
 * slab.c has the drawing and the invariant; slab_range.c supplies slices,
 * slab_page.c cuts them into blocks, slab_check.c looks at it all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SLAB_HEAP_H
#define HEAPYARD_SLAB_HEAP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocator.h"
#include "os_pages.h"
#include "size_class.h"

enum {
    SLICE_BYTES = 64 << 10,
    SLICES = 64, /* of a region */
    REGION_BYTES = SLICES * SLICE_BYTES,
    SMALL_BYTES = 8 << 10,  /* blocks up to this live in pages of a slice */
    MEDIUM_SLICES = 8,      /* of a page for larger classes */
    CLASS_BYTES = 64 << 10, /* of the largest class */
    LARGE_BYTES = 2 << 20,  /* blocks beyond this have regions of their own */
    MAX_ALIGN = 4 << 20,    /* = REGION_BYTES */
    DIRECT_BYTES = 1024,    /* sizes up to this find their page directly */
    DIRECT = DIRECT_BYTES / SIZE_CLASS_STEP + 1,
    CLASSES_MAX = 16 + 8 * 16 + 1, /* at 16 a doubling */
    SEATS_MAX = 8192,              /* threads at once */
    OUTBOX = 64,                   /* pages for which frees are gathered */
    CACHE_LINE = 64
};

/* page->remote is one word: the first block in the low 48 bits, how many
 * there are above them, and in bit 0 FULL: nobody but a free from elsewhere
 * will find this page. */
#define FULL     ((uint64_t)1)
#define ONE_MORE ((uint64_t)1 << 48)

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

struct page;
struct mesh;       /* slab_mesh.c */
struct quarantine; /* slab_hard.c */

/* A free block.  The smallest has 16 bytes. */
struct block {
    uintptr_t next;  /* address of the next, xor page->code */
    const void *tag; /* its page while it is free; cleared by malloc */
};

/* The first line is the owner's, who writes to it all the time; the second is
 * read by whoever frees, and seldom written. */
struct page {
    _Alignas(CACHE_LINE) struct block *free;
    uint32_t used;     /* blocks handed out, those in `remote` included */
    uint32_t carved;   /* blocks that were ever cut off */
    uint32_t capacity; /* blocks that fit */
    uint32_t aside;    /* free blocks that are on no list: slab_mesh.c */
    struct page *next, *prev;
    struct meshed *meshed; /* NULL: slab_mesh.c has done nothing here */
    struct page *mailed;   /* next in the mail */

    /* NULL when FULL, or when it is nobody's */
    _Alignas(CACHE_LINE) _Atomic(struct cache *) owner;
    char *start;
    uint64_t magic;          /* ceil(2^64 / block_size); 0 with class 0 */
    size_t block_size;       /* bytes */
    struct cache *home;      /* whose it is even when FULL */
    uintptr_t code;          /* of links; 0 unless hardened */
    _Atomic uint64_t remote; /* what others freed */
    uint8_t class;           /* 0: one block of its own size */
    uint8_t slices;          /* 0: no page starts here */
    uint8_t back;            /* slices from here to the start of the page */
    bool is_zero;            /* one block, whose memory is fresh */
};

_Static_assert(sizeof(struct page) == 2 * CACHE_LINE, "two lines");

/* 64 slices, or a part of one huge block. */
struct region {
    uint64_t free;  /* a bit a slice */
    uint64_t dirty; /* free, and written since the last look */
    uint64_t stale; /* free, and written before it */
    uint32_t run;   /* regions of the huge block that starts here, or 0 */
    bool is_open;   /* all committed, or part of a huge block */
};

struct queue {
    struct page *first, *last;
};

/* Blocks of one page of somebody else's, not yet sent to it. */
struct parcel {
    struct page *page;
    struct block *first, *last;
    uint32_t count;
};

/* One a seat. */
struct cache {
    _Alignas(4096) uintptr_t identity; /* 0: vacant; under the heap's lock */
    struct heap *heap;
    char *base;   /* of the range; these three as in the heap, */
    size_t bytes; /* but 0 bytes where no free is simple */
    struct page *pages;
    struct page *direct[DIRECT];     /* by size in steps of 16 */
    struct queue queue[CLASSES_MAX]; /* pages that may have blocks */
    struct parcel outbox[OUTBOX];    /* by page */
    size_t outbox_room;              /* bytes that may still be gathered */
    struct quarantine *quarantine;
    uint32_t slow_calls;  /* that did not take a fast path */
    uint64_t due_ms;      /* when idle pages are looked for again */
    uint64_t mesh_due_ms; /* when it looks for pages to mesh again */
    uint32_t mesh_ticks;  /* calls of mesh_tick */
    _Alignas(CACHE_LINE) _Atomic(struct page *) mail; /* were FULL; by others */
};

struct heap_options {
    unsigned spacing; /* log2 of classes a doubling */
    size_t carve;     /* bytes cut into blocks at a time */
    size_t batch;     /* bytes of frees to others gathered before they go */
    uint64_t decay_ms;
    size_t quarantine; /* bytes a thread */
    bool huge_pages, is_hardened, has_meshing;
};

struct heap {
    uint64_t serial; /* 1 or more */
    struct heap_options options;
    struct os_account account;
    char *base;         /* of the range of regions */
    size_t bytes;       /* of it */
    struct page *pages; /* [slices of the range] */
    struct region *region;
    struct cache *cache; /* [seats_max] */
    unsigned seats_max;
    pthread_mutex_t lock; /* of the regions and of what follows */
    size_t regions;       /* that were ever open: the first ones */
    size_t hint;          /* no region before it has a free slice */
    uint64_t looked_ms;   /* when stale slices were last given back */
    unsigned seats;       /* that were ever taken */
    struct mesh *mesh;    /* NULL without meshing */
};

/* Stands for "no page": has no blocks, is never written. */
extern const struct page slab_no_page;

/* ---- finding ---- */

static inline size_t slab_slice_of(const struct heap *heap, const void *p)
{
    return ((uintptr_t)p - (uintptr_t)heap->base) / SLICE_BYTES;
}

/* The page that has this address, or NULL. */
static inline struct page *slab_page_at(const struct heap *heap, const void *p)
{
    if ((uintptr_t)p - (uintptr_t)heap->base >= heap->bytes)
        return NULL;
    struct page *page = &heap->pages[slab_slice_of(heap, p)];

    page -= page->back;
    return page->slices ? page : NULL;
}

static inline struct block *slab_next(const struct page *page,
                                      const struct block *block)
{
    return (struct block *)(block->next ^ page->code);
}

static inline void slab_link(const struct page *page, struct block *block,
                             const struct block *next)
{
    block->next = (uintptr_t)next ^ page->code;
}

static inline struct block *slab_remote_first(uint64_t remote)
{
    return (struct block *)(uintptr_t)(remote & (ONE_MORE - 1) & ~FULL);
}

static inline uint32_t slab_remote_count(uint64_t remote)
{
    return (uint32_t)(remote / ONE_MORE);
}

/* Does the page hold a huge block? */
static inline bool slab_is_run(const struct heap *heap, const struct page *page)
{
    return heap->region[(page - heap->pages) / SLICES].run != 0;
}

/* ---- slab.c: what the hardened mode builds on ---- */

void *slab_alloc_plain(struct heap *, struct cache *, size_t size,
                       size_t align);
void slab_free_plain(struct heap *, struct cache *, struct page *, void *p);

/* ---- slab_range.c: under the heap's lock, but for open and close ---- */

/* Reserve the range and its records.  Returns 0 or an errno. */
int slab_range_open(struct heap *);
void slab_range_close(struct heap *);

/* A page of n slices, with start, slices and back set, and is_zero if all of
 * its memory is fresh; or NULL. */
struct page *slab_take_slices(struct heap *, unsigned n);
void slab_give_slices(struct heap *, struct page *);

/* A page for one huge block of whole pages, or NULL.  It stands on a multiple
 * of REGION_BYTES. */
struct page *slab_take_run(struct heap *, size_t bytes);
void slab_give_run(struct heap *, struct page *);

/* Change a huge block to `bytes`, whole pages: in place if there is room, or
 * by moving its pages.  Returns its page, or NULL and nothing has changed. */
struct page *slab_resize_run(struct heap *, struct page *, size_t bytes);

/* Of a clock that only goes forward. */
uint64_t slab_now_ms(void);

/* Give back what was free for a whole period. */
void slab_decay(struct heap *);

/* Give back all that is free.  Whether there was any. */
bool slab_trim_locked(struct heap *);

/* ---- slab_page.c: by the owner of the cache, unless it says otherwise ---- */

/* A page of the class with a free block: found, or made, or NULL. */
struct page *slab_find_page(struct heap *, struct cache *, unsigned class);

/* Take over pages that were FULL and that others freed into. */
void slab_read_mail(struct heap *, struct cache *);

/* Take over what others freed.  The page is not FULL. */
void slab_collect(struct page *);

/* Out of its queue and back to the heap.  Nothing in it is used. */
void slab_free_page(struct heap *, struct cache *, struct page *);

/* Give back every page in which nothing is used. */
void slab_free_idle(struct heap *, struct cache *);

/* Into a page of the cache's that is FULL, or was a moment ago and is in the
 * mail now. */
void slab_free_into_full(struct heap *, struct cache *, struct page *,
                         struct block *);

/* By a thread that does not own the page: gathered in its outbox, which is
 * sent when it holds options.batch bytes.  cache may be NULL: sent at once. */
void slab_free_remote(struct heap *, struct cache *, struct page *,
                      struct block *);
void slab_send_outbox(struct cache *);

/* Bytes of a block of that class of this heap. */
static inline size_t slab_class_bytes(const struct heap *heap, unsigned class)
{
    return size_class_bytes_spaced(class, heap->options.spacing);
}

static inline unsigned slab_classes(const struct heap *heap)
{
    return size_class_spaced(CLASS_BYTES, heap->options.spacing) + 1;
}

/* ---- slab_check.c ---- */

int slab_inspect(struct heap *, struct heap_report *);
int slab_walk(struct heap *, const struct heap_visitor *);

/* ---- slab_hard.c ---- */

/* The hardened allocator's front: every call goes through these. */
void *slab_hard_alloc(struct heap *, struct cache *, size_t size, size_t align);
void slab_hard_free(struct heap *, struct cache *, struct page *, void *p);
size_t slab_hard_usable(const struct page *, const void *p);
uintptr_t slab_hard_code(const struct page *);
/* Let go what the cache holds in quarantine. */
void slab_hard_flush(struct heap *, struct cache *);
/* Blocks in quarantine, and their bytes. */
size_t slab_hard_held(const struct cache *, size_t *bytes);
void slab_hard_close(struct heap *, struct cache *);
/* Make the last page of a page of blocks untouchable, and the reverse. */
void slab_hard_guard(const struct page *);
void slab_hard_unguard(const struct page *);

#endif
