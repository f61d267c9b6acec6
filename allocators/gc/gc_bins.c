/* gc_bins.c - size classes.
 *
 * Sizes are multiples of 16: every one up to 128, then eight to a doubling,
 * each stretched to the largest that gives a block as many objects; so at most
 * 1/8 is lost inside an object above 128 bytes, and less than one object at
 * the end of a block.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_heap.h"

enum { LINEAR_MAX = 128, STEPS = 8 };

void gc_bin_set(struct gc_bin *bin, size_t bytes, enum gc_block_kind kind,
                uint8_t layout)
{
    const uint32_t granules = (uint32_t)bytes / GRANULE;

    bin->bytes = (uint32_t)bytes;
    bin->reciprocal =
        ((UINT32_C(1) << RECIPROCAL_SHIFT) + granules - 1) / granules;
    bin->objects = BLOCK_BYTES / (uint32_t)bytes;
    bin->kind = (uint8_t)kind;
    bin->layout = layout;
    bin->by_word = kind == KIND_SCANNED ? (uint16_t)granules : 0;
    bin->to_sweep = NO_BLOCK;
}

/* The size that follows `bytes` when classes are wished for every 1/STEPS. */
static size_t next_wish(size_t bytes)
{
    size_t step = GRANULE;

    for (size_t top = LINEAR_MAX; top <= bytes; top *= 2)
        step = top / STEPS;
    return bytes + step;
}

static size_t stretched(size_t bytes)
{
    const size_t objects = BLOCK_BYTES / bytes;

    return BLOCK_BYTES / objects / GRANULE * GRANULE;
}

static void class_add(struct hy_gc *gc, size_t bytes)
{
    for (unsigned row = 0; row < ROWS; row++)
        gc_bin_set(&gc->bin[row * CLASSES_MAX + gc->classes], bytes,
                   (enum gc_block_kind)row, 0);
    gc->classes++;
}

void gc_bins_init(struct hy_gc *gc)
{
    size_t last = 0;

    for (size_t wish = GRANULE; wish <= SMALL_MAX; wish = next_wish(wish)) {
        const size_t bytes = wish < LINEAR_MAX ? wish : stretched(wish);

        if (bytes <= last)
            continue;
        for (size_t g = last / GRANULE; g < bytes / GRANULE; g++)
            gc->class_of[g + 1] = (uint8_t)gc->classes;
        class_add(gc, bytes);
        last = bytes;
    }
    gc->class_of[0] = 0;
    gc_bin_set(&gc->bin[BIN_EPHEMERON], 2 * GRANULE, KIND_EPHEMERON, 0);
    for (unsigned i = 0; i < BINS; i++)
        if (!gc->bin[i].bytes)
            gc->bin[i].to_sweep = NO_BLOCK;
}
