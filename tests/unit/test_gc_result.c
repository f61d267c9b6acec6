/* test_gc_result.c - tables and charts of a study, from figures made up here.
 *
 * Two collectors, of which "bdwgc" is slower and runs out of memory in its
 * smallest heap.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gc_result.h"
#include "places.h"
#include "scratch.h"

#define MS  1e6
#define MIB 1048576.0

enum { ESTIMATES_MAX = 2000, ROWS = 400 };

static const double factors[] = {1.25, 2, 4};

struct study {
    struct gc_arms arms;
    struct estimate estimate[ESTIMATES_MAX];
    struct summary summary;
    struct collection_row row[ROWS];
    struct collections log;
    struct gc_result result;
};

static void put(struct study *s, const char *allocator, const char *meter,
                const char *metric, const char *at, double value)
{
    struct estimate *e = &s->estimate[s->summary.n++];

    cr_assert(s->summary.n < ESTIMATES_MAX);
    *e = (struct estimate){
        .n = 10,
        .median = {value, value * 0.98, value * 1.02},
        .ratio = {value / (1000 * MS), value / (1010 * MS), value / (990 * MS)},
        .pairs = 10};
    snprintf(e->key.workload, sizeof e->key.workload, "made-up");
    e->key.threads = 1;
    e->key.scale = 1;
    snprintf(e->key.allocator, sizeof e->key.allocator, "%s", allocator);
    snprintf(e->key.meter, sizeof e->key.meter, "%s", meter);
    snprintf(e->metric, sizeof e->metric, "%s", metric);
    snprintf(e->at, sizeof e->at, "%s", at);
}

/* Pauses are half of what is above 800 ms. */
static void put_collector(struct study *s, const struct gc_arm *arm,
                          double slower)
{
    const char *a = arm->allocator;
    double factor = isnan(arm->factor) ? 8 : arm->factor;
    double wall = (800 + slower * 600 / factor) * MS;
    static const int windows[] = {1, 10, 100, 1000};
    static const char *const nines[] = {"p50", "p90", "p99", "p999", "max"};
    char text[64];

    put(s, a, "time", "wall", "", wall);
    put(s, a, "memory", "rss_peak", "", factor * arm->min_heap);
    put(s, a, "gc", "wall", "", wall);
    put(s, a, "gc", "process_cpu", "", wall * 1.1);
    put(s, a, "gc", "gc_pause", "", (wall - 800 * MS) / 2);
    put(s, a, "gc", "gc_share", "", (wall - 800 * MS) / 2 / wall);
    put(s, a, "gc", "collections", "", 100 / factor);
    put(s, a, "gc", "pause_p50", "", 3 * MS);
    put(s, a, "gc", "pause_max", "", 9 * MS * slower);
    put(s, a, "gc", "survival", "", 0.3);
    put(s, a, "gc", "mark_per_object", "", 9.5);
    put(s, a, "gc", "requests", "", 20000);
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "window:%dms", windows[i]);
        put(s, a, "gc", "mmu", text, 0.3 * i / slower);
    }
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "request_%s", nines[i]);
        put(s, a, "gc", text, "", pow(2.5, i) * MS / 50);
        snprintf(text, sizeof text, "request_metered_full_%s", nines[i]);
        put(s, a, "gc", text, "", pow(4, i) * MS / 20);
    }
}

static void put_nomem(struct study *s, const char *allocator)
{
    put(s, allocator, "time", "", "", 0);
    struct estimate *e = &s->estimate[s->summary.n - 1];

    e->n = 0;
    e->failed = 10;
    e->status = STATUS_NOMEM;
    e->median.value = NAN;
}

static void put_log(struct study *s, const struct gc_arm *arm, double slower)
{
    for (int i = 0; i < 40; i++) {
        struct collection_row *r = &s->row[s->log.n++];

        *r = (struct collection_row){.number = (uint64_t)i + 1,
                                     .begin = i * 20 * MS,
                                     .stop = 0.1 * MS,
                                     .mark = slower * (1 + i % 7) * MS,
                                     .finish = 0.1 * MS,
                                     .live = (3 + i % 5) * MIB,
                                     .allocated = 4 * MIB,
                                     .heap = 8 * MIB};
        snprintf(r->allocator, sizeof r->allocator, "%s", arm->allocator);
        snprintf(r->kind, sizeof r->kind, "full");
    }
}

static struct study *make_study(void)
{
    struct study *s = calloc(1, sizeof *s);
    struct min_heap gc = {.fits = 4 * 1048576, .too_small = 3 * 1048576},
                    bdwgc = {.fits = 6 * 1048576, .too_small = 5 * 1048576};

    s->summary.estimates = s->estimate;
    s->log.row = s->row;
    s->result = (struct gc_result){
        .arms = &s->arms, .summary = &s->summary, .log = &s->log};
    cr_assert_eq(gc_arms_add(&s->arms, "gc", &gc, factors, 3), 0);
    cr_assert_eq(gc_arms_add(&s->arms, "bdwgc", &bdwgc, factors, 3), 0);
    cr_assert_eq(gc_arms_add_freed(&s->arms), 0);
    for (size_t i = 0; i < 8; i++) {
        const struct gc_arm *arm = &s->arms.arm[i];
        double slower = i < 4 ? 1 : 3;

        if (i == 4) {
            put_nomem(s, arm->allocator);
            continue;
        }
        put_collector(s, arm, slower);
        if (arm->factor == 2 || isnan(arm->factor))
            put_log(s, arm, slower);
    }
    put(s, "system", "time", "wall", "", 1000 * MS);
    put(s, "system", "time", "cpu", "", 990 * MS);
    put(s, "slab", "time", "wall", "", 900 * MS);
    put(s, "slab", "time", "cpu", "", 880 * MS);
    study_bounds(&s->result);
    return s;
}

Test(gc_result, arms_are_multiples_of_the_minimum)
{
    struct study *s = make_study();

    cr_assert_eq(s->arms.n, 11);
    cr_assert_str_eq(s->arms.arm[1].allocator, "gc:limit=8388608");
    cr_assert_str_eq(s->arms.arm[3].allocator, "gc");
    cr_assert(isnan(s->arms.arm[3].limit));
    cr_assert_eq(s->arms.arm[4].limit, 7.5 * MIB);
    free(s);
}

Test(gc_result, arms_come_back_from_their_file)
{
    struct study *s = make_study();
    struct gc_arms *back = calloc(1, sizeof *back);
    struct scratch scratch;
    char why[512];

    scratch_open(&scratch);
    cr_assert_eq(gc_arms_write(&s->arms, scratch.dir, why, sizeof why), 0);
    cr_assert_eq(gc_arms_read(back, scratch.dir, why, sizeof why), 0, "%s",
                 why);
    cr_assert_eq(back->n, s->arms.n);
    for (size_t i = 0; i < back->n; i++) {
        const struct gc_arm *a = &s->arms.arm[i], *b = &back->arm[i];

        cr_assert_str_eq(a->allocator, b->allocator);
        cr_assert_str_eq(a->collector, b->collector);
        cr_assert(a->limit == b->limit || (isnan(a->limit) && isnan(b->limit)));
        cr_assert(a->factor == b->factor ||
                  (isnan(a->factor) && isnan(b->factor)));
    }
    scratch_close(&scratch);
    free(back);
    free(s);
}

/* gc without a limit: 875 ms, 37.5 of them pauses. */
Test(gc_result, the_bound_is_the_cheapest_without_its_pauses)
{
    struct study *s = make_study();

    cr_assert_float_eq(s->result.wall.base, 837.5 * MS, 1);
    cr_assert_eq(s->result.wall.which, 3);
    cr_assert_float_eq(s->result.wall.over[3], 875 / 837.5, 1e-9);
    cr_assert_float_eq(s->result.wall.over[8], 1000 / 837.5, 1e-9);
    cr_assert(isnan(s->result.wall.over[4])); /* it ran out of memory */
    cr_assert_eq(s->result.cpu.which, 9);     /* slab: 880 ms */
    free(s);
}

Test(gc_result, the_nearest_arm_that_works_stands_for_a_factor)
{
    struct study *s = make_study();

    cr_assert_eq(study_arm_at(&s->result, "gc", 2), 1);
    cr_assert_eq(study_arm_at(&s->result, "gc", NAN), 3);
    cr_assert_eq(study_arm_at(&s->result, "bdwgc", 1), 5); /* not 1.25 */
    cr_assert_eq(study_arm_at(&s->result, "nosuch", 2), s->arms.n);
    cr_assert_str_eq(study_collector(&s->result, 1), "bdwgc");
    cr_assert_null(study_collector(&s->result, 2));
    free(s);
}

Test(gc_result, the_table_shows_failures_heaps_and_bounds)
{
    static const char *const wanted[] = {"NOMEM",
                                         "1.25x 7.50 MiB",
                                         "gc runs in 4.00 MiB, not in 3.00",
                                         "1 (baseline)",
                                         "requests,",
                                         "1.04",
                                         "survival",
                                         "Wall: gc, CPU: slab"};
    struct study *s = make_study();
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    cr_assert_eq(study_print(&s->result, f, 200, 0), 0);
    fclose(f);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        cr_assert(strstr(text, wanted[i]), "no \"%s\" in\n%s", wanted[i], text);
    free(text);
    free(s);
}

Test(gc_result, every_chart_is_drawn)
{
    static const char *const names[] = {"time-space",     "lower-bound",
                                        "utilization",    "pauses",
                                        "heap-over-time", "latency"};
    struct study *s = make_study();
    struct scratch scratch;
    char path[512], name[64], why[512] = "";
    struct stat st;

    scratch_open(&scratch);
    int err = study_charts(&s->result, places_plots(), scratch.dir, "a machine",
                           why, sizeof why);

    cr_assert(err == 0 || err == ENOENT, "%s", why);
    for (size_t i = 0; i < 6 && !err; i++)
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "%s.%s", names[i],
                     k == 0   ? "tsv"
                     : k == 1 ? "svg"
                              : "png");
            scratch_path(&scratch, name, path, sizeof path);
            cr_assert_eq(stat(path, &st), 0, "%s", path);
            cr_assert_gt(st.st_size, 500, "%s", path);
        }
    if (!getenv("HEAPYARD_KEEP"))
        scratch_close(&scratch);
    free(s);
}
