/* shadow_heap.h - random programs on a collected heap, and a model that knows
 * what they should find.
 *
 * A run allocates objects of all kinds and of 16 bytes to 1 MiB, links and
 * unlinks them, drops roots, frees, resizes, sets finalizers and weak links,
 * makes ephemerons, and collects.  After every collection all that the model
 * reaches is walked in the heap: contents, fields and addresses are as they
 * should be.  After full ones what the model does not reach is gone:
 *
 * - the bytes that live are at most those of the model's objects, as
 *   hy_gc_usable counts, + 1/16 + 64 KiB + what stray words may keep;
 * - stray words (a conservative collector sees what a test left on its stack)
 *   keep at most SHADOW_STRAYS objects and one in 64.
 *
 * Finalizers run once, on what was unreached at a collection; ordered ones not
 * while another reaches theirs.  Weak links are cleared and ephemerons cut
 * when, and only when, what they depend on was unreached at a collection.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SHADOW_HEAP_H
#define HEAPYARD_SHADOW_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHADOW_STRAYS = 16 };

/* What a run should do wrong, to see that it is found. */
enum shadow_lie {
    SHADOW_HONEST,
    SHADOW_NEVER_COLLECTS, /* the heap is disabled */
    SHADOW_NO_BARRIER,     /* stores are not told */
    SHADOW_HIDES_ROOTS     /* root ranges are not added */
};

/* Same figures, same run; but for what is kept by stray words. */
struct shadow_figures {
    uint64_t seed;
    unsigned steps;
    unsigned markers;
    unsigned ballast; /* objects of a tree that is there all the time, so that
                         there is something to share between markers */
    bool is_generational, is_compact, has_past_end;
    bool has_dying; /* finalizers, weak links and ephemerons too */
    enum shadow_lie lie;
};

/* What a run saw: for a test to see that it was worth something. */
struct shadow_counts {
    uint64_t collections, minor, compacting, objects, moved;
    uint64_t helped; /* collections with more than one marker */
    uint64_t finalized, resurrected, cleared, cut;
    uint64_t retained; /* by stray words, in all strict collections */
    uint64_t reached;  /* objects, at the same times */
    uint64_t live_bytes, model_bytes; /* the heap's and the model's, too */
};

/* Returns 0; or 1 and in why[size] what was found, in one line. */
int shadow_play(const struct shadow_figures *, struct shadow_counts *,
                char *why, size_t size);

#endif
