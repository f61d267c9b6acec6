/* few_calls.c - a program of few allocations, to be recorded by other tools.
 *
 * tests/golden/formats holds what they wrote of it; tests/cli/convert.sh
 * records it again where they are installed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mcheck.h>
#include <pthread.h>
#include <stdlib.h>

static void *box;

/* Frees what the thread before left, and leaves a block of its own. */
static void *work(void *unused)
{
    void *own = malloc(77), *grown = calloc(3, 11);

    grown = realloc(grown, 500);
    free(box);
    free(grown);
    box = own;
    return unused;
}

int main(void)
{
    if (getenv("MALLOC_TRACE"))
        mtrace();
    void *grown = malloc(24), *zeroed = calloc(10, 20), *aligned = NULL;
    pthread_t thread;

    grown = realloc(grown, 4000);
    if (posix_memalign(&aligned, 4096, 5000))
        return 1;
    box = malloc(33);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread, NULL, work, NULL) ||
            pthread_join(thread, NULL))
            return 1;
    free(grown);
    free(zeroed);
    free(aligned);
    free(NULL);
    return malloc(55) == NULL; /* left, as box is */
}
