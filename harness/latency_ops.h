/* latency_ops.h - what the latency replayer keeps for each thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LATENCY_OPS_H
#define HEAPYARD_LATENCY_OPS_H

#include "histogram.h"

enum latency_kind {
    LATENCY_MALLOC,
    LATENCY_CALLOC,
    LATENCY_REALLOC,
    LATENCY_FREE,
    LATENCY_KINDS
};

struct latency_state {
    struct histogram ticks[LATENCY_KINDS];
};

#endif
