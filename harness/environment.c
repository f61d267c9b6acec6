/* environment.c - what tells one machine, and one day, from another.
 *
 * A table of keys, each with the function that finds its value.  results/
 * README.md says what each key means.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* gnu_get_libc_version */

#include "environment.h"

#include <ctype.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "csv.h"
#include "places.h"

enum { VALUE_MAX = 512 };

/* ---- helpers ---- */

static void first_line(const char *path, char out[VALUE_MAX])
{
    FILE *f = fopen(path, "r");

    out[0] = 0;
    if (!f)
        return;
    if (fgets(out, VALUE_MAX, f))
        out[strcspn(out, "\n")] = 0;
    fclose(f);
}

/* The value of "key : value" or "key: value" in a file of /proc. */
static void proc_value(const char *path, const char *key, char out[VALUE_MAX])
{
    char line[VALUE_MAX];
    FILE *f = fopen(path, "r");

    out[0] = 0;
    while (f && !out[0] && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');

        if (strncmp(line, key, strlen(key)) != 0 || !colon)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(out, VALUE_MAX, "%.*s", (int)strcspn(colon, "\n"), colon);
    }
    if (f)
        fclose(f);
}

/* "always [madvise] never" -> "madvise" */
static void chosen(char value[VALUE_MAX])
{
    char *open = strchr(value, '['), *close = open ? strchr(open, ']') : NULL;

    if (!close)
        return;
    *close = 0;
    memmove(value, open + 1, strlen(open + 1) + 1);
}

/* ---- one finder a key ---- */

void environment_date(char *out, size_t size)
{
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void find_date(char out[VALUE_MAX])
{
    environment_date(out, VALUE_MAX);
}

static void find_host(char out[VALUE_MAX])
{
    if (gethostname(out, VALUE_MAX))
        out[0] = 0;
}

static void find_cpu(char out[VALUE_MAX])
{
    proc_value("/proc/cpuinfo", "model name", out);
}

static void find_cpus(char out[VALUE_MAX])
{
    snprintf(out, VALUE_MAX, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
}

static void find_kernel(char out[VALUE_MAX])
{
    struct utsname u;

    if (!uname(&u))
        snprintf(out, VALUE_MAX, "%s %s %s", u.sysname, u.release, u.machine);
}

static void find_libc(char out[VALUE_MAX])
{
    snprintf(out, VALUE_MAX, "glibc %s", gnu_get_libc_version());
}

static void find_compiler(char out[VALUE_MAX])
{
    snprintf(out, VALUE_MAX, "%s", __VERSION__);
}

static void find_governor(char out[VALUE_MAX])
{
    first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", out);
}

static void find_turbo(char out[VALUE_MAX])
{
    first_line("/sys/devices/system/cpu/intel_pstate/no_turbo", out);
    if (out[0]) {
        snprintf(out, VALUE_MAX, "%s", out[0] == '0' ? "on" : "off");
        return;
    }
    first_line("/sys/devices/system/cpu/cpufreq/boost", out);
    if (out[0])
        snprintf(out, VALUE_MAX, "%s", out[0] == '1' ? "on" : "off");
}

static void find_smt(char out[VALUE_MAX])
{
    first_line("/sys/devices/system/cpu/smt/control", out);
}

static void find_thp(char out[VALUE_MAX])
{
    first_line("/sys/kernel/mm/transparent_hugepage/enabled", out);
    chosen(out);
}

static void find_aslr(char out[VALUE_MAX])
{
    first_line("/proc/sys/kernel/randomize_va_space", out);
}

static void find_load(char out[VALUE_MAX])
{
    first_line("/proc/loadavg", out);
}

static void find_memory(char out[VALUE_MAX])
{
    proc_value("/proc/meminfo", "MemTotal", out);
}

static void find_swap(char out[VALUE_MAX])
{
    proc_value("/proc/meminfo", "SwapTotal", out);
}

static void find_virtual(char out[VALUE_MAX])
{
    char flags[VALUE_MAX * 8] = "";
    FILE *f = fopen("/proc/cpuinfo", "r");

    first_line("/sys/hypervisor/type", out);
    while (!out[0] && f && fgets(flags, sizeof flags, f))
        if (!strncmp(flags, "flags", 5)) {
            snprintf(out, VALUE_MAX, "%s",
                     strstr(flags, " hypervisor") ? "virtual machine" : "none");
            break;
        }
    if (f)
        fclose(f);
}

static void find_version(char out[VALUE_MAX])
{
    snprintf(out, VALUE_MAX, "%s", places_version());
}

static void find_commit(char out[VALUE_MAX])
{
    snprintf(out, VALUE_MAX, "%s", places_commit());
}

int environment_is_tuning(const char *variable)
{
    static const char *const prefixes[] = {
        "MALLOC_", "MIMALLOC_", "TCMALLOC_",  "TBB_MALLOC",
        "JE_",     "GLIBC_TUN", "LD_PRELOAD", "LD_LIBRARY_PATH"};

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(variable, prefixes[i], strlen(prefixes[i])))
            return 1;
    return 0;
}

static void find_tuning(char out[VALUE_MAX])
{
    extern char **environ;
    size_t n = 0;

    snprintf(out, VALUE_MAX, "none");
    for (char **e = environ; *e; e++)
        if (environment_is_tuning(*e) && n < VALUE_MAX - 1) {
            int k = snprintf(out + n, VALUE_MAX - n, "%s%s", n ? " " : "", *e);
            n += k > 0 ? (size_t)k : 0;
        }
}

static const struct fact {
    const char *key;
    void (*find)(char out[VALUE_MAX]);
} facts[] = {
    {"date", find_date},         {"host", find_host},
    {"cpu", find_cpu},           {"cpus", find_cpus},
    {"kernel", find_kernel},     {"libc", find_libc},
    {"compiler", find_compiler}, {"governor", find_governor},
    {"turbo", find_turbo},       {"smt", find_smt},
    {"thp", find_thp},           {"aslr", find_aslr},
    {"loadavg", find_load},      {"memory", find_memory},
    {"swap", find_swap},         {"virtualisation", find_virtual},
    {"heapyard", find_version},  {"commit", find_commit},
    {"tuning", find_tuning},
};

static void find(const struct fact *fact, char out[VALUE_MAX])
{
    out[0] = 0;
    fact->find(out);
    for (char *c = out; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    if (!out[0])
        snprintf(out, VALUE_MAX, "unknown");
}

void environment_fact(const char *key, char *out, size_t size)
{
    char value[VALUE_MAX] = "unknown";

    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (!strcmp(facts[i].key, key))
            find(&facts[i], value);
    snprintf(out, size, "%s", value);
}

void environment_session(char out[SESSION_MAX])
{
    time_t now = time(NULL);
    struct tm utc;
    char date[17];

    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &utc);
    snprintf(out, SESSION_MAX, "%s-%d", date, (int)(getpid() % 100000));
}

int environment_append(const char *path, const char *session)
{
    FILE *f = fopen(path, "a");

    if (!f)
        return errno;
    int err = 0;
    if (ftell(f) == 0)
        err = csv_write(f, (const char *[]){"session", "key", "value"}, 3);
    for (size_t i = 0; i < sizeof facts / sizeof *facts && !err; i++) {
        char value[VALUE_MAX];

        find(&facts[i], value);
        err = csv_write(f, (const char *[]){session, facts[i].key, value}, 3);
    }
    if (fclose(f) && !err)
        err = errno;
    return err;
}

void environment_line(char *out, size_t size)
{
    char cpu[VALUE_MAX] = "", cpus[VALUE_MAX], kernel[VALUE_MAX] = "";
    char libc[VALUE_MAX], commit[VALUE_MAX], date[VALUE_MAX];

    find_cpu(cpu);
    find_cpus(cpus);
    find_kernel(kernel);
    find_libc(libc);
    find_commit(commit);
    find_date(date);
    date[10] = 0;
    snprintf(out, size, "%s, %s CPUs, %s, %s; heapyard %s (%s), %s",
             cpu[0] ? cpu : "unknown CPU", cpus, kernel, libc, places_version(),
             commit, date);
}
