/* robust.h - middle and spread of a few numbers, unmoved by a stray one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_ROBUST_H
#define HEAPYARD_ROBUST_H

#include <stddef.h>

/* Sort x[n] upwards; no NANs. */
void reals_sort(double x[], size_t n);

/* The middle of sorted x[n], or of its middle two; n >= 1. */
double sorted_median(const double sorted[], size_t n);

/* The middle of two numbers, halved first: their sum may overflow. */
double reals_middle(double a, double b);

/* Sort x[n] and return its median; n >= 1. */
double reals_median(double x[], size_t n);

/* 1.4826 times the median of |x[i] - centre|: the standard deviation of normal
 * data whatever a minority of them is; 0 where over half of x is the centre.
 * Overwrites x[n]; n >= 1.
 * Source: Rousseeuw & Croux, JASA 88(424), 1993, section 1. */
double robust_sigma(double x[], size_t n, double centre);

#endif
