/* comb.c - long- and short-lived blocks in turn, then blocks a little larger.
 *
 * Teeth that stay and blocks that go are allocated alternately.  When the
 * latter are gone, the gaps between the teeth are as large as they were, and
 * what comes next is one tooth larger: it fits in none of them.  This is what
 * a parser leaves that allocates a node that stays and a buffer that does not,
 * and goes on to a file with longer lines.
 *
 * Invariant: an allocator that places blocks in the order of their allocation
 * and moves nothing uses a second heap, while teeth and gaps never move.
 *
 * Source: folklore; P. R. Wilson, M. S. Johnstone, M. Neely & D. Boles,
 * "Dynamic Storage Allocation: A Survey and Critical Review", IWMM 1995, on
 * isolated deaths and changes of behaviour.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>

#include "bag.h"
#include "workload.h"

enum { KNOB_LIVE, KNOB_TOOTH, KNOB_GAP, KNOB_HEADER };

/* clang-format off */
static const struct knob comb_knobs[] = {
[KNOB_LIVE] = {"live", "bytes", 64 << 20, 1, 0x1p40,
    "at most, at scale 1; headers are among them", NULL},
[KNOB_TOOTH] = {"tooth", "bytes", 32, 2, 1 << 20,
    "of memory for a block that stays", NULL},
[KNOB_GAP] = {"gap", "bytes", 1 << 10, 2, 1 << 30,
    "of memory for a block that goes", NULL},
[KNOB_HEADER] = {"header", "bytes", 8, 0, 1 << 10,
    "that the allocator adds to a block: asked for is so much less", NULL},
{.name = NULL},
};
/* clang-format on */

struct comb {
    uint64_t tooth, gap, header; /* bytes */
    uint64_t teeth;              /* and as many gaps */
    uint64_t later;              /* blocks of tooth + gap afterwards */
};

static struct comb comb_of(const struct knob_values *values, double scale)
{
    const double *knob = values->v;
    struct comb c = {.tooth = (uint64_t)knob[KNOB_TOOTH],
                     .gap = (uint64_t)knob[KNOB_GAP],
                     .header = (uint64_t)knob[KNOB_HEADER]};
    const uint64_t live = (uint64_t)(knob[KNOB_LIVE] * scale);
    const uint64_t pair = c.tooth + c.gap;

    c.teeth = live > 2 * pair ? live / pair : 2;
    c.later = c.teeth * c.gap / pair;
    return c;
}

static void free_all(struct bag *bag, struct op_feed *feed)
{
    for (size_t i = 0; i < bag->count; i++)
        feed_free(feed, 0, bag->object[i]);
    bag_free(bag);
}

static int comb_compose(const struct knob_values *values, uint64_t seed,
                        unsigned threads, double scale, struct op_feed *feed)
{
    const struct comb c = comb_of(values, scale);
    struct bag teeth = {0}, gaps = {0}, later = {0};
    int err = 0;

    (void)seed;
    (void)threads;
    for (uint64_t i = 0; i < c.teeth && !err; i++) {
        err = bag_add(&gaps, feed_alloc(feed, 0, c.gap - c.header));
        if (!err)
            err = bag_add(&teeth, feed_alloc(feed, 0, c.tooth - c.header));
    }
    feed_mark(feed, 0, "full");
    free_all(&gaps, feed);
    feed_mark(feed, 0, "teeth");
    for (uint64_t i = 0; i < c.later && !err; i++)
        err = bag_add(&later, feed_alloc(feed, 0, c.tooth + c.gap - c.header));
    feed_mark(feed, 0, "refilled");
    free_all(&later, feed);
    free_all(&teeth, feed);
    return err ? err : feed->err;
}

/* Both heaps, over what is live at most: the first, or the teeth of the
 * first with the second. */
static double comb_ratio(const struct knob_values *values, unsigned threads,
                         double scale)
{
    const struct comb c = comb_of(values, scale);
    const double teeth = (double)c.teeth, later = (double)c.later;
    const double pair = (double)(c.tooth + c.gap), header = (double)c.header;
    const double first = teeth * (pair - 2 * header);
    const double second =
        teeth * ((double)c.tooth - header) + later * (pair - header);

    (void)threads;
    return (teeth + later) * pair / (first > second ? first : second);
}

static const struct workload_bound comb_bound = {
    .claim = "first fit and best fit use two heaps here less the teeth, since "
             "no gap takes what comes later; whoever packs by size does not",
    .ratio = comb_ratio,
};

static int comb_check(const struct knob_values *values, char *why,
                      size_t why_size)
{
    const double tooth = values->v[KNOB_TOOTH], gap = values->v[KNOB_GAP];
    const double header = values->v[KNOB_HEADER];

    if (header < tooth && header < gap)
        return 0;
    snprintf(why, why_size,
             "comb: header = %.0f bytes (want less than tooth and gap, %.0f "
             "and %.0f bytes)",
             header, tooth, gap);
    return EINVAL;
}

const struct workload comb_workload = {
    .name = "comb",
    .summary = "gaps between blocks that stay are a little too small (0.4 M "
               "ops)",
    .source = "Wilson et al., Dynamic Storage Allocation, IWMM 1995",
    .version = 1,
    .knobs = comb_knobs,
    .min_threads = 1,
    .max_threads = 1,
    .check = comb_check,
    .compose = comb_compose,
    .bound = &comb_bound,
};
