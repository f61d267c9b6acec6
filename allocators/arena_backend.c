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
 * (So there is nothing for a knob of arena.h's retention to do here.)
 *
 * Invariant: an arena is used by the owner of its seat only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "allocator.h"
#include "arena.h"
#include "heap_walk.h"
#include "os_pages.h"

#include <errno.h>
#include <stdatomic.h>

static const char *const modes[] = {"chunks", "reserved", NULL};

enum { MODE_CHUNKS, MODE_RESERVED };
enum { KNOB_MODE, KNOB_MIN, KNOB_MAX, KNOB_RESERVE };

static const struct knob arena_knobs[] = {
    {"mode", "1", MODE_CHUNKS, MODE_CHUNKS, MODE_RESERVED,
     "how a thread's arena grows", modes},
    {"chunk_min", "bytes", HY_ARENA_CHUNK_MIN, 4096, 1 << 30,
     "of the first chunk, or committed at first", NULL},
    {"chunk_max", "bytes", HY_ARENA_CHUNK_MAX, 4096, 1 << 30,
     "that chunks, or steps of committing, double to; no less than chunk_min",
     NULL},
    {"reserve", "bytes", (double)((size_t)16 << 30), 1 << 20,
     (double)((size_t)1 << 40), "of a thread's range, with mode=reserved",
     NULL},
    {.name = NULL}};

enum {
    SEATS_MAX = 4096, /* threads at once */
    CACHE_LINE = 64
};

struct seat {
    _Alignas(CACHE_LINE) _Atomic uintptr_t owner; /* 0: free */
    struct hy_arena *arena;                       /* NULL until first owned */
};

struct heap {
    struct os_account account;
    struct hy_arena_config config; /* of all arenas */
    _Atomic unsigned used;         /* seats from there on were never owned */
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
static struct hy_arena *claim_arena(struct heap *heap)
{
    struct seat *const seat = claim_seat(heap);
    if (!seat)
        return NULL;
    if (!seat->arena && hy_arena_open(&heap->config, &seat->arena))
        return NULL;
    return seat->arena;
}

static inline struct hy_arena *my_arena(struct heap *heap)
{
    struct seat *const seat = find_seat(heap);
    return seat && seat->arena ? seat->arena : claim_arena(heap);
}

static int backend_open(const struct heap_config *config, struct heap **out)
{
    const bool is_reserved =
        heap_knob(config, arena_knobs, KNOB_MODE) == MODE_RESERVED;
    const size_t reserve = (size_t)heap_knob(config, arena_knobs, KNOB_RESERVE);
    const size_t min = (size_t)heap_knob(config, arena_knobs, KNOB_MIN);
    const size_t max = (size_t)heap_knob(config, arena_knobs, KNOB_MAX);

    if (config->threads > SEATS_MAX)
        return EINVAL;
    struct heap *heap = os_pages_map(NULL, sizeof *heap);
    if (!heap)
        return errno;
    heap->config = (struct hy_arena_config){
        .chunk_min = min,
        .chunk_max = max > min ? max : min,
        .reserve = is_reserved ? reserve : 0,
        .account = &heap->account,
    };
    *out = heap;
    return 0;
}

static void backend_close(struct heap *heap)
{
    const unsigned used = atomic_load(&heap->used);
    for (unsigned i = 0; i < used && i < SEATS_MAX; i++)
        hy_arena_close(heap->seat[i].arena);
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
    struct hy_arena *const arena = my_arena(heap);
    return arena ? hy_arena_alloc(arena, size, align < 16 ? 16 : align) : NULL;
}

static void *backend_zalloc(struct heap *heap, size_t size)
{
    struct hy_arena *const arena = my_arena(heap);
    return arena ? hy_arena_zalloc(arena, size, 0) : NULL;
}

static void backend_dealloc(struct heap *heap, void *p, size_t size)
{
    struct seat *const seat = find_seat(heap);
    if (seat && seat->arena)
        hy_arena_free(seat->arena, p, size, 0);
}

static void *backend_resize(struct heap *heap, void *p, size_t old_size,
                            size_t new_size)
{
    struct hy_arena *const arena = my_arena(heap);
    return arena ? hy_arena_resize(arena, p, old_size, new_size, 0) : NULL;
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
            hy_arena_walk(heap->seat[i].arena, visitor);
    return 0;
}

const struct allocator arena_allocator = {
    .name = "arena",
    .summary = "bump allocation, an arena a thread: freed memory comes back "
               "only at close",
    .traits = TRAIT_SHARED | TRAIT_FOREIGN,
    .knobs = arena_knobs,
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
