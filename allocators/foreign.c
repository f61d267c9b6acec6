/* foreign.c - malloc libraries of others: find the file for a name.
 *
 * A name stands for file name patterns, which are looked for in the folders
 * where libraries are kept, then in the dynamic linker's cache.  The highest
 * version that foreign_check() accepts wins.
 *
 * Source: the layout of ld.so.cache is that of glibc's ldconfig since 2.2
 * ("glibc-ld.so.cache1.1": a header of 48 bytes, entries of 24).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* dladdr, strverscmp */
#include "foreign.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATTERNS = 2,                 /* of one library, best first; or NULL */
    CACHE_MAX = 16 * 1024 * 1024, /* bytes of a linker cache that we read */
    CACHE_HEADER = 48,
    CACHE_ENTRY = 24
};

static const struct known {
    const char *name;
    const char *pattern[PATTERNS];
    const char *package; /* of Debian */
} known[] = {
    {"jemalloc", {"libjemalloc.so.[0-9]*", NULL}, "libjemalloc2"},
    {"mimalloc", {"libmimalloc.so.[0-9]*", NULL}, "libmimalloc2.0"},
    {"tcmalloc",
     {"libtcmalloc_minimal.so.[0-9]*", "libtcmalloc.so.[0-9]*"},
     "libtcmalloc-minimal4"},
    {"tbbmalloc", {"libtbbmalloc_proxy.so.[0-9]*", NULL}, "libtbbmalloc2"},
};

const char *const foreign_names[] = {"jemalloc", "mimalloc", "tcmalloc",
                                     "tbbmalloc", NULL};

const char *foreign_package(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].package;
    return NULL;
}

/* The search for one library: the best file so far. */
struct search {
    const char *pattern;
    char best[PATH_MAX]; /* "" until one is found */
    char *why;           /* about the last file that was refused, or "" */
    size_t why_size;
};

static const char *base_name(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void consider(struct search *search, const char *path)
{
    const size_t size = strlen(path) + 1;
    if (size > sizeof search->best)
        return;
    if (search->best[0] &&
        strverscmp(base_name(path), base_name(search->best)) <= 0)
        return;
    if (foreign_check(path, search->why, search->why_size) == 0)
        memcpy(search->best, path, size);
}

static void search_folder(struct search *search, const char *folder)
{
    char pattern[PATH_MAX];
    const int n =
        snprintf(pattern, sizeof pattern, "%s/%s", folder, search->pattern);
    glob_t found;
    if (n < 0 || (size_t)n >= sizeof pattern ||
        glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        consider(search, found.gl_pathv[i]);
    globfree(&found);
}

/* The folder that our own C library was loaded from: on Debian the one of
 * this machine's libraries, /usr/lib/x86_64-linux-gnu and the like. */
static bool c_library_folder(char folder[PATH_MAX])
{
    Dl_info info;
    void *const symbol = dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
    if (!symbol || !dladdr(symbol, &info) || !info.dli_fname ||
        !realpath(info.dli_fname, folder))
        return false;
    char *const slash = strrchr(folder, '/');
    if (slash)
        *slash = 0;
    return slash != NULL;
}

static void search_folders(struct search *search)
{
    static const char *const folders[] = {"/usr/local/lib", "/usr/lib64",
                                          "/usr/lib"};
    char ours[PATH_MAX];
    if (c_library_folder(ours))
        search_folder(search, ours);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        search_folder(search, folders[i]);
}

static uint32_t load_u32(const char *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

/* The text at an offset, or NULL if it does not end within the cache. */
static const char *text_at(const char *cache, size_t size, uint32_t offset)
{
    if (offset >= size || !memchr(cache + offset, 0, size - offset))
        return NULL;
    return cache + offset;
}

/* Look at all entries; one that does not hold together is passed over. */
static void search_cache_bytes(struct search *search, const char *cache,
                               size_t size)
{
    static const char magic[] = "glibc-ld.so.cache1.1";
    if (size < CACHE_HEADER || memcmp(cache, magic, sizeof magic - 1) != 0)
        return;
    const uint32_t entries = load_u32(cache + sizeof magic - 1);
    for (uint32_t i = 0; i < entries; i++) {
        const size_t at = CACHE_HEADER + (size_t)i * CACHE_ENTRY;
        if (at + CACHE_ENTRY > size)
            return;
        const char *name = text_at(cache, size, load_u32(cache + at + 4));
        const char *path = text_at(cache, size, load_u32(cache + at + 8));
        if (name && path && fnmatch(search->pattern, name, 0) == 0)
            consider(search, path);
    }
}

static void search_cache(struct search *search)
{
    const int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
    struct stat info;
    char *cache = NULL;
    size_t size = 0;
    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0 &&
        info.st_size <= CACHE_MAX)
        cache = malloc((size_t)info.st_size);
    if (cache) {
        const ssize_t got = read(fd, cache, (size_t)info.st_size);
        size = got > 0 ? (size_t)got : 0;
        search_cache_bytes(search, cache, size);
    }
    free(cache);
    if (fd >= 0)
        close(fd);
}

/* Resolve and hand over; refuse what LD_PRELOAD would split. */
static int give_path(const char *found, char *path, size_t path_size, char *why,
                     size_t why_size)
{
    char real[PATH_MAX];
    if (!realpath(found, real)) {
        const int err = errno;
        snprintf(why, why_size, "%.200s: %s", found, strerror(err));
        return err;
    }
    for (const char *p = real; *p; p++) {
        if (*p == ':' || (unsigned char)*p <= ' ' || *p == 0x7f) {
            snprintf(why, why_size,
                     "%.200s: LD_PRELOAD cannot carry a path with a space, a "
                     "colon or a control byte (rename or copy it)",
                     base_name(real));
            return EINVAL;
        }
    }
    const size_t size = strlen(real) + 1;
    if (size > path_size) {
        snprintf(why, why_size, "path of %zu bytes (want at most %zu)", size,
                 path_size);
        return ENAMETOOLONG;
    }
    memcpy(path, real, size);
    return 0;
}

static int find_known(const struct known *what, char *path, size_t path_size,
                      char *why, size_t why_size)
{
    struct search search = {.why = why, .why_size = why_size};
    for (size_t i = 0; i < PATTERNS && what->pattern[i]; i++) {
        search.pattern = what->pattern[i];
        search_folders(&search);
        if (!search.best[0])
            search_cache(&search);
        if (search.best[0])
            return give_path(search.best, path, path_size, why, why_size);
    }
    if (why[0])
        return EINVAL; /* there is one, but it was refused */
    snprintf(why, why_size,
             "%s is not installed (on Debian: apt-get install %s)", what->name,
             what->package);
    return ENOENT;
}

int foreign_find(const char *name, char *path, size_t path_size, char *why,
                 size_t why_size)
{
    why[0] = 0;
    if (strchr(name, '/')) {
        const int err = foreign_check(name, why, why_size);
        return err ? err : give_path(name, path, path_size, why, why_size);
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0)
            return find_known(&known[i], path, path_size, why, why_size);
    }
    snprintf(why, why_size,
             "no allocator '%.64s' (want one of 'heapyard list', or the path "
             "of a library, with a '/')",
             name);
    return ENOENT;
}
