/* test_doctor.c - every check on made-up machines.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "doctor_files.h"
#include "fake_tree.h"

enum { FILES = 5 };

#define CPU   "sys/devices/system/cpu/"
#define ZONE  "sys/class/thermal/thermal_zone0/"
#define CLOCK "sys/devices/system/clocksource/clocksource0/current_clocksource"
#define MEMORY(available)                                                      \
    "MemTotal: 4194304 kB\nMemFree: 1 kB\nMemAvailable: " available " kB\n"

static const struct {
    const char *check;
    enum doctor_verdict verdict;
    const char *found; /* part of it */
    struct {
        const char *path, *text;
    } file[FILES];
} machines[] = {
    {"governor", DOCTOR_OK, "no frequency control", {{0}}},
    {"governor",
     DOCTOR_OK,
     "all 2 CPUs",
     {{CPU "cpu0/cpufreq/scaling_governor", "performance\n"},
      {CPU "cpu1/cpufreq/scaling_governor", "performance\n"}}},
    {"governor",
     DOCTOR_NOTE,
     "powersave on 1 of 2 CPUs",
     {{CPU "cpu0/cpufreq/scaling_governor", "performance\n"},
      {CPU "cpu1/cpufreq/scaling_governor", "powersave\n"}}},
    {"turbo", DOCTOR_OK, "no control", {{0}}},
    {"turbo", DOCTOR_NOTE, "on", {{CPU "intel_pstate/no_turbo", "0\n"}}},
    {"turbo", DOCTOR_OK, "off", {{CPU "intel_pstate/no_turbo", "1\n"}}},
    {"turbo", DOCTOR_NOTE, "on", {{CPU "cpufreq/boost", "1\n"}}},
    {"turbo", DOCTOR_OK, "off", {{CPU "cpufreq/boost", "0\n"}}},
    {"smt", DOCTOR_NOTE, "share one core", {{CPU "smt/control", "on\n"}}},
    {"smt", DOCTOR_OK, "off", {{CPU "smt/control", "off\n"}}},
    {"heat", DOCTOR_OK, "no CPU", {{0}}},
    {"heat",
     DOCTOR_NOTE,
     "7 times since boot",
     {{CPU "cpu0/thermal_throttle/core_throttle_count", "3\n"},
      {CPU "cpu1/thermal_throttle/core_throttle_count", "4\n"}}},
    {"heat",
     DOCTOR_BAD,
     "x86_pkg_temp is at 97 C, its limit is 95 C",
     {{ZONE "type", "x86_pkg_temp\n"},
      {ZONE "temp", "97000\n"},
      {ZONE "trip_point_0_type", "passive\n"},
      {ZONE "trip_point_0_temp", "95000\n"}}},
    {"heat",
     DOCTOR_NOTE,
     "is at 91 C",
     {{ZONE "type", "cpu\n"},
      {ZONE "temp", "91000\n"},
      {ZONE "trip_point_0_type", "critical\n"},
      {ZONE "trip_point_0_temp", "95000\n"}}},
    {"heat",
     DOCTOR_OK,
     "no CPU",
     {{ZONE "temp", "60000\n"},
      {ZONE "trip_point_0_type", "active\n"}, /* a fan that starts */
      {ZONE "trip_point_0_temp", "50000\n"}}},
    {"affinity",
     DOCTOR_NOTE,
     "2 of 8 CPUs",
     {{CPU "online", "0-7\n"},
      {"proc/self/status", "Name: x\nCpus_allowed_list:\t0,4\n"}}},
    {"affinity",
     DOCTOR_OK,
     "all 4",
     {{CPU "online", "0-1,4-5\n"},
      {"proc/self/status", "Cpus_allowed_list:\t0-1,4-5\n"}}},
    {"affinity",
     DOCTOR_NOTE,
     "one CPU only",
     {{CPU "online", "0\n"}, {"proc/self/status", "Cpus_allowed_list:\t0\n"}}},
    {"affinity", DOCTOR_OK, "not told", {{CPU "online", "rubbish\n"}}},
    {"quota", DOCTOR_OK, "none", {{0}}},
    {"quota",
     DOCTOR_BAD,
     "0.5 CPUs",
     {{"proc/self/cgroup", "0::/a/b\n"},
      {"sys/fs/cgroup/a/b/cpu.max", "200000 100000\n"},
      {"sys/fs/cgroup/a/cpu.max", "50000 100000\n"},
      {CPU "online", "0-7\n"}}},
    {"quota",
     DOCTOR_NOTE,
     "1.5 CPUs",
     {{"proc/self/cgroup", "0::/\n"},
      {"sys/fs/cgroup/cpu.max", "150000 100000\n"},
      {CPU "online", "0-7\n"}}},
    {"quota",
     DOCTOR_OK,
     "none",
     {{"proc/self/cgroup", "0::/\n"},
      {"sys/fs/cgroup/cpu.max", "max 100000\n"}}},
    {"quota",
     DOCTOR_BAD,
     "0.25 CPUs",
     {{"proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/docker\n0::/\n"},
      {"sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "25000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n"}}},
    {"quota",
     DOCTOR_OK,
     "none",
     {{"proc/self/cgroup", "4:cpu:/\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}},
    {"clock", DOCTOR_OK, "tsc", {{CLOCK, "tsc\n"}}},
    {"clock", DOCTOR_BAD, "hpet", {{CLOCK, "hpet\n"}}},
    {"counters",
     DOCTOR_OK,
     "is 2",
     {{"proc/sys/kernel/perf_event_paranoid", "2\n"}}},
    {"counters",
     DOCTOR_NOTE,
     "is 4",
     {{"proc/sys/kernel/perf_event_paranoid", "4\n"}}},
    {"counters", DOCTOR_NOTE, "no performance events", {{0}}},
    {"virtual machine", DOCTOR_OK, "no", {{"proc/cpuinfo", "flags\t: fpu\n"}}},
    {"virtual machine",
     DOCTOR_NOTE,
     "yes",
     {{"proc/cpuinfo", "model name\t: x\nflags\t\t: fpu hypervisor lm\n"}}},
    {"virtual machine", DOCTOR_NOTE, "yes", {{"sys/hypervisor/type", "xen\n"}}},
    {"swap",
     DOCTOR_NOTE,
     "3 MiB",
     {{"proc/meminfo", "SwapTotal: 8192 kB\nSwapFree: 5120 kB\n"}}},
    {"swap",
     DOCTOR_OK,
     "0 MiB",
     {{"proc/meminfo", "SwapTotal: 8192 kB\nSwapFree: 8192 kB\n"}}},
    {"memory",
     DOCTOR_OK,
     "3072 MiB are available",
     {{"proc/meminfo", MEMORY("3145728")}}},
    {"memory", DOCTOR_BAD, "100 MiB", {{"proc/meminfo", MEMORY("102400")}}},
    {"memory",
     DOCTOR_NOTE,
     "group may use 2048 MiB",
     {{"proc/meminfo", MEMORY("3145728")},
      {"proc/self/cgroup", "0::/x\n"},
      {"sys/fs/cgroup/x/memory.max", "2147483648\n"}}},
    {"memory",
     DOCTOR_BAD,
     "group may use 64 MiB",
     {{"proc/meminfo", MEMORY("3145728")},
      {"proc/self/cgroup", "2:memory:/x\n"},
      {"sys/fs/cgroup/memory/x/memory.limit_in_bytes", "67108864\n"}}},
    {"huge pages",
     DOCTOR_NOTE,
     "always",
     {{"sys/kernel/mm/transparent_hugepage/enabled",
       "[always] madvise never\n"}}},
    {"huge pages",
     DOCTOR_OK,
     "madvise",
     {{"sys/kernel/mm/transparent_hugepage/enabled",
       "always [madvise] never\n"}}},
    {"aslr", DOCTOR_OK, "on", {{"proc/sys/kernel/randomize_va_space", "2\n"}}},
    {"aslr",
     DOCTOR_NOTE,
     "off",
     {{"proc/sys/kernel/randomize_va_space", "0\n"}}},
};

static struct fake_tree tree;
static struct doctor doctor;
static struct doctor_finding finding;
static char *variables[4];

static void set_up(void)
{
    fake_tree_open(&tree);
    doctor = (struct doctor){.root = tree.root, .environment = variables};
}

static void tear_down(void)
{
    fake_tree_close(&tree);
}

TestSuite(doctor, .init = set_up, .fini = tear_down);

static void look(const char *name)
{
    for (size_t t = 0; doctor_tables[t]; t++)
        for (const struct doctor_check *c = doctor_tables[t]; c->name; c++)
            if (!strcmp(c->name, name)) {
                doctor_look(&doctor, c, &finding);
                return;
            }
    cr_assert_fail("no check is called %s", name);
}

static void expect(const char *name, enum doctor_verdict verdict,
                   const char *found)
{
    look(name);
    cr_expect_eq(finding.verdict, verdict, "%s: %d, %s", name, finding.verdict,
                 finding.found);
    cr_expect_not_null(strstr(finding.found, found), "%s: \"%s\" (want %s)",
                       name, finding.found, found);
}

Test(doctor, machines_are_judged_by_their_files)
{
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        for (int k = 0; k < FILES && machines[i].file[k].path; k++)
            fake_tree_put(&tree, machines[i].file[k].path,
                          machines[i].file[k].text);
        doctor.throttled_after = doctor.throttled_before = 0;
        if (!strcmp(machines[i].check, "heat")) { /* it is counted on opening */
            doctor_open(&doctor, tree.root, ".", 0);
            doctor.environment = variables;
        }
        expect(machines[i].check, machines[i].verdict, machines[i].found);
        fake_tree_close(&tree);
        fake_tree_open(&tree);
        doctor.root = tree.root;
    }
}

/* A machine that tells nothing, as a sandbox does. */
Test(doctor, without_any_file_nothing_is_bad)
{
    doctor_open(&doctor, tree.root, tree.root, 0);
    doctor.environment = variables;
    for (size_t t = 0; doctor_tables[t]; t++)
        for (const struct doctor_check *c = doctor_tables[t]; c->name; c++) {
            doctor_look(&doctor, c, &finding);
            if (strcmp(c->name, "disk") != 0)
                cr_expect_neq(finding.verdict, DOCTOR_BAD, "%s: %s", c->name,
                              finding.found);
            cr_expect(finding.found[0] && c->why[0], "%s", c->name);
        }
}

/* ---- what changes by the moment ---- */

static void read_twice(const char *path, const char *before, const char *after)
{
    fake_tree_put(&tree, path, before);
    noise_read(tree.root, &doctor.before);
    fake_tree_put(&tree, path, after);
    noise_read(tree.root, &doctor.after);
}

Test(doctor, load_and_steal_are_of_the_sampled_span_only)
{
    static const char before[] = "cpu  9999 0 0 100 0 0 0 9999 0 0\n";

    read_twice("proc/stat", before, "cpu  9999 0 0 300 0 0 0 9999 0 0\n");
    expect("load", DOCTOR_OK, "others use 0 %");
    expect("steal", DOCTOR_OK, "0.0 %");
    read_twice("proc/stat", before, "cpu 10049 0 0 250 0 0 0 9999 0 0\n");
    expect("load", DOCTOR_NOTE, "others use 25 %");
    read_twice("proc/stat", before, "cpu 10199 0 0 100 0 0 0 9999 0 0\n");
    expect("load", DOCTOR_BAD, "others use 100 %");
    read_twice("proc/stat", before, "cpu  9999 0 0 296 0 0 0 10003 0 0\n");
    expect("steal", DOCTOR_NOTE, "2.0 %");
    read_twice("proc/stat", before, "cpu  9999 0 0 280 0 0 0 10019 0 0\n");
    expect("steal", DOCTOR_BAD, "10.0 %");
    read_twice("proc/stat", before, before); /* no tick has passed */
    expect("load", DOCTOR_OK, "not told");
}

Test(doctor, pressure_is_a_share_of_the_span)
{
    static const struct {
        const char *check, *path;
        uint64_t ns;
        enum doctor_verdict verdict;
    } spans[] = {
        {"cpu pressure", "proc/pressure/cpu", 1000000, DOCTOR_BAD},
        {"cpu pressure", "proc/pressure/cpu", 10000000, DOCTOR_NOTE},
        {"cpu pressure", "proc/pressure/cpu", 100000000, DOCTOR_OK},
        {"memory pressure", "proc/pressure/memory", 1000000, DOCTOR_BAD},
        {"memory pressure", "proc/pressure/memory", 20000000, DOCTOR_NOTE},
        {"disk pressure", "proc/pressure/io", 1000000, DOCTOR_BAD},
        {"disk pressure", "proc/pressure/io", 2000000, DOCTOR_NOTE},
    };

    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        read_twice(spans[i].path,
                   "some avg10=0.00 avg60=0.00 avg300=0.00 total=5000\n",
                   "some avg10=0.00 avg60=0.00 avg300=0.00 total=6000\n");
        doctor.after.ns = doctor.before.ns + spans[i].ns; /* 1 ms of them */
        expect(spans[i].check, spans[i].verdict, "some task waited");
    }
}

Test(doctor, heat_that_slows_a_CPU_just_now_is_bad)
{
    doctor.throttled_before = 5;
    doctor.throttled_after = 6;
    expect("heat", DOCTOR_BAD, "just now");
}

/* ---- what the user has set up ---- */

Test(doctor, disks_are_judged_by_their_room)
{
    expect("disk", DOCTOR_BAD, "cannot be found");
    doctor.has_disk = 1;
    doctor.disk_free = UINT64_C(10) << 20;
    expect("disk", DOCTOR_BAD, "10 MiB");
    doctor.disk_free = UINT64_C(500) << 20;
    expect("disk", DOCTOR_NOTE, "500 MiB");
    doctor.disk_free = UINT64_C(5) << 30;
    expect("disk", DOCTOR_OK, "5120 MiB");
    doctor_open(&doctor, tree.root, "no/such/folder/yet", 0);
    cr_assert(doctor.has_disk && doctor.disk_free);
}

Test(doctor, tuning_variables_are_named_without_their_values)
{
    static char harmless[] = "HOME=/x", tuning[] = "MALLOC_ARENA_MAX=1",
                preload[] = "LD_PRELOAD=x.so", empty[] = "LD_PRELOAD=";

    variables[0] = harmless;
    expect("environment", DOCTOR_OK, "no variable");
    variables[1] = tuning;
    expect("environment", DOCTOR_NOTE, "MALLOC_ARENA_MAX");
    cr_assert_str_eq(finding.todo, "unset MALLOC_ARENA_MAX");
    variables[2] = empty;
    expect("environment", DOCTOR_NOTE, "MALLOC_ARENA_MAX");
    variables[2] = preload;
    expect("environment", DOCTOR_BAD, "MALLOC_ARENA_MAX LD_PRELOAD");
}

Test(doctor, missing_packages_come_with_the_command_that_installs_them)
{
    expect("packages", DOCTOR_OK, "all there");
    strcpy(doctor.missing, "libjemalloc2 gnuplot-nox");
    expect("packages", DOCTOR_NOTE, "missing: libjemalloc2 gnuplot-nox");
    cr_assert_str_eq(finding.todo,
                     "sudo apt-get install libjemalloc2 gnuplot-nox");
}

Test(doctor, lists_of_CPUs_are_counted)
{
    cr_expect_eq(doctor_count_list("0"), 1);
    cr_expect_eq(doctor_count_list("0-3"), 4);
    cr_expect_eq(doctor_count_list("0-3,8,10-11"), 7);
    cr_expect_eq(doctor_count_list(""), 0);
    cr_expect_eq(doctor_count_list("x"), 0);
    cr_expect_eq(doctor_count_list("3-1"), 0);
    cr_expect_eq(doctor_count_list("0-4294967295"), 0);
    cr_expect_eq(doctor_count_list("1;2"), 0);
}
