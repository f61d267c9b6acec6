/* interpreter.c - does a compiled trace do what its operations say?
 *
 * The k-th allocation that a thread makes is the k-th birth of that thread in
 * the stream, so objects get their identity back without the compiler's help.
 * Blocks are numbers here (object + 1); there is no memory and no real thread.
 *
 * Written from trace.h and op.h alone: shares no code with what it tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "interpreter.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

#define EDGE_TOKEN (UINT64_C(1) << 63) /* in mailboxes: no block, an edge */

enum { WANT_SIGNAL = OP_KINDS, WANT_AWAIT };

/* What a thread is to do next. */
struct want {
    int kind; /* enum op_kind without edges and times, or the two above */
    unsigned align_log2;
    uint64_t place;
    uint64_t object;   /* or the number of the edge or mark */
    uint64_t size;     /* of the birth or touch; the block's, when it dies */
    uint64_t new_size; /* of a resize */
};

struct machine_thread {
    struct want *want; /* [wants] */
    size_t wants, want_room, done;
    uint64_t at; /* record */
    uint64_t *slots;
    uint64_t place;  /* published */
    uint64_t synced; /* by its last EV_SYNC */
    uint64_t last;   /* place of its last operation, plus 1 */
    int ended;
};

struct object_fact {
    uint64_t size;
    uint64_t last_place; /* of its last operation, plus 1: when played */
    int alive;
};

struct machine {
    const struct trace *trace;
    const struct ops_list *ops;
    uint64_t window;
    struct random random;
    struct machine_thread thread[OP_MAX_THREADS];
    uint64_t *boxes; /* 0: not written */
    struct object_fact *objects;
    uint64_t nobjects, edges, marks;
    int peaks; /* marks of the peak that were met */
    int failed;
    char *why;
};

static void fail(struct machine *m, const char *format, ...)
{
    va_list args;

    if (m->failed)
        return;
    m->failed = 1;
    va_start(args, format);
    vsnprintf(m->why, INTERPRETER_WHY, format, args);
    va_end(args);
}

/* ---- what the stream wants ---- */

static void want(struct machine *m, unsigned thread, struct want w)
{
    struct machine_thread *t = &m->thread[thread];

    if (t->wants == t->want_room) {
        t->want_room = t->want_room ? 2 * t->want_room : 64;
        t->want = realloc(t->want, t->want_room * sizeof *t->want);
        if (!t->want)
            abort();
    }
    t->want[t->wants++] = w;
}

static void want_edge(struct machine *m, const struct op *op, struct want w)
{
    unsigned other = (unsigned)op->object;
    int starts = op->kind == OP_SPAWN;

    w.object = m->edges++;
    w.kind = WANT_SIGNAL;
    want(m, starts ? op->thread : other, w);
    w.kind = WANT_AWAIT;
    want(m, starts ? other : op->thread, w);
}

static void want_op(struct machine *m, const struct op *op, uint64_t place)
{
    struct want w = {.kind = (int)op->kind,
                     .align_log2 = op->align_log2,
                     .place = place,
                     .object = op->object,
                     .size = op->size};

    if (op->kind == OP_SPAWN || op->kind == OP_JOIN) {
        want_edge(m, op, w);
        return;
    }
    if (op->kind == OP_ALLOC || op->kind == OP_ZALLOC) {
        m->objects[m->nobjects++] = (struct object_fact){.size = op->size};
    } else if (op->kind == OP_MARK) {
        w.object = ++m->marks;
    } else if (op->kind != OP_TOUCH) {
        w.size = m->objects[op->object].size;
        w.new_size = op->size;
        if (op->kind == OP_RESIZE)
            m->objects[op->object].size = op->size;
    }
    want(m, op->thread, w);
}

static void want_all(struct machine *m)
{
    uint64_t place = 0;

    for (size_t i = 0; i < m->ops->n; i++)
        if (m->ops->ops[i].kind != OP_TIME)
            want_op(m, &m->ops->ops[i], place++);
}

/* ---- one record ---- */

static uint64_t word_at(const struct event *e)
{
    uint64_t word;

    memcpy(&word, e, sizeof word);
    return word;
}

/* The thread does `kind`: it must be what the stream wants of it now. */
static const struct want *next(struct machine *m, unsigned thread, int kind)
{
    static const struct want nothing;
    struct machine_thread *t = &m->thread[thread];
    const struct want *w = &t->want[t->done];

    if (t->done == t->wants || w->kind != kind) {
        fail(m, "thread %u, record %" PRIu64 ": does %d (want %d)", thread,
             t->at, kind, t->done == t->wants ? -1 : w->kind);
        return &nothing;
    }
    if (kind < WANT_SIGNAL && w->place >= t->synced + TRACE_SYNC_SPACING)
        fail(m, "thread %u, place %" PRIu64 ": last sync at %" PRIu64, thread,
             w->place, t->synced);
    t->done++;
    t->last = w->place + 1;
    return w;
}

static void same(struct machine *m, unsigned thread, const char *what,
                 uint64_t is, uint64_t should)
{
    if (is != should)
        fail(m,
             "thread %u, record %" PRIu64 ": %s = %" PRIu64 " (want %" PRIu64
             ")",
             thread, m->thread[thread].at, what, is, should);
}

static void use_object(struct machine *m, unsigned thread, const struct want *w,
                       uint64_t block, int alive_after)
{
    struct object_fact *o = &m->objects[w->object];

    if (m->failed)
        return;
    same(m, thread, "object", block, w->object + 1);
    same(m, thread, "object alive", (uint64_t)o->alive, 1);
    if (w->place < o->last_place)
        fail(m, "object %" PRIu64 ": place %" PRIu64 " comes after %" PRIu64,
             w->object, w->place, o->last_place - 1);
    o->last_place = w->place + 1;
    o->alive = alive_after;
}

static uint64_t do_alloc(struct machine *m, unsigned thread, uint64_t size,
                         unsigned align_log2, int zero)
{
    const struct want *w = next(m, thread, zero ? OP_ZALLOC : OP_ALLOC);

    if (m->failed)
        return 0;
    same(m, thread, "size", size, w->size);
    same(m, thread, "alignment", align_log2, w->align_log2);
    m->objects[w->object].alive = 1;
    use_object(m, thread, w, w->object + 1, 1);
    return w->object + 1;
}

static void do_free(struct machine *m, unsigned thread, uint64_t block,
                    uint64_t size)
{
    const struct want *w = next(m, thread, OP_FREE);

    same(m, thread, "size", size, w->size);
    use_object(m, thread, w, block, 0);
}

static void do_touch(struct machine *m, unsigned thread, uint64_t block,
                     uint64_t size)
{
    const struct want *w = next(m, thread, OP_TOUCH);

    same(m, thread, "size", size, w->size);
    use_object(m, thread, w, block, 1);
}

static void do_resize(struct machine *m, unsigned thread, uint64_t block,
                      uint64_t old_size, uint64_t new_size)
{
    const struct want *w = next(m, thread, OP_RESIZE);

    same(m, thread, "old size", old_size, w->size);
    same(m, thread, "new size", new_size, w->new_size);
    use_object(m, thread, w, block, 1);
}

static void do_mark(struct machine *m, unsigned thread, uint32_t mark)
{
    if (mark) {
        same(m, thread, "mark", mark, next(m, thread, OP_MARK)->object);
        return;
    }
    m->peaks++;
    same(m, thread, "place of the peak", m->thread[thread].last,
         m->trace->totals.peak_place + 1);
}

static void write_box(struct machine *m, uint64_t box, uint64_t what)
{
    if (m->boxes[box])
        fail(m, "mailbox %" PRIu64 " is written twice", box);
    m->boxes[box] = what;
}

/* Take a block out of a mailbox; it may be there once only. */
static uint64_t read_box(struct machine *m, uint64_t box)
{
    uint64_t block = m->boxes[box];

    if (block & EDGE_TOKEN)
        fail(m, "mailbox %" PRIu64 " holds no block", box);
    m->boxes[box] = EDGE_TOKEN;
    return block;
}

static void do_edge(struct machine *m, unsigned thread, int kind, uint64_t box)
{
    const struct want *w = next(m, thread, kind);

    if (kind == WANT_SIGNAL)
        write_box(m, box, EDGE_TOKEN | w->object);
    else
        same(m, thread, "edge", m->boxes[box], EDGE_TOKEN | w->object);
}

/* ---- waiting ---- */

static uint64_t least_other(const struct machine *m, unsigned thread)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < m->trace->threads; i++)
        if (i != thread && m->thread[i].place < least)
            least = m->thread[i].place;
    return least;
}

static int must_wait_at(struct machine *m, unsigned thread, uint64_t place)
{
    uint64_t least = least_other(m, thread);

    m->thread[thread].place = place;
    return m->window && least < UINT64_MAX - m->window &&
           place > least + m->window;
}

static int must_wait(struct machine *m, unsigned thread, const struct event *e)
{
    switch (event_op(*e)) {
    case EV_RECV_FREE:
    case EV_AWAIT:
        return !m->boxes[event_slot(*e)];
    case EV_RECV:
        return !m->boxes[word_at(e + 1)];
    case EV_SYNC:
        return must_wait_at(m, thread, word_at(e + 1));
    default:
        return 0;
    }
}

static void do_sync(struct machine *m, unsigned thread, uint64_t place)
{
    struct machine_thread *t = &m->thread[thread];

    if (place < t->last)
        fail(m, "thread %u: sync at %" PRIu64 " after place %" PRIu64, thread,
             place, t->last - 1);
    if (t->done < t->wants && place > t->want[t->done].place)
        fail(m, "thread %u: sync at %" PRIu64 " before place %" PRIu64, thread,
             place, t->want[t->done].place);
    t->synced = place;
}

/* ---- the loop ---- */

static void do_pass(struct machine *m, unsigned thread, const struct event *e)
{
    uint64_t *slot = &m->thread[thread].slots[event_slot(*e)];

    if (event_op(*e) == EV_SEND) {
        write_box(m, word_at(e + 1), *slot);
        *slot = 0;
        return;
    }
    if (*slot)
        fail(m, "thread %u: slot %u is filled twice", thread, event_slot(*e));
    *slot = read_box(m, word_at(e + 1));
}

static void do_wide_alloc(struct machine *m, unsigned thread,
                          const struct event *e)
{
    m->thread[thread].slots[event_slot(*e)] =
        do_alloc(m, thread, word_at(e + 1), e->size & 0xff,
                 (e->size & TRACE_WIDE_ZERO) != 0);
}

/* Returns how many payloads it has. */
static unsigned step(struct machine *m, unsigned thread, const struct event *e)
{
    struct machine_thread *t = &m->thread[thread];
    uint32_t field = event_slot(*e);

    switch (event_op(*e)) {
    case EV_ALLOC:
    case EV_ZALLOC:
        t->slots[field] =
            do_alloc(m, thread, e->size, 0, event_op(*e) == EV_ZALLOC);
        return 0;
    case EV_ALLOC_WIDE:
        do_wide_alloc(m, thread, e);
        return 1;
    case EV_ALLOC_SEND:
        write_box(m, field, do_alloc(m, thread, e->size, 0, 0));
        return 0;
    case EV_FREE:
        do_free(m, thread, t->slots[field], e->size);
        t->slots[field] = 0;
        return 0;
    case EV_FREE_WIDE:
        do_free(m, thread, t->slots[field], word_at(e + 1));
        t->slots[field] = 0;
        return 1;
    case EV_RECV_FREE:
        do_free(m, thread, read_box(m, field), e->size);
        return 0;
    case EV_TOUCH:
        do_touch(m, thread, t->slots[field], e->size);
        return 0;
    case EV_TOUCH_WIDE:
        do_touch(m, thread, t->slots[field], word_at(e + 1));
        return 1;
    case EV_RESIZE:
        do_resize(m, thread, t->slots[field], word_at(e + 1), word_at(e + 2));
        return 2;
    case EV_SEND:
    case EV_RECV:
        do_pass(m, thread, e);
        return 1;
    case EV_SIGNAL:
        do_edge(m, thread, WANT_SIGNAL, field);
        return 0;
    case EV_AWAIT:
        do_edge(m, thread, WANT_AWAIT, field);
        return 0;
    case EV_SYNC:
        do_sync(m, thread, word_at(e + 1));
        return 1;
    case EV_MARK:
        do_mark(m, thread, field);
        return 0;
    default: /* EV_END */
        t->ended = 1;
        t->place = UINT64_MAX;
        return 0;
    }
}

/* Up to n records of one thread; returns how many. */
static uint64_t run(struct machine *m, unsigned thread, uint64_t n)
{
    struct machine_thread *t = &m->thread[thread];
    uint64_t i = 0;

    for (; i < n && !t->ended && !m->failed; i++) {
        const struct event *e = &m->trace->thread[thread].events[t->at];

        if (must_wait(m, thread, e))
            break;
        t->at += 1 + step(m, thread, e);
    }
    return i;
}

static int all_ended(const struct machine *m)
{
    for (unsigned i = 0; i < m->trace->threads; i++)
        if (!m->thread[i].ended)
            return 0;
    return 1;
}

/* Bursts of all lengths, so that some threads get far ahead where they may. */
static void run_all(struct machine *m)
{
    unsigned threads = m->trace->threads;

    while (!m->failed && !all_ended(m)) {
        unsigned first = (unsigned)random_below(&m->random, threads);
        uint64_t burst = UINT64_C(1) << random_below(&m->random, 14);
        uint64_t done = 0;

        for (unsigned i = 0; i < threads && !done; i++)
            done = run(m, (first + i) % threads, burst);
        if (!done && !m->failed)
            fail(m, "deadlock: thread %u waits at record %" PRIu64, first,
                 m->thread[first].at);
    }
}

/* ---- before and after ---- */

/* Where a thread stands before it has played: at its first EV_SYNC. */
static uint64_t first_sync(const struct trace_thread *t)
{
    for (uint64_t i = 0; i < t->records; i++)
        if (event_op(t->events[i]) == EV_SYNC)
            return word_at(&t->events[i + 1]);
        else if (event_op(t->events[i]) != EV_SIGNAL)
            return 0;
    return 0;
}

static void check_left(struct machine *m)
{
    uint64_t alive = 0, bytes = 0;

    for (uint64_t i = 0; i < m->trace->totals.left_blocks; i++) {
        const struct trace_left *left = &m->trace->left[i];
        uint64_t *at = left->in_mailbox
                           ? &m->boxes[left->place]
                           : &m->thread[left->thread].slots[left->place];

        if (!*at || *at & EDGE_TOKEN || !m->objects[*at - 1].alive ||
            m->objects[*at - 1].size != left->size) {
            fail(m, "left[%" PRIu64 "] is not where it should be", i);
            return;
        }
        bytes += left->size;
        *at = 0; /* no two may stand at one place */
    }
    for (uint64_t i = 0; i < m->nobjects; i++)
        alive += (uint64_t)m->objects[i].alive;
    same(m, 0, "blocks left", m->trace->totals.left_blocks, alive);
    same(m, 0, "bytes left", m->trace->totals.left_bytes, bytes);
}

static void check_end(struct machine *m)
{
    for (unsigned i = 0; i < m->trace->threads; i++)
        if (m->thread[i].done != m->thread[i].wants)
            fail(m, "thread %u ends after %zu of %zu operations", i,
                 m->thread[i].done, m->thread[i].wants);
    if (m->peaks != 1)
        fail(m, "%d marks of the peak (want 1)", m->peaks);
    if (!m->failed)
        check_left(m);
}

static void *zeroed(uint64_t n, size_t size)
{
    void *p = calloc(n + 1, size);

    if (!p)
        abort();
    return p;
}

int interpret(const struct trace *trace, const struct ops_list *ops,
              uint64_t window, uint64_t seed, char why[INTERPRETER_WHY])
{
    struct machine *m = zeroed(1, sizeof *m);
    int failed;

    *m = (struct machine){
        .trace = trace, .ops = ops, .window = window, .why = why};
    random_seed(&m->random, seed);
    m->boxes = zeroed(trace->mailboxes, sizeof *m->boxes);
    m->objects = zeroed(ops->n, sizeof *m->objects);
    for (unsigned i = 0; i < trace->threads; i++) {
        m->thread[i].slots = zeroed(trace->thread[i].slots, sizeof(uint64_t));
        m->thread[i].place = first_sync(&trace->thread[i]);
    }
    want_all(m);
    run_all(m);
    if (!m->failed)
        check_end(m);
    failed = m->failed;
    for (unsigned i = 0; i < OP_MAX_THREADS; i++) {
        free(m->thread[i].slots);
        free(m->thread[i].want);
    }
    free(m->boxes);
    free(m->objects);
    free(m);
    return failed ? -1 : 0;
}
