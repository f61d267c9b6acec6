/* layout.c - the same records as arrays of fields, as an array of records, or
 * as a block each.
 *
 * A record is `fields` whole numbers of 8 bytes; a pass adds to the first
 * field of every record its next used - 1 fields.  layout=soa keeps each field
 * of all records in a block of its own, layout=aos all records in one block,
 * and layout=objects each record in its own block, found through a table of
 * pointers; noise blocks lie between those.  The records are visited in order
 * (access=forward), or each once a pass in an order that looks random
 * (access=scattered: a linear congruential generator of full period, so the
 * records are a power of two).
 *
 * soa and aos run one and the same loop, over a pointer to each field of
 * record 0 and a stride, so that places alone differ.  It is not vectorized,
 * which a program that keeps arrays of fields for that reason would do.
 *
 * A use is a record visited.  In the end every first field is what the passes
 * must have made of it, and all others are unchanged.
 *
 * Source of the generator: D. Knuth, The Art of Computer Programming 2 (3rd
 * ed., 1997), 3.2.1.2, theorem A; the multiplier is that of MMIX, 3.3.4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap_noise.h"
#include "meeting.h"
#include "workload.h"

enum {
    KNOB_LAYOUT,
    KNOB_ACCESS,
    KNOB_RECORDS,
    KNOB_FIELDS,
    KNOB_USED,
    KNOB_NOISE,
    KNOB_PASSES
};
enum { LAYOUT_SOA, LAYOUT_AOS, LAYOUT_OBJECTS };
enum { ACCESS_FORWARD, ACCESS_SCATTERED };
enum { FIELDS_MAX = 64, NOISE_MAX = 128 /* bytes */ };

static const char *const layout_names[] = {"soa", "aos", "objects", NULL};
static const char *const access_names[] = {"forward", "scattered", NULL};

/* clang-format off */
static const struct knob layout_knobs[] = {
[KNOB_LAYOUT] = {"layout", "", LAYOUT_OBJECTS, 0, 2,
    "a block a field, one block of records, or a block a record",
    layout_names},
[KNOB_ACCESS] = {"access", "", ACCESS_FORWARD, 0, 1,
    "in order, or as if at random", access_names},
[KNOB_RECORDS] = {"records", "records", 262144, 1, 1 << 30,
    "of each thread, rounded up to a power of two; scale does not change them",
    NULL},
[KNOB_FIELDS] = {"fields", "fields", 8, 1, FIELDS_MAX,
    "of a record, 8 bytes each", NULL},
[KNOB_USED] = {"used", "fields", 2, 1, FIELDS_MAX,
    "of them, in a pass", NULL},
[KNOB_NOISE] = {"noise", "blocks", 1, 0, 64,
    "of 16 to 128 bytes behind each record's block, of layout=objects", NULL},
[KNOB_PASSES] = {"passes", "passes", 100, 0.01, 1e9,
    "over all records, at scale 1", NULL},
{.name = NULL},
};
/* clang-format on */

/* A thread's records. */
struct records {
    struct native *n;
    uint64_t count; /* a power of two */
    unsigned fields, used;
    bool is_scattered;
    /* Of soa and aos: field f of record i is at[f][i * stride]. */
    uint64_t *at[FIELDS_MAX];
    uint64_t stride;
    void *block[FIELDS_MAX]; /* of the heap */
    unsigned blocks;
    size_t block_bytes; /* of each */
    void **table; /* of objects: [count], an object of the heap; or NULL */
    struct heap_noise *noise;
};

/* The i-th of a pass; next is 0 at first. */
static uint64_t visited(const struct records *r, uint64_t i, uint64_t *next)
{
    if (!r->is_scattered)
        return i;
    *next =
        *next * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *next & (r->count - 1);
}

static uint64_t *record_field(const struct records *r, uint64_t i, unsigned f)
{
    return r->table ? (uint64_t *)r->table[i] + f : r->at[f] + i * r->stride;
}

/* What is in a field before the first pass. */
static uint64_t initial(uint64_t i, unsigned f)
{
    return (i * FIELDS_MAX + f) * UINT64_C(0x9e3779b97f4a7c15);
}

/* ---- building ---- */

static int make_blocks(struct records *r, unsigned blocks)
{
    r->block_bytes = r->count * r->fields / blocks * sizeof(uint64_t);
    for (; r->blocks < blocks; r->blocks++) {
        r->block[r->blocks] = native_leaf(r->n, r->block_bytes);
        if (!r->block[r->blocks])
            return ENOMEM;
    }
    r->stride = blocks == 1 ? r->fields : 1;
    for (unsigned f = 0; f < r->fields; f++)
        r->at[f] = blocks == 1 ? (uint64_t *)r->block[0] + f : r->block[f];
    return 0;
}

static int make_objects(struct records *r)
{
    const uint64_t noise = (uint64_t)r->n->knobs->v[KNOB_NOISE];
    struct random random;
    int err = 0;

    random_seed(&random, r->n->seed);
    r->table = native_alloc(r->n, r->count * sizeof *r->table);
    for (uint64_t i = 0; r->table && i < r->count && !err; i++) {
        void *record = native_leaf(r->n, r->fields * sizeof(uint64_t));

        if (!record)
            return ENOMEM;
        native_store(r->n, r->table, &r->table[i], record);
        err = heap_noise_add(r->n, &random, noise, NOISE_MAX, &r->noise);
    }
    return r->table ? err : ENOMEM;
}

static int build(struct records *r)
{
    const int layout = (int)r->n->knobs->v[KNOB_LAYOUT];
    int err = layout == LAYOUT_OBJECTS
                  ? make_objects(r)
                  : make_blocks(r, layout == LAYOUT_AOS ? 1 : r->fields);

    for (uint64_t i = 0; i < r->count && !err; i++)
        for (unsigned f = 0; f < r->fields; f++)
            *record_field(r, i, f) = initial(i, f);
    return err;
}

static void drop(struct records *r)
{
    if (!r->n->memory.dealloc)
        return;
    for (unsigned i = 0; i < r->blocks; i++)
        native_drop(r->n, r->block[i], r->block_bytes);
    for (uint64_t i = 0; r->table && i < r->count; i++)
        native_drop(r->n, r->table[i], r->fields * sizeof(uint64_t));
    native_drop(r->n, r->table, r->count * sizeof *r->table);
    heap_noise_drop(r->n, r->noise);
}

/* ---- use ---- */

static void pass_fields(const struct records *r)
{
    uint64_t next = 0;

    for (uint64_t i = 0; i < r->count; i++) {
        uint64_t at = visited(r, i, &next) * r->stride, sum = 0;

        for (unsigned f = 1; f < r->used; f++)
            sum += r->at[f][at];
        r->at[0][at] += sum;
    }
}

static void pass_objects(const struct records *r)
{
    uint64_t next = 0;

    for (uint64_t i = 0; i < r->count; i++) {
        uint64_t *record = r->table[visited(r, i, &next)], sum = 0;

        for (unsigned f = 1; f < r->used; f++)
            sum += record[f];
        record[0] += sum;
    }
}

static bool record_is_right(const struct records *r, uint64_t i,
                            uint64_t passes)
{
    uint64_t sum = 0;

    for (unsigned f = 1; f < r->fields; f++) {
        if (*record_field(r, i, f) != initial(i, f))
            return false;
        if (f < r->used)
            sum += initial(i, f);
    }
    return *record_field(r, i, 0) == initial(i, 0) + passes * sum;
}

static int use(const struct records *r)
{
    uint64_t passes = native_scaled(r->n, r->n->knobs->v[KNOB_PASSES]);

    native_use_begin(r->n);
    for (uint64_t i = 0; i < passes; i++)
        if (r->table)
            pass_objects(r);
        else
            pass_fields(r);
    native_use_end(r->n, passes * r->count);
    for (uint64_t i = 0; i < r->count; i++)
        if (!record_is_right(r, i, passes))
            return EBADMSG;
    return 0;
}

static int layout_run(struct native *n)
{
    const double *knob = n->knobs->v;
    struct records r = {.n = n,
                        .count = 1,
                        .fields = (unsigned)knob[KNOB_FIELDS],
                        .used = (unsigned)knob[KNOB_USED],
                        .is_scattered = knob[KNOB_ACCESS] == ACCESS_SCATTERED};

    while ((double)r.count < knob[KNOB_RECORDS])
        r.count *= 2;
    int err = build(&r);
    meeting_wait(n->shared, n->threads);
    if (!err)
        err = use(&r);
    if (err != EBADMSG)
        drop(&r);
    return err;
}

/* Shared is where threads wait for each other to have built. */
static int layout_prepare(struct native *n, void **shared)
{
    (void)n;
    *shared = calloc(1, sizeof(struct meeting));
    return *shared ? 0 : ENOMEM;
}

static int layout_check(const struct knob_values *values, char *why,
                        size_t why_size)
{
    const double *knob = values->v;

    if (knob[KNOB_USED] <= knob[KNOB_FIELDS])
        return 0;
    snprintf(why, why_size, "layout: used = %g (want at most fields = %g)",
             knob[KNOB_USED], knob[KNOB_FIELDS]);
    return EINVAL;
}

const struct workload layout_workload = {
    .name = "layout",
    .summary =
        "records by field, in an array, or each in its block (26 M uses)",
    .source = "structures of arrays against arrays of structures",
    .version = 1,
    .knobs = layout_knobs,
    .min_threads = 1,
    .max_threads = 256,
    .check = layout_check,
    .prepare = layout_prepare,
    .run = layout_run,
    .finish = native_free_shared,
};
