/* gc_roots.c - ranges of memory that are scanned at every collection.
 *
 * Those that a client adds are checked: memory that cannot be read would end
 * the process in the midst of a collection.  The program's own data segments
 * are looked up before the world is stopped, because the dynamic loader's lock
 * may be held by a thread that stands.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* dl_iterate_phdr, mincore */

#include "gc_heap.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_ROOM = 4096 / sizeof(struct gc_range) };

static int grow(struct gc_ranges *all)
{
    const size_t room = all->room ? 2 * all->room : FIRST_ROOM;
    struct gc_range *range = os_pages_map(NULL, room * sizeof *range);

    if (!range)
        return ENOMEM;
    if (all->n)
        memcpy(range, all->range, all->n * sizeof *range);
    if (all->room)
        os_pages_unmap(NULL, all->range, all->room * sizeof *range);
    all->range = range;
    all->room = room;
    return 0;
}

int gc_ranges_add(struct gc_ranges *all, struct gc_range range)
{
    if (all->n == all->room) {
        const int err = grow(all);

        if (err)
            return err;
    }
    all->range[all->n++] = range;
    return 0;
}

void gc_ranges_free(struct gc_ranges *all)
{
    if (all->room)
        os_pages_unmap(NULL, all->range, all->room * sizeof *all->range);
    *all = (struct gc_ranges){0};
}

/* ---- the client's ---- */

/* A system call that reads a byte of a page tells whether it can be read. */
static bool is_readable(uintptr_t begin, uintptr_t end, uintptr_t *bad)
{
    const uintptr_t page = os_page_size();
    int ends[2];
    bool good = true;

    if (pipe(ends))
        return true;
    for (uintptr_t p = begin; p < end && good; p = (p / page + 1) * page) {
        char byte;

        *bad = p;
        /* No wrapper of write, which might look at the byte itself. */
        good = syscall(SYS_write, ends[1], (const void *)p, 1) == 1 &&
               read(ends[0], &byte, 1) == 1;
    }
    close(ends[0]);
    close(ends[1]);
    return good;
}

static int check(const void *begin, const void *end, char *why, size_t why_size)
{
    uintptr_t bad = 0;

    if ((uintptr_t)begin >= (uintptr_t)end) {
        snprintf(why, why_size, "root range [%p, %p) is %s (want begin < end)",
                 begin, end, begin == end ? "empty" : "reversed");
        return EINVAL;
    }
    if (!is_readable((uintptr_t)begin, (uintptr_t)end, &bad)) {
        snprintf(why, why_size,
                 "root range [%p, %p): the memory at %p cannot be read (want "
                 "mapped, readable memory)",
                 begin, end, (void *)bad);
        return EINVAL;
    }
    return 0;
}

static bool holds(const struct gc_ranges *all, struct gc_range r)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->range[i].begin <= r.begin && r.end <= all->range[i].end)
            return true;
    return false;
}

int hy_gc_roots_add(struct hy_gc *gc, const void *begin, const void *end,
                    char *why, size_t why_size)
{
    const struct gc_range range = {(uintptr_t)begin, (uintptr_t)end};
    int err = check(begin, end, why, why_size);

    if (err)
        return err;
    pthread_mutex_lock(&gc->lock);
    if (holds(&gc->roots, range)) {
        snprintf(why, why_size, "root range [%p, %p) is added already", begin,
                 end);
        err = EEXIST;
    } else {
        err = gc_ranges_add(&gc->roots, range);
        if (err)
            snprintf(why, why_size, "no memory for another root range");
    }
    pthread_mutex_unlock(&gc->lock);
    return err;
}

/* Take [r) out of range i, which may leave two; false: it does not touch.
 * There is room for one more. */
static bool cut(struct hy_gc *gc, size_t i, struct gc_range r)
{
    const struct gc_range old = gc->roots.range[i];
    const struct gc_range before = {old.begin, r.begin},
                          after = {r.end, old.end};

    if (old.end <= r.begin || r.end <= old.begin)
        return false;
    gc->roots.range[i] = gc->roots.range[--gc->roots.n];
    if (before.begin < before.end)
        (void)gc_ranges_add(&gc->roots, before);
    if (after.begin < after.end)
        (void)gc_ranges_add(&gc->roots, after);
    return true;
}

int hy_gc_roots_remove(struct hy_gc *gc, const void *begin, const void *end)
{
    const struct gc_range range = {(uintptr_t)begin, (uintptr_t)end};
    bool any = false;
    int err = 0;

    pthread_mutex_lock(&gc->lock);
    for (size_t i = gc->roots.n; i-- > 0 && !err;) {
        err = gc->roots.n == gc->roots.room ? grow(&gc->roots) : 0;
        any = (!err && cut(gc, i, range)) || any;
    }
    pthread_mutex_unlock(&gc->lock);
    return err ? err : any ? 0 : ENOENT;
}

int hy_gc_roots_exclude(struct hy_gc *gc, const void *begin, const void *end)
{
    pthread_mutex_lock(&gc->lock);
    const int err = gc_ranges_add(
        &gc->excluded, (struct gc_range){(uintptr_t)begin, (uintptr_t)end});

    pthread_mutex_unlock(&gc->lock);
    return err;
}

/* ---- the program's ---- */

/* Add what of [r) is not excluded, from the i-th exclusion on. */
static int add_global(struct hy_gc *gc, struct gc_range r, size_t i)
{
    int err = 0;

    for (; i < gc->excluded.n && r.begin < r.end && !err; i++) {
        const struct gc_range x = gc->excluded.range[i];

        if (x.end <= r.begin || r.end <= x.begin)
            continue;
        err = add_global(gc, (struct gc_range){x.end, r.end}, i + 1);
        r.end = x.begin;
    }
    return r.begin < r.end && !err ? gc_ranges_add(&gc->globals, r) : err;
}

static int add_segments(struct dl_phdr_info *info, size_t size, void *arg)
{
    const ElfW(Addr) base = info->dlpi_addr;
    int err = 0;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum && !err; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        const uintptr_t begin = base + p->p_vaddr;

        if (p->p_type == PT_LOAD && p->p_flags & PF_W)
            err = add_global(arg, (struct gc_range){begin, begin + p->p_memsz},
                             0);
    }
    return err;
}

int gc_roots_find_globals(struct hy_gc *gc)
{
    gc->globals.n = 0;
    return gc->config.scan_globals ? dl_iterate_phdr(add_segments, gc) : 0;
}
