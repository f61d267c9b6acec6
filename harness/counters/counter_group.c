/* counter_group.c - opens, reads and closes the counters of one thread.
 *
 * Source: perf_event_open(2); prctl(2), PR_TASK_PERF_EVENTS_ENABLE.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* syscall */

#include "counter_group.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Members follow their leader, so only it is made stopped. */
static int open_perf(void *arg, const struct counter_event *e, int leader)
{
    struct perf_event_attr attr;

    (void)arg;
    memset(&attr, 0, sizeof attr);
    attr.size = sizeof attr;
    attr.type = e->code.type;
    attr.config = e->code.config;
    attr.config1 = e->code.config1;
    attr.config2 = e->code.config2;
    attr.exclude_user = e->code.exclude_user != 0;
    attr.exclude_kernel = e->code.exclude_kernel != 0;
    attr.exclude_hv = e->code.exclude_hv != 0;
    attr.disabled = leader < 0;
    attr.read_format = PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED |
                       PERF_FORMAT_TOTAL_TIME_RUNNING;
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, leader,
                        PERF_FLAG_FD_CLOEXEC);
}

const struct counter_opener counter_opener_perf = {open_perf, NULL};

void counter_group_open(const struct counter_list *list,
                        const struct counter_opener *opener,
                        struct counter_seat seat[])
{
    int leader = -1; /* place, or none */
    unsigned group = 0, members = 0;

    for (unsigned i = 0; i < list->n; i++) {
        const struct counter_event *e = &list->event[i];

        seat[i] = (struct counter_seat){.fd = -1, .err = e->err};
        if (e->group != group || members == COUNTER_GROUP_MAX)
            leader = -1;
        group = e->group;
        if (e->err)
            continue;
        int fd =
            opener->open(opener->arg, e, leader < 0 ? -1 : seat[leader].fd);
        if (fd < 0 && errno == EINVAL && leader >= 0) {
            leader = -1;
            fd = opener->open(opener->arg, e, -1);
        }
        if (fd < 0) {
            seat[i].err = errno;
            continue;
        }
        members = leader < 0 ? 1 : members + 1;
        if (leader < 0)
            leader = (int)i;
        seat[i].fd = fd;
        seat[i].leader = (unsigned)leader;
    }
}

void counter_group_start(void)
{
    prctl(PR_TASK_PERF_EVENTS_ENABLE, 0, 0, 0, 0);
}

void counter_group_stop(void)
{
    prctl(PR_TASK_PERF_EVENTS_DISABLE, 0, 0, 0, 0);
}

/* What the kernel writes for a group: the leader's value first, then those of
 * its members in the order of their opening. */
struct group_counts {
    uint64_t n, enabled_ns, running_ns;
    uint64_t value[COUNTER_EVENTS_MAX];
};

static void read_one(struct counter_seat seat[], unsigned n, unsigned leader)
{
    struct group_counts counts = {0};
    const ssize_t got = read(seat[leader].fd, &counts, sizeof counts);
    const int err = got < 0                               ? errno
                    : got < 3 * (ssize_t)sizeof(uint64_t) ? EIO
                                                          : 0;
    uint64_t at = 0;

    for (unsigned i = leader; i < n; i++) {
        if (seat[i].fd < 0 || seat[i].leader != leader)
            continue;
        seat[i].enabled_ns = counts.enabled_ns;
        seat[i].running_ns = counts.running_ns;
        seat[i].err = err ? err : at < counts.n ? 0 : EIO;
        seat[i].value = counts.value[at++];
    }
}

void counter_group_read(struct counter_seat seat[], unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (seat[i].fd >= 0 && seat[i].leader == i)
            read_one(seat, n, i);
}

void counter_group_close(struct counter_seat seat[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (seat[i].fd >= 0)
            close(seat[i].fd);
        seat[i].fd = -1;
    }
}
