/* trace_profile.c - fits a profile to a trace.
 *
 * The first play finds the favourite sizes, the places where most is freed at
 * once, hence groups and parts, and how often each object is resized (2
 * bytes each); the second counts.
 *
 * Of an object that was never resized all is known from its number and its
 * size.  For those that were, the map `resized` has, by number + 1, the births
 * before the last resize as `object`, and the group at birth as `thread`.
 *
 * Invariant after profile_fit_finish: the counts of `cells` and of born[] are
 * each the number of births (unless there are more kinds of cells than
 * SIZE_TALLY_MAX); those of `steps` and of `waits` the number of resizes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trace_profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Of a trace's births: at least as long is a long life, and that of an
     * object that dies at the begin of a part. */
    LONG_SHARE = 16,
    BURST_SHARE = 512,
    BURST_MIN = 16 /* frees */
};

/* ---- bins, groups, parts ---- */

unsigned profile_bin(uint64_t v)
{
    if (v < 8)
        return (unsigned)v;
    const unsigned octave = 63 - (unsigned)__builtin_clzll(v);

    return 8 + (octave - 3) * 4 + (unsigned)(v >> (octave - 2) & 3);
}

uint64_t profile_bin_begin(unsigned bin)
{
    if (bin < 8)
        return bin;
    return (uint64_t)(4 + bin % 4) << ((bin - 8) / 4 + 1);
}

static int by_value(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

unsigned profile_group(const struct trace_profile *p, uint64_t size)
{
    const uint64_t *f =
        bsearch(&size, p->favourite, p->nfavourites, sizeof *f, by_value);

    return f ? (unsigned)(f - p->favourite)
             : PROFILE_FAVOURITES + profile_bin(size);
}

size_t profile_part(const struct trace_profile *p, uint64_t birth)
{
    size_t part = 0, end = p->parts + 1;

    while (end - part > 1) {
        const size_t middle = part + (end - part) / 2;

        if (p->start[middle] <= birth)
            part = middle;
        else
            end = middle;
    }
    return part;
}

unsigned profile_state(uint64_t resizes, unsigned group)
{
    static const uint8_t least[PROFILE_GROWTHS] = {0, 1, 2, 4, 16, 128};
    unsigned growth = PROFILE_GROWTHS - 1;

    while (resizes < least[growth])
        growth--;
    return growth * PROFILE_GROUPS + group;
}

/* ---- the first play ---- */

static void end_run(struct profile_fit *fit)
{
    struct profile_burst *least = &fit->burst[0];

    for (size_t i = 1; i < PROFILE_BURSTS; i++)
        if (fit->burst[i].frees < least->frees)
            least = &fit->burst[i];
    if (fit->frees >= BURST_MIN && fit->frees > least->frees)
        *least = (struct profile_burst){fit->ledger.births - 1, fit->frees};
    fit->frees = 0;
}

static int first_birth(struct profile_fit *fit, const struct op *op)
{
    if (op->object >= fit->room) {
        const size_t wider = fit->room ? fit->room * 2 : 1 << 16;
        uint16_t *moved = realloc(fit->resizes, wider * sizeof *moved);

        if (!moved)
            return ENOMEM;
        fit->resizes = moved;
        fit->room = wider;
    }
    fit->resizes[op->object] = 0;
    end_run(fit);
    return size_tally_add(&fit->sizes, op->size);
}

static int first_put(struct op_sink *sink, const struct op *op)
{
    struct profile_fit *fit = (struct profile_fit *)sink;
    struct live before;
    int err = ledger_apply(&fit->ledger, op, &before);

    if (err)
        return err;
    fit->frees += op->kind == OP_FREE;
    if (op->kind == OP_RESIZE && fit->resizes[op->object] < UINT16_MAX)
        fit->resizes[op->object]++;
    return op->kind == OP_ALLOC || op->kind == OP_ZALLOC ? first_birth(fit, op)
                                                         : 0;
}

int profile_fit_init(struct profile_fit *fit, struct trace_profile *p)
{
    *fit = (struct profile_fit){.sink.put = first_put, .profile = p};
    *p = (struct trace_profile){0};
    int err = ledger_init(&fit->ledger);

    if (!err)
        err = size_tally_init(&fit->sizes);
    if (!err)
        err = address_map_init(&fit->resized);
    if (!err)
        err = size_tally_init(&p->cells);
    if (!err)
        err = size_tally_init(&p->steps);
    if (!err)
        err = size_tally_init(&p->waits);
    return err;
}

void profile_fit_free(struct profile_fit *fit)
{
    ledger_free(&fit->ledger);
    size_tally_free(&fit->sizes);
    address_map_free(&fit->resized);
    free(fit->resizes);
}

void trace_profile_free(struct trace_profile *p)
{
    size_tally_free(&p->cells);
    size_tally_free(&p->steps);
    size_tally_free(&p->waits);
    free(p->by_thread);
    free(p->freer);
}

/* ---- between the plays ---- */

static void choose_favourites(struct profile_fit *fit)
{
    struct trace_profile *p = fit->profile;
    struct size_count top[PROFILE_FAVOURITES];

    size_tally_sort(&fit->sizes);
    p->nfavourites = size_tally_top(&fit->sizes, top, PROFILE_FAVOURITES);
    for (size_t i = 0; i < p->nfavourites; i++)
        p->favourite[i] = top[i].size;
    qsort(p->favourite, p->nfavourites, sizeof *p->favourite, by_value);
}

static void cut_into_parts(const struct profile_fit *fit)
{
    struct trace_profile *p = fit->profile;
    uint64_t place[PROFILE_PARTS_MAX];
    size_t n = 0;

    for (uint64_t i = 0; i < PROFILE_EVEN_PARTS; i++)
        place[n++] = p->births / PROFILE_EVEN_PARTS * i +
                     p->births % PROFILE_EVEN_PARTS * i / PROFILE_EVEN_PARTS;
    for (size_t i = 0; i < PROFILE_BURSTS; i++)
        if (fit->burst[i].frees)
            place[n++] = fit->burst[i].place;
    qsort(place, n, sizeof *place, by_value);
    for (size_t i = 0; i < n; i++)
        if (p->parts == 0 || place[i] > p->start[p->parts - 1])
            p->start[p->parts++] = place[i];
    p->start[p->parts] = p->births;
}

static int second_put(struct op_sink *, const struct op *);

int profile_fit_again(struct profile_fit *fit)
{
    struct trace_profile *p = fit->profile;

    p->births = fit->ledger.births;
    p->threads = fit->ledger.threads;
    if (!p->births)
        return ENODATA;
    choose_favourites(fit);
    cut_into_parts(fit);
    p->by_thread = calloc(p->parts * p->threads, sizeof *p->by_thread);
    p->freer = calloc((size_t)p->threads * p->threads, sizeof *p->freer);
    if (!p->by_thread || !p->freer)
        return ENOMEM;
    fit->sink.put = second_put;
    fit->frees = 0;
    ledger_free(&fit->ledger);
    return ledger_init(&fit->ledger);
}

/* ---- the second play ---- */

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        const uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* Returns its group. */
static unsigned note_size(struct trace_profile *p, uint64_t size)
{
    const unsigned group = profile_group(p, size);

    if (group < PROFILE_FAVOURITES)
        return group;
    struct profile_range *r = &p->range[group - PROFILE_FAVOURITES];

    if (!r->max) {
        *r = (struct profile_range){size, size, 0};
        return group;
    }
    r->grain = greatest_divisor(r->grain,
                                size > r->min ? size - r->min : r->min - size);
    r->min = size < r->min ? size : r->min;
    r->max = size > r->max ? size : r->max;
    return group;
}

static void note_birth(struct profile_fit *fit, const struct op *op)
{
    struct trace_profile *p = fit->profile;
    const unsigned group = note_size(p, op->size);

    p->born[group]++;
    if (op->kind == OP_ZALLOC)
        p->how[group][0]++;
    else if (op->align_log2)
        p->how[group][op->align_log2]++;
    p->by_thread[profile_part(p, op->object) * p->threads + op->thread]++;
    p->switches += op->object > 0 && op->thread != fit->last_thread;
    fit->last_thread = op->thread;
    fit->frees = 0;
}

static int note_resize(struct profile_fit *fit, const struct op *op,
                       const struct live *before)
{
    struct trace_profile *p = fit->profile;
    const unsigned group = profile_group(p, before->size),
                   from = profile_state(fit->resizes[op->object], group),
                   to = note_size(p, op->size);
    const uint64_t births = fit->ledger.births;
    struct live_block *seen = address_map_find(&fit->resized, op->object + 1);
    const uint64_t wait = births - (seen ? seen->object : op->object + 1);
    int err = size_tally_add(&p->steps, profile_pair(from, to));

    if (!err)
        err = size_tally_add(&p->waits, profile_pair(from, profile_bin(wait)));
    if (err)
        return err;
    if (!seen)
        return address_map_add(
            &fit->resized, (struct live_block){op->object + 1, births, group});
    seen->object = births;
    return 0;
}

static unsigned life_of(const struct trace_profile *p, uint64_t object,
                        uint64_t births)
{
    const uint64_t others = births - 1 - object;

    if (others >= p->births / BURST_SHARE) {
        const size_t part = profile_part(p, births);

        if (p->start[part] == births)
            return LIFE_AT + (unsigned)part;
        if (others >= p->births / LONG_SHARE)
            return LIFE_LONG + (unsigned)(others / profile_long_step(p));
    }
    return profile_bin(others);
}

/* The object is of that size, and its life is over. */
static int note_life(struct profile_fit *fit, uint64_t object, uint64_t size,
                     unsigned life)
{
    struct trace_profile *p = fit->profile;
    struct live_block *resized = address_map_find(&fit->resized, object + 1);
    const unsigned group = resized ? resized->thread : profile_group(p, size);

    if (resized)
        address_map_remove(&fit->resized, resized);
    return size_tally_add(
        &p->cells, profile_cell(profile_part(p, object), group,
                                profile_bin(fit->resizes[object]), life));
}

static int note_free(struct profile_fit *fit, const struct op *op,
                     const struct live *before)
{
    struct trace_profile *p = fit->profile;

    p->freer[(size_t)live_thread(before) * p->threads + op->thread]++;
    if (fit->frees++) {
        p->pairs++;
        p->older += op->object < fit->last_freed;
    }
    fit->last_freed = op->object;
    return note_life(fit, op->object, before->size,
                     life_of(p, op->object, fit->ledger.births));
}

static int second_put(struct op_sink *sink, const struct op *op)
{
    struct profile_fit *fit = (struct profile_fit *)sink;
    struct live before;
    int err = ledger_apply(&fit->ledger, op, &before);

    if (!err && (fit->ledger.births > fit->profile->births ||
                 fit->ledger.threads > fit->profile->threads)) {
        strcpy(fit->ledger.why, "the trace grew between two readings");
        err = EBADMSG;
    }
    if (err)
        return err;
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ZALLOC:
        note_birth(fit, op);
        return 0;
    case OP_RESIZE:
        return note_resize(fit, op, &before);
    case OP_FREE:
        return note_free(fit, op, &before);
    default:
        return 0;
    }
}

int profile_fit_finish(struct profile_fit *fit)
{
    struct trace_profile *p = fit->profile;
    const struct live_map *left = &fit->ledger.live;
    int err = 0;

    for (size_t i = 0; i <= left->mask && !err; i++)
        if (left->cell[i].key)
            err = note_life(fit, live_object(&left->cell[i]),
                            left->cell[i].size, LIFE_NEVER);
    size_tally_sort(&p->cells);
    size_tally_sort(&p->steps);
    size_tally_sort(&p->waits);
    return err;
}

/* ---- how much it is ---- */

static uint64_t count_used(const uint64_t v[], size_t n)
{
    uint64_t used = 0;

    for (size_t i = 0; i < n; i++)
        used += v[i] != 0;
    return used;
}

uint64_t profile_numbers(const struct trace_profile *p)
{
    uint64_t n = p->parts + p->nfavourites + p->cells.distinct +
                 p->steps.distinct + p->waits.distinct;

    for (size_t i = 0; i < PROFILE_BINS; i++)
        n += p->range[i].max ? 3 : 0;
    n += count_used(p->how[0], (size_t)PROFILE_GROUPS * PROFILE_HOWS);
    n += count_used(p->by_thread, p->parts * p->threads);
    n += count_used(p->freer, (size_t)p->threads * p->threads);
    return n;
}
