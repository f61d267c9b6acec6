/* tiny_gc.h - a collector so simple that it is right, to try programs on.
 *
 * It collects at every so many allocations, overwrites what is dead and never
 * uses it again, and holds a program to the rules of native.h: every pointer
 * in an object was stored by native_store, and lies where its layout says.
 * One thread only.
 *
 * Roots are the stack from where the heap was opened, and the ranges added.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TINY_GC_H
#define HEAPYARD_TINY_GC_H

#include "native.h"

struct tiny_gc; /* a heap */

struct tiny_gc_config {
    size_t bytes;     /* of all that is ever allocated */
    uint64_t period;  /* allocations from one collection to the next */
    uint64_t fail_at; /* the number of the allocation that gives NULL, from
                         1; 0: none does */
    uint64_t lose_at; /* at this allocation, zero the lose_nth oldest of the
                         small objects that live and are not zero; 0: do not */
    unsigned lose_nth;
    const void *stack_base; /* roots are what is below it on the stack */
    bool has_layouts;
};

struct tiny_gc_counts {
    uint64_t allocs, collections;
    uint64_t live;   /* objects, after a collection now */
    uint64_t faults; /* rules broken */
    char fault[100]; /* the first of them */
};

/* NULL: no memory. */
struct tiny_gc *tiny_gc_open(const struct tiny_gc_config *,
                             struct native_memory *);
void tiny_gc_count(struct tiny_gc *, struct tiny_gc_counts *);
void tiny_gc_close(struct tiny_gc *);

/* For struct native. */
void tiny_gc_collect(struct native *);

#endif
