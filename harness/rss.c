/* rss.c - private resident memory of a process, from /proc.
 *
 * Anonymous pages only: file pages (the mapped trace, libraries) and shared
 * ones (the page shared with the runner) are not the allocator's.
 *
 * Source: proc(5), /proc/PID/status.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int rss_anon(pid_t pid, uint64_t *bytes)
{
    char path[40] = "/proc/self/status", text[2048];

    if (pid)
        snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t n = read(fd, text, sizeof text - 1);
    int err = n < 0 ? errno : 0;

    close(fd);
    if (err)
        return err;
    text[n] = 0;
    const char *line = strstr(text, "\nRssAnon:");
    if (!line)
        return ESRCH; /* a zombie has no memory lines */
    *bytes = strtoull(line + strlen("\nRssAnon:"), NULL, 10) * 1024;
    return 0;
}
