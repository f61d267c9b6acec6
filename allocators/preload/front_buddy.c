/* front_buddy.c - buddy has no faster way, but can trim.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "front.h"

#include "buddy.h"

void *front_alloc(size_t size)
{
    (void)size;
    return NULL;
}

bool front_free(void *p)
{
    (void)p;
    return false;
}

bool front_trim(struct heap *heap)
{
    return buddy_trim(heap);
}
