/* op.h - the interchange form of a trace: one operation after another.
 *
 * Whatever makes a trace (a synthetic workload, an archive, the recorder's
 * spool) is a `struct trace_source` that plays its operations, in one global
 * order, into a `struct op_sink`.  Whatever wants one (the compiler to the
 * run-time form, the archive writer, `trace info`) is a sink.  So any source
 * goes with any sink, and neither side holds the whole trace in memory.
 *
 * Invariant of a well-formed stream: the n-th OP_ALLOC or OP_ZALLOC (from 0)
 * makes object n; every other operation names an object that is live, and
 * OP_FREE ends its life.  Sinks check this and refuse with EBADMSG.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_OP_H
#define HEAPYARD_OP_H

#include <stdint.h>

enum {
    OP_MAX_THREADS = 1024,  /* thread numbers are 0 .. OP_MAX_THREADS - 1 */
    OP_MAX_ALIGN_LOG2 = 30, /* alignments up to 1 GiB */
    OP_NAME_MAX = 48        /* of a mark, without the final 0 */
};

enum op_kind {
    OP_ALLOC,  /* object: births so far; size; align_log2 or 0 for default */
    OP_ZALLOC, /* as OP_ALLOC, zeroed; align_log2 is 0 */
    OP_RESIZE, /* object keeps its number; size: the new one, 1 or more */
    OP_FREE,   /* object */
    OP_TOUCH,  /* object; size: bytes that the program writes from its start */
    OP_SPAWN,  /* object: the number of the thread that `thread` starts */
    OP_JOIN,   /* object: the number of the ended thread that `thread` awaits */
    OP_MARK,   /* a phase begins; name */
    OP_TIME,   /* size: nanoseconds since the trace began, never less than
                  in the OP_TIME before; thread is ignored */
    OP_KINDS
};

struct op {
    enum op_kind kind;
    uint16_t thread;
    uint8_t align_log2;
    uint64_t object;
    uint64_t size;    /* bytes, at most PTRDIFF_MAX */
    const char *name; /* OP_MARK only; borrowed until put() returns */
};

/* Takes operations one by one.  put returns 0 or a positive errno; after an
 * error the source stops and returns it. */
struct op_sink {
    int (*put)(struct op_sink *, const struct op *);
};

/* Plays the same operations each time it is asked to. */
struct trace_source {
    int (*play)(const struct trace_source *, struct op_sink *);
};

/* The producer's side: numbers objects and keeps the first error, so that a
 * workload can feed operations without checking each.  Not thread-safe. */
struct op_feed {
    struct op_sink *sink;
    uint64_t births;
    int err; /* 0, or the first error of the sink; later calls do nothing */
};

/* Each returns at once if feed->err is set.  feed_alloc and feed_zalloc
 * return the number of the new object.  Sizes in bytes; align a power of two
 * or 0 for the default alignment. */
uint64_t feed_alloc(struct op_feed *, unsigned thread, uint64_t size);
uint64_t feed_zalloc(struct op_feed *, unsigned thread, uint64_t size);
uint64_t feed_aligned(struct op_feed *, unsigned thread, uint64_t size,
                      uint64_t align);
void feed_resize(struct op_feed *, unsigned thread, uint64_t object,
                 uint64_t new_size);
void feed_free(struct op_feed *, unsigned thread, uint64_t object);
void feed_touch(struct op_feed *, unsigned thread, uint64_t object,
                uint64_t bytes);
void feed_spawn(struct op_feed *, unsigned thread, unsigned child);
void feed_join(struct op_feed *, unsigned thread, unsigned child);
void feed_mark(struct op_feed *, unsigned thread, const char *name);
void feed_time(struct op_feed *, uint64_t ns);

#endif
