/* arena.c - bump allocation with savepoints.
 *
 * Memory is a stack of chunks, each twice as large as the one below, up to a
 * cap.  Blocks are cut from the top chunk by moving `current`; when it is
 * full a new chunk goes on top, and what was left in the old one is lost.  A
 * block that would be a large share of the largest chunk gets a chunk of its
 * own, on a second stack, so that it costs neither the rest of the top chunk
 * nor the order that marks need.
 *
 * An arena with a reservation has one chunk instead, which grows in place:
 *
 *   range  | header | blocks ....... |  committed  |   only reserved ...    |
 *                                    ^ current     ^ end = of the chunk
 *
 * Zeroing: pages come zeroed, and `dirty` remembers how far the top chunk has
 * ever been handed out, so only memory below it must be cleared.
 *
 * Retention: winding back ends an epoch if it empties a chunk (or, in a range,
 * frees as much as the largest chunk).  `peak` is what the chunks took at most
 * in the epoch, and the high-water mark becomes keep = max(peak, retain % of
 * keep); what is idle beyond it is given back.  So a spike is forgotten step
 * by step, and a steady user never maps anything again.
 *
 * Invariant: start of top <= current <= end = end of top, at multiples of 8;
 *            every byte of top at or beyond max(current, dirty) is zero;
 *            mapped = the arena itself + all chunks, own chunks and spares;
 *            in_use = bytes of the chunks on the stack <= peak.
 *            (hy_arena_check() proves it.)
 *
 * Source: D. R. Hanson, "Fast allocation and deallocation of memory based on
 * object lifetimes", Software Practice and Experience 20(1), 1990.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arena.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "heap_walk.h"
#include "os_pages.h"

/* Stands at the start of its own pages. */
struct chunk {
    _Alignas(HY_ARENA_ALIGN) struct chunk *below;
    size_t bytes;  /* that may be touched, with this header */
    char *current; /* as it was when another chunk went on top */
    char *dirty;   /* the same; in a spare, how far it was handed out */
};

struct arena {
    struct hy_arena at;  /* NULL without chunks */
    char *dirty;         /* see above; only raised when current goes down */
    struct chunk *top;   /* stack of common chunks */
    struct chunk *own;   /* stack of chunks with one large block each */
    struct chunk *spare; /* emptied common chunks, first to be used first */
    char *range;         /* of a reservation, or NULL */
    size_t next_bytes;   /* of the next common chunk */
    size_t mapped;       /* bytes, by this arena */
    size_t in_use;       /* bytes of the common chunks on the stack */
    size_t peak;         /* of that, in this epoch */
    size_t keep;         /* bytes */
    struct hy_arena_config config;
};

static struct arena *whole_of(const struct hy_arena *arena)
{
    return (struct arena *)(void *)arena;
}

static char *chunk_start(struct chunk *chunk)
{
    return (char *)(chunk + 1);
}

static char *chunk_end(struct chunk *chunk)
{
    return (char *)chunk + chunk->bytes;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static struct chunk *chunk_map(struct arena *arena, size_t bytes)
{
    const size_t whole = os_pages_round(bytes);
    struct chunk *chunk = os_pages_map(arena->config.account, whole);

    if (!chunk)
        return NULL;
    chunk->bytes = whole;
    arena->mapped += whole;
    return chunk;
}

static void chunk_unmap(struct arena *arena, struct chunk *chunk)
{
    arena->mapped -= chunk->bytes;
    (void)os_pages_unmap(arena->config.account, chunk, chunk->bytes);
}

/* ---- open and close ---- */

/* The presets in place of zeros.  Returns 0 or EINVAL. */
static int complete_config(struct hy_arena_config *config)
{
    if (config->chunk_max == 0)
        config->chunk_max = larger(config->chunk_min, HY_ARENA_CHUNK_MAX);
    if (config->chunk_min == 0)
        config->chunk_min = smaller(config->chunk_max, HY_ARENA_CHUNK_MIN);
    if (config->retain == 0)
        config->retain = HY_ARENA_RETAIN;
    if (config->chunk_min > config->chunk_max || config->retain > 100 ||
        config->chunk_max > PTRDIFF_MAX / 4 || config->reserve > PTRDIFF_MAX)
        return EINVAL;
    config->chunk_min = os_pages_round(config->chunk_min);
    config->chunk_max = os_pages_round(config->chunk_max);
    config->reserve = os_pages_round(config->reserve);
    return 0;
}

int hy_arena_open(const struct hy_arena_config *wanted, struct hy_arena **out)
{
    struct hy_arena_config config = *wanted;
    char *range = NULL;

    if (complete_config(&config))
        return EINVAL;
    struct arena *const arena = os_pages_map(config.account, sizeof *arena);
    if (arena && config.reserve)
        range = os_pages_reserve(config.reserve, 0);
    if (!arena || (config.reserve && !range)) {
        (void)os_pages_unmap(config.account, arena, sizeof *arena);
        return ENOMEM;
    }
    arena->config = config;
    arena->range = range;
    arena->next_bytes = config.chunk_min;
    arena->mapped = os_pages_round(sizeof *arena);
    *out = &arena->at;
    return 0;
}

/* Nothing of it is looked at any more. */
static void free_list(struct arena *arena, struct chunk *chunk)
{
    for (struct chunk *below; chunk; chunk = below) {
        below = chunk->below;
        chunk_unmap(arena, chunk);
    }
}

void hy_arena_close(struct hy_arena *at)
{
    struct arena *const arena = whole_of(at);

    if (!arena)
        return;
    struct os_account *const account = arena->config.account;
    if (arena->range) {
        (void)os_pages_release(account, arena->range, arena->config.reserve,
                               arena->in_use);
    } else {
        free_list(arena, arena->top);
        free_list(arena, arena->own);
        free_list(arena, arena->spare);
    }
    (void)os_pages_unmap(account, arena, sizeof *arena);
}

/* ---- chunks ---- */

/* current is about to go down: what lies above it stays written. */
static void note_dirty(struct arena *arena)
{
    if (arena->dirty < arena->at.current)
        arena->dirty = arena->at.current;
}

static void note_peak(struct arena *arena)
{
    arena->peak = larger(arena->peak, arena->in_use);
}

/* The first spare with room for `need` bytes, off its list; or NULL. */
static struct chunk *take_spare(struct arena *arena, size_t need)
{
    for (struct chunk **link = &arena->spare; *link; link = &(*link)->below) {
        struct chunk *const chunk = *link;
        if (need <= chunk->bytes - sizeof *chunk) {
            *link = chunk->below;
            return chunk;
        }
    }
    return NULL;
}

static struct chunk *make_chunk(struct arena *arena, size_t need)
{
    const size_t max = arena->config.chunk_max;

    while (arena->next_bytes / HY_ARENA_OWN_SHARE < need &&
           arena->next_bytes < max)
        arena->next_bytes = smaller(2 * arena->next_bytes, max);
    struct chunk *const chunk = chunk_map(arena, arena->next_bytes);
    if (!chunk)
        return NULL;
    chunk->dirty = chunk_start(chunk);
    arena->next_bytes = smaller(2 * arena->next_bytes, max);
    return chunk;
}

static void put_on_top(struct arena *arena, struct chunk *chunk)
{
    if (arena->top) {
        arena->top->current = arena->at.current;
        arena->top->dirty = arena->dirty;
    }
    chunk->below = arena->top;
    arena->top = chunk;
    arena->at.current = chunk_start(chunk);
    arena->at.end = chunk_end(chunk);
    arena->dirty = chunk->dirty;
    arena->in_use += chunk->bytes;
    note_peak(arena);
}

/* Put a chunk with room for `need` bytes on top. */
static int push_chunk(struct arena *arena, size_t need)
{
    struct chunk *chunk = take_spare(arena, need);

    if (!chunk)
        chunk = make_chunk(arena, need);
    if (!chunk)
        return ENOMEM;
    put_on_top(arena, chunk);
    return 0;
}

/* Take the top chunk off; it becomes a spare. */
static void pop_chunk(struct arena *arena)
{
    struct chunk *const chunk = arena->top;

    note_dirty(arena);
    chunk->dirty = arena->dirty;
    arena->in_use -= chunk->bytes;
    arena->top = chunk->below;
    arena->at.current = arena->top ? arena->top->current : NULL;
    arena->at.end = arena->top ? chunk_end(arena->top) : NULL;
    arena->dirty = arena->top ? arena->top->dirty : NULL;
    chunk->below = arena->spare;
    arena->spare = chunk;
}

/* ---- the range ---- */

/* Have `need` bytes from current on. */
static int grow_range(struct arena *arena, size_t need)
{
    const size_t limit = arena->config.reserve;
    const size_t used = arena->top ? (size_t)(arena->at.current - arena->range)
                                   : sizeof(struct chunk);
    const size_t step = smaller(larger(arena->in_use, arena->config.chunk_min),
                                arena->config.chunk_max);

    if (need > limit - used)
        return ENOMEM;
    const size_t bytes = smaller(
        larger(os_pages_round(used + need), arena->in_use + step), limit);
    if (os_pages_commit(arena->config.account, arena->range + arena->in_use,
                        bytes - arena->in_use))
        return ENOMEM;
    arena->mapped += bytes - arena->in_use;
    if (!arena->top) {
        struct chunk *const chunk = (struct chunk *)(void *)arena->range;
        arena->top = chunk;
        arena->at.current = arena->dirty = chunk_start(chunk);
    }
    arena->in_use = arena->top->bytes = bytes;
    arena->at.end = arena->range + bytes;
    return 0;
}

/* Give back what is committed beyond keep, whole pages. */
static void shrink_range(struct arena *arena)
{
    const size_t used = (size_t)(arena->at.current - arena->range);
    const size_t want = os_pages_round(larger(used, arena->keep));

    if (want >= arena->in_use ||
        os_pages_decommit(arena->config.account, arena->range + want,
                          arena->in_use - want))
        return;
    arena->mapped -= arena->in_use - want;
    arena->in_use = arena->top->bytes = want;
    arena->at.end = arena->range + want;
    if (arena->dirty > arena->at.end)
        arena->dirty = arena->at.end;
}

/* ---- allocating ---- */

static char *align_up(char *p, size_t align)
{
    return p + (-(uintptr_t)p & (align - 1));
}

static void *alloc_own(struct arena *arena, size_t need, size_t align)
{
    struct chunk *const chunk = chunk_map(arena, sizeof *chunk + need);

    if (!chunk)
        return NULL;
    chunk->below = arena->own;
    arena->own = chunk;
    return align_up(chunk_start(chunk), align);
}

static void *fail(void)
{
    errno = ENOMEM;
    return NULL;
}

void *hy_arena_alloc_slow(struct hy_arena *at, size_t size, size_t align)
{
    struct arena *const arena = whole_of(at);
    const size_t limit =
        PTRDIFF_MAX - sizeof(struct chunk) - 2 * (size_t)HY_ARENA_ALIGN;

    if (align > limit || size > limit - align)
        return fail();
    /* A chunk starts at a multiple of HY_ARENA_ALIGN; current may not. */
    const size_t pad = arena->range             ? align
                       : align > HY_ARENA_ALIGN ? align - HY_ARENA_ALIGN
                                                : 0;
    const size_t need = hy_arena_round(size, align) + pad;
    const bool is_own =
        !arena->range && need > arena->config.chunk_max / HY_ARENA_OWN_SHARE;
    if (is_own)
        return alloc_own(arena, need, align);
    if (arena->range ? grow_range(arena, need) : push_chunk(arena, need))
        return fail();
    char *const p = align_up(at->current, align);
    at->current = p + hy_arena_round(size, align);
    return p;
}

void *hy_arena_zalloc(struct hy_arena *at, size_t size, size_t align)
{
    struct arena *const arena = whole_of(at);
    char *const p = hy_arena_alloc(at, size, align);
    const bool in_top = p && p >= (char *)arena->top && p < arena->dirty;

    if (in_top)
        memset(p, 0, smaller(size, (size_t)(arena->dirty - p)));
    return p;
}

/* No block of another arena can end where our current stands: current is
 * beyond the header of our top chunk. */
static bool is_youngest(const struct arena *arena, const void *p, size_t size,
                        size_t align)
{
    return (uintptr_t)p + hy_arena_round(size, align) ==
           (uintptr_t)arena->at.current;
}

void hy_arena_free(struct hy_arena *at, void *p, size_t size, size_t align)
{
    struct arena *const arena = whole_of(at);

    if (!p || !is_youngest(arena, p, size, align ? align : HY_ARENA_ALIGN))
        return;
    note_dirty(arena);
    at->current = p;
}

/* The youngest block p becomes as large, where it is.  In a range, memory for
 * it may be had. */
static bool resize_top(struct arena *arena, char *p, size_t size, size_t align)
{
    struct hy_arena *const at = &arena->at;
    const size_t whole = hy_arena_round(size, align);

    if (size > PTRDIFF_MAX)
        return false;
    if (whole > (size_t)(at->end - p) &&
        (!arena->range || grow_range(arena, whole - (size_t)(at->current - p))))
        return false;
    note_dirty(arena);
    at->current = p + whole;
    return true;
}

void *hy_arena_resize(struct hy_arena *at, void *p, size_t old_size,
                      size_t new_size, size_t align)
{
    struct arena *const arena = whole_of(at);
    const size_t to = align ? align : HY_ARENA_ALIGN;

    if (is_youngest(arena, p, old_size, to) &&
        resize_top(arena, p, new_size, to))
        return p;
    if (new_size <= PTRDIFF_MAX &&
        hy_arena_round(new_size, to) <= hy_arena_round(old_size, to))
        return p;
    void *const copy = hy_arena_alloc(at, new_size, to);
    if (copy)
        memcpy(copy, p, old_size);
    return copy;
}

/* ---- marks ---- */

struct hy_arena_mark hy_arena_save(const struct hy_arena *at)
{
    const struct arena *const arena = whole_of(at);

    return (struct hy_arena_mark){
        .chunk = arena->top,
        .own = arena->own,
        .current = at->current,
    };
}

/* Bytes times percent, without overflow. */
static size_t share(size_t bytes, unsigned percent)
{
    return bytes / 100 * percent + bytes % 100 * percent / 100;
}

static void end_epoch(struct arena *arena)
{
    arena->keep = larger(arena->peak, share(arena->keep, arena->config.retain));
    arena->peak = 0;
}

static void free_spares(struct arena *arena)
{
    struct chunk **link = &arena->spare;
    size_t bytes = arena->in_use;

    while (*link && bytes + (*link)->bytes <= arena->keep) {
        bytes += (*link)->bytes;
        link = &(*link)->below;
    }
    struct chunk *const rest = *link;
    *link = NULL;
    free_list(arena, rest);
}

static void rewind_chunks(struct arena *arena, struct hy_arena_mark mark)
{
    const bool is_epoch = arena->top != mark.chunk;

    while (arena->own != mark.own) {
        struct chunk *const chunk = arena->own;
        arena->own = chunk->below;
        chunk_unmap(arena, chunk);
    }
    while (arena->top != mark.chunk)
        pop_chunk(arena);
    note_dirty(arena);
    arena->at.current = mark.current;
    if (is_epoch) {
        end_epoch(arena);
        note_peak(arena);
        free_spares(arena);
    }
}

/* A mark of the empty arena stands for the start of the range. */
static void rewind_range(struct arena *arena, struct hy_arena_mark mark)
{
    char *const to = mark.current ? mark.current
                     : arena->top ? chunk_start(arena->top)
                                  : NULL;

    if (!to)
        return;
    const size_t freed = (size_t)(arena->at.current - to);
    arena->peak =
        larger(arena->peak, (size_t)(arena->at.current - arena->range));
    note_dirty(arena);
    arena->at.current = to;
    if (!mark.current || freed >= arena->config.chunk_max) {
        end_epoch(arena);
        shrink_range(arena);
    }
}

void hy_arena_rewind(struct hy_arena *at, struct hy_arena_mark mark)
{
    struct arena *const arena = whole_of(at);

    if (arena->range)
        rewind_range(arena, mark);
    else
        rewind_chunks(arena, mark);
}

void hy_arena_reset(struct hy_arena *at)
{
    hy_arena_rewind(at, (struct hy_arena_mark){NULL, NULL, NULL});
}

/* ---- what it holds ---- */

static size_t list_bytes(const struct chunk *chunk)
{
    size_t bytes = 0;

    for (; chunk; chunk = chunk->below)
        bytes += chunk->bytes;
    return bytes;
}

void hy_arena_measure(const struct hy_arena *at,
                      struct hy_arena_metrics *metrics)
{
    const struct arena *const arena = whole_of(at);

    *metrics = (struct hy_arena_metrics){
        .mapped_bytes = arena->mapped,
        .idle_bytes =
            list_bytes(arena->spare) + (size_t)(at->end - at->current),
        .keep_bytes = share(arena->keep, arena->config.retain),
    };
}

static void walk_chunk(struct chunk *chunk, char *current,
                       const struct heap_visitor *visitor)
{
    char *const start = chunk_start(chunk), *const end = chunk_end(chunk);
    const struct heap_span span = {
        .start = chunk, .bytes = chunk->bytes, .kind = SPAN_BLOCKS};
    const struct heap_block used = {start, (size_t)(current - start),
                                    BLOCK_LIVE};
    const struct heap_block rest = {current, (size_t)(end - current),
                                    BLOCK_FREE};

    visitor->span(visitor->arg, &span);
    if (used.bytes)
        visitor->block(visitor->arg, &used);
    if (rest.bytes)
        visitor->block(visitor->arg, &rest);
}

void hy_arena_walk(const struct hy_arena *at,
                   const struct heap_visitor *visitor)
{
    const struct arena *const arena = whole_of(at);
    const struct heap_span self = {.start = arena,
                                   .bytes = os_pages_round(sizeof *arena),
                                   .kind = SPAN_METADATA};

    visitor->span(visitor->arg, &self);
    for (struct chunk *c = arena->top; c; c = c->below)
        walk_chunk(c, c == arena->top ? at->current : c->current, visitor);
    for (struct chunk *c = arena->own; c; c = c->below)
        walk_chunk(c, chunk_end(c), visitor);
    for (struct chunk *c = arena->spare; c; c = c->below) {
        const struct heap_span spare = {
            .start = c, .bytes = c->bytes, .kind = SPAN_FREE};
        visitor->span(visitor->arg, &spare);
    }
}

/* ---- the invariant ---- */

static bool is_zero(const char *p, const char *end)
{
    while (p < end && *p == 0)
        p++;
    return p >= end;
}

static const char *check_top(const struct arena *arena)
{
    struct chunk *const top = arena->top;
    const struct hy_arena *const at = &arena->at;

    if (!top)
        return at->current || at->end || arena->dirty
                   ? "an arena without chunks points somewhere"
                   : NULL;
    if (at->end != chunk_end(top))
        return "end is not the end of the top chunk";
    if (at->current < chunk_start(top) || at->current > at->end)
        return "current is outside the top chunk";
    if ((uintptr_t)at->current % HY_ARENA_GRAIN)
        return "current is not aligned";
    if (arena->dirty < chunk_start(top) || arena->dirty > at->end)
        return "dirty is outside the top chunk";
    if (!is_zero(arena->dirty > at->current ? arena->dirty : at->current,
                 at->end))
        return "memory that counts as fresh is not zero";
    return NULL;
}

const char *hy_arena_check(const struct hy_arena *at)
{
    const struct arena *const arena = whole_of(at);
    const size_t in_use = list_bytes(arena->top);

    if (os_pages_round(sizeof *arena) + in_use + list_bytes(arena->own) +
            list_bytes(arena->spare) !=
        arena->mapped)
        return "mapped is not the sum of the chunks";
    if (in_use != arena->in_use)
        return "what is in use is miscounted";
    if (!arena->range && arena->in_use > arena->peak)
        return "more is in use than at the peak";
    for (struct chunk *c = arena->spare; c; c = c->below)
        if (!is_zero(c->dirty, chunk_end(c)))
            return "a spare is not zero where it counts as fresh";
    return check_top(arena);
}
