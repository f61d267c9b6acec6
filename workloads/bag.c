/* bag.c - a thread's live objects in a workload that is being composed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bag.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 64 };

int bag_add(struct bag *bag, uint64_t object)
{
    if (bag->count == bag->capacity) {
        size_t capacity = bag->capacity ? 2 * bag->capacity : FIRST_CAPACITY;
        uint64_t *grown = realloc(bag->object, capacity * sizeof *grown);

        if (!grown)
            return ENOMEM;
        bag->object = grown;
        bag->capacity = capacity;
    }
    bag->object[bag->count++] = object;
    return 0;
}

uint64_t bag_take(struct bag *bag, size_t i)
{
    assert(i < bag->count);
    uint64_t object = bag->object[i];

    bag->object[i] = bag->object[--bag->count];
    return object;
}

void bag_free(struct bag *bag)
{
    free(bag->object);
    *bag = (struct bag){0};
}
