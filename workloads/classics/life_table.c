/* life_table.c - blocks of a program that is modelled: sizes and lifetimes.
 *
 * Deaths are kept on a wheel with a place for each of the next LIFE_SPAN
 * births; the blocks that die together are a list.
 *
 * Invariant: a block on the wheel was born less than LIFE_SPAN births ago, so
 *            its birth modulo LIFE_SPAN names it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "life_table.h"

#include <errno.h>
#include <stdlib.h>

enum { NONE = UINT16_MAX };

struct life_block {
    uint64_t object;
    uint16_t next;  /* of those that die with it */
    uint16_t first; /* of those that die after the birth of this number */
};

int life_open(struct life *l, const struct life_row row[], size_t rows,
              struct op_feed *feed, unsigned thread)
{
    double *weight = malloc(rows * LIFE_OCTAVES * sizeof *weight);
    int err = weight ? 0 : ENOMEM;

    *l = (struct life){.row = row, .feed = feed, .thread = thread};
    for (size_t r = 0; r < rows && !err; r++)
        for (size_t k = 0; k < LIFE_OCTAVES; k++)
            weight[r * LIFE_OCTAVES + k] = row[r].share[k];
    if (!err)
        err = alias_init(&l->cells, weight, (uint32_t)(rows * LIFE_OCTAVES));
    free(weight);
    l->block = malloc(LIFE_SPAN * sizeof *l->block);
    if (!l->block)
        return ENOMEM;
    for (size_t i = 0; i < LIFE_SPAN; i++)
        l->block[i].first = NONE;
    return err;
}

void life_close(struct life *l)
{
    alias_free(&l->cells);
    free(l->block);
}

static uint64_t draw_size(const struct life_row *row, struct random *random)
{
    if (row->step == 0)
        return row->min;
    uint64_t steps = (row->max - row->min) / row->step;

    return row->min + row->step * random_between(random, 0, steps);
}

static uint64_t draw_lifetime(uint32_t octave, struct random *random)
{
    if (octave == 0)
        return 0;
    uint64_t least = UINT64_C(1) << (octave - 1);

    return least + random_below(random, least);
}

struct life_draw life_draw(const struct life *l, struct random *random)
{
    uint32_t cell = alias_draw(&l->cells, random);
    size_t row = cell / LIFE_OCTAVES;

    return (struct life_draw){
        .row = row,
        .size = draw_size(&l->row[row], random),
        .lifetime = draw_lifetime(cell % LIFE_OCTAVES, random),
    };
}

/* Those die whose time is after the birth of this number. */
static void bury(struct life *l, uint64_t birth)
{
    struct life_block *now = &l->block[birth % LIFE_SPAN];

    for (uint16_t i = now->first; i != NONE; i = l->block[i].next)
        feed_free(l->feed, l->thread, l->block[i].object);
    now->first = NONE;
}

uint64_t life_bear(struct life *l, uint64_t size, uint64_t lifetime)
{
    struct life_block *block = &l->block[l->births % LIFE_SPAN];
    struct life_block *death = &l->block[(l->births + lifetime) % LIFE_SPAN];

    block->object = feed_alloc(l->feed, l->thread, size);
    block->next = death->first;
    death->first = (uint16_t)(l->births % LIFE_SPAN);
    bury(l, l->births++);
    return block->object;
}

uint64_t life_keep(struct life *l, uint64_t size)
{
    uint64_t object = feed_alloc(l->feed, l->thread, size);

    bury(l, l->births++);
    return object;
}

void life_end(struct life *l)
{
    for (uint64_t i = 0; i < LIFE_SPAN; i++)
        bury(l, l->births + i);
}
