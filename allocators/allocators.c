/* allocators.c - the table of all backends.
 *
 * To add one: write its file, declare it here, put it into the table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "allocator.h"

#include <string.h>

extern const struct allocator null_allocator;
extern const struct allocator system_allocator;
extern const struct allocator arena_allocator;
extern const struct allocator slab_allocator;
extern const struct allocator buddy_allocator;
extern const struct allocator pool_allocator;

const struct allocator *const allocators[] = {
    &null_allocator,
    &system_allocator,
    &arena_allocator,
    &slab_allocator,
    &buddy_allocator,
    &pool_allocator,
    NULL,
};

const struct allocator *allocator_find(const char *name)
{
    for (size_t i = 0; allocators[i]; i++) {
        if (strcmp(allocators[i]->name, name) == 0)
            return allocators[i];
    }
    return NULL;
}
