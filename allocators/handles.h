/* handles.h - a compacting heap: objects are named by handles and may move.
 *
 * As the caller keeps a handle and not an address, the heap may move objects
 * together and give the pages between them back to the system, which no
 * malloc can.  To use an object is to pin it: while it is pinned it stands
 * still, and its address holds.
 *
 *     struct hy_handles *heap;
 *     hy_handles_open(&(struct hy_handles_config){0}, &heap);
 *     uint64_t name = hy_handles_alloc(heap, 100);       (0: errno says why)
 *     char *p = hy_handles_pin(heap, name);
 *     strcpy(p, "hello");
 *     hy_handles_unpin(heap, name);                      (p is void now)
 *     hy_handles_free(heap, name);
 *     hy_handles_pin(heap, name);                        (NULL, ESTALE)
 *     hy_handles_close(heap);
 *
 * A handle is never valid again once its object is freed: the use of a stale
 * one is an error, not a fault.  handles.c tells how it works.
 *
 * Any thread may call at any time: a lock within serves one after the other.
 * Contents are the callers' own affair.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_HANDLES_H
#define HEAPYARD_HANDLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HY_HANDLES_PINS_MAX = 255 }; /* on one object at a time */

struct hy_handles; /* handles.c */

struct hy_handles_config {
    size_t max_bytes; /* of memory from the system, at least 1 MiB; 0 = no
                         limit */
    /* Memory from the system over bytes of live blocks at which allocating
     * and freeing begin to compact: 1.1 or more; 0 = 1.25.  Less costs more
     * copying, at worst 1 / (threshold - 1) bytes for each that is freed; as
     * the emptiest segments go first, where objects are replaced at random it
     * is 3.8 at 1.1, 1.5 at 1.25, 0.7 at 1.5 and 0.3 at 2 (measured).
     * INFINITY = only hy_handles_compact does. */
    double threshold;
};

/* Exact. */
struct hy_handles_metrics {
    size_t objects;              /* live */
    size_t live_bytes;           /* that were asked for them */
    size_t block_bytes;          /* that they take, with headers and rounding */
    size_t mapped_bytes;         /* from the system and not given back */
    size_t table_bytes;          /* of them for handles and the heap itself */
    size_t pinned;               /* live objects with pins */
    size_t pinned_at_compaction; /* of them when it last ran */
    uint64_t compactions;        /* runs that found work */
    uint64_t moved_objects, moved_bytes; /* by compaction, ever */
    uint64_t given_back;                 /* bytes, by compaction, ever */
};

/* Make an empty heap.  Returns 0, EINVAL or ENOMEM. */
int hy_handles_open(const struct hy_handles_config *, struct hy_handles **out);

/* Give everything back, objects and all.  heap may be NULL; no thread is
 * inside. */
void hy_handles_close(struct hy_handles *);

/* A new object of `size` bytes, also 0, with undefined contents.
 *
 * Returns its handle; or 0, and errno is ENOMEM.  Before it fails, everything
 * that may move is compacted. */
uint64_t hy_handles_alloc(struct hy_handles *, size_t size);

/* Returns 0; ESTALE if there is no such object (any more); or EBUSY if it is
 * pinned. */
int hy_handles_free(struct hy_handles *, uint64_t handle);

/* Hold the object where it is, once more.
 *
 * Returns its address, a multiple of 16, which holds until the last unpin; or
 * NULL, and errno is ESTALE, or EOVERFLOW at HY_HANDLES_PINS_MAX pins. */
void *hy_handles_pin(struct hy_handles *, uint64_t handle);

/* Take one pin away.  Returns 0, ESTALE, or EINVAL if it has none. */
int hy_handles_unpin(struct hy_handles *, uint64_t handle);

/* Change the size; what both sizes have in common keeps its contents.
 *
 * Returns 0; ESTALE; EBUSY if the object is pinned where it cannot grow; or
 * ENOMEM.  Then nothing has changed. */
int hy_handles_resize(struct hy_handles *, uint64_t handle, size_t size);

/* *size = bytes as asked for.  Returns 0 or ESTALE. */
int hy_handles_size(struct hy_handles *, uint64_t handle, size_t *size);

/* Compact on, wherever the last call (or the pacing) stopped, whatever the
 * threshold.
 *
 * budget  bytes to copy, about: a sixteenth of what is looked through counts,
 *         too; the last object may go beyond
 *
 * Returns whether there is more to do: `while (idle() && hy_handles_compact(
 * heap, 64 << 10));`. */
bool hy_handles_compact(struct hy_handles *, size_t budget);

void hy_handles_measure(struct hy_handles *, struct hy_handles_metrics *);

/* Does the invariant at the top of handles.c hold?
 *
 * Returns NULL, or a sentence that says what is wrong.  O(objects). */
const char *hy_handles_check(struct hy_handles *);

#endif
