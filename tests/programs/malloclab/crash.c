/* crash.c - a wrong malloc lab solution: the fourth block is asked for in vain,
 * through NULL.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bump.h"

void *mm_malloc(size_t size)
{
    static int calls;
    volatile int *volatile nowhere = NULL;

    if (++calls == 4)
        *nowhere = 1;
    return bump(size);
}

void mm_free(void *p)
{
    (void)p;
}

void *mm_realloc(void *p, size_t size)
{
    return bump_realloc(p, size);
}
