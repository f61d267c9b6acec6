/* forked.c - code under test that may end its process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "forked.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 60 };

static time_t now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* Read to the end.  Returns 0, or -1 if that did not come in time. */
static int listen_to(int fd, char *said, size_t size)
{
    time_t end = now_s() + PATIENCE_S;
    char rest[512];
    size_t n = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int full = n + 1 >= size;

        if (now_s() > end)
            return -1;
        if (poll(&p, 1, 1000) <= 0)
            continue;
        ssize_t got = full ? read(fd, rest, sizeof rest)
                           : read(fd, said + n, size - 1 - n);
        if (got <= 0)
            return 0;
        n += full ? 0 : (size_t)got;
        said[n] = 0;
    }
}

int run_forked(void (*body)(void *arg, int fd), void *arg, char *said,
               size_t size)
{
    int fds[2], state = 0;

    said[0] = 0;
    fflush(NULL);
    if (pipe(fds))
        abort();
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        close(fds[0]);
        body(arg, fds[1]);
        _exit(0);
    }
    close(fds[1]);
    int late = listen_to(fds[0], said, size);
    if (late)
        kill(pid, SIGKILL);
    close(fds[0]);
    if (waitpid(pid, &state, 0) != pid)
        abort();
    if (late)
        return -1;
    return WIFSIGNALED(state) ? 256 + WTERMSIG(state) : WEXITSTATUS(state);
}
