/* realloc_ramp.c - a block that grows and grows.
 *
 * One block is resized by a constant factor from a page to many megabytes,
 * is freed, and starts again: the buffer of a reader that does not know the
 * length of its input.  An allocator that always moves it leaves its old
 * places behind.  Together they are s + s g + … of the largest size; while g
 * is above the golden ratio they never suffice for the next size, and first
 * fit uses g / (g - 1) times the largest block.  Below that first fit returns
 * to the beginning every few steps.
 *
 * Allocators that let the block grow where it is, or move its pages (mremap),
 * need no more than the block itself, so this also shows who copies.
 *
 * Source: folklore of growing arrays; A. Koenig, "Why Are Vectors Efficient?",
 * Journal of Object-Oriented Programming 11(5), 1998, asks for factors that
 * let old places be used again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>

#include "workload.h"

enum { KNOB_FIRST, KNOB_LAST, KNOB_GROWTH, KNOB_ROUNDS };

/* clang-format off */
static const struct knob realloc_ramp_knobs[] = {
[KNOB_FIRST] = {"first", "bytes", 4 << 10, 1, 0x1p30,
    "of the block when it is allocated", NULL},
[KNOB_LAST] = {"last", "bytes", 64 << 20, 1, 0x1p40,
    "before it is freed", NULL},
[KNOB_GROWTH] = {"growth", "%", 100, 0.1, 10000,
    "by which each resize makes it larger, and by a byte at least", NULL},
[KNOB_ROUNDS] = {"rounds", "rounds", 20, 1, 1e9,
    "from first to last, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

static uint64_t next_size(const double *knob, uint64_t size)
{
    const uint64_t last = (uint64_t)knob[KNOB_LAST];
    const double more = (double)size * knob[KNOB_GROWTH] / 100;

    if ((double)size + more >= (double)last)
        return last;
    return size + (more < 1 ? 1 : (uint64_t)more);
}

static int realloc_ramp_compose(const struct knob_values *values, uint64_t seed,
                                unsigned threads, double scale,
                                struct op_feed *feed)
{
    const double *knob = values->v;
    const uint64_t last = (uint64_t)knob[KNOB_LAST];
    uint64_t rounds = (uint64_t)(knob[KNOB_ROUNDS] * scale);

    (void)seed;
    (void)threads;
    rounds = rounds ? rounds : 1;
    for (uint64_t i = 0; i < rounds && !feed->err; i++) {
        uint64_t size = (uint64_t)knob[KNOB_FIRST];
        const uint64_t block = feed_alloc(feed, 0, size);

        while (size < last && !feed->err) {
            size = next_size(knob, size);
            feed_resize(feed, 0, block, size);
        }
        feed_free(feed, 0, block);
    }
    return feed->err;
}

/* First fit with a realloc that always moves: to the beginning if what is
 * free before the block suffices, else behind it. */
static double realloc_ramp_ratio(const struct knob_values *values,
                                 unsigned threads, double scale)
{
    const double *knob = values->v;
    uint64_t size = (uint64_t)knob[KNOB_FIRST], place = 0, top = size;

    (void)threads;
    (void)scale;
    while (size < (uint64_t)knob[KNOB_LAST]) {
        const uint64_t larger = next_size(knob, size);

        place = larger <= place ? 0 : place + size;
        size = larger;
        top = place + size > top ? place + size : top;
    }
    return (double)top / knob[KNOB_LAST];
}

static const struct workload_bound realloc_ramp_bound = {
    .claim = "first fit whose realloc always moves the block; g / (g - 1) for "
             "factors g above the golden ratio; 1 is ideal",
    .ratio = realloc_ramp_ratio,
};

static int realloc_ramp_check(const struct knob_values *values, char *why,
                              size_t why_size)
{
    const double first = values->v[KNOB_FIRST], last = values->v[KNOB_LAST];

    if (first <= last)
        return 0;
    snprintf(why, why_size,
             "realloc-ramp: first = %.0f (want at most last, %.0f bytes)",
             first, last);
    return EINVAL;
}

const struct workload realloc_ramp_workload = {
    .name = "realloc-ramp",
    .summary = "a block grows from 4 KiB to 64 MiB, 20 times (320 ops)",
    .source = "after Koenig, Why Are Vectors Efficient?, JOOP 11(5), 1998",
    .version = 1,
    .knobs = realloc_ramp_knobs,
    .min_threads = 1,
    .max_threads = 1,
    .check = realloc_ramp_check,
    .compose = realloc_ramp_compose,
    .bound = &realloc_ramp_bound,
};
