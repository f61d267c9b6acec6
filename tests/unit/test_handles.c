/* test_handles.c - the compacting heap of handles.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "forked.h"
#include "handles.h"
#include "random.h"

/* A sanitizer's shadow memory does not fit a limited address space. */
#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#elif defined __SANITIZE_THREAD__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static struct hy_handles *open_heap(size_t max_bytes, double threshold)
{
    const struct hy_handles_config config = {.max_bytes = max_bytes,
                                             .threshold = threshold};
    struct hy_handles *heap = NULL;
    cr_assert_eq(hy_handles_open(&config, &heap), 0);
    return heap;
}

static struct hy_handles_metrics check_heap(struct hy_handles *heap)
{
    struct hy_handles_metrics m;
    const char *const fault = hy_handles_check(heap);
    cr_assert_null(fault, "%s", fault);
    hy_handles_measure(heap, &m);
    cr_assert_geq(m.mapped_bytes, m.block_bytes);
    cr_assert_geq(m.block_bytes, m.live_bytes + 8 * m.objects);
    return m;
}

/* ---- single claims ---- */

Test(handles, opens_only_what_makes_sense)
{
    static const struct hy_handles_config bad[] = {
        {.threshold = 1},
        {.threshold = 1.05},
        {.threshold = -2},
        {.threshold = NAN},
        {.max_bytes = 1},
        {.max_bytes = 100000},
        {.max_bytes = (1 << 20) - 1},
    };
    struct hy_handles *heap;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(hy_handles_open(&bad[i], &heap), EINVAL, "%zu", i);
    hy_handles_close(NULL);
}

Test(handles, no_handle_is_valid_twice)
{
    struct hy_handles *heap = open_heap(0, 0);
    size_t size;
    const uint64_t first = hy_handles_alloc(heap, 10);
    cr_assert_eq(hy_handles_free(heap, first), 0);
    /* More often than an entry has generations (2^19 lives). */
    for (unsigned i = 0; i < 1100000; i++) {
        const uint64_t h = hy_handles_alloc(heap, 10);
        cr_assert(h != 0 && h != first);
        cr_assert_eq(hy_handles_size(heap, first, &size), ESTALE);
        cr_assert_eq(hy_handles_free(heap, h), 0);
    }
    check_heap(heap);
    static const uint64_t forged[] = {0,
                                      1,
                                      2,
                                      UINT32_MAX,
                                      UINT64_MAX,
                                      (uint64_t)1 << 32,
                                      (uint64_t)1 << 32 | 77};
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        cr_assert_eq(hy_handles_free(heap, forged[i]), ESTALE, "%zu", i);
        cr_assert_eq(hy_handles_resize(heap, forged[i], 1), ESTALE);
        cr_assert_eq(hy_handles_unpin(heap, forged[i]), ESTALE);
        errno = 0;
        cr_assert_null(hy_handles_pin(heap, forged[i]));
        cr_assert_eq(errno, ESTALE);
    }
    hy_handles_close(heap);
}

Test(handles, pins_are_counted_and_bounded)
{
    struct hy_handles *heap = open_heap(0, 0);
    const uint64_t h = hy_handles_alloc(heap, 24);
    void *const p = hy_handles_pin(heap, h);
    cr_assert_not_null(p);
    cr_assert_eq((uintptr_t)p % 16, 0);
    for (unsigned i = 1; i < HY_HANDLES_PINS_MAX; i++)
        cr_assert_eq(hy_handles_pin(heap, h), p);
    errno = 0;
    cr_assert_null(hy_handles_pin(heap, h));
    cr_assert_eq(errno, EOVERFLOW);
    cr_assert_eq(check_heap(heap).pinned, 1);
    for (unsigned i = 0; i < HY_HANDLES_PINS_MAX; i++) {
        cr_assert_eq(hy_handles_free(heap, h), EBUSY);
        cr_assert_eq(hy_handles_resize(heap, h, 1000), EBUSY);
        cr_assert_eq(hy_handles_unpin(heap, h), 0);
    }
    cr_assert_eq(hy_handles_unpin(heap, h), EINVAL);
    cr_assert_eq(check_heap(heap).pinned, 0);
    cr_assert_eq(hy_handles_free(heap, h), 0);
    hy_handles_close(heap);
}

/* Field 0: address space; 1: memory. */
static size_t statm_bytes(unsigned field)
{
    unsigned long pages[2] = {0};
    FILE *const file = fopen("/proc/self/statm", "r");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%lu %lu", &pages[0], &pages[1]), 2);
    fclose(file);
    return pages[field] * (size_t)sysconf(_SC_PAGESIZE);
}

enum { MANY = 100000 };
static uint64_t many[MANY];

/* MANY objects of 16 to 512 bytes, each filled with its own number. */
static void fill_many(struct hy_handles *heap, struct random *r)
{
    for (uint32_t i = 0; i < MANY; i++) {
        const size_t size = random_between(r, 16, 512);
        many[i] = hy_handles_alloc(heap, size);
        cr_assert_neq(many[i], 0);
        memset(hy_handles_pin(heap, many[i]), (int)(i & 0xff), size);
        hy_handles_unpin(heap, many[i]);
    }
}

/* Free 9 of 10; returns how many are left. */
static size_t thin_out(struct hy_handles *heap, struct random *r)
{
    size_t left = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        if (random_below(r, 10) == 0) {
            left++;
            continue;
        }
        cr_assert_eq(hy_handles_free(heap, many[i]), 0);
        many[i] = 0;
    }
    return left;
}

static void verify_many(struct hy_handles *heap)
{
    for (uint32_t i = 0; i < MANY; i++) {
        size_t size;
        if (!many[i])
            continue;
        cr_assert_eq(hy_handles_size(heap, many[i], &size), 0);
        const unsigned char *const p = hy_handles_pin(heap, many[i]);
        cr_assert_not_null(p);
        cr_assert_eq((uintptr_t)p % 16, 0);
        for (size_t k = 0; k < size; k++)
            cr_assert_eq(p[k], i & 0xff);
        cr_assert_eq(hy_handles_unpin(heap, many[i]), 0);
    }
}

Test(handles, compaction_gives_memory_back)
{
    struct hy_handles *heap = open_heap(0, INFINITY);
    struct random r;
    random_seed(&r, 7);
    memset(many, 0, sizeof many);
    fill_many(heap, &r);
    const size_t full = statm_bytes(1);
    const size_t left = thin_out(heap, &r);
    struct hy_handles_metrics m = check_heap(heap);
    cr_assert_eq(m.objects, left);
    cr_assert_eq(m.moved_objects, 0);
    cr_assert_eq(m.compactions, 0);
    cr_assert(!hy_handles_compact(heap, SIZE_MAX), "not done");
    m = check_heap(heap);
    cr_assert_leq(m.moved_bytes, m.block_bytes);
    /* 16/15 of the blocks, a head, the reserve, and the tables. */
    cr_assert_leq(m.mapped_bytes - m.table_bytes,
                  m.block_bytes / 15 * 16 + (768 << 10), "%zu", m.mapped_bytes);
    cr_assert_leq(statm_bytes(1), full - (18 << 20));
    cr_assert(!hy_handles_compact(heap, SIZE_MAX));
    cr_assert_eq(check_heap(heap).moved_bytes, m.moved_bytes, "moved again");
    verify_many(heap);
    hy_handles_close(heap);
}

Test(handles, a_budget_is_kept_and_the_work_goes_on)
{
    struct hy_handles *heap = open_heap(0, INFINITY);
    struct random r;
    uint64_t moved = 0;
    unsigned calls = 0;
    random_seed(&r, 8);
    memset(many, 0, sizeof many);
    fill_many(heap, &r);
    thin_out(heap, &r);
    for (bool has_more = true; has_more; calls++) {
        has_more = hy_handles_compact(heap, 10000);
        struct hy_handles_metrics m;
        hy_handles_measure(heap, &m);
        cr_assert_leq(m.moved_bytes - moved, 10000 + 512 + 24);
        if (calls % 32 == 0)
            check_heap(heap);
        moved = m.moved_bytes;
    }
    cr_assert_gt(calls, 200);
    verify_many(heap);
    hy_handles_close(heap);
}

Test(handles, pacing_keeps_the_threshold)
{
    static const double thresholds[] = {1.1, 1.25, 1.5, 2, 4};
    for (size_t t = 0; t < sizeof thresholds / sizeof *thresholds; t++) {
        struct hy_handles *heap = open_heap(0, thresholds[t]);
        struct random r;
        random_seed(&r, 9 + t);
        memset(many, 0, sizeof many);
        fill_many(heap, &r);
        for (uint32_t i = 0; i < MANY; i++) {
            if (random_below(&r, 10) == 0)
                continue;
            cr_assert_eq(hy_handles_free(heap, many[i]), 0);
            many[i] = 0;
            struct hy_handles_metrics m;
            hy_handles_measure(heap, &m);
            if (i % 8192 == 0)
                check_heap(heap);
            /* Slack, reserve, and what a step may lag behind. */
            cr_assert_leq((double)(m.mapped_bytes - m.table_bytes),
                          thresholds[t] * (double)m.block_bytes + (2 << 20),
                          "threshold %g: %zu of %zu", thresholds[t],
                          m.mapped_bytes, m.block_bytes);
        }
        verify_many(heap);
        hy_handles_close(heap);
    }
}

Test(handles, pinned_objects_stay_and_pages_around_them_go)
{
    enum { PINNED = 40 };
    struct hy_handles *heap = open_heap(0, INFINITY);
    struct random r;
    const void *at[PINNED];
    uint64_t pinned[PINNED];
    random_seed(&r, 10);
    memset(many, 0, sizeof many);
    fill_many(heap, &r);
    for (unsigned i = 0; i < PINNED; i++) {
        pinned[i] = many[i * (MANY / PINNED)];
        at[i] = hy_handles_pin(heap, pinned[i]);
    }
    for (uint32_t i = 0; i < MANY; i++)
        if (i % (MANY / PINNED))
            hy_handles_free(heap, many[i]), many[i] = 0;
    cr_assert(!hy_handles_compact(heap, SIZE_MAX));
    struct hy_handles_metrics m = check_heap(heap);
    cr_assert_eq(m.objects, PINNED);
    cr_assert_eq(m.pinned, PINNED);
    cr_assert_eq(m.pinned_at_compaction, PINNED);
    /* Two heads and the reserve; two pages for each, and one for its gap. */
    cr_assert_leq(m.mapped_bytes - m.table_bytes,
                  3 * (256 << 10) + PINNED * 3 * 4096, "%zu", m.mapped_bytes);
    for (unsigned i = 0; i < PINNED; i++) {
        cr_assert_eq(hy_handles_pin(heap, pinned[i]), at[i], "has moved");
        hy_handles_unpin(heap, pinned[i]);
    }
    verify_many(heap);
    for (unsigned i = 0; i < PINNED; i++)
        cr_assert_eq(hy_handles_unpin(heap, pinned[i]), 0);
    cr_assert(!hy_handles_compact(heap, SIZE_MAX));
    m = check_heap(heap);
    cr_assert_leq(m.mapped_bytes - m.table_bytes, 3 * (256 << 10));
    verify_many(heap);
    hy_handles_close(heap);
}

Test(handles, at_the_limit_compaction_makes_room)
{
    enum { LIMIT = 8 << 20, SIZE = 1000, MOST = LIMIT / SIZE };
    static uint64_t held[MOST];
    struct hy_handles *heap = open_heap(LIMIT, INFINITY);
    size_t n = 0;
    while (n < MOST && (held[n] = hy_handles_alloc(heap, SIZE)))
        n++;
    cr_assert_eq(errno, ENOMEM);
    cr_assert_gt(n, MOST * 8 / 10);
    cr_assert_leq(check_heap(heap).mapped_bytes, LIMIT);
    /* Every second one: no segment is empty, half of the memory is. */
    for (size_t i = 0; i < n; i += 2) {
        memset(hy_handles_pin(heap, held[i + 1 < n ? i + 1 : i]), 7, SIZE);
        hy_handles_unpin(heap, held[i + 1 < n ? i + 1 : i]);
        cr_assert_eq(hy_handles_free(heap, held[i]), 0);
    }
    for (size_t i = 0; i + 1 < n * 8 / 10; i += 2)
        cr_assert_neq(held[i] = hy_handles_alloc(heap, SIZE), 0, "%zu", i);
    cr_assert_leq(check_heap(heap).mapped_bytes, LIMIT);
    const uint64_t large = hy_handles_alloc(heap, LIMIT);
    cr_assert_eq(large, 0);
    for (size_t i = 1; i < n; i += 2) {
        const unsigned char *const p = hy_handles_pin(heap, held[i]);
        cr_assert(p[0] == 7 && p[SIZE - 1] == 7);
        cr_assert_eq(hy_handles_unpin(heap, held[i]), 0);
    }
    check_heap(heap);
    hy_handles_close(heap);
}

Test(handles, refuses_what_cannot_be)
{
    struct hy_handles *heap = open_heap(0, 0);
    static const size_t sizes[] = {SIZE_MAX, PTRDIFF_MAX, UINT32_MAX,
                                   (size_t)1 << 33};
    const uint64_t h = hy_handles_alloc(heap, 0);
    cr_assert_neq(h, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 0;
        cr_assert_eq(hy_handles_alloc(heap, sizes[i]), 0);
        cr_assert_eq(errno, ENOMEM);
        cr_assert_eq(hy_handles_resize(heap, h, sizes[i]), ENOMEM);
    }
    check_heap(heap);
    hy_handles_close(heap);
}

static void fill_limited_space(void *arg, int fd)
{
    enum { MOST = 400000 };
    static uint64_t held[MOST];
    const size_t most = statm_bytes(0) + (64 << 20);
    const struct rlimit limit = {most, most};
    struct hy_handles *heap;
    size_t n = 0, missing = 0;
    (void)arg;
    if (hy_handles_open(&(struct hy_handles_config){0}, &heap))
        return;
    setrlimit(RLIMIT_AS, &limit);
    while (n < MOST && (held[n] = hy_handles_alloc(heap, 500)))
        n++;
    for (size_t i = 0; i < n; i++)
        if (i % 10)
            hy_handles_free(heap, held[i]);
    for (size_t i = 0; i < n / 2; i++)
        missing += i % 10 && !(held[i] = hy_handles_alloc(heap, 500));
    dprintf(fd, "%s; %s; %zu missing; %s", n < MOST ? "out of memory" : "never",
            n > 50000 ? "late" : "early", missing,
            hy_handles_check(heap) ? hy_handles_check(heap) : "sound");
    hy_handles_close(heap);
}

Test(handles, runs_out_of_address_space_and_recovers)
{
    char said[200];
    if (SANITIZED)
        cr_skip_test("a sanitizer needs the address space");
    cr_assert_eq(run_forked(fill_limited_space, NULL, said, sizeof said), 0);
    cr_assert_str_eq(said, "out of memory; late; 0 missing; sound");
}

/* ---- the model ---- */

enum { SLOTS = 3000, STEPS = 60000 };

struct slot {
    uint64_t handle; /* 0: none */
    size_t size;
    unsigned pins;
    unsigned char fill;
    unsigned char *at; /* while it is pinned */
};

struct model {
    struct hy_handles *heap;
    struct random r;
    struct slot slot[SLOTS];
    uint64_t stale[64];
    size_t objects, bytes, pinned;
    unsigned no_memory;
};

static size_t random_size(struct random *r)
{
    const uint64_t kind = random_below(r, 100);
    return random_below(r, kind < 80 ? 600 : kind < 98 ? 17000 : 300000);
}

static void model_fill(struct model *m, struct slot *s)
{
    unsigned char *const p = hy_handles_pin(m->heap, s->handle);
    cr_assert_not_null(p);
    s->fill = (unsigned char)random_next(&m->r);
    memset(p, s->fill, s->size);
    cr_assert_eq(hy_handles_unpin(m->heap, s->handle), 0);
}

static void model_verify(struct model *m, const struct slot *s, size_t bytes)
{
    const unsigned char *const p = hy_handles_pin(m->heap, s->handle);
    size_t size;
    cr_assert_not_null(p);
    cr_assert_eq((uintptr_t)p % 16, 0);
    cr_assert(s->pins == 0 || p == s->at, "a pinned object has moved");
    for (size_t i = 0; i < bytes; i++)
        cr_assert_eq(p[i], s->fill, "byte %zu of %zu", i, s->size);
    cr_assert_eq(hy_handles_size(m->heap, s->handle, &size), 0);
    cr_assert_eq(size, s->size);
    cr_assert_eq(hy_handles_unpin(m->heap, s->handle), 0);
}

static void model_alloc(struct model *m, struct slot *s)
{
    s->size = random_size(&m->r);
    s->handle = hy_handles_alloc(m->heap, s->size);
    if (!s->handle) {
        cr_assert_eq(errno, ENOMEM);
        m->no_memory++;
        return;
    }
    s->pins = 0;
    m->objects++;
    m->bytes += s->size;
    model_fill(m, s);
}

static void model_free(struct model *m, struct slot *s)
{
    model_verify(m, s, s->size);
    if (s->pins > 0) {
        cr_assert_eq(hy_handles_free(m->heap, s->handle), EBUSY);
        return;
    }
    cr_assert_eq(hy_handles_free(m->heap, s->handle), 0);
    m->stale[random_below(&m->r, 64)] = s->handle;
    s->handle = 0;
    m->objects--;
    m->bytes -= s->size;
}

static void model_resize(struct model *m, struct slot *s)
{
    const size_t old = s->size, size = random_size(&m->r);
    const int err = hy_handles_resize(m->heap, s->handle, size);
    if (err) {
        cr_assert(err == ENOMEM || (err == EBUSY && s->pins > 0));
        m->no_memory += err == ENOMEM;
        return;
    }
    s->size = size;
    m->bytes += size - old;
    model_verify(m, s, old < size ? old : size);
    model_fill(m, s);
}

static void model_pin(struct model *m, struct slot *s)
{
    if (s->pins < 3 && random_chance(&m->r, random_odds(0.3))) {
        unsigned char *const p = hy_handles_pin(m->heap, s->handle);
        cr_assert(s->pins == 0 || p == s->at);
        s->at = p;
        m->pinned += s->pins++ == 0;
    } else if (s->pins > 0) {
        cr_assert_eq(hy_handles_unpin(m->heap, s->handle), 0);
        m->pinned -= --s->pins == 0;
    } else {
        cr_assert_eq(hy_handles_unpin(m->heap, s->handle), EINVAL);
    }
}

static void model_stale(struct model *m)
{
    const uint64_t h = m->stale[random_below(&m->r, 64)];
    cr_assert_eq(hy_handles_free(m->heap, h), ESTALE);
    cr_assert_null(hy_handles_pin(m->heap, h));
}

static void model_step(struct model *m, uint64_t bias)
{
    struct slot *const s = &m->slot[random_below(&m->r, SLOTS)];
    const uint64_t kind = random_below(&m->r, 100);

    if (kind < 50) {
        if (!s->handle && random_below(&m->r, 100) < bias)
            model_alloc(m, s);
        else if (s->handle && random_below(&m->r, 100) >= bias)
            model_free(m, s);
    } else if (kind < 60) {
        model_stale(m);
    } else if (kind < 61) {
        (void)hy_handles_compact(m->heap, random_below(&m->r, 300000));
    } else if (!s->handle) {
        return;
    } else if (kind < 80) {
        model_resize(m, s);
    } else if (kind < 92) {
        model_pin(m, s);
    } else {
        model_verify(m, s, s->size);
    }
}

static void model_check(struct model *m)
{
    const struct hy_handles_metrics metrics = check_heap(m->heap);
    cr_assert_eq(metrics.objects, m->objects);
    cr_assert_eq(metrics.live_bytes, m->bytes);
    cr_assert_eq(metrics.pinned, m->pinned);
}

static void model_end(struct model *m)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *const s = &m->slot[i];
        for (; s->handle && s->pins > 0; s->pins--)
            cr_assert_eq(hy_handles_unpin(m->heap, s->handle), 0);
        if (s->handle)
            model_free(m, s);
    }
    cr_assert_eq(m->objects, 0);
    m->pinned = 0;
    cr_assert(!hy_handles_compact(m->heap, SIZE_MAX));
    model_check(m);
    struct hy_handles_metrics metrics;
    hy_handles_measure(m->heap, &metrics);
    cr_assert_leq(metrics.mapped_bytes - metrics.table_bytes, 3 * (256 << 10));
    cr_assert_gt(metrics.moved_objects, 100);
    hy_handles_close(m->heap);
}

/* Seeds with and without a limit on memory, and of several thresholds. */
Test(handles, follows_the_model)
{
    static const double thresholds[] = {1.1, 1.5, INFINITY};
    static struct model m;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        memset(&m, 0, sizeof m);
        random_seed(&m.r, seed);
        m.heap = open_heap(seed % 2 ? 0 : 6 << 20, thresholds[seed % 3]);
        uint64_t bias = 60;
        for (unsigned step = 0; step < STEPS; step++) {
            model_step(&m, bias);
            if (step % 1000 == 0)
                model_check(&m);
            if (step % 8000 == 7999)
                bias = random_between(&m.r, 10, 90);
        }
        cr_assert(seed % 2 ? m.no_memory == 0 : m.no_memory > 0,
                  "seed %u: %u times no memory", (unsigned)seed, m.no_memory);
        model_end(&m);
    }
}

/* ---- threads ---- */

enum { THREADS = 4, OWN = 500, TURNS = 40000 };

static void *use_heap(void *arg)
{
    struct hy_handles *const heap = arg;
    uint64_t own[OWN] = {0};
    uintptr_t faults = 0;
    struct random r;
    random_seed(&r, (uint64_t)(uintptr_t)own);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        uint64_t *const h = &own[random_below(&r, OWN)];
        if (!*h) {
            *h = hy_handles_alloc(heap, 8 + random_below(&r, 2000));
            uint64_t *const p = hy_handles_pin(heap, *h);
            *p = *h;
        } else {
            /* Pinned since it was made; then not, and it may move. */
            const uint64_t *const p = hy_handles_pin(heap, *h);
            faults += *p != *h;
            hy_handles_unpin(heap, *h);
            if (random_below(&r, 2))
                (void)hy_handles_unpin(heap, *h);
            if (hy_handles_free(heap, *h) == 0)
                *h = 0;
        }
    }
    return (void *)faults;
}

Test(handles, threads_share_a_heap)
{
    struct hy_handles *heap = open_heap(0, 1.1);
    pthread_t thread[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, use_heap, heap), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *faults;
        pthread_join(thread[i], &faults);
        cr_assert_null(faults);
    }
    check_heap(heap);
    hy_handles_close(heap);
}
