/* noise.c - what else the machine did: counters of the kernel at one moment.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "noise.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "ticks.h"

enum { PATH_ROOM = 4096 };

/* The first line: "cpu user nice system idle iowait irq softirq steal …";
 * guests' time is part of user and nice. */
static void read_cpu(const char *root, struct noise *n)
{
    enum { IDLE = 3, IOWAIT = 4, STEAL = 7, FIELDS = 8 };
    char path[PATH_ROOM];
    uint64_t t[FIELDS];

    snprintf(path, sizeof path, "%.4000s/proc/stat", root);
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    n->has_cpu = fscanf(f,
                        "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                        " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
                        &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6],
                        &t[7]) == FIELDS;
    fclose(f);
    for (int i = 0; i < FIELDS && n->has_cpu; i++)
        n->all += t[i];
    if (n->has_cpu) {
        n->idle = t[IDLE] + t[IOWAIT];
        n->steal = t[STEAL];
    }
}

static void read_pressure(const char *root, enum pressure kind, struct noise *n)
{
    static const char *const names[PRESSURE_KINDS] = {[PRESSURE_CPU] = "cpu",
                                                      [PRESSURE_MEMORY] =
                                                          "memory",
                                                      [PRESSURE_IO] = "io"};
    char path[PATH_ROOM];

    snprintf(path, sizeof path, "%.4000s/proc/pressure/%s", root, names[kind]);
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    n->has_pressure[kind] =
        fscanf(f, "some avg10=%*s avg60=%*s avg300=%*s total=%" SCNu64,
               &n->pressure_us[kind]) == 1;
    fclose(f);
}

void noise_read(const char *root, struct noise *n)
{
    *n = (struct noise){.ns = clock_wall_ns()};
    read_cpu(root, n);
    for (int kind = 0; kind < PRESSURE_KINDS; kind++)
        read_pressure(root, (enum pressure)kind, n);
}

/* A counter that went back (a CPU that was taken away) counts as still. */
static double grown(uint64_t before, uint64_t after)
{
    return after > before ? (double)(after - before) : 0;
}

int noise_report(const struct noise *before, const struct noise *after,
                 struct outcome *o)
{
    int err = 0;

    if (before->has_cpu && after->has_cpu)
        err = outcome_add(o, "steal", "", "ns",
                          grown(before->steal, after->steal) * 1e9 /
                              (double)sysconf(_SC_CLK_TCK));
    if (!err && before->has_pressure[PRESSURE_CPU] &&
        after->has_pressure[PRESSURE_CPU])
        err = outcome_add(o, "cpu_pressure", "", "ns",
                          grown(before->pressure_us[PRESSURE_CPU],
                                after->pressure_us[PRESSURE_CPU]) *
                              1e3);
    return err;
}
