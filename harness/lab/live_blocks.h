/* live_blocks.h - the live blocks of a heap, in the order of their addresses.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LIVE_BLOCKS_H
#define HEAPYARD_LIVE_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

struct live_block {
    char *at;
    size_t size; /* bytes asked for */
    uint64_t tag;
    uint64_t born; /* operation, from 1 */
};

struct live_blocks;

/* Room for so many.  Returns 0 or ENOMEM.  No malloc, here or below. */
int live_open(size_t most, struct live_blocks **out);
void live_close(struct live_blocks *);

/* The block that a new one would overlap, or NULL. */
const struct live_block *live_overlapped(const struct live_blocks *,
                                         const char *at, size_t size);
/* Its neighbours: the last block that begins before `at`, and the first that
 * begins behind it; or NULL. */
const struct live_block *live_before(const struct live_blocks *,
                                     const char *at);
const struct live_block *live_after(const struct live_blocks *, const char *at);

/* Its address must not be in the set.  Returns 0, or ENOMEM if it is full. */
int live_add(struct live_blocks *, const struct live_block *);
/* Take out the block at that address.  Returns 0, or ENOENT. */
int live_take(struct live_blocks *, const char *at, struct live_block *out);

size_t live_count(const struct live_blocks *);
/* Copy all into out[live_count], upwards. */
void live_list(const struct live_blocks *, struct live_block out[]);

#endif
