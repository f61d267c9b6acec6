/* chase.c - what the workloads that follow pointers share: where nodes lie.
 *
 * Source of the map: G. Steele, D. Lea & C. Flood, "Fast Splittable
 * Pseudorandom Number Generators", OOPSLA 2014.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "chase.h"

#include <errno.h>
#include <stdlib.h>

#include "meeting.h"

enum { FREED_NONE, FREED_FORWARD, FREED_BACKWARD, FREED_RANDOM };

const char *const chase_freed_names[] = {"none", "forward", "backward",
                                         "random", NULL};

/* What all threads share. */
struct chase_shared {
    struct native_shape node;
    struct meeting built;
};

static size_t node_bytes(const struct native *n)
{
    return ((size_t)n->knobs->v[CHASE_NODE] + 7) & ~(size_t)7;
}

int chase_prepare(struct native *n, const bool pointers[], size_t words,
                  void **shared)
{
    struct chase_shared *s = calloc(1, sizeof *s);
    bool all[CHASE_NODE_MAX / sizeof(void *)] = {false};

    if (!s)
        return ENOMEM;
    for (size_t i = 0; i < words; i++)
        all[i] = pointers[i];
    native_shape(&n->memory, node_bytes(n), all, &s->node);
    *shared = s;
    return 0;
}

void chase_meet(struct native *n)
{
    meeting_wait(&((struct chase_shared *)n->shared)->built, n->threads);
}

void **chase_table(struct chase *c, uint64_t n)
{
    return native_alloc(c->n, n * sizeof(void *));
}

void chase_table_drop(struct chase *c, void **table, uint64_t n)
{
    native_drop(c->n, table, n * sizeof *table);
}

void chase_table_shuffle(struct chase *c, void **table, uint64_t n)
{
    for (uint64_t i = n; i > 1; i--) {
        uint64_t k = random_below(&c->random, i);
        void *last = table[i - 1];

        native_store(c->n, table, &table[i - 1], table[k]);
        native_store(c->n, table, &table[k], last);
    }
}

static void *new_node(struct chase *c)
{
    return native_new(c->n, &((struct chase_shared *)c->n->shared)->node);
}

void *chase_new(struct chase *c)
{
    void *node = new_node(c);

    if (!node || c->is_aged ||
        !heap_noise_add(c->n, &c->random, c->noise, c->noise_max, &c->blocks))
        return node;
    chase_drop(c, node);
    return NULL;
}

void chase_drop(struct chase *c, void *node)
{
    native_drop(c->n, node, c->bytes);
}

/* The first filling, and its end; table[nodes] is zeroed. */
static int age(struct chase *c, void **table, int order)
{
    uint64_t made = 0;

    for (; made < c->nodes; made++) {
        void *node = chase_new(c);

        if (!node)
            break;
        native_store(c->n, table, &table[made], node);
    }
    if (order == FREED_RANDOM)
        chase_table_shuffle(c, table, made);
    for (uint64_t i = 0; i < made; i++)
        chase_drop(c, table[order == FREED_BACKWARD ? made - 1 - i : i]);
    c->is_aged = true;
    return made == c->nodes ? 0 : ENOMEM;
}

int chase_open(struct native *n, struct chase *c)
{
    const double *knob = n->knobs->v;
    const int order = (int)knob[CHASE_FREED];

    *c = (struct chase){
        .n = n,
        .nodes = (uint64_t)knob[CHASE_NODES],
        .bytes = node_bytes(n),
        .noise = (uint64_t)knob[CHASE_NOISE],
        .noise_max = (uint64_t)knob[CHASE_NOISE_MAX],
    };
    random_seed(&c->random, n->seed);
    if (order == FREED_NONE)
        return 0;
    void **table = chase_table(c, c->nodes);
    int err = table ? age(c, table, order) : ENOMEM;

    chase_table_drop(c, table, c->nodes);
    return err;
}

void chase_close(struct chase *c)
{
    heap_noise_drop(c->n, c->blocks);
}

uint64_t chase_expect(uint64_t nodes, uint64_t lookups)
{
    uint64_t value = 0, sum = 0;

    for (uint64_t i = 0; i < lookups; i++) {
        value = chase_value(chase_next(value, i, nodes));
        sum = chase_fold(sum, value);
    }
    return sum;
}
