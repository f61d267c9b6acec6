/* message_pipeline.c - messages that go through stages, copied or as slices.
 *
 * Thread 0 fills a buffer, as if read from a socket, that holds several
 * messages, and cuts it up; every thread takes each message through `hops`
 * stages and hands it to the next thread by a bounded queue; the last thread
 * reads the message whole and ends it.  With one thread all of it is done in
 * turn, without a queue.
 *
 *   pass=copy    a message is a block of its own: cut out of the buffer by a
 *                copy, and copied into a new block at each stage
 *   pass=slice   a message is a small block that names a part of the buffer,
 *                which counts its slices and ends with the last one; a stage
 *                writes to the part, and nothing is copied
 *   pass=mremap  a message is pages of its own, cut out by a copy; each stage
 *                moves them to other addresses
 *   pass=pipe    as copy, but each stage's copy goes through a pipe
 *   pass=vmsplice  the same, but the pipe is lent the block, so that the bytes
 *                are copied once and not twice
 *
 * A use is a message that arrived.  In the end its stages have been counted in
 * it and its bytes add up to what was sent.
 *
 * It has no input, output or protocol: a stage does nothing with a message but
 * copy it, where it does, and count.  All ways allocate as they go, so the use
 * of this workload is nearly all of its run.  Within one process a slice passes
 * for nothing what mremap and vmsplice pass by a system call: these two show
 * from what size on they pay against a copy.
 *
 * Source: buffers that are cut into counted slices: P. Druschel & L. Peterson,
 * "Fbufs: a high-bandwidth cross-domain transfer facility", SOSP 1993; V. Pai,
 * P. Druschel & W. Zwaenepoel, "IO-Lite", OSDI 1999.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "meeting.h"
#include "message_move.h"
#include "message_queue.h"
#include "native.h"
#include "workload.h"

enum {
    KNOB_PASS,
    KNOB_MESSAGE,
    KNOB_PARTS,
    KNOB_HOPS,
    KNOB_QUEUE,
    KNOB_MESSAGES
};
enum { PASS_COPY, PASS_SLICE, PASS_MREMAP, PASS_PIPE, PASS_VMSPLICE };

static const char *const pass_names[] = {"copy", "slice",    "mremap",
                                         "pipe", "vmsplice", NULL};

/* clang-format off */
static const struct knob message_pipeline_knobs[] = {
[KNOB_PASS] = {"pass", "", PASS_COPY, 0, PASS_VMSPLICE,
    "how messages are passed on", pass_names},
[KNOB_MESSAGE] = {"message", "bytes", 2048, 32, 1 << 24,
    "of a message, rounded up to a multiple of 8", NULL},
[KNOB_PARTS] = {"parts", "messages", 16, 1, 4096,
    "in a buffer", NULL},
[KNOB_HOPS] = {"hops", "stages", 2, 1, 1000,
    "in each thread", NULL},
[KNOB_QUEUE] = {"queue", "messages", 64, 1, 1 << 20,
    "that may wait between two threads", NULL},
[KNOB_MESSAGES] = {"messages", "messages", 500000, 1, 1e12,
    "at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

/* A message, in its own block or in a buffer. */
struct text {
    uint64_t number;
    uint64_t hops;   /* stages so far */
    uint64_t word[]; /* that follow from the number */
};

/* The head of a buffer; the texts follow. */
struct buffer {
    _Atomic uint64_t slices; /* and one more while it is cut */
};

struct slice {
    struct buffer *buffer;
    uint64_t part;
};

static const bool slice_pointers[] = {true, false};

/* What all threads share. */
struct common {
    struct meeting step;         /* all are there; all are through */
    _Atomic bool stop;           /* a thread got no memory, or a wrong text */
    struct native_shape slice;   /* shape of it */
    struct message_queue *queue; /* [threads - 1]: from thread i to i + 1 */
    void *_Atomic *places;       /* of all queues: a root */
    uint64_t place_count;
};

/* A thread at work. */
struct stage {
    struct native *n;
    struct common *common;
    int pass;
    struct message_pipe pipe; /* of pass=pipe and vmsplice */
    int error;                /* of the pipe */
    size_t text_bytes;
    uint64_t words, hops, parts, messages;
    void *buffer; /* thread 0: what is being cut */
    uint64_t cut; /* parts of it so far */
};

static size_t buffer_bytes(const struct stage *s)
{
    return sizeof(struct buffer) + s->parts * s->text_bytes;
}

static struct text *buffer_text(const struct stage *s, void *buffer,
                                uint64_t part)
{
    return (void *)((char *)buffer + sizeof(struct buffer) +
                    part * s->text_bytes);
}

/* ---- a message: a struct text or a struct slice ---- */

static struct text *text_of(const struct stage *s, void *message)
{
    struct slice *slice = message;

    return s->pass == PASS_SLICE ? buffer_text(s, slice->buffer, slice->part)
                                 : message;
}

static void let_go(const struct stage *s, struct buffer *buffer)
{
    if (atomic_fetch_sub(&buffer->slices, 1) == 1)
        native_drop(s->n, buffer, buffer_bytes(s));
}

static void drop_slice(const struct stage *s, struct slice *slice)
{
    let_go(s, slice->buffer);
    native_drop(s->n, slice, sizeof *slice);
}

static void drop_message(const struct stage *s, void *message)
{
    if (s->pass == PASS_SLICE)
        drop_slice(s, message);
    else if (s->pass == PASS_MREMAP)
        message_pages_drop(message, s->text_bytes);
    else
        native_drop(s->n, message, s->text_bytes);
}

/* NULL: no memory. */
static void *copy_text(const struct stage *s, const struct text *text)
{
    void *copy = s->pass == PASS_MREMAP ? message_pages_new(s->text_bytes)
                                        : native_leaf(s->n, s->text_bytes);

    return copy ? memcpy(copy, text, s->text_bytes) : NULL;
}

/* The same through the pipe. */
static void *pipe_text(struct stage *s, const struct text *text)
{
    void *copy = native_leaf(s->n, s->text_bytes);

    if (!copy)
        return NULL;
    s->error = message_pipe_pass(&s->pipe, copy, text, s->text_bytes,
                                 s->pass == PASS_VMSPLICE);
    if (!s->error)
        return copy;
    native_drop(s->n, copy, s->text_bytes);
    return NULL;
}

static void *make_slice(const struct stage *s, struct buffer *buffer,
                        uint64_t part)
{
    struct slice *slice = native_new(s->n, &s->common->slice);

    if (!slice)
        return NULL;
    native_store(s->n, slice, (void **)&slice->buffer, buffer);
    slice->part = part;
    atomic_fetch_add(&buffer->slices, 1);
    return slice;
}

/* ---- where messages begin and end ---- */

static void write_text(const struct stage *s, struct text *text,
                       uint64_t number)
{
    text->number = number;
    text->hops = 0;
    for (uint64_t i = 0; i < s->words; i++)
        text->word[i] = number + i;
}

static struct buffer *fill_buffer(const struct stage *s, uint64_t first)
{
    struct buffer *buffer = native_leaf(s->n, buffer_bytes(s));

    if (!buffer)
        return NULL;
    atomic_init(&buffer->slices, 1);
    for (uint64_t i = 0; i < s->parts; i++)
        write_text(s, buffer_text(s, buffer, i), first + i);
    return buffer;
}

/* The message of that number; NULL: no memory. */
static void *next_message(struct stage *s, uint64_t number)
{
    if (!s->buffer) {
        s->buffer = fill_buffer(s, number);
        s->cut = 0;
    }
    if (!s->buffer)
        return NULL;
    void *message = s->pass == PASS_SLICE
                        ? make_slice(s, s->buffer, s->cut)
                        : copy_text(s, buffer_text(s, s->buffer, s->cut));
    if (++s->cut == s->parts) {
        let_go(s, s->buffer);
        s->buffer = NULL;
    }
    return message;
}

/* Reads it whole. */
static bool text_is_right(const struct stage *s, const struct text *text,
                          uint64_t number)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < s->words; i++)
        sum += text->word[i];
    return text->number == number && text->hops == s->hops * s->n->threads &&
           sum == s->words * number + s->words * (s->words - 1) / 2;
}

/* ---- stages ---- */

/* Takes the message; NULL: no memory, or s->error. */
static void *hop(struct stage *s, void *message)
{
    void *next = message;

    switch (s->pass) {
    case PASS_SLICE:
        break;
    case PASS_MREMAP:
        next = message_pages_move(message, s->text_bytes);
        if (!next)
            drop_message(s, message);
        break;
    case PASS_COPY:
        next = copy_text(s, message);
        drop_message(s, message);
        break;
    default:
        next = pipe_text(s, message);
        drop_message(s, message);
    }
    if (next)
        text_of(s, next)->hops++;
    return next;
}

static void *receive(struct stage *s, uint64_t number)
{
    const unsigned me = s->n->thread;

    return me == 0 ? next_message(s, number)
                   : message_queue_receive(&s->common->queue[me - 1],
                                           &s->common->stop);
}

/* Takes the message.  0, EBADMSG, or ECANCELED: another thread stopped. */
static int hand_on(struct stage *s, void *message, uint64_t number)
{
    const unsigned me = s->n->thread;
    int err = 0;

    if (me + 1 < s->n->threads &&
        message_queue_send(&s->common->queue[me], message, &s->common->stop))
        return 0;
    if (me + 1 < s->n->threads)
        err = ECANCELED;
    else if (!text_is_right(s, text_of(s, message), number))
        return EBADMSG;
    drop_message(s, message);
    return err;
}

static int pass_message(struct stage *s, uint64_t number)
{
    void *message = receive(s, number);

    if (!message)
        return s->n->thread == 0 ? ENOMEM : ECANCELED;
    for (uint64_t i = 0; i < s->hops && message; i++)
        message = hop(s, message);
    if (message)
        return hand_on(s, message, number);
    return s->error ? s->error : ENOMEM;
}

static int pass_all(struct stage *s)
{
    int err = 0;

    for (uint64_t i = 0; i < s->messages && !err; i++)
        err = pass_message(s, i);
    if (err)
        atomic_store(&s->common->stop, true);
    if (s->buffer && err != EBADMSG)
        let_go(s, s->buffer);
    return err == ECANCELED ? 0 : err;
}

/* What a thread that stopped left behind it. */
static void drain(const struct stage *s)
{
    for (unsigned i = 0; i + 1 < s->n->threads; i++)
        for (void *m; (m = message_queue_take(&s->common->queue[i]));)
            drop_message(s, m);
}

/* ---- the run ---- */

static size_t text_bytes(const struct native *n)
{
    return ((size_t)n->knobs->v[KNOB_MESSAGE] + 7) & ~(size_t)7;
}

static bool has_pipe(const struct stage *s)
{
    return s->pass == PASS_PIPE || s->pass == PASS_VMSPLICE;
}

static int message_pipeline_run(struct native *n)
{
    const double *knob = n->knobs->v;
    struct common *c = n->shared;
    struct stage s = {
        .n = n,
        .common = c,
        .pass = (int)knob[KNOB_PASS],
        .text_bytes = text_bytes(n),
        .words = text_bytes(n) / sizeof(uint64_t) - 2,
        .hops = (uint64_t)knob[KNOB_HOPS],
        .parts = (uint64_t)knob[KNOB_PARTS],
        .messages = native_scaled(n, knob[KNOB_MESSAGES]),
    };

    int err = has_pipe(&s) ? message_pipe_open(&s.pipe) : 0;
    const bool is_open = has_pipe(&s) && !err;

    if (err)
        atomic_store(&c->stop, true);
    meeting_wait(&c->step, n->threads);
    native_use_begin(n);
    if (!err)
        err = pass_all(&s);
    native_use_end(n, n->thread + 1 == n->threads ? s.messages : 0);
    meeting_wait(&c->step, n->threads);
    if (n->thread == 0 && atomic_load(&c->stop) && err != EBADMSG)
        drain(&s);
    if (is_open)
        message_pipe_close(&s.pipe);
    return err;
}

static int make_queues(struct native *n, struct common *c)
{
    const uint64_t places = (uint64_t)n->knobs->v[KNOB_QUEUE];
    const unsigned queues = n->threads - 1;

    c->place_count = queues * places + 1; /* never none: a root */
    c->queue = aligned_alloc(alignof(struct message_queue),
                             n->threads * sizeof *c->queue);
    c->places = calloc(c->place_count, sizeof *c->places);
    if (!c->queue || !c->places)
        return ENOMEM;
    for (unsigned i = 0; i < queues; i++)
        c->queue[i] = (struct message_queue){.places = places,
                                             .place = c->places + i * places};
    return 0;
}

static void free_common(struct common *c)
{
    free((void *)c->places);
    free(c->queue);
    free(c);
}

static int message_pipeline_prepare(struct native *n, void **shared)
{
    struct common *c = calloc(1, sizeof *c);
    int err = c ? make_queues(n, c) : ENOMEM;

    if (!err)
        err = native_roots_add(n, (void *)c->places,
                               (void *)(c->places + c->place_count));
    if (err) {
        if (c)
            free_common(c);
        return ENOMEM;
    }
    native_shape(&n->memory, sizeof(struct slice), slice_pointers, &c->slice);
    *shared = c;
    return 0;
}

static void message_pipeline_finish(struct native *n)
{
    struct common *c = n->shared;

    native_roots_remove(n, (void *)c->places,
                        (void *)(c->places + c->place_count));
    free_common(c);
}

const struct workload message_pipeline_workload = {
    .name = "message-pipeline",
    .summary = "messages through stages, copied or not (0.5 M uses)",
    .source = "Fbufs (SOSP 1993), IO-Lite (OSDI 1999)",
    .version = 1,
    .knobs = message_pipeline_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = message_pipeline_prepare,
    .run = message_pipeline_run,
    .finish = message_pipeline_finish,
};
