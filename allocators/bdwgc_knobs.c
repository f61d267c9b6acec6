/* bdwgc_knobs.c - what may be set of libgc, built with it or not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bdwgc.h"

static const char *const off_or_on[] = {"off", "on", NULL};
static const char *const free_names[] = {"forget", "explicit", NULL};

/* clang-format off */
const struct knob bdwgc_knobs[] = {
[BDWGC_MARKERS] = {"markers", "threads", 0, 0, 16,
    "that mark, the one that collects included; 0: as many as CPUs", NULL},
[BDWGC_LIMIT] = {"limit", "bytes", 0, 0, 0x1p40,
    "of the heap at most; 0: none", NULL},
[BDWGC_DIVISOR] = {"divisor", "1", 3, 1, 1000,
    "collect when about a heap's size over this was allocated", NULL},
[BDWGC_INCREMENTAL] = {"incremental", "", 0, 0, 1,
    "mark a little at a time, by page protection", off_or_on},
[BDWGC_FREE] = {"free", "", 0, 0, 1,
    "a free only forgets the block, or gives it to GC_free", free_names},
{.name = NULL},
};
/* clang-format on */
