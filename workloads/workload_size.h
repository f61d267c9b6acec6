/* workload_size.h - how large a workload is, with its presets and scale 1.
 *
 * The table is measured: ci/workload-sizes writes workload_sizes.c.  A test
 * holds operations and peaks against what is composed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_WORKLOAD_SIZE_H
#define HEAPYARD_WORKLOAD_SIZE_H

#include <stdint.h>

struct workload_size {
    const char *name;
    unsigned version;    /* of the workload that was measured */
    unsigned threads;    /* its least number; seed 1 */
    uint64_t ops;        /* exact; of a program: its allocations */
    uint64_t peak_bytes; /* live, exact; of a program: in memory on system,
                            beyond what the process has before */
    double cpu_s;        /* of one run on system, of all threads together; on
                            the machine that workload_sizes.c names */
};

/* Ended by a row without a name. */
extern const struct workload_size workload_sizes[];
extern const char workload_sizes_machine[];

/* The row of that name, or NULL. */
const struct workload_size *workload_size_find(const char *name);

#endif
