/* player.h - one thread that walks its records of a trace.
 *
 * play_fast is the measured loop, with the allocator's hooks called through
 * its table like every backend's and the touch policy compiled in.  The other
 * replayers run the same loop over a table of their own block_ops.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PLAYER_H
#define HEAPYARD_PLAYER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "allocator.h"
#include "row.h"
#include "shared_page.h"
#include "trace.h"

/* What the client writes of a new block (and of a touched or grown one). */
enum touch {
    TOUCH_NONE, /* nothing */
    TOUCH_BYTE, /* its first byte */
    TOUCH_PAGE, /* its first byte, one in every further 4 KiB, its last */
    TOUCH_LINE, /* one byte in every 64, and its last */
    TOUCH_FULL, /* every byte */
    TOUCH_KINDS
};

const char *touch_name(enum touch);
int touch_parse(const char *name, enum touch *out); /* 0 or EINVAL */

struct player;
struct native;         /* native.h */
struct native_request; /* native_request.h */

/* What a replayer does with blocks.  size, align and zero as in allocator.h.
 * None returns after a failure: see player_fail. */
struct block_ops {
    void *(*alloc)(struct player *, size_t size, size_t align, int zero);
    void (*dealloc)(struct player *, void *p, size_t size);
    void *(*resize)(struct player *, void *p, size_t old_size, size_t new_size);
    void (*touch)(struct player *, void *p, size_t size);
};

struct player {
    const struct event *first, *at; /* at: the record that is being played,
                                       for player_fail to name */
    void **slots;
    void *_Atomic *mailboxes;
    const struct allocator *allocator;
    struct heap *heap;
    void *(*alloc)(struct heap *, size_t size, size_t align); /* allocator's */
    void (*dealloc)(struct heap *, void *p, size_t size);
    struct shared_page *page;
    unsigned thread;
    unsigned threads;
    uint64_t window;     /* 0: unbounded */
    uint64_t horizon;    /* may go on to this place without looking */
    uint64_t wait_ticks; /* spent waiting for others: estimate */
    uint64_t slice_step; /* operations of a slice; 0: none are taken */
    void (*mark)(void *meter, unsigned mark); /* or NULL */
    void *meter;
    int result_fd;         /* where player_fail writes */
    enum touch touch;      /* for block_ops; play_fast has it compiled in */
    void *own;             /* state of the block_ops: this thread's */
    void *common;          /* state of the block_ops: all threads' */
    struct native *native; /* of a native workload, with its request */
    const struct native_request *request;
    uint64_t started_cpu_ns, ended_cpu_ns;
    char pad[64];
};

/* Write `size` bytes at q as the policy says. */
void touch_bytes(void *q, size_t size, enum touch);

/* Play all records of this thread with the touch policy compiled in. */
void play_fast(struct player *, enum touch);
/* Play them through `ops`. */
void play_with(struct player *, const struct block_ops *ops);

enum { PLAYER_FAILED = 1 }; /* exit code */

/* Write the status and a note of at most 150 bytes ("allocator returned …
 * thread 0, record 12: " is put before it) to result_fd, and end the process:
 * after this nothing that the allocator does can be trusted. */
_Noreturn void player_fail(const struct player *, enum status,
                           const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fail as corrupt unless all of a new block is 0. */
void player_check_zeroed(const struct player *, const char *block, size_t size);

/* The replayers beside play_fast. */
extern const struct block_ops check_ops;
extern const struct block_ops latency_ops;

#endif
