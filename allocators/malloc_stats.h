/* malloc_stats.h - what the library that serves malloc says of itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MALLOC_STATS_H
#define HEAPYARD_MALLOC_STATS_H

#include "allocator.h"

/* Ask whichever library serves malloc in this process.  For exact figures no
 * other thread may be alive that has used malloc: what a thread's cache holds
 * counts as in use until the thread ends.
 *
 * The calling thread's own cache is emptied first (jemalloc, mimalloc) or
 * does not count (gperftools).  glibc can do neither, so with it blocks that
 * the caller itself freed may still count: at most 7 of each small size.
 *
 * live_bytes  usable bytes, exact for the three named first; glibc counts
 *             whole chunks, that is 8 bytes more a block (16 if mapped on its
 *             own) and 2.2 KiB for each of its arenas; the thread sanitizer
 *             counts size classes
 * live_blocks mimalloc only, asked in the main thread; else SIZE_MAX
 * mapped_bytes SIZE_MAX for mimalloc
 *
 * Use differences: blocks of the C library itself (stdio, tables of threads)
 * are in all figures.
 *
 * Returns 0, or ENOTSUP if that library has no such interface (tbbmalloc). */
int malloc_stats_read(struct heap_report *report);

#endif
