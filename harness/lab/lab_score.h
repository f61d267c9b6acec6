/* lab_score.h - the points that the courses give for a malloc lab solution.
 *
 * Three published formulas, with u the utilization (most bytes asked for over
 * the size of the heap in the end, mean over traces) and t the throughput:
 *
 *   3e     60 u + 40 min(1, t / 600 Kops/s); t: all operations over all
 *          seconds.  All traces count.
 *   2004   61 ramp(u, .60, .92) + 39 ramp(t, 3, 13 Mops/s), t likewise
 *   2016   50 ramp(u, .55, .75) + 50 ramp(t, 10.5, 18.5 Mops/s); t: geometric
 *          mean over traces.  Blocks must be 16-byte aligned.
 *
 * ramp goes from 0 to 1 between its two bounds.  In the latter two a trace's
 * weight says where it counts.
 *
 * Sources: the drivers of the handouts of Computer Systems: A Programmer's
 * Perspective, third edition; of the course of 2004; of that since 2016.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LAB_SCORE_H
#define HEAPYARD_LAB_SCORE_H

#include <stdbool.h>
#include <stddef.h>

enum lab_weight { LAB_IGNORED, LAB_BOTH, LAB_SPACE, LAB_SPEED };

/* What one trace came to. */
struct lab_trial {
    enum lab_weight weight;
    bool is_valid;
    double utilization; /* 0..1 */
    double ops, seconds;
    double align; /* bytes, of the least aligned block */
};

enum lab_formula { LAB_3E, LAB_2004, LAB_2016, LAB_FORMULAS };

struct lab_score {
    double utilization; /* mean; NAN: no trace counts for it */
    double kops;        /* throughput in 1000/s; NAN likewise */
    double points;      /* 0..100 */
    const char *zero;   /* why there are none, or NULL */
};

/* The name and the formula in one line. */
const char *lab_formula_name(enum lab_formula);
const char *lab_formula_text(enum lab_formula);

/* Points for trial[n]: none if any is not valid. */
struct lab_score lab_score_of(enum lab_formula, const struct lab_trial trial[],
                              size_t n);

#endif
