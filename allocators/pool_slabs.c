/* pool_slabs.c - the pool's slabs, and the objects that are in no magazine.
 *
 *   slab   | header | a bit an object | object | object | ...   256 KiB
 *
 * Objects are cut off in order and constructed.  One that comes back out of a
 * magazine is idle in its slab: it stays constructed, and its bit is set.
 * Slabs are on a list by what can be taken: some, all, none of their objects.
 * Of those with some, the one that was last found without any is used first,
 * as it is the fullest, so that the others may become idle as a whole.
 *
 * Invariant: idle = number of bits set <= constructed <= capacity; the list
 *            is the one of pool_list_of().  (hy_pool_check() proves it.)
 *
 * Source: J. Bonwick, "The Slab Allocator: An Object-Caching Kernel Memory
 * Allocator", USENIX Summer 1994, section 3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pool_parts.h"

#include <errno.h>

enum {
    COMMIT_BYTES = 64 << 10, /* of a slab at a time */
    BATCH_BYTES = 16 << 10   /* of objects at a time, about */
};

/* ---- the layout ---- */

static size_t first_of(size_t objects, size_t align)
{
    const size_t bits = (objects + 63) / 64 * sizeof(uint64_t);

    return (sizeof(struct hy_pool_slab) + bits + align - 1) & ~(align - 1);
}

int pool_lay_out(struct hy_pool *pool)
{
    const size_t align = pool->config.align ? pool->config.align : 16;

    if (pool->config.size == 0 || pool->config.size > HY_POOL_SLAB_BYTES ||
        (align & (align - 1)) || align > HY_POOL_SLAB_BYTES / 2)
        return EINVAL;
    const size_t stride = (pool->config.size + align - 1) & ~(align - 1);
    size_t n = HY_POOL_SLAB_BYTES / stride;
    while (n && first_of(n, align) + n * stride > HY_POOL_SLAB_BYTES)
        n--;
    if (n == 0)
        return EINVAL;
    pool->stride = stride;
    pool->first = first_of(n, align);
    pool->per_slab = (uint32_t)n;
    pool->batch = (uint32_t)(BATCH_BYTES / stride);
    if (pool->batch == 0)
        pool->batch = 1;
    return 0;
}

void *pool_object(struct hy_pool *pool, struct hy_pool_slab *slab, uint32_t i)
{
    return (char *)slab + pool->first + i * pool->stride;
}

static uint32_t number_of(struct hy_pool *pool, struct hy_pool_slab *slab,
                          const void *object)
{
    const size_t at = (size_t)((const char *)object - (const char *)slab);

    /* 32 bits are enough, and quicker to divide. */
    return (uint32_t)(at - pool->first) / (uint32_t)pool->stride;
}

static uint64_t *bits_of(struct hy_pool_slab *slab)
{
    return (uint64_t *)(slab + 1);
}

bool pool_is_idle(struct hy_pool_slab *slab, uint32_t i)
{
    return bits_of(slab)[i / 64] >> i % 64 & 1;
}

/* ---- the lists ---- */

enum pool_slab_list pool_list_of(const struct hy_pool_slab *slab)
{
    if (slab->idle == slab->constructed)
        return POOL_SLAB_IDLE;
    return slab->idle || slab->constructed < slab->capacity ? POOL_SLAB_PARTIAL
                                                            : POOL_SLAB_USED;
}

static void link_slab(struct hy_pool *pool, struct hy_pool_slab *slab)
{
    const enum pool_slab_list list = pool_list_of(slab);

    slab->list = (uint16_t)list;
    slab->is_stale = 0;
    slab->prev = NULL;
    slab->next = pool->slabs[list];
    if (slab->next)
        slab->next->prev = slab;
    pool->slabs[list] = slab;
}

static void unlink_slab(struct hy_pool *pool, struct hy_pool_slab *slab)
{
    if (slab->prev)
        slab->prev->next = slab->next;
    else
        pool->slabs[slab->list] = slab->next;
    if (slab->next)
        slab->next->prev = slab->prev;
}

/* After its counts changed. */
static void move_slab(struct hy_pool *pool, struct hy_pool_slab *slab)
{
    if (slab->list == pool_list_of(slab))
        return;
    unlink_slab(pool, slab);
    link_slab(pool, slab);
}

/* ---- slabs come and go ---- */

static struct hy_pool_slab *add_slab(struct hy_pool *pool)
{
    const size_t least = pool->first + pool->stride;
    const size_t bytes =
        pool_least(HY_POOL_SLAB_BYTES,
                   os_pages_round(least > COMMIT_BYTES ? least : COMMIT_BYTES));

    if (pool->slots > UINT32_MAX - pool->per_slab ||
        pool_provide(pool, pool->slots + pool->per_slab, pool->attached))
        return NULL;
    struct hy_pool_slab *const slab =
        os_pages_reserve(HY_POOL_SLAB_BYTES, HY_POOL_SLAB_BYTES);
    if (!slab)
        return NULL;
    if (os_pages_commit(&pool->account, slab, bytes)) {
        (void)os_pages_release(&pool->account, slab, HY_POOL_SLAB_BYTES, 0);
        return NULL;
    }
    slab->pool = pool;
    slab->tag = pool->config.tag;
    slab->capacity = pool->per_slab;
    slab->committed = (uint32_t)bytes;
    pool->slots += pool->per_slab;
    link_slab(pool, slab);
    return slab;
}

static void free_slab(struct hy_pool *pool, struct hy_pool_slab *slab)
{
    for (uint32_t i = 0; pool->config.destroy && i < slab->constructed; i++)
        pool->config.destroy(pool_object(pool, slab, i), pool->config.arg);
    unlink_slab(pool, slab);
    pool->slots -= slab->capacity;
    pool->objects -= slab->constructed;
    pool->idle -= slab->idle;
    (void)os_pages_release(&pool->account, slab, HY_POOL_SLAB_BYTES,
                           slab->committed);
}

void pool_free_slabs(struct hy_pool *pool, bool all)
{
    for (struct hy_pool_slab *s = pool->slabs[POOL_SLAB_IDLE], *next; s;
         s = next) {
        next = s->next;
        if (all || s->is_stale) {
            free_slab(pool, s);
            pool->slabs_freed++;
        } else {
            s->is_stale = 1;
        }
    }
}

void pool_close_slabs(struct hy_pool *pool)
{
    for (unsigned list = 0; list < POOL_SLAB_LISTS; list++)
        while (pool->slabs[list])
            free_slab(pool, pool->slabs[list]);
}

/* ---- objects ---- */

/* Have memory for the slab's first `end` bytes. */
static int commit_slab(struct hy_pool *pool, struct hy_pool_slab *slab,
                       size_t end)
{
    if (end <= slab->committed)
        return 0;
    const size_t step = (size_t)slab->committed + COMMIT_BYTES;
    const size_t want =
        pool_least(HY_POOL_SLAB_BYTES, os_pages_round(end > step ? end : step));
    if (os_pages_commit(&pool->account, (char *)slab + slab->committed,
                        want - slab->committed))
        return ENOMEM;
    slab->committed = (uint32_t)want;
    return 0;
}

/* Up to n new objects of a slab that has room, constructed; an end of the
 * memory or a refusal ends it, and *err says which. */
static uint32_t cut(struct hy_pool *pool, struct hy_pool_slab *slab,
                    void *out[], uint32_t n, int *err)
{
    char *object = pool_object(pool, slab, slab->constructed);
    uint32_t made = 0;

    n = (uint32_t)pool_least(n, slab->capacity - slab->constructed);
    for (; made < n; made++, object += pool->stride) {
        const size_t end = (size_t)(object - (char *)slab) + pool->stride;
        *err = commit_slab(pool, slab, end);
        if (!*err && pool->config.construct)
            *err = pool->config.construct(object, pool->config.arg);
        if (*err)
            break;
        out[made] = object;
    }
    slab->constructed += made;
    pool->objects += made;
    return made;
}

/* Up to n idle objects of a slab that has some, the lowest first. */
static uint32_t take_idle(struct hy_pool *pool, struct hy_pool_slab *slab,
                          void *out[], uint32_t n)
{
    uint64_t *const bits = bits_of(slab);
    uint32_t taken = 0;

    if (n > slab->idle)
        n = slab->idle;
    while (taken < n) {
        uint64_t *const word = &bits[slab->first_word];
        char *const base = pool_object(pool, slab, slab->first_word * 64);
        for (; *word && taken < n; *word &= *word - 1)
            out[taken++] = base + (size_t)__builtin_ctzll(*word) * pool->stride;
        if (*word == 0)
            slab->first_word++;
    }
    slab->idle -= taken;
    pool->idle -= taken;
    return taken;
}

/* Where to take from. */
static struct hy_pool_slab *find_slab(struct hy_pool *pool)
{
    if (pool->slabs[POOL_SLAB_PARTIAL])
        return pool->slabs[POOL_SLAB_PARTIAL];
    return pool->slabs[POOL_SLAB_IDLE] ? pool->slabs[POOL_SLAB_IDLE]
                                       : add_slab(pool);
}

uint32_t pool_take_objects(struct hy_pool *pool, void *out[], uint32_t n,
                           int *err)
{
    uint32_t taken = 0;

    *err = 0;
    while (taken < n && !*err) {
        struct hy_pool_slab *const slab = find_slab(pool);
        if (!slab) {
            *err = ENOMEM;
            break;
        }
        taken += slab->idle ? take_idle(pool, slab, out + taken, n - taken)
                            : cut(pool, slab, out + taken, n - taken, err);
        move_slab(pool, slab);
    }
    return taken;
}

void pool_return_object(struct hy_pool *pool, void *object)
{
    struct hy_pool_slab *const slab = hy_pool_slab_of(object);
    const uint32_t i = number_of(pool, slab, object);

    bits_of(slab)[i / 64] |= (uint64_t)1 << i % 64;
    if (i / 64 < slab->first_word)
        slab->first_word = i / 64;
    slab->idle++;
    pool->idle++;
    move_slab(pool, slab);
}

struct hy_pool_slab *pool_find_slab(struct hy_pool *pool, const void *p)
{
    struct hy_pool_slab *const slab = hy_pool_slab_of(p);

    for (unsigned list = 0; list < POOL_SLAB_LISTS; list++)
        for (struct hy_pool_slab *s = pool->slabs[list]; s; s = s->next)
            if (s == slab)
                return s;
    return NULL;
}

const char *pool_object_fault(struct hy_pool *pool, const void *object)
{
    struct hy_pool_slab *const slab = pool_find_slab(pool, object);

    if (!slab)
        return "not an object of this pool";
    const size_t at = (size_t)((const char *)object - (const char *)slab);
    if (at < pool->first || (at - pool->first) % pool->stride)
        return "not the start of an object";
    const uint32_t i = number_of(pool, slab, object);
    if (i >= slab->constructed)
        return "an object that was never handed out";
    return pool_is_idle(slab, i) ? "put twice" : NULL;
}
