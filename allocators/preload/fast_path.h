/* fast_path.h - what a backend may do without its heap at hand.
 *
 * In a process that a backend serves as malloc there is one heap, so a thread
 * that has a seat need not look for it.  A backend without such a path links
 * fast_none.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FAST_PATH_H
#define HEAPYARD_FAST_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* A block, or NULL: then the backend's alloc must be called. */
void *fast_alloc(size_t size);

/* Whether p was taken back; if not (NULL too), dealloc must be called. */
bool fast_free(void *p);

#endif
