/* heap_noise.c - blocks that lie among those that a workload uses.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "heap_noise.h"

#include <errno.h>

/* Each block; the last one is the first of the list. */
struct heap_noise {
    struct heap_noise *next;
    uint64_t bytes;
};

int heap_noise_add(struct native *n, struct random *random, uint64_t count,
                   uint64_t max, struct heap_noise **noise)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t bytes = random_between(random, sizeof **noise, max);
        struct heap_noise *block = native_alloc(n, bytes);

        if (!block)
            return ENOMEM;
        block->bytes = bytes;
        native_store(n, block, (void **)&block->next, *noise);
        *noise = block;
    }
    return 0;
}

void heap_noise_drop(struct native *n, struct heap_noise *noise)
{
    if (!n->memory.dealloc)
        return;
    for (struct heap_noise *next; noise; noise = next) {
        next = noise->next;
        native_drop(n, noise, noise->bytes);
    }
}
