/* pool_backend.h - what the pool backend can do beyond the contract.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_POOL_BACKEND_H
#define HEAPYARD_POOL_BACKEND_H

#include <stdbool.h>

struct heap;

/* Give back all idle slabs, but for objects that caches hold.  Whether there
 * were any. */
bool pool_backend_trim(struct heap *);

#endif
