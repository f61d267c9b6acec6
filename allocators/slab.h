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

#endif
