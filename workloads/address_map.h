/* address_map.h - live blocks by address.
 *
 * Open addressing with linear probing over a multiplicative hash, at most
 * half full.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_ADDRESS_MAP_H
#define HEAPYARD_ADDRESS_MAP_H

#include <stddef.h>
#include <stdint.h>

struct live_block {
    uint64_t address; /* 0: the cell is free */
    uint64_t object;
    uint32_t thread; /* that allocated or last resized it */
};

struct address_map {
    struct live_block *cell; /* [1 << bits] */
    unsigned bits;
    size_t count;
};

/* Returns 0 or ENOMEM. */
int address_map_init(struct address_map *);
void address_map_free(struct address_map *);

/* The block at that address, or NULL.  Borrowed until the next add or
 * remove. */
struct live_block *address_map_find(const struct address_map *,
                                    uint64_t address);

/* Add a block whose address is not 0 and not there yet.  Returns 0 or
 * ENOMEM. */
int address_map_add(struct address_map *, struct live_block);
void address_map_remove(struct address_map *, struct live_block *);

#endif
