/* replay.c - plays a whole trace on a heap: tables, threads, clocks.
 *
 * Thread 0 of the trace is the process's main thread, as it was when the
 * trace was made (glibc gives it another arena than the rest).  All threads
 * are made before the gate opens, because making one calls malloc; a thread
 * that its trace starts later waits for that in its first record.
 *
 * Invariant: between replay_open and replay_close no malloc of the harness.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "replay.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "collection.h"
#include "native_play.h"
#include "ticks.h"

enum {
    SETTLE_NS = 5000000, /* a tick of the kernel and more */
    /* Bytes: more state of the ops than this is used thinly, by hundreds of
     * threads, and comes into memory as it is used. */
    OWN_TOUCHED_MAX = 128 * 1024 * 1024
};

struct seat {
    struct player player;
    struct replay *replay;
    pthread_t thread;
    int is_main; /* played by the caller of replay_run */
};

struct replay {
    struct replay_config config;
    struct os_account account;
    size_t bytes; /* of this mapping, seats included */
    void **slots;
    size_t slots_bytes;
    void *_Atomic *mailboxes;
    size_t mailboxes_bytes;
    struct native *native; /* [threads], or NULL: a trace is played */
    size_t native_bytes;
    char *own;
    size_t own_bytes;
    pthread_barrier_t ready, end;
    _Atomic int is_open;   /* the gate */
    _Atomic unsigned turn; /* whose at_rest it is */
    unsigned threads;
    int enter_error;
    struct seat seat[]; /* [threads] */
};

static void play_seat(struct seat *s)
{
    const struct replay_config *c = &s->replay->config;

    const unsigned me = s->player.thread;

    if (c->thread_start)
        c->thread_start(c->meter, me);
    s->player.started_cpu_ns = clock_thread_cpu_ns();
    if (s->player.native)
        native_run(&s->player);
    else if (c->ops)
        play_with(&s->player, c->ops);
    else
        play_fast(&s->player, c->touch);
    s->player.ended_cpu_ns = clock_thread_cpu_ns();
    if (c->thread_stop)
        c->thread_stop(c->meter, me);
}

static int enter(const struct replay_config *c)
{
    return c->allocator->enter ? c->allocator->enter(c->heap) : 0;
}

static void leave(const struct replay_config *c)
{
    if (c->allocator->leave)
        c->allocator->leave(c->heap);
}

/* Threads wait awake, so that the kernel has spread them over the CPUs before
 * the clock starts; asleep, they would all be woken on one. */
static void await_gate(struct replay *r)
{
    while (!atomic_load_explicit(&r->is_open, memory_order_acquire))
        sched_yield();
}

static void settle(const struct replay *r)
{
    uint64_t end = clock_wall_ns() + (r->threads > 1 ? SETTLE_NS : 0);

    while (clock_wall_ns() < end)
        sched_yield();
}

/* What an allocator sets up at a thread's first call (glibc: an arena) is
 * there for good, and must not count as held by the trace. */
static void first_use(const struct replay_config *c)
{
    void *p = c->allocator->alloc(c->heap, 16, 0);

    if (p)
        c->allocator->dealloc(c->heap, p, 16);
}

/* After its last record, before it leaves. */
static void rest(struct seat *s)
{
    struct replay *r = s->replay;
    const unsigned me = s->player.thread;

    if (!r->config.at_rest)
        return;
    pthread_barrier_wait(&r->end);
    while (atomic_load(&r->turn) != me)
        sched_yield();
    r->config.at_rest(r->config.meter, me);
    atomic_store(&r->turn, me + 1);
    while (atomic_load(&r->turn) != r->threads)
        sched_yield();
}

/* The workload's own, of thread 0. */
static void prepare_native(struct seat *s)
{
    if (s->player.native && s->player.thread == 0)
        native_prepare(&s->player, s->replay->native);
}

/* Nothing of what comes when all have run is measured. */
static void finish_native(struct seat *s)
{
    if (!s->player.native)
        return;
    pthread_barrier_wait(&s->replay->end);
    if (s->player.thread == 0)
        native_finish(&s->player);
}

static void *seat_main(void *arg)
{
    struct seat *s = arg;
    const struct replay_config *c = &s->replay->config;

    if (enter(c))
        player_fail(&s->player, STATUS_ERROR, "thread cannot enter the heap");
    if (c->workers_only)
        first_use(c);
    if (c->thread_open)
        c->thread_open(c->meter, s->player.thread);
    prepare_native(s);
    pthread_barrier_wait(&s->replay->ready);
    await_gate(s->replay);
    play_seat(s);
    rest(s);
    finish_native(s);
    leave(c);
    pthread_barrier_wait(&s->replay->end);
    return NULL;
}

/* Where the thread's first EV_SYNC says it begins, so that others may run up
 * to there before it has started. */
static uint64_t first_place(const struct trace_thread *t)
{
    uint64_t place;

    for (uint64_t i = 0; i + 1 < t->records; i++)
        if (event_op(t->events[i]) == EV_SYNC) {
            memcpy(&place, &t->events[i + 1], sizeof place);
            return place;
        } else if (event_op(t->events[i]) != EV_AWAIT) {
            return 0;
        }
    return UINT64_MAX;
}

/* Operations of a slice: 0 if none are wanted. */
static uint64_t slice_step(const struct replay_config *c)
{
    const uint64_t spacing = TRACE_SYNC_SPACING;

    if (!c->slices || c->trace->threads > 1 || c->trace->native)
        return 0;
    return (1 + c->trace->totals.ops / c->slices / spacing) * spacing;
}

static void seat_init(struct replay *r, unsigned i, void **slots)
{
    const struct replay_config *c = &r->config;
    struct seat *s = &r->seat[i];

    s->replay = r;
    s->player = (struct player){
        .first = c->trace->thread[i].events,
        .at = c->trace->thread[i].events,
        .slots = slots,
        .mailboxes = r->mailboxes,
        .allocator = c->allocator,
        .heap = c->heap,
        .page = c->page,
        .thread = i,
        .threads = r->threads,
        .window = r->threads > 1 ? c->window : slice_step(c),
        .slice_step = slice_step(c),
        .mark = c->mark,
        .meter = c->meter,
        .result_fd = c->result_fd,
        .touch = c->touch,
        .common = c->common,
        .own = r->own ? r->own + i * c->own_bytes : NULL,
        .native = r->native ? &r->native[i] : NULL,
        .request = c->trace->native,
    };
    if (s->player.slice_step)
        atomic_store(&c->page->slice_ops, (uint32_t)s->player.slice_step);
    atomic_store(&c->page->thread[i].place, first_place(&c->trace->thread[i]));
}

static int start_thread(struct seat *s)
{
    pthread_attr_t attr;
    int err = pthread_attr_init(&attr);

    if (err)
        return err;
    err = pthread_attr_setstacksize(&attr, REPLAY_STACK);
    if (!err)
        err = pthread_create(&s->thread, &attr, seat_main, s);
    pthread_attr_destroy(&attr);
    return err;
}

static int start_threads(struct replay *r)
{
    unsigned first = r->config.workers_only ? 0 : 1;
    unsigned players = r->threads + 1 - first;
    int err = pthread_barrier_init(&r->ready, NULL, players);

    if (!err)
        err = pthread_barrier_init(&r->end, NULL, players);
    r->seat[0].is_main = first == 1;
    for (unsigned i = first; i < r->threads && !err; i++)
        err = start_thread(&r->seat[i]);
    if (!err && first == 1)
        err = enter(&r->config);
    if (!err && first == 1 && r->config.thread_open)
        r->config.thread_open(r->config.meter, 0);
    if (!err && first == 1)
        prepare_native(&r->seat[0]);
    if (!err)
        pthread_barrier_wait(&r->ready);
    return err;
}

static int map_tables(struct replay *r)
{
    const struct trace *trace = r->config.trace;
    uint64_t slots = 1;

    for (unsigned i = 0; i < r->threads; i++)
        slots += trace->thread[i].slots + 8; /* a cache line between threads */
    r->slots_bytes = slots * sizeof *r->slots;
    r->mailboxes_bytes = (trace->mailboxes + 1) * sizeof *r->mailboxes;
    r->own_bytes = r->threads * r->config.own_bytes;
    r->native_bytes = trace->native ? r->threads * sizeof *r->native : 0;
    r->slots = os_pages_map(&r->account, r->slots_bytes);
    r->mailboxes = os_pages_map(&r->account, r->mailboxes_bytes);
    if (r->own_bytes)
        r->own = os_pages_map(&r->account, r->own_bytes);
    if (r->native_bytes)
        r->native = os_pages_map(&r->account, r->native_bytes);
    if (!r->slots || !r->mailboxes || (r->own_bytes && !r->own) ||
        (r->native_bytes && !r->native))
        return ENOMEM;
    os_pages_touch(r->slots, r->slots_bytes);
    os_pages_touch((void *)r->mailboxes, r->mailboxes_bytes);
    if (r->own && r->own_bytes <= OWN_TOUCHED_MAX)
        os_pages_touch(r->own, r->own_bytes);
    return 0;
}

/* Where a collector finds the objects that the replay holds. */
static int add_roots(struct replay *r)
{
    const struct collection *g = r->config.allocator->collection;
    struct heap *heap = r->config.heap;

    if (!g)
        return 0;
    if (r->native)
        return g->roots_add(heap, r->native,
                            (char *)r->native + r->native_bytes);
    int err = g->roots_add(heap, r->slots, (char *)r->slots + r->slots_bytes);

    return err ? err
               : g->roots_add(heap, (void *)r->mailboxes,
                              (char *)r->mailboxes + r->mailboxes_bytes);
}

static void remove_roots(struct replay *r)
{
    const struct collection *g = r->config.allocator->collection;
    struct heap *heap = r->config.heap;

    if (!g)
        return;
    if (r->native) {
        g->roots_remove(heap, r->native, (char *)r->native + r->native_bytes);
        return;
    }
    g->roots_remove(heap, r->slots, (char *)r->slots + r->slots_bytes);
    g->roots_remove(heap, (void *)r->mailboxes,
                    (char *)r->mailboxes + r->mailboxes_bytes);
}

static void seat_all(struct replay *r)
{
    void **slots = r->slots;

    atomic_store(&r->config.page->threads, r->threads);
    for (unsigned i = 0; i < r->threads; i++) {
        seat_init(r, i, slots);
        slots += r->config.trace->thread[i].slots + 8;
    }
}

int replay_open(const struct replay_config *config, struct replay **out)
{
    unsigned threads = config->trace->threads;
    size_t bytes = sizeof(struct replay) + threads * sizeof(struct seat);
    struct replay *r = os_pages_map(NULL, bytes);
    int err;

    if (!r)
        return ENOMEM;
    r->config = *config;
    r->bytes = bytes;
    r->threads = threads;
    err = map_tables(r);
    if (!err)
        err = add_roots(r);
    if (!err) {
        if (r->native)
            native_open(&r->config, r->native);
        seat_all(r);
        err = start_threads(r);
    }
    *out = r;
    return err;
}

/* When all have run: finish_native of the caller, with stop before it. */
static void end_native(struct replay *r, struct seat *main_seat,
                       void (*stop)(void *meter))
{
    pthread_barrier_wait(&r->end);
    stop(r->config.meter);
    if (main_seat)
        native_finish(&main_seat->player);
}

void replay_run(struct replay *r, void (*start)(void *meter),
                void (*stop)(void *meter))
{
    struct seat *main_seat = r->seat[0].is_main ? &r->seat[0] : NULL;

    atomic_store(&r->config.page->state, SHARED_RUNNING);
    settle(r);
    start(r->config.meter);
    atomic_store(&r->is_open, 1);
    if (main_seat) {
        play_seat(main_seat);
        rest(main_seat);
    }
    if (r->native)
        end_native(r, main_seat, stop);
    if (main_seat)
        leave(&r->config);
    pthread_barrier_wait(&r->end);
    if (!r->native)
        stop(r->config.meter);
    for (unsigned i = main_seat ? 1 : 0; i < r->threads; i++)
        pthread_join(r->seat[i].thread, NULL);
    atomic_store(&r->config.page->state, SHARED_DONE);
}

uint64_t replay_cpu_ns(const struct replay *r)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < r->threads; i++) {
        const struct player *p = &r->seat[i].player;

        sum += p->ended_cpu_ns - p->started_cpu_ns;
        sum += p->native ? p->native->cpu_ns : 0;
    }
    return sum;
}

uint64_t replay_wait_ticks(const struct replay *r)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < r->threads; i++)
        sum += r->seat[i].player.wait_ticks;
    return sum;
}

unsigned replay_threads(const struct replay *r)
{
    return r->threads;
}

uint64_t replay_ops(const struct replay *r)
{
    uint64_t ops = r->config.trace->totals.ops;

    for (unsigned i = 0; r->native && i < r->threads; i++)
        ops += r->native[i].allocs;
    return ops;
}

uint64_t replay_uses(const struct replay *r)
{
    uint64_t uses = 0;

    for (unsigned i = 0; r->native && i < r->threads; i++)
        uses += r->native[i].uses;
    return uses;
}

uint64_t replay_allocs(const struct replay *r)
{
    return r->native ? replay_ops(r) : r->config.trace->totals.allocs;
}

uint64_t replay_bytes(const struct replay *r)
{
    uint64_t bytes = r->config.trace->totals.bytes;

    for (unsigned i = 0; r->native && i < r->threads; i++)
        bytes += r->native[i].bytes;
    return bytes;
}

void *replay_own(const struct replay *r, unsigned thread)
{
    return r->seat[thread].player.own;
}

void *replay_left(const struct replay *r, uint64_t i)
{
    const struct trace_left *left = &r->config.trace->left[i];

    return left->in_mailbox ? atomic_load(&r->mailboxes[left->place])
                            : r->seat[left->thread].player.slots[left->place];
}

void replay_close(struct replay *r)
{
    size_t bytes = r->bytes;

    remove_roots(r);
    if (r->native)
        os_pages_unmap(&r->account, r->native, r->native_bytes);
    os_pages_unmap(&r->account, r->slots, r->slots_bytes);
    os_pages_unmap(&r->account, (void *)r->mailboxes, r->mailboxes_bytes);
    if (r->own)
        os_pages_unmap(&r->account, r->own, r->own_bytes);
    pthread_barrier_destroy(&r->ready);
    pthread_barrier_destroy(&r->end);
    os_pages_unmap(NULL, r, bytes);
}

uint64_t shared_page_place(const struct shared_page *page, uint64_t all)
{
    uint64_t least = UINT64_MAX;
    unsigned n = atomic_load(&page->threads);

    for (unsigned i = 0; i < n && i < OP_MAX_THREADS; i++) {
        uint64_t place = atomic_load(&page->thread[i].place);

        if (place < least)
            least = place;
    }
    return least < all ? least : all;
}
