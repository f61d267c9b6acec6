/* lower_bound.h - the least that collecting can have cost.
 *
 * What a program would cost with a collector that is free cannot be measured,
 * but it is no more than the cheapest of all configurations after what that
 * one is known to spend on collecting.  A configuration's cost over this is a
 * lower bound of its overhead, in which barriers, allocation and locality are
 * too.
 *
 * Source: Z. Cai, S. M. Blackburn, M. D. Bond & M. Maas, "Distilling the real
 * cost of production garbage collectors", ISPASS 2022.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_LOWER_BOUND_H
#define HEAPYARD_LOWER_BOUND_H

#include <stddef.h>

/* One configuration: a collector at a heap size, or explicit free. */
struct run_cost {
    double total;      /* wall time, or CPU time; > 0; NAN: did not run */
    double collecting; /* of it, known to be the collector's; 0 .. total */
};

/* The smallest total - collecting of cost[n]; *which is of which.  NAN, and n,
 * if none ran. */
double lower_bound_base(const struct run_cost cost[], size_t n, size_t *which);

#endif
