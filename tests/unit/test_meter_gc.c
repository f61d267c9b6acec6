/* test_meter_gc.c - the figures of meter gc follow from what a collector says.
 *
 * The collector is made up: it tells the listener of collections whose times
 * are chosen here.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collections.h"
#include "gc_log.h"
#include "ticks.h"

extern const struct meter meter_gc;

enum { MS = 1000000 };

/* The made-up collector: it only has a listener. */
struct heap {
    void (*listener)(const struct collection_event *, void *arg);
    void *arg;
};

static void fake_listen(struct heap *h,
                        void (*listener)(const struct collection_event *,
                                         void *arg),
                        void *arg)
{
    h->listener = listener;
    h->arg = arg;
}

static const struct collection fake_collection = {.listen = fake_listen};
static const struct allocator collecting = {.name = "made-up",
                                            .collection = &fake_collection};
static const struct allocator freeing = {.name = "freeing"};

/* A run, and what it emits: lines of meter.h in a file. */
struct fixture {
    struct heap heap;
    struct trace trace;
    struct gc_log *log;
    struct run_context run;
    char text[65536];
    FILE *out;
};

static struct fixture *open_run(const char *options)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->log = calloc(1, sizeof *f->log);
    f->out = tmpfile();
    f->run = (struct run_context){.allocator = &collecting,
                                  .heap = &f->heap,
                                  .trace = &f->trace,
                                  .meter_state = f->log,
                                  .options = options,
                                  .result_fd = fileno(f->out)};
    cr_assert_null(meter_gc.open(&f->run));
    meter_gc.start(&f->run);
    return f;
}

/* As if the run had begun 1 s before it ended. */
static void close_run(struct fixture *f)
{
    meter_gc.stop(&f->run);
    f->log->run.end = f->log->run.begin + 1000 * (uint64_t)MS;
    meter_gc.report(&f->run);
    rewind(f->out);
    size_t n = fread(f->text, 1, sizeof f->text - 1, f->out);

    f->text[n] = 0;
}

static void free_run(struct fixture *f)
{
    fclose(f->out);
    free(f->log);
    free(f);
}

/* NAN if there is no such row. */
static double value_of(const struct fixture *f, const char *metric,
                       const char *at)
{
    char start[128];
    const char *line = f->text;
    int n = snprintf(start, sizeof start, "%s\t%s\t", metric, at);

    for (; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, start, (size_t)n))
            return strtod(strchr(line + n, '\t') + 1, NULL);
    }
    return NAN;
}

static void near(const struct fixture *f, const char *metric, const char *at,
                 double want)
{
    double value = value_of(f, metric, at);

    cr_assert(fabs(value - want) <= 1e-9 * fabs(want),
              "%s at '%s' is %g (want %g)\n%s", metric, at, value, want,
              f->text);
}

static void none(const struct fixture *f, const char *metric, const char *at)
{
    cr_assert(isnan(value_of(f, metric, at)), "%s at '%s' is there", metric,
              at);
}

/* A collection at `ms` after the start, 10 parts in 1 : 8 : 1. */
static struct collection_event event_at(const struct fixture *f, uint64_t ms,
                                        uint64_t pause_ms)
{
    return (struct collection_event){
        .number = 1,
        .start_ns = f->log->run.begin + ms * MS,
        .stop_ns = pause_ms * MS / 10,
        .mark_ns = pause_ms * MS * 8 / 10,
        .finish_ns = pause_ms * MS / 10,
        .marked_objects = 1000,
        .marked_bytes = 50000,
        .live_bytes = 50000,
        .allocated_bytes = 100000,
        .heap_bytes = 200000 + ms,
        .freed_bytes = 0,
        .moved_bytes = UINT64_MAX,
        .reason = "budget",
        .kind = COLLECTION_FULL,
        .threads = 1,
        .markers = 1,
    };
}

static void collect(struct fixture *f, const struct collection_event *e)
{
    f->heap.listener(e, f->heap.arg);
}

Test(meter_gc, an_allocator_that_frees_is_a_skip_with_a_reason)
{
    struct gc_log *log = calloc(1, sizeof *log);
    struct run_context run = {
        .allocator = &freeing, .meter_state = log, .options = ""};
    const char *why = meter_gc.open(&run);

    cr_assert(why && strstr(why, "does not collect"));
    free(log);
}

Test(meter_gc, four_pauses_of_a_second)
{
    static const uint64_t pauses[] = {10, 20, 30, 40};
    struct fixture *f = open_run("");

    for (size_t i = 0; i < 4; i++) {
        struct collection_event e = event_at(f, 200 * i, pauses[i]);

        collect(f, &e);
    }
    close_run(f);
    near(f, "wall", "", 1000.0 * MS);
    near(f, "collections", "", 4);
    near(f, "collection_rate", "", 4);
    near(f, "gc_pause", "", 100.0 * MS);
    near(f, "gc_share", "", 0.1);
    near(f, "pause_p50", "", 20.0 * MS);
    none(f, "pause_p90", ""); /* none of four is above it */
    near(f, "pause_max", "", 40.0 * MS);
    near(f, "stop_share", "", 0.1);
    near(f, "mark_share", "", 0.8);
    near(f, "finish_share", "", 0.1);
    near(f, "mark_per_object", "", 80.0 * MS / 4000);
    none(f, "mean_size", ""); /* nothing was played */
    near(f, "heap_max", "", 200600);
    near(f, "live_after_mean", "", 50000);
    near(f, "survival", "", 200000 / (100000 + 3 * 150000.0));
    near(f, "mmu", "window:20ms", 0);
    near(f, "mmu", "window:50ms", 0.2);
    near(f, "mmu", "window:1000ms", 0.9);
    none(f, "pause_max", "kind:full"); /* there is no other kind */
    none(f, "requests", "");
    free_run(f);
}

Test(meter_gc, minor_collections_stand_apart)
{
    struct fixture *f = open_run("");

    for (size_t i = 0; i < 30; i++) {
        struct collection_event e = event_at(f, 20 * i, i == 29 ? 10 : 1);

        e.kind = i == 29 ? COLLECTION_COMPACTING : COLLECTION_MINOR;
        collect(f, &e);
    }
    close_run(f);
    near(f, "minor_collections", "", 29);
    near(f, "pause_max", "kind:minor", 1.0 * MS);
    near(f, "pause_p90", "kind:minor", 1.0 * MS);
    near(f, "pause_max", "kind:full", 10.0 * MS);
    none(f, "pause_p50", "kind:full");
    free_run(f);
}

Test(meter_gc, what_a_collector_cannot_say_has_no_row)
{
    struct fixture *f = open_run("");
    struct collection_event e = event_at(f, 100, 10);

    e.stop_ns = UINT64_MAX;
    e.marked_objects = UINT64_MAX;
    e.live_bytes = UINT64_MAX;
    collect(f, &e);
    close_run(f);
    near(f, "pause_max", "", 9.0 * MS); /* what is known of it */
    none(f, "stop_share", "");
    near(f, "mark_share", "", 8.0 / 9);
    none(f, "mark_per_object", "");
    none(f, "survival", "");
    none(f, "live_after_mean", "");
    near(f, "heap_max", "", 200100);
    free_run(f);
}

Test(meter_gc, without_collections_all_time_is_the_programs)
{
    struct fixture *f = open_run("");

    close_run(f);
    near(f, "collections", "", 0);
    near(f, "gc_pause", "", 0);
    near(f, "mmu", "window:1ms", 1);
    none(f, "pause_max", "");
    none(f, "heap_max", "");
    free_run(f);
}

Test(meter_gc, requests_of_all_threads_are_counted)
{
    struct fixture *f = open_run("");

    for (unsigned i = 0; i < 1000; i++) {
        meter_gc.request_begin(&f->run, i % 3);
        meter_gc.request_end(&f->run, i % 3);
    }
    for (size_t i = 0; i < 1000; i++) /* 0, 1, … ms, of 100 us each */
        f->log->request[i] = (struct time_span){
            f->log->run.begin + i * MS, f->log->run.begin + i * MS + MS / 10};
    f->log->request[500].end += 50 * MS;
    close_run(f);
    near(f, "requests", "", 1000);
    near(f, "request_p99", "", MS / 10);
    near(f, "request_max", "", 50.1 * MS);
    near(f, "request_metered_full_max", "", 50.1 * MS);
    none(f, "request_p999", "");
    free_run(f);
}

Test(meter_gc, more_collections_than_fit_are_said_to_be_lost)
{
    struct fixture *f = open_run("");
    struct collection_event e = event_at(f, 1, 0);

    for (size_t i = 0; i < GC_COLLECTIONS_MAX + 5; i++)
        collect(f, &e);
    close_run(f);
    near(f, "collections", "", GC_COLLECTIONS_MAX + 5);
    cr_assert(strstr(f->text, "#only the first 65536 of 65541 collections"));
    free_run(f);
}

Test(meter_gc, options_name_what_would_be_right)
{
    char why[160];

    cr_assert_eq(meter_gc.check_options("log=x.csv", why, sizeof why), 0);
    cr_assert(meter_gc.check_options("log=", why, sizeof why));
    cr_assert(meter_gc.check_options("file=x", why, sizeof why));
    cr_assert(strstr(why, "\"file=x\" (want log=FILE)"), "%s", why);
}

Test(meter_gc, a_log_that_cannot_be_opened_is_named)
{
    struct gc_log *log = calloc(1, sizeof *log);
    struct run_context run = {.allocator = &collecting,
                              .meter_state = log,
                              .options = "log=/dev/null/x"};
    const char *why = meter_gc.open(&run);

    cr_assert_not_null(why);
    cr_assert_str_eq(why, "log=/dev/null/x: Not a directory");
    free(log);
}

Test(meter_gc, the_log_comes_back_as_it_was_told)
{
    char path[] = "/tmp/heapyard-test-XXXXXX", options[64], why[256];
    int fd = mkstemp(path);
    struct collections back;

    cr_assert(fd >= 0);
    close(fd);
    snprintf(options, sizeof options, "log=%s", path);
    struct fixture *f = open_run(options);
    struct collection_event e = event_at(f, 123, 10);

    collect(f, &e);
    e.kind = COLLECTION_MINOR;
    e.number = 2;
    collect(f, &e);
    close_run(f);
    cr_assert_eq(collections_read(path, &back, why, sizeof why), 0, "%s", why);
    cr_assert_eq(back.n, 2);
    cr_assert_str_eq(back.row[0].allocator, "made-up");
    cr_assert_eq(back.row[0].begin, 123.0 * MS);
    cr_assert_eq(collection_pause(&back.row[0]), 10.0 * MS);
    cr_assert_eq(back.row[0].heap, 200123);
    cr_assert(isnan(back.row[0].moved));
    cr_assert_str_eq(back.row[0].reason, "budget");
    cr_assert_str_eq(back.row[0].kind, "full");
    cr_assert_str_eq(back.row[1].kind, "minor");
    cr_assert_eq(back.row[1].number, 2);
    collections_free(&back);
    unlink(path);
    free_run(f);
}
