/* cache_store.c - a cache of linked objects, for cache-server.
 *
 * See cache_store.h.  Invariants: an entry is in exactly one bucket, that of
 * its key, and at one place of the list; count and bytes are their sums; bytes
 * is within the limit, or one entry is left.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cache_store.h"

#include <string.h>

enum {
    KEY_MIN = 16,
    BYTES_PER_BUCKET = 256 /* of the limit: about one bucket for an entry */
};

struct cache_store {
    void *buckets; /* void *[mask + 1], an object of the heap */
    void *newest, *oldest;
    uint64_t mask;
    uint64_t count, bytes, limit;
};

static const bool store_pointers[sizeof(struct cache_store) / 8] = {true, true,
                                                                    true};
static const bool entry_pointers[sizeof(struct cache_entry) / 8] = {
    true, true, true, true, true};
static const bool chunk_pointers[sizeof(struct cache_chunk) / 8] = {true, true};

void cache_shapes_init(const struct native_memory *memory,
                       struct cache_shapes *shapes)
{
    native_shape(memory, sizeof(struct cache_store), store_pointers,
                 &shapes->store);
    native_shape(memory, sizeof(struct cache_entry), entry_pointers,
                 &shapes->entry);
    native_shape(memory, sizeof(struct cache_chunk), chunk_pointers,
                 &shapes->chunk);
}

/* ---- what follows from a key ---- */

/* The finalizer of splitmix64, as in random.c. */
static uint64_t hash(uint64_t key)
{
    key = (key ^ (key >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    key = (key ^ (key >> 27)) * UINT64_C(0x94d049bb133111eb);
    return key ^ (key >> 31);
}

static uint64_t key_bytes(uint64_t key)
{
    return KEY_MIN + hash(key) % (CACHE_KEY_MAX - KEY_MIN);
}

static int key_byte(uint64_t key)
{
    return (int)(hash(key) >> 56);
}

uint64_t cache_key_text(uint64_t key, char text[])
{
    uint64_t bytes = key_bytes(key);

    memset(text, key_byte(key), bytes);
    memcpy(text, &key, sizeof key);
    return bytes;
}

bool cache_bytes_are_right(uint64_t key, const void *data, uint64_t bytes)
{
    const unsigned char *byte = data;
    int want = key_byte(key);

    return byte[0] == want && byte[bytes / 2] == want &&
           byte[bytes - 1] == want;
}

/* What an entry counts for, against the limit. */
static uint64_t entry_cost(const struct cache_entry *entry)
{
    return sizeof *entry + key_bytes(entry->key) + entry->bytes;
}

/* ---- chunks ---- */

struct cache_chunk *cache_chunk_new(struct native *n,
                                    const struct cache_shapes *shapes,
                                    struct cache_chunk *next, uint64_t bytes)
{
    struct cache_chunk *chunk = native_new(n, &shapes->chunk);
    void *data = chunk ? native_leaf(n, bytes) : NULL;

    if (!data) {
        native_drop(n, chunk, sizeof *chunk);
        return NULL;
    }
    native_store(n, chunk, &chunk->next, next);
    native_store(n, chunk, &chunk->data, data);
    chunk->bytes = bytes;
    return chunk;
}

void cache_chunks_drop(struct native *n, struct cache_chunk *chunk)
{
    if (!n->memory.dealloc)
        return;
    for (struct cache_chunk *next; chunk; chunk = next) {
        next = chunk->next;
        native_drop(n, chunk->data, chunk->bytes);
        native_drop(n, chunk, sizeof *chunk);
    }
}

/* ---- entries ---- */

static bool add_to_value(struct native *n, const struct cache_shapes *shapes,
                         struct cache_entry *entry, uint64_t bytes)
{
    struct cache_chunk *chunk = cache_chunk_new(n, shapes, entry->value, bytes);

    if (!chunk)
        return false;
    memset(chunk->data, key_byte(entry->key), bytes);
    native_store(n, entry, &entry->value, chunk);
    return true;
}

static bool fill_entry(struct native *n, const struct cache_shapes *shapes,
                       struct cache_entry *entry)
{
    char *text = native_leaf(n, key_bytes(entry->key));

    native_store(n, entry, &entry->text, text);
    if (!text)
        return false;
    cache_key_text(entry->key, text);
    for (uint64_t left = entry->bytes; left > 0;) {
        uint64_t bytes = left < CACHE_CHUNK_MAX ? left : CACHE_CHUNK_MAX;

        if (!add_to_value(n, shapes, entry, bytes))
            return false;
        left -= bytes;
    }
    return true;
}

struct cache_entry *cache_entry_new(struct native *n,
                                    const struct cache_shapes *shapes,
                                    uint64_t key, uint64_t bytes)
{
    struct cache_entry *entry = native_new(n, &shapes->entry);

    if (!entry)
        return NULL;
    entry->key = key;
    entry->bytes = bytes;
    if (!fill_entry(n, shapes, entry)) {
        cache_entries_drop(n, entry);
        return NULL;
    }
    return entry;
}

void cache_entries_drop(struct native *n, struct cache_entry *entry)
{
    if (!n->memory.dealloc)
        return;
    for (struct cache_entry *next; entry; entry = next) {
        next = entry->chain;
        cache_chunks_drop(n, entry->value);
        native_drop(n, entry->text, key_bytes(entry->key));
        native_drop(n, entry, sizeof *entry);
    }
}

/* ---- the list ---- */

static void list_unlink(struct native *n, struct cache_store *store,
                        struct cache_entry *entry)
{
    struct cache_entry *newer = entry->newer, *older = entry->older;

    if (newer)
        native_store(n, newer, &newer->older, older);
    else
        native_store(n, store, &store->newest, older);
    if (older)
        native_store(n, older, &older->newer, newer);
    else
        native_store(n, store, &store->oldest, newer);
}

static void list_push(struct native *n, struct cache_store *store,
                      struct cache_entry *entry)
{
    struct cache_entry *second = store->newest;

    native_store(n, entry, &entry->newer, NULL);
    native_store(n, entry, &entry->older, second);
    if (second)
        native_store(n, second, &second->newer, entry);
    else
        native_store(n, store, &store->oldest, entry);
    native_store(n, store, &store->newest, entry);
}

/* ---- the store ---- */

struct cache_store *cache_store_new(struct native *n,
                                    const struct cache_shapes *shapes,
                                    uint64_t limit)
{
    struct cache_store *store = native_new(n, &shapes->store);
    uint64_t buckets = 1;

    if (!store)
        return NULL;
    while (buckets * BYTES_PER_BUCKET < limit)
        buckets *= 2;
    void *table = native_alloc(n, buckets * sizeof(void *));
    if (!table) {
        native_drop(n, store, sizeof *store);
        return NULL;
    }
    native_store(n, store, &store->buckets, table);
    store->mask = buckets - 1;
    store->limit = limit;
    return store;
}

static void **bucket_of(const struct cache_store *store, uint64_t key)
{
    void **buckets = store->buckets;

    return &buckets[hash(key) & store->mask];
}

struct cache_entry *cache_store_find(struct native *n,
                                     struct cache_store *store, uint64_t key,
                                     const char *text, uint64_t text_bytes)
{
    struct cache_entry *entry = *bucket_of(store, key);

    while (entry && (entry->key != key || key_bytes(key) != text_bytes ||
                     memcmp(entry->text, text, text_bytes) != 0))
        entry = entry->chain;
    if (entry && entry != store->newest) {
        list_unlink(n, store, entry);
        list_push(n, store, entry);
    }
    return entry;
}

/* What is out points to no entry that is in: a stray word that keeps it would
 * keep all that came after it, for ever. */
void cache_store_delete(struct native *n, struct cache_store *store,
                        uint64_t key, struct cache_entry **out)
{
    void **bucket = bucket_of(store, key);
    struct cache_entry *before = NULL, *entry = *bucket;

    while (entry && entry->key != key) {
        before = entry;
        entry = entry->chain;
    }
    if (!entry)
        return;
    if (before)
        native_store(n, before, &before->chain, entry->chain);
    else
        native_store(n, store->buckets, bucket, entry->chain);
    list_unlink(n, store, entry);
    store->count--;
    store->bytes -= entry_cost(entry);
    native_store(n, entry, &entry->newer, NULL);
    native_store(n, entry, &entry->older, NULL);
    native_store(n, entry, &entry->chain, *out);
    *out = entry;
}

void cache_store_put(struct native *n, struct cache_store *store,
                     struct cache_entry *entry, struct cache_entry **out)
{
    void **bucket = bucket_of(store, entry->key);

    cache_store_delete(n, store, entry->key, out);
    native_store(n, entry, &entry->chain, *bucket);
    native_store(n, store->buckets, bucket, entry);
    list_push(n, store, entry);
    store->count++;
    store->bytes += entry_cost(entry);
    while (store->bytes > store->limit && store->count > 1) {
        const struct cache_entry *oldest = store->oldest;

        cache_store_delete(n, store, oldest->key, out);
    }
}

struct cache_entry *cache_store_newest(const struct cache_store *store)
{
    return store->newest;
}

/* ---- checking and dropping ---- */

static bool value_is_right(const struct cache_entry *entry)
{
    uint64_t bytes = 0;

    for (const struct cache_chunk *c = entry->value; c; c = c->next) {
        bytes += c->bytes;
        if (bytes > entry->bytes ||
            !cache_bytes_are_right(entry->key, c->data, c->bytes))
            return false;
    }
    return bytes == entry->bytes;
}

static bool entry_is_right(const struct cache_store *store,
                           const struct cache_entry *entry)
{
    char text[CACHE_KEY_MAX];
    uint64_t bytes = cache_key_text(entry->key, text);
    const struct cache_entry *at = *bucket_of(store, entry->key);

    while (at && at != entry)
        at = at->chain;
    return at && memcmp(entry->text, text, bytes) == 0 && value_is_right(entry);
}

bool cache_store_is_right(const struct cache_store *store)
{
    const struct cache_entry *newer = NULL;
    uint64_t count = 0, bytes = 0;

    for (const struct cache_entry *e = store->newest; e; e = e->older) {
        if (e->newer != newer || count == store->count ||
            !entry_is_right(store, e))
            return false;
        count++;
        bytes += entry_cost(e);
        newer = e;
    }
    return store->oldest == newer && count == store->count &&
           bytes == store->bytes && (bytes <= store->limit || count == 1);
}

void cache_store_drop(struct native *n, struct cache_store *store)
{
    if (!n->memory.dealloc || !store)
        return;
    void **buckets = store->buckets;
    for (uint64_t i = 0; i <= store->mask; i++)
        cache_entries_drop(n, buckets[i]);
    native_drop(n, buckets, (store->mask + 1) * sizeof(void *));
    native_drop(n, store, sizeof *store);
}
