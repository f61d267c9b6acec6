/* live_blocks.c - the live blocks of a heap, in the order of their addresses.
 *
 * A treap: a search tree by address that is a heap by a priority, here a hash
 * of the address, so its depth is that of a random tree.  Nodes are numbers in
 * an array; 0 is none.
 *
 * Invariant: a node's address is above all on its left and below all on its
 * right; its priority is at least that of both children.
 *
 * Source: C. R. Aragon & R. Seidel, "Randomized Search Trees", Algorithmica
 * 16, 1996.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live_blocks.h"

#include <errno.h>

#include "os_pages.h"

struct node {
    struct live_block block;
    uint32_t left, right; /* left: also the next free one */
};

struct live_blocks {
    size_t bytes; /* of this mapping */
    size_t count;
    uint32_t root, free;
    struct node node[]; /* [0] stands for none */
};

int live_open(size_t most, struct live_blocks **out)
{
    const size_t bytes =
        sizeof(struct live_blocks) + (most + 1) * sizeof(struct node);
    struct live_blocks *const l = os_pages_map(NULL, bytes);

    if (!l)
        return ENOMEM;
    l->bytes = bytes;
    for (uint32_t i = 1; i <= most; i++) {
        l->node[i].left = l->free;
        l->free = i;
    }
    *out = l;
    return 0;
}

void live_close(struct live_blocks *l)
{
    (void)os_pages_unmap(NULL, l, l->bytes);
}

static uint64_t priority(const struct live_blocks *l, uint32_t i)
{
    const uint64_t a = (uint64_t)(uintptr_t)l->node[i].block.at;
    const uint64_t h = (a ^ a >> 31) * UINT64_C(0x9e3779b97f4a7c15);

    return h ^ h >> 29;
}

/* Cut the tree at i in two: *low gets all below `at`, *high all above. */
static void split(struct live_blocks *l, uint32_t i, const char *at,
                  uint32_t *low, uint32_t *high)
{
    while (i) {
        struct node *const n = &l->node[i];

        if (n->block.at < at) {
            *low = i;
            low = &n->right;
            i = n->right;
        } else {
            *high = i;
            high = &n->left;
            i = n->left;
        }
    }
    *low = *high = 0;
}

/* One tree of two, all of `low` being below all of `high`. */
static void merge(struct live_blocks *l, uint32_t low, uint32_t high,
                  uint32_t *out)
{
    while (low && high) {
        if (priority(l, low) >= priority(l, high)) {
            *out = low;
            out = &l->node[low].right;
            low = *out;
        } else {
            *out = high;
            out = &l->node[high].left;
            high = *out;
        }
    }
    *out = low ? low : high;
}

int live_add(struct live_blocks *l, const struct live_block *block)
{
    const uint32_t i = l->free;
    uint32_t *at = &l->root;

    if (!i)
        return ENOMEM;
    l->free = l->node[i].left;
    l->node[i] = (struct node){.block = *block};
    while (*at && priority(l, *at) >= priority(l, i))
        at = l->node[*at].block.at < block->at ? &l->node[*at].right
                                               : &l->node[*at].left;
    split(l, *at, block->at, &l->node[i].left, &l->node[i].right);
    *at = i;
    l->count++;
    return 0;
}

int live_take(struct live_blocks *l, const char *at, struct live_block *out)
{
    uint32_t *link = &l->root;

    while (*link && l->node[*link].block.at != at)
        link = l->node[*link].block.at < at ? &l->node[*link].right
                                            : &l->node[*link].left;
    const uint32_t i = *link;

    if (!i)
        return ENOENT;
    *out = l->node[i].block;
    merge(l, l->node[i].left, l->node[i].right, link);
    l->node[i].left = l->free;
    l->free = i;
    l->count--;
    return 0;
}

const struct live_block *live_before(const struct live_blocks *l,
                                     const char *at)
{
    const struct live_block *best = NULL;

    for (uint32_t i = l->root; i;) {
        const struct node *const n = &l->node[i];

        if (n->block.at < at)
            best = &n->block;
        i = n->block.at < at ? n->right : n->left;
    }
    return best;
}

const struct live_block *live_after(const struct live_blocks *l, const char *at)
{
    const struct live_block *best = NULL;

    for (uint32_t i = l->root; i;) {
        const struct node *const n = &l->node[i];

        if (n->block.at > at)
            best = &n->block;
        i = n->block.at > at ? n->left : n->right;
    }
    return best;
}

/* An empty block takes a place too. */
static size_t extent(size_t size)
{
    return size ? size : 1;
}

const struct live_block *live_overlapped(const struct live_blocks *l,
                                         const char *at, size_t size)
{
    const struct live_block *const before = live_before(l, at + 1);
    const struct live_block *const after = live_after(l, at);

    if (before && before->at + extent(before->size) > at)
        return before;
    return after && at + extent(size) > after->at ? after : NULL;
}

size_t live_count(const struct live_blocks *l)
{
    return l->count;
}

void live_list(const struct live_blocks *l, struct live_block out[])
{
    const struct live_block *b = live_after(l, NULL);

    for (size_t i = 0; b; i++, b = live_after(l, b->at))
        out[i] = *b;
}
