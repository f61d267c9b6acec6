/* outside.c - a wrong malloc lab solution: large blocks are not of its heap.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bump.h"

#include <stdlib.h>

void *mm_malloc(size_t size)
{
    return size > 2000 ? aligned_alloc(16, (size + 15) & ~(size_t)15)
                       : bump(size);
}

void mm_free(void *p)
{
    (void)p;
}

void *mm_realloc(void *p, size_t size)
{
    return bump_realloc(p, size);
}
