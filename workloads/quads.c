/* quads.c - a live tree of quads, and garbage beside it.
 *
 * A tree in which every node has four children is built bottom-up and stays.
 * Then trees of depth 3 (85 nodes) are built and dropped, as many as fill
 * `multiple` times what stays; twenty times meanwhile the live tree is walked
 * and checked.
 *
 * A model of a program with a large heap that allocates in small bursts: all
 * the garbage dies young, nothing old ever changes, and every full collection
 * has to mark the same tree.  It is no model of a heap that turns over.  Every
 * thread does all of it with a tree of its own.  Nothing is random.
 *
 * Source: quads by A. Wingo, of the Whippet collector's benchmarks.  There the
 * garbage is 20 / 7.5 of a heap whose size is given as a multiple of the tree:
 * `multiple` is 2.67 of those.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "native.h"
#include "workload.h"

enum { KNOB_DEPTH, KNOB_MULTIPLE };
enum { KIDS = 4, GARBAGE_DEPTH = 3, STEPS = 20 };

/* clang-format off */
static const struct knob quads_knobs[] = {
[KNOB_DEPTH] = {"depth", "levels", 9, 1, 14,
    "of the tree that stays: 9 is 11 MiB, one more is four times as much "
    "(Whippet: an argument)", NULL},
[KNOB_MULTIPLE] = {"multiple", "1", 20, 0.01, 1e6,
    "garbage over what stays, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

struct quad {
    void *kids[KIDS];
};

static const bool quad_pointers[KIDS] = {true, true, true, true};

static void drop_tree(struct native *n, struct quad *tree)
{
    if (!n->memory.dealloc || !tree)
        return;
    for (int i = 0; i < KIDS; i++)
        drop_tree(n, tree->kids[i]);
    native_drop(n, tree, sizeof *tree);
}

/* Children first, then their parent; NULL: no memory. */
static struct quad *make_tree(struct native *n, unsigned depth)
{
    struct quad *kids[KIDS] = {NULL};
    struct quad *tree = NULL;
    int made = 0;

    if (depth == 0)
        return native_new(n, n->shared);
    while (made < KIDS && (kids[made] = make_tree(n, depth - 1)))
        made++;
    if (made == KIDS)
        tree = native_new(n, n->shared);
    if (!tree) {
        for (int i = 0; i < made; i++)
            drop_tree(n, kids[i]);
        return NULL;
    }
    for (int i = 0; i < KIDS; i++)
        native_store(n, tree, &tree->kids[i], kids[i]);
    return tree;
}

static bool tree_is_right(const struct quad *tree, unsigned depth)
{
    if (!tree)
        return false;
    for (int i = 0; i < KIDS; i++)
        if (depth == 0 ? tree->kids[i] != NULL
                       : !tree_is_right(tree->kids[i], depth - 1))
            return false;
    return true;
}

static double tree_nodes(unsigned depth)
{
    return (double)(((UINT64_C(4) << (2 * depth)) - 1) / (KIDS - 1));
}

static int make_garbage(struct native *n, uint64_t trees)
{
    for (uint64_t i = 0; i < trees; i++) {
        struct quad *tree = make_tree(n, GARBAGE_DEPTH);

        if (!tree)
            return ENOMEM;
        drop_tree(n, tree);
    }
    return 0;
}

static int quads_run(struct native *n)
{
    unsigned depth = (unsigned)n->knobs->v[KNOB_DEPTH];
    double nodes = n->knobs->v[KNOB_MULTIPLE] * tree_nodes(depth);
    uint64_t trees =
        native_scaled(n, nodes / STEPS / tree_nodes(GARBAGE_DEPTH));
    struct quad *tree = make_tree(n, depth);
    int err = tree ? 0 : ENOMEM;

    for (int step = 0; step < STEPS && !err; step++) {
        err = make_garbage(n, trees);
        if (!err && !tree_is_right(tree, depth))
            return EBADMSG;
    }
    drop_tree(n, tree);
    return err;
}

static int quads_prepare(struct native *n, void **shared)
{
    return native_prepare_shape(n, sizeof(struct quad), quad_pointers, shared);
}

const struct workload quads_workload = {
    .name = "quads",
    .summary = "a live 4-ary tree, and garbage beside it (7 M ops)",
    .source = "quads by A. Wingo, of Whippet's benchmarks",
    .version = 1,
    .knobs = quads_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = quads_prepare,
    .run = quads_run,
    .finish = native_free_shared,
};
