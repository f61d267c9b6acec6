/* larson.c - a server whose threads end, and leave their blocks to others.
 *
 * Each lane has a table of slots with a block in each.  The main thread fills
 * all tables, shuffles them and replaces the block of a random slot some
 * times, before the clock starts.  Then each lane starts a thread, which
 * replaces blocks of its lane at random; after so many it ends, and another
 * one goes on with its slots, until the lane has made its replacements.  A
 * block has two bytes written when it is made, and looked at when it dies.
 *
 * A model of long-running servers that serve a connection with a thread: what
 * one thread has allocated dies in its successors, so few frees cross at a
 * time but all blocks do in the end, and the heap of a thread that has ended
 * must be found again.  Sizes do not depend on lifetimes, and nothing dies in
 * groups.
 *
 * It is a program, because a replayer makes all threads before the clock
 * starts.  In the original a thread starts its successor and then ends, in
 * parallel; here the successor starts when it has ended, so that whatever an
 * allocator does at the end of a thread has been done.
 *
 * Source: P. Larson & M. Krishnan, "Memory Allocation for Long-Running Server
 * Applications", ISMM 1998, with the parameters of the later suites; a number
 * of replacements in place of a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "native.h"
#include "random.h"
#include "workload.h"

enum { KNOB_MIN, KNOB_MAX, KNOB_SLOTS, KNOB_GENERATION, KNOB_OPS };
enum { WARM_UP = 4 /* replacements of the main thread, for each slot */ };

/* clang-format off */
static const struct knob larson_knobs[] = {
[KNOB_MIN] = {"min", "bytes", 8, 2, 0x1p30,
    "smallest block", NULL},
[KNOB_MAX] = {"max", "bytes", 1000, 2, 0x1p30,
    "largest block", NULL},
[KNOB_SLOTS] = {"slots", "slots", 5000, 1, 1e8,
    "of each lane", NULL},
[KNOB_GENERATION] = {"generation", "1", 500000, 1, 1e12,
    "replacements by a thread before it ends", NULL},
[KNOB_OPS] = {"ops", "1", 4e6, 1, 1e12,
    "replacements in each lane at scale 1 (published: 5 s)", NULL},
{.name = NULL},
};
/* clang-format on */

struct slot {
    void *block; /* NULL: memory was short */
    size_t bytes;
};

/* Its slots are roots. */
struct larson {
    struct slot *slot; /* [slots * lanes] */
    uint64_t slots;
    unsigned lanes;
};

/* What a thread has to do. */
struct shift {
    struct slot *slot; /* [slots], its lane's */
    uint64_t slots, replacements;
};

/* ---- a slot ---- */

static unsigned char stamp_of(const struct slot *slot)
{
    return (unsigned char)(slot->bytes * 37 + 11);
}

static int fill_slot(struct native *n, struct random *random, struct slot *slot)
{
    slot->bytes = random_between(random, (uint64_t)n->knobs->v[KNOB_MIN],
                                 (uint64_t)n->knobs->v[KNOB_MAX]);
    unsigned char *block = native_leaf(n, slot->bytes);

    slot->block = block;
    if (!block)
        return ENOMEM;
    block[0] = stamp_of(slot);
    block[1] = (unsigned char)~stamp_of(slot);
    return 0;
}

static int empty_slot(struct native *n, struct slot *slot)
{
    const unsigned char *block = slot->block;

    if (!block)
        return 0;
    if (block[0] != stamp_of(slot) ||
        block[1] != (unsigned char)~stamp_of(slot))
        return EBADMSG;
    native_drop(n, slot->block, slot->bytes);
    slot->block = NULL;
    return 0;
}

static int replace(struct native *n, const struct shift *shift, uint64_t seed)
{
    struct random random;
    int err = 0;

    random_seed(&random, seed);
    for (uint64_t i = 0; i < shift->replacements && !err; i++) {
        struct slot *slot = &shift->slot[random_below(&random, shift->slots)];

        err = empty_slot(n, slot);
        if (!err)
            err = fill_slot(n, &random, slot);
    }
    return err;
}

/* ---- the lanes ---- */

static int work_shift(struct native *n)
{
    return replace(n, n->shared, n->seed);
}

/* A thread of its own makes these replacements, from birth to death. */
static int start_and_await(struct native *n, struct shift *shift, uint64_t seed)
{
    struct native_thread thread;

    native_thread_init(&thread, n, work_shift);
    thread.native.shared = shift;
    thread.native.seed = seed;
    int err = native_thread_start(&thread);

    return err ? err : native_thread_await(&thread, n);
}

static int drop_lane(struct native *n, struct shift *shift)
{
    int err = 0;

    for (uint64_t i = 0; i < shift->slots && !err; i++)
        err = empty_slot(n, &shift->slot[i]);
    return err;
}

static int larson_run(struct native *n)
{
    const struct larson *w = n->shared;
    struct shift shift = {.slot = &w->slot[n->thread * w->slots],
                          .slots = w->slots};
    uint64_t left = native_scaled(n, n->knobs->v[KNOB_OPS]);
    uint64_t generation = (uint64_t)n->knobs->v[KNOB_GENERATION];
    struct random seeds;
    int err = 0;

    random_seed(&seeds, n->seed);
    for (; left > 0 && !err; left -= shift.replacements) {
        shift.replacements = left < generation ? left : generation;
        err = start_and_await(n, &shift, random_next(&seeds));
    }
    if (err == EBADMSG)
        return err;
    int dropped = drop_lane(n, &shift);
    return err ? err : dropped;
}

/* ---- before the clock ---- */

static void shuffle(struct random *random, struct slot slot[], uint64_t n)
{
    for (uint64_t i = n; i > 1; i--) {
        uint64_t other = random_below(random, i);
        struct slot was = slot[i - 1];

        slot[i - 1] = slot[other];
        slot[other] = was;
    }
}

static int warm_up(struct native *n, const struct larson *w)
{
    uint64_t all = w->slots * w->lanes;
    struct shift shift = {w->slot, all, WARM_UP * all};
    struct random random;
    int err = 0;

    random_seed(&random, n->seed);
    for (uint64_t i = 0; i < all && !err; i++)
        err = fill_slot(n, &random, &w->slot[i]);
    if (err)
        return err;
    shuffle(&random, w->slot, all);
    return replace(n, &shift, random_next(&random));
}

static void larson_free(struct native *n, struct larson *w)
{
    native_roots_remove(n, w->slot, w->slot + w->slots * w->lanes);
    free(w->slot);
    free(w);
}

static int larson_init(struct native *n, struct larson *w)
{
    w->lanes = n->threads;
    w->slots = (uint64_t)n->knobs->v[KNOB_SLOTS];
    w->slot = calloc(w->slots * w->lanes, sizeof *w->slot);
    if (!w->slot)
        return ENOMEM;
    return native_roots_add(n, w->slot, w->slot + w->slots * w->lanes);
}

static int larson_prepare(struct native *n, void **shared)
{
    struct larson *w = calloc(1, sizeof *w);

    if (!w)
        return ENOMEM;
    int err = larson_init(n, w);
    if (err) {
        free(w->slot);
        free(w);
        return err;
    }
    err = warm_up(n, w);
    if (!err) {
        *shared = w;
        return 0;
    }
    if (err != EBADMSG) {
        struct shift all = {w->slot, w->slots * w->lanes, 0};

        (void)drop_lane(n, &all);
    }
    larson_free(n, w);
    return err;
}

static void larson_finish(struct native *n)
{
    larson_free(n, n->shared);
}

static int larson_check(const struct knob_values *values, char *why,
                        size_t why_size)
{
    return knobs_check_min("larson", values->v[KNOB_MIN], values->v[KNOB_MAX],
                           why, why_size);
}

const struct workload larson_workload = {
    .name = "larson",
    .summary = "random replacement by threads that end (8 M ops a lane)",
    .source = "Larson & Krishnan, ISMM 1998",
    .version = 1,
    .knobs = larson_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = larson_check,
    .prepare = larson_prepare,
    .run = larson_run,
    .finish = larson_finish,
};
