/* splay.c - a splay tree whose nodes carry trees of leaves.
 *
 * The tree holds `size` nodes with random keys.  A modification makes a
 * payload, inserts it under a new key, and removes the node with the greatest
 * key below that.  A payload is a full binary tree of pairs, whose leaves hold
 * an array of ten numbers and a string that names the key.
 *
 * A model of a program with a large, linked, long-lived structure that every
 * access reshapes: old nodes are stored into all the time, and what dies is as
 * old as the heap, 32 leaves at once.  Keys are uniform, so no node is more
 * popular than others.  Every thread has a tree of its own.
 *
 * Source: splay of V8's benchmark suite, later Octane (2008-2013), whose
 * constants are the presets; it makes the header node of each splaying anew,
 * here each tree has one.  The splaying is the top-down one of D. Sleator & R.
 * Tarjan, "Self-Adjusting Binary Search Trees", JACM 32(3), 1985, section 4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "native.h"
#include "random.h"
#include "workload.h"

enum { KNOB_SIZE, KNOB_DEPTH, KNOB_MODIFICATIONS, KNOB_RUNS };
enum { NUMBERS = 10 };

static const char tag_form[] = "String for key 0.0000000000000000 in leaf node";
enum { TAG_BYTES = sizeof tag_form, TAG_DIGITS_END = 33 };

/* clang-format off */
static const struct knob splay_knobs[] = {
[KNOB_SIZE] = {"size", "nodes", 8000, 1, 1e7,
    "in the tree of each thread", NULL},
[KNOB_DEPTH] = {"depth", "levels", 5, 0, 16,
    "of a payload, which has two to this power leaves", NULL},
[KNOB_MODIFICATIONS] = {"modifications", "1", 80, 1, 1e6,
    "of a run", NULL},
[KNOB_RUNS] = {"runs", "runs", 1000, 1, 1e9,
    "at scale 1 (Octane: as many as fit in a second)", NULL},
{.name = NULL},
};
/* clang-format on */

/* Of a payload: two pairs, or at a leaf an array and a string. */
struct pair {
    void *a, *b;
};

struct node {
    void *left, *right;
    void *payload;
    double key;
};

static const bool pair_pointers[] = {true, true};
static const bool node_pointers[] = {true, true, true, false};

struct shapes {
    struct native_shape pair, node;
};

struct splay {
    struct native *n;
    const struct shapes *shapes;
    struct node *root;
    struct node *header; /* holds both sides while the tree is split */
    unsigned depth;      /* of a payload */
    struct random random;
};

/* ---- payloads ---- */

/* All tags are of one length: 16 decimals of a key in [0, 1). */
static void write_tag(double key, char tag[TAG_BYTES])
{
    uint64_t decimals = (uint64_t)(key * 1e16);

    memcpy(tag, tag_form, TAG_BYTES);
    for (char *c = tag + TAG_DIGITS_END; decimals > 0; decimals /= 10)
        *--c = (char)('0' + decimals % 10);
}

static bool fill_leaf(struct native *n, struct pair *leaf, const char *tag)
{
    int64_t *numbers = native_leaf(n, NUMBERS * sizeof *numbers);

    native_store(n, leaf, &leaf->a, numbers);
    if (!numbers)
        return false;
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = i;
    char *string = native_leaf(n, TAG_BYTES);
    native_store(n, leaf, &leaf->b, string);
    if (!string)
        return false;
    memcpy(string, tag, TAG_BYTES);
    return true;
}

/* Below the pair; false: no memory, and some of it is missing. */
static bool fill_pair(struct splay *s, struct pair *pair, unsigned depth,
                      const char *tag)
{
    void **field[] = {&pair->a, &pair->b};

    if (depth == 0)
        return fill_leaf(s->n, pair, tag);
    for (int i = 0; i < 2; i++) {
        struct pair *below = native_new(s->n, &s->shapes->pair);

        native_store(s->n, pair, field[i], below);
        if (!below || !fill_pair(s, below, depth - 1, tag))
            return false;
    }
    return true;
}

static void drop_pair(struct splay *s, struct pair *pair, unsigned depth)
{
    if (!pair)
        return;
    if (depth > 0) {
        drop_pair(s, pair->a, depth - 1);
        drop_pair(s, pair->b, depth - 1);
    } else {
        native_drop(s->n, pair->a, NUMBERS * sizeof(int64_t));
        native_drop(s->n, pair->b, TAG_BYTES);
    }
    native_drop(s->n, pair, sizeof *pair);
}

static void drop_payload(struct splay *s, struct pair *payload)
{
    if (s->n->memory.dealloc)
        drop_pair(s, payload, s->depth);
}

static struct pair *make_payload(struct splay *s, double key)
{
    char tag[TAG_BYTES];
    struct pair *payload = native_new(s->n, &s->shapes->pair);

    write_tag(key, tag);
    if (payload && !fill_pair(s, payload, s->depth, tag)) {
        drop_payload(s, payload);
        return NULL;
    }
    return payload;
}

static bool pair_is_right(const struct pair *pair, unsigned depth,
                          const char *tag)
{
    if (!pair || !pair->a || !pair->b)
        return false;
    if (depth > 0)
        return pair_is_right(pair->a, depth - 1, tag) &&
               pair_is_right(pair->b, depth - 1, tag);
    const int64_t *numbers = pair->a;
    for (int i = 0; i < NUMBERS; i++)
        if (numbers[i] != i)
            return false;
    return strcmp(pair->b, tag) == 0;
}

/* ---- the tree ---- */

/* node's child on one side becomes its parent. */
static struct node *rotate_right(struct native *n, struct node *node)
{
    struct node *up = node->left;

    native_store(n, node, &node->left, up->right);
    native_store(n, up, &up->right, node);
    return up;
}

static struct node *rotate_left(struct native *n, struct node *node)
{
    struct node *up = node->right;

    native_store(n, node, &node->right, up->left);
    native_store(n, up, &up->left, node);
    return up;
}

/* Bring the last node on the way to the key to the root.  On the way down,
 * what is greater hangs below header->left (its least node: greater), what is
 * less below header->right. */
static void splay_to_root(struct splay *s, double key)
{
    struct native *n = s->n;
    struct node *header = s->header, *less = header, *greater = header;
    struct node *at = s->root, *next;

    native_store(n, header, &header->left, NULL);
    native_store(n, header, &header->right, NULL);
    for (;;) {
        if (key < at->key) {
            next = at->left;
            if (next && key < next->key) {
                at = rotate_right(n, at);
                next = at->left;
            }
            if (!next)
                break;
            native_store(n, greater, &greater->left, at);
            greater = at;
        } else if (key > at->key) {
            next = at->right;
            if (next && key > next->key) {
                at = rotate_left(n, at);
                next = at->right;
            }
            if (!next)
                break;
            native_store(n, less, &less->right, at);
            less = at;
        } else {
            break;
        }
        at = next;
    }
    native_store(n, less, &less->right, at->left);
    native_store(n, greater, &greater->left, at->right);
    native_store(n, at, &at->left, header->right);
    native_store(n, at, &at->right, header->left);
    s->root = at;
}

static bool holds_key(struct splay *s, double key)
{
    if (!s->root)
        return false;
    splay_to_root(s, key);
    return !(s->root->key < key) && !(s->root->key > key);
}

/* The key is not in the tree; the node becomes its root. */
static void insert(struct splay *s, struct node *node)
{
    struct node *root = s->root;

    if (root) {
        splay_to_root(s, node->key);
        root = s->root;
        bool is_left = root->key < node->key;
        void **cut = is_left ? &root->right : &root->left;

        native_store(s->n, node, &node->left, is_left ? root : root->left);
        native_store(s->n, node, &node->right, is_left ? root->right : root);
        native_store(s->n, root, cut, NULL);
    }
    s->root = node;
}

/* Take the root out. */
static void remove_root(struct splay *s)
{
    struct node *old = s->root;

    s->root = old->left ? old->left : old->right;
    if (old->left && old->right) {
        splay_to_root(s, old->key); /* its greatest, without a right side */
        native_store(s->n, s->root, &s->root->right, old->right);
    }
    drop_payload(s, old->payload);
    native_drop(s->n, old, sizeof *old);
}

/* The greatest key below this one, or else this one, comes to the root. */
static void splay_to_below(struct splay *s, double key)
{
    splay_to_root(s, key);
    if (s->root->key < key)
        return;
    const struct node *greatest = s->root->left;
    while (greatest && greatest->right)
        greatest = greatest->right;
    if (greatest)
        splay_to_root(s, greatest->key);
}

/* ---- the run ---- */

static int insert_new(struct splay *s, double *key)
{
    do {
        *key = random_unit(&s->random);
    } while (holds_key(s, *key));

    struct pair *payload = make_payload(s, *key);
    if (!payload)
        return ENOMEM;
    struct node *node = native_new(s->n, &s->shapes->node);
    if (!node) {
        drop_payload(s, payload);
        return ENOMEM;
    }
    node->key = *key;
    native_store(s->n, node, &node->payload, payload);
    insert(s, node);
    return 0;
}

static int modify(struct splay *s)
{
    double key;
    int err = insert_new(s, &key);

    if (err)
        return err;
    splay_to_below(s, key);
    remove_root(s);
    return 0;
}

/* Every node's right child is the next one; no stack is needed, however deep
 * the tree is. */
static void straighten(struct splay *s)
{
    struct node *last = s->header;

    native_store(s->n, last, &last->left, NULL);
    native_store(s->n, last, &last->right, s->root);
    for (struct node *at = s->root; at; at = last->right) {
        while (at->left)
            at = rotate_right(s->n, at);
        native_store(s->n, last, &last->right, at);
        last = at;
    }
    s->root = s->header->right;
}

/* The tree is straight. */
static bool nodes_are_right(const struct splay *s, uint64_t size)
{
    double key = -1;

    for (const struct node *at = s->root; at; at = at->right, size--) {
        char tag[TAG_BYTES];

        write_tag(at->key, tag);
        if (size == 0 || at->key <= key ||
            !pair_is_right(at->payload, s->depth, tag))
            return false;
        key = at->key;
    }
    return size == 0;
}

static void drop_all(struct splay *s)
{
    if (!s->n->memory.dealloc)
        return;
    straighten(s);
    for (struct node *at = s->root, *next; at; at = next) {
        next = at->right;
        drop_payload(s, at->payload);
        native_drop(s->n, at, sizeof *at);
    }
    native_drop(s->n, s->header, sizeof *s->header);
}

static int splay_run(struct native *n)
{
    const double *knob = n->knobs->v;
    uint64_t size = (uint64_t)knob[KNOB_SIZE];
    uint64_t count =
        native_scaled(n, knob[KNOB_RUNS]) * (uint64_t)knob[KNOB_MODIFICATIONS];
    struct splay s = {
        .n = n, .shapes = n->shared, .depth = (unsigned)knob[KNOB_DEPTH]};
    double key;
    int err = 0;

    random_seed(&s.random, n->seed);
    s.header = native_new(n, &s.shapes->node);
    if (!s.header)
        return ENOMEM;
    for (uint64_t i = 0; i < size && !err; i++)
        err = insert_new(&s, &key);
    for (uint64_t i = 0; i < count && !err; i++) {
        native_begin(n);
        err = modify(&s);
        native_end(n);
    }
    if (!err) {
        straighten(&s);
        if (!nodes_are_right(&s, size))
            return EBADMSG;
    }
    drop_all(&s);
    return err;
}

static int splay_prepare(struct native *n, void **shared)
{
    struct shapes *shapes = malloc(sizeof *shapes);

    if (!shapes)
        return ENOMEM;
    native_shape(&n->memory, sizeof(struct pair), pair_pointers, &shapes->pair);
    native_shape(&n->memory, sizeof(struct node), node_pointers, &shapes->node);
    *shared = shapes;
    return 0;
}

const struct workload splay_workload = {
    .name = "splay",
    .summary = "a splay tree of trees, modified all the time (11 M ops)",
    .source = "splay of V8's benchmark suite (Octane)",
    .version = 1,
    .knobs = splay_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = splay_prepare,
    .run = splay_run,
    .finish = native_free_shared,
};
