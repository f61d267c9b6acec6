/* test_slab.c - the slab allocator: its invariant, under random use.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "size_class.h"
#include "slab.h"

extern const struct allocator slab_allocator;
static const struct allocator *const slab = &slab_allocator;

static struct heap *open_heap(void)
{
    struct heap *heap = NULL;
    cr_assert_eq(slab->open(&(struct heap_config){.threads = 8}, &heap), 0);
    return heap;
}

static void check(struct heap *heap, size_t blocks)
{
    struct heap_report report;
    const char *fault = slab_check(heap);
    cr_assert_null(fault, "%s", fault);
    cr_assert_eq(slab->inspect(heap, &report), 0);
    cr_assert_eq(report.live_blocks, blocks, "%zu blocks, want %zu",
                 report.live_blocks, blocks);
}

Test(slab, every_size_has_the_smallest_class_that_holds_it)
{
    for (size_t size = 0; size <= SIZE_CLASS_MAX; size++) {
        unsigned c = size_class_of(size);
        cr_assert(c >= 1 && c < SIZE_CLASSES);
        cr_assert_geq(size_class_bytes(c), size);
        cr_assert_eq(size_class_bytes(c) % 16, 0);
        if (c > 1)
            cr_assert_lt(size_class_bytes(c - 1), size);
    }
    cr_assert_eq(size_class_bytes(SIZE_CLASSES - 1), SIZE_CLASS_MAX);
}

struct model {
    unsigned char *p;
    size_t size;
    unsigned char fill;
};

static size_t random_size(struct random *r)
{
    uint64_t kind = random_below(r, 100);
    if (kind < 70)
        return random_below(r, 300);
    if (kind < 90)
        return random_below(r, 20000);
    if (kind < 99)
        return random_below(r, 600000);
    return random_below(r, 3000000);
}

static void verify(const struct model *m)
{
    if (!m->size)
        return;
    cr_assert_eq(m->p[0], m->fill);
    cr_assert_eq(m->p[m->size / 2], m->fill);
    cr_assert_eq(m->p[m->size - 1], m->fill);
}

static void replace(struct heap *heap, struct model *m, struct random *r)
{
    size_t align = random_below(r, 8) ? 0 : (size_t)1 << random_below(r, 22);
    int zero = random_below(r, 4) == 0;
    m->size = random_size(r);
    m->p =
        zero ? slab->zalloc(heap, m->size) : slab->alloc(heap, m->size, align);
    cr_assert_not_null(m->p);
    cr_assert_eq((uintptr_t)m->p % (!zero && align > 16 ? align : 16), 0);
    cr_assert_geq(slab->usable(heap, m->p, m->size), m->size);
    for (size_t i = 0; zero && i < m->size; i++)
        cr_assert_eq(m->p[i], 0, "zalloc: byte %zu of %zu", i, m->size);
    m->fill = (unsigned char)random_below(r, 256);
    memset(m->p, m->fill, m->size);
}

static void resize(struct heap *heap, struct model *m, struct random *r)
{
    size_t old = m->size;
    m->size = random_size(r) + 1;
    m->p = slab->resize(heap, m->p, old, m->size);
    cr_assert_not_null(m->p);
    if (old && m->size)
        cr_assert_eq(m->p[(old < m->size ? old : m->size) - 1], m->fill);
    memset(m->p, m->fill, m->size);
}

Test(slab, holds_its_invariant_and_its_contents_under_random_use)
{
    enum { SLOTS = 500, STEPS = 40000 };
    static struct model model[SLOTS];
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct random r;
        random_seed(&r, seed);
        struct heap *heap = open_heap();
        size_t live = 0;
        memset(model, 0, sizeof model);
        for (unsigned step = 0; step < STEPS; step++) {
            struct model *m = &model[random_below(&r, SLOTS)];
            if (!m->p) {
                replace(heap, m, &r);
                live++;
            } else if (verify(m), random_below(&r, 4) == 0) {
                resize(heap, m, &r);
            } else {
                slab->dealloc(heap, m->p, m->size);
                m->p = NULL;
                live--;
            }
            if (step % 1000 == 0)
                check(heap, live);
        }
        for (unsigned i = 0; i < SLOTS; i++)
            if (model[i].p)
                slab->dealloc(heap, model[i].p, model[i].size);
        check(heap, 0);
        slab->leave(heap);
        check(heap, 0);
        slab->close(heap);
    }
}

Test(slab, refuses_what_cannot_be)
{
    struct heap *heap = open_heap();
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, PTRDIFF_MAX,
                                   (size_t)PTRDIFF_MAX + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 0;
        cr_assert_null(slab->alloc(heap, sizes[i], 0));
        cr_assert_eq(errno, ENOMEM);
        errno = 0;
        cr_assert_null(slab->zalloc(heap, sizes[i]));
        cr_assert_eq(errno, ENOMEM);
    }
    char *p = slab->alloc(heap, 10, 0);
    memcpy(p, "unchanged", 10);
    cr_assert_null(slab->resize(heap, p, 10, PTRDIFF_MAX));
    cr_assert_str_eq(p, "unchanged");
    slab->dealloc(heap, p, 10);
    slab->dealloc(heap, NULL, 0);
    check(heap, 0);
    slab->close(heap);
}

Test(slab, a_huge_block_grows_and_shrinks_with_its_contents)
{
    struct heap *heap = open_heap();
    size_t size = 2 << 20;
    unsigned char *p = slab->alloc(heap, size, 0);
    memset(p, 1, size);
    for (unsigned i = 0; i < 10; i++) {
        size_t next = i < 5 ? size + (size << (i % 3)) / 2 : size - size / 3;
        p = slab->resize(heap, p, size, next);
        cr_assert_not_null(p);
        size_t kept = size < next ? size : next;
        cr_assert_eq(p[0], 1);
        cr_assert_eq(p[kept - 1], 1);
        memset(p, 1, next);
        size = next;
        check(heap, 1);
    }
    cr_assert_null(slab->resize(heap, p, size, PTRDIFF_MAX));
    cr_assert_eq(p[size - 1], 1);
    slab->dealloc(heap, p, size);
    check(heap, 0);
    slab->close(heap);
}

/* Threads pass blocks on through a shared board, so that most are freed by
 * others, and come and go. */
enum { THREADS = 4, BOARD = 256, TURNS = 30000 };

struct party {
    struct heap *heap;
    _Atomic(size_t *) board[BOARD];
    _Atomic unsigned next;
};

static void *take_part(void *arg)
{
    struct party *party = arg;
    struct random r;
    random_seed(&r, atomic_fetch_add(&party->next, 1) + 77);
    cr_assert_eq(slab->enter(party->heap), 0);
    for (unsigned i = 0; i < TURNS; i++) {
        size_t size = sizeof(size_t) + random_below(&r, i % 50 ? 200 : 90000);
        size_t *p = slab->alloc(party->heap, size, 0);
        if (!p)
            abort();
        *p = size ^ (size_t)(uintptr_t)p;
        size_t *old =
            atomic_exchange(&party->board[random_below(&r, BOARD)], p);
        if (old && (*old ^ (size_t)(uintptr_t)old) > 100000)
            abort();
        slab->dealloc(party->heap, old, 0);
    }
    slab->leave(party->heap);
    return NULL;
}

Test(slab, threads_may_free_what_others_allocated)
{
    static struct party party;
    party.heap = open_heap();
    for (unsigned round = 0; round < 4; round++) {
        pthread_t thread[THREADS];
        for (unsigned i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&thread[i], NULL, take_part, &party),
                         0);
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        size_t live = 0;
        for (unsigned i = 0; i < BOARD; i++)
            live += atomic_load(&party.board[i]) != NULL;
        check(party.heap, live);
    }
    for (unsigned i = 0; i < BOARD; i++)
        slab->dealloc(party.heap, atomic_load(&party.board[i]), 0);
    check(party.heap, 0);
    slab->close(party.heap);
}
