/* test_object_map.c - the map of live objects holds what was put into it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>

#include "object_map.h"
#include "random.h"

enum { NUMBERS = 6000, STEPS = 200000, OLD = 200000 };

static struct object_map map;

static void open_map(void)
{
    cr_assert_eq(object_map_init(&map), 0);
}

static void close_map(void)
{
    object_map_free(&map);
}

TestSuite(object_map, .init = open_map, .fini = close_map);

/* Numbers that stand in runs, far apart, and at the end of the range. */
static uint64_t spread(uint64_t i)
{
    static const uint64_t starts[] = {0, UINT64_C(1) << 20, UINT64_C(1) << 32,
                                      UINT64_MAX - NUMBERS};

    return starts[i % 4] + i / 4;
}

static size_t count_cells(void)
{
    size_t n = 0;

    for (size_t i = 0; i < map.capacity; i++)
        n += map.cell[i].number != UINT64_MAX;
    return n;
}

static void check_all(const uint64_t *sizes)
{
    for (uint64_t i = 0; i < NUMBERS; i++) {
        const struct object *o = object_map_find(&map, spread(i));

        cr_assert_eq(o != NULL, sizes[i] != 0, "number %llu",
                     (unsigned long long)spread(i));
        if (o) {
            cr_assert_eq(o->number, spread(i));
            cr_assert_eq(o->size, sizes[i]);
        }
    }
}

Test(object_map, it_holds_what_an_array_holds)
{
    static uint64_t sizes[NUMBERS]; /* 0: not there */
    struct random random;
    size_t n = 0;

    random_seed(&random, 1);
    for (uint64_t step = 1; step <= STEPS; step++) {
        /* It fills for a while, then empties. */
        uint64_t fill = step / 20000 % 2 ? 30 : 70;
        uint64_t i = random_below(&random, NUMBERS);
        struct object *o = object_map_find(&map, spread(i));

        cr_assert_eq(o != NULL, sizes[i] != 0);
        if (!o && random_below(&random, 100) < fill) {
            o = object_map_add(&map, spread(i));
            cr_assert_not_null(o);
            cr_assert(o->number == spread(i) && !o->size && !o->access &&
                      !o->place && !o->holder && !o->in_mailbox);
            o->size = sizes[i] = step;
            n++;
        } else if (o && random_below(&random, 100) >= fill) {
            cr_assert_eq(o->size, sizes[i]);
            object_map_remove(&map, o);
            sizes[i] = 0;
            n--;
        }
        cr_assert_eq(map.count, n);
        cr_assert_leq(2 * map.count, map.capacity + 2);
        if (step % 20000 == 0)
            check_all(sizes);
    }
    cr_assert_eq(count_cells(), n);
}

Test(object_map, a_number_that_is_not_there_is_not_found)
{
    cr_assert_null(object_map_find(&map, 0));
    cr_assert_null(object_map_find(&map, UINT64_MAX));
    object_map_remove(&map, object_map_add(&map, 7));
    cr_assert_null(object_map_find(&map, 7));
    cr_assert_eq(map.count, 0);
}

Test(object_map, a_freed_map_may_be_used_again)
{
    cr_assert_not_null(object_map_add(&map, 1));
    object_map_free(&map);
    cr_assert_eq(object_map_init(&map), 0);
    cr_assert_null(object_map_find(&map, 1));
    cr_assert_eq(map.count, 0);
}

/* Expected: objects that live on from the start cost later ones nothing.
 * Buggy:    with the number as its own hash they were one run of cells, and
 *           each later number that fell into it walked to its end: hours. */
Test(object_map, old_objects_do_not_slow_down_young_ones, .timeout = 20)
{
    for (uint64_t i = 0; i < OLD; i++)
        cr_assert_not_null(object_map_add(&map, i));
    for (uint64_t i = OLD; i < 10 * OLD; i++)
        object_map_remove(&map, object_map_add(&map, i));
    cr_assert_eq(map.count, OLD);
}
