/* test_native_play.c - a native workload is called as workload.h says, and
 * each of its failures is a status.
 *
 * Replays run in child processes, because player_fail ends its process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "forked.h"
#include "native.h"
#include "native_request.h"
#include "replay.h"
#include "scratch.h"
#include "trace.h"

enum { SAID = 4096, THREADS = 3 };

/* What the workload below did, in one child process. */
static struct {
    _Atomic unsigned entered, left, prepared, ran, finished, faults;
    _Atomic unsigned begun, ended; /* requests */
    _Atomic unsigned use_begun, use_ended;
    _Atomic int started, stopped;
    uint64_t seed[THREADS];
    uint64_t cpu_ns; /* replay_cpu_ns */
} seen;

static struct shared_page page;

static int seen_prepare(struct native *n, void **shared)
{
    seen.faults += n->thread != 0 || seen.started || seen.entered < 1;
    seen.prepared++;
    *shared = native_alloc(n, 64);
    return *shared ? 0 : ENOMEM;
}

static int seen_run(struct native *n)
{
    seen.faults += seen.prepared != 1 || !n->shared || !seen.started ||
                   seen.finished || n->threads != THREADS;
    seen.seed[n->thread] = n->seed;
    native_begin(n);
    void *p = native_leaf(n, 100);
    native_drop(n, p, 100);
    native_end(n);
    native_use_begin(n);
    seen.faults += n->uses != 0;
    native_use_end(n, 10);
    seen.ran++;
    return p ? 0 : ENOMEM;
}

static void seen_finish(struct native *n)
{
    seen.faults += n->thread != 0 || seen.ran != THREADS;
    seen.finished++;
    native_drop(n, n->shared, 64);
}

static const struct workload seen_workload = {
    .name = "seen",
    .prepare = seen_prepare,
    .run = seen_run,
    .finish = seen_finish,
};

/* ---- slab, noting who enters and leaves ---- */

static int noted_enter(struct heap *heap)
{
    const struct allocator *a = allocator_find("slab");

    seen.entered++;
    return a->enter ? a->enter(heap) : 0;
}

static void noted_leave(struct heap *heap)
{
    const struct allocator *a = allocator_find("slab");

    seen.left++;
    if (a->leave)
        a->leave(heap);
}

static void note_start(void *meter)
{
    (void)meter;
    seen.started = 1;
}

static void note_stop(void *meter)
{
    (void)meter;
    seen.faults += seen.ran != THREADS;
    seen.stopped = 1;
}

static void note_begin(void *meter, unsigned thread)
{
    seen.faults += meter != &seen || thread >= THREADS;
    seen.begun++;
}

static void note_end(void *meter, unsigned thread)
{
    seen.faults += meter != &seen || thread >= THREADS;
    seen.ended++;
}

static void note_use_begin(void *meter, unsigned thread)
{
    seen.faults += meter != &seen || thread >= THREADS;
    seen.use_begun++;
}

static void note_use_end(void *meter, unsigned thread)
{
    seen.faults += meter != &seen || thread >= THREADS;
    seen.use_ended++;
}

struct native_case {
    const struct workload *workload;
    unsigned threads;
    int workers_only;
};

static void play_on(const struct native_case *c, const struct allocator *a,
                    struct heap *heap, int fd)
{
    static const struct event end[1 + TRACE_READ_AHEAD] = {{EV_END, 0}};
    const struct native_request request = {
        .workload = c->workload, .threads = c->threads, .seed = 5, .scale = 1};
    const struct trace_thread thread[THREADS] = {
        {.events = end, .records = 1},
        {.events = end, .records = 1},
        {.events = end, .records = 1},
    };
    const struct trace trace = {.threads = c->threads,
                                .thread = thread,
                                .curve_step = 1,
                                .native = &request};
    const struct replay_config config = {.allocator = a,
                                         .heap = heap,
                                         .trace = &trace,
                                         .page = &page,
                                         .workers_only = c->workers_only,
                                         .request_begin = note_begin,
                                         .request_end = note_end,
                                         .use_begin = note_use_begin,
                                         .use_end = note_use_end,
                                         .meter = &seen,
                                         .result_fd = fd};
    struct replay *replay;

    if (replay_open(&config, &replay)) {
        dprintf(fd, "replay_open\n");
        return;
    }
    replay_run(replay, note_start, note_stop);
    dprintf(fd, "ops %llu, uses %llu\n", (unsigned long long)replay_ops(replay),
            (unsigned long long)replay_uses(replay));
    seen.cpu_ns = replay_cpu_ns(replay);
    replay_close(replay);
}

static void play(void *arg, int fd)
{
    const struct native_case *c = arg;
    const struct heap_config config = {.threads = c->threads};
    struct allocator a = *allocator_find("slab");
    struct heap *heap;

    a.enter = noted_enter;
    a.leave = noted_leave;
    if (a.open(&config, &heap)) {
        dprintf(fd, "open\n");
        return;
    }
    play_on(c, &a, heap, fd);
    a.close(heap);
}

static void play_seen(void *arg, int fd)
{
    play(arg, fd);
    dprintf(fd, "faults %u, entered %u, left %u, finished %u, %u..%u, %u..%u\n",
            seen.faults, seen.entered, seen.left, seen.finished, seen.begun,
            seen.ended, seen.use_begun, seen.use_ended);
    if (!seen.stopped || seen.seed[0] == seen.seed[1] ||
        seen.seed[1] == seen.seed[2] || seen.seed[0] == seen.seed[2])
        dprintf(fd, "not stopped, or a seed twice\n");
}

Test(native_play, hooks_are_called_in_their_order)
{
    char said[SAID];

    for (int workers_only = 0; workers_only < 2; workers_only++) {
        struct native_case c = {&seen_workload, THREADS, workers_only};

        cr_expect_eq(run_forked(play_seen, &c, said, sizeof said), 0);
        cr_expect_str_eq(said,
                         "ops 4, uses 30\nfaults 0, entered 3, left 3, "
                         "finished 1, 3..3, 3..3\n",
                         "%s", said);
    }
}

/* ---- threads that the workload starts ---- */

enum { CHILDREN = 5, CHILD_BYTES = 1000, CHILD_NS = 100000 /* at least */ };

static int child_run(struct native *n)
{
    volatile unsigned *work = n->shared;
    void *p = native_leaf(n, CHILD_BYTES);

    for (unsigned i = 0; i < 2000000; i++) /* some CPU time */
        *work += i;
    native_drop(n, p, CHILD_BYTES);
    return n->thread == 1 ? EDOM : 0;
}

static int parent_run(struct native *n)
{
    unsigned work[CHILDREN] = {0};
    struct native_thread child[CHILDREN];
    int err = 0;

    for (unsigned i = 0; i < CHILDREN; i++) {
        native_thread_init(&child[i], n, child_run);
        child[i].native.shared = &work[i];
        if (native_thread_start(&child[i]))
            return EINVAL;
    }
    for (unsigned i = 0; i < CHILDREN; i++) {
        int its = native_thread_await(&child[i], n);

        err = err ? err : its;
    }
    seen.faults += n->allocs != CHILDREN || n->bytes != CHILDREN * CHILD_BYTES;
    seen.faults += n->cpu_ns < CHILDREN * CHILD_NS;
    seen.ran++;
    return n->thread == 1 && err == EDOM ? 0 : err;
}

static const struct workload parent_workload = {.name = "parent",
                                                .run = parent_run};

static void play_parent(void *arg, int fd)
{
    play(arg, fd);
    seen.faults += seen.cpu_ns < THREADS * CHILDREN * CHILD_NS;
    dprintf(fd, "faults %u, entered %u, left %u\n", seen.faults, seen.entered,
            seen.left);
}

Test(native_play, threads_of_the_workload_enter_and_are_counted)
{
    struct native_case c = {&parent_workload, THREADS, 0};
    char said[SAID];

    cr_expect_eq(run_forked(play_parent, &c, said, sizeof said), 0);
    cr_expect_str_eq(said, "ops 15, uses 0\nfaults 0, entered 18, left 18\n",
                     "%s", said);
}

/* ---- failures ---- */

static int run_nomem(struct native *n)
{
    (void)native_leaf(n, 1);
    return ENOMEM;
}

static int run_wrong(struct native *n)
{
    return n->thread == 0 ? 0 : EBADMSG;
}

static int run_lacking(struct native *n)
{
    return n->memory.ephemeron ? 0 : ENOTSUP;
}

static int run_odd(struct native *n)
{
    (void)n;
    return EDOM;
}

static int prepare_nomem(struct native *n, void **shared)
{
    (void)n;
    (void)shared;
    return ENOMEM;
}

static const struct {
    struct workload workload;
    unsigned threads;
    const char *said;
} failures[] = {
    {{.run = run_nomem}, 1, "!nomem\tthread 0: NULL, after 1 allocations\n"},
    {{.run = run_wrong},
     2,
     "!corrupt\tthread 1: the workload's own result is wrong\n"},
    {{.run = run_lacking},
     1,
     "!skip\tthread 0: slab has not got what the workload is about\n"},
    {{.run = run_odd},
     1,
     "!error\tthread 0: Numerical argument out of domain\n"},
    {{.run = run_odd, .prepare = prepare_nomem},
     1,
     "!nomem\tthread 0: NULL, after 0 allocations\n"},
};

Test(native_play, each_failure_is_a_status)
{
    char said[SAID];

    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct native_case c = {&failures[i].workload, failures[i].threads, 0};

        cr_expect_eq(run_forked(play, &c, said, sizeof said), PLAYER_FAILED,
                     "%zu", i);
        cr_expect_str_eq(said, failures[i].said, "%s", said);
    }
}

/* ---- the file ---- */

static const struct {
    const char *text;
    unsigned threads;
    double scale;
    const char *why; /* NULL: it is taken */
} requests[] = {
    {"binary-trees", 1, 1, NULL},
    {"binary-trees:depth=9", 7, 0.5, NULL},
    {"binary-trees:depth=99", 1, 1, "depth"},
    {"binary-trees", 0, 1, "threads or a scale out of range"},
    {"binary-trees", 9999, 1, "threads or a scale out of range"},
    {"binary-trees", 1, -1, "threads or a scale out of range"},
    {"churn", 1, 1, "names no native workload"},
    {"no-such", 1, 1, "names no native workload"},
    {"", 1, 1, "names no native workload"},
};

Test(native_play, a_request_that_was_written_is_mapped_or_refused)
{
    struct scratch scratch;
    char path[600], why[512] = "";

    scratch_open(&scratch);
    scratch_path(&scratch, "r", path, sizeof path);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct trace *trace = NULL;

        cr_assert_eq(native_request_write(requests[i].text, requests[i].threads,
                                          3, requests[i].scale, path, why,
                                          sizeof why),
                     0);
        int err = trace_map(path, &trace, why, sizeof why);

        cr_expect_eq(err, requests[i].why ? EBADMSG : 0, "%s", why);
        if (err) {
            cr_expect(strstr(why, requests[i].why) != NULL, "%s", why);
            continue;
        }
        cr_expect_eq(trace->threads, requests[i].threads);
        cr_expect_eq(trace->native->scale, requests[i].scale);
        cr_expect_eq(trace->native->seed, 3);
        cr_expect_eq(trace->hash >> TRACE_HASH_BITS, 0);
        trace_unmap(trace);
    }
    cr_expect_eq(native_request_write("binary-trees", 1, 1, 1, "/no/such/file",
                                      why, sizeof why),
                 ENOENT);
    scratch_close(&scratch);
}
