/* sh_ring.c - the table of sh6bench and sh8bench.
 *
 * Invariant: between two calls the live places are those before `at` and the
 * survivors', and `at` is no place of a survivor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sh_ring.h"

enum { PARTS = 5 /* one of which survives */ };

static void skip_survivors(struct sh_ring *r)
{
    if (r->at == r->from && r->to > r->from)
        r->at = r->to;
}

/* The places after the last survivors', or from the start again. */
static void choose_survivors(struct sh_ring *r)
{
    uint64_t part = r->places / PARTS;

    r->from = r->to < r->places ? r->to : 0;
    r->to = r->places - r->from < part ? r->places : r->from + part;
}

static void turn_over(struct sh_ring *r)
{
    choose_survivors(r);
    for (uint64_t i = 0; i < r->from; i++)
        lockstep_release(r->lockstep, i);
    for (uint64_t i = r->places; i > r->to; i--)
        lockstep_release(r->lockstep, i - 1);
    r->at = 0;
    skip_survivors(r);
}

void sh_ring_add(struct sh_ring *r, uint64_t size)
{
    if (r->at == r->places)
        turn_over(r);
    lockstep_alloc(r->lockstep, r->at++, size);
    skip_survivors(r);
}

void sh_ring_drain(struct sh_ring *r)
{
    for (uint64_t i = 0; i < r->at; i++)
        lockstep_release(r->lockstep, i);
    for (uint64_t i = r->from > r->at ? r->from : r->at; i < r->to; i++)
        lockstep_release(r->lockstep, i);
    lockstep_flush(r->lockstep);
    *r = (struct sh_ring){.lockstep = r->lockstep, .places = r->places};
}
