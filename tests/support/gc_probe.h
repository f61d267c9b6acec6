/* gc_probe.h - a heap with roots of its own, and a count of what has died.
 *
 * Objects are watched by weak links in memory that is not scanned.  What is
 * to die is made by functions of their own, whose stack gc_probe_collect
 * wipes; a conservative collector may still keep some, GC_PROBE_STRAYS at
 * most.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GC_PROBE_H
#define HEAPYARD_GC_PROBE_H

#include "hy_gc.h"

/* Whether a test may count on a single object to die: not where a sanitizer
 * puts copies of pointers where gc_probe_wipe does not reach. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { GC_PROBE_IS_EXACT = 0 };
#else
enum { GC_PROBE_IS_EXACT = 1 };
#endif

enum { GC_PROBE_ROOTS = 1024, GC_PROBE_WATCHED = 1024, GC_PROBE_STRAYS = 4 };

struct gc_probe {
    struct hy_gc *heap;
    struct hy_gc_thread *self;
    void **root; /* [GC_PROBE_ROOTS], registered */
    void **link; /* [GC_PROBE_WATCHED] */
    size_t watched;
};

/* Defaults, with small heaps and one marker; aborts if they do not work. */
struct hy_gc_config gc_probe_config(void);
/* config may be NULL.  The caller is registered.  Aborts on failure. */
void gc_probe_open(struct gc_probe *, const struct hy_gc_config *config);
void gc_probe_close(struct gc_probe *);

/* Wipe what lies below the stack, and collect. */
void gc_probe_collect(struct gc_probe *, enum hy_gc_kind);
void gc_probe_wipe(void);

void gc_probe_watch(struct gc_probe *, void *object);
/* How many of those that are watched have died; then watch none. */
size_t gc_probe_dead(struct gc_probe *);

/* Whether p[bytes] are all this. */
int gc_probe_is_all(const void *p, size_t bytes, unsigned char byte);

#endif
