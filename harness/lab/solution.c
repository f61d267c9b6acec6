/* solution.c - from the source of a malloc lab solution to a shared object.
 *
 * The hash is of the command and of every .c and .h file beside the source and
 * of memlib's: a solution may include what lies in its folder.
 *
 * Invariant: a file of a final name is whole: it was renamed to it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* basename of string.h */
#include "solution.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fnv1a.h"
#include "folders.h"
#include "places.h"

extern char **environ;

enum { ARGS_MAX = 24 };

/* DRIVER: solutions of later handouts then define mm_malloc for malloc.
 * Bsymbolic: a name of theirs that is also one of the C library stays theirs.
 * defs: what is missing is said now, not in the middle of a run. */
static const char *const flags[] = {
    "-O2",     "-g",       "-Wall",          "-fPIC",
    "-shared", "-DDRIVER", "-Wl,-Bsymbolic", "-Wl,-z,defs"};

enum { FLAGS = sizeof flags / sizeof *flags };

static int refuse(struct solution_made *out, const char *what, int err)
{
    snprintf(out->log, sizeof out->log, "%s: %s", what, strerror(err));
    return err;
}

/* ---- the hash ---- */

/* Returns 0 or an errno. */
static int hash_file(const char *path, uint64_t *h)
{
    FILE *const f = fopen(path, "rb");
    char block[4096];
    size_t n;

    if (!f)
        return errno;
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        *h = fnv1a(*h, block, n);
    const int err = ferror(f) ? EIO : 0;
    fclose(f);
    return err;
}

/* All *.c and *.h of a folder; one that cannot be read does not matter here. */
static void hash_folder(const char *folder, uint64_t *h)
{
    char pattern[SOLUTION_PATH + 8];
    glob_t found;

    snprintf(pattern, sizeof pattern, "%s/*.[ch]", folder);
    if (glob(pattern, 0, NULL, &found))
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        (void)hash_file(found.gl_pathv[i], h);
    globfree(&found);
}

static int hash_all(const char *source, struct solution_made *out)
{
    char folder[SOLUTION_PATH];
    uint64_t h = FNV1A_START;
    const char *const slash = strrchr(source, '/');

    h = fnv1a(h, out->command, strlen(out->command));
    const int err = hash_file(source, &h);
    if (err)
        return refuse(out, source, err);
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - source) : 1,
             slash ? source : ".");
    hash_folder(*folder ? folder : "/", &h);
    hash_folder(places_malloclab(), &h);
    snprintf(out->hash, sizeof out->hash, "%016" PRIx64, h);
    return 0;
}

/* ---- where it is kept ---- */

static bool is_usable(const char *folder)
{
    return make_folders(folder) == 0 && access(folder, W_OK | X_OK) == 0;
}

/* Beside the program, where that may be written (a build folder), or else the
 * user's cache. */
static int choose_folder(char *folder, size_t size)
{
    const char *const cache = getenv("XDG_CACHE_HOME");
    const char *const home = getenv("HOME");
    const char *const program = places_program();
    const size_t base = strlen(program) - strlen(basename(program));

    snprintf(folder, size, "%.*ssolutions", (int)base, program);
    if (base && strncmp(program, "/proc/", 6) && is_usable(folder))
        return 0;
    if (cache && *cache)
        snprintf(folder, size, "%s/heapyard", cache);
    else
        snprintf(folder, size, "%s/.cache/heapyard", home && *home ? home : "");
    return is_usable(folder) ? 0 : errno ? errno : EACCES;
}

/* ---- the compiler ---- */

struct command {
    const char *argv[ARGS_MAX];
    char include[SOLUTION_PATH], memlib[SOLUTION_PATH];
    char output[SOLUTION_PATH];
};

static void fill_command(struct command *c, const char *source)
{
    const char *const compiler = getenv("CC");
    int n = 0;

    c->argv[n++] = compiler && *compiler ? compiler : "cc";
    for (int i = 0; i < FLAGS; i++)
        c->argv[n++] = flags[i];
    snprintf(c->include, sizeof c->include, "-I%s", places_malloclab());
    snprintf(c->memlib, sizeof c->memlib, "%s/memlib.c", places_malloclab());
    c->argv[n++] = c->include;
    c->argv[n++] = source;
    c->argv[n++] = c->memlib;
    c->argv[n++] = "-o";
    c->argv[n++] = c->output;
    c->argv[n] = NULL;
}

static void print_command(const struct command *c, char *text, size_t size)
{
    size_t n = 0;

    text[0] = 0;
    for (int i = 0; c->argv[i + 2] && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", i ? " " : "",
                              c->argv[i]);
}

static int spawn_compiler(const struct command *c, int log, pid_t *child)
{
    posix_spawn_file_actions_t files;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, log, 1);
    posix_spawn_file_actions_adddup2(&files, log, 2);
    const int err = posix_spawnp(child, c->argv[0], &files, NULL,
                                 (char *const *)c->argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return err;
}

/* Returns 0, EBADMSG if it refused, or an errno. */
static int run_compiler(const struct command *c, FILE *log,
                        struct solution_made *out)
{
    int state = 0;
    pid_t child;
    int err = spawn_compiler(c, fileno(log), &child);

    if (err)
        return refuse(out, c->argv[0], err);
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        ;
    rewind(log);
    out->log[fread(out->log, 1, sizeof out->log - 1, log)] = 0;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return 0;
    if (!out->log[0])
        snprintf(out->log, sizeof out->log, "%s: failed and said nothing",
                 c->argv[0]);
    return EBADMSG;
}

static int compile(struct command *c, struct solution_made *out)
{
    FILE *const log = tmpfile();

    if (!log)
        return refuse(out, "temporary file", errno);
    if ((size_t)snprintf(c->output, sizeof c->output, "%.*s.%ld",
                         SOLUTION_PATH - 32, out->path,
                         (long)getpid()) >= sizeof c->output) {
        fclose(log);
        return refuse(out, out->path, ENAMETOOLONG);
    }
    int err = run_compiler(c, log, out);

    fclose(log);
    if (!err && rename(c->output, out->path))
        err = refuse(out, out->path, errno);
    if (err)
        unlink(c->output);
    return err;
}

int solution_make(const char *source, bool is_fresh, struct solution_made *out)
{
    char folder[SOLUTION_PATH - 64];
    struct command c;

    *out = (struct solution_made){.log = ""};
    fill_command(&c, source);
    print_command(&c, out->command, sizeof out->command);
    int err = hash_all(source, out);
    if (err)
        return err;
    err = choose_folder(folder, sizeof folder);
    if (err)
        return refuse(out, folder, err);
    snprintf(out->path, sizeof out->path, "%s/%s.so", folder, out->hash);
    if (!is_fresh && access(out->path, R_OK) == 0)
        return 0;
    return compile(&c, out);
}

void solution_first_error(const struct solution_made *made, char *line,
                          unsigned size)
{
    /* The linker's own word: what follows is only that there was an error. */
    const char *at = strstr(made->log, "undefined reference");

    if (!at)
        at = strstr(made->log, "error:");
    if (!at)
        at = made->log;
    while (at > made->log && at[-1] != '\n')
        at--;
    snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
    for (char *c = line; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
}
