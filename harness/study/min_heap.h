/* min_heap.h - the smallest heap that a program runs in.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MIN_HEAP_H
#define HEAPYARD_MIN_HEAP_H

#include <stdint.h>

enum { MIN_HEAP_GRAIN = 65536 /* bytes: limits are multiples of it */ };

struct min_heap_search {
    uint64_t least;   /* bytes: no smaller limit may be tried */
    uint64_t start;   /* where to begin: about what is used without a limit */
    double precision; /* end when fits / too_small is at most this; > 1 */
    /* Does it run within limit?  Returns 0 and *fits, or an errno that ends
     * the search. */
    int (*try)(void *arg, uint64_t limit, int *fits);
    void *arg;
};

/* What is known: it lies above too_small, and fits is enough. */
struct min_heap {
    uint64_t fits;
    uint64_t too_small; /* 0: even the least limit is enough */
    unsigned tries;
};

/* Double or halve from the start until both ends are known, then bisect by
 * ratios.  Returns 0; ERANGE if 2^40 bytes are too small; or what try
 * returned.  O(log) tries. */
int min_heap_find(const struct min_heap_search *, struct min_heap *out);

#endif
