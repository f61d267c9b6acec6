/* test_trace_fit.c - a profile is what the trace was made with, and a trace
 * composed of it is near.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "bag.h"
#include "ops_list.h"
#include "ops_random.h"
#include "random.h"
#include "trace_profile.h"
#include "trace_shape.h"

enum { SEEDS = 8 };

static void fit(const struct trace_source *source, struct trace_profile *p)
{
    struct profile_fit f;

    cr_assert_eq(profile_fit_init(&f, p), 0);
    cr_assert_eq(source->play(source, &f.sink), 0, "%s", f.ledger.why);
    cr_assert_eq(profile_fit_again(&f), 0);
    cr_assert_eq(source->play(source, &f.sink), 0, "%s", f.ledger.why);
    cr_assert_eq(profile_fit_finish(&f), 0);
    profile_fit_free(&f);
}

static void shape(const struct trace_source *source, uint64_t births,
                  struct trace_shape *s)
{
    cr_assert_eq(shape_init(s, births), 0);
    cr_assert_eq(source->play(source, &s->sink), 0, "%s", s->ledger.why);
    shape_finish(s);
}

/* Composed of the profile, in a list. */
static void compose(const struct trace_profile *p, uint64_t seed,
                    struct ops_list *out)
{
    struct op_feed feed = {.sink = &out->sink};

    ops_list_init(out);
    cr_assert_eq(profile_compose(p, seed, &feed), 0);
}

static struct ops_random some_trace(uint64_t seed)
{
    return ops_random((struct ops_random){.seed = seed,
                                          .threads = 1 + (unsigned)(seed % 4),
                                          .ops = 8000,
                                          .live = 10 + (unsigned)(seed * 40),
                                          .max_size = 5000,
                                          .max_align_log2 = 8});
}

/* ---- bins ---- */

Test(trace_fit, each_number_is_in_the_bin_that_begins_at_or_below_it)
{
    for (unsigned bin = 0; bin + 1 < PROFILE_BINS; bin++) {
        const uint64_t begin = profile_bin_begin(bin),
                       end = profile_bin_begin(bin + 1);

        cr_assert_lt(begin, end);
        cr_assert_eq(profile_bin(begin), bin);
        cr_assert_eq(profile_bin(end - 1), bin);
    }
    cr_assert_eq(profile_bin(UINT64_MAX), PROFILE_BINS - 1);
}

/* ---- distance ---- */

Test(trace_fit, a_trace_has_no_distance_to_itself)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ops_random trace = some_trace(seed);
        struct trace_profile p;
        struct trace_shape a, b;

        fit(&trace.source, &p);
        shape(&trace.source, p.births, &a);
        shape(&trace.source, p.births, &b);
        const struct trace_distance d = shape_distance(&a, &b);

        cr_expect_eq(d.sizes_ks, 0);
        cr_expect_eq(d.sizes_tv, 0);
        cr_expect_eq(d.lives_ks, 0);
        cr_expect_eq(d.curve_max, 0);
        cr_expect_eq(d.peak_ratio, 1);
        shape_free(&a);
        shape_free(&b);
        trace_profile_free(&p);
    }
}

Test(trace_fit, distances_worked_out_by_hand)
{
    /* sizes 8 8 8 16 and 8 8 32 32; lifetimes 0 0 1 never and 0, 3 times
     * never; live bytes at the end 16 and 72 */
    static const struct op one[] = {
        {.kind = OP_ALLOC, .object = 0, .size = 8},
        {.kind = OP_FREE, .object = 0},
        {.kind = OP_ALLOC, .object = 1, .size = 8},
        {.kind = OP_FREE, .object = 1},
        {.kind = OP_ALLOC, .object = 2, .size = 8},
        {.kind = OP_ALLOC, .object = 3, .size = 16},
        {.kind = OP_FREE, .object = 2},
    };
    static const struct op other[] = {
        {.kind = OP_ALLOC, .object = 0, .size = 8},
        {.kind = OP_FREE, .object = 0},
        {.kind = OP_ALLOC, .object = 1, .size = 8},
        {.kind = OP_ALLOC, .object = 2, .size = 32},
        {.kind = OP_ALLOC, .object = 3, .size = 32},
    };
    struct ops_array x = ops_array(one, sizeof one / sizeof *one),
                     y = ops_array(other, sizeof other / sizeof *other);
    struct trace_shape a, b;

    shape(&x.source, 4, &a);
    shape(&y.source, 4, &b);
    const struct trace_distance d = shape_distance(&a, &b);

    cr_expect_float_eq(d.sizes_ks, 0.5, 1e-12); /* up to 16 */
    cr_expect_float_eq(d.sizes_tv, 0.5, 1e-12);
    cr_expect_float_eq(d.lives_ks, 0.5, 1e-12); /* up to 1 */
    cr_expect_float_eq(d.curve_max, 56.0 / 24, 1e-12);
    cr_expect_float_eq(d.peak_ratio, 3, 1e-12);
    shape_free(&a);
    shape_free(&b);
}

/* ---- a known profile ---- */

enum { KNOWN_BIRTHS = 60000, KNOWN_LIVE = 4000 };

/* Half of 48 bytes, of which half are zeroed; three tenths of 100, of which
 * half are resized once, to 300; the rest of 1000, 1016, … 2984.  A new one
 * takes the place of one of 4000: lifetimes are geometric.  Two threads; a
 * quarter of the frees are by the other. */
struct known {
    struct trace_source source; /* first: play casts back */
    uint64_t seed;
};

static void known_birth(struct op_feed *feed, struct random *r, struct bag *bag)
{
    const unsigned thread = (unsigned)random_below(r, 2);
    const double u = random_unit(r);

    if (u < 0.25)
        cr_assert_eq(bag_add(bag, feed_zalloc(feed, thread, 48)), 0);
    else if (u < 0.5)
        cr_assert_eq(bag_add(bag, feed_alloc(feed, thread, 48)), 0);
    else if (u < 0.8)
        cr_assert_eq(bag_add(bag, feed_alloc(feed, thread, 100)), 0);
    else
        cr_assert_eq(bag_add(bag, feed_alloc(feed, thread,
                                             1000 + 16 * random_below(r, 125))),
                     0);
    /* the low bit of what is kept: its thread */
    const uint64_t object = bag->object[bag->count - 1];

    bag->object[bag->count - 1] = object << 1 | thread;
    if (u >= 0.5 && u < 0.65)
        feed_resize(feed, thread, object, 300);
}

static int known_play(const struct trace_source *source, struct op_sink *sink)
{
    const struct known *k = (const struct known *)source;
    struct op_feed feed = {.sink = sink};
    struct random r;
    struct bag bag = {0};

    random_seed(&r, k->seed);
    for (int i = 0; i < KNOWN_BIRTHS && !feed.err; i++) {
        if (bag.count == KNOWN_LIVE) {
            const uint64_t o =
                bag_take(&bag, (size_t)random_below(&r, KNOWN_LIVE));
            const unsigned is_other = random_below(&r, 4) == 0;

            feed_free(&feed, (unsigned)(o & 1) ^ is_other, o >> 1);
        }
        known_birth(&feed, &r, &bag);
    }
    bag_free(&bag);
    return feed.err;
}

static void expect_share(uint64_t part, uint64_t all, double want, double bound,
                         const char *what)
{
    const double is = (double)part / (double)all;

    cr_expect(fabs(is - want) <= bound, "%s: %.4f (want %.4f +- %.4f)", what,
              is, want, bound);
}

/* Five standard deviations of a share of n. */
static double five_sigma(double share, double n)
{
    return 5 * sqrt(share * (1 - share) / n);
}

static void expect_known_profile(const struct trace_profile *p)
{
    const double n = KNOWN_BIRTHS;
    unsigned g48 = PROFILE_GROUPS, g100 = PROFILE_GROUPS;
    uint64_t crossed = p->freer[1] + p->freer[2],
             frees = crossed + p->freer[0] + p->freer[3];

    for (unsigned i = 0; i < p->nfavourites; i++) {
        g48 = p->favourite[i] == 48 ? i : g48;
        g100 = p->favourite[i] == 100 ? i : g100;
    }
    cr_assert(g48 < PROFILE_FAVOURITES && g100 < PROFILE_FAVOURITES);
    cr_expect_eq(p->births, KNOWN_BIRTHS);
    cr_expect_eq(p->threads, 2);
    cr_expect_eq(frees, KNOWN_BIRTHS - KNOWN_LIVE);
    expect_share(p->born[g48], p->births, 0.5, five_sigma(0.5, n), "48 bytes");
    expect_share(p->born[g100], p->births, 0.3, five_sigma(0.3, n),
                 "100 bytes");
    expect_share(p->how[g48][0], p->born[g48], 0.5, five_sigma(0.5, n / 2),
                 "zeroed");
    expect_share(crossed, frees, 0.25, five_sigma(0.25, n), "crossed");
    expect_share(p->switches, p->births, 0.5, five_sigma(0.5, n), "switches");
    /* 61 of the 125 others are no favourites */
    for (unsigned i = 0; i < PROFILE_BINS; i++)
        if (p->range[i].max && p->range[i].max != 300) {
            cr_expect_eq(p->range[i].grain % 16, 0);
            cr_expect_eq(p->range[i].min % 16, 1000 % 16);
            cr_expect_lt(p->range[i].max, 3000);
        }
}

Test(trace_fit, a_known_profile_comes_back)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const struct known known = {{known_play}, seed};
        struct trace_profile p, again;
        struct ops_list fitted;

        fit(&known.source, &p);
        expect_known_profile(&p);
        compose(&p, seed, &fitted);
        fit(&fitted.source, &again);
        expect_known_profile(&again);
        ops_list_free(&fitted);
        trace_profile_free(&p);
        trace_profile_free(&again);
    }
}

Test(trace_fit, what_is_composed_of_it_is_near)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const struct known known = {{known_play}, seed};
        struct trace_profile p;
        struct ops_list fitted;
        struct trace_shape of, is;

        fit(&known.source, &p);
        compose(&p, seed + 100, &fitted);
        shape(&known.source, p.births, &of);
        shape(&fitted.source, p.births, &is);
        const struct trace_distance d = shape_distance(&of, &is);

        cr_expect_lt(d.sizes_ks, 0.01, "sizes %g", d.sizes_ks);
        cr_expect_lt(d.sizes_tv, 0.03, "sizes %g", d.sizes_tv);
        cr_expect_lt(d.lives_ks, 0.02, "lives %g", d.lives_ks);
        /* with lifetimes drawn one by one the number of live blocks varies
         * by its root, and their bytes by 3 %, which is at times thrice */
        cr_expect_lt(d.curve_max, 0.12, "curve %g", d.curve_max);
        cr_expect(fabs(d.peak_ratio - 1) < 0.1, "peak %g", d.peak_ratio);
        expect_share(is.cross_frees, is.frees, 0.25, 0.02, "crossed");
        expect_share(is.resizes, p.births, 0.15, 0.01, "resized");
        expect_share(is.zeroed, p.births, 0.25, 0.01, "zeroed");
        ops_list_free(&fitted);
        shape_free(&of);
        shape_free(&is);
        trace_profile_free(&p);
    }
}

/* ---- phases ---- */

enum { PHASES = 9, PHASE_BIRTHS = 1500 };

/* Fills a heap, and frees it at once, the young first: again and again. */
static int phases_play(const struct trace_source *source, struct op_sink *sink)
{
    struct op_feed feed = {.sink = sink};

    (void)source;
    for (int phase = 0; phase < PHASES; phase++) {
        for (int i = 0; i < PHASE_BIRTHS; i++)
            feed_alloc(&feed, 0, 100 + (uint64_t)phase * 50);
        for (uint64_t i = 1; i <= PHASE_BIRTHS; i++)
            feed_free(&feed, 0, feed.births - i);
    }
    return feed.err;
}

Test(trace_fit, what_is_freed_at_once_is_freed_at_once)
{
    const struct trace_source phases = {phases_play};
    struct trace_profile p;
    struct ops_list fitted;
    struct trace_shape of, is;

    fit(&phases, &p);
    cr_expect_eq(p.older, p.pairs);
    compose(&p, 1, &fitted);
    shape(&phases, p.births, &of);
    shape(&fitted.source, p.births, &is);
    const struct trace_distance d = shape_distance(&of, &is);

    cr_expect_lt(d.curve_max, 0.05, "curve %g", d.curve_max);
    cr_expect(fabs(d.peak_ratio - 1) < 0.02, "peak %g", d.peak_ratio);
    cr_expect_eq(is.older, is.pairs);
    ops_list_free(&fitted);
    shape_free(&of);
    shape_free(&is);
    trace_profile_free(&p);
}

/* ---- any trace ---- */

Test(trace_fit, any_trace_gives_one_as_long_that_leaves_as_much)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ops_random trace = some_trace(seed);
        struct trace_profile p;
        struct ops_list fitted;
        struct trace_shape of, is;

        fit(&trace.source, &p);
        compose(&p, seed, &fitted);
        shape(&trace.source, p.births, &of);
        shape(&fitted.source, p.births, &is); /* well formed, or it aborts */
        cr_expect_eq(is.ledger.births, of.ledger.births);
        cr_expect_eq(is.frees, of.frees);
        cr_expect_eq(ledger_blocks(&is.ledger), ledger_blocks(&of.ledger));
        cr_expect_eq(is.ledger.threads, of.ledger.threads);
        ops_list_free(&fitted);
        shape_free(&of);
        shape_free(&is);
        trace_profile_free(&p);
    }
}

Test(trace_fit, the_same_seed_gives_the_same_trace)
{
    const struct known known = {{known_play}, 5};
    struct trace_profile p;
    struct ops_list a, b, c;
    size_t same = 0, other = 0;

    fit(&known.source, &p);
    compose(&p, 1, &a);
    compose(&p, 1, &b);
    compose(&p, 2, &c);
    cr_assert_eq(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) {
        same += ops_same(&a.ops[i], &b.ops[i]);
        other += i >= c.n || a.ops[i].kind != c.ops[i].kind ||
                 a.ops[i].size != c.ops[i].size;
    }
    cr_expect_eq(same, a.n);
    cr_expect_gt(other, a.n / 10);
    ops_list_free(&a);
    ops_list_free(&b);
    ops_list_free(&c);
    trace_profile_free(&p);
}

/* ---- what cannot be fitted ---- */

Test(trace_fit, a_trace_without_births_has_no_profile)
{
    static const struct op mark[] = {{.kind = OP_MARK, .name = "alone"}};
    struct ops_array trace = ops_array(mark, 1);
    struct trace_profile p;
    struct profile_fit f;

    cr_assert_eq(profile_fit_init(&f, &p), 0);
    cr_assert_eq(trace.source.play(&trace.source, &f.sink), 0);
    cr_expect_eq(profile_fit_again(&f), ENODATA);
    profile_fit_free(&f);
    trace_profile_free(&p);
}

Test(trace_fit, a_malformed_trace_is_refused_with_its_place)
{
    static const struct op twice[] = {
        {.kind = OP_ALLOC, .object = 0, .size = 8},
        {.kind = OP_FREE, .object = 0},
        {.kind = OP_FREE, .object = 0},
    };
    struct ops_array trace = ops_array(twice, 3);
    struct trace_profile p;
    struct profile_fit f;

    cr_assert_eq(profile_fit_init(&f, &p), 0);
    cr_assert_eq(trace.source.play(&trace.source, &f.sink), EBADMSG);
    cr_expect_str_eq(f.ledger.why, "operation 2: object 0 is no longer live");
    profile_fit_free(&f);
    trace_profile_free(&p);
}
