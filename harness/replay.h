/* replay.h - plays a whole trace on a heap: tables, threads, clocks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_REPLAY_H
#define HEAPYARD_REPLAY_H

#include "os_pages.h"
#include "player.h"

enum {
    REPLAY_STACK = 256 * 1024, /* bytes, of every thread of a replay */
    REPLAY_WINDOW = 2000,      /* operations; README.md, "What it costs" */
    /* A thread's place may be 255 operations old while it waits for a mailbox;
     * with a smaller window the one it waits for may in turn wait for it. */
    REPLAY_WINDOW_MIN = 2 * TRACE_SYNC_SPACING
};

struct replay_config {
    const struct allocator *allocator;
    struct heap *heap;
    const struct trace *trace;
    struct shared_page *page;
    const struct block_ops *ops; /* NULL: play_fast with `touch` */
    enum touch touch;
    uint64_t window;
    unsigned slices;  /* a trace of one thread: note the time at so many places
                         on the shared page; at most SHARED_SLICES_MAX / 2 */
    int workers_only; /* thread 0 too is a thread that ends, so that what it
                         cached goes back before anyone counts */
    void (*mark)(void *meter, unsigned mark); /* or NULL */
    /* NULL, or called by each thread in turn, 0 first, while all have played
     * their last record, none has left the heap, and nobody else is inside.
     * Not with workers_only. */
    void (*at_rest)(void *meter, unsigned thread);
    /* NULL, or called by each thread: before the gate opens, just before its
     * first record, and just after its last. */
    void (*thread_open)(void *meter, unsigned thread);
    void (*thread_start)(void *meter, unsigned thread);
    void (*thread_stop)(void *meter, unsigned thread);
    /* NULL, or called by the thread of a native workload that begins or ends a
     * request. */
    void (*request_begin)(void *meter, unsigned thread);
    void (*request_end)(void *meter, unsigned thread);
    /* NULL, or called by the thread of a native workload that begins or ends
     * to use what it has built. */
    void (*use_begin)(void *meter, unsigned thread);
    void (*use_end)(void *meter, unsigned thread);
    void *meter;
    int result_fd;
    size_t own_bytes; /* state of the ops for each thread, zeroed */
    void *common;     /* state of the ops for all threads; borrowed */
};

struct replay;

/* Map and touch every table, start every thread and leave them at the gate.
 * From here to replay_close nothing here calls malloc.  Returns 0 or an
 * errno. */
int replay_open(const struct replay_config *, struct replay **out);

/* Open the gate, play, wait for all.  start and stop are called by thread 0
 * just before the first and after the last record of all threads. */
void replay_run(struct replay *, void (*start)(void *meter),
                void (*stop)(void *meter));

/* Sums over threads, after replay_run. */
uint64_t replay_cpu_ns(const struct replay *);
uint64_t replay_wait_ticks(const struct replay *);
unsigned replay_threads(const struct replay *);
/* Operations of the trace; of a native workload, its allocations. */
uint64_t replay_ops(const struct replay *);
/* Of a native workload: what it used of what it had built; else 0. */
uint64_t replay_uses(const struct replay *);
/* What was allocated: how many, and bytes as requested. */
uint64_t replay_allocs(const struct replay *);
uint64_t replay_bytes(const struct replay *);
/* Thread i's state of the ops (own_bytes). */
void *replay_own(const struct replay *, unsigned thread);

/* The block that the trace leaves as left[i], i < totals.left_blocks. */
void *replay_left(const struct replay *, uint64_t i);

void replay_close(struct replay *);

#endif
