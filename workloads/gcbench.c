/* gcbench.c - GCBench: trees of all sizes, beside data that lives long.
 *
 * A tree two levels deeper than all others stretches the heap and is dropped.
 * A tree and an array of doubles, half of which is written, stay to the end.
 * Then, for each depth from 4 in steps of 2, trees of that depth are built and
 * dropped at once, as many as make up twice the nodes of the stretching tree:
 * first top-down (a node is stored into its parent, which is older), then as
 * many bottom-up (into its parent, which is younger).
 *
 * A model of what collectors are sensitive to: most objects die young, a tree's
 * together; the deeper the tree, the longer they live.  It is no program: the
 * trees are never looked at, but for the first of each kind, which is checked.
 * Every thread does all of it with data of its own, as in the version for
 * threads that comes with Whippet.  Nothing is random.
 *
 * Source: GCBench by J. Ellis, P. Kovac & H. Boehm (1997-2000); its constants
 * are the presets.  A node's level is written here, to be checked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "native.h"
#include "workload.h"

enum { KNOB_DEPTH, KNOB_ARRAY };
enum { DEPTH_FIRST = 4, DEPTH_STEP = 2, STRETCH = 2 };

/* clang-format off */
static const struct knob gcbench_knobs[] = {
[KNOB_DEPTH] = {"depth", "levels", 16, DEPTH_FIRST, 24,
    "of the long-lived tree and the deepest others", NULL},
[KNOB_ARRAY] = {"array", "doubles", 500000, 2, 1e8,
    "in the long-lived array, half of which is written", NULL},
{.name = NULL},
};
/* clang-format on */

/* A leaf has level 0. */
struct node {
    void *left, *right;
    int32_t level;
    int32_t zero; /* never written */
};

static const bool node_pointers[] = {true, true, false};

static struct node *make_node(struct native *n, int32_t level)
{
    struct node *node = native_new(n, n->shared);

    if (node)
        node->level = level;
    return node;
}

static void drop_tree(struct native *n, struct node *tree)
{
    if (!n->memory.dealloc || !tree)
        return;
    drop_tree(n, tree->left);
    drop_tree(n, tree->right);
    native_drop(n, tree, sizeof *tree);
}

/* Everything below the node; false: no memory, and some of it is missing. */
static bool populate(struct native *n, struct node *node)
{
    if (node->level == 0)
        return true;
    native_store(n, node, &node->left, make_node(n, node->level - 1));
    native_store(n, node, &node->right, make_node(n, node->level - 1));
    return node->left && node->right && populate(n, node->left) &&
           populate(n, node->right);
}

static struct node *build_top_down(struct native *n, int32_t level)
{
    struct node *tree = make_node(n, level);

    if (tree && !populate(n, tree)) {
        drop_tree(n, tree);
        return NULL;
    }
    return tree;
}

static struct node *build_bottom_up(struct native *n, int32_t level)
{
    if (level == 0)
        return make_node(n, 0);
    struct node *left = build_bottom_up(n, level - 1);
    struct node *right = left ? build_bottom_up(n, level - 1) : NULL;
    struct node *tree = right ? make_node(n, level) : NULL;
    if (!tree) {
        drop_tree(n, right);
        drop_tree(n, left);
        return NULL;
    }
    native_store(n, tree, &tree->left, left);
    native_store(n, tree, &tree->right, right);
    return tree;
}

static bool tree_is_right(const struct node *tree, int32_t level)
{
    if (!tree || tree->level != level || tree->zero != 0)
        return false;
    if (level == 0)
        return !tree->left && !tree->right;
    return tree_is_right(tree->left, level - 1) &&
           tree_is_right(tree->right, level - 1);
}

/* `trees` trees, one after the other; the first is checked. */
static int build_and_drop(struct native *n,
                          struct node *(*build)(struct native *, int32_t level),
                          int32_t level, uint64_t trees)
{
    for (uint64_t i = 0; i < trees; i++) {
        struct node *tree = build(n, level);

        if (!tree)
            return ENOMEM;
        if (i == 0 && !tree_is_right(tree, level))
            return EBADMSG;
        drop_tree(n, tree);
    }
    return 0;
}

static double tree_nodes(int32_t level)
{
    return (double)((UINT64_C(2) << level) - 1);
}

static int build_all_depths(struct native *n, int32_t deepest)
{
    double nodes = 2 * tree_nodes(deepest + STRETCH);
    int err = 0;

    for (int32_t d = DEPTH_FIRST; d <= deepest && !err; d += DEPTH_STEP) {
        uint64_t trees = native_scaled(n, nodes / tree_nodes(d));

        err = build_and_drop(n, build_top_down, d, trees);
        if (!err)
            err = build_and_drop(n, build_bottom_up, d, trees);
    }
    return err;
}

static void fill_half(double array[], size_t doubles)
{
    for (size_t i = 0; i < doubles / 2; i++)
        array[i] = 1.0 / (double)(i + 1);
}

static bool half_is_right(const double array[], size_t doubles)
{
    for (size_t i = 0; i < doubles / 2; i++)
        if (array[i] != 1.0 / (double)(i + 1))
            return false;
    return true;
}

static int gcbench_run(struct native *n)
{
    int32_t deepest = (int32_t)n->knobs->v[KNOB_DEPTH];
    size_t doubles = (size_t)n->knobs->v[KNOB_ARRAY];
    int err = build_and_drop(n, build_bottom_up, deepest + STRETCH, 1);

    if (err)
        return err;
    struct node *tree = build_top_down(n, deepest);
    double *array = native_leaf(n, doubles * sizeof *array);
    err = tree && array ? 0 : ENOMEM;
    if (array)
        fill_half(array, doubles);
    if (!err)
        err = build_all_depths(n, deepest);
    if (!err &&
        !(tree_is_right(tree, deepest) && half_is_right(array, doubles)))
        return EBADMSG;
    drop_tree(n, tree);
    native_drop(n, array, doubles * sizeof *array);
    return err;
}

static int gcbench_prepare(struct native *n, void **shared)
{
    return native_prepare_shape(n, sizeof(struct node), node_pointers, shared);
}

const struct workload gcbench_workload = {
    .name = "gcbench",
    .summary = "GCBench: trees of all sizes beside long-lived data (15 M ops)",
    .source = "GCBench by J. Ellis, P. Kovac & H. Boehm",
    .version = 1,
    .knobs = gcbench_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = gcbench_prepare,
    .run = gcbench_run,
    .finish = native_free_shared,
};
