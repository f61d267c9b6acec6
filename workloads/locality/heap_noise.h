/* heap_noise.h - blocks that lie among those that a workload uses.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_HEAP_NOISE_H
#define HEAPYARD_HEAP_NOISE_H

#include "native.h"
#include "random.h"

struct heap_noise;

/* Allocate so many more blocks, of 16 to `max` bytes, uniform; *noise, at first
 * NULL, keeps them.  0 or ENOMEM. */
int heap_noise_add(struct native *, struct random *, uint64_t count,
                   uint64_t max, struct heap_noise **noise);
void heap_noise_drop(struct native *, struct heap_noise *);

#endif
