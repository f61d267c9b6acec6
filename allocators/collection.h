/* collection.h - what a collected backend offers beside the twelve hooks.
 *
 * A backend that collects has one `const struct collection` and points to it
 * from its `struct allocator`.  Its heap is given root ranges, and takes back
 * what they no longer reach; dealloc need not be called, and may do nothing.
 * A NULL member means "cannot".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_COLLECTION_H
#define HEAPYARD_COLLECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap;

enum collection_kind {
    COLLECTION_MINOR,
    COLLECTION_FULL,
    COLLECTION_COMPACTING
};

/* One collection, as a listener is told of it.  Times are of CLOCK_MONOTONIC.
 * UINT64_MAX: this collector cannot say. */
struct collection_event {
    uint64_t number;    /* from 1 */
    uint64_t start_ns;  /* it asks the others to stop */
    uint64_t stop_ns;   /* ns until all stood */
    uint64_t mark_ns;   /* roots and marking */
    uint64_t finish_ns; /* until the world goes on; the pause is the sum of
                           these three */
    uint64_t marked_objects;
    uint64_t marked_bytes;
    uint64_t live_bytes;      /* after it */
    uint64_t allocated_bytes; /* since the one before */
    uint64_t heap_bytes;      /* in use when it began */
    uint64_t freed_bytes;     /* given back at once; the rest is swept later */
    uint64_t moved_bytes;
    const char *reason; /* "budget", "limit", "asked"; constant text */
    enum collection_kind kind;
    unsigned threads; /* stopped, with the one that collects; 0: not known */
    unsigned markers;
};

struct collection {
    /* Required.  Holds no pointers; contents undefined. */
    void *(*alloc_leaf)(struct heap *, size_t size);
    /* Required.  The words of [begin, end) are roots.  0 or an errno. */
    int (*roots_add)(struct heap *, void *begin, void *end);
    void (*roots_remove)(struct heap *, void *begin, void *end);
    /* Required.  Collect now. */
    void (*collect)(struct heap *, enum collection_kind);
    /* Required.  Tell the listener of every collection, from its thread, when
     * it is over; NULL: nobody.  The listener must not use the heap. */
    void (*listen)(struct heap *,
                   void (*listener)(const struct collection_event *, void *arg),
                   void *arg);
    /* *field = value, in `object`; NULL: a plain store does.  Where it is not
     * NULL, needs_store says whether this heap must be told. */
    void (*store)(struct heap *, void *object, void **field, void *value);
    bool (*needs_store)(struct heap *);
    /* Objects whose pointers are known: word_is_pointer[size / 8].  Returns 0
     * and the layout, or an errno. */
    int (*layout_add)(struct heap *, size_t size, const bool word_is_pointer[],
                      unsigned *layout);
    void *(*alloc_layout)(struct heap *, unsigned layout); /* zeroed */
    /* run(object, arg) once, when the object cannot be reached. 0 or errno. */
    int (*finalizer)(struct heap *, void *object,
                     void (*run)(void *object, void *arg), void *arg);
    /* *link = NULL when the target cannot be reached.  0 or an errno. */
    int (*weak)(struct heap *, void **link, void *target);
    /* An object that keeps value as long as key is reached from elsewhere, or
     * NULL; and what is left in it, both NULL when the key is gone. */
    void *(*ephemeron)(struct heap *, void *key, void *value);
    void *(*ephemeron_key)(struct heap *, void *ephemeron);
    void *(*ephemeron_value)(struct heap *, void *ephemeron);
};

#endif
