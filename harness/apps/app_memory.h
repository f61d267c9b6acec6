/* app_memory.h - the memory of a real program, sampled from outside.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_APP_MEMORY_H
#define HEAPYARD_APP_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

#include "exec.h"
#include "witness_file.h"

enum { APP_MEMORY_TICK_MS = 3 };

/* One figure over time. */
struct app_series {
    uint64_t last, most; /* bytes */
    double integral;     /* byte-seconds, by trapezoids */
};

struct app_memory {
    const char *witness; /* file */
    const char *program; /* whose memory: the name of its file */
    pid_t pid;           /* 0: it has not begun */
    uint64_t baseline;   /* bytes, as the witness says */
    uint64_t samples, last_ns;
    double seconds;
    struct app_series held, pss;
};

/* Take a sample of the program, if it has begun. */
void app_memory_tick(void *app_memory, pid_t command);

/* Add rss_peak, rss_mean, rss_end, rss_baseline, pss_peak, pss_mean and
 * rss_hwm, as results/README.md defines them, as far as they are known.
 * Returns 0 or ENOMEM. */
int app_memory_report(const struct app_memory *, const struct witness *,
                      struct outcome *);

#endif
