/* feed.c - the producer's side of an operation stream.
 *
 * A workload calls feed_alloc, feed_free … without looking at errors: the
 * first one stays in feed->err, and every later call returns at once.  So a
 * workload reads like the program that it imitates.
 *
 * Invariant: feed->births is the number of births that the sink has seen, so
 * it is also the number of the next object.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "op.h"

#include <assert.h>
#include <stddef.h>

static void feed_put(struct op_feed *feed, unsigned thread, struct op op)
{
    if (feed->err)
        return;
    assert(thread < OP_MAX_THREADS);
    op.thread = (uint16_t)thread;
    feed->err = feed->sink->put(feed->sink, &op);
}

static uint64_t feed_birth(struct op_feed *feed, unsigned thread, struct op op)
{
    op.object = feed->births;
    feed_put(feed, thread, op);
    if (feed->err)
        return op.object;
    return feed->births++;
}

uint64_t feed_alloc(struct op_feed *feed, unsigned thread, uint64_t size)
{
    return feed_birth(feed, thread,
                      (struct op){.kind = OP_ALLOC, .size = size});
}

uint64_t feed_zalloc(struct op_feed *feed, unsigned thread, uint64_t size)
{
    return feed_birth(feed, thread,
                      (struct op){.kind = OP_ZALLOC, .size = size});
}

static uint8_t log2_of(uint64_t align)
{
    uint8_t log2 = 0;

    while (align >> 1 >> log2)
        log2++;
    return log2;
}

uint64_t feed_aligned(struct op_feed *feed, unsigned thread, uint64_t size,
                      uint64_t align)
{
    assert((align & (align - 1)) == 0);
    return feed_birth(feed, thread,
                      (struct op){.kind = OP_ALLOC,
                                  .align_log2 = log2_of(align),
                                  .size = size});
}

void feed_resize(struct op_feed *feed, unsigned thread, uint64_t object,
                 uint64_t new_size)
{
    feed_put(
        feed, thread,
        (struct op){.kind = OP_RESIZE, .object = object, .size = new_size});
}

void feed_free(struct op_feed *feed, unsigned thread, uint64_t object)
{
    feed_put(feed, thread, (struct op){.kind = OP_FREE, .object = object});
}

void feed_touch(struct op_feed *feed, unsigned thread, uint64_t object,
                uint64_t bytes)
{
    feed_put(feed, thread,
             (struct op){.kind = OP_TOUCH, .object = object, .size = bytes});
}

void feed_spawn(struct op_feed *feed, unsigned thread, unsigned child)
{
    feed_put(feed, thread, (struct op){.kind = OP_SPAWN, .object = child});
}

void feed_join(struct op_feed *feed, unsigned thread, unsigned child)
{
    feed_put(feed, thread, (struct op){.kind = OP_JOIN, .object = child});
}

void feed_mark(struct op_feed *feed, unsigned thread, const char *name)
{
    assert(name != NULL);
    feed_put(feed, thread, (struct op){.kind = OP_MARK, .name = name});
}

void feed_time(struct op_feed *feed, uint64_t ns)
{
    feed_put(feed, 0, (struct op){.kind = OP_TIME, .size = ns});
}
