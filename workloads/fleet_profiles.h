/* fleet_profiles.h - what programs of a large fleet allocate, as tables.
 *
 * Each profile says, for a range of sizes, its share of all allocations and
 * how long an object of it lives on average, in allocations (of any size)
 * made meanwhile.  Share times lifetime is the range's share of the objects
 * alive at a moment (Little's law): the live mix.
 *
 * Source: three of the ten production profiles in Google fleetbench
 * (https://github.com/google/fleetbench, Apache-2.0), reduced: sizes up to
 * 4 MiB, and only rows of which at least one object is alive on average.
 * Shares sum to 100 % within the rounding of their three digits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_FLEET_PROFILES_H
#define HEAPYARD_FLEET_PROFILES_H

#include <stdint.h>

enum { FLEET_PROFILES = 3, FLEET_ROWS = 32 };

struct fleet_row {
    uint64_t size;   /* bytes: the largest of the row; the smallest is one
                        more than that of the row before */
    double share;    /* % of allocations */
    double lifetime; /* allocations; mean */
};

extern const struct fleet_row *const fleet_profiles[FLEET_PROFILES];
extern const char *const fleet_profile_names[FLEET_PROFILES + 1];

/* The smallest size of a row, in bytes. */
uint64_t fleet_row_min(const struct fleet_row *profile, unsigned row);

#endif
