/* arena.h - bump allocation with savepoints.
 *
 * An arena hands out memory by moving one pointer.  Single blocks are not
 * given back; instead the arena is wound back to a mark, or emptied whole.
 * One thread uses an arena at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_ARENA_H
#define HEAPYARD_ARENA_H

#include <stddef.h>

#include "heap_walk.h"
#include "os_pages.h"

enum {
    ARENA_CHUNK_MIN = 64 * 1024,       /* bytes of the first chunk */
    ARENA_CHUNK_MAX = 4 * 1024 * 1024, /* chunks double up to this */
    ARENA_OWN_SHARE = 4, /* a block over 1/4 of ARENA_CHUNK_MAX gets a
                            chunk of its own */
    ARENA_ALIGN = 16     /* of blocks that ask for none; sizes are rounded
                            up to it */
};

struct arena;

/* A state to return to.  Valid until the arena is wound back to an earlier
 * mark, reset or closed. */
struct arena_mark {
    const void *chunk, *own;
    char *current;
};

/* Make an empty arena whose pages count in `account` (borrowed until
 * arena_close).  Returns 0 or ENOMEM. */
int arena_open(struct os_account *account, struct arena **out);

/* Give all memory back to the system.  arena may be NULL. */
void arena_close(struct arena *);

/* A block of `size` bytes, aligned to `align`: a power of two, or 0 for
 * ARENA_ALIGN.  A size of 0 gives a block, too.  Returns NULL with errno
 * ENOMEM.  O(1), but for one mmap where a chunk is full. */
void *arena_alloc(struct arena *, size_t size, size_t align);

/* The same, zeroed.  Pages fresh from the system are not written. */
void *arena_zalloc(struct arena *, size_t size);

/* Take p back if it is the youngest block; else do nothing.  `size` is what
 * was asked for.  p may belong to another arena: then nothing happens. */
void arena_free(struct arena *, void *p, size_t size);

/* Change the size of p: in place if it shrinks, or if it is the youngest
 * block and has room; else by a copy, and the old memory stays in use.
 * Returns NULL, with p as it was, if there is no memory. */
void *arena_resize(struct arena *, void *p, size_t old_size, size_t new_size);

/* Remember the present state.  O(1). */
struct arena_mark arena_save(const struct arena *);

/* Free all blocks that are younger than the mark.  One emptied chunk is kept
 * for use to come, the others go back to the system.  O(chunks freed). */
void arena_rewind(struct arena *, struct arena_mark);

/* Free all blocks: rewind to the empty arena. */
void arena_reset(struct arena *);

/* Show the chunks to a visitor.  An arena knows no single blocks, so the part
 * of a chunk that is in use is shown as one live block, and the rest, of the
 * chunks below the top the part that was lost, as a free one. */
void arena_walk(const struct arena *, const struct heap_visitor *);

/* Check the invariant that arena.c states.  Returns NULL, or what is wrong. */
const char *arena_check(const struct arena *);

#endif
