/* test_gc_candidates.c - which settings race, and which are left.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "gc_candidates.h"

static struct candidates all;

/* Candidate i is 1.1^i times the default, in each of three blocks. */
static void fill(size_t n)
{
    all = (struct candidates){.n = n};
    for (size_t i = 0; i < n; i++) {
        snprintf(all.c[i].change, sizeof all.c[i].change, "k%zu=1", i);
        all.c[i].knobs = UINT64_C(1) << i;
        all.c[i].n = 3;
        for (int k = 0; k < 3; k++)
            all.c[i].x[k] = (double)i * log(1.1) + 0.001 * k;
    }
}

Test(gc_candidates, every_tunable_is_a_knob_with_such_values)
{
    for (const struct gc_tunable *t = gc_tunables; t->allocator; t++) {
        if (!allocator_find(t->allocator))
            continue;
        for (const char *v = t->values; *v; v += strspn(v, " ")) {
            const struct allocator *a;
            struct knob_values values;
            char text[128], why[256] = "";
            int n = (int)strcspn(v, " ");

            snprintf(text, sizeof text, "%s:%s=%.*s", t->allocator, t->knob, n,
                     v);
            cr_expect_eq(allocator_choose(text, &a, &values, why, sizeof why),
                         0, "%s", why);
            v += n;
        }
    }
}

Test(gc_candidates, the_worse_half_goes)
{
    fill(9);
    cr_assert_eq(candidates_halve(&all, 2), 5);
    for (size_t i = 0; i < 9; i++)
        cr_assert_eq(all.c[i].is_out, i >= 5);
    cr_assert_eq(candidates_halve(&all, 2), 3);
    cr_assert_eq(candidates_halve(&all, 2), 2);
    cr_assert_eq(candidates_halve(&all, 2), 2);
    cr_assert_eq(candidates_best(&all), &all.c[0]);
}

Test(gc_candidates, one_without_samples_is_the_worst)
{
    fill(4);
    all.c[1].n = 0;
    cr_assert_eq(candidates_halve(&all, 3), 3);
    cr_assert(all.c[1].is_out);
    all.c[0].is_out = all.c[2].is_out = all.c[3].is_out = 1;
    cr_assert_null(candidates_best(&all));
}

Test(gc_candidates, unions_set_no_knob_twice)
{
    fill(4);
    all.c[3].is_out = 1;
    all.c[2].knobs = all.c[1].knobs;
    candidates_combine(&all);
    cr_assert_eq(all.n, 6);
    cr_assert_str_eq(all.c[4].change, "k0=1:k1=1");
    cr_assert_str_eq(all.c[5].change, "k0=1:k2=1");
    cr_assert_eq(all.c[4].knobs, 3);
    cr_assert_eq(all.c[4].n, 0);
}

Test(gc_candidates, an_allocator_without_tunables_is_refused)
{
    char why[256];

    cr_assert(candidates_fill(&all, "slab", why, sizeof why));
    cr_assert(strstr(why, "slab has no knob left to tune"), "%s", why);
}
