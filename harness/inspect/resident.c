/* resident.c - which pages of this process are in memory.
 *
 * Lines of /proc/self/maps tell the mappings, mincore tells their pages.  Both
 * are read in pieces into buffers on the stack.
 *
 * Sources: proc(5), /proc/PID/maps; mincore(2).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* mincore */
#include "resident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os_pages.h"

enum {
    MAPS_PIECE = 12 << 10, /* bytes; a line has at most a path and 100 more */
    PAGES_AT_ONCE = 16 << 10
};

/* Mappings of a tebibyte are the shadow memory of a sanitizer. */
#define SHADOW_BYTES (UINT64_C(1) << 40)

struct looker {
    void (*take)(void *arg, struct page_run);
    void *arg;
};

static int visit_pages(const struct looker *l, uint64_t start, uint64_t end)
{
    unsigned char is_in[PAGES_AT_ONCE];
    const size_t page = os_page_size();
    struct page_run run = {start, start};

    for (uint64_t at = start; at < end;) {
        const uint64_t left = (end - at) / page;
        const size_t n = left < PAGES_AT_ONCE ? (size_t)left : PAGES_AT_ONCE;

        if (mincore((void *)(uintptr_t)at, n * page, is_in))
            return errno;
        for (size_t i = 0; i < n; i++, at += page) {
            if (!(is_in[i] & 1))
                continue;
            if (run.end != at) {
                if (run.end > run.start)
                    l->take(l->arg, run);
                run.start = at;
            }
            run.end = at + page;
        }
    }
    if (run.end > run.start)
        l->take(l->arg, run);
    return 0;
}

/* "START-END rw-p OFFSET DEVICE 0   NAME": an inode of 0 is no file. */
static int visit_line(const struct looker *l, char *line)
{
    char *end;
    const uint64_t from = strtoull(line, &end, 16);
    const uint64_t to = *end == '-' ? strtoull(end + 1, &end, 16) : 0;

    if (to <= from || to - from >= SHADOW_BYTES || strncmp(end, " rw", 3) ||
        end[4] != 'p')
        return 0;
    const char *inode = end + strlen(" rw-p ");
    for (int fields = 2; *inode && fields; inode++)
        fields -= *inode == ' ';
    if (strncmp(inode, "0 ", 2) && strcmp(inode, "0"))
        return 0;
    return strstr(inode, "[stack]") ? 0 : visit_pages(l, from, to);
}

int resident_visit(void (*take)(void *arg, struct page_run), void *arg)
{
    const struct looker l = {take, arg};
    char text[MAPS_PIECE + 1];
    size_t have = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), err = 0;

    if (fd < 0)
        return errno;
    for (;;) {
        const ssize_t n = read(fd, text + have, MAPS_PIECE - have);

        if (n <= 0) {
            err = n < 0 ? errno : 0;
            break;
        }
        have += (size_t)n;
        text[have] = 0;
        char *line = text, *newline;
        for (; !err && (newline = strchr(line, '\n')); line = newline + 1) {
            *newline = 0;
            err = visit_line(&l, line);
        }
        if (err)
            break;
        have -= (size_t)(line - text);
        memmove(text, line, have);
    }
    close(fd);
    return err;
}

void resident_subtract(struct page_run run, const struct page_run without[],
                       size_t n, size_t *from,
                       void (*take)(void *arg, struct page_run), void *arg)
{
    while (*from < n && without[*from].end <= run.start)
        ++*from;
    for (size_t i = *from; i < n && without[i].start < run.end; i++) {
        if (without[i].start > run.start)
            take(arg, (struct page_run){run.start, without[i].start});
        run.start = without[i].end < run.end ? without[i].end : run.end;
    }
    if (run.start < run.end)
        take(arg, run);
}
