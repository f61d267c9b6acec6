/* test_allocators.c - the contract of allocator.h, for every backend.
 *
 * Each test walks the table, so a new backend is tested by its line there.
 * Overlapping ones (the floor) are no memory to be checked and are left out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator.h"
#include "collection.h"

/* The sanitizers' mallocs would abort where the contract says NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

enum { LARGEST = 1 << 20, THREADS = 4 };

/* What knobs make of a backend is tested as a backend too. */
static const char *const variants[] = {
    "slab:mesh=on",
    "slab:mode=hardened",
    "slab:classes=4:batch=0:decay=0",
    "arena:mode=reserved",
    "pool:debug=on",
    "buddy:kind=binary",
    "buddy:kind=nonblocking",
    "buddy:kind=nonblocking:quick=0",
    NULL,
};

static struct heap *open_with(const struct allocator *a,
                              const struct knob_values *knobs)
{
    const struct heap_config config = {
        .threads = THREADS, .max_size = LARGEST, .knobs = knobs};
    struct heap *heap = NULL;
    cr_assert_eq(a->open(&config, &heap), 0, "%s does not open", a->name);
    return heap;
}

static struct heap *open_heap(const struct allocator *a)
{
    return open_with(a, NULL);
}

static int enter(const struct allocator *a, struct heap *heap)
{
    return a->enter ? a->enter(heap) : 0;
}

static void leave(const struct allocator *a, struct heap *heap)
{
    if (a->leave)
        a->leave(heap);
}

typedef void property_fn(const struct allocator *, struct heap *);

static void check_property(property_fn *property, const struct allocator *a,
                           const struct knob_values *knobs)
{
    struct heap *heap = open_with(a, knobs);
    cr_assert_eq(enter(a, heap), 0);
    property(a, heap);
    leave(a, heap);
    a->close(heap);
}

/* Call `property` with an open heap of every backend that hands out memory
 * of its own, and of every variant. */
static void for_each_backend(property_fn *property)
{
    size_t checked = 0;
    for (size_t i = 0; allocators[i]; i++) {
        if (allocators[i]->missing || allocators[i]->traits & TRAIT_OVERLAPPING)
            continue;
        check_property(property, allocators[i], NULL);
        checked++;
    }
    cr_assert_geq(checked, 2);
    for (size_t i = 0; variants[i]; i++) {
        const struct allocator *a;
        struct knob_values knobs;
        char why[200] = "no such backend";
        cr_assert_eq(allocator_choose(variants[i], &a, &knobs, why, sizeof why),
                     0, "%s: %s", variants[i], why);
        check_property(property, a, &knobs);
    }
}

static bool is_filled(const unsigned char *p, size_t size, unsigned char with)
{
    return size == 0 || (p[0] == with && memcmp(p, p + 1, size - 1) == 0);
}

/* What malloc promises: any object of that size may live there. */
static size_t default_align(size_t size)
{
    return size >= 16 ? 16 : size >= 8 ? 8 : 1;
}

Test(allocators, the_table_is_well_formed)
{
    for (size_t i = 0; allocators[i]; i++) {
        const struct allocator *a = allocators[i];
        cr_assert(a->name && a->summary && a->open && a->close && a->alloc &&
                  a->zalloc && a->dealloc && a->resize);
        cr_assert_eq(allocator_find(a->name), a, "two backends named %s",
                     a->name);
        cr_assert_null(strchr(a->name, '/'));
        cr_assert_eq(a->max_align & (a->max_align - 1), 0);
    }
    cr_assert_null(allocator_find(""));
    cr_assert_null(allocator_find("no-such-backend"));
}

static void aligns_all_sizes(const struct allocator *a, struct heap *heap)
{
    for (size_t size = 0; size <= 65536; size++) {
        char *p = a->alloc(heap, size, 0);
        cr_assert_not_null(p, "%s: %zu bytes", a->name, size);
        cr_assert_eq((uintptr_t)p % default_align(size), 0, "%s: %zu bytes",
                     a->name, size);
        a->dealloc(heap, p, size);
    }
}

Test(allocators, blocks_of_all_sizes_to_64k_are_aligned)
{
    for_each_backend(aligns_all_sizes);
}

static void aligns_as_asked(const struct allocator *a, struct heap *heap)
{
    static const size_t sizes[] = {0, 1, 8, 24, 100, 4096, 70000};
    for (size_t align = 1; align <= 1 << 20; align *= 2) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            if (a->max_align && align > a->max_align)
                continue;
            char *p = a->alloc(heap, sizes[i], align);
            cr_assert_not_null(p);
            cr_assert_eq((uintptr_t)p % align, 0, "%s: %zu aligned to %zu",
                         a->name, sizes[i], align);
            memset(p, 1, sizes[i]);
            a->dealloc(heap, p, sizes[i]);
        }
    }
}

Test(allocators, blocks_are_aligned_as_asked)
{
    for_each_backend(aligns_as_asked);
}

static void zeroes(const struct allocator *a, struct heap *heap)
{
    for (size_t round = 0; round < 4; round++) {
        for (size_t size = 1; size <= 300000; size = size * 5 / 4 + 1) {
            unsigned char *p = a->zalloc(heap, size);
            cr_assert_not_null(p);
            cr_assert(is_filled(p, size, 0), "%s: %zu bytes, round %zu",
                      a->name, size, round);
            memset(p, 0xff, size);
            a->dealloc(heap, p, size);
        }
    }
}

Test(allocators, zeroed_blocks_are_zero_also_in_used_memory)
{
    for_each_backend(zeroes);
}

static void zero_sized(const struct allocator *a, struct heap *heap)
{
    void *p = a->alloc(heap, 0, 0), *q = a->alloc(heap, 0, 0);
    void *z = a->zalloc(heap, 0);
    cr_assert(p && q && z && p != q && q != z && p != z, "%s", a->name);
    a->dealloc(heap, p, 0);
    a->dealloc(heap, q, 0);
    p = a->resize(heap, z, 0, 10);
    cr_assert_not_null(p);
    memset(p, 1, 10);
    a->dealloc(heap, p, 10);
}

Test(allocators, blocks_of_no_bytes_are_distinct)
{
    for_each_backend(zero_sized);
}

static void resizes(const struct allocator *a, struct heap *heap)
{
    static const size_t sizes[] = {1,   7,    100,    90,    5000,   4000,
                                   17,  16,   200000, 65536, 300000, 1,
                                   513, 2000, 1500,   2100,  3};
    unsigned char *p = a->alloc(heap, 1, 0);
    size_t size = 1;
    memset(p, 1, size);
    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
        void *other = a->alloc(heap, 8, 0); /* so that p is not always last */
        p = a->resize(heap, p, size, sizes[i]);
        cr_assert_not_null(p);
        cr_assert_eq((uintptr_t)p % default_align(sizes[i]), 0);
        const size_t kept = size < sizes[i] ? size : sizes[i];
        cr_assert(is_filled(p, kept, (unsigned char)i), "%s: %zu to %zu",
                  a->name, size, sizes[i]);
        size = sizes[i];
        memset(p, (int)i + 1, size);
        a->dealloc(heap, other, 8);
    }
    a->dealloc(heap, p, size);
}

Test(allocators, resize_keeps_contents)
{
    for_each_backend(resizes);
}

static void usable_is_writable(const struct allocator *a, struct heap *heap)
{
    for (size_t size = 0; size <= 100000; size = size * 9 / 8 + 1) {
        char *p = a->alloc(heap, size, 0), *q = a->alloc(heap, size, 0);
        const size_t usable = a->usable ? a->usable(heap, p, size) : size;
        cr_assert_geq(usable, size, "%s: %zu bytes", a->name, size);
        memset(q, 'q', size);
        memset(p, 'p', usable);
        cr_assert(is_filled((unsigned char *)q, size, 'q'));
        a->dealloc(heap, p, size);
        a->dealloc(heap, q, size);
    }
}

Test(allocators, all_usable_bytes_are_the_blocks_own)
{
    for_each_backend(usable_is_writable);
}

static void refuses_the_impossible(const struct allocator *a, struct heap *heap)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096,
                                   (size_t)PTRDIFF_MAX + 1,
                                   (size_t)PTRDIFF_MAX - 4096};
    unsigned char *p = a->alloc(heap, 100, 0);
    memset(p, 'p', 100);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        cr_assert_null(a->alloc(heap, sizes[i], 0), "%s", a->name);
        cr_assert_null(a->alloc(heap, sizes[i], 4096), "%s", a->name);
        cr_assert_null(a->zalloc(heap, sizes[i]), "%s", a->name);
        cr_assert_null(a->resize(heap, p, 100, sizes[i]), "%s", a->name);
        cr_assert(is_filled(p, 100, 'p'), "%s", a->name);
    }
    a->dealloc(heap, p, 100);
    p = a->alloc(heap, 100, 0);
    cr_assert_not_null(p);
    a->dealloc(heap, p, 100);
}

Test(allocators, impossible_sizes_give_null_and_harm_nothing)
{
    for_each_backend(refuses_the_impossible);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Mostly small, as programs ask: a power of two below 2^16, less a bit. */
static size_t random_size(uint64_t *state)
{
    const uint64_t bound = (uint64_t)1 << next_random(state) % 17;
    return (size_t)(next_random(state) % bound);
}

enum { SLOTS = 400, OPERATIONS = 30000, SEEDS = 4 };

struct block {
    unsigned char *p;
    size_t size;
    unsigned char stamp;
};

static void fill(struct block *b, unsigned char *p, size_t size, uint64_t stamp)
{
    *b = (struct block){p, size, (unsigned char)stamp};
    memset(p, b->stamp, size);
}

/* Do one random thing to a slot of the model. */
static void step(const struct allocator *a, struct heap *heap, struct block *b,
                 uint64_t *state)
{
    const size_t size = random_size(state);
    const uint64_t dice = next_random(state);
    if (b->p && !is_filled(b->p, b->size, b->stamp))
        cr_assert_fail("%s: a block of %zu bytes was overwritten", a->name,
                       b->size);
    if (!b->p) {
        const size_t align = dice % 5 ? 0 : (size_t)1 << dice / 5 % 13;
        unsigned char *p =
            dice % 3 ? a->alloc(heap, size, align) : a->zalloc(heap, size);
        cr_assert_not_null(p);
        cr_assert(dice % 3 || is_filled(p, size, 0));
        fill(b, p, size, dice >> 8);
    } else if (dice % 4 == 0) {
        unsigned char *p = a->resize(heap, b->p, b->size, size + 1);
        cr_assert_not_null(p);
        const size_t kept = b->size < size + 1 ? b->size : size + 1;
        cr_assert(is_filled(p, kept, b->stamp), "%s", a->name);
        fill(b, p, size + 1, dice >> 8);
    } else {
        a->dealloc(heap, b->p, b->size);
        b->p = NULL;
    }
}

static void follows_the_model(const struct allocator *a, struct heap *heap)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct block block[SLOTS] = {0};
        uint64_t state = seed;
        for (size_t i = 0; i < OPERATIONS; i++)
            step(a, heap, &block[next_random(&state) % SLOTS], &state);
        for (size_t i = 0; i < SLOTS; i++) {
            if (!block[i].p)
                continue;
            cr_assert(is_filled(block[i].p, block[i].size, block[i].stamp));
            a->dealloc(heap, block[i].p, block[i].size);
        }
    }
}

Test(allocators, random_operations_never_overlap_or_lose_contents)
{
    for_each_backend(follows_the_model);
}

/* Threads hand blocks on to the next one, which checks and frees them. */
struct relay {
    const struct allocator *a;
    struct heap *heap;
    pthread_barrier_t *turn;
    struct block (*lane)[SLOTS]; /* [THREADS] */
    unsigned number;
    size_t faults; /* Criterion's asserts are for the main thread only */
};

static void *run_relay(void *arg)
{
    struct relay *r = arg;
    uint64_t state = r->number + 1;
    for (unsigned round = 0; round < 20; round++) {
        r->faults += enter(r->a, r->heap) != 0;
        for (size_t i = 0; i < SLOTS; i++) {
            const size_t size = random_size(&state) % 4096;
            unsigned char *p = r->a->alloc(r->heap, size, 0);
            if (p)
                fill(&r->lane[r->number][i], p, size, r->number + round);
            r->faults += p == NULL;
        }
        pthread_barrier_wait(r->turn);
        struct block *theirs = r->lane[(r->number + 1) % THREADS];
        for (size_t i = 0; i < SLOTS; i++) {
            r->faults +=
                !is_filled(theirs[i].p, theirs[i].size, theirs[i].stamp);
            r->a->dealloc(r->heap, theirs[i].p, theirs[i].size);
        }
        leave(r->a, r->heap);
        pthread_barrier_wait(r->turn);
    }
    return NULL;
}

static void frees_across_threads(const struct allocator *a, struct heap *heap)
{
    if (!(a->traits & TRAIT_SHARED) || !(a->traits & TRAIT_FOREIGN))
        return;
    static struct block lane[THREADS][SLOTS];
    struct relay relay[THREADS];
    pthread_t thread[THREADS];
    pthread_barrier_t turn;
    cr_assert_eq(pthread_barrier_init(&turn, NULL, THREADS), 0);
    if (a->collection)
        cr_assert_eq(a->collection->roots_add(heap, lane, lane + THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        relay[i] = (struct relay){a, heap, &turn, lane, i, 0};
        cr_assert_eq(pthread_create(&thread[i], NULL, run_relay, &relay[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        cr_assert_eq(relay[i].faults, 0, "%s, thread %u", a->name, i);
    }
    if (a->collection)
        a->collection->roots_remove(heap, lane, lane + THREADS);
    pthread_barrier_destroy(&turn);
}

Test(allocators, any_thread_may_free_any_block)
{
    for_each_backend(frees_across_threads);
}

static size_t pages_mapped(void)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    cr_assert_not_null(f);
    cr_assert_eq(fscanf(f, "%zu", &pages), 1);
    fclose(f);
    return pages;
}

/* 50 heaps that kept as little as 256 KiB each would show: 12.8 MiB.  The
 * process's own malloc may keep what it likes, and a sanitizer's does. */
Test(allocators, close_gives_everything_back)
{
    for (size_t i = 0; allocators[i]; i++) {
        const struct allocator *a = allocators[i];
        if (a->missing || a->traits & TRAIT_PRELOADABLE)
            continue;
        size_t before = 0;
        for (size_t round = 0; round < 60; round++) {
            if (round == 10)
                before = pages_mapped();
            struct heap *heap = open_heap(a);
            cr_assert_eq(enter(a, heap), 0);
            void *p = a->alloc(heap, 300000, 0), *q = a->alloc(heap, 10, 0);
            cr_assert(p && q);
            a->dealloc(heap, p, 300000);
            a->dealloc(heap, q, 10);
            leave(a, heap);
            a->close(heap);
        }
        cr_assert_leq(pages_mapped(), before + 2048, "%s", a->name);
    }
}

/* A heap may come to stand where an earlier one stood, while the thread still
 * remembers its place in the earlier one. */
Test(allocators, a_thread_that_never_left_may_use_the_next_heap)
{
    for (size_t i = 0; allocators[i]; i++) {
        const struct allocator *a = allocators[i];
        for (size_t round = 0; round < 3 && !a->missing; round++) {
            struct heap *heap = open_heap(a);
            unsigned char *p = a->alloc(heap, 1000, 0);
            cr_assert_not_null(p, "%s", a->name);
            memset(p, 1, 1000);
            a->dealloc(heap, p, 1000);
            a->close(heap);
        }
    }
}

static void maps_what_it_hands_out(const struct allocator *a, struct heap *heap)
{
    struct heap_report report;
    if (!a->inspect || a->inspect(heap, &report) != 0 ||
        report.mapped_bytes == SIZE_MAX)
        return;
    enum { BLOCKS = 64, SIZE = 100000 };
    void *p[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        p[i] = memset(a->alloc(heap, SIZE, 0), 1, SIZE);
    cr_assert_eq(a->inspect(heap, &report), 0);
    cr_assert_geq(report.mapped_bytes, (size_t)BLOCKS * SIZE, "%s", a->name);
    for (size_t i = 0; i < BLOCKS; i++)
        a->dealloc(heap, p[i], SIZE);
}

Test(allocators, mapped_bytes_cover_what_is_handed_out)
{
    for_each_backend(maps_what_it_hands_out);
}

Test(allocators, the_floor_gives_writable_aligned_addresses)
{
    const struct allocator *a = allocator_find("null");
    struct heap *heap = open_heap(a);
    uint64_t state = 1;
    for (size_t i = 0; i < 100000; i++) {
        const size_t size = random_size(&state) * (i % 100 ? 1 : 16);
        const size_t align = i % 3 ? 0 : (size_t)1 << i % 22;
        char *p = a->alloc(heap, size, align);
        cr_assert_not_null(p);
        cr_assert_eq((uintptr_t)p % (align ? align : 16), 0);
        if (size > 0)
            p[0] = p[size - 1] = 1;
        a->dealloc(heap, p, size);
    }
    cr_assert_null(a->alloc(heap, SIZE_MAX, 0));
    cr_assert_null(a->alloc(heap, SIZE_MAX, (size_t)1 << 40));
    a->close(heap);
}

Test(allocators, a_choice_is_a_name_or_a_name_and_its_knobs)
{
    static const struct {
        const char *text;
        int err;
    } choices[] = {
        {"null", 0},           {"system", 0},     {"", ENOENT},
        {"nul", ENOENT},       {"null:", 0},      {"null:x=1", EINVAL},
        {"./null.so", ENOENT}, {"nullx", ENOENT},
    };

    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        const struct allocator *a = NULL;
        struct knob_values values;
        char why[256] = "";
        const int err =
            allocator_choose(choices[i].text, &a, &values, why, sizeof why);

        cr_assert_eq(err, choices[i].err, "%s: %d", choices[i].text, err);
        cr_assert_eq(err == EINVAL, why[0] != '\0', "%s", choices[i].text);
        cr_assert_eq(err == 0, a != NULL && !why[0], "%s", choices[i].text);
    }
}
