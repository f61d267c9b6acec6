/* meter_heap.c - the child's side of `heapyard heap`: looks, and writes down.
 *
 * The trace that it plays ends at the moment to look at, so what the trace
 * leaves is what is live, with the size that was asked for; the replayer knows
 * where each block is.  Pages that were in memory before the replay are not
 * the heap's.
 *
 * Invariant: nothing here asks for memory between start and the end: what it
 *            needs is in its state, which was touched before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "heap_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "heap_walk.h"
#include "malloc_classes.h"
#include "resident.h"
#include "rss.h"

enum { RUNS_MAX = 1 << 16, FACTS_BUFFERED = 1024 };

struct heap_state {
    const struct run_context *run;
    uint64_t rss_before;              /* bytes */
    struct page_run before[RUNS_MAX]; /* [nbefore] */
    size_t nbefore, from;
    int fd, err;
    size_t buffered;
    struct heap_fact fact[FACTS_BUFFERED];
};

/* ---- the file ---- */

static void flush_facts(struct heap_state *s)
{
    const char *at = (const char *)s->fact;
    size_t left = s->buffered * sizeof *s->fact;

    while (left && !s->err) {
        const ssize_t n = write(s->fd, at, left);

        if (n < 0 && errno != EINTR)
            s->err = errno;
        at += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    s->buffered = 0;
}

static void put(struct heap_state *s, const struct heap_fact *fact)
{
    s->fact[s->buffered++] = *fact;
    if (s->buffered == FACTS_BUFFERED)
        flush_facts(s);
}

static void put_total(struct heap_state *s, enum fact_total what,
                      uint64_t value)
{
    put(s, &(struct heap_fact){
               .kind = FACT_TOTAL, .detail = what, .bytes = value});
}

/* ---- pages ---- */

static void keep_run(void *arg, struct page_run run)
{
    struct heap_state *s = arg;

    if (s->nbefore == RUNS_MAX)
        s->err = E2BIG;
    else
        s->before[s->nbefore++] = run;
}

static void put_run(void *arg, struct page_run run)
{
    put(arg, &(struct heap_fact){.kind = FACT_RESIDENT,
                                 .start = run.start,
                                 .bytes = run.end - run.start});
}

static void put_new_pages(void *arg, struct page_run run)
{
    struct heap_state *s = arg;

    resident_subtract(run, s->before, s->nbefore, &s->from, put_run, s);
}

/* ---- blocks and spans ---- */

static void put_live(struct heap_state *s)
{
    const struct run_context *run = s->run;
    const struct allocator *a = run->allocator;

    for (uint64_t i = 0; i < run->trace->totals.left_blocks; i++) {
        const void *p = replay_left(run->replay, i);
        const size_t size = run->trace->left[i].size;

        put(s, &(struct heap_fact){
                   .kind = FACT_LIVE,
                   .start = (uintptr_t)p,
                   .bytes = size,
                   .more = a->usable ? a->usable(run->heap, p, size) : size});
    }
}

static void put_span(void *arg, const struct heap_span *span)
{
    put(arg, &(struct heap_fact){.kind = FACT_SPAN,
                                 .detail = span->kind,
                                 .start = (uintptr_t)span->start,
                                 .bytes = span->bytes,
                                 .more = span->block_bytes});
}

static void put_block(void *arg, const struct heap_block *block)
{
    put(arg, &(struct heap_fact){.kind = FACT_BLOCK,
                                 .detail = block->state,
                                 .start = (uintptr_t)block->start,
                                 .bytes = block->bytes});
}

static void put_class(void *arg, const struct malloc_class *c)
{
    put(arg, &(struct heap_fact){.kind = FACT_CLASS,
                                 .detail = (uint32_t)c->spans,
                                 .start = c->in_use,
                                 .bytes = c->block_bytes,
                                 .more = c->free});
}

static void put_report(struct heap_state *s)
{
    const struct allocator *a = s->run->allocator;
    struct heap_report report;

    if (!a->inspect || a->inspect(s->run->heap, &report))
        return;
    if (report.mapped_bytes != SIZE_MAX)
        put_total(s, TOTAL_MAPPED, report.mapped_bytes);
    if (report.live_bytes != SIZE_MAX)
        put_total(s, TOTAL_LIVE_BYTES, report.live_bytes);
    if (report.live_blocks != SIZE_MAX)
        put_total(s, TOTAL_LIVE_BLOCKS, report.live_blocks);
}

/* A malloc library shows a thread what is the thread's own. */
static void put_structure(struct heap_state *s, unsigned thread)
{
    const struct allocator *a = s->run->allocator;
    const struct heap_visitor visitor = {s, put_span, put_block};
    int err = ENOTSUP;

    if (a->traits & TRAIT_PRELOADABLE)
        err = malloc_walk_thread(&visitor);
    else if (thread)
        return;
    else if (a->walk)
        err = a->walk(s->run->heap, &visitor);
    if (thread == 0)
        put_total(s, TOTAL_WALK, (uint64_t)err);
    if (thread == 0 && a->traits & TRAIT_PRELOADABLE)
        malloc_classes_read(put_class, s);
}

/* ---- the meter ---- */

static void heap_start(void *arg)
{
    const struct run_context *run = arg;
    struct heap_state *s = run->meter_state;

    s->run = run;
    s->fd = open(run->facts, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (s->fd < 0)
        s->err = errno;
    if (!s->err)
        rss_held(0, &s->rss_before);
    int err = resident_visit(keep_run, s);
    if (!s->err)
        s->err = err;
}

static void heap_stop(void *arg)
{
    (void)arg; /* all was seen at rest */
}

/* The order matters: pages first, before anyone touches them by looking; the
 * library's own account last, because for it some flush a cache. */
static void heap_at_rest(void *arg, unsigned thread)
{
    const struct run_context *run = arg;
    struct heap_state *s = run->meter_state;
    uint64_t rss;

    if (s->err)
        return;
    if (thread == 0) {
        s->err = rss_held(0, &rss);
        put_total(s, TOTAL_RSS, rss > s->rss_before ? rss - s->rss_before : 0);
        const int err = resident_visit(put_new_pages, s);
        if (!s->err)
            s->err = err;
        put_live(s);
    }
    put_structure(s, thread);
    if (thread == 0)
        put_report(s);
}

static void heap_report(struct run_context *run)
{
    struct heap_state *s = run->meter_state;

    flush_facts(s);
    if (close(s->fd) && !s->err)
        s->err = errno;
    if (!s->err)
        return;
    dprintf(run->result_fd, "!%s\t%s: %s\n", status_name(STATUS_ERROR),
            run->facts, strerror(s->err));
    _exit(PLAYER_FAILED);
}

const struct meter meter_heap = {
    .name = "heap",
    .summary = "the structure of the heap at the end of the trace",
    .state_bytes = sizeof(struct heap_state),
    .start = heap_start,
    .stop = heap_stop,
    .at_rest = heap_at_rest,
    .report = heap_report,
};
