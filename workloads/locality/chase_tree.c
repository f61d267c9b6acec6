/* chase_tree.c - look-ups in a search tree.
 *
 * A binary search tree of random keys, inserted one after the other and never
 * balanced: about 2 ln n comparisons a look-up, two in five more than if it
 * were.  The key that is looked up next follows from what was found, so one
 * look-up cannot begin before the last has ended.
 *
 * A use is a look-up; all of them find something.  The chain of what is found
 * is known without the tree.
 *
 * Source: R. Sedgewick & K. Wayne, Algorithms (4th ed., 2011), section 3.2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "chase.h"
#include "workload.h"

enum { KNOB_LOOKUPS = CHASE_OWN };

struct node {
    struct node *child[2]; /* smaller, larger */
    uint64_t key, value;
};

static const bool node_pointers[] = {true, true, false, false};

/* clang-format off */
static const struct knob chase_tree_knobs[] = {
CHASE_KNOBS(200000, 64, sizeof(struct node)),
[KNOB_LOOKUPS] = {"lookups", "look-ups", 2e6, 1, 1e12,
    "of each thread, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

static int build(struct chase *c, struct node **tree)
{
    for (uint64_t i = 0; i < c->nodes; i++) {
        struct node *node = chase_new(c), *above = NULL;
        int side = 0;

        if (!node)
            return ENOMEM;
        node->key = chase_key(c->n->seed, i);
        node->value = chase_value(i);
        for (struct node *at = *tree; at; at = at->child[side]) {
            above = at;
            side = node->key > at->key;
        }
        if (above)
            native_store(c->n, above, (void **)&above->child[side], node);
        else
            *tree = node;
    }
    return 0;
}

static inline const uint64_t *find(const void *built, uint64_t key)
{
    const struct node *at = built;

    while (at && at->key != key)
        at = at->child[key > at->key];
    return at ? &at->value : NULL;
}

static int use(struct native *n, const struct node *tree, uint64_t nodes)
{
    uint64_t lookups = native_scaled(n, n->knobs->v[KNOB_LOOKUPS]);

    return chase_look_up(n, nodes, lookups, find, tree);
}

static void drop_tree(struct chase *c, struct node *tree)
{
    if (!tree)
        return;
    drop_tree(c, tree->child[0]);
    drop_tree(c, tree->child[1]);
    chase_drop(c, tree);
}

static int chase_tree_run(struct native *n)
{
    struct chase c;
    struct node *tree = NULL;
    int err = chase_open(n, &c);

    if (!err)
        err = build(&c, &tree);
    chase_meet(n);
    if (!err)
        err = use(n, tree, c.nodes);
    if (err == EBADMSG)
        return err;
    if (n->memory.dealloc)
        drop_tree(&c, tree);
    chase_close(&c);
    return err;
}

static int chase_tree_prepare(struct native *n, void **shared)
{
    return chase_prepare(n, node_pointers, sizeof node_pointers, shared);
}

const struct workload chase_tree_workload = {
    .name = "chase-tree",
    .summary = "look-ups in a search tree in an aged heap (2 M uses)",
    .source = "binary search trees (Sedgewick & Wayne, 3.2)",
    .version = 1,
    .knobs = chase_tree_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = chase_tree_prepare,
    .run = chase_tree_run,
    .finish = native_free_shared,
};
