/* test_slab.c - the slab allocator: its invariant, under random use.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* usleep */
#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "forked.h"
#include "random.h"
#include "size_class.h"
#include "slab.h"
#include "slab_mesh.h"

extern const struct allocator slab_allocator;
static const struct allocator *const slab = &slab_allocator;

/* Every knob away from its preset in one of them. */
static const char *const variants[] = {
    "slab",
    "slab:classes=4:decay=0",
    "slab:classes=16:carve=65536:batch=0",
    "slab:classes=2:carve=16:huge-pages=on",
    "slab:mesh=on:decay=5",
    "slab:mode=hardened",
    "slab:mode=hardened:quarantine=0",
    "slab:mode=hardened:mesh=on",
};
enum { VARIANTS = sizeof variants / sizeof *variants };

static struct heap *open_variant(const char *text)
{
    const struct allocator *a;
    struct knob_values values;
    struct heap *heap = NULL;
    char why[256] = "";
    cr_assert_eq(allocator_choose(text, &a, &values, why, sizeof why), 0, "%s",
                 why);
    const struct heap_config config = {.threads = 8, .knobs = &values};
    cr_assert_eq(a->open(&config, &heap), 0, "%s", text);
    return heap;
}

static struct heap *open_heap(void)
{
    return open_variant("slab");
}

static void check(struct heap *heap, size_t blocks)
{
    struct heap_report report;
    const char *fault = slab_check(heap);
    cr_assert_null(fault, "%s", fault);
    cr_assert_eq(slab->inspect(heap, &report), 0);
    cr_assert_eq(report.live_blocks, blocks, "%zu blocks, want %zu",
                 report.live_blocks, blocks);
}

Test(slab, every_size_has_the_smallest_class_that_holds_it)
{
    for (size_t size = 0; size <= SIZE_CLASS_MAX; size++) {
        unsigned c = size_class_of(size);
        cr_assert(c >= 1 && c < SIZE_CLASSES);
        cr_assert_geq(size_class_bytes(c), size);
        cr_assert_eq(size_class_bytes(c) % 16, 0);
        if (c > 1)
            cr_assert_lt(size_class_bytes(c - 1), size);
    }
    cr_assert_eq(size_class_bytes(SIZE_CLASSES - 1), SIZE_CLASS_MAX);
}

struct model {
    unsigned char *p;
    size_t size;
    unsigned char fill;
};

static size_t random_size(struct random *r)
{
    uint64_t kind = random_below(r, 100);
    if (kind < 70)
        return random_below(r, 300);
    if (kind < 90)
        return random_below(r, 20000);
    if (kind < 99)
        return random_below(r, 600000);
    return random_below(r, 3000000);
}

static void verify(const struct model *m)
{
    if (!m->size)
        return;
    cr_assert_eq(m->p[0], m->fill);
    cr_assert_eq(m->p[m->size / 2], m->fill);
    cr_assert_eq(m->p[m->size - 1], m->fill);
}

static void replace(struct heap *heap, struct model *m, struct random *r)
{
    size_t align = random_below(r, 8) ? 0 : (size_t)1 << random_below(r, 22);
    int zero = random_below(r, 4) == 0;
    m->size = random_size(r);
    m->p =
        zero ? slab->zalloc(heap, m->size) : slab->alloc(heap, m->size, align);
    cr_assert_not_null(m->p);
    cr_assert_eq((uintptr_t)m->p % (!zero && align > 16 ? align : 16), 0);
    cr_assert_geq(slab->usable(heap, m->p, m->size), m->size);
    for (size_t i = 0; zero && i < m->size; i++)
        cr_assert_eq(m->p[i], 0, "zalloc: byte %zu of %zu", i, m->size);
    m->fill = (unsigned char)random_below(r, 256);
    memset(m->p, m->fill, m->size);
}

static void resize(struct heap *heap, struct model *m, struct random *r)
{
    size_t old = m->size;
    m->size = random_size(r) + 1;
    m->p = slab->resize(heap, m->p, old, m->size);
    cr_assert_not_null(m->p);
    if (old && m->size)
        cr_assert_eq(m->p[(old < m->size ? old : m->size) - 1], m->fill);
    memset(m->p, m->fill, m->size);
}

Test(slab, holds_its_invariant_and_its_contents_under_random_use)
{
    enum { SLOTS = 500, STEPS = 15000 };
    static struct model model[SLOTS];
    for (uint64_t seed = 1; seed <= VARIANTS; seed++) {
        struct random r;
        random_seed(&r, seed);
        struct heap *heap = open_variant(variants[seed - 1]);
        size_t live = 0;
        memset(model, 0, sizeof model);
        for (unsigned step = 0; step < STEPS; step++) {
            struct model *m = &model[random_below(&r, SLOTS)];
            if (!m->p) {
                replace(heap, m, &r);
                live++;
            } else if (verify(m), random_below(&r, 4) == 0) {
                resize(heap, m, &r);
            } else {
                slab->dealloc(heap, m->p, m->size);
                m->p = NULL;
                live--;
            }
            if (step % 1000 == 0)
                check(heap, live);
        }
        for (unsigned i = 0; i < SLOTS; i++)
            if (model[i].p)
                slab->dealloc(heap, model[i].p, model[i].size);
        check(heap, 0);
        slab->leave(heap);
        check(heap, 0);
        slab->close(heap);
    }
}

Test(slab, refuses_what_cannot_be)
{
    struct heap *heap = open_heap();
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, PTRDIFF_MAX,
                                   (size_t)PTRDIFF_MAX + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 0;
        cr_assert_null(slab->alloc(heap, sizes[i], 0));
        cr_assert_eq(errno, ENOMEM);
        errno = 0;
        cr_assert_null(slab->zalloc(heap, sizes[i]));
        cr_assert_eq(errno, ENOMEM);
    }
    char *p = slab->alloc(heap, 10, 0);
    memcpy(p, "unchanged", 10);
    cr_assert_null(slab->resize(heap, p, 10, PTRDIFF_MAX));
    cr_assert_str_eq(p, "unchanged");
    slab->dealloc(heap, p, 10);
    slab->dealloc(heap, NULL, 0);
    check(heap, 0);
    slab->close(heap);
}

Test(slab, a_huge_block_grows_and_shrinks_with_its_contents)
{
    struct heap *heap = open_heap();
    size_t size = 2 << 20;
    unsigned char *p = slab->alloc(heap, size, 0);
    memset(p, 1, size);
    for (unsigned i = 0; i < 10; i++) {
        size_t next = i < 5 ? size + (size << (i % 3)) / 2 : size - size / 3;
        p = slab->resize(heap, p, size, next);
        cr_assert_not_null(p);
        size_t kept = size < next ? size : next;
        cr_assert_eq(p[0], 1);
        cr_assert_eq(p[kept - 1], 1);
        memset(p, 1, next);
        size = next;
        check(heap, 1);
    }
    cr_assert_null(slab->resize(heap, p, size, PTRDIFF_MAX));
    cr_assert_eq(p[size - 1], 1);
    slab->dealloc(heap, p, size);
    check(heap, 0);
    slab->close(heap);
}

/* Threads pass blocks on through a shared board, so that most are freed by
 * others, and come and go. */
enum { THREADS = 4, BOARD = 256, TURNS = 30000 };

struct party {
    struct heap *heap;
    _Atomic(size_t *) board[BOARD];
    _Atomic unsigned next;
};

static void *take_part(void *arg)
{
    struct party *party = arg;
    struct random r;
    random_seed(&r, atomic_fetch_add(&party->next, 1) + 77);
    cr_assert_eq(slab->enter(party->heap), 0);
    for (unsigned i = 0; i < TURNS; i++) {
        size_t size = sizeof(size_t) + random_below(&r, i % 50 ? 200 : 90000);
        size_t *p = slab->alloc(party->heap, size, 0);
        if (!p)
            abort();
        *p = size ^ (size_t)(uintptr_t)p;
        size_t *old =
            atomic_exchange(&party->board[random_below(&r, BOARD)], p);
        if (old && (*old ^ (size_t)(uintptr_t)old) > 100000)
            abort();
        slab->dealloc(party->heap, old, 0);
    }
    slab->leave(party->heap);
    return NULL;
}

static void pass_blocks_around(const char *variant)
{
    static struct party party;
    memset(&party, 0, sizeof party);
    party.heap = open_variant(variant);
    for (unsigned round = 0; round < 2; round++) {
        pthread_t thread[THREADS];
        for (unsigned i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&thread[i], NULL, take_part, &party),
                         0);
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        size_t live = 0;
        for (unsigned i = 0; i < BOARD; i++)
            live += atomic_load(&party.board[i]) != NULL;
        check(party.heap, live);
    }
    for (unsigned i = 0; i < BOARD; i++)
        slab->dealloc(party.heap, atomic_load(&party.board[i]), 0);
    check(party.heap, 0);
    slab->close(party.heap);
}

Test(slab, threads_may_free_what_others_allocated)
{
    for (unsigned v = 0; v < VARIANTS; v++)
        pass_blocks_around(variants[v]);
}

/* ---- what callers get wrong ---- */

struct mistake {
    struct heap *heap;
    char *p;
    size_t size;
};

static void free_twice(struct mistake *m)
{
    slab->dealloc(m->heap, m->p, 0);
    slab->dealloc(m->heap, m->p, 0);
}

static void free_twice_with_another_between(struct mistake *m)
{
    char *q = slab->alloc(m->heap, m->size, 0);
    slab->dealloc(m->heap, m->p, 0);
    slab->dealloc(m->heap, q, 0);
    slab->dealloc(m->heap, m->p, 0);
}

static void *free_it(void *arg)
{
    struct mistake *m = arg;
    slab->dealloc(m->heap, m->p, 0);
    return NULL;
}

static void free_after_another_thread_did(struct mistake *m)
{
    pthread_t thread;
    pthread_create(&thread, NULL, free_it, m);
    pthread_join(thread, NULL);
    slab->dealloc(m->heap, m->p, 0);
}

static void free_inside(struct mistake *m)
{
    slab->dealloc(m->heap, m->p + (m->size / 2 & ~(size_t)15), 0);
}

static void free_inside_unaligned(struct mistake *m)
{
    slab->dealloc(m->heap, m->p + 8, 0);
}

static void free_what_is_on_the_stack(struct mistake *m)
{
    char local[64];
    slab->dealloc(m->heap, local, 0);
}

static void free_what_another_heap_gave(struct mistake *m)
{
    slab->dealloc(open_heap(), m->p, 0);
}

static void resize_what_is_free(struct mistake *m)
{
    slab->dealloc(m->heap, m->p, 0);
    (void)slab->resize(m->heap, m->p, m->size, 2 * m->size);
}

static void write_behind(struct mistake *m)
{
    m->p[m->size] ^= 1;
    slab->dealloc(m->heap, m->p, 0);
}

static void write_after_free(struct mistake *m)
{
    slab->dealloc(m->heap, m->p, 0);
    m->p[0] ^= 1;
    slab->leave(m->heap);
}

static const struct {
    const char *name;
    void (*make)(struct mistake *);
    int only_hardened;
    size_t least; /* bytes of the block for which it is a mistake */
} mistakes[] = {
    {"double free", free_twice, 0, 0},
    {"double free, interleaved", free_twice_with_another_between, 0, 0},
    {"double free by two threads", free_after_another_thread_did, 0, 0},
    {"free inside a block", free_inside, 0, 40},
    {"free inside a block, unaligned", free_inside_unaligned, 0, 0},
    {"free of a local", free_what_is_on_the_stack, 0, 0},
    {"free into another heap", free_what_another_heap_gave, 0, 0},
    {"resize of a free block", resize_what_is_free, 0, 0},
    {"write behind a block", write_behind, 1, 0},
    {"write after free", write_after_free, 1, 0},
};

struct attempt {
    const char *variant;
    unsigned mistake;
    size_t size;
};

static void try_mistake(void *arg, int fd)
{
    const struct attempt *a = arg;
    struct mistake m = {open_variant(a->variant), NULL, a->size};
    char *neighbours[8];
    dup2(fd, STDERR_FILENO);
    for (unsigned i = 0; i < 8; i++)
        neighbours[i] = slab->alloc(m.heap, a->size, 0);
    slab->dealloc(m.heap, neighbours[3], 0);
    m.p = slab->alloc(m.heap, a->size, 0);
    mistakes[a->mistake].make(&m);
}

static void expect_notice(const char *variant, unsigned mistake, size_t size)
{
    struct attempt a = {variant, mistake, size};
    char said[512];
    int code = run_forked(try_mistake, &a, said, sizeof said);
    cr_assert_eq(code, 256 + SIGABRT, "%s: %s of %zu bytes: %d, %s", variant,
                 mistakes[mistake].name, size, code, said);
    cr_assert_eq(strncmp(said, "heapyard slab: ", 15), 0, "%s", said);
    cr_assert_eq(strchr(said, '\n'), said + strlen(said) - 1, "%s", said);
}

Test(slab, mistakes_end_with_one_line)
{
    static const size_t sizes[] = {16, 48, 1000, 9000, 50000, 200000, 5000000};
    static const char *const checked[] = {"slab", "slab:mesh=on",
                                          "slab:mode=hardened"};
    for (unsigned v = 0; v < sizeof checked / sizeof *checked; v++)
        for (unsigned m = 0; m < sizeof mistakes / sizeof *mistakes; m++)
            for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                int hardened = strstr(checked[v], "hardened") != NULL;
                /* Beyond the quarantine a block is gone, or not poisoned. */
                if (sizes[i] < mistakes[m].least ||
                    (mistakes[m].only_hardened &&
                     (!hardened || sizes[i] > 100000)))
                    continue;
                expect_notice(checked[v], m, sizes[i]);
            }
}

/* ---- meshing ---- */

enum { SPARSE = 60000 };

struct sparse {
    struct heap *heap;
    uint32_t *block[SPARSE]; /* NULL: freed */
    size_t words;
};

static void sparse_fill(struct sparse *s, size_t bytes)
{
    s->words = bytes / sizeof(uint32_t);
    for (uint32_t i = 0; i < SPARSE; i++) {
        s->block[i] = slab->alloc(s->heap, bytes, 0);
        cr_assert_not_null(s->block[i]);
        for (size_t w = 0; w < s->words; w++)
            s->block[i][w] = i;
    }
}

static void sparse_thin(struct sparse *s, struct random *r)
{
    for (uint32_t i = 0; i < SPARSE; i++)
        if (random_below(r, 10)) {
            slab->dealloc(s->heap, s->block[i], 0);
            s->block[i] = NULL;
        }
}

static size_t sparse_verify(const struct sparse *s)
{
    size_t live = 0;
    for (uint32_t i = 0; i < SPARSE; i++) {
        if (!s->block[i])
            continue;
        live++;
        for (size_t w = 0; w < s->words; w++)
            cr_assert_eq(s->block[i][w], i);
    }
    return live;
}

/* Meshing is by the clock, so that goes on until it has happened, and then has
 * not for much longer than a thread rests between two passes: they are slow
 * under a sanitizer, and the rest is a multiple of that. */
static size_t sparse_settle(struct sparse *s)
{
    enum { LOOKS = 200, ALIKE = 8 };
    size_t before = 0;
    for (unsigned look = 0, alike = 0; look < LOOKS && alike < ALIKE; look++) {
        for (unsigned i = 0; i < 2000; i++)
            slab->dealloc(s->heap, slab->alloc(s->heap, 24, 0), 0);
        usleep(10000);
        const size_t now = mesh_shared_bytes(s->heap);
        alike = before && now == before ? alike + 1 : 0;
        before = now;
    }
    return before;
}

Test(slab, meshing_keeps_contents_and_its_invariant)
{
    static const size_t sizes[] = {32, 64, 112, 512, 1200};
    static struct sparse s;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct random r;
        random_seed(&r, 11 + i);
        s.heap = open_variant("slab:mesh=on");
        sparse_fill(&s, sizes[i]);
        sparse_thin(&s, &r);
        cr_assert_gt(sparse_settle(&s), (size_t)100 * 4096, "%zu", sizes[i]);
        check(s.heap, sparse_verify(&s));
        /* What is set aside is used again, and overwrites nobody. */
        size_t again = 0;
        for (uint32_t b = 0; b < SPARSE; b++)
            if (!s.block[b] && random_below(&r, 2)) {
                s.block[b] = slab->alloc(s.heap, sizes[i], 0);
                for (size_t w = 0; w < s.words; w++)
                    s.block[b][w] = b;
                again++;
            }
        cr_assert_gt(again, (size_t)1000);
        check(s.heap, sparse_verify(&s));
        sparse_settle(&s);
        sparse_thin(&s, &r);
        sparse_settle(&s);
        check(s.heap, sparse_verify(&s));
        for (uint32_t b = 0; b < SPARSE; b++)
            slab->dealloc(s.heap, s.block[b], 0);
        check(s.heap, 0);
        slab->leave(s.heap);
        cr_assert_eq(mesh_shared_bytes(s.heap), 0);
        slab->close(s.heap);
    }
}

struct writer {
    const struct sparse *sparse;
    _Atomic int stop, rounds;
};

/* Counts every live block up, whatever page it lies in just then. */
static void *keep_writing(void *arg)
{
    struct writer *w = arg;
    while (!atomic_load(&w->stop)) {
        for (uint32_t i = 0; i < SPARSE; i++)
            if (w->sparse->block[i])
                w->sparse->block[i][1]++;
        atomic_fetch_add(&w->rounds, 1);
    }
    return NULL;
}

Test(slab, meshing_loses_no_write_of_another_thread)
{
    static struct sparse s;
    struct writer w = {.sparse = &s};
    struct random r;
    pthread_t thread;
    random_seed(&r, 5);
    s.heap = open_variant("slab:mesh=on");
    sparse_fill(&s, 128);
    sparse_thin(&s, &r);
    pthread_create(&thread, NULL, keep_writing, &w);
    while (!atomic_load(&w.rounds))
        usleep(1000);
    cr_assert_gt(sparse_settle(&s), (size_t)100 * 4096);
    atomic_store(&w.stop, 1);
    pthread_join(thread, NULL);
    for (uint32_t i = 0; i < SPARSE; i++)
        if (s.block[i])
            cr_assert_eq(s.block[i][1], i + (uint32_t)w.rounds);
    slab->close(s.heap);
}

static struct sparse *interrupted;
static volatile sig_atomic_t ticks;

static void write_everywhere(int signal)
{
    (void)signal;
    ticks++;
    for (uint32_t i = 0; i < SPARSE; i++)
        if (interrupted->block[i])
            interrupted->block[i][1]++;
}

/* Since 1df7289: a handler on the copying thread waited for itself, or its
 * write was lost.  The child is killed if it hangs. */
static void mesh_under_signals(void *arg, int fd)
{
    struct sparse *s = arg;
    const struct itimerval often = {{0, 500}, {0, 500}},
                           never = {{0, 0}, {0, 0}};
    struct random r;
    random_seed(&r, 7);
    s->heap = open_variant("slab:mesh=on");
    sparse_fill(s, 128);
    sparse_thin(s, &r);
    interrupted = s;
    signal(SIGALRM, write_everywhere);
    setitimer(ITIMER_REAL, &often, NULL);
    size_t shared = sparse_settle(s);
    setitimer(ITIMER_REAL, &never, NULL);
    if (shared < (size_t)100 * 4096 || ticks < 10)
        dprintf(fd, "%zu bytes shared, %d signals\n", shared, (int)ticks);
    for (uint32_t i = 0; i < SPARSE; i++)
        if (s->block[i] && s->block[i][1] != i + (uint32_t)ticks) {
            dprintf(fd, "a write is lost\n");
            return;
        }
}

Test(slab, meshing_loses_no_write_of_a_signal_handler)
{
    static struct sparse s;
    char said[256];
    int code = run_forked(mesh_under_signals, &s, said, sizeof said);
    cr_assert_eq(code, 0, "%d: %s", code, said);
    cr_assert_str_eq(said, "");
}

static void change_all(void *arg, int fd)
{
    struct sparse *s = arg;
    slab->fork(s->heap, FORK_CHILD);
    for (uint32_t i = 0; i < SPARSE; i++)
        if (s->block[i])
            memset(s->block[i], 0xee, s->words * sizeof(uint32_t));
    const char *fault = slab_check(s->heap);
    if (fault)
        dprintf(fd, "%s", fault);
}

Test(slab, a_forked_child_shares_no_meshed_memory)
{
    static struct sparse s;
    struct random r;
    char said[256];
    random_seed(&r, 6);
    s.heap = open_variant("slab:mesh=on");
    sparse_fill(&s, 256);
    sparse_thin(&s, &r);
    cr_assert_gt(sparse_settle(&s), (size_t)100 * 4096);
    slab->fork(s.heap, FORK_BEFORE);
    int code = run_forked(change_all, &s, said, sizeof said);
    slab->fork(s.heap, FORK_PARENT);
    cr_assert_eq(code, 0, "%d", code);
    cr_assert_str_eq(said, "");
    check(s.heap, sparse_verify(&s));
    sparse_settle(&s);
    check(s.heap, sparse_verify(&s));
    slab->close(s.heap);
}

/* A fault that has nothing to do with meshing must stay one. */
static void touch_nothing(void *arg, int fd)
{
    (void)fd;
    struct heap *heap = open_variant("slab:mesh=on");
    char *p = slab->alloc(heap, 5 << 20, 0);
    *(volatile char *)(arg ? p + (7 << 20) : NULL) = 1;
}

Test(slab, other_faults_are_passed_on)
{
    char said[64];
    /* By the signal; ASan, whose handler it is passed on to, exits with 1. */
    for (int in_range = 0; in_range < 2; in_range++)
        cr_assert_gt(run_forked(touch_nothing, in_range ? said : NULL, said,
                                sizeof said),
                     0);
}
