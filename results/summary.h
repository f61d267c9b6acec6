/* summary.h - one row of summary.csv: one estimate with its interval.
 *
 * stat reduces the ok samples of one cell (workload, threads, scale, touch,
 * window, meter, metric, at) x allocator over its runs, and relates them to
 * the baseline allocator within blocks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SUMMARY_H
#define HEAPYARD_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

#include "row.h"

enum {
    STAT_FEW = 6,       /* samples; with fewer no interval reaches 95 % */
    STAT_BOOTSTRAP = 8, /* samples; fewer have extremes for an interval */
};

struct interval {
    double value, lo, hi;
};

struct estimate {
    struct run_key key; /* of the first run of the cell; run and block 0 */
    char metric[48];
    char at[48];
    char unit[16];
    uint32_t n;             /* ok runs */
    uint32_t failed;        /* runs of this cell with another status than ok */
    enum status status;     /* ok if n > 0, else the commonest other status */
    struct interval median; /* NAN if n is 0 */
    struct interval ratio;  /* to the baseline, paired by block; else NAN */
    uint32_t pairs;         /* blocks behind ratio */
    char note[160];
};

struct summary {
    char baseline[64];
    struct estimate *estimates; /* [n]; order: workload, threads, meter,
                                   metric and at as first met, allocator
                                   (null, the baseline, then by name) */
    size_t n;
};

/* Median of x[n] and its 95 % bootstrap interval.
 * n >= 1; with n < 8 lo and hi are the extremes.  Same seed, same interval.
 * Returns 0 or ENOMEM.  O(B n log n), B = 2000 resamples.
 * Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993),
 * ch. 13 (percentile intervals). */
int stat_median(const double x[], size_t n, uint64_t seed,
                struct interval *out);

/* Geometric-mean-free ratio of paired samples: the median of a[i] / b[i] with
 * its bootstrap interval over pairs.  All values > 0. */
int stat_ratio(const double a[], const double b[], size_t n, uint64_t seed,
               struct interval *out);

/* Read samples.csv and reduce it.  Rows whose `at` is a time ("0.125") or an
 * operation ("op:17") are left out: they are not estimates.  Returns 0,
 * EBADMSG (why names file, line, column), ENODATA if there is no row, or an
 * errno. */
int summary_from_samples(const char *samples_path, const char *baseline,
                         struct summary *out, char *why, size_t why_size);
int summary_write(const struct summary *, FILE *);
int summary_read(const char *path, struct summary *out, char *why,
                 size_t why_size);
void summary_free(struct summary *);

#endif
