/* robust.c - middle and spread of a few numbers, unmoved by a stray one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "robust.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void reals_sort(double x[], size_t n)
{
    if (n > 1)
        qsort(x, n, sizeof x[0], compare);
}

double reals_middle(double a, double b)
{
    return a == b ? a : a / 2 + b / 2;
}

double sorted_median(const double sorted[], size_t n)
{
    assert(n >= 1);
    return reals_middle(sorted[(n - 1) / 2], sorted[n / 2]);
}

double reals_median(double x[], size_t n)
{
    reals_sort(x, n);
    return sorted_median(x, n);
}

double robust_sigma(double x[], size_t n, double centre)
{
    const double normal = 1.4826; /* 1 / (3rd quartile of the normal) */
    for (size_t i = 0; i < n; i++)
        x[i] = fabs(x[i] - centre);
    return normal * reals_median(x, n);
}
