/* slab_mesh.h - meshing: pages that share memory, for the slab allocator.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SLAB_MESH_H
#define HEAPYARD_SLAB_MESH_H

#include <stdbool.h>
#include <stdint.h>

#include "allocator.h"

struct cache;
struct page;

/* Make heap->mesh.  Returns 0 or an errno. */
int mesh_open(struct heap *);
void mesh_close(struct heap *);

/* Now and then, by the owner of the cache: mesh what is sparse. */
void mesh_tick(struct heap *, struct cache *);

/* Put blocks that were set aside, and may be used, back on the page's list. */
void mesh_recall(const struct heap *, struct page *);

/* Is that carved block of the page free, and on no list? */
bool mesh_is_aside(const struct page *, uint32_t block);

/* All of the page is free: it shares memory no more. */
void mesh_dissolve(struct heap *, struct page *);

/* Does the invariant at the top of slab_mesh.c hold?  NULL, or what is wrong.
 */
const char *mesh_check(struct heap *);

/* Bytes of addresses that share their memory with others; 0 without mesh. */
size_t mesh_shared_bytes(const struct heap *);

/* Around a fork: nothing stays shared with the child. */
void mesh_fork(struct heap *, enum fork_phase);

#endif
