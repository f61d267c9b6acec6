/* trace.h - the run-time form of a trace: mapped, fixed-size events.
 *
 * trace_compile() turns a trace_source into a file of this form;
 * trace_map() maps it.  A replayer walks, for each thread, an array of 8-byte
 * records: an opcode, a slot and a size.  The compiler has done all thinking:
 *
 *   - an object that one thread uses from birth to death lives in a *slot* of
 *     that thread; slots are reused last-in first-out, so the table is hot
 *     and as small as the thread's peak of live objects;
 *   - an object that goes to another thread is handed over through a
 *     *mailbox*: written once (release) by the thread that had it, read
 *     (acquire) by the thread that uses it next.  No mailbox is used twice,
 *     so there is no ABA problem;
 *   - thread creation and join are mailboxes without a pointer;
 *   - every TRACE_SYNC_SPACING operations of the *global* order a thread
 *     meets an EV_SYNC with its place in that order, from which the replayer
 *     keeps threads within a skew window of each other.
 *
 * The file is a cache, in the byte order of the machine, not an archive.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRACE_H
#define HEAPYARD_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "op.h"

struct native_request; /* native_request.h */

enum {
    TRACE_VERSION = 2,
    TRACE_SYNC_SPACING = 256, /* operations of the global order */
    TRACE_READ_AHEAD = 16,    /* records that may be read after EV_END */
    TRACE_CURVE_MAX = 4096,   /* points of the curve of live bytes */
    TRACE_MARKS_MAX = 256,
    TRACE_HASH_BITS = 52
};

enum event_op {
    EV_END,        /* of the thread */
    EV_ALLOC,      /* slot <- new block of size */
    EV_ZALLOC,     /* the same, zeroed */
    EV_FREE,       /* slot; size is the block's */
    EV_ALLOC_SEND, /* mailbox <- new block of size */
    EV_RECV_FREE,  /* free the block in mailbox; size is the block's */
    EV_TOUCH,      /* slot; size: bytes written from the block's start */
    EV_RESIZE,     /* slot; two payload records: old size, new size */
    EV_ALLOC_WIDE, /* slot; size: log2 of the alignment (0 = default), plus
                      TRACE_WIDE_ZERO; one payload record: size */
    EV_FREE_WIDE,  /* slot; one payload record: size */
    EV_TOUCH_WIDE, /* slot; one payload record: bytes */
    EV_SEND,       /* mailbox <- slot; one payload record: mailbox */
    EV_RECV,       /* slot <- mailbox; one payload record: mailbox */
    EV_SIGNAL,     /* mailbox <- done (thread start, thread end) */
    EV_AWAIT,      /* wait until mailbox is done */
    EV_SYNC,       /* one payload record: place in the global order; all this
                      thread's operations before that place are done */
    EV_MARK,       /* slot: number of the mark */
    EV_OPS
};

enum { TRACE_WIDE_ZERO = 0x100 };

/* op: 5 bits, slot: 27 bits.  A payload record is a whole uint64_t. */
struct event {
    uint32_t op_slot;
    uint32_t size;
};

enum { EVENT_OP_BITS = 5, EVENT_SLOT_MAX = (1 << 27) - 1 };

static inline unsigned event_op(struct event e)
{
    return e.op_slot & ((1u << EVENT_OP_BITS) - 1);
}

static inline uint32_t event_slot(struct event e)
{
    return e.op_slot >> EVENT_OP_BITS;
}

/* What the compiler counted: exact, computed from the operations alone. */
struct trace_totals {
    uint64_t ops;    /* all operations but OP_TIME */
    uint64_t allocs; /* OP_ALLOC and OP_ZALLOC */
    uint64_t frees;
    uint64_t resizes;
    uint64_t touches;
    uint64_t cross_frees; /* frees by another thread than the last user */
    uint64_t bytes;       /* requested: allocations, plus growth by resize */
    uint64_t max_size;    /* bytes, of one block */
    uint64_t peak_bytes;  /* most live bytes at once (requested) */
    uint64_t peak_blocks; /* live blocks at that moment */
    uint64_t peak_place;  /* that moment: its place in the global order */
    uint64_t left_blocks; /* live at the end: what the program leaks */
    uint64_t left_bytes;
    uint64_t max_align_log2;
    double live_mean; /* live bytes, averaged over operations */
};

struct trace_mark {
    char name[OP_NAME_MAX + 1];
    uint64_t place;      /* in the global order */
    uint64_t live_bytes; /* at that place, exact */
    uint64_t live_blocks;
};

/* A block that the trace never frees: where its pointer is at the end. */
struct trace_left {
    uint64_t size;  /* bytes requested */
    uint32_t place; /* a slot of thread, or a mailbox */
    uint16_t thread;
    uint16_t in_mailbox;
};

struct trace_thread {
    const struct event *events; /* ends with EV_END */
    uint64_t records;           /* with payloads and EV_END */
    uint64_t ops;               /* of this thread */
    uint64_t slots;             /* size of its slot table */
};

struct trace {
    unsigned threads;
    struct trace_totals totals;
    uint64_t hash; /* of the operations, of TRACE_HASH_BITS: exact as a double
                      too. The same operations have the same on every machine */
    uint64_t mailboxes;
    const struct trace_thread *thread; /* [threads] */
    const struct trace_mark *marks;    /* [nmarks]; marks[0] is "peak" */
    unsigned nmarks;
    const struct trace_left *left; /* [totals.left_blocks] */
    const uint64_t *curve; /* [ncurve]: live bytes every curve_step places */
    unsigned ncurve;
    uint64_t curve_step;
    /* NULL; or a native workload is to run instead.  Then totals are 0, there
     * are no marks, and each thread has a lone EV_END. */
    const struct native_request *native;
};

/* Compile what `source` plays (twice) into a file at `path`, written beside
 * it first and renamed when whole.  Memory: at most 64 bytes a live object, one
 * bit an operation, and the page cache of the output.
 *
 * Returns 0, EBADMSG for a malformed stream, E2BIG beyond 2^27 slots or
 * mailboxes or OP_MAX_THREADS threads, or the errno of the file; then
 * why[why_size] says what and where.  O(operations). */
int trace_compile(const struct trace_source *source, const char *path,
                  char *why, size_t why_size);

/* Map the file at `path`, of trace_compile or native_request_write, and verify
 * every record of it: opcodes, slots, mailboxes, payloads, ends.  So a replayer
 * need not check anything, and all pages are in memory before any clock starts.
 *
 * Returns 0, EBADMSG if it is not a whole trace of TRACE_VERSION (why says
 * what), or an errno.  The caller unmaps with trace_unmap. */
int trace_map(const char *path, struct trace **out, char *why, size_t why_size);
void trace_unmap(struct trace *);

/* Live bytes at a place in the global order, by the curve: an estimate, off
 * by what happens within curve_step operations. */
uint64_t trace_live_at(const struct trace *, uint64_t place);

#endif
