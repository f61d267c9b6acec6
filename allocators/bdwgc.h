/* bdwgc.h - what both builds of the backend bdwgc say of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_BDWGC_H
#define HEAPYARD_BDWGC_H

#include "knobs.h"

#define BDWGC_SUMMARY                                                          \
    "the conservative collector of Boehm, Demers and Weiser (libgc)"

enum {
    BDWGC_MARKERS,
    BDWGC_LIMIT,
    BDWGC_DIVISOR,
    BDWGC_INCREMENTAL,
    BDWGC_FREE
};

extern const struct knob bdwgc_knobs[];

#endif
