/* gc_boehm_debug.c - Boehm's debugging variants, which are the plain ones.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_boehm.h"

#define PLAIN(name)                                                            \
    void *GC_debug_##name(size_t bytes, GC_EXTRA_PARAMS)                       \
    {                                                                          \
        (void)file;                                                            \
        (void)line;                                                            \
        return GC_##name(bytes);                                               \
    }

PLAIN(malloc)
PLAIN(malloc_atomic)
PLAIN(malloc_uncollectable)
PLAIN(malloc_atomic_uncollectable)
PLAIN(malloc_ignore_off_page)
PLAIN(malloc_atomic_ignore_off_page)
PLAIN(malloc_stubborn)

char *GC_debug_strdup(const char *s, GC_EXTRA_PARAMS)
{
    (void)file;
    (void)line;
    return GC_strdup(s);
}

char *GC_debug_strndup(const char *s, size_t most, GC_EXTRA_PARAMS)
{
    (void)file;
    (void)line;
    return GC_strndup(s, most);
}

void *GC_debug_realloc(void *p, size_t bytes, GC_EXTRA_PARAMS)
{
    (void)file;
    (void)line;
    return GC_realloc(p, bytes);
}

void *GC_debug_malloc_replacement(size_t bytes)
{
    return GC_malloc(bytes);
}

void *GC_debug_realloc_replacement(void *p, size_t bytes)
{
    return GC_realloc(p, bytes);
}

void GC_debug_free(void *p)
{
    GC_free(p);
}
