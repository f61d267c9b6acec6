/* test_gc_limits.c - the collector where memory ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "forked.h"
#include "gc_probe.h"

#define NOINLINE __attribute__((noinline))

/* Lists in root i until there is no memory; every node says where it is. */
struct node {
    struct node *next;
    uintptr_t number, check;
    char rest[1000];
};

static NOINLINE uintptr_t fill(struct gc_probe *p, size_t root)
{
    uintptr_t n = 0;
    for (struct node *node; (node = hy_gc_alloc(p->self, sizeof *node)); n++) {
        node->next = p->root[root];
        node->number = n;
        node->check = ~n;
        p->root[root] = node;
    }
    return n;
}

static NOINLINE int is_whole(const struct gc_probe *p, size_t root, uintptr_t n)
{
    for (const struct node *node = p->root[root]; node; node = node->next)
        if (node->number != --n || node->check != ~n)
            return 0;
    return n == 0;
}

static NOINLINE int is_room(const struct gc_probe *p, size_t bytes)
{
    return hy_gc_alloc(p->self, bytes) != NULL;
}

Test(gc_limits, a_heap_that_is_full_says_so_and_goes_on)
{
    if (!GC_PROBE_IS_EXACT)
        cr_skip("a sanitizer keeps single objects");
    struct hy_gc_config config = gc_probe_config();
    struct hy_gc_stats stats;
    struct gc_probe p;
    config.heap_limit = 8 << 20;
    gc_probe_open(&p, &config);
    for (int i = 0; i < 5; i++) {
        uintptr_t n = fill(&p, 0);
        cr_assert_gt(n, 3500); /* a stray word may keep the last 4 MiB */
        cr_assert(is_whole(&p, 0, n));
        cr_assert_null(hy_gc_alloc(p.self, 1 << 20));
        hy_gc_stats(p.heap, &stats);
        cr_assert_leq(stats.heap_bytes, config.heap_limit);
        p.root[0] = NULL;
        gc_probe_wipe();
        cr_assert(is_room(&p, 4 << 20));
        gc_probe_wipe();
    }
    cr_assert_eq(hy_gc_set_limit(p.heap, 16 << 20), 0);
    cr_assert_gt(fill(&p, 0), 12000);
    gc_probe_close(&p);
}

struct emergency {
    struct gc_probe *p;
    size_t calls, asked;
    char spare[64];
};

static void *out_of_memory(size_t size, void *arg)
{
    struct emergency *e = arg;
    e->calls++;
    e->asked = size;
    if (e->calls > 1)
        return NULL;
    e->p->root[0] = NULL; /* not locked: the heap may be used */
    hy_gc_collect(e->p->heap, HY_GC_FULL);
    return hy_gc_alloc(e->p->self, size) ? e->spare : NULL;
}

Test(gc_limits, what_the_hook_returns_the_allocation_returns)
{
    if (!GC_PROBE_IS_EXACT)
        cr_skip("a sanitizer keeps single objects");
    struct hy_gc_config config = gc_probe_config();
    struct gc_probe p;
    struct emergency e = {.p = &p};
    config.heap_limit = 8 << 20;
    config.out_of_memory = out_of_memory;
    config.out_of_memory_arg = &e;
    gc_probe_open(&p, &config);
    p.root[0] = hy_gc_alloc(p.self, 6 << 20);
    cr_assert_not_null(p.root[0]);
    cr_assert_eq(hy_gc_alloc(p.self, 5 << 20), e.spare);
    cr_assert_eq(e.calls, 1);
    cr_assert_geq(e.asked, 5 << 20);
    cr_assert_null(hy_gc_alloc(p.self, SIZE_MAX));
    cr_assert_eq(e.calls, 2);
    gc_probe_close(&p);
}

/* ---- the system has no memory ---- */

static void limit(int resource, rlim_t bytes)
{
    struct rlimit r;
    getrlimit(resource, &r);
    r.rlim_cur = bytes;
    if (setrlimit(resource, &r))
        _exit(9);
}

static void count_run(void *object, void *arg)
{
    (void)object;
    ++*(size_t *)arg;
}

/* Finalizers for all of list 0, as far as their table has room; a refusal is
 * ENOMEM.  Returns how many are set. */
static NOINLINE size_t set_finalizers(struct gc_probe *p, size_t *ran,
                                      size_t *refused)
{
    size_t set = 0;
    for (struct node *node = p->root[0]; node; node = node->next) {
        int err = hy_gc_finalizer_set(
            p->heap, node,
            &(struct hy_gc_finalizer){count_run, ran, HY_GC_ORDER_NONE}, NULL);
        if (err && err != ENOMEM)
            _exit(1);
        set += !err;
        *refused += err == ENOMEM;
    }
    return set;
}

static NOINLINE void use_again(struct gc_probe *p)
{
    p->root[0] = p->root[1] = NULL;
    gc_probe_wipe();
    for (int i = 0; i < 40; i++)
        if (!hy_gc_alloc(p->self, 1 << 20))
            _exit(5);
}

/* Nothing more may be mapped: tables cannot grow, and with RLIMIT_DATA the heap
 * cannot, either (of address space it has reserved its own). */
static void starve(void *arg, int fd)
{
    const int resource = *(int *)arg;
    struct hy_gc_config config = gc_probe_config();
    struct gc_probe p;
    size_t ran = 0, refused = 0;
    (void)fd;
    config.heap_limit = 32 << 20;
    gc_probe_open(&p, &config);
    p.root[1] = hy_gc_alloc(p.self, 1500000); /* not all that is mapped */
    limit(resource, 1 << 20);                 /* less than there is */
    uintptr_t n = fill(&p, 0);
    if (n < 100)
        _exit(8);
    size_t set = set_finalizers(&p, &ran, &refused);
    if (!refused || hy_gc_finalizers_waiting(p.heap) != set)
        _exit(2);
    hy_gc_collect(p.heap, HY_GC_FULL);
    if (ran || !is_whole(&p, 0, n))
        _exit(3);
    limit(resource, RLIM_INFINITY);
    refused = 0;
    set = set_finalizers(&p, &ran, &refused);
    if (refused || set != n || hy_gc_finalizers_waiting(p.heap) != n)
        _exit(4);
    use_again(&p);
    _exit(ran + 8 >= n && ran <= n ? 0 : 6);
}

static void open_starved(void *arg, int fd)
{
    const struct hy_gc_config config = gc_probe_config();
    struct hy_gc *heap = NULL;
    char why[200] = "";
    (void)arg;
    limit(RLIMIT_AS, 1 << 20);
    int err = hy_gc_open(&config, &heap, why, sizeof why);
    (void)fd;
    _exit(err == ENOMEM && !heap ? 7 : 0);
}

Test(gc_limits, growth_that_the_system_refuses_is_no_memory)
{
    static int resources[] = {RLIMIT_AS, RLIMIT_DATA};
    char said[200];
    for (size_t i = 0; i < 2; i++) {
        int code = run_forked(starve, &resources[i], said, sizeof said);
        cr_assert_eq(code, 0, "limit %zu: step %d", i, code);
    }
    cr_assert_eq(run_forked(open_starved, NULL, said, sizeof said), 7);
}

/* As many root ranges as their table has room for (a page); then one is to be
 * cut in two without memory: it stays whole. */
static void cut_starved(void *arg, int fd)
{
    enum { RANGES = 255 }; /* the probe's own is one */
    static void *place[2 * RANGES + 8];
    struct gc_probe p;
    char why[200];
    (void)arg;
    (void)fd;
    gc_probe_open(&p, NULL);
    for (size_t i = 0; i < RANGES; i++) /* the last is longer */
        if (hy_gc_roots_add(p.heap, place + 2 * i,
                            place + 2 * i + (i == RANGES - 1 ? 8 : 1), why,
                            sizeof why))
            _exit(1);
    void **last = place + 2 * (RANGES - 1);
    gc_probe_watch(&p, last[7] = hy_gc_alloc(p.self, 100));
    limit(RLIMIT_AS, 1 << 20);
    if (hy_gc_roots_remove(p.heap, last + 3, last + 4) != ENOMEM)
        _exit(2);
    gc_probe_collect(&p, HY_GC_FULL);
    if (gc_probe_dead(&p))
        _exit(3);
    limit(RLIMIT_AS, RLIM_INFINITY);
    _exit(hy_gc_roots_remove(p.heap, last + 3, last + 4) ? 4 : 0);
}

/* Where the program's variables lie cannot be noted: nothing is collected. */
static void collect_starved(void *arg, int fd)
{
    static void *global;
    struct hy_gc_config config = gc_probe_config();
    struct gc_probe p;
    (void)arg;
    (void)fd;
    config.scan_globals = true;
    gc_probe_open(&p, &config);
    gc_probe_watch(&p, global = hy_gc_alloc(p.self, 100));
    limit(RLIMIT_AS, 1 << 20);
    gc_probe_collect(&p, HY_GC_FULL);
    if (gc_probe_dead(&p))
        _exit(1);
    limit(RLIMIT_AS, RLIM_INFINITY);
    gc_probe_collect(&p, HY_GC_FULL);
    _exit(gc_probe_dead(&p) || !global ? 2 : 0);
}

Test(gc_limits, roots_without_memory_keep_more_rather_than_less)
{
    char said[200];
    cr_assert_eq(run_forked(cut_starved, NULL, said, sizeof said), 0);
    cr_assert_eq(run_forked(collect_starved, NULL, said, sizeof said), 0);
}

/* ---- heaps that come and go ---- */

/* Lines of the address space's map, and its pages. */
static void measure(size_t *lines, size_t *pages)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    FILE *statm = fopen("/proc/self/statm", "r");
    int c;
    *lines = 0;
    while ((c = getc(maps)) != EOF)
        *lines += c == '\n';
    cr_assert_eq(fscanf(statm, "%zu", pages), 1);
    fclose(maps);
    fclose(statm);
}

static NOINLINE void use_heap(unsigned i)
{
    struct hy_gc_config config = gc_probe_config();
    struct gc_probe p;
    config.markers = 1 + i % 3;
    config.generational = i % 2;
    config.compact = i % 4 > 1;
    gc_probe_open(&p, &config);
    for (size_t k = 0; k < 200; k++) {
        p.root[k] = hy_gc_alloc(p.self, k * 100);
        gc_probe_watch(&p, p.root[k]);
    }
    hy_gc_collect(p.heap, HY_GC_COMPACTING);
    gc_probe_close(&p);
}

Test(gc_limits, closed_heaps_leave_nothing_mapped)
{
    size_t lines[2], pages[2];
    for (unsigned i = 0; i < 12; i++)
        use_heap(i);
    measure(&lines[0], &pages[0]);
    for (unsigned i = 0; i < 200; i++)
        use_heap(i);
    measure(&lines[1], &pages[1]);
    cr_assert_leq(lines[1], lines[0] + 2);
    cr_assert_leq(pages[1], pages[0] + 64);
}

/* ---- much to mark ---- */

static NOINLINE void make_list(struct gc_probe *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        void **node = hy_gc_alloc(p->self, 16);
        node[0] = p->root[0];
        p->root[0] = node;
    }
}

Test(gc_limits, lists_need_no_stack)
{
    enum { NODES = 1000000 };
    struct gc_probe p;
    size_t n = 0;
    gc_probe_open(&p, NULL);
    make_list(&p, NODES);
    gc_probe_collect(&p, HY_GC_FULL);
    for (void **node = p.root[0]; node; node = *node)
        n += hy_gc_may_live(p.heap, node);
    cr_assert_eq(n, NODES);
    gc_probe_close(&p);
}

/* A chain of wide objects, whose first word is the next: all other words wait
 * on the stack while it is followed, more than there is room for. */
static NOINLINE void make_wide_chain(struct gc_probe *p, size_t n, size_t words)
{
    void *common = hy_gc_alloc_leaf(p->self, 16);
    for (size_t i = 0; i < n; i++) {
        void **wide = hy_gc_alloc(p->self, words * sizeof *wide);
        wide[0] = p->root[0];
        for (size_t k = 1; k < words; k++)
            wide[k] = common;
        if (i % (n / 1000) == 0)
            gc_probe_watch(p, wide[words - 1] = hy_gc_alloc(p->self, 48));
        p->root[0] = wide;
    }
}

Test(gc_limits, what_does_not_fit_the_stack_is_not_lost)
{
    enum { NODES = 40000, WORDS = 256 };
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    hy_gc_disable(p.heap);
    make_wide_chain(&p, NODES, WORDS);
    hy_gc_enable(p.heap);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(gc_probe_dead(&p), 0);
    gc_probe_close(&p);
}

/* More pointers in uncollectable objects than a marker's stack has words: what
 * it drops is looked for again. */
Test(gc_limits, roots_that_do_not_fit_the_stack_are_not_lost)
{
    enum { HOLDERS = 600000, WORDS = 16 };
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    hy_gc_disable(p.heap);
    void *common = hy_gc_alloc_leaf(p.self, 16);
    for (size_t i = 0; i < HOLDERS; i++) {
        void **holder = hy_gc_alloc_uncollectable(p.self, WORDS * 8);
        for (size_t k = 0; k < WORDS; k++)
            holder[k] = common;
        if (i % (HOLDERS / 1000) == 0)
            gc_probe_watch(&p, holder[3] = hy_gc_alloc(p.self, 48));
    }
    hy_gc_enable(p.heap);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(gc_probe_dead(&p), 0);
    gc_probe_close(&p);
}

static NOINLINE void make_ephemerons(struct gc_probe *p, size_t depth, size_t n)
{
    void **kept = p->root[1] = hy_gc_alloc(p->self, n * sizeof *kept);
    void **key = p->root[0];
    for (size_t i = 0; i < depth; i++)
        key = *key;
    for (size_t i = 0; i < n; i++) {
        void *value = hy_gc_alloc(p->self, 16);
        kept[i] = hy_gc_ephemeron_new(p->self, key, value);
        if (i % (n / 1000) == 0)
            gc_probe_watch(p, value);
    }
    p->root[2] = hy_gc_alloc(p->self, 16);
    p->root[3] = hy_gc_ephemeron_new(p->self, p->root[2], p->root[0]);
    p->root[0] = NULL;
}

/* The chain is the value of an ephemeron, and one of its objects the key of
 * many more, when their values no longer fit. */
Test(gc_limits, values_that_do_not_fit_the_stack_are_not_lost)
{
    enum { NODES = 36100, WORDS = 256, DEPTH = 36000, VALUES = 500000 };
    struct gc_probe p;
    gc_probe_open(&p, NULL);
    hy_gc_disable(p.heap);
    make_wide_chain(&p, NODES, WORDS);
    gc_probe_dead(&p);
    make_ephemerons(&p, DEPTH, VALUES);
    hy_gc_enable(p.heap);
    gc_probe_collect(&p, HY_GC_FULL);
    cr_assert_eq(gc_probe_dead(&p), 0);
    gc_probe_close(&p);
}
