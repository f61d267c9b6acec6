/* trace_profile.h - a statistical profile of a trace, fitted to it, from which
 * another trace like it is composed.
 *
 * Time is counted in births.  The trace is cut into parts: where a further
 * 1/32 of it is over, and where most is freed at once.  Kept are
 *
 *   - for each part, how often each group of sizes, lifetime and number of
 *     resizes occur together.  A favourite size is a group of its own; the
 * others share groups of a quarter of an octave.  Lifetimes are by quarters of
 * an octave; long ones by 1/32 of the trace, or by the part at whose begin the
 * object dies together with others.  So the live bytes rise and fall as they
 * did;
 *   - for each part, which threads allocate, and how long one goes on;
 *   - who frees what which thread used, as a matrix;
 *   - from which group to which objects are resized, and after how many births,
 *     apart for those that are resized once, and more and more often;
 *   - how many are zeroed or aligned, by group;
 *   - how often a free that follows a free takes an older object.
 *
 * All else is drawn independently, and so is lost: what lives and dies
 * together but at the begins of parts, what sizes follow each other, what
 * threads prefer; so are touches, marks, times, and when threads start.
 *
 * Sources: B. Zorn & D. Grunwald, "Evaluating Models of Memory Allocation",
 * ACM TOMACS 4(1), 1994, compare such models: what one of them leaves out may
 * be what an allocator's rank depends on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRACE_PROFILE_H
#define HEAPYARD_TRACE_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "address_map.h"
#include "ledger.h"
#include "op.h"
#include "size_tally.h"

enum {
    PROFILE_EVEN_PARTS = 32,
    PROFILE_BURSTS = 32, /* places where most is freed at once */
    PROFILE_PARTS_MAX = PROFILE_EVEN_PARTS + PROFILE_BURSTS,
    PROFILE_FAVOURITES = 64,
    PROFILE_BINS = 252, /* 0 .. 7, then four an octave up to 2^64 */
    PROFILE_GROUPS = PROFILE_FAVOURITES + PROFILE_BINS,
    PROFILE_HOWS = OP_MAX_ALIGN_LOG2 + 1,
    PROFILE_GROWTHS = 6
};

/* A lifetime: a bin of births in between, or where it ends, or in steps of an
 * even part. */
enum {
    LIFE_AT = PROFILE_BINS, /* + part: just before its first birth; + the
                               number of parts: after the last birth */
    LIFE_LONG = LIFE_AT + PROFILE_PARTS_MAX + 1, /* + profile_long_steps */
    LIFE_NEVER = LIFE_LONG + PROFILE_EVEN_PARTS
};

/* The sizes of a bin that are no favourites: min, min + grain, … max. */
struct profile_range {
    uint64_t min, max, grain; /* max 0: none; grain 0: min only */
};

struct trace_profile {
    uint64_t births;
    unsigned threads;
    size_t parts;
    uint64_t start[PROFILE_PARTS_MAX + 1]; /* births before part i; then all */

    uint64_t favourite[PROFILE_FAVOURITES]; /* [nfavourites], ascending */
    size_t nfavourites;
    struct profile_range range[PROFILE_BINS];
    uint64_t born[PROFILE_GROUPS];
    /* Of those: [0] zeroed, [k] aligned to 2^k. */
    uint64_t how[PROFILE_GROUPS][PROFILE_HOWS];

    struct size_tally cells; /* births, by profile_cell() */
    struct size_tally steps; /* resizes, by profile_pair(from, group) */
    struct size_tally waits; /* resizes, by profile_pair(from, bin of births
                                since the last or since birth) */
    uint64_t switches;       /* births by another thread than the one before */
    uint64_t *by_thread;     /* births, [parts][threads] */
    uint64_t *freer; /* frees, [threads][threads]: last user, who frees */
    uint64_t pairs;  /* frees that follow a free … */
    uint64_t older;  /* … of a younger object */
};

/* What an object is that is so often resized, and now of that group. */
unsigned profile_state(uint64_t resizes, unsigned group);
/* from: a state. */
static inline uint64_t profile_pair(uint64_t from, uint64_t to)
{
    return from << 16 | to;
}

/* resizes: the bin of how often it is resized. */
static inline uint64_t profile_cell(uint64_t part, uint64_t group,
                                    uint64_t resizes, uint64_t life)
{
    return part << 32 | group << 20 | resizes << 12 | life;
}

/* The bin of a number, and its least number.  The bins end at PROFILE_BINS. */
unsigned profile_bin(uint64_t v);
uint64_t profile_bin_begin(unsigned bin);

/* Of a size: a favourite, or PROFILE_FAVOURITES + its bin. */
unsigned profile_group(const struct trace_profile *, uint64_t size);

/* Births in a step of long lifetimes: PROFILE_EVEN_PARTS steps are more than
 * all. */
static inline uint64_t profile_long_step(const struct trace_profile *p)
{
    return p->births / PROFILE_EVEN_PARTS + 1;
}

/* The part in which that birth is, or the number of parts. */
size_t profile_part(const struct trace_profile *, uint64_t birth);

/* Numbers that the profile consists of. */
uint64_t profile_numbers(const struct trace_profile *);

void trace_profile_free(struct trace_profile *);

/* ---- fitting ---- */

struct profile_burst {
    uint64_t place; /* births before it */
    uint64_t frees;
};

/* A sink, into which the trace is played twice. */
struct profile_fit {
    struct op_sink sink; /* first: put casts back */
    struct trace_profile *profile;
    struct ledger ledger;
    struct size_tally sizes;
    uint16_t *resizes; /* [room], of each object ever born; capped */
    size_t room;
    struct profile_burst burst[PROFILE_BURSTS];
    uint64_t frees; /* since the last birth */
    uint64_t last_freed;
    unsigned last_thread;
    struct address_map resized; /* see trace_profile.c */
};

/* Its put refuses a malformed stream with EBADMSG and fit->ledger.why.
 * Returns 0 or ENOMEM; whatever it returns, both are to be freed. */
int profile_fit_init(struct profile_fit *, struct trace_profile *);
/* Between the plays.  Returns 0, ENOMEM, or ENODATA: nothing was born. */
int profile_fit_again(struct profile_fit *);
/* The profile is whole.  Returns 0 or ENOMEM. */
int profile_fit_finish(struct profile_fit *);
void profile_fit_free(struct profile_fit *);

/* ---- composing ---- */

/* Feed a trace of that profile, with as many births; the same for the same
 * seed.  Returns 0, feed->err or ENOMEM. */
int profile_compose(const struct trace_profile *, uint64_t seed,
                    struct op_feed *);

#endif
