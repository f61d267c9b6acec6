/* test_summary.c - samples.csv reduced to estimates, and summary.csv.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "summary.h"

enum { WHY = 512 };

/* A file of samples that a test fills. */
struct book {
    char path[40];
    FILE *file;
};

static struct book open_book(void)
{
    struct book b;
    strcpy(b.path, "/tmp/heapyard-summary-XXXXXX");
    int fd = mkstemp(b.path);
    cr_assert(fd >= 0);
    b.file = fdopen(fd, "w");
    cr_assert_eq(row_write_header(b.file), 0);
    return b;
}

static struct row make_row(const char *allocator, uint32_t block, double value)
{
    struct row row = {.key = {.session = "s1",
                              .run = 1,
                              .block = block,
                              .workload = "w",
                              .threads = 1,
                              .scale = 1,
                              .seed = 5,
                              .meter = "time",
                              .touch = "page"},
                      .metric = "wall",
                      .unit = "ns",
                      .value = value};
    snprintf(row.key.allocator, sizeof row.key.allocator, "%s", allocator);
    return row;
}

static struct row make_failure(const char *allocator, uint32_t block,
                               enum status status, const char *note)
{
    struct row row = make_row(allocator, block, NAN);
    row.status = status;
    row.metric[0] = row.unit[0] = '\0';
    snprintf(row.note, sizeof row.note, "%s", note);
    return row;
}

static void put(struct book *b, struct row row)
{
    cr_assert_eq(row_write(b->file, &row), 0);
}

static struct summary reduce(struct book *b)
{
    struct summary s;
    char why[WHY] = "";
    cr_assert_eq(fclose(b->file), 0);
    int err = summary_from_samples(b->path, "system", &s, why, WHY);
    cr_assert_eq(err, 0, "%s", why);
    unlink(b->path);
    return s;
}

static const struct estimate *find(const struct summary *s, const char *name,
                                   const char *metric)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->estimates[i].key.allocator, name) &&
            !strcmp(s->estimates[i].metric, metric))
            return &s->estimates[i];
    return NULL;
}

Test(summary, ratios_are_taken_within_blocks_whatever_the_order)
{
    static const double drift[] = {1, 50, 3, 700, 0.02, 9, 11, 13};
    struct book b = open_book();
    for (uint32_t i = 0; i < 8; i++)
        put(&b, make_row("system", i + 1, 100 * drift[i]));
    for (uint32_t i = 8; i-- > 0;)
        put(&b, make_row("fast", i + 1, 80 * drift[i]));
    struct summary s = reduce(&b);
    const struct estimate *e = find(&s, "fast", "wall");
    cr_assert_eq(e->n, 8u);
    cr_assert_eq(e->pairs, 8u);
    cr_assert_float_eq(e->ratio.value, 0.8, 1e-12);
    cr_assert_float_eq(e->ratio.lo, 0.8, 1e-12);
    cr_assert_float_eq(e->ratio.hi, 0.8, 1e-12);
    summary_free(&s);
}

Test(summary, blocks_of_two_sessions_are_not_mixed_up)
{
    struct book b = open_book();
    for (uint32_t block = 1; block <= 3; block++) {
        for (int session = 1; session <= 2; session++) {
            struct row base = make_row("system", block, session * 10);
            struct row fast = make_row("fast", block, session * 5);
            base.key.session[1] = fast.key.session[1] = (char)('0' + session);
            put(&b, base);
            put(&b, fast);
        }
    }
    struct summary s = reduce(&b);
    const struct estimate *e = find(&s, "fast", "wall");
    cr_assert_eq(e->pairs, 6u);
    cr_assert_eq(e->ratio.lo, 0.5);
    cr_assert_eq(e->ratio.hi, 0.5);
    summary_free(&s);
}

Test(summary, a_block_in_which_one_of_the_two_failed_has_no_pair)
{
    struct book b = open_book();
    for (uint32_t block = 1; block <= 7; block++) {
        put(&b, make_row("system", block, 10));
        if (block == 4)
            put(&b, make_failure("fast", block, STATUS_CRASH, "signal 11"));
        else
            put(&b, make_row("fast", block, 20));
    }
    struct summary s = reduce(&b);
    const struct estimate *e = find(&s, "fast", "wall");
    cr_assert_eq(e->n, 6u);
    cr_assert_eq(e->failed, 1u);
    cr_assert_eq(e->pairs, 6u);
    cr_assert_eq(e->status, STATUS_OK);
    cr_assert_str_eq(e->note, "crash: signal 11");
    cr_assert_null(find(&s, "fast", ""), "the failure is counted once");
    summary_free(&s);
}

Test(summary, an_allocator_that_always_fails_is_one_row_of_the_commonest_status)
{
    struct book b = open_book();
    put(&b, make_row("system", 1, 10));
    put(&b, make_failure("bad", 1, STATUS_TIMEOUT, "60 s"));
    put(&b, make_failure("bad", 2, STATUS_CRASH, "signal 6"));
    put(&b, make_failure("bad", 3, STATUS_CRASH, "signal 11"));
    struct summary s = reduce(&b);
    const struct estimate *e = find(&s, "bad", "");
    cr_assert_not_null(e);
    cr_assert_eq(e->n, 0u);
    cr_assert_eq(e->failed, 3u);
    cr_assert_eq(e->status, STATUS_CRASH);
    cr_assert_str_eq(e->note, "signal 6");
    cr_assert(isnan(e->median.value) && isnan(e->ratio.value));
    summary_free(&s);
}

Test(summary, a_failed_run_counts_in_every_metric_of_its_meter_only)
{
    struct book b = open_book();
    struct row cpu = make_row("system", 1, 3), leak = make_row("system", 1, 0);
    strcpy(cpu.metric, "cpu");
    strcpy(leak.metric, "leaked_bytes");
    strcpy(leak.key.meter, "leak");
    put(&b, make_row("system", 1, 10));
    put(&b, cpu);
    put(&b, leak);
    put(&b, make_failure("system", 2, STATUS_NOMEM, ""));
    struct summary s = reduce(&b);
    cr_assert_eq(find(&s, "system", "wall")->failed, 1u);
    cr_assert_eq(find(&s, "system", "cpu")->failed, 1u);
    cr_assert_eq(find(&s, "system", "leaked_bytes")->failed, 0u);
    summary_free(&s);
}

Test(summary, curves_are_left_out_and_marks_are_not)
{
    struct book b = open_book();
    struct row point = make_row("system", 1, 4096), mark = point;
    strcpy(point.at, "0.125000");
    strcpy(mark.at, "mark:peak");
    put(&b, point);
    put(&b, mark);
    struct summary s = reduce(&b);
    cr_assert_eq(s.n, 1u);
    cr_assert_str_eq(s.estimates[0].at, "mark:peak");
    summary_free(&s);
}

Test(summary, values_of_zero_have_a_median_and_no_ratio)
{
    struct book b = open_book();
    for (uint32_t block = 1; block <= 6; block++) {
        put(&b, make_row("system", block, block == 3 ? 0 : 5));
        put(&b, make_row("other", block, 5));
    }
    struct summary s = reduce(&b);
    const struct estimate *e = find(&s, "other", "wall");
    cr_assert_eq(e->median.value, 5);
    cr_assert_eq(e->pairs, 0u);
    cr_assert(isnan(e->ratio.value));
    summary_free(&s);
}

Test(summary, without_the_baseline_there_are_medians_and_no_ratios)
{
    struct book b = open_book();
    put(&b, make_row("other", 1, 5));
    struct summary s = reduce(&b);
    cr_assert_eq(find(&s, "other", "wall")->median.value, 5);
    cr_assert_eq(find(&s, "other", "wall")->pairs, 0u);
    summary_free(&s);
}

Test(summary, cells_are_apart_by_each_part_of_their_key)
{
    struct book b = open_book();
    struct row row = make_row("system", 1, 1);
    put(&b, row);
    strcpy(row.key.workload, "w2"), put(&b, row);
    row.key.threads = 2, put(&b, row);
    row.key.scale = 2, put(&b, row);
    strcpy(row.key.touch, "full"), put(&b, row);
    row.key.window = 8, put(&b, row);
    strcpy(row.key.meter, "memory"), put(&b, row);
    strcpy(row.metric, "cpu"), put(&b, row);
    strcpy(row.at, "mark:x"), put(&b, row);
    strcpy(row.key.allocator, "other"), put(&b, row);
    row.key.run = 2, row.key.block = 2, row.key.seed = 9, put(&b, row);
    struct summary s = reduce(&b);
    cr_assert_eq(s.n, 10u, "run, block and seed make no cell of their own");
    summary_free(&s);
}

Test(summary, allocators_stand_null_first_then_the_baseline_then_by_name)
{
    static const char *const names[] = {"zeta", "system", "alpha", "null"};
    static const char *const want[] = {"null", "system", "alpha", "zeta"};
    struct book b = open_book();
    for (int i = 0; i < 4; i++)
        put(&b, make_row(names[i], 1, 1));
    struct summary s = reduce(&b);
    for (int i = 0; i < 4; i++)
        cr_assert_str_eq(s.estimates[i].key.allocator, want[i]);
    summary_free(&s);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13; /* xorshift64: Marsaglia, JSS 8(14), 2003 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

Test(summary, shuffled_rows_give_the_same_numbers)
{
    enum { ROWS = 400 };
    static struct row rows[ROWS];
    uint64_t seed = 3;
    for (int i = 0; i < ROWS; i++) {
        char name[8];
        snprintf(name, sizeof name, "%s", i % 5 ? "other" : "system");
        rows[i] = make_row(name, (uint32_t)(1 + i / 8),
                           1 + (double)(next_random(&seed) % 1000));
        if (i % 3 == 0)
            strcpy(rows[i].metric, "cpu");
    }
    struct summary s[2];
    for (int pass = 0; pass < 2; pass++) {
        struct book b = open_book();
        for (int i = 0; i < ROWS; i++)
            put(&b, rows[i]);
        s[pass] = reduce(&b);
        for (int i = ROWS - 1; i > 0; i--) {
            int j = (int)(next_random(&seed) % (uint64_t)(i + 1));
            struct row t = rows[i];
            rows[i] = rows[j];
            rows[j] = t;
        }
    }
    cr_assert_eq(s[0].n, s[1].n);
    for (size_t i = 0; i < s[0].n; i++) {
        const struct estimate *x = &s[0].estimates[i];
        const struct estimate *y = find(&s[1], x->key.allocator, x->metric);
        cr_assert_eq(x->n, y->n);
        cr_assert_eq(x->median.value, y->median.value);
        cr_assert_eq(x->median.lo, y->median.lo);
        cr_assert_eq(x->median.hi, y->median.hi);
        cr_assert_eq(x->ratio.value, y->ratio.value);
        cr_assert_eq(x->ratio.lo, y->ratio.lo);
        cr_assert_eq(x->ratio.hi, y->ratio.hi);
    }
    summary_free(&s[0]);
    summary_free(&s[1]);
}

Test(summary, a_metric_with_two_units_is_refused_with_its_line)
{
    struct book b = open_book();
    struct row row = make_row("system", 1, 1);
    struct summary s;
    char why[WHY] = "";
    put(&b, row);
    strcpy(row.unit, "ms");
    put(&b, row);
    fclose(b.file);
    cr_assert_eq(summary_from_samples(b.path, "system", &s, why, WHY), EBADMSG);
    cr_assert_not_null(strstr(why, ":3: unit = 'ms' (want"), "%s", why);
    unlink(b.path);
}

Test(summary, no_rows_are_no_data)
{
    struct book b = open_book();
    struct summary s;
    char why[WHY] = "";
    fclose(b.file);
    cr_assert_eq(summary_from_samples(b.path, "system", &s, why, WHY), ENODATA);
    cr_assert_not_null(strstr(why, "no rows"));
    unlink(b.path);
}

static void assert_same_real(double x, double y)
{
    cr_assert((isnan(x) && isnan(y)) || x == y, "%.17g and %.17g", x, y);
}

Test(summary, what_is_written_is_read_back)
{
    struct book b = open_book();
    for (uint32_t block = 1; block <= 7; block++) {
        put(&b, make_row("system", block, 3 + 1.0 / block));
        put(&b, make_row("a,b \"c\"", block, 1.0 / 3 / block));
        put(&b, make_failure("bad", block, STATUS_CORRUPT, "byte 3, \"x\""));
    }
    struct summary s = reduce(&b), got;
    char path[] = "/tmp/heapyard-summary-XXXXXX", why[WHY] = "";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    cr_assert_eq(summary_write(&s, f), 0);
    fclose(f);
    cr_assert_eq(summary_read(path, &got, why, WHY), 0, "%s", why);
    cr_assert_eq(got.n, s.n);
    cr_assert_str_eq(got.baseline, "system");
    for (size_t i = 0; i < s.n; i++) {
        const struct estimate *x = &s.estimates[i], *y = &got.estimates[i];
        cr_assert_str_eq(x->key.allocator, y->key.allocator);
        cr_assert_str_eq(x->metric, y->metric);
        cr_assert_str_eq(x->note, y->note);
        cr_assert_eq(x->n, y->n);
        cr_assert_eq(x->failed, y->failed);
        cr_assert_eq(x->status, y->status);
        cr_assert_eq(x->pairs, y->pairs);
        assert_same_real(x->median.value, y->median.value);
        assert_same_real(x->median.lo, y->median.lo);
        assert_same_real(x->median.hi, y->median.hi);
        assert_same_real(x->ratio.value, y->ratio.value);
        assert_same_real(x->ratio.lo, y->ratio.lo);
        assert_same_real(x->ratio.hi, y->ratio.hi);
    }
    unlink(path);
    summary_free(&s);
    summary_free(&got);
}

Test(summary, an_inconsistent_summary_is_refused_with_its_line)
{
    static const char header[] =
        "workload,threads,scale,touch,window,meter,metric,at,unit,allocator,n,"
        "failed,status,median,lo,hi,outliers,baseline,ratio,ratio_lo,ratio_hi,"
        "pairs,detectable,warmup,warmup_by,session,seed,served_by,note\n"
        "w,1,1,page,0,time,wall,,ns,system,6,0,ok,2,1,3,0,system,1,1,1,6,,0,,"
        "s,1,,\n";
    static const struct {
        const char *line, *why;
    } bad[] = {
        {"w,1,1,page,0,time,wall,,ns,x,6,0,ok,9,1,3,0,system,1,1,1,6,,0,,s,1,,"
         "\n",
         ":3: median outside lo .. hi"},
        {"w,1,1,page,0,time,wall,,ns,x,6,0,ok,,,,0,system,1,1,1,6,,0,,s,1,,\n",
         ":3: median outside lo .. hi, or missing"},
        {"w,1,1,page,0,time,wall,,ns,x,0,0,ok,,,,0,system,,,,0,,0,,s,1,,\n",
         ":3: n is 0 though status is ok"},
        {"w,1,1,page,0,time,wall,,ns,x,6,0,ok,2,1,3,0,system,1,2,3,6,,0,,s,1,,"
         "\n",
         ":3: ratio outside"},
        {"w,1,1,page,0,time,wall,,ns,x,6,0,ok,2,1,3,0,other,1,1,1,6,,0,,s,1,,"
         "\n",
         ":3: another baseline"},
        {"w,1,1,page,0,time,wall,,ns,x,6,0,ok,2,1,3,7,system,1,1,1,6,,0,,s,1,,"
         "\n",
         ":3: more outliers than n"},
        {"w,1,1,page,0,time,wall,,ns,x,6,0,ok,2,1,3,0,system,1,1,1,6,-1,0,,s,1,"
         ",\n",
         ":3: detectable below 0"},
        {"w,1,1,page,0,time,wall,,ns,x,6,0,ok,2,1,3,0,system,1,1,1,6,,2,,s,1,,"
         "\n",
         ":3: warmup without warmup_by"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char path[] = "/tmp/heapyard-summary-XXXXXX", why[WHY] = "";
        struct summary s;
        int fd = mkstemp(path);
        FILE *f = fdopen(fd, "w");
        fprintf(f, "%s%s", header, bad[i].line);
        fclose(f);
        cr_assert_eq(summary_read(path, &s, why, WHY), EBADMSG);
        cr_assert_not_null(strstr(why, bad[i].why), "case %zu: %s", i, why);
        unlink(path);
    }
}
