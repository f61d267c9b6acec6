/* fidelity_run.c - real programs, and the replays of what they were recorded
 * to do.
 *
 * The replay is a bench like any other, and so are the runs of the programs:
 * this only brings their samples together.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* realpath of stdlib.h */

#include "fidelity_run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folders.h"
#include "places.h"
#include "progress.h"
#include "run.h"

enum { PATH_ROOM = 4096 };

static int fail(struct fidelity_study *s, int err, const char *what)
{
    if (err == EINTR)
        snprintf(s->why, sizeof s->why, "stopped");
    else
        snprintf(s->why, sizeof s->why, "%.300s: %s", what, strerror(err));
    return err;
}

static void trace_path(const struct fidelity_study *s,
                       const struct app_place *place, char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "%.3000s/traces/%s.hyt", s->suite->folder,
             place->app.name);
}

int fidelity_check(struct fidelity_study *s)
{
    char path[PATH_ROOM];

    for (size_t i = 0; i < s->suite->places; i++) {
        trace_path(s, &s->suite->place[i], path);
        if (strlen(path) < SPEC_NAME_MAX && !strpbrk(path, ",\t\n"))
            continue;
        snprintf(s->why, sizeof s->why,
                 "%.300s: a trace cannot lie there (want a --out whose traces "
                 "have paths of at most %d bytes, without commas)",
                 path, SPEC_NAME_MAX - 1);
        return EINVAL;
    }
    return 0;
}

/* ---- recording ---- */

static void refuse(struct app_place *place, enum status status,
                   const char *note)
{
    place->status = status;
    snprintf(place->note, sizeof place->note, "%.159s", note);
}

/* The trace is made in the program's folder, which is another than ours. */
static int record_one(const struct fidelity_study *s, struct app_place *place)
{
    char folder[PATH_ROOM], whole[PATH_MAX], out[PATH_MAX + 64];
    char words[APP_TEXT_MAX], why[160] = "";
    char *argv[APP_WORDS_MAX + 6] = {(char *)places_program(), "record", "-o",
                                     out, "--"};

    if (place->app.preload == APP_PRELOAD_SCRIPT) {
        refuse(place, STATUS_SKIP,
               "its command starts the program itself, so it cannot be "
               "recorded with it");
        return 0;
    }
    snprintf(folder, sizeof folder, "%.3000s/traces", s->suite->folder);
    int err = make_folders(folder);
    if (err || !realpath(folder, whole))
        return err ? err : errno;
    snprintf(out, sizeof out, "%s/%s.hyt", whole, place->app.name);
    strcpy(words, place->app.command);
    app_words(words, argv + 5, APP_WORDS_MAX);
    err = app_place_run(place, argv, why, sizeof why);
    if (err != ECHILD)
        return err;
    refuse(place, STATUS_ERROR, why);
    return 0;
}

int fidelity_record(struct fidelity_study *s)
{
    struct progress progress;
    int err = 0;

    progress_start(&progress, s->suite->places);
    for (size_t i = 0; i < s->suite->places && !err; i++) {
        struct app_place *place = &s->suite->place[i];
        char what[80];

        snprintf(what, sizeof what, "recording %s", place->app.name);
        progress_show(&progress, what);
        if (place->status == STATUS_OK)
            err = record_one(s, place);
        if (err)
            fail(s, err, place->app.name);
        progress_step(&progress);
    }
    progress_clear(&progress);
    return err;
}

/* ---- replay ---- */

static int set(struct fidelity_study *s, struct spec *spec, const char *key,
               const char *value)
{
    return spec_set(spec, key, value, s->why, sizeof s->why);
}

static int set_number(struct fidelity_study *s, struct spec *spec,
                      const char *key, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return set(s, spec, key, text);
}

/* "A,B,...", to be freed; NULL if memory is short. */
static char *join_allocators(const struct app_suite *suite)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    fputs("null", f);
    for (size_t i = 0; i < suite->arms; i++)
        fprintf(f, ",%s", suite->arm[i].allocator);
    if (!fclose(f))
        return text;
    free(text);
    return NULL;
}

/* The traces of all programs that have one; "" if none has. */
static char *join_traces(const struct fidelity_study *s)
{
    char *text = NULL, path[PATH_ROOM];
    size_t size, n = 0;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    for (size_t i = 0; i < s->suite->places; i++) {
        if (s->suite->place[i].status != STATUS_OK)
            continue;
        trace_path(s, &s->suite->place[i], path);
        fprintf(f, "%s%s", n++ ? "," : "", path);
    }
    if (!fclose(f))
        return text;
    free(text);
    return NULL;
}

static int make_spec(struct fidelity_study *s, struct spec *spec,
                     const char *traces)
{
    char *arms = join_allocators(s->suite);
    int err = arms ? 0 : fail(s, ENOMEM, "allocators");

    spec_init(spec);
    err = err ? err : set(s, spec, "workload", traces);
    err = err ? err : set(s, spec, "allocators", arms);
    err = err ? err : set(s, spec, "meters", "time,memory");
    err = err ? err : set_number(s, spec, "runs", s->suite->runs);
    err = err ? err : set_number(s, spec, "memory-runs", s->suite->memory_runs);
    err = err ? err : set_number(s, spec, "seed", s->suite->seed);
    free(arms);
    return err;
}

int fidelity_replay(struct fidelity_study *s)
{
    char folder[PATH_ROOM], *traces = join_traces(s);
    struct run_counts counts;
    struct spec *spec = malloc(sizeof *spec);
    struct plan plan = {0};
    int err = traces && spec ? 0 : fail(s, ENOMEM, "traces");

    snprintf(folder, sizeof folder, "%.3000s/replay", s->suite->folder);
    if (!err && *traces) {
        err = make_spec(s, spec, traces);
        if (!err)
            err = plan_expand(spec, &plan, s->why, sizeof s->why);
        if (!err && (err = make_folders(folder)))
            fail(s, err, folder);
        const struct run_config config = {
            .plan = &plan, .folder = folder, .again = "fidelity"};

        if (!err)
            err = run_plan(&config, &counts, s->why, sizeof s->why);
    }
    plan_free(&plan);
    free(spec);
    free(traces);
    return err;
}

/* ---- samples ---- */

static struct fidelity_program *find_program(const struct fidelity_study *s,
                                             const char *workload, int is_real)
{
    const char *slash = strrchr(workload, '/');
    const char *name = is_real ? workload + strlen("app:") : slash + !!slash;
    size_t n = is_real ? strlen(name) : strlen(name) - strlen(".hyt");

    for (size_t i = 0; i < s->n; i++)
        if (strlen(s->program[i]->name) == n &&
            !memcmp(s->program[i]->name, name, n))
            return s->program[i];
    return NULL;
}

static int gather(struct fidelity_study *s, const char *path,
                  enum fidelity_side side)
{
    struct row_reader *reader;
    struct row row;
    int err = row_reader_open(path, &reader, s->why, sizeof s->why);

    if (err)
        return err;
    while (!(err = row_reader_next(reader, &row, s->why, sizeof s->why))) {
        struct fidelity_program *p =
            find_program(s, row.key.workload, side == FIDELITY_REAL);

        if (p && (err = fidelity_take(p, side, &row))) {
            fail(s, err, row_reader_place(reader));
            break;
        }
    }
    row_reader_close(reader);
    return err == ENOENT ? 0 : err;
}

int fidelity_gather(struct fidelity_study *s)
{
    char path[PATH_ROOM];
    size_t replayed = 0;

    s->program = calloc(s->suite->places + 1, sizeof *s->program);
    if (!s->program)
        return fail(s, ENOMEM, "programs");
    for (; s->n < s->suite->places; s->n++) {
        s->program[s->n] = fidelity_program_new(s->suite->place[s->n].app.name);
        if (!s->program[s->n])
            return fail(s, ENOMEM, "programs");
        for (size_t i = 0; i < s->suite->arms; i++)
            fidelity_arm_get(s->program[s->n], s->suite->arm[i].allocator);
        replayed += s->suite->place[s->n].status == STATUS_OK;
    }
    snprintf(path, sizeof path, "%.3000s/samples.csv", s->suite->folder);
    int err = gather(s, path, FIDELITY_REAL);

    if (err || !replayed)
        return err;
    snprintf(path, sizeof path, "%.3000s/replay/samples.csv", s->suite->folder);
    return gather(s, path, FIDELITY_REPLAY);
}

void fidelity_study_close(struct fidelity_study *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->program[i]);
    free(s->program);
}
