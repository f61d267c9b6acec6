/* front.h - what a backend that serves malloc may do beyond the contract.
 *
 * One file for each backend, front_BACKEND.c, linked with malloc_family.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FRONT_H
#define HEAPYARD_FRONT_H

#include <stdbool.h>
#include <stddef.h>

struct heap;

/* A block, or NULL: then the backend's alloc must be called.  In a process
 * that it serves as malloc a backend has one heap, so a thread that has a seat
 * need not look for it. */
void *front_alloc(size_t size);

/* Whether p was taken back; if not (NULL too), dealloc must be called. */
bool front_free(void *p);

/* Give back at once the memory that is free.  Whether there was any. */
bool front_trim(struct heap *);

#endif
