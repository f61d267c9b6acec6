/* gc_map.h - a hash table from addresses to what is known of them.
 *
 * Open addressing, linear probing, in pages of its own, so that it is no root
 * and may change while the world stands.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GC_MAP_H
#define GC_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* key: an address that is no multiple of nothing: 0 is an empty entry, 1 a
 * removed one. */
struct gc_entry {
    uintptr_t key;
    uintptr_t target; /* or a function */
    void *arg;
    uintptr_t flags;
};

struct gc_map {
    struct gc_entry *entry; /* [room] */
    size_t room;            /* a power of two, or 0 */
    size_t n;               /* live entries */
    size_t used;            /* with removed ones */
    struct gc_entry *spare; /* [room], or NULL */
};

enum { GC_MAP_REMOVED = 1 };

static inline bool gc_entry_is_live(const struct gc_entry *e)
{
    return e->key > GC_MAP_REMOVED;
}

void gc_map_free(struct gc_map *);
/* The entry of that key, or NULL. */
struct gc_entry *gc_map_find(const struct gc_map *, uintptr_t key);
/* The same, made if there is none (then all zero but the key); NULL: no
 * memory. */
struct gc_entry *gc_map_put(struct gc_map *, uintptr_t key);
void gc_map_remove(struct gc_map *, struct gc_entry *);
/* Get the memory that gc_map_rehash needs if there is no put before it. */
int gc_map_reserve(struct gc_map *);
/* Keys were changed in place. */
void gc_map_rehash(struct gc_map *);

#endif
