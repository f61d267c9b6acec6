/* malloc_rules.c - does the malloc of this process keep the rules?
 *
 *   LD_PRELOAD=LIB malloc_rules      exit 0, or 1 and the rules that it broke
 *
 * The rules are those of C17, C23 and POSIX.1-2017, and where they leave a
 * choice, what glibc does.  (glibc 2.36 itself breaks one: its aligned_alloc
 * takes an alignment that is no power of two.)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* the whole family */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int broken;

#define RULE(what, holds)                                                      \
    do {                                                                       \
        if (!(holds)) {                                                        \
            fprintf(stderr, "malloc_rules: %s: not (%s)\n", what, #holds);     \
            broken = 1;                                                        \
        }                                                                      \
    } while (0)

/* Through volatile pointers, so that no compiler knows what these do. */
static void *(*volatile do_malloc)(size_t) = malloc;
static void *(*volatile do_calloc)(size_t, size_t) = calloc;
static void *(*volatile do_realloc)(void *, size_t) = realloc;
static void *(*volatile do_reallocarray)(void *, size_t, size_t) = reallocarray;
static void (*volatile do_free)(void *) = free;
static void *(*volatile do_aligned_alloc)(size_t, size_t) = aligned_alloc;
static int (*volatile do_posix_memalign)(void **, size_t,
                                         size_t) = posix_memalign;

static void sizes(void)
{
    char *a = do_malloc(0), *b = do_malloc(0);

    RULE("malloc(0) is a block of its own", a && b && a != b);
    do_free(a);
    do_free(b);
    for (size_t n = 1; n < 300000; n += 1 + n / 7) {
        errno = 4711;
        unsigned char *p = do_malloc(n);
        RULE("malloc", p != NULL);
        RULE("success keeps errno", errno == 4711);
        RULE("alignment", (uintptr_t)p % 16 == 0);
        const size_t usable = malloc_usable_size(p);
        RULE("malloc_usable_size", usable >= n);
        memset(p, 0xff, usable);
        errno = 4711;
        do_free(p);
        RULE("free keeps errno", errno == 4711);
        p = do_calloc(n, 1);
        size_t dirty = 0;
        for (size_t i = 0; i < n; i++)
            dirty += p[i] != 0;
        RULE("calloc is zero", dirty == 0);
        do_free(p);
    }
    do_free(NULL);
    RULE("malloc_usable_size(NULL)", malloc_usable_size(NULL) == 0);
}

static void refusals(void)
{
    static const size_t too_much[] = {PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1,
                                      SIZE_MAX - 4096, SIZE_MAX};
    char *kept = do_malloc(100);

    memset(kept, 5, 100);
    for (size_t i = 0; i < sizeof too_much / sizeof *too_much; i++) {
        errno = 0;
        RULE("malloc too much", !do_malloc(too_much[i]) && errno == ENOMEM);
        errno = 0;
        RULE("calloc too much", !do_calloc(too_much[i], 1) && errno == ENOMEM);
        errno = 0;
        RULE("realloc too much",
             !do_realloc(kept, too_much[i]) && errno == ENOMEM);
    }
    errno = 0;
    RULE("calloc overflow", !do_calloc(SIZE_MAX / 2 + 2, 2) && errno == ENOMEM);
    errno = 0;
    RULE("reallocarray overflow",
         !do_reallocarray(kept, SIZE_MAX / 2 + 2, 2) && errno == ENOMEM);
    RULE("a failed realloc leaves the block",
         kept[0] == 5 && kept[99] == 5 && malloc_usable_size(kept) >= 100);
    RULE("realloc(p, 0)", do_realloc(kept, 0) == NULL);
}

static void alignments(void)
{
    void *p = &p;
    void *const before = p;

    RULE("posix_memalign 0", do_posix_memalign(&p, 0, 8) == EINVAL);
    RULE("posix_memalign 4", do_posix_memalign(&p, 4, 8) == EINVAL);
    RULE("posix_memalign 24", do_posix_memalign(&p, 24, 8) == EINVAL);
    RULE("posix_memalign too much",
         do_posix_memalign(&p, 64, SIZE_MAX - 64) == ENOMEM);
    RULE("a failed posix_memalign leaves its output", p == before);
    errno = 0;
    RULE("aligned_alloc 24", !do_aligned_alloc(24, 48) && errno == EINVAL);
    for (size_t align = 8; align <= 1 << 20; align *= 2) {
        errno = 4711;
        RULE("posix_memalign", do_posix_memalign(&p, align, align / 2) == 0);
        RULE("posix_memalign aligns", (uintptr_t)p % align == 0);
        RULE("posix_memalign keeps errno", errno == 4711);
        memset(p, 1, align / 2);
        do_free(p);
        p = do_aligned_alloc(align, 3 * align);
        RULE("aligned_alloc", p && (uintptr_t)p % align == 0);
        do_free(p);
        p = memalign(align, 100);
        RULE("memalign", p && (uintptr_t)p % align == 0);
        p = do_realloc(p, 100000);
        RULE("realloc of an aligned block", p != NULL);
        do_free(p);
    }
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    p = valloc(10);
    RULE("valloc", p && (uintptr_t)p % page == 0);
    do_free(p);
    p = pvalloc(page + 1);
    RULE("pvalloc",
         p && (uintptr_t)p % page == 0 && malloc_usable_size(p) >= 2 * page);
    do_free(p);
}

static void resizes(void)
{
    size_t n = 1;
    unsigned char *p = do_realloc(NULL, n);

    p[0] = 9;
    for (; n < 50000000; n += 1 + n / 2) {
        unsigned char *q = do_realloc(p, n + 1 + n / 2);
        RULE("realloc", q != NULL);
        RULE("realloc keeps contents", q[0] == 9 && q[n - 1] == 9);
        memset(q, 9, n + 1 + n / 2);
        p = q;
    }
    for (; n > 10; n /= 3) {
        p = do_realloc(p, n);
        RULE("realloc to less", p && p[0] == 9 && p[n - 1] == 9);
    }
    do_free(p);
}

enum { THREADS = 4, BOARD = 512, TURNS = 20000 };
static _Atomic(unsigned char *) board[BOARD];
static _Atomic int go_on;

static void *trade(void *arg)
{
    uint64_t x = (uintptr_t)arg * 2654435761u + 1;

    for (unsigned i = 0; i < TURNS; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        const size_t n = 1 + (x >> 33) % (i % 64 ? 400 : 70000);
        unsigned char *p = do_malloc(n);
        memset(p, (int)(n & 0xff), n);
        unsigned char *old = atomic_exchange(&board[(x >> 20) % BOARD], p);
        do_free(old);
    }
    return NULL;
}

static void *allocate_until_told(void *arg)
{
    while (atomic_load(&go_on))
        trade(arg);
    return NULL;
}

static void threads(void)
{
    for (unsigned round = 0; round < 20; round++) {
        pthread_t thread[THREADS];
        for (uintptr_t i = 0; i < THREADS; i++)
            RULE("pthread_create",
                 !pthread_create(&thread[i], NULL, trade, (void *)(i + 1)));
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
    }
}

/* The child of a process whose threads are inside malloc may allocate. */
static void forks(void)
{
    pthread_t thread[2];

    atomic_store(&go_on, 1);
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, allocate_until_told, (void *)(i + 9));
    for (unsigned i = 0; i < 100; i++) {
        int status = 0;
        const pid_t pid = fork();
        if (pid == 0) {
            alarm(20);
            void *p[100];
            for (unsigned k = 0; k < 100; k++)
                p[k] = do_malloc(k * 1000);
            for (unsigned k = 0; k < 100; k++)
                do_free(p[k]);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        RULE("a child allocates", status == 0);
    }
    atomic_store(&go_on, 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}

/* Memory runs out, and comes back when some is freed. */
static void exhaustion(void)
{
    static void *held[4096];
    const struct rlimit limit = {512u << 20, RLIM_INFINITY};
    size_t n = 0;

    setrlimit(RLIMIT_AS, &limit);
    errno = 0;
    while (n < 4096 && (held[n] = do_malloc(1 << 20)))
        n++;
    RULE("memory runs out", n < 4096 && errno == ENOMEM);
    RULE("but not at once", n > 100);
    while (n > 0)
        do_free(held[--n]);
    void *p = do_malloc(64 << 20);
    RULE("and comes back", p != NULL);
    do_free(p);
}

int main(void)
{
    sizes();
    refusals();
    alignments();
    resizes();
    threads();
    forks();
    RULE("mallinfo2 knows of memory from the system", mallinfo2().arena > 0);
    (void)malloc_trim(0);
    exhaustion();
    return broken;
}
