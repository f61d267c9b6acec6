/* test_replay.c - traces play to their end, and `check` misses no fault.
 *
 * Replays run in child processes, because player_fail ends its process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "allocator.h"
#include "check_ops.h"
#include "forked.h"
#include "latency_ops.h"
#include "ops_list.h"
#include "ops_random.h"
#include "replay.h"
#include "scratch.h"
#include "trace.h"

enum { SAID = 4096 };

static struct scratch scratch;

static void open_scratch(void)
{
    scratch_open(&scratch);
}

static void close_scratch(void)
{
    scratch_close(&scratch);
}

TestSuite(replay, .init = open_scratch, .fini = close_scratch);

static struct trace *compiled(const struct trace_source *source)
{
    char path[600], why[512];
    struct trace *trace = NULL;

    scratch_path(&scratch, "t", path, sizeof path);
    int err = trace_compile(source, path, why, sizeof why);
    cr_assert_eq(err, 0, "%s", why);
    err = trace_map(path, &trace, why, sizeof why);
    cr_assert_eq(err, 0, "%s", why);
    return trace;
}

/* ---- one replay ---- */

struct replay_case {
    const struct trace *trace;
    const struct allocator *allocator;
    const struct block_ops *ops; /* NULL: fast */
    enum touch touch;
    uint64_t window;
    int workers_only;
    uint64_t aligns; /* sum over all births, bytes: for inspect_books */
    /* Called after the replay, before its end; or NULL. */
    void (*inspect)(const struct replay_case *, struct replay *, struct heap *,
                    int fd);
};

static struct shared_page page;
static _Atomic unsigned marks_met[TRACE_MARKS_MAX];

static void no_clock(void *meter)
{
    (void)meter;
}

static void meet_mark(void *meter, unsigned mark)
{
    (void)meter;
    atomic_fetch_add(&marks_met[mark], 1);
}

static size_t most_blocks(const struct trace *t)
{
    size_t most = t->mailboxes;

    for (unsigned i = 0; i < t->threads; i++)
        most += t->thread[i].slots;
    return most;
}

/* Play on an open heap, with the line "MESSAGE (ERRNO)" on any failure. */
static int play_on(const struct replay_case *c, struct heap *heap, int fd)
{
    struct check_state *checked = NULL;
    struct replay *replay;

    if (c->ops == &check_ops && check_open(most_blocks(c->trace), &checked))
        return dprintf(fd, "check_open\n");
    struct replay_config config = {.allocator = c->allocator,
                                   .heap = heap,
                                   .trace = c->trace,
                                   .page = &page,
                                   .ops = c->ops,
                                   .touch = c->touch,
                                   .window = c->window,
                                   .workers_only = c->workers_only,
                                   .mark = meet_mark,
                                   .result_fd = fd,
                                   .own_bytes = sizeof(struct latency_state),
                                   .common = checked};
    int err = replay_open(&config, &replay);

    if (err)
        return dprintf(fd, "replay_open (%d)\n", err);
    replay_run(replay, no_clock, no_clock);
    if (c->inspect)
        c->inspect(c, replay, heap, fd);
    if (checked) {
        struct player p = {
            .allocator = c->allocator, .heap = heap, .result_fd = fd};
        size_t left = check_left(checked, &p);

        if (left != c->trace->totals.left_blocks)
            dprintf(fd, "%zu blocks left\n", left);
        check_close(checked);
    }
    replay_close(replay);
    return 0;
}

static void play_case(const struct replay_case *c, int fd)
{
    struct heap_config config = {.threads = c->trace->threads,
                                 .max_size = c->trace->totals.max_size};
    struct heap *heap;

    if (c->allocator->open(&config, &heap)) {
        dprintf(fd, "open\n");
        return;
    }
    play_on(c, heap, fd);
    c->allocator->close(heap);
}

static void play_case_and_say(void *arg, int fd)
{
    play_case(arg, fd);
    dprintf(fd, "done\n");
}

/* ---- all allocators, replayers and windows on random traces ---- */

static struct ops_random stream(uint64_t seed, int wide)
{
    return ops_random((struct ops_random){.seed = seed,
                                          .threads = 1 + (unsigned)seed % 5,
                                          .ops = 4000,
                                          .live = 50 * (unsigned)seed,
                                          .max_size = 3000,
                                          .max_align_log2 = 12,
                                          .wide = wide});
}

static const uint64_t windows[] = {0, REPLAY_WINDOW_MIN, REPLAY_WINDOW};

/* Names the case first, so that the last line says where it ended. */
static void play_windows(struct replay_case c, const char *replayer, int fd)
{
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
        c.window = windows[w];
        dprintf(fd, "%s %s %llu\n", c.allocator->name, replayer,
                (unsigned long long)c.window);
        play_case(&c, fd);
    }
}

static void play_all(void *arg, int fd)
{
    static const enum touch touches[] = {TOUCH_NONE, TOUCH_BYTE, TOUCH_PAGE,
                                         TOUCH_LINE, TOUCH_FULL};
    const struct trace *trace = arg;

    for (size_t i = 0; allocators[i]; i++) {
        struct replay_case c = {.trace = trace, .allocator = allocators[i]};
        if (c.allocator->missing)
            continue;
        int is_floor = (c.allocator->traits & TRAIT_OVERLAPPING) != 0;

        c.workers_only = trace->totals.ops % 2 == 0;
        /* Threads would write the same bytes of the floor: by design, but a
         * race all the same. */
        c.touch = is_floor ? TOUCH_NONE : touches[trace->totals.allocs % 5];
        play_windows(c, "fast", fd);
        c.ops = &latency_ops;
        play_windows(c, "latency", fd);
        c.ops = &check_ops;
        if (!is_floor)
            play_windows(c, "check", fd);
    }
    dprintf(fd, "done\n");
}

Test(replay, random_traces_end_and_check_finds_no_fault)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct ops_random source = stream(seed, 0);
        struct trace *trace = compiled(&source.source);
        char said[SAID];

        int code = run_forked(play_all, trace, said, sizeof said);
        size_t n = strlen(said);
        cr_assert_eq(code, 0, "seed %d: %d %s", (int)seed, code, said);
        cr_assert(n > 5 && !strcmp(said + n - 5, "done\n"), "%s", said);
        cr_assert_null(strchr(said, '!'), "%s", said);
        cr_assert_null(strchr(said, '('), "%s", said);
        cr_assert_null(strstr(said, "left"), "%s", said);
        trace_unmap(trace);
    }
}

/* ---- an allocator that keeps books ---- */

/* Blocks are tokens, so sizes may be anything; what is asked for and what is
 * given back is compared. */
struct token {
    uint64_t size;
};

struct heap {
    _Atomic uint64_t births, deaths, resizes, live, peak, faults, entered;
    _Atomic uint64_t aligns;   /* sum over all births, bytes */
    _Atomic uint64_t stall_at; /* the next death that waits */
    /* of the faulty ones, below */
    const struct fault *fault;
    char *pool; /* all of it zero before its first use */
    unsigned blocks;
};

static struct heap books;

static int books_open(const struct heap_config *config, struct heap **out)
{
    (void)config;
    memset(&books, 0, sizeof books);
    *out = &books;
    return 0;
}

static void books_close(struct heap *h)
{
    (void)h;
}

static void books_grow(struct heap *h, uint64_t bytes)
{
    uint64_t live = atomic_fetch_add(&h->live, bytes) + bytes;
    uint64_t peak = atomic_load(&h->peak);

    while (live > peak && !atomic_compare_exchange_weak(&h->peak, &peak, live))
        ;
}

static void *books_alloc(struct heap *h, size_t size, size_t align)
{
    struct token *t = malloc(sizeof *t);

    t->size = size;
    atomic_fetch_add(&h->aligns, align);
    atomic_fetch_add(&h->births, 1);
    books_grow(h, size);
    return t;
}

static void *books_zalloc(struct heap *h, size_t size)
{
    return books_alloc(h, size, 0);
}

static void books_dealloc(struct heap *h, void *p, size_t size)
{
    struct token *t = p;

    atomic_fetch_add(&h->faults, t->size != size);
    atomic_fetch_sub(&h->live, t->size);
    atomic_fetch_add(&h->deaths, 1);
    free(t);
}

static void *books_resize(struct heap *h, void *p, size_t old_size,
                          size_t new_size)
{
    struct token *t = p;

    atomic_fetch_add(&h->faults, t->size != old_size || !new_size);
    atomic_fetch_add(&h->resizes, 1);
    atomic_fetch_sub(&h->live, t->size);
    t->size = new_size;
    books_grow(h, new_size);
    return t;
}

static int books_enter(struct heap *h)
{
    atomic_fetch_add(&h->entered, 1);
    return 0;
}

static void books_leave(struct heap *h)
{
    atomic_fetch_sub(&h->entered, 1);
}

static const struct allocator books_allocator = {
    .name = "books",
    .open = books_open,
    .close = books_close,
    .alloc = books_alloc,
    .zalloc = books_zalloc,
    .dealloc = books_dealloc,
    .resize = books_resize,
    .enter = books_enter,
    .leave = books_leave,
};

static void expect(int fd, const char *what, uint64_t is, uint64_t should)
{
    if (is != should)
        dprintf(fd, "%s = %llu (want %llu)\n", what, (unsigned long long)is,
                (unsigned long long)should);
}

static void inspect_left(const struct replay_case *c, struct replay *r, int fd)
{
    const struct trace *t = c->trace;

    for (uint64_t i = 0; i < t->totals.left_blocks; i++) {
        struct token *token = replay_left(r, i);

        expect(fd, "size of a block left", token->size, t->left[i].size);
        token->size = UINT64_MAX; /* so that none is met twice */
    }
}

static void inspect_books(const struct replay_case *c, struct replay *r,
                          struct heap *h, int fd)
{
    const struct trace_totals *t = &c->trace->totals;
    /* Each worker may have tried the heap once before the gate. */
    uint64_t tried = atomic_load(&h->births) - t->allocs;

    expect(fd, "faults", atomic_load(&h->faults), 0);
    expect(fd, "tried", tried, c->workers_only ? c->trace->threads : 0);
    expect(fd, "aligns", atomic_load(&h->aligns), c->aligns);
    expect(fd, "deaths", atomic_load(&h->deaths), t->frees + tried);
    expect(fd, "resizes", atomic_load(&h->resizes), t->resizes);
    expect(fd, "live bytes", atomic_load(&h->live), t->left_bytes);
    expect(fd, "threads inside", atomic_load(&h->entered), 0);
    for (unsigned i = 0; i < c->trace->nmarks; i++)
        expect(fd, "mark", atomic_exchange(&marks_met[i], 0), 1);
    expect(fd, "state", atomic_load(&page.state), SHARED_DONE);
    expect(fd, "place", shared_page_place(&page, t->ops), t->ops);
    expect(fd, "threads", replay_threads(r), c->trace->threads);
    if (c->trace->threads == 1)
        expect(fd, "peak", atomic_load(&h->peak), t->peak_bytes);
    inspect_left(c, r, fd);
}

static void play_books(void *arg, int fd)
{
    struct replay_case c = *(const struct replay_case *)arg;

    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
        c.window = windows[w];
        c.workers_only = w == 1;
        play_case(&c, fd);
    }
    dprintf(fd, "done\n");
}

static uint64_t sum_aligns(const struct trace_source *source)
{
    struct ops_list ops;
    uint64_t sum = 0;

    cr_assert_eq(ops_list_fill(&ops, source), 0);
    for (size_t i = 0; i < ops.n; i++)
        if (ops.ops[i].align_log2)
            sum += UINT64_C(1) << ops.ops[i].align_log2;
    ops_list_free(&ops);
    return sum;
}

Test(replay, allocators_are_told_the_sizes_of_the_trace_even_beyond_4_GiB)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct ops_random source = stream(seed, 1);
        struct trace *trace = compiled(&source.source);
        struct replay_case c = {.trace = trace,
                                .allocator = &books_allocator,
                                .aligns = sum_aligns(&source.source),
                                .inspect = inspect_books};
        char said[SAID];

        int code = run_forked(play_books, &c, said, sizeof said);
        cr_assert_eq(code, 0, "seed %d: %d %s", (int)seed, code, said);
        cr_assert_str_eq(said, "done\n", "seed %d", (int)seed);
        trace_unmap(trace);
    }
}

static void inspect_latency(const struct replay_case *c, struct replay *r,
                            struct heap *h, int fd)
{
    uint64_t count[LATENCY_KINDS] = {0};
    const struct trace_totals *t = &c->trace->totals;

    (void)h;
    for (unsigned i = 0; i < replay_threads(r); i++)
        for (unsigned k = 0; k < LATENCY_KINDS; k++)
            for (unsigned j = 0; j < LATENCY_CLASSES; j++)
                count[k] += ((const struct latency_state *)replay_own(r, i))
                                ->ticks[k][j]
                                .count;
    expect(fd, "births", count[LATENCY_MALLOC] + count[LATENCY_CALLOC],
           t->allocs);
    expect(fd, "zeroed births", count[LATENCY_CALLOC] > 0, 1);
    expect(fd, "frees", count[LATENCY_FREE], t->frees);
    expect(fd, "resizes", count[LATENCY_REALLOC], t->resizes);
}

Test(replay, latency_times_every_call_once)
{
    struct ops_random source = stream(3, 0);
    struct trace *trace = compiled(&source.source);
    struct replay_case c = {.trace = trace,
                            .allocator = allocator_find("system"),
                            .ops = &latency_ops,
                            .inspect = inspect_latency};
    char said[SAID];

    cr_assert_eq(run_forked(play_case_and_say, &c, said, sizeof said), 0);
    cr_assert_str_eq(said, "done\n");
    trace_unmap(trace);
}

/* ---- the skew window ---- */

enum { BLOCK = 64, LAG = 10000, PASSED = 40000 /* blocks a thread */ };

/* Each thread makes blocks that the next one frees, LAG blocks later. */
static int play_ring(struct op_sink *sink, unsigned threads)
{
    struct op_feed feed = {.sink = sink};

    for (uint64_t i = 0; i < PASSED; i++)
        for (unsigned t = 0; t < threads; t++) {
            feed_alloc(&feed, t, BLOCK);
            if (i >= LAG)
                feed_free(&feed, (t + 1) % threads, (i - LAG) * threads + t);
        }
    return feed.err;
}

static int play_pair(const struct trace_source *source, struct op_sink *sink)
{
    (void)source;
    /* One makes, the other frees: nothing but the window holds back the
     * first. */
    struct op_feed feed = {.sink = sink};

    for (uint64_t i = 0; i < PASSED; i++) {
        feed_alloc(&feed, 0, BLOCK);
        if (i >= LAG)
            feed_free(&feed, 1, i - LAG);
    }
    return feed.err;
}

static int play_ring_of_4(const struct trace_source *source,
                          struct op_sink *sink)
{
    (void)source;
    return play_ring(sink, 4);
}

/* Every 15000th free waits until nobody makes blocks any more. */
static void stalling_dealloc(struct heap *h, void *p, size_t size)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    uint64_t due = atomic_load(&h->stall_at);

    if (atomic_load(&h->deaths) >= due &&
        atomic_compare_exchange_strong(&h->stall_at, &due, due + 15000)) {
        uint64_t births;
        int still = 0;

        for (births = atomic_load(&h->births); still < 20; still++) {
            nanosleep(&pause, NULL);
            if (atomic_load(&h->births) != births)
                still = 0;
            births = atomic_load(&h->births);
        }
    }
    books_dealloc(h, p, size);
}

static void say_peak(const struct replay_case *c, struct replay *r,
                     struct heap *h, int fd)
{
    (void)c;
    (void)r;
    dprintf(fd, "%llu ", (unsigned long long)atomic_load(&h->peak));
}

static uint64_t real_peak(const struct trace *trace, uint64_t window)
{
    struct allocator stalling = books_allocator;
    struct replay_case c = {.trace = trace,
                            .allocator = &stalling,
                            .window = window,
                            .inspect = say_peak};
    char said[SAID], *end;

    stalling.dealloc = stalling_dealloc;
    cr_assert_eq(run_forked(play_case_and_say, &c, said, sizeof said), 0);
    uint64_t peak = strtoull(said, &end, 10);
    cr_assert_str_eq(end, " done\n", "%s", said);
    return peak;
}

static uint64_t allowed_peak(const struct trace *t)
{
    return t->totals.peak_bytes + t->totals.peak_bytes / 100 +
           REPLAY_WINDOW * t->totals.max_size;
}

Test(replay, with_the_window_the_peak_is_the_traces)
{
    const struct trace_source sources[] = {{play_pair}, {play_ring_of_4}};

    for (size_t i = 0; i < 2; i++) {
        struct trace *trace = compiled(&sources[i]);
        uint64_t peak = real_peak(trace, REPLAY_WINDOW);

        cr_assert_leq(peak, allowed_peak(trace), "%llu",
                      (unsigned long long)peak);
        cr_assert_geq(peak, trace->totals.peak_bytes / 2);
        trace_unmap(trace);
    }
}

/* That the test above would see it. */
Test(replay, without_a_window_it_need_not_be)
{
    const struct trace_source source = {play_pair};
    struct trace *trace = compiled(&source);

    cr_assert_gt(real_peak(trace, 0), allowed_peak(trace));
    trace_unmap(trace);
}

/* ---- faulty allocators ---- */

enum { PITCH = 512, BLOCKS = 24 }; /* of the pool: block k at k * PITCH */

/* What a faulty allocator does at its nth call of the hook; the rest is
 * right. */
struct fault {
    const char *name;
    const char *says; /* up to %p; NULL: nothing is wrong */
    const char *then; /* behind the address */
    int null_at;      /* births from 1: NULL */
    int same_at;      /* the block before once more */
    int inside_at;    /* 64 bytes into the block before */
    int skewed_at;    /* off by skew */
    size_t skew;
    int dirty_at; /* byte 99 is not 0 */
    long usable;  /* added to what usable says */
    int resize_null, resize_in_place_of_another;
    size_t resize_loses; /* bytes, from the end; SIZE_MAX: all */
    int resize_reuses;   /* gives the first block, with what it held */
    int free_writes;     /* 1 + the number of the block it writes into */
};

static _Alignas(4096) char pool[PITCH * BLOCKS];

static int faulty_open(const struct heap_config *config, struct heap **out)
{
    (void)config;
    *out = &books; /* its fault is set by the test */
    books.pool = pool;
    return 0;
}

static void *faulty_alloc(struct heap *h, size_t size, size_t align)
{
    const struct fault *f = h->fault;
    int n = (int)++h->blocks;
    char *p = h->pool + (n - 1) * PITCH;

    (void)size;
    (void)align;
    if (n == f->null_at)
        return NULL;
    if (n == f->same_at)
        return p - PITCH;
    if (n == f->inside_at)
        return p - PITCH + 64;
    if (n == f->skewed_at)
        return p + f->skew;
    if (n == f->dirty_at)
        p[99] = 1;
    return p;
}

static void *faulty_zalloc(struct heap *h, size_t size)
{
    return faulty_alloc(h, size, 0);
}

static void faulty_dealloc(struct heap *h, void *p, size_t size)
{
    (void)p;
    (void)size;
    if (h->fault->free_writes)
        h->pool[(h->fault->free_writes - 1) * PITCH + 3] ^= 1;
}

static void *faulty_resize(struct heap *h, void *p, size_t old_size,
                           size_t new_size)
{
    const struct fault *f = h->fault;
    size_t keep = old_size < new_size ? old_size : new_size;

    if (f->resize_null)
        return NULL;
    if (f->resize_reuses)
        return h->pool;
    char *q = f->resize_in_place_of_another ? h->pool + 2 * PITCH
                                            : h->pool + h->blocks++ * PITCH;
    return memcpy(q, p, f->resize_loses > keep ? 0 : keep - f->resize_loses);
}

static size_t faulty_usable(struct heap *h, const void *p, size_t size)
{
    (void)p;
    return (size_t)((long)size + h->fault->usable);
}

static const struct allocator faulty_allocator = {
    .name = "faulty",
    .open = faulty_open,
    .close = books_close,
    .alloc = faulty_alloc,
    .zalloc = faulty_zalloc,
    .dealloc = faulty_dealloc,
    .resize = faulty_resize,
    .usable = faulty_usable,
};

/* Records: 0 and 1 are an EV_SYNC; a mark of the peak stands behind the
 * aligned birth. */
static const struct op errand[] = {
    {.kind = OP_ALLOC, .object = 0, .size = 100},                 /* 2 */
    {.kind = OP_ALLOC, .object = 1, .size = 100},                 /* 3 */
    {.kind = OP_ZALLOC, .object = 2, .size = 100},                /* 4 */
    {.kind = OP_TOUCH, .object = 0, .size = 1},                   /* 5 */
    {.kind = OP_RESIZE, .object = 1, .size = 200},                /* 6 */
    {.kind = OP_ALLOC, .object = 3, .size = 64, .align_log2 = 6}, /* 9 */
    {.kind = OP_FREE, .object = 0},                               /* 12 */
    {.kind = OP_FREE, .object = 2},                               /* 13 */
    {.kind = OP_FREE, .object = 3},                               /* 14 */
};

static const struct fault faults[] = {
    {.name = "none"},
    {.name = "NULL",
     .says = "!nomem\tthread 0, record 4: NULL for 100 bytes\n",
     .null_at = 3},
    {.name = "the same address twice",
     .says = "!corrupt\tthread 0, record 3: overlap: ",
     .then = " for 100 bytes is a live block already\n",
     .same_at = 2},
    {.name = "one block inside of another",
     .says = "!corrupt\tthread 0, record 5: at touch: byte 64 of the 100-byte "
             "block at ",
     .then = " was overwritten\n",
     .inside_at = 2},
    {.name = "misaligned",
     .says = "!corrupt\tthread 0, record 3: misaligned: ",
     .then = " for 100 bytes (want a multiple of 16)\n",
     .skewed_at = 2,
     .skew = 8},
    {.name = "alignment ignored",
     .says = "!corrupt\tthread 0, record 9: misaligned: ",
     .then = " for 64 bytes (want a multiple of 64)\n",
     .skewed_at = 5,
     .skew = 32},
    {.name = "not zeroed",
     .says = "!corrupt\tthread 0, record 4: byte 99 of a zeroed 100-byte block "
             "is not 0\n",
     .dirty_at = 3},
    {.name = "usable too small",
     .says = "!corrupt\tthread 0, record 2: usable size 99 of a 100-byte "
             "block\n",
     .usable = -1},
    {.name = "usable reaches into the next block",
     .says = "!corrupt\tthread 0, record 4: byte 0 of a zeroed 100-byte block "
             "is not 0\n",
     .usable = PITCH},
    {.name = "resize returns NULL",
     .says = "!nomem\tthread 0, record 6: NULL for 200 bytes\n",
     .resize_null = 1},
    {.name = "resize loses all contents",
     .says = "!corrupt\tthread 0, record 6: after resize: byte 0 of the "
             "100-byte block at ",
     .then = " was overwritten\n",
     .resize_loses = SIZE_MAX},
    {.name = "resize loses the last byte",
     .says = "!corrupt\tthread 0, record 6: after resize: byte 99 of the "
             "100-byte block at ",
     .then = " was overwritten\n",
     .resize_loses = 1},
    {.name = "resize returns a block that is taken",
     .says = "!corrupt\tthread 0, record 6: overlap: ",
     .then = " for 200 bytes is a live block already\n",
     .resize_in_place_of_another = 1},
    {.name = "free writes into a neighbour",
     .says = "!corrupt\tthread 0, record 13: at free: byte 3 of the 100-byte "
             "block at ",
     .then = " was overwritten\n",
     .free_writes = 3},
    {.name = "free writes into a block that is left",
     .says = "!corrupt\tthread 0, record 0: at the end: byte 3 of the 200-byte "
             "block at ",
     .then = " was overwritten\n",
     .free_writes = 4},
};

static void check_said(const struct fault *f, const char *said)
{
    size_t n = f->says ? strlen(f->says) : 0;

    if (!f->says) {
        cr_expect_str_eq(said, "done\n", "%s", f->name);
        return;
    }
    cr_expect_eq(strncmp(said, f->says, n), 0, "%s: %s", f->name, said);
    if (f->then && strlen(said) > n) {
        const char *behind = said + n + strcspn(said + n, " ");

        cr_expect_str_eq(behind, f->then, "%s: %s", f->name, said);
    }
}

static void check_fault(const struct trace *trace, const struct fault *f,
                        const struct block_ops *ops)
{
    struct replay_case c = {
        .trace = trace, .allocator = &faulty_allocator, .ops = ops};
    char said[SAID];

    memset(&books, 0, sizeof books);
    books.fault = f;
    cr_expect_eq(run_forked(play_case_and_say, &c, said, sizeof said),
                 strcmp(f->name, "none") ? PLAYER_FAILED : 0, "%s", f->name);
    check_said(f, said);
}

Test(replay, check_names_every_fault_with_thread_and_record)
{
    struct ops_array source = ops_array(errand, sizeof errand / sizeof *errand);
    struct trace *trace = compiled(&source.source);

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        check_fault(trace, &faults[i], &check_ops);
    trace_unmap(trace);
}

Test(replay, every_replayer_reports_NULL)
{
    static const struct fault birth = {
        .name = "NULL",
        .says = "!nomem\tthread 0, record 4: NULL for 100 bytes\n",
        .null_at = 3};
    static const struct fault resize = {
        .name = "NULL at a resize",
        .says = "!nomem\tthread 0, record 6: NULL for a resize to 200 bytes\n",
        .resize_null = 1};
    struct ops_array source = ops_array(errand, sizeof errand / sizeof *errand);
    struct trace *trace = compiled(&source.source);

    check_fault(trace, &birth, NULL);
    check_fault(trace, &resize, NULL);
    check_fault(trace, &birth, &latency_ops);
    check_fault(trace, &resize, &latency_ops);
    trace_unmap(trace);
}

/* Expected: a block of a few bytes that came back with an older block's
 *           contents is found.
 * Buggy:    the first five bytes of the pattern were those of every block. */
Test(replay, the_pattern_of_small_blocks_differs_too)
{
    static const struct op ops[] = {
        {.kind = OP_ALLOC, .object = 0, .size = 2},
        {.kind = OP_FREE, .object = 0},
        {.kind = OP_ALLOC, .object = 1, .size = 2},
        {.kind = OP_RESIZE, .object = 1, .size = 4},
    };
    static const struct fault reuse = {
        .name = "resize returns a freed block",
        .says = "!corrupt\tthread 0, record 5: after resize: byte 0 of the "
                "2-byte block at ",
        .then = " was overwritten\n",
        .resize_reuses = 1};
    struct ops_array source = ops_array(ops, sizeof ops / sizeof *ops);
    struct trace *trace = compiled(&source.source);

    check_fault(trace, &reuse, &check_ops);
    trace_unmap(trace);
}

Test(replay, a_fault_in_another_thread_names_that_thread)
{
    static const struct op ops[] = {
        {.kind = OP_ALLOC, .object = 0, .size = 100},
        {.kind = OP_SPAWN, .object = 1},
        {.kind = OP_TOUCH, .thread = 1, .object = 0, .size = 1},
        {.kind = OP_ALLOC, .thread = 1, .object = 1, .size = 50},
    };
    static const struct fault second = {
        .name = "NULL in thread 1",
        .says = "!nomem\tthread 1, record 6: NULL for 50 bytes\n",
        .null_at = 2};
    static const struct fault handed_over = {
        .name = "usable reaches into the next block, of thread 1",
        .says = "!corrupt\tthread 0, record 0: at the end: byte 512 of the "
                "100-byte block at ",
        .then = " was overwritten\n",
        .usable = PITCH};
    struct ops_array source = ops_array(ops, sizeof ops / sizeof *ops);
    struct trace *trace = compiled(&source.source);

    check_fault(trace, &second, &check_ops);
    check_fault(trace, &second, NULL);
    check_fault(trace, &handed_over, &check_ops);
    trace_unmap(trace);
}

static pthread_t opener;

static int refuse_all(struct heap *h)
{
    (void)h;
    return EAGAIN;
}

static int refuse_workers(struct heap *h)
{
    (void)h;
    return pthread_equal(pthread_self(), opener) ? 0 : EAGAIN;
}

Test(replay, a_thread_that_cannot_enter_is_reported)
{
    static const struct op ops[] = {
        {.kind = OP_ALLOC, .object = 0, .size = 100},
        {.kind = OP_FREE, .thread = 1, .object = 0},
    };
    struct allocator closed = books_allocator;
    char said[SAID], want[64];
    struct ops_array source = ops_array(ops, 2);
    struct trace *trace = compiled(&source.source);
    struct replay_case c = {.trace = trace, .allocator = &closed};

    opener = pthread_self();
    closed.enter = refuse_workers;
    cr_assert_eq(run_forked(play_case_and_say, &c, said, sizeof said),
                 PLAYER_FAILED);
    cr_assert_str_eq(said,
                     "!error\tthread 1, record 0: thread cannot enter the "
                     "heap\n");
    trace_unmap(trace);
    source = ops_array(ops, 1);
    c.trace = trace = compiled(&source.source);
    closed.enter = refuse_all;
    cr_assert_eq(run_forked(play_case_and_say, &c, said, sizeof said), 0);
    snprintf(want, sizeof want, "replay_open (%d)\ndone\n", EAGAIN);
    cr_assert_str_eq(said, want);
    trace_unmap(trace);
}

/* ---- what is written ---- */

static size_t count_ones(const char *p, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += p[i] == 1;
    return n;
}

static const struct {
    const char *name;
    enum touch touch;
    size_t of_0, of_1, of_10000; /* bytes written */
} policies[] = {
    {"none", TOUCH_NONE, 0, 0, 0},   {"byte", TOUCH_BYTE, 0, 1, 1},
    {"page", TOUCH_PAGE, 0, 1, 4}, /* 0, 4096, 8192, 9999 */
    {"line", TOUCH_LINE, 0, 1, 158}, {"full", TOUCH_FULL, 0, 1, 10000},
};

Test(replay, policies_write_what_they_say)
{
    static char bytes[10001];

    for (size_t i = 0; i < TOUCH_KINDS; i++) {
        const size_t sizes[] = {0, 1, 10000};
        const size_t want[] = {policies[i].of_0, policies[i].of_1,
                               policies[i].of_10000};

        for (size_t k = 0; k < 3; k++) {
            memset(bytes, 0, sizeof bytes);
            touch_bytes(bytes, sizes[k], policies[i].touch);
            cr_assert_eq(count_ones(bytes, sizeof bytes), want[k], "%s %zu",
                         policies[i].name, sizes[k]);
            cr_assert_eq(count_ones(bytes, sizes[k]), want[k]);
        }
    }
}

Test(replay, policies_have_names)
{
    enum touch touch;

    for (size_t i = 0; i < TOUCH_KINDS; i++) {
        cr_assert_str_eq(touch_name(policies[i].touch), policies[i].name);
        cr_assert_eq(touch_parse(policies[i].name, &touch), 0);
        cr_assert_eq(touch, policies[i].touch);
    }
    cr_assert_eq(touch_parse("", &touch), EINVAL);
    cr_assert_eq(touch_parse("Full", &touch), EINVAL);
    cr_assert_eq(touch_parse("pages", &touch), EINVAL);
}

/* Birth of 100 bytes, growth to 200, a touch of 10. */
static void say_written(const struct replay_case *c, struct replay *r,
                        struct heap *h, int fd)
{
    (void)c;
    (void)r;
    dprintf(fd, "%zu %zu ", count_ones(h->pool, PITCH),
            count_ones(h->pool + PITCH, PITCH));
}

Test(replay, births_growth_and_touches_are_written)
{
    static const struct op ops[] = {
        {.kind = OP_ALLOC, .object = 0, .size = 100},
        {.kind = OP_RESIZE, .object = 0, .size = 200},
        {.kind = OP_RESIZE, .object = 0, .size = 10},
        {.kind = OP_TOUCH, .object = 0, .size = 10},
    };
    static const char *const said_by[TOUCH_KINDS] = {
        [TOUCH_NONE] = "0 0 done\n", /* the block, and what it grew into */
        [TOUCH_BYTE] = "1 2 done\n", [TOUCH_PAGE] = "2 4 done\n",
        [TOUCH_LINE] = "3 6 done\n", [TOUCH_FULL] = "100 200 done\n",
    };
    static const struct fault none = {.name = "none"};
    struct ops_array source = ops_array(ops, 2);
    struct trace *trace = compiled(&source.source);
    char said[SAID];

    for (unsigned i = 0; i < 2 * TOUCH_KINDS; i++) {
        enum touch touch = (enum touch)(i / 2);
        struct replay_case c = {.trace = trace,
                                .allocator = &faulty_allocator,
                                .touch = touch,
                                .ops = i % 2 ? &latency_ops : NULL,
                                .inspect = say_written};

        memset(&books, 0, sizeof books);
        books.fault = &none;
        cr_assert_eq(run_forked(play_case_and_say, &c, said, sizeof said), 0);
        cr_assert_str_eq(said, said_by[touch], "%s", touch_name(touch));
    }
    trace_unmap(trace);
}

/* ---- places ---- */

Test(replay, the_place_is_that_of_the_thread_furthest_behind)
{
    static struct shared_page shown;

    atomic_store(&shown.threads, 3);
    atomic_store(&shown.thread[0].place, 7);
    atomic_store(&shown.thread[1].place, UINT64_MAX);
    atomic_store(&shown.thread[2].place, 5);
    cr_assert_eq(shared_page_place(&shown, 100), 5);
    cr_assert_eq(shared_page_place(&shown, 4), 4);
    atomic_store(&shown.thread[0].place, UINT64_MAX);
    atomic_store(&shown.thread[2].place, UINT64_MAX);
    cr_assert_eq(shared_page_place(&shown, 100), 100);
}
