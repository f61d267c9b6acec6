/* cfrac.c - a model of the allocations of cfrac, which factors a number.
 *
 * cfrac makes numbers of many digits, one block each, and nearly all of them
 * live for a few operations only; the relations that it finds, one in 3750
 * blocks, stay to the end.  So there are blocks with a size and a lifetime of
 * a table (life_table.h), and in between, at even distances, blocks that stay
 * and are freed last.
 *
 * A model of sizes, lifetimes and the growing heap.  Not of order: in the
 * program the sizes of successive blocks follow from the algorithm, here they
 * are independent.
 *
 * Source of the table: cfrac by D. Barrett, as in mimalloc-bench, on the
 * 44-digit number of that suite, run here under a malloc that counts:
 * 91,530,284 blocks, of which 24,381 are live at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "bag.h"
#include "life_table.h"
#include "workload.h"

enum { KNOB_ALLOCS, KNOB_KEPT };

/* clang-format off */
static const struct knob cfrac_knobs[] = {
[KNOB_ALLOCS] = {"allocs", "events", 2e6, 1, 1e12,
    "blocks that die soon, at scale 1 (the program: 91.5 million)", NULL},
[KNOB_KEPT] = {"kept", "objects", 24381, 0, 1e9,
    "live at the end, whatever the scale", NULL},
{.name = NULL},
};

/* Blocks of all sizes that are a thousandth of all, or more. */
static const struct life_row soon[] = {
{10, 10, 0, {51484, 274, 26158, 580, 20521, 15686, 49, 37, 0, 0, 0, 0, 0, 0}},
{12, 12, 0, {213, 1262, 36334, 45, 76, 121, 18, 42, 0, 0, 0, 0, 0, 0}},
{14, 14, 0, {1860, 687, 5, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
{16, 16, 0, {5437, 10295, 295, 1, 71, 120, 1, 0, 0, 0, 0, 0, 0, 0}},
{18, 18, 0, {27234, 137301, 43532, 35630, 38260, 81127, 32716, 3, 1, 0, 0, 0,
    0, 0}},
{20, 20, 0, {35630, 58689, 2, 0, 0, 14342, 16110, 1, 0, 0, 0, 0, 0, 0}},
{26, 26, 0, {0, 61591, 1, 40, 579, 15337, 45534, 20, 11, 0, 0, 0, 0, 0}},
{28, 28, 0, {26036, 60937, 83, 38098, 0, 0, 8, 19, 0, 0, 0, 0, 0, 0}},
{30, 30, 0, {35464, 1, 21, 23402, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
};
/* clang-format on */

/* Of those that stay: the sizes and how many of a thousand. */
static const uint64_t kept_size[] = {12, 14, 26, 40, 41};
static const double kept_share[] = {284, 87, 213, 208, 208};

enum {
    SOON_ROWS = sizeof soon / sizeof soon[0],
    KEPT_SIZES = sizeof kept_size / sizeof kept_size[0]
};

struct cfrac {
    struct op_feed *feed;
    struct random random;
    struct life life;
    struct alias kept_sizes;
    struct bag kept;
};

static int keep_one(struct cfrac *c)
{
    uint64_t size = kept_size[alias_draw(&c->kept_sizes, &c->random)];

    return bag_add(&c->kept, life_keep(&c->life, size));
}

/* The i-th of `allocs` blocks that die soon; before it, those that stay. */
static int step(struct cfrac *c, uint64_t i, uint64_t allocs, double kept)
{
    uint64_t due = (uint64_t)(kept * (double)(i + 1) / (double)allocs);
    int err = 0;

    while (c->kept.count < due && !err && !c->feed->err)
        err = keep_one(c);
    struct life_draw block = life_draw(&c->life, &c->random);

    life_bear(&c->life, block.size, block.lifetime);
    return err;
}

static int play(struct cfrac *c, const double *knob, double scale)
{
    double scaled = knob[KNOB_ALLOCS] * scale;
    uint64_t allocs = scaled > 1 ? (uint64_t)scaled : 1;
    int err = 0;

    for (uint64_t i = 0; i < allocs && !err && !c->feed->err; i++)
        err = step(c, i, allocs, knob[KNOB_KEPT]);
    life_end(&c->life);
    for (size_t i = 0; i < c->kept.count; i++)
        feed_free(c->feed, 0, c->kept.object[i]);
    return err;
}

static int cfrac_compose(const struct knob_values *values, uint64_t seed,
                         unsigned threads, double scale, struct op_feed *feed)
{
    struct cfrac c = {.feed = feed};

    (void)threads; /* one */
    random_seed(&c.random, seed);
    int err = life_open(&c.life, soon, SOON_ROWS, feed, 0);
    if (!err)
        err = alias_init(&c.kept_sizes, kept_share, KEPT_SIZES);
    if (!err)
        err = play(&c, values->v, scale);
    life_close(&c.life);
    alias_free(&c.kept_sizes);
    bag_free(&c.kept);
    return err ? err : feed->err;
}

const struct workload cfrac_workload = {
    .name = "cfrac",
    .summary = "a model of cfrac: small numbers that die at once (4 M ops)",
    .source = "cfrac by D. Barrett, measured on a 44-digit number",
    .version = 1,
    .knobs = cfrac_knobs,
    .min_threads = 1,
    .max_threads = 1,
    .compose = cfrac_compose,
};
