/* gcold.c - GCOld: an old heap that is replaced little by little.
 *
 * The live data are balanced binary trees, all of one height, in a table.  A
 * step allocates one megabyte of arrays of 400 bytes, each of which dies when
 * the next is made; works for a while, if told to; replaces the oldest of the
 * long-lived data, 1 / ratio of a megabyte of it: whole trees, then subtrees
 * for the rest; and makes pointer stores into old objects, by swapping
 * subtrees of two random trees at a random place, until the step has made its
 * share of them.
 *
 * So the live size is steady, the survival rate is known, and old objects
 * point to young ones as often as one likes.  A model of what hurts a
 * collector of generations.  Real programs do not drop the oldest data first,
 * nor all alike.  Every thread does all of it with trees of its own.
 *
 * Invariant: every tree is balanced and of the full height after every step.
 *
 * Source: GCOld by D. Detlefs, with W. Clinger, M. Jacob & R. Knippel (Sun
 * Microsystems Laboratories, about 2000), as its Java and Scheme versions have
 * it; it has no presets.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "native.h"
#include "random.h"
#include "workload.h"

enum {
    KNOB_SIZE,
    KNOB_HEIGHT,
    KNOB_WORK,
    KNOB_RATIO,
    KNOB_MUTATIONS,
    KNOB_STEPS
};
enum {
    STEP_BYTES = 1000000,
    DEAD_BYTES = 400,   /* of a young array: 100 words of 4 bytes */
    INSIGNIFICANT = 999 /* bytes of long-lived data that do not matter */
};

/* clang-format off */
static const struct knob gcold_knobs[] = {
[KNOB_SIZE] = {"size", "MB", 32, 1, 65536,
    "of live trees, about, of each thread", NULL},
[KNOB_HEIGHT] = {"height", "levels", 14, 6, 24,
    "of a tree (GCOld: 14, which is 393 kB)", NULL},
[KNOB_WORK] = {"work", "1", 0, 0, 1000,
    "units of a tenth of an addition, for each young byte", NULL},
[KNOB_RATIO] = {"ratio", "1", 8, 0.1, 1e6,
    "short-lived bytes over long-lived ones", NULL},
[KNOB_MUTATIONS] = {"mutations", "stores", 1000, 0, 1e8,
    "of pointers into old objects, in each step", NULL},
[KNOB_STEPS] = {"steps", "steps", 400, 1, 1e9,
    "of a megabyte of young arrays, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

/* A leaf has height 1. */
struct node {
    void *left, *right;
    uint64_t height;
};

static const bool node_pointers[] = {true, true, false};

struct gcold {
    struct native *n;
    struct random random;
    void **trees; /* [count], an object of the heap */
    uint64_t count, oldest, height;
    uint64_t stores;  /* into old objects, so far */
    uint32_t *young;  /* the last one */
    uint64_t working; /* what the work works on */
};

static double height_bytes(uint64_t height)
{
    return (double)((UINT64_C(1) << height) - 1) * (double)sizeof(struct node);
}

static void drop_tree(struct native *n, struct node *tree)
{
    if (!n->memory.dealloc || !tree)
        return;
    drop_tree(n, tree->left);
    drop_tree(n, tree->right);
    native_drop(n, tree, sizeof *tree);
}

static bool grow(struct native *n, struct node **out, uint64_t height);

/* The node's subtrees; false: no memory, and some of it is missing. */
static bool grow_below(struct native *n, struct node *node)
{
    struct node *kid;

    if (node->height == 1)
        return true;
    bool is_grown = grow(n, &kid, node->height - 1);
    native_store(n, node, &node->left, kid);
    if (!is_grown)
        return false;
    is_grown = grow(n, &kid, node->height - 1);
    native_store(n, node, &node->right, kid);
    return is_grown;
}

static bool grow(struct native *n, struct node **out, uint64_t height)
{
    struct node *node = native_new(n, n->shared);

    *out = node;
    if (!node)
        return false;
    node->height = height;
    return grow_below(n, node);
}

static struct node *make_tree(struct native *n, uint64_t height)
{
    struct node *tree;

    if (!grow(n, &tree, height)) {
        drop_tree(n, tree);
        return NULL;
    }
    return tree;
}

static bool tree_is_right(const struct node *tree, uint64_t height)
{
    if (!tree || tree->height != height)
        return false;
    if (height == 1)
        return !tree->left && !tree->right;
    return tree_is_right(tree->left, height - 1) &&
           tree_is_right(tree->right, height - 1);
}

/* The place of the next tree to be replaced. */
static void **oldest_tree(struct gcold *g)
{
    void **place = &g->trees[g->oldest];

    g->oldest = g->oldest + 1 < g->count ? g->oldest + 1 : 0;
    return place;
}

/* Put a lower tree where a subtree of its height stands, found by going left
 * and right in turns. */
static void replace_subtree(struct gcold *g, struct node *tree,
                            struct node *lower)
{
    bool is_left = lower->height % 2 == 0;

    for (; tree->height > lower->height + 1; is_left = !is_left)
        tree = is_left ? tree->left : tree->right;
    void **place = is_left ? &tree->left : &tree->right;
    struct node *old = *place;
    native_store(g->n, tree, place, lower);
    g->stores++;
    drop_tree(g->n, old);
}

static int replace_old(struct gcold *g, double bytes)
{
    uint64_t height = g->height;

    while (bytes > INSIGNIFICANT) {
        while (height_bytes(height) > bytes)
            height--;
        struct node *fresh = make_tree(g->n, height);
        if (!fresh)
            return ENOMEM;
        void **place = oldest_tree(g);
        if (height == g->height) {
            struct node *old = *place;

            native_store(g->n, g->trees, place, fresh);
            drop_tree(g->n, old);
        } else {
            replace_subtree(g, *place, fresh);
        }
        bytes -= height_bytes(height);
    }
    return 0;
}

/* Two random trees exchange the subtrees at one random place. */
static void swap_subtrees(struct gcold *g)
{
    struct node *a = g->trees[random_below(&g->random, g->count)];
    struct node *b = g->trees[random_below(&g->random, g->count)];
    uint64_t path = random_next(&g->random);
    uint64_t depth = random_below(&g->random, g->height - 1);

    for (; depth > 0; depth--, path >>= 1) {
        a = path & 1 ? a->right : a->left;
        b = path & 1 ? b->right : b->left;
    }
    void **in_a = path & 1 ? &a->right : &a->left;
    void **in_b = path & 1 ? &b->right : &b->left;
    struct node *from_a = *in_a;
    native_store(g->n, a, in_a, *in_b);
    native_store(g->n, b, in_b, from_a);
    g->stores += 2;
}

static int allocate_young(struct gcold *g)
{
    for (unsigned done = 0; done < STEP_BYTES; done += DEAD_BYTES) {
        uint32_t *young = native_leaf(g->n, DEAD_BYTES);

        if (!young)
            return ENOMEM;
        young[0] = done;
        native_drop(g->n, g->young, DEAD_BYTES);
        g->young = young;
    }
    return 0;
}

/* What is added depends on what was, so that no compiler can skip it. */
static void work(struct gcold *g, double units)
{
    uint64_t additions = (uint64_t)(units * STEP_BYTES / 10);

    for (uint64_t i = 0; i < additions; i++)
        g->working += g->working >> 7 ^ i;
}

static int step(struct gcold *g)
{
    const double *knob = g->n->knobs->v;
    uint64_t stores = g->stores + (uint64_t)knob[KNOB_MUTATIONS];
    int err = allocate_young(g);

    if (err)
        return err;
    work(g, knob[KNOB_WORK]);
    err = replace_old(g, STEP_BYTES / knob[KNOB_RATIO]);
    while (!err && g->stores + 2 <= stores)
        swap_subtrees(g);
    return err;
}

static int run_steps(struct gcold *g)
{
    uint64_t steps = native_scaled(g->n, g->n->knobs->v[KNOB_STEPS]);
    int err = 0;

    for (uint64_t i = 0; i < g->count && !err; i++) {
        native_store(g->n, g->trees, &g->trees[i], make_tree(g->n, g->height));
        err = g->trees[i] ? 0 : ENOMEM;
    }
    for (uint64_t i = 0; i < steps && !err; i++) {
        native_begin(g->n);
        err = step(g);
        native_end(g->n);
    }
    for (uint64_t i = 0; i < g->count && !err; i++)
        if (!tree_is_right(g->trees[i], g->height))
            err = EBADMSG;
    return err;
}

static int gcold_run(struct native *n)
{
    uint64_t height = (uint64_t)n->knobs->v[KNOB_HEIGHT];
    double count = n->knobs->v[KNOB_SIZE] * 1e6 / height_bytes(height);
    struct gcold g = {
        .n = n,
        .count = count > 1 ? (uint64_t)count : 1,
        .height = height,
        .working = n->seed,
    };

    random_seed(&g.random, n->seed);
    g.trees = native_alloc(n, g.count * sizeof *g.trees);
    if (!g.trees)
        return ENOMEM;
    int err = run_steps(&g);
    if (err == EBADMSG)
        return err;
    native_drop(n, g.young, DEAD_BYTES);
    for (uint64_t i = 0; i < g.count; i++)
        drop_tree(n, g.trees[i]);
    native_drop(n, g.trees, g.count * sizeof *g.trees);
    return err;
}

static int gcold_prepare(struct native *n, void **shared)
{
    return native_prepare_shape(n, sizeof(struct node), node_pointers, shared);
}

const struct workload gcold_workload = {
    .name = "gcold",
    .summary = "GCOld: an old heap, replaced and mutated steadily (4 M ops)",
    .source = "GCOld by D. Detlefs",
    .version = 1,
    .knobs = gcold_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = gcold_prepare,
    .run = gcold_run,
    .finish = native_free_shared,
};
