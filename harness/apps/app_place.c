/* app_place.c - a real program, set up in a folder of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* nftw */

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app_environment.h"
#include "app_output.h"
#include "app_process.h"
#include "app_run.h"

enum { PATH_ROOM = APP_PLACE_PATH + 32, TICK_MS = 5 };

static void path_in(const struct app_place *p, const char *name,
                    char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "%s/%s", p->folder, name);
}

/* ---- commands ---- */

/* Whether execvp would find it in the PATH that runs get, and where. */
static bool find_in_path(const char *command, char file[PATH_MAX])
{
    const char *path = getenv("PATH");
    char folders[8192], *rest = NULL;

    snprintf(file, PATH_MAX, "%.4000s", command);
    if (strchr(command, '/'))
        return !access(command, X_OK);
    snprintf(folders, sizeof folders, "/usr/bin:/bin:%s", path ? path : "");
    for (char *f = strtok_r(folders, ":", &rest); f;
         f = strtok_r(NULL, ":", &rest)) {
        snprintf(file, PATH_MAX, "%.3000s/%.900s", f, command);
        if (!access(file, X_OK))
            return true;
    }
    return false;
}

void app_missing(const struct app *app, char *text, size_t size)
{
    char words[APP_TEXT_MAX], *word[APP_WORDS_MAX], file[PATH_MAX];

    text[0] = 0;
    strcpy(words, app->needs);
    size_t count = app_words(words, word, APP_WORDS_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(text);

        if (!find_in_path(word[i], file))
            snprintf(text + n, size - n, "%s%s", n ? " " : "", word[i]);
    }
}

int app_place_run(const struct app_place *p, char *const argv[], char *why,
                  size_t why_size)
{
    char out[PATH_ROOM], error[PATH_ROOM], words[200];
    struct app_environment env;
    struct app_end end;
    int err = app_environment_open(&env, &p->app, NULL, "none", NULL);

    if (err)
        return err;
    path_in(p, "out", out);
    path_in(p, "err", error);
    const struct app_process process = {.argv = argv,
                                        .env = env.variable,
                                        .folder = p->folder,
                                        .out = out,
                                        .err = error,
                                        .timeout_s = p->app.timeout_s,
                                        .tick_ms = TICK_MS};
    err = app_process_run(&process, &end);
    app_environment_close(&env);
    if (err || (WIFEXITED(end.status) && !WEXITSTATUS(end.status)))
        return err;
    app_output_last_line(error, words, sizeof words);
    if (end.timed_out)
        snprintf(why, why_size, "not done within %u s", p->app.timeout_s);
    else if (WIFSIGNALED(end.status))
        snprintf(why, why_size, "killed by signal %d", WTERMSIG(end.status));
    else
        snprintf(why, why_size, "exit code %d%s%s", WEXITSTATUS(end.status),
                 *words ? ": " : "", words);
    return ECHILD;
}

/* ---- set-up ---- */

static int refuse(struct app_place *p, enum status status, const char *format,
                  ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(p->note, sizeof p->note, format, args);
    va_end(args);
    p->status = status;
    return 0;
}

static int write_setup(const struct app_place *p)
{
    char path[PATH_ROOM];

    path_in(p, "setup.sh", path);
    FILE *f = fopen(path, "w");
    if (!f)
        return errno;
    int err = fputs(p->app.setup, f) < 0 ? EIO : 0;

    return fclose(f) && !err ? errno : err;
}

static int set_up(struct app_place *p)
{
    char *argv[] = {"sh", "-e", "setup.sh", NULL};
    char why[160] = "";
    int err = p->app.setup[0] ? write_setup(p) : 0;

    if (err || !p->app.setup[0])
        return err;
    err = app_place_run(p, argv, why, sizeof why);
    return err == ECHILD ? refuse(p, STATUS_ERROR, "set-up failed: %.120s", why)
                         : err;
}

/* Run it as it is: what it prints now is right. */
static int learn_output(struct app_place *p)
{
    char words[APP_TEXT_MAX], *argv[APP_WORDS_MAX], why[160] = "";
    char out[PATH_ROOM];

    strcpy(words, p->app.command);
    app_words(words, argv, APP_WORDS_MAX);
    int err = app_place_run(p, argv, why, sizeof why);
    if (err == ECHILD)
        return refuse(p, STATUS_ERROR, "without preload %s: %.110s", "it fails",
                      why);
    if (err == ENOENT)
        return refuse(p, STATUS_SKIP, "%s: no such program", argv[0]);
    if (err)
        return err;
    path_in(p, "out", out);
    err = app_output_cksum(out, &p->cksum, &p->bytes);
    if (err || !p->app.has_cksum ||
        (p->cksum == p->app.cksum && p->bytes == p->app.output_bytes))
        return err;
    snprintf(why, sizeof why,
             "cksum %u of %llu bytes without preload (want %u of %llu)",
             p->cksum, (unsigned long long)p->bytes, p->app.cksum,
             (unsigned long long)p->app.output_bytes);
    return refuse(p, STATUS_ERROR, "output has %s", why);
}

/* The file behind a command may be called otherwise: python3.11. */
static void find_program(struct app_place *p)
{
    char file[PATH_MAX], whole[PATH_MAX];
    const char *name = p->app.program;

    if (find_in_path(name, file) && realpath(file, whole))
        name = strrchr(whole, '/') + 1;
    snprintf(p->program, sizeof p->program, "%s", name);
}

int app_place_open(struct app_place *p, const char *folder)
{
    char missing[100], whole[PATH_MAX];
    int err = mkdir(folder, 0777) ? errno : 0;

    p->status = STATUS_OK;
    p->note[0] = 0;
    if (err)
        return err;
    if (!realpath(folder, whole))
        return errno;
    if (strlen(whole) >= sizeof p->folder)
        return ENAMETOOLONG;
    strcpy(p->folder, whole);
    find_program(p);
    app_missing(&p->app, missing, sizeof missing);
    if (*missing)
        return refuse(p, STATUS_SKIP,
                      "%s: not installed (on Debian: apt-get install %.80s)",
                      missing, p->app.packages);
    err = set_up(p);
    return err || p->status != STATUS_OK ? err : learn_output(p);
}

static int remove_one(const char *path, const struct stat *s, int kind,
                      struct FTW *walk)
{
    (void)s, (void)kind, (void)walk;
    remove(path);
    return 0;
}

void app_place_close(const struct app_place *p)
{
    if (*p->folder)
        nftw(p->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
