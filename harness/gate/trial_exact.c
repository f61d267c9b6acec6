/* trial_exact.c - verdicts on simulated instructions, of a known change.
 *
 * Waste is linear in its turns and simulated counts repeat, so two runs tell
 * how many instructions a turn has, and a third how many make the change.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trial.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "judge.h"
#include "ticks.h"

enum { PROBE_LOOPS = 64, PROBE_EVERY = 16 };

static const char metric[] = "sim_instructions";

static int count(struct gate_session *session, const struct plan_run *run,
                 const struct waste *w, double *out, char *why, size_t why_size)
{
    struct plan_run own = *run;
    struct outcome o;
    const struct stored_trace *t =
        gate_session_trace(session, run, why, why_size);

    if (!t)
        return EINVAL;
    waste_name(w, own.allocator, sizeof own.allocator);
    /* the candidate's side has no allocator of its own: that of the run */
    int err =
        gate_session_play(session, GATE_CANDIDATE, &own, t, &o, why, why_size);

    const struct outcome_value *v = err ? NULL : outcome_find(&o, metric);

    *out = v ? v->value : NAN;
    if (!err && isnan(*out)) {
        snprintf(why, why_size, "no %s: %s", metric, o.note);
        err = EIO;
    }
    outcome_free(&o);
    return err;
}

int waste_for_count(struct gate_session *session, const struct plan_run *run,
                    double share, struct waste *w, char *why, size_t why_size)
{
    struct waste none = *w, probe = *w;
    double plain, much;

    none.loops = 0;
    none.every = probe.every = PROBE_EVERY;
    probe.loops = PROBE_LOOPS;
    int err = count(session, run, &none, &plain, why, why_size);

    if (!err)
        err = count(session, run, &probe, &much, why, why_size);
    if (err)
        return err;
    double turn = (much - plain) / PROBE_LOOPS; /* one more at each waste */

    if (!(turn > 0)) {
        snprintf(why, why_size, "%s does not grow with the waste", metric);
        return EDOM;
    }
    /* 64 turns at a time: rounding is at most 1 % of what is put in */
    w->loops = PROBE_LOOPS;
    w->every =
        (uint32_t)lround(PROBE_LOOPS * turn * PROBE_EVERY / (share * plain));
    w->every += !w->every;
    return 0;
}

int trial_exact(struct gate_session *session, const struct plan_run *run,
                const struct waste *w, double margin, struct trial *out,
                char *why, size_t why_size)
{
    struct waste none = *w;
    double base, candidate;
    uint64_t start = clock_wall_ns();

    none.loops = 0;
    int err = count(session, run, &none, &base, why, why_size);

    if (!err)
        err = count(session, run, w, &candidate, why, why_size);
    out->cell = (struct gate_cell){
        .tier = GATE_EXACT, .less_is_better = 1, .margin = margin};
    if (!err)
        err = judge_exact(&out->cell, &base, 1, &candidate, 1);
    if (err)
        return err;
    out->call[JUDGE_GATE] = out->cell.verdict == GATE_REGRESSED  ? CALL_SLOWER
                            : out->cell.verdict == GATE_IMPROVED ? CALL_FASTER
                                                                 : CALL_NONE;
    out->is_judged[JUDGE_GATE] = 1;
    out->seconds[JUDGE_GATE] = (double)(clock_wall_ns() - start) * 1e-9;
    return 0;
}
