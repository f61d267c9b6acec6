/* counter_group.h - opens, reads and closes the counters of one thread.
 *
 * Events of a group are counted in the same moments, so their ratio is one of
 * the same interval, also when groups take turns on too few counters.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_COUNTER_GROUP_H
#define HEAPYARD_COUNTER_GROUP_H

#include "counter_events.h"

/* The kernel may accept a group that never fits on the counters (an ARM
 * Cortex-A57 with six accepts seven instructions), so groups stay smaller. */
enum { COUNTER_GROUP_MAX = 4 };

/* One event in one thread. */
struct counter_seat {
    int fd;          /* -1: not open */
    int err;         /* why it is not: an errno or COUNTER_UNKNOWN */
    unsigned leader; /* place of the event that leads its group */
    uint64_t value;
    uint64_t enabled_ns, running_ns; /* wanted to count; could count */
};

struct counter_opener {
    /* A descriptor, or -1 and errno.  leader: a descriptor, or -1. */
    int (*open)(void *arg, const struct counter_event *, int leader);
    void *arg;
};

/* perf_event_open(2) for the calling thread; stopped until
 * counter_group_start. */
extern const struct counter_opener counter_opener_perf;

/* Open seat[list->n].  A group that is full, or that the kernel refuses to
 * make larger (EINVAL), is split; an event that is refused as a leader too has
 * err. */
void counter_group_open(const struct counter_list *,
                        const struct counter_opener *,
                        struct counter_seat seat[]);

/* All counters that the calling thread has opened. */
void counter_group_start(void);
void counter_group_stop(void);

/* Read every group into its seats; one that cannot be read has err. */
void counter_group_read(struct counter_seat seat[], unsigned n);

void counter_group_close(struct counter_seat seat[], unsigned n);

#endif
