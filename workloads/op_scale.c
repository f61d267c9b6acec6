/* op_scale.c - a trace side by side with itself, and one time after another.
 *
 * Neither needs a map: with n copies, object o of copy k is object n o + k;
 * and a time's objects are numbered on from those of the times before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "op_scale.h"

#include <errno.h>
#include <stdlib.h>

static int names_object(const struct op *op)
{
    return op->kind == OP_ALLOC || op->kind == OP_ZALLOC ||
           op->kind == OP_RESIZE || op->kind == OP_FREE || op->kind == OP_TOUCH;
}

/* ---- copies ---- */

static int copies_put(struct op_sink *sink, const struct op *op)
{
    struct op_copies *c = (struct op_copies *)sink;
    int err = 0;

    if (op->kind == OP_TIME || op->kind == OP_MARK) /* of the whole */
        return c->next->put(c->next, op);
    for (unsigned k = 0; k < c->copies && !err; k++) {
        struct op copy = *op;

        copy.thread = (uint16_t)(k * c->threads + op->thread);
        copy.object = names_object(op) ? op->object * c->copies + k
                                       : k * c->threads + op->object;
        err = c->next->put(c->next, &copy);
    }
    return err;
}

struct op_copies op_copies(struct op_sink *next, unsigned copies,
                           unsigned threads)
{
    return (struct op_copies){{copies_put}, next, copies, threads};
}

/* ---- repeats ---- */

static int repeat_put(struct op_sink *sink, const struct op *op)
{
    struct op_repeat *r = (struct op_repeat *)sink;
    struct op moved = *op;
    struct live before;
    int err = ledger_apply(&r->ledger, op, &before);

    if (err)
        return err;
    if (names_object(op))
        moved.object += r->births;
    if (op->kind == OP_TIME)
        moved.size += r->time_ns;
    return r->next->put(r->next, &moved);
}

static int by_object(const void *a, const void *b)
{
    uint64_t x = live_object(a), y = live_object(b);

    return x < y ? -1 : x > y;
}

/* In the order of birth, so that the same trace gives the same operations. */
static int free_live(struct op_repeat *r)
{
    const struct live_map *map = &r->ledger.live;
    struct live *live = malloc((map->count + 1) * sizeof *live);
    size_t n = 0;
    int err = 0;

    if (!live)
        return ENOMEM;
    for (size_t i = 0; i <= map->mask; i++)
        if (map->cell[i].key)
            live[n++] = map->cell[i];
    qsort(live, n, sizeof *live, by_object);
    for (size_t i = 0; i < n && !err; i++) {
        struct op op = {.kind = OP_FREE,
                        .thread = live_thread(&live[i]),
                        .object = r->births + live_object(&live[i])};

        err = r->next->put(r->next, &op);
    }
    free(live);
    return err;
}

int op_repeat_init(struct op_repeat *r, struct op_sink *next)
{
    *r = (struct op_repeat){.sink.put = repeat_put, .next = next};
    return ledger_init(&r->ledger);
}

int op_repeat_again(struct op_repeat *r)
{
    int err = free_live(r);

    if (err)
        return err;
    r->births += r->ledger.births;
    r->time_ns += r->ledger.time_ns;
    ledger_free(&r->ledger);
    return ledger_init(&r->ledger);
}

void op_repeat_free(struct op_repeat *r)
{
    ledger_free(&r->ledger);
}
