/* endless.c - a wrong malloc lab solution: the second free never returns.
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
    static volatile int calls;

    (void)p;
    if (++calls == 2)
        while (calls)
            ;
}

void *mm_realloc(void *p, size_t size)
{
    return bump_realloc(p, size);
}
