/* slab.h - what the slab allocator shows of itself beyond the contract.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SLAB_H
#define HEAPYARD_SLAB_H

#include "allocator.h"

/* Does the invariant at the top of slab.c hold?  No thread is inside.
 *
 * Returns NULL, or a sentence that says what is wrong.  O(blocks ever carved).
 */
const char *slab_check(struct heap *);

/* For a process in which slab serves malloc, and which has no other heap: a
 * block of up to 1 KiB, or NULL; and whether p was taken back.  Where they
 * fail the contract's functions must be called. */
void *slab_fast_alloc(size_t size);
bool slab_fast_free(void *p);

/* Give back all memory that is free, but for what caches hold.  Whether there
 * was any. */
bool slab_trim(struct heap *);

#endif
