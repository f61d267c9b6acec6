/* metered.h - latencies of requests that come one after another.
 *
 * A client that sends its next request when the last one is answered sends
 * none during a pause, so a pause counts once (G. Tene's "coordinated
 * omission").  *Simple* latency is end - begin.  *Metered* latency spreads the
 * beginnings evenly, as clients that do not wait would have sent them, and
 * counts from there, which gives the queue behind a pause.
 *
 * Source: DaCapo Chopin (Blackburn et al., "Rethinking Java performance
 * analysis", ASPLOS 2025), whose LatencyReporter defines the window.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_METERED_H
#define HEAPYARD_METERED_H

#include <stddef.h>
#include <stdint.h>

#include "pauses.h"

/* Sort requests by begin. */
void requests_sort(struct time_span request[], size_t n);

/* latency[i], ns, of request[i]: end - begin. */
void latency_simple(const struct time_span request[], size_t n,
                    uint64_t latency[]);

/* latency[i], ns, of request[i], which are sorted by begin: the larger of end -
 * begin and end - smoothed begin.  Smoothed: the requests that begin within
 * window / 2 ns before and after request i are taken as evenly spread.
 * window = UINT64_MAX: over the whole run.  O(n).  latency is not request. */
void latency_metered(const struct time_span request[], size_t n,
                     uint64_t window, uint64_t latency[]);

#endif
