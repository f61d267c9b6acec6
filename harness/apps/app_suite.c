/* app_suite.c - real programs under allocators, block by block.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "app_suite.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "environment.h"
#include "folders.h"
#include "places.h"
#include "progress.h"
#include "random.h"
#include "run_rows.h"

enum { PATH_ROOM = 4096 };

/* One run of a block. */
struct turn {
    const struct app_place *place;
    const struct app_arm *arm;
    const char *meter;
};

struct session {
    struct app_suite *suite;
    char id[SESSION_MAX];
    char samples[PATH_ROOM];
    struct progress progress;
    struct random random;
    uint32_t runs;
};

/* ---- apps and arms ---- */

static int fail(struct app_suite *s, int err, const char *what)
{
    if (err == EINTR)
        snprintf(s->why, sizeof s->why, "stopped");
    else if (err == EEXIST)
        snprintf(s->why, sizeof s->why, "%.300s exists: use another --out",
                 what);
    else
        snprintf(s->why, sizeof s->why, "%.300s: %s", what, strerror(err));
    return err;
}

static size_t count(const char *const list[])
{
    size_t n = 0;

    while (list[n])
        n++;
    return n;
}

/* Read the next one.  Its name names its folder and its rows: another of that
 * name would share both. */
static int read_app(struct app_suite *s, const char *name)
{
    struct app *app = &s->place[s->places].app;
    int err = app_find(name, places_apps(), app, s->why, sizeof s->why);

    for (size_t i = 0; i < s->places && !err; i++)
        if (!strcmp(s->place[i].app.name, app->name)) {
            snprintf(s->why, sizeof s->why,
                     "%.300s: another program is called \"%s\", too (want "
                     "different file names)",
                     name, app->name);
            err = EINVAL;
        }
    return err;
}

int app_suite_open(struct app_suite *s, char *const apps[],
                   const char *const arms[])
{
    size_t napps = count((const char *const *)apps), narms = count(arms);
    int err = 0;

    s->place = calloc(napps + 1, sizeof *s->place);
    s->arm = calloc(narms + 1, sizeof *s->arm);
    if (!s->place || !s->arm)
        return fail(s, ENOMEM, "programs");
    for (; s->places < napps && !err; s->places += !err)
        err = read_app(s, apps[s->places]);
    for (; s->arms < narms && !err; s->arms += !err)
        err = app_arm_find(arms[s->arms], &s->arm[s->arms], s->why,
                           sizeof s->why);
    return err;
}

/* Told before hours are spent on what could not be written. */
static int make_work(struct app_suite *s)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof path, "%.3000s/samples.csv", s->folder);
    if (!access(path, F_OK))
        return fail(s, EEXIST, path);
    snprintf(path, sizeof path, "%.3000s/work", s->folder);
    int err = make_folders(path);
    return err ? fail(s, err, path) : 0;
}

int app_suite_set_up(struct app_suite *s)
{
    struct progress progress;
    int err = make_work(s);

    progress_start(&progress, s->places);
    for (size_t i = 0; i < s->places && !err; i++) {
        char folder[PATH_ROOM], what[80];

        snprintf(what, sizeof what, "setting up %s", s->place[i].app.name);
        progress_show(&progress, what);
        snprintf(folder, sizeof folder, "%.3000s/work/%s", s->folder,
                 s->place[i].app.name);
        err = app_place_open(&s->place[i], folder);
        if (err)
            fail(s, err, folder);
        progress_step(&progress);
    }
    progress_clear(&progress);
    return err;
}

void app_suite_close(struct app_suite *s)
{
    char folder[PATH_ROOM];

    for (size_t i = 0; i < s->places; i++)
        app_place_close(&s->place[i]);
    snprintf(folder, sizeof folder, "%.3000s/work", s->folder);
    if (s->places)
        rmdir(folder);
    free(s->place);
    free(s->arm);
}

/* ---- rows ---- */

static void count_run(struct app_suite *s, const struct row *row)
{
    s->ok += row->status == STATUS_OK;
    s->skipped += row->status == STATUS_SKIP;
    if (row->status == STATUS_OK || row->status == STATUS_SKIP)
        return;
    if (!s->failed++)
        snprintf(s->first_failure, sizeof s->first_failure,
                 "%.40s on %.40s: %s: %s", row->key.allocator,
                 row->key.workload, status_name(row->status), row->note);
}

static int write_rows(struct session *s, const struct turn *t, uint32_t block,
                      const struct outcome *o)
{
    struct plan_run run = {
        .run = ++s->runs, .block = block, .trace = {.scale = 1, .threads = 1}};

    snprintf(run.trace.workload, sizeof run.trace.workload, "app:%s",
             t->place->app.name);
    snprintf(run.allocator, sizeof run.allocator, "%s", t->arm->allocator);
    snprintf(run.meter, sizeof run.meter, "%s", t->meter);
    struct row row = run_row(s->id, &run, o, NULL);
    snprintf(row.key.touch, sizeof row.key.touch, "program");
    row.key.seed = t->place->app.version;
    int err = run_rows_append(s->samples, &row, o);

    if (err)
        return fail(s->suite, err, s->samples);
    count_run(s->suite, &row);
    return 0;
}

/* ---- blocks ---- */

static void shuffle(struct random *random, struct turn turn[], size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)random_below(random, i);
        struct turn kept = turn[i - 1];

        turn[i - 1] = turn[k];
        turn[k] = kept;
    }
}

static int run_turn(struct session *s, const struct turn *t, uint32_t block)
{
    struct outcome outcome;
    char what[200];

    snprintf(what, sizeof what, "block %u: %.60s under %.60s, %.12s", block,
             t->place->app.name, t->arm->allocator, t->meter);
    progress_show(&s->progress, what);
    int err = app_run(t->place, t->arm, t->meter, &outcome);

    if (err)
        fail(s->suite, err, t->place->app.name);
    else
        err = write_rows(s, t, block, &outcome);
    outcome_free(&outcome);
    progress_step(&s->progress);
    return err;
}

/* All arms of one program, in an order of this block. */
static int run_place(struct session *s, const struct app_place *place,
                     struct turn turn[], uint32_t block)
{
    const struct app_suite *suite = s->suite;
    size_t n = 0;
    int err = 0;

    for (size_t i = 0; i < suite->arms; i++)
        turn[n++] = (struct turn){place, &suite->arm[i], APP_METER_TIME};
    shuffle(&s->random, turn, n);
    for (size_t i = 0; i < suite->arms && block <= suite->memory_runs; i++)
        turn[n++] = (struct turn){place, &suite->arm[i], APP_METER_MEMORY};
    shuffle(&s->random, turn + suite->arms, n - suite->arms);
    for (size_t i = 0; i < n && !err; i++)
        err = run_turn(s, &turn[i], block);
    return err;
}

static int run_blocks(struct session *s)
{
    const struct app_suite *suite = s->suite;
    struct turn *turn = calloc(2 * suite->arms + 1, sizeof *turn);
    struct turn *order = calloc(suite->places + 1, sizeof *order);
    int err = turn && order ? 0 : fail(s->suite, ENOMEM, "runs");

    for (size_t i = 0; i < suite->places && !err; i++)
        order[i].place = &suite->place[i];
    for (uint32_t block = 1; block <= suite->runs && !err; block++) {
        shuffle(&s->random, order, suite->places);
        for (size_t i = 0; i < suite->places && !err; i++)
            err = run_place(s, order[i].place, turn, block);
    }
    free(turn);
    free(order);
    return err;
}

static int start_samples(struct session *s)
{
    char environment[PATH_ROOM];

    snprintf(environment, sizeof environment, "%.3000s/environment.csv",
             s->suite->folder);
    FILE *f = fopen(s->samples, "wx");
    int err = f ? row_write_header(f) : errno;

    if (f && fclose(f) && !err)
        err = errno;
    err = err ? err : environment_append(environment, s->id);
    return err ? fail(s->suite, err, s->samples) : 0;
}

int app_suite_run(struct app_suite *suite)
{
    struct session s = {.suite = suite};

    environment_session(s.id);
    random_seed(&s.random, suite->seed);
    snprintf(s.samples, sizeof s.samples, "%.3000s/samples.csv", suite->folder);
    int err = start_samples(&s);

    progress_start(&s.progress, suite->places * suite->arms *
                                    (suite->runs + (size_t)suite->memory_runs));
    if (!err)
        err = run_blocks(&s);
    progress_clear(&s.progress);
    return err;
}

int app_suite_tell(const struct app_suite *s, int err, const char *why)
{
    if (err) {
        fprintf(stderr, "%s: %s\n", s->verb, why);
        return err == EINTR    ? EXIT_STOPPED
               : err == EEXIST ? EXIT_USAGE
                               : EXIT_INFRA;
    }
    if (s->failed)
        fprintf(stderr, "%s: %zu of %zu runs failed; the first: %s\n", s->verb,
                s->failed, s->ok + s->skipped + s->failed, s->first_failure);
    return s->failed ? EXIT_BAD_RUNS : EXIT_GOOD;
}
