/* ephemerons.c - a chain of ephemerons that only its head keeps.
 *
 * A table holds ephemerons.  The value of each points to the key of the next,
 * and nothing else points to a key but, in a box, the first one.  After a full
 * collection all are there; when the box holds the middle key instead, the
 * second half is; when it is empty, none is.
 *
 * A model of weak tables at their worst: whether a key lives is known only when
 * all before it are through, so a collector that goes over its ephemerons until
 * nothing changes needs as many rounds as there are links if the table is not
 * in the order of the chain.  Every thread has a chain of its own.
 *
 * A word left on a stack or in a register that happens to be a key keeps that
 * key and all after it.  The chain is made from its head, so that the keys that
 * were handled last are its last ones, and the stack is scrubbed; KEPT_MAX
 * ephemerons may stay for all that, in a chain of 1000 or more.
 *
 * Source: B. Hayes, "Ephemerons: a new finalization mechanism", OOPSLA 1997;
 * the program follows ephemerons of Whippet's benchmarks, by A. Wingo, whose
 * number of links is an argument.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "native.h"
#include "random.h"
#include "workload.h"

enum { KNOB_LINKS, KNOB_ORDER, KNOB_ROUNDS };
enum { ORDER_CHAIN, ORDER_REVERSE, ORDER_RANDOM };
enum { KEPT_MAX = 64 };

static const char *const order_names[] = {"chain", "reverse", "random", NULL};

/* clang-format off */
static const struct knob ephemerons_knobs[] = {
[KNOB_LINKS] = {"links", "ephemerons", 100000, 1000, 1e8,
    "of each thread's chain", NULL},
[KNOB_ORDER] = {"order", "1", ORDER_RANDOM, ORDER_CHAIN, ORDER_RANDOM,
    "of the ephemerons in the table", order_names},
[KNOB_ROUNDS] = {"rounds", "chains", 5, 1, 1e9,
    "at scale 1, one after the other", NULL},
{.name = NULL},
};
/* clang-format on */

/* A value points to the next key; a key points to nothing. */
struct link {
    void *next;
    uint64_t number;
};

static const bool link_pointers[] = {true, false};

struct chain {
    struct native *n;
    struct link *box; /* next: the key that keeps the rest */
    void **table;     /* [links] ephemerons, an object of the heap */
    uint32_t *place;  /* [links] in the table, of the link of a number */
    uint64_t links;
};

static struct link *make_link(struct native *n, uint64_t number)
{
    struct link *link = native_new(n, n->shared);

    if (link)
        link->number = number;
    return link;
}

static void *make_ephemeron(struct native *n, void *key, void *value)
{
    n->allocs++;
    n->bytes += 2 * sizeof(void *); /* what it has to hold */
    return n->memory.ephemeron(n->memory.heap, key, value);
}

/* From its head; every link is reached through those before it. */
static int make_chain(struct chain *c)
{
    struct native *n = c->n;
    struct link *key = make_link(n, 0);

    native_store(n, c->box, &c->box->next, key);
    for (uint64_t i = 0; key && i < c->links; i++) {
        struct link *value = make_link(n, i);
        void *ephemeron = value ? make_ephemeron(n, key, value) : NULL;

        if (!ephemeron)
            return ENOMEM;
        native_store(n, c->table, &c->table[c->place[i]], ephemeron);
        key = make_link(n, i + 1);
        native_store(n, value, &value->next, key);
    }
    return key ? 0 : ENOMEM;
}

/* How many ephemerons are left; UINT64_MAX if one holds what is wrong. */
static uint64_t count_left(const struct chain *c)
{
    const struct native_memory *m = &c->n->memory;
    uint64_t left = 0;

    for (uint64_t i = 0; i < c->links; i++) {
        void *ephemeron = c->table[c->place[i]];
        const struct link *key = m->ephemeron_key(m->heap, ephemeron);
        const struct link *value = m->ephemeron_value(m->heap, ephemeron);

        if (!key != !value)
            return UINT64_MAX;
        if (key && (key->number != i || value->number != i))
            return UINT64_MAX;
        left += key != NULL;
    }
    return left;
}

/* Collect; then so many are left, and at most KEPT_MAX more. */
static bool leaves(struct chain *c, uint64_t want)
{
    c->n->collect(c->n);
    uint64_t left = count_left(c);
    return left >= want && left <= c->links && left - want <= KEPT_MAX;
}

/* The box holds the key of that number, which lives. */
static void keep_from(struct chain *c, uint64_t number)
{
    const struct native_memory *m = &c->n->memory;
    void *ephemeron = c->table[c->place[number]];

    native_store(c->n, c->box, &c->box->next,
                 m->ephemeron_key(m->heap, ephemeron));
}

static int try_chain(struct chain *c)
{
    uint64_t half = c->links / 2;
    int err = make_chain(c);

    if (err)
        return err;
    native_scrub(); /* from here, so that the callee's own frame is clean */
    if (!leaves(c, c->links))
        return EBADMSG;
    keep_from(c, half);
    native_scrub();
    if (!leaves(c, c->links - half))
        return EBADMSG;
    native_store(c->n, c->box, &c->box->next, NULL);
    native_scrub();
    return leaves(c, 0) ? 0 : EBADMSG;
}

static void choose_places(struct chain *c)
{
    int order = (int)c->n->knobs->v[KNOB_ORDER];
    struct random random;

    for (uint64_t i = 0; i < c->links; i++)
        c->place[i] = (uint32_t)(order == ORDER_REVERSE ? c->links - 1 - i : i);
    if (order != ORDER_RANDOM)
        return;
    random_seed(&random, c->n->seed);
    for (uint64_t i = c->links; i > 1; i--) {
        uint64_t j = random_below(&random, i);
        uint32_t place = c->place[j];

        c->place[j] = c->place[i - 1];
        c->place[i - 1] = place;
    }
}

static int ephemerons_run(struct native *n)
{
    uint64_t links = (uint64_t)n->knobs->v[KNOB_LINKS];
    uint64_t rounds = native_scaled(n, n->knobs->v[KNOB_ROUNDS]);
    struct chain c = {.n = n, .links = links};
    int err = 0;

    c.box = make_link(n, 0);
    c.place = native_leaf(n, links * sizeof *c.place);
    if (!c.box || !c.place)
        return ENOMEM;
    choose_places(&c);
    for (uint64_t i = 0; i < rounds && !err; i++) {
        c.table = native_alloc(n, links * sizeof *c.table);
        err = c.table ? try_chain(&c) : ENOMEM;
    }
    return err;
}

static int ephemerons_prepare(struct native *n, void **shared)
{
    const struct native_memory *m = &n->memory;

    if (!m->ephemeron || !m->ephemeron_key || !m->ephemeron_value ||
        !n->collect)
        return ENOTSUP;
    return native_prepare_shape(n, sizeof(struct link), link_pointers, shared);
}

const struct workload ephemerons_workload = {
    .name = "ephemerons",
    .summary = "a chain of ephemerons that only its head keeps (2 M ops)",
    .source = "Hayes, OOPSLA 1997; ephemerons of Whippet's benchmarks",
    .version = 1,
    .knobs = ephemerons_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .prepare = ephemerons_prepare,
    .run = ephemerons_run,
    .finish = native_free_shared,
};
