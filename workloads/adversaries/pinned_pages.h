/* pinned_pages.h - how many pages a random few of many blocks keep.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PINNED_PAGES_H
#define HEAPYARD_PINNED_PAGES_H

/* Blocks of uniform sizes min .. max (bytes, 1 or more) fill memory, and each
 * stays with a probability of `stays` (0 < stays <= 1), which nobody knows
 * beforehand.  Returns the bytes of 4 KiB pages that hold something of a block
 * that stayed over the bytes of those blocks: the least that can be expected,
 * by an allocator that moves nothing and merges no pages.
 *
 * It is reached when each page holds blocks of one size and no block lies on
 * two: the chance that a page is empty, (1 - stays)^blocks, is convex in what
 * the page is made of. */
double pinned_pages_ratio(double min, double max, double stays);

#endif
