/* test_latency.c - what the meter latency counts, and when it says it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "latency_ops.h"
#include "meter.h"
#include "ops_list.h"
#include "ops_random.h"
#include "percentiles.h"
#include "random.h"
#include "replay.h"
#include "scratch.h"
#include "ticks.h"
#include "trace_place.h"

/* ---- percentiles ---- */

Test(latency, a_percentile_needs_ten_values_above_it)
{
    static const struct {
        const char *name;
        uint64_t fewest;
    } want[] = {{"p50", 20},     {"p90", 100},      {"p99", 1000},
                {"p999", 10000}, {"p9999", 100000}, {"p99999", 1000000},
                {NULL, 0}};

    for (unsigned i = 0; want[i].name || percentiles[i].name; i++) {
        const struct percentile *p = &percentiles[i];

        cr_assert_str_eq(p->name, want[i].name);
        cr_expect(percentile_is_backed(p, want[i].fewest), "%s", p->name);
        cr_expect(!percentile_is_backed(p, want[i].fewest - 1), "%s", p->name);
        cr_expect(!percentile_is_backed(p, 0), "%s", p->name);
        cr_expect_float_eq(p->share, 1 - p->above / 1e5, 1e-12);
    }
}

Test(latency, what_is_backed_has_ten_values_above_it)
{
    struct random random;

    random_seed(&random, 5);
    for (int round = 0; round < 40; round++) {
        uint64_t n = 1 + random_below(&random, round < 20 ? 2000 : 200000);

        for (const struct percentile *p = percentiles; p->name; p++) {
            /* the rank that histogram_quantile looks for, in whole numbers */
            uint64_t rank = (n * (100000 - p->above) + 99999) / 100000;
            uint64_t above = n - rank;

            cr_assert_eq(percentile_is_backed(p, n), above >= 10,
                         "%s of %llu: %llu above", p->name,
                         (unsigned long long)n, (unsigned long long)above);
        }
    }
}

/* ---- classes ---- */

Test(latency, a_class_is_a_power_of_two)
{
    for (size_t size = 0; size <= (1 << 21) + 5; size++) {
        unsigned c = latency_class(size);
        size_t most = (size_t)1 << (c + LATENCY_SMALL_LOG2);

        cr_assert_lt(c, LATENCY_CLASSES);
        if (c)
            cr_assert_gt(size, most / 2, "%zu in class %u", size, c);
        if (c < LATENCY_CLASSES - 1)
            cr_assert_leq(size, most, "%zu in class %u", size, c);
    }
    cr_assert_eq(latency_class(SIZE_MAX / 2), LATENCY_CLASSES - 1);
    cr_assert_eq(latency_class(1 << LATENCY_LARGE_LOG2), LATENCY_CLASSES - 2);
}

/* ---- the longest calls ---- */

enum { CALLS_MAX = 3000 };

static struct worst_call calls[CALLS_MAX];

/* Longest first; of equal ones the earlier. */
static int order_calls(const void *a, const void *b)
{
    const struct worst_call *x = a, *y = b;

    if (x->ticks != y->ticks)
        return x->ticks < y->ticks ? 1 : -1;
    return x->record < y->record ? -1 : 1;
}

Test(latency, the_worst_are_those_of_all_calls_sorted)
{
    struct random random;

    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct worst w = {0};

        random_seed(&random, seed);
        size_t n = random_below(&random, seed % 2 ? CALLS_MAX : 40);
        uint64_t range = 1 + random_below(&random, seed % 3 ? 1000000 : 30);
        for (size_t i = 0; i < n; i++) {
            calls[i] = (struct worst_call){
                .ticks = 1 + random_below(&random, range), .record = i};
            if (worst_takes(&w, calls[i].ticks))
                worst_add(&w, &calls[i]);
        }
        qsort(calls, n, sizeof *calls, order_calls);
        cr_assert_eq(w.n, n < WORST_CALLS ? n : WORST_CALLS);
        for (unsigned i = 0; i < w.n; i++)
            cr_assert_eq(w.call[i].record, calls[i].record, "seed %d, place %u",
                         (int)seed, i);
    }
}

/* ---- where an operation stands ---- */

static struct scratch scratch;

static struct trace *compiled(const struct trace_source *source)
{
    char path[600], why[512];
    struct trace *trace = NULL;

    scratch_open(&scratch);
    scratch_path(&scratch, "t", path, sizeof path);
    cr_assert_eq(trace_compile(source, path, why, sizeof why), 0, "%s", why);
    cr_assert_eq(trace_map(path, &trace, why, sizeof why), 0, "%s", why);
    scratch_close(&scratch);
    return trace;
}

static int is_block_op(const struct op *op)
{
    return op->kind == OP_ALLOC || op->kind == OP_ZALLOC ||
           op->kind == OP_FREE || op->kind == OP_RESIZE || op->kind == OP_TOUCH;
}

struct place_walk {
    const struct ops_list *list;
    const struct trace *trace;
    size_t at[OP_MAX_THREADS];      /* index in the list, of each thread */
    uint64_t place[OP_MAX_THREADS]; /* of list[at], without OP_TIME */
};

/* The place of the thread's next operation on a block. */
static uint64_t next_place(struct place_walk *w, unsigned thread)
{
    for (;;) {
        const struct op *op = &w->list->ops[w->at[thread]++];

        if (op->kind == OP_TIME)
            continue;
        w->place[thread]++;
        if (op->thread == thread && is_block_op(op))
            return w->place[thread] - 1;
    }
}

/* Every block operation of one thread, at its record. */
static unsigned walk_places(struct place_walk *w, unsigned thread)
{
    static const int payloads[EV_OPS] = {
        [EV_RESIZE] = 2,     [EV_ALLOC_WIDE] = 1, [EV_FREE_WIDE] = 1,
        [EV_TOUCH_WIDE] = 1, [EV_SEND] = 1,       [EV_RECV] = 1,
        [EV_SYNC] = 1};
    const struct event *e = w->trace->thread[thread].events;
    uint64_t after = 0;
    unsigned checked = 0;

    for (uint64_t i = 0; event_op(e[i]) != EV_END;
         i += 1 + (uint64_t)payloads[event_op(e[i])]) {
        unsigned op = event_op(e[i]);

        if (op == EV_SYNC)
            memcpy(&after, &e[i + 1], sizeof after);
        if (op == EV_SYNC || op == EV_MARK || op == EV_SEND || op == EV_RECV ||
            op == EV_SIGNAL || op == EV_AWAIT)
            continue;
        struct place_range r = trace_place_of(w->trace, thread, i, after);
        uint64_t place = next_place(w, thread);

        cr_assert(r.first <= place && place <= r.last,
                  "thread %u, record %d: %d is not in %d..%d", thread, (int)i,
                  (int)place, (int)r.first, (int)r.last);
        if (w->trace->threads == 1)
            cr_assert_eq(r.first, r.last);
        checked++;
    }
    return checked;
}

Test(latency, an_operation_is_found_where_it_stands)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct ops_random source =
            ops_random((struct ops_random){.seed = seed,
                                           .threads = seed % 3 ? 4 : 1,
                                           .ops = 4000,
                                           .live = 50 * (unsigned)seed,
                                           .max_size = 3000,
                                           .max_align_log2 = 12,
                                           .wide = seed % 2});
        struct ops_list list;
        static struct place_walk w;
        unsigned checked = 0;

        ops_list_init(&list);
        cr_assert_eq(ops_list_fill(&list, &source.source), 0);
        w = (struct place_walk){.list = &list,
                                .trace = compiled(&source.source)};
        for (unsigned i = 0; i < w.trace->threads; i++)
            checked += walk_places(&w, i);
        cr_assert_gt(checked, 1000);
        trace_unmap((struct trace *)w.trace);
        ops_list_free(&list);
    }
}

/* ---- pace ---- */

Test(latency, due_times_are_even_and_add_up_no_error)
{
    struct random random;

    cr_assert_float_eq(pace_interval(1e6, 0.5), 2000, 1e-9);
    cr_assert_eq(pace_interval(0, 0.5), 0);
    random_seed(&random, 1);
    for (int k = 0; k < 10000; k++) {
        struct pace p = {.interval = 1 + 1000 * random_unit(&random),
                         .start = random_below(&random, UINT64_C(1) << 50)};
        uint64_t i = random_below(&random, 1000000000);
        uint64_t waited = random_below(&random, 1000000);
        long double want = (long double)p.start + waited +
                           (long double)i * (long double)p.interval;

        cr_assert(fabsl((long double)pace_due(&p, i, waited) - want) <= 1);
        cr_assert_eq(pace_due(&p, 0, 0), p.start);
    }
}

Test(latency, a_call_is_late_if_its_time_has_passed_and_never_early)
{
    struct pace p = {.interval = 1000, .start = ticks_now() + 5000000};

    pace_await(&p, 0);
    cr_assert_geq(ticks_now(), p.start);
    cr_assert_eq(p.due, p.start);
    cr_assert_eq(p.late, 0);
    while (ticks_now() < p.start + 5000)
        ;
    pace_await(&p, 0);
    cr_assert_eq(p.due, p.start + 1000);
    cr_assert_eq(p.late, 1);
    pace_await(&p, 1000000000); /* others were waited for: not late */
    cr_assert_eq(p.late, 1);
    cr_assert_eq(p.calls, 3);
}

/* ---- a stall, with a pace and without ---- */

enum { STALL_NS = 10000000, STALLING = 1001, PACED = 3000, PACE = 10000 };

/* Hands out one block, and once takes 10 ms for it. */
struct heap {
    unsigned calls;
    char block[64];
};

static struct heap stalling_heap;

static void *stalling_alloc(struct heap *h, size_t size, size_t align)
{
    const struct timespec stall = {.tv_nsec = STALL_NS};

    (void)size, (void)align;
    if (++h->calls == STALLING)
        nanosleep(&stall, NULL);
    return h->block;
}

static void stalling_free(struct heap *h, void *p, size_t size)
{
    (void)p, (void)size;
    h->calls++;
}

static const struct allocator stalling = {
    .name = "stalling", .alloc = stalling_alloc, .dealloc = stalling_free};

static struct replay *played;
static double interval; /* ticks */

static void set_pace(void *meter, unsigned thread)
{
    struct latency_state *own = replay_own(played, thread);

    (void)meter;
    own->pace.interval = interval;
    own->pace.start = ticks_now();
}

static void no_clock(void *meter)
{
    (void)meter;
}

/* Play PACED pairs of malloc and free; what was counted, all kinds added. */
static void play_stall(struct histogram *service, struct histogram *response,
                       struct worst *worst)
{
    static struct op ops[2 * PACED];
    static struct shared_page page;

    for (unsigned i = 0; i < PACED; i++) {
        ops[2 * i] = (struct op){.kind = OP_ALLOC, .object = i, .size = 64};
        ops[2 * i + 1] = (struct op){.kind = OP_FREE, .object = i};
    }
    struct ops_array array = ops_array(ops, 2 * PACED);
    struct trace *trace = compiled(&array.source);
    struct replay_config config = {.allocator = &stalling,
                                   .heap = &stalling_heap,
                                   .trace = trace,
                                   .page = &page,
                                   .ops = &latency_ops,
                                   .thread_start = set_pace,
                                   .result_fd = STDERR_FILENO,
                                   .own_bytes = sizeof(struct latency_state)};

    stalling_heap.calls = 0;
    cr_assert_eq(replay_open(&config, &played), 0);
    replay_run(played, no_clock, no_clock);
    const struct latency_state *own = replay_own(played, 0);

    for (unsigned k = 0; k < LATENCY_KINDS; k++) {
        for (unsigned c = 0; c < LATENCY_CLASSES; c++)
            histogram_merge(service, &own->ticks[k][c]);
        histogram_merge(response, &own->response[k]);
    }
    *worst = own->worst;
    replay_close(played);
    trace_unmap(trace);
}

static double tick_ns(void)
{
    struct clock_pair from = clock_pair_now();

    while (clock_wall_ns() < from.ns + 5000000)
        ;
    return clock_ns_per_tick(from, clock_pair_now());
}

Test(latency, a_stall_is_one_slow_call_but_many_late_responses)
{
    static struct histogram service, response;
    struct worst worst;
    double ns = tick_ns();

    interval = pace_interval(PACE, ns);
    play_stall(&service, &response, &worst);
    cr_assert_eq(service.count, 2 * PACED);
    cr_assert_eq(response.count, 2 * PACED);
    /* 100 of the 6000 calls were due while it lasted; 1 % is 60 of them, of
     * which the last waited for 4 ms. */
    cr_expect_gt(ns * (double)histogram_quantile(&response, 0.99), 3e6);
    cr_expect_lt(ns * (double)histogram_quantile(&service, 0.99), 1e6);
    cr_expect_gt(ns * (double)service.max, 0.99 * STALL_NS);
    cr_expect_geq(response.max, service.max);
    /* The one call is found, and that it slept. */
    cr_assert_eq(worst.n, WORST_CALLS);
    cr_expect_gt(ns * (double)worst.call[0].ticks, 0.99 * STALL_NS);
    cr_expect_eq(worst.call[0].size, 64);
    cr_expect_geq(worst.call[0].waits, 1);
    cr_expect(worst.call[0].within >= 1 &&
              worst.call[0].within <= LATENCY_USAGE_EVERY);
}

Test(latency, without_a_pace_no_response_is_counted)
{
    static struct histogram service, response;
    struct worst worst;

    interval = 0;
    play_stall(&service, &response, &worst);
    cr_assert_eq(service.count, 2 * PACED);
    cr_assert_eq(response.count, 0);
}

/* ---- options ---- */

Test(latency, options_are_taken_or_refused_with_the_range)
{
    static const struct {
        const char *text;
        int err;
        const char *why;
    } cases[] = {
        {"latency", 0, ""},
        {"latency:pace=250000", 0, ""},
        {"latency:pace=0", 0, ""},
        {"latency:pace=x", EINVAL, "pace"},
        {"latency:pace=-1", EINVAL, "0..100000000 calls/s"},
        {"latency:pace=1000000000", EINVAL, "0..100000000 calls/s"},
        {"latency:speed=3", EINVAL, "heapyard list latency"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct meter *meter;
        const char *options;
        char why[256] = "";
        int err =
            meter_choose(cases[i].text, &meter, &options, why, sizeof why);

        cr_expect_eq(err, cases[i].err, "%s: %s", cases[i].text, why);
        cr_expect(strstr(why, cases[i].why), "%s: %s", cases[i].text, why);
        cr_expect(!err || !strncmp(why, "latency", 7), "%s", why);
    }
}
