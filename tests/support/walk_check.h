/* walk_check.h - is what a heap's walk shows as heap_walk.h says?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_WALK_CHECK_H
#define HEAPYARD_WALK_CHECK_H

#include <stddef.h>

#include "allocator.h"

struct walk_totals {
    size_t span_bytes, metadata_bytes;
    size_t live_bytes, live_blocks;
    size_t free_blocks, cached_blocks;
};

/* Walk the heap.  Returns NULL, or what is wrong: spans overlap; a block is
 * outside its span, overlaps or goes back, or has not the size its span says;
 * spans are not, in all, what inspect says is mapped; live blocks are not
 * what inspect says (where it can). */
const char *walk_check(const struct allocator *, struct heap *,
                       struct walk_totals *out);

#endif
