/* chase_hash.c - look-ups in a hash table with chains.
 *
 * The buckets are one block, a power of two of them; each entry is a node,
 * put at the head of its bucket's chain.  The key that is looked up next
 * follows from what was found, so one look-up cannot begin before the last has
 * ended.  The table does not grow while it is used, or while it is filled.
 *
 * A use is a look-up; all of them find something.  The chain of what is found
 * is known without the table.
 *
 * Source: D. Knuth, The Art of Computer Programming 3 (2nd ed., 1998), 6.4,
 * separate chaining; multiplicative hashing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "chase.h"
#include "workload.h"

enum { KNOB_LOAD = CHASE_OWN, KNOB_LOOKUPS };

struct entry {
    struct entry *next;
    uint64_t key, value;
};

static const bool entry_pointers[] = {true, false, false};

/* clang-format off */
static const struct knob chase_hash_knobs[] = {
CHASE_KNOBS(200000, 48, sizeof(struct entry)),
[KNOB_LOAD] = {"load", "1", 1, 0.01, 1000,
    "entries a bucket, or half as many: buckets are a power of two", NULL},
[KNOB_LOOKUPS] = {"lookups", "look-ups", 5e6, 1, 1e12,
    "of each thread, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

struct table {
    void **bucket; /* [1 << bits], an object of the heap */
    unsigned bits; /* 1 or more */
};

static uint64_t place_of(const struct table *t, uint64_t key)
{
    return key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - t->bits);
}

static uint64_t buckets(const struct table *t)
{
    return UINT64_C(1) << t->bits;
}

static int build(struct chase *c, struct table *t)
{
    double want = (double)c->nodes / c->n->knobs->v[KNOB_LOAD];

    for (t->bits = 1; (double)buckets(t) < want; t->bits++)
        ;
    t->bucket = chase_table(c, buckets(t));
    for (uint64_t i = 0; i < c->nodes; i++) {
        struct entry *entry = t->bucket ? chase_new(c) : NULL;

        if (!entry)
            return ENOMEM;
        entry->key = chase_key(c->n->seed, i);
        entry->value = chase_value(i);
        void **place = &t->bucket[place_of(t, entry->key)];
        native_store(c->n, entry, (void **)&entry->next, *place);
        native_store(c->n, t->bucket, place, entry);
    }
    return 0;
}

static inline const uint64_t *find(const void *built, uint64_t key)
{
    const struct table *t = built;
    const struct entry *at = t->bucket[place_of(t, key)];

    while (at && at->key != key)
        at = at->next;
    return at ? &at->value : NULL;
}

static int use(struct native *n, const struct table *t, uint64_t nodes)
{
    uint64_t lookups = native_scaled(n, n->knobs->v[KNOB_LOOKUPS]);

    return chase_look_up(n, nodes, lookups, find, t);
}

static void drop_table(struct chase *c, struct table *t)
{
    if (!c->n->memory.dealloc || !t->bucket)
        return;
    for (uint64_t i = 0; i < buckets(t); i++)
        for (struct entry *e = t->bucket[i], *next; e; e = next) {
            next = e->next;
            chase_drop(c, e);
        }
    chase_table_drop(c, t->bucket, buckets(t));
}

static int chase_hash_run(struct native *n)
{
    struct chase c;
    struct table t = {NULL, 0};
    int err = chase_open(n, &c);

    if (!err)
        err = build(&c, &t);
    chase_meet(n);
    if (!err)
        err = use(n, &t, c.nodes);
    if (err == EBADMSG)
        return err;
    drop_table(&c, &t);
    chase_close(&c);
    return err;
}

static int chase_hash_prepare(struct native *n, void **shared)
{
    return chase_prepare(n, entry_pointers, sizeof entry_pointers, shared);
}

const struct workload chase_hash_workload = {
    .name = "chase-hash",
    .summary = "look-ups in a chained hash table in an aged heap (5 M uses)",
    .source = "separate chaining (Knuth, TAOCP 3, 6.4)",
    .version = 1,
    .knobs = chase_hash_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = chase_hash_prepare,
    .run = chase_hash_run,
    .finish = native_free_shared,
};
