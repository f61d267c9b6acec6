/* ops_random.c - random, well-formed streams of operations.
 *
 * Invariant: an operation is by a thread that runs and on an object that
 * lives; a thread is joined by another one that runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ops_random.h"

#include <errno.h>
#include <stdlib.h>

#include "random.h"

enum { LIVE_MAX = 1 << 16, MARKS = 60 };

struct being {
    uint64_t object, size;
    unsigned user;
};

struct world {
    const struct ops_random *figures;
    struct op_feed feed;
    struct random random;
    struct being *live; /* [n] */
    size_t n;
    char runs[OP_MAX_THREADS], ran[OP_MAX_THREADS];
    unsigned running, marks;
    uint64_t time_ns;
};

static uint64_t below(struct world *w, uint64_t n)
{
    return random_below(&w->random, n);
}

static int percent(struct world *w, unsigned chance)
{
    return below(w, 100) < chance;
}

static unsigned some_thread(struct world *w)
{
    unsigned t;

    do
        t = (unsigned)below(w, w->figures->threads);
    while (!w->runs[t]);
    return t;
}

/* Mostly one that this thread used last, so that both kinds are common. */
static struct being *some_being(struct world *w, unsigned thread)
{
    struct being *b = &w->live[below(w, w->n)];

    for (int i = 0; i < 8 && b->user != thread && percent(w, 85); i++)
        b = &w->live[below(w, w->n)];
    return b;
}

static uint64_t some_size(struct world *w, uint64_t least)
{
    const struct ops_random *f = w->figures;
    unsigned kind = (unsigned)below(w, 100);

    if (f->wide && kind < 4)
        return (UINT64_C(1) << 32) - 2 + below(w, kind == 3 ? 1 << 30 : 4);
    if (kind < 10)
        return least;
    if (kind < 60)
        return least + below(w, f->max_size < 64 ? f->max_size : 64);
    return least + below(w, f->max_size);
}

static void birth(struct world *w, unsigned thread)
{
    struct being b = {.size = some_size(w, 0), .user = thread};
    unsigned kind = (unsigned)below(w, 10);

    if (kind == 0)
        b.object = feed_zalloc(&w->feed, thread, b.size);
    else if (kind == 1)
        b.object = feed_aligned(
            &w->feed, thread, b.size,
            UINT64_C(1) << below(w, w->figures->max_align_log2 + 1));
    else
        b.object = feed_alloc(&w->feed, thread, b.size);
    w->live[w->n++] = b;
}

static void death(struct world *w, unsigned thread)
{
    struct being *b = some_being(w, thread);

    feed_free(&w->feed, thread, b->object);
    *b = w->live[--w->n];
}

static void use(struct world *w, unsigned thread)
{
    struct being *b = some_being(w, thread);

    b->user = thread;
    if (percent(w, 40)) {
        b->size = some_size(w, 1);
        feed_resize(&w->feed, thread, b->object, b->size);
    } else {
        feed_touch(&w->feed, thread, b->object, below(w, b->size + 1));
    }
}

static void spawn(struct world *w, unsigned thread)
{
    unsigned child = (unsigned)below(w, w->figures->threads);
    int may_run_again = w->figures->seed % 3 != 0;

    if (w->runs[child] || (w->ran[child] && !may_run_again))
        return;
    feed_spawn(&w->feed, thread, child);
    w->runs[child] = w->ran[child] = 1;
    w->running++;
}

static void join(struct world *w, unsigned thread)
{
    unsigned child = some_thread(w);

    if (child == thread)
        return;
    feed_join(&w->feed, thread, child);
    w->runs[child] = 0;
    w->running--;
}

static void mark_or_time(struct world *w, unsigned thread)
{
    static const char *const names[] = {"load", "steady", "after the storm"};
    struct op time = {.kind = OP_TIME, .size = w->time_ns += below(w, 9999)};

    if (w->marks < MARKS && percent(w, 20)) {
        w->marks++;
        feed_mark(&w->feed, thread, names[below(w, 3)]);
    } else if (!w->feed.err) {
        w->feed.err = w->feed.sink->put(w->feed.sink, &time);
    }
}

static void act(struct world *w)
{
    unsigned thread = some_thread(w), kind = (unsigned)below(w, 100);

    if (kind < 3)
        spawn(w, thread);
    else if (kind < 4)
        join(w, thread);
    else if (kind < 6)
        mark_or_time(w, thread);
    else if (w->n && kind < 30)
        use(w, thread);
    else if (w->n && below(w, 2 * w->figures->live) < w->n)
        death(w, thread);
    else
        birth(w, thread);
}

static int play(const struct trace_source *source, struct op_sink *sink)
{
    const struct ops_random *f = (const struct ops_random *)source;
    struct world w = {.figures = f, .feed.sink = sink, .running = 1};

    w.live = malloc(LIVE_MAX * sizeof *w.live);
    if (!w.live)
        return ENOMEM;
    random_seed(&w.random, f->seed);
    w.runs[0] = w.ran[0] = 1;
    for (unsigned i = 1; i < f->threads && f->seed % 4 == 1; i++) {
        w.runs[i] = w.ran[i] = 1;
        w.running++;
    }
    birth(&w, 0);
    for (unsigned i = 1; i < f->ops && !w.feed.err && w.n < LIVE_MAX; i++)
        act(&w);
    while (w.n && percent(&w, 99)) /* some streams leave much, some nothing */
        death(&w, some_thread(&w));
    free(w.live);
    return w.feed.err;
}

struct ops_random ops_random(struct ops_random figures)
{
    figures.source.play = play;
    return figures;
}
