/* arena.h - bump allocation with savepoints.
 *
 * An arena hands out memory by moving one pointer, inlined here.  Single
 * blocks are not given back; instead the arena is wound back to a mark, or
 * emptied whole, and keeps about as much memory as it needed of late.
 *
 *     struct hy_arena *arena;
 *     hy_arena_open(&(struct hy_arena_config){0}, &arena);
 *     for each request:
 *         struct node *node = hy_arena_alloc(arena, sizeof *node, 8);
 *         ...
 *         hy_arena_reset(arena);
 *     hy_arena_close(arena);
 *
 * One thread uses an arena at a time: give each thread its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_ARENA_H
#define HEAPYARD_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct heap_visitor; /* heap_walk.h */
struct os_account;   /* os_pages.h */

enum {
    HY_ARENA_CHUNK_MIN = 64 << 10, /* bytes of the first chunk, by default */
    HY_ARENA_CHUNK_MAX = 4 << 20,  /* chunks double up to this, by default */
    HY_ARENA_OWN_SHARE = 4, /* a block over 1/4 of the largest chunk gets a
                               chunk of its own */
    HY_ARENA_ALIGN = 16,    /* of blocks that ask for none, as of malloc's */
    HY_ARENA_GRAIN = 8,     /* sizes are rounded up to it, or to 16 if the
                               alignment is more than 8 */
    HY_ARENA_RETAIN = 90
};

/* What is 0 has its default. */
struct hy_arena_config {
    size_t chunk_min, chunk_max; /* bytes; rounded up to pages */

    /* Bytes of address space to reserve: then all blocks lie in one range,
     * which is committed as it fills, and what goes beyond it fails.  0: a
     * list of chunks without an end. */
    size_t reserve;

    /* Of the bytes it kept last time, the % that an arena still keeps after a
     * reset that would have needed less; 100: all, for ever; at most 100. */
    unsigned retain;

    struct os_account *account; /* where its pages count, borrowed until
                                   close; not required */
};

/* The two words of the fast path; what follows them is arena.c's. */
struct hy_arena {
    char *current; /* the next block, if its alignment is HY_ARENA_GRAIN */
    char *end;     /* of the memory at hand */
};

/* A state to return to.  Valid until the arena is wound back to an earlier
 * mark, reset or closed. */
struct hy_arena_mark {
    const void *chunk, *own;
    char *current;
};

struct hy_arena_metrics {
    size_t mapped_bytes; /* got from the system and not given back */
    size_t idle_bytes;   /* of them, kept for use to come */
    size_t keep_bytes;   /* what the next reset keeps, at least */
};

/* Make an empty arena.  Returns 0, EINVAL or ENOMEM. */
int hy_arena_open(const struct hy_arena_config *, struct hy_arena **out);

/* Give all memory back to the system.  arena may be NULL. */
void hy_arena_close(struct hy_arena *);

/* What hy_arena_alloc does when the memory at hand does not suffice; align is
 * not 0. */
void *hy_arena_alloc_slow(struct hy_arena *, size_t size, size_t align);

/* Bytes that a block of `size` takes.  Wraps round near SIZE_MAX. */
static inline size_t hy_arena_round(size_t size, size_t align)
{
    const size_t grain =
        align > HY_ARENA_GRAIN ? HY_ARENA_ALIGN : (size_t)HY_ARENA_GRAIN;
    return (size + (size == 0) + grain - 1) & ~(grain - 1);
}

/* A block of `size` bytes, aligned to `align`: a power of two, or 0 for
 * HY_ARENA_ALIGN.  A size of 0 gives a block, too.  Returns NULL with errno
 * ENOMEM.  O(1), but for a call of the system where a chunk is full. */
static inline void *hy_arena_alloc(struct hy_arena *arena, size_t size,
                                   size_t align)
{
    const size_t to = align ? align : HY_ARENA_ALIGN;
    const size_t room = (size_t)(arena->end - arena->current);
    const size_t pad =
        to > HY_ARENA_GRAIN ? -(uintptr_t)arena->current & (to - 1) : 0;
    if (__builtin_expect(size > room || pad + hy_arena_round(size, to) > room,
                         0))
        return hy_arena_alloc_slow(arena, size, to);
    char *const p = arena->current + pad;
    arena->current = p + hy_arena_round(size, to);
    return p;
}

/* The same, zeroed.  Pages fresh from the system are not written. */
void *hy_arena_zalloc(struct hy_arena *, size_t size, size_t align);

/* Take p back if it is the youngest block; else do nothing.  `size` and
 * `align` are what was asked for.  p may be NULL, or belong to another arena:
 * then nothing happens. */
void hy_arena_free(struct hy_arena *, void *p, size_t size, size_t align);

/* Change the size of p: in place if it shrinks, or if it is the youngest
 * block and has room; else by a copy, and the old memory stays in use.
 * Returns NULL, with p as it was, if there is no memory. */
void *hy_arena_resize(struct hy_arena *, void *p, size_t old_size,
                      size_t new_size, size_t align);

/* Remember the present state.  O(1). */
struct hy_arena_mark hy_arena_save(const struct hy_arena *);

/* Free all blocks that are younger than the mark.  If that empties a chunk,
 * the emptied ones are kept up to the arena's high-water mark: what it needed
 * since the last time, or `retain` % of the mark before, whichever is more.
 * The others go back to the system.  O(chunks). */
void hy_arena_rewind(struct hy_arena *, struct hy_arena_mark);

/* Free all blocks: rewind to the empty arena. */
void hy_arena_reset(struct hy_arena *);

void hy_arena_measure(const struct hy_arena *, struct hy_arena_metrics *);

/* Show the chunks to a visitor.  An arena knows no single blocks, so the part
 * of a chunk that is in use is shown as one live block, and the rest, of the
 * chunks below the top the part that was lost, as a free one. */
void hy_arena_walk(const struct hy_arena *, const struct heap_visitor *);

/* Check the invariant that arena.c states.  Returns NULL, or what is wrong. */
const char *hy_arena_check(const struct hy_arena *);

#endif
