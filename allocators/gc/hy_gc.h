/* hy_gc.h - a garbage collector for plain C programs and threads.
 *
 * Memory is given back when nothing reaches it any more.  What reaches it is
 * found conservatively: any word on a registered thread's stack or in its
 * registers, in a registered root range, or in an object that may hold
 * pointers, which is the address of any byte of an object, keeps that object.
 * The address one past an object's last byte does not (past_end, below).
 * Objects do not move, except those of a layout with `compact`.
 *
 * Every thread that allocates, or whose stack holds pointers, is registered;
 * a collection stops them by a signal, SIGRTMIN + HY_GC_SIGNAL_OFFSET, wherever
 * they are.  One process may have several heaps; a thread may be in one of them
 * at a time.
 *
 * A registered thread must not block that signal: a collection would wait for
 * it for ever.  System calls are restarted after a stop, but for those that
 * signal(7) lists as never restarted: nanosleep, poll, select, epoll_wait and
 * others fail with EINTR, as after any signal that has a handler.
 *
 * Stacks of coroutines are not scanned, but for the one that the thread stands
 * on, of which the heap is told (hy_gc_thread_on_stack).  A client that has
 * others scans them in a hook (hy_gc_hook, hy_gc_scan).
 *
 * Unless said otherwise a function may be called by any registered thread, at
 * any time but from a signal handler.  `int` results are 0 or a positive
 * errno.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HY_GC_H
#define HY_GC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hy_gc;        /* a heap */
struct hy_gc_thread; /* a registered thread, in one heap */

enum {
    HY_GC_SIGNAL_OFFSET = 7, /* the signal is SIGRTMIN + this */
    HY_GC_MARKERS_MAX = 16,
    HY_GC_LAYOUTS_MAX = 64,      /* in one heap */
    HY_GC_LAYOUT_BYTES_MAX = 512 /* of an object that has one */
};

/* ---- a heap ---- */

/* What hy_gc_open is told.  Start from hy_gc_defaults. */
struct hy_gc_config {
    size_t heap_limit; /* bytes of blocks; beyond it allocation returns NULL.
                          0: 64 GiB of address space */
    size_t min_heap;   /* bytes; no collection before so much is in use */
    double growth;     /* the heap may grow to so many times what survived,
                          1.1 .. 100 … */
    double retain; /* … and a heap that was larger before stays as large, up
                      to so many times the most that survived one of the
                      last eight full collections, growth .. 100 */
    double time_share; /* of the process's time that collections should take,
                          0.001 .. 0.9; growth is then adjusted between 1.1 and
                          100.  0: growth is fixed */
    unsigned markers;  /* threads that mark, 1 .. HY_GC_MARKERS_MAX; 0: one a
                          CPU, at most 4 */
    bool generational; /* the client stores through hy_gc_store; most
                          collections then are minor */
    double nursery;    /* generational: bytes allocated between two minor ones,
                          as a share of the heap, 0.01 .. 1 */
    bool compact;      /* evacuate sparse blocks of objects with a layout */
    bool past_end;     /* give every object a spare byte, so that the address
                          past its end keeps it too */
    bool scan_globals; /* roots: every writable data segment of the program and
                          its libraries, looked up at each collection, and the
                          calling thread's thread-local variables */
    bool is_timeless;  /* no clock may decide anything (time_share is then
                          ignored) */
    /* Or NULL: called without locks, when there is no memory for `size` bytes
     * (as its size class rounds them up) even after a full collection; what it
     * returns the allocation returns. */
    void *(*out_of_memory)(size_t size, void *arg);
    void *out_of_memory_arg;
};

void hy_gc_defaults(struct hy_gc_config *);

/* Returns 0 and the heap; EINVAL and in why[why_size] one line which field,
 * its value and what would be right; or ENOMEM. */
int hy_gc_open(const struct hy_gc_config *, struct hy_gc **out, char *why,
               size_t why_size);

/* Give everything back.  No thread is registered but perhaps the caller;
 * finalizers that have not run do not. */
void hy_gc_close(struct hy_gc *);

/* Around a fork, by the thread that forks: before it, and after it in parent
 * and child.  In the child only the calling thread is registered. */
void hy_gc_fork_before(struct hy_gc *);
void hy_gc_fork_parent(struct hy_gc *);
void hy_gc_fork_child(struct hy_gc *);

/* ---- threads ---- */

/* Register the calling thread.  Its stack is scanned from where it is at a
 * collection up to the stack's end as pthread_getattr_np tells it (which
 * takes in its thread-local variables).  Returns 0; EBUSY if it is registered
 * already; ENOMEM; or what pthread_getattr_np says. */
int hy_gc_thread_enter(struct hy_gc *, struct hy_gc_thread **out);

/* Take the calling thread out; its stack is no root from here. */
void hy_gc_thread_leave(struct hy_gc_thread *);

/* The thread's stack is another one from now on, which ends at high and is at
 * least `bytes` long: a coroutine's, say.  It is scanned from where the thread
 * stands up to there.  By the thread itself, or from hooks. */
void hy_gc_thread_on_stack(struct hy_gc_thread *, const void *high,
                           size_t bytes);

/* The calling thread's registration, or NULL. */
struct hy_gc_thread *hy_gc_thread_self(void);

/* ---- objects ----
 *
 * Addresses are multiples of 16.  NULL if there is no memory, after a full
 * collection and out_of_memory.  O(1) but for lazy sweeping, which is
 * O(bytes), and collections. */

/* Zeroed; its words are scanned for pointers. */
void *hy_gc_alloc(struct hy_gc_thread *, size_t size);
/* Holds no pointers, is never scanned ("atomic"); contents undefined. */
void *hy_gc_alloc_leaf(struct hy_gc_thread *, size_t size);
/* Zeroed, scanned, and a root itself: lives until hy_gc_free. */
void *hy_gc_alloc_uncollectable(struct hy_gc_thread *, size_t size);
/* As hy_gc_alloc, or hy_gc_alloc_leaf, at a multiple of align: a power of two
 * up to 32 KiB; any other gives NULL and EINVAL. */
void *hy_gc_alloc_aligned(struct hy_gc_thread *, size_t size, size_t align,
                          bool is_leaf);

/* A layout: which of an object's words are pointers.  word_is_pointer[words]
 * is for size bytes; pointers then are NULL or an object's first byte, and
 * nothing else in the object is looked at.  Returns 0 and the layout; EINVAL
 * (a size of 0 or above HY_GC_LAYOUT_BYTES_MAX); ENOSPC beyond
 * HY_GC_LAYOUTS_MAX. */
int hy_gc_layout_add(struct hy_gc *, size_t size, const bool word_is_pointer[],
                     unsigned *layout);
/* Zeroed; scanned by its layout; may move if the heap compacts and nothing
 * but fields of layouts (and weak links, ephemerons, finalizers) refers to
 * it.  NULL and EINVAL if the layout was not added. */
void *hy_gc_alloc_layout(struct hy_gc_thread *, unsigned layout);

/* As realloc, zeroing what is new of an object that is scanned; keeps the
 * kind.  p may be NULL; size 0 frees.  On NULL the old object stays. */
void *hy_gc_resize(struct hy_gc_thread *, void *p, size_t size);
/* Give an object back at once; p is its first byte, or NULL.  Its finalizer
 * does not run; weak links to it must have been removed before. */
void hy_gc_free(struct hy_gc_thread *, void *p);

/* The first byte of the object that p points into, or NULL. */
void *hy_gc_base(struct hy_gc *, const void *p);
/* Bytes of it that may be used; 0 if p is no object's first byte. */
size_t hy_gc_usable(struct hy_gc *, const void *p);
/* Whether the object (p: its first byte) was reached by the last collection
 * or is allocated since, as far as the heap can tell: false is certain. */
bool hy_gc_may_live(struct hy_gc *, const void *p);

/* *field = value, where field lies in `object` (its first byte).  A
 * generational heap must be told of every such store; any other need not. */
void hy_gc_store(struct hy_gc *, void *object, void **field, void *value);

/* ---- roots ---- */

/* Scan the words of [begin, end) at every collection; rounded inwards to
 * whole words.  EINVAL and why for an empty or reversed range, or one that is
 * not readable memory; EEXIST if it is added already; ENOMEM. */
int hy_gc_roots_add(struct hy_gc *, const void *begin, const void *end,
                    char *why, size_t why_size);
/* Remove all that was added within [begin, end); ranges that overlap it are
 * cut.  ENOENT if none; ENOMEM: some are left as they were. */
int hy_gc_roots_remove(struct hy_gc *, const void *begin, const void *end);
/* Never scan [begin, end) as a global variable (scan_globals). */
int hy_gc_roots_exclude(struct hy_gc *, const void *begin, const void *end);

/* ---- dying ---- */

enum hy_gc_finalizer_order {
    HY_GC_ORDER_TOPOLOGICAL, /* not while another object with a finalizer
                                reaches it; cycles never run */
    HY_GC_ORDER_IGNORE_SELF, /* the same, but its own pointers to itself do
                                not count */
    HY_GC_ORDER_NONE         /* as soon as the program cannot reach it; and it
                                does not hold back those that it reaches */
};

struct hy_gc_finalizer {
    void (*run)(void *object, void *arg);
    void *arg; /* a root as long as the finalizer is set */
    enum hy_gc_finalizer_order order;
};

/* Have finalizer->run called once, after the object (its first byte) cannot
 * be reached; NULL (or a NULL run) takes it back.  It is called by the thread
 * whose allocation or collection found it, without locks, and may allocate,
 * register, store the object where it is reached again (it then lives on), or
 * leave by longjmp.  *old, if not NULL, is what was set.  EINVAL if it is no
 * object's first byte; ENOMEM. */
int hy_gc_finalizer_set(struct hy_gc *, void *object,
                        const struct hy_gc_finalizer *finalizer,
                        struct hy_gc_finalizer *old);
/* Run what is ready now; returns how many ran. */
size_t hy_gc_finalizers_run(struct hy_gc *);
/* Whether finalizers run by themselves (the default), or only by the above. */
void hy_gc_finalizers_on_demand(struct hy_gc *, bool on_demand);
/* How many are set and have not been called; exact. */
size_t hy_gc_finalizers_waiting(struct hy_gc *);

/* Set *link to NULL when target cannot be reached (before finalizers; is_long:
 * only when it is about to be reused, after they are through with it).  *link
 * itself should not be scanned, or it keeps the target.  A link in an object
 * that dies is forgotten.  EEXIST (now with this target), EINVAL, ENOMEM. */
int hy_gc_weak_add(struct hy_gc *, void **link, const void *target,
                   bool is_long);
/* ENOENT if it was not one. */
int hy_gc_weak_remove(struct hy_gc *, void **link);
/* The object moved to another place: the link goes on there.  ENOENT if from
 * was no link, EEXIST if `to` is one, ENOMEM. */
int hy_gc_weak_move(struct hy_gc *, void **from, void **to);

/* An ephemeron: keeps value only as long as key is reached from elsewhere;
 * then both read as NULL.  It is an object itself.  NULL if no memory.
 * Source: B. Hayes, "Ephemerons: a new finalization mechanism", OOPSLA 1997. */
struct hy_gc_ephemeron;
struct hy_gc_ephemeron *hy_gc_ephemeron_new(struct hy_gc_thread *, void *key,
                                            void *value);
void *hy_gc_ephemeron_key(const struct hy_gc_ephemeron *);
void *hy_gc_ephemeron_value(const struct hy_gc_ephemeron *);

/* ---- collections ---- */

enum hy_gc_reason {
    HY_GC_REASON_BUDGET, /* so much was allocated */
    HY_GC_REASON_LIMIT,  /* the heap limit was met */
    HY_GC_REASON_ASKED,  /* hy_gc_collect */
    HY_GC_REASONS
};

enum hy_gc_kind { HY_GC_MINOR, HY_GC_FULL, HY_GC_COMPACTING };

/* One collection.  Times are of CLOCK_MONOTONIC; all figures are exact but
 * where said. */
struct hy_gc_event {
    uint64_t number;    /* from 1 */
    uint64_t start_ns;  /* the collector asks the others to stop */
    uint64_t stop_ns;   /* ns until all stood */
    uint64_t mark_ns;   /* roots and marking */
    uint64_t finish_ns; /* weak links, ephemerons, finalizers, evacuation,
                           tables; until the world goes on: the pause is
                           stop + mark + finish */
    uint64_t marked_objects, marked_bytes; /* by this collection */
    uint64_t live_bytes;      /* after it, as size classes count; a minor
                                 collection counts its survivors only once */
    uint64_t allocated_bytes; /* since the one before (bytes of runs and large
                                 objects: at most one run a thread and size
                                 class above what was asked) */
    uint64_t heap_bytes;      /* blocks in use when it began */
    uint64_t freed_blocks_bytes; /* whole blocks it found empty */
    uint64_t moved_objects, moved_bytes;
    uint64_t finalizers; /* found ready */
    enum hy_gc_reason reason;
    enum hy_gc_kind kind;
    unsigned threads; /* stopped, with the one that collects */
    unsigned markers;
};

/* Collect now: HY_GC_MINOR is full unless the heap is generational;
 * HY_GC_COMPACTING is full unless it compacts.  Then runs finalizers.  Does
 * nothing while disabled. */
void hy_gc_collect(struct hy_gc *, enum hy_gc_kind);
/* Nested: while disabled, no collection starts, whatever it costs. */
void hy_gc_disable(struct hy_gc *);
void hy_gc_enable(struct hy_gc *);
bool hy_gc_is_disabled(struct hy_gc *);

/* Called after every collection, by the thread that collected, when the world
 * goes on: it must not use this heap.  NULL: nobody is. */
void hy_gc_listen(struct hy_gc *,
                  void (*listener)(const struct hy_gc_event *, void *arg),
                  void *arg);

/* What a client has to say about every collection.  They are called by the
 * thread that collects, which holds the heap's lock: they may use nothing of
 * the heap but hy_gc_scan, hy_gc_keep and hy_gc_is_reached, and these only in
 * roots and reached. */
struct hy_gc_hooks {
    bool (*begin)(void *arg);   /* before the world is stopped; false: there is
                                   no collection now */
    void (*roots)(void *arg);   /* the world stands, roots are being marked */
    bool (*reached)(void *arg); /* all that is known to be reached is marked:
                                   there may be more if something is now.
                                   true: it scanned or kept some.  Called
                                   until it is false, perhaps several times */
    void *arg;
};
/* Each may be NULL; so may hooks, for none. */
void hy_gc_hook(struct hy_gc *, const struct hy_gc_hooks *hooks);
/* The words of [begin, end) are roots of this collection. */
void hy_gc_scan(struct hy_gc *, const void *begin, const void *end);
/* This collection keeps the object that p points into, if any. */
void hy_gc_keep(struct hy_gc *, const void *p);
/* Whether this collection has come to the object that p points into; true for
 * what is no object of the heap. */
bool hy_gc_is_reached(struct hy_gc *, const void *p);

/* Where the heap stands.  Exact while no other thread allocates. */
struct hy_gc_stats {
    uint64_t heap_bytes;   /* blocks in use */
    uint64_t free_bytes;   /* of blocks kept for use, in memory */
    uint64_t mapped_bytes; /* with side tables; only what may be touched */
    uint64_t live_bytes;   /* after the last collection */
    uint64_t since_bytes;  /* allocated since */
    uint64_t total_bytes;  /* allocated in all */
    uint64_t collections, minor_collections;
    uint64_t pause_ns, max_pause_ns; /* all; the longest */
};
void hy_gc_stats(struct hy_gc *, struct hy_gc_stats *out);
/* Change while running; the values as in hy_gc_config.  EINVAL. */
void hy_gc_set_min_heap(struct hy_gc *, size_t min_heap);
int hy_gc_set_limit(struct hy_gc *, size_t heap_limit);
int hy_gc_set_growth(struct hy_gc *, double growth);

/* Call visit for every object that the last full collection reached and that
 * was not freed since.  The world stands meanwhile; visit must not use the
 * heap. */
void hy_gc_visit(struct hy_gc *,
                 void (*visit)(void *object, size_t bytes, void *arg),
                 void *arg);

#ifdef __cplusplus
}
#endif
#endif
