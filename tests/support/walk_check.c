/* walk_check.c - is what a heap's walk shows as heap_walk.h says?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "walk_check.h"

#include <stdint.h>
#include <stdlib.h>

#include "heap_walk.h"

struct walk {
    struct heap_span *span; /* all so far */
    size_t n, room;
    const char *at; /* no block may start before */
    const char *fault;
    struct walk_totals total;
};

static void on_span(void *arg, const struct heap_span *span)
{
    struct walk *walk = arg;
    if (walk->n == walk->room) {
        walk->room = walk->room * 2 + 64;
        walk->span = realloc(walk->span, walk->room * sizeof *span);
        if (!walk->span)
            abort();
    }
    walk->span[walk->n++] = *span;
    walk->at = span->start;
    walk->total.span_bytes += span->bytes;
    if (span->kind == SPAN_METADATA)
        walk->total.metadata_bytes += span->bytes;
    if (!span->start || span->bytes == 0)
        walk->fault = "a span is empty";
}

static void on_block(void *arg, const struct heap_block *block)
{
    struct walk *walk = arg;
    const struct heap_span *span = walk->n ? &walk->span[walk->n - 1] : NULL;
    const char *start = block->start;
    if (!span || span->kind != SPAN_BLOCKS)
        walk->fault = "a block is in no span of blocks";
    else if (start < walk->at)
        walk->fault = "a block overlaps the one before, or its span's start";
    else if (start + block->bytes > (const char *)span->start + span->bytes)
        walk->fault = "a block ends beyond its span";
    else if (span->block_bytes && block->bytes != span->block_bytes)
        walk->fault = "a block has not its span's size";
    walk->at = start + block->bytes;
    switch (block->state) {
    case BLOCK_LIVE:
        walk->total.live_bytes += block->bytes;
        walk->total.live_blocks++;
        break;
    case BLOCK_FREE:
        walk->total.free_blocks++;
        break;
    case BLOCK_CACHED:
        walk->total.cached_blocks++;
        break;
    default:
        walk->fault = "a block has no known state";
    }
}

static int by_start(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t)((const struct heap_span *)a)->start;
    const uintptr_t y = (uintptr_t)((const struct heap_span *)b)->start;
    return (x > y) - (x < y);
}

static const char *compare(struct walk *walk, const struct heap_report *said)
{
    qsort(walk->span, walk->n, sizeof *walk->span, by_start);
    for (size_t i = 1; i < walk->n; i++)
        if ((const char *)walk->span[i - 1].start + walk->span[i - 1].bytes >
            (const char *)walk->span[i].start)
            return "two spans overlap";
    if (said->mapped_bytes != walk->total.span_bytes)
        return "the spans are not what is mapped";
    if (said->live_blocks != SIZE_MAX &&
        said->live_blocks != walk->total.live_blocks)
        return "the live blocks are not those of inspect";
    if (said->live_bytes != SIZE_MAX &&
        said->live_bytes != walk->total.live_bytes)
        return "the live bytes are not those of inspect";
    return NULL;
}

const char *walk_check(const struct allocator *allocator, struct heap *heap,
                       struct walk_totals *out)
{
    struct walk walk = {0};
    struct heap_report report;
    const struct heap_visitor visitor = {
        .arg = &walk, .span = on_span, .block = on_block};
    if (allocator->inspect(heap, &report))
        return "inspect failed";
    if (allocator->walk(heap, &visitor))
        return "walk failed";
    const char *fault = walk.fault ? walk.fault : compare(&walk, &report);
    free(walk.span);
    *out = walk.total;
    return fault;
}
