/* test_warmup.c - first blocks that are slower in all arms are told of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "warmup.h"

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13; /* xorshift64: Marsaglia, JSS 8(14), 2003 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Mean 0, deviation 1: the sum of twelve uniforms. */
static double noise(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)(next_random(state) >> 11) / 9007199254740992.0;
    return sum;
}

enum { RUNS_MAX = 512 };

/* Arms with 2 % noise of their own and 1 % of the block; the first `slow`
 * blocks are slower by `by`.  Runs are in no order. */
static size_t make_runs(struct warmup_run runs[RUNS_MAX], size_t blocks,
                        size_t arms, size_t slow, double by, uint64_t *state)
{
    size_t n = 0;
    for (size_t b = 0; b < blocks; b++) {
        double drift = 0.01 * noise(state);
        for (size_t a = 0; a < arms; a++)
            runs[n++] =
                (struct warmup_run){b + 1, drift + 0.02 * noise(state) +
                                               (b < slow ? log1p(by) : 0)};
    }
    for (size_t i = n - 1; i > 0; i--) {
        size_t j = next_random(state) % (i + 1);
        struct warmup_run t = runs[i];
        runs[i] = runs[j];
        runs[j] = t;
    }
    return n;
}

Test(warmup, slow_first_blocks_are_found_and_measured)
{
    uint64_t state = 1;
    for (size_t slow = 1; slow <= 5; slow++) {
        struct warmup_run runs[RUNS_MAX];
        struct warmup w;
        size_t n = make_runs(runs, 20, 8, slow, 0.3, &state);
        cr_assert_eq(warmup_find(runs, n, &w), 0);
        cr_assert_eq(w.blocks, slow, "%u of %zu", (unsigned)w.blocks, slow);
        cr_assert_float_eq(w.by, 0.3, 0.05, "%g", w.by);
    }
}

Test(warmup, one_slow_arm_is_no_warmup)
{
    uint64_t state = 2;
    struct warmup_run runs[RUNS_MAX];
    struct warmup w;
    size_t n = make_runs(runs, 20, 8, 0, 0, &state), slowed = 0;
    for (size_t i = 0; i < n; i++)
        if (runs[i].place == 1 && slowed++ < 3)
            runs[i].log_factor += 0.5;
    cr_assert_eq(warmup_find(runs, n, &w), 0);
    cr_assert_eq(w.blocks, 0u);
    cr_assert(isnan(w.by));
}

Test(warmup, a_slow_block_later_on_is_no_warmup)
{
    uint64_t state = 3;
    struct warmup_run runs[RUNS_MAX];
    struct warmup w;
    size_t n = make_runs(runs, 20, 8, 0, 0, &state);
    for (size_t i = 0; i < n; i++)
        runs[i].log_factor += runs[i].place == 2 ? 0.5 : 0;
    cr_assert_eq(warmup_find(runs, n, &w), 0);
    cr_assert_eq(w.blocks, 0u, "%u", (unsigned)w.blocks);
}

Test(warmup, half_a_session_that_is_slower_is_no_warmup)
{
    uint64_t state = 4;
    struct warmup_run runs[RUNS_MAX];
    struct warmup w;
    size_t n = make_runs(runs, 20, 8, 10, 0.5, &state);
    cr_assert_eq(warmup_find(runs, n, &w), 0);
    cr_assert_eq(w.blocks, 0u);
}

Test(warmup, of_few_blocks_or_without_noise_nothing_is_said)
{
    uint64_t state = 5;
    struct warmup_run runs[RUNS_MAX], exact[20];
    struct warmup w;
    size_t n = make_runs(runs, WARMUP_FEW - 1, 8, 1, 2, &state);
    cr_assert_eq(warmup_find(runs, n, &w), 0);
    cr_assert_eq(w.blocks, 0u);
    for (size_t i = 0; i < 20; i++)
        exact[i] = (struct warmup_run){i, i ? 0 : 1};
    cr_assert_eq(warmup_find(exact, 20, &w), 0);
    cr_assert_eq(w.blocks, 0u);
    cr_assert_eq(warmup_find(NULL, 0, &w), 0);
    cr_assert_eq(w.blocks, 0u);
}

Test(warmup, without_warmup_it_is_seldom_found)
{
    static const size_t sizes[] = {8, 10, 20, 40};
    for (size_t i = 0; i < 4; i++) {
        uint64_t state = 60 + i;
        int found = 0, rounds = 1500;
        for (int r = 0; r < rounds; r++) {
            struct warmup_run runs[RUNS_MAX];
            struct warmup w;
            size_t n = make_runs(runs, sizes[i], 6, 0, 0, &state);
            cr_assert_eq(warmup_find(runs, n, &w), 0);
            found += w.blocks > 0;
        }
        cr_log_info("%zu blocks: %.4f", sizes[i], (double)found / rounds);
        cr_assert(found < rounds * 0.025, "%zu blocks: %d of %d", sizes[i],
                  found, rounds);
    }
}

/* ---- from samples.csv ---- */

static void put(FILE *f, const char *session, const char *allocator,
                uint32_t block, double value)
{
    struct row row = {.key = {.run = 1,
                              .block = block,
                              .workload = "w",
                              .threads = 1,
                              .scale = 1,
                              .seed = 5,
                              .meter = "time",
                              .touch = "page"},
                      .metric = "wall",
                      .unit = "ns",
                      .value = value};
    snprintf(row.key.session, sizeof row.key.session, "%s", session);
    snprintf(row.key.allocator, sizeof row.key.allocator, "%s", allocator);
    cr_assert_eq(row_write(f, &row), 0);
}

/* The second session is met first in the file, and its blocks are later. */
Test(warmup, a_summary_has_it_in_order_of_sessions)
{
    static const char *const sessions[] = {"2026-b", "2026-a"};
    static const char *const arms[] = {"system", "fast", "slow"};
    char path[] = "/tmp/heapyard-warmup-XXXXXX", why[256] = "";
    FILE *f = fdopen(mkstemp(path), "w");
    uint64_t state = 6;
    struct summary s;
    cr_assert_eq(row_write_header(f), 0);
    for (int session = 0; session < 2; session++)
        for (uint32_t b = 1; b <= 6; b++)
            for (int a = 0; a < 3; a++)
                put(f, sessions[session], arms[a], b,
                    1e6 * (a + 1) * (1 + 0.01 * noise(&state)) *
                        (session == 1 && b == 1 ? 1.25 : 1));
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(summary_from_samples(path, "system", &s, why, sizeof why), 0,
                 "%s", why);
    unlink(path);
    cr_assert_eq(s.n, 3u);
    for (size_t i = 0; i < s.n; i++) {
        cr_assert_eq(s.estimates[i].warmup, 1u, "%u",
                     (unsigned)s.estimates[i].warmup);
        cr_assert_float_eq(s.estimates[i].warmup_by, 0.25, 0.03);
        cr_assert_eq(s.estimates[i].n, 12u, "nothing is dropped");
    }
    summary_free(&s);
}
