/* test_arena.c - the arena: bumping, marks, zeroing, and its invariant.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "allocator.h"
#include "arena.h"
#include "walk_check.h"

extern const struct allocator arena_allocator;
static const struct allocator *const backend = &arena_allocator;

static struct os_account account;

static struct arena *open_arena(void)
{
    struct arena *arena = NULL;
    cr_assert_eq(arena_open(&account, &arena), 0);
    return arena;
}

static size_t mapped(void)
{
    return atomic_load(&account.mapped);
}

static void check(const struct arena *arena)
{
    const char *fault = arena_check(arena);
    cr_assert_null(fault, "%s", fault);
}

/* All memory that an arena took is given back by close. */
static void close_arena(struct arena *arena)
{
    check(arena);
    arena_close(arena);
    cr_assert_eq(mapped(), 0);
}

Test(arena, blocks_follow_one_another)
{
    struct arena *arena = open_arena();
    char *a = arena_alloc(arena, 24, 0);
    char *b = arena_alloc(arena, 0, 0);
    char *c = arena_alloc(arena, 1, 0);
    cr_assert_eq(b - a, 32);
    cr_assert_eq(c - b, 16);
    close_arena(arena);
}

Test(arena, the_youngest_block_is_taken_back_and_no_other)
{
    struct arena *arena = open_arena();
    char *a = arena_alloc(arena, 100, 0);
    char *b = arena_alloc(arena, 100, 0);
    arena_free(arena, a, 100); /* not the youngest: stays */
    cr_assert_neq(arena_alloc(arena, 100, 0), a);
    arena_free(arena, NULL, 0);
    char *c = arena_alloc(arena, 8, 0);
    arena_free(arena, c, 8);
    cr_assert_eq(arena_alloc(arena, 5000, 0), (void *)c);
    cr_assert_gt(c, b);
    close_arena(arena);
}

Test(arena, frees_in_reverse_order_empty_a_chunk)
{
    struct arena *arena = open_arena();
    char *block[100];
    for (size_t i = 0; i < 100; i++)
        block[i] = arena_alloc(arena, i, 0);
    for (size_t i = 100; i-- > 0;)
        arena_free(arena, block[i], i);
    cr_assert_eq(arena_alloc(arena, 1, 0), (void *)block[0]);
    close_arena(arena);
}

Test(arena, blocks_of_another_arena_are_left_alone)
{
    struct arena *one = open_arena(), *two = open_arena();
    char *p = arena_alloc(one, 64, 0);
    char *q = arena_alloc(two, 64, 0);
    arena_free(two, p, 64);
    arena_free(one, q, 64);
    cr_assert_neq(arena_alloc(one, 64, 0), (void *)p);
    cr_assert_neq(arena_alloc(two, 64, 0), (void *)q);
    arena_close(one);
    close_arena(two);
}

Test(arena, resize_is_in_place_for_the_youngest_and_for_less)
{
    struct arena *arena = open_arena();
    char *p = arena_alloc(arena, 100, 0);
    memset(p, 'p', 100);
    cr_assert_eq(arena_resize(arena, p, 100, 5000), (void *)p);
    char *q = arena_alloc(arena, 10, 0);
    cr_assert_geq(q, p + 5000);
    cr_assert_eq(arena_resize(arena, p, 5000, 50), (void *)p);
    char *copy = arena_resize(arena, p, 50, 6000);
    cr_assert_neq(copy, p);
    for (size_t i = 0; i < 50; i++)
        cr_assert_eq(copy[i], 'p');
    close_arena(arena);
}

Test(arena, impossible_sizes_fail_and_change_nothing)
{
    struct arena *arena = open_arena();
    char *p = arena_alloc(arena, 10, 0);
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2,
                                   (size_t)PTRDIFF_MAX - 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 0;
        cr_assert_null(arena_alloc(arena, sizes[i], 0));
        cr_assert_eq(errno, ENOMEM);
        cr_assert_null(arena_alloc(arena, sizes[i], (size_t)1 << 40));
        cr_assert_null(arena_zalloc(arena, sizes[i]));
        cr_assert_null(arena_resize(arena, p, 10, sizes[i]));
    }
    cr_assert_null(arena_alloc(arena, 1, (size_t)1 << 63));
    cr_assert_eq(arena_alloc(arena, 1, 0), (void *)(p + 16));
    close_arena(arena);
}

Test(arena, chunks_double_up_to_the_cap)
{
    struct arena *arena = open_arena();
    size_t before = mapped();
    for (size_t want = ARENA_CHUNK_MIN; want <= ARENA_CHUNK_MAX; want *= 2) {
        while (mapped() == before)
            cr_assert_not_null(arena_alloc(arena, 1000, 0));
        cr_assert_eq(mapped() - before, want);
        before = mapped();
    }
    while (mapped() == before)
        cr_assert_not_null(arena_alloc(arena, 1000, 0));
    cr_assert_eq(mapped() - before, ARENA_CHUNK_MAX);
    close_arena(arena);
}

Test(arena, a_large_block_leaves_the_chunk_as_it_is)
{
    struct arena *arena = open_arena();
    const size_t large = ARENA_CHUNK_MAX / ARENA_OWN_SHARE + 1;
    char *a = arena_alloc(arena, 16, 0);
    const size_t before = mapped();
    char *p = arena_alloc(arena, large, 1 << 21);
    cr_assert_not_null(p);
    cr_assert_eq((uintptr_t)p % (1 << 21), 0);
    cr_assert_geq(mapped() - before, large);
    memset(p, 1, large);
    cr_assert_eq(arena_alloc(arena, 16, 0), (void *)(a + 16));
    close_arena(arena);
}

Test(arena, rewinding_frees_what_is_younger_than_the_mark)
{
    struct arena *arena = open_arena();
    char *old = arena_alloc(arena, 1000, 0);
    memset(old, 'o', 1000);
    const struct arena_mark mark = arena_save(arena);
    char *first = arena_alloc(arena, 32, 0);
    for (size_t i = 0; i < 3000; i++)
        cr_assert_not_null(memset(arena_alloc(arena, 2000, 0), 1, 2000));
    cr_assert_not_null(arena_alloc(arena, 3 * ARENA_CHUNK_MAX, 0));
    const size_t high = mapped();
    arena_rewind(arena, mark);
    check(arena);
    cr_assert_leq(mapped(), high - 3 * (size_t)ARENA_CHUNK_MAX);
    cr_assert_leq(mapped(), ARENA_CHUNK_MIN + ARENA_CHUNK_MAX + os_page_size());
    cr_assert_eq(arena_alloc(arena, 32, 0), (void *)first);
    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(old[i], 'o');
    close_arena(arena);
}

Test(arena, rewinding_across_a_boundary_maps_nothing_anew)
{
    struct arena *arena = open_arena();
    while (mapped() <= os_page_size() + ARENA_CHUNK_MIN)
        cr_assert_not_null(arena_alloc(arena, 512, 0));
    arena_reset(arena);
    for (size_t i = 0; i < ARENA_CHUNK_MIN / 512 - 2; i++)
        cr_assert_not_null(arena_alloc(arena, 512, 0));
    const struct arena_mark mark = arena_save(arena);
    arena_rewind(arena, mark);
    const size_t before = mapped();
    for (size_t round = 0; round < 100; round++) {
        for (size_t i = 0; i < ARENA_CHUNK_MIN / 512; i++)
            cr_assert_not_null(arena_alloc(arena, 512, 0));
        arena_rewind(arena, mark);
        check(arena);
    }
    cr_assert_leq(mapped(), before + 4 * (size_t)ARENA_CHUNK_MIN);
    close_arena(arena);
}

Test(arena, reset_keeps_one_chunk)
{
    struct arena *arena = open_arena();
    for (size_t i = 0; i < 10000; i++)
        cr_assert_not_null(arena_alloc(arena, 2000, 0));
    arena_reset(arena);
    cr_assert_eq(mapped(), os_page_size() + ARENA_CHUNK_MAX);
    close_arena(arena);
}

Test(arena, zeroed_blocks_are_zero_in_used_memory)
{
    struct arena *arena = open_arena();
    for (size_t round = 0; round < 3; round++) {
        const struct arena_mark mark = arena_save(arena);
        for (size_t size = 1; size < 40000; size = size * 3 / 2 + 1) {
            char *p = arena_zalloc(arena, size);
            for (size_t i = 0; i < size; i++)
                cr_assert_eq(p[i], 0);
            memset(p, 0xff, size);
            if (size % 2)
                arena_free(arena, p, size);
        }
        check(arena);
        arena_rewind(arena, mark);
        check(arena);
    }
    close_arena(arena);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

enum { DEPTH = 8, ROUNDS = 3000 };

/* A stack of marks, blocks stamped by depth: whatever is done above a mark
 * leaves the blocks below it as they were. */
Test(arena, random_marks_keep_the_invariant)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint64_t state = seed;
        struct arena *arena = open_arena();
        struct arena_mark mark[DEPTH];
        unsigned char *witness[DEPTH];
        size_t depth = 0;
        for (size_t i = 0; i < ROUNDS; i++) {
            const uint64_t dice = next_random(&state) % 10;
            const size_t size = next_random(&state) % 20000;
            if (dice == 0 && depth < DEPTH) {
                witness[depth] = arena_alloc(arena, 200, 0);
                memset(witness[depth], (int)depth + 1, 200);
                mark[depth++] = arena_save(arena);
            } else if (dice == 1 && depth > 0) {
                arena_rewind(arena, mark[--depth]);
                for (size_t b = 0; b < 200; b++)
                    cr_assert_eq(witness[depth][b], depth + 1);
            } else {
                void *p = arena_alloc(arena, size, (size_t)1 << dice % 8);
                memset(p, 0xee, size);
                if (dice == 2 && depth == 0)
                    arena_free(arena, p, size);
            }
            if (i % 64 == 0)
                check(arena);
        }
        close_arena(arena);
    }
}

/* ---- the backend ---- */

/* What is in use of the chunks: all that was handed out, rounded up. */
Test(arena, a_walk_shows_what_is_in_use)
{
    struct heap *heap = NULL;
    struct walk_totals totals;
    cr_assert_eq(backend->open(&(struct heap_config){.threads = 1}, &heap), 0);
    const char *fault = walk_check(backend, heap, &totals);
    cr_assert_null(fault, "%s", fault);
    size_t bytes = 0;
    for (size_t i = 1; i < 4000; i++) {
        const size_t size = i % 1000 == 0 ? 3 << 20 : i;
        cr_assert_not_null(backend->alloc(heap, size, i % 7 ? 0 : 4096));
        bytes += size;
        if (i % 500 == 0) {
            fault = walk_check(backend, heap, &totals);
            cr_assert_null(fault, "%s", fault);
        }
    }
    fault = walk_check(backend, heap, &totals);
    cr_assert_null(fault, "%s", fault);
    cr_assert_geq(totals.live_bytes, bytes);
    cr_assert_leq(totals.live_bytes, totals.span_bytes);
    backend->close(heap);
}
