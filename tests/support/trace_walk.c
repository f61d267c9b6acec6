/* trace_walk.c - is a mapped trace what trace_map promises?
 *
 * Written from the comments of trace.h alone, to be independent of trace.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trace_walk.h"

#include <stdlib.h>
#include <string.h>

struct walk {
    const struct trace *trace;
    char *full;            /* [slots] of the thread at hand */
    char *written, *taken; /* [mailboxes] */
    const char *fault;
};

static void must(struct walk *w, int holds, const char *fault)
{
    if (!holds && !w->fault)
        w->fault = fault;
}

static void slot_goes(struct walk *w, const struct trace_thread *t,
                      uint32_t slot, char from, char to)
{
    must(w, slot < t->slots, "slot out of range");
    if (w->fault)
        return;
    must(w, w->full[slot] == from,
         from ? "an empty slot is used" : "a full slot is filled");
    w->full[slot] = to;
}

static void box_goes(struct walk *w, char *boxes, uint64_t box)
{
    must(w, box < w->trace->mailboxes, "mailbox out of range");
    if (w->fault)
        return;
    must(w, !boxes[box], "mailbox used twice");
    boxes[box] = 1;
}

/* One record; returns how many payloads follow it. */
static unsigned walk_record(struct walk *w, const struct trace_thread *t,
                            const struct event *e, uint64_t word)
{
    uint32_t field = event_slot(*e);

    switch (event_op(*e)) {
    case EV_ALLOC_WIDE:
        must(w, (e->size & 0xff) <= OP_MAX_ALIGN_LOG2, "alignment");
        slot_goes(w, t, field, 0, 1);
        return 1;
    case EV_ALLOC:
    case EV_ZALLOC:
        slot_goes(w, t, field, 0, 1);
        return 0;
    case EV_FREE:
    case EV_FREE_WIDE:
        slot_goes(w, t, field, 1, 0);
        return event_op(*e) == EV_FREE_WIDE;
    case EV_TOUCH:
    case EV_TOUCH_WIDE:
        slot_goes(w, t, field, 1, 1);
        return event_op(*e) == EV_TOUCH_WIDE;
    case EV_RESIZE:
        slot_goes(w, t, field, 1, 1);
        return 2;
    case EV_SEND:
        slot_goes(w, t, field, 1, 0);
        box_goes(w, w->written, word);
        return 1;
    case EV_RECV:
        slot_goes(w, t, field, 0, 1);
        box_goes(w, w->taken, word);
        return 1;
    case EV_ALLOC_SEND:
    case EV_SIGNAL:
        box_goes(w, w->written, field);
        return 0;
    case EV_RECV_FREE:
    case EV_AWAIT:
        box_goes(w, w->taken, field);
        return 0;
    case EV_SYNC:
        return 1;
    case EV_MARK:
        must(w, field < w->trace->nmarks, "mark out of range");
        return 0;
    default:
        must(w, 0, "unknown opcode");
        return 0;
    }
}

static void walk_thread(struct walk *w, const struct trace_thread *t)
{
    uint64_t i = 0;

    must(w, t->records > 0, "no records");
    while (!w->fault && event_op(t->events[i]) != EV_END) {
        uint64_t word = 0;

        if (i + 1 < t->records)
            memcpy(&word, &t->events[i + 1], sizeof word);
        i += 1 + walk_record(w, t, &t->events[i], word);
        must(w, i < t->records, "runs out of its records");
    }
    must(w, i + 1 == t->records, "ends before its last record");
}

static void walk_tables(struct walk *w)
{
    const struct trace *t = w->trace;

    for (unsigned i = 0; i < t->nmarks; i++)
        must(w, strnlen(t->marks[i].name, OP_NAME_MAX + 1) <= OP_NAME_MAX,
             "a mark without an end");
    for (uint64_t i = 0; i < t->totals.left_blocks; i++) {
        const struct trace_left *left = &t->left[i];

        must(w, left->thread < t->threads, "a block left in no thread");
        if (!w->fault && !left->in_mailbox)
            must(w, left->place < t->thread[left->thread].slots,
                 "a block left in no slot");
        if (!w->fault && left->in_mailbox)
            must(w, left->place < t->mailboxes, "a block left in no mailbox");
    }
    must(w, trace_live_at(t, 0) == (t->ncurve ? t->curve[0] : 0),
         "live bytes at place 0 are not those of the curve");
    must(w, t->ncurve > 0 || trace_live_at(t, UINT64_MAX) == 0,
         "live bytes without a curve");
}

const char *trace_walk(const struct trace *trace)
{
    struct walk w = {.trace = trace,
                     .written = calloc(trace->mailboxes + 1, 1),
                     .taken = calloc(trace->mailboxes + 1, 1)};

    must(&w, w.written && w.taken, "no memory to walk");
    for (unsigned i = 0; i < trace->threads && !w.fault; i++) {
        w.full = calloc(trace->thread[i].slots + 1, 1);
        must(&w, w.full != NULL, "no memory to walk");
        if (!w.fault)
            walk_thread(&w, &trace->thread[i]);
        free(w.full);
    }
    for (uint64_t i = 0; i < trace->mailboxes && !w.fault; i++)
        must(&w, w.written[i] || !w.taken[i], "read but never written");
    if (!w.fault)
        walk_tables(&w);
    free(w.written);
    free(w.taken);
    return w.fault;
}
