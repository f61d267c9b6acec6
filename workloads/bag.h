/* bag.h - a thread's live objects in a workload that is being composed.
 *
 * A growing array of object numbers.  Taking one from the middle moves the
 * last into its place, so a bag forgets the order of what is left.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_BAG_H
#define HEAPYARD_BAG_H

#include <stddef.h>
#include <stdint.h>

struct bag {          /* starts as { 0 } */
    uint64_t *object; /* [count], of capacity */
    size_t count, capacity;
};

/* Returns 0 or ENOMEM, and then the bag is as before. */
int bag_add(struct bag *, uint64_t object);

/* Remove the object at i < count and return it. */
uint64_t bag_take(struct bag *, size_t i);

void bag_free(struct bag *);

#endif
