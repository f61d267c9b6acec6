/* slab_mesh.c - meshing: sparse pages of memory that share one frame.
 *
 *   addresses   | x . . x . . . . |    | . . y . . y y . |
 *                         \                  /
 *   frame                | x . y x . y y . |            (of a memfd)
 *
 * Two pages of memory (4 KiB) whose live blocks do not overlap are copied into
 * one frame, and both addresses are mapped to it: every block keeps its
 * address, and one page of memory goes back.  Now and then the owner of a
 * cache looks at its sparse pages of blocks: free blocks are set aside (taken
 * off the free list, since the list lies in the memory to be given away),
 * memory pages without a live block are discarded, and the others are packed,
 * densest first, as many to a frame as fit.
 *
 * Who writes to a page while it is copied faults, since it is read-only for
 * that time; the handler of SIGSEGV waits for the end and lets him try again.
 * (A system call that writes there just then fails with EFAULT.)  The thread
 * that copies holds its own signals meanwhile.  If the
 * program installs a handler of its own, meshing rests while it has more than
 * one thread.
 *
 * A block set aside may be used again if its bytes in every memory page are
 * either not shared or owned by this page.  A frame is given back when the
 * last page that shares it has become free.
 *
 * Invariant: the bytes that two pages own in a frame do not overlap, and every
 *            live block lies in bytes that its page owns, or in memory that is
 *            not shared.  (mesh_check() proves it.)
 *
 * Source: B. Powers, D. Tench, E. Berger, A. McGregor, "Mesh: Compacting
 * Memory Management for C/C++ Applications", PLDI 2019.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* memfd_create, fallocate */
#include "slab_mesh.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "slab_heap.h"

enum {
    LEAF = 4096, /* bytes of a page of memory that is meshed */
    LEAVES = SLICE_BYTES / LEAF,
    GRAIN = 16, /* bytes; a block is whole grains */
    WORDS = LEAF / GRAIN / 64,
    SLICE_WORDS = SLICE_BYTES / GRAIN / 64,
    PERIOD_MS = 10,         /* between two passes of a thread, at least */
    REST = 2,               /* times as long as the pass took, on top */
    TICKS = 64,             /* calls between two looks at the clock */
    CANDIDATES_MAX = 4096,  /* leaves looked at in a pass */
    PROBES = 256,           /* frames that are tried for a leaf */
    SHARED_MAX = 24000,     /* leaves that share; each takes a mapping, of
                               which Linux gives a process 65530 */
    FRAMES_MAX = SHARED_MAX /* each has two or more leaves, at first */
};

struct leaf_bits {
    uint64_t word[WORDS]; /* a bit a grain */
};

/* What is kept of a page of blocks that was looked at. */
struct meshed {
    uint32_t frame[LEAVES];         /* from 1; 0: memory of its own */
    struct leaf_bits owned[LEAVES]; /* of the frame */
    uint64_t aside[SLICE_WORDS];    /* a bit a block */
    uint32_t seen_used;             /* page->used at the last pass */
    uint32_t packed_used;           /* page->used when it was packed last */
    struct meshed *next;            /* in the list of unused ones */
};

struct frame {
    struct leaf_bits owned; /* by all that share it */
    uint32_t refs;
    uint32_t next; /* in the list of unused ones */
};

/* A sparse leaf that may share. */
struct candidate {
    struct page *page;
    unsigned leaf;
    unsigned grains; /* live */
    uint32_t frame;
    struct leaf_bits live;
};

struct mesh {
    pthread_mutex_t lock; /* of all below: one pass at a time */
    int fd;
    ino_t inode; /* of the memfd: a program may close what it did not open */
    struct frame *frame; /* [FRAMES_MAX + 1]; 0 is not used */
    uint32_t frames;     /* ever used */
    uint32_t unused;     /* first of those used no more, or 0 */
    uint32_t shared;     /* leaves that share */
    struct meshed *spare;
    struct candidate *candidate; /* [CANDIDATES_MAX] */
    uint32_t *order;             /* [CANDIDATES_MAX], densest first */
    size_t n;
    bool is_alone;           /* the process has one thread */
    _Atomic bool is_copying; /* leaves are read-only */
    struct sigaction before; /* of SIGSEGV */
    struct mesh *next_open;
    struct heap *heap;
};

/* Handlers have no argument, so this is how ours finds what it guards. */
static _Atomic(struct mesh *) first_open;

/* ---- bits ---- */

static void set_bits(uint64_t *word, size_t first, size_t n)
{
    for (; n > 0; first++, n--) {
        if (first % 64 == 0 && n >= 64) {
            word[first / 64] = UINT64_MAX;
            first += 63;
            n -= 63;
        } else {
            word[first / 64] |= (uint64_t)1 << (first % 64);
        }
    }
}

static bool bit(const uint64_t *word, size_t i)
{
    return word[i / 64] >> (i % 64) & 1;
}

static unsigned count_bits(const struct leaf_bits *b)
{
    unsigned n = 0;

    for (int i = 0; i < WORDS; i++)
        n += (unsigned)__builtin_popcountll(b->word[i]);
    return n;
}

static bool overlap(const struct leaf_bits *a, const struct leaf_bits *b)
{
    uint64_t both = 0;

    for (int i = 0; i < WORDS; i++)
        both |= a->word[i] & b->word[i];
    return both != 0;
}

static void add_bits(struct leaf_bits *to, const struct leaf_bits *b)
{
    for (int i = 0; i < WORDS; i++)
        to->word[i] |= b->word[i];
}

static void take_bits(struct leaf_bits *from, const struct leaf_bits *b)
{
    for (int i = 0; i < WORDS; i++)
        from->word[i] &= ~b->word[i];
}

/* ---- who writes while a leaf is copied ---- */

/* Is the address in memory of a mesh that is open to writing, but for a
 * moment? */
static struct mesh *guardian_of(const void *address)
{
    for (struct mesh *m = atomic_load(&first_open); m; m = m->next_open) {
        const size_t at = (uintptr_t)address - (uintptr_t)m->heap->base;

        if (at < m->heap->bytes && at / REGION_BYTES < m->heap->regions &&
            m->heap->region[at / REGION_BYTES].is_open &&
            !m->heap->region[at / REGION_BYTES].run)
            return m;
    }
    return NULL;
}

static void pass_on(const struct sigaction *before, int signal, siginfo_t *info,
                    void *context)
{
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(signal, info, context);
    else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
        before->sa_handler(signal);
    else /* the access is tried again, and then has the default effect */
        (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL},
                        NULL);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    const int saved = errno;
    struct mesh *const m =
        info->si_code == SEGV_ACCERR ? guardian_of(info->si_addr) : NULL;

    if (m)
        while (atomic_load(&m->is_copying))
            sched_yield();
    else if (atomic_load(&first_open))
        pass_on(&atomic_load(&first_open)->before, signal, info, context);
    errno = saved;
}

static bool is_guarded(void)
{
    struct sigaction now;

    return sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
           now.sa_sigaction == on_fault;
}

/* Each thread is a folder of its own there. */
static bool is_alone(void)
{
    struct stat tasks;

    return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3;
}

/* ---- frames and leaves ---- */

static char *leaf_at(const struct page *page, unsigned leaf)
{
    return page->start + (size_t)leaf * LEAF;
}

static off_t frame_at(uint32_t frame)
{
    return (off_t)(frame - 1) * LEAF;
}

static bool has_file(const struct mesh *m)
{
    struct stat file;

    return fstat(m->fd, &file) == 0 && file.st_ino == m->inode;
}

static uint32_t frame_take(struct mesh *m)
{
    uint32_t frame = m->unused;

    if (frame)
        m->unused = m->frame[frame].next;
    else if (m->frames < FRAMES_MAX)
        frame = ++m->frames;
    if (frame)
        m->frame[frame] = (struct frame){.refs = 0};
    return frame;
}

static void frame_give(struct mesh *m, uint32_t frame)
{
    m->frame[frame].next = m->unused;
    m->unused = frame;
}

static void unown(struct mesh *m, uint32_t frame, const struct leaf_bits *bits)
{
    take_bits(&m->frame[frame].owned, bits);
    if (--m->frame[frame].refs > 0)
        return;
    if (has_file(m))
        (void)fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        frame_at(frame), LEAF);
    frame_give(m, frame);
}

/* The leaf shares no more.  Its memory is the caller's care. */
static void leave_frame(struct mesh *m, struct meshed *meshed, unsigned leaf)
{
    const uint32_t frame = meshed->frame[leaf];
    const struct leaf_bits owned = meshed->owned[leaf];

    meshed->owned[leaf] = (struct leaf_bits){{0}};
    meshed->frame[leaf] = 0;
    m->shared--;
    unown(m, frame, &owned);
}

/* By the bare system call: the thread sanitizer takes the C library's mmap for
 * a write to all that is mapped, and here contents stay as they are. */
static bool map_at(char *at, size_t bytes, int flags, int fd, off_t offset)
{
    return syscall(SYS_mmap, at, bytes, PROT_READ | PROT_WRITE,
                   flags | MAP_FIXED, fd, offset) == (long)(intptr_t)at;
}

static bool map_own(char *at, size_t bytes)
{
    return map_at(at, bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                  0);
}

/* ---- setting aside, and back ---- */

static struct meshed *record_of(struct heap *heap, struct page *page)
{
    struct mesh *const m = heap->mesh;
    const size_t bytes = os_pages_round(64 * sizeof(struct meshed));

    if (page->meshed)
        return page->meshed;
    if (!m->spare) {
        struct meshed *const more = os_pages_map(&heap->account, bytes);

        for (size_t i = 0; more && i < bytes / sizeof *more; i++) {
            more[i].next = m->spare;
            m->spare = &more[i];
        }
    }
    struct meshed *const record = m->spare;
    if (!record)
        return NULL;
    m->spare = record->next;
    *record =
        (struct meshed){.seen_used = UINT32_MAX, .packed_used = UINT32_MAX};
    page->meshed = record;
    return record;
}

static void set_list_aside(struct page *page, struct meshed *record)
{
    for (struct block *b = page->free; b; b = slab_next(page, b)) {
        const size_t i = (size_t)((char *)b - page->start) / page->block_size;

        record->aside[i / 64] |= (uint64_t)1 << (i % 64);
        page->aside++;
    }
    page->free = NULL;
}

bool mesh_is_aside(const struct page *page, uint32_t block)
{
    return page->meshed && bit(page->meshed->aside, block);
}

static bool may_use(const struct page *page, size_t first, size_t n)
{
    const struct meshed *const r = page->meshed;

    for (size_t g = first; g < first + n; g++) {
        const size_t leaf = g / (LEAF / GRAIN);

        if (r->frame[leaf] && !bit(r->owned[leaf].word, g % (LEAF / GRAIN)))
            return false;
    }
    return true;
}

void mesh_recall(const struct heap *heap, struct page *page)
{
    struct meshed *const record = page->meshed;
    const size_t grains = page->block_size / GRAIN;
    uint32_t most = (uint32_t)(heap->options.carve / page->block_size) + 1;

    for (uint32_t i = 0; i < page->carved && most && page->aside; i++) {
        if (!bit(record->aside, i) || !may_use(page, i * grains, grains))
            continue;
        struct block *const b =
            (struct block *)(page->start + i * page->block_size);

        record->aside[i / 64] &= ~((uint64_t)1 << (i % 64));
        page->aside--;
        b->tag = page;
        slab_link(page, b, page->free);
        page->free = b;
        most--;
    }
}

void mesh_dissolve(struct heap *heap, struct page *page)
{
    struct mesh *const m = heap->mesh;
    struct meshed *const record = page->meshed;
    bool any = false;

    pthread_mutex_lock(&m->lock);
    for (unsigned leaf = 0; leaf < LEAVES; leaf++)
        any |= record->frame[leaf] != 0;
    /* One mapping for many: this cannot want for room. */
    if (any && !map_own(page->start, SLICE_BYTES))
        abort();
    for (unsigned leaf = 0; leaf < LEAVES; leaf++)
        if (record->frame[leaf])
            leave_frame(m, record, leaf);
    page->meshed = NULL;
    page->aside = 0;
    record->next = m->spare;
    m->spare = record;
    pthread_mutex_unlock(&m->lock);
}

/* ---- a pass: find ---- */

static void find_live(const struct page *page, uint64_t live[SLICE_WORDS])
{
    const size_t grains = page->block_size / GRAIN;

    memset(live, 0, SLICE_WORDS * sizeof *live);
    for (uint32_t i = 0; i < page->carved; i++)
        if (!bit(page->meshed->aside, i))
            set_bits(live, i * grains, grains);
}

/* Nothing of the leaf is live: its memory goes, whoever it belongs to. */
static void empty_leaf(struct mesh *m, struct page *page, unsigned leaf)
{
    struct meshed *const record = page->meshed;

    if (!record->frame[leaf])
        (void)os_pages_discard(leaf_at(page, leaf), LEAF);
    else if (map_own(leaf_at(page, leaf), LEAF))
        leave_frame(m, record, leaf);
}

/* One that shares already would have to take half as much as it owns. */
static bool may_gain(const struct meshed *record, const struct candidate *c)
{
    const unsigned owned = record->frame[c->leaf]
                               ? count_bits(&record->owned[c->leaf])
                               : LEAF / GRAIN;

    return c->grains <= owned / 2;
}

static void look_at_leaves(struct mesh *m, struct page *page)
{
    uint64_t live[SLICE_WORDS];
    const size_t carved = page->carved * page->block_size;

    find_live(page, live);
    for (unsigned leaf = 0; leaf * (size_t)LEAF < carved; leaf++) {
        struct candidate c = {.page = page, .leaf = leaf};

        memcpy(&c.live, live + leaf * WORDS, sizeof c.live);
        c.grains = count_bits(&c.live);
        if (c.grains == 0)
            empty_leaf(m, page, leaf);
        else if (may_gain(page->meshed, &c) && m->n < CANDIDATES_MAX)
            m->candidate[m->n++] = c;
    }
}

/* Has the page been about as it is for a whole period, and is it sparser than
 * when it was packed?  One that is still being emptied would be packed too
 * loosely. */
static bool is_settled(const struct page *page, struct meshed *record)
{
    const uint32_t before = record->seen_used, now = page->used;

    record->seen_used = now;
    if (before > now + now / 8 || now > record->packed_used / 4 * 3)
        return false;
    record->packed_used = now;
    return true;
}

/* The first page of a class is left alone: it is being allocated from. */
static void look_at_class(struct heap *heap, struct queue *queue)
{
    struct mesh *const m = heap->mesh;

    if (!queue->first || queue->first->slices != 1)
        return;
    for (struct page *p = queue->first->next; p; p = p->next) {
        slab_collect(p);
        if (m->n > CANDIDATES_MAX - LEAVES)
            return;
        if (p->used * 2 > p->carved)
            continue;
        struct meshed *const record = record_of(heap, p);
        if (!record || !is_settled(p, record))
            continue;
        set_list_aside(p, record);
        look_at_leaves(m, p);
    }
}

/* ---- a pass: pack ---- */

/* By counting, densest first. */
static void sort_candidates(struct mesh *m)
{
    uint32_t start[LEAF / GRAIN + 2] = {0};

    for (size_t i = 0; i < m->n; i++)
        start[LEAF / GRAIN - m->candidate[i].grains + 1]++;
    for (unsigned g = 1; g <= LEAF / GRAIN + 1; g++)
        start[g] += start[g - 1];
    for (size_t i = 0; i < m->n; i++)
        m->order[start[LEAF / GRAIN - m->candidate[i].grains]++] = (uint32_t)i;
}

/* One of the frames of this pass with room, or a new one, or 0. */
static uint32_t find_frame(struct mesh *m, const struct candidate *c,
                           const uint32_t *open, size_t n)
{
    const size_t probes = n < PROBES ? n : PROBES;
    size_t at = n ? ((uintptr_t)c->page / 64 + c->leaf) % n : 0;

    for (size_t i = 0; i < probes; i++, at = at + 1 == n ? 0 : at + 1)
        if (!overlap(&m->frame[open[at]].owned, &c->live))
            return open[at];
    return frame_take(m);
}

/* Gives every candidate a frame.  Those that were opened are in open[]. */
static size_t pack(struct mesh *m, uint32_t *open)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        struct candidate *const c = &m->candidate[m->order[i]];

        c->frame = find_frame(m, c, open, n);
        if (!c->frame)
            break;
        if (m->frame[c->frame].refs++ == 0)
            open[n++] = c->frame;
        add_bits(&m->frame[c->frame].owned, &c->live);
    }
    return n;
}

/* ---- a pass: move ---- */

struct grain {
    uint64_t half[GRAIN / sizeof(uint64_t)];
};

/* That nobody writes here meanwhile is the kernel's doing, of which the thread
 * sanitizer knows nothing. */
__attribute__((no_sanitize("thread"))) static void
copy_live(const struct candidate *c, struct grain *frame)
{
    const struct grain *const leaf =
        (const struct grain *)leaf_at(c->page, c->leaf);

    for (size_t g = 0; g < LEAF / GRAIN; g++)
        if (bit(c->live.word, g)) {
            frame[g].half[0] = leaf[g].half[0];
            frame[g].half[1] = leaf[g].half[1];
        }
}

static bool map_frame(struct mesh *m, struct candidate *c)
{
    struct meshed *const record = c->page->meshed;

    if (!map_at(leaf_at(c->page, c->leaf), LEAF, MAP_SHARED, m->fd,
                frame_at(c->frame)))
        return false;
    if (record->frame[c->leaf])
        leave_frame(m, record, c->leaf);
    record->frame[c->leaf] = c->frame;
    record->owned[c->leaf] = c->live;
    m->shared++;
    return true;
}

/* Nobody writes to leaves of the group from now on, if all goes well.  A
 * process with one thread needs nothing for that. */
static bool freeze(struct mesh *m, struct candidate **c, size_t n)
{
    for (size_t i = 0; !m->is_alone && i < n; i++)
        if (os_pages_freeze(leaf_at(c[i]->page, c[i]->leaf), LEAF))
            return false;
    return true;
}

/* All candidates of one frame. */
static void fill_frame(struct mesh *m, struct candidate **c, size_t n)
{
    struct grain frame[LEAF / GRAIN] = {0};

    atomic_store(&m->is_copying, true);
    const bool is_frozen = freeze(m, c, n);
    for (size_t i = 0; i < n; i++)
        copy_live(c[i], frame);
    const bool is_good =
        is_frozen && pwrite(m->fd, frame, LEAF, frame_at(c[0]->frame)) == LEAF;
    for (size_t i = 0; i < n; i++)
        if (!is_good || !map_frame(m, c[i])) {
            (void)os_pages_unprotect(leaf_at(c[i]->page, c[i]->leaf), LEAF);
            unown(m, c[i]->frame, &c[i]->live);
        }
    atomic_store(&m->is_copying, false);
}

static int by_frame(const void *a, const void *b)
{
    const struct candidate *const x = a, *const y = b;

    return (x->frame > y->frame) - (x->frame < y->frame);
}

/* Frames that found one leaf only stay unused. */
static void move(struct mesh *m)
{
    struct candidate *group[LEAF / GRAIN];
    size_t n;

    for (size_t i = 0; i < m->n; i += n) {
        const uint32_t frame = m->candidate[i].frame;

        for (n = 0; i + n < m->n && m->candidate[i + n].frame == frame; n++)
            group[n % (LEAF / GRAIN)] = &m->candidate[i + n];
        if (frame && n > 1 && m->shared + n <= SHARED_MAX) {
            fill_frame(m, group, n);
        } else if (frame) {
            m->frame[frame].refs = 0;
            frame_give(m, frame);
        }
    }
}

static void pass(struct heap *heap, struct cache *cache)
{
    struct mesh *const m = heap->mesh;
    uint32_t *const open = m->order + CANDIDATES_MAX;

    m->n = 0;
    for (unsigned class = 1; class < slab_classes(heap); class ++)
        look_at_class(heap, &cache->queue[class]);
    m->is_alone = is_alone();
    if (m->n < 2 || m->shared >= SHARED_MAX || !has_file(m) ||
        !(m->is_alone || is_guarded()))
        return;
    sort_candidates(m);
    (void)pack(m, open);
    qsort(m->candidate, m->n, sizeof *m->candidate, by_frame);
    move(m);
}

/* A handler of the thread itself could not wait for the end of the copying. */
static void hold_signals(sigset_t *before)
{
    sigset_t all;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, before);
}

static void release_signals(const sigset_t *before)
{
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

void mesh_tick(struct heap *heap, struct cache *cache)
{
    struct mesh *const m = heap->mesh;

    if (cache->mesh_ticks++ % TICKS)
        return;
    const uint64_t now = slab_now_ms();
    sigset_t before;
    if (now < cache->mesh_due_ms || pthread_mutex_trylock(&m->lock))
        return;
    hold_signals(&before);
    pass(heap, cache);
    release_signals(&before);
    const uint64_t end = slab_now_ms();
    cache->mesh_due_ms = end + PERIOD_MS + (end - now) * REST;
    pthread_mutex_unlock(&m->lock);
}

/* ---- opening and closing ---- */

static int open_file(struct mesh *m)
{
    struct stat file;
    const int low = memfd_create("heapyard-mesh", MFD_CLOEXEC);

    if (low < 0)
        return errno;
    /* Out of the way of programs that count on low numbers. */
    m->fd = fcntl(low, F_DUPFD_CLOEXEC, 500);
    if (m->fd < 0)
        m->fd = low;
    else
        close(low);
    if (ftruncate(m->fd, (off_t)FRAMES_MAX * LEAF) || fstat(m->fd, &file)) {
        const int err = errno;

        close(m->fd);
        return err;
    }
    m->inode = file.st_ino;
    return 0;
}

static void guard(struct mesh *m)
{
    struct sigaction ours = {.sa_sigaction = on_fault,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&ours.sa_mask);
    m->next_open = atomic_load(&first_open);
    if (m->next_open)
        m->before = m->next_open->before;
    atomic_store(&first_open, m);
    if (!m->next_open)
        (void)sigaction(SIGSEGV, &ours, &m->before);
}

static void unguard(struct mesh *m)
{
    struct mesh *other = atomic_load(&first_open);

    if (other == m) {
        atomic_store(&first_open, m->next_open);
    } else {
        while (other && other->next_open != m)
            other = other->next_open;
        if (other)
            other->next_open = m->next_open;
    }
    if (!atomic_load(&first_open) && is_guarded())
        (void)sigaction(SIGSEGV, &m->before, NULL);
}

static size_t frames_bytes(void)
{
    return (FRAMES_MAX + 1) * sizeof(struct frame);
}

/* The order, and behind it the frames that a pass opens. */
static size_t order_bytes(void)
{
    return (size_t)2 * CANDIDATES_MAX * sizeof(uint32_t);
}

int mesh_open(struct heap *heap)
{
    struct mesh *const m = os_pages_map(&heap->account, sizeof *m);

    if (!m)
        return ENOMEM;
    m->frame = os_pages_map(&heap->account, frames_bytes());
    m->candidate =
        os_pages_map(&heap->account, CANDIDATES_MAX * sizeof *m->candidate);
    m->order = os_pages_map(&heap->account, order_bytes());
    m->heap = heap;
    int err = m->frame && m->candidate && m->order ? open_file(m) : ENOMEM;
    if (!err) {
        pthread_mutex_init(&m->lock, NULL);
        guard(m);
        heap->mesh = m;
        return 0;
    }
    (void)os_pages_unmap(NULL, m->frame, frames_bytes());
    (void)os_pages_unmap(NULL, m->candidate,
                         CANDIDATES_MAX * sizeof *m->candidate);
    (void)os_pages_unmap(NULL, m->order, order_bytes());
    (void)os_pages_unmap(NULL, m, sizeof *m);
    return err;
}

void mesh_close(struct heap *heap)
{
    struct mesh *const m = heap->mesh;

    unguard(m);
    if (has_file(m))
        close(m->fd);
    pthread_mutex_destroy(&m->lock);
    (void)os_pages_unmap(NULL, m->frame, frames_bytes());
    (void)os_pages_unmap(NULL, m->candidate,
                         CANDIDATES_MAX * sizeof *m->candidate);
    (void)os_pages_unmap(NULL, m->order, order_bytes());
    (void)os_pages_unmap(NULL, m, sizeof *m);
}

/* ---- fork ---- */

/* The leaf gets a copy of its own, in one step for whoever uses it. */
static void unshare_leaf(struct mesh *m, struct page *page, unsigned leaf)
{
    char *const at = leaf_at(page, leaf);
    char *const own = mmap(NULL, LEAF, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (own == MAP_FAILED || os_pages_freeze(at, LEAF))
        abort(); /* the child would write into its parent's memory */
    memcpy(own, at, LEAF);
    if (mremap(own, LEAF, LEAF, MREMAP_MAYMOVE | MREMAP_FIXED, at) ==
        MAP_FAILED)
        abort();
    leave_frame(m, page->meshed, leaf);
}

/* A frame is shared memory, which a child would share too.  So nothing is
 * meshed while the process forks; the next passes mesh again. */
static void unshare_all(struct heap *heap)
{
    struct mesh *const m = heap->mesh;

    atomic_store(&m->is_copying, true);
    for (size_t i = 0; m->shared && i < heap->regions * SLICES; i++) {
        struct page *const page = &heap->pages[i];

        if (!page->slices || !page->meshed)
            continue;
        for (unsigned leaf = 0; leaf < LEAVES; leaf++)
            if (page->meshed->frame[leaf])
                unshare_leaf(m, page, leaf);
        page->meshed->packed_used = UINT32_MAX;
    }
    atomic_store(&m->is_copying, false);
}

/* The child gets a file of its own. */
void mesh_fork(struct heap *heap, enum fork_phase phase)
{
    struct mesh *const m = heap->mesh;

    if (phase == FORK_BEFORE) {
        sigset_t before;

        pthread_mutex_lock(&m->lock);
        hold_signals(&before);
        unshare_all(heap);
        release_signals(&before);
        return;
    }
    if (phase == FORK_CHILD) {
        if (has_file(m))
            close(m->fd);
        if (open_file(m))
            m->inode = 0; /* no more meshing in this process */
    }
    pthread_mutex_unlock(&m->lock);
}

/* ---- the invariant ---- */

static const char *check_page(const struct page *page, struct frame *seen)
{
    uint64_t live[SLICE_WORDS];

    find_live(page, live);
    for (unsigned leaf = 0; leaf < LEAVES; leaf++) {
        const uint32_t frame = page->meshed->frame[leaf];
        struct leaf_bits here;

        if (!frame)
            continue;
        memcpy(&here, live + leaf * WORDS, sizeof here);
        take_bits(&here, &page->meshed->owned[leaf]);
        if (count_bits(&here))
            return "a live block lies in memory that its page does not own";
        if (overlap(&seen[frame].owned, &page->meshed->owned[leaf]))
            return "two pages own the same bytes of a frame";
        add_bits(&seen[frame].owned, &page->meshed->owned[leaf]);
        seen[frame].refs++;
    }
    return NULL;
}

static uint32_t count_aside(const struct meshed *record)
{
    uint32_t n = 0;

    for (size_t i = 0; i < SLICE_WORDS; i++)
        n += (uint32_t)__builtin_popcountll(record->aside[i]);
    return n;
}

const char *mesh_check(struct heap *heap)
{
    struct mesh *const m = heap->mesh;
    struct frame *const seen = os_pages_map(NULL, frames_bytes());
    const char *fault = seen ? NULL : "no memory to check with";
    uint32_t shared = 0;

    for (size_t i = 0; i < heap->regions * SLICES && !fault; i++) {
        const struct page *const page = &heap->pages[i];

        if (!page->slices || !page->meshed)
            continue;
        if (count_aside(page->meshed) != page->aside)
            fault = "blocks aside are not as many as their count";
        else
            fault = check_page(page, seen);
    }
    for (uint32_t f = 1; f <= m->frames && !fault; f++) {
        shared += seen[f].refs;
        if (seen[f].refs && (seen[f].refs != m->frame[f].refs ||
                             memcmp(&seen[f].owned, &m->frame[f].owned,
                                    sizeof seen[f].owned) != 0))
            fault = "a frame is not owned as it says";
    }
    if (!fault && shared != m->shared)
        fault = "leaves that share are not as many as their count";
    (void)os_pages_unmap(NULL, seen, frames_bytes());
    return fault;
}

size_t mesh_shared_bytes(const struct heap *heap)
{
    return heap->mesh ? (size_t)heap->mesh->shared * LEAF : 0;
}
