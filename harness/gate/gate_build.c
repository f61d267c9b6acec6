/* gate_build.c - the program of the baseline: a build, or made from a commit.
 *
 * A commit is checked out as a work tree of git's, built with the release
 * options, and the work tree is removed again: only the program stays.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* posix_spawnp with environ */

#include "gate_build.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec.h"
#include "places.h"

enum { PATH_ROOM = 4096 };

extern char **environ;

static int is_program(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

int gate_build_use(const char *path, struct gate_side *out, char *why,
                   size_t why_size)
{
    static const char *const places[] = {"", "/heapyard",
                                         "/build/release/heapyard"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char program[PATH_ROOM];

        snprintf(program, sizeof program, "%.4000s%s", path, places[i]);
        if (!is_program(program) || !realpath(program, out->program))
            continue;
        snprintf(out->name, sizeof out->name, "%.199s", path);
        return 0;
    }
    snprintf(why, why_size,
             "%.300s: no heapyard there, nor in build/release below it (build "
             "it first)",
             path);
    return ENOENT;
}

/* ---- commands ---- */

/* Run argv[] with its output at the end of the log.  Returns 0; ECHILD if it
 * failed; EINTR if exec_stop was set; or an errno if it cannot be started. */
static int run_command(char *const argv[], const char *log)
{
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status = 0;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log,
                                     O_WRONLY | O_CREAT | O_APPEND, 0666);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    int err = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);

    posix_spawn_file_actions_destroy(&files);
    if (err)
        return err;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        if (exec_stop)
            kill(pid, SIGTERM);
    if (exec_stop)
        return EINTR;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ECHILD;
}

struct build {
    const char *ref, *log;
    char source[PATH_ROOM]; /* of the baseline */
    char tree[PATH_ROOM];   /* its build */
    char *why;
    size_t why_size;
};

static int step(struct build *b, const char *what, const char *const argv[])
{
    int err = run_command((char *const *)argv, b->log);

    if (err == EINTR)
        snprintf(b->why, b->why_size, "stopped");
    else if (err == ECHILD)
        snprintf(b->why, b->why_size, "%s failed; see %.300s", what, b->log);
    else if (err)
        snprintf(b->why, b->why_size, "%s: %s: %s", what, argv[0],
                 strerror(err));
    return err;
}

static int check_out(struct build *b)
{
    const char *const here = places_source();
    const char *const argv[] = {"git",  "-C",      here,       "worktree",
                                "add",  "--force", "--detach", b->source,
                                b->ref, NULL};
    int err = step(b, "git worktree add", argv);

    if (err == ECHILD) {
        snprintf(b->why, b->why_size,
                 "git cannot check out \"%.100s\" of %.200s; see %.200s",
                 b->ref, here, b->log);
        return EINVAL;
    }
    return err;
}

static void drop_source(const struct build *b)
{
    const char *const argv[] = {"git",      "-C",     places_source(),
                                "worktree", "remove", "--force",
                                b->source,  NULL};

    (void)run_command((char *const *)argv, b->log);
}

static int compile(struct build *b)
{
    const char *const configure[] = {
        "cmake", "-S", b->source, "-B", b->tree, "-DCMAKE_BUILD_TYPE=Release",
        NULL};
    char jobs[16]; /* without a number make starts them all at once */
    const char *const build[] = {"cmake",    "--build",    b->tree, "--target",
                                 "heapyard", "--parallel", jobs,    NULL};

    snprintf(jobs, sizeof jobs, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    int err = step(b, "cmake", configure);

    return err ? err : step(b, "the build", build);
}

static int take_program(struct build *b, const char *folder,
                        struct gate_side *out)
{
    char from[PATH_ROOM + 16], to[PATH_ROOM];

    snprintf(from, sizeof from, "%s/heapyard", b->tree);
    snprintf(to, sizeof to, "%.4000s/baseline-heapyard", folder);
    if (rename(from, to) || !realpath(to, out->program)) {
        int err = errno;

        snprintf(b->why, b->why_size, "%.300s: %s", to, strerror(err));
        return err;
    }
    snprintf(out->name, sizeof out->name, "%.199s", b->ref);
    return 0;
}

int gate_build_ref(const char *ref, const char *folder, struct gate_side *out,
                   char *why, size_t why_size)
{
    char log[PATH_ROOM], whole[PATH_MAX];
    struct build b = {.ref = ref, .log = log, .why = why, .why_size = why_size};

    if (ref[0] == '-') {
        snprintf(why, why_size, "--baseline-ref = %.100s (want a commit)", ref);
        return EINVAL;
    }
    if (!realpath(folder, whole)) {
        snprintf(why, why_size, "%.300s: %s", folder, strerror(errno));
        return errno;
    }
    snprintf(log, sizeof log, "%.4000s/build.log", whole);
    snprintf(b.source, sizeof b.source, "%.4000s/baseline-source", whole);
    snprintf(b.tree, sizeof b.tree, "%.4000s/baseline-build", whole);
    int err = check_out(&b);

    if (!err)
        err = compile(&b);
    if (!err)
        err = take_program(&b, folder, out);
    drop_source(&b);
    const char *const argv[] = {"rm", "-rf", b.tree, NULL};
    (void)run_command((char *const *)argv, log);
    return err;
}
