/* buddy.h - the binary buddy system, seen from its tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_BUDDY_H
#define HEAPYARD_BUDDY_H

#include "allocator.h"

extern const struct allocator buddy_allocator;

/* What is wrong in a heap of buddy_allocator, as a sentence, or NULL.  No
 * other thread is inside.  O(regions); for tests. */
const char *buddy_check(struct heap *heap);

/* Give back every region that has no block, but for what caches hold.
 * Whether there was any. */
bool buddy_trim(struct heap *heap);

#endif
