/* chase.h - what the workloads that follow pointers share: where nodes lie.
 *
 * Nodes are allocated one after the other, with `noise` other blocks behind
 * each, which live as long.  With freed=forward, backward or random the nodes
 * of this first filling are freed in that order, the noise stays, and what is
 * followed is built of new nodes: their places are the holes, in whatever
 * order the allocator hands them out again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_CHASE_H
#define HEAPYARD_CHASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap_noise.h"

/* The first knobs of each of these workloads. */
enum {
    CHASE_NODES,
    CHASE_NODE,
    CHASE_FREED,
    CHASE_NOISE,
    CHASE_NOISE_MAX,
    CHASE_OWN /* the first of its own */
};
enum { CHASE_NODE_MAX = 4096 /* bytes */ };

extern const char *const chase_freed_names[];

/* clang-format off */
#define CHASE_KNOBS(nodes, node, least)                                        \
[CHASE_NODES] = {"nodes", "nodes", nodes, 1, 1e8,                              \
    "of each thread; scale does not change them", NULL},                       \
[CHASE_NODE] = {"node", "bytes", node, least, CHASE_NODE_MAX,                  \
    "of a node, rounded up to a multiple of 8", NULL},                         \
[CHASE_FREED] = {"freed", "", 3, 0, 3,                                         \
    "as many nodes were there before and freed in this order",                 \
    chase_freed_names},                                                        \
[CHASE_NOISE] = {"noise", "blocks", 1, 0, 64,                                  \
    "allocated behind each node; they stay", NULL},                            \
[CHASE_NOISE_MAX] = {"noise-max", "bytes", 128, 16, 1 << 20,                   \
    "of such a block; its size is uniform from 16", NULL}
/* clang-format on */

/* A thread's nodes in the making. */
struct chase {
    struct native *n;
    uint64_t nodes;
    size_t bytes; /* of a node */
    uint64_t noise;
    uint64_t noise_max;
    bool is_aged; /* the noise is there already */
    struct random random;
    struct heap_noise *blocks; /* the noise */
};

/* For prepare: pointers[words] says which first words of a node are pointers;
 * native_free_shared is its finish.  0 or ENOMEM. */
int chase_prepare(struct native *, const bool pointers[], size_t words,
                  void **shared);

/* Begin, and age the heap.  0 or ENOMEM; chase_close either way. */
int chase_open(struct native *, struct chase *);
/* The next node, zeroed, or NULL. */
void *chase_new(struct chase *);
void chase_drop(struct chase *, void *node);
/* The noise is dropped. */
void chase_close(struct chase *);

/* All threads have built, or failed to: wait for the others, so that they do
 * not build while one is timed. */
void chase_meet(struct native *);

/* A table of pointers that the heap holds, and its end. */
void **chase_table(struct chase *, uint64_t n);
void chase_table_drop(struct chase *, void **table, uint64_t n);
void chase_table_shuffle(struct chase *, void **table, uint64_t n);

/* A one-to-one map of 64 bits that looks random (splitmix64's end). */
static inline uint64_t chase_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* What is in the i-th node. */
static inline uint64_t chase_value(uint64_t i)
{
    return chase_mix(~i);
}

/* The key of the i-th node where nodes are looked up by keys, another one for
 * each seed. */
static inline uint64_t chase_key(uint64_t seed, uint64_t i)
{
    return chase_mix(seed + i);
}

/* What has been found so far, in its order. */
static inline uint64_t chase_fold(uint64_t sum, uint64_t value)
{
    return (sum << 1 | sum >> 63) ^ value;
}

/* Which of n nodes to look for next, after one with that value; n < 2^32. */
static inline uint64_t chase_next(uint64_t value, uint64_t i, uint64_t n)
{
    return (((value + i) * UINT64_C(0x9e3779b97f4a7c15) >> 32) * n) >> 32;
}

/* The fold of so many look-ups in a row, the first of them after value 0. */
uint64_t chase_expect(uint64_t nodes, uint64_t lookups);

/* The use of what is looked up by keys: so many look-ups in a row, each for a
 * key that follows from the value before.  find returns where the value of a
 * key is, or NULL; it is a constant, so that the loop is compiled with it.  0,
 * or EBADMSG: something else was found than is there. */
static inline int chase_look_up(struct native *n, uint64_t nodes,
                                uint64_t lookups,
                                const uint64_t *(*find)(const void *, uint64_t),
                                const void *built)
{
    uint64_t value = 0, sum = 0, done = 0;

    native_use_begin(n);
    for (; done < lookups; done++) {
        uint64_t next = chase_next(value, done, nodes);
        const uint64_t *found = find(built, chase_key(n->seed, next));

        if (!found)
            break;
        value = *found;
        sum = chase_fold(sum, value);
    }
    native_use_end(n, done);
    return done == lookups && sum == chase_expect(nodes, lookups) ? 0 : EBADMSG;
}

#endif
