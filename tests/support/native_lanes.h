/* native_lanes.h - runs a native workload without the harness.
 *
 * Over any struct native_memory; one that counts, overwrites what is freed and
 * refuses an allocation on demand is here too.  Ends the process with a line
 * on stderr when a workload breaks a rule of native.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_NATIVE_LANES_H
#define HEAPYARD_NATIVE_LANES_H

#include <stdatomic.h>
#include <stdint.h>

#include "native.h"
#include "workload.h"

enum { NATIVE_LANES_MAX = 8 };

/* A workload, small. */
struct program {
    const struct workload *workload;
    const char *knobs;
    double scale;
};

struct played {
    int err;                       /* the first of all threads */
    uint64_t allocs, bytes, units; /* of all threads; units begun and ended */
    uint64_t uses;                 /* of all threads */
    unsigned use_phases; /* threads whose use began, once, and ended */
};

/* Play it with so many threads, NATIVE_LANES_MAX at most, the first of which
 * is the caller. */
struct played native_lanes_play(const struct program *,
                                const struct native_memory *, unsigned threads,
                                uint64_t seed);

/* The same; at_use is called in each thread whose use begins. */
struct played native_lanes_play_watched(const struct program *,
                                        const struct native_memory *,
                                        unsigned threads, uint64_t seed,
                                        void (*at_use)(struct native *));

/* Memory from malloc; all zero but fail_at to begin with. */
struct counted {
    _Atomic uint64_t allocs, frees; /* that gave memory; of it */
    _Atomic uint64_t calls;
    _Atomic uint64_t wrong; /* frees of another size than allocated */
    uint64_t fail_at;       /* the call that gives NULL; 0: none */
    uint64_t fail_for;      /* … and so many calls from there */
};

/* Its hooks, borrowing what counts. */
struct native_memory counted_memory(struct counted *);

/* native_lanes_play over that memory; a block that is not freed, or by another
 * size, breaks a rule. */
struct played native_lanes_play_counted(const struct program *,
                                        struct counted *, unsigned threads,
                                        uint64_t seed);

#endif
