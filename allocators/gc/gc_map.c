/* gc_map.c - a hash table from addresses to what is known of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_map.h"

#include <errno.h>
#include <string.h>

#include "os_pages.h"

enum { ROOM_LEAST = 128 };

static size_t place_of(const struct gc_map *map, uintptr_t key)
{
    return (size_t)((key >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 20) &
           (map->room - 1);
}

void gc_map_free(struct gc_map *map)
{
    if (map->room)
        os_pages_unmap(NULL, map->entry, map->room * sizeof *map->entry);
    if (map->spare)
        os_pages_unmap(NULL, map->spare, map->room * sizeof *map->spare);
    *map = (struct gc_map){0};
}

struct gc_entry *gc_map_find(const struct gc_map *map, uintptr_t key)
{
    if (!map->n)
        return NULL;
    for (size_t i = place_of(map, key); map->entry[i].key;
         i = (i + 1) & (map->room - 1))
        if (map->entry[i].key == key)
            return &map->entry[i];
    return NULL;
}

/* Where a key that is not there goes. */
static struct gc_entry *vacancy(const struct gc_map *map, uintptr_t key)
{
    size_t i = place_of(map, key);

    while (gc_entry_is_live(&map->entry[i]))
        i = (i + 1) & (map->room - 1);
    return &map->entry[i];
}

/* Into entry[room], which is all zero. */
static void rebuild_into(struct gc_map *map, struct gc_entry *entry,
                         size_t room)
{
    struct gc_map made = {
        .entry = entry, .room = room, .n = map->n, .used = map->n};

    for (size_t i = 0; i < map->room; i++)
        if (gc_entry_is_live(&map->entry[i]))
            *vacancy(&made, map->entry[i].key) = map->entry[i];
    gc_map_free(map);
    *map = made;
}

static int rebuild(struct gc_map *map, size_t room)
{
    struct gc_entry *entry = os_pages_map(NULL, room * sizeof *entry);

    if (!entry)
        return ENOMEM;
    rebuild_into(map, entry, room);
    return 0;
}

int gc_map_reserve(struct gc_map *map)
{
    if (map->room && !map->spare)
        map->spare = os_pages_map(NULL, map->room * sizeof *map->spare);
    return map->room && !map->spare ? ENOMEM : 0;
}

void gc_map_rehash(struct gc_map *map)
{
    struct gc_entry *spare = map->spare;

    map->spare = NULL;
    if (map->room)
        rebuild_into(map, spare, map->room);
}

struct gc_entry *gc_map_put(struct gc_map *map, uintptr_t key)
{
    struct gc_entry *e = gc_map_find(map, key);

    if (e)
        return e;
    if (2 * (map->used + 1) > map->room) {
        size_t room = map->room ? map->room : ROOM_LEAST;

        if (4 * (map->n + 1) > room)
            room *= 2;
        if (rebuild(map, room))
            return NULL;
    }
    e = vacancy(map, key);
    map->used += e->key == 0;
    map->n++;
    *e = (struct gc_entry){.key = key};
    return e;
}

void gc_map_remove(struct gc_map *map, struct gc_entry *e)
{
    *e = (struct gc_entry){.key = GC_MAP_REMOVED};
    map->n--;
}
