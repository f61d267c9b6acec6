/* doctor.c - what is wrong with this machine, before one measures on it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "doctor_files.h"
#include "doctor_tables.h"
#include "foreign.h"

const struct doctor_check *const doctor_tables[] = {doctor_cpu_checks,
                                                    doctor_system_checks, NULL};

/* ---- what the tables share ---- */

void doctor_find(struct doctor_finding *f, enum doctor_verdict verdict,
                 const char *format, ...)
{
    va_list args;

    f->verdict = verdict;
    va_start(args, format);
    vsnprintf(f->found, sizeof f->found, format, args);
    va_end(args);
}

void doctor_todo(struct doctor_finding *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(f->todo, sizeof f->todo, format, args);
    va_end(args);
}

/* Whether the controller is in a list such as "cpu,cpuacct". */
static int has_controller(const char *list, const char *controller)
{
    size_t n = strlen(controller);

    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (strcspn(list, ",") == n && !strncmp(list, controller, n))
            return 1;
    return 0;
}

static void climb(const char *root, const char *mount, const char *group,
                  void (*see)(const char *, const char *, void *), void *arg)
{
    char path[DOCTOR_PATH];
    size_t least = strlen(mount);

    snprintf(path, sizeof path, "%.500s%.3000s", mount, group);
    for (;;) {
        char *slash = strrchr(path, '/');

        if (!slash[1] && (size_t)(slash - path) >= least) {
            *slash = 0; /* the group "/" */
            continue;
        }
        see(root, path, arg);
        if ((size_t)(slash - path) < least)
            return;
        *slash = 0;
    }
}

/* Lines of /proc/self/cgroup: "4:memory:/group", and "0::/group" of version 2,
 * whose controllers are those that no line before it has. */
void doctor_each_group(const char *root, const char *controller,
                       void (*see)(const char *root, const char *group,
                                   void *arg),
                       void *arg)
{
    char line[DOCTOR_PATH], path[DOCTOR_PATH];

    snprintf(path, sizeof path, "%.4000s/proc/self/cgroup", root);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        char *list = strchr(line, ':'),
             *group = list ? strchr(list + 1, ':') : NULL;

        if (!group)
            continue;
        *group++ = 0;
        group[strcspn(group, "\n")] = 0;
        list++;
        if (*list && !has_controller(list, controller))
            continue;
        if (*list)
            snprintf(path, sizeof path, "/sys/fs/cgroup/%.200s", list);
        else
            snprintf(path, sizeof path, "/sys/fs/cgroup");
        climb(root, path, group, see, arg);
    }
    if (f)
        fclose(f);
}

/* ---- collecting ---- */

static void see_throttle(const char *root, const char *path, void *arg)
{
    uint64_t *sum = arg;
    double n;

    if (doctor_number(root, path, &n) && n > 0)
        *sum += (uint64_t)n;
}

static uint64_t count_throttled(const char *root)
{
    uint64_t sum = 0;

    doctor_each(root,
                "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/"
                "core_throttle_count",
                see_throttle, &sum);
    return sum;
}

static int is_in_path(const char *program)
{
    char path[DOCTOR_PATH];

    for (const char *at = getenv("PATH"); at && *at;) {
        size_t n = strcspn(at, ":");

        snprintf(path, sizeof path, "%.*s/%.200s", (int)(n < 3000 ? n : 3000),
                 at, program);
        if (!access(path, X_OK))
            return 1;
        at += n + (at[n] == ':');
    }
    return 0;
}

static void add_missing(struct doctor *d, const char *package)
{
    size_t n = strlen(d->missing);

    snprintf(d->missing + n, sizeof d->missing - n, "%s%s", n ? " " : "",
             package);
}

static void find_missing(struct doctor *d)
{
    char path[DOCTOR_PATH], why[FOREIGN_WHY_MAX];

    for (size_t i = 0; foreign_names[i]; i++)
        if (foreign_find(foreign_names[i], path, sizeof path, why, sizeof why))
            add_missing(d, foreign_package(foreign_names[i]));
    if (!is_in_path("gnuplot"))
        add_missing(d, "gnuplot-nox");
}

/* The folder, or the nearest above it that is there. */
static void measure_disk(struct doctor *d, const char *folder)
{
    char path[DOCTOR_PATH];
    struct statvfs st;

    snprintf(path, sizeof path, "%.4000s", *folder ? folder : ".");
    while (access(path, F_OK)) {
        char *slash = strrchr(path, '/');

        if (!slash || slash == path)
            strcpy(path, slash ? "/" : ".");
        else
            *slash = 0;
    }
    d->has_disk = !statvfs(path, &st);
    if (d->has_disk)
        d->disk_free = (uint64_t)st.f_bavail * st.f_frsize;
}

void doctor_open(struct doctor *d, const char *root, const char *folder,
                 unsigned sample_ms)
{
    extern char **environ;
    struct timespec span = {sample_ms / 1000, sample_ms % 1000 * 1000000L};

    *d = (struct doctor){.root = root, .environment = environ};
    find_missing(d);
    measure_disk(d, folder);
    d->throttled_before = count_throttled(root);
    noise_read(root, &d->before);
    nanosleep(&span, NULL);
    noise_read(root, &d->after);
    d->throttled_after = count_throttled(root);
}

void doctor_look(const struct doctor *d, const struct doctor_check *check,
                 struct doctor_finding *f)
{
    *f = (struct doctor_finding){0};
    doctor_todo(f, "%s", check->todo);
    check->look(d, f);
}

const char *doctor_root(void)
{
    const char *root = getenv("HEAPYARD_ROOT");

    return root ? root : "";
}

void doctor_warn(const char *verb, const char *folder, FILE *to)
{
    struct doctor d;
    struct doctor_finding f;

    doctor_open(&d, doctor_root(), folder, 100);
    for (size_t t = 0; doctor_tables[t]; t++)
        for (const struct doctor_check *c = doctor_tables[t]; c->name; c++) {
            doctor_look(&d, c, &f);
            if (f.verdict == DOCTOR_BAD)
                fprintf(to, "%s: bad %s: %s (see: heapyard doctor)\n", verb,
                        c->name, f.found);
        }
}
