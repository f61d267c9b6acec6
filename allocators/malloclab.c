/* malloclab.c - a solution of the malloc lab as a backend.
 *
 * The shared object is loaded so that its names hide from ours, and ours from
 * it.  Address space is limited while it is open: a solution that asks the
 * system for memory on the side gets an error, not the machine's last page.
 *
 * malloc(0) of the lab may be NULL, where others give a block: an empty block
 * is asked for as one byte.
 *
 * Source: malloclab/mm.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* RLIMIT_AS */
#include "malloclab.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os_pages.h"

enum { KNOB_HEAP, KNOB_LOW };

#define SIDE_BYTES ((size_t)256 << 20) /* beyond the heap */

static const char *const off_on[] = {"off", "on", NULL};

static const struct knob knobs[] = {
    {"heap", "bytes", 1 << 30, 1 << 16, 1e12, "most that mem_sbrk gives", NULL},
    {"low", "1", 0, 0, 1,
     "its heap lies below 4 GiB, for solutions that keep addresses in 32 bits",
     off_on},
    {.name = NULL},
};

/* What the shared object defines. */
struct solution {
    int (*init)(void);
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*realloc)(void *, size_t);
    void *(*calloc)(size_t, size_t); /* or NULL */
    int (*mem_open)(size_t, bool);
    void (*mem_deinit)(void);
    void (*mem_reset_brk)(void);
    void *(*mem_heap_lo)(void);
    size_t (*mem_heapsize)(void);
};

struct heap {
    struct solution of;
    void *library;
    struct rlimit before; /* of the address space */
};

static const struct symbol {
    const char *name;
    size_t offset; /* in struct solution */
    bool is_optional;
} symbols[] = {
    {"mm_init", offsetof(struct solution, init), false},
    {"mm_malloc", offsetof(struct solution, malloc), false},
    {"mm_free", offsetof(struct solution, free), false},
    {"mm_realloc", offsetof(struct solution, realloc), false},
    {"mm_calloc", offsetof(struct solution, calloc), true},
    {"mem_open", offsetof(struct solution, mem_open), false},
    {"mem_deinit", offsetof(struct solution, mem_deinit), false},
    {"mem_reset_brk", offsetof(struct solution, mem_reset_brk), false},
    {"mem_heap_lo", offsetof(struct solution, mem_heap_lo), false},
    {"mem_heapsize", offsetof(struct solution, mem_heapsize), false},
};

bool malloclab_is_source(const char *text, size_t length)
{
    return length > 2 && memcmp(text + length - 2, ".c", 2) == 0;
}

static void say(const struct heap_config *config, const char *what,
                const char *more)
{
    if (config->why)
        snprintf(config->why, HEAP_WHY_MAX, "%s%s", what, more);
}

static int load(struct heap *heap, const struct heap_config *config)
{
    const bool is_built = config->file && config->file[0];

    heap->library =
        is_built ? dlopen(config->file, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!heap->library) {
        say(config, "", is_built ? dlerror() : "no solution was built");
        return ENOEXEC;
    }
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        /* POSIX promises that these pointers have the form of functions. */
        void *const found = dlsym(heap->library, symbols[i].name);

        memcpy((char *)&heap->of + symbols[i].offset, &found, sizeof found);
        if (!found && !symbols[i].is_optional) {
            say(config, "it does not define ", symbols[i].name);
            return ENOEXEC;
        }
    }
    return 0;
}

/* Bytes of address space in use, or 0. */
static size_t address_space(void)
{
    FILE *const f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    if (f && fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * os_page_size();
}

static void limit_memory(struct heap *heap, size_t heap_bytes)
{
    const size_t used = address_space();
    struct rlimit limit;

    getrlimit(RLIMIT_AS, &heap->before);
    limit = heap->before;
    if (!used || limit.rlim_cur < used + heap_bytes + SIDE_BYTES)
        return;
    limit.rlim_cur = used + heap_bytes + SIDE_BYTES;
    setrlimit(RLIMIT_AS, &limit);
}

static int begin(struct heap *heap, const struct heap_config *config)
{
    const size_t bytes = (size_t)heap_knob(config, knobs, KNOB_HEAP);
    int err = load(heap, config);

    if (err)
        return err;
    limit_memory(heap, bytes);
    err = heap->of.mem_open(bytes, heap_knob(config, knobs, KNOB_LOW) != 0);
    if (err) {
        say(config, "no address space for its heap", "");
        return err;
    }
    err = malloclab_reset(heap);
    if (err)
        say(config, "mm_init returned an error", "");
    return err;
}

static void malloclab_close(struct heap *heap)
{
    if (heap->of.mem_deinit)
        heap->of.mem_deinit();
    if (heap->library)
        dlclose(heap->library);
    if (heap->before.rlim_cur)
        setrlimit(RLIMIT_AS, &heap->before);
    (void)os_pages_unmap(NULL, heap, sizeof *heap);
}

static int malloclab_open(const struct heap_config *config, struct heap **out)
{
    struct heap *const heap = os_pages_map(NULL, sizeof *heap);

    if (!heap)
        return errno;
    const int err = begin(heap, config);
    if (err)
        malloclab_close(heap);
    else
        *out = heap;
    return err;
}

int malloclab_reset(struct heap *heap)
{
    heap->of.mem_reset_brk();
    return heap->of.init() < 0 ? ECANCELED : 0;
}

void malloclab_extent(struct heap *heap, const char **lo, size_t *bytes)
{
    *lo = heap->of.mem_heap_lo();
    *bytes = heap->of.mem_heapsize();
}

static void *malloclab_alloc(struct heap *heap, size_t size, size_t align)
{
    (void)align; /* at most max_align */
    return heap->of.malloc(size ? size : 1);
}

static void *malloclab_zalloc(struct heap *heap, size_t size)
{
    if (heap->of.calloc)
        return heap->of.calloc(1, size ? size : 1);
    void *const p = malloclab_alloc(heap, size, 0);

    return p ? memset(p, 0, size) : NULL;
}

static void malloclab_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)size;
    heap->of.free(p);
}

static void *malloclab_resize(struct heap *heap, void *p, size_t old_size,
                              size_t new_size)
{
    (void)old_size;
    return heap->of.realloc(p, new_size);
}

static int malloclab_inspect(struct heap *heap, struct heap_report *report)
{
    *report = (struct heap_report){.live_bytes = SIZE_MAX,
                                   .live_blocks = SIZE_MAX,
                                   .mapped_bytes = heap->of.mem_heapsize()};
    return 0;
}

const struct allocator malloclab_allocator = {
    .name = "mm.c",
    .summary = "a solution of the malloc lab, compiled from its source",
    .traits = 0, /* one thread */
    .max_align = 8,
    .knobs = knobs,
    .open = malloclab_open,
    .close = malloclab_close,
    .alloc = malloclab_alloc,
    .zalloc = malloclab_zalloc,
    .dealloc = malloclab_dealloc,
    .resize = malloclab_resize,
    .inspect = malloclab_inspect,
};
