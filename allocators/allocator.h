/* allocator.h - the contract of an allocator backend.
 *
 * A backend is one file (or folder) with one `const struct allocator`, and
 * one line in allocators.c.  All state lives in its `struct heap`, which each
 * backend defines for itself.  Twelve hooks are the ceiling; a feature of one
 * backend is a knob of that backend, not a hook.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_ALLOCATOR_H
#define HEAPYARD_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "knobs.h"

struct heap;         /* each backend has its own */
struct heap_report;  /* below */
struct heap_visitor; /* heap_walk.h */
struct collection;   /* collection.h */

enum allocator_trait {
    TRAIT_SHARED = 1,      /* many threads may use one heap at once */
    TRAIT_FOREIGN = 2,     /* any thread may free any block */
    TRAIT_OVERLAPPING = 4, /* blocks are not memory of their own: a floor,
                              never to be checked */
    TRAIT_PRELOADABLE = 8  /* its heap is the process's malloc, so another
                              library may be preloaded under it */
};

/* What open is told. */
struct heap_config {
    unsigned threads; /* that will enter, at most */
    size_t max_size;  /* bytes, of the largest block that will be asked for */
    bool is_timeless; /* the run is to repeat exactly: no clock may decide
                         anything, such as when free memory goes back */
    const struct knob_values *knobs; /* of the allocator's table; NULL: presets;
                                        borrowed until open returns */
    const char *file; /* of a backend that is chosen by a file: what was made
                         of it; borrowed, as knobs is.  NULL: none */
    char *why;        /* [HEAP_WHY_MAX], where open may say more than by its
                         errno; NULL: nobody asks */
};

enum { HEAP_WHY_MAX = 160 };

/* What a heap can say of itself.  Each figure is exact when taken while no
 * thread is inside; SIZE_MAX means "cannot say". */
struct heap_report {
    size_t live_bytes; /* in blocks handed out, as usable() counts them
                          (malloc_stats.h: glibc counts chunks) */
    size_t live_blocks;
    size_t mapped_bytes; /* got from the system and not given back */
};

/* When the process forks, around it. */
enum fork_phase {
    FORK_BEFORE, /* take what must not be in the midst of a change */
    FORK_PARENT, /* go on */
    FORK_CHILD   /* go on, with the calling thread only */
};

struct allocator {
    const char *name;
    const char *summary;      /* one line */
    const char *missing;      /* what this build lacks, so that none of it can
                                 be used; NULL: nothing */
    unsigned traits;          /* or-ed enum allocator_trait */
    size_t max_align;         /* bytes; 0 = no limit */
    const struct knob *knobs; /* ended by a knob without a name; NULL: none */
    const struct collection *collection; /* collection.h; NULL: its memory is
                                            freed, not collected */

    /* Required.  Make an empty heap.  Returns 0 or a positive errno. */
    int (*open)(const struct heap_config *, struct heap **out);
    /* Required.  Give everything back.  No thread is inside. */
    void (*close)(struct heap *);
    /* Required.  A block of at least `size` bytes, aligned to `align` (a
     * power of two; 0 = as malloc).  NULL if there is no memory. */
    void *(*alloc)(struct heap *, size_t size, size_t align);
    /* Required.  The same, zeroed, default alignment. */
    void *(*zalloc)(struct heap *, size_t size);
    /* Required.  Take a block back; size is what was asked for. */
    void (*dealloc)(struct heap *, void *p, size_t size);
    /* Required.  As realloc, new_size > 0; on NULL the old block stays. */
    void *(*resize)(struct heap *, void *p, size_t old_size, size_t new_size);
    /* Not required.  Bytes that may be used of a block that was asked for
     * with `size`; NULL = exactly size. */
    size_t (*usable)(struct heap *, const void *p, size_t size);
    /* Not required.  A thread starts, or ends, its use of the heap.  enter
     * returns 0 or an errno. */
    int (*enter)(struct heap *);
    void (*leave)(struct heap *);
    /* Not required.  Around a fork while other threads are inside; called by
     * the thread that forks. */
    void (*fork)(struct heap *, enum fork_phase);
    /* Not required.  Returns 0, or ENOTSUP where this heap cannot say.  May be
     * called while threads are inside; then the figures are estimates. */
    int (*inspect)(struct heap *, struct heap_report *);
    /* Not required.  Show every span of the heap's address space and every
     * block in it, as heap_walk.h says.  No thread is inside.  Returns 0 or an
     * errno. */
    int (*walk)(struct heap *, const struct heap_visitor *);
};

/* All backends, ended by NULL. */
extern const struct allocator *const allocators[];

/* The backend of that name, or NULL. */
const struct allocator *allocator_find(const char *name);

/* The backend that `text` chooses: "name" or "name:knob=value:knob=value";
 * where the name is a path that ends in ".c", it is malloclab_allocator.
 *
 * Returns 0 and *out and its knobs' values; ENOENT if no backend has that
 * name; or EINVAL, and why[why_size] says in one line what is wrong with the
 * knobs.  Allocates nothing. */
int allocator_choose(const char *text, const struct allocator **out,
                     struct knob_values *values, char *why, size_t why_size);

/* The value of knob i of the table that belongs to the config: what was set,
 * or its preset. */
static inline double heap_knob(const struct heap_config *config,
                               const struct knob *knobs, size_t i)
{
    return config->knobs ? config->knobs->v[i] : knobs[i].preset;
}

#endif
