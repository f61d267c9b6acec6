/* ops_list.c - operations in an array: what a source played, or will play.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ops_list.h"

#include <errno.h>
#include <stdlib.h>

int ops_same(const struct op *a, const struct op *b)
{
    return a->kind == b->kind && a->thread == b->thread &&
           a->align_log2 == b->align_log2 && a->object == b->object &&
           a->size == b->size;
}

static int put(struct op_sink *sink, const struct op *op)
{
    struct ops_list *l = (struct ops_list *)sink;

    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 256;
        struct op *more = realloc(l->ops, room * sizeof *more);

        if (!more)
            return ENOMEM;
        l->ops = more;
        l->room = room;
    }
    l->ops[l->n++] = *op;
    return 0;
}

static int play_ops(const struct op *ops, size_t n, struct op_sink *sink)
{
    int err = 0;

    for (size_t i = 0; i < n && !err; i++)
        err = sink->put(sink, &ops[i]);
    return err;
}

static int play_list(const struct trace_source *source, struct op_sink *sink)
{
    const struct ops_list *l =
        (const void *)((const char *)source -
                       offsetof(struct ops_list, source));

    return play_ops(l->ops, l->n, sink);
}

void ops_list_init(struct ops_list *l)
{
    *l = (struct ops_list){.sink = {put}, .source = {play_list}};
}

int ops_list_fill(struct ops_list *l, const struct trace_source *source)
{
    ops_list_init(l);
    return source->play(source, &l->sink);
}

void ops_list_free(struct ops_list *l)
{
    free(l->ops);
    ops_list_init(l);
}

static int play_array(const struct trace_source *source, struct op_sink *sink)
{
    const struct ops_array *a = (const struct ops_array *)source;

    return play_ops(a->ops, a->n, sink);
}

struct ops_array ops_array(const struct op *ops, size_t n)
{
    return (struct ops_array){{play_array}, ops, n};
}
