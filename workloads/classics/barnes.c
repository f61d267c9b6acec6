/* barnes.c - the twenty allocations of barnes, a simulation of bodies.
 *
 * The program allocates the tables of its bodies, cells and leaves once, at
 * the start, and a few short texts; it allocates nothing while it runs and
 * frees nothing before it ends.  So it says nothing about an allocator but
 * what twenty blocks cost, seven of which are large; it is here because suites
 * have it.  A round is a run of the program; its end frees the blocks.
 *
 * The program writes to 57 MiB of its 489 MiB.  A replay writes to what its
 * touch policy says, so with the usual one to every page.
 *
 * Source: barnes of SPLASH-2 (S. Woo et al., ISCA 1995) with the changes and
 * the input of mimalloc-bench, its calls of malloc recorded here.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "workload.h"

enum { KNOB_BODIES, KNOB_ROUNDS };

/* clang-format off */
static const struct knob barnes_knobs[] = {
[KNOB_BODIES] = {"bodies", "bodies", 163840, 1, 1e8,
    "that are simulated: 3128 bytes each", NULL},
[KNOB_ROUNDS] = {"rounds", "rounds", 1, 1, 1e9,
    "at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

/* In the order of the program: bytes whatever is simulated (buffers of stdio
 * and texts), and bytes a body. */
static const struct {
    uint32_t fixed, of_body;
} block[] = {
    {4096, 0}, {464, 0}, {4096, 0}, {7, 0},  {4, 0},  {6, 0}, {5, 0},
    {4, 0},    {4, 0},   {4, 0},    {6, 0},  {5, 0},  {2, 0}, {0, 120},
    {0, 1600}, {0, 880}, {0, 408},  {0, 80}, {0, 40}, {4, 0},
};
enum { BLOCKS = sizeof block / sizeof block[0] };

static int barnes_compose(const struct knob_values *values, uint64_t seed,
                          unsigned threads, double scale, struct op_feed *feed)
{
    uint64_t bodies = (uint64_t)values->v[KNOB_BODIES];
    uint64_t rounds = (uint64_t)(values->v[KNOB_ROUNDS] * scale);
    uint64_t object[BLOCKS];

    (void)seed;    /* nothing is random */
    (void)threads; /* one */
    for (uint64_t i = 0; i < (rounds > 0 ? rounds : 1) && !feed->err; i++) {
        for (unsigned b = 0; b < BLOCKS; b++)
            object[b] =
                feed_alloc(feed, 0, block[b].fixed + block[b].of_body * bodies);
        for (unsigned b = 0; b < BLOCKS; b++)
            feed_free(feed, 0, object[b]);
    }
    return feed->err;
}

const struct workload barnes_workload = {
    .name = "barnes",
    .summary = "twenty blocks of 489 MiB: says little (40 ops)",
    .source = "barnes of SPLASH-2 (ISCA 1995), its mallocs recorded",
    .version = 1,
    .knobs = barnes_knobs,
    .min_threads = 1,
    .max_threads = 1,
    .compose = barnes_compose,
};
