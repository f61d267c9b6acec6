/* test_gc_shadow.c - the collector under random programs, against a model.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "forked.h"
#include "shadow_heap.h"

enum { SEEDS = 20, STEPS = 2500, BALLAST = 40000 /* to be worth helpers */ };

/* Fewer steps where each collection marks the ballast. */
static const struct {
    unsigned markers, ballast, steps;
} crews[] = {{1, 0, STEPS}, {2, BALLAST, STEPS / 3}, {4, BALLAST, STEPS / 3}};
enum { CREWS = sizeof crews / sizeof *crews, RUNS = CREWS * SEEDS };

static void sweep(struct shadow_figures figures, struct shadow_counts *counts)
{
    char why[400];
    figures.has_dying = true;
    for (size_t c = 0; c < CREWS; c++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            figures.markers = crews[c].markers;
            figures.ballast = crews[c].ballast;
            figures.steps = crews[c].steps;
            figures.seed = seed + 1000 * c;
            figures.has_past_end = seed % 4 == 0;
            cr_assert_eq(shadow_play(&figures, counts, why, sizeof why), 0,
                         "%u markers, %s", figures.markers, why);
        }
    cr_assert_gt(counts->collections, RUNS * 10);
    cr_assert_gt(counts->helped, SEEDS, "helpers came to %llu of %llu",
                 (unsigned long long)counts->helped,
                 (unsigned long long)counts->collections);
    cr_assert_gt(counts->finalized, RUNS * 5);
    cr_assert_gt(counts->resurrected, RUNS);
    cr_assert_gt(counts->cleared, RUNS * 5);
    cr_assert_gt(counts->cut, RUNS * 3);
    cr_assert_lt(counts->retained, counts->reached / 200,
                 "stray words kept %llu objects beside %llu",
                 (unsigned long long)counts->retained,
                 (unsigned long long)counts->reached);
}

Test(gc_shadow, holds_what_is_reached_and_little_else)
{
    struct shadow_counts counts = {0};
    sweep((struct shadow_figures){0}, &counts);
    cr_assert_eq(counts.moved, 0);
    cr_assert_eq(counts.minor, 0);
}

Test(gc_shadow, generational)
{
    struct shadow_counts counts = {0};
    sweep((struct shadow_figures){.is_generational = true}, &counts);
    cr_assert_eq(counts.moved, 0);
    cr_assert_gt(counts.minor, counts.collections / 4);
}

Test(gc_shadow, compacting)
{
    struct shadow_counts counts = {0};
    sweep((struct shadow_figures){.is_compact = true}, &counts);
    cr_assert_gt(counts.moved, 100);
    cr_assert_gt(counts.compacting, SEEDS);
}

Test(gc_shadow, generational_and_compacting)
{
    struct shadow_counts counts = {0};
    sweep((struct shadow_figures){.is_generational = true, .is_compact = true},
          &counts);
    cr_assert_gt(counts.moved, 100);
    cr_assert_gt(counts.minor, counts.collections / 8);
}

/* ---- what is wrong is found ---- */

static void lie(void *arg, int fd)
{
    struct shadow_figures figures = *(const struct shadow_figures *)arg;
    struct shadow_counts counts = {0};
    char why[400];
    for (figures.seed = 1; figures.seed <= 5; figures.seed++)
        if (shadow_play(&figures, &counts, why, sizeof why)) {
            (void)!write(fd, why, strlen(why));
            _exit(1);
        }
}

/* By a fault of the model or, where memory was reused, by a signal. */
static int found(struct shadow_figures figures, char *said, size_t size)
{
    figures.steps = STEPS;
    figures.markers = 1;
    return run_forked(lie, &figures, said, size);
}

Test(gc_shadow, finds_a_heap_that_never_collects)
{
    char said[400];
    int code = found((struct shadow_figures){.lie = SHADOW_NEVER_COLLECTS},
                     said, sizeof said);
    cr_assert_eq(code, 1);
    cr_assert_not_null(strstr(said, "bytes live"), "%s", said);
}

Test(gc_shadow, finds_roots_that_are_not_told)
{
    char said[400];
    int code = found((struct shadow_figures){.lie = SHADOW_HIDES_ROOTS}, said,
                     sizeof said);
    cr_assert(code == 1 || code > 256, "%d: %s", code, said);
}

Test(gc_shadow, finds_stores_that_are_not_told)
{
    char said[400];
    int code = found((struct shadow_figures){.lie = SHADOW_NO_BARRIER,
                                             .is_generational = true},
                     said, sizeof said);
    cr_assert(code == 1 || code > 256, "%d: %s", code, said);
}
