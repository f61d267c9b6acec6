/* preload_check.c - whether a library can be preloaded into a program.
 *
 * The file may be hostile: it is read with pread, and every offset in it is
 * only ever an argument of pread.
 *
 * Source: execve(2), ld.so(8), elf(5).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* memmem, getxattr, ElfW */

#include "preload_check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    SCRIPT_DEPTH = 5, /* interpreters of interpreters; as the kernel */
    FIRST_LINE = 256, /* bytes of it that the kernel reads */
    HEADERS_MAX = 128
};

struct reason {
    char *text;
    size_t size;
};

static int refuse(const struct reason *why, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why->text, why->size, format, args);
    va_end(args);
    return err;
}

static bool is_program(const char *path)
{
    struct stat s;

    return !stat(path, &s) && S_ISREG(s.st_mode) && !access(path, X_OK);
}

/* The file that execvp would run. */
static int find_program(const char *name, char path[PATH_MAX],
                        const struct reason *why)
{
    const char *folders = getenv("PATH");

    if (strchr(name, '/')) {
        snprintf(path, PATH_MAX, "%s", name);
        if (access(path, F_OK))
            return refuse(why, errno, "%s: %s", name, strerror(errno));
        if (!is_program(path))
            return refuse(why, EACCES, "%s: not a program that may be run",
                          name);
        return 0;
    }
    for (const char *p = folders ? folders : "/bin:/usr/bin"; p && *name;) {
        size_t n = strcspn(p, ":");

        snprintf(path, PATH_MAX, "%.*s/%s", n ? (int)n : 1, n ? p : ".", name);
        if (is_program(path))
            return 0;
        p = p[n] ? p + n + 1 : NULL;
    }
    return refuse(why, ENOENT, "%s: no such program in PATH", name);
}

static int check_privileges(int fd, const char *path, const struct reason *why)
{
    struct stat s;

    if (fstat(fd, &s))
        return refuse(why, errno, "%s: %s", path, strerror(errno));
    bool is_set_id = ((s.st_mode & S_ISUID) && s.st_uid != geteuid()) ||
                     ((s.st_mode & S_ISGID) && s.st_gid != getegid());
    bool has_capabilities =
        geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;

    if (is_set_id || has_capabilities)
        return refuse(why, EINVAL,
                      "%s: runs with other privileges than yours (set-user-id "
                      "or capabilities), so nothing is preloaded into it; "
                      "record a copy without them",
                      path);
    return 0;
}

/* The machine that this program was built for. */
static unsigned our_machine(void)
{
    ElfW(Ehdr) h = {0};
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && pread(fd, &h, sizeof h, 0) != (ssize_t)sizeof h)
        h.e_machine = 0;
    if (fd >= 0)
        close(fd);
    return h.e_machine;
}

static bool has_dynamic_linker(int fd, const ElfW(Ehdr) * h)
{
    unsigned n = h->e_phnum < HEADERS_MAX ? h->e_phnum : HEADERS_MAX;

    for (unsigned i = 0; i < n; i++) {
        ElfW(Phdr) p;
        uint64_t at = h->e_phoff + (uint64_t)i * h->e_phentsize;

        if (at > INT64_MAX ||
            pread(fd, &p, sizeof p, (off_t)at) != (ssize_t)sizeof p)
            return false;
        if (p.p_type == PT_INTERP)
            return true;
    }
    return false;
}

static int check_elf(int fd, const char *path, const struct reason *why)
{
    ElfW(Ehdr) h = {0};
    unsigned ours = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;

    if (pread(fd, &h, sizeof h, 0) != (ssize_t)sizeof h)
        return refuse(why, EINVAL, "%s: an ELF file that is cut short", path);
    if (h.e_ident[EI_CLASS] != ours)
        return refuse(why, EINVAL,
                      "%s: a program of %d bits (want %d, as heapyard itself)",
                      path, h.e_ident[EI_CLASS] == ELFCLASS32 ? 32 : 64,
                      (int)sizeof(void *) * 8);
    if (h.e_machine != our_machine())
        return refuse(why, EINVAL,
                      "%s: a program for machine %u (want %u, as heapyard "
                      "itself)",
                      path, (unsigned)h.e_machine, our_machine());
    if (!has_dynamic_linker(fd, &h))
        return refuse(why, EINVAL,
                      "%s: statically linked, so the recorder cannot be "
                      "preloaded; link it dynamically (without -static)",
                      path);
    return check_privileges(fd, path, why);
}

/* "#! interpreter argument" -> interpreter */
static bool read_interpreter(const char *line, char path[PATH_MAX])
{
    line += 2 + strspn(line + 2, " \t");
    size_t n = strcspn(line, " \t\n");

    snprintf(path, PATH_MAX, "%.*s", (int)n, line);
    return n > 0;
}

/* Check one file; a script puts its interpreter into path. */
static int check_file(char path[PATH_MAX], bool *is_script,
                      const struct reason *why)
{
    char line[FIRST_LINE] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *is_script = false;
    if (fd < 0)
        return refuse(why, errno, "%s: %s", path, strerror(errno));
    ssize_t n = pread(fd, line, sizeof line - 1, 0);
    int err = 0;

    if (n >= SELFMAG && !memcmp(line, ELFMAG, SELFMAG))
        err = check_elf(fd, path, why);
    else if (n > 2 && line[0] == '#' && line[1] == '!')
        *is_script = true;
    else
        err = refuse(why, EINVAL,
                     "%s: neither an ELF program nor a script that begins "
                     "with #!",
                     path);
    close(fd);
    if (*is_script && !read_interpreter(line, path))
        return refuse(why, EINVAL, "%s: #! without an interpreter", path);
    return err;
}

int preload_check(const char *program, char *why_text, size_t why_size)
{
    const struct reason why = {why_text, why_size};
    char path[PATH_MAX];
    bool is_script = true;
    int err = find_program(program, path, &why);

    for (int depth = 0; !err && is_script; depth++) {
        if (depth == SCRIPT_DEPTH)
            return refuse(&why, ELOOP, "%s: too many interpreters", program);
        err = check_file(path, &is_script, &why);
        if (err && depth && strlen(why_text) + 1 < why_size) {
            size_t n = strlen(why_text);

            snprintf(why_text + n, why_size - n, " (the interpreter of %s)",
                     program);
        }
    }
    return err;
}

bool preload_names(const char *path, const char *symbol)
{
    static const size_t step = 1 << 16;
    size_t overlap = strlen(symbol) - 1, n;
    bool is_there = false;
    char *buffer = malloc(step + overlap);
    FILE *f = buffer ? fopen(path, "rb") : NULL;

    if (buffer)
        memset(buffer, 0, overlap);
    while (f && !is_there && (n = fread(buffer + overlap, 1, step, f)) > 0) {
        is_there = memmem(buffer, n + overlap, symbol, overlap + 1) != NULL;
        memmove(buffer, buffer + n, overlap);
    }
    if (f)
        fclose(f);
    free(buffer);
    return is_there;
}
