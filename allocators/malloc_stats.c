/* malloc_stats.c - what the library that serves malloc says of itself.
 *
 * One table of probes.  A probe is tried only if the very file that serves
 * malloc also defines the probe's symbol, so that a library which is loaded
 * but not in use is never asked.
 *
 * Sources: mallinfo(3); jemalloc(3), "MALLCTL NAMESPACE"; gperftools
 * malloc_extension.h; mimalloc.h 2.0.9; sanitizer/allocator_interface.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* struct mallinfo2, gettid */
#include "malloc_stats.h"
#include "foreign.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

struct probe {
    const char *symbol; /* that only this library defines */
    int (*ask)(struct heap_report *);
};

/* ISO C has no cast from an object pointer to a function pointer; POSIX
 * promises that both have the same form.  function points to a pointer. */
static bool find_function(const char *name, void *function)
{
    void *const address = foreign_symbol(name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

/* glibc: chunks in use, over all its arenas. */
static int ask_glibc(struct heap_report *report)
{
    struct mallinfo2 (*info)(void);
    if (!find_function("mallinfo2", &info))
        return ENOTSUP;
    const struct mallinfo2 now = info();
    report->live_bytes = now.uordblks + now.hblkhd;
    report->mapped_bytes = now.arena + now.hblkhd;
    return 0;
}

/* jemalloc: figures are of the last epoch, so begin a new one. */
static int ask_jemalloc(struct heap_report *report)
{
    int (*control)(const char *, void *, size_t *, void *, size_t);
    if (!find_function("mallctl", &control))
        return ENOTSUP;
    (void)control("thread.tcache.flush", NULL, NULL, NULL, 0);
    uint64_t epoch = 1;
    size_t size = sizeof(size_t);
    if (control("epoch", NULL, NULL, &epoch, sizeof epoch) ||
        control("stats.allocated", &report->live_bytes, &size, NULL, 0) ||
        control("stats.mapped", &report->mapped_bytes, &size, NULL, 0))
        return ENOTSUP; /* built without statistics */
    return 0;
}

/* gperftools: the figure leaves thread caches out, so nothing to flush. */
static int ask_gperftools(struct heap_report *report)
{
    int (*get)(const char *, size_t *);
    if (!find_function("MallocExtension_GetNumericProperty", &get))
        return ENOTSUP;
    size_t heap, unmapped;
    if (!get("generic.current_allocated_bytes", &report->live_bytes))
        return ENOTSUP;
    if (get("generic.heap_size", &heap) &&
        get("tcmalloc.pageheap_unmapped_bytes", &unmapped))
        report->mapped_bytes = heap - unmapped;
    return 0;
}

/* mimalloc's visitor: called once for each area (block NULL), then for each
 * live block. */
static bool count_block(const void *heap, const void *area, void *block,
                        size_t block_size, void *arg)
{
    (void)heap;
    (void)area;
    struct heap_report *const report = arg;
    if (block) {
        report->live_bytes += block_size;
        report->live_blocks++;
    }
    return true;
}

/* mimalloc 2: a forced collection in the main thread adopts what ended
 * threads left, so that afterwards the main thread's heap holds every live
 * block.  In another thread the walk would miss blocks. */
static int ask_mimalloc(struct heap_report *report)
{
    typedef bool visitor(const void *, const void *, void *, size_t, void *);
    int (*version)(void);
    void (*collect)(bool);
    void *(*heap)(void);
    bool (*visit)(const void *, bool, visitor *, void *);
    if (getpid() != gettid() || !find_function("mi_version", &version) ||
        !find_function("mi_collect", &collect) ||
        !find_function("mi_heap_get_backing", &heap) ||
        !find_function("mi_heap_visit_blocks", &visit))
        return ENOTSUP;
    const int major = version() < 1000 ? version() / 100 : version() / 10000;
    if (major != 2)
        return ENOTSUP; /* other majors order heaps and threads differently */
    collect(true);
    report->live_bytes = 0;
    report->live_blocks = 0;
    (void)visit(heap(), true, count_block, report); /* false: it is empty */
    return 0;
}

/* The sanitizers' runtimes (address, thread, memory). */
static int ask_sanitizer(struct heap_report *report)
{
    size_t (*allocated)(void), (*heap)(void);
    if (!find_function("__sanitizer_get_current_allocated_bytes", &allocated))
        return ENOTSUP;
    report->live_bytes = allocated();
    if (find_function("__sanitizer_get_heap_size", &heap))
        report->mapped_bytes = heap();
    return 0;
}

static const struct probe probes[] = {
    {"__sanitizer_get_current_allocated_bytes", ask_sanitizer},
    {"mallctl", ask_jemalloc},
    {"mi_version", ask_mimalloc},
    {"MallocExtension_GetNumericProperty", ask_gperftools},
    {"gnu_get_libc_version", ask_glibc},
};

int malloc_stats_read(struct heap_report *report)
{
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        if (!foreign_symbol(probes[i].symbol))
            continue;
        *report = (struct heap_report){SIZE_MAX, SIZE_MAX, SIZE_MAX};
        return probes[i].ask(report);
    }
    return ENOTSUP;
}
