/* object_map.c - live objects by number.
 *
 * Invariant: every object can be reached from the cell of its number by
 * steps to the right over occupied cells; removal shifts back what follows.
 *
 * Source: D. E. Knuth, The Art of Computer Programming 3, 6.4, algorithm R
 *         and multiplicative hashing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "object_map.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 1024 };

static struct object *new_cells(size_t capacity)
{
    struct object *cell = malloc(capacity * sizeof *cell);

    for (size_t i = 0; cell && i < capacity; i++)
        cell[i].number = UINT64_MAX;
    return cell;
}

int object_map_init(struct object_map *map)
{
    map->cell = new_cells(FIRST_CAPACITY);
    map->capacity = FIRST_CAPACITY;
    map->count = 0;
    return map->cell ? 0 : ENOMEM;
}

void object_map_free(struct object_map *map)
{
    free(map->cell);
    map->cell = NULL;
}

/* Groups of eight neighbours stand together, which saves cache misses, since
 * neighbours in number are neighbours in time.  The groups are spread by
 * multiplying with 2^64 over the golden ratio.  (The plain number as the hash
 * would not do: young objects would fill long runs of cells, and every probe
 * that met an old one would walk such a run.) */
static size_t home_of(const struct object_map *map, uint64_t number)
{
    uint64_t group = (number >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

    return (size_t)(group << 3 | (number & 7)) & (map->capacity - 1);
}

/* The cell that holds the number, or the free one where it would stand. */
static struct object *probe(const struct object_map *map, uint64_t number)
{
    size_t mask = map->capacity - 1;
    size_t i = home_of(map, number);

    while (map->cell[i].number != number && map->cell[i].number != UINT64_MAX)
        i = (i + 1) & mask;
    return &map->cell[i];
}

struct object *object_map_find(struct object_map *map, uint64_t number)
{
    struct object *o = probe(map, number);

    return number != UINT64_MAX && o->number == number ? o : NULL;
}

static int grow(struct object_map *map)
{
    struct object_map bigger = {.capacity = map->capacity * 2,
                                .count = map->count};

    bigger.cell = new_cells(bigger.capacity);
    if (!bigger.cell)
        return ENOMEM;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->cell[i].number != UINT64_MAX)
            *probe(&bigger, map->cell[i].number) = map->cell[i];
    free(map->cell);
    *map = bigger;
    return 0;
}

struct object *object_map_add(struct object_map *map, uint64_t number)
{
    if (map->count * 2 >= map->capacity && grow(map))
        return NULL;
    struct object *o = probe(map, number);

    *o = (struct object){.number = number};
    map->count++;
    return o;
}

void object_map_remove(struct object_map *map, struct object *o)
{
    size_t mask = map->capacity - 1;
    size_t hole = (size_t)(o - map->cell);

    for (size_t i = (hole + 1) & mask; map->cell[i].number != UINT64_MAX;
         i = (i + 1) & mask) {
        size_t home = home_of(map, map->cell[i].number);

        /* Move it if its home does not lie between the hole and itself. */
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->cell[hole] = map->cell[i];
            hole = i;
        }
    }
    map->cell[hole].number = UINT64_MAX;
    map->count--;
}
