/* proportion.h - how sure a share of trials is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PROPORTION_H
#define HEAPYARD_PROPORTION_H

#include "summary.h"

/* The share k / n and its exact 95 % interval, 0 <= k <= n, n >= 1.
 * Source: Clopper & Pearson, Biometrika 26(4), 1934. */
struct interval proportion(unsigned k, unsigned n);

#endif
