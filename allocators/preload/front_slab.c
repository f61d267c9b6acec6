/* front_slab.c - slab's fast paths, which need no heap, and its trim.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "front.h"

#include "slab.h"

void *front_alloc(size_t size)
{
    return slab_fast_alloc(size);
}

bool front_free(void *p)
{
    return slab_fast_free(p);
}

bool front_trim(struct heap *heap)
{
    return slab_trim(heap);
}
