/* binary_trees.c - many short-lived trees beside one that stays.
 *
 * A tree one level deeper than the rest stretches the heap and is dropped.
 * One of the greatest depth n is kept to the end.  Then, for each depth d of
 * 4, 6 … n, 2^(n - d + 4) trees of it are built, walked and dropped one by one,
 * so each depth makes about as many nodes.  A tree is built from its leaves up:
 * both subtrees, then the node.
 *
 * Threads share the trees of a depth, each building its own; thread 0 has the
 * one that stays, and stretches.  The result is verified: every tree that is
 * walked has 2^(d + 1) - 1 nodes.
 *
 * Source: "binary-trees" of the Computer Language Benchmarks Game (J. Bauman
 * and others), after H. Boehm's GCBench; there n = 21.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "native.h"
#include "workload.h"

enum { KNOB_DEPTH };
enum { DEPTH_FIRST = 4, DEPTH_STEP = 2, STRETCH = 1 };

/* clang-format off */
static const struct knob binary_trees_knobs[] = {
[KNOB_DEPTH] = {"depth", "levels", 16, DEPTH_FIRST, 26,
    "of the long-lived tree and the deepest others (published: 21)", NULL},
{.name = NULL},
};
/* clang-format on */

struct node {
    struct node *left, *right; /* both NULL in a leaf */
};

struct grove {
    struct native *native;
    struct native_shape shape; /* of a node */
};

static uint64_t tree_nodes(unsigned depth)
{
    return (UINT64_C(2) << depth) - 1;
}

static void drop_tree(struct grove *g, struct node *tree)
{
    if (!g->native->memory.dealloc || !tree)
        return;
    drop_tree(g, tree->left);
    drop_tree(g, tree->right);
    native_drop(g->native, tree, sizeof *tree);
}

/* NULL if memory is short; then nothing is left behind. */
static struct node *build_tree(struct grove *g, unsigned depth)
{
    struct node *left = NULL, *right = NULL;

    if (depth > 0) {
        left = build_tree(g, depth - 1);
        right = left ? build_tree(g, depth - 1) : NULL;
    }
    struct node *tree =
        depth > 0 && !right ? NULL : native_new(g->native, &g->shape);
    if (!tree) {
        drop_tree(g, left);
        drop_tree(g, right);
        return NULL;
    }
    if (depth > 0) {
        native_store(g->native, tree, (void **)&tree->left, left);
        native_store(g->native, tree, (void **)&tree->right, right);
    }
    return tree;
}

static uint64_t count_nodes(const struct node *tree)
{
    return tree ? 1 + count_nodes(tree->left) + count_nodes(tree->right) : 0;
}

/* Returns 0, ENOMEM or EBADMSG. */
static int build_and_drop(struct grove *g, unsigned depth)
{
    struct node *tree = build_tree(g, depth);

    if (!tree)
        return ENOMEM;
    int err = count_nodes(tree) == tree_nodes(depth) ? 0 : EBADMSG;

    drop_tree(g, tree);
    return err;
}

/* This thread's share of the trees of one depth. */
static int build_depth(struct grove *g, unsigned depth, unsigned deepest)
{
    const struct native *n = g->native;
    double all = (double)(UINT64_C(1) << (deepest - depth + DEPTH_FIRST));
    uint64_t trees = (uint64_t)(all * n->scale);
    int err = 0;

    for (uint64_t i = n->thread; i < trees && !err; i += n->threads)
        err = build_and_drop(g, depth);
    return err;
}

static int build_all(struct grove *g, unsigned deepest)
{
    int err = 0;

    for (unsigned d = DEPTH_FIRST; d <= deepest && !err; d += DEPTH_STEP)
        err = build_depth(g, d, deepest);
    return err;
}

static int build_beside_long_lived(struct grove *g, unsigned deepest)
{
    int err = build_and_drop(g, deepest + STRETCH);
    struct node *kept = err ? NULL : build_tree(g, deepest);

    if (!err && !kept)
        err = ENOMEM;
    if (!err)
        err = build_all(g, deepest);
    if (!err && count_nodes(kept) != tree_nodes(deepest))
        err = EBADMSG;
    drop_tree(g, kept);
    return err;
}

static int binary_trees_run(struct native *n)
{
    static const bool both_are_pointers[] = {true, true};
    const unsigned deepest = (unsigned)n->knobs->v[KNOB_DEPTH];
    struct grove g = {.native = n};

    native_shape(&n->memory, sizeof(struct node), both_are_pointers, &g.shape);
    return n->thread ? build_all(&g, deepest)
                     : build_beside_long_lived(&g, deepest);
}

const struct workload binary_trees_workload = {
    .name = "binary-trees",
    .summary = "short-lived trees of all depths beside one that stays",
    .source = "binary-trees of the Computer Language Benchmarks Game",
    .version = 1,
    .knobs = binary_trees_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .run = binary_trees_run,
};
