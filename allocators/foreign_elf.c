/* foreign_elf.c - whether a file can be preloaded as malloc, by reading it.
 *
 * The dynamic linker ignores a library that it cannot preload, and the run
 * would go on with the C library's malloc; so the file is checked before.
 * It is read with pread, never mapped, so a file that shrinks meanwhile is a
 * short read and no SIGBUS; and every offset in it is taken as hostile.
 *
 * Invariant: no byte is read but through read_at, which checks the bounds.
 *
 * Source: System V ABI, chapters 4 and 5 (ELF); elf(5).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* ElfW: the ELF types of this machine's class */
#include "foreign.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SYMBOLS_MAX = 1 << 20, /* more is no library that we should wait for */
    SYMBOLS_AT_ONCE = 64,
    SHOWN_MAX = 200 /* bytes of a path in a message */
};

struct elf_file {
    int fd;
    uint64_t size;
    ElfW(Ehdr) header;
};

/* What the search for symbols has met. */
struct symbols_found {
    bool malloc, free, c_library;
};

/* True if all n bytes at offset are within the file and were read. */
static bool read_at(const struct elf_file *file, uint64_t offset, void *buffer,
                    size_t n)
{
    if (offset > file->size || n > file->size - offset || offset > INT64_MAX)
        return false;
    char *at = buffer;
    while (n > 0) {
        const ssize_t got = pread(file->fd, at, n, (off_t)offset);
        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

/* The end of a path, without bytes that would upset a terminal or a CSV. */
static void show_path(const char *path, char shown[SHOWN_MAX])
{
    const size_t n = strlen(path);
    if (n >= SHOWN_MAX)
        path += n - SHOWN_MAX + 1;
    size_t i = 0;
    for (; path[i]; i++)
        shown[i] = iscntrl((unsigned char)path[i]) ? '?' : path[i];
    shown[i] = 0;
}

static int refuse(const char *path, const char *reason, char *why,
                  size_t why_size)
{
    char shown[SHOWN_MAX];
    show_path(path, shown);
    snprintf(why, why_size, "%s: %s", shown, reason);
    return EINVAL;
}

static int fail(const char *path, int err, char *why, size_t why_size)
{
    (void)refuse(path, strerror(err), why, why_size);
    return err;
}

/* NULL, or why a file with this header cannot be loaded into a process whose
 * program has the header `ours`. */
static const char *header_fault(const ElfW(Ehdr) * header,
                                const ElfW(Ehdr) * ours)
{
    const unsigned char *const ident = header->e_ident;
    if (memcmp(ident, ELFMAG, SELFMAG) != 0)
        return "is not an ELF file (want a shared library)";
    if (ident[EI_CLASS] == ELFCLASS32 && ours->e_ident[EI_CLASS] == ELFCLASS64)
        return "is a 32-bit library (want 64-bit, as heapyard is)";
    if (ident[EI_CLASS] != ours->e_ident[EI_CLASS])
        return "is an ELF file of another class than heapyard";
    if (ident[EI_DATA] != ours->e_ident[EI_DATA])
        return "is an ELF file of another byte order than heapyard";
    if (header->e_machine != ours->e_machine)
        return "is for another processor than heapyard";
    if (header->e_type != ET_DYN)
        return "is an ELF file, but not a shared library";
    if (header->e_shnum == 0 || header->e_shentsize != sizeof(ElfW(Shdr)))
        return "has no table of sections, so its symbols cannot be read";
    return NULL;
}

/* Section number i; false if the file does not hold it. */
static bool read_section(const struct elf_file *file, unsigned i,
                         ElfW(Shdr) * section)
{
    const uint64_t start = file->header.e_shoff;
    const uint64_t offset = (uint64_t)i * sizeof *section;
    return i < file->header.e_shnum && start <= UINT64_MAX - offset &&
           read_at(file, start + offset, section, sizeof *section);
}

static bool find_section(const struct elf_file *file, unsigned type,
                         ElfW(Shdr) * section)
{
    for (unsigned i = 0; i < file->header.e_shnum; i++) {
        if (!read_section(file, i, section))
            return false;
        if (section->sh_type == type)
            return true;
    }
    return false;
}

static bool is_defined_function(const ElfW(Sym) * symbol)
{
    /* the encoding of st_info is the same in both classes */
    const unsigned type = ELF64_ST_TYPE(symbol->st_info);
    const unsigned binding = ELF64_ST_BIND(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF &&
           (type == STT_FUNC || type == STT_GNU_IFUNC) &&
           (binding == STB_GLOBAL || binding == STB_WEAK);
}

static void note_symbol(const struct elf_file *file, const ElfW(Shdr) * names,
                        const ElfW(Sym) * symbol, struct symbols_found *found)
{
    char name[sizeof "__libc_start_main"] = {0};
    if (!is_defined_function(symbol) || symbol->st_name >= names->sh_size ||
        names->sh_offset > UINT64_MAX - symbol->st_name)
        return;
    const uint64_t left = names->sh_size - symbol->st_name;
    const size_t n = left < sizeof name ? (size_t)left : sizeof name;
    if (!read_at(file, names->sh_offset + symbol->st_name, name, n) ||
        !memchr(name, 0, n))
        return; /* a longer name is none of ours */
    found->malloc |= strcmp(name, "malloc") == 0;
    found->free |= strcmp(name, "free") == 0;
    found->c_library |= strcmp(name, "__libc_start_main") == 0;
}

/* Walk the dynamic symbols.  NULL, or why that is not possible. */
static const char *find_symbols(const struct elf_file *file,
                                struct symbols_found *found)
{
    ElfW(Shdr) table, names;
    if (!find_section(file, SHT_DYNSYM, &table))
        return "has no dynamic symbols";
    if (table.sh_entsize != sizeof(ElfW(Sym)) ||
        table.sh_size / sizeof(ElfW(Sym)) > SYMBOLS_MAX ||
        !read_section(file, table.sh_link, &names) ||
        names.sh_type != SHT_STRTAB)
        return "has a damaged table of dynamic symbols";
    uint64_t at = table.sh_offset;
    for (uint64_t left = table.sh_size / sizeof(ElfW(Sym)); left > 0;) {
        ElfW(Sym) symbol[SYMBOLS_AT_ONCE];
        const size_t n =
            left < SYMBOLS_AT_ONCE ? (size_t)left : SYMBOLS_AT_ONCE;
        if (!read_at(file, at, symbol, n * sizeof *symbol))
            return "is cut off: its dynamic symbols lie beyond its end";
        for (size_t i = 0; i < n; i++)
            note_symbol(file, &names, &symbol[i], found);
        at += n * sizeof *symbol;
        left -= n;
    }
    return NULL;
}

/* A position-independent program is ET_DYN, too, but cannot be preloaded. */
static bool is_program(const struct elf_file *file)
{
    ElfW(Shdr) dynamic;
    if (!find_section(file, SHT_DYNAMIC, &dynamic))
        return false;
    for (uint64_t at = 0; at < dynamic.sh_size; at += sizeof(ElfW(Dyn))) {
        ElfW(Dyn) entry;
        if (dynamic.sh_offset > UINT64_MAX - at ||
            !read_at(file, dynamic.sh_offset + at, &entry, sizeof entry) ||
            entry.d_tag == DT_NULL)
            return false;
        if (entry.d_tag == DT_FLAGS_1)
            return (entry.d_un.d_val & DF_1_PIE) != 0;
    }
    return false;
}

/* NULL, or why this open file cannot serve malloc here. */
static const char *file_fault(struct elf_file *file, const ElfW(Ehdr) * ours)
{
    if (!read_at(file, 0, &file->header, sizeof file->header))
        return "is not an ELF file (shorter than an ELF header)";
    const char *fault = header_fault(&file->header, ours);
    if (fault)
        return fault;
    if (is_program(file))
        return "is a program, not a shared library";
    struct symbols_found found = {false, false, false};
    fault = find_symbols(file, &found);
    if (fault)
        return fault;
    if (found.c_library)
        return "is the C library itself: measure it as 'system'";
    if (!found.malloc || !found.free)
        return "does not define malloc and free";
    return NULL;
}

/* Open a regular file; O_NONBLOCK, so that a pipe put there does not hang. */
static int open_file(const char *path, struct elf_file *file)
{
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0)
        return errno;
    struct stat info;
    int err = fstat(file->fd, &info) != 0 ? errno : 0;
    if (!err && !S_ISREG(info.st_mode))
        err = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
    if (err)
        close(file->fd);
    else
        file->size = (uint64_t)info.st_size;
    return err;
}

/* The header of the running program: what a library must be like. */
static int read_our_header(ElfW(Ehdr) * header)
{
    struct elf_file ours = {.fd = -1};
    const int err = open_file("/proc/self/exe", &ours);
    if (err)
        return err;
    const bool is_read = read_at(&ours, 0, header, sizeof *header);
    close(ours.fd);
    return is_read ? 0 : EIO;
}

int foreign_check(const char *path, char *why, size_t why_size)
{
    ElfW(Ehdr) ours;
    int err = read_our_header(&ours);
    if (err)
        return fail("/proc/self/exe", err, why, why_size);
    struct elf_file file = {.fd = -1};
    err = open_file(path, &file);
    if (err == EINVAL)
        return refuse(path, "is not a regular file (want a shared library)",
                      why, why_size);
    if (err)
        return fail(path, err, why, why_size);
    const char *const fault = file_fault(&file, &ours);
    close(file.fd);
    return fault ? refuse(path, fault, why, why_size) : 0;
}
