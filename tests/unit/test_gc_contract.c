/* test_gc_contract.c - the collector keeps what hy_gc.h promises.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <criterion/criterion.h>

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "gc_probe.h"
#include "random.h"

#define NOINLINE __attribute__((noinline))

enum { MANY = 200 };

/* ---- sizes ---- */

enum kind { SCANNED, LEAF, UNCOLLECTABLE, KINDS };

static void *alloc(struct gc_probe *p, enum kind kind, size_t size)
{
    switch (kind) {
    case LEAF:
        return hy_gc_alloc_leaf(p->self, size);
    case UNCOLLECTABLE:
        return hy_gc_alloc_uncollectable(p->self, size);
    default:
        return hy_gc_alloc(p->self, size);
    }
}

static void check_object(struct gc_probe *p, enum kind kind, size_t size)
{
    char *object = alloc(p, kind, size);
    cr_assert_not_null(object, "kind %d, %zu bytes", kind, size);
    cr_assert_eq((uintptr_t)object % 16, 0);
    const size_t usable = hy_gc_usable(p->heap, object);
    cr_assert_geq(usable, size);
    cr_assert_eq(hy_gc_usable(p->heap, object + 8), 0);
    cr_assert_eq(hy_gc_base(p->heap, object), object);
    for (size_t at = 1; at < size; at += 1 + size / 7)
        cr_assert_eq(hy_gc_base(p->heap, object + at), object,
                     "byte %zu of %zu", at, size);
    if (kind != LEAF)
        cr_assert(gc_probe_is_all(object, usable, 0), "kind %d, %zu bytes",
                  kind, size);
    memset(object, 0xA5, usable);
    if (kind == UNCOLLECTABLE)
        hy_gc_free(p->self, object);
}

Test(gc_contract, every_size_is_aligned_usable_and_zero)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    for (enum kind kind = SCANNED; kind < KINDS; kind++) {
        for (size_t size = 0; size < 3000; size++)
            check_object(&p, kind, size);
        for (size_t size = 3000; size < 70000; size += 331)
            check_object(&p, kind, size);
        for (size_t size = 1 << 16; size <= 1 << 23; size *= 2)
            for (size_t d = 0; d < 3; d++)
                check_object(&p, kind, size - 1 + d);
    }
    gc_probe_close(&p);
}

Test(gc_contract, what_is_no_object_has_no_base)
{
    struct gc_probe p;
    int local = 0;
    gc_probe_open(&p, NULL);
    cr_assert_null(hy_gc_base(p.heap, NULL));
    cr_assert_null(hy_gc_base(p.heap, &local));
    cr_assert_null(hy_gc_base(p.heap, (void *)UINTPTR_MAX));
    cr_assert_eq(hy_gc_usable(p.heap, &local), 0);
    cr_assert_eq(hy_gc_usable(p.heap, NULL), 0);
    cr_assert(!hy_gc_may_live(p.heap, &local));
    gc_probe_close(&p);
}

Test(gc_contract, sizes_beyond_all_memory_are_refused)
{
    static const size_t sizes[] = {
        SIZE_MAX,    SIZE_MAX - 14,        SIZE_MAX - 4095, SIZE_MAX / 2 + 1,
        PTRDIFF_MAX, SIZE_MAX - (1 << 16), (size_t)1 << 46};
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    char *kept = hy_gc_alloc(p.self, 100);
    memset(kept, 7, 100);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (enum kind kind = SCANNED; kind < KINDS; kind++)
            cr_assert_null(alloc(&p, kind, sizes[i]), "%zu", sizes[i]);
        cr_assert_null(hy_gc_alloc_aligned(p.self, sizes[i], 4096, false));
        cr_assert_null(hy_gc_resize(p.self, kept, sizes[i]));
        cr_assert(gc_probe_is_all(kept, 100, 7));
    }
    cr_assert_not_null(hy_gc_alloc(p.self, 100));
    gc_probe_close(&p);
}

Test(gc_contract, alignments_up_to_32_KiB)
{
    static const size_t sizes[] = {1, 16, 100, 4096, 20000, 100000};
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    for (size_t align = 1; align <= 32768; align *= 2)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int is_leaf = 0; is_leaf < 2; is_leaf++) {
                char *object =
                    hy_gc_alloc_aligned(p.self, sizes[i], align, is_leaf);
                cr_assert_not_null(object);
                cr_assert_eq((uintptr_t)object % align, 0);
                cr_assert_geq(hy_gc_usable(p.heap, object), sizes[i]);
                cr_assert_eq(hy_gc_base(p.heap, object + sizes[i] - 1), object);
                if (!is_leaf)
                    cr_assert(gc_probe_is_all(object, sizes[i], 0));
                memset(object, 0xFF, sizes[i]);
            }
    gc_probe_close(&p);
}

Test(gc_contract, what_is_no_alignment_is_refused)
{
    static const size_t aligns[] = {0, 3, 12, 48, 65536, SIZE_MAX};
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    for (size_t i = 0; i < sizeof aligns / sizeof *aligns; i++) {
        errno = 0;
        cr_assert_null(hy_gc_alloc_aligned(p.self, 10, aligns[i], false), "%zu",
                       aligns[i]);
        cr_assert_eq(errno, EINVAL, "%zu", aligns[i]);
    }
    gc_probe_close(&p);
}

/* ---- reuse ---- */

/* Garbage full of ones; some of it must be reused, and be zero then. */
static void fill_and_drop(struct gc_probe *p, size_t size, size_t *reused)
{
    static uintptr_t seen[4096]; /* inverted */
    const size_t n =
        8 * 1048576 / (size + 64) < 4096 ? 8388608 / (size + 64) : 4096;
    for (size_t i = 0; i < n; i++) {
        void *object = hy_gc_alloc(p->self, size);
        cr_assert(gc_probe_is_all(object, size, 0), "%zu bytes", size);
        for (size_t k = 0; k < 16 && k < n; k++)
            *reused += seen[(i + k) % n] == ~(uintptr_t)object;
        seen[i] = ~(uintptr_t)object;
        memset(object, 0xFF, size);
    }
}

Test(gc_contract, reused_memory_is_zero)
{
    static const size_t sizes[] = {16,   24,    48,    320,    1024,
                                   5000, 16000, 17000, 100000, 3000000};
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t reused = 0;
        for (int round = 0; round < 5; round++) {
            fill_and_drop(&p, sizes[i], &reused);
            gc_probe_collect(&p, HY_GC_FULL);
        }
        cr_assert_gt(reused, 0, "%zu bytes", sizes[i]);
    }
    gc_probe_close(&p);
}

Test(gc_contract, what_is_freed_is_given_out_again_without_collections)
{
    static const size_t sizes[] = {16, 100, 2000, 40000, 1000000};
    struct gc_probe p;
    struct hy_gc_stats stats;
    gc_probe_open(&p, NULL);
    hy_gc_disable(p.heap);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t done = 0; done < 100 << 20; done += sizes[i] + 400) {
            char *object = hy_gc_alloc(p.self, sizes[i]);
            cr_assert_eq(object[sizes[i] - 1], 0);
            object[0] = object[sizes[i] - 1] = 1;
            hy_gc_free(p.self, object);
        }
    hy_gc_free(p.self, NULL);
    hy_gc_stats(p.heap, &stats);
    cr_assert_eq(stats.collections, 0);
    cr_assert_lt(stats.heap_bytes, 16 << 20);
    gc_probe_close(&p);
}

static NOINLINE void free_large_uncollectable(struct gc_probe *p)
{
    void *large[50];
    for (size_t i = 0; i < 50; i++)
        large[i] = hy_gc_alloc_uncollectable(p->self, 30000);
    for (size_t i = 0; i < 50; i++)
        hy_gc_free(p->self, large[i]);
}

/* The first object of a block was once lost if the block had been such an
 * object's. */
Test(gc_contract, a_freed_uncollectable_object_leaves_nothing_behind)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    free_large_uncollectable(&p);
    for (size_t i = 0; i < GC_PROBE_ROOTS; i++)
        p.root[i] = hy_gc_alloc(p.self, 3000);
    for (int i = 0; i < 2; i++) {
        gc_probe_collect(&p, HY_GC_FULL);
        for (size_t k = 0; k < GC_PROBE_ROOTS; k++)
            cr_assert(hy_gc_may_live(p.heap, p.root[k]), "object %zu", k);
    }
    gc_probe_close(&p);
}

/* ---- resize ---- */

static void check_resize(struct gc_probe *p, enum kind kind, size_t from,
                         size_t to)
{
    unsigned char *object = alloc(p, kind, from);
    for (size_t i = 0; i < from; i++)
        object[i] = (unsigned char)(i * 7 + from);
    object = hy_gc_resize(p->self, object, to);
    cr_assert_not_null(object);
    cr_assert_geq(hy_gc_usable(p->heap, object), to);
    for (size_t i = 0; i < from && i < to; i++)
        cr_assert_eq(object[i], (unsigned char)(i * 7 + from),
                     "kind %d, %zu to %zu bytes: byte %zu", kind, from, to, i);
    if (kind != LEAF && to > from)
        cr_assert(gc_probe_is_all(object + from, to - from, 0),
                  "kind %d, %zu to %zu bytes", kind, from, to);
    hy_gc_free(p->self, object);
}

Test(gc_contract, resize_keeps_contents_and_zeroes_what_is_new)
{
    static const size_t sizes[] = {1,     16,    17,     100,    1000,   8000,
                                   16000, 17000, 100000, 100100, 2000000};
    const size_t n = sizeof sizes / sizeof *sizes;
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    for (enum kind kind = SCANNED; kind < KINDS; kind++)
        for (size_t i = 0; i < n * n; i++)
            check_resize(&p, kind, sizes[i / n], sizes[i % n]);
    cr_assert_not_null(hy_gc_resize(p.self, NULL, 100));
    gc_probe_close(&p);
}

Test(gc_contract, what_a_resize_cut_off_is_zero_when_it_comes_back)
{
    static const size_t sizes[] = {100, 1000, 20000, 300000};
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *object = hy_gc_alloc(p.self, sizes[i]);
        memset(object, 0xFF, sizes[i]);
        object = hy_gc_resize(p.self, object, sizes[i] - 9);
        object = hy_gc_resize(p.self, object, sizes[i]);
        cr_assert(gc_probe_is_all(object, sizes[i] - 9, 0xFF));
        cr_assert(gc_probe_is_all(object + sizes[i] - 9, 9, 0), "%zu bytes",
                  sizes[i]);
    }
    gc_probe_close(&p);
}

static NOINLINE void make_resized(struct gc_probe *p, enum kind kind, size_t to)
{
    for (size_t i = 0; i < MANY; i++) {
        void **object = alloc(p, kind, 40);
        object = hy_gc_resize(p->self, object, to);
        object[0] = hy_gc_alloc_leaf(p->self, 24);
        gc_probe_watch(p, object[0]);
        p->root[i] = kind == UNCOLLECTABLE ? NULL : object;
        p->root[MANY + i] = (void *)~(uintptr_t)object;
    }
}

Test(gc_contract, resize_keeps_the_kind)
{
    static const size_t sizes[] = {30, 4000, 50000};
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (enum kind kind = SCANNED; kind < KINDS; kind++) {
            make_resized(&p, kind, sizes[i]);
            gc_probe_collect(&p, HY_GC_FULL);
            size_t dead = gc_probe_dead(&p);
            if (kind == LEAF)
                cr_assert_geq(dead, MANY - GC_PROBE_STRAYS);
            else
                cr_assert_eq(dead, 0, "kind %d, %zu bytes: %zu died", kind,
                             sizes[i], dead);
            for (size_t k = 0; kind == UNCOLLECTABLE && k < MANY; k++)
                hy_gc_free(p.self, (void *)~(uintptr_t)p.root[MANY + k]);
        }
    gc_probe_close(&p);
}

/* ---- what keeps an object ---- */

/* Objects of that size, each kept by the address `offset` bytes into it. */
static NOINLINE void make_kept(struct gc_probe *p, size_t size, size_t offset)
{
    for (size_t i = 0; i < MANY; i++) {
        char *object = hy_gc_alloc(p->self, size);
        gc_probe_watch(p, object);
        p->root[i] = object + offset;
    }
}

Test(gc_contract, an_address_within_keeps_an_object)
{
    static const size_t sizes[] = {16, 100, 1000, 9000, 40000};
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t part = 0; part <= 4; part++) {
            make_kept(&p, sizes[i], (sizes[i] - 1) * part / 4);
            gc_probe_collect(&p, HY_GC_FULL);
            cr_assert_eq(gc_probe_dead(&p), 0, "%zu bytes", sizes[i]);
        }
    memset(p.root, 0, GC_PROBE_ROOTS * sizeof *p.root);
    make_kept(&p, 64, 0);
    memset(p.root, 0, GC_PROBE_ROOTS * sizeof *p.root);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(gc_probe_dead(&p), MANY - GC_PROBE_STRAYS);
    gc_probe_close(&p);
}

/* Sizes that fill their class, so that the end is another object's first
 * byte: one in two is kept by its end, the others by nothing. */
static NOINLINE void make_ends(struct gc_probe *p, size_t size)
{
    for (size_t i = 0; i < MANY; i++) {
        char *object = hy_gc_alloc(p->self, size);
        if (i % 2)
            continue;
        gc_probe_watch(p, object);
        p->root[i] = object + size;
    }
}

Test(gc_contract, the_address_past_the_end_keeps_it_if_asked)
{
    static const size_t sizes[] = {16, 32, 64, 4096, 65536};
    struct gc_probe p;
    struct hy_gc_config config = gc_probe_config();
    config.past_end = true;
    gc_probe_open(&p, &config);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make_ends(&p, sizes[i]);
        gc_probe_collect(&p, HY_GC_FULL);
        cr_assert_eq(gc_probe_dead(&p), 0, "%zu bytes", sizes[i]);
    }
    gc_probe_close(&p);
}

Test(gc_contract, the_address_past_the_end_does_not_keep_it_otherwise)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    make_ends(&p, 64);
    gc_probe_collect(&p, HY_GC_FULL);
    /* Half of them if each end is the start of the next. */
    cr_assert_geq(gc_probe_dead(&p), MANY / 2 - GC_PROBE_STRAYS);
    gc_probe_close(&p);
}

static NOINLINE void make_holders(struct gc_probe *p, enum kind kind,
                                  size_t size)
{
    for (size_t i = 0; i < MANY; i++) {
        void **holder = alloc(p, kind, size);
        holder[size / 8 - 1] = hy_gc_alloc(p->self, 32);
        gc_probe_watch(p, holder[size / 8 - 1]);
        p->root[i] = holder;
    }
}

Test(gc_contract, leaves_are_not_scanned)
{
    static const size_t sizes[] = {16, 1000, 40000};
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make_holders(&p, SCANNED, sizes[i]);
        gc_probe_collect(&p, HY_GC_FULL);
        cr_assert_eq(gc_probe_dead(&p), 0, "%zu bytes", sizes[i]);
        make_holders(&p, LEAF, sizes[i]);
        gc_probe_collect(&p, HY_GC_FULL);
        cr_assert_geq(gc_probe_dead(&p), MANY - GC_PROBE_STRAYS);
    }
    gc_probe_close(&p);
}

static NOINLINE void make_uncollectable(struct gc_probe *p)
{
    for (size_t i = 0; i < MANY; i++) {
        void **holder = hy_gc_alloc_uncollectable(p->self, i % 2 ? 48 : 30000);
        holder[2] = hy_gc_alloc(p->self, 32);
        gc_probe_watch(p, holder[2]);
        p->root[i] = (void *)~(uintptr_t)holder;
    }
}

Test(gc_contract, uncollectable_objects_are_roots_until_they_are_freed)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    make_uncollectable(&p);
    for (int i = 0; i < 3; i++)
        gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(gc_probe_dead(&p), 0);
    for (size_t i = 0; i < MANY; i++)
        hy_gc_free(p.self, (void *)~(uintptr_t)p.root[i]);
    make_uncollectable(&p);
    for (size_t i = 0; i < MANY; i++)
        hy_gc_free(p.self, (void *)~(uintptr_t)p.root[i]);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(gc_probe_dead(&p), MANY - GC_PROBE_STRAYS);
    gc_probe_close(&p);
}

/* ---- layouts ---- */

static NOINLINE void make_layout_holders(struct gc_probe *p, unsigned layout,
                                         size_t word)
{
    for (size_t i = 0; i < MANY; i++) {
        void **holder = hy_gc_alloc_layout(p->self, layout);
        cr_assert(gc_probe_is_all(holder, 40, 0));
        holder[word] = hy_gc_alloc(p->self, 32);
        gc_probe_watch(p, holder[word]);
        p->root[i] = holder;
    }
}

Test(gc_contract, only_the_pointers_of_a_layout_keep)
{
    static const bool is_pointer[5] = {false, true, false, false, true};
    struct gc_probe p;
    unsigned layout;
    gc_probe_open(&p, NULL);
    cr_assert_eq(hy_gc_layout_add(p.heap, 40, is_pointer, &layout), 0);
    for (size_t word = 0; word < 5; word++) {
        make_layout_holders(&p, layout, word);
        gc_probe_collect(&p, HY_GC_FULL);
        if (is_pointer[word])
            cr_assert_eq(gc_probe_dead(&p), 0, "word %zu", word);
        else
            cr_assert_geq(gc_probe_dead(&p), MANY - GC_PROBE_STRAYS, "word %zu",
                          word);
    }
    gc_probe_close(&p);
}

Test(gc_contract, layouts_have_limits)
{
    static const bool none[HY_GC_LAYOUT_BYTES_MAX / 8 + 1];
    struct gc_probe p;
    unsigned layout;
    gc_probe_open(&p, NULL);
    cr_assert_eq(hy_gc_layout_add(p.heap, 0, none, &layout), EINVAL);
    cr_assert_eq(
        hy_gc_layout_add(p.heap, HY_GC_LAYOUT_BYTES_MAX + 1, none, &layout),
        EINVAL);
    for (size_t i = 0; i < HY_GC_LAYOUTS_MAX; i++) {
        size_t size = i * 8 + 8;
        cr_assert_eq(hy_gc_layout_add(p.heap, size, none, &layout), 0);
        char *object = hy_gc_alloc_layout(p.self, layout);
        cr_assert(gc_probe_is_all(object, size, 0));
        cr_assert_geq(hy_gc_usable(p.heap, object), size);
        memset(object, 0xFF, size);
    }
    cr_assert_eq(hy_gc_layout_add(p.heap, 8, none, &layout), ENOSPC);
    gc_probe_close(&p);
}

Test(gc_contract, layouts_that_were_not_added_are_refused)
{
    static const bool none[1];
    static const unsigned layouts[] = {1, HY_GC_LAYOUTS_MAX - 1,
                                       HY_GC_LAYOUTS_MAX, UINT_MAX};
    struct gc_probe p;
    unsigned layout;
    gc_probe_open(&p, NULL);
    cr_assert_eq(hy_gc_layout_add(p.heap, 8, none, &layout), 0);
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        errno = 0;
        cr_assert_null(hy_gc_alloc_layout(p.self, layouts[i]));
        cr_assert_eq(errno, EINVAL);
    }
    cr_assert_not_null(hy_gc_alloc_layout(p.self, layout));
    gc_probe_close(&p);
}

/* ---- roots ---- */

Test(gc_contract, bad_root_ranges_are_refused_with_a_reason)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    char *hole =
        mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *gone =
        mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(gone, 4096);
    mprotect(hole, 4096, PROT_READ);
    const struct {
        const void *begin, *end;
    } bad[] = {
        {p.root, p.root},     {p.root + 1, p.root},          {NULL, NULL},
        {NULL, (void *)4096}, {hole + 4096, hole + 8192}, /* not readable */
        {hole, hole + 8192},                              /* not all of it */
        {gone, gone + 4096},  {p.root, (void *)UINTPTR_MAX},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char why[200] = "";
        cr_assert_eq(
            hy_gc_roots_add(p.heap, bad[i].begin, bad[i].end, why, sizeof why),
            EINVAL, "range %zu", i);
        cr_assert_gt(strlen(why), 10, "range %zu: '%s'", i, why);
        cr_assert_null(strchr(why, '\n'), "range %zu: '%s'", i, why);
    }
    char tiny[8] = "";
    cr_assert_eq(hy_gc_roots_add(p.heap, p.root, p.root, tiny, sizeof tiny),
                 EINVAL);
    cr_assert_lt(strnlen(tiny, sizeof tiny), sizeof tiny);
    gc_probe_collect(&p, HY_GC_FULL);
    munmap(hole, 3 * 4096);
    gc_probe_close(&p);
}

static NOINLINE void make_in(struct gc_probe *p, void **place)
{
    for (size_t i = 0; i < MANY; i++) {
        place[i] = hy_gc_alloc(p->self, 40);
        gc_probe_watch(p, place[i]);
    }
}

Test(gc_contract, ranges_are_added_once_cut_and_removed)
{
    static void *place[MANY + 1];
    struct gc_probe p;
    char why[200];
    gc_probe_open(&p, NULL);
    make_in(&p, place);
    cr_assert_eq(hy_gc_roots_add(p.heap, place, place + MANY, why, sizeof why),
                 0);
    cr_assert_eq(hy_gc_roots_add(p.heap, place, place + MANY, why, sizeof why),
                 EEXIST);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(gc_probe_dead(&p), 0);

    make_in(&p, place);
    cr_assert_eq(hy_gc_roots_remove(p.heap, place + 50, place + 150), 0);
    gc_probe_collect(&p, HY_GC_FULL);
    for (size_t i = 0; i < MANY; i++)
        if (i < 50 || i >= 150)
            cr_assert_not_null(p.link[i], "%zu", i);
    size_t dead = gc_probe_dead(&p);
    cr_assert(dead <= 100 && dead >= 100 - GC_PROBE_STRAYS, "%zu", dead);
    cr_assert_eq(hy_gc_roots_remove(p.heap, place + 50, place + 150), ENOENT);

    make_in(&p, place);
    cr_assert_eq(hy_gc_roots_remove(p.heap, place, place + MANY), 0);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(gc_probe_dead(&p), MANY - GC_PROBE_STRAYS);
    gc_probe_close(&p);
}

Test(gc_contract, ranges_are_rounded_inwards)
{
    static void *place[MANY];
    struct gc_probe p;
    char why[200];
    gc_probe_open(&p, NULL);
    make_in(&p, place);
    cr_assert_eq(hy_gc_roots_add(p.heap, (char *)place + 1,
                                 (char *)(place + MANY) - 1, why, sizeof why),
                 0);
    gc_probe_collect(&p, HY_GC_FULL);
    for (size_t i = 1; i + 1 < MANY; i++)
        cr_assert_not_null(p.link[i]);
    cr_assert_leq(gc_probe_dead(&p), 2);
    gc_probe_close(&p);
}

static void *global[MANY], *excluded[MANY];
static _Thread_local void *local[MANY];

Test(gc_contract, globals_are_roots_if_asked)
{
    struct gc_probe p;
    struct hy_gc_config config = gc_probe_config();
    gc_probe_open(&p, &config);
    make_in(&p, global);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(gc_probe_dead(&p), MANY - GC_PROBE_STRAYS);
    gc_probe_close(&p);

    config.scan_globals = true;
    gc_probe_open(&p, &config);
    cr_assert_eq(hy_gc_roots_exclude(p.heap, excluded, excluded + MANY), 0);
    make_in(&p, global);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(gc_probe_dead(&p), 0);
    make_in(&p, local);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(gc_probe_dead(&p), 0);
    make_in(&p, excluded);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(gc_probe_dead(&p), MANY - GC_PROBE_STRAYS);
    gc_probe_close(&p);
}

/* ---- collections ---- */

Test(gc_contract, bad_configurations_are_refused_by_name)
{
    struct hy_gc *heap;
    struct hy_gc_config c[9];
    static const char *const names[9] = {"growth",     "growth",     "growth",
                                         "time_share", "time_share", "markers",
                                         "nursery",    "nursery",    "growth"};
    for (size_t i = 0; i < 9; i++)
        hy_gc_defaults(&c[i]);
    c[0].growth = 1.0;
    c[1].growth = 101;
    c[2].growth = (double)NAN;
    c[3].time_share = 0.95;
    c[4].time_share = -0.1;
    c[5].markers = HY_GC_MARKERS_MAX + 1;
    c[6].generational = c[7].generational = true;
    c[6].nursery = 0;
    c[7].nursery = 1.5;
    c[8].growth = -3;
    for (size_t i = 0; i < 9; i++) {
        char why[200] = "";
        cr_assert_eq(hy_gc_open(&c[i], &heap, why, sizeof why), EINVAL,
                     "configuration %zu", i);
        cr_assert_not_null(strstr(why, names[i]), "%zu: '%s'", i, why);
        cr_assert_null(strchr(why, '\n'));
    }
}

Test(gc_contract, bad_changes_are_refused)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    cr_assert_eq(hy_gc_set_growth(p.heap, 1.0), EINVAL);
    cr_assert_eq(hy_gc_set_growth(p.heap, 200), EINVAL);
    cr_assert_eq(hy_gc_set_growth(p.heap, 3), 0);
    cr_assert_eq(hy_gc_set_limit(p.heap, 64 << 20), 0);
    gc_probe_close(&p);
}

Test(gc_contract, disabling_nests)
{
    struct gc_probe p;
    struct hy_gc_stats stats;
    gc_probe_open(&p, NULL);
    hy_gc_disable(p.heap);
    hy_gc_disable(p.heap);
    hy_gc_enable(p.heap);
    cr_assert(hy_gc_is_disabled(p.heap));
    for (int i = 0; i < 2000; i++)
        hy_gc_alloc(p.self, 10000);
    hy_gc_collect(p.heap, HY_GC_FULL);
    hy_gc_stats(p.heap, &stats);
    cr_assert_eq(stats.collections, 0);
    hy_gc_enable(p.heap);
    cr_assert(!hy_gc_is_disabled(p.heap));
    for (int i = 0; i < 2000; i++)
        hy_gc_alloc(p.self, 10000);
    hy_gc_stats(p.heap, &stats);
    cr_assert_gt(stats.collections, 0);
    gc_probe_close(&p);
}

static NOINLINE void hide_many(struct gc_probe *p)
{
    for (size_t i = 0; i < MANY; i++)
        p->root[i] = (void *)~(uintptr_t)hy_gc_alloc(p->self, 80);
}

Test(gc_contract, what_was_not_reached_does_not_live)
{
    struct gc_probe p;
    size_t live = 0;
    gc_probe_open(&p, NULL);
    hide_many(&p);
    for (size_t i = 0; i < MANY; i++)
        cr_assert(hy_gc_may_live(p.heap, (void *)~(uintptr_t)p.root[i]));
    gc_probe_collect(&p, HY_GC_FULL);
    for (size_t i = 0; i < MANY; i++)
        live += hy_gc_may_live(p.heap, (void *)~(uintptr_t)p.root[i]);
    cr_assert_leq(live, GC_PROBE_STRAYS);
    gc_probe_close(&p);
}

/* Marks are of epochs, whose numbers come round after some hundred. */
Test(gc_contract, more_collections_than_epochs)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    void **kept = p.root[0] = hy_gc_alloc(p.self, 8000);
    for (size_t i = 0; i < 1000; i++) {
        gc_probe_watch(&p, hy_gc_alloc(p.self, 40 + i % 7 * 500));
        kept[i] = hy_gc_alloc_leaf(p.self, 32);
        memset(kept[i], (int)i, 32);
        hy_gc_collect(p.heap, HY_GC_FULL);
        cr_assert(hy_gc_may_live(p.heap, kept[i / 2]));
        cr_assert(gc_probe_is_all(kept[i / 2], 32, (unsigned char)(i / 2)));
    }
    cr_assert_geq(gc_probe_dead(&p), 1000 - GC_PROBE_STRAYS);
    for (size_t i = 0; i < 1000; i++)
        cr_assert(gc_probe_is_all(kept[i], 32, (unsigned char)i), "%zu", i);
    gc_probe_close(&p);
}

struct visited {
    struct gc_probe *p;
    size_t objects, bytes, known;
};

static void visit(void *object, size_t bytes, void *arg)
{
    struct visited *v = arg;
    v->objects++;
    v->bytes += bytes;
    for (size_t i = 0; i < MANY; i++)
        v->known += v->p->root[i] == object;
}

static NOINLINE void make_mixed(struct gc_probe *p)
{
    for (size_t i = 0; i < MANY; i++) {
        p->root[i] = alloc(p, i % 3 == 1 ? LEAF : SCANNED, 16 + i * i);
        hy_gc_alloc(p->self, 100);
    }
}

Test(gc_contract, a_visit_meets_what_was_reached_once)
{
    struct gc_probe p;
    struct hy_gc_stats stats;
    gc_probe_open(&p, NULL);
    make_mixed(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    struct visited v = {.p = &p};
    hy_gc_visit(p.heap, visit, &v);
    hy_gc_stats(p.heap, &stats);
    cr_assert_eq(v.known, MANY);
    cr_assert_leq(v.objects, MANY + GC_PROBE_STRAYS);
    cr_assert_eq(v.bytes, stats.live_bytes);
    hy_gc_free(p.self, p.root[0]);
    hy_gc_free(p.self, p.root[MANY - 1]);
    struct visited after = {.p = &p};
    hy_gc_visit(p.heap, visit, &after);
    cr_assert_eq(after.objects, v.objects - 2);
    gc_probe_close(&p);
}

struct seen {
    struct hy_gc_event last;
    uint64_t events, minor, asked, pause_ns, max_pause_ns, allocated;
};

static void watch(const struct hy_gc_event *e, void *arg)
{
    struct seen *s = arg;
    const uint64_t pause = e->stop_ns + e->mark_ns + e->finish_ns;
    cr_assert_eq(e->number, s->last.number + 1);
    cr_assert_geq(e->start_ns, s->last.start_ns + s->last.stop_ns +
                                   s->last.mark_ns + s->last.finish_ns);
    cr_assert_leq(e->live_bytes, e->heap_bytes);
    cr_assert_leq(e->freed_blocks_bytes, e->heap_bytes);
    cr_assert_leq(e->marked_bytes, e->heap_bytes);
    cr_assert_leq(e->marked_objects * 16, e->marked_bytes);
    cr_assert_leq(e->moved_objects, e->marked_objects);
    cr_assert_eq(e->threads, 1);
    cr_assert(e->markers >= 1 && e->markers <= HY_GC_MARKERS_MAX);
    cr_assert(e->reason < HY_GC_REASONS && e->kind <= HY_GC_COMPACTING);
    s->events++;
    s->minor += e->kind == HY_GC_MINOR;
    s->asked += e->reason == HY_GC_REASON_ASKED;
    s->allocated += e->allocated_bytes;
    s->pause_ns += pause;
    if (pause > s->max_pause_ns)
        s->max_pause_ns = pause;
    s->last = *e;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void check_events(bool is_generational)
{
    struct gc_probe p;
    struct seen seen = {0};
    struct hy_gc_stats stats;
    struct hy_gc_config config = gc_probe_config();
    config.generational = is_generational;
    gc_probe_open(&p, &config);
    hy_gc_listen(p.heap, watch, &seen);
    const uint64_t begin = now_ns();
    for (size_t i = 0; i < 60000; i++) {
        p.root[i % GC_PROBE_ROOTS] = hy_gc_alloc(p.self, i % 3000);
        if (i % 10000 == 0)
            hy_gc_collect(p.heap, i % 20000 ? HY_GC_MINOR : HY_GC_FULL);
    }
    const uint64_t took = now_ns() - begin;
    hy_gc_stats(p.heap, &stats);
    cr_assert_eq(seen.asked, 6);
    cr_assert_gt(seen.events, 20);
    cr_assert_eq(seen.events, stats.collections);
    cr_assert_eq(seen.minor, stats.minor_collections);
    cr_assert_eq(seen.minor > 0, is_generational);
    cr_assert_eq(seen.pause_ns, stats.pause_ns);
    cr_assert_eq(seen.max_pause_ns, stats.max_pause_ns);
    cr_assert_gt(seen.pause_ns, 0);
    cr_assert_lt(seen.pause_ns, took);
    cr_assert_eq(seen.allocated + stats.since_bytes, stats.total_bytes);
    /* What was asked for, and a run of each class at each collection. */
    cr_assert_gt(stats.total_bytes, UINT64_C(60000) * 1500);
    cr_assert_lt(stats.total_bytes,
                 UINT64_C(60000) * 1500 * 5 / 4 + seen.events * 60 * 32768);
    cr_assert_leq(stats.heap_bytes, stats.mapped_bytes);
    hy_gc_listen(p.heap, NULL, NULL);
    hy_gc_collect(p.heap, HY_GC_FULL);
    cr_assert_eq(seen.events, stats.collections);
    gc_probe_close(&p);
}

Test(gc_contract, events_and_stats_agree)
{
    check_events(false);
}

Test(gc_contract, events_and_stats_agree_of_generations)
{
    check_events(true);
}

Test(gc_contract, a_thread_is_in_one_heap_once)
{
    struct gc_probe p;
    struct hy_gc *other;
    struct hy_gc_thread *again = NULL;
    struct hy_gc_config config = gc_probe_config();
    char why[100];
    cr_assert_null(hy_gc_thread_self());
    gc_probe_open(&p, NULL);
    cr_assert_eq(hy_gc_thread_self(), p.self);
    cr_assert_eq(hy_gc_thread_enter(p.heap, &again), EBUSY);
    cr_assert_eq(hy_gc_open(&config, &other, why, sizeof why), 0);
    cr_assert_eq(hy_gc_thread_enter(other, &again), EBUSY);
    hy_gc_close(other);
    gc_probe_close(&p);
    cr_assert_null(hy_gc_thread_self());
}
