/* chase_list.c - a list that is followed again and again.
 *
 * Nodes are allocated among others (chase.h), linked in the order in which
 * they were allocated, or in a random one, and followed from the first to the
 * last, as many times as `rounds` says.  Each step loads the address of the
 * next, so nothing but the nodes' places decides how long it takes.
 *
 * A use is a node visited.  What is followed adds up to a number that depends
 * on the order too, and which is known without the list.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "chase.h"
#include "workload.h"

enum { KNOB_LINKED = CHASE_OWN, KNOB_ROUNDS };
enum { LINKED_ALLOCATED, LINKED_RANDOM };

struct node {
    struct node *next;
    uint64_t value;
};

static const bool node_pointers[] = {true, false};

static const char *const linked_names[] = {"allocated", "random", NULL};

/* clang-format off */
static const struct knob chase_list_knobs[] = {
CHASE_KNOBS(200000, 64, sizeof(struct node)),
[KNOB_LINKED] = {"linked", "", LINKED_ALLOCATED, 0, 1,
    "in the order of allocation, or in a random one", linked_names},
[KNOB_ROUNDS] = {"rounds", "rounds", 50, 0.01, 1e9,
    "through the list, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

static int make_nodes(struct chase *c, void **table)
{
    for (uint64_t i = 0; i < c->nodes; i++) {
        struct node *node = chase_new(c);

        if (!node)
            return ENOMEM;
        native_store(c->n, table, &table[i], node);
    }
    return 0;
}

static struct node *link_nodes(struct chase *c, void **table)
{
    if (c->n->knobs->v[KNOB_LINKED] == LINKED_RANDOM)
        chase_table_shuffle(c, table, c->nodes);
    for (uint64_t i = 0; i < c->nodes; i++) {
        struct node *node = table[i];
        void *next = i + 1 < c->nodes ? table[i + 1] : NULL;

        node->value = chase_value(i);
        native_store(c->n, node, (void **)&node->next, next);
    }
    return table[0];
}

static int build(struct chase *c, struct node **list)
{
    void **table = chase_table(c, c->nodes);
    int err = table ? make_nodes(c, table) : ENOMEM;

    if (!err)
        *list = link_nodes(c, table);
    for (uint64_t i = 0; table && err && i < c->nodes; i++)
        chase_drop(c, table[i]);
    chase_table_drop(c, table, c->nodes);
    return err;
}

static uint64_t follow(const struct node *node)
{
    uint64_t sum = 0;

    for (; node; node = node->next)
        sum = chase_fold(sum, node->value);
    return sum;
}

static int use(struct native *n, const struct node *list, uint64_t nodes)
{
    uint64_t rounds = native_scaled(n, n->knobs->v[KNOB_ROUNDS]);
    uint64_t want = 0, wrong = 0;

    for (uint64_t i = 0; i < nodes; i++)
        want = chase_fold(want, chase_value(i));
    native_use_begin(n);
    for (uint64_t i = 0; i < rounds; i++)
        wrong |= follow(list) ^ want;
    native_use_end(n, rounds * nodes);
    return wrong ? EBADMSG : 0;
}

static void drop_list(struct chase *c, struct node *list)
{
    if (!c->n->memory.dealloc)
        return;
    for (struct node *next; list; list = next) {
        next = list->next;
        chase_drop(c, list);
    }
}

static int chase_list_run(struct native *n)
{
    struct chase c;
    struct node *list = NULL;
    int err = chase_open(n, &c);

    if (!err)
        err = build(&c, &list);
    chase_meet(n);
    if (!err)
        err = use(n, list, c.nodes);
    if (err == EBADMSG)
        return err;
    drop_list(&c, list);
    chase_close(&c);
    return err;
}

static int chase_list_prepare(struct native *n, void **shared)
{
    return chase_prepare(n, node_pointers, sizeof node_pointers, shared);
}

const struct workload chase_list_workload = {
    .name = "chase-list",
    .summary = "a list in an aged heap, followed again and again (10 M uses)",
    .source = "pointer chasing, as in lmbench's lat_mem_rd (USENIX 1996)",
    .version = 1,
    .knobs = chase_list_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = chase_list_prepare,
    .run = chase_list_run,
    .finish = native_free_shared,
};
