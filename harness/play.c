/* play.c - the replay loop.
 *
 * Everything was decided by the compiler of the trace (trace.h), so the loop
 * only moves pointers between the allocator, the slots and the mailboxes.  It
 * reads no clock and has no branch on configuration: touch policies are
 * instances of one inlined function.  What waits is out of line.
 *
 * Invariant: a thread that waits, waits for operations that stand earlier in
 * the global order, so the thread that is furthest behind never waits and no
 * replay can deadlock.  (The place that a thread publishes may lag behind it
 * by TRACE_SYNC_SPACING, which only makes others more patient.)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "player.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ticks.h"

enum { PAGE_STEP = 4096, LINE_STEP = 64, SPINS = 16 };

/* What a mailbox holds when it carries no pointer: SIGNAL. */
static char token;

static inline uint64_t payload(const struct event *e)
{
    uint64_t word;

    memcpy(&word, e, sizeof word);
    return word;
}

/* ---- waiting: out of line, rare ---- */

static void pause_or_yield(unsigned turn)
{
    if (turn < SPINS)
        ticks_pause();
    else
        sched_yield();
}

__attribute__((noinline)) static void *await_mailbox(struct player *p,
                                                     uint64_t box)
{
    uint64_t start = ticks_now();
    void *q;

    for (unsigned turn = 0;
         !(q = atomic_load_explicit(&p->mailboxes[box], memory_order_acquire));
         turn += turn < SPINS)
        pause_or_yield(turn);
    p->wait_ticks += ticks_now() - start;
    return q;
}

static uint64_t furthest_behind(const struct player *p)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < p->threads; i++) {
        uint64_t place = atomic_load_explicit(&p->page->thread[i].place,
                                              memory_order_relaxed);
        if (i != p->thread && place < least)
            least = place;
    }
    return least;
}

static void await_others(struct player *p, uint64_t place)
{
    uint64_t start = 0;

    for (unsigned turn = 0;; turn += turn < SPINS) {
        uint64_t least = furthest_behind(p);

        p->horizon =
            least > UINT64_MAX - p->window ? UINT64_MAX : least + p->window;
        if (place <= p->horizon)
            break;
        if (!start)
            start = ticks_now();
        pause_or_yield(turn);
    }
    if (start)
        p->wait_ticks += ticks_now() - start;
}

/* The end of a slice, of a trace with one thread. */
static void end_slice(struct player *p, uint64_t place)
{
    unsigned n = atomic_load_explicit(&p->page->slices, memory_order_relaxed);

    p->horizon = place + p->slice_step - 1;
    if (n == SHARED_SLICES_MAX)
        return;
    p->page->slice[n] = ticks_now();
    atomic_store_explicit(&p->page->slices, n + 1, memory_order_release);
}

__attribute__((noinline)) static void look_around(struct player *p,
                                                  uint64_t place)
{
    if (p->slice_step)
        end_slice(p, place);
    else
        await_others(p, place);
}

/* ---- the loop ---- */

/* Whether what is freed or sent is also forgotten: a collector finds in the
 * tables what the replay holds.  Constant in each instance of the loop. */
enum keeping { LEAVE_BEHIND, FORGET };

static inline void *receive(struct player *p, uint64_t box,
                            enum keeping keeping)
{
    void *q = atomic_load_explicit(&p->mailboxes[box], memory_order_acquire);

    if (!q)
        q = await_mailbox(p, box);
    if (keeping == FORGET)
        atomic_store_explicit(&p->mailboxes[box], NULL, memory_order_relaxed);
    return q;
}

static inline void forget(void **slot, enum keeping keeping)
{
    if (keeping == FORGET)
        *slot = NULL;
}

static inline void send(struct player *p, uint64_t box, void *q)
{
    atomic_store_explicit(&p->mailboxes[box], q, memory_order_release);
}

static inline void publish(struct player *p, uint64_t place)
{
    atomic_store_explicit(&p->page->thread[p->thread].place, place,
                          memory_order_release);
    if (p->window && place > p->horizon)
        look_around(p, place);
}

static inline void *wide_alloc(struct player *p, const struct block_ops *ops,
                               const struct event *e)
{
    unsigned align_log2 = e->size & 0xff;

    return ops->alloc(p, payload(e + 1),
                      align_log2 ? (size_t)1 << align_log2 : 0,
                      (e->size & TRACE_WIDE_ZERO) != 0);
}

static inline void resize_slot(struct player *p, const struct block_ops *ops,
                               const struct event *e)
{
    void **slot = &p->slots[event_slot(*e)];

    *slot = ops->resize(p, *slot, payload(e + 1), payload(e + 2));
}

/* style: long.  One case an opcode, and splitting it would put calls into
 * the loop that is measured. */
__attribute__((always_inline)) static inline void
play(struct player *p, const struct block_ops *ops, enum keeping keeping)
{
    void **slots = p->slots;

    for (const struct event *e = p->first;; e++) {
        uint32_t slot = event_slot(*e);

        p->at = e;
        __builtin_prefetch(&slots[event_slot(e[TRACE_READ_AHEAD])], 1);
        /* The two that matter, by branches that are cheap to predict. */
        if (event_op(*e) == EV_ALLOC) {
            slots[slot] = ops->alloc(p, e->size, 0, 0);
            continue;
        }
        if (event_op(*e) == EV_FREE) {
            ops->dealloc(p, slots[slot], e->size);
            forget(&slots[slot], keeping);
            continue;
        }
        switch ((enum event_op)event_op(*e)) {
        case EV_ALLOC_SEND:
            send(p, slot, ops->alloc(p, e->size, 0, 0));
            break;
        case EV_RECV_FREE:
            ops->dealloc(p, receive(p, slot, keeping), e->size);
            break;
        case EV_ZALLOC:
            slots[slot] = ops->alloc(p, e->size, 0, 1);
            break;
        case EV_TOUCH:
            ops->touch(p, slots[slot], e->size);
            break;
        case EV_RESIZE:
            resize_slot(p, ops, e);
            e += 2;
            break;
        case EV_ALLOC_WIDE:
            slots[slot] = wide_alloc(p, ops, e);
            e++;
            break;
        case EV_FREE_WIDE:
            ops->dealloc(p, slots[slot], payload(++e));
            forget(&slots[slot], keeping);
            break;
        case EV_TOUCH_WIDE:
            ops->touch(p, slots[slot], payload(++e));
            break;
        case EV_SEND:
            send(p, payload(++e), slots[slot]);
            forget(&slots[slot], keeping);
            break;
        case EV_RECV:
            slots[slot] = receive(p, payload(++e), keeping);
            break;
        case EV_SIGNAL:
            send(p, slot, &token);
            break;
        case EV_AWAIT:
            receive(p, slot, keeping);
            break;
        case EV_SYNC:
            publish(p, payload(++e));
            break;
        case EV_MARK:
            if (p->mark)
                p->mark(p->meter, slot);
            break;
        case EV_END:
            atomic_store_explicit(&p->page->thread[p->thread].place, UINT64_MAX,
                                  memory_order_release);
            return;
        default: /* trace_map has refused any other */
            __builtin_unreachable();
        }
    }
}

void play_with(struct player *p, const struct block_ops *ops)
{
    p->horizon = 0;
    if (p->allocator->collection)
        play(p, ops, FORGET);
    else
        play(p, ops, LEAVE_BEHIND);
}

/* ---- the measured replayer ---- */

static inline void touch_steps(char *q, size_t size, size_t step)
{
    if (!size)
        return;
    for (size_t i = 0; i < size; i += step)
        *(volatile char *)(q + i) = 1;
    *(volatile char *)(q + size - 1) = 1;
}

static inline void touch_block(void *q, size_t size, enum touch touch)
{
    if (touch == TOUCH_BYTE && size)
        *(volatile char *)q = 1;
    else if (touch == TOUCH_PAGE)
        touch_steps(q, size, PAGE_STEP);
    else if (touch == TOUCH_LINE)
        touch_steps(q, size, LINE_STEP);
    else if (touch == TOUCH_FULL)
        memset(q, 1, size);
}

static inline void *fast_alloc(struct player *p, size_t size, size_t align,
                               int zero, enum touch touch)
{
    void *q = zero ? p->allocator->zalloc(p->heap, size)
                   : p->alloc(p->heap, size, align);

    if (__builtin_expect(!q, 0))
        player_fail(p, STATUS_NOMEM, "NULL for %zu bytes", size);
    touch_block(q, size, touch);
    return q;
}

static inline void fast_dealloc(struct player *p, void *q, size_t size)
{
    p->dealloc(p->heap, q, size);
}

static inline void *fast_resize(struct player *p, void *q, size_t old_size,
                                size_t new_size, enum touch touch)
{
    void *r = p->allocator->resize(p->heap, q, old_size, new_size);

    if (__builtin_expect(!r, 0))
        player_fail(p, STATUS_NOMEM, "NULL for a resize to %zu bytes",
                    new_size);
    if (new_size > old_size)
        touch_block((char *)r + old_size, new_size - old_size, touch);
    return r;
}

/* One instance of the loop a policy; the table is constant, so the compiler
 * inlines all of it. */
#define FAST_REPLAYER(name, policy)                                            \
    static void *name##_alloc(struct player *p, size_t size, size_t align,     \
                              int zero)                                        \
    {                                                                          \
        return fast_alloc(p, size, align, zero, policy);                       \
    }                                                                          \
    static void *name##_resize(struct player *p, void *q, size_t old_size,     \
                               size_t new_size)                                \
    {                                                                          \
        return fast_resize(p, q, old_size, new_size, policy);                  \
    }                                                                          \
    static void name##_touch(struct player *p, void *q, size_t size)           \
    {                                                                          \
        (void)p;                                                               \
        touch_block(q, size, policy);                                          \
    }                                                                          \
    static const struct block_ops name##_ops = {name##_alloc, fast_dealloc,    \
                                                name##_resize, name##_touch};  \
    static void name##_play(struct player *p)                                  \
    {                                                                          \
        play(p, &name##_ops, LEAVE_BEHIND);                                    \
    }                                                                          \
    static void name##_play_and_forget(struct player *p)                       \
    {                                                                          \
        play(p, &name##_ops, FORGET);                                          \
    }

FAST_REPLAYER(none, TOUCH_NONE)
FAST_REPLAYER(byte, TOUCH_BYTE)
FAST_REPLAYER(page, TOUCH_PAGE)
FAST_REPLAYER(line, TOUCH_LINE)
FAST_REPLAYER(full, TOUCH_FULL)

static const struct {
    const char *name;
    void (*play)(struct player *);
    void (*play_and_forget)(struct player *);
} policies[TOUCH_KINDS] = {
    [TOUCH_NONE] = {"none", none_play, none_play_and_forget},
    [TOUCH_BYTE] = {"byte", byte_play, byte_play_and_forget},
    [TOUCH_PAGE] = {"page", page_play, page_play_and_forget},
    [TOUCH_LINE] = {"line", line_play, line_play_and_forget},
    [TOUCH_FULL] = {"full", full_play, full_play_and_forget},
};

void play_fast(struct player *p, enum touch touch)
{
    p->alloc = p->allocator->alloc;
    p->dealloc = p->allocator->dealloc;
    p->horizon = 0;
    if (p->allocator->collection)
        policies[touch].play_and_forget(p);
    else
        policies[touch].play(p);
}

void touch_bytes(void *q, size_t size, enum touch touch)
{
    touch_block(q, size, touch);
}

const char *touch_name(enum touch touch)
{
    return policies[touch].name;
}

int touch_parse(const char *name, enum touch *out)
{
    for (unsigned i = 0; i < TOUCH_KINDS; i++)
        if (!strcmp(name, policies[i].name)) {
            *out = (enum touch)i;
            return 0;
        }
    return EINVAL;
}

_Noreturn void player_fail(const struct player *p, enum status status,
                           const char *format, ...)
{
    char what[160], line[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    int n =
        p->native
            ? snprintf(line, sizeof line, "!%s\tthread %u: %s\n",
                       status_name(status), p->thread, what)
            : snprintf(line, sizeof line, "!%s\tthread %u, record %td: %s\n",
                       status_name(status), p->thread, p->at - p->first, what);
    if (write(p->result_fd, line, (size_t)n) < 0)
        _exit(4);
    _exit(PLAYER_FAILED);
}

void player_check_zeroed(const struct player *p, const char *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (block[i])
            player_fail(p, STATUS_CORRUPT,
                        "byte %zu of a zeroed %zu-byte block is not 0", i,
                        size);
}
