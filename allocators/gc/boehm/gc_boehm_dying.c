/* gc_boehm_dying.c - finalizers and disappearing links by Boehm's names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_boehm.h"

#include <errno.h>

static void register_finalizer(void *object, const struct hy_gc_finalizer *new,
                               GC_finalization_proc *old_run, void **old_data)
{
    struct hy_gc_finalizer old = {0};
    const int err =
        hy_gc_finalizer_set(boehm_heap(), object, new->run ? new : NULL, &old);

    if (err == ENOMEM)
        boehm_abort("no memory for another finalizer");
    if (old_run)
        *old_run = old.run;
    if (old_data)
        *old_data = old.arg;
}

void GC_register_finalizer(void *object, GC_finalization_proc run, void *data,
                           GC_finalization_proc *old_run, void **old_data)
{
    const struct hy_gc_finalizer new = {run, data, HY_GC_ORDER_TOPOLOGICAL};

    register_finalizer(object, &new, old_run, old_data);
}

void GC_register_finalizer_ignore_self(void *object, GC_finalization_proc run,
                                       void *data,
                                       GC_finalization_proc *old_run,
                                       void **old_data)
{
    const struct hy_gc_finalizer new = {run, data, HY_GC_ORDER_IGNORE_SELF};

    register_finalizer(object, &new, old_run, old_data);
}

void GC_register_finalizer_no_order(void *object, GC_finalization_proc run,
                                    void *data, GC_finalization_proc *old_run,
                                    void **old_data)
{
    const struct hy_gc_finalizer new = {run, data, HY_GC_ORDER_NONE};

    register_finalizer(object, &new, old_run, old_data);
}

void GC_register_finalizer_unreachable(void *object, GC_finalization_proc run,
                                       void *data,
                                       GC_finalization_proc *old_run,
                                       void **old_data)
{
    GC_register_finalizer_ignore_self(object, run, data, old_run, old_data);
}

/* The names of their own that programs already compiled refer to. */
#undef GC_debug_register_finalizer
#undef GC_debug_register_finalizer_ignore_self
#undef GC_debug_register_finalizer_no_order
#define ALIAS(name) GC_API __typeof__(GC_##name) GC_debug_##name

ALIAS(register_finalizer) __attribute__((alias("GC_register_finalizer")));
ALIAS(register_finalizer_ignore_self)
__attribute__((alias("GC_register_finalizer_ignore_self")));
ALIAS(register_finalizer_no_order)
__attribute__((alias("GC_register_finalizer_no_order")));
ALIAS(register_finalizer_unreachable)
__attribute__((alias("GC_register_finalizer_unreachable")));

/* ---- links ---- */

static int result(int err)
{
    switch (err) {
    case 0:
        return GC_SUCCESS;
    case EEXIST:
        return GC_DUPLICATE;
    case ENOENT:
        return GC_NOT_FOUND;
    case ENOMEM:
        return GC_NO_MEMORY;
    default:
        boehm_abort("a disappearing link is not aligned, or NULL");
    }
}

/* What is not of the heap never dies. */
static int add_link(void **link, const void *object, bool is_long)
{
    const void *start = hy_gc_base(boehm_heap(), object);

    return start ? result(hy_gc_weak_add(boehm_heap(), link, start, is_long))
                 : GC_SUCCESS;
}

int GC_general_register_disappearing_link(void **link, const void *object)
{
    return add_link(link, object, false);
}

int GC_register_disappearing_link(void **link)
{
    void *object = GC_base(link);

    if (!object)
        boehm_abort("GC_register_disappearing_link: the link is not in an "
                    "object");
    return GC_general_register_disappearing_link(link, object);
}

int GC_move_disappearing_link(void **from, void **to)
{
    return result(hy_gc_weak_move(boehm_heap(), from, to));
}

int GC_unregister_disappearing_link(void **link)
{
    return hy_gc_weak_remove(boehm_heap(), link) == 0;
}

int GC_register_long_link(void **link, const void *object)
{
    return add_link(link, object, true);
}

int GC_move_long_link(void **from, void **to)
{
    return GC_move_disappearing_link(from, to);
}

int GC_unregister_long_link(void **link)
{
    return GC_unregister_disappearing_link(link);
}
