/* trace_info.c - gathers figures of a trace in one pass.
 *
 * A ledger verifies each operation and says what the object was before it;
 * what is added here are counts and histograms by powers of two.
 *
 * Invariant: the sums of size_count[] and of the size tally are both the
 * number of births; the sum of lifetime[] is the number of frees.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trace_info.h"

#include <errno.h>
#include <stdlib.h>

#include "ledger.h"

struct trace_info {
    struct op_sink sink; /* first: put casts back */
    struct ledger ledger;
    struct size_tally sizes;
    struct trace_figures figures;
};

/* The smallest k with v <= 2^k. */
static unsigned bucket_of(uint64_t v)
{
    return v <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(v - 1);
}

/* Sums of sizes may pass 64 bits in a trace that was made to: stay at the
 * end of the range instead of starting over. */
static void add_capped(uint64_t *sum, uint64_t v)
{
    *sum = *sum + v < v ? UINT64_MAX : *sum + v;
}

static int note_birth(struct trace_info *info, const struct op *op)
{
    struct trace_figures *f = &info->figures;
    unsigned bucket = bucket_of(op->size);

    add_capped(&f->birth_bytes, op->size);
    f->size_count[bucket]++;
    add_capped(&f->size_bytes[bucket], op->size);
    if (op->size > f->size_max)
        f->size_max = op->size;
    if (op->align_log2) {
        f->aligned++;
        if (op->align_log2 > f->max_align_log2)
            f->max_align_log2 = op->align_log2;
    }
    return size_tally_add(&info->sizes, op->size);
}

static void note_resize(struct trace_figures *f, uint64_t before,
                        uint64_t after)
{
    if (after > before) {
        f->grown++;
        add_capped(&f->growth_bytes, after - before);
    } else if (after < before) {
        f->shrunk++;
    }
}

static void note_free(struct trace_info *info, const struct op *op,
                      const struct live *before)
{
    struct trace_figures *f = &info->figures;
    uint64_t others = info->ledger.births - 1 - op->object;

    f->lifetime[others ? bucket_of(others) + 1 : 0]++;
    if (live_thread(before) != op->thread)
        f->cross_frees++;
}

static void note_mark(struct trace_info *info, const struct op *op)
{
    struct trace_figures *f = &info->figures;
    const struct ledger *l = &info->ledger;

    if (f->nmarks == INFO_MARKS_MAX)
        return;
    struct info_mark *m = &f->marks[f->nmarks++];

    *m = (struct info_mark){.place = l->ops - 1,
                            .live_bytes = l->live_bytes,
                            .live_blocks = ledger_blocks(l)};
    snprintf(m->name, sizeof m->name, "%s", op->name);
}

static int info_put(struct op_sink *sink, const struct op *op)
{
    struct trace_info *info = (struct trace_info *)sink;
    struct trace_figures *f = &info->figures;
    struct live before;
    int err = ledger_apply(&info->ledger, op, &before);

    if (err)
        return err;
    f->by_kind[op->kind]++;
    if (op->kind == OP_TIME)
        return 0;
    f->thread_ops[op->thread]++;
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        return note_birth(info, op);
    case OP_RESIZE:
        note_resize(f, before.size, op->size);
        return 0;
    case OP_FREE:
        note_free(info, op, &before);
        return 0;
    case OP_TOUCH:
        add_capped(&f->touched_bytes, op->size);
        return 0;
    case OP_MARK:
        note_mark(info, op);
        return 0;
    default:
        return 0;
    }
}

int trace_info_create(struct trace_info **out)
{
    struct trace_info *info = calloc(1, sizeof *info);

    if (!info)
        return ENOMEM;
    info->sink.put = info_put;
    if (ledger_init(&info->ledger) || size_tally_init(&info->sizes)) {
        trace_info_destroy(info);
        return ENOMEM;
    }
    *out = info;
    return 0;
}

void trace_info_destroy(struct trace_info *info)
{
    if (!info)
        return;
    size_tally_free(&info->sizes);
    ledger_free(&info->ledger);
    free(info);
}

struct op_sink *trace_info_sink(struct trace_info *info)
{
    return &info->sink;
}

const char *trace_info_why(const struct trace_info *info)
{
    return info->ledger.why;
}

const struct trace_figures *trace_info_finish(struct trace_info *info)
{
    struct trace_figures *f = &info->figures;
    const struct ledger *l = &info->ledger;

    f->ops = l->ops;
    f->threads = l->threads;
    f->duration_ns = l->time_ns;
    f->births = l->births;
    f->zeroed = f->by_kind[OP_ZALLOC];
    f->frees = f->by_kind[OP_FREE];
    f->resizes = f->by_kind[OP_RESIZE];
    f->peak_bytes = l->peak_bytes;
    f->peak_blocks = l->peak_blocks;
    f->peak_place = l->peak_place;
    f->left_blocks = ledger_blocks(l);
    f->left_bytes = l->live_bytes;
    size_tally_sort(&info->sizes);
    f->ntop = size_tally_top(&info->sizes, f->top, INFO_TOP);
    f->distinct_sizes = info->sizes.distinct;
    f->sizes_are_estimates = info->sizes.untallied > 0;
    f->size_p50 = size_tally_quantile(&info->sizes, 0.50);
    f->size_p99 = size_tally_quantile(&info->sizes, 0.99);
    return f;
}

const char *op_kind_name(enum op_kind kind)
{
    static const char *const names[OP_KINDS] = {
        [OP_ALLOC] = "alloc", [OP_ZALLOC] = "zalloc", [OP_RESIZE] = "resize",
        [OP_FREE] = "free",   [OP_TOUCH] = "touch",   [OP_SPAWN] = "spawn",
        [OP_JOIN] = "join",   [OP_MARK] = "mark",     [OP_TIME] = "time"};

    return kind < OP_KINDS ? names[kind] : "?";
}
