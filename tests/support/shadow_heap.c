/* shadow_heap.c - random programs on a collected heap, and their model.
 *
 * What a step knows of addresses it asks the model after the last call that
 * may collect, for a collection may move objects.  What handles addresses is
 * in functions of their own (noinline), so that what they leave on the stack
 * lies below the frames that are there at a collection that is judged, where
 * it is wiped before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shadow_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OBJECTS = 1500, /* reached, about */
    REFRESH = 64,
    ROOTS_OF_COMPACT = 8
};

void shadow_fault(struct shadow *s, const char *format, ...)
{
    va_list args;
    if (s->is_faulty)
        return;
    s->is_faulty = true;
    int n = snprintf(s->why, s->why_size,
                     "seed %" PRIu64 ", collection %" PRIu64 ": ",
                     s->figures->seed, s->events);
    va_start(args, format);
    vsnprintf(s->why + n, s->why_size - (size_t)n, format, args);
    va_end(args);
}

/* ---- shapes ---- */

static const struct {
    uint8_t words, fields, at[SHADOW_EDGES], decoy;
} layouts[SHADOW_LAYOUTS] = {
    {2, 1, {1}, 0},
    {26, 3, {1, 3, 25}, 2},
    {50, 5, {2, 3, 7, 11, 49}, 1},
    {64, 5, {1, 9, 33, 62, 63}, 2},
};

size_t shadow_layout(unsigned i, bool word_is_pointer[])
{
    memset(word_is_pointer, 0, layouts[i].words * sizeof(bool));
    for (unsigned k = 0; k < layouts[i].fields; k++)
        word_is_pointer[layouts[i].at[k]] = true;
    return (size_t)layouts[i].words * 8;
}

struct shadow_shape shadow_shape(const struct shadow_object *o)
{
    static const uint8_t first[SHADOW_EDGES] = {1, 2, 3, 4, 5, 6};
    const size_t rest = o->size / 8 - 1;
    switch (o->kind) {
    case SHADOW_LAYOUT:
        return (struct shadow_shape){layouts[o->layout].at,
                                     layouts[o->layout].fields,
                                     layouts[o->layout].decoy};
    case SHADOW_LEAF:
        return (struct shadow_shape){first, 0, 1};
    case SHADOW_EPHEMERON:
        return (struct shadow_shape){first, 0, 0};
    default:
        return (struct shadow_shape){
            first, rest < SHADOW_EDGES ? (unsigned)rest : SHADOW_EDGES, 0};
    }
}

/* ---- edges ---- */

/* Where in the target an edge of this holder may point. */
static uint32_t some_offset(struct shadow *s, uint32_t to, bool is_precise)
{
    const struct shadow_object *o = &s->model.object[to];
    if (is_precise || !to || o->kind == SHADOW_EPHEMERON ||
        random_below(&s->random, 3))
        return 0;
    return (uint32_t)random_below(&s->random,
                                  o->size + s->figures->has_past_end);
}

static void set_field(struct shadow *s, uint32_t holder, unsigned i,
                      uint32_t to, uint32_t offset)
{
    struct shadow_object *o = &s->model.object[holder];
    char *p = shadow_address(o);
    void **field = (void **)(void *)(p + 8 * (size_t)shadow_shape(o).at[i]);
    void *value = to ? shadow_address(&s->model.object[to]) + offset : NULL;
    o->edge[i] = (struct shadow_edge){.to = to, .offset = offset};
    if (s->figures->is_generational && s->figures->lie != SHADOW_NO_BARRIER)
        hy_gc_store(s->heap, p, field, value);
    else
        *field = value;
}

/* A field picked at random, if possible one that is NULL; false: none. */
static bool some_field(struct shadow *s, uint32_t *holder, unsigned *field)
{
    unsigned fields = 0;
    for (int tries = 0; tries < 6; tries++) {
        uint32_t object = shadow_pick(s);
        unsigned n = object ? shadow_shape(&s->model.object[object]).fields : 0;
        if (!n)
            continue;
        fields = n;
        *holder = object;
        *field = (unsigned)random_below(&s->random, n);
        if (!s->model.object[object].edge[*field].to)
            break;
    }
    return fields > 0;
}

/* From a field or, rarely, a root. */
static void link_to(struct shadow *s, uint32_t to)
{
    uint32_t holder;
    unsigned field;
    if (random_below(&s->random, 25) && some_field(s, &holder, &field))
        set_field(
            s, holder, field, to,
            some_offset(s, to, s->model.object[holder].kind == SHADOW_LAYOUT));
    else
        shadow_set_root(s, (unsigned)random_below(&s->random, s->roots), to,
                        some_offset(s, to, false));
}

static void unlink_some(struct shadow *s)
{
    uint32_t holder = shadow_pick(s);
    unsigned n = holder ? shadow_shape(&s->model.object[holder]).fields : 0;
    if (n)
        set_field(s, holder, (unsigned)random_below(&s->random, n),
                  SHADOW_NOBODY, 0);
}

/* Nothing leads to the object any more; it may go. */
static void unlink_all(struct shadow *s, uint32_t object)
{
    for (uint32_t i = 1; i < s->model.n; i++) {
        const struct shadow_object *o = &s->model.object[i];
        for (unsigned k = 0; o->is_used && k < SHADOW_EDGES; k++)
            if (o->edge[k].to == object)
                set_field(s, i, k, SHADOW_NOBODY, 0);
    }
    for (unsigned i = 0; i < SHADOW_ROOTS; i++)
        if (s->model.root[i].to == object)
            shadow_set_root(s, i, SHADOW_NOBODY, 0);
}

/* ---- steps ---- */

static size_t some_size(struct shadow *s)
{
    uint64_t dice = random_below(&s->random, 1000);
    if (dice < 800)
        return random_between(&s->random, 16, 256);
    if (dice < 960)
        return random_between(&s->random, 256, 6000);
    if (dice < 996)
        return random_between(&s->random, 6000, 80000);
    return random_between(&s->random, 80000, 1 << 20);
}

/* A description; what is allocated must fit it. */
static struct shadow_object some_object(struct shadow *s, size_t *align)
{
    struct shadow_object o = {
        .owner = s, .size = some_size(s), .is_used = true};
    uint64_t dice = random_below(&s->random, 100);
    *align = 16;
    if (dice < (s->figures->is_compact ? 88 : 45)) {
        o.kind = SHADOW_LAYOUT;
        o.layout = (uint8_t)random_below(&s->random, SHADOW_LAYOUTS);
        o.size = (size_t)layouts[o.layout].words * 8;
    } else if (dice % 10 < 3) {
        o.kind = SHADOW_LEAF;
    } else if (dice % 10 == 3 && dice % 20 > 9) {
        o.kind = SHADOW_UNCOLLECTABLE;
    } else if (dice % 10 == 4) {
        o.kind = SHADOW_ALIGNED;
        *align = (size_t)16 << random_below(&s->random, 12);
    }
    return o;
}

static char *allocate(struct shadow *s, const struct shadow_object *o,
                      size_t align)
{
    switch (o->kind) {
    case SHADOW_LAYOUT:
        return hy_gc_alloc_layout(s->self, s->layout[o->layout]);
    case SHADOW_LEAF:
        return hy_gc_alloc_leaf(s->self, o->size);
    case SHADOW_UNCOLLECTABLE:
        return hy_gc_alloc_uncollectable(s->self, o->size);
    case SHADOW_ALIGNED:
        return hy_gc_alloc_aligned(s->self, o->size, align, false);
    default:
        return hy_gc_alloc(s->self, o->size);
    }
}

/* Nothing that is reached lies there, and all else there is dead. */
static void take_place(struct shadow *s, const char *p, size_t size)
{
    for (uint32_t i = 1; i < s->model.n; i++) {
        struct shadow_object *o = &s->model.object[i];
        const char *q = shadow_address(o);
        if (!o->is_used || !o->hidden || q >= p + size || p >= q + o->size)
            continue;
        if (o->stamp == s->stamp)
            shadow_model_reach(&s->model);
        if (o->stamp == s->stamp && o->is_reached) {
            shadow_fault(s,
                         "%p is given out, but object %" PRIu32 " (kind %d, "
                         "%zu bytes) at %p is reached",
                         (const void *)p, i, (int)o->kind, o->size,
                         (const void *)q);
            return;
        }
        shadow_forget(s, i, false);
    }
}

static bool is_zero(const char *p, size_t size)
{
    return !size || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

static uint32_t add(struct shadow *s, const struct shadow_object *o, char *p)
{
    if (s->model.n == s->model.room) {
        shadow_fault(s, "model: full");
        return SHADOW_NOBODY;
    }
    const uint32_t object = s->model.n++;
    s->model.object[object] = *o;
    s->model.object[object].hidden = shadow_hide(p);
    s->model.object[object].stamp = s->stamp;
    s->counts->objects++;
    return object;
}

static __attribute__((noinline)) void step_alloc(struct shadow *s)
{
    size_t align;
    struct shadow_object o = some_object(s, &align);
    char *volatile p = allocate(s, &o, align); /* volatile: keeps it, too */
    shadow_sync(s);
    if (!p || (uintptr_t)p % align) {
        shadow_fault(s, "allocation of %zu bytes, kind %d: %p", o.size,
                     (int)o.kind, (void *)p);
        return;
    }
    take_place(s, p, o.size);
    if (o.kind != SHADOW_LEAF && !is_zero(p, o.size))
        shadow_fault(s, "%zu bytes at %p, kind %d: not zero", o.size, (void *)p,
                     (int)o.kind);
    uint32_t decoy = shadow_pick(s);
    o.decoy = s->model.object[decoy].hidden;
    uint32_t object = add(s, &o, p);
    if (s->is_faulty)
        return;
    shadow_fill(s, object);
    link_to(s, object);
}

static __attribute__((noinline)) void step_ephemeron(struct shadow *s)
{
    uint32_t key = shadow_pick(s), value = shadow_pick(s);
    if (!key || !value)
        return;
    struct hy_gc_ephemeron *volatile e =
        hy_gc_ephemeron_new(s->self, shadow_address(&s->model.object[key]),
                            shadow_address(&s->model.object[value]));
    shadow_sync(s);
    if (!e) {
        shadow_fault(s, "hy_gc_ephemeron_new: no memory");
        return;
    }
    take_place(s, (const char *)e, 1);
    struct shadow_object o = {.owner = s,
                              .size = 16,
                              .is_used = true,
                              .kind = SHADOW_EPHEMERON,
                              .edge = {{.to = key}, {.to = value}}};
    uint32_t object = add(s, &o, (char *)e);
    if (object)
        link_to(s, object);
}

static __attribute__((noinline)) void step_link(struct shadow *s)
{
    uint32_t to = shadow_pick(s);
    if (to)
        link_to(s, to);
}

static __attribute__((noinline)) void step_unlink(struct shadow *s)
{
    unlink_some(s);
}

static __attribute__((noinline)) void step_drop_root(struct shadow *s)
{
    shadow_set_root(s, (unsigned)random_below(&s->random, s->roots),
                    SHADOW_NOBODY, 0);
}

static void free_object(struct shadow *s, uint32_t object)
{
    unlink_all(s, object);
    for (unsigned i = 0; i < SHADOW_LINKS; i++)
        if (s->link[i].target == object)
            shadow_remove_link(s, i);
    hy_gc_free(s->self, shadow_address(&s->model.object[object]));
    shadow_forget(s, object, true);
}

static __attribute__((noinline)) void step_free(struct shadow *s)
{
    uint32_t object = shadow_pick(s);
    if (object && shadow_model_may_go(&s->model, object))
        free_object(s, object);
}

/* What has a finalizer or a link stays as it is. */
static bool is_watched(const struct shadow *s, uint32_t object)
{
    for (unsigned i = 0; i < SHADOW_LINKS; i++)
        if (s->link[i].target == object)
            return true;
    return s->model.object[object].has_finalizer;
}

/* The object's new place, or NULL.  Meanwhile it is nowhere in the model. */
static char *resize(struct shadow *s, uint32_t object, size_t size)
{
    struct shadow_object *o = &s->model.object[object];
    const size_t old = o->size, small = old < size ? old : size;
    unlink_all(s, object);
    o->is_used = false;
    char *volatile p = hy_gc_resize(s->self, shadow_address(o), size);
    shadow_sync(s);
    if (!p) {
        shadow_fault(s, "hy_gc_resize from %zu to %zu bytes: no memory", old,
                     size);
        return NULL;
    }
    take_place(s, p, size);
    o->hidden = shadow_hide(p);
    if (!shadow_holds(s, object, small))
        shadow_fault(s,
                     "resized from %zu to %zu bytes, kind %d: other contents",
                     old, size, (int)o->kind);
    if (o->kind != SHADOW_LEAF && size > old && !is_zero(p + old, size - old))
        shadow_fault(s, "resized from %zu to %zu bytes, kind %d: not zero", old,
                     size, (int)o->kind);
    o->is_used = true;
    o->size = size;
    return p;
}

static __attribute__((noinline)) void step_resize(struct shadow *s)
{
    const uint32_t object = shadow_pick(s);
    struct shadow_object *o = &s->model.object[object];
    if ((o->kind != SHADOW_SCANNED && o->kind != SHADOW_LEAF &&
         o->kind != SHADOW_UNCOLLECTABLE) ||
        !object || is_watched(s, object) ||
        !shadow_model_may_go(&s->model, object))
        return;
    const unsigned fields = shadow_shape(o).fields;
    size_t size = random_below(&s->random, 2)
                      ? some_size(s)
                      : o->size + random_below(&s->random, 64);
    if (size / 8 < fields + 1)
        size = o->size;
    char *volatile p = resize(s, object, size);
    if (!p || s->is_faulty)
        return;
    if (shadow_shape(o).fields > fields) /* new ones, which are NULL */
        memset(p + 8 + 8 * fields, 0, 8 * (shadow_shape(o).fields - fields));
    shadow_fill(s, object);
    link_to(s, object);
}

static __attribute__((noinline)) void step_finalizer(struct shadow *s)
{
    uint32_t object = shadow_pick(s);
    if (object && s->model.object[object].kind != SHADOW_EPHEMERON)
        shadow_set_finalizer(s, object, random_below(&s->random, 5) != 0);
}

/* A range is taken out with what it held, and comes back. */
static __attribute__((noinline)) void step_range(struct shadow *s)
{
    unsigned i = (unsigned)random_below(&s->random, SHADOW_ROOTS);
    char why[160] = "";
    if (!s->range[i])
        return;
    shadow_set_root(s, i, SHADOW_NOBODY, 0);
    int err = hy_gc_roots_remove(s->heap, s->cell[i], s->cell[i] + 1);
    if (!err)
        err = hy_gc_roots_add(s->heap, s->cell[i], s->cell[i] + 1, why,
                              sizeof why);
    if (err && s->figures->lie != SHADOW_HIDES_ROOTS)
        shadow_fault(s, "roots removed and added: %d: %s", err, why);
}

/* ---- ballast ---- */

struct ballast {
    struct ballast *child[2];
    uint64_t number; /* of a heap-ordered tree */
    uint64_t rest;
};

static struct ballast *grow_ballast(struct shadow *s, uint64_t number)
{
    if (number > s->figures->ballast)
        return NULL;
    struct ballast *left = grow_ballast(s, 2 * number);
    struct ballast *right = grow_ballast(s, 2 * number + 1);
    struct ballast *tree = hy_gc_alloc(s->self, sizeof *tree);
    if (!tree)
        abort();
    tree->number = number;
    tree->rest = ~number;
    hy_gc_store(s->heap, tree, (void **)(void *)&tree->child[0], left);
    hy_gc_store(s->heap, tree, (void **)(void *)&tree->child[1], right);
    s->ballast_bytes += hy_gc_usable(s->heap, tree);
    return tree;
}

static uint64_t count_ballast(const struct ballast *tree, uint64_t number)
{
    if (!tree || tree->number != number || tree->rest != ~number)
        return 0;
    return 1 + count_ballast(tree->child[0], 2 * number) +
           count_ballast(tree->child[1], 2 * number + 1);
}

static __attribute__((noinline)) void check_ballast(struct shadow *s)
{
    uint64_t n = count_ballast(*s->ballast, 1);
    if (n != s->figures->ballast)
        shadow_fault(s, "%" PRIu64 " objects of ballast are whole, of %u", n,
                     s->figures->ballast);
}

static __attribute__((noinline)) void open_ballast(struct shadow *s)
{
    char why[160];
    s->ballast = calloc(1, sizeof *s->ballast);
    if (!s->ballast ||
        hy_gc_roots_add(s->heap, s->ballast, s->ballast + 1, why, sizeof why))
        abort();
    hy_gc_disable(s->heap); /* the run's collections are the run's */
    *s->ballast = grow_ballast(s, 1);
    hy_gc_enable(s->heap);
}

/* ---- collections ---- */

static void listen(const struct hy_gc_event *event, void *arg)
{
    struct shadow *s = arg;
    if (event->number != s->last.number + 1 ||
        event->start_ns < s->last.start_ns + s->last.stop_ns + s->last.mark_ns +
                              s->last.finish_ns ||
        event->live_bytes > event->heap_bytes ||
        event->moved_bytes > event->live_bytes || event->threads != 1)
        shadow_fault(s,
                     "event %" PRIu64 " after %" PRIu64 ": live %" PRIu64
                     ", heap %" PRIu64 ", moved %" PRIu64 ", threads %u",
                     event->number, s->last.number, event->live_bytes,
                     event->heap_bytes, event->moved_bytes, event->threads);
    s->last = *event;
    s->events++;
    s->has_moved |= event->moved_objects > 0;
    s->counts->collections++;
    s->counts->helped += event->markers > 1;
    s->counts->minor += event->kind == HY_GC_MINOR;
    s->counts->compacting += event->kind == HY_GC_COMPACTING;
    shadow_note_deaths(s);
}

static __attribute__((noinline)) void wipe_stack(void)
{
    volatile char below[32768];
    for (size_t i = 0; i < sizeof below; i++)
        below[i] = 0;
}

static size_t bytes_of(const struct shadow *s, const struct shadow_object *o)
{
    size_t usable =
        o->hidden ? hy_gc_usable(s->heap, shadow_address(o)) : o->size;
    return usable > o->size ? usable : o->size + 16;
}

static void judge_bytes(struct shadow *s, uint64_t model, uint64_t strays)
{
    struct hy_gc_stats stats;
    hy_gc_stats(s->heap, &stats);
    const uint64_t bound = model + model / 16 + strays + 65536;
    s->counts->live_bytes += stats.live_bytes;
    s->counts->model_bytes += model;
    if (stats.live_bytes + stats.since_bytes > bound)
        shadow_fault(s,
                     "%" PRIu64 " bytes live + %" PRIu64 " since: more than "
                     "the model's %" PRIu64 " + strays of %" PRIu64,
                     stats.live_bytes, stats.since_bytes, model, strays);
}

/* After a full collection whose finalizers have not run: what the model does
 * not reach is dead, but for strays. */
static __attribute__((noinline)) void judge(struct shadow *s)
{
    uint64_t model = s->ballast_bytes, strays = 0, reached = 0, retained = 0;
    shadow_model_reach(&s->model);
    shadow_model_hold(&s->model);
    shadow_check_links(s, true);
    for (uint32_t i = 1; i < s->model.n && !s->is_faulty; i++) {
        const struct shadow_object *o = &s->model.object[i];
        if (!o->is_used)
            continue;
        if (o->is_reached || o->is_held) {
            model += bytes_of(s, o);
            reached++;
        } else if (o->hidden && hy_gc_may_live(s->heap, shadow_address(o))) {
            strays += bytes_of(s, o);
            retained++;
        } else {
            shadow_forget(s, i, false);
        }
    }
    s->counts->reached += reached;
    s->counts->retained += retained;
    if (!s->is_faulty)
        judge_bytes(s, model,
                    retained <= SHADOW_STRAYS + reached / 64 ? strays : 0);
}

static __attribute__((noinline)) void collect_clean(struct shadow *s,
                                                    enum hy_gc_kind kind)
{
    wipe_stack();
    hy_gc_collect(s->heap, kind);
}

/* What moves is chosen by the collection before. */
static __attribute__((noinline)) void strict_collection(struct shadow *s)
{
    hy_gc_finalizers_on_demand(s->heap, true);
    collect_clean(s, HY_GC_FULL);
    if (s->figures->is_compact)
        collect_clean(s, HY_GC_COMPACTING);
    shadow_sync(s);
    check_ballast(s);
    if (!s->is_faulty)
        judge(s);
    if (!s->is_faulty && s->figures->has_dying &&
        hy_gc_finalizers_waiting(s->heap) != shadow_waiting(s))
        shadow_fault(s, "%zu finalizers wait (want %zu)",
                     hy_gc_finalizers_waiting(s->heap), shadow_waiting(s));
    if (s->figures->has_dying)
        hy_gc_finalizers_run(s->heap);
    hy_gc_finalizers_on_demand(s->heap, false);
}

static __attribute__((noinline)) void step_collect(struct shadow *s)
{
    switch (random_below(&s->random, 4)) {
    case 0:
        strict_collection(s);
        break;
    case 1:
        hy_gc_collect(s->heap, HY_GC_FULL);
        break;
    case 2:
        hy_gc_collect(s->heap, HY_GC_MINOR);
        break;
    default:
        hy_gc_collect(s->heap,
                      s->figures->is_compact ? HY_GC_COMPACTING : HY_GC_MINOR);
    }
    shadow_sync(s);
}

static __attribute__((noinline)) void step_walk(struct shadow *s)
{
    shadow_walk(s);
}

/* ---- a run ---- */

static const struct {
    void (*step)(struct shadow *);
    unsigned weight;
    bool is_dying;
} steps[] = {
    {step_alloc, 500, false},   {step_link, 150, false},
    {step_unlink, 80, false},   {step_drop_root, 10, false},
    {step_free, 30, false},     {step_resize, 30, false},
    {step_range, 10, false},    {step_collect, 8, false},
    {step_walk, 5, false},      {shadow_change_link, 60, true},
    {step_finalizer, 40, true}, {step_ephemeron, 30, true},
};

static __attribute__((noinline)) void step(struct shadow *s)
{
    const size_t n = sizeof steps / sizeof *steps;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += steps[i].weight;
    uint64_t dice = random_below(&s->random, sum);
    size_t i = 0;
    for (; dice >= steps[i].weight; i++)
        dice -= steps[i].weight;
    if (!steps[i].is_dying || s->figures->has_dying)
        steps[i].step(s);
}

static __attribute__((noinline)) void free_uncollectable(struct shadow *s)
{
    for (uint32_t i = 1; i < s->model.n && !s->is_faulty; i++)
        if (s->model.object[i].kind == SHADOW_UNCOLLECTABLE &&
            shadow_model_may_go(&s->model, i))
            free_object(s, i);
}

/* Fewer roots while too much is reached. */
static __attribute__((noinline)) void keep_small(struct shadow *s)
{
    size_t n = 0;
    shadow_model_reach(&s->model);
    for (uint32_t i = 1; i < s->model.n; i++)
        n += s->model.object[i].is_reached;
    for (size_t i = 0; n > OBJECTS && i < s->roots / 2; i++)
        step_drop_root(s);
    if (n > OBJECTS)
        free_uncollectable(s);
}

/* A finalizer may only be left if something with one leads to it. */
static __attribute__((noinline)) void check_left(struct shadow *s)
{
    uint32_t n = s->model.n;
    for (uint32_t i = 1; i < n && !s->is_faulty; i++) {
        const struct shadow_object *o = &s->model.object[i];
        bool is_explained = !o->is_used || !o->has_finalizer;
        for (uint32_t k = 1; k < n && !is_explained; k++)
            is_explained = s->model.object[k].is_used &&
                           s->model.object[k].has_finalizer &&
                           s->model.object[k].order != HY_GC_ORDER_NONE &&
                           shadow_model_leads(&s->model, k, i, true);
        if (!is_explained && o->hidden &&
            !hy_gc_may_live(s->heap, shadow_address(o)))
            shadow_fault(s, "the finalizer of %" PRIu32 " never ran", i);
    }
}

/* Again and again, for what finalizers bring back. */
static __attribute__((noinline)) void drop_all(struct shadow *s)
{
    for (int i = 0; i < 8 && !s->is_faulty; i++) {
        for (unsigned k = 0; k < SHADOW_ROOTS; k++)
            shadow_set_root(s, k, SHADOW_NOBODY, 0);
        free_uncollectable(s);
        strict_collection(s);
    }
}

static void open_heap(struct shadow *s)
{
    const struct shadow_figures *f = s->figures;
    struct hy_gc_config config;
    char why[160] = "";
    hy_gc_defaults(&config);
    config.min_heap = 1 << 20;
    config.growth = 1.25 + (double)(f->seed % 4) * 0.25;
    config.markers = f->markers;
    config.generational = f->is_generational;
    config.compact = f->is_compact;
    config.past_end = f->has_past_end;
    config.is_timeless = true;
    if (hy_gc_open(&config, &s->heap, why, sizeof why) ||
        hy_gc_thread_enter(s->heap, &s->self)) {
        fprintf(stderr, "shadow_heap: cannot open: %s\n", why);
        abort();
    }
    if (f->lie == SHADOW_NEVER_COLLECTS)
        hy_gc_disable(s->heap);
    hy_gc_listen(s->heap, listen, s);
    for (unsigned i = 0; i < SHADOW_LAYOUTS; i++) {
        bool word_is_pointer[HY_GC_LAYOUT_BYTES_MAX / 8];
        size_t size = shadow_layout(i, word_is_pointer);
        if (hy_gc_layout_add(s->heap, size, word_is_pointer, &s->layout[i]))
            abort();
    }
}

/* Half of the roots are on the caller's stack, half in ranges. */
static void open_roots(struct shadow *s, void **on_stack)
{
    char why[160] = "";
    for (unsigned i = 0; i < SHADOW_ROOTS; i++) {
        s->cell[i] = &on_stack[i / 2];
        if (i % 2)
            continue;
        s->range[i] = calloc(4, sizeof(void *));
        if (!s->range[i])
            abort();
        s->cell[i] = s->range[i];
        if (s->figures->lie != SHADOW_HIDES_ROOTS &&
            hy_gc_roots_add(s->heap, s->cell[i], s->cell[i] + 1, why,
                            sizeof why))
            shadow_fault(s, "hy_gc_roots_add: %s", why);
    }
}

static __attribute__((noinline)) void run(struct shadow *s)
{
    void *on_stack[SHADOW_ROOTS / 2] = {0};
    open_roots(s, on_stack);
    for (unsigned i = 0; i < s->figures->steps && !s->is_faulty; i++) {
        step(s);
        if (i % REFRESH == 0 && !s->is_faulty)
            keep_small(s);
    }
    if (!s->is_faulty)
        drop_all(s);
    if (!s->is_faulty)
        check_left(s);
    __asm__ volatile("" : : "r"(on_stack) : "memory");
}

int shadow_play(const struct shadow_figures *figures,
                struct shadow_counts *counts, char *why, size_t size)
{
    struct shadow *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->figures = figures;
    s->counts = counts;
    s->why = why;
    s->why_size = size;
    why[0] = 0;
    s->roots = figures->is_compact ? ROOTS_OF_COMPACT : SHADOW_ROOTS;
    random_seed(&s->random, figures->seed);
    shadow_model_open(&s->model, figures->steps + 64);
    open_heap(s);
    open_ballast(s);
    run(s);
    hy_gc_thread_leave(s->self);
    hy_gc_close(s->heap);
    const int faulty = s->is_faulty;
    for (unsigned i = 0; i < SHADOW_ROOTS; i++)
        free(s->range[i]);
    free(s->ballast);
    shadow_model_close(&s->model);
    free(s);
    return faulty;
}
