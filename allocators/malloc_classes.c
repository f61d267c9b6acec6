/* malloc_classes.c - the structure of a foreign malloc, as far as it tells.
 *
 * Sources: jemalloc(3), "MALLCTL NAMESPACE"; malloc_info(3);
 * gperftools malloc_extension_c.h; mimalloc.h 2.0.9 (mi_heap_area_t).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "malloc_classes.h"
#include "foreign.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os_pages.h"

enum { TEXT_ROOM = 4 << 20 }; /* bytes; glibc writes some 8 KiB an arena */

typedef void put_class(void *arg, const struct malloc_class *);

/* As in malloc_stats.c: POSIX promises that both pointers are alike. */
static bool find_function(const char *name, void *function)
{
    void *const address = foreign_symbol(name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

/* ---- jemalloc ---- */

typedef int mallctl_function(const char *, void *, size_t *, void *, size_t);

enum { ALL_ARENAS = 4096 /* MALLCTL_ARENAS_ALL of jemalloc.h */ };

static bool read_number(mallctl_function *control, const char *format,
                        unsigned i, unsigned j, void *number, size_t size)
{
    char name[96];

    snprintf(name, sizeof name, format, i, j);
    return control(name, number, &size, NULL, 0) == 0;
}

static int jemalloc_classes(put_class *put, void *arg)
{
    mallctl_function *control;
    uint64_t epoch = 1;
    unsigned bins;

    if (!find_function("mallctl", &control) ||
        control("epoch", NULL, NULL, &epoch, sizeof epoch) ||
        !read_number(control, "arenas.nbins", 0, 0, &bins, sizeof bins))
        return ENOTSUP;
    for (unsigned j = 0; j < bins; j++) {
        size_t size, live, slabs;
        uint32_t in_slab;

        if (!read_number(control, "arenas.bin.%u.size", j, 0, &size,
                         sizeof size) ||
            !read_number(control, "arenas.bin.%u.nregs", j, 0, &in_slab,
                         sizeof in_slab) ||
            !read_number(control, "stats.arenas.%u.bins.%u.curregs", ALL_ARENAS,
                         j, &live, sizeof live) ||
            !read_number(control, "stats.arenas.%u.bins.%u.curslabs",
                         ALL_ARENAS, j, &slabs, sizeof slabs))
            return ENOTSUP; /* built without statistics */
        if (slabs)
            put(arg, &(struct malloc_class){size, slabs, live,
                                            slabs * in_slab - live});
    }
    return 0;
}

/* ---- gperftools: a text ---- */

/* "class   8 [      112 bytes ] :       11 objs; ..." */
static int gperftools_classes(put_class *put, void *arg)
{
    void (*stats)(char *, int);
    char *const text = os_pages_map(NULL, TEXT_ROOM);

    if (!text || !find_function("MallocExtension_GetStats", &stats)) {
        os_pages_unmap(NULL, text, TEXT_ROOM);
        return ENOTSUP;
    }
    stats(text, TEXT_ROOM - 1);
    for (char *line = text; (line = strstr(line, "\nclass ")); line++) {
        struct malloc_class c = {.in_use = SIZE_MAX};

        if (sscanf(line, " class %*u [ %zu bytes ] : %zu objs", &c.block_bytes,
                   &c.free) == 2)
            put(arg, &c);
    }
    os_pages_unmap(NULL, text, TEXT_ROOM);
    return 0;
}

/* ---- glibc: a text too ---- */

/* <size from="33" to="48" total="96" count="2"/> or <unsorted ...>, once an
 * arena.  Sizes are of chunks, whose header is 8 bytes; where a bin holds
 * several sizes, all count as their mean.  Beyond the last </heap> stand the
 * sums. */
static void parse_malloc_info(const char *text, put_class *put, void *arg)
{
    static const char *const tags[] = {"<size ", "<unsorted "};

    for (unsigned i = 0; i < 2; i++)
        for (const char *tag = text; (tag = strstr(tag, tags[i])); tag++) {
            size_t total, count;
            const char *const fields = strstr(tag, "total=\"");

            if (!fields || sscanf(fields, "total=\"%zu\" count=\"%zu\"", &total,
                                  &count) != 2)
                continue;
            if (count && total / count > sizeof(size_t))
                put(arg, &(struct malloc_class){total / count - sizeof(size_t),
                                                0, SIZE_MAX, count});
        }
}

/* malloc_info itself allocates nothing. */
static int glibc_classes(put_class *put, void *arg)
{
    int (*info)(int, FILE *);
    char *const text = os_pages_map(NULL, TEXT_ROOM);
    FILE *f = NULL;

    if (text && find_function("malloc_info", &info))
        f = fmemopen(text, TEXT_ROOM - 1, "w");
    if (f) {
        (void)info(0, f);
        (void)fclose(f);
        parse_malloc_info(text, put, arg);
    }
    os_pages_unmap(NULL, text, TEXT_ROOM);
    return f ? 0 : ENOTSUP;
}

static const struct {
    const char *symbol; /* that only this library defines */
    int (*read)(put_class *, void *arg);
} readers[] = {
    {"mallctl", jemalloc_classes},
    {"MallocExtension_GetStats", gperftools_classes},
    {"gnu_get_libc_version", glibc_classes},
};

int malloc_classes_read(put_class *put, void *arg)
{
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (foreign_symbol(readers[i].symbol))
            return readers[i].read(put, arg);
    return ENOTSUP;
}

/* ---- mimalloc ---- */

/* mi_heap_area_t of 2.0.9 and later: a page of mimalloc, of one size. */
struct area {
    void *blocks;
    size_t reserved, committed, used, block_size, full_block_size;
};

struct area_visit {
    const struct heap_visitor *visitor;
    const char *next, *end; /* blocks of the area not shown yet */
    size_t block_bytes;
};

static void show_block(const struct area_visit *v, const char *p,
                       enum block_state state)
{
    const struct heap_block block = {p, v->block_bytes, state};

    v->visitor->block(v->visitor->arg, &block);
}

static void show_free(struct area_visit *v, const char *until)
{
    for (; v->next + v->block_bytes <= until; v->next += v->block_bytes)
        show_block(v, v->next, BLOCK_FREE);
}

/* Called for each area (block NULL), then for its live blocks upwards: what is
 * passed over is free. */
static bool take_block(const void *heap, const struct area *area, void *block,
                       size_t block_size, void *arg)
{
    struct area_visit *v = arg;

    (void)heap;
    (void)block_size;
    if (block) {
        show_free(v, block);
        show_block(v, block, BLOCK_LIVE);
        v->next = (const char *)block + v->block_bytes;
        return true;
    }
    if (v->end)
        show_free(v, v->end);
    const struct heap_span span = {area->blocks, area->reserved, SPAN_BLOCKS,
                                   area->full_block_size};
    v->visitor->span(v->visitor->arg, &span);
    v->block_bytes = area->full_block_size;
    v->next = area->blocks;
    v->end = v->next + area->reserved;
    return true;
}

int malloc_walk_thread(const struct heap_visitor *visitor)
{
    typedef bool visit_function(const void *, const struct area *, void *,
                                size_t, void *);
    int (*version)(void);
    void *(*heap)(void);
    bool (*visit)(const void *, bool, visit_function *, void *);
    struct area_visit v = {.visitor = visitor};

    if (!find_function("mi_version", &version) || version() / 100 != 2 ||
        !find_function("mi_heap_get_default", &heap) ||
        !find_function("mi_heap_visit_blocks", &visit))
        return ENOTSUP; /* other majors order heaps and threads differently */
    (void)visit(heap(), true, take_block, &v);
    if (v.end)
        show_free(&v, v.end);
    return 0;
}
