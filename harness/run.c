/* run.c - carries out a plan: rows into samples.csv.
 *
 * Traces are compiled when first needed, into FOLDER/traces, mapped once and
 * removed at the end.
 *
 * Invariant: samples.csv holds the rows of whole runs only.  The rows of a
 * run are made in memory and written in one go; what a failed write has left
 * behind is cut off again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* flock */

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "environment.h"
#include "exec.h"
#include "mend.h"
#include "progress.h"
#include "row.h"
#include "run_rows.h"
#include "trace_store.h"

enum { PATH_ROOM = 4096 };

struct session {
    const struct run_config *config;
    int folder_fd; /* holds the lock, or -1 */
    struct run_counts *counts;
    char id[SESSION_MAX];
    char samples[PATH_ROOM];
    struct trace_store traces;
    unsigned char *is_done; /* [plan->n], by resume */
    struct progress progress;
    char *why;
    size_t why_size;
};

static int fail(struct session *s, int err, const char *what)
{
    snprintf(s->why, s->why_size, "%s: %s", what, strerror(err));
    return err;
}

/* ---- resume ---- */

static int is_row_of(const struct row *row, const struct plan_run *run)
{
    return !strcmp(row->key.workload, run->trace.workload) &&
           !strcmp(row->key.allocator, run->allocator) &&
           !strcmp(row->key.meter, run->meter) &&
           !strcmp(row->key.touch, touch_name(run->touch)) &&
           row->key.block == run->block && row->key.window == run->window &&
           row->key.seed == run->trace.seed &&
           row->key.scale == run->trace.scale &&
           /* 0 in a plan: as many as the trace has */
           (!run->trace.threads || row->key.threads == run->trace.threads);
}

static void count(struct run_counts *counts, const struct row *row)
{
    if (row->status == STATUS_OK) {
        counts->ok++;
    } else if (row->status == STATUS_SKIP) {
        counts->skipped++;
    } else {
        counts->failed++;
        if (!counts->first_failure[0])
            snprintf(counts->first_failure, sizeof counts->first_failure,
                     "%.40s on %.40s: %s: %s", row->key.allocator,
                     row->key.workload, status_name(row->status), row->note);
    }
}

static int read_done(struct session *s, struct row_reader *reader)
{
    const struct plan *plan = s->config->plan;
    struct row row;
    int err;

    while (!(err = row_reader_next(reader, &row, s->why, s->why_size))) {
        uint32_t run = row.key.run;

        if (run < 1 || run > plan->n ||
            !is_row_of(&row, &plan->runs[run - 1])) {
            snprintf(s->why, s->why_size,
                     "%s: run %u is not of this plan; use another --out",
                     s->samples, run);
            return EINVAL;
        }
        if (!s->is_done[run - 1]) {
            s->is_done[run - 1] = 1;
            s->counts->kept++;
            count(s->counts, &row);
        }
    }
    return err == ENOENT ? 0 : err;
}

static int start_samples(struct session *s)
{
    FILE *f = fopen(s->samples, "wx");

    if (!f)
        return fail(s, errno, s->samples);
    int err = row_write_header(f);

    if (fclose(f) && !err)
        err = errno;
    return err ? fail(s, err, s->samples) : 0;
}

static int open_samples(struct session *s)
{
    struct row_reader *reader;
    int err = s->config->resume ? mend_samples(s->samples) : 0;

    if (err)
        return fail(s, err, s->samples);
    if (access(s->samples, F_OK))
        return start_samples(s);
    if (!s->config->resume) {
        snprintf(s->why, s->why_size,
                 "%s exists: go on with --resume, or use another --out",
                 s->samples);
        return EEXIST;
    }
    err = row_reader_open(s->samples, &reader, s->why, s->why_size);
    if (err)
        return err;
    err = read_done(s, reader);
    row_reader_close(reader);
    return err;
}

/* ---- writing ---- */

static int write_outcome(struct session *s, const struct plan_run *run,
                         const struct outcome *o, const struct trace *trace)
{
    struct row row = run_row(s->id, run, o, trace);
    int err = run_rows_append(s->samples, &row, o);

    if (err)
        snprintf(s->why, s->why_size,
                 "%s: %s; the rows of %zu runs are whole: make room and go on "
                 "with --resume",
                 s->samples, strerror(err), s->counts->done + s->counts->kept);
    else
        count(s->counts, &row);
    return err;
}

/* ---- traces ---- */

/* Whether it is the machine that failed, not the trace: then no run of it can
 * be told from one that was never tried, and --resume must try again.  ECHILD:
 * preparing it crashes, and would again. */
static int is_machines_fault(int err)
{
    return err != EINVAL && err != EBADMSG && err != ENOENT && err != E2BIG &&
           err != ECHILD;
}

/* NULL only if memory is short. */
static const struct stored_trace *get_trace(struct session *s,
                                            const struct trace_request *request)
{
    char what[PREPARE_NAME_MAX + 32];

    if (!trace_store_has(&s->traces, request)) {
        snprintf(what, sizeof what, "preparing %s", request->workload);
        progress_show(&s->progress, what);
    }
    return trace_store_get(&s->traces, request);
}

/* ---- runs ---- */

static int run_one(struct session *s, const struct plan_run *run)
{
    const struct stored_trace *p = get_trace(s, &run->trace);
    struct outcome o = {.status = STATUS_ERROR};
    char what[192];
    int err = 0;

    snprintf(what, sizeof what, "block %u: %.60s of %.40s on %.40s", run->block,
             run->meter, run->allocator, run->trace.workload);
    progress_show(&s->progress, what);
    if (exec_stop)
        return EINTR;
    if (!p)
        return fail(s, ENOMEM, "traces");
    if (!p->trace && is_machines_fault(p->err)) {
        snprintf(s->why, s->why_size,
                 "%.300s; the rows of %zu runs are whole: go on with --resume",
                 p->why, s->counts->done + s->counts->kept);
        return p->err;
    }
    if (p->trace)
        err = exec_run(run, p->path, p->trace, &o);
    else
        snprintf(o.note, sizeof o.note, "%.159s", p->why);
    if (err == EINTR)
        snprintf(s->why, s->why_size, "stopped");
    else if (err)
        fail(s, err, "cannot start a run");
    else
        err = write_outcome(s, run, &o, p->trace);
    outcome_free(&o);
    return err;
}

/* Whether run i ends a block, and what follows is not done already. */
static int ends_block(const struct session *s, size_t i)
{
    const struct plan *plan = s->config->plan;

    return i + 1 == plan->n ||
           (plan->runs[i + 1].block != plan->runs[i].block &&
            !s->is_done[i + 1]);
}

static int run_all(struct session *s)
{
    const struct plan *plan = s->config->plan;
    int err = 0, stop = 0;

    progress_start(&s->progress, plan->n - s->counts->kept);
    s->progress.may_stop = s->config->may_stop;
    for (size_t i = 0; i < plan->n && !err && !stop; i++) {
        if (!s->is_done[i]) {
            err = run_one(s, &plan->runs[i]);
            progress_step(&s->progress);
            s->counts->done += !err;
        }
        if (!err && s->config->after_block && ends_block(s, i)) {
            progress_clear(&s->progress);
            stop = s->config->after_block(s->config->arg, plan->runs[i].block,
                                          s->counts->done);
        }
    }
    progress_clear(&s->progress);
    return err;
}

static int open_session(struct session *s)
{
    char environment[PATH_ROOM], traces[PATH_ROOM];
    const struct plan *plan = s->config->plan;

    environment_session(s->id);
    snprintf(s->samples, sizeof s->samples, "%.4000s/samples.csv",
             s->config->folder);
    snprintf(traces, sizeof traces, "%.4000s/traces", s->config->folder);
    snprintf(environment, sizeof environment, "%.4000s/environment.csv",
             s->config->folder);
    s->is_done = calloc(plan->n + 1, 1);
    if (!s->is_done)
        return fail(s, ENOMEM, "plan");
    int err = open_samples(s);
    if (err)
        return err;
    err = trace_store_open(&s->traces, traces);
    if (err)
        return fail(s, err, traces);
    err = environment_append(environment, s->id);
    return err ? fail(s, err, environment) : 0;
}

/* Two runners would write every run twice.  Where a file system has no locks
 * the user has to take care. */
static int lock_folder(struct session *s)
{
    s->folder_fd = open(s->config->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder_fd < 0)
        return fail(s, errno, s->config->folder);
    if (!flock(s->folder_fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
        return 0;
    snprintf(s->why, s->why_size, "%.300s: another heapyard is at work here",
             s->config->folder);
    return EBUSY;
}

static int run_locked(struct session *s)
{
    int err = open_session(s);

    if (!err)
        err = run_all(s);
    trace_store_close(&s->traces);
    free(s->is_done);
    return err;
}

int run_plan(const struct run_config *config, struct run_counts *counts,
             char *why, size_t why_size)
{
    struct session s = {
        .config = config, .counts = counts, .why = why, .why_size = why_size};

    *counts = (struct run_counts){0};
    int err = lock_folder(&s);
    if (!err)
        err = run_locked(&s);
    if (s.folder_fd >= 0)
        close(s.folder_fd); /* unlocks */
    return err;
}
