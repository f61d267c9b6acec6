/* percentiles.h - which percentiles are given, and when.
 *
 * A percentile is given only if at least PERCENTILE_TAIL values lie above it:
 * p99.9 from 10,000 values on, p99.999 from a million.  With fewer, it would
 * be one or two chance events.  The maximum is one always, and is called so.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PERCENTILES_H
#define HEAPYARD_PERCENTILES_H

#include <stdint.h>

enum { PERCENTILE_TAIL = 10 };

struct percentile {
    const char *name; /* "p999" */
    double share;     /* of the values that are not above it */
    uint32_t above;   /* values above it, of 100,000 */
};

/* From p50 to p99999, ended by one without a name. */
extern const struct percentile percentiles[];

/* Whether so many values are enough. */
int percentile_is_backed(const struct percentile *, uint64_t count);

#endif
