/* test_arena.c - the arena: bumping, marks, zeroing, and its invariant.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "allocator.h"
#include "arena.h"
#include "forked.h"
#include "os_pages.h"
#include "walk_check.h"

extern const struct allocator arena_allocator;
static const struct allocator *const backend = &arena_allocator;

static struct os_account account;

static struct hy_arena *open_with(struct hy_arena_config config)
{
    struct hy_arena *arena = NULL;
    config.account = &account;
    cr_assert_eq(hy_arena_open(&config, &arena), 0);
    return arena;
}

static struct hy_arena *open_arena(void)
{
    return open_with((struct hy_arena_config){0});
}

static size_t mapped(void)
{
    return atomic_load(&account.mapped);
}

static void check(const struct hy_arena *arena)
{
    const char *fault = hy_arena_check(arena);
    cr_assert_null(fault, "%s", fault);
}

/* All memory that an arena took is given back by close. */
static void close_arena(struct hy_arena *arena)
{
    check(arena);
    hy_arena_close(arena);
    cr_assert_eq(mapped(), 0);
}

Test(arena, blocks_follow_one_another)
{
    struct hy_arena *arena = open_arena();
    char *a = hy_arena_alloc(arena, 24, 0);
    char *b = hy_arena_alloc(arena, 0, 0);
    char *c = hy_arena_alloc(arena, 1, 0);
    cr_assert_eq(b - a, 32);
    cr_assert_eq(c - b, 16);
    close_arena(arena);
}

Test(arena, the_youngest_block_is_taken_back_and_no_other)
{
    struct hy_arena *arena = open_arena();
    char *a = hy_arena_alloc(arena, 100, 0);
    char *b = hy_arena_alloc(arena, 100, 0);
    hy_arena_free(arena, a, 100, 0); /* not the youngest: stays */
    cr_assert_neq(hy_arena_alloc(arena, 100, 0), a);
    hy_arena_free(arena, NULL, 0, 0);
    char *c = hy_arena_alloc(arena, 8, 0);
    hy_arena_free(arena, c, 8, 0);
    cr_assert_eq(hy_arena_alloc(arena, 5000, 0), (void *)c);
    cr_assert_gt(c, b);
    close_arena(arena);
}

Test(arena, frees_in_reverse_order_empty_a_chunk)
{
    struct hy_arena *arena = open_arena();
    char *block[100];
    for (size_t i = 0; i < 100; i++)
        block[i] = hy_arena_alloc(arena, i, 0);
    for (size_t i = 100; i-- > 0;)
        hy_arena_free(arena, block[i], i, 0);
    cr_assert_eq(hy_arena_alloc(arena, 1, 0), (void *)block[0]);
    close_arena(arena);
}

Test(arena, blocks_of_another_arena_are_left_alone)
{
    struct hy_arena *one = open_arena(), *two = open_arena();
    char *p = hy_arena_alloc(one, 64, 0);
    char *q = hy_arena_alloc(two, 64, 0);
    hy_arena_free(two, p, 64, 0);
    hy_arena_free(one, q, 64, 0);
    cr_assert_neq(hy_arena_alloc(one, 64, 0), (void *)p);
    cr_assert_neq(hy_arena_alloc(two, 64, 0), (void *)q);
    hy_arena_close(one);
    close_arena(two);
}

Test(arena, resize_is_in_place_for_the_youngest_and_for_less)
{
    struct hy_arena *arena = open_arena();
    char *p = hy_arena_alloc(arena, 100, 0);
    memset(p, 'p', 100);
    cr_assert_eq(hy_arena_resize(arena, p, 100, 5000, 0), (void *)p);
    char *q = hy_arena_alloc(arena, 10, 0);
    cr_assert_geq(q, p + 5000);
    cr_assert_eq(hy_arena_resize(arena, p, 5000, 50, 0), (void *)p);
    char *copy = hy_arena_resize(arena, p, 50, 6000, 0);
    cr_assert_neq(copy, p);
    for (size_t i = 0; i < 50; i++)
        cr_assert_eq(copy[i], 'p');
    close_arena(arena);
}

Test(arena, impossible_sizes_fail_and_change_nothing)
{
    struct hy_arena *arena = open_arena();
    char *p = hy_arena_alloc(arena, 10, 0);
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2,
                                   (size_t)PTRDIFF_MAX - 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 0;
        cr_assert_null(hy_arena_alloc(arena, sizes[i], 0));
        cr_assert_eq(errno, ENOMEM);
        cr_assert_null(hy_arena_alloc(arena, sizes[i], (size_t)1 << 40));
        cr_assert_null(hy_arena_zalloc(arena, sizes[i], 0));
        cr_assert_null(hy_arena_resize(arena, p, 10, sizes[i], 0));
    }
    cr_assert_null(hy_arena_alloc(arena, 1, (size_t)1 << 63));
    cr_assert_eq(hy_arena_alloc(arena, 1, 0), (void *)(p + 16));
    close_arena(arena);
}

Test(arena, chunks_double_up_to_the_cap)
{
    struct hy_arena *arena = open_arena();
    size_t before = mapped();
    for (size_t want = HY_ARENA_CHUNK_MIN; want <= HY_ARENA_CHUNK_MAX;
         want *= 2) {
        while (mapped() == before)
            cr_assert_not_null(hy_arena_alloc(arena, 1000, 0));
        cr_assert_eq(mapped() - before, want);
        before = mapped();
    }
    while (mapped() == before)
        cr_assert_not_null(hy_arena_alloc(arena, 1000, 0));
    cr_assert_eq(mapped() - before, HY_ARENA_CHUNK_MAX);
    close_arena(arena);
}

Test(arena, a_large_block_leaves_the_chunk_as_it_is)
{
    struct hy_arena *arena = open_arena();
    const size_t large = HY_ARENA_CHUNK_MAX / HY_ARENA_OWN_SHARE + 1;
    char *a = hy_arena_alloc(arena, 16, 0);
    const size_t before = mapped();
    char *p = hy_arena_alloc(arena, large, 1 << 21);
    cr_assert_not_null(p);
    cr_assert_eq((uintptr_t)p % (1 << 21), 0);
    cr_assert_geq(mapped() - before, large);
    memset(p, 1, large);
    cr_assert_eq(hy_arena_alloc(arena, 16, 0), (void *)(a + 16));
    close_arena(arena);
}

Test(arena, rewinding_frees_what_is_younger_than_the_mark)
{
    struct hy_arena *arena = open_arena();
    char *old = hy_arena_alloc(arena, 1000, 0);
    memset(old, 'o', 1000);
    const struct hy_arena_mark mark = hy_arena_save(arena);
    char *first = hy_arena_alloc(arena, 32, 0);
    for (size_t i = 0; i < 3000; i++)
        cr_assert_not_null(memset(hy_arena_alloc(arena, 2000, 0), 1, 2000));
    cr_assert_not_null(hy_arena_alloc(arena, 3 * HY_ARENA_CHUNK_MAX, 0));
    const size_t high = mapped();
    hy_arena_rewind(arena, mark);
    check(arena);
    cr_assert_leq(mapped(), high - 3 * (size_t)HY_ARENA_CHUNK_MAX);
    cr_assert_eq(hy_arena_alloc(arena, 32, 0), (void *)first);
    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(old[i], 'o');
    close_arena(arena);
}

Test(arena, rewinding_across_a_boundary_maps_nothing_anew)
{
    struct hy_arena *arena = open_arena();
    while (mapped() <= os_page_size() + HY_ARENA_CHUNK_MIN)
        cr_assert_not_null(hy_arena_alloc(arena, 512, 0));
    hy_arena_reset(arena);
    for (size_t i = 0; i < HY_ARENA_CHUNK_MIN / 512 - 2; i++)
        cr_assert_not_null(hy_arena_alloc(arena, 512, 0));
    const struct hy_arena_mark mark = hy_arena_save(arena);
    hy_arena_rewind(arena, mark);
    const size_t before = mapped();
    for (size_t round = 0; round < 100; round++) {
        for (size_t i = 0; i < HY_ARENA_CHUNK_MIN / 512; i++)
            cr_assert_not_null(hy_arena_alloc(arena, 512, 0));
        hy_arena_rewind(arena, mark);
        check(arena);
    }
    cr_assert_leq(mapped(), before + 4 * (size_t)HY_ARENA_CHUNK_MIN);
    close_arena(arena);
}

Test(arena, opens_only_what_makes_sense)
{
    static const struct hy_arena_config bad[] = {
        {.chunk_min = 8192, .chunk_max = 4096},
        {.retain = 101},
        {.chunk_max = SIZE_MAX},
        {.reserve = SIZE_MAX},
    };
    struct hy_arena *arena;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(hy_arena_open(&bad[i], &arena), EINVAL, "%zu", i);
    hy_arena_close(NULL);
}

Test(arena, blocks_aligned_to_8_have_no_padding)
{
    struct hy_arena *arena = open_arena();
    char *a = hy_arena_alloc(arena, 24, 8);
    cr_assert_eq((char *)hy_arena_alloc(arena, 24, 8) - a, 24);
    char *c = hy_arena_alloc(arena, 5, 1);
    cr_assert_eq(c - a, 48);
    char *d = hy_arena_alloc(arena, 8, 64);
    cr_assert_eq((uintptr_t)d % 64, 0);
    hy_arena_free(arena, d, 8, 64);
    cr_assert_eq(hy_arena_alloc(arena, 8, 64), (void *)d);
    close_arena(arena);
}

/* ---- retention ---- */

static void use(struct hy_arena *arena, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 2000)
        cr_assert_not_null(memset(hy_arena_alloc(arena, 2000, 8), 1, 2000));
}

static const struct hy_arena_config kinds[] = {
    {.chunk_min = 0},
    {.chunk_min = 4096, .chunk_max = 65536},
    {.reserve = (size_t)1 << 30},
    {.reserve = (size_t)1 << 30, .chunk_min = 4096, .chunk_max = 65536},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

Test(arena, a_steady_user_maps_nothing_anew)
{
    for (unsigned k = 0; k < KINDS; k++) {
        struct hy_arena *arena = open_with(kinds[k]);
        use(arena, 20 << 20);
        const size_t high = mapped();
        for (unsigned i = 0; i < 10; i++) {
            hy_arena_reset(arena);
            check(arena);
            const size_t kept = mapped();
            use(arena, 20 << 20);
            cr_assert_eq(mapped(), kept, "mapped in round %u", i);
            cr_assert_leq(kept, high);
        }
        close_arena(arena);
    }
}

/* The mark falls by the same share with every reset that needed little. */
Test(arena, a_spike_is_forgotten_step_by_step)
{
    for (unsigned k = 0; k < KINDS; k++) {
        struct hy_arena_config config = kinds[k];
        config.retain = 50;
        struct hy_arena *arena = open_with(config);
        use(arena, 64 << 20);
        const size_t high = mapped();
        hy_arena_reset(arena);
        cr_assert_geq(mapped(), 64 << 20);
        for (unsigned i = 1; i <= 5; i++) {
            use(arena, 100000);
            hy_arena_reset(arena);
            check(arena);
            cr_assert_leq(mapped(), (high >> i) + 100 * os_page_size());
            cr_assert_geq(mapped() + 2 * HY_ARENA_CHUNK_MAX, high >> i);
        }
        for (unsigned i = 0; i < 15; i++) {
            use(arena, 100000);
            hy_arena_reset(arena);
        }
        cr_assert_leq(mapped(), 100000 + 3 * HY_ARENA_CHUNK_MIN + 8192);
        close_arena(arena);
    }
}

Test(arena, retains_all_if_asked_to)
{
    for (unsigned k = 0; k < KINDS; k++) {
        struct hy_arena_config config = kinds[k];
        config.retain = 100;
        struct hy_arena *arena = open_with(config);
        use(arena, 64 << 20);
        for (unsigned i = 0; i < 50; i++)
            hy_arena_reset(arena);
        cr_assert_geq(mapped(), 64 << 20);
        struct hy_arena_metrics m;
        hy_arena_measure(arena, &m);
        cr_assert_eq(m.mapped_bytes, mapped());
        cr_assert_geq(m.idle_bytes, 64 << 20);
        close_arena(arena);
    }
}

/* ---- one range ---- */

Test(arena, a_range_is_contiguous_and_ends)
{
    const size_t reserve = 10 << 20;
    struct hy_arena *arena =
        open_with((struct hy_arena_config){.reserve = reserve});
    cr_assert_eq(mapped(), os_page_size());
    char *first = hy_arena_alloc(arena, 1000, 8), *last = first, *p;
    while ((p = hy_arena_alloc(arena, 1000, 8))) {
        cr_assert_eq(p - last, 1000);
        last = p;
    }
    cr_assert_eq(errno, ENOMEM);
    cr_assert_geq((size_t)(last - first), reserve - 3000);
    check(arena);
    cr_assert_eq(mapped(), reserve + os_page_size());
    cr_assert_null(hy_arena_resize(arena, last, 1000, 5000, 8));
    hy_arena_free(arena, last, 1000, 8);
    cr_assert_eq(hy_arena_alloc(arena, 900, 8), (void *)last);
    close_arena(arena);
}

Test(arena, in_a_range_the_youngest_grows_where_it_is)
{
    struct hy_arena *arena =
        open_with((struct hy_arena_config){.reserve = (size_t)1 << 30});
    char *p = hy_arena_alloc(arena, 10, 0);
    size_t size = 10;
    memset(p, 'x', size);
    for (; size < 100 << 20; size *= 3)
        cr_assert_eq(hy_arena_resize(arena, p, size, size * 3, 0), (void *)p);
    cr_assert_eq(p[9], 'x');
    cr_assert_eq(hy_arena_resize(arena, p, size, 10, 0), (void *)p);
    hy_arena_reset(arena);
    check(arena);
    close_arena(arena);
}

/* ---- no memory ---- */

static void run_short(void *arg, int fd)
{
    const struct hy_arena_config *config = arg;
    struct hy_arena *arena = NULL;
    struct rlimit limit, old;
    char *p;
    size_t n = 0;
    if (hy_arena_open(config, &arena) || getrlimit(RLIMIT_AS, &old))
        _exit(10);
    if (!hy_arena_alloc(arena, 1000, 0))
        _exit(11);
    limit = old;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_AS, &limit);
    errno = 0;
    while ((p = hy_arena_alloc(arena, 1000, 0)) && n < 1000000) {
        memset(p, 1, 1000);
        n++;
    }
    const int err = errno;
    const bool large = hy_arena_alloc(arena, (size_t)8 << 20, 0) != NULL;
    const char *fault = hy_arena_check(arena);
    setrlimit(RLIMIT_AS, &old);
    dprintf(fd, "%s, %d, %s, %s", strerror(err), large,
            n > 10 && n < 2000 ? "some" : "wrong", fault ? fault : "holds");
    if (!config->reserve && !hy_arena_alloc(arena, 100000, 0))
        _exit(12);
    hy_arena_close(arena);
}

Test(arena, without_memory_an_allocation_fails_and_all_else_holds)
{
    struct hy_arena_config configs[] = {{.chunk_min = 0}, {.reserve = 1 << 20}};
    char said[200];
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(run_forked(run_short, &configs[i], said, sizeof said), 0);
        cr_assert_str_eq(said, "Cannot allocate memory, 0, some, holds");
    }
}

Test(arena, zeroed_blocks_are_zero_in_used_memory)
{
    struct hy_arena *arena = open_arena();
    for (size_t round = 0; round < 3; round++) {
        const struct hy_arena_mark mark = hy_arena_save(arena);
        for (size_t size = 1; size < 40000; size = size * 3 / 2 + 1) {
            char *p = hy_arena_zalloc(arena, size, 0);
            for (size_t i = 0; i < size; i++)
                cr_assert_eq(p[i], 0);
            memset(p, 0xff, size);
            if (size % 2)
                hy_arena_free(arena, p, size, 0);
        }
        check(arena);
        hy_arena_rewind(arena, mark);
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

/* A stack of marks, each with a witness block stamped by its depth. */
struct marks {
    struct hy_arena *arena;
    uint64_t random;
    struct hy_arena_mark mark[DEPTH];
    unsigned char *witness[DEPTH];
    size_t depth;
};

static void push_mark(struct marks *m)
{
    unsigned char *p = hy_arena_alloc(m->arena, 200, 0);
    memset(p, (int)m->depth + 1, 200);
    m->witness[m->depth] = p;
    m->mark[m->depth++] = hy_arena_save(m->arena);
}

/* What was done above a mark leaves the blocks below it as they were. */
static void pop_mark(struct marks *m)
{
    hy_arena_rewind(m->arena, m->mark[--m->depth]);
    for (size_t d = 0; d <= m->depth; d++)
        for (size_t b = 0; b < 200; b++)
            cr_assert_eq(m->witness[d][b], d + 1);
}

static void add_block(struct marks *m, size_t size, uint64_t dice)
{
    const size_t align = dice % 3 ? (size_t)1 << dice % 12 : 0;
    unsigned char *p;
    if (dice % 2) {
        p = hy_arena_alloc(m->arena, size, align);
    } else {
        p = hy_arena_zalloc(m->arena, size, align);
        for (size_t i = 0; i < size; i++)
            cr_assert_eq(p[i], 0);
    }
    cr_assert_not_null(p);
    cr_assert_eq((uintptr_t)p % (align ? align : 16), 0);
    memset(p, 0xee, size);
    if (dice % 5 == 0) {
        p = hy_arena_resize(m->arena, p, size, size * (dice % 4), align);
        cr_assert_not_null(p);
        for (size_t i = 0; i < size && i < size * (dice % 4); i++)
            cr_assert_eq(p[i], 0xee);
        memset(p, 0xdd, size * (dice % 4));
        size *= dice % 4;
    }
    if (dice % 7 == 0)
        hy_arena_free(m->arena, p, size, align);
}

Test(arena, random_marks_keep_the_invariant)
{
    for (uint64_t seed = 1; seed <= 3 * KINDS; seed++) {
        struct marks m = {.random = seed};
        m.arena = open_with(kinds[seed % KINDS]);
        for (size_t i = 0; i < ROUNDS; i++) {
            const uint64_t dice = next_random(&m.random) % 1000;
            const bool is_large = next_random(&m.random) % 200 == 0;
            const size_t size =
                next_random(&m.random) % (is_large ? 3000000 : 10000);
            if (dice < 100 && m.depth < DEPTH)
                push_mark(&m);
            else if (dice < 200 && m.depth > 0)
                pop_mark(&m);
            else if (dice < 205)
                hy_arena_reset(m.arena), m.depth = 0;
            else
                add_block(&m, size, dice);
            if (i % 64 == 0)
                check(m.arena);
        }
        close_arena(m.arena);
    }
}

/* ---- the backend ---- */

/* What is in use of the chunks: all that was handed out, rounded up. */
static void walk_with(const char *knobs)
{
    struct heap *heap = NULL;
    struct walk_totals totals;
    struct knob_values values;
    char why[200];
    cr_assert_eq(
        knobs_parse("arena", backend->knobs, knobs, &values, why, sizeof why),
        0, "%s", why);
    cr_assert_eq(
        backend->open(&(struct heap_config){.threads = 1, .knobs = &values},
                      &heap),
        0);
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

Test(arena, a_walk_shows_what_is_in_use)
{
    walk_with("");
    walk_with("mode=reserved:reserve=64m");
    walk_with("chunk_min=4k:chunk_max=256k");
    walk_with("chunk_min=8m");
}

Test(arena, a_backends_range_ends)
{
    struct knob_values values;
    struct heap *heap = NULL;
    char why[200];
    cr_assert_eq(knobs_parse("arena", backend->knobs,
                             "mode=reserved:reserve=1m", &values, why,
                             sizeof why),
                 0);
    cr_assert_eq(
        backend->open(&(struct heap_config){.threads = 1, .knobs = &values},
                      &heap),
        0);
    cr_assert_not_null(backend->alloc(heap, 900000, 0));
    errno = 0;
    cr_assert_null(backend->alloc(heap, 900000, 0));
    cr_assert_eq(errno, ENOMEM);
    backend->close(heap);
}
