/* test_pool.c - object pools, and the backend made of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "allocator.h"
#include "forked.h"
#include "pool.h"
#include "random.h"
#include "walk_check.h"

extern const struct allocator pool_allocator;
static const struct allocator *const backend = &pool_allocator;

/* ---- the pool ---- */

enum { MADE = 0x600d };

struct thing {
    uint64_t made;  /* MADE while constructed */
    uint64_t owner; /* 0: idle */
    char rest[24];
};

static size_t constructed, destroyed, refuse_after = SIZE_MAX;

static int construct(void *object, void *arg)
{
    struct thing *thing = object;
    if (constructed >= refuse_after)
        return EAGAIN;
    cr_assert_eq(arg, &constructed);
    cr_assert_neq(thing->made, MADE, "constructed twice");
    thing->made = MADE;
    thing->owner = 0;
    constructed++;
    return 0;
}

static void destroy(void *object, void *arg)
{
    struct thing *thing = object;
    (void)arg;
    cr_assert_eq(thing->made, MADE, "destroyed twice, or never made");
    thing->made = 0;
    destroyed++;
}

/* Reaps only when asked, unless config says otherwise. */
static struct hy_pool *open_with(struct hy_pool_config config)
{
    struct hy_pool *pool = NULL;
    config.construct = construct;
    config.destroy = destroy;
    config.arg = &constructed;
    if (config.period_ms == 0)
        config.period_ms = HY_POOL_NEVER;
    constructed = destroyed = 0;
    refuse_after = SIZE_MAX;
    cr_assert_eq(hy_pool_open(&config, &pool), 0);
    return pool;
}

static struct hy_pool *open_pool(size_t size, size_t align)
{
    return open_with((struct hy_pool_config){.size = size, .align = align});
}

static struct hy_pool_metrics check_pool(struct hy_pool *pool, size_t live)
{
    struct hy_pool_metrics m;
    const char *fault = hy_pool_check(pool);
    cr_assert_null(fault, "%s", fault);
    hy_pool_measure(pool, &m);
    cr_assert_eq(m.live, live, "%zu live, want %zu", m.live, live);
    cr_assert_eq(m.objects, constructed - destroyed);
    cr_assert_geq(m.mapped_bytes, m.idle_bytes);
    return m;
}

Test(pool, opens_only_what_fits_a_slab)
{
    static const struct hy_pool_config bad[] = {
        {.size = 0},
        {.size = HY_POOL_SLAB_BYTES},
        {.size = SIZE_MAX},
        {.size = 16, .align = 24},
        {.size = 16, .align = HY_POOL_SLAB_BYTES},
        {.size = 200000, .align = 131072},
    };
    struct hy_pool *pool;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(hy_pool_open(&bad[i], &pool), EINVAL, "%zu", i);
    hy_pool_close(NULL);
}

Test(pool, objects_are_aligned_and_apart)
{
    for (size_t size = 1; size <= 120000; size = size * 3 + 1) {
        for (size_t align = 1; align <= 65536; align *= 4) {
            const struct hy_pool_config config = {.size = size, .align = align};
            struct hy_pool *pool;
            struct hy_pool_cache cache;
            unsigned char *p[200];
            cr_assert_eq(hy_pool_open(&config, &pool), 0);
            cr_assert_eq(hy_pool_attach(pool, &cache), 0);
            const unsigned n = size > 1000 ? 10 : 200;
            for (unsigned i = 0; i < n; i++) {
                p[i] = hy_pool_get(&cache);
                cr_assert_not_null(p[i]);
                cr_assert_eq((uintptr_t)p[i] % align, 0);
                cr_assert_eq(hy_pool_slab_of(p[i])->pool, pool);
                cr_assert_eq(hy_pool_slab_of(p[i] + size - 1)->pool, pool);
                memset(p[i], (int)i, size);
            }
            for (unsigned i = 0; i < n; i++) {
                cr_assert_eq(p[i][0], i);
                cr_assert_eq(p[i][size - 1], i);
            }
            cr_assert_null(hy_pool_check(pool));
            hy_pool_close(pool);
        }
    }
}

Test(pool, the_last_object_put_is_the_next_one_got)
{
    struct hy_pool *pool = open_pool(sizeof(struct thing), 0);
    struct hy_pool_cache cache;
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    void *a = hy_pool_get(&cache), *b = hy_pool_get(&cache);
    hy_pool_put(&cache, a);
    hy_pool_put(&cache, b);
    cr_assert_eq(hy_pool_get(&cache), b);
    cr_assert_eq(hy_pool_get(&cache), a);
    struct hy_pool_metrics m = check_pool(pool, 2);
    cr_assert_eq(m.fresh, 1);
    cr_assert_eq(m.loaded_hits, 3);
    cr_assert_eq(m.previous_hits + m.depot_hits, 0);
    hy_pool_close(pool);
    cr_assert_eq(destroyed, constructed);
}

/* Far more than two magazines hold, so that both stacks are used. */
Test(pool, overflow_goes_through_the_depot_and_comes_back)
{
    enum { MANY = 100000 };
    static struct thing *held[MANY];
    struct hy_pool *pool = open_pool(sizeof(struct thing), 0);
    struct hy_pool_cache cache;
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    size_t made = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++) {
            held[i] = hy_pool_get(&cache);
            cr_assert_eq(held[i]->made, MADE);
            cr_assert_eq(held[i]->owner, 0, "handed out twice");
            held[i]->owner = 1;
        }
        check_pool(pool, MANY);
        for (size_t i = 0; i < MANY; i++) {
            held[i]->owner = 0;
            hy_pool_put(&cache, held[i]);
        }
        struct hy_pool_metrics m = check_pool(pool, 0);
        cr_assert_eq(m.idle_bytes, constructed * sizeof(struct thing));
        cr_assert_eq(m.loaded_hits + m.previous_hits + m.depot_hits + m.fresh,
                     (uint64_t)MANY * (round + 1));
        cr_assert(round == 0 || m.depot_hits >= MANY / HY_POOL_ROUNDS / 2);
        cr_assert(round == 0 || m.objects == made, "made more in round %u",
                  round);
        made = m.objects;
    }
    hy_pool_detach(&cache);
    check_pool(pool, 0);
    hy_pool_close(pool);
    cr_assert_eq(destroyed, constructed);
}

Test(pool, a_constructor_may_refuse)
{
    struct hy_pool *pool = open_pool(sizeof(struct thing), 0);
    struct hy_pool_cache cache;
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    refuse_after = 70;
    for (unsigned i = 0; i < 70; i++)
        cr_assert_not_null(hy_pool_get(&cache));
    errno = 0;
    cr_assert_null(hy_pool_get(&cache));
    cr_assert_eq(errno, EAGAIN);
    check_pool(pool, 70);
    refuse_after = SIZE_MAX;
    cr_assert_not_null(hy_pool_get(&cache));
    check_pool(pool, 71);
    hy_pool_close(pool);
    cr_assert_eq(destroyed, constructed);
}

static void *wait_for_lock(void *arg)
{
    (void)hy_pool_owns(arg, NULL);
    return NULL;
}

/* Threads that have to wait for the lock are contention. */
static void contend(struct hy_pool *pool)
{
    enum { WAITERS = HY_POOL_CONTENDED + 4 };
    pthread_t thread[WAITERS];
    struct hy_pool_metrics before, after;
    hy_pool_measure(pool, &before);
    do {
        hy_pool_lock(pool);
        for (unsigned i = 0; i < WAITERS; i++)
            cr_assert_eq(pthread_create(&thread[i], NULL, wait_for_lock, pool),
                         0);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        hy_pool_unlock(pool);
        for (unsigned i = 0; i < WAITERS; i++)
            pthread_join(thread[i], NULL);
        hy_pool_measure(pool, &after);
    } while (after.contention - before.contention < HY_POOL_CONTENDED);
}

static void grow_magazines(struct hy_pool *pool, struct random *r)
{
    if (random_below(r, 8))
        return;
    contend(pool);
    hy_pool_reap(pool);
}

Test(pool, contention_doubles_the_magazines_up_to_the_maximum)
{
    enum { MANY = 4000 };
    static void *held[MANY];
    struct hy_pool *pool = open_with(
        (struct hy_pool_config){.size = 48, .magazine = 5, .magazine_max = 17});
    struct hy_pool_cache cache;
    static const uint32_t sizes[] = {5, 10, 17, 17};
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (unsigned i = 0; i < MANY; i++)
            held[i] = hy_pool_get(&cache);
        struct hy_pool_metrics m = check_pool(pool, MANY);
        cr_assert_eq(m.magazine, sizes[k], "%u", m.magazine);
        cr_assert_eq(m.resizes, k < 3 ? k : 2);
        for (unsigned i = 0; i < MANY; i++)
            hy_pool_put(&cache, held[i]);
        contend(pool);
        hy_pool_reap(pool);
        check_pool(pool, 0);
    }
    hy_pool_reap(pool); /* without contention: no change */
    cr_assert_eq(check_pool(pool, 0).magazine, 17);
    hy_pool_close(pool);
}

/* Contended for, but there is no memory for larger ones: all goes on as it
 * was, and the next time it may be had. */
static void grow_short(void *arg, int fd)
{
    struct hy_pool *pool = open_with((struct hy_pool_config){
        .size = 48, .magazine = 400, .magazine_max = 800});
    struct rlimit old, none;
    struct hy_pool_metrics m;
    (void)arg;
    contend(pool);
    getrlimit(RLIMIT_AS, &old);
    none = old;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_AS, &none);
    hy_pool_reap(pool);
    hy_pool_measure(pool, &m);
    setrlimit(RLIMIT_AS, &old);
    const char *fault = hy_pool_check(pool);
    dprintf(fd, "%u %s, ", m.magazine, fault ? fault : "holds");
    contend(pool);
    hy_pool_reap(pool);
    hy_pool_measure(pool, &m);
    fault = hy_pool_check(pool);
    dprintf(fd, "%u %s", m.magazine, fault ? fault : "holds");
}

Test(pool, without_memory_magazines_do_not_grow)
{
    char said[200];
    cr_assert_eq(run_forked(grow_short, NULL, said, sizeof said), 0, "%s",
                 said);
    cr_assert_str_eq(said, "400 holds, 800 holds");
}

/* ---- what goes back ---- */

enum { SPIKE = 50000 };
static struct thing *spike[SPIKE];

static void get_many(struct hy_pool_cache *cache, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        spike[i] = hy_pool_get(cache);
        cr_assert_eq(spike[i]->made, MADE);
    }
}

static void put_many(struct hy_pool_cache *cache, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        hy_pool_put(cache, spike[i]);
}

/* First a period in which the magazines lay there, then one in which the slabs
 * were idle. */
Test(pool, a_spike_goes_back_after_two_periods_of_quiet)
{
    struct hy_pool *pool = open_pool(sizeof(struct thing), 0);
    struct hy_pool_cache cache;
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    get_many(&cache, SPIKE);
    put_many(&cache, SPIKE);
    hy_pool_reap(pool); /* ends the period of the spike */
    struct hy_pool_metrics high = check_pool(pool, 0);
    cr_assert_eq(high.reaped, 0);
    hy_pool_reap(pool);
    struct hy_pool_metrics m = check_pool(pool, 0);
    cr_assert_geq(m.reaped, SPIKE - 3 * HY_POOL_ROUNDS);
    cr_assert_eq(m.slab_idle_bytes, m.reaped * sizeof(struct thing));
    cr_assert_eq(m.slabs_freed, 0);
    hy_pool_reap(pool);
    m = check_pool(pool, 0);
    cr_assert_gt(m.slabs_freed, 5);
    cr_assert_lt(m.mapped_bytes, high.mapped_bytes / 2);
    cr_assert_eq(destroyed, SPIKE - m.objects + (constructed - SPIKE));
    get_many(&cache, SPIKE);
    check_pool(pool, SPIKE);
    hy_pool_close(pool);
    cr_assert_eq(destroyed, constructed);
}

/* What is used in every period stays in magazines; what was beyond it goes. */
Test(pool, the_working_set_stays_in_the_depot)
{
    enum { WORKING = 5000 };
    struct hy_pool *pool = open_pool(sizeof(struct thing), 0);
    struct hy_pool_cache cache;
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    get_many(&cache, SPIKE);
    put_many(&cache, SPIKE);
    hy_pool_reap(pool);
    uint64_t fresh = check_pool(pool, 0).fresh;
    for (unsigned period = 0; period < 4; period++) {
        get_many(&cache, WORKING);
        put_many(&cache, WORKING);
        hy_pool_reap(pool);
        struct hy_pool_metrics m = check_pool(pool, 0);
        cr_assert_eq(m.fresh, fresh, "the working set was reaped");
        cr_assert_leq(m.reaped, SPIKE - WORKING + 2 * HY_POOL_ROUNDS);
        cr_assert_geq(m.reaped, SPIKE - WORKING - 4 * HY_POOL_ROUNDS);
    }
    cr_assert_gt(destroyed, SPIKE / 2);
    hy_pool_close(pool);
}

Test(pool, trimming_gives_back_all_but_what_caches_hold)
{
    struct hy_pool *pool = open_pool(sizeof(struct thing), 0);
    struct hy_pool_cache cache;
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    cr_assert_eq(hy_pool_trim(pool), 0);
    get_many(&cache, SPIKE);
    void *kept = spike[SPIKE - 1];
    put_many(&cache, SPIKE - 1);
    struct hy_pool_metrics before = check_pool(pool, 1);
    const size_t given = hy_pool_trim(pool);
    struct hy_pool_metrics after = check_pool(pool, 1);
    cr_assert_eq(before.mapped_bytes - after.mapped_bytes, given);
    cr_assert_geq(given, (SPIKE - 1) * sizeof(struct thing) / 2);
    hy_pool_put(&cache, kept);
    hy_pool_detach(&cache);
    hy_pool_trim(pool);
    after = check_pool(pool, 0);
    cr_assert_eq(after.objects, 0);
    cr_assert_eq(destroyed, constructed);
    hy_pool_close(pool);
}

Test(pool, keeps_its_slabs_if_asked_to)
{
    struct hy_pool *pool = open_with((struct hy_pool_config){
        .size = sizeof(struct thing), .keep_slabs = true});
    struct hy_pool_cache cache;
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    get_many(&cache, SPIKE);
    put_many(&cache, SPIKE);
    for (unsigned i = 0; i < 5; i++)
        hy_pool_reap(pool);
    cr_assert_eq(check_pool(pool, 0).slabs_freed, 0);
    cr_assert_gt(hy_pool_trim(pool), 0);
    hy_pool_close(pool);
}

/* By its own clock: some use goes on, the spike does not. */
Test(pool, reaps_by_the_clock, .timeout = 30)
{
    struct hy_pool *pool = open_with(
        (struct hy_pool_config){.size = sizeof(struct thing), .period_ms = 10});
    struct hy_pool_cache cache;
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    get_many(&cache, SPIKE);
    put_many(&cache, SPIKE);
    while (check_pool(pool, 0).mapped_bytes > 1 << 20) {
        get_many(&cache, 400);
        put_many(&cache, 400);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    cr_assert_gt(destroyed, SPIKE / 2);
    hy_pool_close(pool);
}

/* One cache fills magazines that another one gets from the depot. */
Test(pool, steals_are_depot_hits_on_what_others_filled)
{
    struct hy_pool *pool = open_pool(sizeof(struct thing), 0);
    struct hy_pool_cache one, two;
    cr_assert_eq(hy_pool_attach(pool, &one), 0);
    cr_assert_eq(hy_pool_attach(pool, &two), 0);
    get_many(&one, 1000);
    put_many(&one, 1000);
    get_many(&one, 1000);
    cr_assert_eq(check_pool(pool, 1000).steals, 0);
    put_many(&one, 1000);
    get_many(&two, 640);
    struct hy_pool_metrics m = check_pool(pool, 640);
    cr_assert_eq(m.steals, 10);
    hy_pool_close(pool);
}

/* ---- debug ---- */

static const char *found;
static const void *found_object;

static void note_fault(const char *what, const void *object, void *arg)
{
    cr_assert_eq(arg, &constructed);
    found = what;
    found_object = object;
}

static const char *put_and_see(struct hy_pool_cache *cache, void *object)
{
    found = NULL;
    hy_pool_put(cache, object);
    cr_assert(!found || found_object == object);
    return found ? found : "nothing";
}

Test(pool, debug_finds_what_may_not_be_put)
{
    struct hy_pool *pool = open_with((struct hy_pool_config){
        .size = sizeof(struct thing), .debug = true, .fault = note_fault});
    struct hy_pool *other = NULL;
    struct hy_pool_cache cache, others;
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    cr_assert_eq(hy_pool_open(&(struct hy_pool_config){.size = 48}, &other), 0);
    cr_assert_eq(hy_pool_attach(other, &others), 0);
    char *a = hy_pool_get(&cache), *b = hy_pool_get(&cache);
    int here;
    cr_assert_str_eq(put_and_see(&cache, a), "nothing");
    cr_assert_str_eq(put_and_see(&cache, a), "put twice");
    cr_assert_str_eq(put_and_see(&cache, b + 8), "not the start of an object");
    cr_assert_str_eq(put_and_see(&cache, b + (b - a) * 9),
                     "an object that was never handed out");
    cr_assert_str_eq(put_and_see(&cache, &here), "not an object of this pool");
    cr_assert_str_eq(put_and_see(&cache, NULL), "not an object of this pool");
    cr_assert_str_eq(put_and_see(&cache, hy_pool_get(&others)),
                     "not an object of this pool");
    check_pool(pool, 1);
    cr_assert_str_eq(put_and_see(&cache, b), "nothing");
    cr_assert_eq(check_pool(pool, 0).loaded_hits, 0);
    hy_pool_detach(&cache);
    hy_pool_close(other);
    hy_pool_close(pool);
}

/* ---- no memory ---- */

/* In a child, as the limit holds for the process. */
static void run_short(void *arg, int fd)
{
    struct hy_pool *pool = NULL;
    struct hy_pool_cache cache, second;
    struct rlimit limit, old;
    const struct hy_pool_config config = {.size = 100};
    void **p, **last = NULL;
    size_t n = 0;
    (void)arg;
    if (hy_pool_open(&config, &pool) || hy_pool_attach(pool, &cache) ||
        getrlimit(RLIMIT_AS, &old))
        _exit(10);
    for (unsigned i = 0; i < 5000; i++)
        if (!hy_pool_get(&cache))
            _exit(12);
    limit = old;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_AS, &limit);
    errno = 0;
    while ((p = hy_pool_get(&cache))) {
        *p = last;
        last = p;
        n++;
    }
    const int err = errno;
    const int second_err = hy_pool_attach(pool, &second);
    if (n == 0)
        _exit(13);
    hy_pool_put(&cache, last);
    setrlimit(RLIMIT_AS, &old);
    const char *fault = hy_pool_check(pool);
    dprintf(fd, "%s, %d, %s", strerror(err), second_err,
            fault ? fault : "holds");
    if (!hy_pool_get(&cache) || !hy_pool_get(&cache))
        _exit(11);
    hy_pool_close(pool);
}

Test(pool, without_memory_a_get_fails_and_all_else_holds)
{
    char said[200];
    cr_assert_eq(run_forked(run_short, NULL, said, sizeof said), 0, "%s", said);
    cr_assert_str_eq(said, "Cannot allocate memory, 0, holds");
}

static void give_back_at_random(struct hy_pool *pool, struct random *r)
{
    if (random_below(r, 3000) == 0)
        hy_pool_reap(pool);
    if (random_below(r, 20000) == 0)
        hy_pool_trim(pool);
}

/* Several caches in one thread, attached and detached at random. */
Test(pool, holds_its_invariant_under_random_use)
{
    enum { CACHES = 5, SLOTS = 3000, STEPS = 200000 };
    static struct thing *held[SLOTS];
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct random r;
        struct hy_pool_cache cache[CACHES] = {{0}};
        struct hy_pool *pool = open_with(
            (struct hy_pool_config){.size = sizeof(struct thing) << seed,
                                    .magazine = seed % 2 ? 0 : 3,
                                    .magazine_max = seed % 2 ? 0 : 100,
                                    .debug = seed == 5});
        size_t live = 0, bias = 50;
        random_seed(&r, seed);
        memset(held, 0, sizeof held);
        for (unsigned step = 0; step < STEPS; step++) {
            struct hy_pool_cache *c = &cache[random_below(&r, CACHES)];
            struct thing **slot = &held[random_below(&r, SLOTS)];
            if (step % 5000 == 0) {
                check_pool(pool, live);
                bias = random_below(&r, 101);
                grow_magazines(pool, &r);
            }
            give_back_at_random(pool, &r);
            if (!c->loaded)
                cr_assert_eq(hy_pool_attach(pool, c), 0);
            else if (random_below(&r, 500) == 0)
                hy_pool_detach(c);
            else if (random_below(&r, 200) == 0)
                hy_pool_flush_unused(c);
            else if (!*slot && random_below(&r, 100) < bias) {
                *slot = random_below(&r, 20) ? hy_pool_get(c)
                                             : hy_pool_get_shared(pool);
                cr_assert_eq((*slot)->made, MADE);
                cr_assert_eq((*slot)->owner, 0);
                (*slot)->owner = step + 1;
                live++;
            } else if (*slot && random_below(&r, 100) >= bias) {
                (*slot)->owner = 0;
                if (random_below(&r, 20))
                    hy_pool_put(c, *slot);
                else
                    hy_pool_put_shared(pool, *slot);
                *slot = NULL;
                live--;
            }
        }
        for (unsigned i = 0; i < SLOTS; i++)
            if (held[i])
                held[i]->owner = 0, hy_pool_put_shared(pool, held[i]);
        check_pool(pool, 0);
        for (unsigned i = 0; i < CACHES; i++)
            if (cache[i].loaded)
                hy_pool_detach(&cache[i]);
        check_pool(pool, 0);
        hy_pool_close(pool);
        cr_assert_eq(destroyed, constructed);
    }
}

Test(pool, check_finds_a_double_put)
{
    struct hy_pool *pool = open_pool(sizeof(struct thing), 0);
    struct hy_pool_cache cache;
    cr_assert_eq(hy_pool_attach(pool, &cache), 0);
    void *p = hy_pool_get(&cache);
    hy_pool_put(&cache, p);
    hy_pool_put(&cache, p);
    cr_assert_str_eq(hy_pool_check(pool),
                     "an object is in two rounds, or in one and in its slab");
    hy_pool_close(pool);
}

/* Two producers, two consumers: magazines travel round through the depot. */
enum { PAIRS = 2, RING = 512, PASSED = 300000 };

struct lane {
    struct hy_pool *pool;
    _Atomic(struct thing *) ring[RING];
    _Atomic unsigned faults;
};

static void *produce(void *arg)
{
    struct lane *lane = arg;
    struct hy_pool_cache cache;
    if (hy_pool_attach(lane->pool, &cache))
        abort();
    for (unsigned i = 0; i < PASSED; i++) {
        struct thing *thing = hy_pool_get(&cache);
        if (!thing)
            abort();
        lane->faults += thing->made != MADE || thing->owner != 0;
        thing->owner = (uintptr_t)lane;
        while (atomic_load(&lane->ring[i % RING]))
            sched_yield();
        atomic_store(&lane->ring[i % RING], thing);
        if (i % 50000 == 49999) {
            hy_pool_detach(&cache);
            if (hy_pool_attach(lane->pool, &cache))
                abort();
        }
    }
    hy_pool_detach(&cache);
    return NULL;
}

static void *consume(void *arg)
{
    struct lane *lane = arg;
    struct hy_pool_cache cache;
    if (hy_pool_attach(lane->pool, &cache))
        abort();
    for (unsigned i = 0; i < PASSED; i++) {
        struct thing *thing;
        while (!(thing = atomic_exchange(&lane->ring[i % RING], NULL)))
            sched_yield();
        lane->faults += thing->made != MADE || thing->owner != (uintptr_t)lane;
        thing->owner = 0;
        if (i % 100 == 99)
            hy_pool_put_shared(lane->pool, thing);
        else
            hy_pool_put(&cache, thing);
    }
    hy_pool_detach(&cache);
    return NULL;
}

Test(pool, producers_and_consumers_share_the_depot)
{
    static struct lane lane[PAIRS];
    struct hy_pool *pool = open_pool(sizeof(struct thing), 64);
    pthread_t thread[2 * PAIRS];
    for (unsigned i = 0; i < PAIRS; i++) {
        lane[i].pool = pool;
        cr_assert_eq(pthread_create(&thread[2 * i], NULL, produce, &lane[i]),
                     0);
        cr_assert_eq(
            pthread_create(&thread[2 * i + 1], NULL, consume, &lane[i]), 0);
    }
    for (unsigned i = 0; i < 2 * PAIRS; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < PAIRS; i++)
        cr_assert_eq(lane[i].faults, 0);
    struct hy_pool_metrics m = check_pool(pool, 0);
    cr_assert_gt(m.depot_hits, 0);
    cr_assert_leq(m.objects, PAIRS * RING + 2 * PAIRS * 3 * HY_POOL_ROUNDS + 64,
                  "%zu objects", m.objects);
    hy_pool_close(pool);
    cr_assert_eq(destroyed, constructed);
}

/* ---- the backend ---- */

static struct heap *open_heap(void)
{
    struct heap *heap = NULL;
    cr_assert_eq(backend->open(&(struct heap_config){.threads = 8}, &heap), 0);
    return heap;
}

static void check_heap(struct heap *heap, size_t bytes, size_t blocks)
{
    struct heap_report report;
    cr_assert_eq(backend->inspect(heap, &report), 0);
    cr_assert_eq(report.live_blocks, blocks, "%zu blocks, want %zu",
                 report.live_blocks, blocks);
    cr_assert_eq(report.live_bytes, bytes, "%zu bytes, want %zu",
                 report.live_bytes, bytes);
    cr_assert_geq(report.mapped_bytes, bytes);
}

static struct walk_totals check_walk(struct heap *heap)
{
    struct walk_totals totals;
    const char *fault = walk_check(backend, heap, &totals);
    cr_assert_null(fault, "%s", fault);
    return totals;
}

/* A freed block is cached until its magazine is in the depot. */
Test(pool, a_walk_tells_live_cached_and_free_blocks)
{
    enum { MANY = 1000 };
    struct heap *heap = open_heap();
    void *p[MANY];
    for (unsigned i = 0; i < MANY; i++)
        p[i] = backend->alloc(heap, 200, 0);
    void *far = backend->alloc(heap, 100000, 1 << 20);
    struct walk_totals full = check_walk(heap);
    cr_assert_eq(full.live_blocks, MANY + 1);
    for (unsigned i = 0; i < MANY; i++)
        backend->dealloc(heap, p[i], 200);
    struct walk_totals empty = check_walk(heap);
    cr_assert_eq(empty.live_blocks, 1);
    cr_assert_gt(empty.cached_blocks, full.cached_blocks);
    cr_assert_gt(empty.free_blocks, full.free_blocks);
    backend->leave(heap);
    cr_assert_eq(check_walk(heap).cached_blocks, 0);
    backend->dealloc(heap, far, 100000);
    cr_assert_eq(check_walk(heap).live_blocks, 0);
    backend->close(heap);
}

Test(pool, a_class_wastes_at_most_a_quarter)
{
    struct heap *heap = open_heap();
    for (size_t size = 0; size <= 32 << 10; size++) {
        void *p = backend->alloc(heap, size, 0);
        size_t usable = backend->usable(heap, p, size);
        cr_assert_geq(usable, size);
        cr_assert_leq(usable, size + 16 + size / 4, "%zu: %zu", size, usable);
        check_heap(heap, usable, 1);
        backend->dealloc(heap, p, size);
    }
    check_heap(heap, 0, 0);
    backend->close(heap);
}

static struct heap *open_with_knobs(const char *text)
{
    struct knob_values values;
    char why[200];
    struct heap *heap = NULL;
    cr_assert_eq(
        knobs_parse("pool", backend->knobs, text, &values, why, sizeof why), 0,
        "%s", why);
    cr_assert_eq(
        backend->open(&(struct heap_config){.threads = 8, .knobs = &values},
                      &heap),
        0);
    return heap;
}

static size_t mapped_by(struct heap *heap)
{
    struct heap_report report;
    cr_assert_eq(backend->inspect(heap, &report), 0);
    return report.mapped_bytes;
}

/* All of one class is freed; the program goes on with another one. */
Test(pool, the_backend_gives_memory_back_by_the_clock, .timeout = 30)
{
    enum { MANY = 100000 };
    static void *p[MANY];
    struct heap *heap = open_with_knobs("period=10");
    const size_t low = mapped_by(heap) + (4 << 20);
    for (unsigned i = 0; i < MANY; i++)
        p[i] = backend->alloc(heap, 200, 0);
    cr_assert_gt(mapped_by(heap), low);
    for (unsigned i = 0; i < MANY; i++)
        backend->dealloc(heap, p[i], 200);
    while (mapped_by(heap) > low) {
        for (unsigned i = 0; i < 1000; i++)
            p[i] = backend->alloc(heap, 48, 0);
        for (unsigned i = 0; i < 1000; i++)
            backend->dealloc(heap, p[i], 48);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    check_heap(heap, 0, 0);
    cr_assert_leq(check_walk(heap).cached_blocks, 2 * HY_POOL_ROUNDS,
                  "the unused class is still in the cache");
    backend->close(heap);
}

Test(pool, the_backend_keeps_all_if_its_knobs_say_so)
{
    enum { MANY = 100000 };
    static void *p[MANY];
    struct heap *heap = open_with_knobs("period=0:magazine=7");
    for (unsigned i = 0; i < MANY; i++)
        p[i] = backend->alloc(heap, 200, 0);
    const size_t high = mapped_by(heap);
    for (unsigned i = 0; i < MANY; i++)
        backend->dealloc(heap, p[i], 200);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    cr_assert_not_null(backend->alloc(heap, 48, 0));
    cr_assert_geq(mapped_by(heap), high);
    backend->close(heap);
}

struct errand {
    struct heap *heap;
    void *block[300];
};

static void *only_free(void *arg)
{
    struct errand *errand = arg;
    for (unsigned i = 0; i < 300; i++)
        backend->dealloc(errand->heap, errand->block[i], 100);
    return NULL;
}

/* 9c85c6b: a thread that only frees took a seat and never left it.
 * expected: nothing in caches; buggy: up to two magazines in its own. */
Test(pool, who_only_frees_takes_no_seat)
{
    struct errand errand = {.heap = open_heap()};
    pthread_t thread;
    for (unsigned i = 0; i < 300; i++)
        errand.block[i] = backend->alloc(errand.heap, 100, 0);
    backend->leave(errand.heap);
    cr_assert_eq(pthread_create(&thread, NULL, only_free, &errand), 0);
    pthread_join(thread, NULL);
    check_heap(errand.heap, 0, 0);
    cr_assert_eq(check_walk(errand.heap).cached_blocks, 0);
    backend->close(errand.heap);
}

enum { FREED_TWICE, LARGE_TWICE, INTERIOR, OF_THE_STACK, NO_FAULT };

static void free_wrongly(void *arg, int fd)
{
    struct heap *heap = open_with_knobs("debug=on");
    char *small = backend->alloc(heap, 100, 0), here[64];
    char *large = backend->alloc(heap, 1 << 20, 0);
    dup2(fd, STDERR_FILENO);
    switch (*(const int *)arg) {
    case FREED_TWICE:
        backend->dealloc(heap, small, 100);
        backend->dealloc(heap, small, 100);
        break;
    case LARGE_TWICE:
        backend->dealloc(heap, large, 1 << 20);
        backend->dealloc(heap, large, 1 << 20);
        break;
    case INTERIOR:
        backend->dealloc(heap, small + 16, 100);
        break;
    case OF_THE_STACK:
        backend->dealloc(heap, here + 16, 8);
        break;
    default:
        backend->dealloc(heap, small, 100);
        backend->dealloc(heap, large, 1 << 20);
        backend->close(heap);
    }
}

Test(pool, the_backend_with_debug_aborts_at_a_bad_free)
{
    static const char *const said_of[] = {
        [FREED_TWICE] = "put twice",
        [LARGE_TWICE] = "freed before",
        [INTERIOR] = "not the start of an object",
        [OF_THE_STACK] = "not a block of this heap",
        [NO_FAULT] = ""};
    char said[200];
    for (int i = FREED_TWICE; i <= NO_FAULT; i++) {
        const int end = run_forked(free_wrongly, &i, said, sizeof said);
        cr_assert_eq(end, i == NO_FAULT ? 0 : 256 + SIGABRT, "%d: %d", i, end);
        cr_assert_not_null(strstr(said, said_of[i]), "%d: %s", i, said);
    }
}

struct block {
    unsigned char *p;
    size_t size, usable;
    unsigned char fill;
};

static size_t random_size(struct random *r)
{
    uint64_t kind = random_below(r, 100);
    return random_below(r, kind < 70 ? 300 : kind < 90 ? 40000 : 700000);
}

static void refill(struct heap *heap, struct block *b, struct random *r)
{
    b->usable = backend->usable(heap, b->p, b->size);
    cr_assert_geq(b->usable, b->size);
    b->fill = (unsigned char)random_below(r, 256);
    memset(b->p, b->fill, b->size);
}

static void fill_slot(struct heap *heap, struct block *b, struct random *r)
{
    size_t align = random_below(r, 6) ? 0 : (size_t)1 << random_below(r, 22);
    b->size = random_size(r);
    if (random_below(r, 4)) {
        b->p = backend->alloc(heap, b->size, align);
    } else {
        align = 0;
        b->p = backend->zalloc(heap, b->size);
        for (size_t i = 0; i < b->size; i++)
            cr_assert_eq(b->p[i], 0);
    }
    cr_assert_not_null(b->p);
    cr_assert_eq((uintptr_t)b->p % (align > 16 ? align : 16), 0);
    refill(heap, b, r);
}

static void resize_slot(struct heap *heap, struct block *b, struct random *r)
{
    size_t old = b->size, size = random_size(r) + 1;
    b->p = backend->resize(heap, b->p, old, size);
    cr_assert_not_null(b->p);
    for (size_t i = 0; i < (old < size ? old : size); i += 61)
        cr_assert_eq(b->p[i], b->fill);
    b->size = size;
    refill(heap, b, r);
}

Test(pool, the_backend_follows_the_model)
{
    enum { SLOTS = 400, STEPS = 30000 };
    static struct block block[SLOTS];
    static const char *const knobs[] = {
        "", "period=1", "magazine=2:magazine_max=40:period=5", "debug=on"};
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct heap *heap = open_with_knobs(knobs[seed - 1]);
        struct random r;
        size_t live = 0, bytes = 0;
        random_seed(&r, seed);
        memset(block, 0, sizeof block);
        for (unsigned step = 0; step < STEPS; step++) {
            struct block *b = &block[random_below(&r, SLOTS)];
            bytes -= b->p ? b->usable : 0;
            if (!b->p) {
                fill_slot(heap, b, &r);
                live++;
            } else if (random_below(&r, 4) == 0) {
                resize_slot(heap, b, &r);
            } else {
                cr_assert(b->size == 0 || b->p[b->size - 1] == b->fill);
                backend->dealloc(heap, b->p, b->size);
                b->p = NULL;
                live--;
            }
            bytes += b->p ? b->usable : 0;
            if (step % 1000 == 0)
                check_heap(heap, bytes, live), check_walk(heap);
            if (step % 7000 == 6999)
                backend->leave(heap);
        }
        for (unsigned i = 0; i < SLOTS; i++)
            backend->dealloc(heap, block[i].p, block[i].size);
        check_heap(heap, 0, 0);
        backend->leave(heap);
        check_heap(heap, 0, 0);
        backend->close(heap);
    }
}

Test(pool, the_backend_resizes_in_place_within_a_class)
{
    struct heap *heap = open_heap();
    char *p = backend->alloc(heap, 130, 0);
    cr_assert_eq(backend->resize(heap, p, 130, 160), p);
    cr_assert_neq(backend->resize(heap, p, 160, 161), p);
    char *big = backend->alloc(heap, 100000, 0);
    cr_assert_eq(backend->resize(heap, big, 100000, 60000), big);
    backend->close(heap);
}

Test(pool, the_backend_refuses_what_cannot_be)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, PTRDIFF_MAX,
                                   (size_t)PTRDIFF_MAX + 1};
    struct heap *heap = open_heap();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t align = 0; align <= 1 << 20; align += 1 << 20) {
            errno = 0;
            cr_assert_null(backend->alloc(heap, sizes[i], align));
            cr_assert_eq(errno, ENOMEM);
        }
        errno = 0;
        cr_assert_null(backend->zalloc(heap, sizes[i]));
        cr_assert_eq(errno, ENOMEM);
    }
    cr_assert_null(backend->alloc(heap, 1, SIZE_MAX / 2 + 1));
    backend->dealloc(heap, NULL, 0);
    check_heap(heap, 0, 0);
    backend->close(heap);
}

/* Blocks go over a board, so most are freed by others; threads come and go. */
enum { THREADS = 4, BOARD = 256, TURNS = 30000 };

struct party {
    struct heap *heap;
    _Atomic(size_t *) board[BOARD];
    _Atomic unsigned next;
};

static void *take_part(void *arg)
{
    struct party *party = arg;
    struct random r;
    random_seed(&r, atomic_fetch_add(&party->next, 1) + 77);
    if (backend->enter(party->heap))
        abort();
    for (unsigned i = 0; i < TURNS; i++) {
        size_t size = sizeof(size_t) + random_below(&r, i % 50 ? 200 : 90000);
        size_t *p = backend->alloc(party->heap, size, 0);
        if (!p)
            abort();
        *p = size ^ (size_t)(uintptr_t)p;
        size_t *old =
            atomic_exchange(&party->board[random_below(&r, BOARD)], p);
        if (old && (*old ^ (size_t)(uintptr_t)old) > 100000)
            abort();
        backend->dealloc(party->heap, old, 0);
    }
    backend->leave(party->heap);
    return NULL;
}

Test(pool, the_backends_threads_may_free_what_others_allocated)
{
    static struct party party;
    party.heap = open_heap();
    for (unsigned round = 0; round < 4; round++) {
        pthread_t thread[THREADS];
        for (unsigned i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&thread[i], NULL, take_part, &party),
                         0);
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        size_t live = 0, bytes = 0;
        for (unsigned i = 0; i < BOARD; i++) {
            size_t *p = atomic_load(&party.board[i]);
            live += p != NULL;
            bytes += p ? backend->usable(party.heap, p, 0) : 0;
        }
        check_heap(party.heap, bytes, live);
    }
    for (unsigned i = 0; i < BOARD; i++)
        backend->dealloc(party.heap, atomic_load(&party.board[i]), 0);
    check_heap(party.heap, 0, 0);
    backend->close(party.heap);
}
