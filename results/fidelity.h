/* fidelity.h - whether a replay says what the real program says.
 *
 * Rows of samples.csv of a real program (`heapyard apps`) and of the replay of
 * its trace go in; out come, for each allocator, both times and both memories
 * beside each other, and how alike the two put the allocators in order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FIDELITY_H
#define HEAPYARD_FIDELITY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "row.h"
#include "summary.h"

enum { FIDELITY_ARMS_MAX = 16, FIDELITY_BLOCKS_MAX = 64, FIDELITY_NAME = 48 };

/* Pairs are told apart at this level, and with fewer blocks none can be. */
#define FIDELITY_LEVEL 0.99
enum { FIDELITY_BLOCKS_MIN = 8 };

enum fidelity_side { FIDELITY_REAL, FIDELITY_REPLAY, FIDELITY_SIDES };
enum fidelity_figure {
    FIDELITY_CPU,  /* ns */
    FIDELITY_PEAK, /* bytes: rss_peak */
    FIDELITY_MEAN, /* bytes: rss_mean */
    FIDELITY_FIGURES
};

struct fidelity_arm {
    char allocator[200];
    char note[160]; /* of a run that failed, or "" */
    enum status status;
    /* By block, from 0; NAN: none. */
    double value[FIDELITY_SIDES][FIDELITY_FIGURES][FIDELITY_BLOCKS_MAX];
};

struct fidelity_program {
    char name[FIDELITY_NAME];
    struct fidelity_arm arm[FIDELITY_ARMS_MAX]; /* [arms] */
    size_t arms;
    double floor[FIDELITY_BLOCKS_MAX]; /* CPU time of the null allocator */
};

/* How alike two orders are. */
struct fidelity_order {
    uint32_t pairs;      /* of allocators that both sides have */
    uint32_t told_apart; /* where the real difference exceeds its noise */
    uint32_t alike;      /* of these, in the same order in the replay */
    double tau; /* Kendall's over those told apart: (alike - others) / all;
                   NAN without any */
};

/* One row of fidelity.csv. */
struct fidelity_row {
    char date[24];
    char machine[160];
    char program[FIDELITY_NAME];
    char allocator[200];
    uint32_t runs; /* timed blocks that both sides have */
    enum status status;
    /* NAN: not known. */
    double real_cpu, real_cpu_lo, real_cpu_hi;
    double replay_cpu, replay_cpu_lo, replay_cpu_hi;
    double floor_cpu, malloc_cpu;
    double real_diff, real_diff_lo, real_diff_hi;
    double replay_diff, replay_diff_lo, replay_diff_hi;
    double real_peak, replay_peak, real_mean, replay_mean;
    uint32_t told_apart, alike; /* pairs of the program */
    double tau;                 /* of the program */
    char note[160];
};

struct fidelity_program *
fidelity_program_new(const char *name); /* NULL: ENOMEM */

/* Its arm of that allocator, which is made if it is not there: so the first
 * calls settle the order.  NULL if there are FIDELITY_ARMS_MAX others. */
struct fidelity_arm *fidelity_arm_get(struct fidelity_program *,
                                      const char *allocator);

/* Put a row of one side into the program whose it is; rows of other metrics
 * are left out.  Returns 0, or E2BIG for too many allocators or blocks. */
int fidelity_take(struct fidelity_program *, enum fidelity_side,
                  const struct row *);

/* Compare: row[arms] get all but date and machine.  Differences are to the
 * allocator `baseline`.  Returns 0 or ENOMEM. */
int fidelity_compare(const struct fidelity_program *, const char *baseline,
                     struct fidelity_row row[], struct fidelity_order *);

/* Kendall's tau of so many pairs of which some are in the same order, and the
 * others in the opposite one or tied; NAN without pairs.
 * Source: Kendall, Biometrika 30, 1938. */
double kendall_tau(uint32_t pairs, uint32_t alike);

int fidelity_write_header(FILE *);
int fidelity_write(FILE *, const struct fidelity_row *);

#endif
