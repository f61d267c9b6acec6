/* lockstep.c - threads that all do the same, each with objects of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lockstep.h"

#include <errno.h>
#include <stdlib.h>

int lockstep_init(struct lockstep *l, struct op_feed *feed, uint64_t places,
                  unsigned first, unsigned threads)
{
    *l = (struct lockstep){
        .feed = feed, .places = places, .first = first, .threads = threads};
    l->object = malloc(places * threads * sizeof *l->object);
    return l->object ? 0 : ENOMEM;
}

void lockstep_free(struct lockstep *l)
{
    free(l->object);
}

static void play_turn(struct lockstep *l, unsigned i)
{
    uint64_t *object = &l->object[i * l->places];
    unsigned thread = l->first + i;

    for (unsigned k = 0; k < l->steps; k++) {
        const struct lockstep_step *step = &l->step[k];

        if (step->size > 0)
            object[step->place] = feed_alloc(l->feed, thread, step->size);
        else
            feed_free(l->feed, thread, object[step->place]);
    }
}

void lockstep_flush(struct lockstep *l)
{
    for (unsigned i = 0; i < l->threads; i++)
        play_turn(l, i);
    l->steps = 0;
}

static void add(struct lockstep *l, uint64_t place, uint64_t size)
{
    l->step[l->steps++] = (struct lockstep_step){place, size};
    if (l->steps == LOCKSTEP_TURN)
        lockstep_flush(l);
}

void lockstep_alloc(struct lockstep *l, uint64_t place, uint64_t size)
{
    add(l, place, size);
}

void lockstep_release(struct lockstep *l, uint64_t place)
{
    add(l, place, 0);
}
