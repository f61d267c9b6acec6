/* glibc_wl.c - workloads of glibc's malloc simulator (branch dj/malloc, .wl).
 *
 * Numbers are 7 bits a byte, the high ones first, bit 7 says that another
 * follows.  A head tells how many pointers, syncs and threads there are and
 * where each thread's operations begin; each ends with DONE.  Threads wait for
 * each other by numbered syncs: a read of one waits until it was written.
 *
 * The global order is lost in the format, but for the syncs: here threads take
 * turns, TURN operations each, and wait as its simulator does.  Which thread
 * is which, sizes, zeroing and alignment are kept.
 *
 * Source: D. Delorie, glibc branch dj/malloc, malloc/trace_run.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "format.h"

enum { TURN = 64, PAGE = 4096 };

enum code {
    NOP,
    DONE,
    MALLOC,
    CALLOC,
    REALLOC,
    FREE,
    SYNC_W,
    SYNC_R,
    ALLOC_PTRS,
    ALLOC_SYNCS,
    NTHREADS,
    START_THREAD,
    MEMALIGN,
    VALLOC,
    PVALLOC,
    POSIX_MEMALIGN,
    CODES
};

static const unsigned char operands[CODES] = {
    [MALLOC] = 2,       [CALLOC] = 2,         [REALLOC] = 3,    [FREE] = 1,
    [SYNC_W] = 1,       [SYNC_R] = 1,         [ALLOC_PTRS] = 1, [NTHREADS] = 1,
    [START_THREAD] = 1, [ALLOC_SYNCS] = 1,    [MEMALIGN] = 3,   [VALLOC] = 2,
    [PVALLOC] = 2,      [POSIX_MEMALIGN] = 3,
};

struct op_read {
    unsigned code;
    uint64_t n[3];
};

struct workload {
    unsigned char *bytes; /* [size] */
    size_t size;
    uint64_t ptrs, syncs, threads;
    unsigned char *written;      /* [syncs + 1] */
    size_t at[OP_MAX_THREADS];   /* of each thread's next operation */
    int is_over[OP_MAX_THREADS]; /* its DONE has come */
    size_t nthreads;             /* started */
    size_t taken;                /* bytes of operations, of all threads */
};

/* Returns 0 at the end of the bytes, or beyond 64 bits. */
static int scan_varint(const unsigned char *bytes, size_t size, size_t *at,
                       uint64_t *out)
{
    uint64_t v = 0;

    while (*at < size && v >> 57 == 0) {
        unsigned char c = bytes[(*at)++];

        v = v << 7 | (c & 0x7f);
        if (c < 0x80) {
            *out = v;
            return 1;
        }
    }
    return 0;
}

static int scan_op(const unsigned char *bytes, size_t size, size_t *at,
                   struct op_read *op)
{
    if (*at >= size || bytes[*at] >= CODES)
        return 0;
    op->code = bytes[(*at)++];
    for (int i = 0; i < operands[op->code]; i++)
        if (!scan_varint(bytes, size, at, &op->n[i]))
            return 0;
    return 1;
}

/* ---- the head ---- */

static int start_thread(struct import *im, struct workload *w, uint64_t offset)
{
    if (w->nthreads == OP_MAX_THREADS)
        return import_refuse(im, "more than %d threads", OP_MAX_THREADS);
    if (offset >= w->size)
        return import_refuse(im,
                             "a thread begins at byte %llu (want below %zu, "
                             "the size)",
                             (unsigned long long)offset, w->size);
    w->at[w->nthreads++] = (size_t)offset;
    return 0;
}

static int read_head(struct import *im, struct workload *w)
{
    struct op_read op = {.code = NOP};
    size_t at = 0;
    int err = 0;

    while (!err && op.code != DONE) {
        im->place = at;
        if (!scan_op(w->bytes, w->size, &at, &op))
            return import_refuse(im, "no head (want 8 PTRS 9 SYNCS 10 THREADS, "
                                     "11 OFFSET for each thread, 1)");
        if (op.code == ALLOC_PTRS)
            w->ptrs = op.n[0];
        else if (op.code == ALLOC_SYNCS)
            w->syncs = op.n[0];
        else if (op.code == NTHREADS)
            w->threads = op.n[0];
        else if (op.code == START_THREAD)
            err = start_thread(im, w, op.n[0]);
        else if (op.code != DONE && op.code != NOP)
            return import_refuse(im, "operation %u in the head", op.code);
    }
    if (err)
        return err;
    if (w->syncs > w->size) /* each takes two bytes at least */
        return import_refuse(im, "%llu syncs in %zu bytes",
                             (unsigned long long)w->syncs, w->size);
    w->written = calloc(1, (size_t)w->syncs + 1);
    return w->written ? 0 : ENOMEM;
}

/* ---- the threads ---- */

static int take_op(struct import *im, uint64_t thread, const struct op_read *op)
{
    const uint64_t *n = op->n;

    switch (op->code) {
    case MALLOC:
        return import_malloc(im, thread, n[0], n[1]);
    case CALLOC:
        return import_calloc(im, thread, n[0], 1, n[1]);
    case REALLOC:
        return import_realloc(im, thread, n[1], n[0], n[2]);
    case FREE:
        return import_dealloc(im, thread, n[0]);
    case MEMALIGN:
    case POSIX_MEMALIGN:
        return import_memalign(im, thread, n[0], n[1], n[2]);
    case VALLOC:
    case PVALLOC:
        return import_memalign(im, thread, n[0], PAGE, n[1]);
    default:
        return import_bad(im, "no operation of the head in a thread");
    }
}

/* Whether the thread may go on; it has waited in vain otherwise. */
static int pass_sync(struct workload *w, const struct op_read *op)
{
    if (op->n[0] > w->syncs)
        return 1; /* the simulator would abort */
    if (op->code == SYNC_W)
        w->written[op->n[0]] = 1;
    return w->written[op->n[0]];
}

/* Some operations of a thread.  *did: whether any. */
static int take_turn(struct import *im, struct workload *w, size_t thread,
                     int *did)
{
    struct op_read op;

    for (int i = 0; i < TURN; i++) {
        size_t at = w->at[thread];
        int err = 0;

        im->place = at;
        if (!scan_op(w->bytes, w->size, &at, &op)) {
            w->is_over[thread] = *did = 1;
            return at < w->size
                       ? import_bad(im, "an operation of 0..15 and numbers")
                       : import_fault(im, IMPORT_CUT_TAIL,
                                      "ends inside a thread (want 1 at its "
                                      "end)");
        }
        if (op.code == SYNC_R && !pass_sync(w, &op))
            return 0;
        *did = 1;
        w->taken += at - w->at[thread];
        w->at[thread] = at;
        if (w->taken > w->size)
            return import_refuse(im, "threads overlap (want operations of "
                                     "their own for each)");
        if (op.code == DONE) {
            w->is_over[thread] = 1;
            return 0;
        }
        if (op.code == SYNC_W)
            pass_sync(w, &op);
        else if (op.code != SYNC_R && op.code != NOP)
            err = take_op(im, thread, &op);
        if (err)
            return err;
    }
    return 0;
}

static int take_threads(struct import *im, struct workload *w)
{
    int err = 0, did = 1;

    while (!err && did) {
        did = 0;
        for (size_t i = 0; i < w->nthreads && !err; i++)
            if (!w->is_over[i])
                err = take_turn(im, w, i, &did);
    }
    for (size_t i = 0; i < w->nthreads && !err; i++)
        if (!w->is_over[i]) {
            im->place = w->at[i];
            err = import_bad(im, "a sync that another thread writes (this "
                                 "thread waits for ever)");
        }
    return err;
}

static int glibc_wl_read(struct import *im)
{
    struct workload *w = calloc(1, sizeof *w);
    int err = ENOMEM;

    if (!w)
        return err;
    im->unit = "byte";
    err = reader_rest(&im->reader, &w->bytes, &w->size);
    if (err)
        err = import_read_failed(im, err);
    if (!err)
        err = read_head(im, w);
    if (!err)
        err = take_threads(im, w);
    free(w->written);
    free(w->bytes);
    free(w);
    return err;
}

static int glibc_wl_sniff(const char *head, size_t n)
{
    static const unsigned char order[] = {ALLOC_PTRS, ALLOC_SYNCS, NTHREADS,
                                          START_THREAD};
    struct op_read op;
    size_t at = 0;

    for (size_t i = 0; i < sizeof order; i++)
        if (!scan_op((const unsigned char *)head, n, &at, &op) ||
            op.code != order[i])
            return 0;
    return 1;
}

const struct trace_format glibc_wl_format = {
    .name = "glibc-wl",
    .summary = "glibc's malloc workload",
    .suffix = "",
    .sniff = glibc_wl_sniff,
    .read = glibc_wl_read,
};
