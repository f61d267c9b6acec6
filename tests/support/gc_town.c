/* gc_town.c - threads that live on one collected heap.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_town.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 8, LIST_MAX = 30 };

struct node {
    struct node *next, *child[2];
    uint64_t *payload; /* a leaf, of payload[0] words */
    uint64_t number, check;
};

void gc_town_open(struct gc_town *town, const struct hy_gc_config *config)
{
    char why[200] = "";
    *town = (struct gc_town){.shelf = calloc(GC_TOWN_SHELF, sizeof(void *))};
    pthread_mutex_init(&town->lock, NULL);
    if (hy_gc_open(config, &town->heap, why, sizeof why) ||
        hy_gc_roots_add(town->heap, town->shelf, town->shelf + GC_TOWN_SHELF,
                        why, sizeof why)) {
        fprintf(stderr, "gc_town: %s\n", why);
        abort();
    }
}

void gc_town_close(struct gc_town *town)
{
    hy_gc_close(town->heap);
    pthread_mutex_destroy(&town->lock);
    free(town->shelf);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void set(struct gc_town *town, struct node *object, struct node **field,
                struct node *value)
{
    hy_gc_store(town->heap, object, (void **)(void *)field, value);
}

/* NULL if there is no memory. */
static struct node *make(struct gc_town *town, struct hy_gc_thread *self,
                         uint64_t number)
{
    struct node *node = hy_gc_alloc(self, sizeof *node);
    const uint64_t words = 1 + number % 40;
    if (!node)
        return NULL;
    node->number = number;
    node->check = ~number;
    uint64_t *payload = hy_gc_alloc_leaf(self, words * sizeof *payload);
    if (!payload)
        return NULL;
    for (uint64_t i = 0; i < words; i++)
        payload[i] = i ? number : words;
    hy_gc_store(town->heap, node, (void **)(void *)&node->payload, payload);
    return node;
}

static bool is_whole(const struct node *node)
{
    if (node->check != ~node->number ||
        node->payload[0] != 1 + node->number % 40)
        return false;
    for (uint64_t i = 1; i < node->payload[0]; i++)
        if (node->payload[i] != node->number)
            return false;
    return true;
}

/* Half of the trees from the root down, half from the leaves up. */
static struct node *grow(struct gc_town *town, struct hy_gc_thread *self,
                         unsigned depth, uint64_t number)
{
    struct node *child[2] = {NULL, NULL}, *node = NULL;
    if (number % 2)
        node = make(town, self, number);
    for (unsigned i = 0; depth && i < 2; i++) {
        child[i] = grow(town, self, depth - 1, number + 1 + i);
        if (node)
            set(town, node, &node->child[i], child[i]);
    }
    if (node || !(node = make(town, self, number)))
        return node;
    for (unsigned i = 0; i < 2; i++)
        set(town, node, &node->child[i], child[i]);
    return node;
}

static unsigned check_tree(const struct node *node, unsigned depth,
                           uint64_t number)
{
    unsigned faults = 0;
    if (!node || node->number != number || !is_whole(node))
        return 1;
    for (unsigned i = 0; depth && i < 2; i++)
        faults += check_tree(node->child[i], depth - 1, number + 1 + i);
    return faults;
}

static unsigned check_list(const struct node *list)
{
    unsigned faults = 0;
    for (; list; list = list->next)
        faults += !is_whole(list);
    return faults;
}

/* Put more onto a list of the shelf, or take it away for a while. */
static unsigned swap(struct gc_town *town, struct hy_gc_thread *self,
                     uint64_t *seed)
{
    void **place = &town->shelf[next_random(seed) % GC_TOWN_SHELF];
    struct node *list = NULL;
    uint64_t n = next_random(seed) % LIST_MAX;
    for (uint64_t i = 0; i < n; i++) {
        struct node *node = make(town, self, next_random(seed));
        if (!node)
            return 1;
        set(town, node, &node->next, list);
        list = node;
    }
    pthread_mutex_lock(&town->lock);
    struct node *old = *place;
    *place = list;
    pthread_mutex_unlock(&town->lock);
    return check_list(old) + check_list(list);
}

unsigned gc_town_round(struct gc_town *town, struct hy_gc_thread *self,
                       uint64_t *seed)
{
    const unsigned depth = (unsigned)(next_random(seed) % DEPTH_MAX);
    const uint64_t number = next_random(seed);
    struct node *volatile tree = grow(town, self, depth, number);
    unsigned faults = swap(town, self, seed);
    if (next_random(seed) % 64 == 0)
        hy_gc_collect(town->heap,
                      next_random(seed) % 4 ? HY_GC_MINOR : HY_GC_FULL);
    faults += check_tree(tree, depth, number);
    atomic_fetch_add(&town->rounds, 1);
    atomic_fetch_add(&town->faults, faults);
    return faults;
}

void *gc_town_live(void *arg)
{
    struct gc_town *town = arg;
    struct hy_gc_thread *self;
    uint64_t seed = atomic_fetch_add(&town->users, 1) + 1;
    if (hy_gc_thread_enter(town->heap, &self)) {
        atomic_fetch_add(&town->faults, 1);
        return NULL;
    }
    while (!atomic_load(&town->is_over))
        gc_town_round(town, self, &seed);
    hy_gc_thread_leave(self);
    return NULL;
}

unsigned gc_town_check(struct gc_town *town)
{
    unsigned faults = 0;
    pthread_mutex_lock(&town->lock);
    for (size_t i = 0; i < GC_TOWN_SHELF; i++)
        faults += check_list(town->shelf[i]);
    pthread_mutex_unlock(&town->lock);
    return faults;
}
