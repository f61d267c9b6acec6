/* cache_store.h - a cache of linked objects, for cache-server.
 *
 * A table of buckets chains entries by their key; a doubly linked list has
 * them in the order of their last use.  An entry has its key as a text and its
 * value as a list of chunks.  All of it, the store too, are objects of the
 * heap, so a pointer to the store keeps everything.
 *
 * Threads share a store only under a lock of theirs.  Keys are numbers; their
 * texts and the bytes of values follow from them, so that all can be checked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CACHE_STORE_H
#define HEAPYARD_CACHE_STORE_H

#include "native.h"

enum { CACHE_KEY_MAX = 80, CACHE_CHUNK_MAX = 1024 };

/* Some bytes of a list: of a value, or of what else is kept in pieces. */
struct cache_chunk {
    void *next;
    void *data; /* leaf, [bytes] */
    uint64_t bytes;
};

struct cache_entry {
    void *chain;         /* the next in the bucket; or the next that is out */
    void *newer, *older; /* by last use */
    void *text;          /* leaf: the key as the client writes it */
    void *value;         /* the first chunk */
    uint64_t key;
    uint64_t bytes; /* of the value */
};

struct cache_store; /* opaque */

struct cache_shapes {
    struct native_shape store, entry, chunk;
};

void cache_shapes_init(const struct native_memory *, struct cache_shapes *);

/* Room for `limit` bytes of entries (keys, values and the entries themselves).
 * NULL: no memory. */
struct cache_store *
cache_store_new(struct native *, const struct cache_shapes *, uint64_t limit);

/* A chunk with room for so many bytes, before those of the list `next`.  NULL:
 * no memory. */
struct cache_chunk *cache_chunk_new(struct native *,
                                    const struct cache_shapes *,
                                    struct cache_chunk *next, uint64_t bytes);

/* Give back a list of chunks. */
void cache_chunks_drop(struct native *, struct cache_chunk *);

/* The text of a key, and its length in bytes; text[CACHE_KEY_MAX]. */
uint64_t cache_key_text(uint64_t key, char text[]);

/* The entry of the key whose text that is, now the newest; or NULL. */
struct cache_entry *cache_store_find(struct native *, struct cache_store *,
                                     uint64_t key, const char *text,
                                     uint64_t text_bytes);

/* A new entry of a value of so many bytes, in no store yet.  NULL: no
 * memory. */
struct cache_entry *cache_entry_new(struct native *,
                                    const struct cache_shapes *, uint64_t key,
                                    uint64_t bytes);

/* Put the entry in as the newest.  What it replaces and what has to go for it
 * is added to the list *out, of entries that are in no store any more. */
void cache_store_put(struct native *, struct cache_store *,
                     struct cache_entry *, struct cache_entry **out);

/* Take the entry of a key out, if there is one, and add it to the list *out. */
void cache_store_delete(struct native *, struct cache_store *, uint64_t key,
                        struct cache_entry **out);

/* The newest entry, or NULL. */
struct cache_entry *cache_store_newest(const struct cache_store *);

/* Do all links agree, and does every entry hold what its key says?  O(n) */
bool cache_store_is_right(const struct cache_store *);

/* Give back entries that are in no store, a list linked by chain. */
void cache_entries_drop(struct native *, struct cache_entry *);

/* Give back a store with all that is in it; NULL is none. */
void cache_store_drop(struct native *, struct cache_store *);

/* Is that a chunk of the key's value?  A sample of its bytes is looked at. */
bool cache_bytes_are_right(uint64_t key, const void *data, uint64_t bytes);

#endif
