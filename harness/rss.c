/* rss.c - memory that a process holds, from /proc.
 *
 * Resident anonymous pages, and the blocks of the memory files that it made:
 * an allocator that meshes maps one page of such a file at several addresses,
 * so the kernel's counters of mapped pages would count it several times, or
 * not at all until it is touched.  File pages (the mapped trace, libraries)
 * and pages shared with the runner are not the allocator's.
 *
 * Source: proc(5), /proc/PID/status, smaps_rollup and /proc/PID/fd;
 * memfd_create(2).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* getdents64 */
#include "rss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The figure of a line of /proc/PID/FILE, which is in KiB. */
static int read_line(pid_t pid, const char *file, const char *line,
                     uint64_t *bytes)
{
    char path[48], text[2048];

    if (pid)
        snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, file);
    else
        snprintf(path, sizeof path, "/proc/self/%s", file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t n = read(fd, text, sizeof text - 1);
    int err = errno;

    close(fd);
    if (n < 0)
        return err;
    text[n] = 0;
    const char *found = strstr(text, line);
    if (!found)
        return ESRCH; /* a zombie has no memory lines */
    *bytes = strtoull(found + strlen(line), NULL, 10) * 1024;
    return 0;
}

static uint64_t memory_file_bytes(int folder, const char *name)
{
    static const char kind[] = "/memfd:";
    char target[sizeof kind - 1];
    struct stat file;

    if (readlinkat(folder, name, target, sizeof target) != sizeof target ||
        memcmp(target, kind, sizeof target) != 0 ||
        fstatat(folder, name, &file, 0))
        return 0;
    return (uint64_t)file.st_blocks * 512; /* stat(2): always of 512 */
}

/* Without opendir, which would call the malloc that is measured. */
static uint64_t memory_files(pid_t pid)
{
    char path[40] = "/proc/self/fd";
    _Alignas(uint64_t) char buffer[2048];
    uint64_t bytes = 0;
    long n;

    if (pid)
        snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return 0;
    while ((n = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < n;) {
            uint16_t length; /* of the record: at 16; its name is at 19 */

            memcpy(&length, buffer + at + 16, sizeof length);
            bytes += memory_file_bytes(folder, buffer + at + 19);
            at += length;
        }
    close(folder);
    return bytes;
}

int rss_held(pid_t pid, uint64_t *bytes)
{
    const int err = read_line(pid, "status", "\nRssAnon:", bytes);

    if (!err)
        *bytes += memory_files(pid);
    return err;
}

int rss_shared_out(pid_t pid, uint64_t *bytes)
{
    return read_line(pid, "smaps_rollup", "\nPss:", bytes);
}
