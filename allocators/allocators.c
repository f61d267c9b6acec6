/* allocators.c - the table of all backends.
 *
 * To add one: write its file, declare it here, put it into the table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "allocator.h"

#include <errno.h>
#include <string.h>

#include "malloclab.h"

extern const struct allocator null_allocator;
extern const struct allocator system_allocator;
extern const struct allocator arena_allocator;
extern const struct allocator slab_allocator;
extern const struct allocator buddy_allocator;
extern const struct allocator pool_allocator;
extern const struct allocator gc_allocator;
extern const struct allocator bdwgc_allocator;
extern const struct allocator waste_allocator;

const struct allocator *const allocators[] = {
    &null_allocator,  &system_allocator,
    &arena_allocator, &slab_allocator,
    &buddy_allocator, &pool_allocator,
    &gc_allocator,    &bdwgc_allocator,
    &waste_allocator, NULL,
};

static const struct knob no_knobs[] = {{.name = NULL}};

/* The one in the table whose name is text[length], or NULL. */
static const struct allocator *find(const char *text, size_t length)
{
    for (size_t i = 0; allocators[i]; i++) {
        const char *const name = allocators[i]->name;

        if (strlen(name) == length && memcmp(name, text, length) == 0)
            return allocators[i];
    }
    return NULL;
}

const struct allocator *allocator_find(const char *name)
{
    return find(name, strlen(name));
}

int allocator_choose(const char *text, const struct allocator **out,
                     struct knob_values *values, char *why, size_t why_size)
{
    const size_t length = strcspn(text, ":");
    const struct allocator *const a = malloclab_is_source(text, length)
                                          ? &malloclab_allocator
                                          : find(text, length);

    if (!a)
        return ENOENT;
    *out = a;
    return knobs_parse(a->name, a->knobs ? a->knobs : no_knobs,
                       text[length] ? text + length + 1 : "", values, why,
                       why_size);
}
