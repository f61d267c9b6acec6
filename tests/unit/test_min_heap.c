/* test_min_heap.c - the search finds where a made-up program begins to fit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "min_heap.h"
#include "random.h"

/* Runs in `needs` bytes and more; asked so many times. */
struct program {
    uint64_t needs, least_asked;
    int fails_with;
};

static int run(void *arg, uint64_t limit, int *fits)
{
    struct program *p = arg;

    cr_assert_eq(limit % MIN_HEAP_GRAIN, 0);
    if (!p->least_asked || limit < p->least_asked)
        p->least_asked = limit;
    *fits = limit >= p->needs;
    return p->fails_with;
}

Test(min_heap, what_is_needed_lies_in_the_bracket)
{
    struct random random;

    random_seed(&random, 1);
    for (int i = 0; i < 500; i++) {
        struct program p = {.needs = random_below(&random, 1u << 30) + 1};
        struct min_heap_search s = {.least = MIN_HEAP_GRAIN * 3,
                                    .start = random_below(&random, 4 * p.needs),
                                    .precision = 1.03,
                                    .try = run,
                                    .arg = &p};
        struct min_heap m;

        cr_assert_eq(min_heap_find(&s, &m), 0);
        cr_assert(p.least_asked >= s.least);
        cr_assert(m.fits >= p.needs);
        cr_assert(m.too_small < p.needs);
        if (p.needs <= s.least)
            cr_assert(m.fits == s.least && m.too_small == 0);
        else
            cr_assert((double)m.fits <= 1.03 * (double)m.too_small ||
                          m.fits - m.too_small <= MIN_HEAP_GRAIN,
                      "%llu needed: %llu .. %llu", (unsigned long long)p.needs,
                      (unsigned long long)m.too_small,
                      (unsigned long long)m.fits);
        cr_assert(m.tries <= 45, "%u tries", m.tries);
    }
}

Test(min_heap, a_program_that_never_fits_ends_the_search)
{
    struct program p = {.needs = UINT64_MAX};
    struct min_heap_search s = {
        .start = 1 << 20, .precision = 1.05, .try = run, .arg = &p};
    struct min_heap m;

    cr_assert_eq(min_heap_find(&s, &m), ERANGE);
}

Test(min_heap, an_error_of_a_run_ends_the_search)
{
    struct program p = {.needs = 1 << 20, .fails_with = EINTR};
    struct min_heap_search s = {
        .start = 1 << 20, .precision = 1.05, .try = run, .arg = &p};
    struct min_heap m;

    cr_assert_eq(min_heap_find(&s, &m), EINTR);
    cr_assert_eq(m.tries, 1);
}
