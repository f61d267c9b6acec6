/* fork_server.c - a process with a heap forks children that use it.
 *
 * The parent holds a heap of blocks.  For each request it forks; the child
 * replaces a few random blocks and ends, while the parent replaces some too.
 * Parent and child share every page that neither writes to.  An allocator
 * that keeps its lists in freed blocks, or the figures of a page in the page,
 * writes to many, and each is copied: that is what the time of a request and
 * child_faults (meter time) show.  Nobody measures the children's memory.
 *
 * Every block knows its slot and who wrote it, so that a child's writes that
 * reach its parent are found.  A child ends by SIGKILL, not by exit: neither
 * exit handlers nor a tool that came along with the fork shall add anything.
 *
 * Source: servers that fork for each request (Apache's prefork) or snapshot
 * (redis' BGSAVE); J. Evans on jemalloc and others since, on freed memory that
 * breaks copy-on-write sharing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native.h"
#include "random.h"
#include "workload.h"

enum {
    KNOB_OBJECTS,
    KNOB_MIN,
    KNOB_MAX,
    KNOB_REQUESTS,
    KNOB_CHILD,
    KNOB_PARENT
};

/* clang-format off */
static const struct knob fork_server_knobs[] = {
[KNOB_OBJECTS] = {"objects", "objects", 200000, 1, 1e8,
    "blocks of the parent", NULL},
[KNOB_MIN] = {"min", "bytes", 16, 16, 1 << 30,
    "smallest block", NULL},
[KNOB_MAX] = {"max", "bytes", 512, 16, 1 << 30,
    "largest block; sizes are uniform", NULL},
[KNOB_REQUESTS] = {"requests", "requests", 100, 1, 1e9,
    "each a fork, at scale 1", NULL},
[KNOB_CHILD] = {"child", "blocks", 1000, 0, 1e8,
    "that a child replaces", NULL},
[KNOB_PARENT] = {"parent", "blocks", 100, 0, 1e8,
    "that the parent replaces while a child runs", NULL},
{.name = NULL},
};
/* clang-format on */

enum owner { PARENT = 1, CHILD = 2 };

/* At the beginning of each. */
struct block {
    uint64_t size; /* bytes */
    uint32_t slot;
    uint32_t owner;
};

/* What a child says, in memory that both see. */
struct answer {
    int err;
    uint64_t allocs, bytes;
};

struct server {
    struct native *n;
    struct random random;
    struct block **slot; /* [objects] */
    uint32_t objects;
    uint32_t next; /* slot to replace; they lie in random order in memory */
    struct answer *answer;
};

/* Whatever was in the slot is gone. */
static int fill_slot(struct server *s, uint32_t slot, enum owner owner)
{
    const double *knob = s->n->knobs->v;
    const uint64_t size = random_between(&s->random, (uint64_t)knob[KNOB_MIN],
                                         (uint64_t)knob[KNOB_MAX]);
    struct block *b = native_leaf(s->n, size);

    if (!b)
        return ENOMEM;
    *b = (struct block){.size = size, .slot = slot, .owner = owner};
    native_store(s->n, s->slot, (void **)&s->slot[slot], b);
    return 0;
}

static bool is_right(const struct server *s, uint32_t slot, enum owner owner)
{
    const struct block *b = s->slot[slot];

    return b->slot == slot && (b->owner == PARENT || b->owner == owner);
}

static int replace(struct server *s, uint64_t blocks, enum owner owner)
{
    int err = 0;

    for (uint64_t i = 0; i < blocks && !err; i++) {
        const uint32_t slot = s->next;
        struct block *b = s->slot[slot];

        if (!is_right(s, slot, owner))
            return EBADMSG;
        s->slot[slot] = NULL;
        native_drop(s->n, b, b->size);
        err = fill_slot(s, slot, owner);
        s->next = slot + 1 < s->objects ? slot + 1 : 0;
    }
    return err;
}

/* Slots from first to before end, which may lie round the corner. */
static int check(const struct server *s, uint64_t first, uint64_t end,
                 enum owner owner)
{
    for (uint64_t i = first; i < end; i++)
        if (!is_right(s, (uint32_t)(i % s->objects), owner))
            return EBADMSG;
    return 0;
}

/* Does not return. */
static void be_child(struct server *s)
{
    const uint64_t first = s->next;
    const uint64_t blocks = (uint64_t)s->n->knobs->v[KNOB_CHILD];

    s->n->allocs = s->n->bytes = 0;
    int err = replace(s, blocks, CHILD);

    if (!err)
        err = check(s, first, first + blocks, CHILD);
    *s->answer = (struct answer){
        .err = err, .allocs = s->n->allocs, .bytes = s->n->bytes};
    for (;;)
        kill(getpid(), SIGKILL);
}

static int hear_child(struct server *s, pid_t pid)
{
    int state;

    while (waitpid(pid, &state, 0) < 0)
        if (errno != EINTR)
            return errno;
    if (!WIFSIGNALED(state) || WTERMSIG(state) != SIGKILL)
        return EBADMSG; /* it crashed */
    s->n->allocs += s->answer->allocs;
    s->n->bytes += s->answer->bytes;
    return s->answer->err;
}

static int serve(struct server *s)
{
    s->answer->err = EBADMSG; /* unless it says otherwise */
    native_begin(s->n);
    pid_t pid = s->n->fork(s->n);

    if (pid == 0)
        be_child(s);
    if (pid < 0)
        return errno;
    int err = replace(s, (uint64_t)s->n->knobs->v[KNOB_PARENT], PARENT);
    int its = hear_child(s, pid);

    native_end(s->n);
    return its ? its : err;
}

/* Slots that follow each other are far apart in memory. */
static int fill(struct server *s)
{
    int err = 0;

    for (uint32_t i = 0; i < s->objects && !err; i++)
        err = fill_slot(s, i, PARENT);
    for (uint32_t i = s->objects; i-- > 1 && !err;) {
        const uint32_t j = (uint32_t)random_below(&s->random, i + 1);
        struct block *a = s->slot[i], *b = s->slot[j];

        native_store(s->n, s->slot, (void **)&s->slot[i], b);
        native_store(s->n, s->slot, (void **)&s->slot[j], a);
        b->slot = i;
        a->slot = j; /* last: they may be one */
    }
    return err;
}

static int play(struct server *s)
{
    const uint64_t requests =
        native_scaled(s->n, s->n->knobs->v[KNOB_REQUESTS]);
    int err = fill(s);

    for (uint64_t i = 0; i < requests && !err; i++)
        err = serve(s);
    if (!err)
        err = check(s, 0, s->objects, PARENT);
    for (uint32_t i = 0; i < s->objects; i++)
        if (s->slot[i])
            native_drop(s->n, s->slot[i], s->slot[i]->size);
    return err;
}

static int fork_server_run(struct native *n)
{
    struct server s = {.n = n, .objects = (uint32_t)n->knobs->v[KNOB_OBJECTS]};
    const size_t table = s.objects * sizeof *s.slot;

    if (!n->fork)
        return ENOTSUP;
    s.answer = mmap(NULL, sizeof *s.answer, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s.answer == MAP_FAILED)
        return errno;
    random_seed(&s.random, n->seed);
    s.slot = native_alloc(n, table);
    int err = s.slot ? play(&s) : ENOMEM;

    native_drop(n, s.slot, table);
    munmap(s.answer, sizeof *s.answer);
    return err;
}

static int fork_server_check(const struct knob_values *values, char *why,
                             size_t why_size)
{
    return knobs_check_min("fork-server", values->v[KNOB_MIN],
                           values->v[KNOB_MAX], why, why_size);
}

const struct workload fork_server_workload = {
    .name = "fork-server",
    .summary = "children of a 50 MiB heap replace a few of its blocks (310 k "
               "allocations)",
    .source = "servers that fork for each request, or to write a snapshot",
    .version = 1,
    .knobs = fork_server_knobs,
    .min_threads = 1,
    .max_threads = 1,
    .check = fork_server_check,
    .run = fork_server_run,
};
