/* gc_dying.c - weak links, ephemerons and finalizers.
 *
 * All stand in tables beside the heap, which are no roots.  After marking from
 * the roots, in this order:
 *
 *   1. an ephemeron that is reached, whose key is, reaches its value; so on
 *      until nothing changes;
 *   2. short weak links to what is not reached become NULL, and so do
 *      ephemerons with such a key;
 *   3. what objects with a finalizer refer to is marked, but not they, so that
 *      of two the one that refers to the other comes first (unless its order
 *      says that this does not matter);
 *   4. objects with a finalizer that are not marked are ready: they move to
 *      the queue, and are marked with all they reach;
 *   5. as 1 and 2 once more, for ephemerons that were reached only now, and
 *      for long links.
 *
 * Step 1 takes time linear in the ephemerons: they are indexed by key, and the
 * marker tells of each object that it marks.
 *
 * Source: B. Hayes, "Ephemerons: a new finalization mechanism", OOPSLA 1997;
 * H.-J. Boehm, "Destructors, finalizers, and synchronization", POPL 2003.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_heap.h"

#include <errno.h>
#include <string.h>

#include "gc_map.h"

enum { LIST_LEAST = 512, WEAK_LONG = 1 };

struct hy_gc_ephemeron {
    void *key, *value;
};

struct ready {
    void *object;
    void (*run)(void *, void *);
    void *arg;
};

struct known { /* an ephemeron */
    struct hy_gc_ephemeron *ephemeron;
    uint32_t next; /* with the same place of the index; 1 + its number, or 0 */
};

struct gc_dying {
    struct gc_map finalizers; /* object: run (target), arg, order (flags) */
    struct gc_map weak;       /* link: target; flags: WEAK_LONG */
    struct known *known;      /* [nknown] */
    uint32_t *index;          /* [room]: by key */
    size_t nknown, room;
    struct ready *ready; /* [nready]; a stack: the order is not promised */
    size_t nready, ready_room;
    bool is_on_demand;
};

int gc_dying_open(struct hy_gc *gc)
{
    gc->dying = os_pages_map(NULL, sizeof *gc->dying);
    return gc->dying ? 0 : ENOMEM;
}

void gc_dying_close(struct hy_gc *gc)
{
    struct gc_dying *d = gc->dying;

    if (!d)
        return;
    gc_map_free(&d->finalizers);
    gc_map_free(&d->weak);
    if (d->room) {
        os_pages_unmap(NULL, d->known, d->room * sizeof *d->known);
        os_pages_unmap(NULL, d->index, d->room * sizeof *d->index);
    }
    if (d->ready_room)
        os_pages_unmap(NULL, d->ready, d->ready_room * sizeof *d->ready);
    os_pages_unmap(NULL, d, sizeof *d);
}

static bool is_object(struct hy_gc *gc, const void *p)
{
    struct gc_object o;

    return gc_find(gc, p, &o) && o.start == p;
}

/* ---- ephemerons ---- */

static void *grown(void *old, size_t bytes, size_t more)
{
    void *fresh = os_pages_map(NULL, more);

    if (fresh && bytes) {
        memcpy(fresh, old, bytes);
        os_pages_unmap(NULL, old, bytes);
    }
    return fresh;
}

static int make_room(struct gc_dying *d)
{
    const size_t room = d->room ? 2 * d->room : LIST_LEAST;

    if (d->nknown < d->room)
        return 0;
    uint32_t *index = os_pages_map(NULL, room * sizeof *index);

    if (!index)
        return ENOMEM;
    struct known *known =
        grown(d->known, d->room * sizeof *known, room * sizeof *known);

    if (!known) {
        os_pages_unmap(NULL, index, room * sizeof *index);
        return ENOMEM;
    }
    if (d->room)
        os_pages_unmap(NULL, d->index, d->room * sizeof *index);
    d->known = known;
    d->index = index;
    d->room = room;
    return 0;
}

struct hy_gc_ephemeron *hy_gc_ephemeron_new(struct hy_gc_thread *t, void *key,
                                            void *value)
{
    struct hy_gc *gc = t->gc;
    struct gc_dying *d = gc->dying;
    struct hy_gc_ephemeron *volatile e = gc_alloc_bin(t, BIN_EPHEMERON);

    if (!e)
        return NULL;
    pthread_mutex_lock(&gc->lock);
    const int err = make_room(d);

    if (!err) {
        *e = (struct hy_gc_ephemeron){key, value};
        d->known[d->nknown++] = (struct known){.ephemeron = e};
    }
    pthread_mutex_unlock(&gc->lock);
    return err ? NULL : e;
}

void *hy_gc_ephemeron_key(const struct hy_gc_ephemeron *e)
{
    return e->key;
}

void *hy_gc_ephemeron_value(const struct hy_gc_ephemeron *e)
{
    return e->value;
}

static uint32_t *index_of(const struct hy_gc *gc, const void *key)
{
    const struct gc_dying *d = gc->dying;
    struct gc_object o;
    const uintptr_t start =
        gc_find(gc, key, &o) ? (uintptr_t)o.start : (uintptr_t)key;

    return &d->index[(start >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20 &
                     (d->room - 1)];
}

static void build_index(struct hy_gc *gc)
{
    struct gc_dying *d = gc->dying;

    memset(d->index, 0, d->room * sizeof *d->index);
    for (size_t i = 0; i < d->nknown; i++) {
        uint32_t *head = index_of(gc, d->known[i].ephemeron->key);

        d->known[i].next = *head;
        *head = (uint32_t)i + 1;
    }
}

static void reach_value(struct hy_gc *gc, const struct hy_gc_ephemeron *e)
{
    if (e->value && gc_is_marked(gc, e) && gc_is_marked(gc, e->key) &&
        !gc_is_marked(gc, e->value))
        gc_mark_pointer(gc, e->value);
}

/* An object was marked: it is an ephemeron, or the key of some. */
static void told(void *object, void *arg)
{
    struct hy_gc *gc = arg;
    const struct gc_dying *d = gc->dying;

    if (gc->block[gc_block_of(gc, object)].kind == KIND_EPHEMERON)
        reach_value(gc, object);
    for (uint32_t i = *index_of(gc, object); i; i = d->known[i - 1].next)
        reach_value(gc, d->known[i - 1].ephemeron);
}

static void follow_ephemerons(struct hy_gc *gc)
{
    const struct gc_dying *d = gc->dying;

    if (!d->nknown)
        return;
    build_index(gc);
    /* Again if the marker's stack was full: no other way leads to a value. */
    do
        for (size_t i = 0; i < d->nknown; i++)
            reach_value(gc, d->known[i].ephemeron);
    while (gc_mark_drain_telling(gc, told, gc));
}

static void clear_ephemerons(struct hy_gc *gc)
{
    struct gc_dying *d = gc->dying;

    for (size_t i = 0; i < d->nknown; i++) {
        struct hy_gc_ephemeron *e = d->known[i].ephemeron;

        if (gc_is_marked(gc, e) && !gc_is_marked(gc, e->key))
            *e = (struct hy_gc_ephemeron){0};
    }
}

/* Those that died, and those that were cleared, need no thought any more. */
static void forget_ephemerons(struct hy_gc *gc)
{
    struct gc_dying *d = gc->dying;
    size_t n = 0;

    for (size_t i = 0; i < d->nknown; i++)
        if (gc_is_marked(gc, d->known[i].ephemeron) &&
            d->known[i].ephemeron->key)
            d->known[n++] = d->known[i];
    d->nknown = n;
}

/* ---- weak links ---- */

int hy_gc_weak_add(struct hy_gc *gc, void **link, const void *target,
                   bool is_long)
{
    struct gc_dying *d = gc->dying;
    int err = 0;

    if ((uintptr_t)link % sizeof *link || !link || !is_object(gc, target))
        return EINVAL;
    pthread_mutex_lock(&gc->lock);
    struct gc_entry *e = gc_map_find(&d->weak, (uintptr_t)link);

    if (e)
        err = EEXIST;
    else
        e = gc_map_put(&d->weak, (uintptr_t)link);
    if (e) {
        e->target = (uintptr_t)target;
        e->flags = is_long ? WEAK_LONG : 0;
    }
    pthread_mutex_unlock(&gc->lock);
    return e ? err : ENOMEM;
}

int hy_gc_weak_remove(struct hy_gc *gc, void **link)
{
    struct gc_dying *d = gc->dying;

    pthread_mutex_lock(&gc->lock);
    struct gc_entry *e = gc_map_find(&d->weak, (uintptr_t)link);

    if (e)
        gc_map_remove(&d->weak, e);
    pthread_mutex_unlock(&gc->lock);
    return e ? 0 : ENOENT;
}

int hy_gc_weak_move(struct hy_gc *gc, void **from, void **to)
{
    struct gc_dying *d = gc->dying;
    struct gc_entry *e, *fresh = NULL;

    pthread_mutex_lock(&gc->lock);
    e = gc_map_find(&d->weak, (uintptr_t)from);
    const bool is_there = e != NULL;
    const bool is_taken =
        from != to && gc_map_find(&d->weak, (uintptr_t)to) != NULL;

    if (is_there && !is_taken) {
        const struct gc_entry old = *e;

        gc_map_remove(&d->weak, e);
        fresh = gc_map_put(&d->weak, (uintptr_t)to);
        if (fresh) {
            *fresh = old;
            fresh->key = (uintptr_t)to;
        }
    }
    pthread_mutex_unlock(&gc->lock);
    return fresh ? 0 : !is_there ? ENOENT : is_taken ? EEXIST : ENOMEM;
}

static void clear_weak(struct hy_gc *gc, uintptr_t kind)
{
    struct gc_map *map = &gc->dying->weak;

    if (!map->n)
        return;
    for (size_t i = 0; i < map->room; i++) {
        struct gc_entry *e = &map->entry[i];

        if (!gc_entry_is_live(e) || e->flags != kind ||
            gc_is_marked(gc, (const void *)e->target))
            continue;
        *(void **)e->key = NULL;
        gc_map_remove(map, e);
    }
}

/* Links within objects that died. */
static void forget_weak(struct hy_gc *gc)
{
    struct gc_map *map = &gc->dying->weak;

    if (!map->n)
        return;
    for (size_t i = 0; i < map->room; i++) {
        struct gc_entry *e = &map->entry[i];

        if (gc_entry_is_live(e) && !gc_is_marked(gc, (const void *)e->key))
            gc_map_remove(map, e);
    }
}

/* ---- finalizers ---- */

static void get_finalizer(const struct gc_entry *e, struct hy_gc_finalizer *out)
{
    if (!out)
        return;
    *out = (struct hy_gc_finalizer){0};
    if (e) {
        memcpy(&out->run, &e->target, sizeof out->run);
        out->arg = e->arg;
        out->order = (enum hy_gc_finalizer_order)e->flags;
    }
}

int hy_gc_finalizer_set(struct hy_gc *gc, void *object,
                        const struct hy_gc_finalizer *finalizer,
                        struct hy_gc_finalizer *old)
{
    struct gc_dying *d = gc->dying;
    int err = 0;

    if (!is_object(gc, object))
        return EINVAL;
    pthread_mutex_lock(&gc->lock);
    struct gc_entry *e = gc_map_find(&d->finalizers, (uintptr_t)object);

    get_finalizer(e, old);
    if (!finalizer || !finalizer->run) {
        if (e)
            gc_map_remove(&d->finalizers, e);
    } else {
        e = e ? e : gc_map_put(&d->finalizers, (uintptr_t)object);
        err = e ? 0 : ENOMEM;
        if (e) {
            memcpy(&e->target, &finalizer->run, sizeof e->target);
            e->arg = finalizer->arg;
            e->flags = finalizer->order;
        }
    }
    pthread_mutex_unlock(&gc->lock);
    return err;
}

/* Room in the queue for all that may become ready. */
static bool has_queue(struct gc_dying *d)
{
    const size_t wanted = d->nready + d->finalizers.n;
    size_t room = d->ready_room ? d->ready_room : LIST_LEAST;

    if (wanted <= d->ready_room)
        return true;
    while (room < wanted)
        room *= 2;
    struct ready *ready =
        grown(d->ready, d->ready_room * sizeof *ready, room * sizeof *ready);

    if (!ready)
        return false;
    d->ready = ready;
    d->ready_room = room;
    return true;
}

static void mark_below_finalizers(struct hy_gc *gc)
{
    const struct gc_map *map = &gc->dying->finalizers;

    for (size_t i = 0; i < map->room; i++) {
        const struct gc_entry *e = &map->entry[i];

        if (!gc_entry_is_live(e) || e->flags == HY_GC_ORDER_NONE ||
            gc_is_marked(gc, (const void *)e->key))
            continue;
        gc_mark_contents(gc, (const void *)e->key,
                         e->flags == HY_GC_ORDER_IGNORE_SELF);
        gc_mark_drain(gc);
    }
}

/* Without memory for the queue they wait for the next collection, marked. */
static uint64_t queue_finalizers(struct hy_gc *gc)
{
    struct gc_dying *d = gc->dying;
    struct gc_map *map = &d->finalizers;
    const bool has_room = has_queue(d);
    const size_t before = d->nready;

    for (size_t i = 0; i < map->room; i++) {
        struct gc_entry *e = &map->entry[i];
        struct hy_gc_finalizer f;

        if (!gc_entry_is_live(e) || gc_is_marked(gc, (const void *)e->key))
            continue;
        if (!has_room) {
            gc_mark_ambiguous(gc, (const void *)e->key);
            continue;
        }
        get_finalizer(e, &f);
        d->ready[d->nready++] = (struct ready){(void *)e->key, f.run, f.arg};
        gc_map_remove(map, e);
    }
    for (size_t i = before; i < d->nready; i++)
        gc_mark_ambiguous(gc, d->ready[i].object);
    gc_mark_drain(gc);
    return d->nready - before;
}

size_t gc_dying_run(struct hy_gc *gc, bool is_asked)
{
    struct gc_dying *d = gc->dying;
    size_t n = 0;

    if (d->is_on_demand && !is_asked)
        return 0;
    for (;;) {
        volatile struct ready next = {0}; /* on this stack: a root */

        pthread_mutex_lock(&gc->lock);
        if (d->nready)
            next = d->ready[--d->nready];
        pthread_mutex_unlock(&gc->lock);
        if (!next.run)
            return n;
        next.run(next.object, next.arg);
        n++;
    }
}

size_t hy_gc_finalizers_run(struct hy_gc *gc)
{
    return gc_dying_run(gc, true);
}

void hy_gc_finalizers_on_demand(struct hy_gc *gc, bool on_demand)
{
    gc->dying->is_on_demand = on_demand;
}

size_t hy_gc_finalizers_waiting(struct hy_gc *gc)
{
    pthread_mutex_lock(&gc->lock);
    const size_t n = gc->dying->finalizers.n + gc->dying->nready;

    pthread_mutex_unlock(&gc->lock);
    return n;
}

/* ---- a collection ---- */

void gc_dying_mark_roots(struct hy_gc *gc)
{
    const struct gc_dying *d = gc->dying;

    for (size_t i = 0; d->finalizers.n && i < d->finalizers.room; i++)
        if (gc_entry_is_live(&d->finalizers.entry[i]))
            gc_mark_ambiguous(gc, d->finalizers.entry[i].arg);
    for (size_t i = 0; i < d->nready; i++) {
        gc_mark_ambiguous(gc, d->ready[i].object);
        gc_mark_ambiguous(gc, d->ready[i].arg);
    }
}

uint64_t gc_dying_find(struct hy_gc *gc)
{
    struct gc_dying *d = gc->dying;
    uint64_t ready = 0;

    follow_ephemerons(gc);
    clear_ephemerons(gc);
    clear_weak(gc, 0);
    if (d->finalizers.n) {
        mark_below_finalizers(gc);
        ready = queue_finalizers(gc);
        follow_ephemerons(gc);
        clear_ephemerons(gc);
    }
    forget_ephemerons(gc);
    clear_weak(gc, WEAK_LONG);
    forget_weak(gc);
    return ready;
}

int gc_dying_may_move(struct hy_gc *gc)
{
    return gc_map_reserve(&gc->dying->weak) ||
                   gc_map_reserve(&gc->dying->finalizers)
               ? ENOMEM
               : 0;
}

void gc_dying_update(struct hy_gc *gc)
{
    struct gc_dying *d = gc->dying;

    for (size_t i = 0; d->weak.n && i < d->weak.room; i++) {
        struct gc_entry *e = &d->weak.entry[i];

        if (!gc_entry_is_live(e))
            continue;
        void *const target = gc_moved(gc, (void *)e->target);

        e->key = (uintptr_t)gc_moved(gc, (void *)e->key);
        if ((uintptr_t)target != e->target)
            *(void **)e->key = target;
        e->target = (uintptr_t)target;
    }
    gc_map_rehash(&d->weak);
    for (size_t i = 0; d->finalizers.n && i < d->finalizers.room; i++) {
        struct gc_entry *e = &d->finalizers.entry[i];

        if (gc_entry_is_live(e))
            e->key = (uintptr_t)gc_moved(gc, (void *)e->key);
    }
    gc_map_rehash(&d->finalizers);
    for (size_t i = 0; i < d->nknown; i++) {
        struct hy_gc_ephemeron *e = d->known[i].ephemeron;

        e->key = gc_moved(gc, e->key);
        e->value = gc_moved(gc, e->value);
    }
}

/* Weak links to it are the client's care. */
void gc_dying_forget(struct hy_gc *gc, void *object)
{
    struct gc_map *map = &gc->dying->finalizers;

    if (!map->n)
        return;
    pthread_mutex_lock(&gc->lock);
    struct gc_entry *e = gc_map_find(map, (uintptr_t)object);

    if (e)
        gc_map_remove(map, e);
    pthread_mutex_unlock(&gc->lock);
}
