/* overlap.c - a wrong malloc lab solution: blocks of 100 bytes and more are
 * given out 32 bytes too early.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bump.h"

void *mm_malloc(size_t size)
{
    char *p = bump(size);

    return size >= 100 && p > (char *)mem_heap_lo() + 64 ? p - 32 : p;
}

void mm_free(void *p)
{
    (void)p;
}

void *mm_realloc(void *p, size_t size)
{
    return bump_realloc(p, size);
}
