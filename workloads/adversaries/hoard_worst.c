/* hoard_worst.c - one block stays in each superblock of each size.
 *
 * For each size in turn, fill what may be live with blocks of it and free all
 * but one in each superblock.  An allocator whose superblocks (slabs, spans,
 * pages, runs) hold blocks of one size can use none of them for another size,
 * though they are nearly empty: it ends with as many heaps as there are sizes.
 *
 * The sizes grow by a ratio, rounded up to 16 bytes; a superblock holds as
 * many blocks as fit.  Which blocks lie together is taken from the order of
 * allocation.
 *
 * Source: E. Berger, K. McKinley, R. Blumofe & P. Wilson, "Hoard: A Scalable
 * Memory Allocator for Multithreaded Applications", ASPLOS 2000: superblocks
 * of 8 KiB, sizes 1.2 apart (section 4), which bounds the waste of a size but
 * not that of one size after another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "bag.h"
#include "workload.h"

enum { KNOB_LIVE, KNOB_SUPERBLOCK, KNOB_SMALLEST, KNOB_LARGEST, KNOB_RATIO };
enum { GRAIN = 16 /* bytes: all sizes are multiples */ };

/* clang-format off */
static const struct knob hoard_worst_knobs[] = {
[KNOB_LIVE] = {"live", "bytes", 16 << 20, 1, 0x1p40,
    "at most, at scale 1", NULL},
[KNOB_SUPERBLOCK] = {"superblock", "bytes", 8 << 10, 64, 1 << 30,
    "of which one block is to stay", NULL},
[KNOB_SMALLEST] = {"smallest", "bytes", 16, 1, 1 << 20,
    "size, rounded up to 16 bytes", NULL},
[KNOB_LARGEST] = {"largest", "bytes", 1 << 10, 1, 1 << 29,
    "size, at most half a superblock", NULL},
[KNOB_RATIO] = {"ratio", "1", 1.2, 1, 100,
    "of a size to the one before, rounded up to 16 bytes", NULL},
{.name = NULL},
};
/* clang-format on */

/* A size, in its turn. */
struct turn {
    const double *knob;
    uint64_t live;        /* bytes, at most */
    uint64_t size, each;  /* bytes of a block, blocks in a superblock */
    uint64_t superblocks; /* that it fills */
    uint64_t left;        /* bytes that stay of all sizes before */
};

static uint64_t round_up(double size)
{
    const uint64_t grains = (uint64_t)(size / GRAIN);

    return ((double)(grains * GRAIN) < size ? grains + 1 : grains) * GRAIN;
}

static void count_superblocks(struct turn *t)
{
    t->each = (uint64_t)t->knob[KNOB_SUPERBLOCK] / t->size;
    t->superblocks = t->each ? (t->live - t->left) / (t->each * t->size) : 0;
}

static struct turn first_turn(const struct knob_values *values, double scale)
{
    const double *knob = values->v;
    const uint64_t superblock = (uint64_t)knob[KNOB_SUPERBLOCK];
    struct turn t = {.knob = knob,
                     .live = (uint64_t)(knob[KNOB_LIVE] * scale),
                     .size = round_up(knob[KNOB_SMALLEST])};

    t.live = t.live > 4 * superblock ? t.live : 4 * superblock;
    count_superblocks(&t);
    return t;
}

static bool has_turn(const struct turn *t)
{
    return (double)t->size <= t->knob[KNOB_LARGEST] && t->superblocks > 0;
}

static void next_turn(struct turn *t)
{
    const uint64_t larger = round_up((double)t->size * t->knob[KNOB_RATIO]);

    t->left += t->superblocks * t->size;
    t->size = larger > t->size ? larger : t->size + GRAIN;
    count_superblocks(t);
}

static int play_turn(const struct turn *t, struct bag *stay, struct bag *die,
                     struct op_feed *feed)
{
    const uint64_t n = t->superblocks * t->each;
    int err = 0;

    for (uint64_t i = 0; i < n && !err; i++)
        err = bag_add(i % t->each ? die : stay, feed_alloc(feed, 0, t->size));
    for (size_t i = 0; i < die->count && !err; i++)
        feed_free(feed, 0, die->object[i]);
    die->count = 0;
    return err ? err : feed->err;
}

static int hoard_worst_compose(const struct knob_values *values, uint64_t seed,
                               unsigned threads, double scale,
                               struct op_feed *feed)
{
    struct bag stay = {0}, die = {0};
    int err = 0;

    (void)seed;
    (void)threads;
    for (struct turn t = first_turn(values, scale); has_turn(&t) && !err;
         next_turn(&t))
        err = play_turn(&t, &stay, &die, feed);
    feed_mark(feed, 0, "sparse");
    for (size_t i = 0; i < stay.count; i++)
        feed_free(feed, 0, stay.object[i]);
    bag_free(&stay);
    bag_free(&die);
    return err ? err : feed->err;
}

/* All superblocks that were filled, over what is live at most. */
static double hoard_worst_ratio(const struct knob_values *values,
                                unsigned threads, double scale)
{
    double superblocks = 0, most = 0;

    (void)threads;
    for (struct turn t = first_turn(values, scale); has_turn(&t);
         next_turn(&t)) {
        const double live = (double)(t.left + t.superblocks * t.each * t.size);

        superblocks += (double)t.superblocks;
        most = live > most ? live : most;
    }
    return superblocks * values->v[KNOB_SUPERBLOCK] / most;
}

static const struct workload_bound hoard_worst_bound = {
    .claim =
        "superblocks that hold one size each, of these sizes, and are used "
        "for another only when empty (Hoard, ASPLOS 2000): near the number "
        "of sizes",
    .ratio = hoard_worst_ratio,
};

static int hoard_worst_check(const struct knob_values *values, char *why,
                             size_t why_size)
{
    const double *knob = values->v;
    const double smallest = (double)round_up(knob[KNOB_SMALLEST]);

    if (knob[KNOB_LARGEST] > knob[KNOB_SUPERBLOCK] / 2)
        snprintf(why, why_size,
                 "hoard-worst: largest = %.0f bytes (want at most half of "
                 "superblock, %.0f bytes)",
                 knob[KNOB_LARGEST], knob[KNOB_SUPERBLOCK] / 2);
    else if (smallest > knob[KNOB_LARGEST])
        snprintf(why, why_size,
                 "hoard-worst: smallest = %.0f, rounded up to 16 bytes (want "
                 "at most largest, %.0f bytes)",
                 knob[KNOB_SMALLEST], knob[KNOB_LARGEST]);
    else
        return 0;
    return EINVAL;
}

const struct workload hoard_worst_workload = {
    .name = "hoard-worst",
    .summary = "each size in turn leaves one block a superblock (3 M ops)",
    .source = "Hoard's worst case: Berger et al., ASPLOS 2000",
    .version = 1,
    .knobs = hoard_worst_knobs,
    .min_threads = 1,
    .max_threads = 1,
    .check = hoard_worst_check,
    .compose = hoard_worst_compose,
    .bound = &hoard_worst_bound,
};
