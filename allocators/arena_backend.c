/* arena_backend.c - the arena as a backend: one arena for each thread.
 *
 * A thread sits on a seat of the heap; a seat owns an arena.  The number of
 * the seat is kept in a thread-local variable, only as a hint: the seat knows
 * its owner, and a hint that does not fit (another heap, a heap that is gone)
 * is replaced.  A thread that leaves frees its seat, and the next one goes on
 * with the arena it finds there, so arenas are as many as threads at once.
 *
 * Freed memory is reused only if it is the youngest block of the freeing
 * thread; everything else comes back at close.  So the footprint is about the
 * sum of all that was ever allocated: the price of the fastest allocation.
 *
 * Invariant: an arena is used by the owner of its seat only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "allocator.h"
#include "arena.h"
#include "os_pages.h"

#include <errno.h>
#include <stdatomic.h>

enum {
    SEATS_MAX = 4096, /* threads at once */
    CACHE_LINE = 64
};

struct seat {
    _Alignas(CACHE_LINE) _Atomic uintptr_t owner; /* 0: free */
    struct arena *arena;                          /* NULL until first owned */
};

struct heap {
    struct os_account account;
    _Atomic unsigned used; /* seats from there on were never owned */
    struct seat seat[SEATS_MAX];
};

static _Thread_local unsigned my_seat; /* below SEATS_MAX */

/* Differs between all threads that are alive. */
static inline uintptr_t my_identity(void)
{
    return (uintptr_t)&my_seat;
}

static struct seat *find_seat(struct heap *heap)
{
    struct seat *const seat = &heap->seat[my_seat];
    return atomic_load_explicit(&seat->owner, memory_order_relaxed) ==
                   my_identity()
               ? seat
               : NULL;
}

/* Sit down on seat i if it is mine (of a thread that ended without leaving
 * and had my identity) or free. */
static struct seat *try_seat(struct heap *heap, unsigned i)
{
    struct seat *const seat = &heap->seat[i];
    uintptr_t owner = atomic_load(&seat->owner);
    if (owner == 0 &&
        atomic_compare_exchange_strong(&seat->owner, &owner, my_identity()))
        owner = my_identity();
    if (owner != my_identity())
        return NULL;
    my_seat = i;
    return seat;
}

static struct seat *claim_seat(struct heap *heap)
{
    const unsigned used = atomic_load(&heap->used);
    for (unsigned i = 0; i < used && i < SEATS_MAX; i++) {
        struct seat *seat = try_seat(heap, i);
        if (seat)
            return seat;
    }
    for (;;) {
        const unsigned i = atomic_fetch_add(&heap->used, 1);
        if (i >= SEATS_MAX) {
            atomic_fetch_sub(&heap->used, 1);
            return NULL;
        }
        struct seat *seat = try_seat(heap, i);
        if (seat)
            return seat;
    }
}

/* The caller's arena, or NULL: no memory, or too many threads. */
static struct arena *claim_arena(struct heap *heap)
{
    struct seat *const seat = claim_seat(heap);
    if (!seat)
        return NULL;
    if (!seat->arena && arena_open(&heap->account, &seat->arena))
        return NULL;
    return seat->arena;
}

static inline struct arena *my_arena(struct heap *heap)
{
    struct seat *const seat = find_seat(heap);
    return seat && seat->arena ? seat->arena : claim_arena(heap);
}

static int backend_open(const struct heap_config *config, struct heap **out)
{
    if (config->threads > SEATS_MAX)
        return EINVAL;
    struct heap *heap = os_pages_map(NULL, sizeof *heap);
    if (!heap)
        return errno;
    *out = heap;
    return 0;
}

static void backend_close(struct heap *heap)
{
    const unsigned used = atomic_load(&heap->used);
    for (unsigned i = 0; i < used && i < SEATS_MAX; i++)
        arena_close(heap->seat[i].arena);
    (void)os_pages_unmap(NULL, heap, sizeof *heap);
}

static int backend_enter(struct heap *heap)
{
    return my_arena(heap) ? 0 : ENOMEM;
}

static void backend_leave(struct heap *heap)
{
    struct seat *const seat = find_seat(heap);
    if (seat)
        atomic_store(&seat->owner, 0);
}

static void *backend_alloc(struct heap *heap, size_t size, size_t align)
{
    struct arena *const arena = my_arena(heap);
    return arena ? arena_alloc(arena, size, align) : NULL;
}

static void *backend_zalloc(struct heap *heap, size_t size)
{
    struct arena *const arena = my_arena(heap);
    return arena ? arena_zalloc(arena, size) : NULL;
}

static void backend_dealloc(struct heap *heap, void *p, size_t size)
{
    struct seat *const seat = find_seat(heap);
    if (seat && seat->arena)
        arena_free(seat->arena, p, size);
}

static void *backend_resize(struct heap *heap, void *p, size_t old_size,
                            size_t new_size)
{
    struct arena *const arena = my_arena(heap);
    return arena ? arena_resize(arena, p, old_size, new_size) : NULL;
}

/* What is live an arena does not know: it keeps no count of single blocks. */
static int backend_inspect(struct heap *heap, struct heap_report *report)
{
    *report = (struct heap_report){
        .live_bytes = SIZE_MAX,
        .live_blocks = SIZE_MAX,
        .mapped_bytes =
            atomic_load(&heap->account.mapped) + os_pages_round(sizeof *heap),
    };
    return 0;
}

static int backend_walk(struct heap *heap, const struct heap_visitor *visitor)
{
    const unsigned used = atomic_load(&heap->used);
    const struct heap_span seats = {.start = heap,
                                    .bytes = os_pages_round(sizeof *heap),
                                    .kind = SPAN_METADATA};

    visitor->span(visitor->arg, &seats);
    for (unsigned i = 0; i < used && i < SEATS_MAX; i++)
        if (heap->seat[i].arena)
            arena_walk(heap->seat[i].arena, visitor);
    return 0;
}

const struct allocator arena_allocator = {
    .name = "arena",
    .summary = "bump allocation, an arena a thread: freed memory comes back "
               "only at close",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .open = backend_open,
    .close = backend_close,
    .alloc = backend_alloc,
    .zalloc = backend_zalloc,
    .dealloc = backend_dealloc,
    .resize = backend_resize,
    .enter = backend_enter,
    .leave = backend_leave,
    .inspect = backend_inspect,
    .walk = backend_walk,
};
