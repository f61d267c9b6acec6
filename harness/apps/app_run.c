/* app_run.c - one run of a real program under one allocator.
 *
 * A timed run is one run of hyperfine, so that the runs of all arms can be
 * interleaved; a run for memory is our own child.  In both the witness says
 * from within the program which library serves malloc: a run without its word
 * has not been measured.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* asprintf, strsignal of string.h */

#include "app_run.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app_environment.h"
#include "app_memory.h"
#include "app_output.h"
#include "app_process.h"
#include "hyperfine.h"
#include "noise.h"

enum { PATH_ROOM = APP_PLACE_PATH + 32, TIMED_TICK_MS = 5, SIGNAL_BASE = 128 };

struct files {
    char out[PATH_ROOM], err[PATH_ROOM], json[PATH_ROOM], witness[PATH_ROOM],
        score[PATH_ROOM];
};

struct running {
    const struct app_place *place;
    const struct app_arm *arm;
    struct files files;
    char words[APP_TEXT_MAX], preload[2 * APP_ARM_PATH + 16];
    char *argv[APP_WORDS_MAX + 4];
    struct app_environment env;
    struct app_end end;
    int code; /* exit code, or 128 + signal */
    struct outcome *outcome;
};

/* ---- before ---- */

/* Made anew: nothing of the run before must pass for what this one wrote. */
static int make_files(struct running *r)
{
    const char *folder = r->place->folder;
    struct files *f = &r->files;

    snprintf(f->out, PATH_ROOM, "%s/out", folder);
    snprintf(f->err, PATH_ROOM, "%s/err", folder);
    snprintf(f->json, PATH_ROOM, "%s/hyperfine.json", folder);
    snprintf(f->witness, PATH_ROOM, "%s/witness", folder);
    snprintf(f->score, PATH_ROOM, "%s/score", folder);
    unlink(f->json);
    unlink(f->score);
    FILE *empty = fopen(f->witness, "w");
    return !empty || fclose(empty) ? errno : 0;
}

/* env LD_PRELOAD=… COMMAND…, or the command, if it preloads by itself. */
static void make_argv(struct running *r)
{
    size_t n = 0;

    if (r->place->app.preload == APP_PRELOAD_COMMAND) {
        snprintf(r->preload, sizeof r->preload, "LD_PRELOAD=%s",
                 r->arm->preload);
        r->argv[n++] = "env";
        r->argv[n++] = r->preload;
    }
    strcpy(r->words, r->place->app.command);
    app_words(r->words, r->argv + n, APP_WORDS_MAX);
}

static struct app_process make_process(const struct running *r,
                                       char *const argv[])
{
    return (struct app_process){.argv = argv,
                                .env = r->env.variable,
                                .folder = r->place->folder,
                                .out = r->files.out,
                                .err = r->files.err,
                                .timeout_s = r->place->app.timeout_s,
                                .tick_ms = TIMED_TICK_MS};
}

/* ---- after ---- */

static void fail(struct running *r, enum status status, const char *text)
{
    r->outcome->status = status;
    outcome_set_note(r->outcome, text);
}

static void fail_by_code(struct running *r)
{
    char words[120], text[240];
    int signal = r->code - SIGNAL_BASE;

    app_output_last_line(r->files.err, words, sizeof words);
    if (signal > 0 && signal < NSIG)
        snprintf(text, sizeof text, "killed by signal %d (%s)%s%s", signal,
                 strsignal(signal), *words ? ": " : "", words);
    else
        snprintf(text, sizeof text, "exit code %d%s%s", r->code,
                 *words ? ": " : "", words);
    fail(r, STATUS_CRASH, text);
}

/* Whether the output is right; else the outcome says what it is. */
static bool is_right(struct running *r)
{
    const struct app_place *p = r->place;
    uint64_t bytes = 0;
    uint32_t sum = 0;
    char text[200];
    int err = app_output_cksum(r->files.out, &sum, &bytes);

    if (!err && sum == p->cksum && bytes == p->bytes)
        return true;
    snprintf(text, sizeof text,
             "wrong output: cksum %u of %llu bytes (want %u of %llu)", sum,
             (unsigned long long)bytes, p->cksum, (unsigned long long)p->bytes);
    fail(r, STATUS_CORRUPT, text);
    return false;
}

/* Judge the end of the program: true if it was a run that counts. */
static bool is_good(struct running *r, struct witness *w)
{
    char text[400];

    witness_read(r->files.witness, r->place->program, w);
    snprintf(r->outcome->served_by, sizeof r->outcome->served_by, "%s",
             w->served_by);
    if (r->end.timed_out) {
        snprintf(text, sizeof text, "not done within %u s",
                 r->place->app.timeout_s);
        fail(r, STATUS_TIMEOUT, text);
    } else if (r->code) {
        fail_by_code(r);
    } else if (!w->has_begun) {
        snprintf(text, sizeof text,
                 "the preload is not live: no word from a program %s",
                 r->place->program);
        fail(r, STATUS_ERROR, text);
    } else if (w->why[0]) {
        fail(r, STATUS_ERROR, w->why);
    } else {
        return is_right(r);
    }
    return false;
}

static int add(struct running *r, int err, const char *metric, const char *unit,
               double value)
{
    return err ? err : outcome_add(r->outcome, metric, "", unit, value);
}

static int add_score(struct running *r, double wall, double cpu)
{
    const struct app *app = &r->place->app;
    double score;

    switch (app->score) {
    case APP_SCORE_CPU:
        return add(r, 0, "score", "ns", cpu);
    case APP_SCORE_WALL:
        return add(r, 0, "score", "ns", wall);
    case APP_SCORE_FILE:
        break;
    }
    if (!app_output_number(r->files.score, &score))
        return add(r, 0, "score", app->score_unit, score);
    fail(r, STATUS_ERROR, "no number in the file score");
    return 0;
}

/* ---- time ---- */

static char *make_command(const struct running *r)
{
    char *command = NULL;
    size_t size;
    FILE *f = open_memstream(&command, &size);

    if (!f)
        return NULL;
    for (size_t i = 0; r->argv[i]; i++)
        hyperfine_put_word(f, r->argv[i]);
    if (fclose(f)) {
        free(command);
        return NULL;
    }
    return command;
}

/* Whole ns: the clocks tell no more. */
static double to_ns(double seconds)
{
    return floor(seconds * 1e9 + 0.5);
}

static int report_time(struct running *r, const struct hyperfine_result *h,
                       const struct noise *before)
{
    double wall = to_ns(h->wall_s[0]);
    double cpu = to_ns(h->user_s + h->system_s);
    struct noise after;
    int err = add(r, 0, "wall", "ns", wall);

    noise_read("", &after);
    err = add(r, err, "cpu", "ns", cpu);
    err = add(r, err, "user", "ns", to_ns(h->user_s));
    err = add(r, err, "system", "ns", to_ns(h->system_s));
    err = add(r, err, "ops", "1", 1);
    err = add(r, err, "wall_per_op", "ns", wall);
    err = add(r, err, "cpu_per_op", "ns", cpu);
    err = add(r, err, "output_cksum", "1", r->place->cksum);
    err = err ? err : add_score(r, wall, cpu);
    return err ? err : noise_report(before, &after, r->outcome);
}

static int run_timed(struct running *r)
{
    char *command = make_command(r), why[512], words[120], text[700];
    char *argv[] = {
        "hyperfine",   "-N",    "--runs",   "1",       "--style",
        "none",        "-i",    "--output", "inherit", "--export-json",
        r->files.json, command, NULL};
    struct app_process process = make_process(r, argv);
    struct hyperfine_result *h = malloc(sizeof *h);
    struct witness w;
    struct noise before;
    int err = command && h ? 0 : ENOMEM;

    noise_read("", &before);
    if (!err)
        err = app_process_run(&process, &r->end);
    bool is_read =
        !err && !hyperfine_read(r->files.json, h, 1, why, sizeof why);
    r->code = is_read ? h->code[0] : 0;
    if (!err && !is_read && !r->end.timed_out) {
        app_output_last_line(r->files.err, words, sizeof words);
        snprintf(text, sizeof text, "hyperfine: %s", *words ? words : why);
        fail(r, STATUS_ERROR, text);
    } else if (!err && is_good(r, &w)) {
        err = report_time(r, h, &before);
    }
    free(command);
    free(h);
    return err;
}

/* ---- memory ---- */

static int run_memory(struct running *r)
{
    struct app_memory memory = {.witness = r->files.witness,
                                .program = r->place->program};
    struct app_process process = make_process(r, r->argv);
    struct witness w;

    process.tick = app_memory_tick;
    process.arg = &memory;
    process.tick_ms = APP_MEMORY_TICK_MS;
    int err = app_process_run(&process, &r->end);

    r->code = WIFSIGNALED(r->end.status) ? SIGNAL_BASE + WTERMSIG(r->end.status)
                                         : WEXITSTATUS(r->end.status);
    if (err || !is_good(r, &w))
        return err;
    return app_memory_report(&memory, &w, r->outcome);
}

int app_run(const struct app_place *place, const struct app_arm *arm,
            const char *meter, struct outcome *out)
{
    struct running r = {.place = place, .arm = arm, .outcome = out};
    bool is_memory = !strcmp(meter, APP_METER_MEMORY);

    *out = (struct outcome){.status = STATUS_OK};
    if (place->status != STATUS_OK || arm->status != STATUS_OK) {
        bool by_place = place->status != STATUS_OK;

        fail(&r, by_place ? place->status : arm->status,
             by_place ? place->note : arm->note);
        return 0;
    }
    int err = make_files(&r);
    if (!err)
        err = app_environment_open(&r.env, &place->app, arm,
                                   is_memory ? "memory" : "time",
                                   r.files.witness);
    if (err)
        return err;
    make_argv(&r);
    err = is_memory ? run_memory(&r) : run_timed(&r);
    app_environment_close(&r.env);
    if (out->status != STATUS_OK)
        out->n = 0;
    return err;
}
