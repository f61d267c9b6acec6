/* trees.c - binary trees that are built and dropped whole.
 *
 * Thread 0 builds and drops one large tree to stretch the heap, and builds a
 * long-lived tree and an array.  Then all threads build trees of depth 4, 6 …
 * up to the long-lived one's, as many of each depth as make up twice the
 * nodes of the stretching tree: first top-down (a node, its two children,
 * then each child's), then as many bottom-up (both subtrees, then the node).
 * Each is freed as soon as it stands, children before their parent.  In the
 * end thread 0 drops what was long-lived.
 *
 * So nearly everything dies young and together, in the order in which an
 * arena or a copying collector would like it.  Nothing is random, and the
 * threads do the same in lockstep, each with trees of its own.
 *
 * Source: GCBench by J. Ellis, P. Kovac & H. Boehm (1997-2000), with frees,
 * which it leaves to the collector.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "workload.h"

enum { KNOB_DEPTH, KNOB_NODE, KNOB_ARRAY };
enum {
    DEPTH_FIRST = 4,
    DEPTH_STEP = 2,
    STRETCH = 2,     /* the stretching tree is deeper than the others by */
    LINKS_BYTES = 16 /* two pointers, at a node's start */
};

/* clang-format off */
static const struct knob trees_knobs[] = {
[KNOB_DEPTH] = {"depth", "levels", 14, DEPTH_FIRST, 22,
    "of the long-lived tree and the deepest others (GCBench: 16)", NULL},
[KNOB_NODE] = {"node", "bytes", 24, LINKS_BYTES, 4096,
    "of a node", NULL},
[KNOB_ARRAY] = {"array", "bytes", 1 << 20, 1, 0x1p30,
    "of the long-lived array, half of which is written (GCBench: 4m)", NULL},
{.name = NULL},
};
/* clang-format on */

/* What builds trees: some threads in lockstep, each its own.  The node at i
 * has its children at 2 i + 1 and 2 i + 2. */
struct grove {
    struct op_feed *feed;
    uint64_t node_bytes;
    uint64_t *object; /* [tree_nodes(depth) * threads] */
    unsigned threads;
};

/* A root alone has depth 0. */
static uint64_t tree_nodes(unsigned depth)
{
    return (UINT64_C(2) << depth) - 1;
}

static int grove_init(struct grove *g, unsigned depth)
{
    g->object = malloc(tree_nodes(depth) * g->threads * sizeof *g->object);
    return g->object ? 0 : ENOMEM;
}

static void add_node(struct grove *g, uint64_t i)
{
    for (unsigned t = 0; t < g->threads; t++)
        g->object[i * g->threads + t] = feed_alloc(g->feed, t, g->node_bytes);
}

static void link_children(struct grove *g, uint64_t i)
{
    for (unsigned t = 0; t < g->threads; t++)
        feed_touch(g->feed, t, g->object[i * g->threads + t], LINKS_BYTES);
}

static void drop_tree(struct grove *g, uint64_t i, unsigned depth)
{
    if (depth > 0) {
        drop_tree(g, 2 * i + 1, depth - 1);
        drop_tree(g, 2 * i + 2, depth - 1);
    }
    for (unsigned t = 0; t < g->threads; t++)
        feed_free(g->feed, t, g->object[i * g->threads + t]);
}

/* Node i stands; what is below it follows. */
static void grow_down(struct grove *g, uint64_t i, unsigned depth)
{
    if (depth == 0)
        return;
    add_node(g, 2 * i + 1);
    add_node(g, 2 * i + 2);
    link_children(g, i);
    grow_down(g, 2 * i + 1, depth - 1);
    grow_down(g, 2 * i + 2, depth - 1);
}

static void build_top_down(struct grove *g, unsigned depth)
{
    add_node(g, 0);
    grow_down(g, 0, depth);
}

/* The node is made last, with its links. */
static void build_bottom_up(struct grove *g, uint64_t i, unsigned depth)
{
    if (depth > 0) {
        build_bottom_up(g, 2 * i + 1, depth - 1);
        build_bottom_up(g, 2 * i + 2, depth - 1);
    }
    add_node(g, i);
    if (depth > 0)
        link_children(g, i);
}

/* Trees of one depth for each thread: 1 or more. */
static uint64_t trees_of_depth(unsigned depth, unsigned deepest,
                               unsigned threads, double scale)
{
    uint64_t all = 2 * tree_nodes(deepest + STRETCH) / tree_nodes(depth);
    uint64_t own = (uint64_t)((double)all * scale / threads);

    return own > 0 ? own : 1;
}

static void build_and_drop(struct grove *g, unsigned depth, uint64_t trees)
{
    for (uint64_t i = 0; i < trees && !g->feed->err; i++) {
        build_top_down(g, depth);
        drop_tree(g, 0, depth);
    }
    for (uint64_t i = 0; i < trees && !g->feed->err; i++) {
        build_bottom_up(g, 0, depth);
        drop_tree(g, 0, depth);
    }
}

static void stretch_heap(struct grove *main_grove, unsigned deepest)
{
    feed_mark(main_grove->feed, 0, "stretch");
    build_bottom_up(main_grove, 0, deepest + STRETCH);
    drop_tree(main_grove, 0, deepest + STRETCH);
}

static void build_all_depths(struct grove *g, unsigned deepest, double scale)
{
    for (unsigned depth = DEPTH_FIRST; depth <= deepest; depth += DEPTH_STEP) {
        char name[OP_NAME_MAX + 1];

        snprintf(name, sizeof name, "depth-%u", depth);
        feed_mark(g->feed, 0, name);
        build_and_drop(g, depth,
                       trees_of_depth(depth, deepest, g->threads, scale));
    }
}

/* main_grove: of thread 0 alone; grove: of all. */
static void play_trees(struct grove *main_grove, struct grove *grove,
                       const double *knob, double scale)
{
    struct op_feed *feed = grove->feed;
    unsigned deepest = (unsigned)knob[KNOB_DEPTH];
    uint64_t array_bytes = (uint64_t)knob[KNOB_ARRAY];

    stretch_heap(main_grove, deepest);
    feed_mark(feed, 0, "long-lived");
    build_top_down(main_grove, deepest);
    uint64_t array = feed_alloc(feed, 0, array_bytes);
    feed_touch(feed, 0, array, (array_bytes + 1) / 2);
    for (unsigned t = 1; t < grove->threads; t++)
        feed_spawn(feed, 0, t);
    build_all_depths(grove, deepest, scale);
    for (unsigned t = 1; t < grove->threads; t++)
        feed_join(feed, 0, t);
    feed_mark(feed, 0, "drop");
    drop_tree(main_grove, 0, deepest);
    feed_free(feed, 0, array);
}

static int trees_compose(const struct knob_values *values, uint64_t seed,
                         unsigned threads, double scale, struct op_feed *feed)
{
    const double *knob = values->v;
    unsigned deepest = (unsigned)knob[KNOB_DEPTH];
    struct grove main_grove = {feed, (uint64_t)knob[KNOB_NODE], NULL, 1};
    struct grove grove = {feed, (uint64_t)knob[KNOB_NODE], NULL, threads};
    int err = grove_init(&main_grove, deepest + STRETCH);

    (void)seed; /* nothing is random */
    if (!err)
        err = grove_init(&grove, deepest);
    if (!err)
        play_trees(&main_grove, &grove, knob, scale);
    free(main_grove.object);
    free(grove.object);
    return err ? err : feed->err;
}

const struct workload trees_workload = {
    .name = "trees",
    .summary = "binary trees, built and dropped whole (8 M ops)",
    .source = "GCBench by J. Ellis, P. Kovac & H. Boehm, with frees",
    .version = 1,
    .knobs = trees_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .compose = trees_compose,
};
