/* shadow_model.h - what a collected heap should hold: a graph beside it.
 *
 * The graph lives in malloc'ed memory, which a collector does not scan, and
 * keeps addresses inverted, so that it cannot keep an object alive itself.
 * It knows nothing of collections: who reaches whom follows from the edges.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SHADOW_MODEL_H
#define HEAPYARD_SHADOW_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hy_gc.h"

enum shadow_kind {
    SHADOW_SCANNED,
    SHADOW_LEAF,
    SHADOW_UNCOLLECTABLE,
    SHADOW_ALIGNED,
    SHADOW_LAYOUT,
    SHADOW_EPHEMERON, /* edge 0: its key, edge 1: its value */
    SHADOW_KINDS
};

enum { SHADOW_EDGES = 6, SHADOW_ROOTS = 64 };

/* What an edge leads to: an object's number (from 1), or this. */
enum { SHADOW_NOBODY = 0 };

struct shadow_edge {
    uint32_t to;
    uint32_t offset; /* bytes into it */
};

struct shadow_object {
    uint64_t hidden; /* its address, inverted; 0: not known */
    uint64_t decoy;  /* inverted: an address in a word that is no pointer */
    size_t size;
    struct shadow_edge edge[SHADOW_EDGES];
    struct shadow *owner; /* for finalizers */
    enum shadow_kind kind;
    enum hy_gc_finalizer_order order;
    uint32_t stamp; /* of the last walk that met it */
    uint8_t layout;
    bool is_used, is_reached;
    bool is_held;       /* reached by one that waits for its finalizer */
    bool has_finalizer; /* set and not called */
    bool was_dead;      /* unreached at a collection since it was set */
    bool may_break;     /* an ephemeron of which a collection may have cut */
    bool is_broken;     /* or has cut */
};

struct shadow_model {
    struct shadow_object *object; /* [n], the first is not used */
    uint32_t n, room;
    uint32_t *work; /* [room] */
    uint32_t nwork;
    struct shadow_edge root[SHADOW_ROOTS];
};

/* Room for so many objects in all; aborts without memory. */
void shadow_model_open(struct shadow_model *, uint32_t room);
void shadow_model_close(struct shadow_model *);

/* Which objects the roots and uncollectable objects reach: is_reached. */
void shadow_model_reach(struct shadow_model *);
/* After that: which of the others are reached by one with a finalizer (taking
 * ephemerons for strong): is_held. */
void shadow_model_hold(struct shadow_model *);
/* Whether an edge, or several, lead from one to the other; never through an
 * ephemeron unless is_strong.  O(objects). */
bool shadow_model_leads(struct shadow_model *, uint32_t from, uint32_t to,
                        bool is_strong);
/* Whether it may be freed or resized, whereupon whatever refers to it is
 * changed: no ephemeron does, and nothing that is not reached (which may be
 * kept, be it by its finalizer or by a stray word, and then keeps what it
 * finds at the old address). */
bool shadow_model_may_go(struct shadow_model *, uint32_t);

static inline uint64_t shadow_hide(const void *p)
{
    return ~(uint64_t)(uintptr_t)p;
}

static inline char *shadow_address(const struct shadow_object *o)
{
    return (char *)(uintptr_t)~o->hidden;
}

#endif
