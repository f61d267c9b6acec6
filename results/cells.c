/* cells.c - samples gathered by cell, before they are reduced.
 *
 * Open addressing with linear probing, at most half full; cells never leave.
 *
 * Invariant: no two cells of one table have the same key.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cells.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fnv1a.h"

/* With its final 0, so that "ab","c" is not "a","bc". */
static uint64_t hash_text(uint64_t h, const char *text)
{
    return fnv1a(h, text, strlen(text) + 1);
}

uint64_t cell_hash(const struct run_key *k, const char *metric, const char *at)
{
    uint64_t h = FNV1A_START;
    h = hash_text(h, k->workload);
    h = fnv1a(h, &k->threads, sizeof k->threads);
    h = fnv1a(h, &k->scale, sizeof k->scale);
    h = hash_text(h, k->touch);
    h = fnv1a(h, &k->window, sizeof k->window);
    h = hash_text(h, k->meter);
    h = hash_text(h, k->allocator);
    h = hash_text(h, metric);
    return hash_text(h, at);
}

static bool is_cell(const struct cell *c, const struct run_key *k,
                    const char *metric, const char *at)
{
    const struct run_key *own = &c->estimate.key;
    return own->threads == k->threads && own->window == k->window &&
           own->scale == k->scale && !strcmp(own->allocator, k->allocator) &&
           !strcmp(c->estimate.metric, metric) && !strcmp(c->estimate.at, at) &&
           !strcmp(own->workload, k->workload) &&
           !strcmp(own->meter, k->meter) && !strcmp(own->touch, k->touch);
}

/* The slot that holds the cell, or the free one where it would go. */
static size_t *find_slot(const struct cells *t, const struct run_key *key,
                         const char *metric, const char *at)
{
    size_t i = (size_t)cell_hash(key, metric, at) & (t->slots - 1);
    while (t->slot[i] && !is_cell(t->cell[t->slot[i] - 1], key, metric, at))
        i = (i + 1) & (t->slots - 1);
    return &t->slot[i];
}

struct cell *cells_find(const struct cells *t, const struct run_key *key,
                        const char *allocator, const char *metric,
                        const char *at)
{
    if (!t->slots)
        return NULL;
    struct run_key other = *key;
    memset(other.allocator, 0, sizeof other.allocator);
    strncpy(other.allocator, allocator, sizeof other.allocator - 1);
    size_t found = *find_slot(t, &other, metric, at);
    return found ? t->cell[found - 1] : NULL;
}

static int grow(struct cells *t)
{
    size_t slots = t->slots ? 2 * t->slots : 256;
    struct cell **cell = realloc(t->cell, slots / 2 * sizeof *cell);
    if (!cell)
        return ENOMEM;
    t->cell = cell;
    t->room = slots / 2;
    size_t *slot = calloc(slots, sizeof *slot);
    if (!slot)
        return ENOMEM;
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
    for (size_t i = 0; i < t->n; i++) {
        const struct estimate *e = &t->cell[i]->estimate;
        *find_slot(t, &e->key, e->metric, e->at) = i + 1;
    }
    return 0;
}

static int make_cell(struct cells *t, const struct row *row, struct cell **out)
{
    int err = t->n == t->room ? grow(t) : 0;
    if (err)
        return err;
    struct cell *c = calloc(1, sizeof *c);
    if (!c)
        return ENOMEM;
    struct estimate *e = &c->estimate;
    e->key = row->key;
    e->key.run = e->key.block = 0;
    memcpy(e->metric, row->metric, sizeof e->metric);
    memcpy(e->at, row->at, sizeof e->at);
    memcpy(e->unit, row->unit, sizeof e->unit);
    *find_slot(t, &e->key, e->metric, e->at) = t->n + 1;
    t->cell[t->n++] = c;
    *out = c;
    return 0;
}

static int number_session(struct cells *t, const char name[24], uint32_t *out)
{
    size_t i = t->sessions; /* the last one is the likeliest */
    while (i > 0 && strcmp(t->session[i - 1], name))
        i--;
    if (i == 0) {
        char(*more)[24] = realloc(t->session, (t->sessions + 1) * sizeof *more);
        if (!more)
            return ENOMEM;
        t->session = more;
        memcpy(more[t->sessions], name, sizeof *more);
        i = ++t->sessions;
    }
    *out = (uint32_t)i;
    return 0;
}

static int add_sample(struct cell *c, const struct sample *s)
{
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 16;
        struct sample *more = realloc(c->samples, room * sizeof *more);
        if (!more)
            return ENOMEM;
        c->samples = more;
        c->room = room;
    }
    c->samples[c->n++] = *s;
    return 0;
}

int cells_add(struct cells *t, const struct row *row)
{
    struct cell *c =
        cells_find(t, &row->key, row->key.allocator, row->metric, row->at);
    int err = c ? 0 : make_cell(t, row, &c);
    if (err)
        return err;
    if (strcmp(c->estimate.unit, row->unit))
        return EINVAL;
    if (!c->note[row->status][0])
        memcpy(c->note[row->status], row->note, sizeof row->note);
    if (row->status != STATUS_OK) {
        c->failed[row->status]++;
        return 0;
    }
    struct sample s = {row->value, row->key.seed, 0, row->key.block};
    err = number_session(t, row->key.session, &s.session);
    return err ? err : add_sample(c, &s);
}

/* A point of a curve has a time in `at`, and a single call its operation: they
 * are of one run, and nothing to take a median of. */
static bool is_of_one_run(const struct row *row)
{
    return isdigit((unsigned char)row->at[0]) || !strncmp(row->at, "op:", 3);
}

int cells_take(struct cells *t, const struct row *row, const char *place,
               char *why, size_t why_size)
{
    int err = is_of_one_run(row) ? 0 : cells_add(t, row);
    if (err != EINVAL)
        return err;
    snprintf(why, why_size,
             "%s: unit = '%s' (want that of the rows of '%s' before)", place,
             row->unit, row->metric);
    return EBADMSG;
}

void cells_free(struct cells *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->cell[i]->samples);
        free(t->cell[i]);
    }
    free(t->cell);
    free(t->slot);
    free(t->session);
    *t = (struct cells){0};
}
