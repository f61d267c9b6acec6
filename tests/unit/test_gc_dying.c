/* test_gc_dying.c - finalizers, weak links and ephemerons, one rule each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <sys/resource.h>

#include "forked.h"
#include "gc_probe.h"

#define NOINLINE __attribute__((noinline))

enum { MANY = 200 };

struct node {
    struct node *next, *other;
    uintptr_t number;
    uintptr_t rest;
};

/* What finalizers note; node numbers. */
struct log {
    struct gc_probe *p;
    uintptr_t called[4 * MANY];
    size_t n;
    size_t jumps;
    jmp_buf back;
    void **links;
};

static void note(void *object, void *arg)
{
    struct log *log = arg;
    log->called[log->n++] = ((struct node *)object)->number;
}

static struct node *make(struct gc_probe *p, uintptr_t number)
{
    struct node *node = hy_gc_alloc(p->self, sizeof *node);
    node->number = number;
    return node;
}

static void finalize(struct gc_probe *p, struct node *node,
                     void (*run)(void *, void *), void *arg,
                     enum hy_gc_finalizer_order order)
{
    cr_assert_eq(hy_gc_finalizer_set(p->heap, node,
                                     &(struct hy_gc_finalizer){run, arg, order},
                                     NULL),
                 0);
}

static NOINLINE void make_finalized(struct gc_probe *p, void **roots,
                                    void (*run)(void *, void *), void *arg)
{
    for (uintptr_t i = 0; i < MANY; i++) {
        roots[i] = make(p, i + 1);
        finalize(p, roots[i], run, arg, HY_GC_ORDER_TOPOLOGICAL);
    }
}

static void drop(struct gc_probe *p)
{
    memset(p->root, 0, GC_PROBE_ROOTS * sizeof *p->root);
}

/* ---- finalizers ---- */

Test(gc_dying, finalizers_run_once_and_not_before)
{
    struct gc_probe p;
    struct log log = {0};
    gc_probe_open(&p, NULL);
    make_finalized(&p, p.root, note, &log);
    cr_assert_eq(hy_gc_finalizers_waiting(p.heap), MANY);
    for (int i = 0; i < 3; i++)
        gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(log.n, 0);
    drop(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(log.n, MANY - GC_PROBE_STRAYS);
    cr_assert_eq(hy_gc_finalizers_waiting(p.heap), MANY - log.n);
    for (int i = 0; i < 3; i++)
        gc_probe_collect(&p, HY_GC_FULL);
    bool seen[MANY + 1] = {false};
    for (size_t i = 0; i < log.n; i++) {
        cr_assert(!seen[log.called[i]], "finalizer %zu", log.called[i]);
        seen[log.called[i]] = true;
    }
    gc_probe_close(&p);
}

Test(gc_dying, finalizers_run_on_demand)
{
    struct gc_probe p;
    struct log log = {0};
    gc_probe_open(&p, NULL);
    hy_gc_finalizers_on_demand(p.heap, true);
    make_finalized(&p, p.root, note, &log);
    drop(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    for (int i = 0; i < 100000; i++)
        hy_gc_alloc(p.self, 100);
    cr_assert_eq(log.n, 0);
    cr_assert_eq(hy_gc_finalizers_waiting(p.heap), MANY);
    size_t ran = hy_gc_finalizers_run(p.heap);
    cr_assert_eq(ran, log.n);
    cr_assert_geq(ran, MANY - GC_PROBE_STRAYS);
    cr_assert_eq(hy_gc_finalizers_run(p.heap), 0);
    gc_probe_close(&p);
}

Test(gc_dying, allocation_runs_finalizers)
{
    struct gc_probe p;
    struct log log = {0};
    gc_probe_open(&p, NULL);
    make_finalized(&p, p.root, note, &log);
    drop(&p);
    gc_probe_wipe();
    for (int i = 0; i < 100000; i++)
        hy_gc_alloc(p.self, 100);
    cr_assert_geq(log.n, MANY - GC_PROBE_STRAYS);
    gc_probe_close(&p);
}

Test(gc_dying, a_finalizer_can_be_taken_back)
{
    struct gc_probe p;
    struct log log = {0}, other = {0};
    struct hy_gc_finalizer old;
    gc_probe_open(&p, NULL);
    make_finalized(&p, p.root, note, &log);
    for (size_t i = 0; i < MANY; i++) {
        const struct hy_gc_finalizer instead = {note, &other, HY_GC_ORDER_NONE};
        cr_assert_eq(hy_gc_finalizer_set(p.heap, p.root[i],
                                         i % 2 ? NULL : &instead, &old),
                     0);
        cr_assert_eq(old.run, note);
        cr_assert_eq(old.arg, &log);
        cr_assert_eq(old.order, HY_GC_ORDER_TOPOLOGICAL);
    }
    cr_assert_eq(hy_gc_finalizers_waiting(p.heap), MANY / 2);
    drop(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(log.n, 0);
    cr_assert_geq(other.n, MANY / 2 - GC_PROBE_STRAYS);
    int local;
    struct node *node = make(&p, 1);
    const struct hy_gc_finalizer f = {note, &log, HY_GC_ORDER_NONE};
    cr_assert_eq(hy_gc_finalizer_set(p.heap, &local, &f, NULL), EINVAL);
    cr_assert_eq(hy_gc_finalizer_set(p.heap, &node->other, &f, NULL), EINVAL);
    gc_probe_close(&p);
}

static NOINLINE void make_args(struct gc_probe *p)
{
    for (size_t i = 0; i < MANY; i++) {
        void *arg = hy_gc_alloc(p->self, 16);
        gc_probe_watch(p, arg);
        p->root[i] = make(p, i);
        finalize(p, p->root[i], note, arg, HY_GC_ORDER_NONE);
    }
}

Test(gc_dying, the_argument_is_a_root_while_the_finalizer_is_set)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    make_args(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(gc_probe_dead(&p), 0);
    for (size_t i = 0; i < MANY; i++)
        hy_gc_finalizer_set(p.heap, p.root[i], NULL, NULL);
    make_args(&p);
    for (size_t i = 0; i < MANY; i++)
        hy_gc_finalizer_set(p.heap, p.root[i], NULL, NULL);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(gc_probe_dead(&p), MANY - GC_PROBE_STRAYS);
    gc_probe_close(&p);
}

/* A chain 1 -> 2 -> 3, each with a finalizer. */
static NOINLINE void make_chain(struct gc_probe *p, struct log *log,
                                enum hy_gc_finalizer_order order)
{
    struct node *next = NULL;
    for (uintptr_t number = 3; number >= 1; number--) {
        struct node *node = make(p, number);
        node->next = next;
        finalize(p, node, note, log, order);
        next = node;
    }
    p->root[0] = next;
}

Test(gc_dying, topological_order_is_one_link_a_collection)
{
    if (!GC_PROBE_IS_EXACT)
        cr_skip("a sanitizer keeps single objects");
    struct gc_probe p;
    struct log log = {0};
    gc_probe_open(&p, NULL);
    make_chain(&p, &log, HY_GC_ORDER_TOPOLOGICAL);
    drop(&p);
    for (size_t i = 1; i <= 3; i++) {
        gc_probe_collect(&p, HY_GC_FULL);
        cr_assert_eq(log.n, i);
        cr_assert_eq(log.called[i - 1], i);
    }
    make_chain(&p, &log, HY_GC_ORDER_NONE);
    drop(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(log.n, 6);
    gc_probe_close(&p);
}

/* One that points to itself, and two that point to each other. */
static NOINLINE void make_cycles(struct gc_probe *p, struct log *log,
                                 enum hy_gc_finalizer_order order)
{
    struct node *self = make(p, 1), *one = make(p, 2), *two = make(p, 3);
    self->next = self;
    one->next = two;
    two->next = one;
    finalize(p, self, note, log, order);
    finalize(p, one, note, log, order);
    finalize(p, two, note, log, order);
}

Test(gc_dying, cycles_run_as_their_order_says)
{
    if (!GC_PROBE_IS_EXACT)
        cr_skip("a sanitizer keeps single objects");
    static const size_t runs[] = {[HY_GC_ORDER_TOPOLOGICAL] = 0,
                                  [HY_GC_ORDER_IGNORE_SELF] = 1,
                                  [HY_GC_ORDER_NONE] = 3};
    for (enum hy_gc_finalizer_order order = HY_GC_ORDER_TOPOLOGICAL;
         order <= HY_GC_ORDER_NONE; order++) {
        struct gc_probe p;
        struct log log = {0};
        gc_probe_open(&p, NULL);
        make_cycles(&p, &log, order);
        for (int i = 0; i < 4; i++)
            gc_probe_collect(&p, HY_GC_FULL);
        cr_assert_eq(log.n, runs[order], "order %d: %zu ran", order, log.n);
        cr_assert_eq(hy_gc_finalizers_waiting(p.heap), 3 - log.n);
        gc_probe_close(&p);
    }
}

/* ---- what a finalizer may do ---- */

static void resurrect(void *object, void *arg)
{
    struct log *log = arg;
    struct node *node = object;
    cr_assert_eq(node->next->number, node->number + 1000);
    note(object, arg);
    log->p->root[node->number] = node;
}

static NOINLINE void make_pairs(struct gc_probe *p, struct log *log)
{
    for (uintptr_t i = 1; i <= MANY; i++) {
        struct node *node = make(p, i);
        node->next = make(p, i + 1000);
        finalize(p, node, resurrect, log, HY_GC_ORDER_TOPOLOGICAL);
    }
}

Test(gc_dying, a_finalizer_may_resurrect)
{
    struct gc_probe p;
    struct log log = {.p = &p};
    gc_probe_open(&p, NULL);
    make_pairs(&p, &log);
    for (int i = 0; i < 3; i++) {
        gc_probe_collect(&p, HY_GC_FULL);
        for (int k = 0; k < 30000; k++)
            memset(hy_gc_alloc(p.self, 32), 0xFF, 32);
    }
    cr_assert_geq(log.n, MANY - GC_PROBE_STRAYS);
    cr_assert_leq(log.n, MANY);
    for (size_t i = 0; i < log.n; i++) {
        const struct node *node = p.root[log.called[i]];
        cr_assert_eq(node->number, log.called[i]);
        cr_assert_eq(node->next->number, log.called[i] + 1000);
    }
    gc_probe_close(&p);
}

static void set_again(void *object, void *arg)
{
    struct log *log = arg;
    struct node *node = object;
    note(object, arg);
    if (++node->rest < 5)
        finalize(log->p, node, set_again, log, HY_GC_ORDER_NONE);
}

Test(gc_dying, a_finalizer_may_set_itself_again)
{
    struct gc_probe p;
    struct log log = {.p = &p};
    gc_probe_open(&p, NULL);
    finalize(&p, make(&p, 1), set_again, &log, HY_GC_ORDER_NONE);
    for (int i = 0; i < 10; i++)
        gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(log.n, 5);
    cr_assert_eq(hy_gc_finalizers_waiting(p.heap), 0);
    gc_probe_close(&p);
}

static void allocate(void *object, void *arg)
{
    struct log *log = arg;
    note(object, arg);
    for (int i = 0; i < 2000; i++)
        cr_assert_not_null(hy_gc_alloc(log->p->self, 1000));
    hy_gc_collect(log->p->heap, HY_GC_FULL);
}

Test(gc_dying, a_finalizer_may_allocate_and_collect)
{
    struct gc_probe p;
    struct log log = {.p = &p};
    gc_probe_open(&p, NULL);
    make_finalized(&p, p.root, allocate, &log);
    drop(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(log.n, MANY - GC_PROBE_STRAYS);
    cr_assert_leq(log.n, MANY);
    gc_probe_close(&p);
}

static void jump(void *object, void *arg)
{
    struct log *log = arg;
    note(object, arg);
    longjmp(log->back, 1);
}

Test(gc_dying, a_finalizer_may_leave_by_longjmp)
{
    struct gc_probe p;
    static struct log log;
    gc_probe_open(&p, NULL);
    make_finalized(&p, p.root, jump, &log);
    drop(&p);
    for (volatile int i = 0; i < 2 * MANY; i++)
        if (setjmp(log.back) == 0)
            gc_probe_collect(&p, HY_GC_FULL);
        else
            log.jumps++;
    cr_assert_eq(log.jumps, log.n);
    cr_assert_geq(log.n, MANY - GC_PROBE_STRAYS);
    cr_assert_leq(log.n, MANY);
    cr_assert_not_null(hy_gc_alloc(p.self, 100));
    gc_probe_close(&p);
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
    (void)signal;
    signals = signals + 1;
}

static void raise_it(void *object, void *arg)
{
    note(object, arg);
    raise(SIGUSR2);
}

Test(gc_dying, a_finalizer_may_raise_a_signal)
{
    struct gc_probe p;
    struct log log = {0};
    sigaction(SIGUSR2, &(struct sigaction){.sa_handler = count_signal}, NULL);
    gc_probe_open(&p, NULL);
    make_finalized(&p, p.root, raise_it, &log);
    drop(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(log.n, MANY - GC_PROBE_STRAYS);
    cr_assert_eq((size_t)signals, log.n);
    gc_probe_close(&p);
}

Test(gc_dying, freeing_calls_no_finalizer)
{
    struct gc_probe p;
    struct log log = {0};
    gc_probe_open(&p, NULL);
    make_finalized(&p, p.root, note, &log);
    for (size_t i = 0; i < MANY; i += 2)
        hy_gc_free(p.self, p.root[i]);
    cr_assert_eq(hy_gc_finalizers_waiting(p.heap), MANY / 2);
    drop(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_leq(log.n, MANY / 2);
    for (size_t i = 0; i < log.n; i++)
        cr_assert_eq(log.called[i] % 2, 0);
    gc_probe_close(&p);
}

/* ---- weak links ---- */

static void see_links(void *object, void *arg)
{
    struct log *log = arg;
    const struct node *node = object;
    cr_assert_null(log->links[2 * node->number], "short link, in finalizer");
    cr_assert_eq(log->links[2 * node->number + 1], object);
    note(object, arg);
}

static NOINLINE void make_linked(struct gc_probe *p, struct log *log)
{
    for (uintptr_t i = 0; i < MANY; i++) {
        struct node *node = make(p, i);
        p->root[i] = node;
        log->links[2 * i] = log->links[2 * i + 1] = node;
        hy_gc_weak_add(p->heap, &log->links[2 * i], node, false);
        hy_gc_weak_add(p->heap, &log->links[2 * i + 1], node, true);
        finalize(p, node, see_links, log, HY_GC_ORDER_NONE);
    }
}

Test(gc_dying, short_links_end_before_finalizers_long_ones_after)
{
    static void *links[2 * MANY]; /* no root: scan_globals is off */
    struct gc_probe p;
    struct log log = {.links = links};
    gc_probe_open(&p, NULL);
    make_linked(&p, &log);
    gc_probe_collect(&p, HY_GC_FULL);
    for (size_t i = 0; i < MANY; i++) {
        cr_assert_eq(links[2 * i], p.root[i]);
        cr_assert_eq(links[2 * i + 1], p.root[i]);
    }
    drop(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(log.n, MANY - GC_PROBE_STRAYS);
    gc_probe_collect(&p, HY_GC_FULL);
    size_t left = 0;
    for (size_t i = 0; i < 2 * MANY; i++)
        left += links[i] != NULL;
    cr_assert_leq(left, 2 * GC_PROBE_STRAYS);
    gc_probe_close(&p);
}

static void *moved_from, *moved_to, *removed;

static NOINLINE void make_and_move(struct gc_probe *p)
{
    p->root[0] = make(p, 1);
    p->root[1] = make(p, 2);
    cr_assert_eq(hy_gc_weak_remove(p->heap, &moved_from), ENOENT);
    cr_assert_eq(hy_gc_weak_move(p->heap, &moved_from, &moved_to), ENOENT);
    cr_assert_eq(hy_gc_weak_add(p->heap, &moved_from, p, false), EINVAL);
    moved_from = removed = p->root[1];
    cr_assert_eq(hy_gc_weak_add(p->heap, &moved_from, p->root[0], false), 0);
    cr_assert_eq(hy_gc_weak_add(p->heap, &moved_from, p->root[1], false),
                 EEXIST);
    cr_assert_eq(hy_gc_weak_add(p->heap, &removed, p->root[1], false), 0);
    cr_assert_eq(hy_gc_weak_move(p->heap, &moved_from, &removed), EEXIST);
    cr_assert_eq(hy_gc_weak_move(p->heap, &moved_from, &moved_from), 0);
    moved_to = moved_from;
    moved_from = (void *)1;
    cr_assert_eq(hy_gc_weak_move(p->heap, &moved_from, &moved_to), 0);
    cr_assert_eq(hy_gc_weak_remove(p->heap, &removed), 0);
}

static NOINLINE bool is_root(const struct gc_probe *p, size_t i, void *const *q)
{
    return p->root[i] == *q;
}

Test(gc_dying, links_can_be_set_moved_and_removed)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    make_and_move(&p);
    p.root[0] = NULL;
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert(is_root(&p, 1, &moved_to));
    p.root[1] = NULL;
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_null(moved_to);
    cr_assert_eq(moved_from, (void *)1);
    cr_assert_not_null(removed);
    gc_probe_close(&p);
}

/* Links in leaves, whose targets live on while the leaves die. */
static NOINLINE void make_links_in_leaves(struct gc_probe *p)
{
    for (size_t i = 0; i < MANY; i++) {
        void **leaf = hy_gc_alloc_leaf(p->self, 64);
        p->root[i] = make(p, i);
        leaf[3] = p->root[i];
        cr_assert_eq(hy_gc_weak_add(p->heap, &leaf[3], p->root[i], false), 0);
        p->root[MANY + i] = (void *)~(uintptr_t)leaf;
    }
}

static NOINLINE size_t reuse_leaves(struct gc_probe *p)
{
    size_t reused = 0;
    for (size_t i = 0; i < 3000; i++) {
        void *leaf = hy_gc_alloc_leaf(p->self, 64);
        memset(leaf, 0x5A, 64);
        for (size_t k = 0; k < MANY; k++)
            if (p->root[MANY + k] == (void *)~(uintptr_t)leaf) {
                p->root[2 * MANY + k] = leaf;
                reused++;
            }
    }
    return reused;
}

Test(gc_dying, a_link_in_an_object_that_dies_is_forgotten)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    make_links_in_leaves(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    size_t reused = reuse_leaves(&p);
    cr_assert_gt(reused, MANY / 2);
    memset(p.root, 0, MANY * sizeof *p.root);
    gc_probe_collect(&p, HY_GC_FULL);
    gc_probe_collect(&p, HY_GC_FULL);
    for (size_t i = 2 * MANY; i < 3 * MANY; i++)
        if (p.root[i])
            cr_assert(gc_probe_is_all(p.root[i], 64, 0x5A), "leaf %zu", i);
    gc_probe_close(&p);
}

/* A chain of objects with a layout, few of which stay: those that do may
 * move, for nothing else refers to them but links. */
static NOINLINE void make_sparse(struct gc_probe *p, unsigned layout)
{
    for (uintptr_t i = 0; i < 4000; i++) {
        struct node *node = hy_gc_alloc_layout(p->self, layout);
        node->number = i;
        if (i % 20)
            continue;
        node->next = ((struct node *)p->root[0])->next;
        ((struct node *)p->root[0])->next = node;
        gc_probe_watch(p, node);
    }
}

static NOINLINE size_t check_moved(const struct gc_probe *p,
                                   const uintptr_t before[])
{
    size_t moved = 0, i = p->watched;
    for (const struct node *node = ((struct node *)p->root[0])->next; node;
         node = node->next) {
        cr_assert_eq(p->link[--i], node, "link %zu", i);
        cr_assert_eq(node->number, i * 20);
        moved += before[i] != ~(uintptr_t)node;
    }
    cr_assert_eq(i, 0);
    return moved;
}

Test(gc_dying, links_follow_objects_that_move)
{
    static const bool is_pointer[4] = {true, true, false, false};
    static uintptr_t before[GC_PROBE_WATCHED];
    struct hy_gc_config config = gc_probe_config();
    struct gc_probe p;
    unsigned layout;
    config.compact = true;
    gc_probe_open(&p, &config);
    cr_assert_eq(hy_gc_layout_add(p.heap, 32, is_pointer, &layout), 0);
    p.root[0] = hy_gc_alloc_layout(p.self, layout);
    make_sparse(&p, layout);
    for (size_t i = 0; i < p.watched; i++)
        before[i] = ~(uintptr_t)p.link[i];
    gc_probe_collect(&p, HY_GC_FULL);
    gc_probe_collect(&p, HY_GC_COMPACTING);
    cr_assert_gt(check_moved(&p, before), p.watched / 4);
    cr_assert_eq(gc_probe_dead(&p), 0);
    gc_probe_close(&p);
}

static void never_run(void *object, void *arg)
{
    (void)object;
    (void)arg;
}

static const struct hy_gc_finalizer finalizer = {never_run, NULL,
                                                 HY_GC_ORDER_NONE};

/* Each object of the chain still has its finalizer. */
static size_t have_finalizers(const struct gc_probe *p)
{
    size_t n = 0;
    for (struct node *node = ((struct node *)p->root[0])->next; node;
         node = node->next) {
        struct hy_gc_finalizer old;
        hy_gc_finalizer_set(p->heap, node, &finalizer, &old);
        n += old.run == never_run;
    }
    return n;
}

/* Whether the system has memory for tables or not, what moves is found. */
static void move_while_starved(void *arg, int fd)
{
    static const bool is_pointer[4] = {true, true, false, false};
    const struct rlimit none = {1 << 20, RLIM_INFINITY};
    struct hy_gc_config config = gc_probe_config();
    struct gc_probe p;
    unsigned layout;
    (void)fd;
    config.compact = true;
    gc_probe_open(&p, &config);
    hy_gc_layout_add(p.heap, 32, is_pointer, &layout);
    p.root[0] = hy_gc_alloc_layout(p.self, layout);
    make_sparse(&p, layout);
    const size_t n = p.watched;
    for (size_t i = 0; i < n; i++)
        hy_gc_finalizer_set(p.heap, p.link[i], &finalizer, NULL);
    if (*(bool *)arg && setrlimit(RLIMIT_AS, &none))
        _exit(9);
    gc_probe_collect(&p, HY_GC_FULL);
    gc_probe_collect(&p, HY_GC_COMPACTING);
    _exit(have_finalizers(&p) == n ? 0 : 1);
}

Test(gc_dying, without_memory_for_tables_nothing_is_lost)
{
    static bool is_starved[] = {false, true};
    char said[200];
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(
            run_forked(move_while_starved, &is_starved[i], said, sizeof said),
            0, "%zu", i);
}

/* ---- ephemerons ---- */

/* Key i is the value of ephemeron i - 1; ephemerons are all roots.  The order
 * in which they are made is the chain's, or the other way round. */
static NOINLINE void make_ephemerons(struct gc_probe *p, bool is_reversed)
{
    static struct node *key[MANY + 1];
    for (size_t i = 0; i <= MANY; i++)
        key[i] = p->root[i] = make(p, i);
    for (size_t k = 0; k < MANY; k++) {
        size_t i = is_reversed ? MANY - 1 - k : k;
        p->root[MANY + 1 + i] =
            hy_gc_ephemeron_new(p->self, key[i], key[i + 1]);
        cr_assert_not_null(p->root[MANY + 1 + i]);
    }
    memset(key, 0, sizeof key);
    memset(p->root + 1, 0, MANY * sizeof *p->root);
}

static size_t whole(const struct gc_probe *p)
{
    size_t n = 0;
    for (size_t i = 0; i < MANY; i++) {
        const struct node *key = hy_gc_ephemeron_key(p->root[MANY + 1 + i]);
        const struct node *value = hy_gc_ephemeron_value(p->root[MANY + 1 + i]);
        cr_assert_eq(!key, !value);
        n += key && key->number == i && value->number == i + 1;
    }
    return n;
}

Test(gc_dying, a_chain_of_ephemerons_lives_by_its_head)
{
    for (int is_reversed = 0; is_reversed < 2; is_reversed++) {
        struct gc_probe p;
        gc_probe_open(&p, NULL);
        make_ephemerons(&p, is_reversed);
        gc_probe_collect(&p, HY_GC_FULL);
        gc_probe_collect(&p, HY_GC_FULL);
        cr_assert_eq(whole(&p), MANY);
        p.root[0] = NULL;
        gc_probe_collect(&p, HY_GC_FULL);
        cr_assert_eq(whole(&p), 0);
        gc_probe_close(&p);
    }
}

/* Values that lead back to their keys, or are them. */
static NOINLINE void make_back(struct gc_probe *p)
{
    for (size_t i = 0; i < MANY; i++) {
        struct node *key = make(p, i), *value = i % 2 ? make(p, i) : key;
        value->next = key;
        p->root[i] = hy_gc_ephemeron_new(p->self, key, value);
    }
}

Test(gc_dying, a_value_does_not_keep_its_own_key)
{
    struct gc_probe p;
    size_t kept = 0;
    gc_probe_open(&p, NULL);
    make_back(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    for (size_t i = 0; i < MANY; i++)
        kept += hy_gc_ephemeron_key(p.root[i]) != NULL;
    cr_assert_leq(kept, GC_PROBE_STRAYS);
    gc_probe_close(&p);
}

static NOINLINE void make_dying_ephemerons(struct gc_probe *p)
{
    for (size_t i = 0; i < MANY; i++) {
        p->root[i] = make(p, i);
        struct node *value = make(p, i);
        gc_probe_watch(p, value);
        hy_gc_ephemeron_new(p->self, p->root[i], value);
    }
}

Test(gc_dying, an_ephemeron_that_is_not_reached_keeps_nothing)
{
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    make_dying_ephemerons(&p);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_geq(gc_probe_dead(&p), MANY - GC_PROBE_STRAYS);
    gc_probe_close(&p);
}
