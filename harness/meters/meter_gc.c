/* meter_gc.c - what collecting costs a program, and when.
 *
 * The collector tells a listener of every collection; the figures are made
 * from that when the run is over.  Requests are timed where a native workload
 * says that one begins and ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gc_log.h"
#include "ticks.h"

static const char option[] = "log=";

static int gc_check_options(const char *options, char *why, size_t why_size)
{
    size_t n = sizeof option - 1;

    if (!strncmp(options, option, n) && options[n])
        return 0;
    snprintf(why, why_size, "meter gc: option \"%.60s\" (want log=FILE)",
             options);
    return EINVAL;
}

static const char *gc_open(void *arg)
{
    const struct run_context *run = arg;
    struct gc_log *log = run->meter_state;

    log->fd = -1;
    if (!run->allocator->collection)
        return "this allocator does not collect: its memory is freed";
    if (!run->options[0])
        return NULL;
    log->fd = open(run->options + sizeof option - 1,
                   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (log->fd >= 0)
        return NULL;
    snprintf(log->why, sizeof log->why, "%.120s: %s", run->options,
             strerror(errno));
    return log->why;
}

static uint64_t process_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The listener: from the thread that collected. */
static void keep_collection(const struct collection_event *event, void *arg)
{
    struct gc_log *log = arg;
    uint64_t i = atomic_fetch_add(&log->collections, 1);

    if (i < GC_COLLECTIONS_MAX)
        log->collection[i] = *event;
}

static void gc_start(void *arg)
{
    const struct run_context *run = arg;
    struct gc_log *log = run->meter_state;

    run->allocator->collection->listen(run->heap, keep_collection, log);
    log->cpu_begin = process_cpu_ns();
    log->run.begin = clock_wall_ns();
}

static void gc_stop(void *arg)
{
    const struct run_context *run = arg;
    struct gc_log *log = run->meter_state;

    log->run.end = clock_wall_ns();
    log->cpu_end = process_cpu_ns();
    run->allocator->collection->listen(run->heap, NULL, NULL);
}

static void gc_request_begin(void *arg, unsigned thread)
{
    const struct run_context *run = arg;
    struct gc_log *log = run->meter_state;

    log->thread[thread].begin = clock_wall_ns();
}

static void gc_request_end(void *arg, unsigned thread)
{
    const struct run_context *run = arg;
    struct gc_log *log = run->meter_state;
    uint64_t end = clock_wall_ns();
    uint64_t i =
        atomic_fetch_add_explicit(&log->requests, 1, memory_order_relaxed);

    if (i < GC_REQUESTS_MAX)
        log->request[i] = (struct time_span){log->thread[thread].begin, end};
}

static void note_lost(const struct run_context *run, const struct gc_log *log)
{
    uint64_t collections = atomic_load(&log->collections);
    uint64_t requests = atomic_load(&log->requests);

    if (collections > GC_COLLECTIONS_MAX)
        emit_note(run, "only the first %d of %llu collections were kept",
                  GC_COLLECTIONS_MAX, (unsigned long long)collections);
    if (requests > GC_REQUESTS_MAX)
        emit_note(run, "only the first %d of %llu requests were kept",
                  GC_REQUESTS_MAX, (unsigned long long)requests);
}

static void gc_report(struct run_context *run)
{
    struct gc_log *log = run->meter_state;

    emit_value(run, "wall", "", "ns", (double)(log->run.end - log->run.begin));
    emit_value(run, "process_cpu", "", "ns",
               (double)(log->cpu_end - log->cpu_begin));
    gc_emit_collections(run, log);
    gc_emit_requests(run, log);
    note_lost(run, log);
    int err = log->fd < 0 ? 0 : gc_log_write(run, log);

    if (err)
        emit_note(run, "%s: %s", run->options, strerror(err));
}

const struct meter meter_gc = {
    .name = "gc",
    .summary = "collections, pauses, what they leave of the time; requests",
    .state_bytes = sizeof(struct gc_log),
    .check_options = gc_check_options,
    .options_help =
        "    log=FILE   write every collection as a row of collections.csv\n",
    .open = gc_open,
    .start = gc_start,
    .stop = gc_stop,
    .request_begin = gc_request_begin,
    .request_end = gc_request_end,
    .report = gc_report,
};
