/* spec.h - what to compare: read from a file, from options, or both.
 *
 * A spec file has lines "key = value", with # for comments; the same keys are
 * the long options of `heapyard bench` and `heapyard plan`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_SPEC_H
#define HEAPYARD_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "player.h"
#include "prepare.h"

enum { SPEC_LIST_MAX = 48, SPEC_NAME_MAX = 200 };

struct spec_list {
    char item[SPEC_LIST_MAX][SPEC_NAME_MAX];
    unsigned n;
};

struct spec {
    struct spec_list workloads, allocators, meters;
    uint32_t threads[SPEC_LIST_MAX];
    unsigned nthreads;
    uint32_t runs;        /* blocks of the time meter; 0: see spec_runs */
    uint32_t memory_runs; /* blocks of the memory meter; runs, if fewer */
    uint64_t seed;
    double scale;
    enum touch touch;
    uint32_t window;    /* operations */
    uint32_t timeout_s; /* of one run */
    double precision;   /* at which to stop: 0.01 is 1 %; 0: not */
    uint32_t budget_s;  /* after which to stop; 0: not */
};

/* The presets that `heapyard bench --help` names. */
void spec_init(struct spec *);

/* Blocks of the time meter: at most, if the bench may stop before. */
uint32_t spec_runs(const struct spec *);

/* Set one key.  Returns 0, or EINVAL and why: "threads = 0 (want 1..1024)". */
int spec_set(struct spec *, const char *key, const char *value, char *why,
             size_t why_size);

/* Read a file of keys over what is set.  Returns 0, EINVAL and why beginning
 * with "FILE:LINE: ", or an errno of the file. */
int spec_read(struct spec *, const char *path, char *why, size_t why_size);

/* One key: for option tables and help. */
struct spec_key {
    const char *name;
    const char *argument; /* what its value looks like */
    const char *help;
};
extern const struct spec_key spec_keys[]; /* ended by a key without a name */

#endif
