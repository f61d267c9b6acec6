/* trace_shape.c - shapes of traces, and the distance between two.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trace_shape.h"

#include <errno.h>
#include <math.h>

enum { LIFE_BITS = 12 };

/* ---- the shape ---- */

/* Its leading bits: within 1/2048, so that there are fewer lifetimes than a
 * tally holds. */
static uint64_t rounded_life(uint64_t life)
{
    const unsigned bits = life ? 64 - (unsigned)__builtin_clzll(life) : 0;
    const unsigned cut = bits > LIFE_BITS ? bits - LIFE_BITS : 0;

    return life >> cut << cut;
}

static int is_at_point(const struct trace_shape *s, uint64_t births)
{
    return s->next <= SHAPE_POINTS &&
           births >= s->births / SHAPE_POINTS * s->next +
                         s->births % SHAPE_POINTS * s->next / SHAPE_POINTS;
}

static int note_birth(struct trace_shape *s, const struct op *op)
{
    s->zeroed += op->kind == OP_ZALLOC;
    s->aligned += op->align_log2 != 0;
    s->run = 0;
    return size_tally_add(&s->sizes, op->size);
}

static int note_free(struct trace_shape *s, const struct op *op,
                     const struct live *before)
{
    s->frees++;
    s->cross_frees += live_thread(before) != op->thread;
    if (s->run++) {
        s->pairs++;
        s->older += op->object < s->last_freed;
    }
    s->last_freed = op->object;
    return size_tally_add(&s->lives,
                          rounded_life(s->ledger.births - 1 - op->object));
}

static int shape_put(struct op_sink *sink, const struct op *op)
{
    struct trace_shape *s = (struct trace_shape *)sink;
    const uint64_t live = s->ledger.live_bytes;
    struct live before;
    int err = ledger_apply(&s->ledger, op, &before);

    if (err)
        return err;
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        while (is_at_point(s, op->object))
            s->curve[s->next++] = live;
        return note_birth(s, op);
    case OP_RESIZE:
        s->resizes++;
        return 0;
    case OP_FREE:
        return note_free(s, op, &before);
    default:
        return 0;
    }
}

int shape_init(struct trace_shape *s, uint64_t births)
{
    *s = (struct trace_shape){.sink.put = shape_put, .births = births};
    int err = ledger_init(&s->ledger);

    if (!err)
        err = size_tally_init(&s->sizes);
    if (!err)
        err = size_tally_init(&s->lives);
    return err;
}

void shape_free(struct trace_shape *s)
{
    ledger_free(&s->ledger);
    size_tally_free(&s->sizes);
    size_tally_free(&s->lives);
}

void shape_finish(struct trace_shape *s)
{
    while (s->next <= SHAPE_POINTS)
        s->curve[s->next++] = s->ledger.live_bytes;
    size_tally_sort(&s->sizes);
    size_tally_sort(&s->lives);
}

/* ---- distances ---- */

/* Both are sorted.  Counts become shares of all_a and all_b; what is in no
 * cell stands above all cells. */
static void tally_distance(const struct size_tally *a, double all_a,
                           const struct size_tally *b, double all_b, double *ks,
                           double *tv)
{
    size_t i = 0, k = 0;
    double below_a = 0, below_b = 0;

    *ks = *tv = 0;
    while (i < a->distinct || k < b->distinct) {
        const int takes_a =
            k == b->distinct ||
            (i < a->distinct && a->cell[i].size <= b->cell[k].size);
        const int takes_b =
            i == a->distinct ||
            (k < b->distinct && b->cell[k].size <= a->cell[i].size);
        const double share_a = takes_a ? (double)a->cell[i++].count / all_a : 0;
        const double share_b = takes_b ? (double)b->cell[k++].count / all_b : 0;

        below_a += share_a;
        below_b += share_b;
        *ks = fmax(*ks, fabs(below_a - below_b));
        *tv += fabs(share_a - share_b) / 2;
    }
    *tv += fabs(below_a - below_b) / 2;
}

static double curve_distance(const struct trace_shape *a,
                             const struct trace_shape *b)
{
    double most = 0;

    for (unsigned i = 0; i <= SHAPE_POINTS; i++)
        most = fmax(most, fabs((double)a->curve[i] - (double)b->curve[i]));
    return a->ledger.peak_bytes ? most / (double)a->ledger.peak_bytes : most;
}

struct trace_distance shape_distance(const struct trace_shape *a,
                                     const struct trace_shape *b)
{
    const double all_a = (double)(a->births ? a->births : 1),
                 all_b = (double)(b->births ? b->births : 1),
                 peak_a = (double)a->ledger.peak_bytes,
                 peak_b = (double)b->ledger.peak_bytes;
    struct trace_distance d = {.curve_max = curve_distance(a, b)};
    double ignored;

    tally_distance(&a->sizes, all_a, &b->sizes, all_b, &d.sizes_ks,
                   &d.sizes_tv);
    tally_distance(&a->lives, all_a, &b->lives, all_b, &d.lives_ks, &ignored);
    d.peak_ratio = peak_a == peak_b ? 1 : peak_b / peak_a;
    return d;
}
