/* gc.h - the names of Boehm's collector, over Heapyard's (hy_gc.h).
 *
 * A program that was written for Boehm's collector compiles with this header
 * and links with libheapyard-gc; one that is compiled already runs on the
 * library of the name libgc.so.1.  One heap serves the process.  It is opened
 * by GC_init or by the first call, and every data segment of the program and
 * its libraries is scanned.  The differences to Boehm's:
 *
 *   - interior pointers are recognised everywhere, so displacements need not
 *     be registered; GC_set_all_interior_pointers(0) before GC_init only
 *     saves the spare byte at an object's end
 *   - a thread that is not registered is when it first allocates
 *   - collections are stop-the-world; GC_enable_incremental changes nothing
 *   - data segments stay roots, whatever GC_no_dls and GC_clear_roots say
 *   - what GC_malloc_atomic_uncollectable returns is scanned, too
 *   - the debugging variants are the plain ones: no headers, no checks
 *
 * What is missing (disclaim procedures, toggle references, gcj and leak
 * finding) is not declared and does not link.
 *
 * Source of names and meanings: the documentation of bdwgc 8.2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GC_H
#define GC_H

#include <stddef.h>

#if defined(GC_THREADS) || defined(_REENTRANT)
#include <pthread.h>
#include <signal.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define GC_VERSION_MAJOR 8
#define GC_VERSION_MINOR 2
#define GC_VERSION_MICRO 2
#define GC_API           extern __attribute__((visibility("default")))
#define GC_CALL
#define GC_CALLBACK
#define GC_ATTR_MALLOC __attribute__((malloc))

typedef unsigned long GC_word;
typedef long GC_signed_word;

/* ---- the collector as a whole ---- */

/* Open the heap and register the calling thread; again: nothing. */
GC_API void GC_init(void);
#define GC_INIT() GC_init()
GC_API int GC_is_init_called(void);
/* Major << 16 | minor << 8 | micro, of the interface. */
GC_API unsigned GC_get_version(void);
/* Nothing: the process's end gives all back. */
GC_API void GC_deinit(void);

/* ---- allocation ----
 *
 * Multiples of 16; NULL, or what GC_get_oom_fn's function returns, if there is
 * no memory.  Zeroed, but for atomic objects, which hold no pointers and are
 * not scanned.  Uncollectable ones are roots, and live until GC_free. */

GC_API void *GC_malloc(size_t bytes) GC_ATTR_MALLOC;
GC_API void *GC_malloc_atomic(size_t bytes) GC_ATTR_MALLOC;
GC_API void *GC_malloc_uncollectable(size_t bytes) GC_ATTR_MALLOC;
GC_API void *GC_malloc_atomic_uncollectable(size_t bytes) GC_ATTR_MALLOC;
/* As the above: here any interior pointer keeps a large object, too. */
GC_API void *GC_malloc_ignore_off_page(size_t bytes) GC_ATTR_MALLOC;
GC_API void *GC_malloc_atomic_ignore_off_page(size_t bytes) GC_ATTR_MALLOC;
GC_API void *GC_malloc_stubborn(size_t bytes) GC_ATTR_MALLOC;
GC_API void GC_change_stubborn(const void *);
GC_API void GC_end_stubborn_change(const void *);
/* align: a power of two up to 32 KiB; beyond there is no memory. */
GC_API void *GC_memalign(size_t align, size_t bytes) GC_ATTR_MALLOC;
GC_API int GC_posix_memalign(void **out, size_t align, size_t bytes);
GC_API char *GC_strdup(const char *) GC_ATTR_MALLOC;
GC_API char *GC_strndup(const char *, size_t) GC_ATTR_MALLOC;
/* As realloc; keeps the kind.  Finalizers and links stay with the old. */
GC_API void *GC_realloc(void *, size_t bytes);
/* An object's first byte, or NULL. */
GC_API void GC_free(void *);
/* Objects of one size, linked through their first words, that the caller may
 * hand out itself. */
GC_API void *GC_malloc_many(size_t bytes) GC_ATTR_MALLOC;
#define GC_NEXT(p) (*(void **)(p))

/* The first byte of the object pointed into, or NULL. */
GC_API void *GC_base(void *);
GC_API int GC_is_heap_ptr(const void *);
/* Bytes that may be used, from an object's first byte. */
GC_API size_t GC_size(const void *);
/* Store, and mark the object as written to: here a plain store. */
GC_API void GC_ptr_store_and_dirty(void *field, const void *value);
/* Checks of pointer arithmetic: they return what they are given. */
GC_API void *GC_same_obj(void *, void *);
GC_API void *GC_is_visible(void *);
GC_API void *GC_is_valid_displacement(void *);
GC_API void GC_register_displacement(size_t);
GC_API void GC_debug_register_displacement(size_t);

#define GC_MALLOC(n)                        GC_malloc(n)
#define GC_MALLOC_ATOMIC(n)                 GC_malloc_atomic(n)
#define GC_MALLOC_UNCOLLECTABLE(n)          GC_malloc_uncollectable(n)
#define GC_MALLOC_ATOMIC_UNCOLLECTABLE(n)   GC_malloc_atomic_uncollectable(n)
#define GC_MALLOC_IGNORE_OFF_PAGE(n)        GC_malloc_ignore_off_page(n)
#define GC_MALLOC_ATOMIC_IGNORE_OFF_PAGE(n) GC_malloc_atomic_ignore_off_page(n)
#define GC_MALLOC_STUBBORN(n)               GC_malloc(n)
#define GC_STRDUP(s)                        GC_strdup(s)
#define GC_STRNDUP(s, n)                    GC_strndup(s, n)
#define GC_REALLOC(p, n)                    GC_realloc(p, n)
#define GC_FREE(p)                          GC_free(p)
#define GC_CHANGE_STUBBORN(p)               GC_change_stubborn(p)
#define GC_END_STUBBORN_CHANGE(p)           GC_end_stubborn_change(p)
#define GC_PTR_STORE_AND_DIRTY(p, q)        GC_ptr_store_and_dirty(p, q)
#define GC_NEW(t)                           ((t *)GC_MALLOC(sizeof(t)))
#define GC_NEW_ATOMIC(t)                    ((t *)GC_MALLOC_ATOMIC(sizeof(t)))
#define GC_NEW_UNCOLLECTABLE(t)             ((t *)GC_MALLOC_UNCOLLECTABLE(sizeof(t)))
#define GC_NEW_STUBBORN(t)                  GC_NEW(t)
/* Keep p until here, whatever the compiler makes of it. */
#define GC_reachable_here(p) __asm__ __volatile__("" : : "X"(p) : "memory")

/* With the place of the call, which is not kept. */
#define GC_EXTRA_PARAMS const char *file, int line
#define GC_EXTRAS       __FILE__, __LINE__
GC_API void *GC_debug_malloc(size_t, GC_EXTRA_PARAMS);
GC_API void *GC_debug_malloc_atomic(size_t, GC_EXTRA_PARAMS);
GC_API void *GC_debug_malloc_uncollectable(size_t, GC_EXTRA_PARAMS);
GC_API void *GC_debug_malloc_atomic_uncollectable(size_t, GC_EXTRA_PARAMS);
GC_API void *GC_debug_malloc_ignore_off_page(size_t, GC_EXTRA_PARAMS);
GC_API void *GC_debug_malloc_atomic_ignore_off_page(size_t, GC_EXTRA_PARAMS);
GC_API void *GC_debug_malloc_stubborn(size_t, GC_EXTRA_PARAMS);
GC_API char *GC_debug_strdup(const char *, GC_EXTRA_PARAMS);
GC_API char *GC_debug_strndup(const char *, size_t, GC_EXTRA_PARAMS);
GC_API void *GC_debug_realloc(void *, size_t, GC_EXTRA_PARAMS);
GC_API void *GC_debug_malloc_replacement(size_t);
GC_API void *GC_debug_realloc_replacement(void *, size_t);
GC_API void GC_debug_free(void *);

/* ---- collecting ---- */

GC_API void GC_gcollect(void);
GC_API void GC_gcollect_and_unmap(void);
typedef int (*GC_stop_func)(void);
/* Asks stop once, before the collection; 1: it was made. */
GC_API int GC_try_to_collect(GC_stop_func stop);
GC_API void GC_set_stop_func(GC_stop_func);
GC_API GC_stop_func GC_get_stop_func(void);
/* 0: there is never a collection that is half done. */
GC_API int GC_collect_a_little(void);
GC_API void GC_start_incremental_collection(void);
GC_API void GC_enable_incremental(void);
GC_API int GC_is_incremental_mode(void);
GC_API int GC_incremental_protection_needs(void);
/* Nested. */
GC_API void GC_disable(void);
GC_API void GC_enable(void);
GC_API int GC_is_disabled(void);
/* Raise what the heap may grow to before the next collection. */
GC_API int GC_expand_hp(size_t bytes);
GC_API void GC_set_max_heap_size(GC_word bytes);

/* ---- roots ---- */

/* [begin, end) is scanned at every collection; memory that cannot be read ends
 * the process with a message. */
GC_API void GC_add_roots(void *begin, void *end);
GC_API void GC_remove_roots(void *begin, void *end);
/* Of those that were added. */
GC_API void GC_clear_roots(void);
GC_API void GC_exclude_static_roots(void *begin, void *end);
GC_API void GC_clear_exclusion_table(void);

/* ---- figures: bytes ---- */

GC_API GC_word GC_get_gc_no(void); /* collections */
GC_API size_t GC_get_heap_size(void);
GC_API size_t GC_get_free_bytes(void);
GC_API size_t GC_get_unmapped_bytes(void);
GC_API size_t GC_get_bytes_since_gc(void);
GC_API size_t GC_get_expl_freed_bytes_since_gc(void); /* 0: not counted */
GC_API size_t GC_get_total_bytes(void);
GC_API size_t GC_get_obtained_from_os_bytes(void);
GC_API size_t GC_get_memory_use(void);
/* Any may be NULL. */
GC_API void GC_get_heap_usage_safe(GC_word *heap, GC_word *free_bytes,
                                   GC_word *unmapped, GC_word *since,
                                   GC_word *total);
struct GC_prof_stats_s {
    GC_word heapsize_full, free_bytes_full, unmapped_bytes;
    GC_word bytes_allocd_since_gc, allocd_bytes_before_gc, non_gc_bytes;
    GC_word gc_no, markers_m1;
    GC_word bytes_reclaimed_since_gc, reclaimed_bytes_before_gc;
    GC_word expl_freed_bytes_since_gc, obtained_from_os_bytes;
};
/* Returns how many bytes of *out are filled in. */
GC_API size_t GC_get_prof_stats(struct GC_prof_stats_s *out, size_t size);
GC_API size_t GC_get_prof_stats_unsafe(struct GC_prof_stats_s *, size_t);
GC_API void GC_start_performance_measurement(void);
GC_API unsigned long GC_get_full_gc_total_time(void); /* ms */
/* To standard output. */
GC_API void GC_dump(void);
GC_API void GC_dump_named(const char *name);

/* ---- dying ---- */

enum { GC_SUCCESS, GC_DUPLICATE, GC_NO_MEMORY, GC_UNIMPLEMENTED, GC_NOT_FOUND };
#define GC_NO_THREADS 2

typedef void (*GC_finalization_proc)(void *object, void *data);
/* NULL for run takes it back.  An object that no other with a finalizer
 * reaches comes first; cycles never are. */
GC_API void GC_register_finalizer(void *object, GC_finalization_proc run,
                                  void *data, GC_finalization_proc *old_run,
                                  void **old_data);
/* The object's own pointers to itself do not count. */
GC_API void GC_register_finalizer_ignore_self(void *, GC_finalization_proc,
                                              void *, GC_finalization_proc *,
                                              void **);
/* As soon as the program cannot reach it. */
GC_API void GC_register_finalizer_no_order(void *, GC_finalization_proc, void *,
                                           GC_finalization_proc *, void **);
/* As ignore_self here: nobody else who might still use it reaches it. */
GC_API void GC_register_finalizer_unreachable(void *, GC_finalization_proc,
                                              void *, GC_finalization_proc *,
                                              void **);
#define GC_debug_register_finalizer GC_register_finalizer
#define GC_debug_register_finalizer_ignore_self                                \
    GC_register_finalizer_ignore_self
#define GC_debug_register_finalizer_no_order GC_register_finalizer_no_order
#define GC_REGISTER_FINALIZER(p, f, d, of, od)                                 \
    GC_register_finalizer(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_IGNORE_SELF(p, f, d, of, od)                     \
    GC_register_finalizer_ignore_self(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_NO_ORDER(p, f, d, of, od)                        \
    GC_register_finalizer_no_order(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_UNREACHABLE(p, f, d, of, od)                     \
    GC_register_finalizer_unreachable(p, f, d, of, od)
GC_API int GC_should_invoke_finalizers(void);
/* Returns how many ran. */
GC_API int GC_invoke_finalizers(void);

/* *link becomes NULL when the object cannot be reached, before its finalizer
 * runs; long: after. */
GC_API int GC_register_disappearing_link(void **link);
GC_API int GC_general_register_disappearing_link(void **link,
                                                 const void *object);
GC_API int GC_move_disappearing_link(void **from, void **to);
GC_API int GC_unregister_disappearing_link(void **link); /* 1: was one */
GC_API int GC_register_long_link(void **link, const void *object);
GC_API int GC_move_long_link(void **from, void **to);
GC_API int GC_unregister_long_link(void **link);
#define GC_GENERAL_REGISTER_DISAPPEARING_LINK(link, object)                    \
    GC_general_register_disappearing_link(link, object)
#define GC_REGISTER_LONG_LINK(link, object) GC_register_long_link(link, object)

/* A word that is no pointer to the collector. */
typedef GC_word GC_hidden_pointer;
#define GC_HIDE_POINTER(p)   (~(GC_hidden_pointer)(p))
#define GC_REVEAL_POINTER(p) ((void *)~(GC_hidden_pointer)(p))
#if defined(I_HIDE_POINTERS) || defined(GC_I_HIDE_POINTERS)
#define HIDE_POINTER(p)   GC_HIDE_POINTER(p)
#define REVEAL_POINTER(p) GC_REVEAL_POINTER(p)
#endif

typedef void *(*GC_fn_type)(void *);
/* No collection while run runs, nor another call of this. */
GC_API void *GC_call_with_alloc_lock(GC_fn_type run, void *data);
GC_API void GC_alloc_lock(void);
GC_API void GC_alloc_unlock(void);

/* ---- settings ----
 *
 * Those that say so act; the others are kept, and change nothing. */

#define GC_BOEHM_SETTING(type, name)                                           \
    GC_API void GC_set_##name(type);                                           \
    GC_API type GC_get_##name(void)

/* Acts: the heap grows to 1 + 2.4 / divisor of what survived; 3 at first. */
GC_BOEHM_SETTING(GC_word, free_space_divisor);
/* Acts before GC_init. */
GC_BOEHM_SETTING(int, all_interior_pointers);
/* Acts: finalizers run only by GC_invoke_finalizers. */
GC_BOEHM_SETTING(int, finalize_on_demand);
GC_BOEHM_SETTING(int, java_finalization);
GC_BOEHM_SETTING(int, dont_expand);
GC_BOEHM_SETTING(int, no_dls);
GC_BOEHM_SETTING(int, dont_precollect);
GC_BOEHM_SETTING(int, full_freq);
GC_BOEHM_SETTING(int, rate);
GC_BOEHM_SETTING(int, max_prior_attempts);
GC_BOEHM_SETTING(int, pages_executable);
GC_BOEHM_SETTING(int, force_unmap_on_gcollect);
GC_BOEHM_SETTING(int, manual_vdb_allowed);
/* Acts, as GC_disable and GC_gcollect do: no collection but those asked for. */
GC_BOEHM_SETTING(int, disable_automatic_collection);
GC_BOEHM_SETTING(GC_word, max_retries);
GC_BOEHM_SETTING(GC_word, non_gc_bytes);
GC_BOEHM_SETTING(GC_word, allocd_bytes_per_finalizer);
GC_BOEHM_SETTING(unsigned long, time_limit);
GC_BOEHM_SETTING(size_t, min_bytes_allocd);
GC_API void GC_set_markers_count(unsigned); /* acts before GC_init */
GC_API int GC_get_parallel(void);           /* markers - 1 */
/* Acts before GC_init.  1: that installs handlers of fork (the default), and
 * GC_atfork_* do nothing; 0 or -1: a child may use the heap only if the program
 * calls these. */
GC_API void GC_set_handle_fork(int);
GC_API void GC_atfork_prepare(void);
GC_API void GC_atfork_parent(void);
GC_API void GC_atfork_child(void);
GC_API void GC_set_log_fd(int);

/* ---- functions of the program that the collector calls ----
 *
 * Those of a collection may allocate nothing. */

typedef void *(*GC_oom_func)(size_t bytes);
GC_BOEHM_SETTING(GC_oom_func, oom_fn); /* what it returns, GC_malloc does */
GC_API void GC_abort_on_oom(void);
typedef void (*GC_warn_proc)(char *format, GC_word arg);
GC_BOEHM_SETTING(GC_warn_proc, warn_proc);
GC_API void GC_ignore_warn_proc(char *, GC_word);
typedef void (*GC_abort_func)(const char *message);
GC_BOEHM_SETTING(GC_abort_func, abort_func);
typedef void (*GC_start_callback_proc)(void);
GC_BOEHM_SETTING(GC_start_callback_proc, start_callback);
typedef void (*GC_finalizer_notifier_proc)(void);
/* Called after a collection that found finalizers ready, on demand. */
GC_BOEHM_SETTING(GC_finalizer_notifier_proc, finalizer_notifier);
typedef enum {
    GC_EVENT_START,
    GC_EVENT_MARK_START,
    GC_EVENT_MARK_END,
    GC_EVENT_RECLAIM_START,
    GC_EVENT_RECLAIM_END,
    GC_EVENT_END,
    GC_EVENT_PRE_STOP_WORLD,
    GC_EVENT_POST_STOP_WORLD,
    GC_EVENT_PRE_START_WORLD,
    GC_EVENT_POST_START_WORLD,
    GC_EVENT_THREAD_SUSPENDED,
    GC_EVENT_THREAD_UNSUSPENDED
} GC_EventType;
typedef void (*GC_on_collection_event_proc)(GC_EventType);
/* START and PRE_STOP_WORLD; MARK_START with the world standing; MARK_END,
 * RECLAIM_START, RECLAIM_END and END when it goes on. */
GC_BOEHM_SETTING(GC_on_collection_event_proc, on_collection_event);
typedef void (*GC_on_heap_resize_proc)(GC_word bytes);
/* After a collection that saw the heap of another size than the one before. */
GC_BOEHM_SETTING(GC_on_heap_resize_proc, on_heap_resize);
typedef void (*GC_on_thread_event_proc)(GC_EventType, void *thread);
/* Kept; never called. */
GC_BOEHM_SETTING(GC_on_thread_event_proc, on_thread_event);

/* ---- threads ---- */

struct GC_stack_base {
    void *mem_base; /* the stack's end with the highest address */
};
typedef void *(*GC_stack_base_func)(struct GC_stack_base *, void *);
GC_API void *GC_call_with_stack_base(GC_stack_base_func run, void *data);
GC_API int GC_get_stack_base(struct GC_stack_base *out);
/* Returns a handle of the thread, for the other. */
GC_API void *GC_get_my_stackbottom(struct GC_stack_base *out);
/* The thread (NULL: this one) runs on another stack that ends there. */
GC_API void GC_set_stackbottom(void *thread, const struct GC_stack_base *);
GC_API void GC_allow_register_threads(void);
GC_API int GC_register_my_thread(const struct GC_stack_base *);
GC_API int GC_unregister_my_thread(void);
GC_API int GC_thread_is_registered(void);
GC_API void GC_register_altstack(void *, GC_word, void *, GC_word);
/* Calls run: a thread that blocks can be stopped, and is scanned. */
GC_API void *GC_do_blocking(GC_fn_type run, void *data);
GC_API void *GC_call_with_gc_active(GC_fn_type run, void *data);
GC_API void GC_start_mark_threads(void);
GC_API void GC_set_suspend_signal(int);
GC_API void GC_set_thr_restart_signal(int);
GC_API int GC_get_suspend_signal(void);
GC_API int GC_get_thr_restart_signal(void);
GC_API void *GC_dlopen(const char *path, int mode);

#if defined(GC_THREADS) || defined(_REENTRANT)
/* As the functions without GC_; the new thread is registered. */
GC_API int GC_pthread_create(pthread_t *, const pthread_attr_t *,
                             void *(*)(void *), void *);
GC_API int GC_pthread_join(pthread_t, void **);
GC_API int GC_pthread_detach(pthread_t);
GC_API int GC_pthread_cancel(pthread_t);
GC_API void GC_pthread_exit(void *) __attribute__((noreturn));
/* Never blocks the collector's signal. */
GC_API int GC_pthread_sigmask(int, const sigset_t *, sigset_t *);
#endif
#if defined(GC_THREADS) && !defined(GC_NO_THREAD_REDIRECTS)
#define pthread_create  GC_pthread_create
#define pthread_join    GC_pthread_join
#define pthread_detach  GC_pthread_detach
#define pthread_cancel  GC_pthread_cancel
#define pthread_exit    GC_pthread_exit
#define pthread_sigmask GC_pthread_sigmask
#endif

/* ---- variables ----
 *
 * They are what the functions above set, and are read where these act. */
GC_API GC_word GC_gc_no, GC_free_space_divisor, GC_max_retries, GC_non_gc_bytes;
GC_API int GC_parallel, GC_find_leak, GC_all_interior_pointers,
    GC_finalize_on_demand, GC_java_finalization, GC_dont_gc, GC_dont_expand,
    GC_use_entire_heap, GC_full_freq, GC_no_dls, GC_dont_precollect;
GC_API unsigned long GC_time_limit;
GC_API char *GC_stackbottom; /* of the first thread; see GC_set_stackbottom */
GC_API GC_oom_func GC_oom_fn;
GC_API GC_on_heap_resize_proc GC_on_heap_resize;
GC_API GC_finalizer_notifier_proc GC_finalizer_notifier;

#ifdef __cplusplus
}
#endif
#endif
