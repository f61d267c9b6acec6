/* live_map.h - size and last user of each live object, in 16 bytes each.
 *
 * The bookkeeping of an operation stream: what is live, how large it is and
 * which thread used it last.  Memory follows the live objects, not the length
 * of the stream: 16 bytes a cell, at most three quarters of the cells used.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LIVE_MAP_H
#define HEAPYARD_LIVE_MAP_H

#include <stddef.h>
#include <stdint.h>

/* Objects are 0 .. LIVE_OBJECT_MAX; threads are 0 .. 65535. */
#define LIVE_OBJECT_MAX ((UINT64_C(1) << 48) - 2)

struct live {
    uint64_t key;  /* object + 1, shifted left by 16, and thread; 0: no one */
    uint64_t size; /* bytes */
};

struct live_map {
    struct live *cell; /* [mask + 1] */
    size_t mask;
    size_t count;
    unsigned shift; /* 64 - log2(groups of cells) */
};

static inline uint64_t live_object(const struct live *l)
{
    return (l->key >> 16) - 1;
}

static inline uint16_t live_thread(const struct live *l)
{
    return (uint16_t)l->key;
}

static inline void live_set_thread(struct live *l, uint16_t thread)
{
    l->key = (l->key & ~UINT64_C(0xffff)) | thread;
}

/* Returns 0 or ENOMEM. */
int live_map_init(struct live_map *);
void live_map_free(struct live_map *);

/* The live object of that number, or NULL.  Borrowed until the next add or
 * remove. */
struct live *live_map_find(const struct live_map *, uint64_t object);

/* Add an object that is not there; object <= LIVE_OBJECT_MAX.
 * Returns 0 or ENOMEM. */
int live_map_add(struct live_map *, uint64_t object, uint64_t size,
                 uint16_t thread);
void live_map_remove(struct live_map *, struct live *);

#endif
