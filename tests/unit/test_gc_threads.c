/* test_gc_threads.c - the collector stops threads wherever they are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <criterion/criterion.h>

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "forked.h"
#include "gc_probe.h"
#include "gc_town.h"

#define NOINLINE __attribute__((noinline))

enum { LIVES = 4, MILLISECONDS = 400 };

static void sleep_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

static struct hy_gc_config town_config(unsigned markers, bool is_generational)
{
    struct hy_gc_config config = gc_probe_config();
    config.markers = markers;
    config.generational = is_generational;
    return config;
}

static void start(pthread_t *thread, void *(*main)(void *), void *arg)
{
    cr_assert_eq(pthread_create(thread, NULL, main, arg), 0);
}

/* Some threads live on the town for a while; `meanwhile` is done by the
 * caller, until it returns. */
static void run_town(struct gc_town *town,
                     void (*meanwhile)(struct gc_town *, void *), void *arg)
{
    pthread_t thread[LIVES];
    struct hy_gc_stats stats;
    for (size_t i = 0; i < LIVES; i++)
        start(&thread[i], gc_town_live, town);
    meanwhile(town, arg);
    atomic_store(&town->is_over, 1);
    for (size_t i = 0; i < LIVES; i++)
        pthread_join(thread[i], NULL);
    hy_gc_stats(town->heap, &stats);
    cr_assert_eq(atomic_load(&town->faults), 0);
    cr_assert_eq(gc_town_check(town), 0);
    cr_assert_gt(atomic_load(&town->rounds), 20);
    cr_assert_gt(stats.collections, 10);
}

static void wait_a_while(struct gc_town *town, void *arg)
{
    (void)town;
    (void)arg;
    sleep_ms(MILLISECONDS);
}

Test(gc_threads, threads_keep_what_they_and_others_hold)
{
    static const struct {
        unsigned markers;
        bool is_generational;
    } heaps[] = {{1, false}, {2, false}, {1, true}, {2, true}};
    for (size_t i = 0; i < sizeof heaps / sizeof *heaps; i++) {
        struct gc_town town;
        const struct hy_gc_config config =
            town_config(heaps[i].markers, heaps[i].is_generational);
        gc_town_open(&town, &config);
        run_town(&town, wait_a_while, NULL);
        gc_town_close(&town);
    }
}

/* ---- signals ---- */

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
    (void)signal;
    signals = signals + 1;
}

Test(gc_threads, signals_may_come_at_any_time)
{
    struct gc_town town;
    const struct hy_gc_config config = town_config(2, true);
    const struct itimerval often = {{0, 150}, {0, 150}}, never = {0};
    sigaction(
        SIGALRM,
        &(struct sigaction){.sa_handler = count_signal, .sa_flags = SA_RESTART},
        NULL);
    gc_town_open(&town, &config);
    setitimer(ITIMER_REAL, &often, NULL);
    run_town(&town, wait_a_while, NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    cr_assert_gt(signals, 100);
    gc_town_close(&town);
}

/* ---- threads that come and go ---- */

static void *visit_town(void *arg)
{
    struct gc_town *town = arg;
    struct hy_gc_thread *self;
    uint64_t seed = atomic_fetch_add(&town->users, 1) + 1;
    if (hy_gc_thread_enter(town->heap, &self)) {
        atomic_fetch_add(&town->faults, 1);
        return NULL;
    }
    gc_town_round(town, self, &seed);
    if (seed & (1 << 20)) /* the others forget to */
        hy_gc_thread_leave(self);
    return NULL;
}

static void churn(struct gc_town *town, void *arg)
{
    enum { TURNS = 400, AT_ONCE = 4 };
    (void)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        pthread_t thread[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++)
            start(&thread[i], visit_town, town);
        for (int i = 0; i < AT_ONCE; i++)
            pthread_join(thread[i], NULL);
    }
}

Test(gc_threads, threads_come_and_go_while_others_collect)
{
    struct gc_town town;
    const struct hy_gc_config config = town_config(1, false);
    gc_town_open(&town, &config);
    run_town(&town, churn, NULL);
    gc_town_close(&town);
}

/* ---- threads that are blocked ---- */

struct blocked {
    struct gc_probe *p;
    void *(*block)(struct blocked *);
    pthread_mutex_t lock;
    pthread_cond_t woken;
    _Atomic int is_ready, is_over;
    int ends[2];
    int error;
    pthread_t thread;
};

static void *in_read(struct blocked *b)
{
    char byte = 0;
    b->error = read(b->ends[0], &byte, 1) != 1 || byte != 'x';
    return NULL;
}

static void *in_nanosleep(struct blocked *b)
{
    while (!atomic_load(&b->is_over))
        sleep_ms(5);
    return NULL;
}

static void *in_cond_wait(struct blocked *b)
{
    pthread_mutex_lock(&b->lock);
    while (!atomic_load(&b->is_over))
        pthread_cond_wait(&b->woken, &b->lock);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* An object that only this thread's stack refers to. */
static void *hold_and_block(void *arg)
{
    struct blocked *b = arg;
    struct hy_gc_thread *self;
    if (hy_gc_thread_enter(b->p->heap, &self))
        abort();
    char *volatile object = hy_gc_alloc(self, 1000);
    memset(object, 0x77, 1000);
    gc_probe_watch(b->p, object);
    atomic_store(&b->is_ready, 1);
    b->block(b);
    b->error |= !gc_probe_is_all(object, 1000, 0x77);
    hy_gc_thread_leave(self);
    return NULL;
}

Test(gc_threads, blocked_threads_keep_what_is_on_their_stacks)
{
    void *(*const blocks[])(struct blocked *) = {in_read, in_nanosleep,
                                                 in_cond_wait};
    enum { N = sizeof blocks / sizeof *blocks };
    struct blocked b[N];
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    for (size_t i = 0; i < N; i++) {
        b[i] = (struct blocked){.p = &p, .block = blocks[i]};
        pthread_mutex_init(&b[i].lock, NULL);
        pthread_cond_init(&b[i].woken, NULL);
        cr_assert_eq(pipe(b[i].ends), 0);
        start(&b[i].thread, hold_and_block, &b[i]);
        while (!atomic_load(&b[i].is_ready))
            sleep_ms(1);
    }
    for (int i = 0; i < 50; i++) {
        for (int k = 0; k < 100; k++)
            memset(hy_gc_alloc(p.self, 1000), 0x11, 1000);
        hy_gc_collect(p.heap, HY_GC_FULL);
    }
    cr_assert_eq(gc_probe_dead(&p), 0);
    for (size_t i = 0; i < N; i++) {
        atomic_store(&b[i].is_over, 1);
        cr_assert_eq(write(b[i].ends[1], "x", 1), 1);
        pthread_mutex_lock(&b[i].lock);
        pthread_cond_signal(&b[i].woken);
        pthread_mutex_unlock(&b[i].lock);
        pthread_join(b[i].thread, NULL);
        cr_assert_eq(b[i].error, 0, "blocked thread %zu", i);
        close(b[i].ends[0]);
        close(b[i].ends[1]);
    }
    gc_probe_close(&p);
}

/* ---- forks ---- */

static void in_child(struct gc_town *town, struct hy_gc_thread *self)
{
    uint64_t seed = 99;
    unsigned faults = 0;
    pthread_mutex_init(&town->lock, NULL); /* perhaps held by nobody now */
    faults += gc_town_check(town);
    for (int i = 0; i < 30; i++) {
        faults += gc_town_round(town, self, &seed);
        hy_gc_collect(town->heap, i % 2 ? HY_GC_MINOR : HY_GC_FULL);
    }
    faults += gc_town_check(town);
    _exit(faults ? 1 : 0);
}

static void fork_often(struct gc_town *town, void *arg)
{
    struct hy_gc_thread *self;
    uint64_t seed = 7;
    (void)arg;
    cr_assert_eq(hy_gc_thread_enter(town->heap, &self), 0);
    for (int i = 0; i < 15; i++) {
        int state = -1;
        gc_town_round(town, self, &seed);
        hy_gc_fork_before(town->heap);
        pid_t pid = fork();
        if (pid == 0) {
            hy_gc_fork_child(town->heap);
            in_child(town, self);
        }
        hy_gc_fork_parent(town->heap);
        cr_assert_gt(pid, 0);
        gc_town_round(town, self, &seed);
        cr_assert_eq(waitpid(pid, &state, 0), pid);
        cr_assert(WIFEXITED(state) && WEXITSTATUS(state) == 0, "fork %d: %#x",
                  i, state);
    }
    hy_gc_thread_leave(self);
}

Test(gc_threads, a_process_with_threads_may_fork)
{
    for (unsigned markers = 1; markers <= 2; markers++) {
        struct gc_town town;
        const struct hy_gc_config config = town_config(markers, markers == 2);
        gc_town_open(&town, &config);
        run_town(&town, fork_often, NULL);
        gc_town_close(&town);
    }
}

/* ---- stacks ---- */

static size_t tiny_stack(void)
{
    long frame =
        sysconf(_SC_MINSIGSTKSZ); /* of a signal: a lot, with AVX-512 */
    size_t bytes = PTHREAD_STACK_MIN + (frame > 0 ? 2 * (size_t)frame : 16384);
    return (bytes + 4095) / 4096 * 4096;
}

static void create_tiny(struct gc_town *town, void *arg)
{
    pthread_attr_t attr;
    (void)arg;
    pthread_attr_init(&attr);
    cr_assert_eq(pthread_attr_setstacksize(&attr, tiny_stack()), 0);
    for (int turn = 0; turn < 50; turn++) {
        pthread_t thread[4];
        for (int i = 0; i < 4; i++)
            cr_assert_eq(pthread_create(&thread[i], &attr, visit_town, town),
                         0);
        for (int i = 0; i < 4; i++)
            pthread_join(thread[i], NULL);
    }
    pthread_attr_destroy(&attr);
}

Test(gc_threads, threads_may_have_tiny_stacks)
{
    struct gc_town town;
    const struct hy_gc_config config = town_config(1, false);
    gc_town_open(&town, &config);
    run_town(&town, create_tiny, NULL);
    gc_town_close(&town);
}

enum { DEEP_STACK = 1 << 20, DEEP_ROOM = 48 * 1024 };

struct deep {
    struct gc_town *town;
    uintptr_t limit;
    unsigned faults;
};

/* Down to where the room ends, with an object in every frame. */
static NOINLINE void descend(struct deep *deep, struct hy_gc_thread *self,
                             uint64_t depth)
{
    volatile char frame[128];
    uint64_t *volatile mine = hy_gc_alloc(self, 64);
    *mine = depth;
    frame[0] = 0;
    if ((uintptr_t)frame > deep->limit)
        descend(deep, self, depth + 1);
    else
        hy_gc_collect(deep->town->heap, HY_GC_FULL);
    deep->faults += *mine != depth + frame[0];
}

static void *dive(void *arg)
{
    struct deep *deep = arg;
    struct hy_gc_thread *self;
    if (hy_gc_thread_enter(deep->town->heap, &self))
        abort();
    deep->limit =
        (uintptr_t)__builtin_frame_address(0) - (DEEP_STACK - DEEP_ROOM);
    for (int i = 0; i < 10; i++)
        descend(deep, self, 1);
    hy_gc_thread_leave(self);
    return NULL;
}

static void dive_often(struct gc_town *town, void *arg)
{
    struct deep deep = {.town = town};
    pthread_attr_t attr;
    pthread_t thread;
    (void)arg;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, DEEP_STACK);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(pthread_create(&thread, &attr, dive, &deep), 0);
        pthread_join(thread, NULL);
    }
    cr_assert_eq(deep.faults, 0);
    pthread_attr_destroy(&attr);
}

Test(gc_threads, collections_need_little_stack)
{
    struct gc_town town;
    const struct hy_gc_config config = town_config(2, false);
    gc_town_open(&town, &config);
    run_town(&town, dive_often, NULL);
    gc_town_close(&town);
}

/* ---- a signal handler on another stack ---- */

static _Atomic int is_held, is_in_handler, may_leave_handler;

static void stay(int signal)
{
    (void)signal;
    atomic_store(&is_in_handler, 1);
    while (!atomic_load(&may_leave_handler))
        ;
}

/* An object's address, inverted. */
static NOINLINE uintptr_t make_hidden(struct gc_probe *p,
                                      struct hy_gc_thread *self)
{
    char *object = hy_gc_alloc(self, 48);
    memset(object, 0x33, 48);
    gc_probe_watch(p, object);
    return ~(uintptr_t)object;
}

/* The address is in a register, and only in that which the signal puts on the
 * other stack. */
static NOINLINE int hold_in_register(uintptr_t hidden)
{
    uintptr_t object = ~hidden;
    atomic_store(&is_held, 1);
    while (!atomic_load(&is_in_handler))
        __asm__ volatile("" : "+r"(object));
    return gc_probe_is_all((void *)object, 48, 0x33);
}

static void *be_interrupted(void *arg)
{
    struct gc_probe *p = arg;
    struct hy_gc_thread *self;
    stack_t other = {.ss_sp = malloc(1 << 17), .ss_size = 1 << 17};
    if (!other.ss_sp || sigaltstack(&other, NULL) ||
        hy_gc_thread_enter(p->heap, &self))
        abort();
    const uintptr_t hidden = make_hidden(p, self);
    gc_probe_wipe();
    int is_whole = hold_in_register(hidden);
    hy_gc_thread_leave(self);
    other.ss_flags = SS_DISABLE;
    sigaltstack(&other, NULL);
    free(other.ss_sp);
    return is_whole ? p : NULL;
}

Test(gc_threads, what_a_signal_interrupted_is_seen_on_its_other_stack)
{
    struct gc_probe p;
    pthread_t thread;
    void *is_whole;
    sigaction(SIGUSR1,
              &(struct sigaction){.sa_handler = stay, .sa_flags = SA_ONSTACK},
              NULL);
    gc_probe_open(&p, NULL);
    start(&thread, be_interrupted, &p);
    while (!atomic_load(&is_held))
        sleep_ms(1);
    pthread_kill(thread, SIGUSR1);
    while (!atomic_load(&is_in_handler))
        sleep_ms(1);
    for (int i = 0; i < 3; i++) {
        gc_probe_collect(&p, HY_GC_FULL);
        for (int k = 0; k < 2000; k++)
            memset(hy_gc_alloc(p.self, 48), 0x11, 48);
    }
    atomic_store(&may_leave_handler, 1);
    pthread_join(thread, &is_whole);
    cr_assert_eq(gc_probe_dead(&p), 0);
    cr_assert_not_null(is_whole);
    gc_probe_close(&p);
}

/* ---- the C library's locks ---- */

/* Sizes that no thread has a cache of, so that each takes the lock. */
static void *use_malloc(void *arg)
{
    struct gc_town *town = arg;
    struct hy_gc_thread *self;
    if (hy_gc_thread_enter(town->heap, &self))
        abort();
    while (!atomic_load(&town->is_over)) {
        void *volatile p[16];
        for (size_t i = 0; i < 16; i++)
            p[i] = malloc(2000 + i * 500);
        for (size_t i = 0; i < 16; i++)
            free(p[i]);
    }
    hy_gc_thread_leave(self);
    return NULL;
}

static NOINLINE void make_long_list(struct gc_probe *p, size_t n)
{
    p->root[0] = NULL;
    for (size_t i = 0; i < n; i++) {
        void **node = hy_gc_alloc(p->self, 16);
        hy_gc_store(p->heap, node, node, p->root[0]);
        p->root[0] = node;
    }
}

static void collect_beside_malloc(void *arg, int fd)
{
    const struct hy_gc_config config = town_config(2, false);
    struct gc_probe p;
    struct gc_town town = {0};
    pthread_t thread[3];
    (void)arg;
    (void)fd;
    mallopt(M_ARENA_MAX, 1); /* so that all meet there */
    alarm(20);
    gc_probe_open(&p, &config);
    town.heap = p.heap;
    for (int k = 0; k < 3; k++)
        start(&thread[k], use_malloc, &town);
    make_long_list(&p, 40000);
    sleep_ms(1);
    for (int k = 0; k < 3; k++)
        hy_gc_collect(p.heap, HY_GC_FULL);
    atomic_store(&town.is_over, 1);
    for (int k = 0; k < 3; k++)
        pthread_join(thread[k], NULL);
    gc_probe_close(&p);
}

/* Helpers start when the first collection is worth it, and that needs malloc,
 * whose lock a thread that stands may have.  A process each: a thread that
 * takes over another's stack needs none. */
Test(gc_threads, helpers_start_while_others_are_in_malloc)
{
    char said[100];
    for (int i = 0; i < 40; i++)
        cr_assert_eq(run_forked(collect_beside_malloc, NULL, said, sizeof said),
                     0, "process %d", i);
}

static NOINLINE void make_lists(struct gc_probe *p, size_t length)
{
    for (size_t i = 0; i < GC_PROBE_ROOTS * length; i++) {
        void **const root = &p->root[i % GC_PROBE_ROOTS];
        void **node = hy_gc_alloc(p->self, 32);
        *node = *root;
        *root = node;
    }
}

struct counted {
    unsigned most, helped;
};

static void count_markers(const struct hy_gc_event *e, void *arg)
{
    struct counted *c = arg;
    if (e->markers > c->most)
        c->most = e->markers;
    c->helped += e->markers > 1;
}

/* A helper that is late for one call and in time for the next came in twice:
 * once in some thousand collections that are just long enough. */
Test(gc_threads, helpers_come_in_once)
{
    const struct hy_gc_config config = town_config(3, false);
    struct counted counted = {0};
    struct gc_probe p;
    gc_probe_open(&p, &config);
    make_lists(&p, 64);
    hy_gc_listen(p.heap, count_markers, &counted);
    for (int i = 0; i < 1000; i++)
        hy_gc_collect(p.heap, HY_GC_FULL);
    gc_probe_close(&p);
    cr_assert_gt(counted.helped, 0);
    cr_assert_leq(counted.most, 3);
}
