/* gc_tune.c - searches the knobs of a collector for one workload.
 *
 * Successive halving: every setting runs a little beside the default, the
 * better half runs more, and so on; then unions of the best ones race the same
 * way.  What wins has also been lucky, so it is compared with the default in
 * fresh pairs, and only those are reported.
 *
 * Source: K. Jamieson & A. Talwalkar, "Non-stochastic best arm identification
 * and hyperparameter optimization", AISTATS 2016.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_tune.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carry_out.h"
#include "commands.h"
#include "gc_candidates.h"
#include "paired.h"
#include "progress.h"
#include "random.h"

enum { BLOCKS = 2, FINAL_PAIRS = 12, QUICK_PAIRS = 6 };

const struct gc_goal gc_goals[] = {
    {"throughput", "gc", "wall", "wall time"},
    {"pause", "gc", "pause_max", "longest pause"},
    {"memory", "memory", "rss_peak", "peak memory"},
    {0},
};
enum { GOALS = 3 };

const struct gc_goal *gc_goal_find(const char *name)
{
    for (size_t i = 0; gc_goals[i].name; i++)
        if (!strcmp(gc_goals[i].name, name))
            return &gc_goals[i];
    return NULL;
}

struct tuner {
    struct gc_study *study;
    const struct gc_goal *goal;
    const char *base; /* the allocator, as the user named it */
    struct probe probe;
    struct candidates all;
    struct random random;
    struct progress progress;
    double pair[GOALS][PAIRED_MAX]; /* of the last comparison */
    size_t pairs[GOALS];
};

/* ---- runs ---- */

/* Values of goals that this meter gives, NAN where the run has none.  change:
 * "" for the default. */
static int run(struct tuner *t, const char *change, const char *meter,
               double value[GOALS])
{
    struct gc_study *s = t->study;
    char allocator[SPEC_NAME_MAX];
    struct outcome o;

    snprintf(allocator, sizeof allocator, "%s%s%s", t->base,
             change[0] ? ":" : "", change);
    progress_show(&t->progress, allocator);
    int err = probe_run(&t->probe, allocator, meter, &o, s->why, sizeof s->why);

    for (size_t i = 0; i < GOALS; i++)
        if (!strcmp(gc_goals[i].meter, meter))
            value[i] = err || o.status != STATUS_OK
                           ? (double)NAN
                           : probe_value(&o, gc_goals[i].metric);
    if (!err && o.status != STATUS_OK && !change[0]) {
        snprintf(s->why, sizeof s->why, "%.200s: %s: %.159s", allocator,
                 status_name(o.status), o.note);
        err = EBADMSG; /* there is nothing to compare with */
    }
    progress_step(&t->progress);
    outcome_free(&o);
    return err;
}

static size_t goal_index(const struct tuner *t)
{
    return (size_t)(t->goal - gc_goals);
}

/* ---- the search ---- */

static void shuffle(struct tuner *t, size_t order[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)random_below(&t->random, i), moved = order[i - 1];

        order[i - 1] = order[k];
        order[k] = moved;
    }
}

/* One block: all that is left, and the default (index n), in shuffled order. */
static int play_block(struct tuner *t)
{
    const size_t n = t->all.n, g = goal_index(t);
    size_t order[CANDIDATES_MAX + 1];
    double value[CANDIDATES_MAX + 1], all[GOALS];
    int err = 0;

    shuffle(t, order, n + 1);
    for (size_t i = 0; i <= n && !err; i++) {
        size_t k = order[i];

        if (k < n && t->all.c[k].is_out)
            continue;
        err = run(t, k < n ? t->all.c[k].change : "", t->goal->meter, all);
        value[k] = all[g];
    }
    for (size_t k = 0; k < n && !err; k++) {
        struct candidate *c = &t->all.c[k];
        double x = c->is_out ? (double)NAN : log(value[k] / value[n]);

        if (isfinite(x) && c->n < CANDIDATE_BLOCKS_MAX)
            c->x[c->n++] = x;
        else if (!c->is_out && isfinite(value[n])) {
            c->is_out = c->has_failed = 1; /* or it never collected */
        }
    }
    return err;
}

/* Until `keep` are left. */
static int race(struct tuner *t, size_t keep)
{
    int err = 0;

    do {
        for (int i = 0; i < BLOCKS && !err; i++)
            err = play_block(t);
    } while (!err && candidates_halve(&t->all, keep) > keep);
    return err;
}

static int search(struct tuner *t)
{
    int err =
        candidates_fill(&t->all, t->base, t->study->why, sizeof t->study->why);
    if (err)
        return err;
    printf("%zu settings of %s, %s on %s\n", t->all.n, t->base, t->goal->what,
           t->study->spec->workloads.item[0]);
    fflush(stdout);
    err = race(t, CANDIDATE_SURVIVORS);
    if (!err) {
        candidates_combine(&t->all);
        err = race(t, 1);
    }
    return err;
}

/* ---- the comparison ---- */

static int compare_with(struct tuner *t, const struct candidate *c,
                        const char *meter)
{
    double of[2][GOALS]; /* the default's, the candidate's */
    int first = (int)random_below(&t->random, 2), err = 0;

    for (int i = 0; i < 2 && !err; i++) {
        int side = i ^ first;

        err = run(t, side ? c->change : "", meter, of[side]);
    }
    for (size_t g = 0; g < GOALS && !err; g++) {
        if (strcmp(gc_goals[g].meter, meter))
            continue;
        double x = log(of[1][g] / of[0][g]);

        if (isfinite(x))
            t->pair[g][t->pairs[g]++] = x;
    }
    return err;
}

static int compare(struct tuner *t, const struct candidate *c)
{
    const struct gc_study *s = t->study;
    uint32_t pairs = s->spec->runs ? s->spec->runs
                     : s->is_quick ? QUICK_PAIRS
                                   : FINAL_PAIRS;
    int err = 0;

    for (uint32_t i = 0; i < pairs && i < PAIRED_MAX && !err; i++) {
        err = compare_with(t, c, "gc");
        if (!err)
            err = compare_with(t, c, "memory");
    }
    return err;
}

/* "faster", or that nothing can be said: an interval that holds 1 is no win. */
static const char *verdict(const struct interval *ratio)
{
    return ratio->hi < 1   ? "better"
           : ratio->lo > 1 ? "worse"
                           : "not told apart from the default";
}

static int print_goal(const struct tuner *t, size_t g)
{
    struct interval x, ratio;
    size_t n = t->pairs[g];

    if (!n) {
        printf("  %-14s no value (no pauses?)\n", gc_goals[g].what);
        return 0;
    }
    if (paired_centre(t->pair[g], n, 0.95, &x))
        return ENOMEM;
    ratio = (struct interval){exp(x.value), exp(x.lo), exp(x.hi)};
    if (isinf(x.hi)) {
        printf("  %-14s %.3f [no interval from %zu pairs: want 6 or more "
               "--runs]  cannot be told\n",
               gc_goals[g].what, ratio.value, n);
        return 0;
    }
    printf("  %-14s %.3f [%.3f, %.3f]  %s\n", gc_goals[g].what, ratio.value,
           ratio.lo, ratio.hi, verdict(&ratio));
    return 0;
}

static void print_failed(const struct tuner *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->all.n; i++)
        if (t->all.c[i].has_failed)
            printf("%s%s:%s",
                   n++ ? ", " : "left out, failed or without value: ", t->base,
                   t->all.c[i].change);
    if (n)
        printf("\n");
}

static int print(const struct tuner *t, const struct candidate *c)
{
    size_t g = goal_index(t);
    int err;

    printf("\nbest in the search: %s:%s, expected %.3f times the default's "
           "%s\nover the default, %zu fresh pairs [95 %% interval]:\n",
           t->base, c->change, exp(candidate_centre(c)), t->goal->what,
           t->pairs[g]);
    err = print_goal(t, g); /* what was asked for comes first */
    for (size_t i = 0; i < GOALS && !err; i++)
        if (i != g)
            err = print_goal(t, i);
    print_failed(t);
    return err;
}

static int fail(const struct gc_study *s, int err)
{
    fprintf(stderr, "%s: %s\n", s->verb, s->why[0] ? s->why : strerror(err));
    return err == EINTR                                       ? EXIT_STOPPED
           : err == EINVAL || err == ENOENT || err == EBADMSG ? EXIT_USAGE
                                                              : EXIT_INFRA;
}

static int tune(struct tuner *t)
{
    struct gc_study *s = t->study;
    int err = probe_open(&t->probe, s->spec, s->folder, s->why, sizeof s->why);
    const struct candidate *best = NULL;

    if (err)
        return err;
    progress_start(&t->progress, 0);
    err = search(t);
    if (!err)
        best = candidates_best(&t->all);
    if (best)
        err = compare(t, best);
    progress_clear(&t->progress);
    probe_close(&t->probe);
    if (!err && best)
        err = print(t, best);
    else if (!err)
        printf("no setting gave a value to compare\n");
    return err;
}

int gc_tune(struct gc_study *s, const struct gc_goal *goal)
{
    struct tuner *t = calloc(1, sizeof *t);

    if (!t)
        return fail(s, ENOMEM);
    t->study = s;
    t->goal = goal;
    t->base = s->spec->allocators.item[0];
    random_seed(&t->random, s->spec->seed);
    carry_out_catch_signals();
    int err = tune(t);

    free(t);
    return err ? fail(s, err) : EXIT_GOOD;
}
