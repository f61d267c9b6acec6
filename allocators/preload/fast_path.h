/* fast_path.h - what a backend that serves malloc may do beyond the contract.
 *
 * In such a process there is one heap, so a thread that has a seat need not
 * look for it.  A backend without such a path links fast_none.c, and one that
 * cannot trim trim_none.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FAST_PATH_H
#define HEAPYARD_FAST_PATH_H

#include <stdbool.h>
#include <stddef.h>

struct heap;

/* A block, or NULL: then the backend's alloc must be called. */
void *fast_alloc(size_t size);

/* Whether p was taken back; if not (NULL too), dealloc must be called. */
bool fast_free(void *p);

/* Give back at once the memory that is free.  Whether there was any. */
bool heap_trim(struct heap *);

#endif
