/* gate.h - judgements of a candidate against a baseline, and their reports.
 *
 * A cell is one metric of one workload x threads x allocator.  Its judgement
 * is one of the verdicts below.  The gate (harness/gate/) makes judgements;
 * the reports here are pure functions of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GATE_H
#define HEAPYARD_GATE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "summary.h"

enum gate_verdict {
    GATE_IMPROVED,  /* better by more than the margin */
    GATE_UNCHANGED, /* within the margin, shown at the level of the gate */
    GATE_REGRESSED, /* worse by more than the margin */
    GATE_UNDECIDED, /* neither is shown: more pairs needed */
    GATE_REFUSED,   /* the two cannot be compared; why says so */
    GATE_VERDICTS
};
const char *gate_verdict_name(enum gate_verdict); /* "improved", … */

enum gate_tier {
    GATE_EXACT, /* counts that repeat: compared as they are */
    GATE_PAIRED /* clocks: pairs of runs, a test at a margin */
};

struct gate_cell {
    struct run_key key; /* of the candidate; run and block 0 */
    char metric[48], at[48], unit[16];
    enum gate_tier tier;
    int less_is_better;     /* of all metrics that the gate knows but a few */
    double base, candidate; /* medians; NAN if missing */
    struct interval ratio;  /* candidate over baseline; exact: lo = hi = value;
                               NAN where the baseline is 0 or refused */
    double margin;          /* 0.01: one per cent */
    double p;               /* of the verdict, Holm-adjusted; NAN if exact */
    double detectable;      /* smallest relative change that these pairs would
                               have found (paired); NAN if exact */
    uint32_t pairs;
    uint32_t needed; /* undecided: pairs that would likely decide; 0 unknown */
    enum gate_verdict verdict;
    char why[200]; /* one sentence, always there */
    const double *base_values, *candidate_values; /* [pairs]; borrowed; in
                                                     order of the pairs */
};

struct gate_report {
    const struct gate_cell *cells; /* [n] */
    size_t n;
    char base_name[200], candidate_name[200]; /* "v1.2 (a3f09c1)", a folder */
    char machine[256];
    char date[24]; /* ISO 8601, UTC */
    double level;  /* family-wise: 0.01 */
};

/* How many cells have this verdict. */
size_t gate_count(const struct gate_report *, enum gate_verdict);

/* One format of the report. */
struct gate_format {
    const char *name;    /* "junit": as in --report junit=FILE */
    const char *summary; /* one line for --help */
    int (*write)(const struct gate_report *, FILE *); /* 0 or an errno */
};
extern const struct gate_format gate_formats[]; /* ended by a NULL name */
const struct gate_format *gate_format_find(const char *name); /* or NULL */

#endif
