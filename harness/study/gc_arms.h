/* gc_arms.h - what a study of collectors compares: each at several heaps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GC_ARMS_H
#define HEAPYARD_GC_ARMS_H

#include "min_heap.h"
#include "spec.h"

enum { GC_ARMS_MAX = SPEC_LIST_MAX, GC_FACTORS_MAX = 12 };

/* A collector at a heap limit, or an allocator whose memory is freed. */
struct gc_arm {
    char allocator[SPEC_NAME_MAX]; /* as the plan names it */
    char collector[SPEC_NAME_MAX]; /* as the user named it; "": it is freed */
    double factor;                 /* limit over minimum heap; NAN: no limit */
    double limit;                  /* bytes; NAN: none */
    double min_heap, too_small;    /* bytes, of the collector; NAN */
};

struct gc_arms {
    struct gc_arm arm[GC_ARMS_MAX]; /* [n] */
    size_t n;
};

/* "NAME" or "NAME:KNOBS" is a collector whose heap can be bounded: has a knob
 * `limit`, which the text does not set.  Returns 0 and the least limit; or
 * EINVAL or ENOENT and why. */
int gc_collector_check(const char *text, uint64_t *least, char *why,
                       size_t why_size);

/* The text with its limit set: "gc:limit=8388608".  ENAMETOOLONG, or 0. */
int gc_collector_limit(const char *text, uint64_t limit,
                       char out[SPEC_NAME_MAX]);

/* Add a collector: without a limit, and at each factor of its minimum heap.
 * Returns 0, ENOSPC beyond GC_ARMS_MAX, or ENAMETOOLONG. */
int gc_arms_add(struct gc_arms *, const char *collector,
                const struct min_heap *, const double factor[],
                size_t nfactors);
/* Add what is freed explicitly: system, slab and arena. */
int gc_arms_add_freed(struct gc_arms *);

/* FOLDER/arms.csv.  Returns 0, or an errno and why. */
int gc_arms_write(const struct gc_arms *, const char *folder, char *why,
                  size_t why_size);
int gc_arms_read(struct gc_arms *, const char *folder, char *why,
                 size_t why_size);

#endif
