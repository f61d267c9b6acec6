/* test_trace_info.c - the figures of a trace are those a reader would count.
 *
 * Small streams are counted by hand; random ones are counted again in the
 * simplest way; long ones must not need memory for what is dead.
 *
 * HEAPYARD_TEST_OPS=100000000 makes the long one as long as one likes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE /* open_memstream under -std=c17, getrusage's ru_maxrss */

#include <criterion/criterion.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "ledger.h"
#include "live_map.h"
#include "size_tally.h"
#include "trace_info.h"

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* ---- live_map ---- */

enum { NUMBERS = 5000 };

/* A plain table does the same, and every answer is compared. */
Test(trace_info, live_map_agrees_with_a_table)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static uint64_t table[NUMBERS]; /* size + 1; 0: not live */
        uint64_t random = seed, stride = 1 + seed % 5 * 1021;
        struct live_map map;
        size_t count = 0;

        memset(table, 0, sizeof table);
        cr_assert_eq(live_map_init(&map), 0);
        for (int i = 0; i < 20000; i++) {
            uint64_t r = next_random(&random), k = r % NUMBERS;
            struct live *live = live_map_find(&map, k * stride);

            cr_assert_eq(!live, !table[k], "seed %" PRIu64, seed);
            if (live) {
                cr_assert_eq(live->size, table[k] - 1);
                cr_assert_eq(live_object(live), k * stride);
                cr_assert_eq(live_thread(live), k & 0xffff);
                live_map_remove(&map, live);
                table[k] = 0;
                count--;
            } else {
                table[k] = 1 + (r >> 40);
                cr_assert_eq(
                    live_map_add(&map, k * stride, r >> 40, (uint16_t)k), 0);
                count++;
            }
            cr_assert_eq(map.count, count);
        }
        live_map_free(&map);
    }
}

/* A million objects that live on, then births whose numbers would fall into
 * the same cells if the number itself were the hash: 2^40 steps then. */
Test(trace_info, live_map_does_not_slow_down_beside_old_objects, .timeout = 20)
{
    struct live_map map;
    uint64_t n = 1000000, number = n;

    cr_assert_eq(live_map_init(&map), 0);
    for (uint64_t i = 0; i < n; i++)
        cr_assert_eq(live_map_add(&map, i, 1, 0), 0);
    for (; number < 5 * n; number++) {
        cr_assert_eq(live_map_add(&map, number, 1, 0), 0);
        live_map_remove(&map, live_map_find(&map, number));
    }
    cr_assert_eq(map.count, n);
    live_map_free(&map);
}

Test(trace_info, live_map_knows_the_ends_of_its_range)
{
    struct live_map map;

    cr_assert_eq(live_map_init(&map), 0);
    cr_assert_eq(live_map_add(&map, LIVE_OBJECT_MAX, 3, 65535), 0);
    cr_assert_eq(live_map_add(&map, 0, 4, 0), 0);
    cr_assert_eq(live_map_find(&map, LIVE_OBJECT_MAX)->size, 3);
    cr_assert_eq(live_object(live_map_find(&map, LIVE_OBJECT_MAX)),
                 LIVE_OBJECT_MAX);
    cr_assert_null(live_map_find(&map, LIVE_OBJECT_MAX + 1));
    cr_assert_null(live_map_find(&map, UINT64_MAX));
    live_set_thread(live_map_find(&map, 0), 77);
    cr_assert_eq(live_thread(live_map_find(&map, 0)), 77);
    live_map_free(&map);
}

/* ---- size_tally ---- */

Test(trace_info, sizes_are_ranked_and_split_exactly)
{
    struct size_count top[3];
    struct size_tally t;

    cr_assert_eq(size_tally_init(&t), 0);
    for (uint64_t size = 1; size <= 100; size++)
        for (uint64_t i = 0; i < (size == 7 ? 50 : size == 9 ? 30 : 1); i++)
            cr_assert_eq(size_tally_add(&t, size), 0);
    size_tally_sort(&t); /* 178 in all; 56 up to 7, 87 up to 9 */
    cr_assert_eq(t.distinct, 100);
    cr_assert_eq(size_tally_top(&t, top, 3), 3);
    cr_assert_eq(top[0].size, 7);
    cr_assert_eq(top[0].count, 50);
    cr_assert_eq(top[1].size, 9);
    cr_assert_eq(top[2].size, 1, "the smallest of equals");
    cr_assert_eq(size_tally_quantile(&t, 0.0), 1);
    cr_assert_eq(size_tally_quantile(&t, 56.0 / 178), 7);
    cr_assert_eq(size_tally_quantile(&t, 57.0 / 178), 8);
    cr_assert_eq(size_tally_quantile(&t, 0.5), 11);
    cr_assert_eq(size_tally_quantile(&t, 1.0), 100);
    size_tally_free(&t);
}

Test(trace_info, too_many_sizes_make_an_estimate_and_no_more_memory)
{
    struct trace_info *info;
    char *text;
    size_t size;

    cr_assert_eq(trace_info_create(&info), 0);
    struct op_feed feed = {.sink = trace_info_sink(info)};
    for (uint64_t i = 0; i < SIZE_TALLY_MAX + 1000; i++)
        feed_free(&feed, 0, feed_alloc(&feed, 0, i));
    cr_assert_eq(feed.err, 0);
    const struct trace_figures *f = trace_info_finish(info);
    cr_assert_eq(f->distinct_sizes, SIZE_TALLY_MAX);
    cr_assert(f->sizes_are_estimates);
    cr_assert_eq(f->size_max, SIZE_TALLY_MAX + 999, "still exact");
    FILE *out = open_memstream(&text, &size);
    trace_figures_print(f, out);
    fclose(out);
    cr_assert_not_null(strstr(text, "estimate"));
    free(text);
    trace_info_destroy(info);
}

/* ---- figures ---- */

static void put_time(struct op_feed *feed, uint64_t ns)
{
    feed->sink->put(feed->sink, &(struct op){.kind = OP_TIME, .size = ns});
}

/* Every figure of this stream is asserted below. */
static struct trace_info *small_trace(void)
{
    struct trace_info *info;

    cr_assert_eq(trace_info_create(&info), 0);
    struct op_feed feed = {.sink = trace_info_sink(info)};
    feed_mark(&feed, 0, "start, \"quoted\"");      /* place 0 */
    feed_spawn(&feed, 0, 2);                       /* 1 */
    uint64_t a = feed_alloc(&feed, 0, 100);        /* 2: live 100 */
    put_time(&feed, 1500);                         /* no place */
    uint64_t b = feed_zalloc(&feed, 2, 64);        /* 3: 164 */
    uint64_t c = feed_aligned(&feed, 2, 64, 4096); /* 4: 228 */
    feed_touch(&feed, 0, b, 10);                   /* 5: b is now 0's */
    feed_resize(&feed, 0, a, 300);                 /* 6: 428, the peak */
    feed_free(&feed, 2, b);                        /* 7: cross; life 1 */
    feed_resize(&feed, 0, a, 20);                  /* 8: 84 */
    feed_free(&feed, 0, a);                        /* 9: life 2 */
    feed_mark(&feed, 0, "end");                    /* 10: c lives, 64 */
    feed_join(&feed, 0, 2);                        /* 11 */
    uint64_t d = feed_alloc(&feed, 0, 0);          /* 12 */
    feed_free(&feed, 0, d);                        /* 13: life 0 */
    cr_assert_eq(feed.err, 0);
    (void)c;
    return info;
}

Test(trace_info, every_figure_of_a_small_trace_is_right)
{
    struct trace_info *info = small_trace();
    const struct trace_figures *f = trace_info_finish(info);
    static const uint64_t kinds[OP_KINDS] = {3, 1, 2, 3, 1, 1, 1, 2, 1};

    cr_assert_eq(f->ops, 14);
    cr_assert_eq(memcmp(f->by_kind, kinds, sizeof kinds), 0);
    cr_assert_eq(f->threads, 3);
    cr_assert_eq(f->thread_ops[0], 11);
    cr_assert_eq(f->thread_ops[1], 0);
    cr_assert_eq(f->thread_ops[2], 3);
    cr_assert_eq(f->duration_ns, 1500);
    cr_assert_eq(f->births, 4);
    cr_assert_eq(f->birth_bytes, 228);
    cr_assert_eq(f->zeroed, 1);
    cr_assert_eq(f->aligned, 1);
    cr_assert_eq(f->max_align_log2, 12);
    cr_assert_eq(f->size_count[0], 1, "size 0");
    cr_assert_eq(f->size_count[6], 2, "64 is up to 64");
    cr_assert_eq(f->size_bytes[6], 128);
    cr_assert_eq(f->size_count[7], 1, "100 is up to 128");
    cr_assert_eq(f->ntop, 3);
    cr_assert_eq(f->top[0].size, 64);
    cr_assert_eq(f->top[0].count, 2);
    cr_assert_eq(f->distinct_sizes, 3);
    cr_assert_not(f->sizes_are_estimates);
    cr_assert_eq(f->size_p50, 64);
    cr_assert_eq(f->size_max, 100);
    cr_assert_eq(f->frees, 3);
    cr_assert_eq(f->cross_frees, 1);
    cr_assert_eq(f->lifetime[0], 1);
    cr_assert_eq(f->lifetime[1], 1);
    cr_assert_eq(f->lifetime[2], 1);
    cr_assert_eq(f->resizes, 2);
    cr_assert_eq(f->grown, 1);
    cr_assert_eq(f->shrunk, 1);
    cr_assert_eq(f->growth_bytes, 200);
    cr_assert_eq(f->touched_bytes, 10);
    cr_assert_eq(f->peak_bytes, 428);
    cr_assert_eq(f->peak_blocks, 3);
    cr_assert_eq(f->peak_place, 6);
    cr_assert_eq(f->left_blocks, 1);
    cr_assert_eq(f->left_bytes, 64);
    cr_assert_eq(f->nmarks, 2);
    cr_assert_str_eq(f->marks[1].name, "end");
    cr_assert_eq(f->marks[1].place, 10);
    cr_assert_eq(f->marks[1].live_bytes, 64);
    cr_assert_eq(f->marks[1].live_blocks, 1);
    trace_info_destroy(info);
}

Test(trace_info, powers_of_two_end_their_bucket)
{
    struct trace_info *info;

    cr_assert_eq(trace_info_create(&info), 0);
    struct op_feed feed = {.sink = trace_info_sink(info)};
    for (unsigned k = 1; k < 62; k++) {
        feed_free(&feed, 0, feed_alloc(&feed, 0, UINT64_C(1) << k));
        feed_free(&feed, 0, feed_alloc(&feed, 0, (UINT64_C(1) << k) + 1));
    }
    cr_assert_eq(feed.err, 0);
    const struct trace_figures *f = trace_info_finish(info);
    cr_assert_eq(f->size_count[0], 0);
    cr_assert_eq(f->size_count[1], 1, "2; 3 is in the next");
    for (unsigned k = 2; k < 62; k++)
        cr_assert_eq(f->size_count[k], 2, "2^%u, 2^%u + 1", k, k - 1);
    cr_assert_eq(f->size_count[62], 1);
    trace_info_destroy(info);
}

/* The peak and the sums, counted again over all prefixes. */
Test(trace_info, random_streams_add_up)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        static uint64_t live[2000], sizes[2000];
        uint64_t random = seed, n = 0, bytes = 0, peak = 0, frees = 0;
        uint64_t blocks_at_peak = 0;
        struct trace_info *info;

        cr_assert_eq(trace_info_create(&info), 0);
        struct op_feed feed = {.sink = trace_info_sink(info)};
        for (int i = 0; i < 2000; i++) {
            uint64_t r = next_random(&random);

            if (n && r % 5 < 2) {
                uint64_t k = (r >> 8) % n;

                feed_free(&feed, 0, live[k]);
                bytes -= sizes[k];
                live[k] = live[--n];
                sizes[k] = sizes[n];
                frees++;
                continue;
            }
            sizes[n] = (r >> 8) % 1000;
            bytes += sizes[n];
            live[n] = feed_alloc(&feed, 0, sizes[n]);
            n++;
            if (bytes > peak) {
                peak = bytes;
                blocks_at_peak = n;
            }
        }
        const struct trace_figures *f = trace_info_finish(info);
        uint64_t lives = 0, births = 0;

        for (int k = 0; k < INFO_BUCKETS; k++) {
            lives += f->lifetime[k];
            births += f->size_count[k];
        }
        cr_assert_eq(feed.err, 0);
        cr_assert_eq(f->peak_bytes, peak, "seed %" PRIu64, seed);
        cr_assert_eq(f->peak_blocks, blocks_at_peak, "seed %" PRIu64, seed);
        cr_assert_eq(f->left_bytes, bytes, "seed %" PRIu64, seed);
        cr_assert_eq(f->left_blocks, n, "seed %" PRIu64, seed);
        cr_assert_eq(lives, frees);
        cr_assert_eq(births, f->births);
        trace_info_destroy(info);
    }
}

Test(trace_info, a_second_free_is_refused_with_its_place)
{
    struct trace_info *info;

    cr_assert_eq(trace_info_create(&info), 0);
    struct op_feed feed = {.sink = trace_info_sink(info)};
    uint64_t a = feed_alloc(&feed, 0, 8);
    feed_free(&feed, 0, a);
    feed_free(&feed, 0, a);
    cr_assert_eq(feed.err, EBADMSG);
    cr_assert_str_eq(trace_info_why(info),
                     "operation 2: object 0 is no longer live");
    feed_alloc(&feed, 0, 8); /* the feed is deaf now */
    cr_assert_eq(trace_info_finish(info)->births, 1);
    trace_info_destroy(info);
}

Test(trace_info, more_marks_than_are_kept_are_counted)
{
    struct trace_info *info;

    cr_assert_eq(trace_info_create(&info), 0);
    struct op_feed feed = {.sink = trace_info_sink(info)};
    for (int i = 0; i < INFO_MARKS_MAX + 5; i++)
        feed_mark(&feed, 0, "m");
    cr_assert_eq(feed.err, 0);
    const struct trace_figures *f = trace_info_finish(info);
    cr_assert_eq(f->nmarks, INFO_MARKS_MAX);
    cr_assert_eq(f->by_kind[OP_MARK], INFO_MARKS_MAX + 5);
    trace_info_destroy(info);
}

/* ---- print ---- */

static char *printed(const struct trace_figures *f,
                     void (*print)(const struct trace_figures *, FILE *))
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    cr_assert_not_null(out);
    print(f, out);
    cr_assert_eq(fclose(out), 0);
    return text;
}

Test(trace_info, print_fits_a_terminal_of_80_columns)
{
    struct trace_info *info = small_trace();
    struct trace_figures f = *trace_info_finish(info);

    for (int pass = 0; pass < 2; pass++) {
        char *text = printed(&f, trace_figures_print);

        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            cr_assert_leq(strlen(line), 80, "%s", line);
            cr_assert_neq(line[strlen(line) - 1], ' ', "%s", line);
        }
        free(text);
        /* again with figures of ten thousand million operations */
        f.ops = f.births = f.by_kind[OP_ALLOC] = f.thread_ops[0] =
            f.size_count[6] = f.top[0].count = f.lifetime[40] = f.left_blocks =
                9999999999;
        f.peak_place = f.peak_blocks = f.resizes = f.grown = 9999999999;
        f.distinct_sizes = SIZE_TALLY_MAX;
        f.sizes_are_estimates = 1;
    }
    trace_info_destroy(info);
}

Test(trace_info, an_empty_trace_prints_without_nan)
{
    struct trace_info *info;

    cr_assert_eq(trace_info_create(&info), 0);
    char *text = printed(trace_info_finish(info), trace_figures_print);
    cr_assert_null(strstr(text, "nan"));
    cr_assert_not_null(strstr(text, "Operations: 0 by 0 threads"));
    free(text);
    trace_info_destroy(info);
}

Test(trace_info, csv_has_the_figures_unrounded_and_quotes_names)
{
    static const char *const records[] = {
        "operations,,operations,14\n",
        "operations,free,operations,3\n",
        "thread_operations,2,operations,3\n",
        "size_up_to,64,allocations,2\n",
        "size_up_to,64,bytes,128\n",
        "commonest_size,64,allocations,2\n",
        "lifetime_up_to,2,objects,1\n",
        "peak,,bytes,428\n",
        "peak,,place,6\n",
        "left,,bytes,64\n",
        "mark,\"start, \"\"quoted\"\"\",place,0\n",
        "largest_alignment,,bytes,4096\n",
    };
    struct trace_info *info = small_trace();
    char *text = printed(trace_info_finish(info), trace_figures_csv);

    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        cr_assert_not_null(strstr(text, records[i]), "%s in\n%s", records[i],
                           text);
    free(text);
    trace_info_destroy(info);
}

/* ---- long traces ---- */

enum { RING = 100000 }; /* live objects of the long trace */

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static long max_rss_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Each step frees a random one of RING live objects and makes another. */
Test(trace_info, a_long_trace_needs_memory_for_live_objects_only,
     .timeout = 600)
{
    const char *text = getenv("HEAPYARD_TEST_OPS");
    uint64_t ops = text ? strtoull(text, NULL, 10) : 4000000;
    uint64_t *live = calloc(RING, sizeof *live), random = 7;
    struct trace_info *info;

    cr_assert_not_null(live);
    cr_assert_eq(trace_info_create(&info), 0);
    struct op_feed feed = {.sink = trace_info_sink(info)};
    for (unsigned i = 0; i < RING; i++)
        live[i] = feed_alloc(&feed, 0, 64);
    long before = max_rss_kib();
    double start = cpu_seconds();
    for (uint64_t i = 0; i < ops / 2; i++) {
        uint64_t r = next_random(&random);

        feed_free(&feed, 0, live[r % RING]);
        live[r % RING] = feed_alloc(&feed, 0, (r >> 32) % 4096);
    }
    double seconds = cpu_seconds() - start;
    long growth = max_rss_kib() - before;
    cr_assert_eq(feed.err, 0);
    cr_assert_eq(trace_info_finish(info)->left_blocks, RING);
    cr_log_info("%" PRIu64 " operations: %.1f ns each, grew by %ld KiB, "
                "%ld KiB in all",
                ops, seconds * 1e9 / (double)ops, growth, max_rss_kib());
    cr_assert_lt(growth, 32 * 1024, "grew by %ld KiB", growth);
    free(live);
    trace_info_destroy(info);
}
