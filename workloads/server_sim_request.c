/* server_sim_request.c - requests: blocks that die together.
 *
 * A request runs in steps, between which other requests of its lane run.  In
 * each step it allocates some blocks.  A part of them is temporary: half of
 * those live until the next allocation, the others until the next step, last
 * in first out.  What it keeps (its response among it) dies when it ends: in
 * its lane, or sent to another as one message.
 *
 * The first block that a request keeps may be a buffer: it grows by realloc
 * as the response is written, and is trimmed at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server_sim.h"

void request_start(struct server *s, struct request *r)
{
    uint64_t blocks = random_geometric(&s->random, s->knob[KNOB_OBJECTS]);
    uint64_t steps = random_geometric(&s->random, s->knob[KNOB_STEPS]);

    r->to_make = (uint32_t)(blocks < REQUEST_BLOCKS ? blocks : REQUEST_BLOCKS);
    r->steps_left = steps < r->to_make ? (uint32_t)steps : r->to_make;
    r->grows_left = 0;
    r->size_before = 0;
    if (random_chance(&s->random, s->odds.buffer))
        r->grows_left =
            (uint32_t)random_geometric(&s->random, s->knob[KNOB_GROWS]);
}

static void allocate(struct server *s, struct lane *lane, struct request *r,
                     uint32_t n)
{
    struct block brief;
    uint32_t briefs = 0; /* 0 or 1: is `brief` alive? */

    for (uint32_t i = 0; i < n; i++) {
        struct block made = block_make(s, lane, sizes_draw_request(s));

        blocks_release(s, lane, &brief, briefs, PATIENCE_TEMPORARY);
        briefs = 0;
        if (!random_chance(&s->random, s->odds.temporary)) {
            block_list_add(s, &r->kept, made);
        } else if (random_next(&s->random) >> 63) {
            block_list_add(s, &r->temporary, made);
        } else {
            brief = made;
            briefs = 1;
        }
    }
    blocks_release(s, lane, &brief, briefs, PATIENCE_TEMPORARY);
    r->to_make -= n;
}

static void free_temporaries(struct server *s, struct lane *lane,
                             struct request *r)
{
    while (r->temporary.count > 0)
        blocks_release(s, lane, &r->temporary.block[--r->temporary.count], 1,
                       PATIENCE_TEMPORARY);
}

static void resize(struct server *s, const struct lane *lane,
                   struct block *block, uint32_t size)
{
    feed_resize(s->feed, lane->thread, block->object, size);
    block->size = size;
}

static uint32_t grown_size(struct server *s, uint32_t size)
{
    enum {
        BY_BOTH,
        BY_DOUBLE,
        BY_HALF
    } growth = (unsigned)s->knob[KNOB_GROWTH];

    if (growth == BY_BOTH) /* each size class has its own habit */
        growth = size & 16 ? BY_HALF : BY_DOUBLE;
    return growth == BY_DOUBLE ? 2 * size : size + size / 2 + 1;
}

static void grow_buffer(struct server *s, struct lane *lane, struct request *r)
{
    uint32_t times = (r->grows_left + r->steps_left - 1) / r->steps_left;
    struct block *buffer = r->kept.block;

    if (r->kept.count == 0)
        return;
    for (; times > 0; times--, r->grows_left--) {
        uint32_t size = grown_size(s, buffer->size);
        if (size > s->knob[KNOB_BUFFER_MAX]) {
            r->grows_left = 0;
            return;
        }
        r->size_before = buffer->size;
        resize(s, lane, buffer, size);
    }
}

/* The response ends somewhere in what the buffer gained last. */
static void trim_buffer(struct server *s, struct lane *lane, struct request *r)
{
    struct block *buffer = r->kept.block;

    if (r->size_before > 0)
        resize(s, lane, buffer,
               (uint32_t)random_between(&s->random, r->size_before,
                                        buffer->size - 1));
}

static void reverse(struct block_list *list)
{
    for (uint32_t i = 0, j = list->count; i + 1 < j; i++) {
        struct block swapped = list->block[i];
        list->block[i] = list->block[--j];
        list->block[j] = swapped;
    }
}

static void end(struct server *s, struct lane *lane, struct request *r)
{
    trim_buffer(s, lane, r);
    free_temporaries(s, lane, r);
    if (random_chance(&s->random, s->odds.lifo))
        reverse(&r->kept);
    blocks_release(s, lane, r->kept.block, r->kept.count, PATIENCE_RESPONSE);
    r->kept.count = 0;
}

bool request_step(struct server *s, struct lane *lane, struct request *r)
{
    free_temporaries(s, lane, r);
    allocate(s, lane, r, r->to_make / r->steps_left);
    grow_buffer(s, lane, r);
    if (--r->steps_left > 0)
        return false;
    end(s, lane, r);
    return true;
}
