/* espresso.c - a model of the allocations of espresso, a minimiser of logic.
 *
 * The program is calm most of the time: blocks with a size and a lifetime of a
 * table (life_table.h) come and go, and 100 to 150 are alive.  Now and then it
 * builds a sparse matrix: a wave of up to some 4000 blocks of 48 and 56 bytes,
 * born one after the other with nothing else in between, that then die all at
 * once.  Waves are nearly half of all blocks, and their lifetimes are what is
 * long in the distribution of lifetimes.  Some blocks grow: small lists that
 * are doubled again and again.
 *
 * A model of sizes, lifetimes, waves and reallocations.  Not of the order of
 * sizes within the calm, which are independent here, nor of the program's 20
 * repetitions, nor of its largest single blocks (53 KiB).
 *
 * Source of all figures: espresso of Berkeley, as in mimalloc-bench, on
 * largest.espresso, run here under a malloc that counts: 33,187,680 blocks and
 * 322,560 reallocations.  The sizes of waves were computed from the lifetimes
 * of all blocks of 48 and 56 bytes, as a mixture of waves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bag.h"
#include "life_table.h"
#include "workload.h"

enum { KNOB_ALLOCS, KNOB_WAVES, KNOB_GROWS };

/* clang-format off */
static const struct knob espresso_knobs[] = {
[KNOB_ALLOCS] = {"allocs", "events", 2e6, 1, 1e12,
    "blocks at scale 1 (the program: 33.2 million)", NULL},
[KNOB_WAVES] = {"waves", "%", 46.5, 0, 95,
    "of the blocks are born in waves", NULL},
[KNOB_GROWS] = {"grows", "%", 100, 0, 100,
    "of the reallocations that the program makes", NULL},
{.name = NULL},
};

/* All blocks but those of waves.  The last octave is whatever lives longer
 * than 4095 births. */
static const struct life_row calm[] = {
{8, 8, 0, {4975, 3238, 2345, 1277, 39, 548, 347, 453, 384, 262, 142, 88, 46,
    5}},
{16, 16, 0, {76282, 25082, 13904, 49032, 43838, 49005, 32010, 17998, 7987,
    2949, 798, 396, 251, 214}},
{24, 40, 8, {1361, 2615, 395, 40, 5, 512, 213, 195, 70, 40, 11, 5, 0, 16}},
{48, 48, 0, {13265, 2787, 4290, 3875, 3892, 3774, 461, 0, 0, 0, 0, 0, 0, 5}},
{56, 56, 0, {3915, 384, 6688, 1418, 1174, 1565, 219, 0, 0, 0, 0, 0, 0, 5}},
{64, 64, 0, {102, 5463, 5094, 237, 1063, 17, 83, 58, 19, 10, 1, 2, 0, 5}},
{72, 72, 0, {23, 7895, 4884, 842, 1713, 572, 93, 149, 131, 73, 31, 33, 2, 0}},
{80, 80, 0, {11, 3907, 2884, 982, 1266, 512, 660, 71, 180, 99, 65, 26, 8, 2}},
{88, 88, 0, {1307, 3372, 1905, 1920, 1255, 1388, 900, 838, 591, 360, 221, 121,
    42, 5}},
{96, 128, 8, {46, 7950, 3084, 5350, 4330, 3982, 2063, 798, 83, 61, 13, 6, 4,
    0}},
{136, 192, 8, {45, 4523, 1379, 1443, 2430, 3779, 3124, 1848, 364, 168, 58, 17,
    13, 7}},
{200, 264, 8, {7, 2212, 508, 728, 961, 2470, 1773, 1404, 808, 115, 81, 21, 19,
    0}},
{272, 272, 0, {1, 325, 4494, 2015, 344, 649, 417, 253, 137, 107, 31, 12, 7,
    4}},
{280, 384, 8, {82, 1522, 212, 442, 391, 1275, 1255, 1124, 870, 128, 14, 6, 2,
    1}},
{392, 512, 8, {13, 911, 61, 212, 152, 491, 401, 438, 271, 248, 10, 11, 11, 0}},
{520, 1016, 8, {9, 2217, 57, 462, 341, 955, 588, 397, 257, 463, 145, 29, 7,
    2}},
{1024, 1536, 8, {20, 748, 43, 208, 155, 304, 392, 248, 117, 112, 246, 93, 9,
    9}},
{2048, 2560, 8, {2, 86, 16, 23, 8, 40, 65, 69, 26, 46, 37, 110, 34, 7}},
{3072, 3200, 8, {2, 628, 131, 606, 299, 359, 127, 68, 35, 30, 22, 20, 28, 4}},
{4096, 4096, 0, {1, 1502, 29, 66, 143, 155, 118, 93, 110, 108, 12, 6, 7, 5}},
{6144, 6144, 0, {1, 9, 14, 67, 34, 86, 120, 329, 390, 200, 22, 15, 41, 22}},
{8192, 14336, 2048, {0, 1, 10, 5, 10, 23, 11, 4, 2, 2, 1, 2, 7, 36}},
{16384, 16384, 0, {1, 11, 1, 326, 135, 181, 170, 121, 113, 18, 1, 1, 0, 4}},
{20480, 24576, 2048, {0, 11, 0, 13, 8, 25, 11, 31, 18, 10, 8, 1, 3, 7}},
};
/* clang-format on */

/* Waves of 2^(7+i-1) .. 2^(7+i) - 1 blocks: how many of a million blocks are
 * born in such. */
static const double wave_share[] = {25921, 66484, 61453, 96193, 99290, 115297};

enum {
    CALM_ROWS = sizeof calm / sizeof calm[0],
    WAVE_KINDS = sizeof wave_share / sizeof wave_share[0],
    WAVE_LEAST = 64,    /* blocks: of the smallest kind */
    WAVE_SMALL = 48,    /* bytes: of 73 % of a wave's blocks … */
    WAVE_LARGE = 56,    /* … and of the others */
    KEPT = 117,         /* blocks: 40 that the program leaves, and 77 that
                           live for 8192 births and more, on average … */
    KEPT_BYTES = 1768,  /* … and their mean size: 91,360 and 115,546 bytes */
    GROWS_FROM = 16,    /* births that a block which grows lives at least */
    TINY = 8,           /* bytes, of blocks that grow most often */
    LARGE = 64,         /* bytes, from which blocks grow, too */
    DOUBLINGS_MAX = 12, /* fewer than GROWS_FROM */
    GROWN_MAX = 53248   /* bytes: the program's largest block */
};

/* Of all those that live so long: how many grow, and how often on average. */
static const double tiny_grows = 0.8, tiny_doublings = 3.7;
static const double large_grows = 0.05, large_doublings = 1.5;
static const double wave_small_share = 0.73;
static const double wave_in_order = 0.7; /* waves that die in birth order */

struct espresso {
    struct op_feed *feed;
    struct random random;
    struct life life;
    struct alias wave_kinds;
    uint64_t wave_odds; /* that a wave comes before a block of the calm */
    uint64_t small_odds, in_order_odds, tiny_odds, large_odds;
    struct bag wave;
    uint64_t kept[KEPT];
    uint64_t growing, growing_size; /* the block that grows, if any */
    uint64_t doublings;             /* that it will still do */
};

/* With each birth the growing block is doubled once. */
static void grow(struct espresso *e)
{
    if (e->doublings == 0)
        return;
    e->doublings--;
    e->growing_size *= 2;
    if (e->growing_size <= GROWN_MAX)
        feed_resize(e->feed, 0, e->growing, e->growing_size);
}

/* It may begin to grow, if none does. */
static void choose_growth(struct espresso *e, uint64_t object,
                          const struct life_draw *block)
{
    bool is_tiny = block->size == TINY;
    uint64_t odds = is_tiny ? e->tiny_odds : e->large_odds;

    if (e->doublings > 0 || block->lifetime < GROWS_FROM ||
        (!is_tiny && block->size < LARGE) || !random_chance(&e->random, odds))
        return;
    uint64_t doublings = random_geometric(
        &e->random, is_tiny ? tiny_doublings : large_doublings);

    e->growing = object;
    e->growing_size = block->size;
    e->doublings = doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX;
}

static void calm_block(struct espresso *e)
{
    struct life_draw block = life_draw(&e->life, &e->random);

    grow(e);
    choose_growth(e, life_bear(&e->life, block.size, block.lifetime), &block);
}

static int build_wave(struct espresso *e, uint64_t blocks)
{
    int err = 0;

    for (uint64_t i = 0; i < blocks && !err; i++) {
        bool is_small = random_chance(&e->random, e->small_odds);
        uint64_t size = is_small ? WAVE_SMALL : WAVE_LARGE;

        grow(e);
        err = bag_add(&e->wave, life_keep(&e->life, size));
    }
    return err;
}

static void drop_wave(struct espresso *e)
{
    bool is_in_order = random_chance(&e->random, e->in_order_odds);
    size_t n = e->wave.count;

    for (size_t i = 0; i < n; i++)
        feed_free(e->feed, 0, e->wave.object[is_in_order ? i : n - 1 - i]);
    e->wave.count = 0;
}

/* Returns 0 or ENOMEM; blocks: how many were born. */
static int wave(struct espresso *e, uint64_t most, uint64_t *blocks)
{
    uint64_t least = (uint64_t)WAVE_LEAST
                     << alias_draw(&e->wave_kinds, &e->random);

    *blocks = least + random_below(&e->random, least);
    *blocks = *blocks < most ? *blocks : most;
    int err = build_wave(e, *blocks);

    drop_wave(e);
    return err;
}

/* A wave comes as often as makes `share` of all blocks be born in waves. */
static int set_odds(struct espresso *e, double share, double grows)
{
    double waves[WAVE_KINDS], total = 0, weight = 0;

    for (unsigned i = 0; i < WAVE_KINDS; i++) {
        double mean = 1.5 * (double)(WAVE_LEAST << i);

        waves[i] = wave_share[i] / mean;
        total += wave_share[i];
        weight += waves[i];
    }
    double mean_wave = total / weight;

    e->wave_odds = random_odds(share / (1 - share) / mean_wave);
    e->small_odds = random_odds(wave_small_share);
    e->in_order_odds = random_odds(wave_in_order);
    e->tiny_odds = random_odds(grows * tiny_grows);
    e->large_odds = random_odds(grows * large_grows);
    return alias_init(&e->wave_kinds, waves, WAVE_KINDS);
}

static int play(struct espresso *e, uint64_t allocs)
{
    int err = 0;

    for (unsigned i = 0; i < KEPT; i++)
        e->kept[i] = life_keep(&e->life, KEPT_BYTES);
    for (uint64_t born = 0, more = 0; born < allocs && !err && !e->feed->err;
         born += more) {
        more = 1;
        if (random_chance(&e->random, e->wave_odds))
            err = wave(e, allocs - born, &more);
        else
            calm_block(e);
    }
    life_end(&e->life);
    for (unsigned i = 0; i < KEPT; i++)
        feed_free(e->feed, 0, e->kept[i]);
    return err;
}

static int espresso_compose(const struct knob_values *values, uint64_t seed,
                            unsigned threads, double scale,
                            struct op_feed *feed)
{
    const double *knob = values->v;
    double allocs = knob[KNOB_ALLOCS] * scale;
    struct espresso e = {.feed = feed};

    (void)threads; /* one */
    random_seed(&e.random, seed);
    int err = life_open(&e.life, calm, CALM_ROWS, feed, 0);
    if (!err)
        err = set_odds(&e, knob[KNOB_WAVES] / 100, knob[KNOB_GROWS] / 100);
    if (!err)
        err = play(&e, allocs > 1 ? (uint64_t)allocs : 1);
    life_close(&e.life);
    alias_free(&e.wave_kinds);
    bag_free(&e.wave);
    return err ? err : feed->err;
}

const struct workload espresso_workload = {
    .name = "espresso",
    .summary = "a model of espresso: a calm heap, and waves (4 M ops)",
    .source = "espresso of UC Berkeley, measured on largest.espresso",
    .version = 1,
    .knobs = espresso_knobs,
    .min_threads = 1,
    .max_threads = 1,
    .compose = espresso_compose,
};
