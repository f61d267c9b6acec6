/* ledger.c - verifies an operation stream and keeps its running totals.
 *
 * Each operation is checked in full before anything of it is entered, so a
 * refused operation leaves the ledger as it was.
 *
 * Invariant: live_bytes is the sum of the sizes in `live`, and
 * live_bytes <= peak_bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int ledger_put(struct op_sink *sink, const struct op *op)
{
    struct live before;

    return ledger_apply((struct ledger *)sink, op, &before);
}

int ledger_init(struct ledger *l)
{
    *l = (struct ledger){.sink.put = ledger_put};
    return live_map_init(&l->live);
}

void ledger_free(struct ledger *l)
{
    live_map_free(&l->live);
}

static int refuse(struct ledger *l, const char *format, ...)
{
    va_list args;
    int n = snprintf(l->why, sizeof l->why, "operation %" PRIu64 ": ", l->ops);

    va_start(args, format);
    vsnprintf(l->why + n, sizeof l->why - (size_t)n, format, args);
    va_end(args);
    return EBADMSG;
}

/* Also refuses sums that would not fit: sizes are at most INT64_MAX each. */
static int check_size(struct ledger *l, uint64_t size, uint64_t before)
{
    if (size > INT64_MAX)
        return refuse(l, "size = %" PRIu64 " (want at most %" PRId64 ")", size,
                      INT64_MAX);
    if (l->live_bytes - before + size > INT64_MAX)
        return refuse(l, "live bytes pass %" PRId64, INT64_MAX);
    return 0;
}

static int check_birth(struct ledger *l, const struct op *op)
{
    if (op->object != l->births)
        return refuse(
            l, "birth of object %" PRIu64 " (want %" PRIu64 ", the next one)",
            op->object, l->births);
    if (op->object > LIVE_OBJECT_MAX)
        return refuse(l, "more than 2^48 objects");
    if (op->align_log2 > OP_MAX_ALIGN_LOG2)
        return refuse(l, "alignment 2^%u (want at most 2^%d)",
                      (unsigned)op->align_log2, OP_MAX_ALIGN_LOG2);
    if (op->kind == OP_ZALLOC && op->align_log2)
        return refuse(l, "zeroed with alignment 2^%u (want the default)",
                      (unsigned)op->align_log2);
    return check_size(l, op->size, 0);
}

static int check_edge(struct ledger *l, const struct op *op)
{
    const char *verb = op->kind == OP_SPAWN ? "starts" : "awaits";

    if (op->object >= OP_MAX_THREADS)
        return refuse(l, "thread %u %s thread %" PRIu64 " (want 0..%d)",
                      (unsigned)op->thread, verb, op->object,
                      OP_MAX_THREADS - 1);
    if (op->object == op->thread)
        return refuse(l, "thread %u %s itself", (unsigned)op->thread, verb);
    return 0;
}

int ledger_name_is_bad(const char *name)
{
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return 1;
    return 0;
}

static int check_mark(struct ledger *l, const struct op *op)
{
    if (!op->name)
        return refuse(l, "a mark without a name");
    if (strnlen(op->name, OP_NAME_MAX + 1) > OP_NAME_MAX)
        return refuse(l, "name of a mark too long (want at most %d bytes)",
                      OP_NAME_MAX);
    if (ledger_name_is_bad(op->name))
        return refuse(l, "control byte in the name of a mark");
    return 0;
}

static void note_size(struct ledger *l, uint64_t size, uint64_t before)
{
    l->live_bytes = l->live_bytes - before + size;
    if (l->live_bytes > l->peak_bytes) {
        l->peak_bytes = l->live_bytes;
        l->peak_blocks = ledger_blocks(l);
        l->peak_place = l->ops;
    }
}

static int apply_birth(struct ledger *l, const struct op *op)
{
    int err = check_birth(l, op);

    if (!err)
        err = live_map_add(&l->live, op->object, op->size, op->thread);
    if (err)
        return err;
    l->births++;
    note_size(l, op->size, 0);
    return 0;
}

static int apply_use(struct ledger *l, const struct op *op, struct live *before)
{
    struct live *o = live_map_find(&l->live, op->object);
    int err;

    if (!o)
        return refuse(l, "object %" PRIu64 " is %s", op->object,
                      op->object < l->births ? "no longer live"
                                             : "not yet born");
    if (op->kind == OP_TOUCH && op->size > o->size)
        return refuse(l,
                      "touches %" PRIu64 " bytes of object %" PRIu64
                      " (want at most %" PRIu64 ")",
                      op->size, op->object, o->size);
    if (op->kind == OP_RESIZE && !op->size)
        return refuse(l,
                      "resizes object %" PRIu64 " to 0 bytes (want 1 or "
                      "more)",
                      op->object);
    err = op->kind == OP_RESIZE ? check_size(l, op->size, o->size) : 0;
    if (err)
        return err;
    *before = *o;
    live_set_thread(o, op->thread);
    if (op->kind == OP_RESIZE) {
        o->size = op->size;
        note_size(l, op->size, before->size);
    } else if (op->kind == OP_FREE) {
        live_map_remove(&l->live, o);
        l->live_bytes -= before->size;
    }
    return 0;
}

static int apply_time(struct ledger *l, const struct op *op)
{
    if (op->size < l->time_ns)
        return refuse(l, "time %" PRIu64 " ns after %" PRIu64 " ns", op->size,
                      l->time_ns);
    l->time_ns = op->size;
    l->times++;
    return 0;
}

static void note_threads(struct ledger *l, const struct op *op)
{
    unsigned last = op->thread;

    if ((op->kind == OP_SPAWN || op->kind == OP_JOIN) && op->object > last)
        last = (unsigned)op->object;
    if (last >= l->threads)
        l->threads = last + 1;
}

int ledger_apply(struct ledger *l, const struct op *op, struct live *before)
{
    int err;

    *before = (struct live){0};
    if (op->kind == OP_TIME)
        return apply_time(l, op);
    if (op->thread >= OP_MAX_THREADS)
        return refuse(l, "thread %u (want 0..%d)", (unsigned)op->thread,
                      OP_MAX_THREADS - 1);
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        err = apply_birth(l, op);
        break;
    case OP_RESIZE:
    case OP_FREE:
    case OP_TOUCH:
        err = apply_use(l, op, before);
        break;
    case OP_SPAWN:
    case OP_JOIN:
        err = check_edge(l, op);
        break;
    case OP_MARK:
        err = check_mark(l, op);
        break;
    default:
        return refuse(l, "kind %d (want 0..%d)", (int)op->kind, OP_KINDS - 1);
    }
    if (err)
        return err;
    note_threads(l, op);
    l->ops++;
    return 0;
}
