/* robson_first_fit.c - the program that makes first fit waste most.
 *
 * Round 0 fills memory with blocks of one unit.  Round r allocates blocks of
 * 2^r units where half of the live bytes have just been freed, in such a way
 * that no gap is as long: of each window of 2^r units only the block that
 * covers its last unit is left.  So every round needs half as much memory
 * again, while never more than `live` is live.  Where first fit puts a block
 * is known, so the program need not look.
 *
 * Invariant: in round r each window of 2^r units below the top holds one live
 * block, at its end, and r rounds took units * (1 + r / 2).
 *
 * Source: J. M. Robson, "Bounds for Some Functions Concerning Dynamic Storage
 * Allocation", JACM 21(3), 1974: with blocks of powers of two from 1 to n, a
 * program that sees addresses makes every allocator that moves nothing use
 * M (1 + log2(n) / 2) - n + 1 units for M live.  "Worst Case Fragmentation of
 * First Fit and Best Fit Storage Allocation Strategies", Computer Journal
 * 20(3), 1977: first fit needs no more than about M log2 n.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>

#include "bag.h"
#include "unit_blocks.h"
#include "workload.h"

enum { KNOB_LIVE, KNOB_UNIT, KNOB_LARGEST, KNOB_HEADER };

/* clang-format off */
static const struct knob robson_first_fit_knobs[] = {
[KNOB_LIVE] = {"live", "bytes", 32 << 20, 1, 0x1p40,
    "at most, at scale 1; headers are among them", NULL},
[KNOB_UNIT] = {"unit", "bytes", 32, 1, 1 << 20,
    "of the first round's blocks; each round doubles them", NULL},
[KNOB_LARGEST] = {"largest", "bytes", 4 << 10, 2, 1 << 30,
    "the last round's: unit times a power of two", NULL},
[KNOB_HEADER] = {"header", "bytes", 8, 0, 1 << 10,
    "that the allocator adds to a block: asked for is so much less", NULL},
{.name = NULL},
};
/* clang-format on */

struct robson {
    struct unit_blocks blocks;
    uint64_t units;  /* live at most: a multiple of 4 n */
    unsigned rounds; /* log2 n, n = units of the largest block */
    struct op_feed *feed;
    struct bag live, end; /* the same places: object, its last unit + 1 */
    uint64_t top;         /* units that first fit has used */
    int err;              /* ENOMEM, or 0 */
};

static struct robson robson_of(const struct knob_values *values, double scale)
{
    const double *knob = values->v;
    const uint64_t n = (uint64_t)(knob[KNOB_LARGEST] / knob[KNOB_UNIT]);
    const double quanta = knob[KNOB_LIVE] * scale / knob[KNOB_UNIT];
    struct robson w = {
        .blocks = {(uint64_t)knob[KNOB_UNIT], (uint64_t)knob[KNOB_HEADER]}};

    w.units = 4 * n * (uint64_t)ceil(quanta / (double)(4 * n));
    while (UINT64_C(2) << w.rounds <= n)
        w.rounds++;
    return w;
}

static void fill(struct robson *w, unsigned round)
{
    const uint64_t size = UINT64_C(1) << round;
    const uint64_t n = (round ? w->units / 2 : w->units) >> round;
    char mark[OP_NAME_MAX + 1];

    for (uint64_t i = 0; i < n && !w->err && !w->feed->err; i++) {
        w->top += size;
        w->err = bag_add(&w->live, feed_units(w->feed, &w->blocks, size));
        if (!w->err)
            w->err = bag_add(&w->end, w->top);
    }
    snprintf(mark, sizeof mark, "full-%u", round);
    feed_mark(w->feed, 0, mark);
}

/* Leave the blocks that end where a window of so many units does. */
static void thin_out(struct robson *w, uint64_t window)
{
    size_t left = 0;

    for (size_t i = 0; i < w->end.count; i++) {
        if (w->end.object[i] % window) {
            feed_free(w->feed, 0, w->live.object[i]);
            continue;
        }
        w->live.object[left] = w->live.object[i];
        w->end.object[left++] = w->end.object[i];
    }
    w->live.count = w->end.count = left;
}

static int robson_first_fit_compose(const struct knob_values *values,
                                    uint64_t seed, unsigned threads,
                                    double scale, struct op_feed *feed)
{
    struct robson w = robson_of(values, scale);

    (void)seed;
    (void)threads;
    w.feed = feed;
    for (unsigned r = 0; r <= w.rounds; r++) {
        fill(&w, r);
        if (r < w.rounds)
            thin_out(&w, UINT64_C(2) << r);
    }
    for (size_t i = 0; i < w.end.count; i++)
        feed_free(feed, 0, w.live.object[i]);
    bag_free(&w.live);
    bag_free(&w.end);
    return w.err ? w.err : feed->err;
}

/* What ideal first fit uses, over what is live at most.  In round r there are
 * units * (1 + r / 2) / 2^r blocks, so most is asked for in the last. */
static double robson_first_fit_ratio(const struct knob_values *values,
                                     unsigned threads, double scale)
{
    const struct robson w = robson_of(values, scale);
    const double used = 1 + w.rounds / 2.0;
    const double headers = (double)w.blocks.header / (double)w.blocks.unit *
                           used / (double)(UINT64_C(1) << w.rounds);

    (void)threads;
    return used / (1 - headers);
}

static const struct workload_bound robson_first_fit_bound = {
    .claim = "first fit uses M (1 + log2(n)/2) here; with n - 1 less, who sees "
             "addresses can do that to all that moves nothing (Robson 1974)",
    .ratio = robson_first_fit_ratio,
};

static int robson_first_fit_check(const struct knob_values *values, char *why,
                                  size_t why_size)
{
    return unit_blocks_check("robson-first-fit", values->v[KNOB_UNIT],
                             values->v[KNOB_HEADER], values->v[KNOB_LARGEST], 2,
                             why, why_size);
}

const struct workload robson_first_fit_workload = {
    .name = "robson-first-fit",
    .summary = "no gap is as long as the next round's blocks (2 M ops)",
    .source = "Robson, JACM 21(3), 1974",
    .version = 1,
    .knobs = robson_first_fit_knobs,
    .min_threads = 1,
    .max_threads = 1,
    .check = robson_first_fit_check,
    .compose = robson_first_fit_compose,
    .bound = &robson_first_fit_bound,
};
