/* counter_figure.c - what a counter's reading is worth, and why it is none.
 *
 * Scaling: with more groups than counters the kernel lets them take turns; a
 * counter that ran for `running` of `enabled` is taken to have gone on at the
 * same rate in the rest (perf_event_open(2), "time_running").
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "counter_figure.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const double much = 1e6; /* instructions */

static void add_up(const struct counter_seat *seat, size_t stride,
                   unsigned threads, struct counter_figure *out)
{
    double enabled = 0, running = 0;

    *out = (struct counter_figure){0};
    for (unsigned t = 0; t < threads; t++, seat += stride) {
        if (seat->err) {
            out->verdict = COUNTER_REFUSED;
            out->err = seat->err;
            return;
        }
        enabled += (double)seat->enabled_ns;
        running += (double)seat->running_ns;
        if (seat->running_ns)
            out->value += (double)seat->value *
                          ((double)seat->enabled_ns / (double)seat->running_ns);
        else
            out->verdict = COUNTER_IDLE;
    }
    out->share = enabled > 0 ? running / enabled : 0;
}

void counter_figures(const struct counter_list *list,
                     const struct counter_seat seat[], size_t stride,
                     unsigned threads, struct counter_figure figure[])
{
    const int at = counter_events_find(list, "instructions");

    for (unsigned i = 0; i < list->n; i++)
        add_up(seat + i, stride, threads, &figure[i]);
    const int known =
        at >= 0 && figure[at].verdict == COUNTER_GOOD && figure[at].value > 0;
    const double done = known ? figure[at].value : much + 1;

    for (unsigned i = 0; i < list->n; i++)
        if (figure[i].verdict == COUNTER_GOOD && figure[i].value <= 0 &&
            done > much && !list->event[i].is_software)
            figure[i].verdict = COUNTER_SUSPECT;
}

int counter_same_group(const struct counter_seat seat[], size_t stride,
                       unsigned threads, unsigned a, unsigned b)
{
    for (unsigned t = 0; t < threads; t++, seat += stride)
        if (seat[a].err || seat[b].err || seat[a].leader != seat[b].leader)
            return 0;
    return 1;
}

/* ---- why not ---- */

static const struct {
    int err;
    const char *text;
} reasons[] = {
    {COUNTER_UNKNOWN, "unknown: libpfm has no such event for this machine"},
    {ENOENT, "ENOENT: no such counter here (a virtual machine without a "
             "virtual PMU has none)"},
    {ENODEV, "ENODEV: the kernel does not know this processor's PMU"},
    {EINVAL, "EINVAL: this processor cannot count it"},
    {EOPNOTSUPP, "EOPNOTSUPP: this processor cannot count it in this mode"},
    {ENOSYS, "ENOSYS: the kernel has no perf_event_open, or a container's "
             "seccomp filter hides it"},
    {EBUSY, "EBUSY: another program keeps the counters to itself; stop it, "
            "then try again"},
    {ENOSPC, "ENOSPC: no hardware breakpoint is free"},
    {EMFILE, "EMFILE: each thread opens a file for each event; raise ulimit "
             "-n, or name fewer events"},
    {ENFILE, "ENFILE: the machine has too many open files"},
    {ECHILD, "ECHILD: the process that looks up names could not do it"},
    {ENOMEM, "ENOMEM: the kernel has no memory for it"},
};

/* perf_event_paranoid: 2 allows a user to count in user mode, 1 in the kernel
 * too; Debian's 3 allows nothing. */
static void explain_denied(int err, int paranoid, char *out, size_t size)
{
    const char *name = err == EACCES ? "EACCES" : "EPERM";

    if (paranoid == INT_MIN)
        snprintf(out, size,
                 "%s: not allowed; want CAP_PERFMON, and a container's seccomp "
                 "filter that lets perf_event_open pass",
                 name);
    else if (paranoid >= 2)
        snprintf(out, size,
                 "%s: kernel.perf_event_paranoid is %d; want %d or less, or "
                 "CAP_PERFMON, or no seccomp filter (container)",
                 name, paranoid, paranoid > 2 ? 2 : 1);
    else
        snprintf(out, size,
                 "%s: kernel.perf_event_paranoid is %d, which allows it: a "
                 "seccomp filter (container) or a security module forbids it",
                 name, paranoid);
}

void counter_explain(int err, int paranoid, char *out, size_t size)
{
    if (err == EACCES || err == EPERM) {
        explain_denied(err, paranoid, out, size);
        return;
    }
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].err == err) {
            snprintf(out, size, "%s", reasons[i].text);
            return;
        }
    snprintf(out, size, "error %d: %s", err, strerror(err));
}

int counter_paranoid(void)
{
    FILE *f = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
    int value;

    if (!f)
        return INT_MIN;
    if (fscanf(f, "%d", &value) != 1)
        value = INT_MIN;
    fclose(f);
    return value;
}
