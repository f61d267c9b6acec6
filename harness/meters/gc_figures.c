/* gc_figures.c - the figures of meter gc, from what it kept.
 *
 * A figure that the collector gave no numbers for has no row.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collections.h"
#include "gc_log.h"
#include "metered.h"
#include "os_pages.h"
#include "percentiles.h"

enum { MS = 1000000, METERED_WINDOW_MS = 100 };

static const unsigned mmu_windows_ms[] = {1,  2,   5,   10,  20,
                                          50, 100, 200, 500, 1000};
enum { MMU_WINDOWS = sizeof mmu_windows_ms / sizeof *mmu_windows_ms };

static const char *const kind_names[] = {[COLLECTION_MINOR] = "minor",
                                         [COLLECTION_FULL] = "full",
                                         [COLLECTION_COMPACTING] =
                                             "compacting"};

size_t gc_log_collections(const struct gc_log *log)
{
    uint64_t n = atomic_load(&log->collections);

    return n < GC_COLLECTIONS_MAX ? (size_t)n : GC_COLLECTIONS_MAX;
}

size_t gc_log_requests(const struct gc_log *log)
{
    uint64_t n = atomic_load(&log->requests);

    return n < GC_REQUESTS_MAX ? (size_t)n : GC_REQUESTS_MAX;
}

/* UINT64_MAX: the collector cannot say. */
static uint64_t known_or_0(uint64_t x)
{
    return x == UINT64_MAX ? 0 : x;
}

static uint64_t pause_ns(const struct collection_event *e)
{
    return known_or_0(e->stop_ns) + known_or_0(e->mark_ns) +
           known_or_0(e->finish_ns);
}

/* ---- sums ---- */

/* A sum of a member over all collections; not known if one is not. */
struct sum {
    double value;
    uint64_t most;
    size_t n;
    int is_known;
};

static struct sum sum_of(const struct gc_log *log, size_t member)
{
    struct sum s = {.n = gc_log_collections(log), .is_known = 1};

    for (size_t i = 0; i < s.n; i++) {
        const char *event = (const char *)&log->collection[i];
        uint64_t x = *(const uint64_t *)(const void *)(event + member);

        s.is_known &= x != UINT64_MAX;
        s.value += (double)known_or_0(x);
        if (known_or_0(x) > s.most)
            s.most = x;
    }
    s.is_known &= s.n > 0;
    return s;
}

#define SUM(log, member) sum_of(log, offsetof(struct collection_event, member))

static double run_ns(const struct gc_log *log)
{
    return (double)(log->run.end - log->run.begin);
}

/* ---- pauses ---- */

static int is_of(const struct collection_event *e, int minor)
{
    return minor < 0 || (e->kind == COLLECTION_MINOR) == (minor != 0);
}

/* minor: 0 full (or compacting), 1 minor, -1 all. */
static void emit_pauses(const struct run_context *run, const struct gc_log *log,
                        int minor, const char *at, uint64_t scratch[])
{
    size_t n = 0, all = gc_log_collections(log);
    char metric[48];

    for (size_t i = 0; i < all; i++)
        if (is_of(&log->collection[i], minor))
            scratch[n++] = pause_ns(&log->collection[i]);
    if (!n)
        return;
    counts_sort(scratch, n);
    for (const struct percentile *p = percentiles; p->name; p++) {
        if (p->share > 0.99 || n * p->above < 100000)
            continue; /* not one pause would be above it */
        snprintf(metric, sizeof metric, "pause_%s", p->name);
        emit_value(run, metric, at, "ns",
                   (double)sorted_quantile(scratch, n, p->share));
    }
    emit_value(run, "pause_max", at, "ns", (double)scratch[n - 1]);
}

static double total_pause(const struct gc_log *log)
{
    double sum = 0;

    for (size_t i = 0; i < gc_log_collections(log); i++)
        sum += (double)pause_ns(&log->collection[i]);
    return sum;
}

static void emit_shares(const struct run_context *run, const struct gc_log *log)
{
    const struct {
        const char *metric;
        struct sum sum;
    } parts[] = {{"stop_share", SUM(log, stop_ns)},
                 {"mark_share", SUM(log, mark_ns)},
                 {"finish_share", SUM(log, finish_ns)}};
    double total = total_pause(log);

    for (size_t i = 0; i < 3; i++)
        if (parts[i].sum.is_known && total > 0)
            emit_value(run, parts[i].metric, "", "ratio",
                       parts[i].sum.value / total);
}

static void emit_mmu(const struct run_context *run, const struct gc_log *log,
                     struct time_span pause[])
{
    size_t n = gc_log_collections(log);
    char at[48];

    for (size_t i = 0; i < n; i++) {
        uint64_t begin = log->collection[i].start_ns;

        pause[i] =
            (struct time_span){begin, begin + pause_ns(&log->collection[i])};
    }
    n = pauses_tidy(pause, n, log->run);
    for (size_t i = 0; i < MMU_WINDOWS; i++) {
        double mmu =
            pauses_mmu(pause, n, log->run, (uint64_t)mmu_windows_ms[i] * MS);

        if (isnan(mmu))
            continue; /* longer than the run */
        snprintf(at, sizeof at, "window:%ums", mmu_windows_ms[i]);
        emit_value(run, "mmu", at, "ratio", mmu);
    }
}

/* ---- the heap ---- */

/* Of the bytes that collections found, live before or new, what survived. */
static void emit_survival(const struct run_context *run,
                          const struct gc_log *log)
{
    double before = 0, after = 0, live = 0;

    if (!SUM(log, live_bytes).is_known || !SUM(log, allocated_bytes).is_known)
        return;
    for (size_t i = 0; i < gc_log_collections(log); i++) {
        const struct collection_event *e = &log->collection[i];

        before += live + (double)e->allocated_bytes;
        live = (double)e->live_bytes;
        after += live;
    }
    if (before > 0)
        emit_value(run, "survival", "", "ratio", after / before);
}

static void emit_heap(const struct run_context *run, const struct gc_log *log)
{
    struct sum live = SUM(log, live_bytes), heap = SUM(log, heap_bytes);
    struct sum marked = SUM(log, marked_objects), mark = SUM(log, mark_ns);

    if (heap.is_known)
        emit_value(run, "heap_max", "", "bytes", (double)heap.most);
    if (live.is_known)
        emit_value(run, "live_after_mean", "", "bytes",
                   live.value / (double)live.n);
    if (marked.is_known && mark.is_known && marked.value > 0)
        emit_value(run, "mark_per_object", "", "ns", mark.value / marked.value);
    emit_survival(run, log);
}

/* What the workload asked for. */
static void emit_asked(const struct run_context *run, const struct gc_log *log)
{
    double allocs = run->replay ? (double)replay_allocs(run->replay) : 0;

    if (allocs == 0)
        return;
    double bytes = (double)replay_bytes(run->replay);

    emit_value(run, "alloc_rate", "", "bytes_per_s", bytes / run_ns(log) * 1e9);
    emit_value(run, "mean_size", "", "bytes", bytes / allocs);
}

void gc_emit_collections(const struct run_context *run,
                         const struct gc_log *log)
{
    size_t n = gc_log_collections(log), minor = 0;
    size_t bytes = (n + 1) * sizeof(struct time_span);
    void *scratch = os_pages_map(NULL, bytes);
    double total = total_pause(log);

    for (size_t i = 0; i < n; i++)
        minor += log->collection[i].kind == COLLECTION_MINOR;
    emit_value(run, "collections", "", "1",
               (double)atomic_load(&log->collections));
    emit_value(run, "minor_collections", "", "1", (double)minor);
    emit_value(run, "collection_rate", "", "per_s",
               (double)n / run_ns(log) * 1e9);
    emit_value(run, "gc_pause", "", "ns", total);
    emit_value(run, "gc_share", "", "ratio", total / run_ns(log));
    emit_shares(run, log);
    emit_heap(run, log);
    emit_asked(run, log);
    if (!scratch)
        return;
    emit_pauses(run, log, -1, "", scratch);
    if (minor) {
        emit_pauses(run, log, 0, "kind:full", scratch);
        emit_pauses(run, log, 1, "kind:minor", scratch);
    }
    emit_mmu(run, log, scratch);
    os_pages_unmap(NULL, scratch, bytes);
}

/* ---- requests ---- */

static void emit_latency(const struct run_context *run, const char *what,
                         uint64_t latency[], size_t n)
{
    char metric[48];

    counts_sort(latency, n);
    for (const struct percentile *p = percentiles; p->name; p++) {
        if (!percentile_is_backed(p, n))
            continue;
        snprintf(metric, sizeof metric, "%s_%s", what, p->name);
        emit_value(run, metric, "", "ns",
                   (double)sorted_quantile(latency, n, p->share));
    }
    snprintf(metric, sizeof metric, "%s_max", what);
    emit_value(run, metric, "", "ns", (double)latency[n - 1]);
}

void gc_emit_requests(const struct run_context *run, struct gc_log *log)
{
    size_t n = gc_log_requests(log), bytes = n * sizeof(uint64_t);
    uint64_t *latency = n ? os_pages_map(NULL, bytes) : NULL;

    if (!latency)
        return;
    requests_sort(log->request, n);
    emit_value(run, "requests", "", "1", (double)atomic_load(&log->requests));
    latency_simple(log->request, n, latency);
    emit_latency(run, "request", latency, n);
    latency_metered(log->request, n, (uint64_t)METERED_WINDOW_MS * MS, latency);
    emit_latency(run, "request_metered_100ms", latency, n);
    latency_metered(log->request, n, UINT64_MAX, latency);
    emit_latency(run, "request_metered_full", latency, n);
    os_pages_unmap(NULL, latency, bytes);
}

/* ---- log=FILE ---- */

static double known_or_nan(uint64_t x)
{
    return x == UINT64_MAX ? (double)NAN : (double)x;
}

static struct collection_row row_of(const struct run_context *run,
                                    const struct gc_log *log,
                                    const struct collection_event *e)
{
    struct collection_row row = {
        .number = e->number,
        .begin = fmax((double)e->start_ns - (double)log->run.begin, 0),
        .stop = known_or_nan(e->stop_ns),
        .mark = known_or_nan(e->mark_ns),
        .finish = known_or_nan(e->finish_ns),
        .marked_objects = known_or_nan(e->marked_objects),
        .marked_bytes = known_or_nan(e->marked_bytes),
        .live = known_or_nan(e->live_bytes),
        .allocated = known_or_nan(e->allocated_bytes),
        .heap = known_or_nan(e->heap_bytes),
        .freed = known_or_nan(e->freed_bytes),
        .moved = known_or_nan(e->moved_bytes),
        .threads = e->threads,
        .markers = e->markers,
    };

    snprintf(row.allocator, sizeof row.allocator, "%s", run->allocator->name);
    snprintf(row.kind, sizeof row.kind, "%s", kind_names[e->kind]);
    snprintf(row.reason, sizeof row.reason, "%s", e->reason ? e->reason : "");
    return row;
}

int gc_log_write(const struct run_context *run, const struct gc_log *log)
{
    FILE *f = fdopen(log->fd, "w");
    int err = f ? collections_write_header(f) : errno;

    for (size_t i = 0; i < gc_log_collections(log) && !err; i++) {
        struct collection_row row = row_of(run, log, &log->collection[i]);

        err = collections_write(f, &row);
    }
    if (f && fclose(f) && !err)
        err = errno;
    return err;
}
