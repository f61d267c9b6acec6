/* app_memory.c - the memory of a real program, sampled from outside.
 *
 * The footprint is what meter memory takes for a replay (rss.h), less what the
 * process held before the program began, so that the two can be compared.
 * Between two samples a peak may hide; where the program left by exit(), the
 * kernel's high-water mark bounds it: VmHWM less file pages, of which there
 * are most at the end (proc(5)).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "app_memory.h"

#include "rss.h"
#include "ticks.h"

static void find_program(struct app_memory *m)
{
    struct witness w;

    witness_read(m->witness, m->program, &w);
    if (!w.has_begun)
        return;
    m->pid = w.pid;
    m->baseline = w.baseline;
}

static void advance(struct app_series *s, uint64_t bytes, double dt)
{
    s->integral += dt * 0.5 * ((double)s->last + (double)bytes);
    s->last = bytes;
    if (bytes > s->most)
        s->most = bytes;
}

void app_memory_tick(void *app_memory, pid_t command)
{
    struct app_memory *m = app_memory;
    uint64_t held, pss;

    (void)command;
    if (!m->pid)
        find_program(m);
    if (!m->pid || rss_held(m->pid, &held) || rss_shared_out(m->pid, &pss))
        return;
    uint64_t now = clock_wall_ns();
    double dt = m->samples ? (double)(now - m->last_ns) * 1e-9 : 0;

    held = held > m->baseline ? held - m->baseline : 0;
    advance(&m->held, held, dt);
    advance(&m->pss, pss, dt);
    m->seconds += dt;
    m->last_ns = now;
    m->samples++;
}

static int add(struct outcome *o, int err, const char *metric, double value)
{
    return err ? err : outcome_add(o, metric, "", "bytes", value);
}

int app_memory_report(const struct app_memory *m, const struct witness *w,
                      struct outcome *o)
{
    uint64_t most = m->held.most, others = w->file + w->baseline;
    int err = add(o, 0, "rss_baseline", (double)w->baseline);

    if (w->has_ended && w->most > others && w->most - others > most)
        most = w->most - others;
    if (w->has_ended)
        err = add(o, err, "rss_hwm", (double)w->most);
    if (most)
        err = add(o, err, "rss_peak", (double)most);
    if (m->samples)
        err = add(o, err, "rss_end", (double)m->held.last);
    if (m->samples)
        err = add(o, err, "pss_peak", (double)m->pss.most);
    if (m->samples < 3 || m->seconds <= 0)
        return err;
    err = add(o, err, "rss_mean", m->held.integral / m->seconds);
    return add(o, err, "pss_mean", m->pss.integral / m->seconds);
}
