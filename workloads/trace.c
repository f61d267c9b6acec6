/* trace.c - maps and verifies the run-time form of a trace.
 *
 * Invariant of a mapped trace: walking any thread's records from the first
 * one leads to its EV_END, which is the last; every slot and mailbox is in
 * range; a slot is empty before it is filled and full before it is used; a
 * mailbox is written at most once and read at most once, and only if written.
 * Slots are at most the thread's records, and mailboxes at most the bytes of
 * the file (each group of eight has a record), so tables are of its order.
 *
 * This runs in the measured child, so nothing here may call malloc: that
 * would stir the allocator (glibc moves its mmap threshold) before the run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "native_request.h"
#include "trace_file.h"

struct mapped_trace {
    struct trace trace; /* first: trace_unmap casts back */
    void *base;
    size_t bytes;
    struct native_request native;
    struct trace_thread thread[OP_MAX_THREADS];
};

enum { SLOT_NONE, SLOT_EMPTY, SLOT_FULL, BOX_WRITE = 1, BOX_READ = 2 };

/* What each opcode needs and does; the verifier is this table. */
static const struct shape {
    uint8_t payloads;
    uint8_t slot_before; /* SLOT_NONE: the slot field is no slot */
    uint8_t slot_after;
    uint8_t box; /* what it does to a mailbox */
    uint8_t box_in_payload;
} shapes[EV_OPS] = {
    [EV_ALLOC] = {0, SLOT_EMPTY, SLOT_FULL, 0, 0},
    [EV_ZALLOC] = {0, SLOT_EMPTY, SLOT_FULL, 0, 0},
    [EV_FREE] = {0, SLOT_FULL, SLOT_EMPTY, 0, 0},
    [EV_ALLOC_SEND] = {0, SLOT_NONE, SLOT_NONE, BOX_WRITE, 0},
    [EV_RECV_FREE] = {0, SLOT_NONE, SLOT_NONE, BOX_READ, 0},
    [EV_TOUCH] = {0, SLOT_FULL, SLOT_FULL, 0, 0},
    [EV_RESIZE] = {2, SLOT_FULL, SLOT_FULL, 0, 0},
    [EV_ALLOC_WIDE] = {1, SLOT_EMPTY, SLOT_FULL, 0, 0},
    [EV_FREE_WIDE] = {1, SLOT_FULL, SLOT_EMPTY, 0, 0},
    [EV_TOUCH_WIDE] = {1, SLOT_FULL, SLOT_FULL, 0, 0},
    [EV_SEND] = {1, SLOT_FULL, SLOT_EMPTY, BOX_WRITE, 1},
    [EV_RECV] = {1, SLOT_EMPTY, SLOT_FULL, BOX_READ, 1},
    [EV_SIGNAL] = {0, SLOT_NONE, SLOT_NONE, BOX_WRITE, 0},
    [EV_AWAIT] = {0, SLOT_NONE, SLOT_NONE, BOX_READ, 0},
    [EV_SYNC] = {1, SLOT_NONE, SLOT_NONE, 0, 0},
};

/* Zeroed memory that is not the measured allocator's; NULL without. */
static void *scratch_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

struct verifier {
    const struct trace *trace;
    uint8_t *full;  /* [slots of the thread] */
    uint8_t *boxes; /* [mailboxes]: BOX_WRITE | BOX_READ so far */
    char *why;
    size_t why_size;
};

static int bad(const struct verifier *v, unsigned thread, uint64_t record,
               const char *what)
{
    snprintf(v->why, v->why_size, "thread %u, record %llu: %s", thread,
             (unsigned long long)record, what);
    return EBADMSG;
}

static uint64_t payload(const struct event *e)
{
    uint64_t word;

    memcpy(&word, e, sizeof word);
    return word;
}

static const char *verify_box(struct verifier *v, const struct shape *s,
                              const struct event *e)
{
    uint64_t box = s->box_in_payload ? payload(e + 1) : event_slot(*e);

    if (box >= v->trace->mailboxes)
        return "mailbox out of range";
    if (v->boxes[box] & s->box)
        return "mailbox used twice";
    v->boxes[box] |= s->box;
    return NULL;
}

static const char *verify_record(struct verifier *v,
                                 const struct trace_thread *t,
                                 const struct event *e)
{
    const struct shape *s = &shapes[event_op(*e)];
    uint32_t slot = event_slot(*e);

    if (s->slot_before != SLOT_NONE) {
        if (slot >= t->slots)
            return "slot out of range";
        if (v->full[slot] != (s->slot_before == SLOT_FULL))
            return v->full[slot] ? "fills a full slot" : "uses an empty slot";
        v->full[slot] = s->slot_after == SLOT_FULL;
    }
    if (event_op(*e) == EV_ALLOC_WIDE && (e->size & 0xff) > OP_MAX_ALIGN_LOG2)
        return "alignment out of range";
    if (event_op(*e) == EV_MARK && slot >= v->trace->nmarks)
        return "mark out of range";
    return s->box ? verify_box(v, s, e) : NULL;
}

static int verify_thread(struct verifier *v, unsigned thread)
{
    const struct trace_thread *t = &v->trace->thread[thread];

    for (uint64_t i = 0; i < t->records; i++) {
        const struct event *e = &t->events[i];
        unsigned op = event_op(*e);

        if (op >= EV_OPS)
            return bad(v, thread, i, "unknown opcode");
        if (op == EV_END)
            return i + 1 == t->records ? 0 : bad(v, thread, i, "early end");
        if (shapes[op].payloads >= t->records - i)
            return bad(v, thread, i, "payload is missing");
        const char *wrong = verify_record(v, t, e);
        if (wrong)
            return bad(v, thread, i, wrong);
        i += shapes[op].payloads;
    }
    return bad(v, thread, t->records, "no end");
}

/* A mailbox that is read but never written would hang the replay. */
static int verify_boxes(const struct verifier *v)
{
    for (uint64_t i = 0; i < v->trace->mailboxes; i++)
        if (v->boxes[i] == BOX_READ) {
            snprintf(v->why, v->why_size,
                     "mailbox %llu is read but never written",
                     (unsigned long long)i);
            return EBADMSG;
        }
    return 0;
}

static int verify(const struct trace *trace, char *why, size_t why_size)
{
    struct verifier v = {.trace = trace, .why = why, .why_size = why_size};
    int err = 0;

    v.boxes = scratch_map(trace->mailboxes + 1);
    if (!v.boxes)
        return ENOMEM;
    for (unsigned i = 0; i < trace->threads && !err; i++) {
        v.full = scratch_map(trace->thread[i].slots + 1);
        err = v.full ? verify_thread(&v, i) : ENOMEM;
        if (v.full)
            munmap(v.full, trace->thread[i].slots + 1);
    }
    if (!err)
        err = verify_boxes(&v);
    munmap(v.boxes, trace->mailboxes + 1);
    return err;
}

static int fits(const struct mapped_trace *m, uint64_t offset, uint64_t n,
                uint64_t size)
{
    return offset % 8 == 0 && offset <= m->bytes &&
           n <= (m->bytes - offset) / size;
}

_Static_assert(TRACE_VERSION == 2, "the message below names it");

static const char *check_header(const struct mapped_trace *m)
{
    const struct trace_file_header *h = m->base;

    if (m->bytes < sizeof *h || memcmp(h->magic, TRACE_FILE_MAGIC, 8))
        return "is no run-time trace";
    if (h->version != TRACE_VERSION)
        return "has another version (want 2); compile it again";
    if (h->byte_order != TRACE_BYTE_ORDER)
        return "comes from a machine of another byte order";
    if (h->file_bytes != m->bytes)
        return "is truncated";
    if (h->threads < 1 || h->threads > OP_MAX_THREADS ||
        h->nmarks > TRACE_MARKS_MAX || h->ncurve > TRACE_CURVE_MAX ||
        h->mailboxes > EVENT_SLOT_MAX || h->mailboxes > m->bytes ||
        h->hash >> TRACE_HASH_BITS || h->curve_step < 1)
        return "has counts out of range";
    if (!fits(m, h->threads_offset, h->threads,
              sizeof(struct trace_file_thread)) ||
        !fits(m, h->marks_offset, h->nmarks, sizeof(struct trace_mark)) ||
        !fits(m, h->curve_offset, h->ncurve, sizeof(uint64_t)) ||
        !fits(m, h->left_offset, h->totals.left_blocks,
              sizeof(struct trace_left)))
        return "has tables outside the file";
    return NULL;
}

static const char *fill(struct mapped_trace *m)
{
    const char *base = m->base;
    const struct trace_file_header *h = m->base;
    const struct trace_file_thread *file =
        (const void *)(base + h->threads_offset);

    for (unsigned i = 0; i < h->threads; i++) {
        if (file[i].records > m->bytes ||
            !fits(m, file[i].offset, file[i].records + TRACE_READ_AHEAD,
                  sizeof(struct event)) ||
            file[i].slots > file[i].records)
            return "has a thread outside the file";
        m->thread[i] = (struct trace_thread){
            .events = (const void *)(base + file[i].offset),
            .records = file[i].records,
            .ops = file[i].ops,
            .slots = file[i].slots};
    }
    m->trace = (struct trace){.threads = h->threads,
                              .totals = h->totals,
                              .hash = h->hash,
                              .mailboxes = h->mailboxes,
                              .thread = m->thread,
                              .marks = (const void *)(base + h->marks_offset),
                              .nmarks = h->nmarks,
                              .left = (const void *)(base + h->left_offset),
                              .curve = (const void *)(base + h->curve_offset),
                              .ncurve = h->ncurve,
                              .curve_step = h->curve_step};
    for (unsigned i = 0; i < h->nmarks; i++)
        if (!memchr(m->trace.marks[i].name, 0, OP_NAME_MAX + 1))
            return "has a mark without an end";
    for (uint64_t i = 0; i < h->totals.left_blocks; i++) {
        const struct trace_left *left = &m->trace.left[i];

        if (left->thread >= h->threads ||
            left->place >= (left->in_mailbox ? h->mailboxes
                                             : m->thread[left->thread].slots))
            return "has a block left out of range";
    }
    return NULL;
}

static int fill_native(struct mapped_trace *m, char *why, size_t why_size)
{
    static const struct event end[1 + TRACE_READ_AHEAD] = {{EV_END, 0}};
    struct native_request *r = &m->native;
    int err = native_request_read(m->base, m->bytes, r, why, why_size);

    if (err)
        return err;
    for (unsigned i = 0; i < r->threads; i++)
        m->thread[i] = (struct trace_thread){.events = end, .records = 1};
    m->trace = (struct trace){.threads = r->threads,
                              .hash = native_request_hash(r),
                              .thread = m->thread,
                              .curve_step = 1,
                              .native = r};
    return 0;
}

static int fill_and_verify(struct mapped_trace *m, char *why, size_t why_size)
{
    const char *wrong;

    if (native_request_is(m->base, m->bytes))
        return fill_native(m, why, why_size);
    if ((wrong = check_header(m)) || (wrong = fill(m))) {
        snprintf(why, why_size, "%s", wrong);
        return EBADMSG;
    }
    return verify(&m->trace, why, why_size);
}

static int map_file(const char *path, struct mapped_trace *m)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = 0;

    if (fd < 0)
        return errno;
    if (fstat(fd, &st))
        err = errno;
    else if (!S_ISREG(st.st_mode) || st.st_size < 1)
        err = EBADMSG;
    if (!err) {
        m->bytes = (size_t)st.st_size;
        m->base = mmap(NULL, m->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (m->base == MAP_FAILED)
            err = errno;
    }
    close(fd);
    return err;
}

int trace_map(const char *path, struct trace **out, char *why, size_t why_size)
{
    struct mapped_trace *m = scratch_map(sizeof *m);
    char detail[256];
    int err = m ? map_file(path, m) : ENOMEM;

    if (err) {
        snprintf(why, why_size, "%s: %s", path,
                 err == EBADMSG ? "is no run-time trace" : strerror(err));
        if (m)
            munmap(m, sizeof *m);
        return err;
    }
    err = fill_and_verify(m, detail, sizeof detail);
    if (err) {
        snprintf(why, why_size, "%s: %s", path,
                 err == EBADMSG ? detail : strerror(err));
        trace_unmap(&m->trace);
        return err;
    }
    *out = &m->trace;
    return 0;
}

void trace_unmap(struct trace *trace)
{
    struct mapped_trace *m = (struct mapped_trace *)trace;

    if (!m)
        return;
    munmap(m->base, m->bytes);
    munmap(m, sizeof *m);
}

uint64_t trace_live_at(const struct trace *trace, uint64_t place)
{
    uint64_t i = place / trace->curve_step;

    if (!trace->ncurve)
        return 0;
    return trace->curve[i < trace->ncurve ? i : trace->ncurve - 1];
}
