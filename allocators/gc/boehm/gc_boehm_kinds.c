/* gc_boehm_kinds.c - kinds of objects that a program adds, and their marking.
 *
 * An object of a kind with a mark procedure is a leaf to the heap.  It stands
 * in a table, and when a collection has marked what is reached, the procedure
 * of every such object that is, and was not asked yet, is called; it tells by
 * GC_mark_and_push what it reaches.  So until no procedure adds any.
 *
 * The table holds its objects by long weak links, so that the heap takes out
 * those that are freed, or die and are through with their finalizers.  Entries
 * do not move: links are their addresses.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_boehm.h"
#include "os_pages.h"

#include <pthread.h>
#include <string.h>

enum {
    KINDS_MAX = 32,
    KIND_UNCOLLECTED = 2,
    KINDS_OWN = 4, /* pointer-free, normal, and both again uncollectable */
    ENTRIES = 1000
};

struct kind {
    bool is_leaf;
    GC_mark_proc proc;
    GC_word env;
};

struct entry {
    void *object; /* or NULL */
    unsigned kind;
    GC_word asked_in; /* collection */
};

struct entries {
    struct entries *next;
    struct entry entry[ENTRIES];
};

/* Mutable by need, as the heap is. */
static struct {
    pthread_mutex_t lock;
    struct kind kind[KINDS_MAX];
    unsigned n;
    GC_mark_proc proc[GC_MAX_MARK_PROCS];
    unsigned procs;
    struct entries *entries;
    struct entry *free[ENTRIES]; /* some of those that are */
    size_t nfree;
    _Atomic(GC_word) collection;
} kinds = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .kind = {[GC_I_PTRFREE] = {.is_leaf = true}},
           .n = KINDS_OWN,
           .procs = GC_RESERVED_MARK_PROCS};

/* ---- kinds ---- */

static unsigned take_number(unsigned *next, unsigned end, const char *what)
{
    pthread_mutex_lock(&kinds.lock);
    const unsigned n = *next;

    if (n < end)
        ++*next;
    pthread_mutex_unlock(&kinds.lock);
    if (n == end)
        boehm_abort(what);
    return n;
}

void **GC_new_free_list(void)
{
    static _Thread_local void *never_used;

    return &never_used;
}

void **GC_new_free_list_inner(void)
{
    return GC_new_free_list();
}

unsigned GC_new_kind(void **free_list, GC_word descriptor, int adjust,
                     int clear)
{
    const unsigned n =
        take_number(&kinds.n, KINDS_MAX, "GC_new_kind: more than 32 kinds");
    const GC_word content = descriptor >> GC_DS_TAG_BITS;
    struct kind *kind = &kinds.kind[n];

    (void)free_list;
    (void)clear;
    kind->is_leaf = descriptor == GC_DS_LENGTH && !adjust;
    if ((descriptor & GC_DS_TAGS) == GC_DS_PROC) {
        kind->proc = kinds.proc[content % GC_MAX_MARK_PROCS];
        kind->env = content >> GC_LOG_MAX_MARK_PROCS;
    }
    return n;
}

unsigned GC_new_kind_inner(void **free_list, GC_word descriptor, int adjust,
                           int clear)
{
    return GC_new_kind(free_list, descriptor, adjust, clear);
}

unsigned GC_new_proc(GC_mark_proc proc)
{
    const unsigned n = take_number(&kinds.procs, GC_MAX_MARK_PROCS,
                                   "GC_new_proc: more than 64 procedures");

    kinds.proc[n] = proc;
    return n;
}

unsigned GC_new_proc_inner(GC_mark_proc proc)
{
    return GC_new_proc(proc);
}

/* ---- the table ---- */

static void find_free(void)
{
    for (struct entries *e = kinds.entries; e; e = e->next)
        for (size_t i = 0; i < ENTRIES; i++)
            if (!e->entry[i].object && kinds.nfree < ENTRIES)
                kinds.free[kinds.nfree++] = &e->entry[i];
}

static void add_entries(void)
{
    struct entries *e = os_pages_map(NULL, sizeof *e);

    if (!e)
        boehm_abort("no memory for another object with a mark procedure");
    e->next = kinds.entries;
    kinds.entries = e;
    find_free();
}

/* Under the lock.  The entries are looked through once a collection at most. */
static struct entry *take_entry(void)
{
    static GC_word looked_in;

    if (!kinds.nfree && looked_in != atomic_load(&kinds.collection)) {
        looked_in = atomic_load(&kinds.collection);
        find_free();
    }
    if (!kinds.nfree)
        add_entries();
    return kinds.free[--kinds.nfree];
}

/* The weak link comes first: with no object in the entry, it is skipped. */
static void *enter(void *object, unsigned kind)
{
    void *volatile held = object;

    if (!held)
        return NULL;
    pthread_mutex_lock(&kinds.lock);
    struct entry *e = take_entry();

    e->kind = kind;
    e->asked_in = 0;
    if (hy_gc_weak_add(boehm_heap(), &e->object, held, true))
        boehm_abort("no memory for another object with a mark procedure");
    e->object = held;
    pthread_mutex_unlock(&kinds.lock);
    return held;
}

/* ---- in a collection ---- */

void boehm_kinds_begin(void)
{
    atomic_fetch_add(&kinds.collection, 1);
}

/* Procedures are handed a stack that they do not see into: never used, but
 * not NULL, since Guile checks that. */
static bool ask(struct entry *e)
{
    static struct GC_ms_entry unused[2];
    const GC_word collection = atomic_load(&kinds.collection);
    const struct kind *kind = &kinds.kind[e->kind];

    if (!e->object || e->asked_in == collection ||
        !hy_gc_is_reached(boehm_heap(), e->object))
        return false;
    e->asked_in = collection;
    (void)kind->proc(e->object, unused, unused + 1, kind->env);
    return true;
}

bool boehm_kinds_reached(void *arg)
{
    bool any = false;

    (void)arg;
    for (struct entries *e = kinds.entries; e; e = e->next)
        for (size_t i = 0; i < ENTRIES; i++)
            any = ask(&e->entry[i]) || any;
    return any;
}

struct GC_ms_entry *GC_mark_and_push(void *p, struct GC_ms_entry *top,
                                     struct GC_ms_entry *limit, void **from)
{
    (void)limit;
    (void)from;
    hy_gc_keep(boehm_heap(), p);
    return top;
}

/* ---- allocation ---- */

static void *alloc_leaf_cleared(size_t bytes)
{
    void *p = GC_malloc_atomic(bytes);

    return p ? memset(p, 0, bytes) : NULL;
}

void *GC_generic_malloc(size_t bytes, int number)
{
    if (number < 0 || (unsigned)number >= kinds.n)
        boehm_abort("GC_generic_malloc: no such kind");
    if (number >= KIND_UNCOLLECTED && number < KINDS_OWN)
        return GC_malloc_uncollectable(bytes);
    if (number == GC_I_PTRFREE)
        return GC_malloc_atomic(bytes);
    if (kinds.kind[number].proc)
        return enter(alloc_leaf_cleared(bytes), (unsigned)number);
    return kinds.kind[number].is_leaf ? alloc_leaf_cleared(bytes)
                                      : GC_malloc(bytes);
}

void *GC_generic_malloc_ignore_off_page(size_t bytes, int kind)
{
    return GC_generic_malloc(bytes, kind);
}

void *GC_malloc_kind(size_t bytes, int kind)
{
    return GC_generic_malloc(bytes, kind);
}

void *GC_malloc_kind_global(size_t bytes, int kind)
{
    return GC_generic_malloc(bytes, kind);
}

void *GC_generic_malloc_uncollectable(size_t bytes, int kind)
{
    (void)kind;
    return GC_malloc_uncollectable(bytes);
}

/* Pointer-free objects come one at a time: a chain of them would keep only its
 * head. */
void GC_generic_malloc_many(size_t bytes, int kind, void **result)
{
    if (kind == GC_I_NORMAL) {
        *result = GC_malloc_many(bytes);
        return;
    }
    *result = GC_generic_malloc(bytes, kind);
    if (*result)
        GC_NEXT(*result) = NULL;
}
