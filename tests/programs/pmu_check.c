/* pmu_check.c - the counter code against loops of known length, on a real PMU.
 *
 * Run by ci/pmu in an emulated machine whose processor has counters; exit 77
 * where there are none.  One line a claim; exit 1 if one of them fails.
 *
 * Invariant: a loop of n turns is 2 n instructions and a few around it, on any
 *            processor, so what a counter must read is known beforehand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counter_figure.h"
#include "counter_names.h"

enum { AROUND_MAX = 2000 /* instructions between start and stop, at most */ };

static int failed;

static void claim(int holds, const char *what)
{
    printf("%s: %s\n", holds ? "good" : "FAILED", what);
    failed |= !holds;
}

static void loop(uint64_t turns)
{
#if defined(__aarch64__)
    __asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(turns) : : "cc");
#elif defined(__x86_64__)
    __asm__ volatile("1: subq $1, %0\n\tjnz 1b" : "+r"(turns) : : "cc");
#else
#error "the loop is not written for this processor"
#endif
}

static int find_list(const char *options, struct counter_list *list)
{
    char why[200];

    if (counter_events_parse(options, list, why, sizeof why)) {
        printf("FAILED: %s: %s\n", options, why);
        exit(1);
    }
    counter_names_encode(list);
    return counter_events_find(list, "instructions");
}

static void count_loop(const struct counter_list *list, uint64_t turns,
                       struct counter_seat seat[])
{
    counter_group_open(list, &counter_opener_perf, seat);
    counter_group_start();
    loop(turns);
    counter_group_stop();
    counter_group_read(seat, list->n);
    counter_group_close(seat, list->n);
}

/* As many instructions as the loop has, and no more than stand around it. */
static int is_loop(double value, uint64_t turns)
{
    const double more = value - 2 * (double)turns;

    return more >= 0 && more <= AROUND_MAX;
}

static void check_length(void)
{
    static const uint64_t turns[] = {1000, 1000000, 20000000};
    struct counter_seat seat[COUNTER_EVENTS_MAX];
    struct counter_list list;
    const int at = find_list("events=cycles+instructions", &list);
    double around[3];

    for (int i = 0; i < 3; i++) {
        count_loop(&list, turns[i], seat);
        if (i == 0 && seat[at].err == ENOENT) {
            puts("skipped: no PMU");
            exit(77);
        }
        around[i] = (double)seat[at].value - 2 * (double)turns[i];
        printf("  %.0f turns: %.0f instructions, %.0f of them around it\n",
               (double)turns[i], (double)seat[at].value, around[i]);
        claim(!seat[at].err && is_loop((double)seat[at].value, turns[i]),
              "instructions are those of the loop");
    }
    claim(counter_same_group(seat, COUNTER_EVENTS_MAX, 1, 0, 1) &&
              seat[0].enabled_ns == seat[1].enabled_ns &&
              seat[0].running_ns == seat[1].running_ns && seat[0].value,
          "cycles and instructions are of one interval");
}

/* Why groups are split: the processor has six counters and one for cycles. */
static void check_limit(void)
{
    const struct counter_event e = {
        .code = {.type = PERF_TYPE_RAW, .config = 8, .exclude_kernel = 1}};
    int fd[16], n = 0, err = 0;

    while (!err && n < 16) {
        errno = 0;
        fd[n] = counter_opener_perf.open(NULL, &e, n ? fd[0] : -1);
        if (fd[n] < 0)
            err = errno;
        else
            n++;
    }
    printf("  %d in a group, then: %s\n", n, strerror(err));
    claim(err == EINVAL && n >= COUNTER_GROUP_MAX,
          "the kernel refuses a group that is too large with EINVAL");
    while (n)
        close(fd[--n]);
}

/* 0, 1, 2 ... zeroes before the code make names that differ. */
static void check_split(void)
{
    struct counter_seat seat[COUNTER_EVENTS_MAX];
    struct counter_figure figure[COUNTER_EVENTS_MAX];
    struct counter_list list;
    int holds = 1, groups = 0;

    find_list("events=r8+r08+r008+r0008+r00008+r000008+r0000008+r00000008+"
              "r000000008+r0000000008",
              &list);
    count_loop(&list, 100000000, seat);
    counter_figures(&list, seat, COUNTER_EVENTS_MAX, 1, figure);
    for (unsigned i = 0; i < list.n; i++) {
        const double error = figure[i].value / 200e6 - 1;

        printf("  %-12s group %u, counted %.4f, scaled %.0f (%+.3f %%)\n",
               list.event[i].name, seat[i].leader, figure[i].share,
               figure[i].value, 100 * error);
        holds &= figure[i].verdict == COUNTER_GOOD && fabs(error) < 0.01 &&
                 figure[i].share < 0.99;
        groups += seat[i].leader == i;
    }
    claim(groups == 4, "ten events are in groups of at most four");
    claim(holds, "what took turns is scaled to within 1 %");
}

struct worker {
    const struct counter_list *list;
    uint64_t turns;
    struct counter_seat *seat;
};

static void *work(void *arg)
{
    const struct worker *w = arg;

    count_loop(w->list, w->turns, w->seat);
    return NULL;
}

static void check_threads(void)
{
    struct counter_seat seat[2][COUNTER_EVENTS_MAX];
    struct counter_figure figure[COUNTER_EVENTS_MAX];
    struct counter_list list;
    const int at = find_list("", &list);
    struct worker worker[2] = {{&list, 3000000, seat[0]},
                               {&list, 9000000, seat[1]}};
    pthread_t thread[2];

    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread[i], NULL, work, &worker[i]))
            exit(1);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 2; i++) {
        counter_figures(&list, seat[i], COUNTER_EVENTS_MAX, 1, figure);
        printf("  thread %d: %.0f instructions\n", i, figure[at].value);
        claim(is_loop(figure[at].value, worker[i].turns),
              "a thread has its own count");
    }
    counter_figures(&list, seat[0], COUNTER_EVENTS_MAX, 2, figure);
    claim(figure[at].value ==
              (double)seat[0][at].value + (double)seat[1][at].value,
          "threads are added up");
}

/* L1D_CACHE_REFILL, which the emulated processor has but never counts. */
static void check_suspect(void)
{
    struct counter_seat seat[COUNTER_EVENTS_MAX];
    struct counter_figure figure[COUNTER_EVENTS_MAX];
    struct counter_list list;

    find_list("events=r3", &list);
    count_loop(&list, 1000000, seat);
    counter_figures(&list, seat, COUNTER_EVENTS_MAX, 1, figure);
    claim(!seat[0].err && seat[0].running_ns && !seat[0].value,
          "r3 opens, runs and reads 0");
    claim(figure[0].verdict == COUNTER_SUSPECT, "and that is suspect, not 0");
    count_loop(&list, 1000, seat);
    counter_figures(&list, seat, COUNTER_EVENTS_MAX, 1, figure);
    claim(figure[0].verdict == COUNTER_GOOD && figure[0].value == 0,
          "0 beside two thousand instructions is a value");
}

int main(void)
{
    check_length();
    check_limit();
    check_split();
    check_threads();
    check_suspect();
    return failed;
}
