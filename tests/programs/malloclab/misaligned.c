/* misaligned.c - a wrong malloc lab solution: the third block is 4 bytes off.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bump.h"

void *mm_malloc(size_t size)
{
    static int calls;
    char *p = bump(size + 8);

    return ++calls == 3 ? p + 4 : p;
}

void mm_free(void *p)
{
    (void)p;
}

void *mm_realloc(void *p, size_t size)
{
    return bump_realloc(p, size);
}
