/* app_process.c - one command in a folder, within a time limit.
 *
 * It has a process group of its own, which is killed at the end, whatever the
 * end was: a server that a script left behind must not disturb the next run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np */

#include "app_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include "exec.h"
#include "ticks.h"

static int start(const struct app_process *p, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, p->out,
                                     O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_addopen(&files, 2, p->err,
                                     O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_addchdir_np(&files, p->folder);
    posix_spawnattr_init(&how);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setflags(&how,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    int err = posix_spawnp(pid, p->argv[0], &files, &how, p->argv, p->env);

    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return err;
}

static void pause_ms(uint32_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000,
                         .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&t, NULL);
}

int app_process_run(const struct app_process *p, struct app_end *out)
{
    uint64_t deadline = clock_wall_ns() + p->timeout_s * UINT64_C(1000000000);
    bool is_killed = false;
    pid_t pid, gone;
    int err = start(p, &pid);

    *out = (struct app_end){0};
    if (err)
        return err;
    while ((gone = waitpid(pid, &out->status, WNOHANG)) == 0 ||
           (gone < 0 && errno == EINTR)) {
        if (!is_killed && (exec_stop || clock_wall_ns() > deadline)) {
            out->timed_out = !exec_stop;
            is_killed = !kill(-pid, SIGKILL);
        }
        if (p->tick && !is_killed)
            p->tick(p->arg, pid);
        pause_ms(p->tick_ms);
    }
    kill(-pid, SIGKILL);
    return exec_stop ? EINTR : 0;
}
