/* gc_boehm_figures.c - how the heap stands, by Boehm's names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_boehm.h"

#include <stdio.h>
#include <string.h>

static GC_word size_of(const struct hy_gc_stats *s)
{
    return s->heap_bytes + s->free_bytes;
}

/* What is neither live, as far as the last collection knows, nor handed out
 * since. */
static GC_word free_of(const struct hy_gc_stats *s)
{
    const GC_word used = s->live_bytes + s->since_bytes;

    return size_of(s) > used ? size_of(s) - used : 0;
}

static struct hy_gc_stats stats(void)
{
    struct hy_gc_stats s;

    boehm_stats(&s);
    return s;
}

GC_word GC_get_gc_no(void)
{
    return GC_gc_no;
}

size_t GC_get_heap_size(void)
{
    const struct hy_gc_stats s = stats();

    return size_of(&s);
}

size_t GC_get_free_bytes(void)
{
    const struct hy_gc_stats s = stats();

    return free_of(&s);
}

size_t GC_get_unmapped_bytes(void)
{
    return 0;
}

size_t GC_get_bytes_since_gc(void)
{
    return stats().since_bytes;
}

size_t GC_get_expl_freed_bytes_since_gc(void)
{
    return 0;
}

size_t GC_get_total_bytes(void)
{
    return stats().total_bytes;
}

size_t GC_get_obtained_from_os_bytes(void)
{
    return stats().mapped_bytes;
}

size_t GC_get_memory_use(void)
{
    return stats().heap_bytes;
}

static void put(GC_word *out, GC_word value)
{
    if (out)
        *out = value;
}

void GC_get_heap_usage_safe(GC_word *heap, GC_word *free_bytes,
                            GC_word *unmapped, GC_word *since, GC_word *total)
{
    const struct hy_gc_stats s = stats();

    put(heap, size_of(&s));
    put(free_bytes, free_of(&s));
    put(unmapped, 0);
    put(since, s.since_bytes);
    put(total, s.total_bytes);
}

size_t GC_get_prof_stats(struct GC_prof_stats_s *out, size_t size)
{
    const struct hy_gc_stats s = stats();
    const struct GC_prof_stats_s all = {
        .heapsize_full = size_of(&s),
        .free_bytes_full = free_of(&s),
        .bytes_allocd_since_gc = s.since_bytes,
        .allocd_bytes_before_gc = s.total_bytes - s.since_bytes,
        .non_gc_bytes = GC_non_gc_bytes,
        .gc_no = GC_gc_no,
        .markers_m1 = (GC_word)GC_parallel,
        .obtained_from_os_bytes = s.mapped_bytes,
    };
    const size_t n = size < sizeof all ? size : sizeof all;

    memcpy(out, &all, n);
    return n;
}

size_t GC_get_prof_stats_unsafe(struct GC_prof_stats_s *out, size_t size)
{
    return GC_get_prof_stats(out, size);
}

void GC_start_performance_measurement(void)
{
}

unsigned long GC_get_full_gc_total_time(void)
{
    return stats().pause_ns / 1000000;
}

void GC_dump_named(const char *name)
{
    const struct hy_gc_stats s = stats();

    printf("%s%sheap of libheapyard-gc: %lu collections, %lu ms stopped, "
           "%lu bytes in use, %lu live after the last one, %lu since\n",
           name ? name : "", name ? ": " : "", (unsigned long)s.collections,
           (unsigned long)(s.pause_ns / 1000000), (unsigned long)s.heap_bytes,
           (unsigned long)s.live_bytes, (unsigned long)s.since_bytes);
}

void GC_dump(void)
{
    GC_dump_named(NULL);
}
