/* gnuplot_run.c - gnuplot as a child process, without a shell.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "charts.h"

extern char **environ;

/* Keep the start of what the child says; read all, so that it never waits. */
static void drain(int fd, char *text, size_t size)
{
    char block[512];
    size_t used = 0;
    ssize_t n;
    while ((n = read(fd, block, sizeof block)) > 0 ||
           (n < 0 && errno == EINTR)) {
        for (ssize_t i = 0; i < n && used + 1 < size; i++) {
            char c = block[i];
            if ((unsigned char)c < 0x20)
                c = ' ';
            if (c != ' ' || (used && text[used - 1] != ' '))
                text[used++] = c;
        }
    }
    text[used] = '\0';
}

static int spawn(const char *const argument[], const int pipe_end[2],
                 pid_t *child)
{
    posix_spawn_file_actions_t actions;
    int err = posix_spawn_file_actions_init(&actions);
    if (err)
        return err;
    err =
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!err)
        err = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null",
                                               O_WRONLY, 0);
    if (!err)
        err = posix_spawn_file_actions_adddup2(&actions, pipe_end[1], 2);
    if (!err)
        err = posix_spawn_file_actions_addclose(&actions, pipe_end[0]);
    /* posix_spawnp takes char *const[] for history's sake and changes none */
    if (!err)
        err = posix_spawnp(child, "gnuplot", &actions, NULL,
                           (char *const *)argument, environ);
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

int gnuplot_run(const char *const argument[], char *why, size_t why_size)
{
    int pipe_end[2], status = 0;
    pid_t child;
    char said[400];
    if (pipe(pipe_end))
        return errno;
    int err = spawn(argument, pipe_end, &child);
    close(pipe_end[1]);
    if (!err) {
        drain(pipe_end[0], said, sizeof said);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close(pipe_end[0]);
    if (err == ENOENT)
        snprintf(why, why_size,
                 "gnuplot: not found (Debian and Ubuntu have it "
                 "in the package gnuplot-nox)");
    else if (err)
        snprintf(why, why_size, "gnuplot: %s", strerror(err));
    else if (status) {
        snprintf(why, why_size, "gnuplot failed: %s", said);
        err = EIO;
    }
    return err;
}
