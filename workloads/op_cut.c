/* op_cut.c - a part of a trace, as a sink that passes it on.
 *
 * What is live where the part begins is allocated first, in the order of
 * birth, with the size and by the thread that it then has: so the heap is as
 * full as in the whole trace, though not as worn.
 *
 * The map's cells, by object + 1: before the part, `object` is its size and
 * `thread` packs its last user, alignment and zeroing; in the part, `object`
 * is its new number.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "op_cut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN_SHIFT = 16, ZEROED_SHIFT = 24, ALIGN_MASK = 0xff };

/* ---- before the part ---- */

static int keep_birth(struct op_cut *c, const struct op *op)
{
    uint32_t packed = op->thread | (uint32_t)op->align_log2 << ALIGN_SHIFT |
                      (uint32_t)(op->kind == OP_ZALLOC) << ZEROED_SHIFT;

    return address_map_add(
        &c->objects, (struct live_block){op->object + 1, op->size, packed});
}

static int keep(struct op_cut *c, const struct op *op)
{
    struct live_block *b = address_map_find(&c->objects, op->object + 1);

    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        return keep_birth(c, op);
    case OP_FREE:
        if (b)
            address_map_remove(&c->objects, b);
        return 0;
    case OP_RESIZE:
        if (b)
            b->object = op->size;
        /* fallthrough */
    case OP_TOUCH:
        if (b)
            b->thread = (b->thread & ~UINT32_C(0xffff)) | op->thread;
        return 0;
    default:
        return 0;
    }
}

/* ---- where it begins ---- */

static int by_birth(const void *a, const void *b)
{
    const struct live_block *x = a, *y = b;

    return x->address < y->address ? -1 : x->address > y->address;
}

static uint64_t bear_again(struct op_cut *c, const struct live_block *b)
{
    unsigned thread = b->thread & 0xffff;
    unsigned align = b->thread >> ALIGN_SHIFT & ALIGN_MASK;

    if (b->thread >> ZEROED_SHIFT)
        return feed_zalloc(&c->feed, thread, b->object);
    return feed_aligned(&c->feed, thread, b->object,
                        align ? UINT64_C(1) << align : 0);
}

static int carry(struct op_cut *c)
{
    size_t capacity = (size_t)1 << c->objects.bits, n = 0;
    struct live_block *live = malloc((c->objects.count + 1) * sizeof *live);

    if (!live)
        return ENOMEM;
    for (size_t i = 0; i < capacity; i++)
        if (c->objects.cell[i].address)
            live[n++] = c->objects.cell[i];
    qsort(live, n, sizeof *live, by_birth);
    for (size_t i = 0; i < n; i++)
        address_map_find(&c->objects, live[i].address)->object =
            bear_again(c, &live[i]);
    c->carried = n;
    free(live);
    if (n)
        feed_mark(&c->feed, 0, "cut");
    return c->feed.err;
}

static int begin(struct op_cut *c)
{
    c->is_inside = 1;
    c->begin_ns = c->time_ns;
    if (!c->is_empty)
        return carry(c);
    address_map_free(&c->objects);
    return address_map_init(&c->objects);
}

/* ---- inside ---- */

static int pass_birth(struct op_cut *c, const struct op *op)
{
    uint64_t object =
        op->kind == OP_ZALLOC
            ? feed_zalloc(&c->feed, op->thread, op->size)
            : feed_aligned(&c->feed, op->thread, op->size,
                           op->align_log2 ? UINT64_C(1) << op->align_log2 : 0);

    return c->feed.err
               ? c->feed.err
               : address_map_add(&c->objects, (struct live_block){
                                                  op->object + 1, object, 0});
}

static int pass_use(struct op_cut *c, const struct op *op)
{
    struct live_block *b = address_map_find(&c->objects, op->object + 1);
    struct op moved = *op;

    if (!b) {
        c->left_out++;
        return 0;
    }
    moved.object = b->object;
    if (op->kind == OP_FREE)
        address_map_remove(&c->objects, b);
    return c->feed.sink->put(c->feed.sink, &moved);
}

static int pass(struct op_cut *c, const struct op *op)
{
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        return pass_birth(c, op);
    case OP_RESIZE:
    case OP_FREE:
    case OP_TOUCH:
        return pass_use(c, op);
    case OP_TIME:
        feed_time(&c->feed, op->size - c->begin_ns);
        return c->feed.err;
    default:
        return c->feed.sink->put(c->feed.sink, op);
    }
}

/* ---- the sink ---- */

/* Whether the operation is at the bound or behind it.  marks: seen so far. */
static int is_reached(const struct op_cut *c, const struct cut_bound *b,
                      uint64_t *marks, const struct op *op)
{
    switch (b->kind) {
    case CUT_PLACE:
        return c->place >= b->value;
    case CUT_TIME:
        return c->time_ns >= b->value;
    case CUT_MARK:
        *marks += op->kind == OP_MARK && !strcmp(op->name, b->name);
        return *marks >= b->value;
    default:
        return 0;
    }
}

static int cut_put(struct op_sink *sink, const struct op *op)
{
    struct op_cut *c = (struct op_cut *)sink;
    int err = 0;

    if (op->kind == OP_TIME)
        c->time_ns = op->size;
    if (is_reached(c, &c->to, &c->marks_to, op))
        return ECANCELED;
    if (!c->is_inside && (c->from.kind == CUT_EDGE ||
                          is_reached(c, &c->from, &c->marks_from, op)))
        err = begin(c);
    c->place += op->kind != OP_TIME;
    return err ? err : c->is_inside ? pass(c, op) : keep(c, op);
}

int op_cut_init(struct op_cut *c, struct op_sink *next)
{
    *c = (struct op_cut){.sink.put = cut_put, .feed.sink = next};
    return address_map_init(&c->objects);
}

void op_cut_free(struct op_cut *c)
{
    address_map_free(&c->objects);
}
