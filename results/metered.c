/* metered.c - latencies of requests that come one after another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "metered.h"

#include <stdlib.h>

static int order_requests(const void *a, const void *b)
{
    const struct time_span *x = a, *y = b;
    int by = (x->begin > y->begin) - (x->begin < y->begin);
    return by ? by : (x->end > y->end) - (x->end < y->end);
}

void requests_sort(struct time_span request[], size_t n)
{
    if (n)
        qsort(request, n, sizeof *request, order_requests);
}

void latency_simple(const struct time_span request[], size_t n,
                    uint64_t latency[])
{
    for (size_t i = 0; i < n; i++)
        latency[i] = request[i].end - request[i].begin;
}

void latency_metered(const struct time_span request[], size_t n,
                     uint64_t window, uint64_t latency[])
{
    const uint64_t half = window / 2;
    size_t first = 0, last = 0; /* of the window; both only move on */
    for (size_t i = 0; i < n; i++) {
        uint64_t begin = request[i].begin;
        while (begin - request[first].begin > half)
            first++;
        while (last + 1 < n && (request[last].begin < begin ||
                                request[last].begin - begin < half))
            last++;
        double spread =
            last == first
                ? 0
                : (double)(request[last].begin - request[first].begin) /
                      (double)(last - first);
        double smoothed = (double)(request[first].begin - request[0].begin) +
                          (double)(i - first) * spread;
        double metered = (double)(request[i].end - request[0].begin) - smoothed;
        uint64_t actual = request[i].end - begin;
        latency[i] = metered > (double)actual ? (uint64_t)metered : actual;
    }
}
