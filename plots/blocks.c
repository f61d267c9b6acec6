/* blocks.c - the estimates of a summary by what a reader compares.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blocks.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_same_block(const struct run_key *x, const struct run_key *y)
{
    return x->threads == y->threads && x->window == y->window &&
           x->scale == y->scale && !strcmp(x->workload, y->workload) &&
           !strcmp(x->touch, y->touch);
}

const struct estimate *block_find(const struct block *b, const char *allocator,
                                  const char *meter, const char *metric)
{
    for (size_t i = 0; i < b->estimates; i++) {
        const struct estimate *e = &b->first[i];
        if (!e->at[0] && !strcmp(e->metric, metric) &&
            !strcmp(e->key.meter, meter) &&
            !strcmp(e->key.allocator, allocator))
            return e;
    }
    return NULL;
}

bool is_meter(const char *text, const char *name)
{
    size_t n = strlen(name);
    return !strncmp(text, name, n) && (!text[n] || text[n] == ':');
}

const struct estimate *block_failure(const struct block *b,
                                     const char *allocator, const char *meter)
{
    for (size_t i = 0; i < b->estimates; i++) {
        const struct estimate *e = &b->first[i];
        if (e->failed && is_meter(e->key.meter, meter) &&
            !strcmp(e->key.allocator, allocator))
            return e;
    }
    return NULL;
}

void block_runs(const struct block *b, const char *meter, const char *metric,
                uint32_t *fewest, uint32_t *most)
{
    *fewest = *most = 0;
    for (size_t i = 0; i < b->n; i++) {
        const struct estimate *e =
            block_find(b, b->allocator[i], meter, metric);
        if (!e || !e->n)
            continue;
        if (!*fewest || e->n < *fewest)
            *fewest = e->n;
        if (e->n > *most)
            *most = e->n;
    }
}

void block_title(const struct blocks *all, const struct block *b, char *text,
                 size_t size)
{
    const struct run_key *k = b->key;
    char scale[32] = "", variant[64] = "";
    if (k->scale != 1)
        snprintf(scale, sizeof scale, ", scale %g", k->scale);
    if (all->has_variants)
        snprintf(variant, sizeof variant, ", touch %s, window %u", k->touch,
                 (unsigned)k->window);
    snprintf(text, size, "%s, %u thread%s%s%s", k->workload,
             (unsigned)k->threads, k->threads == 1 ? "" : "s", scale, variant);
}

/* What sorts the allocators of a block. */
static double sort_value(const struct block *b, const char *allocator)
{
    if (!strcmp(allocator, "null"))
        return -1;
    const struct estimate *e = block_find(b, allocator, "time", "wall_per_op");
    return e && e->n ? e->median.value : INFINITY;
}

static bool is_before(const struct block *b, const char *x, const char *y)
{
    double vx = sort_value(b, x), vy = sort_value(b, y);
    return vx < vy || (!(vx > vy) && strcmp(x, y) < 0);
}

/* Insert into the sorted names unless it is there. */
static int add_allocator(struct block *b, const char *name)
{
    for (size_t i = 0; i < b->n; i++)
        if (!strcmp(b->allocator[i], name))
            return 0;
    const char **more =
        realloc(b->allocator, (b->n + 1) * sizeof *b->allocator);
    if (!more)
        return ENOMEM;
    b->allocator = more;
    size_t i = b->n++;
    for (; i > 0 && is_before(b, name, more[i - 1]); i--)
        more[i] = more[i - 1];
    more[i] = name;
    return 0;
}

/* Copy the estimates of s that are in the block of e, wherever they stand. */
static int fill_block(const struct summary *s, const struct estimate *e,
                      struct block *b)
{
    struct estimate *own = NULL;
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += is_same_block(&e->key, &s->estimates[i].key);
    own = malloc(n * sizeof *own);
    if (!own)
        return ENOMEM;
    for (size_t i = 0; i < s->n; i++)
        if (is_same_block(&e->key, &s->estimates[i].key))
            own[b->estimates++] = s->estimates[i];
    b->first = own;
    b->key = &own[0].key;
    int err = 0;
    for (size_t i = 0; i < n && !err; i++)
        err = add_allocator(b, own[i].key.allocator);
    return err;
}

int blocks_open(const struct summary *s, struct blocks *out)
{
    *out = (struct blocks){.baseline = s->baseline};
    int err = 0;
    for (size_t i = 0; i < s->n && !err; i++) {
        const struct run_key *key = &s->estimates[i].key;
        size_t known = 0;
        while (known < out->n && !is_same_block(key, out->block[known].key))
            known++;
        if (known < out->n)
            continue;
        struct block *more =
            realloc(out->block, (out->n + 1) * sizeof *out->block);
        if (!more) {
            err = ENOMEM;
            break;
        }
        out->block = more;
        more[out->n] = (struct block){0};
        err = fill_block(s, &s->estimates[i], &more[out->n++]);
        out->has_variants |= strcmp(key->touch, more[0].key->touch) != 0 ||
                             key->window != more[0].key->window;
    }
    if (err)
        blocks_close(out);
    return err;
}

void blocks_close(struct blocks *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free((void *)b->block[i].first);
        free(b->block[i].allocator);
    }
    free(b->block);
    *b = (struct blocks){0};
}

enum verdict verdict_of(const struct estimate *e)
{
    if (!e || !e->n || !e->pairs)
        return VERDICT_NONE;
    if (e->pairs < STAT_FEW)
        return VERDICT_FEW;
    if (e->ratio.hi < 1)
        return VERDICT_LESS;
    return e->ratio.lo > 1 ? VERDICT_MORE : VERDICT_SAME;
}

int decimals_short(double v)
{
    double size = fabs(v);
    return size == 0         ? 0
           : size >= 99.95   ? 0
           : size >= 9.995   ? 1
           : size >= 0.9995  ? 2
           : size >= 0.09995 ? 3
                             : 4;
}

int decimals_ratio(double v)
{
    if (v > 0.985 && v < 1.015 && v != 1)
        return 3; /* "less: 1.00x" would contradict itself */
    return v >= 99.95 ? 0 : v >= 9.995 ? 1 : v >= 0.00995 ? 2 : 4;
}

void format_bytes(double v, char *text, size_t size)
{
    static const char *const suffix[] = {"", "K", "M", "G", "T"};
    int i = 0;
    while (fabs(v) >= 1000 && i < 4) {
        v /= 1024;
        i++;
    }
    int decimals = i > 0 && v < 9.95 && v != floor(v);
    snprintf(text, size, "%.*f%s", decimals, v, suffix[i]);
}

struct scale scale_for_time(double most_ns)
{
    return most_ns >= 1e10  ? (struct scale){"s", 1e9}
           : most_ns >= 1e7 ? (struct scale){"ms", 1e6}
           : most_ns >= 1e4 ? (struct scale){"us", 1e3}
                            : (struct scale){"ns", 1};
}

struct scale scale_for_bytes(double most)
{
    return most >= 2.0 * (1 << 30)   ? (struct scale){"GiB", 1 << 30}
           : most >= 2.0 * (1 << 20) ? (struct scale){"MiB", 1 << 20}
           : most >= 2.0 * (1 << 10) ? (struct scale){"KiB", 1 << 10}
                                     : (struct scale){"B", 1};
}
