/* record_run.c - runs a program with the recorder preloaded.
 *
 * Signals are blocked and taken one by one with sigwaitinfo, the end of the
 * program (SIGCHLD) among them: there is no handler, hence no race.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* wait4, SI_KERNEL */

#include "record_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int passed_on[] = {SIGINT,  SIGTERM, SIGHUP,
                                SIGQUIT, SIGUSR1, SIGUSR2};

static sigset_t held_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
        sigaddset(&set, passed_on[i]);
    sigaddset(&set, SIGCHLD);
    return set;
}

void record_hold_signals(void)
{
    sigset_t set = held_signals();

    signal(SIGCHLD, SIG_DFL); /* ignored, it would hide the exit status */
    sigprocmask(SIG_BLOCK, &set, NULL);
}

bool record_is_stopped(void)
{
    static const int asks[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const struct timespec at_once = {0, 0};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        sigaddset(&set, asks[i]);
    return sigtimedwait(&set, NULL, &at_once) > 0;
}

/* LD_PRELOAD = recorder, then what it was. */
static int set_preload(const char *recorder)
{
    const char *before = getenv("LD_PRELOAD");
    size_t size = strlen(recorder) + (before ? strlen(before) : 0) + 2;
    char *value = malloc(size);

    if (!value)
        return ENOMEM;
    snprintf(value, size, "%s%s%s", recorder, before && *before ? ":" : "",
             before ? before : "");
    int err = setenv("LD_PRELOAD", value, 1) ? errno : 0;

    free(value);
    return err;
}

/* In the child: become the program, or tell why not. */
static void become(char *const argv[], const char *recorder, const char *spool,
                   int report)
{
    sigset_t set = held_signals();
    int err = set_preload(recorder);

    if (!err && setenv("HEAPYARD_SPOOL", spool, 1))
        err = errno;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (!err) {
        execvp(argv[0], argv);
        err = errno;
    }
    ssize_t done = write(report, &err, sizeof err);

    (void)done; /* the parent then sees an exit code of 127 */
    _exit(127);
}

/* Pass signals on until the program has ended. */
static int await(struct recorded_run *run)
{
    sigset_t set = held_signals();
    struct rusage usage;

    for (;;) {
        pid_t pid = wait4(run->pid, &run->status, WNOHANG, &usage);
        siginfo_t info;

        if (pid == run->pid)
            break;
        if (pid < 0)
            return errno;
        int number = sigwaitinfo(&set, &info);

        if (number > 0 && number != SIGCHLD && info.si_code != SI_KERNEL)
            kill(run->pid, number);
    }
    run->user_s =
        (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    run->system_s =
        (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    return 0;
}

int record_run(char *const argv[], const char *recorder, const char *spool,
               struct recorded_run *out, char *why, size_t why_size)
{
    int report[2], exec_error = 0;

    if (pipe(report)) {
        snprintf(why, why_size, "pipe: %s", strerror(errno));
        return errno;
    }
    fcntl(report[0], F_SETFD, FD_CLOEXEC);
    fcntl(report[1], F_SETFD, FD_CLOEXEC);
    out->pid = fork();
    if (!out->pid)
        become(argv, recorder, spool, report[1]);
    int err = out->pid < 0 ? errno : 0;

    close(report[1]);
    if (!err && read(report[0], &exec_error, sizeof exec_error) < 0)
        exec_error = errno;
    close(report[0]);
    if (!err)
        err = await(out);
    if (!err)
        err = exec_error;
    if (err)
        snprintf(why, why_size, "%s: %s", argv[0], strerror(err));
    return err;
}
