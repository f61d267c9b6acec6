/* doctor_cpu.c - checks of the CPUs: how fast they are, and which we may use.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "doctor_files.h"
#include "doctor_tables.h"

#define CPUS "/sys/devices/system/cpu"

/* ---- frequency ---- */

struct governors {
    unsigned cpus, slow;
    char name[DOCTOR_TEXT]; /* of the last one that is not performance */
};

static void see_governor(const char *root, const char *path, void *arg)
{
    struct governors *g = arg;
    char text[DOCTOR_TEXT];

    if (!doctor_text(root, path, text))
        return;
    g->cpus++;
    if (!strcmp(text, "performance"))
        return;
    g->slow++;
    memcpy(g->name, text, sizeof g->name);
}

static void look_governor(const struct doctor *d, struct doctor_finding *f)
{
    struct governors g = {0};

    doctor_each(d->root, CPUS "/cpu[0-9]*/cpufreq/scaling_governor",
                see_governor, &g);
    if (!g.cpus)
        doctor_find(f, DOCTOR_OK, "no frequency control here");
    else if (g.slow)
        doctor_find(f, DOCTOR_NOTE, "%.40s on %u of %u CPUs", g.name, g.slow,
                    g.cpus);
    else
        doctor_find(f, DOCTOR_OK, "performance on all %u CPUs", g.cpus);
}

static void look_turbo(const struct doctor *d, struct doctor_finding *f)
{
    double n;

    if (doctor_number(d->root, CPUS "/intel_pstate/no_turbo", &n)) {
        doctor_find(f, n == 0 ? DOCTOR_NOTE : DOCTOR_OK, n == 0 ? "on" : "off");
        doctor_todo(f, "echo 1 | sudo tee " CPUS "/intel_pstate/no_turbo");
    } else if (doctor_number(d->root, CPUS "/cpufreq/boost", &n)) {
        doctor_find(f, n != 0 ? DOCTOR_NOTE : DOCTOR_OK, n != 0 ? "on" : "off");
        doctor_todo(f, "echo 0 | sudo tee " CPUS "/cpufreq/boost");
    } else {
        doctor_find(f, DOCTOR_OK, "no control of it here");
    }
}

static void look_smt(const struct doctor *d, struct doctor_finding *f)
{
    char text[DOCTOR_TEXT];

    if (!doctor_text(d->root, CPUS "/smt/control", text))
        doctor_find(f, DOCTOR_OK, "not told by this kernel");
    else if (!strcmp(text, "on"))
        doctor_find(f, DOCTOR_NOTE, "on: two CPUs share one core");
    else
        doctor_find(f, DOCTOR_OK, "%.40s", text);
}

/* ---- heat ---- */

struct zone {
    char name[DOCTOR_TEXT];
    double degrees, limit; /* of the one that is nearest to its limit */
    int is_found;
};

/* A zone's lowest trip at which something is done about it. */
static int lowest_trip(const char *root, const char *zone, double *out)
{
    char path[DOCTOR_PATH], type[DOCTOR_TEXT];
    int is_found = 0;
    double t;

    for (int i = 0; i < 16; i++) {
        snprintf(path, sizeof path, "%.4000s/trip_point_%d_type", zone, i);
        if (!doctor_text(root, path, type))
            break;
        snprintf(path, sizeof path, "%.4000s/trip_point_%d_temp", zone, i);
        if ((strcmp(type, "passive") != 0 && strcmp(type, "hot") != 0 &&
             strcmp(type, "critical") != 0) ||
            !doctor_number(root, path, &t) || t <= 0)
            continue;
        *out = is_found && *out < t ? *out : t;
        is_found = 1;
    }
    return is_found;
}

static void see_zone(const char *root, const char *path, void *arg)
{
    struct zone *z = arg;
    char file[DOCTOR_PATH];
    double now, limit;

    snprintf(file, sizeof file, "%.4000s/temp", path);
    if (!doctor_number(root, file, &now) || !lowest_trip(root, path, &limit))
        return;
    now /= 1000; /* both are in millidegrees */
    limit /= 1000;
    if (z->is_found && limit - now >= z->limit - z->degrees)
        return;
    snprintf(file, sizeof file, "%.4000s/type", path);
    doctor_text(root, file, z->name);
    z->degrees = now;
    z->limit = limit;
    z->is_found = 1;
}

static void look_heat(const struct doctor *d, struct doctor_finding *f)
{
    enum { NEAR = 5 }; /* degrees */
    struct zone z = {0};

    doctor_each(d->root, "/sys/class/thermal/thermal_zone[0-9]*", see_zone, &z);
    if (d->throttled_after > d->throttled_before)
        doctor_find(f, DOCTOR_BAD, "a CPU was slowed down just now, by heat");
    else if (z.is_found && z.degrees >= z.limit)
        doctor_find(f, DOCTOR_BAD, "%.40s is at %.0f C, its limit is %.0f C",
                    z.name, z.degrees, z.limit);
    else if (z.is_found && z.degrees >= z.limit - NEAR)
        doctor_find(f, DOCTOR_NOTE, "%.40s is at %.0f C, its limit is %.0f C",
                    z.name, z.degrees, z.limit);
    else if (d->throttled_after)
        doctor_find(f, DOCTOR_NOTE,
                    "CPUs were slowed down %.0f times since boot, by heat",
                    (double)d->throttled_after);
    else
        doctor_find(f, DOCTOR_OK, "no CPU was slowed down by it");
}

/* ---- which we may use ---- */

static unsigned count_online(const struct doctor *d)
{
    char text[DOCTOR_TEXT];

    return doctor_text(d->root, CPUS "/online", text) ? doctor_count_list(text)
                                                      : 0;
}

static void look_affinity(const struct doctor *d, struct doctor_finding *f)
{
    char text[DOCTOR_TEXT];
    unsigned online = count_online(d), ours = 0;

    if (doctor_value(d->root, "/proc/self/status", "Cpus_allowed_list", text))
        ours = doctor_count_list(text);
    if (!online || !ours)
        doctor_find(f, DOCTOR_OK, "not told by this kernel");
    else if (online == 1)
        doctor_find(f, DOCTOR_NOTE, "the machine has one CPU only");
    else if (ours < online)
        doctor_find(f, DOCTOR_NOTE, "we may use %u of %u CPUs", ours, online);
    else
        doctor_find(f, DOCTOR_OK, "all %u CPUs", online);
}

/* The least quota of our control group and those above it, in CPUs. */
struct quota {
    const char *base;
    double cpus;
    int is_set;
};

static void take_quota(struct quota *q, double us, double period)
{
    if (us <= 0 || period <= 0 || (q->is_set && q->cpus <= us / period))
        return;
    q->cpus = us / period;
    q->is_set = 1;
}

static void see_quota(const char *root, const char *group, void *arg)
{
    char path[DOCTOR_PATH], text[DOCTOR_TEXT];
    double us, period;

    snprintf(path, sizeof path, "%.4000s/cpu.max", group); /* version 2 */
    if (doctor_text(root, path, text) &&
        sscanf(text, "%lf %lf", &us, &period) == 2)
        take_quota(arg, us, period);
    snprintf(path, sizeof path, "%.4000s/cpu.cfs_quota_us", group);
    if (!doctor_number(root, path, &us))
        return;
    snprintf(path, sizeof path, "%.4000s/cpu.cfs_period_us", group);
    if (doctor_number(root, path, &period))
        take_quota(arg, us, period);
}

static void look_quota(const struct doctor *d, struct doctor_finding *f)
{
    struct quota q = {0};
    unsigned online = count_online(d);

    doctor_each_group(d->root, "cpu", see_quota, &q);
    if (!q.is_set || (online && q.cpus >= online))
        doctor_find(f, DOCTOR_OK, "none");
    else
        doctor_find(f, q.cpus < 1 ? DOCTOR_BAD : DOCTOR_NOTE,
                    "our control group may use %.2g CPUs", q.cpus);
}

/* ---- clocks and counters ---- */

static void look_clock(const struct doctor *d, struct doctor_finding *f)
{
    static const char *const slow[] = {"hpet", "acpi_pm", "jiffies", "pit",
                                       "refined-jiffies"};
    char text[DOCTOR_TEXT];

    if (!doctor_text(d->root,
                     "/sys/devices/system/clocksource/clocksource0/"
                     "current_clocksource",
                     text)) {
        doctor_find(f, DOCTOR_OK, "not told by this kernel");
        return;
    }
    doctor_find(f, DOCTOR_OK, "%.40s", text);
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++)
        if (!strcmp(text, slow[i]))
            doctor_find(f, DOCTOR_BAD, "%.40s: each reading enters the kernel",
                        text);
}

static void look_counters(const struct doctor *d, struct doctor_finding *f)
{
    enum { OWN_PROCESSES = 2 };
    double n;

    if (!doctor_number(d->root, "/proc/sys/kernel/perf_event_paranoid", &n))
        doctor_find(f, DOCTOR_NOTE, "this kernel has no performance events");
    else
        doctor_find(f, n > OWN_PROCESSES ? DOCTOR_NOTE : DOCTOR_OK,
                    "perf_event_paranoid is %.0f", n);
}

const struct doctor_check doctor_cpu_checks[] = {
    {"governor", look_governor,
     "the clock rate follows the load, and runs see different ones",
     "sudo cpupower frequency-set -g performance"},
    {"turbo", look_turbo,
     "the clock rate depends on heat and on what other cores do", ""},
    {"smt", look_smt,
     "a neighbour on the same core takes part of its speed and caches",
     "echo off | sudo tee " CPUS "/smt/control"},
    {"heat", look_heat, "a hot CPU slows down in the middle of a bench",
     "let it cool, and see to its fan"},
    {"affinity", look_affinity,
     "threads that share a CPU wait for each other, and for the harness",
     "start it without taskset, or with fewer --threads"},
    {"quota", look_quota,
     "a process over its quota is stopped for up to 0.1 s at a time",
     "lift it: systemctl set-property, or docker run without --cpus"},
    {"clock", look_clock,
     "a slow clock is most of a short measurement, above all of latency",
     "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/"
     "current_clocksource"},
    {"counters", look_counters,
     "without them no cache misses or branches can be counted",
     "sudo sysctl kernel.perf_event_paranoid=2"},
    {0},
};
