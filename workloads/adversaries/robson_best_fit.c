/* robson_best_fit.c - a program that makes best fit waste as much as n.
 *
 * Best fit takes the smallest gap that is large enough, so gaps of L units can
 * be kept for good if every later block is larger or is lured elsewhere.  A
 * stage first fills new memory with blocks of L + 1 units, too large for all
 * gaps.  From the last to the first each is freed and a block of L put in its
 * place, so that a sliver of one unit remains behind it.  Blocks of one unit,
 * the pins, find the slivers, which are the smallest gaps.  Then all blocks
 * but the pins are freed: gaps of L units that no later stage can use, since
 * its blocks are larger and its pins have slivers of their own.
 *
 * Invariant: a stage needs as much new memory as it has live blocks; with
 * stages from L = n / e to n - 1 that comes to M n / e units for M live,
 * because the pins of a stage leave L / (L + 1) of the live bytes to the next.
 *
 * Source: J. M. Robson, "Worst Case Fragmentation of First Fit and Best Fit
 * Storage Allocation Strategies", Computer Journal 20(3), 1977: best fit may
 * need nearly M n.  D. E. Knuth, TAOCP 1 (3rd ed.), exercise 2.5-42: at least
 * M n - O(M + n^2).  The program above is our own and simpler than Robson's;
 * what it lacks is the factor e.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdbool.h>
#include <stdio.h>

#include "bag.h"
#include "unit_blocks.h"
#include "workload.h"

enum { KNOB_LIVE, KNOB_UNIT, KNOB_LARGEST, KNOB_HEADER };
enum { LEAST = 8 /* units of the largest block */ };

/* clang-format off */
static const struct knob robson_best_fit_knobs[] = {
[KNOB_LIVE] = {"live", "bytes", 2 << 20, 1, 0x1p40,
    "at most, at scale 1; headers are among them", NULL},
[KNOB_UNIT] = {"unit", "bytes", 32, 1, 1 << 20,
    "of the blocks that stay", NULL},
[KNOB_LARGEST] = {"largest", "bytes", 4 << 10, 2, 1 << 30,
    "block: unit times a power of two", NULL},
[KNOB_HEADER] = {"header", "bytes", 8, 0, 1 << 10,
    "that the allocator adds to a block: asked for is so much less", NULL},
{.name = NULL},
};
/* clang-format on */

/* All in units, of unit_blocks. */
struct stage {
    struct unit_blocks of;
    uint64_t live;   /* at most */
    uint64_t n;      /* of the largest block */
    uint64_t large;  /* L */
    uint64_t blocks; /* of L + 1, then of L */
    uint64_t pins;   /* of all stages before */
    uint64_t top;    /* that best fit has used before */
};

static void count_blocks(struct stage *s)
{
    s->blocks = (s->live - s->pins) / (s->large + 1);
}

static struct stage first_stage(const struct knob_values *values, double scale)
{
    const double *knob = values->v;
    struct stage s = {
        .of = {(uint64_t)knob[KNOB_UNIT], (uint64_t)knob[KNOB_HEADER]},
        .live = (uint64_t)(knob[KNOB_LIVE] * scale / knob[KNOB_UNIT]),
        .n = (uint64_t)(knob[KNOB_LARGEST] / knob[KNOB_UNIT]),
    };

    s.live = s.live > 4 * s.n ? s.live : 4 * s.n;
    s.large = (uint64_t)((double)s.n / 2.718281828459045) + 1;
    count_blocks(&s);
    return s;
}

static bool has_stage(const struct stage *s)
{
    return s->large < s->n && s->blocks >= 2;
}

/* The last block of a stage gets no pin: it only keeps the one before it from
 * the end of memory. */
static void next_stage(struct stage *s)
{
    s->pins += s->blocks - 1;
    s->top += (s->blocks - 1) * (s->large + 1);
    s->large++;
    count_blocks(s);
}

static int add(struct op_feed *feed, const struct stage *s, struct bag *to,
               uint64_t units)
{
    return bag_add(to, feed_units(feed, &s->of, units));
}

static int play_stage(const struct stage *s, struct bag *pins,
                      struct bag *large, struct op_feed *feed)
{
    int err = 0;

    for (uint64_t i = 0; i < s->blocks && !err; i++)
        err = add(feed, s, large, s->large + 1);
    for (uint64_t i = s->blocks - 1; i-- > 0 && !err;) {
        feed_free(feed, 0, large->object[i]);
        large->object[i] = feed_units(feed, &s->of, s->large);
    }
    for (uint64_t i = 0; i + 1 < s->blocks && !err; i++)
        err = add(feed, s, pins, 1);
    for (uint64_t i = 0; i < s->blocks && !err; i++)
        feed_free(feed, 0, large->object[i]);
    large->count = 0;
    return err ? err : feed->err;
}

static int robson_best_fit_compose(const struct knob_values *values,
                                   uint64_t seed, unsigned threads,
                                   double scale, struct op_feed *feed)
{
    struct bag pins = {0}, large = {0};
    int err = 0;

    (void)seed;
    (void)threads;
    for (struct stage s = first_stage(values, scale); has_stage(&s) && !err;
         next_stage(&s))
        err = play_stage(&s, &pins, &large, feed);
    feed_mark(feed, 0, "pinned");
    for (size_t i = 0; i < pins.count; i++)
        feed_free(feed, 0, pins.object[i]);
    bag_free(&pins);
    bag_free(&large);
    return err ? err : feed->err;
}

/* What ideal best fit uses, over what is live at most. */
static double robson_best_fit_ratio(const struct knob_values *values,
                                    unsigned threads, double scale)
{
    double used = 0, live = 0;

    (void)threads;
    for (struct stage s = first_stage(values, scale); has_stage(&s);
         next_stage(&s)) {
        const uint64_t large = s.blocks * (s.large + 1);
        const uint64_t bytes =
            (s.pins + large) * s.of.unit - (s.pins + s.blocks) * s.of.header;

        used = (double)((s.top + large) * s.of.unit);
        live = (double)bytes > live ? (double)bytes : live;
    }
    return used / live;
}

static const struct workload_bound robson_best_fit_bound = {
    .claim = "best fit uses about M n/e here, of the nearly M n that it can be "
             "made to use (Robson 1977); no other policy has to",
    .ratio = robson_best_fit_ratio,
};

static int robson_best_fit_check(const struct knob_values *values, char *why,
                                 size_t why_size)
{
    return unit_blocks_check("robson-best-fit", values->v[KNOB_UNIT],
                             values->v[KNOB_HEADER], values->v[KNOB_LARGEST],
                             LEAST, why, why_size);
}

const struct workload robson_best_fit_workload = {
    .name = "robson-best-fit",
    .summary = "small blocks find the slivers behind large ones (0.3 M ops)",
    .source = "after Robson, Computer Journal 20(3), 1977",
    .version = 1,
    .knobs = robson_best_fit_knobs,
    .min_threads = 1,
    .max_threads = 1,
    .check = robson_best_fit_check,
    .compose = robson_best_fit_compose,
    .bound = &robson_best_fit_bound,
};
