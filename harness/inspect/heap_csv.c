/* heap_csv.c - a heap's picture as records, in long form.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "heap_report.h"

#include <errno.h>
#include <inttypes.h>

#include "csv.h"

enum { COLUMNS = 13 };

static const char *const columns[COLUMNS] = {
    "workload", "threads", "scale", "seed", "touch", "allocator", "served_by",
    "at",       "metric",  "key",   "unit", "value", "kind"};

/* The first columns of every record, and where it goes. */
struct writer {
    FILE *file;
    const struct heap_origin *origin;
    char threads[16], scale[32], seed[24];
    int err;
};

static void put(struct writer *w, const char *metric, const char *key,
                const char *unit, uint64_t number, const char *kind)
{
    const struct heap_origin *o = w->origin;
    char value[24];

    snprintf(value, sizeof value, "%" PRIu64, number);
    const char *const field[COLUMNS] = {o->request->workload,
                                        w->threads,
                                        w->scale,
                                        w->seed,
                                        o->touch,
                                        o->allocator,
                                        o->served_by,
                                        o->at,
                                        metric,
                                        key,
                                        unit,
                                        value,
                                        kind};
    if (!w->err)
        w->err = csv_write(w->file, field, COLUMNS);
}

static void put_keyed(struct writer *w, const char *metric, uint64_t key,
                      const char *unit, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, key);
    put(w, metric, text, unit, number, "exact");
}

static void put_tally(struct writer *w, const char *count, const char *bytes,
                      const char *key, const struct tally *t)
{
    put(w, count, key, "1", t->count, "exact");
    put(w, bytes, key, "bytes", t->bytes, "exact");
}

static void put_sums(struct writer *w, const struct heap_picture *p)
{
    static const char *const spans[] = {"blocks", "free", "metadata"};
    static const char *const states[] = {"live", "free", "cached"};

    put(w, "live_blocks", "", "1", p->live_blocks, "exact");
    put(w, "live_bytes", "", "bytes", p->live_bytes, "exact");
    put(w, "usable_bytes", "", "bytes", p->usable_bytes, "exact");
    if (p->has_total[TOTAL_RSS])
        put(w, "rss", "", "bytes", p->total[TOTAL_RSS], "estimate");
    put(w, "resident_bytes", "", "bytes", p->resident_bytes, "exact");
    if (p->has_total[TOTAL_MAPPED])
        put(w, "mapped_bytes", "", "bytes", p->total[TOTAL_MAPPED], "exact");
    for (unsigned k = 0; p->has_walk && k < 3; k++)
        put_tally(w, "spans", "span_bytes", spans[k], &p->span[k]);
    for (unsigned k = 0; p->has_walk && k < PICTURE_STATES; k++)
        put_tally(w, "blocks", "block_bytes", states[k], &p->block[k]);
    if (!p->has_walk)
        return;
    put(w, "strangers", "", "1", p->strangers, "exact");
    put(w, "missing", "", "1", p->missing, "exact");
}

static void put_class(struct writer *w, const struct heap_picture *p,
                      const struct picture_class *c)
{
    const uint64_t size = c->block_bytes;

    put_keyed(w, "class_live", size, "1", c->live);
    put_keyed(w, "class_live_bytes", size, "bytes", c->live_bytes);
    if (c->spans)
        put_keyed(w, "class_spans", size, "1", c->spans);
    if (c->span_bytes)
        put_keyed(w, "class_span_bytes", size, "bytes", c->span_bytes);
    if (p->knows_free)
        put_keyed(w, "class_free", size, "1", c->free);
    if (p->knows_cached)
        put_keyed(w, "class_cached", size, "1", c->cached);
}

static void put_distributions(struct writer *w, const struct heap_picture *p)
{
    for (unsigned k = 0; k < PICTURE_SIZES; k++)
        if (p->free_size[k].count) {
            put_keyed(w, "free_from", UINT64_C(1) << k, "1",
                      p->free_size[k].count);
            put_keyed(w, "free_from_bytes", UINT64_C(1) << k, "bytes",
                      p->free_size[k].bytes);
        }
    for (unsigned k = 0; k < PICTURE_DECILES; k++)
        put_keyed(w, "pages_occupied", 10 * k, "1", p->decile[k].count);
    for (unsigned k = 0; k < PICTURE_CROWDS; k++)
        put_keyed(w, "pages_crowded", k < 2 ? k : UINT64_C(1) << (k - 1), "1",
                  p->crowd[k].count);
}

int heap_write_csv(const struct heap_origin *o, const struct heap_picture *p,
                   FILE *f)
{
    struct writer w = {.file = f, .origin = o};

    snprintf(w.threads, sizeof w.threads, "%u", o->threads);
    snprintf(w.scale, sizeof w.scale, "%.9g", o->request->scale);
    snprintf(w.seed, sizeof w.seed, "%" PRIu64, o->request->seed);
    w.err = csv_write(f, columns, COLUMNS);
    put_sums(&w, p);
    for (size_t i = 0; i < p->nclasses; i++)
        put_class(&w, p, &p->classes[i]);
    put_distributions(&w, p);
    return w.err ? w.err : ferror(f) ? EIO : 0;
}
