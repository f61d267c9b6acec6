/* record_me.c - a program whose calls of malloc are known, to be recorded.
 *
 * usage: record_me MODE [N [ARG]]
 *
 * Each mode makes N calls of malloc (and their frees) in its own way of
 * living and dying; tests/cli/record.sh says what the recorder must count.
 * It prints nothing: stdio would allocate.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* memalign, pvalloc, reallocarray */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, SLOTS = 256, RING = 64 };

static void *volatile keep; /* no call may be optimised away */

/* n mallocs and n frees, up to SLOTS blocks alive. */
static void churn(long n, unsigned seed)
{
    void *slot[SLOTS] = {0};

    for (long i = 0; i < n; i++) {
        seed = seed * 1103515245u + 12345u;
        free(slot[seed >> 16 & (SLOTS - 1)]);
        keep = slot[seed >> 16 & (SLOTS - 1)] = malloc(seed >> 20 & 1023);
        if (!keep)
            _exit(9);
    }
    for (int i = 0; i < SLOTS; i++)
        free(slot[i]);
}

/* n callocs, n resizes, n frees. */
static int resize(long n)
{
    for (long i = 0; i < n; i++) {
        char *p = calloc(3, 5);

        keep = p = realloc(p, (size_t)(i % 900) + 1);
        if (!p || p[0])
            return 1;
        free(p);
    }
    return 0;
}

/* Every function of the family: 11 births, 2 resizes, 11 frees. */
static int family(void)
{
    void *p[11] = {0};
    int err = posix_memalign(&p[0], 4096, 100);

    p[1] = aligned_alloc(64, 128);
    p[2] = memalign(32, 5);
    p[3] = valloc(10);
    p[4] = pvalloc(10);
    p[5] = calloc(7, 9);
    p[6] = realloc(NULL, 40);
    p[7] = reallocarray(NULL, 3, 11);
    p[8] = malloc(0);
    p[9] = malloc((size_t)1 << 20);
    p[10] = malloc(1);
    p[6] = realloc(p[6], (size_t)1 << 18);
    p[10] = reallocarray(p[10], 5, 100);
    keep = malloc(SIZE_MAX / 2); /* fails, and so leaves no record */
    errno = 77;
    for (int i = 0; i < 11; i++) {
        if (!p[i] || malloc_usable_size(p[i]) < (i == 9 ? 1u << 20 : 0u))
            return 8;
        free(p[i]);
    }
    free(NULL);
    return err || errno != 77 || keep ? 7 : 0;
}

/* ---- threads ---- */

static struct ring {
    void *_Atomic slot[RING];
    long n; /* blocks that pass through */

} ring[THREADS];

static void *produce(void *arg)
{
    struct ring *r = arg;

    for (long i = 0; i < r->n; i++) {
        void *p = malloc((size_t)(i % 700));

        if (i % 5 == 0)
            p = realloc(p, (size_t)(i % 3000) + 1);
        while (atomic_load(&r->slot[i % RING]))
            sched_yield();
        atomic_store(&r->slot[i % RING], p);
    }
    return NULL;
}

static void *consume(void *arg)
{
    struct ring *r = arg;

    for (long i = 0; i < r->n; i++) {
        void *p;

        while (!(p = atomic_load(&r->slot[i % RING])))
            sched_yield();
        atomic_store(&r->slot[i % RING], NULL);
        free(p);
    }
    return NULL;
}

/* THREADS pairs; n blocks and n/5 resizes each; all frees cross. */
static int pairs(long n)
{
    pthread_t thread[2 * THREADS];

    for (int i = 0; i < THREADS; i++) {
        ring[i].n = n;
        if (pthread_create(&thread[2 * i], NULL, produce, &ring[i]) ||
            pthread_create(&thread[2 * i + 1], NULL, consume, &ring[i]))
            return 6;
    }
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(thread[i], NULL);
    return 0;
}

static void *churn_some(void *n)
{
    churn(*(long *)n, 3);
    return NULL;
}

/* THREADS threads one after the other, n calls each. */
static int in_turn(long n, int threads)
{
    for (int i = 0; i < threads; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, churn_some, &n) ||
            pthread_join(thread, NULL))
            return 6;
    }
    return 0;
}

static pthread_key_t late_key;

/* A key destructor that asks to be called again, and frees last of all. */
static void late(void *p)
{
    static _Thread_local int round;

    keep = malloc(100);
    free(keep);
    if (++round < PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(late_key, p);
    else
        free(p);
}

static void *start_late(void *unused)
{
    (void)unused;
    pthread_setspecific(late_key, malloc(50));
    return NULL;
}

/* n threads; each 1 + 4 mallocs and as many frees, most after its end. */
static int late_frees(long n)
{
    if (pthread_key_create(&late_key, late))
        return 5;
    for (long i = 0; i < n; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, start_late, NULL) ||
            pthread_join(thread, NULL))
            return 5;
    }
    return 0;
}

/* ---- descriptors, processes ---- */

/* Close all descriptors and take their numbers for a file of our own, into
 * which nobody else may write. */
static int close_all(long n, const char *path)
{
    churn(n, 1);
    for (int fd = 3; fd < 1100; fd++)
        close(fd);
    int first = open(path, O_RDWR | O_CREAT, 0600);

    for (int fd = first + 1; fd < 1100; fd++)
        dup2(first, fd);
    churn(n, 2);
    return first < 0 || lseek(first, 0, SEEK_END) != 0 ? 4 : 0;
}

/* The child frees n blocks of the parent and makes n of its own. */
static int fork_child(long n)
{
    void **block = malloc((size_t)n * sizeof *block);
    int status = 0;

    for (long i = 0; i < n; i++)
        block[i] = malloc(40);
    pid_t pid = fork();

    for (long i = 0; i < n; i++)
        free(block[i]);
    if (!pid) {
        churn(n, 4);
        _exit(0);
    }
    free(block);
    return waitpid(pid, &status, 0) != pid || status ? 3 : 0;
}

static int become(const char *self, const char *n)
{
    churn(100, 5);
    execl(self, self, "churn", n, (char *)NULL);
    return 2;
}

static int limited(long n)
{
    struct rlimit limit = {300000, 300000};

    churn(n, 8);
    setrlimit(RLIMIT_FSIZE, &limit);
    churn(n, 6);
    return 0;
}

static int run(const char *mode, long n, char **argv)
{
    if (!strcmp(mode, "family"))
        return family();
    if (!strcmp(mode, "resize"))
        return resize(n);
    if (!strcmp(mode, "pairs"))
        return pairs(n);
    if (!strcmp(mode, "in-turn"))
        return in_turn(n, THREADS);
    if (!strcmp(mode, "crowd"))
        return in_turn(n, 1100);
    if (!strcmp(mode, "late"))
        return late_frees(n);
    if (!strcmp(mode, "close-all"))
        return close_all(n, argv[3]);
    if (!strcmp(mode, "fork"))
        return fork_child(n);
    if (!strcmp(mode, "exec"))
        return become(argv[0], argv[2]);
    if (!strcmp(mode, "limited"))
        return limited(n);
    churn(n, 7);
    if (!strcmp(mode, "exit"))
        _exit(42);
    if (!strcmp(mode, "kill"))
        raise(SIGKILL);
    if (!strcmp(mode, "wait"))
        pause();
    if (!strcmp(mode, "raise"))
        abort();
    return 0;
}

int main(int argc, char **argv)
{
    return run(argc > 1 ? argv[1] : "churn", argc > 2 ? atol(argv[2]) : 1000,
               argv);
}
