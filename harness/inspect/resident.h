/* resident.h - which pages of this process are in memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_RESIDENT_H
#define HEAPYARD_RESIDENT_H

#include <stddef.h>
#include <stdint.h>

struct page_run {
    uint64_t start, end; /* addresses, of whole pages */
};

/* Call take(arg, run) for each run of pages in memory of each private,
 * writable, anonymous mapping of less than 1 TiB but the main thread's stack,
 * upwards.  Runs of
 * neighbouring mappings are not joined.  Uses about 28 KiB of stack and no
 * other memory, so it changes nothing that it looks at.
 *
 * Exact for pages that were written; a page that was only read counts too.
 * Returns 0, or the errno of /proc/self/maps or of mincore.
 * O(mapped pages): about 2 ms a GiB. */
int resident_visit(void (*take)(void *arg, struct page_run), void *arg);

/* Call take for what is left of `run` without without[n], which is sorted.
 * *from: 0 at first; runs must come upwards. */
void resident_subtract(struct page_run run, const struct page_run without[],
                       size_t n, size_t *from,
                       void (*take)(void *arg, struct page_run), void *arg);

#endif
