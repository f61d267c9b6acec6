/* gc_candidates.c - settings of a collector that compete with its default.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_candidates.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "paired.h"

/* Values on both sides of the defaults, each about a factor of two apart: the
 * search is for large effects, as small ones do not outlive the next change
 * of the program. */
const struct gc_tunable gc_tunables[] = {
    {"gc", "growth", "1.25 1.6 2 3 5"},
    {"gc", "min", "1m 8m 32m 128m"},
    {"gc", "markers", "1 2 4"},
    {"gc", "generational", "on on:nursery=3 on:nursery=30"},
    {"gc", "share", "5 20"},
    {"bdwgc", "divisor", "1 2 3 6 12"},
    {"bdwgc", "markers", "1 2 4"},
    {"bdwgc", "incremental", "on off"},
    {0},
};

/* ---- filling ---- */

static int is_of(const struct gc_tunable *t, const char *text)
{
    size_t n = strcspn(text, ":");

    return strlen(t->allocator) == n && !strncmp(t->allocator, text, n);
}

static int sets(const char *text, const char *knob)
{
    char set[64];

    snprintf(set, sizeof set, ":%s=", knob);
    return strstr(text, set) != NULL;
}

/* Whether text with the change differs from text alone. */
static int is_change(const char *text, const char *change)
{
    const struct allocator *a;
    struct knob_values with, without;
    char changed[SPEC_NAME_MAX + 96], why[256];

    snprintf(changed, sizeof changed, "%s:%s", text, change);
    return !allocator_choose(text, &a, &without, why, sizeof why) &&
           !allocator_choose(changed, &a, &with, why, sizeof why) &&
           memcmp(&with, &without, sizeof with);
}

static struct candidate *add(struct candidates *all, const char *change,
                             uint64_t knobs)
{
    if (all->n == CANDIDATES_MAX)
        return NULL;
    struct candidate *c = &all->c[all->n++];

    *c = (struct candidate){.knobs = knobs};
    snprintf(c->change, sizeof c->change, "%s", change);
    return c;
}

static void add_values(struct candidates *all, const char *text, size_t i)
{
    const struct gc_tunable *t = &gc_tunables[i];
    char change[96];

    for (const char *v = t->values; *v; v += strspn(v, " ")) {
        int n = (int)strcspn(v, " ");

        snprintf(change, sizeof change, "%s=%.*s", t->knob, n, v);
        if (is_change(text, change))
            add(all, change, UINT64_C(1) << i);
        v += n;
    }
}

int candidates_fill(struct candidates *all, const char *text, char *why,
                    size_t why_size)
{
    *all = (struct candidates){0};
    for (size_t i = 0; gc_tunables[i].allocator; i++)
        if (is_of(&gc_tunables[i], text) && !sets(text, gc_tunables[i].knob))
            add_values(all, text, i);
    if (all->n)
        return 0;
    snprintf(why, why_size,
             "%.100s has no knob left to tune (want a collector of ours, with "
             "some of its knobs unset)",
             text);
    return EINVAL;
}

void candidates_combine(struct candidates *all)
{
    size_t n = all->n;

    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++) {
            const struct candidate *a = &all->c[i], *b = &all->c[k];
            char both[96];

            if (a->is_out || b->is_out || (a->knobs & b->knobs) ||
                strlen(a->change) + strlen(b->change) + 2 > sizeof both)
                continue;
            strcpy(both, a->change);
            strcat(both, ":");
            strcat(both, b->change);
            add(all, both, a->knobs | b->knobs);
        }
}

/* ---- the race ---- */

double candidate_centre(const struct candidate *c)
{
    struct interval centre;

    if (!c->n || paired_centre(c->x, c->n, 0.95, &centre))
        return INFINITY;
    return centre.value;
}

size_t candidates_left(const struct candidates *all)
{
    size_t left = 0;

    for (size_t i = 0; i < all->n; i++)
        left += !all->c[i].is_out;
    return left;
}

static struct candidate *worst_left(struct candidates *all)
{
    struct candidate *worst = NULL;
    double most = -INFINITY;

    for (size_t i = 0; i < all->n; i++) {
        double centre = candidate_centre(&all->c[i]);

        if (all->c[i].is_out || centre < most)
            continue;
        worst = &all->c[i];
        most = centre;
    }
    return worst;
}

size_t candidates_halve(struct candidates *all, size_t keep)
{
    size_t left = candidates_left(all), goal = (left + 1) / 2;

    for (goal = goal > keep ? goal : keep; left > goal; left--)
        worst_left(all)->is_out = 1;
    return left;
}

const struct candidate *candidates_best(const struct candidates *all)
{
    const struct candidate *best = NULL;
    double least = INFINITY;

    for (size_t i = 0; i < all->n; i++) {
        double centre = candidate_centre(&all->c[i]);

        if (all->c[i].is_out || centre >= least)
            continue;
        best = &all->c[i];
        least = centre;
    }
    return best;
}
