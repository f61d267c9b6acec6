/* malloclab.h - a solution of the malloc lab as a backend.
 *
 * It is chosen by the path of its source, PATH.c, and is in no table: without
 * a file it is nothing.  heap_config.file names the shared object that was
 * made of it (harness/lab/solution.h) with malloclab/memlib.c in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MALLOCLAB_H
#define HEAPYARD_MALLOCLAB_H

#include "allocator.h"

/* Blocks are 8-byte aligned, as the oldest handout wants: that is all that is
 * asked of it and all that a trace may ask for. */
extern const struct allocator malloclab_allocator;

/* Whether text[length] is the path of a solution: it ends in ".c". */
bool malloclab_is_source(const char *text, size_t length);

/* Empty the heap and call mm_init again, as the lab's driver does before each
 * pass.  Pages that are in memory stay there.  Returns 0 or an errno. */
int malloclab_reset(struct heap *);

/* Where its heap is now: `bytes` from `lo`. */
void malloclab_extent(struct heap *, const char **lo, size_t *bytes);

#endif
