/* trial.h - one verdict on a change that is known, by the gate and by others.
 *
 * The change is made by the allocator `waste`, which does a known amount of
 * work beside what it is asked for; none at all makes a trial of a program
 * against itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_TRIAL_H
#define HEAPYARD_TRIAL_H

#include "gate_session.h"

/* Who judges. */
enum judge {
    JUDGE_GATE,         /* pairs, a margin, looks */
    JUDGE_HYPERFINE,    /* hyperfine's means, called different beyond 5 % */
    JUDGE_MANN_WHITNEY, /* hyperfine's times, p < 0.05 */
    JUDGES
};
extern const char *const judge_names[JUDGES];

enum call { CALL_NONE, CALL_SLOWER, CALL_FASTER, CALL_OPEN };

struct trial {
    double injected;       /* relative slowdown: 0.02 */
    int is_exact;          /* of simulated instructions, else of CPU time */
    struct gate_cell cell; /* the gate's; its values are gone */
    enum call call[JUDGES];
    int is_judged[JUDGES];
    double seconds[JUDGES]; /* that the judge has taken */
    double others_ratio;    /* of hyperfine's means; NAN */
    unsigned others_runs;   /* of each side */
};

/* How much is wasted. */
struct waste {
    char of[16]; /* the allocator that is slowed down: slab */
    unsigned loops, every;
};

/* Play one trial of the gate.  run: a line of meter time; its allocator and
 * the session's sides are set here.  Returns 0, EINTR, or an errno and why. */
int trial_gate(struct gate_session *, struct gate_config *,
               const struct plan_run *run, const struct waste *,
               struct trial *out, char *why, size_t why_size);

/* Whether hyperfine is there. */
int trial_others_exist(void);
/* Let hyperfine time both sides for as long as the gate has taken.  Returns 0,
 * EINTR, or an errno and why. */
int trial_others(struct gate_session *, const struct plan_run *run,
                 const struct waste *, struct trial *, char *why,
                 size_t why_size);

/* Find how much waste slows the run down by `share`, from a measurement of
 * much more of it.  Returns 0, EINTR, EDOM if it cannot be made out, or an
 * errno and why. */
int waste_for(struct gate_session *, struct gate_config *,
              const struct plan_run *run, double share, struct waste *,
              char *why, size_t why_size);

/* The same two of simulated instructions: run is a line of that meter. */
int waste_for_count(struct gate_session *, const struct plan_run *run,
                    double share, struct waste *, char *why, size_t why_size);
int trial_exact(struct gate_session *, const struct plan_run *run,
                const struct waste *, double margin, struct trial *out,
                char *why, size_t why_size);

/* The allocator's name with its knobs, as a plan writes it. */
void waste_name(const struct waste *, char *out, size_t size);

#endif
