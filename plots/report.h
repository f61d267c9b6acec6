/* report.h - reports: pure functions of a summary (and of its samples), and
 * of the judgements of the gate.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_REPORT_H
#define HEAPYARD_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "gate.h"
#include "summary.h"

/* The table for a terminal: one block a workload x threads, one line an
 * allocator, the null floor shown first; medians with intervals and ratios
 * to the baseline; failed cells by status.  width in columns (at least 80);
 * flags or-ed. */
enum report_flag {
    REPORT_COLOUR = 1,
    REPORT_BRIEF = 2 /* without the legend */
};
int report_table(const struct summary *, FILE *, unsigned width, int flags);

/* The judgements of the gate for a terminal: one line a cell, regressions
 * first; why, for those that are not unchanged; last a sentence that sums up.
 * width in columns (at least 80).  Returns 0 or an errno. */
int gate_print(const struct gate_report *, FILE *, unsigned width, int colour);

/* Draw all charts into folder `out` (made if missing): NAME.svg and NAME.png
 * for time, peak memory, memory over time, time against memory and the latency
 * of malloc and free, by gnuplot; the data behind each as NAME.tsv.  NAME is
 * time, peak-memory, memory-curve, time-memory, latency-malloc or
 * latency-free, each if there are figures for it; with more than four blocks
 * (workload x threads) there is one file a workload, NAME-WORKLOAD.
 *
 * samples_path  for memory-curve; NULL leaves that chart out
 * scripts       the folder of the .gp files
 * machine       one line for the caption: machine, date, version
 *
 * Returns 0, ENOENT if gnuplot is missing (why says which package has it; the
 * .tsv files are written all the same), EIO if gnuplot failed (why is what it
 * said), EBADMSG for bad samples, or an errno. */
int report_charts(const struct summary *, const char *samples_path,
                  const char *scripts, const char *out, const char *machine,
                  char *why, size_t why_size);

#endif
