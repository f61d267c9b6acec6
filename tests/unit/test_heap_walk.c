/* test_heap_walk.c - what a backend's walk shows is its heap, whole.
 *
 * For every backend that has a walk: after seeded random operations of two
 * threads, spans and blocks lie as heap_walk.h says, add up to what inspect
 * says, and hold every block that the test has.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "allocator.h"
#include "heap_walk.h"
#include "random.h"

enum { SLOTS = 400, STEPS = 6000, SEEDS = 3 };

struct slot {
    char *p; /* NULL: none */
    size_t size;
};

struct extent {
    const char *start, *end;
};

struct extents {
    struct extent *at; /* [n] */
    size_t n, room;
};

struct seen {
    const char *name;
    struct extents span, live;
    struct heap_span last;
    const char *next; /* where the next block may start */
    size_t span_bytes, live_bytes;
};

static void append(struct extents *e, const char *start, const char *end)
{
    if (e->n == e->room) {
        e->room = 2 * e->n + 64;
        e->at = realloc(e->at, e->room * sizeof *e->at);
        cr_assert_not_null(e->at);
    }
    e->at[e->n++] = (struct extent){start, end};
}

static void see_span(void *arg, const struct heap_span *span)
{
    struct seen *s = arg;

    cr_assert_gt(span->bytes, 0, "%s: an empty span", s->name);
    append(&s->span, span->start, (const char *)span->start + span->bytes);
    s->span_bytes += span->bytes;
    s->last = *span;
    s->next = span->start;
}

static void see_block(void *arg, const struct heap_block *block)
{
    struct seen *s = arg;
    const char *start = block->start;
    const char *end = (const char *)s->last.start + s->last.bytes;

    cr_assert_eq(s->last.kind, SPAN_BLOCKS, "%s", s->name);
    cr_assert(start >= s->next && start + block->bytes <= end,
              "%s: a block leaves its span or overlaps the last", s->name);
    cr_assert(!s->last.block_bytes || s->last.block_bytes == block->bytes,
              "%s: a block has not the size of its span", s->name);
    s->next = start + block->bytes;
    if (block->state != BLOCK_LIVE)
        return;
    append(&s->live, start, s->next);
    s->live_bytes += block->bytes;
}

static int by_start(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;

    return (x->start > y->start) - (x->start < y->start);
}

static void expect_disjoint(const struct seen *s, struct extents *e)
{
    if (e->n)
        qsort(e->at, e->n, sizeof *e->at, by_start);
    for (size_t i = 1; i < e->n; i++)
        cr_assert(e->at[i - 1].end <= e->at[i].start, "%s: two overlap",
                  s->name);
}

static int holds(const void *key, const void *element)
{
    const char *p = key;
    const struct extent *e = element;

    return p < e->start ? -1 : p >= e->end;
}

static void expect_blocks(const struct allocator *a, struct heap *heap,
                          const struct seen *s, const struct slot slot[])
{
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *t = &slot[i];
        if (!t->p)
            continue;
        const size_t usable =
            a->usable ? a->usable(heap, t->p, t->size) : t->size;
        const struct extent *e =
            bsearch(t->p, s->live.at, s->live.n, sizeof *e, holds);

        cr_assert_not_null(e, "%s: a block of %zu is not live", a->name,
                           t->size);
        cr_assert(t->p + usable <= e->end, "%s: %zu bytes", a->name, t->size);
    }
}

static void check(const struct allocator *a, struct heap *heap,
                  const struct slot slot[])
{
    struct seen s = {.name = a->name};
    const struct heap_visitor visitor = {&s, see_span, see_block};
    struct heap_report report;
    size_t live = 0;

    for (size_t i = 0; i < SLOTS; i++)
        live += slot[i].p != NULL;
    cr_assert_eq(a->walk(heap, &visitor), 0);
    cr_assert_eq(a->inspect(heap, &report), 0);
    cr_assert_eq(s.span_bytes, report.mapped_bytes, "%s: spans %zu, mapped %zu",
                 a->name, s.span_bytes, report.mapped_bytes);
    if (report.live_blocks != SIZE_MAX) {
        cr_assert_eq(s.live.n, report.live_blocks, "%s", a->name);
        cr_assert_eq(s.live.n, live, "%s: %zu live, want %zu", a->name,
                     s.live.n, live);
    }
    if (report.live_bytes != SIZE_MAX)
        cr_assert_eq(s.live_bytes, report.live_bytes, "%s", a->name);
    expect_disjoint(&s, &s.span);
    expect_disjoint(&s, &s.live);
    expect_blocks(a, heap, &s, slot);
    free(s.span.at);
    free(s.live.at);
}

/* ---- a heap in use ---- */

struct user {
    const struct allocator *a;
    struct heap *heap;
    struct slot *slot; /* [SLOTS] */
    uint64_t seed;
};

static size_t random_size(struct random *r)
{
    const uint64_t kind = random_below(r, 100);

    return (size_t)random_below(r, kind < 80   ? 400
                                   : kind < 98 ? 30000
                                               : 3000000);
}

static void use(struct user *u)
{
    struct random r;

    random_seed(&r, u->seed);
    for (unsigned i = 0; i < STEPS; i++) {
        struct slot *t = &u->slot[random_below(&r, SLOTS)];

        if (t->p && random_below(&r, 5)) {
            u->a->dealloc(u->heap, t->p, t->size);
            t->p = NULL;
            continue;
        }
        const size_t size = random_size(&r) + 1;
        char *p =
            t->p ? u->a->resize(u->heap, t->p, t->size, size)
                 : u->a->alloc(u->heap, size, random_below(&r, 9) ? 0 : 256);
        cr_assert_not_null(p);
        *t = (struct slot){p, size};
    }
}

static void *use_in_thread(void *arg)
{
    struct user *u = arg;

    cr_assert(!u->a->enter || u->a->enter(u->heap) == 0);
    use(u);
    if (u->a->leave)
        u->a->leave(u->heap);
    return NULL;
}

/* The second thread frees what the first allocated, where that is allowed. */
static void run(const struct allocator *a, uint64_t seed)
{
    struct slot slot[SLOTS] = {{0}};
    struct user u = {.a = a, .slot = slot, .seed = seed};
    pthread_t thread;
    const struct heap_config config = {.threads = 2, .max_size = 3000000};

    cr_assert_eq(a->open(&config, &u.heap), 0);
    check(a, u.heap, slot);
    cr_assert(!a->enter || a->enter(u.heap) == 0);
    use(&u);
    check(a, u.heap, slot);
    if (a->traits & TRAIT_FOREIGN && a->traits & TRAIT_SHARED) {
        u.seed += 100;
        cr_assert_eq(pthread_create(&thread, NULL, use_in_thread, &u), 0);
        pthread_join(thread, NULL);
        check(a, u.heap, slot);
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (slot[i].p) {
            a->dealloc(u.heap, slot[i].p, slot[i].size);
            slot[i].p = NULL;
        }
    check(a, u.heap, slot);
    if (a->leave)
        a->leave(u.heap);
    check(a, u.heap, slot);
    a->close(u.heap);
}

Test(heap_walk, shows_all_that_a_heap_has_and_nothing_else)
{
    unsigned walked = 0;

    for (size_t i = 0; allocators[i]; i++) {
        if (!allocators[i]->walk)
            continue;
        walked++;
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            run(allocators[i], seed);
    }
    cr_assert_gt(walked, 0);
}
