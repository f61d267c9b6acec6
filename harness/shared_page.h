/* shared_page.h - what a measured child shows while it runs.
 *
 * One mapping shared by the runner and its child (or private, when a run is
 * started by hand).  The replaying threads publish their place in the global
 * order here, each on a cache line of its own: for the skew window between
 * them, for the sampler in the parent, and for the note on a run that died.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SHARED_PAGE_H
#define HEAPYARD_SHARED_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "op.h"

enum { SHARED_SLICES_MAX = 512 };

enum shared_state { SHARED_SETUP, SHARED_RUNNING, SHARED_DONE };

struct shared_place {
    _Atomic uint64_t place; /* all operations before it are done;
                               UINT64_MAX: the thread has ended */
    char pad[64 - sizeof(uint64_t)];
};

struct shared_page {
    _Atomic uint32_t state;
    _Atomic uint32_t threads;
    _Atomic uint64_t baseline;  /* RssAnon in bytes, just before the start */
    _Atomic uint32_t slices;    /* so far */
    _Atomic uint32_t slice_ops; /* operations between two of them */
    char pad[40];
    struct shared_place thread[OP_MAX_THREADS];
    /* When thread 0 was through each part of its records: ticks.h. */
    uint64_t slice[SHARED_SLICES_MAX];
};

/* The smallest place of any thread, or `all` when every one has ended. */
uint64_t shared_page_place(const struct shared_page *, uint64_t all);

#endif
