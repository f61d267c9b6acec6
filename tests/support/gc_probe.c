/* gc_probe.c - a heap with roots of its own, and a count of what has died.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hy_gc_config gc_probe_config(void)
{
    struct hy_gc_config config;
    hy_gc_defaults(&config);
    config.min_heap = 1 << 20;
    config.growth = 1.5;
    config.markers = 1;
    config.is_timeless = true;
    return config;
}

void gc_probe_open(struct gc_probe *p, const struct hy_gc_config *config)
{
    const struct hy_gc_config preset = gc_probe_config();
    char why[200] = "";
    *p = (struct gc_probe){.root = calloc(GC_PROBE_ROOTS, sizeof(void *)),
                           .link = calloc(GC_PROBE_WATCHED, sizeof(void *))};
    int err = hy_gc_open(config ? config : &preset, &p->heap, why, sizeof why);
    if (!err)
        err = hy_gc_thread_enter(p->heap, &p->self);
    if (!err)
        err = hy_gc_roots_add(p->heap, p->root, p->root + GC_PROBE_ROOTS, why,
                              sizeof why);
    if (!err)
        return;
    fprintf(stderr, "gc_probe: cannot open: %d: %s\n", err, why);
    abort();
}

void gc_probe_close(struct gc_probe *p)
{
    hy_gc_thread_leave(p->self);
    hy_gc_close(p->heap);
    free(p->root);
    free(p->link);
}

__attribute__((noinline)) void gc_probe_wipe(void)
{
    volatile char below[32768];
    for (size_t i = 0; i < sizeof below; i++)
        below[i] = 0;
}

__attribute__((noinline)) void gc_probe_collect(struct gc_probe *p,
                                                enum hy_gc_kind kind)
{
    gc_probe_wipe();
    hy_gc_collect(p->heap, kind);
}

void gc_probe_watch(struct gc_probe *p, void *object)
{
    void **link = &p->link[p->watched++];
    if (p->watched > GC_PROBE_WATCHED)
        abort();
    *link = object;
    if (hy_gc_weak_add(p->heap, link, object, false))
        abort();
}

size_t gc_probe_dead(struct gc_probe *p)
{
    size_t dead = 0;
    for (size_t i = 0; i < p->watched; i++) {
        if (!p->link[i])
            dead++;
        else if (hy_gc_weak_remove(p->heap, &p->link[i]))
            abort();
        p->link[i] = NULL;
    }
    p->watched = 0;
    return dead;
}

int gc_probe_is_all(const void *p, size_t bytes, unsigned char byte)
{
    const unsigned char *b = p;
    return !bytes || (b[0] == byte && memcmp(b, b + 1, bytes - 1) == 0);
}
