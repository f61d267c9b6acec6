/* narrow.c - a malloc lab solution that is right where addresses have 32 bits:
 * it keeps the address of the last block in an unsigned int.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bump.h"

static unsigned last;

void *mm_malloc(size_t size)
{
    char *p = bump(size);

    last = (unsigned)(uintptr_t)p;
    return p;
}

void mm_free(void *p)
{
    if (p)
        (void)*(volatile char *)(uintptr_t)last;
}

void *mm_realloc(void *p, size_t size)
{
    return bump_realloc(p, size);
}
