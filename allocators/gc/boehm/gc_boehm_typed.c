/* gc_boehm_typed.c - objects with descriptors.
 *
 * A descriptor holds its bitmap, of up to 62 words, above the tag
 * GC_DS_BITMAP; any other is scanned conservatively.  A layout of the heap
 * stands for a bitmap and a size; they are found by a search, since programs
 * have few.
 *
 * Invariant: entries of the table below `n` do not change.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_boehm.h"
#include "gc_typed.h"

#include <pthread.h>
#include <string.h>

enum { BITS_MAX = 62 };

static const GC_descr conservative = GC_DS_PER_OBJECT;

/* Mutable by need, as the heap is. */
static struct {
    pthread_mutex_t lock;
    atomic_uint n;
    struct {
        GC_word bits;
        size_t words;
        unsigned layout;
    } entry[HY_GC_LAYOUTS_MAX];
} layouts = {.lock = PTHREAD_MUTEX_INITIALIZER};

GC_descr GC_make_descriptor(const GC_word *bits, size_t length)
{
    GC_word made = 0;

    for (size_t i = 0; i < length; i++) {
        if (!GC_get_bit(bits, i))
            continue;
        if (i >= BITS_MAX)
            return conservative;
        made |= (GC_word)1 << i;
    }
    return made << GC_DS_TAG_BITS | GC_DS_BITMAP;
}

static bool find(GC_word bits, size_t words, unsigned *layout)
{
    const unsigned n = atomic_load_explicit(&layouts.n, memory_order_acquire);

    for (unsigned i = 0; i < n; i++)
        if (layouts.entry[i].bits == bits && layouts.entry[i].words == words) {
            *layout = layouts.entry[i].layout;
            return true;
        }
    return false;
}

static bool add(GC_word bits, size_t words, unsigned *layout)
{
    bool is_pointer[HY_GC_LAYOUT_BYTES_MAX / sizeof(GC_word)] = {false};

    for (size_t i = 0; i < words && i < BITS_MAX; i++)
        is_pointer[i] = bits >> i & 1;
    if (hy_gc_layout_add(boehm_heap(), words * sizeof(GC_word), is_pointer,
                         layout))
        return false;
    const unsigned n = atomic_load(&layouts.n);

    layouts.entry[n].bits = bits;
    layouts.entry[n].words = words;
    layouts.entry[n].layout = *layout;
    atomic_store_explicit(&layouts.n, n + 1, memory_order_release);
    return true;
}

static bool find_or_add(GC_word bits, size_t words, unsigned *layout)
{
    if (find(bits, words, layout))
        return true;
    if (atomic_load(&layouts.n) == HY_GC_LAYOUTS_MAX)
        return false;
    pthread_mutex_lock(&layouts.lock);
    const bool found = find(bits, words, layout) || add(bits, words, layout);

    pthread_mutex_unlock(&layouts.lock);
    return found;
}

static void *alloc_cleared_leaf(size_t bytes)
{
    void *p = GC_malloc_atomic(bytes);

    return p ? memset(p, 0, bytes) : NULL;
}

void *GC_malloc_explicitly_typed(size_t bytes, GC_descr descriptor)
{
    const GC_word bits = descriptor >> GC_DS_TAG_BITS;
    const size_t words = (bytes + sizeof bits - 1) / sizeof bits;
    struct hy_gc_thread *t = boehm_thread();
    unsigned layout;

    if ((descriptor & GC_DS_TAGS) != GC_DS_BITMAP)
        return GC_malloc(bytes);
    if (!bits)
        return alloc_cleared_leaf(bytes);
    if (bytes > HY_GC_LAYOUT_BYTES_MAX || !find_or_add(bits, words, &layout))
        return GC_malloc(bytes);
    return boehm_settled(hy_gc_alloc_layout(t, layout));
}

void *GC_malloc_explicitly_typed_ignore_off_page(size_t bytes, GC_descr d)
{
    return GC_malloc_explicitly_typed(bytes, d);
}

void *GC_calloc_explicitly_typed(size_t count, size_t bytes,
                                 GC_descr descriptor)
{
    size_t all;

    if (__builtin_mul_overflow(count, bytes, &all))
        return GC_oom_fn(SIZE_MAX);
    return descriptor == GC_DS_BITMAP ? alloc_cleared_leaf(all)
                                      : GC_malloc(all);
}
