/* pool_threads.c - threads that use all of a pool at once, for a race detector.
 *
 * usage: pool_threads [SECONDS]      (default 2)
 *
 * Three threads get, put and pass objects on, by caches of their own and
 * without; a fourth measures, reaps and trims meanwhile.  Every object carries
 * who holds it.  Exit 0 if nobody got what somebody held and the invariant
 * holds at the end; the detector has an exit code of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pool.h"

enum { USERS = 3, BOARD = 4096, HELD = 700 };

struct object {
    unsigned long holder; /* 0: idle */
    char rest[40];
};

struct world {
    struct hy_pool *pool;
    _Atomic(struct object *) board[BOARD]; /* passed on */
    _Atomic unsigned users, faults;
    _Atomic int is_over;
};

static unsigned next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33);
}

static void take(struct world *world, struct object *object, unsigned long me)
{
    if (!object || object->holder)
        atomic_fetch_add(&world->faults, 1);
    else
        object->holder = me;
}

static void put(struct world *world, struct hy_pool_cache *cache,
                struct object *object, unsigned dice)
{
    object->holder = 0;
    if (dice % 50)
        hy_pool_put(cache, object);
    else
        hy_pool_put_shared(world->pool, object);
}

/* A burst of gets, of which some go over the board to others. */
static void burst(struct world *world, struct hy_pool_cache *cache,
                  unsigned long me, uint64_t *r)
{
    struct object *held[HELD];
    const unsigned n = 1 + next_random(r) % HELD;
    for (unsigned i = 0; i < n; i++) {
        held[i] = next_random(r) % 50 ? hy_pool_get(cache)
                                      : hy_pool_get_shared(world->pool);
        take(world, held[i], me);
        if (next_random(r) % 3 == 0)
            held[i] =
                atomic_exchange(&world->board[next_random(r) % BOARD], held[i]);
    }
    for (unsigned i = 0; i < n; i++)
        if (held[i])
            put(world, cache, held[i], next_random(r));
}

static void *use(void *arg)
{
    struct world *world = arg;
    const unsigned long me = atomic_fetch_add(&world->users, 1) + 1;
    uint64_t r = me;
    struct hy_pool_cache cache;
    if (hy_pool_attach(world->pool, &cache))
        abort();
    while (!atomic_load(&world->is_over)) {
        burst(world, &cache, me, &r);
        if (next_random(&r) % 16 == 0)
            hy_pool_flush_unused(&cache);
        if (next_random(&r) % 64 == 0) {
            hy_pool_detach(&cache);
            if (hy_pool_attach(world->pool, &cache))
                abort();
        }
    }
    hy_pool_detach(&cache);
    return NULL;
}

static void *look(void *arg)
{
    struct world *world = arg;
    struct hy_pool_metrics m;
    for (unsigned i = 0; !atomic_load(&world->is_over); i++) {
        hy_pool_measure(world->pool, &m);
        hy_pool_reap(world->pool);
        if (i % 16 == 0)
            hy_pool_trim(world->pool);
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    return NULL;
}

static int judge(struct world *world)
{
    struct hy_pool_metrics m;
    for (unsigned i = 0; i < BOARD; i++) {
        struct object *object = atomic_load(&world->board[i]);
        if (object)
            hy_pool_put_shared(world->pool, object);
    }
    hy_pool_measure(world->pool, &m);
    const char *fault = hy_pool_check(world->pool);
    printf("%llu gets, %llu of the depot, %llu steals, %llu contended, "
           "%llu resizes, %llu reaped, %llu slabs freed\n",
           (unsigned long long)(m.loaded_hits + m.previous_hits + m.depot_hits +
                                m.fresh),
           (unsigned long long)m.depot_hits, (unsigned long long)m.steals,
           (unsigned long long)m.contention, (unsigned long long)m.resizes,
           (unsigned long long)m.reaped, (unsigned long long)m.slabs_freed);
    if (fault || m.live || atomic_load(&world->faults))
        printf("%s; %zu live; %u faults\n", fault ? fault : "holds", m.live,
               atomic_load(&world->faults));
    return fault || m.live || atomic_load(&world->faults);
}

int main(int argc, char *argv[])
{
    static struct world world;
    const time_t seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 2;
    pthread_t thread[USERS + 1];
    if (hy_pool_open(&(struct hy_pool_config){.size = sizeof(struct object),
                                              .magazine = 8,
                                              .period_ms = 1},
                     &world.pool))
        return 3;
    for (unsigned i = 0; i <= USERS; i++)
        if (pthread_create(&thread[i], NULL, i < USERS ? use : look, &world))
            return 3;
    nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
    atomic_store(&world.is_over, 1);
    for (unsigned i = 0; i <= USERS; i++)
        pthread_join(thread[i], NULL);
    const int bad = judge(&world);
    hy_pool_close(world.pool);
    return bad;
}
