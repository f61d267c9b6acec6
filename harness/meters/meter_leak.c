/* meter_leak.c - what the allocator still holds that the trace did not leave.
 *
 * The trace says which blocks it leaves.  After the replay those are freed by
 * the harness, and what the allocator then still counts as handed out, beyond
 * what it counted before the replay, has leaked.  All threads of the trace
 * are worker threads here and have ended by then, so that what they cached
 * went back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <pthread.h>

#include "collection.h"
#include "meter.h"

struct leak_state {
    struct heap_report before;
    int error; /* of inspect: ENOTSUP where the allocator cannot say */
};

static int look(const struct run_context *run, struct heap_report *report)
{
    if (!run->allocator->inspect)
        return ENOTSUP;
    return run->allocator->inspect(run->heap, report);
}

static void leak_start(void *arg)
{
    struct run_context *run = arg;
    struct leak_state *s = run->meter_state;

    s->error = look(run, &s->before);
}

static void leak_stop(void *arg)
{
    (void)arg; /* looked at in report, when all threads have ended */
}

static void *free_all_left(void *arg)
{
    struct run_context *run = arg;
    const struct trace *t = run->trace;

    if (run->allocator->enter && run->allocator->enter(run->heap))
        return NULL;
    for (uint64_t i = 0; i < t->totals.left_blocks; i++)
        run->allocator->dealloc(run->heap, replay_left(run->replay, i),
                                t->left[i].size);
    if (run->allocator->collection)
        run->allocator->collection->collect(run->heap, COLLECTION_FULL);
    if (run->allocator->leave)
        run->allocator->leave(run->heap);
    return NULL;
}

/* In a thread that ends, so that its cache goes back too.  The thread takes
 * the stack, and with it what malloc gave for it, of one that has ended.
 * Returns 0 or an errno. */
static int free_left(struct run_context *run)
{
    pthread_attr_t attr;
    pthread_t thread;
    int err = pthread_attr_init(&attr);

    if (err)
        return err;
    err = pthread_attr_setstacksize(&attr, REPLAY_STACK);
    if (!err)
        err = pthread_create(&thread, &attr, free_all_left, run);
    if (!err)
        err = pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    return err;
}

static double beyond(size_t after, size_t before)
{
    return after > before ? (double)(after - before) : 0;
}

static void leak_report(struct run_context *run)
{
    const struct leak_state *s = run->meter_state;
    const struct trace_totals *t = &run->trace->totals;
    struct heap_report after = {0};

    emit_value(run, "left_blocks", "", "1", (double)t->left_blocks);
    emit_value(run, "left_bytes", "", "bytes", (double)t->left_bytes);
    if (free_left(run) || s->error || look(run, &after)) {
        emit_note(run, "%s cannot say how much it has handed out",
                  run->allocator->name);
        return;
    }
    if (after.live_bytes != SIZE_MAX)
        emit_value(run, "leaked_bytes", "", "bytes",
                   beyond(after.live_bytes, s->before.live_bytes));
    if (after.live_blocks != SIZE_MAX)
        emit_value(run, "leaked_blocks", "", "1",
                   beyond(after.live_blocks, s->before.live_blocks));
}

const struct meter meter_leak = {
    .name = "leak",
    .summary = "blocks and bytes held beyond what the trace leaves",
    .state_bytes = sizeof(struct leak_state),
    .workers_only = 1,
    .start = leak_start,
    .stop = leak_stop,
    .report = leak_report,
};
