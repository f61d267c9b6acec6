/* front_pool.c - pool has no faster way, but can trim.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "front.h"

#include "pool_backend.h"

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
    return pool_backend_trim(heap);
}
