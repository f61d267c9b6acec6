/* arena.c - bump allocation with savepoints.
 *
 * Memory is a stack of chunks, each twice as large as the one below, up to a
 * cap.  Blocks are cut from the top chunk by moving `current`; when it is
 * full a new chunk goes on top, and what was left in the old one is lost.  A
 * block that would be a large share of the largest chunk gets a chunk of its
 * own, on a second stack, so that it costs neither the rest of the top chunk
 * nor the order that marks need.
 *
 * Zeroing: pages come zeroed, and `dirty` remembers how far the top chunk has
 * ever been handed out, so only memory below it must be cleared.
 *
 * Invariant: start of top <= current <= end = end of top;
 *            every byte of top at or beyond max(current, dirty) is zero;
 *            mapped = the arena itself + all chunks, own chunks and the spare.
 *            (arena_check() proves it.)
 *
 * Source: D. R. Hanson, "Fast allocation and deallocation of memory based on
 * object lifetimes", Software Practice and Experience 20(1), 1990.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arena.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Stands at the start of its own pages. */
struct chunk {
    _Alignas(ARENA_ALIGN) struct chunk *below;
    size_t bytes;  /* of the pages, with this header */
    char *current; /* as it was when another chunk went on top */
    char *dirty;   /* the same; in the spare, how far it was handed out */
};

struct arena {
    char *current;       /* the next block; NULL without chunks */
    char *end;           /* of the top chunk */
    char *dirty;         /* see above; only raised when current goes down */
    struct chunk *top;   /* stack of common chunks */
    struct chunk *own;   /* stack of chunks with one large block each */
    struct chunk *spare; /* an emptied common chunk, or NULL */
    size_t next_bytes;   /* of the next common chunk */
    size_t mapped;       /* bytes, by this arena */
    struct os_account *account;
};

static inline size_t round_size(size_t size)
{
    return (size + (size == 0) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

static char *chunk_start(struct chunk *chunk)
{
    return (char *)(chunk + 1);
}

static char *chunk_end(struct chunk *chunk)
{
    return (char *)chunk + chunk->bytes;
}

static struct chunk *chunk_map(struct arena *arena, size_t bytes)
{
    const size_t whole = os_pages_round(bytes);
    struct chunk *chunk = os_pages_map(arena->account, whole);
    if (!chunk)
        return NULL;
    chunk->bytes = whole;
    arena->mapped += whole;
    return chunk;
}

static void chunk_unmap(struct arena *arena, struct chunk *chunk)
{
    if (!chunk)
        return;
    arena->mapped -= chunk->bytes;
    (void)os_pages_unmap(arena->account, chunk, chunk->bytes);
}

int arena_open(struct os_account *account, struct arena **out)
{
    struct arena *arena = os_pages_map(account, sizeof *arena);
    if (!arena)
        return ENOMEM;
    arena->account = account;
    arena->next_bytes = ARENA_CHUNK_MIN;
    arena->mapped = os_pages_round(sizeof *arena);
    *out = arena;
    return 0;
}

void arena_close(struct arena *arena)
{
    if (!arena)
        return;
    arena_reset(arena);
    chunk_unmap(arena, arena->spare);
    (void)os_pages_unmap(arena->account, arena, sizeof *arena);
}

/* current is about to go down: what lies above it stays written. */
static void note_dirty(struct arena *arena)
{
    if (arena->dirty < arena->current)
        arena->dirty = arena->current;
}

/* Put a chunk with room for `need` bytes on top. */
static int push_chunk(struct arena *arena, size_t need)
{
    struct chunk *chunk = arena->spare;
    if (chunk && need <= chunk->bytes - sizeof *chunk) {
        arena->spare = NULL;
    } else {
        while (arena->next_bytes / ARENA_OWN_SHARE < need &&
               arena->next_bytes < ARENA_CHUNK_MAX)
            arena->next_bytes *= 2;
        chunk = chunk_map(arena, arena->next_bytes);
        if (!chunk)
            return ENOMEM;
        chunk->dirty = chunk_start(chunk);
        if (arena->next_bytes < ARENA_CHUNK_MAX)
            arena->next_bytes *= 2;
    }
    if (arena->top) {
        arena->top->current = arena->current;
        arena->top->dirty = arena->dirty;
    }
    chunk->below = arena->top;
    arena->top = chunk;
    arena->current = chunk_start(chunk);
    arena->end = chunk_end(chunk);
    arena->dirty = chunk->dirty;
    return 0;
}

/* Take the top chunk off; keep the larger of it and the spare. */
static void pop_chunk(struct arena *arena)
{
    struct chunk *chunk = arena->top;
    note_dirty(arena);
    chunk->dirty = arena->dirty;
    arena->top = chunk->below;
    arena->current = arena->top ? arena->top->current : NULL;
    arena->end = arena->top ? chunk_end(arena->top) : NULL;
    arena->dirty = arena->top ? arena->top->dirty : NULL;
    if (arena->spare && arena->spare->bytes >= chunk->bytes) {
        chunk_unmap(arena, chunk);
    } else {
        chunk_unmap(arena, arena->spare);
        arena->spare = chunk;
    }
}

static char *align_up(char *p, size_t align)
{
    return p + (-(uintptr_t)p & (align - 1));
}

static void *alloc_own(struct arena *arena, size_t need, size_t align)
{
    struct chunk *chunk = chunk_map(arena, sizeof *chunk + need);
    if (!chunk)
        return NULL;
    chunk->below = arena->own;
    arena->own = chunk;
    return align_up(chunk_start(chunk), align);
}

/* align is at least ARENA_ALIGN. */
static void *alloc_slow(struct arena *arena, size_t size, size_t align)
{
    const size_t limit =
        PTRDIFF_MAX - sizeof(struct chunk) - 2 * (size_t)ARENA_ALIGN;
    if (align > limit || size > limit - align) {
        errno = ENOMEM;
        return NULL;
    }
    const size_t need = round_size(size) + (align - ARENA_ALIGN);
    if (need > ARENA_CHUNK_MAX / ARENA_OWN_SHARE)
        return alloc_own(arena, need, align);
    if (push_chunk(arena, need))
        return NULL;
    char *const p = align_up(arena->current, align);
    arena->current = p + round_size(size);
    return p;
}

void *arena_alloc(struct arena *arena, size_t size, size_t align)
{
    if (align < ARENA_ALIGN)
        align = ARENA_ALIGN;
    const size_t room = (size_t)(arena->end - arena->current);
    const size_t pad = -(uintptr_t)arena->current & (align - 1);
    if (size > room || pad + round_size(size) > room)
        return alloc_slow(arena, size, align);
    char *const p = arena->current + pad;
    arena->current = p + round_size(size);
    return p;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    char *const p = arena_alloc(arena, size, ARENA_ALIGN);
    const bool in_top = p && p >= (char *)arena->top && p < arena->dirty;
    if (in_top) {
        const size_t dirty = (size_t)(arena->dirty - p);
        memset(p, 0, size < dirty ? size : dirty);
    }
    return p;
}

/* No block of another arena can end where our current stands: current is
 * beyond the header of our top chunk. */
static bool is_youngest(const struct arena *arena, const void *p, size_t size)
{
    return (uintptr_t)p + round_size(size) == (uintptr_t)arena->current;
}

void arena_free(struct arena *arena, void *p, size_t size)
{
    if (!p || !is_youngest(arena, p, size))
        return;
    note_dirty(arena);
    arena->current = p;
}

void *arena_resize(struct arena *arena, void *p, size_t old_size,
                   size_t new_size)
{
    if (is_youngest(arena, p, old_size) &&
        new_size <= (size_t)(arena->end - (char *)p)) {
        note_dirty(arena);
        arena->current = (char *)p + round_size(new_size);
        return p;
    }
    if (new_size <= PTRDIFF_MAX && round_size(new_size) <= round_size(old_size))
        return p;
    void *const copy = arena_alloc(arena, new_size, ARENA_ALIGN);
    if (copy)
        memcpy(copy, p, old_size);
    return copy;
}

struct arena_mark arena_save(const struct arena *arena)
{
    return (struct arena_mark){
        .chunk = arena->top,
        .own = arena->own,
        .current = arena->current,
    };
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    while (arena->own != mark.own) {
        struct chunk *const chunk = arena->own;
        arena->own = chunk->below;
        chunk_unmap(arena, chunk);
    }
    while (arena->top != mark.chunk)
        pop_chunk(arena);
    note_dirty(arena);
    arena->current = mark.current;
}

void arena_reset(struct arena *arena)
{
    arena_rewind(arena, (struct arena_mark){NULL, NULL, NULL});
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

void arena_walk(const struct arena *arena, const struct heap_visitor *visitor)
{
    const struct heap_span self = {.start = arena,
                                   .bytes = os_pages_round(sizeof *arena),
                                   .kind = SPAN_METADATA};

    visitor->span(visitor->arg, &self);
    for (struct chunk *c = arena->top; c; c = c->below)
        walk_chunk(c, c == arena->top ? arena->current : c->current, visitor);
    for (struct chunk *c = arena->own; c; c = c->below)
        walk_chunk(c, chunk_end(c), visitor);
    if (arena->spare) {
        const struct heap_span spare = {.start = arena->spare,
                                        .bytes = arena->spare->bytes,
                                        .kind = SPAN_FREE};
        visitor->span(visitor->arg, &spare);
    }
}

static bool is_zero(const char *p, const char *end)
{
    while (p < end && *p == 0)
        p++;
    return p == end;
}

static const char *check_top(const struct arena *arena)
{
    struct chunk *const top = arena->top;
    if (!top)
        return arena->current || arena->end || arena->dirty
                   ? "an arena without chunks points somewhere"
                   : NULL;
    if (arena->end != chunk_end(top))
        return "end is not the end of the top chunk";
    if (arena->current < chunk_start(top) || arena->current > arena->end)
        return "current is outside the top chunk";
    if ((uintptr_t)arena->current % ARENA_ALIGN)
        return "current is not aligned";
    if (arena->dirty < chunk_start(top) || arena->dirty > arena->end)
        return "dirty is outside the top chunk";
    if (!is_zero(arena->dirty > arena->current ? arena->dirty : arena->current,
                 arena->end))
        return "memory that counts as fresh is not zero";
    return NULL;
}

static size_t stack_bytes(const struct chunk *chunk)
{
    size_t bytes = 0;
    for (; chunk; chunk = chunk->below)
        bytes += chunk->bytes;
    return bytes;
}

const char *arena_check(const struct arena *arena)
{
    const size_t bytes = os_pages_round(sizeof *arena) +
                         stack_bytes(arena->top) + stack_bytes(arena->own) +
                         (arena->spare ? arena->spare->bytes : 0);
    if (bytes != arena->mapped)
        return "mapped is not the sum of the chunks";
    return check_top(arena);
}
