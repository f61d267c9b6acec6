/* address_map.c - live blocks by address.
 *
 * Invariant: every block can be reached from the home cell of its address by
 * steps to the right over occupied cells; removal shifts back what follows.
 *
 * Source: D. E. Knuth, The Art of Computer Programming 3, 6.4: the hash
 * (multiplication by 2^64 over the golden ratio) and algorithm R.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "address_map.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_BITS = 10 };

static size_t home(const struct address_map *map, uint64_t address)
{
    return (size_t)((address * 0x9e3779b97f4a7c15u) >> (64 - map->bits));
}

int address_map_init(struct address_map *map)
{
    map->bits = FIRST_BITS;
    map->count = 0;
    map->cell = calloc((size_t)1 << map->bits, sizeof *map->cell);
    return map->cell ? 0 : ENOMEM;
}

void address_map_free(struct address_map *map)
{
    free(map->cell);
    map->cell = NULL;
}

/* The cell that holds the address, or the free one where it would stand. */
static struct live_block *probe(const struct address_map *map, uint64_t address)
{
    size_t mask = ((size_t)1 << map->bits) - 1;
    size_t i = home(map, address);

    while (map->cell[i].address != address && map->cell[i].address)
        i = (i + 1) & mask;
    return &map->cell[i];
}

struct live_block *address_map_find(const struct address_map *map,
                                    uint64_t address)
{
    struct live_block *b = probe(map, address);

    return b->address ? b : NULL;
}

static int grow(struct address_map *map)
{
    struct address_map bigger = {.bits = map->bits + 1, .count = map->count};
    size_t capacity = (size_t)1 << map->bits;

    bigger.cell = calloc(capacity * 2, sizeof *bigger.cell);
    if (!bigger.cell)
        return ENOMEM;
    for (size_t i = 0; i < capacity; i++)
        if (map->cell[i].address)
            *probe(&bigger, map->cell[i].address) = map->cell[i];
    free(map->cell);
    *map = bigger;
    return 0;
}

int address_map_add(struct address_map *map, struct live_block block)
{
    if (map->count >= (size_t)1 << (map->bits - 1) && grow(map))
        return ENOMEM;
    *probe(map, block.address) = block;
    map->count++;
    return 0;
}

void address_map_remove(struct address_map *map, struct live_block *b)
{
    size_t mask = ((size_t)1 << map->bits) - 1;
    size_t hole = (size_t)(b - map->cell);

    for (size_t i = (hole + 1) & mask; map->cell[i].address;
         i = (i + 1) & mask) {
        size_t wanted = home(map, map->cell[i].address);

        /* Move it if its home does not lie between the hole and itself. */
        if (((i - wanted) & mask) >= ((i - hole) & mask)) {
            map->cell[hole] = map->cell[i];
            hole = i;
        }
    }
    map->cell[hole].address = 0;
    map->count--;
}
