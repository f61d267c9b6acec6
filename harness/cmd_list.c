/* cmd_list.c - `heapyard list`: what there is to compare, and on what.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator.h"
#include "archive.h"
#include "commands.h"
#include "foreign.h"
#include "meter.h"
#include "places.h"
#include "workload.h"

static void list_workloads(void)
{
    puts("Workloads (NAME or NAME:KNOB=VALUE:…):");
    for (size_t i = 0; workloads[i]; i++) {
        const struct workload *w = workloads[i];

        printf("  %-12s %s\n  %-12s threads %u..%u; %ssource: %s\n", w->name,
               w->summary, "", w->min_threads, w->max_threads,
               w->run ? "a program; " : "", w->source);
    }
}

static int is_archive(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name), m = strlen(ARCHIVE_SUFFIX);

    return n > m && !strcmp(entry->d_name + n - m, ARCHIVE_SUFFIX);
}

/* The value of "key: value" in provenance text, cut to fit. */
static void provenance_value(const char *text, const char *key, char *out,
                             size_t size)
{
    size_t n = strlen(key);

    out[0] = 0;
    for (; text && *text; text = strchr(text, '\n'), text += text != NULL)
        if (!strncmp(text, key, n) && text[n] == ':') {
            text += n + 1 + strspn(text + n + 1, " ");
            snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
            return;
        }
}

static void list_trace(const char *file)
{
    char path[4096], why[512], comment[100];
    struct archive *archive;

    snprintf(path, sizeof path, "%.3000s/%.255s", places_traces(), file);
    if (archive_open(path, &archive, why, sizeof why)) {
        printf("  %s\n", why);
        return;
    }
    provenance_value(archive_provenance(archive), "comment", comment,
                     sizeof comment);
    printf("  %-12.*s %9.2f M operations  %s\n",
           (int)(strlen(file) - strlen(ARCHIVE_SUFFIX)), file,
           (double)archive_ops(archive) * 1e-6, comment);
    archive_close(archive);
}

static void list_traces(void)
{
    struct dirent **entries;
    int n = scandir(places_traces(), &entries, is_archive, alphasort);

    printf("Recorded traces (in %s; or any FILE.hyt):\n", places_traces());
    for (int i = 0; i < n; i++) {
        list_trace(entries[i]->d_name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

static void list_allocators(void)
{
    char path[4096], why[512];

    puts("Allocators:");
    for (size_t i = 0; allocators[i]; i++)
        printf("  %-12s %s%s%s\n", allocators[i]->name, allocators[i]->summary,
               allocators[i]->missing ? "; " : "",
               allocators[i]->missing ? allocators[i]->missing : "");
    for (size_t i = 0; foreign_names[i]; i++) {
        int err =
            foreign_find(foreign_names[i], path, sizeof path, why, sizeof why);

        printf("  %-12s %s\n", foreign_names[i], err ? why : path);
    }
    puts("  or the path of a library that exports malloc, or of a malloc lab's "
         "mm.c");
}

static void list_meters(void)
{
    puts("Meters:");
    for (size_t i = 0; meters[i]; i++)
        printf("  %-12s %s\n%s", meters[i]->name, meters[i]->summary,
               meters[i]->options_help ? meters[i]->options_help : "");
}

static const struct section {
    const char *name;
    void (*print)(void);
} sections[] = {
    {"workloads", list_workloads},
    {"traces", list_traces},
    {"allocators", list_allocators},
    {"meters", list_meters},
};

enum { SECTIONS = sizeof sections / sizeof *sections };

static int list_one(const char *name)
{
    const char *colon = strchr(name, ':');
    const struct workload *w = colon ? NULL : workload_find(name);
    const struct allocator *a = colon ? NULL : allocator_find(name);
    const struct meter *m = meter_find(name);

    for (int i = 0; i < SECTIONS; i++)
        if (!strcmp(name, sections[i].name)) {
            sections[i].print();
            return 1;
        }
    if (w) {
        printf("%s: %s\nsource: %s\n\n", w->name, w->summary, w->source);
        knobs_print(stdout, w->knobs);
    } else if (a) {
        printf("%s: %s\n", a->name, a->summary);
        if (a->knobs) {
            putchar('\n');
            knobs_print(stdout, a->knobs);
        }
    } else if (m) {
        printf("%s: %s\n%s", m->name, m->summary,
               m->options_help ? m->options_help : "");
    }
    return w || a || m;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (!list_one(arg))
            argp_error(state,
                       "\"%s\" (want workloads, traces, allocators, "
                       "meters, or the name of a workload, a meter or an "
                       "allocator of ours)",
                       arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        for (int i = 0; i < SECTIONS; i++) {
            sections[i].print();
            if (i + 1 < SECTIONS)
                putchar('\n');
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    NULL,
    parse_opt,
    "[workloads|traces|allocators|meters|WORKLOAD|ALLOCATOR|METER]...",
    "What there is to compare, and on what.\v"
    "Examples:\n"
    "  heapyard list\n"
    "  heapyard list server-sim     (with its knobs)\n"
    "  heapyard list slab           (with its knobs)",
    NULL,
    NULL,
    NULL};

int cmd_list(int argc, char **argv)
{
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    return EXIT_GOOD;
}
