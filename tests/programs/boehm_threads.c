/* boehm_threads.c - threads of a program that is written for Boehm's gc.h.
 *
 * Each thread builds trees and keeps the last one, on its stack, in a
 * thread-local variable or in what it returns, while the others make
 * collections; every word of what is kept is then checked.  Prints the sums,
 * which are the same with any collector that is right.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define GC_THREADS
#include <gc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 6, TREES = 60, DEPTH = 11 };

struct tree {
    struct tree *left, *right;
    long value;
};

struct tree *left[THREADS]; /* not static, or its stores would be left out */

static struct tree *grow(int depth, long value)
{
    struct tree *t = GC_MALLOC(sizeof *t);

    t->value = value;
    if (depth) {
        t->left = grow(depth - 1, value + 1);
        t->right = grow(depth - 1, value + 2);
    }
    return t;
}

static long sum(const struct tree *t)
{
    return t ? t->value + sum(t->left) + sum(t->right) : 0;
}

static void *work(void *arg)
{
    struct tree *first = arg, *last = NULL;
    const long value = first->value;

    for (int i = 0; i < TREES; i++) {
        last = grow(DEPTH, value + i);
        if (i % 20 == 0)
            GC_gcollect();
    }
    struct tree *both = GC_NEW(struct tree);

    both->left = first;
    both->right = last;
    if (value % 2) {
        left[value / 101] = both; /* Boehm's keeps only what is returned */
        pthread_exit(both);
    }
    return both;
}

static void run_threads(void)
{
    pthread_t thread[THREADS];

    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, work, grow(DEPTH, 100 * i + i)))
            abort();
    grow(DEPTH + 4, 1);
    GC_gcollect();
    for (int i = 0; i < THREADS; i++) {
        void *result;

        if (pthread_join(thread[i], &result))
            abort();
        printf("thread %d: %ld\n", i, sum(result));
    }
}

static void *as_outsider(void *arg)
{
    struct GC_stack_base base;
    long *out = arg;

    *out = GC_get_stack_base(&base) == GC_SUCCESS;
    *out += 2 * (GC_register_my_thread(&base) == GC_SUCCESS);
    *out += 4 * (GC_register_my_thread(&base) == GC_DUPLICATE);
    *out += 8 * GC_thread_is_registered();
    struct tree *t = grow(DEPTH, 5);

    GC_gcollect();
    *out += 1000 * (sum(t) > 0);
    *out += 16 * (GC_unregister_my_thread() == GC_SUCCESS);
    return NULL;
}

/* A thread that gc.h did not make. */
static void run_outsider(void)
{
    pthread_t thread;
    long out = 0;

    GC_allow_register_threads();
#undef pthread_create
#undef pthread_join
    if (pthread_create(&thread, NULL, as_outsider, &out))
        abort();
    pthread_join(thread, NULL);
    printf("outsider: %ld\n", out);
}

static void run_fork(void)
{
    struct tree *kept = grow(DEPTH, 3);
    int status = 0;

    fflush(stdout);
    GC_atfork_prepare(); /* there are handlers: these three do nothing */
    const pid_t child = fork();

    if (child == 0) {
        GC_atfork_child();
        for (int i = 0; i < TREES; i++)
            grow(DEPTH, i);
        GC_gcollect();
        _exit((int)(sum(kept) % 100));
    }
    GC_atfork_parent();
    grow(DEPTH, 1);
    GC_gcollect();
    waitpid(child, &status, 0);
    printf("fork: %d and %ld\n", WEXITSTATUS(status), sum(kept) % 100);
}

int main(void)
{
    GC_set_handle_fork(1);
    GC_INIT();
    run_threads();
    run_outsider();
    run_fork();
    return 0;
}
