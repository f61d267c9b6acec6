/* test_leak.c - the leak meter against an allocator that leaks a known share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "forked.h"
#include "meter.h"
#include "ops_list.h"
#include "scratch.h"

enum { BLOCKS = 1000, SIZE = 100, LEFT = 7, SAID = 4096 };

/* What the allocator below holds; keeps every `keeps`-th block it is given
 * back, or none at 0. */
static struct {
    _Atomic size_t bytes, blocks, frees;
    size_t keeps;
    int is_dumb; /* cannot say what it holds */
} books;

static int leaky_open(const struct heap_config *config, struct heap **out)
{
    (void)config;
    *out = (struct heap *)&books;
    return 0;
}

static void leaky_close(struct heap *heap)
{
    (void)heap;
}

static void *leaky_zalloc(struct heap *heap, size_t size)
{
    (void)heap;
    atomic_fetch_add(&books.bytes, size);
    atomic_fetch_add(&books.blocks, 1);
    return calloc(1, size ? size : 1);
}

static void *leaky_alloc(struct heap *heap, size_t size, size_t align)
{
    (void)align;
    return leaky_zalloc(heap, size);
}

static void leaky_dealloc(struct heap *heap, void *p, size_t size)
{
    (void)heap;
    size_t n = atomic_fetch_add(&books.frees, 1) + 1;
    if (books.keeps && size == SIZE && n % books.keeps == 0)
        return;
    atomic_fetch_sub(&books.bytes, size);
    atomic_fetch_sub(&books.blocks, 1);
    free(p);
}

static void *leaky_resize(struct heap *heap, void *p, size_t old, size_t size)
{
    (void)heap;
    (void)p;
    (void)old;
    (void)size;
    return NULL; /* the trace has no resize */
}

static int leaky_inspect(struct heap *heap, struct heap_report *report)
{
    (void)heap;
    if (books.is_dumb)
        return ENOTSUP;
    *report = (struct heap_report){.live_bytes = atomic_load(&books.bytes),
                                   .live_blocks = atomic_load(&books.blocks),
                                   .mapped_bytes = SIZE_MAX};
    return 0;
}

static const struct allocator leaky = {
    .name = "leaky",
    .summary = "keeps some of what it is given back",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .open = leaky_open,
    .close = leaky_close,
    .alloc = leaky_alloc,
    .zalloc = leaky_zalloc,
    .dealloc = leaky_dealloc,
    .resize = leaky_resize,
    .inspect = leaky_inspect,
};

/* BLOCKS births by thread 0; thread 1 frees all but LEFT. */
static int births_and_deaths(const struct trace_source *source,
                             struct op_sink *sink)
{
    struct op_feed feed = {.sink = sink};
    (void)source;
    feed_spawn(&feed, 0, 1);
    for (int i = 0; i < BLOCKS; i++)
        feed_alloc(&feed, 0, SIZE);
    for (int i = LEFT; i < BLOCKS; i++)
        feed_free(&feed, 1, (uint64_t)i);
    feed_join(&feed, 0, 1);
    return feed.err;
}

static struct trace *compiled(void)
{
    const struct trace_source source = {.play = births_and_deaths};
    struct scratch scratch;
    struct trace *trace;
    char path[300], why[300];
    scratch_open(&scratch);
    scratch_path(&scratch, "t.hyr", path, sizeof path);
    cr_assert_eq(trace_compile(&source, path, why, sizeof why), 0, "%s", why);
    cr_assert_eq(trace_map(path, &trace, why, sizeof why), 0, "%s", why);
    scratch_close(&scratch);
    return trace;
}

static void run_meter(void *arg, int fd)
{
    static struct shared_page page;
    static _Alignas(64) char state[4096];
    const struct meter *meter = meter_find("leak");
    struct run_context run = {.allocator = &leaky,
                              .trace = arg,
                              .page = &page,
                              .meter_state = state,
                              .meter = meter,
                              .result_fd = fd};
    leaky_open(NULL, &run.heap);
    struct replay_config config = {.allocator = &leaky,
                                   .heap = run.heap,
                                   .trace = arg,
                                   .page = &page,
                                   .window = REPLAY_WINDOW,
                                   .workers_only = meter->workers_only,
                                   .meter = &run,
                                   .result_fd = fd};
    cr_assert_leq(meter->state_bytes, sizeof state);
    if (replay_open(&config, &run.replay))
        return;
    replay_run(run.replay, meter->start, meter->stop);
    meter->report(&run);
    replay_close(run.replay);
}

/* The value of a metric in what the meter said, or -1. */
static double said_value(const char *said, const char *metric)
{
    size_t n = strlen(metric);
    for (const char *at = said; at; at = strchr(at, '\n'), at += at != NULL)
        if (!strncmp(at, metric, n) && at[n] == '\t')
            return strtod(strrchr(strndup(at, strcspn(at, "\n")), '\t'), NULL);
    return -1;
}

static void measure(size_t keeps, int is_dumb, char said[SAID])
{
    struct trace *trace = compiled();
    memset(&books, 0, sizeof books);
    books.keeps = keeps;
    books.is_dumb = is_dumb;
    cr_assert_eq(run_forked(run_meter, trace, said, SAID), 0);
    trace_unmap(trace);
    cr_expect_eq(said_value(said, "left_blocks"), LEFT, "%s", said);
    cr_expect_eq(said_value(said, "left_bytes"), LEFT * SIZE, "%s", said);
}

Test(leak, what_the_trace_leaves_is_no_leak)
{
    char said[SAID];
    measure(0, 0, said);
    cr_expect_eq(said_value(said, "leaked_bytes"), 0, "%s", said);
    cr_expect_eq(said_value(said, "leaked_blocks"), 0, "%s", said);
}

/* The two frees of other sizes are each thread's first use of the heap. */
Test(leak, every_block_that_is_kept_is_counted)
{
    static const size_t keeps[] = {2, 10, 97};
    char said[SAID];
    for (size_t i = 0; i < sizeof keeps / sizeof *keeps; i++) {
        size_t want = (BLOCKS + 2) / keeps[i];
        measure(keeps[i], 0, said);
        double got = said_value(said, "leaked_blocks");
        cr_expect(got >= (double)want - 1 && got <= (double)want,
                  "1 in %zu: %g blocks (want %zu)\n%s", keeps[i], got, want,
                  said);
        cr_expect_eq(said_value(said, "leaked_bytes"), got * SIZE, "%s", said);
    }
}

Test(leak, an_allocator_that_cannot_say_has_a_note_and_no_figure)
{
    char said[SAID];
    measure(0, 1, said);
    cr_expect_eq(said_value(said, "leaked_bytes"), -1, "%s", said);
    cr_expect_not_null(strstr(said, "#leaky cannot say"), "%s", said);
}
