/* malloc_large.c - a table of few, very large blocks, replaced at random.
 *
 * Again and again the block of a random slot is replaced by a zeroed one of
 * random size: first the new one is allocated, then the old one freed.  What
 * costs time is not the allocator but the pages that it takes from the system
 * and gives back, and zeroing them; an allocator that keeps such blocks is
 * fast here, and large.
 *
 * Source: malloc-large of mimalloc-bench, by L. Stolyarov, as of 2022: there
 * the program zeroes, whatever the memory holds.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "random.h"
#include "workload.h"

enum { KNOB_SLOTS, KNOB_MIN, KNOB_MAX, KNOB_ZEROED, KNOB_BLOCKS };
enum { BY_PROGRAM, BY_CALLOC };

static const char *const zeroed_names[] = {"program", "calloc", NULL};

/* clang-format off */
static const struct knob malloc_large_knobs[] = {
[KNOB_SLOTS] = {"slots", "blocks", 20, 1, 1e6,
    "live at once, at most", NULL},
[KNOB_MIN] = {"min", "bytes", 5 << 20, 1, 0x1p40,
    "smallest block", NULL},
[KNOB_MAX] = {"max", "bytes", 25 << 20, 1, 0x1p40,
    "largest block; sizes are uniform", NULL},
[KNOB_ZEROED] = {"zeroed", "1", BY_PROGRAM, 0, 1,
    "by whom: a program touches all of the block after malloc", zeroed_names},
[KNOB_BLOCKS] = {"blocks", "blocks", 2000, 1, 1e12,
    "allocated, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

/* A zeroed block. */
static uint64_t allocate(struct op_feed *feed, uint64_t size, int zeroed)
{
    if (zeroed == BY_CALLOC)
        return feed_zalloc(feed, 0, size);
    uint64_t object = feed_alloc(feed, 0, size);

    feed_touch(feed, 0, object, size);
    return object;
}

static int malloc_large_compose(const struct knob_values *values, uint64_t seed,
                                unsigned threads, double scale,
                                struct op_feed *feed)
{
    const double *knob = values->v;
    const uint64_t slots = (uint64_t)knob[KNOB_SLOTS];
    const uint64_t scaled = (uint64_t)(knob[KNOB_BLOCKS] * scale);
    const uint64_t blocks = scaled > 0 ? scaled : 1;
    uint64_t *slot = calloc(slots, sizeof *slot); /* object + 1, or 0 */
    struct random random;

    (void)threads; /* one */
    if (!slot)
        return ENOMEM;
    random_seed(&random, seed);
    for (uint64_t i = 0; i < blocks && !feed->err; i++) {
        uint64_t *place = &slot[random_below(&random, slots)];
        uint64_t size = random_between(&random, (uint64_t)knob[KNOB_MIN],
                                       (uint64_t)knob[KNOB_MAX]);
        uint64_t object = allocate(feed, size, (int)knob[KNOB_ZEROED]);

        if (*place)
            feed_free(feed, 0, *place - 1);
        *place = object + 1;
    }
    for (uint64_t i = 0; i < slots; i++)
        if (slot[i])
            feed_free(feed, 0, slot[i] - 1);
    free(slot);
    return feed->err;
}

static int malloc_large_check(const struct knob_values *values, char *why,
                              size_t why_size)
{
    return knobs_check_min("malloc-large", values->v[KNOB_MIN],
                           values->v[KNOB_MAX], why, why_size);
}

const struct workload malloc_large_workload = {
    .name = "malloc-large",
    .summary = "few blocks of 5 to 25 MiB, replaced at random (6000 ops)",
    .source = "malloc-large of mimalloc-bench, by L. Stolyarov",
    .version = 1,
    .knobs = malloc_large_knobs,
    .min_threads = 1,
    .max_threads = 1,
    .check = malloc_large_check,
    .compose = malloc_large_compose,
};
