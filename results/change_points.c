/* change_points.c - where the level of a series changed.
 *
 * The energy statistic of a place needs three sums of distances: across it,
 * and within each side.  Moving the place by one point moves that point's
 * distances from one sum to another, so all places of a segment of n points
 * are tried in n^2 steps.
 *
 * The test: shuffle each segment within itself, find the best place again; p
 * is the share of shuffles, the real order counted in, that do at least as
 * well.  It ends as soon as p cannot be at most the level any more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "change_points.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "robust.h"

struct search {
    const struct change_rule *rule;
    const double *x; /* [n] */
    size_t n;
    double *shuffled;           /* [n] */
    struct change_point *point; /* [points], in order */
    size_t points;
    uint64_t random;
};

/* A place and how well it parts its segment. */
struct split {
    size_t at; /* 0: none */
    double q;
};

static double sum_distances(const double x[], size_t n, double from)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += fabs(x[i] - from);
    return sum;
}

/* The best place in x[n], both sides of `least` points or more. */
static struct split find_split(const double x[], size_t n, size_t least)
{
    struct split best = {0, -INFINITY};
    double across = 0, left = 0, right = 0;
    for (size_t i = 1; i < n; i++)
        right += sum_distances(x, i, x[i]);
    for (size_t at = 1; at + least <= n; at++) {
        double moved = x[at - 1]; /* from the right side to the left */
        double to_left = sum_distances(x, at - 1, moved);
        double to_right = sum_distances(x + at, n - at, moved);
        across += to_right - to_left;
        left += to_left;
        right -= to_right;
        if (at < least)
            continue;
        double a = (double)at, b = (double)(n - at);
        double energy = 2 * across / (a * b) - 2 * left / (a * (a - 1)) -
                        2 * right / (b * (b - 1));
        double q = energy * a * b / (a + b);
        if (q > best.q)
            best = (struct split){at, q};
    }
    return best;
}

static size_t begin_of(const struct search *s, size_t segment)
{
    return segment ? s->point[segment - 1].at : 0;
}

static size_t end_of(const struct search *s, size_t segment)
{
    return segment < s->points ? s->point[segment].at : s->n;
}

/* The best place of all segments; at counts from the start of the series. */
static struct split find_best(const struct search *s, const double x[])
{
    struct split best = {0, -INFINITY};
    for (size_t i = 0; i <= s->points; i++) {
        size_t begin = begin_of(s, i), n = end_of(s, i) - begin;
        if (n < 2 * s->rule->segment)
            continue;
        struct split here = find_split(x + begin, n, s->rule->segment);
        if (here.q > best.q)
            best = (struct split){begin + here.at, here.q};
    }
    return best;
}

static void shuffle_segments(struct search *s)
{
    for (size_t k = 0; k <= s->points; k++) {
        double *x = s->shuffled + begin_of(s, k);
        for (size_t i = end_of(s, k) - begin_of(s, k); i > 1; i--) {
            size_t j = draw_index(&s->random, i);
            double t = x[i - 1];
            x[i - 1] = x[j];
            x[j] = t;
        }
    }
}

/* p of the best place; above the level: "no", whatever its value. */
static double test_split(struct search *s, const struct split *best)
{
    double all = s->rule->permutations + 1.0, as_good = 1;
    memcpy(s->shuffled, s->x, s->n * sizeof *s->x);
    for (uint32_t i = 0; i < s->rule->permutations; i++) {
        shuffle_segments(s);
        as_good += find_best(s, s->shuffled).q >= best->q;
        if (as_good / all > s->rule->level)
            break;
    }
    return as_good / all;
}

static void insert_point(struct search *s, size_t at, double p)
{
    size_t i = s->points++;
    for (; i > 0 && s->point[i - 1].at > at; i--)
        s->point[i] = s->point[i - 1];
    s->point[i] = (struct change_point){.at = at, .p = p};
}

static void measure_levels(struct search *s)
{
    memcpy(s->shuffled, s->x, s->n * sizeof *s->x);
    for (size_t i = 0; i <= s->points; i++) {
        size_t begin = begin_of(s, i);
        double level = reals_median(s->shuffled + begin, end_of(s, i) - begin);
        if (i > 0)
            s->point[i - 1].after = level;
        if (i < s->points)
            s->point[i].before = level;
    }
}

int change_points_find(const double x[], size_t n,
                       const struct change_rule *rule,
                       struct change_point **out, size_t *found)
{
    assert(rule->segment >= 2);
    struct search s = {.rule = rule, .x = x, .n = n, .random = rule->seed};
    *out = NULL;
    *found = 0;
    if (n < 2 * rule->segment)
        return 0;
    s.shuffled = malloc(n * sizeof *s.shuffled);
    s.point = malloc(n / rule->segment * sizeof *s.point);
    if (!s.shuffled || !s.point) {
        free(s.point);
        free(s.shuffled);
        return ENOMEM;
    }
    struct split best;
    while ((best = find_best(&s, x)).q > 0) {
        double p = test_split(&s, &best);
        if (p > rule->level)
            break;
        insert_point(&s, best.at, p);
    }
    measure_levels(&s);
    free(s.shuffled);
    if (s.points == 0) {
        free(s.point);
        s.point = NULL;
    }
    *out = s.point;
    *found = s.points;
    return 0;
}
