/* shadow_parts.h - what shadow_heap.c, shadow_walk.c and shadow_dying.c share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SHADOW_PARTS_H
#define HEAPYARD_SHADOW_PARTS_H

#include "hy_gc.h"
#include "random.h"
#include "shadow_heap.h"
#include "shadow_model.h"

enum { SHADOW_LAYOUTS = 4, SHADOW_LINKS = 200 };

struct shadow_link {
    uint32_t target; /* SHADOW_NOBODY: free */
    bool is_long;
    bool may_clear; /* the target was unreached at a collection */
};

struct shadow {
    const struct shadow_figures *figures;
    struct shadow_counts *counts;
    struct hy_gc *heap;
    struct hy_gc_thread *self;
    struct shadow_model model;
    struct random random;
    unsigned layout[SHADOW_LAYOUTS];
    void **cell[SHADOW_ROOTS]; /* where the roots are */
    void *range[SHADOW_ROOTS]; /* those that are no stack */
    unsigned roots;            /* that are used: fewer pin less */
    struct shadow_link link[SHADOW_LINKS];
    void *link_at[SHADOW_LINKS];
    void **ballast;                      /* where its root is */
    uint64_t ballast_bytes;              /* as hy_gc_usable counts */
    uint32_t pending[SHADOW_LINKS * 16]; /* ephemerons whose keys a walk has
                                            not met yet */
    size_t npending;
    uint32_t stamp;          /* of the walk */
    uint64_t events, walked; /* collections in all; when last walked */
    bool has_moved;          /* since the last walk */
    struct hy_gc_event last;
    char *why;
    size_t why_size;
    bool is_faulty;
};

/* Note what is wrong, unless something was before. */
void shadow_fault(struct shadow *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Where an object's pointers are: words [fields]; and the word with its
 * decoy, or 0. */
struct shadow_shape {
    const uint8_t *at;
    unsigned fields, decoy;
};
struct shadow_shape shadow_shape(const struct shadow_object *);
/* The size and the pointers of layout i. */
size_t shadow_layout(unsigned i, bool word_is_pointer[]);

/* ---- shadow_walk.c ---- */

/* Fill a new object, but its fields. */
void shadow_fill(struct shadow *, uint32_t object);
/* Whether its first bytes are as they were filled. */
bool shadow_holds(const struct shadow *, uint32_t object, size_t bytes);
/* If there was a collection since: see that all that the roots reach is what
 * and where it should be; learn what has moved. */
void shadow_sync(struct shadow *);
void shadow_walk(struct shadow *);
/* The same of an object that no root reaches, which is at p. */
void shadow_walk_from(struct shadow *, uint32_t object, void *p);

/* ---- shadow_dying.c ---- */

/* At a collection: who may die by it. */
void shadow_note_deaths(struct shadow *);
/* An object that is reached, or nobody. */
uint32_t shadow_pick(struct shadow *);
void shadow_set_root(struct shadow *, unsigned i, uint32_t to, uint32_t offset);
void shadow_set_finalizer(struct shadow *, uint32_t object, bool on);
void shadow_change_link(struct shadow *);
void shadow_remove_link(struct shadow *, unsigned link);
/* After a walk: links of what is reached hold; is_strict: no others do, but
 * for strays. */
void shadow_check_links(struct shadow *, bool is_strict);
/* An object is freed, or found dead. */
void shadow_forget(struct shadow *, uint32_t object, bool is_freed);
/* Finalizers that are set, by the model. */
size_t shadow_waiting(const struct shadow *);

#endif
