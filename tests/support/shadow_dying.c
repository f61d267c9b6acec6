/* shadow_dying.c - finalizers and weak links of a shadow heap.
 *
 * The model does not say when something must die (a collection may be minor,
 * and words may be mistaken for pointers), but when it may: if it was unreached
 * at a collection.  shadow_note_deaths looks at that moment.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shadow_parts.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- reaching ---- */

void shadow_note_deaths(struct shadow *s)
{
    shadow_model_reach(&s->model);
    for (uint32_t i = 1; i < s->model.n; i++) {
        struct shadow_object *o = &s->model.object[i];
        if (!o->is_used)
            continue;
        if (!o->is_reached)
            o->was_dead = true;
        if (o->kind == SHADOW_EPHEMERON && !o->is_broken &&
            !(o->is_reached && s->model.object[o->edge[0].to].is_reached))
            o->may_break = true;
    }
    for (unsigned i = 0; i < SHADOW_LINKS; i++)
        if (s->link[i].target && !s->model.object[s->link[i].target].is_reached)
            s->link[i].may_clear = true;
}

static uint32_t some_root(struct shadow *s)
{
    for (int tries = 0; tries < 8; tries++) {
        uint32_t to = s->model.root[random_below(&s->random, s->roots)].to;
        if (to)
            return to;
    }
    return SHADOW_NOBODY;
}

uint32_t shadow_pick(struct shadow *s)
{
    uint32_t at = some_root(s);
    for (uint64_t steps = random_below(&s->random, 12); at && steps; steps--) {
        const struct shadow_object *o = &s->model.object[at];
        uint32_t to = o->edge[random_below(&s->random, SHADOW_EDGES)].to;
        if (to && o->kind != SHADOW_EPHEMERON)
            at = to;
    }
    return at;
}

void shadow_set_root(struct shadow *s, unsigned i, uint32_t to, uint32_t offset)
{
    s->model.root[i] = (struct shadow_edge){.to = to, .offset = offset};
    *s->cell[i] = to ? shadow_address(&s->model.object[to]) + offset : NULL;
}

/* ---- finalizers ---- */

size_t shadow_waiting(const struct shadow *s)
{
    size_t n = 0;
    for (uint32_t i = 1; i < s->model.n; i++)
        n += s->model.object[i].is_used && s->model.object[i].has_finalizer;
    return n;
}

/* No other object with an ordered finalizer may lead to one that is. */
static void check_order(struct shadow *s, uint32_t object)
{
    const struct shadow_object *o = &s->model.object[object];
    if (o->order == HY_GC_ORDER_NONE)
        return;
    if (o->order == HY_GC_ORDER_TOPOLOGICAL &&
        shadow_model_leads(&s->model, object, object, false))
        shadow_fault(s, "finalizer of %" PRIu32 ", which leads to itself",
                     object);
    for (uint32_t i = 1; i < s->model.n; i++) {
        const struct shadow_object *other = &s->model.object[i];
        if (i != object && other->is_used && other->has_finalizer &&
            other->was_dead && other->order != HY_GC_ORDER_NONE &&
            shadow_model_leads(&s->model, i, object, false))
            shadow_fault(s, "finalizer of %" PRIu32 " before that of %" PRIu32,
                         object, i);
    }
}

static void resurrect(struct shadow *s, uint32_t object)
{
    unsigned i = (unsigned)random_below(&s->random, SHADOW_ROOTS);
    if (s->model.root[i].to)
        return;
    shadow_set_root(s, i, object, 0);
    s->counts->resurrected++;
    if (random_below(&s->random, 3) == 0)
        shadow_set_finalizer(s, object, true);
}

static void finalize(void *p, void *arg)
{
    struct shadow_object *o = arg;
    struct shadow *s = o->owner;
    const uint32_t object = (uint32_t)(o - s->model.object);
    if (s->is_faulty)
        return;
    shadow_sync(s);
    if (!o->is_used || !o->has_finalizer)
        shadow_fault(s, "finalizer of %" PRIu32 ": not set", object);
    else if (!o->was_dead)
        shadow_fault(s, "finalizer of %" PRIu32 ", which was always reached",
                     object);
    else
        check_order(s, object);
    if (s->is_faulty)
        return;
    o->has_finalizer = false;
    s->counts->finalized++;
    shadow_walk_from(s, object, p);
    if (random_below(&s->random, 4) == 0 && !s->is_faulty)
        resurrect(s, object);
    if (random_below(&s->random, 8) == 0 &&
        !hy_gc_alloc(s->self, random_below(&s->random, 3000)))
        shadow_fault(s, "a finalizer gets no memory");
}

void shadow_set_finalizer(struct shadow *s, uint32_t object, bool on)
{
    struct shadow_object *o = &s->model.object[object];
    struct hy_gc_finalizer old;
    const bool had = o->has_finalizer;
    o->order = (enum hy_gc_finalizer_order)random_below(&s->random, 3);
    int err = hy_gc_finalizer_set(s->heap, shadow_address(o),
                                  &(struct hy_gc_finalizer){
                                      .run = on ? finalize : NULL,
                                      .arg = o,
                                      .order = o->order,
                                  },
                                  &old);
    if (err)
        shadow_fault(s, "hy_gc_finalizer_set: %d", err);
    else if (had ? old.run != finalize || old.arg != o : old.run != NULL)
        shadow_fault(s, "finalizer of %" PRIu32 ": had %d, old is another",
                     object, had);
    o->has_finalizer = on;
    o->was_dead = false;
}

/* ---- weak links ---- */

void shadow_remove_link(struct shadow *s, unsigned i)
{
    int err = hy_gc_weak_remove(s->heap, &s->link_at[i]);
    if (err && s->link_at[i])
        shadow_fault(s, "hy_gc_weak_remove of link %u: %d", i, err);
    s->link[i].target = SHADOW_NOBODY;
}

void shadow_change_link(struct shadow *s)
{
    unsigned i = (unsigned)random_below(&s->random, SHADOW_LINKS);
    struct shadow_link *link = &s->link[i];
    uint32_t target = shadow_pick(s);
    if (link->target) {
        shadow_remove_link(s, i);
    } else if (target) {
        *link = (struct shadow_link){
            .target = target, .is_long = random_below(&s->random, 3) == 0};
        s->link_at[i] = shadow_address(&s->model.object[target]);
        int err = hy_gc_weak_add(s->heap, &s->link_at[i], s->link_at[i],
                                 link->is_long);
        if (err)
            shadow_fault(s, "hy_gc_weak_add: %d", err);
    }
}

static void check_link(struct shadow *s, unsigned i, bool is_strict)
{
    struct shadow_link *link = &s->link[i];
    const struct shadow_object *o = &s->model.object[link->target];
    const void *value = s->link_at[i];
    if (!value && link->may_clear) {
        link->target = SHADOW_NOBODY;
        s->counts->cleared++;
    } else if (!value && o->stamp == s->stamp) {
        shadow_fault(s, "link %u to %" PRIu32 ", which is reached, is NULL", i,
                     link->target);
    } else if (o->stamp == s->stamp && value != shadow_address(o)) {
        shadow_fault(s, "link %u to %" PRIu32 " is %p (want %p)", i,
                     link->target, value, (const void *)shadow_address(o));
    } else if (is_strict && value && !o->is_reached &&
               !(link->is_long && o->is_held) &&
               !hy_gc_may_live(s->heap, value)) {
        shadow_fault(s, "link %u to %" PRIu32 ", which is dead, is %p", i,
                     link->target, value);
    }
}

void shadow_check_links(struct shadow *s, bool is_strict)
{
    for (unsigned i = 0; i < SHADOW_LINKS; i++)
        if (s->link[i].target && !s->is_faulty)
            check_link(s, i, is_strict);
}

void shadow_forget(struct shadow *s, uint32_t object, bool is_freed)
{
    struct shadow_object *o = &s->model.object[object];
    for (unsigned i = 0; i < SHADOW_LINKS; i++) {
        if (s->link[i].target != object)
            continue;
        if (s->link_at[i] && !hy_gc_may_live(s->heap, s->link_at[i]))
            shadow_fault(s, "link %u to %" PRIu32 ", which is dead, is %p", i,
                         object, s->link_at[i]);
        shadow_remove_link(s, i);
    }
    if (o->has_finalizer && !is_freed)
        shadow_fault(s, "object %" PRIu32 " died before its finalizer ran",
                     object);
    o->is_used = o->has_finalizer = false;
    o->kind = SHADOW_KINDS;
    for (unsigned i = 0; i < SHADOW_EDGES; i++)
        o->edge[i].to = SHADOW_NOBODY;
}
