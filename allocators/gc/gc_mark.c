/* gc_mark.c - finding all that is reached: parallel, conservative marking.
 *
 * A marker has a stack of words that may be pointers.  A word passes a short
 * queue before it is looked at, and its object and its mark are prefetched
 * when it enters, so that the memory is there when it leaves.  The words of an
 * object go to the stack from the last to the first: the first child comes off
 * first, which is the order in which most programs allocate.
 *
 * Long objects are scanned a part at a time; what is left of one, as a range,
 * waits on a stack of its own until there are no words.
 *
 * The collecting thread is marker 0.  The others sleep between collections, and
 * are called when it has marked for a while: what is little is done sooner
 * alone, and by then the processors of stopped threads are idle, so that a
 * helper wakes on one of these and not behind marker 0.
 * When one has nothing to do it says so, and the next that is busy and has
 * words to spare gives the lower half of its stack: the oldest, which lead to
 * the most.  Two markers may mark the same object, which costs its scan twice
 * and nothing else; so marks are plain stores.
 *
 * A full stack drops words and remembers that; then all marked objects are
 * scanned again until nothing was dropped.
 *
 * Source: R. Jones, A. Hosking & E. Moss, The Garbage Collection Handbook
 * (2nd ed. 2023), ch. 2 and 14; C.-Y. Cher, A. Hosking & T. N. Vijaykumar,
 * "Software prefetching for mark-sweep garbage collection", ASPLOS 2004.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* syscall */

#include "gc_heap.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "gc_futex.h"

enum {
    QUEUE = 32,            /* words between prefetch and use; power of two */
    PART_WORDS = 256,      /* of a long object at a time */
    STACK_BYTES = 1 << 26, /* of address space a marker */
    STACK_WORDS = STACK_BYTES / sizeof(uintptr_t),
    STACK_LIMIT = STACK_WORDS - QUEUE * (SMALL_MAX / sizeof(uintptr_t)),
    ROOTS_MOST = STACK_WORDS / 4, /* on a stack before it is worked off */
    STACK_KEPT = 1 << 20,         /* bytes in memory between collections */
    RANGES = STACK_BYTES / sizeof(struct gc_range),
    POOL_WORDS = 4096, /* given away and not taken yet */
    GIVE_LEAST = 4,    /* words on a stack that is asked to give */
    HELP_BLOCKS = 32,  /* helpers start when so many are in use */
    CALL_ROUNDS = 128, /* of QUEUE words, before helpers are called */
    SPIN = 200
};

struct marker {
    _Alignas(128) uintptr_t *stack;
    size_t bottom, top; /* words; live: [bottom, top) */
    struct gc_range *range;
    size_t ranges;
    struct gc_tally tally;
    bool has_dropped;
    unsigned until_call; /* rounds, of marker 0; 0: helpers are called, or are
                            not wanted */
    struct hy_gc *gc;
    pthread_t thread;
    bool is_running;
};

/* Called with every object that is marked. */
struct teller {
    void (*tell)(void *object, void *arg);
    void *arg;
};

struct gc_markers {
    unsigned n;                 /* that there are, with marker 0 */
    bool is_helped;             /* this collection */
    _Atomic uint32_t work_word; /* changes when helpers are wanted; odd: end */
    /* Changed under pool_lock, read anywhere. */
    _Alignas(64) _Atomic uint32_t idle;     /* markers without work */
    _Atomic uint32_t is_over;               /* all are */
    _Atomic uint32_t pooled;                /* words in pool */
    _Alignas(64) pthread_mutex_t pool_lock; /* of all below */
    bool is_open;                           /* helpers may still come in */
    unsigned arrived;                       /* markers, with marker 0 */
    _Atomic uint32_t left; /* helpers that came and are through */
    uintptr_t pool[POOL_WORDS];
    const struct teller *teller;
    struct marker marker[HY_GC_MARKERS_MAX];
};

/* ---- the stack ---- */

static inline void push(struct marker *m, uintptr_t word)
{
    m->stack[m->top++] = word;
}

/* Room for `words`, or they are dropped. */
static bool has_room(struct marker *m, size_t words)
{
    if (__builtin_expect(m->top + words <= STACK_WORDS, 1))
        return true;
    m->has_dropped = true;
    return false;
}

static bool push_range(struct marker *m, uintptr_t begin, uintptr_t end)
{
    if (m->ranges == RANGES)
        return false;
    m->range[m->ranges++] = (struct gc_range){begin, end};
    return true;
}

/* ---- scanning ---- */

static void pin(const struct hy_gc *gc, uintptr_t word)
{
    size_t b = (word - gc->base) >> BLOCK_SHIFT;

    if (gc->sparse[b] && !gc->pinned[b])
        gc->pinned[b] = 1;
}

/* Push what may be a pointer. */
static inline void push_word(struct marker *m, const struct hy_gc *gc,
                             uintptr_t word, bool is_compacting)
{
    if (!gc_contains(gc, (const void *)word))
        return;
    if (is_compacting)
        pin(gc, word);
    push(m, word);
}

static inline void push_words(struct marker *m, const uintptr_t *words,
                              size_t n, bool is_compacting)
{
    const struct hy_gc *gc = m->gc;

    for (size_t i = n; i-- > 0;)
        push_word(m, gc, words[i], is_compacting);
}

static void scan_part(struct marker *m, uintptr_t begin, uintptr_t end,
                      bool is_compacting)
{
    size_t words = (end - begin) / sizeof(uintptr_t);

    if (!has_room(m, PART_WORDS))
        return;
    if (words > PART_WORDS) {
        words = PART_WORDS;
        if (!push_range(m, begin + words * sizeof(uintptr_t), end))
            m->has_dropped = true;
    }
    push_words(m, (const uintptr_t *)begin, words, is_compacting);
}

static void scan_layout(struct marker *m, const struct hy_gc *gc,
                        const uintptr_t *words, const struct gc_layout *l)
{
    uint64_t left = l->pointers;

    if (!has_room(m, 64))
        return;
    while (left) {
        const int i = 63 - __builtin_clzll(left);

        left &= ~(UINT64_C(1) << i);
        if (gc_contains(gc, (const void *)words[i]))
            push(m, words[i]);
    }
}

/* ---- one object ---- */

/* What the loop reads all the time, by value: a store of a mark may alias
 * anything that is not a local. */
struct view {
    uintptr_t base;
    size_t extent;
    const struct gc_block *block;
    uint8_t *mark;
    uint8_t epoch;
    bool is_compacting;
};

static struct view view_of(const struct hy_gc *gc, bool is_compacting)
{
    return (struct view){gc->base, gc->extent, gc->block,
                         gc->mark, gc->epoch,  is_compacting};
}

/* What a marker's loop counts, and its stack's top. */
struct hot {
    uintptr_t *top;
    const uintptr_t *bottom; /* of the stack */
    uint64_t objects, granules;
};

/* An object that is to be marked, in the queue. */
struct found {
    uint8_t *mark;
    uintptr_t start;
    struct gc_block info;
};

static void visit_large(struct marker *m, uintptr_t word, bool is_compacting,
                        const struct teller *teller)
{
    struct hy_gc *gc = m->gc;
    struct gc_object o;

    if (!gc_find(gc, (void *)word, &o) || gc_mark_is_live(gc, *o.mark))
        return;
    *o.mark = gc->epoch;
    m->tally.objects++;
    m->tally.bytes += o.bytes;
    if (teller)
        teller->tell(o.start, teller->arg);
    if (!gc_kind_is_leaf(o.info.kind))
        scan_part(m, (uintptr_t)o.start, (uintptr_t)o.start + o.bytes,
                  is_compacting);
}

/* Calls of what works on the marker itself, around which the top of its stack
 * is put back. */
#define WITH_MARKER(call)                                                      \
    do {                                                                       \
        m->top = (size_t)(h->top - m->stack);                                  \
        call;                                                                  \
        h->top = m->stack + m->top;                                            \
        h->bottom = m->stack + m->bottom;                                      \
    } while (0)

__attribute__((always_inline)) static inline uintptr_t *
push_if_in(const struct hy_gc *gc, const struct view *v, uintptr_t *top,
           uintptr_t word)
{
    if (word - v->base >= v->extent)
        return top;
    if (v->is_compacting)
        pin(gc, word);
    *top = word;
    return top + 1;
}

/* The words that point into the heap go to the stack: by a branch, since what
 * comes next off it must not wait for the words to arrive. */
__attribute__((always_inline)) static inline void
push_object(const struct hy_gc *gc, const struct view *v, struct hot *h,
            uintptr_t start, uintptr_t bytes)
{
    uintptr_t *top = h->top;
    const uintptr_t *words = (const uintptr_t *)(start + bytes);

    do { /* a granule is two words */
        words -= 2;
        top = push_if_in(gc, v, top, words[1]);
        top = push_if_in(gc, v, top, words[0]);
    } while ((uintptr_t)words != start);
    h->top = top;
}

/* The fields of a layout that point to objects. */
__attribute__((always_inline)) static inline void
push_fields(const struct hy_gc *gc, const struct view *v, struct hot *h,
            uintptr_t start)
{
    const struct gc_layout l =
        *gc_layout_of(gc, gc_block_of(gc, (const void *)start));
    const uintptr_t *words = (const uintptr_t *)start;
    uintptr_t *top = h->top;

    for (size_t i = l.leading; i-- > 0;)
        if (words[i] - v->base < v->extent)
            *top++ = words[i];
    for (uint64_t left = l.leading ? 0 : l.pointers; left;) {
        const int i = 63 - __builtin_clzll(left);

        left ^= UINT64_C(1) << i;
        if (words[i] - v->base < v->extent)
            *top++ = words[i];
    }
    h->top = top;
}

__attribute__((always_inline)) static inline void
count_object(struct hot *h, const struct found *o)
{
    h->objects++;
    h->granules += o->info.granules;
}

/* Any object but one of the kind that is scanned word by word. */
__attribute__((always_inline)) static inline void
visit_other(struct marker *m, const struct view *v, struct hot *h,
            const struct found *o)
{
    if (o->info.kind == KIND_UNCOLLECTABLE)
        return; /* a root itself */
    *o->mark = v->epoch;
    count_object(h, o);
    if (o->info.kind == KIND_LAYOUT)
        push_fields(m->gc, v, h, o->start);
}

/* Mark the object if it is not, and push what it holds. */
__attribute__((always_inline)) static inline void
visit(struct marker *m, const struct view *v, struct hot *h,
      const struct found *o, const struct teller *teller)
{
    if (*o->mark == v->epoch)
        return;
    if (__builtin_expect(v->is_compacting ? o->info.kind == KIND_SCANNED
                                          : o->info.by_word,
                         1)) {
        *o->mark = v->epoch;
        count_object(h, o);
        push_object(m->gc, v, h, o->start,
                    (uintptr_t)o->info.by_word * GRANULE);
    } else {
        visit_other(m, v, h, o);
    }
    if (teller && *o->mark == v->epoch) /* it is no root itself */
        WITH_MARKER(teller->tell((void *)o->start, teller->arg));
}

/* ---- sharing ---- */

enum { WORK_END = 1, WORK_STEP = 2 }; /* of work_word */

/* Word by word, through a general register: memcpy would leave these words in
 * vector registers that little else overwrites (AVX-512's), and the next
 * collection would find them there, in the frame of the signal that stops the
 * thread. */
static void copy_words(uintptr_t *to, const uintptr_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uintptr_t word = from[i];

        __asm__ volatile("" : "+r"(word));
        to[i] = word;
    }
}

/* Give the lower half away. */
static void give(struct gc_markers *all, struct marker *m)
{
    size_t n = (m->top - m->bottom) / 2;

    if (n > POOL_WORDS)
        n = POOL_WORDS;
    pthread_mutex_lock(&all->pool_lock);
    if (!atomic_load(&all->pooled)) {
        copy_words(all->pool, m->stack + m->bottom, n);
        m->bottom += n;
        atomic_store(&all->pooled, (uint32_t)n);
    }
    pthread_mutex_unlock(&all->pool_lock);
}

static void look_for_idle(struct gc_markers *all, struct marker *m)
{
    if (atomic_load_explicit(&all->idle, memory_order_relaxed) &&
        !atomic_load_explicit(&all->pooled, memory_order_relaxed) &&
        m->top - m->bottom >= GIVE_LEAST)
        give(all, m);
}

static void call_helpers(struct gc_markers *all)
{
    pthread_mutex_lock(&all->pool_lock);
    all->is_open = true;
    atomic_fetch_add(&all->work_word, WORK_STEP);
    pthread_mutex_unlock(&all->pool_lock);
    gc_futex_wake_all(&all->work_word);
}

/* Once a round. */
static void share(struct gc_markers *all, struct marker *m)
{
    if (m->until_call && !--m->until_call)
        call_helpers(all);
    look_for_idle(all, m);
}

/* Take what was given, or find that all are idle, and so that nobody will give
 * any more: only one that is not idle does. */
static bool take(struct gc_markers *all, struct marker *m)
{
    pthread_mutex_lock(&all->pool_lock);
    const uint32_t n = atomic_load(&all->pooled);

    if (n) {
        m->bottom = 0;
        m->top = n;
        copy_words(m->stack, all->pool, n);
        atomic_store(&all->pooled, 0);
        atomic_fetch_sub(&all->idle, 1);
    } else if (atomic_load(&all->idle) == all->arrived) {
        atomic_store(&all->is_over, 1);
    }
    pthread_mutex_unlock(&all->pool_lock);
    return n > 0;
}

static void become_idle(struct gc_markers *all)
{
    pthread_mutex_lock(&all->pool_lock);
    atomic_fetch_add(&all->idle, 1);
    pthread_mutex_unlock(&all->pool_lock);
}

/* Wait for work; false: marking is over. */
static bool await_work(struct gc_markers *all, struct marker *m)
{
    become_idle(all);
    for (unsigned turn = 0; !atomic_load(&all->is_over); turn++) {
        if (turn % 8 == 0 && take(all, m))
            return true;
        if (turn < SPIN)
            gc_pause();
        else
            sched_yield();
    }
    return false;
}

/* ---- the loop ---- */

/* The object that the word points into, prefetched with its mark; false: it is
 * none, or large and already dealt with. */
__attribute__((always_inline)) static inline bool
look_up(struct marker *m, const struct view *v, struct hot *h, uintptr_t word,
        const struct teller *teller, struct found *out)
{
    const uintptr_t offset = word - v->base;
    const size_t b = offset >> BLOCK_SHIFT;
    const struct gc_block info = v->block[b];
    const uint64_t i = gc_index(info, offset);
    const uint64_t granule = i * info.granules;

    /* The rest at a block's end, or NO_GRANULES. */
    if (__builtin_expect(granule + info.granules > MARKS_A_BLOCK, 0)) {
        if (info.kind >= KIND_SMALL_END)
            WITH_MARKER(visit_large(m, word, v->is_compacting, teller));
        return false;
    }
    *out = (struct found){
        .mark = v->mark + b * MARKS_A_BLOCK + i,
        .start = (word & ~(uintptr_t)BLOCK_MASK) + granule * GRANULE,
        .info = info,
    };
    __builtin_prefetch((const void *)word);
    __builtin_prefetch(out->mark, 1);
    return true;
}

/* Between rounds: so much on the stack that the next one might not have room
 * is dropped by half; the lower part may have been given away. */
static void check_stack(struct marker *m)
{
    if (m->top > STACK_LIMIT) {
        m->has_dropped = true;
        m->top = m->bottom + (m->top - m->bottom) / 2;
    }
    if (m->top == m->bottom)
        m->top = m->bottom = 0;
}

/* Work until stack and queue are empty, in rounds through the queue.  What is
 * found goes in, and is visited when its turn comes again: by then it is in
 * the cache. */
__attribute__((always_inline)) static inline void
drain_words(struct marker *m, const struct view *v, struct hot *h,
            bool is_alone, const struct teller *teller)
{
    uint8_t set = v->epoch;
    struct found queue[QUEUE];
    bool any = true;

    for (unsigned i = 0; i < QUEUE; i++)
        queue[i].mark = &set;
    while (any) {
        any = false;
        for (unsigned i = 0; i < QUEUE; i++) {
            struct found *place = &queue[i];

            visit(m, v, h, place, teller);
            place->mark = &set;
            if (h->top == h->bottom)
                continue;
            any = true;
            look_up(m, v, h, *--h->top, teller, place);
        }
        if (!is_alone)
            WITH_MARKER(share(m->gc->markers, m));
        WITH_MARKER(check_stack(m));
    }
}

/* The words first, so that few are on the stack; then a part of a range. */
__attribute__((always_inline)) static inline void
drain(struct marker *m, bool is_compacting, bool is_alone,
      const struct teller *teller)
{
    const struct view view = view_of(m->gc, is_compacting);
    struct hot hot = {.top = m->stack + m->top, .bottom = m->stack + m->bottom},
               *h = &hot;

    for (;;) {
        drain_words(m, &view, h, is_alone, teller);
        if (!m->ranges)
            break;
        const struct gc_range part = m->range[--m->ranges];

        WITH_MARKER(scan_part(m, part.begin, part.end, is_compacting));
    }
    m->tally.objects += h->objects;
    m->tally.bytes += h->granules * GRANULE;
}

static void drain_plain(struct marker *m)
{
    drain(m, false, true, NULL);
}

static void drain_compacting(struct marker *m)
{
    drain(m, true, true, NULL);
}

static void drain_helped(struct marker *m)
{
    do
        drain(m, false, false, NULL);
    while (await_work(m->gc->markers, m));
}

static void drain_helped_compacting(struct marker *m)
{
    do
        drain(m, true, false, NULL);
    while (await_work(m->gc->markers, m));
}

static void drain_with_others(struct marker *m)
{
    if (m->gc->is_compacting)
        drain_helped_compacting(m);
    else
        drain_helped(m);
}

static void drain_alone(struct marker *m)
{
    const struct teller *teller = m->gc->markers->teller;

    if (teller)
        drain(m, m->gc->is_compacting, true, teller);
    else if (m->gc->is_compacting)
        drain_compacting(m);
    else
        drain_plain(m);
}

/* ---- helpers ---- */

/* One that wakes too late does not come in, so nobody waits for it.  *seen is
 * the call that the door is open for, so that one that is late for a call
 * before does not come in twice. */
static bool come_in(struct gc_markers *all, uint32_t *seen)
{
    pthread_mutex_lock(&all->pool_lock);
    const bool is_open = all->is_open;

    *seen = atomic_load(&all->work_word) & ~(uint32_t)WORK_END;
    all->arrived += is_open;
    pthread_mutex_unlock(&all->pool_lock);
    return is_open;
}

static void *helper_main(void *arg)
{
    struct marker *m = arg;
    struct gc_markers *all = m->gc->markers;
    uint32_t seen = 0;

    for (;;) {
        uint32_t now = atomic_load(&all->work_word);

        if (now & WORK_END)
            return NULL;
        if (now == seen) {
            gc_futex_wait(&all->work_word, seen);
            continue;
        }
        if (come_in(all, &seen)) {
            drain_with_others(m);
            atomic_fetch_add(&all->left, 1);
        }
    }
}

/* Helpers take no signals: they are nobody the program knows. */
static int start_helper(struct marker *m)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int err = pthread_create(&m->thread, NULL, helper_main, m);

    pthread_sigmask(SIG_SETMASK, &before, NULL);
    m->is_running = !err;
    return err;
}

static int marker_open(struct hy_gc *gc, struct marker *m)
{
    m->gc = gc;
    m->stack = os_pages_map(NULL, STACK_BYTES);
    m->range = os_pages_map(NULL, STACK_BYTES);
    return m->stack && m->range ? 0 : ENOMEM;
}

int gc_markers_open(struct hy_gc *gc)
{
    struct gc_markers *all = os_pages_map(NULL, sizeof *all);
    const unsigned wanted = gc->config.markers;

    if (!all)
        return ENOMEM;
    gc->markers = all;
    pthread_mutex_init(&all->pool_lock, NULL);
    int err = marker_open(gc, &all->marker[0]);

    if (err)
        return err;
    for (all->n = 1; all->n < wanted; all->n++)
        if (marker_open(gc, &all->marker[all->n]))
            break; /* fewer, then */
    return 0;
}

void gc_markers_start(struct hy_gc *gc)
{
    struct gc_markers *all = gc->markers;

    if (gc->used_blocks < HELP_BLOCKS)
        return;
    for (unsigned i = 1; i < all->n; i++)
        if (!all->marker[i].is_running && start_helper(&all->marker[i]))
            all->n = i;
}

void gc_markers_close(struct hy_gc *gc)
{
    struct gc_markers *all = gc->markers;

    if (!all)
        return;
    atomic_fetch_or(&all->work_word, WORK_END);
    gc_futex_wake_all(&all->work_word);
    for (unsigned i = 0; i < HY_GC_MARKERS_MAX; i++) {
        if (all->marker[i].is_running)
            pthread_join(all->marker[i].thread, NULL);
        if (all->marker[i].stack)
            os_pages_unmap(NULL, all->marker[i].stack, STACK_BYTES);
        if (all->marker[i].range)
            os_pages_unmap(NULL, all->marker[i].range, STACK_BYTES);
    }
    pthread_mutex_destroy(&all->pool_lock);
    os_pages_unmap(NULL, all, sizeof *all);
    gc->markers = NULL;
}

void gc_markers_forget(struct hy_gc *gc)
{
    struct gc_markers *all = gc->markers;

    for (unsigned i = 1; i < all->n; i++)
        all->marker[i].is_running = false;
    atomic_store(&all->work_word, 0);
    pthread_mutex_init(&all->pool_lock, NULL);
}

/* ---- a collection ---- */

void gc_mark_begin(struct hy_gc *gc)
{
    struct gc_markers *all = gc->markers;

    all->is_helped = all->n > 1 && all->marker[1].is_running;
    pthread_mutex_lock(&all->pool_lock);
    atomic_store(&all->idle, 0);
    atomic_store(&all->is_over, 0);
    atomic_store(&all->pooled, 0);
    atomic_store(&all->left, 0);
    all->arrived = 1;
    pthread_mutex_unlock(&all->pool_lock);
    for (unsigned i = 0; i < all->n; i++) {
        struct marker *m = &all->marker[i];

        m->bottom = m->top = m->ranges = 0;
        m->tally = (struct gc_tally){0};
        m->has_dropped = false;
    }
    all->marker[0].until_call = all->is_helped ? CALL_ROUNDS : 0;
}

/* What is dropped is looked for below marked objects only, so roots never may
 * be: they lie in the half that check_stack leaves. */
static struct marker *with_room(struct hy_gc *gc)
{
    struct marker *m = &gc->markers->marker[0];

    if (m->top > ROOTS_MOST || m->ranges == RANGES)
        drain_alone(m);
    return m;
}

void gc_mark_range(struct hy_gc *gc, uintptr_t begin, uintptr_t end)
{
    struct marker *m = with_room(gc);

    begin = (begin + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1);
    end &= ~(sizeof(uintptr_t) - 1);
    if (begin < end)
        push_range(m, begin, end);
}

void gc_mark_pointer(struct hy_gc *gc, const void *p)
{
    struct marker *m = &gc->markers->marker[0];

    if (gc_contains(gc, p) && has_room(m, 1))
        push(m, (uintptr_t)p);
}

void gc_mark_ambiguous(struct hy_gc *gc, const void *p)
{
    push_word(with_room(gc), gc, (uintptr_t)p, gc->is_compacting);
}

void gc_mark_contents(struct hy_gc *gc, const void *object, bool ignore_self)
{
    struct marker *m = with_room(gc);
    struct gc_object o;

    if (!gc_find(gc, object, &o) || gc_kind_is_leaf(o.info.kind))
        return;
    const uintptr_t *words = (const uintptr_t *)(void *)o.start;

    if (o.info.kind == KIND_LAYOUT && !ignore_self) {
        scan_layout(m, gc, words, gc_layout_of(gc, o.block));
        return;
    }
    if (!ignore_self) {
        scan_part(m, (uintptr_t)words, (uintptr_t)words + o.bytes,
                  gc->is_compacting);
        return;
    }
    const bool is_precise = o.info.kind == KIND_LAYOUT;
    const uint64_t pointers =
        is_precise ? gc_layout_of(gc, o.block)->pointers : 0;

    for (size_t i = o.bytes / sizeof *words; i-- > 0;)
        if (words[i] - (uintptr_t)o.start >= o.bytes &&
            (!is_precise || (i < 64 && pointers >> i & 1)))
            push_word(with_room(gc), gc, words[i],
                      gc->is_compacting && !is_precise);
}

/* Scan everything that is marked, or a root itself, again. */
static void mend_dropped(struct hy_gc *gc)
{
    const size_t end = gc->extent >> BLOCK_SHIFT;

    for (size_t b = 0; b < end; b++) {
        const struct gc_block info = gc->block[b];
        const size_t bytes = (size_t)info.granules * GRANULE;
        char *start = gc_block_start(gc, b);

        if ((info.kind == KIND_LARGE_SCANNED ||
             info.kind == KIND_LARGE_UNCOLLECTABLE) &&
            gc_mark_is_live(gc, gc->mark[b * MARKS_A_BLOCK]))
            gc_mark_contents(gc, start, false);
        if (info.kind != KIND_SCANNED && info.kind != KIND_LAYOUT &&
            info.kind != KIND_UNCOLLECTABLE)
            continue;
        for (size_t i = 0; (i + 1) * bytes <= BLOCK_BYTES; i++)
            if (gc_mark_is_live(gc, gc->mark[b * MARKS_A_BLOCK + i])) {
                gc_mark_contents(gc, start + i * bytes, false);
                drain_alone(&gc->markers->marker[0]);
            }
    }
}

static bool take_dropped(struct gc_markers *all)
{
    bool any = false;

    for (unsigned i = 0; i < all->n; i++) {
        any = any || all->marker[i].has_dropped;
        all->marker[i].has_dropped = false;
    }
    return any;
}

/* Shut helpers out, and wait for those that came in. */
static void close_door(struct gc_markers *all)
{
    pthread_mutex_lock(&all->pool_lock);
    all->is_open = false;
    const unsigned helpers = all->arrived - 1;

    pthread_mutex_unlock(&all->pool_lock);
    while (atomic_load(&all->left) < helpers)
        sched_yield();
    all->is_helped = false;
}

/* Returns whether words were dropped on the way. */
static bool drain_all(struct hy_gc *gc)
{
    struct gc_markers *all = gc->markers;
    bool any = false;

    if (all->is_helped) {
        drain_with_others(&all->marker[0]);
        close_door(all);
    } else {
        drain_alone(&all->marker[0]);
    }
    while (take_dropped(all)) {
        mend_dropped(gc);
        any = true;
    }
    return any;
}

bool gc_mark_drain(struct hy_gc *gc)
{
    bool any = drain_all(gc);

    while (gc->hooks.reached && gc->hooks.reached(gc->hooks.arg))
        any |= drain_all(gc);
    return any;
}

bool gc_mark_drain_telling(struct hy_gc *gc,
                           void (*tell)(void *object, void *arg), void *arg)
{
    const struct teller teller = {tell, arg};

    gc->markers->teller = &teller;
    const bool any = gc_mark_drain(gc);

    gc->markers->teller = NULL;
    return any;
}

struct gc_tally gc_mark_end(struct hy_gc *gc)
{
    struct gc_markers *all = gc->markers;
    struct gc_tally sum = {.markers = all->arrived};

    for (unsigned i = 0; i < all->n; i++) {
        struct marker *m = &all->marker[i];

        sum.objects += m->tally.objects;
        sum.bytes += m->tally.bytes;
        os_pages_discard((char *)m->stack + STACK_KEPT,
                         STACK_BYTES - STACK_KEPT);
        os_pages_discard((char *)m->range + STACK_KEPT,
                         STACK_BYTES - STACK_KEPT);
    }
    return sum;
}

bool gc_is_marked(const struct hy_gc *gc, const void *p)
{
    struct gc_object o;

    return !gc_find(gc, p, &o) /* not ours: never dies */
           || gc_mark_is_live(gc, *o.mark);
}
