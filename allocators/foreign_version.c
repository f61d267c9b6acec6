/* foreign_version.c - who serves malloc in this process, and which version.
 *
 * The dynamic linker is asked where malloc comes from; the file it names is
 * compared by device and inode, so neither a symbolic link nor a name can
 * pass one library off as another.  RTLD_NEXT counts from the file that this is
 * linked into: the program, or what is preloaded before all others.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* RTLD_DEFAULT, dladdr1, dl_iterate_phdr */
#include "foreign.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BUILD_ID_SHOWN = 6 /* bytes */, VERSION_MAX = 64 };

/* Each writes the version of the library that defines `function`.  ISO C has
 * no cast from an object to a function pointer; POSIX promises one form. */
struct version_source {
    const char *symbol;
    bool (*read)(void *symbol, char version[VERSION_MAX]);
};

/* Where a function is defined.  A program that is linked to fixed addresses and
 * takes that of a function gets an entry of its own linkage table, which then
 * passes for the function everywhere: its symbol has an address in the program
 * but is undefined there.  The function is the next definition (elf(5);
 * System V ABI for x86-64, "Function Addresses"). */
static void *find_function(const char *name)
{
    Dl_info info;
    void *symbol = dlsym(RTLD_DEFAULT, name), *entry = NULL;
    if (symbol && dladdr1(symbol, &info, &entry, RTLD_DL_SYMENT) && entry) {
        ElfW(Sym) found;
        memcpy(&found, entry, sizeof found);
        if (found.st_shndx == SHN_UNDEF)
            symbol = dlsym(RTLD_NEXT, name);
    }
    return symbol;
}

void *foreign_symbol(const char *name)
{
    Dl_info served, found;
    void *const symbol = find_function(name);
    void *const serves = find_function("malloc");
    if (!symbol || !serves || !dladdr(serves, &served) ||
        !dladdr(symbol, &found))
        return NULL;
    return served.dli_fbase == found.dli_fbase ? symbol : NULL;
}

static bool jemalloc_version(void *symbol, char version[VERSION_MAX])
{
    int (*control)(const char *, void *, size_t *, void *, size_t);
    memcpy(&control, &symbol, sizeof symbol);
    const char *text = NULL;
    size_t size = sizeof text;
    if (control("version", &text, &size, NULL, 0) != 0 || !text)
        return false;
    snprintf(version, VERSION_MAX, "%s", text);
    return true;
}

/* 209 is 2.0.9; later releases count two digits for each part. */
static bool mimalloc_version(void *symbol, char version[VERSION_MAX])
{
    int (*get)(void);
    memcpy(&get, &symbol, sizeof symbol);
    const int v = get();
    const int base = v < 1000 ? 10 : 100;
    snprintf(version, VERSION_MAX, "%d.%d.%d", v / base / base, v / base % base,
             v % base);
    return v > 0;
}

static bool gperftools_version(void *symbol, char version[VERSION_MAX])
{
    const char *(*get)(int *, int *, const char **);
    memcpy(&get, &symbol, sizeof symbol);
    int major = 0, minor = 0;
    const char *patch = NULL;
    (void)get(&major, &minor, &patch);
    snprintf(version, VERSION_MAX, "gperftools %d.%d%s", major, minor,
             patch ? patch : "");
    return true;
}

static bool glibc_version(void *symbol, char version[VERSION_MAX])
{
    const char *(*get)(void);
    memcpy(&get, &symbol, sizeof symbol);
    snprintf(version, VERSION_MAX, "glibc %s", get());
    return true;
}

static const struct version_source sources[] = {
    {"mallctl", jemalloc_version},
    {"mi_version", mimalloc_version},
    {"tc_version", gperftools_version},
    {"gnu_get_libc_version", glibc_version},
};

/* What the walk over loaded modules looks for, and finds. */
struct build_id_search {
    uintptr_t address; /* in the module */
    char *version;
    bool is_found;
};

/* Notes are a row of headers, each with a name and a content, both padded to
 * 4 bytes.  The module is loaded: its linker headers are trusted. */
static bool read_build_id(const char *note, size_t size,
                          char version[VERSION_MAX])
{
    ElfW(Nhdr) head;
    while (size >= sizeof head) {
        memcpy(&head, note, sizeof head);
        const size_t name = (head.n_namesz + 3u) & ~(size_t)3;
        const size_t content = (head.n_descsz + 3u) & ~(size_t)3;
        if (name > size - sizeof head || content > size - sizeof head - name)
            return false;
        const unsigned char *id =
            (const unsigned char *)note + sizeof head + name;
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 &&
            memcmp(note + sizeof head, "GNU", 4) == 0 &&
            head.n_descsz >= BUILD_ID_SHOWN) {
            snprintf(version, VERSION_MAX, "build-id %02x%02x%02x%02x%02x%02x",
                     id[0], id[1], id[2], id[3], id[4], id[5]);
            return true;
        }
        note += sizeof head + name + content;
        size -= sizeof head + name + content;
    }
    return false;
}

static bool holds(const struct dl_phdr_info *module, uintptr_t address)
{
    for (unsigned i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *const part = &module->dlpi_phdr[i];
        const uintptr_t start = module->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && address >= start &&
            address - start < part->p_memsz)
            return true;
    }
    return false;
}

static int visit_module(struct dl_phdr_info *module, size_t size, void *arg)
{
    (void)size;
    struct build_id_search *const search = arg;
    if (!holds(module, search->address))
        return 0;
    for (unsigned i = 0; i < module->dlpi_phnum && !search->is_found; i++) {
        const ElfW(Phdr) *const part = &module->dlpi_phdr[i];
        const uintptr_t start = module->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_NOTE)
            search->is_found = read_build_id((const char *)start, part->p_memsz,
                                             search->version);
    }
    return 1; /* stop */
}

static void read_version(void *serves, char version[VERSION_MAX])
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        void *const symbol = foreign_symbol(sources[i].symbol);
        if (symbol && sources[i].read(symbol, version))
            return;
    }
    struct build_id_search search = {(uintptr_t)serves, version, false};
    dl_iterate_phdr(visit_module, &search);
    if (!search.is_found)
        snprintf(version, VERSION_MAX, "unknown version");
}

static const char *base_name(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void hide_control_bytes(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
    }
}

void foreign_served_by(char *out, size_t size)
{
    Dl_info info;
    void *const serves = find_function("malloc");
    if (!serves || !dladdr(serves, &info) || !info.dli_fname) {
        snprintf(out, size, "unknown file");
        return;
    }
    char real[PATH_MAX];
    const char *const file =
        realpath(info.dli_fname, real) ? real : info.dli_fname;
    char version[VERSION_MAX];
    read_version(serves, version);
    snprintf(out, size, "%s %s", base_name(file), version);
    hide_control_bytes(out);
}

/* The file that serves `function`, by the dynamic linker: 0 or an errno. */
static int stat_server(const char *function, struct stat *out,
                       const char **file)
{
    Dl_info info;
    void *const symbol = find_function(function);
    if (!symbol || !dladdr(symbol, &info) || !info.dli_fname)
        return ENOENT;
    *file = info.dli_fname;
    return stat(info.dli_fname, out) == 0 ? 0 : errno;
}

int foreign_verify(const char *path, char *why, size_t why_size)
{
    static const char *const functions[] = {"malloc", "free", "calloc",
                                            "realloc"};
    struct stat want, got;
    if (stat(path, &want) != 0) {
        const int err = errno;
        snprintf(why, why_size, "%.200s: %s", path, strerror(err));
        return err;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const char *file = "no file";
        const int err = stat_server(functions[i], &got, &file);
        if (err || got.st_dev != want.st_dev || got.st_ino != want.st_ino) {
            snprintf(why, why_size, "%s is served by %.160s, not by %.160s",
                     functions[i], file, path);
            hide_control_bytes(why);
            return EXDEV;
        }
    }
    if (foreign_symbol("__libc_start_main")) {
        snprintf(why, why_size,
                 "%.200s is the C library itself: measure it as 'system'",
                 path);
        return EINVAL;
    }
    return 0;
}
