/* gc_candidates.h - settings of a collector that compete with its default.
 *
 * Each block of runs holds the default and every setting that is still in the
 * race, so a setting's samples are logarithms of ratios within a block.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_GC_CANDIDATES_H
#define HEAPYARD_GC_CANDIDATES_H

#include <stddef.h>
#include <stdint.h>

#include "gc_tune.h"

enum {
    CANDIDATES_MAX = 64,
    CANDIDATE_BLOCKS_MAX = 64,
    CANDIDATE_SURVIVORS = 3
};

struct candidate {
    char change[96];                /* "growth=2:markers=1" */
    uint64_t knobs;                 /* a bit for each tunable that it sets */
    int is_out;                     /* lost, or failed */
    int has_failed;                 /* failed, or gave no value */
    double x[CANDIDATE_BLOCKS_MAX]; /* [n]: log of its value over default's */
    size_t n;
};

struct candidates {
    struct candidate c[CANDIDATES_MAX]; /* [n] */
    size_t n;
};

/* Every single change of `text`, "NAME" or "NAME:KNOBS", that the table of
 * tunables has, but of knobs that the text sets, and values that are the
 * default.  Returns 0, or EINVAL and why if there is none. */
int candidates_fill(struct candidates *, const char *text, char *why,
                    size_t why_size);

/* Add the unions of what is left, where no knob is set twice. */
void candidates_combine(struct candidates *);

/* Take out the worse half of those left, by the centre of their samples, but
 * leave `keep`.  Returns how many are left. */
size_t candidates_halve(struct candidates *, size_t keep);
size_t candidates_left(const struct candidates *);

/* The best that is left, or NULL. */
const struct candidate *candidates_best(const struct candidates *);
/* The centre of its samples; INFINITY without any. */
double candidate_centre(const struct candidate *);

#endif
