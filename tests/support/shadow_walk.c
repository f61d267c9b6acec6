/* shadow_walk.c - what the heap holds is what the model says.
 *
 * A walk goes from the roots through the heap's memory and through the model
 * at once.  Every way to an object must lead to one address; another one than
 * before only if a collection moved objects, this one has a layout, and the
 * way is a field of a layout.
 *
 * Words that are no pointers are given values that no address has, except one
 * a decoy: the address of another object where the collector may not look.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shadow_parts.h"

#include <inttypes.h>
#include <string.h>

enum {
    WHOLE_MAX = 8192,
    PART = 256 /* bytes of larger ones that are looked at,
                  at either end */
};

/* ---- contents ---- */

static uint64_t word_of(uint32_t object, size_t i)
{
    return UINT64_C(0xC0DE) << 48 | (uint64_t)object << 20 | (i & 0xFFFFF);
}

static bool is_field(const struct shadow_shape *shape, size_t word)
{
    for (unsigned i = 0; i < shape->fields; i++)
        if (shape->at[i] == word)
            return true;
    return false;
}

static uint64_t expected(const struct shadow *s, uint32_t object,
                         const struct shadow_shape *shape, size_t word)
{
    return shape->decoy && word == shape->decoy ? ~s->model.object[object].decoy
                                                : word_of(object, word);
}

static unsigned char tail_of(uint32_t object, size_t i)
{
    return (unsigned char)(0xE0 + object + i);
}

void shadow_fill(struct shadow *s, uint32_t object)
{
    const struct shadow_object *o = &s->model.object[object];
    const struct shadow_shape shape = shadow_shape(o);
    char *p = shadow_address(o);
    if (o->kind == SHADOW_EPHEMERON)
        return;
    for (size_t i = 0; i < o->size / 8; i++) {
        uint64_t word = expected(s, object, &shape, i);
        if (i > 255 || !is_field(&shape, i))
            memcpy(p + 8 * i, &word, 8);
    }
    for (size_t i = o->size & ~(size_t)7; i < o->size; i++)
        p[i] = (char)tail_of(object, i);
}

bool shadow_holds(const struct shadow *s, uint32_t object, size_t bytes)
{
    const struct shadow_object *o = &s->model.object[object];
    const struct shadow_shape shape = shadow_shape(o);
    const char *p = shadow_address(o);
    for (size_t i = 0; i < bytes / 8; i++) {
        uint64_t want = expected(s, object, &shape, i);
        if ((i > 255 || !is_field(&shape, i)) && memcmp(p + 8 * i, &want, 8))
            return false;
    }
    return true;
}

static void verify_words(struct shadow *s, uint32_t object, size_t from,
                         size_t to)
{
    const struct shadow_object *o = &s->model.object[object];
    const struct shadow_shape shape = shadow_shape(o);
    const char *p = shadow_address(o);
    for (size_t i = from; i < to; i++) {
        uint64_t want = expected(s, object, &shape, i), word;
        memcpy(&word, p + 8 * i, 8);
        if (word != want && (i > 255 || !is_field(&shape, i))) {
            shadow_fault(s,
                         "object %" PRIu32 " (kind %d, %zu bytes) at %p: word "
                         "%zu is %#" PRIx64 " (want %#" PRIx64 ")",
                         object, (int)o->kind, o->size, (const void *)p, i,
                         word, want);
            return;
        }
    }
}

static void verify(struct shadow *s, uint32_t object)
{
    const struct shadow_object *o = &s->model.object[object];
    const unsigned char *p = (const unsigned char *)shadow_address(o);
    const size_t words = o->size / 8;
    if (hy_gc_base(s->heap, p) != p || hy_gc_usable(s->heap, p) < o->size) {
        shadow_fault(s,
                     "object %" PRIu32 " (kind %d, %zu bytes) at %p: base is "
                     "%p, usable %zu",
                     object, (int)o->kind, o->size, (const void *)p,
                     hy_gc_base(s->heap, p), hy_gc_usable(s->heap, p));
        return;
    }
    if (o->kind == SHADOW_EPHEMERON)
        return;
    if (o->size <= WHOLE_MAX) {
        verify_words(s, object, 0, words);
    } else {
        verify_words(s, object, 0, PART);
        verify_words(s, object, words - PART, words);
    }
    for (size_t i = words * 8; i < o->size; i++)
        if (p[i] != tail_of(object, i))
            shadow_fault(s, "object %" PRIu32 ": byte %zu of %zu", object, i,
                         o->size);
}

/* ---- the walk ---- */

static bool may_move(const struct shadow *s, const struct shadow_object *o,
                     bool is_precise)
{
    return s->figures->is_compact && o->kind == SHADOW_LAYOUT && s->has_moved &&
           is_precise;
}

/* An edge leads to `to`, which should be at p. */
static void visit(struct shadow *s, uint32_t to, char *p, bool is_precise)
{
    struct shadow_object *o = &s->model.object[to];
    if (s->is_faulty)
        return;
    if (!o->is_used) {
        shadow_fault(s, "model: object %" PRIu32 " is gone", to);
        return;
    }
    const bool is_met = o->stamp == s->stamp;
    if (o->hidden != shadow_hide(p)) {
        if (is_met || (o->hidden && !may_move(s, o, is_precise))) {
            shadow_fault(s,
                         "object %" PRIu32 " (kind %d, %zu bytes) is at %p, by "
                         "another way at %p",
                         to, (int)o->kind, o->size, (void *)p,
                         (void *)shadow_address(o));
            return;
        }
        s->counts->moved += o->hidden != 0;
        o->hidden = shadow_hide(p);
    }
    if (is_met)
        return;
    o->stamp = s->stamp;
    verify(s, to);
    s->model.work[s->model.nwork++] = to;
}

static void visit_field(struct shadow *s, const struct shadow_object *o,
                        unsigned i)
{
    const struct shadow_edge edge = o->edge[i];
    char *value;
    memcpy(&value, shadow_address(o) + 8 * (size_t)shadow_shape(o).at[i], 8);
    if (edge.to)
        visit(s, edge.to, value - edge.offset, o->kind == SHADOW_LAYOUT);
    else if (value)
        shadow_fault(s, "a field of object %ld that is NULL is %p",
                     (long)(o - s->model.object), (void *)value);
}

/* See whether it was cut; if not, its value waits until its key is met. */
static void visit_ephemeron(struct shadow *s, uint32_t object)
{
    struct shadow_object *o = &s->model.object[object];
    const struct hy_gc_ephemeron *e = (const void *)shadow_address(o);
    const void *key = hy_gc_ephemeron_key(e);
    if (!key != !hy_gc_ephemeron_value(e) || (o->is_broken && key)) {
        shadow_fault(s, "ephemeron %" PRIu32 ": half cut", object);
    } else if (!key && !o->is_broken) {
        if (!o->may_break)
            shadow_fault(s, "ephemeron %" PRIu32 " lost a key that is reached",
                         object);
        o->is_broken = true;
        o->edge[0].to = o->edge[1].to = SHADOW_NOBODY;
        s->counts->cut++;
    } else if (key) {
        if (s->npending == sizeof s->pending / sizeof *s->pending)
            shadow_fault(s, "model: too many ephemerons");
        else
            s->pending[s->npending++] = object;
    }
}

static void drain(struct shadow *s)
{
    while (s->model.nwork && !s->is_faulty) {
        uint32_t object = s->model.work[--s->model.nwork];
        const struct shadow_object *o = &s->model.object[object];
        if (o->kind == SHADOW_EPHEMERON)
            visit_ephemeron(s, object);
        else
            for (unsigned i = 0; i < shadow_shape(o).fields; i++)
                visit_field(s, o, i);
    }
}

/* Values whose keys were met; false: there was none. */
static bool visit_values(struct shadow *s)
{
    const size_t before = s->npending;
    size_t kept = 0;
    for (size_t i = 0; i < before && !s->is_faulty; i++) {
        const struct shadow_object *o = &s->model.object[s->pending[i]];
        const struct hy_gc_ephemeron *e = (const void *)shadow_address(o);
        if (s->model.object[o->edge[0].to].stamp == s->stamp) {
            visit(s, o->edge[0].to, hy_gc_ephemeron_key(e), true);
            visit(s, o->edge[1].to, hy_gc_ephemeron_value(e), true);
        } else {
            s->pending[kept++] = s->pending[i];
        }
    }
    s->npending = kept;
    return kept < before;
}

static void drain_all(struct shadow *s)
{
    do
        drain(s);
    while (visit_values(s));
    s->model.nwork = 0;
    s->npending = 0;
}

static void visit_roots(struct shadow *s)
{
    for (unsigned i = 0; i < SHADOW_ROOTS; i++) {
        const struct shadow_edge edge = s->model.root[i];
        if (edge.to)
            visit(s, edge.to, (char *)*s->cell[i] - edge.offset, false);
    }
    for (uint32_t i = 1; i < s->model.n; i++) {
        const struct shadow_object *o = &s->model.object[i];
        if (o->is_used && o->kind == SHADOW_UNCOLLECTABLE)
            visit(s, i, shadow_address(o), false);
    }
}

void shadow_walk(struct shadow *s)
{
    s->stamp++;
    s->walked = s->events;
    visit_roots(s);
    drain_all(s);
    /* What else moved is not known to us any more. */
    for (uint32_t i = 1; s->has_moved && i < s->model.n; i++) {
        struct shadow_object *o = &s->model.object[i];
        if (o->stamp != s->stamp && o->kind == SHADOW_LAYOUT)
            o->hidden = 0;
    }
    s->has_moved = false;
    shadow_check_links(s, false);
}

void shadow_walk_from(struct shadow *s, uint32_t object, void *p)
{
    visit(s, object, p, true);
    drain_all(s);
}

void shadow_sync(struct shadow *s)
{
    if (s->events != s->walked && !s->is_faulty)
        shadow_walk(s);
}
