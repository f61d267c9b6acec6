/* object_map.h - live objects by number.
 *
 * Open addressing with linear probing; at most half full.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_OBJECT_MAP_H
#define HEAPYARD_OBJECT_MAP_H

#include <stddef.h>
#include <stdint.h>

struct object {
    uint64_t number; /* UINT64_MAX: the cell is free */
    uint64_t size;   /* bytes */
    uint64_t access; /* number of the last access that was not a free */
    uint32_t place;  /* slot of its holder, or mailbox */
    uint16_t holder; /* thread that used it last */
    uint8_t in_mailbox;
    uint8_t fusable; /* its last access was a plain allocation */
};

struct object_map {
    struct object *cell; /* [capacity], a power of two */
    size_t capacity;
    size_t count;
};

/* Returns 0 or ENOMEM. */
int object_map_init(struct object_map *);
void object_map_free(struct object_map *);

/* The object of that number, or NULL.  Borrowed until the next add or
 * remove. */
struct object *object_map_find(struct object_map *, uint64_t number);

/* Add an object that is not there yet, zeroed but for its number; NULL
 * without memory.  Borrowed likewise. */
struct object *object_map_add(struct object_map *, uint64_t number);
void object_map_remove(struct object_map *, struct object *);

#endif
