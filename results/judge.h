/* judge.h - a candidate's figures against a baseline's: the verdicts.
 *
 * Pure functions of samples.  Counts that repeat are compared as they are;
 * clocks by a one-sided signed-rank test of the pairs' log-ratios against a
 * margin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_JUDGE_H
#define HEAPYARD_JUDGE_H

#include "gate.h"

/* Judge cell->base_values against cell->candidate_values, which need not be
 * as many: medians within the margin are "unchanged".  cell->tier is
 * GATE_EXACT; key, metric, unit, less_is_better and margin are set; fills the
 * rest.  Returns 0 or ENOMEM. */
int judge_exact(struct gate_cell *cell, const double base[], size_t nbase,
                const double candidate[], size_t ncandidate);

/* One look at m cells of pairs (base_values, candidate_values, pairs).
 *
 * Those that are GATE_UNDECIDED may be decided, each at `level` of this look:
 * regressed (improved) if a signed-rank test finds the ratio beyond the
 * margin, with p-values adjusted by Holm's method over all m cells, decided
 * ones included, so that `level` holds for the family; unchanged if two tests
 * show it within the margin on both sides.  The figures of every cell are
 * brought up to date.  A cell with a value of 0 or less is refused.
 *
 * Several looks at growing samples: give each a part of the level; the sum
 * holds for all (Bonferroni).  Returns 0 or ENOMEM. */
int judge_look(struct gate_cell *cells[], size_t m, double level);

/* The cell cannot be judged. */
void judge_refuse(struct gate_cell *cell, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
