/* stop_rule.h - when a bench has measured enough.
 *
 * A plan holds the largest number of blocks; a rule may end it at the end of a
 * block: because every ratio is known as precisely as was asked for, or
 * because the time is used up.
 *
 * Precision is that of the ratios of wall_per_op, which is what the table and
 * its verdicts show, to the baseline: half the width of the 95 % interval,
 * over the ratio.  The null floor does not count.  Looking after every block
 * makes the last interval somewhat too narrow (results/README.md).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_STOP_RULE_H
#define HEAPYARD_STOP_RULE_H

#include <stdint.h>
#include <stdio.h>

#include "plan.h"
#include "summary.h"

/* How precisely the time ratios of a summary are known. */
struct precision {
    unsigned ratios; /* how many there are */
    double widest;   /* half-width over ratio, of the widest; 0 without any */
    uint32_t pairs;  /* blocks behind the ratio that has fewest */
    char allocator[SPEC_NAME_MAX], workload[SPEC_NAME_MAX]; /* of the widest */
    uint32_t threads;
};

void precision_of(const struct summary *, struct precision *out);

enum stop_reason {
    STOP_NOT,       /* all blocks of the plan were done */
    STOP_PRECISION, /* every ratio is precise */
    STOP_BUDGET,    /* the next block would take too long */
    STOP_NO_RATIO,  /* there is nothing that could become precise */
};

struct stop_rule {
    double precision;     /* a share: 0.01 is 1 %; 0: no such rule */
    uint32_t budget_s;    /* 0: no such rule */
    const char *baseline; /* the rest is borrowed, too */
    const struct plan *plan;
    const char *samples; /* path */
    uint64_t begin_ns;   /* of this session; clock_wall_ns */
    /* Set by stop_rule_after_block: */
    enum stop_reason reason;
    uint32_t block; /* the last one that was done */
    struct precision reached;
};

/* Whether there is a rule. */
int stop_rule_is_set(const struct stop_rule *);

/* Whether the plan can fulfil the rule at all.  Returns 0, or EINVAL and
 * why. */
int stop_rule_check(const struct stop_rule *, char *why, size_t why_size);

/* To be called at the end of a block; `done` runs were carried out since
 * begin_ns.  Returns 1 to stop, else 0. */
int stop_rule_after_block(struct stop_rule *, uint32_t block, size_t done);

/* Say in one line why it ended and what was reached; nothing without a rule. */
void stop_rule_tell(const struct stop_rule *, const char *verb, FILE *);

/* " --precision 1% --budget 60s", as far as there are such rules. */
void stop_rule_options(const struct stop_rule *, char *out, size_t size);

#endif
