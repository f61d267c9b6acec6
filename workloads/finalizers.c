/* finalizers.c - many objects, each with a finalizer.
 *
 * A table holds objects, each with one finalizer that counts itself.  While the
 * table holds them none runs, whatever is collected; when it is emptied all
 * run, each once, after a collection or two.
 *
 * A model of a program whose objects own something outside the heap, and all
 * of them: a collector has to find the dead among them, keep each until its
 * finalizer has run, and take it then.  No object reaches another, so no order
 * among them is asked for.  Every thread has objects of its own; whichever
 * thread collects may run their finalizers.
 *
 * A conservative collector may take a word left on a stack or in a register
 * for an object.  The table is emptied word by word, so that a stale address of
 * the table keeps nothing, and the stack is scrubbed.  What is left is the few
 * words that the loop over the objects and its callees had room for: KEPT_MAX
 * objects may stay.
 *
 * Source: finalizers of Whippet's benchmarks, by A. Wingo, whose number of
 * objects is an argument.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdatomic.h>

#include "native.h"
#include "workload.h"

enum { KNOB_OBJECTS, KNOB_ROUNDS };
enum { KEPT_MAX = 16, COLLECTIONS_MAX = 3, UNTOUCHED = 0x5eed };

/* clang-format off */
static const struct knob finalizers_knobs[] = {
[KNOB_OBJECTS] = {"objects", "objects", 100000, 100, 1e8,
    "with a finalizer each, of each thread", NULL},
[KNOB_ROUNDS] = {"rounds", "rounds", 5, 1, 1e9,
    "at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

struct owner {
    uint64_t state; /* UNTOUCHED, until its finalizer has run */
    uint64_t number;
};

static const bool owner_pointers[] = {false, false};

/* Of one round; an object of the heap, which finalizers that run late, or
 * after the workload, still have. */
struct tally {
    _Atomic uint64_t fired;
    _Atomic uint64_t wrong; /* run twice, or on what is not that object */
};

struct round {
    struct native *n;
    void **table; /* [objects], an object of the heap */
    struct tally *tally;
    uint64_t objects;
};

static void finalize(void *object, void *arg)
{
    struct owner *owner = object;
    struct tally *tally = arg;

    if (owner->state != UNTOUCHED)
        atomic_fetch_add_explicit(&tally->wrong, 1, memory_order_relaxed);
    owner->state = 0;
    atomic_fetch_add_explicit(&tally->fired, 1, memory_order_relaxed);
}

static int make_objects(struct round *r)
{
    struct native *n = r->n;

    for (uint64_t i = 0; i < r->objects; i++) {
        struct owner *owner = native_new(n, n->shared);

        if (!owner)
            return ENOMEM;
        owner->state = UNTOUCHED;
        owner->number = i;
        native_store(n, r->table, &r->table[i], owner);
        int err =
            n->memory.finalizer(n->memory.heap, owner, finalize, r->tally);
        if (err)
            return err;
    }
    return 0;
}

static bool objects_are_right(const struct round *r)
{
    for (uint64_t i = 0; i < r->objects; i++) {
        const struct owner *owner = r->table[i];

        if (owner->state != UNTOUCHED || owner->number != i)
            return false;
    }
    return true;
}

static void empty_table(struct round *r)
{
    for (uint64_t i = 0; i < r->objects; i++)
        native_store(r->n, r->table, &r->table[i], NULL);
}

/* Returns how many finalizers have run. */
static uint64_t collect(struct round *r)
{
    r->n->collect(r->n);
    return atomic_load_explicit(&r->tally->fired, memory_order_relaxed);
}

static int try_round(struct round *r)
{
    int err = make_objects(r);
    uint64_t fired = 0;

    if (err)
        return err;
    if (collect(r) != 0 || !objects_are_right(r))
        return EBADMSG;
    empty_table(r);
    for (int i = 0; i < COLLECTIONS_MAX && fired < r->objects; i++) {
        native_scrub(); /* from here, so that the callee's frame is clean */
        fired = collect(r);
    }
    return fired <= r->objects && r->objects - fired <= KEPT_MAX &&
                   r->tally->wrong == 0
               ? 0
               : EBADMSG;
}

static int finalizers_run(struct native *n)
{
    uint64_t rounds = native_scaled(n, n->knobs->v[KNOB_ROUNDS]);
    struct round r = {.n = n, .objects = (uint64_t)n->knobs->v[KNOB_OBJECTS]};
    int err = 0;

    r.table = native_alloc(n, r.objects * sizeof *r.table);
    if (!r.table)
        return ENOMEM;
    for (uint64_t i = 0; i < rounds && !err; i++) {
        r.tally = native_alloc(n, sizeof *r.tally);
        err = r.tally ? try_round(&r) : ENOMEM;
    }
    return err;
}

static int finalizers_prepare(struct native *n, void **shared)
{
    if (!n->memory.finalizer || !n->collect)
        return ENOTSUP;
    return native_prepare_shape(n, sizeof(struct owner), owner_pointers,
                                shared);
}

const struct workload finalizers_workload = {
    .name = "finalizers",
    .summary = "many objects with a finalizer each (0.5 M ops)",
    .source = "finalizers of Whippet's benchmarks, by A. Wingo",
    .version = 1,
    .knobs = finalizers_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = finalizers_prepare,
    .run = finalizers_run,
    .finish = native_free_shared,
};
