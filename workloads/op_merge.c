/* op_merge.c - several traces as one, side by side.
 *
 * At each step the part that is furthest behind gives its next operation:
 * behind in the share of its operations that were taken, or in its time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "op_merge.h"

#include <errno.h>

struct merger {
    struct merge_part *part; /* [n] */
    size_t n;
    enum merge_order order;
    struct op_feed feed;
    uint64_t time_ns; /* passed on */
};

/* The next operation that is passed on; times only move the clock. */
static int advance(struct merge_part *p)
{
    int err;

    do {
        err = op_file_take(p->ops, &p->next, &p->is_end);
        p->taken++;
        if (!err && !p->is_end && p->next.kind == OP_TIME)
            p->time_ns = p->next.size;
    } while (!err && !p->is_end && p->next.kind == OP_TIME);
    return err;
}

static int is_before(const struct merger *m, const struct merge_part *a,
                     const struct merge_part *b)
{
    if (m->order == MERGE_BY_TIME)
        return a->time_ns < b->time_ns;
    return (double)a->taken * (double)b->ops->n <
           (double)b->taken * (double)a->ops->n;
}

static struct merge_part *choose(const struct merger *m)
{
    struct merge_part *best = NULL;

    for (size_t i = 0; i < m->n; i++)
        if (!m->part[i].is_end && (!best || is_before(m, &m->part[i], best)))
            best = &m->part[i];
    return best;
}

static int pass_birth(struct merger *m, struct merge_part *p, struct op op)
{
    uint64_t key = op.object + 1, object = m->feed.births++;

    op.object = object;
    int err = m->feed.sink->put(m->feed.sink, &op);

    return err ? err
               : address_map_add(&p->objects,
                                 (struct live_block){key, object, 0});
}

static int pass_use(struct merger *m, struct merge_part *p, struct op op)
{
    struct live_block *b = address_map_find(&p->objects, op.object + 1);

    if (!b)
        return EBADMSG; /* an archive was not well formed */
    op.object = b->object;
    if (op.kind == OP_FREE)
        address_map_remove(&p->objects, b);
    return m->feed.sink->put(m->feed.sink, &op);
}

static int pass(struct merger *m, struct merge_part *p)
{
    struct op op = p->next;

    if (m->order == MERGE_BY_TIME && p->time_ns > m->time_ns) {
        m->time_ns = p->time_ns;
        feed_time(&m->feed, m->time_ns);
        if (m->feed.err)
            return m->feed.err;
    }
    op.thread = (uint16_t)(op.thread + p->first_thread);
    switch (op.kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        return pass_birth(m, p, op);
    case OP_RESIZE:
    case OP_FREE:
    case OP_TOUCH:
        return pass_use(m, p, op);
    case OP_SPAWN:
    case OP_JOIN:
        op.object += p->first_thread;
        /* fallthrough */
    default:
        return m->feed.sink->put(m->feed.sink, &op);
    }
}

int op_merge(struct merge_part part[], size_t n, enum merge_order order,
             struct op_sink *sink)
{
    struct merger m = {part, n, order, .feed.sink = sink};
    struct merge_part *p;
    size_t ready = 0;
    int err = 0;

    for (; ready < n && !err; ready++) {
        err = address_map_init(&part[ready].objects);
        if (!err)
            err = advance(&part[ready]);
    }
    while (!err && (p = choose(&m))) {
        err = pass(&m, p);
        if (!err)
            err = advance(p);
    }
    for (size_t i = 0; i < ready; i++)
        address_map_free(&part[i].objects);
    return err;
}
