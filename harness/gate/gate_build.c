/* gate_build.c - the program of the baseline: a build, or made from a commit.
 *
 * A commit is checked out as a work tree of git's, built with the release
 * options, and the work tree is removed again: only the program stays.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _XOPEN_SOURCE 700 /* realpath */

#include "gate_build.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "places.h"

enum { PATH_ROOM = 4096 };

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

struct build {
    const char *ref, *log;
    char commit[20];        /* " (12 digits)", or "" */
    char source[PATH_ROOM]; /* of the baseline */
    char tree[PATH_ROOM];   /* its build */
    char *why;
    size_t why_size;
};

static int step(struct build *b, const char *what, const char *const argv[])
{
    int err = command_run(argv, b->log, COMMAND_STOPS);

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

/* Which commit was checked out: git writes it into the work tree's own HEAD,
 * whose folder the file .git names. */
static void read_commit(struct build *b)
{
    char path[PATH_ROOM + 16], line[PATH_ROOM] = "", id[64] = "";

    snprintf(path, sizeof path, "%s/.git", b->source);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "gitdir: %4000[^\n]", line) == 1) {
        snprintf(path, sizeof path, "%s/HEAD", line);
        fclose(f);
        f = fopen(path, "r");
    }
    if (f && fscanf(f, "%40[0-9a-f]", id) == 1 && strlen(id) == 40)
        snprintf(b->commit, sizeof b->commit, " (%.12s)", id);
    if (f)
        fclose(f);
}

static void drop_source(const struct build *b)
{
    const char *const argv[] = {"git",      "-C",     places_source(),
                                "worktree", "remove", "--force",
                                b->source,  NULL};

    (void)command_run(argv, b->log, COMMAND_TIDIES_UP);
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
    snprintf(out->name, sizeof out->name, "%.180s%s", b->ref, b->commit);
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

    if (!err) {
        read_commit(&b);
        err = compile(&b);
    }
    if (!err)
        err = take_program(&b, folder, out);
    drop_source(&b);
    const char *const argv[] = {"rm", "-rf", b.tree, NULL};
    (void)command_run(argv, log, COMMAND_TIDIES_UP);
    return err;
}
