/* cmd_list.c - `heapyard list`: what there is to compare, and on what.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* argp.h */

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator.h"
#include "archive.h"
#include "commands.h"
#include "foreign.h"
#include "meter.h"
#include "places.h"
#include "prepare.h"
#include "trace_info.h"
#include "workload.h"
#include "workload_size.h"

/* "4.0 M" */
static void print_count(double n)
{
    if (n >= 1e6)
        printf("%.3g M", n * 1e-6);
    else if (n >= 1e3)
        printf("%.3g k", n * 1e-3);
    else
        printf("%.0f", n);
}

static void print_bytes(uint64_t bytes)
{
    const double mib = (double)bytes / (1024 * 1024);

    if (mib >= 1)
        printf("%.3g MiB", mib);
    else
        printf("%.3g KiB", mib * 1024);
}

/* What was measured once of the workload with its presets, scale 1. */
static void print_size(const struct workload *w)
{
    const struct workload_size *size = workload_size_find(w->name);

    if (!size || size->version != w->version) {
        printf("size not measured yet (ci/workload-sizes)");
        return;
    }
    print_count((double)size->ops);
    printf(w->run ? " allocations, " : " operations, ");
    print_bytes(size->peak_bytes);
    printf(w->run ? " in memory, CPU %.2g s" : " live, CPU %.2g s",
           size->cpu_s);
}

static void list_workloads(void)
{
    puts(
        "Workloads (NAME or NAME:KNOB=VALUE:…), at scale 1. CPU is of a run on "
        "system, or");
    printf("on gc where only collectors can (%s):\n", workload_sizes_machine);
    for (size_t i = 0; workloads[i]; i++) {
        const struct workload *w = workloads[i];

        printf("  %-12s %s\n  %-12s threads %u..%u; %s", w->name, w->summary,
               "", w->min_threads, w->max_threads, w->run ? "a program; " : "");
        print_size(w);
        printf("\n  %-12s source: %s\n", "", w->source);
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

/* The size of what the text asks for: composed now, or measured once. */
static int print_composed(const struct workload *w, const char *text)
{
    struct trace_request request = {
        .threads = w->min_threads, .seed = 1, .scale = 1};
    struct trace_info *info;
    char why[512] = "";

    snprintf(request.workload, sizeof request.workload, "%s", text);
    int err = trace_info_create(&info);

    if (err)
        return err;
    err = prepare_compose(&request, trace_info_sink(info), why, sizeof why);
    if (err) {
        fprintf(stderr, "heapyard list: %s\n", why[0] ? why : strerror(err));
    } else {
        const struct trace_figures *f = trace_info_finish(info);
        const uint64_t births = f->births ? f->births : 1;

        printf("size: %" PRIu64 " operations, %" PRIu64 " bytes in %" PRIu64
               " blocks live at most, mean block %.1f bytes\n",
               f->ops, f->peak_bytes, f->peak_blocks,
               (double)f->birth_bytes / (double)births);
    }
    trace_info_destroy(info);
    return err;
}

static int list_workload(const struct workload *w, const char *text)
{
    int err = 0;

    printf("%s: %s\nsource: %s\nversion: %u\n", w->name, w->summary, w->source,
           w->version);
    if (w->bound)
        printf("bound: %s\n", w->bound->claim);
    if (w->run) {
        printf("a program: ");
        print_size(w);
        putchar('\n');
    } else {
        fflush(stdout);
        err = print_composed(w, text);
    }
    putchar('\n');
    knobs_print(stdout, w->knobs);
    return err;
}

static void list_allocator(const struct allocator *a)
{
    printf("%s: %s\n", a->name, a->summary);
    if (a->knobs) {
        putchar('\n');
        knobs_print(stdout, a->knobs);
    }
}

/* Returns 0, ENOENT if nothing has that name, or what went wrong. */
static int list_one(const char *name)
{
    const struct allocator *a = strchr(name, ':') ? NULL : allocator_find(name);
    const struct meter *m = meter_find(name);
    const struct workload *w;
    struct knob_values values;
    char why[512] = "";

    for (int i = 0; i < SECTIONS; i++)
        if (!strcmp(name, sections[i].name)) {
            sections[i].print();
            return 0;
        }
    int err = prepare_find_synthetic(name, &w, &values, why, sizeof why);

    if (!err)
        return list_workload(w, name);
    if (err != ENOENT) {
        fprintf(stderr, "heapyard list: %s\n", why);
        return err;
    }
    if (a)
        list_allocator(a);
    else if (m)
        printf("%s: %s\n%s", m->name, m->summary,
               m->options_help ? m->options_help : "");
    return a || m ? 0 : ENOENT;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
    int *err = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        *err = list_one(arg);
        if (*err == ENOENT)
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
    "  heapyard list server-sim     (its size and knobs)\n"
    "  heapyard list churn:objects=2000\n"
    "  heapyard list slab           (with its knobs)",
    NULL,
    NULL,
    NULL};

int cmd_list(int argc, char **argv)
{
    int err = 0;

    argp_parse(&argp, argc, argv, 0, NULL, &err);
    return !err ? EXIT_GOOD : err == ENOMEM ? EXIT_INFRA : EXIT_USAGE;
}
