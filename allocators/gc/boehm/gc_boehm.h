/* gc_boehm.h - what the files of the Boehm-compatible library share.
 *
 * Finalizers are always on demand to the heap below: a collection only notes
 * that some are ready (boehm_is_pending), and the next call that allocates
 * runs them or tells the program, when no lock is held.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GC_BOEHM_H
#define GC_BOEHM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "hy_gc.h"

#include "gc.h"
#include "gc_mark.h"

/* Opened on first use; lives as long as the process. */
struct hy_gc *boehm_heap(void);
/* The calling thread, registered if it was not. */
struct hy_gc_thread *boehm_register(void);

static inline struct hy_gc_thread *boehm_thread(void)
{
    struct hy_gc_thread *t = hy_gc_thread_self();

    return __builtin_expect(t != NULL, 1) ? t : boehm_register();
}

extern atomic_bool boehm_is_pending;
/* Run or announce the finalizers that are ready; returns p, kept meanwhile. */
void *boehm_settle(void *p);

static inline void *boehm_settled(void *p)
{
    return __builtin_expect(
               atomic_load_explicit(&boehm_is_pending, memory_order_relaxed), 0)
               ? boehm_settle(p)
               : p;
}

/* End the process, by the program's function if it set one. */
_Noreturn void boehm_abort(const char *message);
/* As hy_gc_stats; in a function that a collection calls, of its begin. */
void boehm_stats(struct hy_gc_stats *out);
/* hooks->begin, roots and the listener of the heap. */
void boehm_watch(struct hy_gc *);
/* Before the heap is opened: what settings and environment say. */
void boehm_configure(struct hy_gc_config *);
double boehm_growth(GC_word divisor);
/* The first thread, whose stack GC_stackbottom names; or NULL. */
extern struct hy_gc_thread *boehm_first;
/* Set GC_stackbottom, unless the program did. */
void boehm_find_stackbottom(void);
/* If the program moved GC_stackbottom: by the collecting thread. */
void boehm_follow_stackbottom(void);
/* Objects with mark procedures: at the begin of a collection, and
 * hooks->reached. */
void boehm_kinds_begin(void);
bool boehm_kinds_reached(void *arg);
/* -1, 0 or 1: GC_set_handle_fork. */
int boehm_handles_fork(void);
void boehm_install_fork_handlers(void);
void boehm_fork_lock(void);
void boehm_fork_unlock(bool is_child);

#endif
