/* malloc_rules.c - does the malloc of this process keep the rules?
 *
 *   LD_PRELOAD=LIB malloc_rules      exit 0, or 1 and the rules that it broke
 *   LD_PRELOAD=LIB malloc_rules -v   a line a rule: name, level, verdict (tabs
 *                                    between); exit 0
 *   LD_PRELOAD=LIB malloc_rules NAME that rule only, in this process
 *
 * Required are the rules of C17 and POSIX.1-2017, and what a program relies on
 * that was never tried with another malloc; quality is C23, what glibc does
 * beyond, and memory that comes back.  (glibc 2.36 itself breaks two of them.)
 * Each rule is tried in a process of its own, so that a crash is a verdict.
 *
 * Not asked: malloc within a signal handler, which POSIX does not allow.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* the whole family */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int broken;

/* Said once a place, not once a turn of a loop. */
#define RULE(what, holds)                                                      \
    do {                                                                       \
        static bool is_said;                                                   \
        if (!(holds)) {                                                        \
            if (!is_said)                                                      \
                fprintf(stderr, "malloc_rules: %s: not (%s)\n", what, #holds); \
            is_said = true;                                                    \
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

/* C23; weak, as glibc 2.36 has neither. */
__attribute__((weak)) void free_sized(void *p, size_t size);
__attribute__((weak)) void free_aligned_sized(void *p, size_t align,
                                              size_t size);

enum { MIB = 1 << 20, SIZE_MOST = 8 * MIB };

/* The next of a row of sizes that grow by a seventh. */
static size_t next_size(size_t n)
{
    return n + 1 + n / 7;
}

/* ---- blocks ---- */

static void unique_zero(void)
{
    char *p[100];

    for (unsigned i = 0; i < 100; i++) {
        p[i] = do_malloc(0);
        RULE("malloc(0)", p[i] != NULL);
        for (unsigned k = 0; k < i; k++)
            RULE("malloc(0) is a block of its own", p[i] != p[k]);
    }
    for (unsigned i = 0; i < 100; i++)
        do_free(p[i]);
    do_free(NULL);
}

static void check_alignment(size_t least, size_t most)
{
    for (size_t n = least; n < most; n = next_size(n)) {
        void *p = do_malloc(n), *q = do_calloc(1, n);
        RULE("malloc aligns", p && (uintptr_t)p % 16 == 0);
        RULE("calloc aligns", q && (uintptr_t)q % 16 == 0);
        p = do_realloc(p, n + 1);
        RULE("realloc aligns", p && (uintptr_t)p % 16 == 0);
        do_free(p);
        do_free(q);
    }
}

static void alignment(void)
{
    check_alignment(16, SIZE_MOST);
}

static void small_alignment(void)
{
    check_alignment(1, 15);
}

/* Every usable byte of many blocks holds what was written there. */
static void usable(void)
{
    enum { BLOCKS = 200 };
    static unsigned char *p[BLOCKS];
    size_t n = 1, changed = 0;

    RULE("malloc_usable_size(NULL)", malloc_usable_size(NULL) == 0);
    for (unsigned i = 0; i < BLOCKS; i++) {
        p[i] = do_malloc(n);
        RULE("malloc_usable_size", malloc_usable_size(p[i]) >= n);
        memset(p[i], (int)i, malloc_usable_size(p[i]));
        n = n < 300000 ? next_size(n) : 1 + n % 13;
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        for (size_t k = 0; k < malloc_usable_size(p[i]); k++)
            changed += p[i][k] != i;
        do_free(p[i]);
    }
    RULE("usable bytes are the block's own", changed == 0);
}

static void zeroed(void)
{
    for (size_t n = 1; n < SIZE_MOST; n = next_size(n)) {
        size_t dirty = 0;
        unsigned char *p = do_malloc(n);
        memset(p, 0xff, n);
        do_free(p);
        p = do_calloc(n, 1);
        for (size_t i = 0; i < n; i++)
            dirty += p[i] != 0;
        RULE("calloc is zero", dirty == 0);
        do_free(p);
    }
}

static void resizes(void)
{
    size_t n = 1;
    unsigned char *p = do_realloc(NULL, n);

    p[0] = 9;
    for (; n < 50 * MIB; n += 1 + n / 2) {
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

static void resize_to_nothing(void)
{
    RULE("realloc(p, 0)", do_realloc(do_malloc(100), 0) == NULL);
    void *const p = do_realloc(NULL, 0);
    RULE("realloc(NULL, 0) is malloc(0)", p != NULL);
    do_free(p);
}

/* ---- refusals ---- */

/* Volatile, or the compiler warns of what is tried here. */
static const volatile size_t too_much[] = {PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1,
                                           SIZE_MAX - 4096, SIZE_MAX};
enum { TOO_MANY = sizeof too_much / sizeof *too_much };

static void too_large(void)
{
    for (size_t i = 0; i < TOO_MANY; i++) {
        errno = 0;
        RULE("malloc too much", !do_malloc(too_much[i]) && errno == ENOMEM);
        errno = 0;
        RULE("calloc too much", !do_calloc(too_much[i], 1) && errno == ENOMEM);
        errno = 0;
        RULE("realloc of nothing to too much",
             !do_realloc(NULL, too_much[i]) && errno == ENOMEM);
        errno = 0;
        RULE("aligned_alloc too much",
             !do_aligned_alloc(64, too_much[i] & ~(size_t)63) &&
                 errno == ENOMEM);
    }
}

/* What no standard has, but glibc. */
static void obsolete_too_large(void)
{
    for (size_t i = 0; i < TOO_MANY; i++) {
        errno = 0;
        RULE("memalign too much",
             !memalign(64, too_much[i]) && errno == ENOMEM);
        errno = 0;
        RULE("valloc too much", !valloc(too_much[i]) && errno == ENOMEM);
        errno = 0;
        RULE("pvalloc too much", !pvalloc(too_much[i]) && errno == ENOMEM);
    }
}

static void overflow(void)
{
    char *const p = do_malloc(10);

    errno = 0;
    RULE("calloc overflow", !do_calloc(SIZE_MAX / 2 + 2, 2) && errno == ENOMEM);
    errno = 0;
    RULE("calloc overflow by much",
         !do_calloc(SIZE_MAX / 3, SIZE_MAX / 5) && errno == ENOMEM);
    errno = 0;
    RULE("reallocarray overflow",
         !do_reallocarray(p, SIZE_MAX / 2 + 2, 2) && errno == ENOMEM);
    errno = 0;
    RULE("reallocarray overflow of nothing",
         !do_reallocarray(NULL, SIZE_MAX / 2 + 2, 2) && errno == ENOMEM);
    do_free(p);
}

static void failed_realloc(void)
{
    static const size_t sizes[] = {100, 5000, 100000, 5 * MIB};

    for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const size_t n = sizes[k];
        char *const p = do_malloc(n);
        memset(p, 5, n);
        for (size_t i = 0; i < TOO_MANY; i++) {
            errno = 0;
            RULE("realloc too much",
                 !do_realloc(p, too_much[i]) && errno == ENOMEM);
        }
        RULE("a failed realloc leaves the block",
             p[0] == 5 && p[n - 1] == 5 && malloc_usable_size(p) >= n);
        do_free(p);
    }
}

static void refused_alignments(void)
{
    static const size_t bad[] = {0, 1, 2, 4, 7, 24, 48, 4095, SIZE_MAX};
    void *p = &p;
    void *const before = p;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        RULE("posix_memalign of a bad alignment",
             do_posix_memalign(&p, bad[i], 8) == EINVAL);
    for (size_t i = 0; i < TOO_MANY; i++)
        RULE("posix_memalign too much",
             do_posix_memalign(&p, 64, too_much[i]) == ENOMEM);
    RULE("a failed posix_memalign leaves its output", p == before);
}

static void aligned_alloc_refuses(void)
{
    static const size_t bad[] = {0, 3, 24, 48, 4095};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        RULE("aligned_alloc of a bad alignment",
             !do_aligned_alloc(bad[i], 2 * bad[i]) && errno == EINVAL);
    }
}

/* ---- alignments ---- */

static void check_aligned(void *p, size_t align, size_t size)
{
    RULE("aligned block", p && (uintptr_t)p % align == 0);
    RULE("its usable size", malloc_usable_size(p) >= size);
    memset(p, 1, malloc_usable_size(p));
    p = do_realloc(p, size + 100000);
    RULE("realloc of an aligned block",
         p && (size == 0 || ((char *)p)[size - 1] == 1));
    do_free(p);
}

static void alignments(void)
{
    void *p;

    for (size_t align = 8; align <= MIB; align *= 2) {
        RULE("posix_memalign", do_posix_memalign(&p, align, align / 2) == 0);
        check_aligned(p, align, align / 2);
        check_aligned(do_aligned_alloc(align, 3 * align), align, 3 * align);
        check_aligned(memalign(align, 100), align, 100);
    }
}

static void page_blocks(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    check_aligned(valloc(10), page, 10);
    check_aligned(pvalloc(page + 1), page, 2 * page);
}

/* ---- errno ---- */

static void free_keeps_errno(void)
{
    for (size_t n = 1; n < 64 * MIB; n = next_size(n)) {
        char *const p = do_malloc(n);
        p[0] = p[n - 1] = 1;
        errno = 4711;
        do_free(p);
        RULE("free keeps errno", errno == 4711);
    }
}

static void success_keeps_errno(void)
{
    void *p;

    for (size_t n = 1; n < 64 * MIB; n = next_size(n)) {
        errno = 4711;
        do_free(do_malloc(n));
        RULE("malloc keeps errno", errno == 4711);
        do_free(do_calloc(n, 1));
        RULE("calloc keeps errno", errno == 4711);
        do_free(do_realloc(do_malloc(n / 2), n));
        RULE("realloc keeps errno", errno == 4711);
        RULE("posix_memalign", do_posix_memalign(&p, 8192, n) == 0);
        RULE("posix_memalign keeps errno", errno == 4711);
        do_free(p);
    }
}

/* ---- threads ---- */

enum { THREADS = 4, BOARD = 512, TURNS = 20000 };
static _Atomic(unsigned char *) board[BOARD];
static _Atomic bool go_on;

static uint64_t next_random(uint64_t x)
{
    return x * 6364136223846793005u + 1442695040888963407u;
}

/* Exchange blocks on the board: each is filled with what its size says, and
 * freed by whoever comes next. */
static void trade(uint64_t x, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        x = next_random(x);
        const uint32_t n = 4 + (uint32_t)(x >> 33) % (i % 64 ? 400 : 70000);
        unsigned char *const p = do_malloc(n);
        memset(p, (int)(n & 0xff), n);
        memcpy(p, &n, sizeof n);
        unsigned char *const old =
            atomic_exchange(&board[(x >> 20) % BOARD], p);
        uint32_t size = 0;
        if (old)
            memcpy(&size, old, sizeof size);
        RULE("what one thread wrote another one reads",
             !old || size == 4 || old[size - 1] == (size & 0xff));
        do_free(old);
    }
}

static void clear_board(void)
{
    for (unsigned i = 0; i < BOARD; i++)
        do_free(atomic_exchange(&board[i], NULL));
}

static void *trade_much(void *arg)
{
    trade((uintptr_t)arg, TURNS);
    return NULL;
}

static void *trade_little(void *arg)
{
    trade((uintptr_t)arg, 300);
    return NULL;
}

static void *trade_until_told(void *arg)
{
    while (atomic_load(&go_on))
        trade((uintptr_t)arg, 1000);
    return NULL;
}

static void run_threads(void *(*body)(void *), uintptr_t seed)
{
    pthread_t thread[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, body, (void *)(seed + i)))
            abort();
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
}

static void threads(void)
{
    for (unsigned round = 0; round < 10; round++)
        run_threads(trade_much, round * THREADS);
    clear_board();
}

static size_t resident(void)
{
    char text[128] = "";
    const int fd = open("/proc/self/statm", O_RDONLY);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    unsigned long pages = 0;

    if (n <= 0 || sscanf(text, "%*u %lu", &pages) != 1)
        abort();
    close(fd);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void thread_churn(void)
{
    size_t early = 0;

    for (unsigned round = 0; round < 400; round++) {
        run_threads(trade_little, round * THREADS);
        if (round == 99)
            early = resident();
    }
    RULE("memory stays as threads come and go", resident() < early + 16 * MIB);
    clear_board();
}

enum { PASSED = 400000 };

static void *consume(void *arg)
{
    for (unsigned i = 0; i < PASSED; i++) {
        unsigned char *p;
        while (!(p = atomic_exchange(&board[i % BOARD], NULL)))
            sched_yield();
        do_free(p);
    }
    return arg;
}

/* What one thread allocates another frees: 400 MB, at most 512 blocks live. */
static void remote_frees(void)
{
    pthread_t thread;
    uint64_t x = 1;
    const size_t before = resident();
    size_t most = 0;

    if (pthread_create(&thread, NULL, consume, NULL))
        abort();
    for (unsigned i = 0; i < PASSED; i++) {
        x = next_random(x);
        unsigned char *const p = do_malloc(16 + (x >> 33) % 2000);
        p[0] = 1;
        while (atomic_load(&board[i % BOARD]))
            sched_yield();
        atomic_store(&board[i % BOARD], p);
        if (i % 4096 == 0 && resident() > most)
            most = resident();
    }
    pthread_join(thread, NULL);
    RULE("memory stays though others free", most < before + 32 * MIB);
}

/* The child of a process whose threads are inside malloc may allocate. */
static void forks(void)
{
    pthread_t thread[2];

    atomic_store(&go_on, true);
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, trade_until_told, (void *)(i + 9));
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
    atomic_store(&go_on, false);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}

static volatile sig_atomic_t ticks;

static void on_tick(int number)
{
    (void)number;
    ticks = ticks + 1;
}

/* Handlers that run at any point, and interrupt what may be interrupted: for
 * a hundred signals, however few come in the time of one round. */
static void signals(void)
{
    const struct itimerval never = {{0, 0}, {0, 0}};
    const struct itimerval each_200_us = {{0, 200}, {0, 200}};
    const struct sigaction action = {.sa_handler = on_tick};

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &each_200_us, NULL);
    while (ticks < 100) {
        run_threads(trade_much, 77);
        for (size_t n = 1; n < 64 * MIB; n = next_size(n)) {
            char *const p = do_malloc(n);
            RULE("malloc between signals", p != NULL);
            p[0] = p[n - 1] = 1;
            do_free(p);
        }
    }
    setitimer(ITIMER_REAL, &never, NULL);
    clear_board();
}

/* ---- memory ---- */

/* Memory runs out, and comes back when some is freed. */
static void exhaustion(void)
{
    static void *held[4096];
    const struct rlimit limit = {512u * MIB, RLIM_INFINITY};
    size_t n = 0;

    setrlimit(RLIMIT_AS, &limit);
    errno = 0;
    while (n < 4096 && (held[n] = do_malloc(MIB)))
        n++;
    RULE("memory runs out", n < 4096 && errno == ENOMEM);
    RULE("but not at once", n > 100);
    while (n > 0)
        do_free(held[--n]);
    void *const p = do_malloc(64 * MIB);
    RULE("and comes back", p != NULL);
    do_free(p);
    /* The same with small blocks, in a list through themselves. */
    void **first = NULL, **block;
    size_t blocks = 0;
    while (blocks < 1u << 22 && (block = do_malloc(500))) {
        *block = first;
        first = block;
        blocks++;
    }
    RULE("small blocks run out", errno == ENOMEM);
    RULE("but not at once", blocks > 300000);
    while (first) {
        block = *first;
        do_free(first);
        first = block;
    }
    void *const q = do_malloc(500);
    RULE("and come back", q != NULL);
    do_free(q);
}

static void use_little(void)
{
    void *p[1000];

    for (unsigned i = 0; i < 1000; i++) {
        p[i] = do_malloc(i);
        RULE("malloc in 64 MiB", p[i] != NULL);
    }
    for (unsigned i = 0; i < 1000; i++)
        do_free(p[i]);
    do_free(do_malloc(MIB));
}

static void small_space(void)
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        const struct rlimit limit = {64 * MIB, 64 * MIB};
        setrlimit(RLIMIT_AS, &limit);
        execl("/proc/self/exe", "malloc_rules", "use-little", (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    RULE("a program starts in 64 MiB of address space", status == 0);
}

/* Blocks of all sizes, 64 MiB of each; all are freed; then a second passes
 * with a little work in it. */
static void comes_back(void)
{
    enum { MOST = 1 << 20, EACH = 64 * MIB };
    static const size_t sizes[] = {64, 2000, 100000};
    static unsigned char *p[3][MOST];
    const struct timespec tenth = {.tv_nsec = 100000000};

    memset(p, 1, sizeof p);
    do_free(do_malloc(1000));
    const size_t before = resident();
    for (unsigned k = 0; k < 3; k++)
        for (size_t i = 0; i < EACH / sizes[k]; i++)
            memset(p[k][i] = do_malloc(sizes[k]), 1, sizes[k]);
    const size_t full = resident();
    for (unsigned k = 0; k < 3; k++)
        for (size_t i = 0; i < EACH / sizes[k]; i++)
            do_free(p[k][i]);
    for (unsigned i = 0; i < 9; i++) {
        nanosleep(&tenth, NULL);
        for (unsigned k = 0; k < 100; k++)
            do_free(do_malloc(k * 20));
    }
    const size_t kept = resident() - before;
    RULE("nine tenths go back within a second", kept < (full - before) / 10);
}

/* ---- what glibc and C23 have besides ---- */

static void sized_frees(void)
{
    RULE("free_sized is there", free_sized != NULL);
    RULE("free_aligned_sized is there", free_aligned_sized != NULL);
    for (size_t n = 1; n < MIB && free_sized; n = next_size(n))
        free_sized(do_malloc(n), n);
    for (size_t a = 16; a < MIB && free_aligned_sized; a *= 2)
        free_aligned_sized(do_aligned_alloc(a, 3 * a), a, 3 * a);
}

static void information(void)
{
    char *const p = do_malloc(10 * MIB);
    const struct mallinfo2 info = mallinfo2();

    p[0] = 1;
    RULE("mallinfo2 knows of memory from the system",
         info.arena + info.hblkhd >= 10 * MIB);
    do_free(p);
}

/* All but the youngest of 40 MB is free. */
static void trim(void)
{
    enum { MANY = 20000, SIZE = 2000 };
    static char *p[MANY];
    const size_t before = resident();

    for (unsigned i = 0; i < MANY; i++)
        memset(p[i] = do_malloc(SIZE), 1, SIZE);
    for (unsigned i = 0; i < MANY - 1; i++)
        do_free(p[i]);
    errno = 4711;
    const int said = malloc_trim(0);
    RULE("malloc_trim keeps errno", errno == 4711);
    RULE("malloc_trim gives half of what is free back at once",
         said == 1 && resident() < before + MANY * SIZE / 2);
    do_free(p[MANY - 1]);
}

/* ---- all of them ---- */

static const struct rule {
    const char *name, *level;
    void (*try)(void);
} rules[] = {
    {"unique malloc(0)", "required", unique_zero},
    {"16 B alignment from 16 B", "required", alignment},
    {"usable bytes are writable", "required", usable},
    {"calloc is zero", "required", zeroed},
    {"realloc keeps contents", "required", resizes},
    {"too much is ENOMEM", "required", too_large},
    {"overflow is ENOMEM", "required", overflow},
    {"failed realloc keeps the block", "required", failed_realloc},
    {"posix_memalign's refusals", "required", refused_alignments},
    {"aligned blocks", "required", alignments},
    {"valloc and pvalloc", "required", page_blocks},
    {"free keeps errno", "required", free_keeps_errno},
    {"threads", "required", threads},
    {"memory bounded: thread churn", "required", thread_churn},
    {"memory bounded: remote frees", "required", remote_frees},
    {"fork while threads run", "required", forks},
    {"signals at any point", "required", signals},
    {"ENOMEM by ulimit, and recovery", "required", exhaustion},
    {"starts in 64 MiB", "required", small_space},
    {"16 B alignment below 16 B", "quality", small_alignment},
    {"memalign, pvalloc: ENOMEM", "quality", obsolete_too_large},
    {"aligned_alloc's EINVAL", "quality", aligned_alloc_refuses},
    {"free_sized (C23)", "quality", sized_frees},
    {"success keeps errno", "quality", success_keeps_errno},
    {"memory back within 1 s", "quality", comes_back},
    {"realloc(p, 0) as glibc", "quality", resize_to_nothing},
    {"mallinfo2", "quality", information},
    {"malloc_trim gives back at once", "quality", trim},
};
enum { RULES = sizeof rules / sizeof *rules };

/* Try it in a process of its own; its words only if they are wanted. */
static const char *try_apart(const struct rule *rule, bool is_quiet)
{
    int status = 0;

    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        if (is_quiet && !freopen("/dev/null", "w", stderr))
            _exit(1);
        execl("/proc/self/exe", "malloc_rules", rule->name, (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return "not tried";
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGKILL
                   ? "hung"
                   : "crashed";
    return WEXITSTATUS(status) == 0 ? "kept" : "broken";
}

static int try_all(bool is_table)
{
    int result = 0;

    for (unsigned i = 0; i < RULES; i++) {
        const char *const verdict = try_apart(&rules[i], is_table);
        if (is_table)
            printf("%s\t%s\t%s\n", rules[i].name, rules[i].level, verdict);
        else if (strcmp(verdict, "kept"))
            fprintf(stderr, "malloc_rules: %s rule \"%s\": %s\n",
                    rules[i].level, rules[i].name, verdict);
        result |= !is_table && strcmp(verdict, "kept");
    }
    return result;
}

int main(int argc, char **argv)
{
    if (argc < 2 || !strcmp(argv[1], "-v"))
        return try_all(argc == 2);
    if (!strcmp(argv[1], "use-little"))
        return use_little(), broken;
    for (unsigned i = 0; i < RULES; i++) {
        if (strcmp(rules[i].name, argv[1]))
            continue;
        const struct rlimit cpu = {30, 30};
        setrlimit(RLIMIT_CPU, &cpu);
        alarm(60);
        rules[i].try();
        return broken;
    }
    fprintf(stderr, "malloc_rules: no rule \"%s\" (-v shows them)\n", argv[1]);
    return 2;
}
