/* gc_heap.c - opening and closing a heap, and asking how it stands.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_heap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct hy_gc_config defaults = {
    .min_heap = (size_t)8 << 20,
    .growth = 1.8,
    .retain = 4,
    .nursery = 0.1,
};

void hy_gc_defaults(struct hy_gc_config *config)
{
    *config = defaults;
}

static int refuse(char *why, size_t why_size, const char *field, double value,
                  const char *wanted)
{
    snprintf(why, why_size, "%s = %g (want %s)", field, value, wanted);
    return EINVAL;
}

static int check(const struct hy_gc_config *c, char *why, size_t why_size)
{
    if (!(c->growth >= 1.1 && c->growth <= 100))
        return refuse(why, why_size, "growth", c->growth, "1.1 .. 100");
    if (!(c->retain >= c->growth && c->retain <= 100))
        return refuse(why, why_size, "retain", c->retain, "growth .. 100");
    if (c->time_share != 0 && !(c->time_share >= 0.001 && c->time_share <= 0.9))
        return refuse(why, why_size, "time_share", c->time_share,
                      "0, or 0.001 .. 0.9");
    if (c->markers > HY_GC_MARKERS_MAX)
        return refuse(why, why_size, "markers", c->markers, "0 .. 16");
    if (c->generational && !(c->nursery >= 0.01 && c->nursery <= 1))
        return refuse(why, why_size, "nursery", c->nursery, "0.01 .. 1");
    if (c->heap_limit && c->heap_limit < BLOCK_BYTES)
        return refuse(why, why_size, "heap_limit", (double)c->heap_limit,
                      "0, or 32768 and more");
    return 0;
}

static unsigned markers_wanted(unsigned asked)
{
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (asked)
        return asked;
    return cpus < 1 ? 1 : cpus > 4 ? 4 : (unsigned)cpus;
}

int hy_gc_open(const struct hy_gc_config *config, struct hy_gc **out, char *why,
               size_t why_size)
{
    int err = check(config, why, why_size);

    if (err)
        return err;
    struct hy_gc *gc = os_pages_map(NULL, sizeof *gc);

    if (!gc)
        return ENOMEM;
    gc->config = *config;
    gc->config.markers = markers_wanted(config->markers);
    gc->growth = config->growth;
    gc->epoch = 1;
    pthread_mutex_init(&gc->lock, NULL);
    gc_bins_init(gc);
    err = gc_world_open();
    if (!err)
        err = gc_blocks_open(gc);
    if (!err)
        err = gc_markers_open(gc);
    if (!err)
        err = gc_dying_open(gc);
    if (err) {
        snprintf(why, why_size, "cannot open a heap: %s", strerror(err));
        hy_gc_close(gc);
        return err;
    }
    (void)hy_gc_set_limit(gc, config->heap_limit);
    *out = gc;
    return 0;
}

void hy_gc_close(struct hy_gc *gc)
{
    if (hy_gc_thread_self() && hy_gc_thread_self()->gc == gc)
        hy_gc_thread_leave(hy_gc_thread_self());
    gc_markers_close(gc);
    gc_dying_close(gc);
    gc_ranges_free(&gc->roots);
    gc_ranges_free(&gc->excluded);
    gc_ranges_free(&gc->globals);
    gc_blocks_close(gc);
    pthread_mutex_destroy(&gc->lock);
    os_pages_unmap(NULL, gc, sizeof *gc);
}

/* Free blocks that are in memory. */
static size_t touched_free(const struct hy_gc *gc)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;
    size_t n = 0;

    for (size_t b = 0; b < end; b++)
        n += gc->block[b].kind == KIND_FREE && !gc->is_fresh[b];
    return n;
}

void hy_gc_stats(struct hy_gc *gc, struct hy_gc_stats *out)
{
    pthread_mutex_lock(&gc->lock);
    *out = gc->stats;
    out->heap_bytes = (uint64_t)gc->used_blocks << BLOCK_SHIFT;
    out->free_bytes = (uint64_t)touched_free(gc) << BLOCK_SHIFT;
    out->mapped_bytes = atomic_load(&gc->account.mapped);
    out->live_bytes = gc->live_bytes;
    out->since_bytes = atomic_load(&gc->since_bytes);
    out->total_bytes = gc->total_bytes + out->since_bytes;
    pthread_mutex_unlock(&gc->lock);
}

static void visit_block(struct hy_gc *gc, size_t b,
                        void (*visit)(void *, size_t, void *), void *arg)
{
    struct gc_object o;
    size_t n = MARKS_A_BLOCK;

    if (gc->block[b].kind >= KIND_SMALL_END)
        n = gc->block[b].kind < KIND_TAIL ? 1 : 0;
    else
        n = BLOCK_BYTES / ((size_t)gc->block[b].granules * GRANULE);
    for (size_t i = 0; i < n; i++) {
        const uint8_t mark = gc->mark[b * MARKS_A_BLOCK + i];
        const char *p =
            gc_block_start(gc, b) + i * gc->block[b].granules * (size_t)GRANULE;

        if (gc_mark_is_live(gc, mark) && gc_find(gc, p, &o))
            visit(o.start, o.bytes, arg);
    }
}

/* Objects that were freed since keep their marks (free_small says why): for
 * the time of a visit they have another one. */
static void remark_freed(struct hy_gc *gc, uint8_t from, uint8_t to)
{
    struct gc_object o;

    for (struct hy_gc_thread *t = gc->threads; t; t = t->next)
        for (size_t i = 0; i < BINS; i++)
            for (void *p = t->run[i].freed; p; p = *(void **)p)
                if (gc_find(gc, p, &o) && *o.mark == from)
                    *o.mark = to;
}

void hy_gc_visit(struct hy_gc *gc, void (*visit)(void *, size_t, void *),
                 void *arg)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;

    pthread_mutex_lock(&gc->lock);
    gc_world_stop(gc);
    remark_freed(gc, gc->epoch, MARK_FREED);
    for (size_t b = 0; b < end; b++)
        visit_block(gc, b, visit, arg);
    remark_freed(gc, MARK_FREED, gc->epoch);
    gc_world_go(gc);
    pthread_mutex_unlock(&gc->lock);
}
