/* shadow_model.c - what a collected heap should hold: a graph beside it.
 *
 * Invariant: an object that is_reached is is_used; no two used objects
 * overlap.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shadow_model.h"

#include <stdlib.h>
#include <string.h>

void shadow_model_open(struct shadow_model *m, uint32_t room)
{
    *m = (struct shadow_model){.n = 1, .room = room};
    m->object = calloc(room, sizeof *m->object);
    m->work = calloc(room, sizeof *m->work);
    if (!m->object || !m->work)
        abort();
}

void shadow_model_close(struct shadow_model *m)
{
    free(m->object);
    free(m->work);
}

/* One of the marks of an object, by its place in the struct. */
static bool *mark_of(struct shadow_object *o, size_t which)
{
    return (bool *)((char *)o + which);
}

static void mark(struct shadow_model *m, uint32_t to, size_t which)
{
    if (to == SHADOW_NOBODY || !m->object[to].is_used)
        return;
    bool *is_marked = mark_of(&m->object[to], which);
    if (*is_marked)
        return;
    *is_marked = true;
    m->work[m->nwork++] = to;
}

static void mark_edges(struct shadow_model *m, const struct shadow_object *o,
                       size_t which, bool is_strong)
{
    if (o->kind == SHADOW_EPHEMERON && !is_strong)
        return;
    for (unsigned i = 0; i < SHADOW_EDGES; i++)
        mark(m, o->edge[i].to, which);
}

static void drain(struct shadow_model *m, size_t which, bool is_strong)
{
    while (m->nwork)
        mark_edges(m, &m->object[m->work[--m->nwork]], which, is_strong);
}

static void clear(struct shadow_model *m, size_t which)
{
    for (uint32_t i = 1; i < m->n; i++)
        *mark_of(&m->object[i], which) = false;
    m->nwork = 0;
}

/* Values of ephemerons whose keys are reached; false: there was none. */
static bool reach_values(struct shadow_model *m)
{
    const size_t which = offsetof(struct shadow_object, is_reached);
    for (uint32_t i = 1; i < m->n; i++) {
        const struct shadow_object *o = &m->object[i];
        if (o->kind == SHADOW_EPHEMERON && o->is_reached && o->edge[0].to &&
            m->object[o->edge[0].to].is_reached)
            mark(m, o->edge[1].to, which);
    }
    return m->nwork > 0;
}

void shadow_model_reach(struct shadow_model *m)
{
    const size_t which = offsetof(struct shadow_object, is_reached);
    clear(m, which);
    for (unsigned i = 0; i < SHADOW_ROOTS; i++)
        mark(m, m->root[i].to, which);
    for (uint32_t i = 1; i < m->n; i++)
        if (m->object[i].kind == SHADOW_UNCOLLECTABLE)
            mark(m, i, which);
    do
        drain(m, which, false);
    while (reach_values(m));
}

void shadow_model_hold(struct shadow_model *m)
{
    const size_t which = offsetof(struct shadow_object, is_held);
    clear(m, which);
    for (uint32_t i = 1; i < m->n; i++)
        if (m->object[i].has_finalizer && !m->object[i].is_reached)
            mark(m, i, which);
    drain(m, which, true);
}

bool shadow_model_leads(struct shadow_model *m, uint32_t from, uint32_t to,
                        bool is_strong)
{
    const size_t which = offsetof(struct shadow_object, is_held);
    clear(m, which);
    mark_edges(m, &m->object[from], which, is_strong);
    drain(m, which, is_strong);
    return m->object[to].is_held;
}

bool shadow_model_may_go(struct shadow_model *m, uint32_t to)
{
    if (m->object[to].kind == SHADOW_EPHEMERON)
        return false;
    shadow_model_reach(m);
    for (uint32_t i = 1; i < m->n; i++) {
        const struct shadow_object *o = &m->object[i];
        if (o->is_used && (!o->is_reached || o->kind == SHADOW_EPHEMERON))
            for (unsigned k = 0; k < SHADOW_EDGES; k++)
                if (o->edge[k].to == to)
                    return false;
    }
    return true;
}
