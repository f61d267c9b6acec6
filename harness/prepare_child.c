/* prepare_child.c - prepares a trace in a process of its own.
 *
 * The child says how it went by one write to a pipe: the errno, then why.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* pipe2, prctl */

#include "prepare_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec.h"

enum { TICK_MS = 50 };

struct verdict {
    int err;
    char why[512];
};

static void prepare_and_say(const struct trace_request *request,
                            const char *path, int fd)
{
    struct verdict v = {0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* Ctrl-C is for the parent */
    v.err = prepare_compile(request, path, v.why, sizeof v.why);
    _exit(write(fd, &v, sizeof v) == sizeof v ? 0 : 1);
}

/* Returns 0 when the child has spoken or ended, EINTR after exec_stop. */
static int await(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (!exec_stop)
        if (poll(&p, 1, TICK_MS) > 0)
            return 0;
    return EINTR;
}

static void remove_part(const char *path)
{
    char part[4096 + 8];

    if (snprintf(part, sizeof part, "%s.part", path) < (int)sizeof part)
        unlink(part);
}

static int listen_to(pid_t pid, int fd, const char *path, struct verdict *v)
{
    int err = await(fd), state;

    if (!err && read(fd, v, sizeof *v) != sizeof *v)
        err = ECHILD;
    if (err)
        kill(pid, SIGKILL);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        ;
    if (err)
        remove_part(path);
    if (err == ECHILD)
        snprintf(v->why, sizeof v->why, "preparing the trace: %s",
                 WIFSIGNALED(state) ? strsignal(WTERMSIG(state))
                                    : "the process left early");
    return err ? err : v->err;
}

int prepare_in_child(const struct trace_request *request, const char *path,
                     char *why, size_t why_size)
{
    struct verdict v = {.why = "stopped"};
    int ends[2];

    if (pipe2(ends, O_CLOEXEC))
        return errno;
    fflush(NULL); /* or the child would write it again */
    pid_t pid = fork();
    if (pid == 0)
        prepare_and_say(request, path, ends[1]);
    int err = pid < 0 ? errno : 0;

    close(ends[1]);
    if (err)
        snprintf(v.why, sizeof v.why, "fork: %s", strerror(err));
    else
        err = listen_to(pid, ends[0], path, &v);
    close(ends[0]);
    snprintf(why, why_size, "%s", err ? v.why : "");
    return err;
}
