/* gc_arms.c - what a study of collectors compares: each at several heaps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gc_arms.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "columns.h"

/* Memory of these is freed: bounds of what a collector can reach. */
static const char *const freed[] = {"system", "slab", "arena"};

/* ---- collectors ---- */

static const struct knob *find_limit(const struct allocator *a)
{
    for (const struct knob *k = a->knobs; k && k->name; k++)
        if (!strcmp(k->name, "limit"))
            return k;
    return NULL;
}

int gc_collector_check(const char *text, uint64_t *least, char *why,
                       size_t why_size)
{
    const struct allocator *a;
    struct knob_values values;
    int err = allocator_choose(text, &a, &values, why, why_size);

    if (err == ENOENT)
        snprintf(why, why_size,
                 "%.80s is no collector of ours (want one of `heapyard list "
                 "allocators`)",
                 text);
    if (err)
        return err;
    const struct knob *limit = find_limit(a);

    if (!a->collection)
        snprintf(why, why_size,
                 "%.80s does not collect (want collectors: memory that is "
                 "freed is always shown beside them)",
                 text);
    else if (!limit)
        snprintf(why, why_size,
                 "%.80s has no knob limit: its heap cannot be "
                 "bounded",
                 text);
    else if (strstr(text, ":limit="))
        snprintf(why, why_size,
                 "%.80s sets limit, which the study does (leave it out)", text);
    else
        *least = (uint64_t)(limit->min > 0 ? limit->min : 1);
    return a->collection && limit && !strstr(text, ":limit=") ? 0 : EINVAL;
}

int gc_collector_limit(const char *text, uint64_t limit,
                       char out[SPEC_NAME_MAX])
{
    int n = snprintf(out, SPEC_NAME_MAX, "%s:limit=%llu", text,
                     (unsigned long long)limit);

    return n < SPEC_NAME_MAX ? 0 : ENAMETOOLONG;
}

/* ---- arms ---- */

static struct gc_arm *add(struct gc_arms *arms, const char *collector)
{
    if (arms->n == GC_ARMS_MAX)
        return NULL;
    struct gc_arm *arm = &arms->arm[arms->n++];

    *arm = (struct gc_arm){
        .factor = NAN, .limit = NAN, .min_heap = NAN, .too_small = NAN};
    snprintf(arm->collector, sizeof arm->collector, "%s", collector);
    return arm;
}

int gc_arms_add(struct gc_arms *arms, const char *collector,
                const struct min_heap *m, const double factor[],
                size_t nfactors)
{
    int err = 0;

    for (size_t i = 0; i <= nfactors && !err; i++) {
        struct gc_arm *arm = add(arms, collector);

        if (!arm)
            return ENOSPC;
        arm->min_heap = (double)m->fits;
        arm->too_small = (double)m->too_small;
        snprintf(arm->allocator, sizeof arm->allocator, "%s", collector);
        if (i == nfactors)
            continue; /* the last has no limit */
        double grains = ceil(factor[i] * arm->min_heap / MIN_HEAP_GRAIN);

        arm->factor = factor[i];
        arm->limit = grains * MIN_HEAP_GRAIN;
        err =
            gc_collector_limit(collector, (uint64_t)arm->limit, arm->allocator);
    }
    return err;
}

int gc_arms_add_freed(struct gc_arms *arms)
{
    for (size_t i = 0; i < sizeof freed / sizeof *freed; i++) {
        struct gc_arm *arm = add(arms, "");

        if (!arm)
            return ENOSPC;
        snprintf(arm->allocator, sizeof arm->allocator, "%s", freed[i]);
    }
    return 0;
}

/* ---- the file ---- */

#define FIELD(member, type) COLUMN(struct gc_arm, member, type, 0, NULL)

static const struct column columns[] = {
    FIELD(allocator, COLUMN_TEXT), FIELD(collector, COLUMN_TEXT),
    FIELD(factor, COLUMN_MAYBE),   FIELD(limit, COLUMN_MAYBE),
    FIELD(min_heap, COLUMN_MAYBE), FIELD(too_small, COLUMN_MAYBE),
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void path_of(const char *folder, char path[4200])
{
    snprintf(path, 4200, "%.4000s/arms.csv", folder);
}

int gc_arms_write(const struct gc_arms *arms, const char *folder, char *why,
                  size_t why_size)
{
    char path[4200];

    path_of(folder, path);
    FILE *f = fopen(path, "w");
    int err = f ? table_write_header(f, columns, COLUMNS) : errno;

    for (size_t i = 0; i < arms->n && !err; i++)
        err = table_write(f, columns, COLUMNS, &arms->arm[i]);
    if (f && fclose(f) && !err)
        err = errno;
    if (err)
        snprintf(why, why_size, "%.400s: %s", path, strerror(err));
    return err;
}

int gc_arms_read(struct gc_arms *arms, const char *folder, char *why,
                 size_t why_size)
{
    struct table_reader *reader;
    char path[4200];
    int err;

    path_of(folder, path);
    snprintf(why, why_size, "%.400s: cannot be read", path);
    arms->n = 0;
    err = table_open(path, columns, COLUMNS, &reader, why, why_size);
    if (err)
        return err;
    do {
        struct gc_arm *arm = &arms->arm[arms->n];

        err = arms->n < GC_ARMS_MAX ? table_next(reader, arm, why, why_size)
                                    : EBADMSG;
        arms->n += !err;
    } while (!err);
    table_close(reader);
    return err == ENOENT ? 0 : err;
}
