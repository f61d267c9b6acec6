/* heap_walk.h - the structure of a heap, shown to a visitor.
 *
 * A backend's walk calls `span` for each stretch of address space that it
 * holds, in any order, and after it `block` for each block within, in the
 * order of addresses.  Spans do not overlap, and a block lies in its span.
 *
 * What is shown is exact when no thread is inside.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_HEAP_WALK_H
#define HEAPYARD_HEAP_WALK_H

#include <stddef.h>

enum span_kind {
    SPAN_BLOCKS,  /* cut into blocks, or one block */
    SPAN_FREE,    /* retained: may be touched, holds no block */
    SPAN_METADATA /* the allocator's own records */
};

struct heap_span {
    const void *start;
    size_t bytes; /* that may be touched; whole pages where the backend can */
    enum span_kind kind;
    size_t block_bytes; /* of every block in it; 0: they differ, or none */
};

enum block_state {
    BLOCK_LIVE,  /* handed out */
    BLOCK_FREE,  /* on a free list, or never handed out */
    BLOCK_CACHED /* free, in a thread's cache or a quarantine */
};

struct heap_block {
    const void *start;
    size_t bytes; /* as usable() counts them where it is live */
    enum block_state state;
};

struct heap_visitor {
    void *arg; /* for both */
    void (*span)(void *arg, const struct heap_span *);
    void (*block)(void *arg, const struct heap_block *);
};

#endif
