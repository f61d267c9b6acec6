/* trees.c - what a node of a tree costs: built, counted and freed.
 *
 * usage: trees WHO [DEPTH]           (default 16)
 *
 * WHO is `malloc` (whichever the process has), `arena` (hy_arena_alloc of
 * allocators/arena.h, inlined, and a rewind a tree) or `floor` (nodes laid
 * down one after the other in one array: the price of the tree itself).
 * Prints the nanoseconds a node, wall time.
 *
 * The work is that of binary-trees: a tree of DEPTH + 1; one of DEPTH that
 * lives to the end; and meanwhile, for d = 4, 6 .. DEPTH, 2^(DEPTH - d + 4)
 * trees of depth d.  Nodes have 24 bytes, are built from the leaves up, and
 * counted, so that nothing is optimised away.
 *
 * Source: J. Ellis, P. Kovac, H. Boehm, GCBench (1997), of which binary-trees
 * of the Computer Language Benchmarks Game is a short form.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arena.h"

enum who { MALLOC, ARENA, FLOOR };

struct node {
    struct node *left, *right;
    long depth;
};

_Static_assert(sizeof(struct node) == 24, "nodes have 24 bytes");

struct bench {
    struct hy_arena *arena;
    struct node *array; /* FLOOR */
    size_t used;
    size_t nodes; /* built in all */
};

static void no_memory(void)
{
    fputs("trees: no memory\n", stderr);
    exit(3);
}

static inline struct node *new_node(struct bench *b, enum who who)
{
    struct node *const node = who == MALLOC ? malloc(sizeof *node)
                              : who == ARENA
                                  ? hy_arena_alloc(b->arena, sizeof *node, 8)
                                  : &b->array[b->used++];
    if (!node)
        no_memory();
    return node;
}

/* One for each WHO, so that none has a branch on it. */
#define DEFINE_BUILD(name, who)                                                \
    static struct node *name(struct bench *b, int depth)                       \
    {                                                                          \
        struct node *left = NULL, *right = NULL;                               \
        if (depth > 0) {                                                       \
            left = name(b, depth - 1);                                         \
            right = name(b, depth - 1);                                        \
        }                                                                      \
        struct node *const node = new_node(b, who);                            \
        *node = (struct node){left, right, depth};                             \
        return node;                                                           \
    }

DEFINE_BUILD(build_by_malloc, MALLOC)
DEFINE_BUILD(build_by_arena, ARENA)
DEFINE_BUILD(build_in_array, FLOOR)

static struct node *build(struct bench *b, enum who who, int depth)
{
    b->nodes += ((size_t)2 << depth) - 1;
    return who == MALLOC  ? build_by_malloc(b, depth)
           : who == ARENA ? build_by_arena(b, depth)
                          : build_in_array(b, depth);
}

static size_t count(const struct node *node)
{
    return node->left ? 1 + count(node->left) + count(node->right) : 1;
}

static void free_tree(struct node *node)
{
    if (node->left) {
        free_tree(node->left);
        free_tree(node->right);
    }
    free(node);
}

static void one_tree(struct bench *b, enum who who, int depth)
{
    const size_t want = ((size_t)2 << depth) - 1, used = b->used;
    const struct hy_arena_mark mark =
        who == ARENA ? hy_arena_save(b->arena) : (struct hy_arena_mark){0};
    struct node *const tree = build(b, who, depth);

    if (count(tree) != want) {
        fputs("trees: a tree has lost nodes\n", stderr);
        exit(1);
    }
    if (who == MALLOC)
        free_tree(tree);
    else if (who == ARENA)
        hy_arena_rewind(b->arena, mark);
    b->used = used;
}

static void all_trees(struct bench *b, enum who who, int depth)
{
    one_tree(b, who, depth + 1);
    struct node *const long_lived = build(b, who, depth);

    for (int d = 4; d <= depth; d += 2)
        for (long n = 1L << (depth - d + 4); n > 0; n--)
            one_tree(b, who, d);
    if (count(long_lived) != ((size_t)2 << depth) - 1)
        exit(1);
    if (who == MALLOC)
        free_tree(long_lived);
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int parse_who(const char *text, enum who *who)
{
    static const char *const names[] = {"malloc", "arena", "floor"};

    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *who = (enum who)i;
            return 0;
        }
    return 1;
}

int main(int argc, char *argv[])
{
    const int depth = argc > 2 ? atoi(argv[2]) : 16;
    struct bench b = {0};
    enum who who;

    if (argc < 2 || parse_who(argv[1], &who) || depth < 4 || depth > 24) {
        fputs("usage: trees malloc|arena|floor [4..24]\n", stderr);
        return 2;
    }
    if (who == FLOOR)
        b.array = malloc(sizeof *b.array * ((size_t)8 << depth));
    if ((who == FLOOR && !b.array) ||
        hy_arena_open(&(struct hy_arena_config){0}, &b.arena))
        no_memory();
    const double start = now_ns();
    all_trees(&b, who, depth);
    if (who == ARENA)
        hy_arena_reset(b.arena);
    printf("%.3f\n", (now_ns() - start) / (double)b.nodes);
    hy_arena_close(b.arena);
    free(b.array);
    return 0;
}
