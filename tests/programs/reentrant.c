/* reentrant.c - a malloc, to preload, whose realloc and calloc call malloc.
 *
 * They do so through the dynamic linker, hence through the recorder, which
 * must count what the program asked for and nothing else.  Memory is never
 * used again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE */

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { RESERVE = 1 << 30, HEAD = 16 };

static char *_Atomic base;
static atomic_size_t used;

void *malloc(size_t size)
{
    size_t room = (size + HEAD + 15) & ~(size_t)15;

    if (!base)
        base = mmap(NULL, RESERVE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (size > RESERVE || used + room > RESERVE)
        return NULL;
    char *p = base + atomic_fetch_add(&used, room);

    memcpy(p, &size, sizeof size);
    return p + HEAD;
}

void free(void *p)
{
    (void)p;
}

void *calloc(size_t n, size_t size)
{
    return n && size > SIZE_MAX / n ? NULL : malloc(n * size);
}

void *realloc(void *old, size_t size)
{
    void *p = malloc(size);
    size_t old_size;

    if (p && old) {
        memcpy(&old_size, (char *)old - HEAD, sizeof old_size);
        memcpy(p, old, old_size < size ? old_size : size);
        free(old);
    }
    return p;
}
