/* phase_change.c - a heap of one size of blocks, then of another.
 *
 * Each phase fills the heap with blocks of one size, and then frees most of
 * all that lives, chosen at random.  The next phase's blocks are larger by a
 * ratio.  So the memory that a phase left behind is in pieces too small for
 * the next one, unless neighbours are merged; what an allocator keeps for
 * each size apart from the others adds up from phase to phase.
 *
 * Sources: the growing sizes of J. M. Robson, "Bounds for Some Functions
 * Concerning Dynamic Storage Allocation", JACM 21(3), 1974; one size after
 * another is the worst case of E. Berger et al., "Hoard: A Scalable Memory
 * Allocator for Multithreaded Applications", ASPLOS 2000, section 4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "bag.h"
#include "random.h"
#include "workload.h"

enum { KNOB_HEAP, KNOB_SIZE, KNOB_RATIO, KNOB_PHASES, KNOB_FREED, KNOB_SETTLE };
enum { TURN = 64 /* operations of a thread before the next one's */ };

/* clang-format off */
static const struct knob phase_change_knobs[] = {
[KNOB_HEAP] = {"heap", "bytes", 96 << 20, 1, 0x1p40,
    "live bytes at the end of each filling, at scale 1", NULL},
[KNOB_SIZE] = {"size", "bytes", 64, 1, 0x1p30,
    "of the first phase's blocks", NULL},
[KNOB_RATIO] = {"ratio", "1", 1.5, 1, 100,
    "of each phase's size to the one before", NULL},
[KNOB_PHASES] = {"phases", "phases", 4, 1, 100,
    "number of sizes", NULL},
[KNOB_FREED] = {"freed", "%", 90, 1, 100,
    "of all live blocks, at random, at the end of each phase", NULL},
[KNOB_SETTLE] = {"settle", "events", 0, 0, 1e12,
    "allocations and frees at that level, at scale 1, before the next", NULL},
{.name = NULL},
};
/* clang-format on */

struct phase_change {
    struct op_feed *feed;
    struct random random;
    uint64_t share; /* bytes: of the heap, a thread's */
    uint64_t size;  /* bytes: of this phase's blocks */
    struct phase_thread *thread;
    unsigned threads;
    int err; /* ENOMEM, or 0 */
};

struct phase_thread {
    struct bag live, size; /* the same places: object and its bytes */
    uint64_t bytes;        /* live */
    uint64_t target;       /* blocks to leave */
};

/* One operation of a thread; false: it has done its part of the phase. */
typedef bool phase_step(struct phase_change *, unsigned thread);

static bool add_block(struct phase_change *w, unsigned thread)
{
    struct phase_thread *t = &w->thread[thread];

    if (t->bytes + w->size > w->share && t->live.count > 0)
        return false;
    int err = bag_add(&t->live, feed_alloc(w->feed, thread, w->size));
    err = err ? err : bag_add(&t->size, w->size);
    t->bytes += w->size;
    w->err = w->err ? w->err : err;
    return true;
}

static bool free_any_block(struct phase_change *w, unsigned thread)
{
    struct phase_thread *t = &w->thread[thread];

    if (t->live.count <= t->target)
        return false;
    size_t i = random_below(&w->random, t->live.count);
    feed_free(w->feed, thread, bag_take(&t->live, i));
    t->bytes -= bag_take(&t->size, i);
    return true;
}

/* Blocks of all phases are replaced by blocks of this one. */
static void settle(struct phase_change *w, uint64_t replacements)
{
    for (uint64_t i = 0; i < replacements && !w->err && !w->feed->err; i++) {
        const unsigned thread = (unsigned)(i / TURN % w->threads);
        struct phase_thread *t = &w->thread[thread];

        t->target = 0;
        if (free_any_block(w, thread))
            add_block(w, thread);
    }
}

/* All threads do their part, in turns. */
static void play_part(struct phase_change *w, phase_step *step)
{
    bool has_more = true;

    while (has_more && !w->err && !w->feed->err) {
        has_more = false;
        for (unsigned t = 0; t < w->threads; t++) {
            bool is_going = true;
            for (unsigned i = 0; i < TURN && is_going && !w->err; i++)
                is_going = step(w, t);
            has_more |= is_going;
        }
    }
}

static void leave_percent(struct phase_change *w, double percent)
{
    for (unsigned t = 0; t < w->threads; t++)
        w->thread[t].target =
            (uint64_t)((double)w->thread[t].live.count * percent / 100);
}

static void mark(struct phase_change *w, const char *what, unsigned phase)
{
    char name[OP_NAME_MAX + 1];

    snprintf(name, sizeof name, "%s-%u", what, phase);
    feed_mark(w->feed, 0, name);
}

/* Bytes of the blocks of phase 1, 2 …, before rounding down. */
static double size_of_phase(const double *knob, unsigned phase)
{
    double size = knob[KNOB_SIZE];

    for (unsigned p = 1; p < phase; p++)
        size *= knob[KNOB_RATIO];
    return size;
}

static void play_phases(struct phase_change *w, const double *knob,
                        double scale)
{
    for (unsigned p = 1; p <= (unsigned)knob[KNOB_PHASES]; p++) {
        w->size = (uint64_t)size_of_phase(knob, p);
        play_part(w, add_block);
        mark(w, "full", p);
        leave_percent(w, 100 - knob[KNOB_FREED]);
        play_part(w, free_any_block);
        settle(w, (uint64_t)(knob[KNOB_SETTLE] * scale / 2));
        mark(w, "sparse", p);
    }
    leave_percent(w, 0);
    play_part(w, free_any_block);
}

static int phase_change_compose(const struct knob_values *values, uint64_t seed,
                                unsigned threads, double scale,
                                struct op_feed *feed)
{
    struct phase_change w = {
        .feed = feed,
        .share = (uint64_t)(values->v[KNOB_HEAP] * scale / threads),
        .thread = calloc(threads, sizeof *w.thread),
        .threads = threads,
    };

    if (!w.thread)
        return ENOMEM;
    random_seed(&w.random, seed);
    for (unsigned t = 1; t < threads; t++)
        feed_spawn(feed, 0, t);
    play_phases(&w, values->v, scale);
    for (unsigned t = 1; t < threads; t++)
        feed_join(feed, 0, t);
    for (unsigned t = 0; t < threads; t++) {
        bag_free(&w.thread[t].live);
        bag_free(&w.thread[t].size);
    }
    free(w.thread);
    return w.err ? w.err : feed->err;
}

static int phase_change_check(const struct knob_values *values, char *why,
                              size_t why_size)
{
    const double *knob = values->v;
    double last = size_of_phase(knob, (unsigned)knob[KNOB_PHASES]);

    if (last <= knob[KNOB_HEAP])
        return 0;
    snprintf(why, why_size,
             "phase-change: blocks of the last phase = %.0f bytes (want at "
             "most heap, %.0f)",
             last, knob[KNOB_HEAP]);
    return EINVAL;
}

/* The first phase fills the heap, each later one what the frees before it
 * have left: all of it is new memory where sizes do not mix. */
static double phase_change_ratio(const struct knob_values *values,
                                 unsigned threads, double scale)
{
    const double *knob = values->v;

    (void)threads;
    (void)scale;
    return 1 + (knob[KNOB_PHASES] - 1) * knob[KNOB_FREED] / 100;
}

static const struct workload_bound phase_change_bound = {
    .claim = "storage that is kept for one size each and never given back: the "
             "heap, and what is freed in each phase but the last",
    .ratio = phase_change_ratio,
};

const struct workload phase_change_workload = {
    .name = "phase-change",
    .summary = "fill, free most at random, refill with larger blocks (7 M "
               "ops)",
    .source = "Robson, JACM 21(3), 1974; Hoard's worst case, ASPLOS 2000",
    .version = 1,
    .knobs = phase_change_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = phase_change_check,
    .compose = phase_change_compose,
    .bound = &phase_change_bound,
};
