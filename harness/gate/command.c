/* command.c - runs a program of others to its end.
 *
 * It has a process group of its own, so that a stop reaches what it has
 * started too, whether one of us got the signal or a whole terminal did.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* environ */

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exec.h"

static int start(const char *const argv[], const char *log, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log ? log : "/dev/null",
                                     O_WRONLY | O_CREAT | O_APPEND, 0666);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP);
    int err =
        posix_spawnp(pid, argv[0], &files, &how, (char *const *)argv, environ);

    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return err;
}

int command_run(const char *const argv[], const char *log,
                enum command_stop stop)
{
    /* a signal may come before any wait for it: look again and again */
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    int status = 0, is_told = 0;
    pid_t pid, ended;
    int err = start(argv, log, &pid);

    if (err)
        return err;
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 ||
           (ended < 0 && errno == EINTR)) {
        if (exec_stop && stop == COMMAND_STOPS && !is_told)
            is_told = !kill(-pid, SIGTERM);
        nanosleep(&pause, NULL);
    }
    if (is_told)
        return EINTR;
    return ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? 0
               : ECHILD;
}
