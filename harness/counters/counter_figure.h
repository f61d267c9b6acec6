/* counter_figure.h - what a counter's reading is worth, and why it is none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_COUNTER_FIGURE_H
#define HEAPYARD_COUNTER_FIGURE_H

#include "counter_group.h"

enum counter_verdict {
    COUNTER_GOOD,
    COUNTER_REFUSED, /* not open: err says why */
    COUNTER_IDLE,    /* open, but it never had its turn */
    COUNTER_SUSPECT  /* ran, and counted nothing where there was much to do */
};

struct counter_figure {
    enum counter_verdict verdict;
    int err;      /* of REFUSED: an errno or COUNTER_UNKNOWN */
    double value; /* scaled to the whole time; only of GOOD */
    double share; /* of the time that was counted, 0..1; below 1 the value is
                     an estimate */
};

/* figure[n] of one or more threads: values of each are scaled, then added
 * up, because each thread has counters of its own.
 *
 * seat     of thread t and event i is seat[t * stride + i]
 *
 * An event that one thread could not count has no sum.  One that reads 0
 * beside more than a million instructions, or beside an unknown number, is
 * suspect, if the processor counts it. */
void counter_figures(const struct counter_list *,
                     const struct counter_seat seat[], size_t stride,
                     unsigned threads, struct counter_figure figure[]);

/* Whether two events are in one group in every thread, so that their ratio is
 * of one interval. */
int counter_same_group(const struct counter_seat seat[], size_t stride,
                       unsigned threads, unsigned a, unsigned b);

/* One line: the errno's name and a colon, what it means here, what to do.
 *
 * paranoid  of /proc/sys/kernel/perf_event_paranoid, or INT_MIN: unknown */
void counter_explain(int err, int paranoid, char *out, size_t size);

/* perf_event_paranoid of this machine, or INT_MIN. */
int counter_paranoid(void);

#endif
