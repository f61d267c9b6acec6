/* compile.c - compiles operations into the run-time form of a trace.
 *
 * The source plays twice.  The *survey* counts: totals, the peak, the curve
 * of live bytes, how many records each thread needs, and one bit for each
 * access (all but frees): "the next access to this object is by another
 * thread".  The *emission* then knows, when it writes an access, whether it
 * must hand the object over, and writes each record to its final place.
 *
 * Invariant: both passes run the same decisions (needs_sync, is_wide,
 * takes_over), so the records that are written are the records that were
 * counted; a source that plays differently the second time is refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ledger.h"
#include "object_map.h"
#include "trace_file.h"

enum { MAILBOX_GROUP = 8 /* pointers in a cache line */ };

/* Where the digest begins: with 0, leading zeros would leave no trace in it.
 * (The fractional part of the golden ratio.) */
static const uint64_t digest_start = UINT64_C(0x9e3779b97f4a7c15);

/* Where one thread stands, in either pass. */
struct strand {
    uint64_t records; /* counted, or written so far */
    uint64_t ops;
    uint64_t next_sync;   /* place at which the next EV_SYNC is due */
    uint64_t slots;       /* survey: unused; emission: high water */
    uint32_t *free_slots; /* emission: stack of slots given back */
    size_t free_count, free_capacity;
    uint64_t box_next, box_end; /* its group of mailboxes */
    struct event *out;          /* emission: its records in the file */
    uint64_t capacity;          /* emission: records counted for it */
};

struct compiler {
    struct op_sink sink; /* first: put casts back */
    struct object_map objects;
    struct strand strand[OP_MAX_THREADS];
    unsigned threads;
    unsigned peak_thread;       /* whose operation makes the peak */
    struct trace_totals totals; /* survey */
    uint64_t live_bytes, live_blocks;
    long double live_sum;
    uint64_t place;    /* operations so far */
    uint64_t digest;   /* of all operations so far */
    uint64_t accesses; /* alloc, resize and touch so far */
    uint64_t *handoff; /* bit per access; words */
    uint64_t handoff_words;
    uint64_t mailboxes;
    struct trace_mark marks[TRACE_MARKS_MAX];
    unsigned nmarks;
    uint64_t curve[TRACE_CURVE_MAX];
    unsigned ncurve;
    uint64_t curve_step;
    int emitting;
    char *why;
    size_t why_size;
};

static int refuse(struct compiler *c, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(c->why, c->why_size, format, args);
    va_end(args);
    return err;
}

/* ---- decisions shared by both passes ---- */

static int is_wide(uint64_t size)
{
    return size > UINT32_MAX;
}

static int is_plain_alloc(const struct op *op)
{
    return op->align_log2 == 0 && !is_wide(op->size) && op->kind == OP_ALLOC;
}

static int is_fused_free(const struct object *o)
{
    return !is_wide(o->size);
}

static int takes_over(const struct object *o, const struct op *op)
{
    return o->holder != op->thread;
}

static int needs_sync(struct strand *t, uint64_t place)
{
    if (place < t->next_sync)
        return 0;
    t->next_sync = place + TRACE_SYNC_SPACING;
    return 1;
}

static uint64_t alloc_records(const struct op *op)
{
    return op->align_log2 || is_wide(op->size) ? 2 : 1;
}

/* A mailbox of the thread's own cache line, so that two threads that hand
 * over at once do not write the same line. */
static uint64_t take_mailbox(struct compiler *c, struct strand *t)
{
    if (t->box_next == t->box_end) {
        t->box_next = c->mailboxes;
        c->mailboxes += MAILBOX_GROUP;
        t->box_end = c->mailboxes;
    }
    return t->box_next++;
}

/* ---- survey ---- */

static int mark_handoff(struct compiler *c, uint64_t access)
{
    uint64_t word = access / 64;

    if (word >= c->handoff_words) {
        uint64_t words = c->handoff_words ? c->handoff_words : 1024;

        while (words <= word)
            words *= 2;
        uint64_t *more = realloc(c->handoff, words * sizeof *more);
        if (!more)
            return ENOMEM;
        memset(more + c->handoff_words, 0,
               (words - c->handoff_words) * sizeof *more);
        c->handoff = more;
        c->handoff_words = words;
    }
    c->handoff[word] |= UINT64_C(1) << (access % 64);
    return 0;
}

static int is_handoff(const struct compiler *c, uint64_t access)
{
    return access / 64 < c->handoff_words &&
           (c->handoff[access / 64] >> (access % 64) & 1);
}

static void survey_live(struct compiler *c, unsigned thread)
{
    struct trace_totals *t = &c->totals;

    if (c->place == 0 || c->live_bytes > t->peak_bytes) {
        c->peak_thread = thread;
        t->peak_bytes = c->live_bytes;
        t->peak_blocks = c->live_blocks;
        t->peak_place = c->place;
    }
}

/* After every operation: the mean, and a curve that halves itself when full. */
static void survey_curve(struct compiler *c)
{
    c->live_sum += (long double)c->live_bytes;
    if (c->place % c->curve_step)
        return;
    if (c->ncurve == TRACE_CURVE_MAX) {
        for (unsigned i = 0; i < TRACE_CURVE_MAX / 2; i++)
            c->curve[i] = c->curve[2 * i];
        c->ncurve = TRACE_CURVE_MAX / 2;
        c->curve_step *= 2;
        if (c->place % c->curve_step)
            return;
    }
    c->curve[c->ncurve++] = c->live_bytes;
}

static int survey_size(struct compiler *c, uint64_t size, uint64_t before)
{
    if (size > before)
        c->totals.bytes += size - before;
    if (size > c->totals.max_size)
        c->totals.max_size = size;
    c->live_bytes += size - before; /* modulo 2^64: may shrink */
    if (c->live_bytes > PTRDIFF_MAX)
        return refuse(c, EBADMSG,
                      "operation %" PRIu64 ": live bytes pass PTRDIFF_MAX",
                      c->place);
    return 0;
}

static int survey_alloc(struct compiler *c, const struct op *op)
{
    struct object *o = object_map_add(&c->objects, op->object);

    if (!o)
        return ENOMEM;
    o->size = op->size;
    o->holder = op->thread;
    o->access = c->accesses++;
    o->fusable = is_plain_alloc(op) ? 1 : 0;
    c->strand[op->thread].records += alloc_records(op);
    c->totals.allocs++;
    c->live_blocks++;
    if (op->align_log2 > c->totals.max_align_log2)
        c->totals.max_align_log2 = op->align_log2;
    return survey_size(c, op->size, 0);
}

/* The holder must send what this thread is about to use. */
static int survey_send(struct compiler *c, struct object *o)
{
    struct strand *holder = &c->strand[o->holder];

    if (!o->fusable)
        holder->records += 2;
    take_mailbox(c, holder);
    return mark_handoff(c, o->access);
}

static int survey_use(struct compiler *c, const struct op *op, struct object *o)
{
    struct strand *t = &c->strand[op->thread];
    int err = 0;

    if (takes_over(o, op)) {
        err = survey_send(c, o);
        t->records += 2;
        o->holder = op->thread;
    }
    o->access = c->accesses++;
    o->fusable = 0;
    if (op->kind == OP_TOUCH) {
        t->records += is_wide(op->size) ? 2 : 1;
        c->totals.touches++;
        return err;
    }
    t->records += 3;
    c->totals.resizes++;
    if (!err)
        err = survey_size(c, op->size, o->size);
    o->size = op->size;
    return err;
}

static int survey_free(struct compiler *c, const struct op *op,
                       struct object *o)
{
    struct strand *t = &c->strand[op->thread];
    int err = 0;

    if (takes_over(o, op)) {
        err = survey_send(c, o);
        c->totals.cross_frees++;
        if (!is_fused_free(o))
            t->records += 2;
    }
    t->records += is_wide(o->size) ? 2 : 1;
    c->totals.frees++;
    c->live_bytes -= o->size;
    c->live_blocks--;
    object_map_remove(&c->objects, o);
    return err;
}

/* A thread that is started publishes where before it waits for its start: it
 * may have played already (numbers are used again), and all others would wait
 * for it at its last place. */
static int survey_edge(struct compiler *c, const struct op *op)
{
    struct strand *parent = &c->strand[op->thread];
    struct strand *child = &c->strand[op->object];

    if (op->kind == OP_SPAWN && needs_sync(child, c->place))
        child->records += 2;
    parent->records++;
    child->records++;
    take_mailbox(c, op->kind == OP_SPAWN ? parent : child);
    return 0;
}

static int survey_mark(struct compiler *c, const struct op *op)
{
    if (c->nmarks == TRACE_MARKS_MAX)
        return refuse(c, E2BIG, "operation %" PRIu64 ": more than %d marks",
                      c->place, TRACE_MARKS_MAX - 1);
    struct trace_mark *m = &c->marks[c->nmarks++];

    snprintf(m->name, sizeof m->name, "%s", op->name);
    m->place = c->place;
    m->live_bytes = c->live_bytes;
    m->live_blocks = c->live_blocks;
    c->strand[op->thread].records++;
    return 0;
}

static int survey_op(struct compiler *c, const struct op *op, struct object *o)
{
    struct strand *t = &c->strand[op->thread];
    int err = 0;

    if (needs_sync(t, c->place))
        t->records += 2;
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        err = survey_alloc(c, op);
        break;
    case OP_RESIZE:
    case OP_TOUCH:
        err = survey_use(c, op, o);
        break;
    case OP_FREE:
        err = survey_free(c, op, o);
        break;
    case OP_SPAWN:
    case OP_JOIN:
        err = survey_edge(c, op);
        break;
    case OP_MARK:
        err = survey_mark(c, op);
        break;
    default:
        break;
    }
    survey_live(c, op->thread);
    survey_curve(c);
    return err;
}

/* ---- emission ---- */

static int put_record(struct strand *t, unsigned op, uint64_t slot,
                      uint32_t size)
{
    if (t->records >= t->capacity)
        return EBADMSG;
    t->out[t->records++] = (struct event){
        .op_slot = (uint32_t)(slot << EVENT_OP_BITS | op), .size = size};
    return 0;
}

static int put_payload(struct strand *t, uint64_t word)
{
    if (t->records >= t->capacity)
        return EBADMSG;
    memcpy(&t->out[t->records++], &word, sizeof word);
    return 0;
}

static int emit_sync(struct strand *t, uint64_t place)
{
    if (!needs_sync(t, place))
        return 0;
    int err = put_record(t, EV_SYNC, 0, 0);

    return err ? err : put_payload(t, place);
}

static uint32_t take_slot(struct strand *t)
{
    if (t->free_count)
        return t->free_slots[--t->free_count];
    return (uint32_t)t->slots++;
}

static int give_slot(struct strand *t, uint32_t slot)
{
    if (t->free_count == t->free_capacity) {
        size_t capacity = t->free_capacity ? 2 * t->free_capacity : 256;
        uint32_t *more = realloc(t->free_slots, capacity * sizeof *more);

        if (!more)
            return ENOMEM;
        t->free_slots = more;
        t->free_capacity = capacity;
    }
    t->free_slots[t->free_count++] = slot;
    return 0;
}

/* Hand over what the thread has just used, if the survey says so. */
static int emit_send(struct compiler *c, struct strand *t, struct object *o)
{
    if (!is_handoff(c, o->access))
        return 0;
    uint64_t box = take_mailbox(c, t);
    int err = put_record(t, EV_SEND, o->place, 0);

    if (!err)
        err = put_payload(t, box);
    if (!err)
        err = give_slot(t, o->place);
    o->in_mailbox = 1;
    o->place = (uint32_t)box;
    return err;
}

static int emit_receive(struct strand *t, const struct op *op, struct object *o)
{
    uint32_t slot = take_slot(t);
    int err = put_record(t, EV_RECV, slot, 0);

    if (!err)
        err = put_payload(t, o->place);
    o->in_mailbox = 0;
    o->place = slot;
    o->holder = op->thread;
    return err;
}

static int emit_fused_alloc(struct compiler *c, struct strand *t,
                            struct object *o)
{
    uint64_t box = take_mailbox(c, t);

    o->in_mailbox = 1;
    o->place = (uint32_t)box;
    return put_record(t, EV_ALLOC_SEND, box, (uint32_t)o->size);
}

static int emit_alloc(struct compiler *c, const struct op *op)
{
    struct strand *t = &c->strand[op->thread];
    struct object *o = object_map_add(&c->objects, op->object);
    int err;

    if (!o)
        return ENOMEM;
    o->size = op->size;
    o->holder = op->thread;
    o->access = c->accesses++;
    if (is_plain_alloc(op) && is_handoff(c, o->access))
        return emit_fused_alloc(c, t, o);
    o->place = take_slot(t);
    if (alloc_records(op) == 1) {
        err = put_record(t, op->kind == OP_ALLOC ? EV_ALLOC : EV_ZALLOC,
                         o->place, (uint32_t)op->size);
    } else {
        uint32_t zero = op->kind == OP_ZALLOC ? TRACE_WIDE_ZERO : 0;

        err = put_record(t, EV_ALLOC_WIDE, o->place, op->align_log2 | zero);
        if (!err)
            err = put_payload(t, op->size);
    }
    return err ? err : emit_send(c, t, o);
}

static int emit_resize(struct strand *t, const struct op *op, struct object *o)
{
    int err = put_record(t, EV_RESIZE, o->place, 0);

    if (!err)
        err = put_payload(t, o->size);
    if (!err)
        err = put_payload(t, op->size);
    o->size = op->size;
    return err;
}

static int emit_touch(struct strand *t, const struct op *op,
                      const struct object *o)
{
    if (!is_wide(op->size))
        return put_record(t, EV_TOUCH, o->place, (uint32_t)op->size);
    int err = put_record(t, EV_TOUCH_WIDE, o->place, 0);

    return err ? err : put_payload(t, op->size);
}

static int emit_use(struct compiler *c, const struct op *op, struct object *o)
{
    struct strand *t = &c->strand[op->thread];
    int err = 0;

    if (o->in_mailbox)
        err = emit_receive(t, op, o);
    o->access = c->accesses++;
    if (!err)
        err =
            op->kind == OP_TOUCH ? emit_touch(t, op, o) : emit_resize(t, op, o);
    return err ? err : emit_send(c, t, o);
}

static int emit_free(struct compiler *c, const struct op *op, struct object *o)
{
    struct strand *t = &c->strand[op->thread];
    int err = 0;

    if (o->in_mailbox && is_fused_free(o)) {
        err = put_record(t, EV_RECV_FREE, o->place, (uint32_t)o->size);
        object_map_remove(&c->objects, o);
        return err;
    }
    if (o->in_mailbox)
        err = emit_receive(t, op, o);
    if (!err && is_wide(o->size)) {
        err = put_record(t, EV_FREE_WIDE, o->place, 0);
        if (!err)
            err = put_payload(t, o->size);
    } else if (!err) {
        err = put_record(t, EV_FREE, o->place, (uint32_t)o->size);
    }
    if (!err)
        err = give_slot(t, o->place);
    object_map_remove(&c->objects, o);
    return err;
}

static int emit_edge(struct compiler *c, const struct op *op)
{
    struct strand *parent = &c->strand[op->thread];
    struct strand *child = &c->strand[op->object];
    struct strand *first = op->kind == OP_SPAWN ? parent : child;
    struct strand *second = op->kind == OP_SPAWN ? child : parent;
    uint64_t box = take_mailbox(c, first);
    int err = op->kind == OP_SPAWN ? emit_sync(child, c->place) : 0;

    if (!err)
        err = put_record(first, EV_SIGNAL, box, 0);
    return err ? err : put_record(second, EV_AWAIT, box, 0);
}

static int emit_op(struct compiler *c, const struct op *op, struct object *o)
{
    struct strand *t = &c->strand[op->thread];
    int err = emit_sync(t, c->place);

    if (err)
        return err;
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        err = emit_alloc(c, op);
        break;
    case OP_RESIZE:
    case OP_TOUCH:
        err = emit_use(c, op, o);
        break;
    case OP_FREE:
        err = emit_free(c, op, o);
        break;
    case OP_SPAWN:
    case OP_JOIN:
        err = emit_edge(c, op);
        break;
    case OP_MARK:
        err = put_record(t, EV_MARK, c->nmarks++, 0);
        break;
    default:
        break;
    }
    if (!err && c->place == c->totals.peak_place)
        err = put_record(t, EV_MARK, 0, 0);
    return err;
}

/* ---- both passes ---- */

/* What is wrong with an operation, or NULL.  *o: the object it names. */
static const char *check_op(struct compiler *c, const struct op *op,
                            struct object **o)
{
    *o = NULL;
    if (op->kind >= OP_KINDS)
        return "unknown kind";
    if (op->kind == OP_TIME)
        return NULL;
    if (op->thread >= OP_MAX_THREADS)
        return "thread out of range (want 0..1023)";
    if (op->size > PTRDIFF_MAX)
        return "size out of range (want at most PTRDIFF_MAX)";
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        if (op->object != c->totals.allocs)
            return "object is not the next one";
        if (op->align_log2 > OP_MAX_ALIGN_LOG2)
            return "alignment out of range (want at most 2^30)";
        if (op->kind == OP_ZALLOC && op->align_log2)
            return "zeroed and aligned at once";
        return NULL;
    case OP_RESIZE:
    case OP_FREE:
    case OP_TOUCH:
        *o = object_map_find(&c->objects, op->object);
        if (!*o)
            return "object is not live";
        if (op->kind == OP_TOUCH && op->size > (*o)->size)
            return "touches more than the block";
        if (op->kind == OP_RESIZE && !op->size)
            return "resizes to nothing (want 1 byte or more)";
        return NULL;
    case OP_SPAWN:
    case OP_JOIN:
        if (op->object >= OP_MAX_THREADS || op->object == op->thread)
            return "no such thread to start or await";
        return NULL;
    case OP_MARK:
        if (!op->name || strnlen(op->name, OP_NAME_MAX + 1) > OP_NAME_MAX ||
            ledger_name_is_bad(op->name))
            return "bad name of a mark (want at most 48 bytes, none of them a "
                   "control byte)";
        return NULL;
    default:
        return NULL;
    }
}

/* To tell whether the source plays the same operations twice, and results
 * whether they are of the same trace.  All that a replay does but the names
 * of marks; made of numbers, so no machine's byte order or padding is in it. */
static void digest_op(struct compiler *c, const struct op *op)
{
    const uint64_t words[] = {(uint64_t)op->kind << 32 |
                                  (uint64_t)op->thread << 8 | op->align_log2,
                              op->object, op->size};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        c->digest = (c->digest ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
        c->digest ^= c->digest >> 32;
    }
}

static void note_threads(struct compiler *c, const struct op *op)
{
    unsigned last = op->thread;

    if ((op->kind == OP_SPAWN || op->kind == OP_JOIN) && op->object > last)
        last = (unsigned)op->object;
    if (last >= c->threads)
        c->threads = last + 1;
}

static int compiler_put(struct op_sink *sink, const struct op *op)
{
    struct compiler *c = (struct compiler *)sink;
    struct object *o;
    const char *wrong = check_op(c, op, &o);
    int err;

    if (wrong)
        return refuse(c, EBADMSG, "operation %" PRIu64 ": %s", c->place, wrong);
    if (op->kind == OP_TIME)
        return 0;
    digest_op(c, op);
    if (c->emitting) {
        err = emit_op(c, op, o);
        c->totals.allocs += op->kind == OP_ALLOC || op->kind == OP_ZALLOC;
    } else {
        note_threads(c, op);
        err = survey_op(c, op, o);
    }
    c->strand[op->thread].ops++;
    c->place++;
    return err;
}

static int survey(struct compiler *c, const struct trace_source *source)
{
    int err = object_map_init(&c->objects);

    if (err)
        return err;
    c->sink.put = compiler_put;
    c->digest = digest_start;
    c->curve_step = 1;
    c->nmarks = 1; /* 0 is the peak */
    err = source->play(source, &c->sink);
    object_map_free(&c->objects);
    if (!err && !c->place)
        err = refuse(c, EBADMSG, "the trace has no operations");
    if (err)
        return err;
    c->totals.ops = c->place;
    c->totals.left_bytes = c->live_bytes;
    c->totals.left_blocks = c->live_blocks;
    c->totals.live_mean = (double)(c->live_sum / (long double)c->place);
    snprintf(c->marks[0].name, sizeof c->marks[0].name, "peak");
    c->marks[0].place = c->totals.peak_place;
    c->marks[0].live_bytes = c->totals.peak_bytes;
    c->marks[0].live_blocks = c->totals.peak_blocks;
    if (c->mailboxes > EVENT_SLOT_MAX)
        return refuse(c, E2BIG, "%" PRIu64 " hand-overs (want at most %d)",
                      c->mailboxes, EVENT_SLOT_MAX);
    return 0;
}

/* Keep what was counted (with the mark of the peak and the end of each
 * thread), forget where the survey stood. */
static void rewind_strands(struct compiler *c)
{
    c->strand[c->peak_thread].records++;
    for (unsigned i = 0; i < c->threads; i++)
        c->strand[i] = (struct strand){.capacity = c->strand[i].records + 1};
}

static uint64_t aligned(uint64_t offset)
{
    return (offset + TRACE_FILE_ALIGN - 1) / TRACE_FILE_ALIGN *
           TRACE_FILE_ALIGN;
}

static struct trace_file_header layout(const struct compiler *c,
                                       struct trace_file_thread *threads)
{
    struct trace_file_header h = {.version = TRACE_VERSION,
                                  .byte_order = TRACE_BYTE_ORDER,
                                  .threads = c->threads,
                                  .nmarks = c->nmarks,
                                  .ncurve = c->ncurve,
                                  .curve_step = c->curve_step,
                                  .mailboxes = c->mailboxes,
                                  .totals = c->totals,
                                  .hash = c->digest >> (64 - TRACE_HASH_BITS)};
    uint64_t offset = aligned(sizeof h);

    memcpy(h.magic, TRACE_FILE_MAGIC, sizeof h.magic);
    h.threads_offset = offset;
    offset = aligned(offset + c->threads * sizeof *threads);
    h.marks_offset = offset;
    offset = aligned(offset + c->nmarks * sizeof *c->marks);
    h.curve_offset = offset;
    offset = aligned(offset + c->ncurve * sizeof *c->curve);
    h.left_offset = offset;
    offset =
        aligned(offset + c->totals.left_blocks * sizeof(struct trace_left));
    for (unsigned i = 0; i < c->threads; i++) {
        threads[i].offset = offset;
        threads[i].records = c->strand[i].capacity;
        offset = aligned(offset + threads[i].records * sizeof(struct event));
    }
    h.file_bytes = offset + TRACE_READ_AHEAD * sizeof(struct event);
    return h;
}

static int emit_left(const struct compiler *c, struct trace_left *left)
{
    uint64_t n = 0;

    if (c->objects.count != c->totals.left_blocks)
        return EBADMSG;
    for (size_t i = 0; i < c->objects.capacity; i++) {
        const struct object *o = &c->objects.cell[i];

        if (o->number != UINT64_MAX)
            left[n++] = (struct trace_left){.size = o->size,
                                            .place = o->place,
                                            .thread = o->holder,
                                            .in_mailbox = o->in_mailbox};
    }
    return 0;
}

static int emit(struct compiler *c, const struct trace_source *source,
                char *base, const struct trace_file_header *h,
                struct trace_file_thread *threads)
{
    uint64_t mailboxes = c->mailboxes, digest = c->digest;
    int err = object_map_init(&c->objects);

    for (unsigned i = 0; i < c->threads; i++)
        c->strand[i].out = (struct event *)(void *)(base + threads[i].offset);
    c->emitting = 1;
    c->place = c->accesses = c->totals.allocs = c->mailboxes = 0;
    c->digest = digest_start;
    c->nmarks = 1;
    if (!err)
        err = source->play(source, &c->sink);
    if (!err && c->digest != digest)
        err = EBADMSG;
    if (!err)
        err = emit_left(c, (void *)(base + h->left_offset));
    object_map_free(&c->objects);
    for (unsigned i = 0; i < c->threads && !err; i++) {
        struct strand *t = &c->strand[i];

        err = put_record(t, EV_END, 0, 0);
        if (!err && t->records != t->capacity)
            err = EBADMSG;
        if (!err && t->slots > EVENT_SLOT_MAX)
            err = refuse(c, E2BIG,
                         "thread %u has %" PRIu64 " live objects "
                         "(want at most %d)",
                         i, t->slots, EVENT_SLOT_MAX);
        threads[i].ops = t->ops;
        threads[i].slots = t->slots;
    }
    if (err == EBADMSG || (!err && c->mailboxes != mailboxes))
        return refuse(c, EBADMSG,
                      "the source does not play the same trace twice");
    return err;
}

static int write_file(struct compiler *c, const struct trace_source *source,
                      int fd)
{
    struct trace_file_thread *threads = calloc(c->threads, sizeof *threads);

    if (!threads)
        return ENOMEM;
    rewind_strands(c);
    struct trace_file_header h = layout(c, threads);
    char *base = MAP_FAILED;
    int err = posix_fallocate(fd, 0, (off_t)h.file_bytes);

    if (!err) {
        base =
            mmap(NULL, h.file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        err = base == MAP_FAILED ? errno : emit(c, source, base, &h, threads);
    }
    if (!err) {
        memcpy(base, &h, sizeof h);
        memcpy(base + h.threads_offset, threads, h.threads * sizeof *threads);
        memcpy(base + h.marks_offset, c->marks, h.nmarks * sizeof *c->marks);
        memcpy(base + h.curve_offset, c->curve, h.ncurve * sizeof *c->curve);
    }
    if (base != MAP_FAILED)
        munmap(base, h.file_bytes);
    for (unsigned i = 0; i < c->threads; i++)
        free(c->strand[i].free_slots);
    free(threads);
    return err;
}

static int write_beside(struct compiler *c, const struct trace_source *source,
                        const char *path)
{
    char part[4096];

    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        return ENAMETOOLONG;
    int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    int err = write_file(c, source, fd);

    if (close(fd) && !err)
        err = errno;
    if (!err && rename(part, path))
        err = errno;
    if (err)
        unlink(part);
    return err;
}

int trace_compile(const struct trace_source *source, const char *path,
                  char *why, size_t why_size)
{
    struct compiler *c = calloc(1, sizeof *c);

    if (why_size)
        why[0] = 0;
    if (!c)
        return ENOMEM;
    c->why = why;
    c->why_size = why_size;
    int err = survey(c, source);

    if (!err) {
        uint64_t *handoff = c->handoff;

        err = write_beside(c, source, path);
        c->handoff = handoff;
    }
    free(c->handoff);
    free(c);
    if (err && why_size && !why[0])
        snprintf(why, why_size, "%s: %s", path, strerror(err));
    return err;
}
