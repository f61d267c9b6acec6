/* test_trace_parts.c - what is made of traces keeps what it says.
 *
 * Random traces, cut, repeated, copied and merged: the heap is as it was at
 * each end of a cut; each copy or part, looked at alone, is the original.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "op_cut.h"
#include "op_file.h"
#include "op_merge.h"
#include "op_scale.h"
#include "ops_list.h"
#include "ops_random.h"
#include "random.h"

enum { SEEDS = 30 };

static struct ops_random some_trace(uint64_t seed)
{
    return ops_random((struct ops_random){.seed = seed,
                                          .threads = 1 + (unsigned)(seed % 6),
                                          .ops = 1500,
                                          .live = 10 + (unsigned)(seed * 9),
                                          .max_size = 3000,
                                          .max_align_log2 = 10});
}

static void expect_same(const struct op *a, const struct op *b, uint64_t seed,
                        size_t at)
{
    cr_assert(ops_same(a, b), "seed %" PRIu64 ": operation %zu", seed, at);
}

static void expect_same_list(const struct ops_list *a, const struct ops_list *b,
                             uint64_t seed)
{
    cr_assert_eq(a->n, b->n, "seed %" PRIu64 ": %zu operations, want %zu", seed,
                 b->n, a->n);
    for (size_t i = 0; i < a->n; i++)
        expect_same(&a->ops[i], &b->ops[i], seed, i);
}

/* A ledger of the first `places` operations. */
static struct ledger ledger_up_to(const struct ops_list *whole, uint64_t places)
{
    struct ledger l;

    cr_assert_eq(ledger_init(&l), 0);
    for (size_t i = 0; i < whole->n && l.ops < places; i++)
        cr_assert_eq(l.sink.put(&l.sink, &whole->ops[i]), 0);
    return l;
}

static uint64_t places_of(const struct ops_list *whole)
{
    uint64_t n = 0;

    for (size_t i = 0; i < whole->n; i++)
        n += whole->ops[i].kind != OP_TIME;
    return n;
}

/* ---- cut ---- */

static void cut(const struct ops_list *whole, uint64_t from, uint64_t to,
                int is_empty, struct ops_list *out, uint64_t *carried)
{
    struct op_cut c;

    ops_list_init(out);
    cr_assert_eq(op_cut_init(&c, &out->sink), 0);
    c.from = (struct cut_bound){CUT_PLACE, from, NULL};
    c.to = (struct cut_bound){CUT_PLACE, to, NULL};
    c.is_empty = is_empty;
    int err = whole->source.play(&whole->source, &c.sink);

    cr_assert(err == 0 || err == ECANCELED, "errno %d", err);
    *carried = c.carried;
    op_cut_free(&c);
}

Test(trace_parts, a_cut_has_the_heap_of_the_whole_at_both_ends)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ops_random random = some_trace(seed);
        struct ops_list whole, part;
        struct random dice;
        uint64_t carried;

        random_seed(&dice, seed);
        cr_assert_eq(ops_list_fill(&whole, &random.source), 0);
        uint64_t n = places_of(&whole), from = random_below(&dice, n),
                 to = from + 1 + random_below(&dice, n - from);
        struct ledger before = ledger_up_to(&whole, from),
                      after = ledger_up_to(&whole, to), is;

        cut(&whole, from, to, 0, &part, &carried);
        cr_assert_eq(ledger_init(&is), 0);
        cr_assert_eq(part.source.play(&part.source, &is.sink), 0, "%s", is.why);
        cr_expect_eq(carried, ledger_blocks(&before));
        cr_expect_eq(is.live_bytes, after.live_bytes);
        cr_expect_eq(ledger_blocks(&is), ledger_blocks(&after));
        cr_expect_eq(is.ops, to - from + carried + (carried != 0));
        ledger_free(&before);
        ledger_free(&after);
        ledger_free(&is);
        ops_list_free(&part);
        ops_list_free(&whole);
    }
}

Test(trace_parts, an_empty_cut_is_well_formed_and_not_longer)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ops_random random = some_trace(seed);
        struct ops_list whole, part;
        uint64_t carried;
        struct ledger is;

        cr_assert_eq(ops_list_fill(&whole, &random.source), 0);
        uint64_t from = places_of(&whole) / 3, to = 2 * from;

        cut(&whole, from, to, 1, &part, &carried);
        cr_assert_eq(ledger_init(&is), 0);
        cr_assert_eq(part.source.play(&part.source, &is.sink), 0, "%s", is.why);
        cr_expect_eq(carried, 0);
        cr_expect_leq(is.ops, to - from);
        ledger_free(&is);
        ops_list_free(&part);
        ops_list_free(&whole);
    }
}

Test(trace_parts, a_cut_of_all_is_all)
{
    struct ops_random random = some_trace(7);
    struct ops_list whole, part;
    uint64_t carried;

    cr_assert_eq(ops_list_fill(&whole, &random.source), 0);
    cut(&whole, 0, UINT64_MAX, 0, &part, &carried);
    expect_same_list(&whole, &part, 7);
    ops_list_free(&part);
    ops_list_free(&whole);
}

Test(trace_parts, a_cut_by_marks_and_times)
{
    static const struct op ops[] = {
        {.kind = OP_ALLOC, .size = 5},
        {.kind = OP_MARK, .name = "b"},
        {.kind = OP_TIME, .size = 100},
        {.kind = OP_ALLOC, .object = 1, .size = 6},
        {.kind = OP_MARK, .name = "b"},
        {.kind = OP_TIME, .size = 200},
        {.kind = OP_ALLOC, .object = 2, .size = 7},
    };
    static const struct {
        struct cut_bound from, to;
        size_t n;
    } cases[] = {
        {{CUT_MARK, 1, "b"}, {CUT_MARK, 2, "b"}, 5}, /* 5, cut, b, T, 6 */
        {{CUT_MARK, 2, "b"}, {0}, 6},                /* 5 6 cut b T 7 */
        {{CUT_TIME, 100, NULL}, {CUT_TIME, 200, NULL}, 5},
        {{0}, {CUT_TIME, 100, NULL}, 2},
        {{CUT_TIME, 201, NULL}, {0}, 0},
    };
    struct ops_array source = ops_array(ops, sizeof ops / sizeof *ops);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ops_list part;
        struct op_cut c;

        ops_list_init(&part);
        cr_assert_eq(op_cut_init(&c, &part.sink), 0);
        c.from = cases[i].from;
        c.to = cases[i].to;
        source.source.play(&source.source, &c.sink);
        cr_expect_eq(part.n, cases[i].n, "case %zu: %zu operations", i, part.n);
        op_cut_free(&c);
        ops_list_free(&part);
    }
}

/* ---- scale ---- */

Test(trace_parts, each_copy_is_the_original)
{
    enum { COPIES = 3 };

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ops_random random = some_trace(seed);
        struct ops_list whole, wide;
        size_t at[COPIES] = {0};

        cr_assert_eq(ops_list_fill(&whole, &random.source), 0);
        ops_list_init(&wide);
        struct op_copies copies = op_copies(&wide.sink, COPIES, random.threads);

        cr_assert_eq(whole.source.play(&whole.source, &copies.sink), 0);
        for (size_t i = 0; i < wide.n; i++) {
            struct op op = wide.ops[i];

            if (op.kind == OP_TIME || op.kind == OP_MARK)
                continue;
            unsigned k = op.thread / random.threads;
            const struct op *want = &whole.ops[at[k]];

            while (want->kind == OP_TIME || want->kind == OP_MARK)
                want = &whole.ops[++at[k]];
            int is_edge = op.kind == OP_SPAWN || op.kind == OP_JOIN;

            op.thread = (uint16_t)(op.thread % random.threads);
            op.object =
                is_edge ? op.object - k * random.threads : op.object / COPIES;
            expect_same(want, &op, seed, at[k]++);
        }
        struct ledger one = ledger_up_to(&whole, UINT64_MAX),
                      all = ledger_up_to(&wide, UINT64_MAX);

        cr_expect_eq(all.births, COPIES * one.births);
        cr_expect_eq(all.live_bytes, COPIES * one.live_bytes);
        ledger_free(&one);
        ledger_free(&all);
        ops_list_free(&wide);
        ops_list_free(&whole);
    }
}

Test(trace_parts, times_in_a_row_have_one_peak)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ops_random random = some_trace(seed);
        struct ops_list whole, twice;
        struct op_repeat repeat;

        cr_assert_eq(ops_list_fill(&whole, &random.source), 0);
        ops_list_init(&twice);
        cr_assert_eq(op_repeat_init(&repeat, &twice.sink), 0);
        cr_assert_eq(whole.source.play(&whole.source, &repeat.sink), 0);
        cr_assert_eq(op_repeat_again(&repeat), 0);
        cr_assert_eq(whole.source.play(&whole.source, &repeat.sink), 0);
        struct ledger one = ledger_up_to(&whole, UINT64_MAX),
                      two = ledger_up_to(&twice, UINT64_MAX);

        cr_expect_eq(two.peak_bytes, one.peak_bytes);
        cr_expect_eq(two.live_bytes, one.live_bytes);
        cr_expect_eq(two.births, 2 * one.births);
        cr_expect_eq(two.ops, 2 * one.ops + ledger_blocks(&one));
        cr_expect_eq(two.time_ns, 2 * one.time_ns);
        ledger_free(&one);
        ledger_free(&two);
        op_repeat_free(&repeat);
        ops_list_free(&twice);
        ops_list_free(&whole);
    }
}

/* ---- merge ---- */

enum { PARTS = 3 };

/* The merged operations of one part, its objects numbered by birth again. */
static void expect_part(const struct ops_list *merged,
                        const struct ops_list *part, unsigned first,
                        unsigned threads, uint64_t seed)
{
    uint64_t *number = malloc((merged->n + 1) * sizeof *number);
    uint64_t births = 0, all_births = 0;
    size_t at = 0;

    for (size_t i = 0; i < merged->n; i++) {
        struct op op = merged->ops[i];
        int is_birth = op.kind == OP_ALLOC || op.kind == OP_ZALLOC;
        int is_edge = op.kind == OP_SPAWN || op.kind == OP_JOIN;

        all_births += (uint64_t)is_birth;
        if (op.kind == OP_TIME || op.thread < first ||
            op.thread >= first + threads)
            continue;
        while (part->ops[at].kind == OP_TIME)
            at++;
        if (is_birth)
            number[all_births - 1] = births++;
        op.thread = (uint16_t)(op.thread - first);
        if (is_edge)
            op.object -= first;
        else if (op.kind != OP_MARK)
            op.object = number[op.object];
        expect_same(&part->ops[at++], &op, seed, i);
    }
    free(number);
}

static void merge(uint64_t seed, enum merge_order order)
{
    struct op_file files[PARTS];
    struct merge_part part[PARTS] = {0};
    struct ops_list lists[PARTS], merged;
    unsigned threads = 0, count[PARTS];
    uint64_t places = 0;

    for (unsigned i = 0; i < PARTS; i++) {
        struct ops_random random = some_trace(seed + i);

        cr_assert_eq(ops_list_fill(&lists[i], &random.source), 0);
        cr_assert_eq(op_file_init(&files[i]), 0);
        cr_assert_eq(random.source.play(&random.source, &files[i].sink), 0);
        cr_assert_eq(op_file_rewind(&files[i]), 0);
        part[i] =
            (struct merge_part){.ops = &files[i], .first_thread = threads};
        threads += count[i] = random.threads;
        places += places_of(&lists[i]);
    }
    ops_list_init(&merged);
    cr_assert_eq(op_merge(part, PARTS, order, &merged.sink), 0);
    struct ledger all = ledger_up_to(&merged, UINT64_MAX);

    cr_expect_eq(all.ops, places);
    for (unsigned i = 0; i < PARTS; i++) {
        expect_part(&merged, &lists[i], part[i].first_thread, count[i], seed);
        ops_list_free(&lists[i]);
    }
    ledger_free(&all);
    ops_list_free(&merged);
    for (unsigned i = 0; i < PARTS; i++)
        op_file_free(&files[i]);
}

Test(trace_parts, each_part_of_a_merge_is_the_original)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        merge(seed, MERGE_BY_PROGRESS);
        merge(seed, MERGE_BY_TIME);
    }
}
