/* tiny_gc.c - a collector so simple that it is right, to try programs on.
 *
 * See tiny_gc.h.  Memory is one range, handed out from its start; a table has
 * an entry for each 16 bytes of it.  A shadow of the range has the pointers
 * that were stored through the store hook: at a collection every word that is
 * an object's address must be in the shadow too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tiny_gc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRAIN = 16, LAYOUTS_MAX = 16, WORDS_MAX = 64, ROOTS_MAX = 8 };

enum kind { NO_OBJECT, SCANNED, LEAF, EPHEMERON };

struct object {
    uint8_t kind;   /* of an object that begins here */
    uint8_t layout; /* 1 + its layout, or 0 */
    bool is_marked;
    uint32_t back; /* grains to the object's start */
    size_t size;
    void (*finalize)(void *, void *);
    void *arg;
};

struct tiny_gc {
    struct tiny_gc_config config;
    struct tiny_gc_counts counts;
    unsigned char *base, *shadow; /* [config.bytes] */
    struct object *objects;       /* [config.bytes / GRAIN] */
    size_t used;                  /* bytes */
    bool word_is_pointer[LAYOUTS_MAX][WORDS_MAX];
    size_t layout_bytes[LAYOUTS_MAX];
    unsigned layouts;
    struct {
        void *begin, *end;
    } roots[ROOTS_MAX];
    size_t *pending; /* grains to scan */
    size_t pendings;
};

static struct tiny_gc *gc_of(struct heap *heap)
{
    return (struct tiny_gc *)heap;
}

static void fault(struct tiny_gc *gc, const char *what, size_t at)
{
    size_t grain = at / GRAIN - gc->objects[at / GRAIN].back;

    if (gc->counts.faults++ == 0)
        snprintf(gc->counts.fault, sizeof gc->counts.fault,
                 "%s (byte %zu of an object of %zu)", what, at - grain * GRAIN,
                 gc->objects[grain].size);
}

/* The grain where the object begins that holds the address, or SIZE_MAX. */
static size_t find_object(const struct tiny_gc *gc, uintptr_t address)
{
    uintptr_t base = (uintptr_t)gc->base;

    if (address < base || address >= base + gc->used)
        return SIZE_MAX;
    size_t grain = (address - base) / GRAIN;
    grain -= gc->objects[grain].back;
    return gc->objects[grain].kind != NO_OBJECT ? grain : SIZE_MAX;
}

static bool is_object(const struct tiny_gc *gc, const void *p)
{
    size_t grain = find_object(gc, (uintptr_t)p);

    return grain != SIZE_MAX && gc->base + grain * GRAIN == p;
}

/* ---- marking ---- */

static void mark_address(struct tiny_gc *gc, uintptr_t address)
{
    size_t grain = find_object(gc, address);

    if (grain == SIZE_MAX || gc->objects[grain].is_marked)
        return;
    gc->objects[grain].is_marked = true;
    gc->pending[gc->pendings++] = grain;
}

static void scan_object(struct tiny_gc *gc, size_t grain)
{
    const struct object *object = &gc->objects[grain];

    if (object->kind != SCANNED)
        return;
    for (size_t at = 0; at + sizeof(void *) <= object->size;
         at += sizeof(void *)) {
        size_t offset = grain * GRAIN + at;
        void *value, *stored;

        memcpy(&value, gc->base + offset, sizeof value);
        memcpy(&stored, gc->shadow + offset, sizeof stored);
        if (value != stored && (stored || is_object(gc, value)))
            fault(gc, "a pointer was not stored by native_store", offset);
        if (object->layout && value &&
            !gc->word_is_pointer[object->layout - 1][at / sizeof value])
            value = NULL;
        mark_address(gc, (uintptr_t)value);
    }
}

static void scan_pending(struct tiny_gc *gc)
{
    while (gc->pendings > 0)
        scan_object(gc, gc->pending[--gc->pendings]);
}

/* Reads what the sanitizer thinks lies between variables. */
__attribute__((no_sanitize("address"))) static void
scan_range(struct tiny_gc *gc, const void *begin, const void *end)
{
    uintptr_t first = ((uintptr_t)begin + 7) & ~(uintptr_t)7;

    for (const uintptr_t *word = (const uintptr_t *)first;
         (uintptr_t)(word + 1) <= (uintptr_t)end; word++)
        mark_address(gc, *word);
}

/* All frames above its own. */
__attribute__((noinline)) static void scan_stack(struct tiny_gc *gc)
{
    scan_range(gc, __builtin_frame_address(0), gc->config.stack_base);
}

static void mark_roots(struct tiny_gc *gc)
{
    __builtin_unwind_init(); /* registers that callers use go to the stack */
    scan_stack(gc);
    for (int i = 0; i < ROOTS_MAX; i++)
        if (gc->roots[i].begin)
            scan_range(gc, gc->roots[i].begin, gc->roots[i].end);
    for (size_t i = 0; i < gc->used / GRAIN; i++)
        if (gc->objects[i].kind != NO_OBJECT && gc->objects[i].finalize)
            mark_address(gc, (uintptr_t)gc->objects[i].arg);
    scan_pending(gc);
}

/* Until nothing changes. */
static void mark_ephemerons(struct tiny_gc *gc)
{
    bool has_changed = true;

    while (has_changed) {
        has_changed = false;
        for (size_t i = 0; i < gc->used / GRAIN; i++) {
            uintptr_t *pair = (uintptr_t *)(gc->base + i * GRAIN);

            if (gc->objects[i].kind != EPHEMERON || !gc->objects[i].is_marked ||
                pair[0] == 0)
                continue;
            size_t key = find_object(gc, pair[0]);
            size_t value = find_object(gc, pair[1]);
            if (gc->objects[key].is_marked && !gc->objects[value].is_marked) {
                mark_address(gc, pair[1]);
                scan_pending(gc);
                has_changed = true;
            }
        }
    }
}

static void clear_ephemerons(struct tiny_gc *gc)
{
    for (size_t i = 0; i < gc->used / GRAIN; i++) {
        uintptr_t *pair = (uintptr_t *)(gc->base + i * GRAIN);

        if (gc->objects[i].kind == EPHEMERON && pair[0] != 0 &&
            !gc->objects[find_object(gc, pair[0])].is_marked)
            pair[0] = pair[1] = 0;
    }
}

/* ---- collecting ---- */

/* The dead that have a finalizer live once more: they are marked and listed
 * in ready[], whose length is returned. */
static size_t keep_finalized(struct tiny_gc *gc, size_t ready[])
{
    size_t n = 0;

    for (size_t i = 0; i < gc->used / GRAIN; i++)
        if (gc->objects[i].kind != NO_OBJECT && gc->objects[i].finalize &&
            !gc->objects[i].is_marked)
            ready[n++] = i;
    for (size_t i = 0; i < n; i++)
        mark_address(gc, (uintptr_t)(gc->base + ready[i] * GRAIN));
    scan_pending(gc);
    return n;
}

static void sweep(struct tiny_gc *gc)
{
    gc->counts.live = 0;
    for (size_t i = 0; i < gc->used / GRAIN; i++) {
        struct object *object = &gc->objects[i];

        if (object->kind == NO_OBJECT)
            continue;
        if (object->is_marked) {
            gc->counts.live++;
        } else {
            memset(gc->base + i * GRAIN, 0xdd, object->size);
            object->kind = NO_OBJECT;
        }
        object->is_marked = false;
    }
}

static void collect(struct heap *heap)
{
    struct tiny_gc *gc = gc_of(heap);
    size_t *ready = malloc((gc->used / GRAIN + 1) * sizeof *ready);

    if (!ready)
        abort();
    gc->counts.collections++;
    mark_roots(gc);
    mark_ephemerons(gc);
    clear_ephemerons(gc);
    size_t n = keep_finalized(gc, ready);
    sweep(gc);
    for (size_t i = 0; i < n; i++) {
        struct object *object = &gc->objects[ready[i]];
        void (*run)(void *, void *) = object->finalize;

        object->finalize = NULL;
        run(gc->base + ready[i] * GRAIN, object->arg);
    }
    free(ready);
}

/* As a collector with a bug might: an object that lives is zeroed, one of the
 * oldest that are not zero already. */
static void lose_object(struct tiny_gc *gc)
{
    unsigned nth = 0;

    collect((struct heap *)gc);
    for (size_t i = 0; i < gc->used / GRAIN; i++) {
        static const unsigned char none[64];
        const struct object *object = &gc->objects[i];

        if (object->kind != SCANNED || object->size > sizeof none ||
            memcmp(gc->base + i * GRAIN, none, object->size) == 0)
            continue;
        if (++nth < gc->config.lose_nth)
            continue;
        memset(gc->base + i * GRAIN, 0, object->size);
        memset(gc->shadow + i * GRAIN, 0, object->size);
        return;
    }
}

/* ---- the hooks ---- */

static void *allocate(struct tiny_gc *gc, size_t size, enum kind kind)
{
    size_t grains = (size + GRAIN - 1) / GRAIN, grain = gc->used / GRAIN;

    gc->counts.allocs++;
    if (gc->counts.allocs % gc->config.period == 0)
        collect((struct heap *)gc);
    if (gc->counts.allocs == gc->config.lose_at)
        lose_object(gc);
    if (gc->counts.allocs == gc->config.fail_at)
        return NULL;
    if (size == 0 || gc->used + grains * GRAIN > gc->config.bytes)
        return NULL;
    for (size_t i = 0; i < grains; i++)
        gc->objects[grain + i].back = (uint32_t)i;
    gc->objects[grain].kind = (uint8_t)kind;
    gc->objects[grain].size = size;
    gc->used += grains * GRAIN;
    if (kind == LEAF)
        memset(gc->base + grain * GRAIN, 0xa5, size);
    return gc->base + grain * GRAIN;
}

static void *alloc(struct heap *heap, size_t size)
{
    return allocate(gc_of(heap), size, SCANNED);
}

static void *alloc_leaf(struct heap *heap, size_t size)
{
    return allocate(gc_of(heap), size, LEAF);
}

static void store(struct heap *heap, void *object, void **field, void *value)
{
    struct tiny_gc *gc = gc_of(heap);
    size_t grain = find_object(gc, (uintptr_t)object);
    size_t offset = (size_t)((unsigned char *)field - gc->base);

    if (!is_object(gc, object) || gc->objects[grain].kind != SCANNED ||
        find_object(gc, (uintptr_t)field) != grain)
        fault(gc, "a store that is not into an object", 0);
    else
        memcpy(gc->shadow + offset, &value, sizeof value);
    if (value && !is_object(gc, value))
        fault(gc, "what was stored is no object", 0);
    *field = value;
}

static int layout_add(struct heap *heap, size_t size,
                      const bool word_is_pointer[], unsigned *layout)
{
    struct tiny_gc *gc = gc_of(heap);

    if (gc->layouts == LAYOUTS_MAX || size > WORDS_MAX * sizeof(void *))
        return ENOSPC;
    memcpy(gc->word_is_pointer[gc->layouts], word_is_pointer,
           size / sizeof(void *));
    gc->layout_bytes[gc->layouts] = size;
    *layout = gc->layouts++;
    return 0;
}

static void *alloc_layout(struct heap *heap, unsigned layout)
{
    struct tiny_gc *gc = gc_of(heap);
    void *p = allocate(gc, gc->layout_bytes[layout], SCANNED);

    if (p)
        gc->objects[find_object(gc, (uintptr_t)p)].layout =
            (uint8_t)(layout + 1);
    return p;
}

static int roots_add(struct heap *heap, void *begin, void *end)
{
    struct tiny_gc *gc = gc_of(heap);

    for (int i = 0; i < ROOTS_MAX; i++)
        if (!gc->roots[i].begin) {
            gc->roots[i].begin = begin;
            gc->roots[i].end = end;
            return 0;
        }
    return ENOMEM;
}

static void roots_remove(struct heap *heap, void *begin, void *end)
{
    struct tiny_gc *gc = gc_of(heap);

    for (int i = 0; i < ROOTS_MAX; i++)
        if (gc->roots[i].begin == begin && gc->roots[i].end == end)
            gc->roots[i].begin = NULL;
}

static int finalizer(struct heap *heap, void *object,
                     void (*run)(void *object, void *arg), void *arg)
{
    struct tiny_gc *gc = gc_of(heap);

    if (!is_object(gc, object))
        return EINVAL;
    struct object *o = &gc->objects[find_object(gc, (uintptr_t)object)];
    o->finalize = run;
    o->arg = arg;
    return 0;
}

static void *ephemeron(struct heap *heap, void *key, void *value)
{
    void **pair = allocate(gc_of(heap), 2 * sizeof *pair, EPHEMERON);

    if (pair) {
        pair[0] = key;
        pair[1] = value;
    }
    return pair;
}

static void *ephemeron_key(struct heap *heap, void *pair)
{
    (void)heap;
    return ((void **)pair)[0];
}

static void *ephemeron_value(struct heap *heap, void *pair)
{
    (void)heap;
    return ((void **)pair)[1];
}

struct tiny_gc *tiny_gc_open(const struct tiny_gc_config *config,
                             struct native_memory *memory)
{
    struct tiny_gc *gc = calloc(1, sizeof *gc);

    if (!gc)
        return NULL;
    gc->config = *config;
    gc->base = aligned_alloc(GRAIN, config->bytes);
    gc->shadow = calloc(1, config->bytes);
    gc->objects = calloc(config->bytes / GRAIN, sizeof *gc->objects);
    gc->pending = malloc(config->bytes / GRAIN * sizeof *gc->pending);
    if (!gc->base || !gc->shadow || !gc->objects || !gc->pending) {
        tiny_gc_close(gc);
        return NULL;
    }
    memset(gc->base, 0, config->bytes);
    *memory = (struct native_memory){
        .heap = (struct heap *)gc,
        .is_collected = true,
        .alloc = alloc,
        .alloc_leaf = alloc_leaf,
        .store = store,
        .layout_add = config->has_layouts ? layout_add : NULL,
        .alloc_layout = config->has_layouts ? alloc_layout : NULL,
        .roots_add = roots_add,
        .roots_remove = roots_remove,
        .finalizer = finalizer,
        .ephemeron = ephemeron,
        .ephemeron_key = ephemeron_key,
        .ephemeron_value = ephemeron_value,
    };
    return gc;
}

void tiny_gc_collect(struct native *n)
{
    collect(n->memory.heap);
}

void tiny_gc_count(struct tiny_gc *gc, struct tiny_gc_counts *out)
{
    collect((struct heap *)gc);
    *out = gc->counts;
}

void tiny_gc_close(struct tiny_gc *gc)
{
    free(gc->pending);
    free(gc->objects);
    free(gc->shadow);
    free(gc->base);
    free(gc);
}
