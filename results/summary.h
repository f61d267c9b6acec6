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
    uint32_t outliers;      /* ok runs far from the median, counted only */
    struct interval ratio;  /* to the baseline, paired by block; else NAN */
    uint32_t pairs;         /* blocks behind ratio */
    double detectable;      /* smallest change of the ratio that these pairs
                               would find, 0.01 = 1 %; else NAN */
    uint32_t warmup;        /* first blocks with larger values in all arms */
    double warmup_by;       /* how much larger, 0.06 = 6 %; else NAN */
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

/* How many of x[n] lie further from their median than five robust standard
 * deviations (robust.h).  0 with n < STAT_FEW, or where over half of x are
 * equal: there is no scale then.  Returns 0 or ENOMEM. */
int stat_outliers(const double x[], size_t n, uint32_t *out);

/* The ratio of paired samples, all > 0 and with a finite ratio: exp of the
 * Hodges-Lehmann centre of log(a[i] / b[i]) and its 95 % interval by signed
 * ranks (paired.h); with n < STAT_FEW lo and hi are the extremes.
 * detectable  the smallest relative change that n such pairs find with
 *             probability 0.8 at 5 %, two-sided; NAN with n < STAT_FEW
 * n >= 1.  Returns 0 or ENOMEM. */
int stat_ratio(const double a[], const double b[], size_t n,
               struct interval *out, double *detectable);

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
