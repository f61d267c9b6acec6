/* profile_compose.c - composes a trace of a profile.
 *
 * Births follow one another; what is due before a birth (resizes and frees)
 * waits in a heap, ordered by the number of births before it.
 *
 * Invariant: each live object that is still to be resized or freed has exactly
 * one event in the heap, at most `births`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trace_profile.h"

#include <errno.h>
#include <stdlib.h>

#include "random.h"

#define NEVER UINT64_MAX

struct event_due {
    uint64_t when; /* births before it */
    uint64_t object;
    uint64_t death;            /* births before it, or NEVER */
    uint32_t resizes, resized; /* planned, done; equal: this is the death */
    uint16_t group;            /* of its size now */
    uint16_t thread;           /* that used it last */
};

struct composer {
    const struct trace_profile *p;
    struct op_feed *feed;
    struct random random;
    struct event_due *heap; /* [n], of capacity; the first is due first */
    size_t n, capacity;
    struct event_due *dying; /* [ndying], of capacity: due now, by object */
    size_t ndying, dying_capacity;

    size_t part;
    uint64_t *deck; /* [ncards]: the cell of each birth left in the part */
    size_t ncards, deck_size;
    uint64_t switch_odds; /* of drawing a thread before a birth */
    unsigned thread;
    uint64_t older_odds;
};

/* ---- events ---- */

static int is_before(const struct event_due *a, const struct event_due *b)
{
    return a->when != b->when ? a->when < b->when : a->object < b->object;
}

static int reserve(struct event_due **array, size_t n, size_t *capacity)
{
    if (n < *capacity)
        return 0;
    const size_t wider = *capacity ? *capacity * 2 : 1024;
    struct event_due *moved = realloc(*array, wider * sizeof *moved);

    if (!moved)
        return ENOMEM;
    *array = moved;
    *capacity = wider;
    return 0;
}

static int heap_add(struct composer *c, const struct event_due *e)
{
    int err = reserve(&c->heap, c->n, &c->capacity);

    if (err)
        return err;
    size_t i = c->n++;

    for (; i > 0 && is_before(e, &c->heap[(i - 1) / 2]); i = (i - 1) / 2)
        c->heap[i] = c->heap[(i - 1) / 2];
    c->heap[i] = *e;
    return 0;
}

static struct event_due heap_take(struct composer *c)
{
    const struct event_due first = c->heap[0], last = c->heap[--c->n];
    size_t i = 0, child;

    for (; (child = 2 * i + 1) < c->n; i = child) {
        if (child + 1 < c->n && is_before(&c->heap[child + 1], &c->heap[child]))
            child++;
        if (!is_before(&c->heap[child], &last))
            break;
        c->heap[i] = c->heap[child];
    }
    c->heap[i] = last;
    return first;
}

/* ---- draws ---- */

/* One of counts[n], as often as they say; n if all are 0. */
static size_t draw_count(struct random *r, const uint64_t counts[], size_t n)
{
    uint64_t sum = 0, at;
    size_t i = 0;

    for (size_t k = 0; k < n; k++)
        sum += counts[k];
    if (!sum)
        return n;
    for (at = random_below(r, sum); at >= counts[i]; i++)
        at -= counts[i];
    return i;
}

/* The first cell of a sorted tally whose key is not below. */
static const struct size_count *tally_from(const struct size_tally *t,
                                           uint64_t key)
{
    size_t lo = 0, hi = t->distinct;

    while (lo < hi) {
        const size_t middle = lo + (hi - lo) / 2;

        if (t->cell[middle].size < key)
            lo = middle + 1;
        else
            hi = middle;
    }
    return t->cell + lo;
}

/* The second of a pair that begins with `from`; PROFILE_GROUPS if there is
 * none. */
static unsigned draw_pair(struct random *r, const struct size_tally *t,
                          unsigned from)
{
    const struct size_count *cell = tally_from(t, profile_pair(from, 0)),
                            *end = tally_from(t, profile_pair(from + 1, 0));
    uint64_t sum = 0, at;

    for (const struct size_count *i = cell; i < end; i++)
        sum += i->count;
    if (!sum)
        return PROFILE_GROUPS;
    for (at = random_below(r, sum); at >= cell->count; cell++)
        at -= cell->count;
    return (unsigned)(cell->size & 0xffff);
}

static uint64_t draw_size(struct composer *c, unsigned group)
{
    const struct trace_profile *p = c->p;
    uint64_t size;

    if (group < PROFILE_FAVOURITES)
        return p->favourite[group];
    const struct profile_range *r = &p->range[group - PROFILE_FAVOURITES];
    const uint64_t sizes = r->grain ? (r->max - r->min) / r->grain + 1 : 1;

    do /* favourites among them have had their share; min is none */
        size = r->min + r->grain * random_below(&c->random, sizes);
    while (profile_group(p, size) != group);
    return size;
}

static uint64_t draw_bin(struct composer *c, unsigned bin)
{
    const uint64_t begin = profile_bin_begin(bin);

    return begin + random_below(&c->random, profile_bin_begin(bin + 1) - begin);
}

/* When an object dies that is born after so many births: at the latest after
 * the last. */
static uint64_t draw_death(struct composer *c, unsigned life, uint64_t births)
{
    const struct trace_profile *p = c->p;
    const uint64_t next = births + 1, left = p->births - next;
    uint64_t others, step = profile_long_step(p);

    if (life == LIFE_NEVER)
        return NEVER;
    if (life >= LIFE_LONG) {
        others = (life - LIFE_LONG) * step;
        if (others < left && left - others < step)
            step = left - others;
        others += random_below(&c->random, step);
    } else if (life >= LIFE_AT) {
        const uint64_t at = p->start[life - LIFE_AT];

        others = at > next ? at - next : 0;
    } else {
        others = draw_bin(c, life);
    }
    return next + (others < left ? others : left);
}

/* ---- resizes and frees ---- */

static unsigned state_of(const struct event_due *e)
{
    return profile_state(e->resizes, e->group);
}

/* What comes next of an object that is as it is since so many births. */
static int plan_next(struct composer *c, struct event_due *e, uint64_t births)
{
    const uint64_t all = c->p->births, end = e->death < all ? e->death : all;
    unsigned bin = PROFILE_GROUPS;

    if (e->resized < e->resizes)
        bin = draw_pair(&c->random, &c->p->waits, state_of(e));
    if (bin < PROFILE_GROUPS) {
        const uint64_t wait = draw_bin(c, bin);

        e->when = end - births < wait ? end : births + wait;
        return heap_add(c, e);
    }
    e->resized = e->resizes; /* also if none of that size is resized */
    e->when = e->death;
    return e->death == NEVER ? 0 : heap_add(c, e);
}

static int resize(struct composer *c, struct event_due *e)
{
    e->group = (uint16_t)draw_pair(&c->random, &c->p->steps, state_of(e));
    e->resized++;
    feed_resize(c->feed, e->thread, e->object, draw_size(c, e->group));
    return plan_next(c, e, e->when);
}

/* In one go the young die first, in another the old. */
static void free_dying(struct composer *c)
{
    const struct trace_profile *p = c->p;
    const int is_young_first =
        c->ndying > 1 && random_chance(&c->random, c->older_odds);

    for (size_t i = 0; i < c->ndying; i++) {
        const struct event_due *e =
            &c->dying[is_young_first ? c->ndying - 1 - i : i];
        const uint64_t *row = p->freer + (size_t)e->thread * p->threads;
        const size_t who = draw_count(&c->random, row, p->threads);

        feed_free(c->feed, who < p->threads ? (unsigned)who : e->thread,
                  e->object);
    }
    c->ndying = 0;
}

static int do_due(struct composer *c, uint64_t births)
{
    int err = 0;

    while (c->n && c->heap[0].when <= births && !err) {
        struct event_due e = heap_take(c);

        if (e.resized < e.resizes) {
            err = resize(c, &e);
            continue;
        }
        err = reserve(&c->dying, c->ndying, &c->dying_capacity);
        if (!err)
            c->dying[c->ndying++] = e;
    }
    free_dying(c);
    return err;
}

/* ---- births ---- */

/* A thread that is drawn may be the one before: so threads are drawn more
 * often than they change. */
static uint64_t odds_of_drawing(const struct trace_profile *p,
                                const uint64_t by_thread[])
{
    double sum = 0, squares = 0;

    for (unsigned t = 0; t < p->threads; t++) {
        sum += (double)by_thread[t];
        squares += (double)by_thread[t] * (double)by_thread[t];
    }
    const double changes = sum > 0 ? 1 - squares / (sum * sum) : 0;

    if (changes <= 0)
        return 0;
    return random_odds((double)p->switches / (double)p->births / changes);
}

/* Each cell of the part as often as it is counted, so that a part has as many
 * of its rare and large objects as it had. */
static int make_deck(struct composer *c, size_t part)
{
    const struct trace_profile *p = c->p;
    const struct size_count *cell = tally_from(&p->cells,
                                               profile_cell(part, 0, 0, 0)),
                            *end = tally_from(&p->cells,
                                              profile_cell(part + 1, 0, 0, 0));
    const size_t births = (size_t)(p->start[part + 1] - p->start[part]);

    if (births > c->deck_size) {
        free(c->deck);
        c->deck = malloc(births * sizeof *c->deck);
        c->deck_size = c->deck ? births : 0;
    }
    if (!c->deck)
        return ENOMEM;
    c->ncards = 0;
    for (; cell < end; cell++)
        for (uint64_t i = 0; i < cell->count; i++)
            c->deck[c->ncards++] = cell->size;
    return 0;
}

/* A card at random leaves the deck. */
static uint64_t deal(struct composer *c)
{
    const size_t i = (size_t)random_below(&c->random, c->ncards);
    const uint64_t card = c->deck[i];

    c->deck[i] = c->deck[--c->ncards];
    return card;
}

static int begin_part(struct composer *c, size_t part)
{
    const struct trace_profile *p = c->p;
    const uint64_t *by_thread = p->by_thread + part * p->threads;

    c->part = part;
    c->switch_odds = odds_of_drawing(p, by_thread);
    c->thread = (unsigned)draw_count(&c->random, by_thread, p->threads);
    return make_deck(c, part);
}

static uint64_t bear(struct composer *c, unsigned group)
{
    const struct trace_profile *p = c->p;
    const uint64_t size = draw_size(c, group);
    uint64_t at = random_below(&c->random, p->born[group]);

    for (unsigned k = 0; k < PROFILE_HOWS; k++) {
        if (at < p->how[group][k])
            return k ? feed_aligned(c->feed, c->thread, size, UINT64_C(1) << k)
                     : feed_zalloc(c->feed, c->thread, size);
        at -= p->how[group][k];
    }
    return feed_alloc(c->feed, c->thread, size);
}

static int birth(struct composer *c, uint64_t births)
{
    if (random_chance(&c->random, c->switch_odds))
        c->thread = (unsigned)draw_count(
            &c->random, c->p->by_thread + c->part * c->p->threads,
            c->p->threads);
    const uint64_t cell = deal(c);
    struct event_due e = {
        .death = draw_death(c, cell & 0xfff, births),
        .group = (uint16_t)(cell >> 20 & 0xfff),
        .thread = (uint16_t)c->thread,
        .resizes = (uint32_t)draw_bin(c, cell >> 12 & 0xff),
    };

    e.object = bear(c, e.group);
    return plan_next(c, &e, births + 1);
}

static int compose(struct composer *c)
{
    const struct trace_profile *p = c->p;
    size_t part = 0;
    int err = 0;

    for (uint64_t births = 0; births < p->births && !err && !c->feed->err;
         births++) {
        err = do_due(c, births);
        if (!err && births == p->start[part])
            err = begin_part(c, part++);
        if (!err)
            err = birth(c, births);
    }
    return err ? err : do_due(c, p->births);
}

int profile_compose(const struct trace_profile *p, uint64_t seed,
                    struct op_feed *feed)
{
    struct composer c = {.p = p, .feed = feed};

    random_seed(&c.random, seed);
    c.older_odds =
        random_odds(p->pairs ? (double)p->older / (double)p->pairs : 0);
    for (unsigned t = 1; t < p->threads; t++)
        feed_spawn(feed, 0, t);
    int err = compose(&c);

    for (unsigned t = 1; t < p->threads; t++)
        feed_join(feed, 0, t);
    free(c.deck);
    free(c.heap);
    free(c.dying);
    return err ? err : feed->err;
}
