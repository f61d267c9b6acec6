/* test_locality.c - the locality workloads do what they say.
 *
 * Each is run over memory that counts, overwrites what is freed, and refuses
 * or damages blocks on demand; and over a collector that holds it to the rules
 * of native.h (tiny_gc.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "meeting.h"
#include "message_queue.h"
#include "native_lanes.h"
#include "tiny_gc.h"

extern const struct workload chase_hash_workload;
extern const struct workload chase_list_workload;
extern const struct workload chase_tree_workload;
extern const struct workload false_sharing_workload;
extern const struct workload layout_workload;
extern const struct workload message_pipeline_workload;

enum { THREADS_MAX = 3, LOG_MAX = 1 << 16 };

/* A workload, small, and what it has to come to with one thread. */
struct sample {
    struct program program;
    uint64_t uses, allocs;
    int is_fixed; /* with every seed the same bytes */
};

static const struct sample samples[] = {
    {{&chase_list_workload, "nodes=300:rounds=4", 1}, 1200, 300 * 3 + 2, 0},
    {{&chase_list_workload, "nodes=300:rounds=4:freed=none:noise=3:node=17", 1},
     1200,
     300 * 4 + 1,
     0},
    {{&chase_list_workload, "nodes=300:rounds=4:linked=random:noise=0:node=16",
      1},
     1200,
     600 + 2,
     1},
    {{&chase_tree_workload, "nodes=300:lookups=900", 1}, 900, 300 * 3 + 1, 0},
    {{&chase_tree_workload, "nodes=1:lookups=3:freed=none:noise=0", 1},
     3,
     1,
     1},
    {{&chase_hash_workload, "nodes=300:lookups=900:freed=backward", 1},
     900,
     300 * 3 + 2,
     0},
    {{&chase_hash_workload, "nodes=300:lookups=900:load=50:freed=forward", 1},
     900,
     300 * 3 + 2,
     0},
    {{&layout_workload, "layout=soa:records=256:fields=5:passes=7", 1},
     7 * 256,
     5,
     1},
    {{&layout_workload, "layout=aos:records=200:used=8:passes=7", 1},
     7 * 256,
     1,
     1},
    {{&layout_workload, "layout=objects:records=256:used=1:passes=7", 1},
     7 * 256,
     256 * 2 + 1,
     0},
    {{&layout_workload, "access=scattered:records=256:noise=2:passes=7", 1},
     7 * 256,
     256 * 3 + 1,
     0},
    {{&layout_workload, "layout=soa:access=scattered:records=1:passes=7", 1},
     7,
     8,
     1},
    {{&false_sharing_workload, "rounds=90", 1}, 16 * 90, 16, 1},
    {{&false_sharing_workload, "by=self:align=64:objects=3:rounds=90", 1},
     270,
     3,
     1},
    {{&message_pipeline_workload, "pass=copy:messages=200", 1},
     200,
     13 + 200 * (1 + 2),
     1},
    {{&message_pipeline_workload, "pass=slice:messages=200:parts=10:queue=3",
      1},
     200,
     20 + 200,
     1},
    {{&message_pipeline_workload,
      "messages=200:parts=1:queue=1:hops=5:message=33", 1},
     200,
     200 * (1 + 1 + 5),
     1},
    {{&message_pipeline_workload, "pass=mremap:messages=200", 1}, 200, 13, 1},
    {{&message_pipeline_workload, "pass=mremap:messages=20:message=9k", 1},
     20,
     2,
     1},
    {{&message_pipeline_workload, "pass=pipe:messages=200", 1},
     200,
     13 + 200 * (1 + 2),
     1},
    {{&message_pipeline_workload,
      "pass=vmsplice:messages=20:message=200001:parts=3", 1},
     20,
     7 + 20 * (1 + 2),
     1},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

/* ---- memory that counts ---- */

/* Before each block. */
struct label {
    struct label *next, *last; /* of all that live */
    uint64_t size, number;
    void *start; /* of malloc */
};

struct logged {
    pthread_mutex_t lock; /* protects all */
    struct label *live;
    uint64_t calls, allocs, frees, bytes;
    uint64_t wrong;          /* frees of another size than allocated */
    uint64_t fail_at;        /* the call that gives NULL; 0: none */
    uint64_t fail_for;       /* … and so many calls from there */
    uint64_t damage_at;      /* at this call, turn a bit … */
    uint64_t damaged;        /* … of the block of that call, in … */
    size_t damage_word;      /* … this word; or as the use begins */
    size_t align;            /* the largest that was asked for */
    uint64_t freed[LOG_MAX]; /* calls whose blocks were freed, in order */
};

static void damage(const struct logged *c)
{
    for (struct label *l = c->live; l; l = l->next)
        if (l->number == c->damaged)
            ((uint64_t *)(l + 1))[c->damage_word] ^= 1;
}

static void *give(struct logged *c, size_t size, size_t align, int fill)
{
    const uint64_t call = ++c->calls;
    const size_t round = align > 64 ? align : 64;

    if (c->damage_at == call)
        damage(c);
    if (c->fail_at && call >= c->fail_at && call - c->fail_at < c->fail_for)
        return NULL;
    char *start = malloc(size + sizeof(struct label) + 2 * round);
    cr_assert_not_null(start);
    char *p = start + sizeof(struct label);
    p += round - (uintptr_t)p % round;
    struct label *label = (struct label *)(void *)p - 1;
    *label = (struct label){c->live, NULL, size, call, start};
    if (c->live)
        c->live->last = label;
    c->live = label;
    memset(p, fill, size);
    c->allocs++;
    c->bytes += size;
    if (align > c->align)
        c->align = align;
    return p;
}

static void *logged_give(struct heap *heap, size_t size, size_t align, int fill)
{
    struct logged *c = (struct logged *)heap;

    pthread_mutex_lock(&c->lock);
    void *p = give(c, size, align, fill);
    pthread_mutex_unlock(&c->lock);
    return p;
}

static void *logged_alloc(struct heap *heap, size_t size)
{
    return logged_give(heap, size, 0, 0);
}

static void *logged_any(struct heap *heap, size_t size, size_t align)
{
    return logged_give(heap, size, align, 0xa5);
}

static void unlink_label(struct logged *c, struct label *label)
{
    if (label->last)
        label->last->next = label->next;
    else
        c->live = label->next;
    if (label->next)
        label->next->last = label->last;
}

static void logged_free(struct heap *heap, void *p, size_t size)
{
    struct logged *c = (struct logged *)heap;
    struct label *label = (struct label *)p - 1;

    pthread_mutex_lock(&c->lock);
    c->wrong += label->size != size;
    if (c->frees < LOG_MAX)
        c->freed[c->frees] = label->number;
    c->frees++;
    unlink_label(c, label);
    pthread_mutex_unlock(&c->lock);
    memset(p, 0xdd, size);
    free(label->start);
}

static struct logged *logged_new(void)
{
    struct logged *c = calloc(1, sizeof *c);

    cr_assert_not_null(c);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void logged_end(struct logged *c)
{
    while (c->live) {
        struct label *label = c->live;

        unlink_label(c, label);
        free(label->start);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct native_memory logged_memory(struct logged *c)
{
    return (struct native_memory){
        .heap = (struct heap *)c,
        .alloc = logged_alloc,
        .alloc_any = logged_any,
        .dealloc = logged_free,
    };
}

/* ---- running ---- */

static void damage_at_use(struct native *n)
{
    const struct logged *c = (const struct logged *)n->memory.heap;

    if (c->damaged && !c->damage_at && n->thread == 0)
        damage(c);
}

static struct played play_logged(const struct program *p, struct logged *c,
                                 unsigned threads, uint64_t seed)
{
    struct native_memory memory = logged_memory(c);
    struct played played =
        native_lanes_play_watched(p, &memory, threads, seed, damage_at_use);

    cr_assert_eq(c->wrong, 0, "%s:%s: %lu frees of a wrong size",
                 p->workload->name, p->knobs, (unsigned long)c->wrong);
    cr_assert(played.err == EBADMSG || c->allocs == c->frees,
              "%s:%s: %lu of %lu freed", p->workload->name, p->knobs,
              (unsigned long)c->frees, (unsigned long)c->allocs);
    return played;
}

/* ---- what they do ---- */

Test(locality, all_is_right_and_freed_by_any_number_of_threads)
{
    for (int i = 0; i < SAMPLES; i++)
        for (unsigned threads = 1; threads <= THREADS_MAX; threads++) {
            struct logged *c = logged_new();
            struct played p =
                play_logged(&samples[i].program, c, threads, threads);
            const char *name = samples[i].program.workload->name;

            cr_assert_eq(p.err, 0, "%s:%s: %d", name, samples[i].program.knobs,
                         p.err);
            cr_assert_eq(p.use_phases, threads, "each begins and ends its use");
            cr_assert_eq(p.allocs, c->calls, "every allocation is counted");
            cr_assert_eq(p.bytes, c->bytes);
            logged_end(c);
        }
}

Test(locality, allocations_and_uses_are_as_many_as_the_knobs_say)
{
    for (int i = 0; i < SAMPLES; i++) {
        const struct program *program = &samples[i].program;
        struct logged *c = logged_new();
        struct played p = play_logged(program, c, 1, 1);

        cr_expect_eq(p.uses, samples[i].uses, "%s:%s: %lu uses",
                     program->workload->name, program->knobs,
                     (unsigned long)p.uses);
        cr_expect_eq(p.allocs, samples[i].allocs, "%s:%s: %lu allocations",
                     program->workload->name, program->knobs,
                     (unsigned long)p.allocs);
        logged_end(c);
    }
}

Test(locality, a_seed_gives_the_same_allocations)
{
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t bytes[3];

        for (int k = 0; k < 3; k++) {
            struct logged *c = logged_new();

            bytes[k] =
                play_logged(&samples[i].program, c, 1, k == 2 ? 8 : 7).bytes;
            logged_end(c);
        }
        cr_expect_eq(bytes[0], bytes[1]);
        cr_expect_eq(bytes[0] == bytes[2], samples[i].is_fixed, "%s:%s",
                     samples[i].program.workload->name,
                     samples[i].program.knobs);
    }
}

/* The number of the allocation whose block is the i-th to be freed. */
static void freed_first(const char *freed, uint64_t numbers[], uint64_t n)
{
    char knobs[80];
    const struct program p = {&chase_list_workload, knobs, 1};
    struct logged *c = logged_new();

    snprintf(knobs, sizeof knobs, "nodes=%lu:noise=0:rounds=1:freed=%s",
             (unsigned long)n, freed);
    cr_assert_eq(play_logged(&p, c, 1, 3).err, 0);
    memcpy(numbers, c->freed, n * sizeof *numbers);
    logged_end(c);
}

Test(locality, a_heap_is_aged_by_frees_in_the_order_asked_for)
{
    enum { NODES = 500, FIRST = 2 /* call 1 is the table's */ };
    uint64_t number[NODES];
    unsigned seen[NODES] = {0}, neighbours = 0;

    freed_first("forward", number, NODES);
    for (uint64_t i = 0; i < NODES; i++)
        cr_assert_eq(number[i], FIRST + i);
    freed_first("backward", number, NODES);
    for (uint64_t i = 0; i < NODES; i++)
        cr_assert_eq(number[i], FIRST + NODES - 1 - i);
    freed_first("random", number, NODES);
    for (uint64_t i = 0; i < NODES; i++) {
        cr_assert(number[i] >= FIRST && number[i] < FIRST + NODES);
        cr_assert_eq(seen[number[i] - FIRST]++, 0, "freed twice");
        neighbours += i > 0 && (number[i] - number[i - 1] == 1 ||
                                number[i - 1] - number[i] == 1);
    }
    cr_assert_lt(neighbours, 20, "%u of 499 beside the one before", neighbours);
}

Test(locality, the_alignment_is_asked_for)
{
    struct logged *c = logged_new();
    const struct program p = {&false_sharing_workload, "align=256:rounds=1", 1};

    cr_assert_eq(play_logged(&p, c, 2, 1).err, 0);
    cr_assert_eq(c->align, 256);
    logged_end(c);
}

/* ---- what goes wrong ---- */

static void fail_at(const struct program *p, uint64_t at, uint64_t calls,
                    unsigned threads)
{
    struct logged *c = logged_new();

    c->fail_at = at;
    c->fail_for = calls;
    int err = play_logged(p, c, threads, 1).err;
    cr_assert_eq(err, ENOMEM, "%s:%s: %d when allocation %lu failed",
                 p->workload->name, p->knobs, err, (unsigned long)at);
    logged_end(c);
}

Test(locality, no_memory_is_said_and_leaves_nothing)
{
    for (int i = 0; i < SAMPLES; i++)
        for (unsigned threads = 1; threads <= 2; threads++) {
            struct logged *c = logged_new();
            uint64_t calls;

            play_logged(&samples[i].program, c, threads, 1);
            calls = c->calls;
            logged_end(c);
            for (uint64_t at = 1; at <= calls;
                 at += at > 4 ? 1 + calls / 9 : 1) {
                fail_at(&samples[i].program, at, 1, threads);
                fail_at(&samples[i].program, at, UINT64_MAX, threads);
            }
        }
}

/* A bit that turns in a block of this call, where a use has to meet it. */
static const struct {
    struct program program;
    uint64_t damaged, damage_at; /* at: as the use begins, if 0 */
    size_t word;
} damages[] = {
    {{&chase_list_workload, "nodes=9:freed=none:noise=0:rounds=1", 1}, 5, 0, 1},
    {{&chase_list_workload, "nodes=9:freed=random:noise=0:rounds=1", 1},
     12,
     0,
     1},
    {{&chase_tree_workload, "nodes=9:freed=none:noise=0:lookups=99", 1},
     5,
     0,
     3},
    {{&chase_tree_workload, "nodes=9:freed=none:noise=0:lookups=99", 1},
     5,
     0,
     2},
    {{&chase_hash_workload, "nodes=9:freed=none:noise=0:lookups=99", 1},
     5,
     0,
     2},
    {{&chase_hash_workload, "nodes=9:freed=none:noise=0:lookups=99", 1},
     5,
     0,
     1},
    {{&layout_workload, "layout=soa:records=16:passes=2", 1}, 1, 0, 3},
    {{&layout_workload, "layout=soa:records=16:passes=2", 1}, 8, 0, 3},
    {{&layout_workload, "layout=aos:records=16:passes=2", 1}, 1, 0, 9},
    {{&layout_workload, "records=16:noise=0:passes=2", 1}, 4, 0, 1},
    {{&false_sharing_workload, "rounds=9", 1}, 5, 0, 0},
    /* the number, the count of stages, and the last word */
    {{&message_pipeline_workload, "messages=40", 1}, 2, 3, 0},
    {{&message_pipeline_workload, "messages=40", 1}, 2, 3, 1},
    {{&message_pipeline_workload, "messages=40", 1}, 2, 3, 255},
    {{&message_pipeline_workload, "messages=40:pass=slice", 1},
     1,
     2,
     1 + 15 * 256 + 255},
};

Test(locality, a_wrong_bit_is_noticed)
{
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
        for (unsigned threads = 1; threads <= 2; threads++) {
            struct logged *c = logged_new();
            const struct program *p = &damages[i].program;

            if (threads == 2 && damages[i].damage_at)
                continue; /* calls of two threads come in any order */
            c->damaged = damages[i].damaged;
            c->damage_at = damages[i].damage_at;
            c->damage_word = damages[i].word;
            int err = play_logged(p, c, threads, 1).err;
            cr_expect_eq(err, EBADMSG, "%zu: %s:%s: %d", i, p->workload->name,
                         p->knobs, err);
            logged_end(c);
        }
}

static const struct {
    const struct workload *workload;
    const char *knobs, *why;
} refused[] = {
    {&layout_workload, "fields=3:used=4",
     "layout: used = 4 (want at most fields = 3)"},
    {&false_sharing_workload, "align=24",
     "false-sharing: align = 24 (want 0 or a power of two)"},
};

Test(locality, knobs_that_do_not_go_together_are_refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct knob_values values;
        char why[200];

        cr_expect_eq(workload_knobs(refused[i].workload, refused[i].knobs,
                                    &values, why, sizeof why),
                     EINVAL);
        cr_expect_str_eq(why, refused[i].why);
    }
}

/* ---- memory that is collected ---- */

Test(locality, a_collector_takes_only_what_is_dropped)
{
    for (int i = 0; i < SAMPLES; i++)
        for (int layouts = 0; layouts <= 1; layouts++) {
            int base = 0;
            const struct tiny_gc_config config = {.bytes = 16 << 20,
                                                  .period = 97,
                                                  .stack_base = &base,
                                                  .has_layouts = layouts};
            struct native_memory memory;
            struct tiny_gc_counts counts;

            if (samples[i].program.workload == &false_sharing_workload)
                continue; /* it asks for alignment, which this one has not */
            struct tiny_gc *gc = tiny_gc_open(&config, &memory);
            cr_assert_not_null(gc);
            struct played p =
                native_lanes_play(&samples[i].program, &memory, 1, 1);
            native_scrub();
            tiny_gc_count(gc, &counts);
            cr_expect_eq(p.err, 0, "%s:%s: %d",
                         samples[i].program.workload->name,
                         samples[i].program.knobs, p.err);
            cr_expect_eq(counts.faults, 0, "%s:%s: %s",
                         samples[i].program.workload->name,
                         samples[i].program.knobs, counts.fault);
            cr_expect_lt(counts.live, 60, "%s:%s keeps %lu objects",
                         samples[i].program.workload->name,
                         samples[i].program.knobs, (unsigned long)counts.live);
            tiny_gc_close(gc);
        }
}

/* ---- a queue, and a meeting ---- */

enum { SENT = 20000 };

struct queue_town {
    struct message_queue queue;
    _Atomic bool stop;
    struct meeting meeting;
    _Atomic unsigned rounds[THREADS_MAX];
    _Atomic unsigned faults;
};

static void *send_all(void *arg)
{
    struct queue_town *town = arg;

    for (uintptr_t i = 1; i <= SENT; i++)
        if (!message_queue_send(&town->queue, (void *)i, &town->stop))
            return NULL;
    return NULL;
}

Test(locality, a_queue_keeps_order_and_loses_nothing)
{
    for (uint64_t places = 1; places <= 64; places *= 8) {
        void *_Atomic place[64] = {NULL};
        struct queue_town town = {.queue = {.places = places, .place = place}};
        pthread_t sender;

        cr_assert_eq(pthread_create(&sender, NULL, send_all, &town), 0);
        for (uintptr_t i = 1; i <= SENT; i++)
            cr_assert_eq(
                (uintptr_t)message_queue_receive(&town.queue, &town.stop), i);
        pthread_join(sender, NULL);
        cr_assert_null(message_queue_take(&town.queue));
    }
}

Test(locality, a_queue_that_is_stopped_keeps_nobody)
{
    void *_Atomic place[2] = {NULL};
    struct queue_town town = {.queue = {.places = 2, .place = place}};
    pthread_t sender;

    cr_assert_eq(pthread_create(&sender, NULL, send_all, &town), 0);
    atomic_store(&town.stop, true);
    pthread_join(sender, NULL); /* the queue is full */
    cr_assert_eq((uintptr_t)message_queue_take(&town.queue), 1);
    cr_assert_eq((uintptr_t)message_queue_take(&town.queue), 2);
    cr_assert_null(message_queue_receive(&town.queue, &town.stop));
}

struct guest {
    struct queue_town *town;
    unsigned me;
    pthread_t id;
};

static void *meet_often(void *arg)
{
    struct guest *guest = arg;
    struct queue_town *town = guest->town;

    for (unsigned round = 1; round <= 300; round++) {
        atomic_store(&town->rounds[guest->me], round);
        meeting_wait(&town->meeting, THREADS_MAX);
        for (unsigned i = 0; i < THREADS_MAX; i++)
            guest->town->faults += atomic_load(&town->rounds[i]) != round;
        meeting_wait(&town->meeting, THREADS_MAX);
    }
    return NULL;
}

Test(locality, nobody_leaves_a_meeting_before_all_are_there)
{
    struct queue_town town = {.faults = 0};
    struct guest guest[THREADS_MAX];

    for (unsigned i = 0; i < THREADS_MAX; i++) {
        guest[i] = (struct guest){.town = &town, .me = i};
        cr_assert_eq(pthread_create(&guest[i].id, NULL, meet_often, &guest[i]),
                     0);
    }
    for (unsigned i = 0; i < THREADS_MAX; i++)
        pthread_join(guest[i].id, NULL);
    cr_assert_eq(town.faults, 0);
}
