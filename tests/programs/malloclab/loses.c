/* loses.c - a wrong malloc lab solution: realloc forgets all but 8 bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bump.h"

void *mm_malloc(size_t size)
{
    return bump(size);
}

void mm_free(void *p)
{
    (void)p;
}

void *mm_realloc(void *p, size_t size)
{
    void *q = bump(size);

    if (q && p)
        memcpy(q, p, size < 8 ? size : 8);
    return q;
}
