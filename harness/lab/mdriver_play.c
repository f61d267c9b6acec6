/* mdriver_play.c - every trace on every allocator, each in a child.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "mdriver.h"
#include "op_file.h"
#include "replay.h"
#include "trace.h"

static int complain(const struct mdriver *m, const char *what, int err)
{
    fprintf(stderr, "%s: %s: %s\n", m->verb, what, strerror(err));
    return err == EINTR ? EXIT_STOPPED : EXIT_INFRA;
}

const struct mdriver_cell *mdriver_cell(const struct mdriver *m, size_t trace,
                                        size_t allocator)
{
    return &m->cell[trace * m->nallocators + allocator];
}

double mdriver_value(const struct mdriver_cell *c, const char *metric,
                     const char *at)
{
    for (size_t i = 0; i < c->outcome.n; i++)
        if (!strcmp(c->outcome.values[i].metric, metric) &&
            !strcmp(c->outcome.values[i].at, at))
            return c->outcome.values[i].value;
    return NAN;
}

bool mdriver_is_right(const struct mdriver *m)
{
    for (size_t t = 0; t < m->ntraces; t++)
        if (mdriver_cell(m, t, 0)->outcome.status != STATUS_OK)
            return false;
    return true;
}

static void fill_run(const struct mdriver *m, size_t t, size_t a,
                     struct plan_run *run)
{
    *run = (struct plan_run){.run = (uint32_t)(t * m->nallocators + a + 1),
                             .block = 1,
                             .trace = {.threads = 1, .seed = 1, .scale = 1},
                             .touch = TOUCH_NONE,
                             .window = REPLAY_WINDOW,
                             .timeout_s = m->timeout_s};
    snprintf(run->trace.workload, sizeof run->trace.workload, "%s",
             m->trace[t].name);
    if (a == 0) {
        snprintf(run->allocator, sizeof run->allocator, "%s:heap=%s",
                 m->solution, m->heap);
        snprintf(run->meter, sizeof run->meter, "lab:align=%u:map=%d", m->align,
                 MDRIVER_MAP_COLUMNS);
    } else {
        snprintf(run->allocator, sizeof run->allocator, "%s", m->allocator[a]);
        snprintf(run->meter, sizeof run->meter, "lab");
    }
}

/* The trace crashed the solution: does it with addresses of 32 bits?  Asked
 * once. */
static int try_low(struct mdriver *m, size_t t, const char *path,
                   const struct trace *trace)
{
    struct plan_run run = mdriver_cell(m, t, 0)->run;
    struct outcome outcome;
    const size_t n = strlen(run.allocator);

    snprintf(run.allocator + n, sizeof run.allocator - n, ":low=on");
    const int err = exec_run(&run, path, trace, &outcome);
    if (!err && outcome.status == STATUS_OK)
        m->low = m->trace[t].name;
    outcome_free(&outcome);
    return err;
}

static int play_trace(struct mdriver *m, size_t t, const char *path,
                      const struct trace *trace)
{
    int err = 0;

    for (size_t a = 0; a < m->nallocators && !err; a++) {
        struct mdriver_cell *const c = &m->cell[t * m->nallocators + a];

        fill_run(m, t, a, &c->run);
        err = exec_run(&c->run, path, trace, &c->outcome);
        if (!err && a == 0 && c->outcome.status == STATUS_CRASH && !m->low)
            err = try_low(m, t, path, trace);
    }
    return err ? complain(m, m->trace[t].path, err) : EXIT_GOOD;
}

static int compile_and_play(struct mdriver *m, size_t t, const char *path)
{
    char why[512];
    struct trace *trace = NULL;
    int err = trace_compile(&m->trace[t].source, path, why, sizeof why);

    if (!err)
        err = trace_map(path, &trace, why, sizeof why);
    if (err) {
        fprintf(stderr, "%s: %s: %s\n", m->verb, m->trace[t].path, why);
        return EXIT_USAGE;
    }
    const int code = play_trace(m, t, path, trace);

    trace_unmap(trace);
    return code;
}

int mdriver_play(struct mdriver *m)
{
    char path[4096];
    int code = EXIT_GOOD;

    snprintf(path, sizeof path, "%s/heapyard-mdriver-XXXXXX", op_file_folder());
    const int fd = mkstemp(path);
    if (fd < 0)
        return complain(m, path, errno);
    close(fd);
    for (size_t t = 0; t < m->ntraces && !code; t++)
        code = compile_and_play(m, t, path);
    unlink(path);
    return code;
}
