/* doctor_system.c - checks of the system: its load, memory and settings.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "doctor_files.h"
#include "doctor_tables.h"
#include "environment.h"

/* ---- what others do ---- */

/* In the sampled span: the share of CPU time; below 0 if unknown. */
static double share_of(const struct doctor *d, uint64_t before, uint64_t after)
{
    if (!d->before.has_cpu || d->after.all <= d->before.all)
        return -1;
    return after > before ? (double)(after - before) /
                                (double)(d->after.all - d->before.all)
                          : 0;
}

static void look_load(const struct doctor *d, struct doctor_finding *f)
{
    static const double some = 0.1, no_cpu_left = 0.9;
    char load[DOCTOR_TEXT];
    double idle = share_of(d, d->before.idle, d->after.idle);

    doctor_text(d->root, "/proc/loadavg", load);
    load[strcspn(load, " ")] = 0;
    if (idle < 0)
        doctor_find(f, DOCTOR_OK, "not told by this kernel");
    else
        doctor_find(f,
                    1 - idle > no_cpu_left ? DOCTOR_BAD
                    : 1 - idle > some      ? DOCTOR_NOTE
                                           : DOCTOR_OK,
                    "others use %.0f %% of the CPUs just now (load %s)",
                    100 * (1 - idle), load[0] ? load : "unknown");
}

static void look_virtual(const struct doctor *d, struct doctor_finding *f)
{
    char line[8192] = "", path[DOCTOR_PATH], type[DOCTOR_TEXT];
    int is_virtual = doctor_text(d->root, "/sys/hypervisor/type", type);

    snprintf(path, sizeof path, "%.4000s/proc/cpuinfo", d->root);
    FILE *cpuinfo = fopen(path, "r");
    while (cpuinfo && fgets(line, sizeof line, cpuinfo))
        is_virtual |= !strncmp(line, "flags", 5) && strstr(line, " hypervisor");
    if (cpuinfo)
        fclose(cpuinfo);
    doctor_find(f, is_virtual ? DOCTOR_NOTE : DOCTOR_OK, "%s",
                is_virtual ? "yes" : "no");
}

static void look_steal(const struct doctor *d, struct doctor_finding *f)
{
    static const double much = 0.05;
    double steal = share_of(d, d->before.steal, d->after.steal);

    if (steal < 0)
        doctor_find(f, DOCTOR_OK, "not told by this kernel");
    else
        doctor_find(f,
                    steal > much ? DOCTOR_BAD
                    : steal > 0  ? DOCTOR_NOTE
                                 : DOCTOR_OK,
                    "the host took %.1f %% of the CPU time just now",
                    100 * steal);
}

/* Shares of the sampled span, in which some task waited. */
static void look_pressure(const struct doctor *d, struct doctor_finding *f,
                          enum pressure kind, double some, double much)
{
    const struct noise *a = &d->before, *b = &d->after;

    if (!a->has_pressure[kind] || !b->has_pressure[kind] || b->ns <= a->ns) {
        doctor_find(f, DOCTOR_OK, "not told by this kernel");
        return;
    }
    double share = (double)(b->pressure_us[kind] - a->pressure_us[kind]) * 1e3 /
                   (double)(b->ns - a->ns);

    doctor_find(f,
                share > much   ? DOCTOR_BAD
                : share > some ? DOCTOR_NOTE
                               : DOCTOR_OK,
                "some task waited for it %.0f %% of the time just now",
                100 * share);
}

static void look_pressure_cpu(const struct doctor *d, struct doctor_finding *f)
{
    look_pressure(d, f, PRESSURE_CPU, 0.05, 0.5);
}

static void look_pressure_memory(const struct doctor *d,
                                 struct doctor_finding *f)
{
    look_pressure(d, f, PRESSURE_MEMORY, 0.01, 0.1);
}

static void look_pressure_io(const struct doctor *d, struct doctor_finding *f)
{
    look_pressure(d, f, PRESSURE_IO, 0.1, 0.9);
}

/* ---- memory ---- */

static double meminfo_kib(const struct doctor *d, const char *key)
{
    char text[DOCTOR_TEXT];

    return doctor_value(d->root, "/proc/meminfo", key, text) ? atof(text) : -1;
}

static void look_swap(const struct doctor *d, struct doctor_finding *f)
{
    double used = meminfo_kib(d, "SwapTotal") - meminfo_kib(d, "SwapFree");

    doctor_find(f, used > 0 ? DOCTOR_NOTE : DOCTOR_OK, "%.0f MiB in use",
                used / 1024);
}

static void see_memory_limit(const char *root, const char *group, void *arg)
{
    double *least = arg, n;
    char path[DOCTOR_PATH];

    snprintf(path, sizeof path, "%.4000s/memory.max", group); /* version 2 */
    if (doctor_number(root, path, &n) && n < *least)
        *least = n;
    snprintf(path, sizeof path, "%.4000s/memory.limit_in_bytes", group);
    if (doctor_number(root, path, &n) && n < *least)
        *least = n;
}

static void look_memory(const struct doctor *d, struct doctor_finding *f)
{
    enum { SCANT = 256, SMALL = 1024 }; /* MiB */
    double available = meminfo_kib(d, "MemAvailable") * 1024;
    double limit = meminfo_kib(d, "MemTotal") * 1024, whole = limit;

    if (available < 0 || limit < 0) {
        doctor_find(f, DOCTOR_OK, "not told by this kernel");
        return;
    }
    doctor_each_group(d->root, "memory", see_memory_limit, &limit);
    double mib = (available < limit ? available : limit) / (1024 * 1024);
    enum doctor_verdict v = mib < SCANT                    ? DOCTOR_BAD
                            : mib < SMALL || limit < whole ? DOCTOR_NOTE
                                                           : DOCTOR_OK;
    if (limit < whole)
        doctor_find(f, v, "our control group may use %.0f MiB",
                    limit / (1024 * 1024));
    else
        doctor_find(f, v, "%.0f MiB are available", mib);
}

static void look_thp(const struct doctor *d, struct doctor_finding *f)
{
    char text[DOCTOR_TEXT];

    if (!doctor_text(d->root, "/sys/kernel/mm/transparent_hugepage/enabled",
                     text)) {
        doctor_find(f, DOCTOR_OK, "none");
        return;
    }
    doctor_chosen(text);
    doctor_find(f, strcmp(text, "always") ? DOCTOR_OK : DOCTOR_NOTE, "%.40s",
                text);
}

static void look_aslr(const struct doctor *d, struct doctor_finding *f)
{
    double n;

    if (!doctor_number(d->root, "/proc/sys/kernel/randomize_va_space", &n))
        doctor_find(f, DOCTOR_OK, "not told by this kernel");
    else
        doctor_find(f, n < 2 ? DOCTOR_NOTE : DOCTOR_OK, "%s",
                    n >= 2   ? "on"
                    : n >= 1 ? "on, but not for the heap"
                             : "off");
}

/* ---- what the user has set up ---- */

static void look_disk(const struct doctor *d, struct doctor_finding *f)
{
    enum { SCANT = 64, SMALL = 1024 }; /* MiB */
    double mib = (double)d->disk_free / (1024 * 1024);

    if (!d->has_disk)
        doctor_find(f, DOCTOR_BAD, "the folder for results cannot be found");
    else
        doctor_find(f,
                    mib < SCANT   ? DOCTOR_BAD
                    : mib < SMALL ? DOCTOR_NOTE
                                  : DOCTOR_OK,
                    "%.0f MiB are free where results go", mib);
}

static void look_environment(const struct doctor *d, struct doctor_finding *f)
{
    char names[200] = "";
    int is_preload = 0, n = 0;

    for (char *const *e = d->environment; *e; e++) {
        int length = (int)strcspn(*e, "=");

        if (!environment_is_tuning(*e) || !(*e)[length] || !(*e)[length + 1] ||
            (size_t)n >= sizeof names) /* one without a value does nothing */
            continue;
        is_preload |= !strncmp(*e, "LD_PRELOAD=", 11);
        n += snprintf(names + n, sizeof names - (size_t)n, "%s%.*s",
                      n ? " " : "", length, *e);
    }
    if (!n) {
        doctor_find(f, DOCTOR_OK, "no variable that changes an allocator");
        return;
    }
    doctor_find(f, is_preload ? DOCTOR_BAD : DOCTOR_NOTE, "%s", names);
    doctor_todo(f, "unset %s", names);
}

static void look_packages(const struct doctor *d, struct doctor_finding *f)
{
    if (!d->missing[0]) {
        doctor_find(f, DOCTOR_OK, "all there");
        return;
    }
    doctor_find(f, DOCTOR_NOTE, "missing: %.200s", d->missing);
    doctor_todo(f, "sudo apt-get install %.200s", d->missing);
}

const struct doctor_check doctor_system_checks[] = {
    {"load", look_load, "runs wait for a CPU that others use",
     "end what else runs; to see it: top"},
    {"virtual machine", look_virtual,
     "others share its CPUs and caches: compare runs of one session only",
     "for absolute figures take a machine of your own"},
    {"steal", look_steal, "time that the host takes away counts as wall time",
     "wait, or take another host"},
    {"cpu pressure", look_pressure_cpu, "tasks wait for a CPU",
     "end what else runs; to see it: top"},
    {"memory pressure", look_pressure_memory,
     "page faults wait for memory to be freed", "free some memory"},
    {"disk pressure", look_pressure_io,
     "traces and results are read and written while others do",
     "end what else reads and writes; to see it: iotop"},
    {"swap", look_swap, "what is swapped out is not in the resident memory",
     "sudo swapoff -a && sudo swapon -a"},
    {"memory", look_memory, "a run that gets no memory fails or is killed",
     "end what else runs, or raise the limit of the container"},
    {"huge pages", look_thp,
     "a small heap may be 2 MiB in memory: footprints are larger",
     "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"},
    {"aslr", look_aslr,
     "all runs have one layout of memory, which may favour an allocator",
     "sudo sysctl kernel.randomize_va_space=2"},
    {"disk", look_disk, "samples and traces need room", "df -h ."},
    {"environment", look_environment,
     "an allocator is measured as it was tuned, not as it is", ""},
    {"packages", look_packages,
     "an allocator is left out, or there are no charts", ""},
    {0},
};
