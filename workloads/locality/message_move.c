/* message_move.c - bytes that the kernel moves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* mremap, vmsplice, pipe2, MAP_ANONYMOUS */

#include "message_move.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* A pipe has room for 16 pages, of which lent bytes may take one more than
 * they fill: so neither way has to wait for a reader. */
enum { PIPE_PART = 15 * 4096 };

/* ---- pages ---- */

static void *map(size_t bytes, int access)
{
    void *p = mmap(NULL, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void *message_pages_new(size_t bytes)
{
    return map(bytes, PROT_READ | PROT_WRITE);
}

void message_pages_drop(void *p, size_t bytes)
{
    munmap(p, bytes);
}

void *message_pages_move(void *p, size_t bytes)
{
    void *place = map(bytes, PROT_NONE);

    if (!place)
        return NULL;
    if (mremap(p, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place) ==
        MAP_FAILED) {
        munmap(place, bytes);
        return NULL;
    }
    return place;
}

/* ---- a pipe ---- */

int message_pipe_open(struct message_pipe *p)
{
    int end[2];

    if (pipe2(end, O_CLOEXEC))
        return errno;
    *p = (struct message_pipe){.in = end[1], .out = end[0]};
    return 0;
}

void message_pipe_close(struct message_pipe *p)
{
    close(p->in);
    close(p->out);
}

/* So much of it as the pipe took; -1 and errno. */
static ssize_t put(const struct message_pipe *p, const char *from, size_t bytes,
                   bool is_lent)
{
    const struct iovec part = {.iov_base = (void *)from, .iov_len = bytes};

    return is_lent ? vmsplice(p->in, &part, 1, 0) : writev(p->in, &part, 1);
}

static int get(const struct message_pipe *p, char *to, size_t bytes)
{
    while (bytes) {
        const ssize_t n = read(p->out, to, bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? errno : EPIPE;
        to += n;
        bytes -= (size_t)n;
    }
    return 0;
}

int message_pipe_pass(const struct message_pipe *p, void *to, const void *from,
                      size_t bytes, bool is_lent)
{
    for (size_t done = 0; done < bytes;) {
        const size_t left = bytes - done;
        const ssize_t n = put(p, (const char *)from + done,
                              left < PIPE_PART ? left : PIPE_PART, is_lent);

        if (n < 0 && errno == EINTR)
            continue;
        const int err = n < 0 ? errno : get(p, (char *)to + done, (size_t)n);
        if (err)
            return err;
        done += (size_t)n;
    }
    return 0;
}
