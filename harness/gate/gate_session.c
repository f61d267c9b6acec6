/* gate_session.c - plays runs of the two sides and keeps their rows.
 *
 * In a duet both sides run at the same time, each bound to one of two CPUs,
 * which are swapped by lot: what disturbs the machine disturbs both.
 *
 * Source: L. Bulej, V. Horky, P. Tuma, F. Farquet & A. Prokopec, "Duet
 * benchmarking", ICPE 2020.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* sched_getaffinity */

#include "gate_session.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include "run_rows.h"
#include "slices.h"

enum { PATH_ROOM = 4096 };

static const char *const folders[GATE_SIDES] = {"baseline", "candidate"};

static int fail(char *why, size_t why_size, const char *what, int err)
{
    snprintf(why, why_size, "%.300s: %s", what, strerror(err));
    return err;
}

static void find_cpus(struct gate_session *s)
{
    cpu_set_t set;

    s->cpus = 0;
    if (sched_getaffinity(0, sizeof set, &set))
        return;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set) && s->cpus < EXEC_AT_ONCE)
            s->cpu[s->cpus++] = cpu;
}

static int open_side(struct gate_session *s, int side, char *why,
                     size_t why_size)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof path, "%.3900s/%s", s->config->folder, folders[side]);
    if (mkdir(path, 0777) && errno != EEXIST)
        return fail(why, why_size, path, errno);
    snprintf(path, sizeof path, "%.3900s/%s/environment.csv", s->config->folder,
             folders[side]);
    int err = environment_append(path, s->id);
    if (err)
        return fail(why, why_size, path, err);
    snprintf(path, sizeof path, "%.3900s/%s/samples.csv", s->config->folder,
             folders[side]);
    s->samples[side] = fopen(path, "wx");
    if (!s->samples[side])
        return fail(why, why_size, path, errno);
    err = row_write_header(s->samples[side]);
    return err ? fail(why, why_size, path, err) : 0;
}

int gate_session_open(struct gate_session *s, const struct gate_config *config,
                      char *why, size_t why_size)
{
    char path[PATH_ROOM];

    *s = (struct gate_session){.config = config};
    random_seed(&s->random, config->spec->seed);
    environment_session(s->id);
    find_cpus(s);
    snprintf(path, sizeof path, "%.4000s/traces", config->folder);
    int err = trace_store_open(&s->traces, path);
    if (err)
        return fail(why, why_size, path, err);
    for (int side = config->baseline ? GATE_CANDIDATE : GATE_BASE;
         side < GATE_SIDES && !err && !config->is_unkept; side++)
        err = open_side(s, side, why, why_size);
    return err;
}

void gate_session_close(struct gate_session *s)
{
    for (int side = 0; side < GATE_SIDES; side++) {
        if (s->samples[side])
            fclose(s->samples[side]);
        cells_free(&s->cells[side]);
    }
    trace_store_close(&s->traces);
}

const struct stored_trace *gate_session_trace(struct gate_session *s,
                                              const struct plan_run *run,
                                              char *why, size_t why_size)
{
    const struct stored_trace *t = trace_store_get(&s->traces, &run->trace);

    if (t && t->trace)
        return t;
    snprintf(why, why_size, "%s", t ? t->why : strerror(ENOMEM));
    return NULL;
}

/* The run as this side plays it. */
static struct plan_run of_side(const struct gate_session *s, int side,
                               const struct plan_run *run)
{
    const struct gate_side *by = &s->config->side[side];
    struct plan_run own = *run;

    if (by->allocator[0])
        memcpy(own.allocator, by->allocator, sizeof own.allocator);
    own.program = by->program[0] ? by->program : NULL;
    return own;
}

static int keep_row(struct gate_session *s, int side, const struct row *row,
                    const char *allocator)
{
    struct row known = *row;
    int err = row_write(s->samples[side], row);

    snprintf(known.key.allocator, sizeof known.key.allocator, "%s", allocator);
    return err ? err : cells_add(&s->cells[side], &known);
}

static int keep(struct gate_session *s, int side, const struct plan_run *run,
                const char *allocator, const struct stored_trace *t,
                const struct outcome *o)
{
    struct plan_run numbered = *run;

    if (!s->samples[side])
        return 0;
    numbered.run = ++s->runs[side];
    struct row row = run_row(s->id, &numbered, o, t->trace);
    int err = 0;

    if (o->status != STATUS_OK)
        err = keep_row(s, side, &row, allocator);
    for (size_t i = 0; i < o->n && !err; i++) {
        run_row_set(&row, o, i);
        err = keep_row(s, side, &row, allocator);
    }
    if (!err && fflush(s->samples[side]))
        err = errno;
    return err;
}

static int explain(const struct gate_session *s, int err, char *why,
                   size_t why_size)
{
    if (err == EINTR)
        snprintf(why, why_size, "stopped");
    else if (err)
        fail(why, why_size, s->config->folder, err);
    return err;
}

int gate_session_play(struct gate_session *s, enum gate_side_index side,
                      const struct plan_run *run, const struct stored_trace *t,
                      struct outcome *out, char *why, size_t why_size)
{
    const struct plan_run own = of_side(s, (int)side, run);
    int err = exec_run(&own, t->path, t->trace, out);

    if (!err)
        err = keep(s, (int)side, &own, run->allocator, t, out);
    return explain(s, err, why, why_size);
}

static int play_duet(const struct gate_session *s, struct plan_run own[],
                     const struct stored_trace *t, unsigned swap,
                     struct outcome out[])
{
    for (unsigned side = 0; side < GATE_SIDES; side++)
        own[side].pin = 1 + s->cpu[side ^ swap];
    return exec_runs(own, GATE_SIDES, t->path, t->trace, out);
}

static int play_in_turn(const struct plan_run own[],
                        const struct stored_trace *t, unsigned first,
                        struct outcome out[])
{
    int err = exec_run(&own[first], t->path, t->trace, &out[first]);

    return err ? err : exec_run(&own[!first], t->path, t->trace, &out[!first]);
}

int gate_session_pair(struct gate_session *s, const struct plan_run *run,
                      const struct stored_trace *t,
                      const struct gate_turn *turn, struct outcome out[],
                      char *why, size_t why_size)
{
    const int is_duet = s->config->is_duet && t->trace->threads == 1 &&
                        !t->trace->native && s->cpus >= 2;
    struct plan_run own[GATE_SIDES];

    for (int side = 0; side < GATE_SIDES; side++) {
        own[side] = of_side(s, side, run);
        out[side] = (struct outcome){.status = STATUS_ERROR};
    }
    int err = is_duet ? play_duet(s, own, t, turn->swap, out)
                      : play_in_turn(own, t, turn->swap, out);

    if (!err && out[0].status == STATUS_OK && out[1].status == STATUS_OK) {
        slices_take(turn->slices, out);
        if (turn->is_last)
            err = slices_report(turn->slices, out);
    }
    for (int side = 0; side < GATE_SIDES && !err; side++)
        err = keep(s, side, &own[side], run->allocator, t, &out[side]);
    return explain(s, err, why, why_size);
}
