/* live_map.c - size and last user of each live object, in 16 bytes each.
 *
 * Open addressing with linear probing.  Four objects that were born in a row
 * share a group of four cells (a cache line), because they are often used
 * together; the groups are scattered by multiplication with 2^64 / phi.
 * Without the scattering a million objects that live on from the start of a
 * program would be one run of a million cells, and each later object whose
 * number lands in it would walk to its end.
 *
 * Invariant: every object can be reached from its home cell by steps to the
 * right over cells in use; removal shifts back what follows.
 *
 * Source: D. E. Knuth, The Art of Computer Programming 3, 6.4: Fibonacci
 * hashing, and algorithm R for removal.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live_map.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_LOG2_CELLS = 10, LOG2_GROUP = 2 };

static int live_map_init_log2(struct live_map *map, unsigned log2_cells)
{
    *map = (struct live_map){.mask = ((size_t)1 << log2_cells) - 1,
                             .shift = 64 - (log2_cells - LOG2_GROUP)};
    map->cell = calloc(map->mask + 1, sizeof *map->cell);
    return map->cell ? 0 : ENOMEM;
}

int live_map_init(struct live_map *map)
{
    return live_map_init_log2(map, FIRST_LOG2_CELLS);
}

void live_map_free(struct live_map *map)
{
    free(map->cell);
    *map = (struct live_map){0};
}

static size_t home(const struct live_map *map, uint64_t object)
{
    uint64_t scattered =
        (object >> LOG2_GROUP) * UINT64_C(0x9E3779B97F4A7C15) >> map->shift;

    return (size_t)(scattered << LOG2_GROUP | (object & 3));
}

struct live *live_map_find(const struct live_map *map, uint64_t object)
{
    uint64_t wanted = object + 1;
    size_t i = home(map, object);

    if (object > LIVE_OBJECT_MAX)
        return NULL;
    while (map->cell[i].key && map->cell[i].key >> 16 != wanted)
        i = (i + 1) & map->mask;
    return map->cell[i].key ? &map->cell[i] : NULL;
}

static void place(struct live_map *map, struct live live)
{
    size_t i = home(map, live_object(&live));

    while (map->cell[i].key)
        i = (i + 1) & map->mask;
    map->cell[i] = live;
    map->count++;
}

static int grow(struct live_map *map)
{
    struct live_map bigger;
    int err = live_map_init_log2(&bigger, 64 - map->shift + LOG2_GROUP + 1);

    if (err)
        return err;
    for (size_t i = 0; i <= map->mask; i++)
        if (map->cell[i].key)
            place(&bigger, map->cell[i]);
    free(map->cell);
    *map = bigger;
    return 0;
}

int live_map_add(struct live_map *map, uint64_t object, uint64_t size,
                 uint16_t thread)
{
    if (map->count >= map->mask / 4 * 3 && grow(map))
        return ENOMEM;
    place(map, (struct live){.key = (object + 1) << 16 | thread, .size = size});
    return 0;
}

void live_map_remove(struct live_map *map, struct live *live)
{
    size_t hole = (size_t)(live - map->cell);

    for (size_t i = (hole + 1) & map->mask; map->cell[i].key;
         i = (i + 1) & map->mask) {
        size_t from = home(map, live_object(&map->cell[i]));

        /* It may fill the hole unless its home lies behind the hole. */
        if (((i - from) & map->mask) >= ((i - hole) & map->mask)) {
            map->cell[hole] = map->cell[i];
            hole = i;
        }
    }
    map->cell[hole].key = 0;
    map->count--;
}
