/* malloc_classes.h - the structure of a foreign malloc, as far as it tells.
 *
 * What serves malloc is asked through the symbols that only it defines
 * (foreign_symbol).  Its heap is not changed, but that glibc's answer needs a
 * stream, which is two chunks while it lasts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MALLOC_CLASSES_H
#define HEAPYARD_MALLOC_CLASSES_H

#include <stddef.h>

#include "heap_walk.h"

/* A size class, or one size of free chunks. */
struct malloc_class {
    size_t block_bytes;
    size_t spans;  /* 0: it does not say */
    size_t in_use; /* blocks that left their span, so also those in caches;
                      SIZE_MAX: it does not say */
    size_t free;   /* blocks */
};

/* All size classes that have blocks, over all threads.
 *
 *   jemalloc    exact: slabs, blocks in use, free; nothing of large sizes
 *   gperftools  exact: free blocks, in caches or not
 *   glibc       exact: free chunks by size, without the threads' caches;
 *               block_bytes as malloc_usable_size counts
 *
 * Returns 0, or ENOTSUP for any other. */
int malloc_classes_read(void (*put)(void *arg, const struct malloc_class *),
                        void *arg);

/* Show the spans and blocks that belong to the calling thread (mimalloc 2).
 * Returns 0, or ENOTSUP for any other library. */
int malloc_walk_thread(const struct heap_visitor *);

#endif
