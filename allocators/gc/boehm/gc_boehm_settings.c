/* gc_boehm_settings.c - settings, callbacks and figures by Boehm's names.
 *
 * The variables are part of the interface: programs read and write them, so
 * they are read anew where they act.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_boehm.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *no_memory(size_t bytes)
{
    (void)bytes;
    return NULL;
}

static void print_warning(char *format, GC_word arg)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    fprintf(stderr, format, arg);
#pragma GCC diagnostic pop
}

static void push_nothing(void)
{
}

GC_word GC_gc_no, GC_free_space_divisor = 3, GC_max_retries, GC_non_gc_bytes;
int GC_parallel, GC_find_leak,
    GC_all_interior_pointers = 1, GC_finalize_on_demand, GC_java_finalization,
    GC_dont_gc, GC_dont_expand, GC_use_entire_heap, GC_full_freq = 19,
    GC_no_dls, GC_dont_precollect;
unsigned long GC_time_limit = 50;
char *GC_stackbottom;
GC_oom_func GC_oom_fn = no_memory;
GC_on_heap_resize_proc GC_on_heap_resize;
GC_finalizer_notifier_proc GC_finalizer_notifier;
GC_push_other_roots_proc GC_push_other_roots = push_nothing;
void *GC_least_plausible_heap_addr;
void *GC_greatest_plausible_heap_addr = (void *)UINTPTR_MAX;

/* Mutable by need: what the functions below keep. */
static struct {
    unsigned markers;
    size_t initial_bytes, most_bytes;
    int fork_handling;
    int is_manual; /* no collection but those asked for */
    GC_stop_func stop_func;
    GC_warn_proc warn_proc;
    GC_abort_func abort_func;
    GC_start_callback_proc start_callback;
    GC_on_collection_event_proc on_event;
    GC_on_thread_event_proc on_thread_event;
    atomic_long ready; /* finalizers */
    GC_word resized_to;
    struct hy_gc_stats stats; /* for functions that a collection calls */
} kept = {.fork_handling = 1, .warn_proc = print_warning};
static _Thread_local bool is_collecting, is_asked;
static pthread_mutex_t alloc_lock;
static pthread_once_t alloc_lock_once = PTHREAD_ONCE_INIT;

/* ---- settings ---- */

#define KEPT(type, name, place)                                                \
    void GC_set_##name(type value)                                             \
    {                                                                          \
        place = value;                                                         \
    }                                                                          \
    type GC_get_##name(void)                                                   \
    {                                                                          \
        return place;                                                          \
    }
#define NO_EFFECT(type, name, initial)                                         \
    static type kept_##name = initial;                                         \
    KEPT(type, name, kept_##name)

KEPT(int, all_interior_pointers, GC_all_interior_pointers)
KEPT(int, finalize_on_demand, GC_finalize_on_demand)
KEPT(int, java_finalization, GC_java_finalization)
KEPT(int, dont_expand, GC_dont_expand)
KEPT(int, no_dls, GC_no_dls)
KEPT(int, dont_precollect, GC_dont_precollect)
KEPT(int, full_freq, GC_full_freq)
KEPT(int, disable_automatic_collection, kept.is_manual)
KEPT(GC_word, max_retries, GC_max_retries)
KEPT(GC_word, non_gc_bytes, GC_non_gc_bytes)
KEPT(unsigned long, time_limit, GC_time_limit)
KEPT(GC_oom_func, oom_fn, GC_oom_fn)
KEPT(GC_warn_proc, warn_proc, kept.warn_proc)
KEPT(GC_abort_func, abort_func, kept.abort_func)
KEPT(GC_stop_func, stop_func, kept.stop_func)
KEPT(GC_start_callback_proc, start_callback, kept.start_callback)
KEPT(GC_finalizer_notifier_proc, finalizer_notifier, GC_finalizer_notifier)
KEPT(GC_on_collection_event_proc, on_collection_event, kept.on_event)
KEPT(GC_on_thread_event_proc, on_thread_event, kept.on_thread_event)
KEPT(GC_on_heap_resize_proc, on_heap_resize, GC_on_heap_resize)
KEPT(GC_push_other_roots_proc, push_other_roots, GC_push_other_roots)
NO_EFFECT(int, rate, 10)
NO_EFFECT(int, max_prior_attempts, 1)
NO_EFFECT(int, pages_executable, 0)
NO_EFFECT(int, force_unmap_on_gcollect, 0)
NO_EFFECT(int, manual_vdb_allowed, 0)
NO_EFFECT(GC_word, allocd_bytes_per_finalizer, 10000)
NO_EFFECT(size_t, min_bytes_allocd, 1)

double boehm_growth(GC_word divisor)
{
    const double growth = 1 + 2.4 / (double)(divisor ? divisor : 1);

    return growth < 1.1 ? 1.1 : growth;
}

void GC_set_free_space_divisor(GC_word divisor)
{
    GC_free_space_divisor = divisor;
    if (GC_is_init_called())
        (void)hy_gc_set_growth(boehm_heap(), boehm_growth(divisor));
}

GC_word GC_get_free_space_divisor(void)
{
    return GC_free_space_divisor;
}

void GC_set_markers_count(unsigned n)
{
    kept.markers = n < HY_GC_MARKERS_MAX ? n : HY_GC_MARKERS_MAX;
}

int GC_get_parallel(void)
{
    return GC_parallel;
}

void GC_set_max_heap_size(GC_word bytes)
{
    kept.most_bytes = bytes;
    if (GC_is_init_called())
        (void)hy_gc_set_limit(boehm_heap(), bytes);
}

int GC_expand_hp(size_t bytes)
{
    hy_gc_set_min_heap(boehm_heap(), GC_get_heap_size() + bytes);
    return 1;
}

void GC_set_handle_fork(int how)
{
    if (!GC_is_init_called())
        kept.fork_handling = how;
}

int boehm_handles_fork(void)
{
    return kept.fork_handling;
}

void GC_set_log_fd(int fd)
{
    (void)fd;
}

void GC_ignore_warn_proc(char *format, GC_word arg)
{
    (void)format;
    (void)arg;
}

static void *die_of_no_memory(size_t bytes)
{
    char message[80];

    snprintf(message, sizeof message, "no memory for %zu bytes", bytes);
    boehm_abort(message);
}

void GC_abort_on_oom(void)
{
    GC_oom_fn = die_of_no_memory;
}

void boehm_abort(const char *message)
{
    if (kept.abort_func)
        kept.abort_func(message);
    else
        fprintf(stderr, "libgc (heapyard): %s\n", message);
    abort();
}

/* ---- before the heap is opened ---- */

/* Bytes, with a suffix k, m or g as Boehm's variables may have. */
static size_t size_in_environment(const char *name)
{
    const char *value = getenv(name);
    char *end = NULL;

    if (!value)
        return 0;
    const unsigned long long n = strtoull(value, &end, 10);
    const int shift = *end == 'k' || *end == 'K'   ? 10
                      : *end == 'm' || *end == 'M' ? 20
                      : *end == 'g' || *end == 'G' ? 30
                                                   : 0;

    return (size_t)n << shift;
}

void boehm_configure(struct hy_gc_config *config)
{
    const size_t initial = size_in_environment("GC_INITIAL_HEAP_SIZE");
    const size_t most = size_in_environment("GC_MAXIMUM_HEAP_SIZE");
    const size_t divisor = size_in_environment("GC_FREE_SPACE_DIVISOR");
    const size_t markers = size_in_environment("GC_MARKERS");

    if (divisor)
        GC_free_space_divisor = divisor;
    if (markers)
        GC_set_markers_count((unsigned)markers);
    if (getenv("GC_DONT_GC"))
        GC_dont_gc = 1;
    if (initial > config->min_heap)
        config->min_heap = initial;
    config->heap_limit = most ? most : kept.most_bytes;
    config->growth = boehm_growth(GC_free_space_divisor);
    if (config->retain < config->growth)
        config->retain = config->growth;
    config->markers = kept.markers;
    config->past_end = GC_all_interior_pointers;
    if (!kept.markers) {
        const long cpus = sysconf(_SC_NPROCESSORS_ONLN);

        config->markers = cpus < 1 ? 1 : cpus > 4 ? 4 : (unsigned)cpus;
    }
    GC_parallel = (int)config->markers - 1;
}

/* ---- what a collection calls ---- */

static void tell(GC_EventType event)
{
    if (kept.on_event)
        kept.on_event(event);
}

static bool on_begin(void *arg)
{
    (void)arg;
    if (GC_dont_gc > 0 || (kept.is_manual && !is_asked))
        return false;
    is_collecting = true;
    boehm_kinds_begin();
    if (kept.start_callback)
        kept.start_callback();
    tell(GC_EVENT_START);
    tell(GC_EVENT_PRE_STOP_WORLD);
    boehm_follow_stackbottom();
    return true;
}

static void on_roots(void *arg)
{
    (void)arg;
    tell(GC_EVENT_POST_STOP_WORLD);
    tell(GC_EVENT_MARK_START);
    if (GC_push_other_roots)
        GC_push_other_roots();
}

static void on_end(const struct hy_gc_event *e, void *arg)
{
    (void)arg;
    GC_gc_no = e->number;
    if (e->finalizers) {
        atomic_fetch_add(&kept.ready, (long)e->finalizers);
        atomic_store(&boehm_is_pending, true);
    }
    kept.stats.heap_bytes = e->heap_bytes;
    kept.stats.live_bytes = e->live_bytes;
    kept.stats.total_bytes += e->allocated_bytes;
    tell(GC_EVENT_MARK_END);
    tell(GC_EVENT_PRE_START_WORLD);
    tell(GC_EVENT_POST_START_WORLD);
    tell(GC_EVENT_RECLAIM_START);
    tell(GC_EVENT_RECLAIM_END);
    tell(GC_EVENT_END);
    if (GC_on_heap_resize && kept.resized_to != e->heap_bytes)
        GC_on_heap_resize(e->heap_bytes);
    kept.resized_to = e->heap_bytes;
    is_collecting = false;
}

void boehm_watch(struct hy_gc *gc)
{
    static const struct hy_gc_hooks hooks = {
        .begin = on_begin, .roots = on_roots, .reached = boehm_kinds_reached};

    hy_gc_hook(gc, &hooks);
    hy_gc_listen(gc, on_end, NULL);
}

void GC_push_all(void *begin, void *end)
{
    hy_gc_scan(boehm_heap(), begin, end);
}

void GC_push_all_eager(void *begin, void *end)
{
    GC_push_all(begin, end);
}

void GC_push_conditional(void *begin, void *end, int all)
{
    (void)all;
    GC_push_all(begin, end);
}

void GC_set_mark_bit(const void *object)
{
    if (is_collecting)
        hy_gc_keep(boehm_heap(), object);
}

void GC_clear_mark_bit(const void *object)
{
    (void)object;
}

void boehm_stats(struct hy_gc_stats *out)
{
    if (is_collecting)
        *out = kept.stats;
    else
        hy_gc_stats(boehm_heap(), out);
}

/* ---- finalizers that are ready ---- */

int GC_should_invoke_finalizers(void)
{
    return atomic_load(&kept.ready) > 0;
}

int GC_invoke_finalizers(void)
{
    const size_t n = hy_gc_finalizers_run(boehm_heap());

    atomic_fetch_sub(&kept.ready, (long)n);
    return (int)n;
}

void *boehm_settle(void *p)
{
    void *volatile held = p;

    if (!atomic_exchange(&boehm_is_pending, false))
        return held;
    if (!GC_finalize_on_demand)
        (void)GC_invoke_finalizers();
    else if (GC_finalizer_notifier)
        GC_finalizer_notifier();
    return held;
}

/* ---- collecting ---- */

static int collect(void)
{
    const GC_word before = GC_gc_no;

    is_asked = true;
    hy_gc_collect(boehm_heap(), HY_GC_FULL);
    is_asked = false;
    (void)boehm_settled(NULL);
    return GC_gc_no != before;
}

void GC_gcollect(void)
{
    (void)boehm_thread();
    (void)collect();
}

void GC_gcollect_and_unmap(void)
{
    GC_gcollect();
}

int GC_try_to_collect(GC_stop_func stop)
{
    (void)boehm_thread();
    return stop && stop() ? 0 : collect();
}

int GC_collect_a_little(void)
{
    return 0;
}

void GC_start_incremental_collection(void)
{
}

void GC_enable_incremental(void)
{
    GC_init();
}

int GC_is_incremental_mode(void)
{
    return 0;
}

int GC_incremental_protection_needs(void)
{
    return 0;
}

void GC_disable(void)
{
    __atomic_fetch_add(&GC_dont_gc, 1, __ATOMIC_SEQ_CST);
}

void GC_enable(void)
{
    __atomic_fetch_sub(&GC_dont_gc, 1, __ATOMIC_SEQ_CST);
}

int GC_is_disabled(void)
{
    return GC_dont_gc != 0;
}

/* ---- the lock ---- */

static void make_alloc_lock(void)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&alloc_lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

void GC_alloc_lock(void)
{
    pthread_once(&alloc_lock_once, make_alloc_lock);
    pthread_mutex_lock(&alloc_lock);
    hy_gc_disable(boehm_heap());
}

void GC_alloc_unlock(void)
{
    hy_gc_enable(boehm_heap());
    pthread_mutex_unlock(&alloc_lock);
}

/* In a function that a collection calls, the lock is held already. */
void *GC_call_with_alloc_lock(GC_fn_type run, void *data)
{
    if (is_collecting)
        return run(data);
    GC_alloc_lock();
    void *result = run(data);

    GC_alloc_unlock();
    return result;
}

void boehm_fork_lock(void)
{
    pthread_once(&alloc_lock_once, make_alloc_lock);
    pthread_mutex_lock(&alloc_lock);
}

void boehm_fork_unlock(bool is_child)
{
    if (is_child)
        make_alloc_lock();
    else
        pthread_mutex_unlock(&alloc_lock);
}

/* ---- roots ---- */

void GC_add_roots(void *begin, void *end)
{
    char why[160];
    const int err = begin == end ? 0
                                 : hy_gc_roots_add(boehm_heap(), begin, end,
                                                   why, sizeof why);

    if (err && err != EEXIST)
        boehm_abort(why);
}

void GC_remove_roots(void *begin, void *end)
{
    (void)hy_gc_roots_remove(boehm_heap(), begin, end);
}

void GC_clear_roots(void)
{
    if (GC_is_init_called())
        (void)hy_gc_roots_remove(boehm_heap(), NULL, (void *)UINTPTR_MAX);
}

void GC_exclude_static_roots(void *begin, void *end)
{
    (void)hy_gc_roots_exclude(boehm_heap(), begin, end);
}

void GC_clear_exclusion_table(void)
{
}
