/* witness.c - says, from within a program, what serves its malloc.
 *
 * A library that is preloaded before the allocator under test (foreign.h asks
 * for the definitions that come after it).  When the
 * program starts it asks the dynamic linker who serves malloc (foreign.h), and
 * how much memory there is before the program has begun; at a regular exit,
 * how much there was at most.  It appends a line of text each time to the file
 * HEAPYARD_WITNESS; without that variable it does nothing.
 *
 * Invariant: a line is one write to a file opened with O_APPEND, so lines of
 * several processes do not mix.  witness_file.h says what is in them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "foreign.h"

enum { LINE_ROOM = 8192, STATUS_ROOM = 4096 };

/* Bytes of a line such as "RssAnon:  123 kB" of /proc/self/status; 0: none. */
static unsigned long long status_bytes(const char *text, const char *key)
{
    const char *line = strstr(text, key);

    return line ? strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

static void read_status(char text[STATUS_ROOM])
{
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, STATUS_ROOM - 1);

    text[n > 0 ? n : 0] = 0;
    if (fd >= 0)
        close(fd);
}

static void append(const char *line, size_t n)
{
    int fd = open(getenv("HEAPYARD_WITNESS"), O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd < 0)
        return;
    ssize_t done = write(fd, line, n); /* a missing line is missed */
    (void)done;
    close(fd);
}

/* Whether the library that was asked for serves malloc: "", or why not. */
static void verify(char why[FOREIGN_WHY_MAX])
{
    const char *want = getenv("HEAPYARD_WITNESS_WANT");

    why[0] = 0;
    if (!want || !*want)
        return; /* whatever the program has */
    if (!strcmp(want, "libc")) {
        if (!foreign_symbol("gnu_get_libc_version"))
            snprintf(why, FOREIGN_WHY_MAX, "not the C library serves malloc");
        return;
    }
    if (!foreign_verify(want, why, FOREIGN_WHY_MAX))
        why[0] = 0;
}

__attribute__((constructor)) static void witness_begin(void)
{
    char exe[PATH_MAX] = "", served[128], why[FOREIGN_WHY_MAX];
    char status[STATUS_ROOM], line[LINE_ROOM];
    int saved = errno;

    if (!getenv("HEAPYARD_WITNESS"))
        return;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    foreign_served_by(served, sizeof served);
    verify(why);
    read_status(status);
    int size = snprintf(line, sizeof line, "begin\t%ld\t%s\t%llu\t%s\t%s\n",
                        (long)getpid(), exe, status_bytes(status, "RssAnon:"),
                        served, why);
    if (size > 0 && (size_t)size < sizeof line)
        append(line, (size_t)size);
    errno = saved;
}

__attribute__((destructor)) static void witness_end(void)
{
    char status[STATUS_ROOM], line[128];

    if (!getenv("HEAPYARD_WITNESS"))
        return;
    read_status(status);
    int size = snprintf(line, sizeof line, "end\t%ld\t%llu\t%llu\n",
                        (long)getpid(), status_bytes(status, "VmHWM:"),
                        status_bytes(status, "RssFile:") +
                            status_bytes(status, "RssShmem:"));
    if (size > 0)
        append(line, (size_t)size);
}
