/* trial_others.c - the same change, judged as it is done elsewhere.
 *
 * hyperfine runs one command so many times, then the other; its means are
 * called different beyond 5 %, the threshold that its users reach for, or its
 * times by a Mann-Whitney test at 5 %.  Both get the time that the gate has
 * taken.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trial.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "gate_pairs.h"
#include "hyperfine.h"
#include "paired.h"
#include "places.h"
#include "ticks.h"

enum { PATH_ROOM = 4096 };

static const double threshold = 0.05;

/* As hyperfine splits it, in the manner of a shell.  NULL if memory is short;
 * free afterwards. */
static char *make_command(const struct stored_trace *t, const char *allocator)
{
    char *command = NULL;
    size_t size;
    FILE *f = open_memstream(&command, &size);

    if (!f)
        return NULL;
    hyperfine_put_word(f, places_program());
    fputs("replay --trace ", f);
    hyperfine_put_word(f, t->path);
    fputs("--allocator ", f);
    hyperfine_put_word(f, allocator);
    fputs("--meter time", f);
    if (fclose(f)) {
        free(command);
        return NULL;
    }
    return command;
}

static int read_json(const char *path, struct hyperfine_result out[GATE_SIDES])
{
    char why[512];
    int err = hyperfine_read(path, out, GATE_SIDES, why, sizeof why);

    for (size_t i = 0; i < GATE_SIDES && !err; i++)
        for (size_t k = 0; k < out[i].n && !err; k++)
            err = out[i].code[k] ? EBADMSG : 0;
    return err;
}

static enum call call_means(double ratio)
{
    return ratio > 1 + threshold       ? CALL_SLOWER
           : 1 / ratio > 1 + threshold ? CALL_FASTER
                                       : CALL_NONE;
}

static enum call call_ranks(const struct hyperfine_result t[GATE_SIDES],
                            double ratio)
{
    double p = mann_whitney_p(t[GATE_CANDIDATE].wall_s, t[GATE_CANDIDATE].n,
                              t[GATE_BASE].wall_s, t[GATE_BASE].n);

    return !(p < 0.05) ? CALL_NONE : ratio > 1 ? CALL_SLOWER : CALL_FASTER;
}

static void judge(const struct hyperfine_result t[GATE_SIDES], double seconds,
                  struct trial *out)
{
    double ratio = t[GATE_CANDIDATE].mean_s / t[GATE_BASE].mean_s;

    out->others_ratio = ratio;
    out->others_runs = (unsigned)t[GATE_BASE].n;
    out->call[JUDGE_HYPERFINE] = call_means(ratio);
    out->call[JUDGE_MANN_WHITNEY] = call_ranks(t, ratio);
    for (int j = JUDGE_HYPERFINE; j <= JUDGE_MANN_WHITNEY; j++) {
        out->is_judged[j] = 1;
        out->seconds[j] = seconds;
    }
}

/* Runs of each side that fit into the gate's time, whose turns run both sides
 * at once, with one to warm up. */
static unsigned runs_for(const struct trial *t)
{
    unsigned runs = t->cell.pairs * GATE_TURNS / 2;

    return runs < 3 ? 2 : runs - 1;
}

int trial_others_exist(void)
{
    return hyperfine_exists();
}

/* Let hyperfine time both commands so many times, and read what it found. */
static int time_both(const char *folder, const char *const command[GATE_SIDES],
                     unsigned n, struct hyperfine_result out[GATE_SIDES],
                     double *seconds)
{
    char json[PATH_ROOM], runs[16];

    snprintf(json, sizeof json, "%.4000s/hyperfine.json", folder);
    snprintf(runs, sizeof runs, "%u", n);
    const char *const argv[] = {"hyperfine",
                                "-N",
                                "--style",
                                "none",
                                "--warmup",
                                "1",
                                "--runs",
                                runs,
                                "--export-json",
                                json,
                                command[GATE_BASE],
                                command[GATE_CANDIDATE],
                                NULL};
    uint64_t start = clock_wall_ns();
    int err = command_run(argv, NULL, COMMAND_STOPS);

    *seconds = (double)(clock_wall_ns() - start) * 1e-9;
    if (!err)
        err = read_json(json, out);
    unlink(json);
    return err;
}

int trial_others(struct gate_session *session, const struct plan_run *run,
                 const struct waste *w, struct trial *trial, char *why,
                 size_t why_size)
{
    char *command[GATE_SIDES] = {NULL, NULL};
    const struct stored_trace *trace =
        gate_session_trace(session, run, why, why_size);

    if (!trace)
        return ENOMEM;
    struct hyperfine_result *t = calloc(GATE_SIDES, sizeof *t);
    int err = t ? 0 : ENOMEM;
    double seconds;

    for (int side = 0; side < GATE_SIDES && !err; side++) {
        char name[SPEC_NAME_MAX];
        struct waste own = *w;

        if (side == GATE_BASE)
            own.loops = 0;
        waste_name(&own, name, sizeof name);
        command[side] = make_command(trace, name);
        err = command[side] ? 0 : ENOMEM;
    }
    if (!err)
        err = time_both(session->config->folder, (const char *const *)command,
                        runs_for(trial), t, &seconds);
    if (!err)
        judge(t, seconds, trial);
    else if (err != EINTR)
        snprintf(why, why_size, "hyperfine: %s",
                 err == ECHILD    ? "a run failed"
                 : err == EBADMSG ? "its JSON is not what it should be"
                                  : strerror(err));
    free(command[GATE_BASE]);
    free(command[GATE_CANDIDATE]);
    free(t);
    return err;
}
