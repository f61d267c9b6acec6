/* workload_sizes.c - written by ci/workload-sizes, which says how.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "workload_size.h"

#include <stddef.h>

const char workload_sizes_machine[] = "AMD EPYC, 2 CPUs";

const struct workload_size workload_sizes[] = {
    {"server-sim", 1, 1, 6393472, 67264390, 0.32},
    {"churn", 1, 1, 4262147, 68352227, 0.41},
    {"random-free", 1, 1, 1800004, 108802381, 0.25},
    {"phase-change", 1, 1, 7130268, 100663296, 1.5},
    {"trees", 1, 1, 8259206, 3145704, 0.058},
    {"handoff", 1, 2, 4000980, 2408192, 0.065},
    {"threadtest", 1, 1, 3000000, 240000, 0.021},
    {"binary-trees", 1, 1, 14985902, 8388608, 0.31},
    {"gcbench", 1, 1, 15333863, 16777216, 0.37},
    {"quads", 1, 1, 7339925, 16781312, 0.16},
    {"splay", 1, 1, 11264001, 57479168, 0.64},
    {"gcold", 1, 1, 4399424, 42598400, 0.4},
    {"cache-server", 1, 1, 10002489, 26525696, 0.57},
    {"ephemerons", 1, 1, 1500012, 14561280, 0.26},
    {"finalizers", 1, 1, 500006, 31424512, 0.12},
    {NULL, 0, 0, 0, 0, 0},
};
