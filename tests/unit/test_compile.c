/* test_compile.c - a compiled trace does what its operations say.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "interpreter.h"
#include "ops_list.h"
#include "ops_random.h"
#include "scratch.h"
#include "trace.h"

enum { WHY = 512, SEEDS = 60 };

static struct scratch scratch;

static void open_scratch(void)
{
    scratch_open(&scratch);
}

static void close_scratch(void)
{
    scratch_close(&scratch);
}

TestSuite(compile, .init = open_scratch, .fini = close_scratch);

static int compile(const struct trace_source *source, const char *name,
                   char why[WHY])
{
    char path[600];

    return trace_compile(source, scratch_path(&scratch, name, path, 600), why,
                         WHY);
}

static struct trace *compile_and_map(const struct trace_source *source)
{
    char path[600], why[WHY];
    struct trace *trace = NULL;
    int err = compile(source, "t", why);

    cr_assert_eq(err, 0, "%s", why);
    err = trace_map(scratch_path(&scratch, "t", path, 600), &trace, why, WHY);
    cr_assert_eq(err, 0, "%s", why);
    return trace;
}

/* ---- the same counts, counted naively ---- */

struct naive {
    struct trace_totals totals;
    uint64_t *live; /* [totals.ops]: bytes after each operation */
    struct trace_mark marks[TRACE_MARKS_MAX];
    unsigned nmarks;
    uint64_t live_bytes, live_blocks;
};

struct naive_object {
    uint64_t size;
    unsigned user;
};

static void count_size(struct naive *n, uint64_t size, uint64_t before)
{
    n->totals.bytes += size > before ? size - before : 0;
    n->totals.max_size = size > n->totals.max_size ? size : n->totals.max_size;
    n->live_bytes = n->live_bytes - before + size;
}

static void count_mark(struct naive *n, const char *name)
{
    struct trace_mark *m = &n->marks[++n->nmarks];

    *m = (struct trace_mark){.place = n->totals.ops,
                             .live_bytes = n->live_bytes,
                             .live_blocks = n->live_blocks};
    snprintf(m->name, sizeof m->name, "%s", name);
}

static void count_op(struct naive *n, struct naive_object *objects,
                     const struct op *op)
{
    struct trace_totals *t = &n->totals;
    struct naive_object *o = &objects[op->object];

    if (op->kind == OP_ALLOC || op->kind == OP_ZALLOC) {
        *o = (struct naive_object){op->size, op->thread};
        t->allocs++;
        n->live_blocks++;
        count_size(n, op->size, 0);
        if (op->align_log2 > t->max_align_log2)
            t->max_align_log2 = op->align_log2;
    } else if (op->kind == OP_FREE) {
        t->frees++;
        t->cross_frees += o->user != op->thread;
        n->live_blocks--;
        n->live_bytes -= o->size;
    } else if (op->kind == OP_RESIZE) {
        t->resizes++;
        o->user = op->thread;
        count_size(n, op->size, o->size);
        o->size = op->size;
    } else if (op->kind == OP_TOUCH) {
        t->touches++;
        o->user = op->thread;
    } else if (op->kind == OP_MARK) {
        count_mark(n, op->name);
    }
}

static struct naive count(const struct ops_list *ops)
{
    struct naive n = {.live = calloc(ops->n, sizeof(uint64_t))};
    struct naive_object *objects = calloc(ops->n, sizeof *objects);
    long double sum = 0;

    for (size_t i = 0; i < ops->n; i++) {
        if (ops->ops[i].kind == OP_TIME)
            continue;
        count_op(&n, objects, &ops->ops[i]);
        if (n.totals.ops == 0 || n.live_bytes > n.totals.peak_bytes) {
            n.totals.peak_bytes = n.live_bytes;
            n.totals.peak_blocks = n.live_blocks;
            n.totals.peak_place = n.totals.ops;
        }
        n.live[n.totals.ops++] = n.live_bytes;
        sum += (long double)n.live_bytes;
    }
    n.totals.left_blocks = n.live_blocks;
    n.totals.left_bytes = n.live_bytes;
    n.totals.live_mean = (double)(sum / (long double)n.totals.ops);
    n.marks[0] = (struct trace_mark){.name = "peak",
                                     .place = n.totals.peak_place,
                                     .live_bytes = n.totals.peak_bytes,
                                     .live_blocks = n.totals.peak_blocks};
    free(objects);
    return n;
}

#define SAME(field)                                                            \
    cr_assert_eq(is->field, should->field, #field ": %llu (want %llu)",        \
                 (unsigned long long)is->field,                                \
                 (unsigned long long)should->field)

static void check_totals(const struct trace_totals *is,
                         const struct trace_totals *should)
{
    SAME(ops);
    SAME(allocs);
    SAME(frees);
    SAME(resizes);
    SAME(touches);
    SAME(cross_frees);
    SAME(bytes);
    SAME(max_size);
    SAME(peak_bytes);
    SAME(peak_blocks);
    SAME(peak_place);
    SAME(left_blocks);
    SAME(left_bytes);
    SAME(max_align_log2);
    cr_assert_float_eq(is->live_mean, should->live_mean,
                       1e-12 * should->live_mean);
}

static void check_mark(const struct trace_mark *is,
                       const struct trace_mark *should)
{
    cr_assert_str_eq(is->name, should->name);
    SAME(place);
    SAME(live_bytes);
    SAME(live_blocks);
}

/* A step of 2^k, as fine as TRACE_CURVE_MAX points allow. */
static void check_curve(const struct trace *t, const struct naive *n)
{
    uint64_t step = 1;

    while ((n->totals.ops + step - 1) / step > TRACE_CURVE_MAX)
        step *= 2;
    cr_assert_eq(t->curve_step, step);
    cr_assert_eq(t->ncurve, (n->totals.ops + step - 1) / step);
    for (unsigned i = 0; i < t->ncurve; i++)
        cr_assert_eq(t->curve[i], n->live[i * step], "point %u", i);
    for (uint64_t place = 0; place < n->totals.ops; place++)
        cr_assert_eq(trace_live_at(t, place), n->live[place / step * step]);
    cr_assert_eq(trace_live_at(t, UINT64_MAX), t->curve[t->ncurve - 1]);
}

static void check_counts(const struct trace *t, const struct ops_list *ops)
{
    struct naive n = count(ops);

    check_totals(&t->totals, &n.totals);
    cr_assert_eq(t->nmarks, n.nmarks + 1);
    for (unsigned i = 0; i <= n.nmarks; i++)
        check_mark(&t->marks[i], &n.marks[i]);
    check_curve(t, &n);
    free(n.live);
}

/* ---- well-formed streams ---- */

static struct ops_random stream(uint64_t seed)
{
    return ops_random((struct ops_random){
        .seed = seed,
        .threads = 1 + (unsigned)(seed % 6),
        .ops = seed % 10 == 7 ? 20000 : 300 + 77 * (unsigned)seed,
        .live = 20 + 40 * (unsigned)(seed % 8),
        .max_size = seed % 2 ? 2000 : 100000,
        .max_align_log2 = OP_MAX_ALIGN_LOG2,
        .wide = seed % 3 == 0});
}

static void check_play(const struct trace *trace, const struct ops_list *ops,
                       uint64_t seed)
{
    static const uint64_t windows[] = {0, 512, 2000};
    char why[INTERPRETER_WHY];

    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        cr_assert_eq(interpret(trace, ops, windows[i], seed + i, why), 0,
                     "stream %llu, window %llu: %s", (unsigned long long)seed,
                     (unsigned long long)windows[i], why);
}

Test(compile, random_streams_play_as_they_were_fed)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ops_random source = stream(seed);
        struct ops_list ops;

        cr_assert_eq(ops_list_fill(&ops, &source.source), 0);
        struct trace *trace = compile_and_map(&source.source);
        check_play(trace, &ops, seed);
        trace_unmap(trace);
        ops_list_free(&ops);
    }
    cr_assert_eq(scratch_count(&scratch), 1);
}

Test(compile, totals_marks_and_curve_are_those_of_a_naive_count)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ops_random source = stream(seed);
        struct ops_list ops;

        cr_assert_eq(ops_list_fill(&ops, &source.source), 0);
        struct trace *trace = compile_and_map(&source.source);
        check_counts(trace, &ops);
        trace_unmap(trace);
        ops_list_free(&ops);
    }
}

static void check_list(struct ops_list *ops)
{
    struct trace *trace = compile_and_map(&ops->source);

    check_counts(trace, ops);
    check_play(trace, ops, 1);
    trace_unmap(trace);
    ops_list_free(ops);
}

static void check_ops(const struct op *list, size_t n)
{
    struct ops_array source = ops_array(list, n);
    struct ops_list ops;

    cr_assert_eq(ops_list_fill(&ops, &source.source), 0);
    check_list(&ops);
}

static void churn(struct op_feed *feed, unsigned thread, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        feed_free(feed, thread, feed_alloc(feed, thread, 16));
}

/* Expected: a thread that is started late and does nothing holds up nobody.
 * Buggy:    it stood at place 0 until its start, which waited for it. */
Test(compile, a_thread_that_does_nothing_holds_up_nobody)
{
    struct ops_list ops;

    ops_list_init(&ops);
    struct op_feed feed = {.sink = &ops.sink};
    feed_spawn(&feed, 0, 2);
    churn(&feed, 2, 2000);
    churn(&feed, 0, 2000);
    feed_spawn(&feed, 0, 1);
    feed_join(&feed, 2, 1);
    cr_assert_eq(feed.err, 0);
    check_list(&ops);
}

/* Expected: a number that is used again is a thread that starts late.
 * Buggy:    its old place stood until its second start, which waited for it. */
Test(compile, a_thread_number_may_be_used_again)
{
    struct ops_list ops;

    ops_list_init(&ops);
    struct op_feed feed = {.sink = &ops.sink};
    for (int i = 0; i < 3; i++) {
        churn(&feed, 0, 4000);
        feed_spawn(&feed, 0, 1);
        churn(&feed, 1, i == 1 ? 0 : 3);
        feed_join(&feed, 0, 1);
    }
    cr_assert_eq(feed.err, 0);
    check_list(&ops);
}

Test(compile, a_thread_may_act_before_it_is_started)
{
    static const struct op ops[] = {
        {.kind = OP_ALLOC, .thread = 1, .object = 0, .size = 8},
        {.kind = OP_SPAWN, .thread = 0, .object = 1},
        {.kind = OP_FREE, .thread = 1, .object = 0},
        {.kind = OP_JOIN, .thread = 0, .object = 1},
        {.kind = OP_ALLOC, .thread = 1, .object = 1, .size = 8},
    };

    check_ops(ops, sizeof ops / sizeof *ops);
}

Test(compile, the_smallest_streams_compile)
{
    static const struct op mark[] = {{.kind = OP_MARK, .name = "alone"}};
    static const struct op birth[] = {{.kind = OP_ALLOC, .size = 0}};
    static const struct op last_thread[] = {
        {.kind = OP_ALLOC, .thread = OP_MAX_THREADS - 1, .size = 1}};

    check_ops(mark, 1);
    check_ops(birth, 1);
    check_ops(last_thread, 1);
}

Test(compile, times_leave_no_trace)
{
    static const struct op ops[] = {
        {.kind = OP_TIME, .thread = UINT16_MAX, .size = 3},
        {.kind = OP_ALLOC, .size = 8},
        {.kind = OP_TIME, .size = UINT64_MAX},
        {.kind = OP_TIME, .size = UINT64_MAX},
    };
    static char with[1 << 16], without[1 << 16];
    struct ops_array all = ops_array(ops, 4), one = ops_array(ops + 1, 1);
    char why[WHY];

    cr_assert_eq(compile(&all.source, "all", why), 0, "%s", why);
    cr_assert_eq(compile(&one.source, "one", why), 0, "%s", why);
    size_t n = scratch_read(&scratch, "all", with, sizeof with);
    cr_assert_eq(scratch_read(&scratch, "one", without, sizeof without), n);
    cr_assert_leq(n, sizeof with);
    cr_assert_eq(memcmp(with, without, n), 0);
}

Test(compile, the_same_stream_gives_the_same_bytes)
{
    static char first[1 << 20], second[1 << 20];
    struct ops_random source = stream(5);
    char why[WHY];

    cr_assert_eq(compile(&source.source, "1", why), 0, "%s", why);
    cr_assert_eq(compile(&source.source, "2", why), 0, "%s", why);
    size_t n = scratch_read(&scratch, "1", first, sizeof first);
    cr_assert_eq(scratch_read(&scratch, "2", second, sizeof second), n);
    cr_assert_leq(n, sizeof first);
    cr_assert_eq(memcmp(first, second, n), 0);
}

/* ---- the hash ---- */

static uint64_t hash_of(const struct op *ops, size_t n)
{
    struct ops_array source = ops_array(ops, n);
    struct trace *trace = compile_and_map(&source.source);
    uint64_t hash = trace->hash;

    cr_expect_lt(hash, UINT64_C(1) << TRACE_HASH_BITS);
    cr_expect_eq((uint64_t)(double)hash, hash);
    trace_unmap(trace);
    return hash;
}

static const struct op hashed[] = {
    {.kind = OP_ALLOC, .thread = 0, .object = 0, .size = 0},
    {.kind = OP_ALLOC, .thread = 0, .object = 1, .size = 24, .align_log2 = 6},
    {.kind = OP_MARK, .thread = 0, .name = "m"},
    {.kind = OP_RESIZE, .thread = 0, .object = 1, .size = 100},
    {.kind = OP_TOUCH, .thread = 0, .object = 1, .size = 7},
    {.kind = OP_FREE, .thread = 0, .object = 0},
};

enum { HASHED = sizeof hashed / sizeof *hashed };

Test(compile, the_hash_of_a_trace_is_the_same_on_every_machine)
{
    cr_expect_eq(hash_of(hashed, HASHED), UINT64_C(2493752602808145),
                 "%" PRIu64, hash_of(hashed, HASHED));
}

static const struct {
    const char *what;
    size_t at;
    struct op op;
    int is_same;
} hash_changes[] = {
    {"name", 2, {.kind = OP_MARK, .thread = 0, .name = "n"}, 1},
    {"size", 0, {.kind = OP_ALLOC, .thread = 0, .object = 0, .size = 1}, 0},
    {"kind", 0, {.kind = OP_ZALLOC, .thread = 0, .object = 0, .size = 0}, 0},
    {"thread", 4, {.kind = OP_TOUCH, .thread = 1, .object = 1, .size = 7}, 0},
    {"object", 5, {.kind = OP_FREE, .thread = 0, .object = 1}, 0},
    {"touch", 4, {.kind = OP_TOUCH, .thread = 0, .object = 1, .size = 8}, 0},
    {"alignment",
     1,
     {.kind = OP_ALLOC, .object = 1, .size = 24, .align_log2 = 5},
     0},
};

Test(compile, another_operation_is_another_hash)
{
    uint64_t hash = hash_of(hashed, HASHED);

    for (size_t i = 0; i < sizeof hash_changes / sizeof *hash_changes; i++) {
        struct op ops[HASHED];

        memcpy(ops, hashed, sizeof ops);
        ops[hash_changes[i].at] = hash_changes[i].op;
        cr_expect_eq(hash_of(ops, HASHED) == hash, hash_changes[i].is_same,
                     "%s", hash_changes[i].what);
    }
    cr_expect_neq(hash_of(hashed, HASHED - 1), hash);
    cr_expect_neq(hash_of(hashed, 1), hash_of(hashed, 2));
}

/* ---- malformed streams ---- */

#define BIRTH(n, bytes)                                                        \
    {                                                                          \
        .kind = OP_ALLOC, .object = (n), .size = (bytes)                       \
    }

static const struct {
    const char *why; /* exactly */
    struct op ops[5];
    size_t n;
} malformed[] = {
    {"the trace has no operations", {{0}}, 0},
    {"the trace has no operations", {{.kind = OP_TIME, .size = 1}}, 1},
    {"operation 2: object is not live",
     {BIRTH(0, 8), {.kind = OP_FREE}, {.kind = OP_FREE}},
     3},
    {"operation 1: object is not live",
     {BIRTH(0, 8), {.kind = OP_FREE, .object = 1}},
     2},
    {"operation 1: object is not live",
     {BIRTH(0, 8), {.kind = OP_TOUCH, .object = UINT64_MAX}},
     2},
    {"operation 0: object is not live", {{.kind = OP_RESIZE, .size = 1}}, 1},
    {"operation 1: object is not the next one", {BIRTH(0, 8), BIRTH(2, 8)}, 2},
    {"operation 1: object is not the next one", {BIRTH(0, 8), BIRTH(0, 8)}, 2},
    {"operation 0: thread out of range (want 0..1023)",
     {{.kind = OP_ALLOC, .thread = OP_MAX_THREADS}},
     1},
    {"operation 0: no such thread to start or await",
     {{.kind = OP_SPAWN, .object = OP_MAX_THREADS}},
     1},
    {"operation 0: no such thread to start or await",
     {{.kind = OP_JOIN, .object = 0}},
     1},
    {"operation 0: size out of range (want at most PTRDIFF_MAX)",
     {BIRTH(0, (uint64_t)PTRDIFF_MAX + 1)},
     1},
    {"operation 1: size out of range (want at most PTRDIFF_MAX)",
     {BIRTH(0, 1), {.kind = OP_RESIZE, .size = UINT64_MAX}},
     2},
    {"operation 1: live bytes pass PTRDIFF_MAX",
     {BIRTH(0, PTRDIFF_MAX), BIRTH(1, 1)},
     2},
    {"operation 2: live bytes pass PTRDIFF_MAX",
     {BIRTH(0, 1), BIRTH(1, 1), {.kind = OP_RESIZE, .size = PTRDIFF_MAX}},
     3},
    {"operation 1: touches more than the block",
     {BIRTH(0, 8), {.kind = OP_TOUCH, .size = 9}},
     2},
    {"operation 2: touches more than the block",
     {BIRTH(0, 8),
      {.kind = OP_RESIZE, .size = 4},
      {.kind = OP_TOUCH, .size = 5}},
     3},
    {"operation 1: resizes to nothing (want 1 byte or more)",
     {BIRTH(0, 8), {.kind = OP_RESIZE, .size = 0}},
     2},
    {"operation 0: alignment out of range (want at most 2^30)",
     {{.kind = OP_ALLOC, .align_log2 = OP_MAX_ALIGN_LOG2 + 1}},
     1},
    {"operation 0: zeroed and aligned at once",
     {{.kind = OP_ZALLOC, .align_log2 = 4}},
     1},
    {"operation 0: unknown kind", {{.kind = OP_KINDS}}, 1},
    {"operation 0: bad name of a mark (want at most 48 bytes, none of them a "
     "control byte)",
     {{.kind = OP_MARK}},
     1},
    {"operation 0: bad name of a mark (want at most 48 bytes, none of them a "
     "control byte)",
     {{.kind = OP_MARK, .name = "two\nlines"}},
     1},
    {"operation 0: bad name of a mark (want at most 48 bytes, none of them a "
     "control byte)",
     {{.kind = OP_MARK,
       .name = "1234567890123456789012345678901234567890123456789"}},
     1},
};

Test(compile, malformed_streams_are_refused_and_leave_no_file)
{
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        struct ops_array source = ops_array(malformed[i].ops, malformed[i].n);
        char why[WHY] = "";

        cr_expect_eq(compile(&source.source, "t", why), EBADMSG, "%s",
                     malformed[i].why);
        cr_expect_str_eq(why, malformed[i].why);
        cr_expect_eq(scratch_count(&scratch), 0, "%s", malformed[i].why);
    }
}

Test(compile, largest_sizes_are_accepted)
{
    static const struct op ops[] = {
        BIRTH(0, PTRDIFF_MAX),
        {.kind = OP_TOUCH, .thread = 1, .object = 0, .size = PTRDIFF_MAX},
        {.kind = OP_RESIZE, .thread = 0, .object = 0, .size = 1},
        {.kind = OP_RESIZE, .thread = 2, .object = 0, .size = PTRDIFF_MAX},
        {.kind = OP_FREE, .thread = 1, .object = 0},
    };

    check_ops(ops, sizeof ops / sizeof *ops);
}

Test(compile, more_marks_than_fit_are_E2BIG)
{
    static struct op ops[TRACE_MARKS_MAX];
    char why[WHY];

    for (size_t i = 0; i < TRACE_MARKS_MAX; i++)
        ops[i] = (struct op){.kind = OP_MARK, .name = "m"};
    check_ops(ops, TRACE_MARKS_MAX - 1); /* the peak is the first mark */
    struct ops_array source = ops_array(ops, TRACE_MARKS_MAX);
    cr_assert_eq(compile(&source.source, "u", why), E2BIG);
    cr_assert_str_eq(why, "operation 255: more than 255 marks");
}

/* ---- sources that cannot be trusted ---- */

/* Plays one list the first time, another the second. */
struct fickle {
    struct trace_source source; /* first: play casts back */
    struct ops_array plays[2];
    int *turn;
    int err; /* of the second time */
};

static int play_fickle(const struct trace_source *source, struct op_sink *sink)
{
    const struct fickle *f = (const struct fickle *)source;
    const struct ops_array *a = &f->plays[(*f->turn)++ % 2];
    int err = a->source.play(&a->source, sink);

    return err ? err : *f->turn % 2 ? 0 : f->err;
}

#define END(n)                                                                 \
    {                                                                          \
        .kind = OP_FREE, .object = (n)                                         \
    }

static const struct {
    const char *what;
    struct op ops[2][6];
    size_t n[2];
} fickle[] = {
    {"another size", {{BIRTH(0, 8)}, {BIRTH(0, 9)}}, {1, 1}},
    {"another object",
     {{BIRTH(0, 8), BIRTH(1, 8), END(0)}, {BIRTH(0, 8), BIRTH(1, 8), END(1)}},
     {3, 3}},
    {"fewer operations", {{BIRTH(0, 8), END(0)}, {BIRTH(0, 8)}}, {2, 1}},
    {"more operations", {{BIRTH(0, 8)}, {BIRTH(0, 8), END(0)}}, {1, 2}},
    {"nothing", {{BIRTH(0, 8)}, {{0}}}, {1, 0}},
    {"another kind", {{BIRTH(0, 8)}, {{.kind = OP_ZALLOC, .size = 8}}}, {1, 1}},
    {"another thread",
     {{BIRTH(0, 8)}, {{.kind = OP_ALLOC, .thread = 1, .size = 8}}},
     {1, 1}},
    {"a thread that was not there",
     {{BIRTH(0, 8), END(0)}, {BIRTH(0, 8), {.kind = OP_FREE, .thread = 1000}}},
     {2, 2}},
    {"marks instead of births",
     {{BIRTH(0, 8), BIRTH(1, 8)},
      {BIRTH(0, 8), {.kind = OP_MARK, .name = "m"}}},
     {2, 2}},
    {"another order of the same operations",
     {{BIRTH(0, 8), {.kind = OP_TOUCH, .thread = 1, .size = 2}, END(0)},
      {BIRTH(0, 8), END(0), BIRTH(1, 8)}},
     {3, 3}},
    {"something malformed",
     {{BIRTH(0, 8), END(0)}, {BIRTH(0, 8), END(7)}},
     {2, 2}},
};

Test(compile, a_source_that_plays_differently_is_refused)
{
    for (size_t i = 0; i < sizeof fickle / sizeof *fickle; i++) {
        int turn = 0;
        struct fickle f = {
            .source = {play_fickle},
            .plays = {ops_array(fickle[i].ops[0], fickle[i].n[0]),
                      ops_array(fickle[i].ops[1], fickle[i].n[1])},
            .turn = &turn};
        char why[WHY] = "";

        cr_expect_eq(compile(&f.source, "t", why), EBADMSG, "%s",
                     fickle[i].what);
        cr_expect_str_eq(why, "the source does not play the same trace twice",
                         "%s", fickle[i].what);
        cr_expect_eq(scratch_count(&scratch), 0, "%s", fickle[i].what);
    }
}

Test(compile, an_error_of_the_source_is_returned)
{
    static const struct op ops[] = {BIRTH(0, 8)};
    int turn = 0;
    struct fickle f = {.source = {play_fickle},
                       .plays = {ops_array(ops, 1), ops_array(ops, 1)},
                       .turn = &turn,
                       .err = EIO};
    char why[WHY] = "";

    cr_assert_eq(compile(&f.source, "t", why), EIO); /* the second play's */
    cr_assert_neq(strstr(why, strerror(EIO)), NULL, "%s", why);
    turn = 1;
    cr_assert_eq(compile(&f.source, "t", why), EIO); /* the first play's */
    cr_assert_eq(scratch_count(&scratch), 0);
}

/* ---- the file ---- */

Test(compile, an_old_file_survives_a_failed_compile_and_no_other)
{
    struct ops_array bad = ops_array(malformed[2].ops, malformed[2].n);
    struct ops_random good = stream(2);
    char why[WHY], text[16] = "";

    scratch_write(&scratch, "t", "precious", 8);
    cr_assert_eq(compile(&bad.source, "t", why), EBADMSG);
    cr_assert_eq(scratch_read(&scratch, "t", text, sizeof text), 8);
    cr_assert_str_eq(text, "precious");
    trace_unmap(compile_and_map(&good.source));
    cr_assert_eq(scratch_count(&scratch), 1);
}

Test(compile, a_full_disk_is_an_error_and_leaves_no_half_file)
{
    struct ops_random source = stream(4);
    struct rlimit old, tight;
    char why[WHY] = "", text[16] = "";

    scratch_write(&scratch, "t", "precious", 8);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = 8192;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int err = compile(&source.source, "t", why);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    cr_assert_eq(err, EFBIG, "%d", err);
    cr_assert_neq(strstr(why, strerror(EFBIG)), NULL, "%s", why);
    cr_assert_eq(scratch_count(&scratch), 1);
    cr_assert_eq(scratch_read(&scratch, "t", text, sizeof text), 8);
    cr_assert_str_eq(text, "precious");
}

Test(compile, a_folder_that_is_not_there_is_ENOENT)
{
    struct ops_random source = stream(1);
    char path[600], why[WHY], want[700];

    scratch_path(&scratch, "no/t", path, sizeof path);
    cr_assert_eq(trace_compile(&source.source, path, why, sizeof why), ENOENT);
    snprintf(want, sizeof want, "%s: %s", path, strerror(ENOENT));
    cr_assert_str_eq(why, want);
}

Test(compile, a_reason_never_overflows_its_buffer)
{
    struct ops_array bad = ops_array(malformed[2].ops, malformed[2].n);
    char path[600], why[8] = "1234567";

    scratch_path(&scratch, "t", path, sizeof path);
    cr_assert_eq(trace_compile(&bad.source, path, why, 4), EBADMSG);
    cr_assert_str_eq(why, "ope");
    cr_assert_str_eq(why + 4, "567");
    cr_assert_eq(trace_compile(&bad.source, path, why, 0), EBADMSG);
    cr_assert_str_eq(why, "ope");
}
