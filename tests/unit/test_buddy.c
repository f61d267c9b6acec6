/* test_buddy.c - the buddy system: its invariant, its bytes, its threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "buddy.h"
#include "heap_walk.h"

static const struct allocator *const A = &buddy_allocator;

enum { KIB = 1024, MIB = 1024 * KIB };

/* Each test is made with each of these. */
static const char *const variants[] = {
    "kind=binary",
    "kind=binary:quick=0",
    "kind=weighted",
    "kind=weighted:quick=0:decay=0",
    "kind=weighted:cache=16m:quick=1000",
    "kind=nonblocking",
    "kind=nonblocking:quick=0:decay=0",
    NULL,
};

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void check(struct heap *heap)
{
    const char *fault = buddy_check(heap);
    cr_assert_null(fault, "%s", fault);
}

static struct heap *open_heap(const char *knobs, unsigned threads)
{
    struct knob_values values;
    char why[200];
    cr_assert_eq(
        knobs_parse("buddy", A->knobs, knobs, &values, why, sizeof why), 0,
        "%s", why);
    const struct heap_config config = {
        .threads = threads, .max_size = 64 * (size_t)MIB, .knobs = &values};
    struct heap *heap = NULL;
    cr_assert_eq(A->open(&config, &heap), 0);
    check(heap);
    return heap;
}

static struct heap_report inspect(struct heap *heap)
{
    struct heap_report report;
    cr_assert_eq(A->inspect(heap, &report), 0);
    return report;
}

static bool is_weighted(const char *knobs)
{
    return strstr(knobs, "weighted") != NULL;
}

/* A block of `bytes`, all of it written. */
static void *fill(struct heap *heap, size_t bytes)
{
    void *const p = A->alloc(heap, bytes, 0);
    cr_assert_not_null(p);
    return memset(p, 1, bytes);
}

/* ---- The walk ---- */

struct tour {
    struct heap_span span; /* the last one */
    const char *end;       /* of its last block */
    size_t span_bytes, blocks[3], bytes[3];
    size_t cut_spans; /* with blocks in them */
    size_t faults;
    const void *sought; /* a live block */
    size_t found;
};

static void tour_span(void *arg, const struct heap_span *span)
{
    struct tour *const tour = arg;
    tour->faults += span->bytes == 0;
    tour->span = *span;
    tour->cut_spans += span->kind == SPAN_BLOCKS;
    tour->end = span->start;
    tour->span_bytes += span->bytes;
}

static void tour_block(void *arg, const struct heap_block *block)
{
    struct tour *const tour = arg;
    const char *const start = block->start;
    const char *const end = (const char *)tour->span.start + tour->span.bytes;
    tour->faults += tour->span.kind != SPAN_BLOCKS || start < tour->end ||
                    block->bytes > (size_t)(end - start);
    tour->end = start + block->bytes;
    tour->blocks[block->state]++;
    tour->bytes[block->state] += block->bytes;
    tour->found += block->state == BLOCK_LIVE && start == tour->sought;
}

static struct tour walk(struct heap *heap, const void *sought)
{
    struct tour tour = {.sought = sought};
    const struct heap_visitor visitor = {&tour, tour_span, tour_block};
    cr_assert_eq(A->walk(heap, &visitor), 0);
    cr_assert_eq(tour.faults, 0);
    const struct heap_report report = inspect(heap);
    cr_assert_eq(tour.bytes[BLOCK_LIVE], report.live_bytes);
    cr_assert_eq(tour.blocks[BLOCK_LIVE], report.live_blocks);
    cr_assert_eq(tour.span_bytes, report.mapped_bytes);
    check(heap);
    return tour;
}

/* Nothing is live: all that was cut is whole again. */
static void close_heap(struct heap *heap)
{
    A->leave(heap);
    const struct tour tour = walk(heap, NULL);
    cr_assert_eq(tour.blocks[BLOCK_LIVE], 0);
    cr_assert_eq(tour.cut_spans, 0);
    A->close(heap);
}

static void shows_every_block(const char *knobs)
{
    enum { N = 3000 };
    static void *p[N];
    uint64_t random = 9;
    struct heap *heap = open_heap(knobs, 1);
    (void)walk(heap, NULL);
    for (size_t i = 0; i < N; i++)
        p[i] = A->alloc(heap, next_random(&random) % 9000, 0);
    void *big = A->alloc(heap, 50 * MIB, 0);
    for (size_t i = 0; i < N; i += 2)
        A->dealloc(heap, p[i], 0);
    const struct tour tour = walk(heap, p[1]);
    cr_assert_eq(tour.found, 1);
    cr_assert_eq(tour.blocks[BLOCK_CACHED] > 100, !strstr(knobs, "quick=0"));
    cr_assert_gt(tour.blocks[BLOCK_FREE], 10);
    cr_assert_eq(walk(heap, big).found, 1);
    cr_assert_eq(walk(heap, p[0]).found, 0);
    for (size_t i = 1; i < N; i += 2)
        A->dealloc(heap, p[i], 0);
    A->dealloc(heap, big, 50 * MIB);
    cr_assert_eq(walk(heap, NULL).blocks[BLOCK_LIVE], 0);
    close_heap(heap);
}

static void with_each_variant(void (*property)(const char *knobs))
{
    for (size_t i = 0; variants[i]; i++)
        property(variants[i]);
}

Test(buddy, a_walk_shows_every_block_and_all_that_is_mapped)
{
    with_each_variant(shows_every_block);
}

/* ---- Single cases ---- */

static void rounds_sizes(const char *knobs)
{
    static const size_t sizes[][3] = {
        /* asked, binary, weighted */
        {0, 16, 16},
        {1, 16, 16},
        {16, 16, 16},
        {17, 32, 32},
        {33, 64, 48},
        {48, 64, 48},
        {49, 64, 64},
        {65, 128, 96},
        {257, 512, 384},
        {385, 512, 512},
        {513, 1024, 768},
        {4096, 4096, 4096},
        {4097, 8192, 6144},
        {6145, 8192, 8192},
        {2 * MIB + 1, 4 * MIB, 3 * MIB},
        {3 * MIB + 1, 4 * MIB, 4 * MIB},
        {4 * MIB, 4 * MIB, 4 * MIB},
    };
    struct heap *heap = open_heap(knobs, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t want = sizes[i][is_weighted(knobs) ? 2 : 1];
        void *p = A->alloc(heap, sizes[i][0], 0);
        cr_assert_not_null(p);
        cr_assert_eq(A->usable(heap, p, sizes[i][0]), want);
        cr_assert_eq(inspect(heap).live_bytes, want);
        A->dealloc(heap, p, sizes[i][0]);
        check(heap);
    }
    char *big = A->alloc(heap, 40 * MIB + 1, 0);
    cr_assert_geq(A->usable(heap, big, 40 * MIB + 1), 40 * (size_t)MIB + 1);
    big[40 * MIB] = 1;
    check(heap);
    A->dealloc(heap, big, 40 * MIB + 1);
    A->dealloc(heap, NULL, 0);
    close_heap(heap);
}

Test(buddy, sizes_are_rounded_up_to_classes)
{
    with_each_variant(rounds_sizes);
}

static void meets_alignments(const char *knobs)
{
    static const size_t sizes[] = {0, 1, 100, 5000, 3 * MIB, 33 * MIB};
    struct heap *heap = open_heap(knobs, 1);
    void *block[6][29];
    for (size_t s = 0; s < 6; s++) {
        for (size_t k = 0; k < 29; k++) {
            char *p = block[s][k] = A->alloc(heap, sizes[s], (size_t)1 << k);
            cr_assert_not_null(p);
            cr_assert_eq((uintptr_t)p & (((size_t)1 << k) - 1), 0);
            cr_assert_eq((uintptr_t)p % 16, 0);
            if (sizes[s])
                p[0] = p[sizes[s] - 1] = 1;
        }
        check(heap);
    }
    cr_assert_eq(inspect(heap).live_blocks, 6 * 29);
    for (size_t s = 0; s < 6; s++) {
        for (size_t k = 0; k < 29; k++)
            A->dealloc(heap, block[s][k], sizes[s]);
        check(heap);
    }
    close_heap(heap);
}

Test(buddy, every_alignment_is_met)
{
    with_each_variant(meets_alignments);
}

static void refuses_the_impossible(const char *knobs)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2 + 1,
                                   (size_t)PTRDIFF_MAX,
                                   (size_t)PTRDIFF_MAX - 64};
    struct heap *heap = open_heap(knobs, 1);
    char *p = A->alloc(heap, 10, 0);
    p[9] = 'p';
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 0;
        cr_assert_null(A->alloc(heap, sizes[i], 0));
        cr_assert_eq(errno, ENOMEM);
        errno = 0;
        cr_assert_null(A->alloc(heap, sizes[i], (size_t)1 << 40));
        cr_assert_eq(errno, ENOMEM);
        errno = 0;
        cr_assert_null(A->zalloc(heap, sizes[i]));
        cr_assert_eq(errno, ENOMEM);
        errno = 0;
        cr_assert_null(A->resize(heap, p, 10, sizes[i]));
        cr_assert_eq(errno, ENOMEM);
    }
    cr_assert_null(A->alloc(heap, 1, (size_t)1 << 63));
    cr_assert_null(A->alloc(heap, 1, (size_t)1 << 62));
    check(heap);
    cr_assert_eq(p[9], 'p');
    cr_assert_eq(inspect(heap).live_blocks, 1);
    A->dealloc(heap, p, 10);
    close_heap(heap);
}

Test(buddy, impossible_sizes_fail_and_change_nothing)
{
    with_each_variant(refuses_the_impossible);
}

/* Sizes above the quick lists, so that buddies are where they are expected. */
Test(buddy, resize_stays_in_place_where_it_can)
{
    static const char *const locked[] = {"kind=binary", "kind=weighted"};
    for (size_t i = 0; i < 2; i++) {
        struct heap *heap = open_heap(locked[i], 1);
        char *p = A->alloc(heap, 128 * KIB, 0);
        p[0] = 'p';
        cr_assert_eq(A->resize(heap, p, 128 * KIB, 100 * KIB), (void *)p);
        cr_assert_eq(A->resize(heap, p, 100 * KIB, 512 * KIB), (void *)p);
        cr_assert_eq(A->usable(heap, p, 512 * KIB), 512 * KIB);
        check(heap);
        cr_assert_eq(A->resize(heap, p, 512 * KIB, 100), (void *)p);
        cr_assert_eq(A->usable(heap, p, 100), 256);
        check(heap);
        cr_assert_eq(A->resize(heap, p, 100, 128 * KIB), (void *)p);
        char *q = A->alloc(heap, 128 * KIB, 0);
        cr_assert_eq(q, p + 128 * KIB);
        char *copy = A->resize(heap, p, 128 * KIB, 1 * MIB);
        cr_assert_neq(copy, p);
        cr_assert_eq(copy[0], 'p');
        check(heap);
        A->dealloc(heap, copy, 1 * MIB);
        A->dealloc(heap, q, 128 * KIB);
        close_heap(heap);
    }
}

Test(buddy, three_quarters_grow_and_shrink_among_themselves)
{
    struct heap *heap = open_heap("kind=weighted", 1);
    char *p = A->alloc(heap, 96 * KIB, 0);
    cr_assert_eq(A->resize(heap, p, 96 * KIB, 700 * KIB), (void *)p);
    cr_assert_eq(A->usable(heap, p, 0), 768 * KIB);
    cr_assert_eq(A->resize(heap, p, 700 * KIB, 128 * KIB), (void *)p);
    cr_assert_eq(A->usable(heap, p, 0), 192 * KIB);
    check(heap);
    cr_assert_eq(A->resize(heap, p, 128 * KIB, 3 * MIB), (void *)p);
    check(heap);
    char *q = A->resize(heap, p, 3 * MIB, 3 * MIB + 1);
    cr_assert_neq(p, q);
    cr_assert_eq(A->resize(heap, q, 3 * MIB + 1, 1), (void *)q);
    A->dealloc(heap, q, 1);
    close_heap(heap);
}

/* Expected: a block beyond 32 MiB grows by its pages.  Buggy: it was copied,
 * and for a while there twice. */
Test(buddy, a_block_with_its_own_mapping_grows_by_its_pages)
{
    struct heap *heap = open_heap("", 1);
    const size_t rest = inspect(heap).mapped_bytes;
    size_t size = 33 * (size_t)MIB;
    unsigned char *p = fill(heap, size);
    for (size_t more = 40 * (size_t)MIB; more < 400 * (size_t)MIB;
         more += 40 * (size_t)MIB) {
        p = A->resize(heap, p, size, more);
        cr_assert_not_null(p);
        cr_assert(p[0] == 1 && p[33 * MIB - 1] == 1 && p[33 * MIB] == 0);
        cr_assert_leq(inspect(heap).mapped_bytes, rest + more + 64 * KIB);
        size = more;
        check(heap);
    }
    cr_assert_eq(A->resize(heap, p, size, 5 * MIB), (void *)p);
    cr_assert_leq(inspect(heap).mapped_bytes, rest + 5 * MIB + 64 * KIB);
    check(heap);
    p = A->resize(heap, p, 5 * MIB, 20);
    cr_assert_eq(p[0], 1);
    A->dealloc(heap, p, 20);
    close_heap(heap);
}

/* ---- Memory ---- */

static size_t resident_bytes(void)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    cr_assert_not_null(f);
    cr_assert_eq(fscanf(f, "%*u %zu", &pages), 1);
    fclose(f);
    return pages * 4 * KIB;
}

/* What comes back makes the heap look at its free pages. */
static void pass_decay(struct heap *heap)
{
    for (size_t i = 0; i < 16; i++)
        A->dealloc(heap, A->alloc(heap, 256 * KIB, 0), 0);
}

/* Expected: free pages inside of a region in use go back to the system.
 * Buggy: only whole regions did. */
static void discards_pages(const char *knobs)
{
    enum { N = 4000 };
    static void *p[N];
    char text[100];
    (void)snprintf(text, sizeof text, "%s:cache=0:decay=0",
                   is_weighted(knobs) ? "kind=weighted" : "kind=binary");
    struct heap *heap = open_heap(text, 1);
    for (size_t i = 0; i < N; i++)
        p[i] = fill(heap, 8 * KIB);
    const size_t full = resident_bytes();
    for (size_t i = 0; i < N; i++) {
        if (i % 16)
            A->dealloc(heap, p[i], 0);
    }
    pass_decay(heap);
    check(heap);
    cr_assert_lt(resident_bytes(), full - N / 10 * 8 * 8 * KIB);
    for (size_t i = 0; i < N; i += 16) {
        cr_assert(((char *)p[i])[8 * KIB - 1] == 1);
        A->dealloc(heap, p[i], 0);
    }
    const size_t mapped = inspect(heap).mapped_bytes;
    pass_decay(heap);
    pass_decay(heap);
    cr_assert_lt(inspect(heap).mapped_bytes, mapped - 24 * (size_t)MIB);
    close_heap(heap);
}

Test(buddy, free_pages_go_back_after_the_decay)
{
    discards_pages("kind=binary");
    discards_pages("kind=weighted");
}

/* The kind without a lock gives back chunks of 64 KiB: every other one is
 * free here. */
Test(buddy, free_chunks_go_back_without_a_lock)
{
    enum { N = 4000 };
    static void *p[N];
    struct heap *heap = open_heap("kind=nonblocking:cache=0:decay=0", 1);
    for (size_t i = 0; i < N; i++)
        p[i] = fill(heap, 8 * KIB);
    const size_t full = resident_bytes();
    for (size_t i = 0; i < N; i++) {
        if (i % 16)
            A->dealloc(heap, p[i], 0);
    }
    for (size_t i = 0; i < 4; i++)
        pass_decay(heap);
    check(heap);
    cr_assert_lt(resident_bytes(), full - N / 10 * 4 * 8 * KIB);
    for (size_t i = 0; i < N; i += 16) {
        cr_assert(((char *)p[i])[0] == 1 && ((char *)p[i])[8 * KIB - 1] == 1);
        A->dealloc(heap, p[i], 0);
    }
    close_heap(heap);
}

static void bounds_caches(const char *knobs)
{
    enum { N = 20000 };
    static void *p[N];
    uint64_t random = 5;
    const size_t bound = strstr(knobs, "cache=16m") ? 16 * MIB : MIB;
    struct heap *heap = open_heap(knobs, 1);
    for (size_t i = 0; i < N; i++)
        p[i] = A->alloc(heap, next_random(&random) % ((size_t)64 << i % 11), 0);
    for (size_t i = 0; i < N; i++)
        A->dealloc(heap, p[i], 0);
    const struct tour tour = walk(heap, NULL);
    cr_assert_leq(tour.bytes[BLOCK_CACHED], bound);
    close_heap(heap);
}

Test(buddy, a_thread_caches_no_more_bytes_than_its_knob_says)
{
    with_each_variant(bounds_caches);
}

/* ---- Against a model ---- */

enum {
    SLOTS = 1500,
    STEPS = 60000,
    MARKED = 64 /* bytes that are marked at both ends of a block */
};

struct slot {
    unsigned char *p;
    size_t size;
    unsigned char mark;
};

static size_t random_size(uint64_t *seed)
{
    const uint64_t r = next_random(seed);
    if (r % 4096 == 0)
        return 4 * MIB - 100 + next_random(seed) % (8 * MIB);
    if (r % 512 == 0)
        return next_random(seed) % (4 * MIB);
    return next_random(seed) % ((size_t)2 << (r >> 60));
}

static void mark(struct slot *slot)
{
    for (size_t i = 0; i < slot->size && i < MARKED; i++)
        slot->p[i] = slot->p[slot->size - 1 - i] = slot->mark;
}

static void verify(const struct slot *slot, size_t size)
{
    for (size_t i = 0; i < size && i < MARKED; i++)
        cr_assert_eq(slot->p[i], slot->mark);
    for (size_t i = 0; size == slot->size && i < size && i < MARKED; i++)
        cr_assert_eq(slot->p[size - 1 - i], slot->mark);
}

static void fill_slot(struct heap *heap, struct slot *slot, uint64_t *seed)
{
    const uint64_t r = next_random(seed);
    slot->size = random_size(seed);
    slot->mark = (unsigned char)(r >> 32);
    if (r % 4 == 0) {
        slot->p = A->zalloc(heap, slot->size);
        for (size_t i = 0; i < slot->size; i++) {
            if (slot->p[i])
                cr_assert_fail("zalloc gave a byte that is not zero");
        }
    } else {
        const size_t align = r % 4 == 1 ? (size_t)1 << (r >> 8) % 14 : 0;
        slot->p = A->alloc(heap, slot->size, align);
        cr_assert(!align || (uintptr_t)slot->p % align == 0);
    }
    cr_assert_not_null(slot->p);
    mark(slot);
}

static void step(struct heap *heap, struct slot *slot, uint64_t *seed)
{
    if (!slot->p) {
        fill_slot(heap, slot, seed);
        return;
    }
    verify(slot, slot->size);
    if (next_random(seed) % 3) {
        A->dealloc(heap, slot->p, slot->size);
        slot->p = NULL;
        return;
    }
    const size_t size = random_size(seed) + 1;
    slot->p = A->resize(heap, slot->p, slot->size, size);
    cr_assert_not_null(slot->p);
    /* What was marked at the front and is still inside. */
    verify(slot, slot->size < size ? slot->size : size < MARKED ? size : 0);
    slot->size = size;
    mark(slot);
}

static void check_model(struct heap *heap, const struct slot *slots)
{
    size_t bytes = 0, blocks = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (!slots[i].p)
            continue;
        const size_t usable = A->usable(heap, slots[i].p, slots[i].size);
        cr_assert_geq(usable, slots[i].size);
        bytes += usable;
        blocks++;
    }
    check(heap);
    cr_assert_eq(inspect(heap).live_bytes, bytes);
    cr_assert_eq(inspect(heap).live_blocks, blocks);
}

static void follows_its_model(const char *knobs)
{
    static struct slot slots[SLOTS];
    for (uint64_t seed = 1; seed <= 2; seed++) {
        uint64_t random = seed;
        struct heap *heap = open_heap(knobs, 1);
        cr_assert_eq(A->enter(heap), 0);
        for (size_t i = 0; i < STEPS; i++) {
            step(heap, &slots[next_random(&random) % SLOTS], &random);
            if (i % 1000 == 0)
                check_model(heap, slots);
        }
        for (size_t i = 0; i < SLOTS; i++) {
            A->dealloc(heap, slots[i].p, slots[i].size);
            slots[i].p = NULL;
        }
        close_heap(heap);
    }
}

Test(buddy, behaves_like_its_model)
{
    with_each_variant(follows_its_model);
}

/* ---- Threads ---- */

enum { THREADS = 4, SHARED_SLOTS = 512, THREAD_STEPS = 100000 };

struct parcel {
    size_t size;
    uint64_t stamp;
};

static struct heap *shared_heap;
static struct parcel *_Atomic shared_slots[SHARED_SLOTS];
static atomic_uint faults;

static void open_parcel(struct parcel *parcel)
{
    if (!parcel)
        return;
    if (parcel->stamp != (parcel->size ^ (uintptr_t)parcel))
        atomic_fetch_add(&faults, 1);
    A->dealloc(shared_heap, parcel, parcel->size);
}

/* Put parcels into shared slots, and free what stood there, most often from
 * another thread. */
static void *exchange(void *seed)
{
    uint64_t random = *(const uint64_t *)seed;
    if (A->enter(shared_heap))
        atomic_fetch_add(&faults, 1);
    for (size_t i = 0; i < THREAD_STEPS; i++) {
        const uint64_t r = next_random(&random);
        size_t size = sizeof(struct parcel) + r % ((size_t)64 << (r >> 61));
        if (r % 1024 == 0)
            size += 100 * KIB;
        struct parcel *parcel = A->alloc(shared_heap, size, 0);
        if (!parcel) {
            atomic_fetch_add(&faults, 1);
            continue;
        }
        if (r % 8 == 1) {
            parcel->stamp = r;
            struct parcel *moved =
                A->resize(shared_heap, parcel, size, size + r % 3000);
            if (!moved || moved->stamp != r)
                atomic_fetch_add(&faults, 1);
            else
                parcel = moved, size += r % 3000;
        }
        parcel->size = size;
        parcel->stamp = size ^ (uintptr_t)parcel;
        open_parcel(
            atomic_exchange(&shared_slots[(r >> 16) % SHARED_SLOTS], parcel));
    }
    A->leave(shared_heap);
    return NULL;
}

static void run_threads(const char *knobs, unsigned threads, unsigned told)
{
    pthread_t thread[40];
    uint64_t seed[40];
    shared_heap = open_heap(knobs, told);
    for (unsigned i = 0; i < threads; i++) {
        seed[i] = i + 1;
        cr_assert_eq(pthread_create(&thread[i], NULL, exchange, &seed[i]), 0);
    }
    for (unsigned i = 0; i < threads; i++)
        (void)pthread_join(thread[i], NULL);
    cr_assert_eq(atomic_load(&faults), 0);
    check(shared_heap);
    for (size_t i = 0; i < SHARED_SLOTS; i++)
        open_parcel(atomic_exchange(&shared_slots[i], NULL));
    cr_assert_eq(atomic_load(&faults), 0);
    close_heap(shared_heap);
}

static void serves_threads(const char *knobs)
{
    run_threads(knobs, THREADS, THREADS);
}

Test(buddy, threads_free_the_blocks_of_others)
{
    with_each_variant(serves_threads);
}

/* More threads than seats: some then use the kind alone. */
static void serves_the_seatless(const char *knobs)
{
    run_threads(knobs, 24, 1);
}

Test(buddy, threads_without_a_seat_are_served)
{
    with_each_variant(serves_the_seatless);
}

static void *free_parcel(void *parcel)
{
    A->dealloc(shared_heap, parcel, 100);
    return NULL;
}

/* Expected: threads that only free take no seat.  Buggy: each took one, and
 * when it freed after it had left, for good; then none was left. */
Test(buddy, who_only_frees_takes_no_seat)
{
    shared_heap = open_heap("", 1);
    for (size_t i = 0; i < 64; i++) {
        pthread_t thread;
        void *parcel = A->alloc(shared_heap, 100, 0);
        A->leave(shared_heap);
        cr_assert_eq(pthread_create(&thread, NULL, free_parcel, parcel), 0);
        (void)pthread_join(thread, NULL);
        cr_assert_eq(walk(shared_heap, NULL).blocks[BLOCK_CACHED], 0);
    }
    close_heap(shared_heap);
}
