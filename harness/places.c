/* places.c - where the program finds what belongs to it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "places.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Filled once, then never changed. */
static struct places {
    char program[PATH_MAX];
    char recorder[PATH_MAX + 64];
    char witness[PATH_MAX + 64];
    char traces[PATH_MAX + 64];
    char apps[PATH_MAX + 64];
    char malloclab[PATH_MAX + 64];
    char plots[PATH_MAX + 64];
    char schemas[PATH_MAX + 64];
    char calibration[PATH_MAX + 64];
    char commit[48];
} places;

/* Where it is installed, or else where it is in the source or build tree. */
static void choose(char *out, size_t size, const char *dir,
                   const char *installed, const char *tree_dir,
                   const char *in_tree)
{
    snprintf(out, size, "%s/%s", dir, installed);
    if (access(out, F_OK))
        snprintf(out, size, "%s/%s", tree_dir, in_tree);
}

static void read_commit(void)
{
    char line[64] = "";
    FILE *f = popen("git -C '" HEAPYARD_SOURCE_DIR
                    "' describe --always --dirty --abbrev=12 2>/dev/null",
                    "r");

    if (f && fgets(line, sizeof line, f))
        line[strcspn(line, "\n")] = 0;
    if (f)
        pclose(f);
    snprintf(places.commit, sizeof places.commit, "%s",
             line[0] ? line : "unknown");
}

static void fill(void)
{
    char dir[PATH_MAX];
    ssize_t n =
        readlink("/proc/self/exe", places.program, sizeof places.program - 1);

    if (n < 0)
        n = 0;
    places.program[n] = 0;
    snprintf(dir, sizeof dir, "%s", places.program);
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = 0;
    if (access(places.program, X_OK)) /* a folder on the way is closed to us */
        snprintf(places.program, sizeof places.program, "/proc/self/exe");
    choose(places.recorder, sizeof places.recorder, dir,
           "../" HEAPYARD_LIBDIR "/heapyard/libheapyard-record.so", dir,
           "libheapyard-record.so");
    choose(places.witness, sizeof places.witness, dir,
           "../" HEAPYARD_LIBDIR "/heapyard/heapyard-witness.so", dir,
           "heapyard-witness.so");
    choose(places.apps, sizeof places.apps, dir, "../share/heapyard/apps",
           HEAPYARD_SOURCE_DIR, "workloads/apps");
    choose(places.traces, sizeof places.traces, dir, "../share/heapyard/traces",
           HEAPYARD_SOURCE_DIR, "workloads/traces");
    choose(places.malloclab, sizeof places.malloclab, dir,
           "../share/heapyard/malloclab", HEAPYARD_SOURCE_DIR,
           "allocators/malloclab");
    choose(places.plots, sizeof places.plots, dir, "../share/heapyard/plots",
           HEAPYARD_SOURCE_DIR, "plots");
    choose(places.schemas, sizeof places.schemas, dir,
           "../share/heapyard/results", HEAPYARD_SOURCE_DIR, "results");
    choose(places.calibration, sizeof places.calibration, dir,
           "../share/heapyard/results/calibration", HEAPYARD_SOURCE_DIR,
           "results/calibration");
}

static const struct places *get(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fill);
    return &places;
}

const char *places_program(void)
{
    return get()->program;
}

const char *places_recorder(void)
{
    return get()->recorder;
}

const char *places_witness(void)
{
    return get()->witness;
}

const char *places_apps(void)
{
    return get()->apps;
}

const char *places_traces(void)
{
    return get()->traces;
}

const char *places_malloclab(void)
{
    return get()->malloclab;
}

const char *places_plots(void)
{
    return get()->plots;
}

const char *places_schemas(void)
{
    return get()->schemas;
}

const char *places_calibration(void)
{
    return get()->calibration;
}

const char *places_version(void)
{
    return HEAPYARD_VERSION;
}

const char *places_commit(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, read_commit);
    return places.commit;
}

const char *places_source(void)
{
    return HEAPYARD_SOURCE_DIR;
}
