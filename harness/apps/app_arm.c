/* app_arm.c - an allocator as something to preload into a real program.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* dladdr */

#include "app_arm.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "foreign.h"
#include "places.h"

const char *const app_arm_presets[] = {"system",   "jemalloc",  "mimalloc",
                                       "tcmalloc", "tbbmalloc", "slab",
                                       "pool",     "buddy",     NULL};

/* Our backends that are built as libraries too: CMakeLists.txt. */
static const char *const own_libraries[] = {"slab", "pool", "buddy", NULL};

static bool is_listed(const char *name, size_t n, const char *const list[])
{
    for (size_t i = 0; list[i]; i++)
        if (strlen(list[i]) == n && !memcmp(list[i], name, n))
            return true;
    return false;
}

static void refuse(struct app_arm *arm, enum status status, const char *note)
{
    arm->status = status;
    snprintf(arm->note, sizeof arm->note, "%.159s", note);
}

/* The C library that this program has itself. */
static void find_system(struct app_arm *arm, char *library)
{
    Dl_info info;
    void *symbol = dlsym(RTLD_DEFAULT, "gnu_get_libc_version");

    if (symbol && dladdr(symbol, &info) && info.dli_fname)
        snprintf(library, APP_ARM_PATH, "%s", info.dli_fname);
    else
        refuse(arm, STATUS_SKIP, "the C library is not glibc");
    snprintf(arm->want, sizeof arm->want, "libc");
}

/* A library of ours lies where the recorder does. */
static void find_ours(struct app_arm *arm, size_t n, char *library)
{
    const char *recorder = places_recorder();
    const char *slash = strrchr(recorder, '/');
    char why[FOREIGN_WHY_MAX], path[APP_ARM_PATH];

    snprintf(path, sizeof path, "%.*s/libheapyard-%.*s.so",
             slash ? (int)(slash - recorder) : 1, slash ? recorder : ".",
             (int)n, arm->allocator);
    if (arm->allocator[n] == ':')
        strcpy(arm->knobs, arm->allocator + n + 1);
    if (foreign_find(path, library, APP_ARM_PATH, why, sizeof why))
        refuse(arm, STATUS_SKIP, why);
    snprintf(arm->want, sizeof arm->want, "%s", library);
}

static int find_foreign(struct app_arm *arm, char *library, char *why,
                        size_t why_size)
{
    char text[FOREIGN_WHY_MAX];
    bool is_known =
        is_listed(arm->allocator, strlen(arm->allocator), foreign_names) ||
        strchr(arm->allocator, '/');

    if (!is_known) {
        snprintf(why, why_size,
                 "allocator = %.100s (want system, own, slab, pool, buddy, "
                 "jemalloc, mimalloc, tcmalloc, tbbmalloc or a path to a .so)",
                 arm->allocator);
        return EINVAL;
    }
    if (foreign_find(arm->allocator, library, APP_ARM_PATH, text, sizeof text))
        refuse(arm, STATUS_SKIP, text);
    snprintf(arm->want, sizeof arm->want, "%s", library);
    return 0;
}

int app_arm_find(const char *name, struct app_arm *out, char *why,
                 size_t why_size)
{
    char library[APP_ARM_PATH] = "";
    size_t n = strcspn(name, ":");
    int err = 0;

    if (strlen(name) >= sizeof out->allocator) {
        snprintf(why, why_size, "allocator = %.60s… (want at most %d bytes)",
                 name, SPEC_NAME_MAX - 1);
        return EINVAL;
    }
    *out = (struct app_arm){.status = STATUS_OK};
    strcpy(out->allocator, name);
    if (!strcmp(name, "system"))
        find_system(out, library);
    else if (is_listed(name, n, own_libraries))
        find_ours(out, n, library);
    else if (strcmp(name, "own") != 0)
        err = find_foreign(out, library, why, why_size);
    if (out->status == STATUS_OK && access(places_witness(), R_OK))
        refuse(out, STATUS_ERROR,
               "heapyard-witness.so is missing: build or "
               "install heapyard again");
    if (out->status == STATUS_OK && strpbrk(places_witness(), " :\t"))
        refuse(out, STATUS_ERROR,
               "heapyard-witness.so lies in a folder with a "
               "blank or a colon: LD_PRELOAD cannot carry it");
    snprintf(out->preload, sizeof out->preload, "%s%s%s", places_witness(),
             *library ? ":" : "", library);
    return err;
}
