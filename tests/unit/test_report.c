/* test_report.c - the table and the charts of the golden summary.
 *
 * tests/golden/summary.csv is made-up data (see make-samples.awk there).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "charts.h"
#include "report.h"
#include "sheet.h"

enum { WHY = 5000, PATH = 600 };

/* A file of the source tree, found from the name of this one. */
static void source_path(const char *name, char path[PATH])
{
    const char *end = strstr(__FILE__, "tests/unit/test_report.c");
    cr_assert_not_null(end);
    snprintf(path, PATH, "%.*s%s", (int)(end - __FILE__), __FILE__, name);
}

static struct summary read_golden(void)
{
    struct summary s;
    char path[PATH], why[WHY] = "";
    source_path("tests/golden/summary.csv", path);
    cr_assert_eq(summary_read(path, &s, why, WHY), 0, "%s", why);
    return s;
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f, "%s", path);
    char *text = NULL;
    size_t room = 0;
    ssize_t n = getdelim(&text, &room, '\0', f);
    cr_assert(n > 0, "%s", path);
    fclose(f);
    return text;
}

static char *print_table(const struct summary *s, unsigned width, int colour)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    cr_assert_eq(report_table(s, f, width, colour), 0);
    fclose(f);
    return text;
}

/* ---- the table ---- */

/* Of the metrics that the table tells of, in one block of the golden data. */
static void set_warmup(struct summary *s, const char *metric, uint32_t blocks,
                       double by)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->estimates[i].metric, metric) &&
            s->estimates[i].key.threads == 2) {
            s->estimates[i].warmup = blocks;
            s->estimates[i].warmup_by = by;
        }
}

Test(report, warmup_is_told_of_in_one_line)
{
    static const struct {
        uint32_t time, memory;
        double time_by, memory_by;
        const char *line;
    } cases[] = {
        {1, 0, 0.0612, NAN,
         "\nwarm-up   block 1 of time was 6.1 % slower over all arms; ratios "
         "are within blocks and keep it.\n"},
        {2, 0, 0.23, NAN,
         "\nwarm-up   blocks 1 to 2 of time were 23 % slower "},
        {0, 1, NAN, 0.1, "\nwarm-up   block 1 of memory was 10 % larger over "},
        {1, 1, 0.2, 0.1, "slower over all arms; block 1 of memory was 10 %"},
        {0, 0, NAN, NAN, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct summary s = read_golden();
        set_warmup(&s, "wall_per_op", cases[i].time, cases[i].time_by);
        set_warmup(&s, "rss_peak", cases[i].memory, cases[i].memory_by);
        char *text = print_table(&s, 140, 0);
        if (cases[i].line)
            cr_assert_not_null(strstr(text, cases[i].line), "%s", text);
        else
            cr_assert_null(strstr(text, "warm-up"), "%s", text);
        free(text);
        summary_free(&s);
    }
}

Test(report, the_table_is_the_golden_one)
{
    static const struct {
        unsigned width;
        const char *file;
    } golden[] = {{80, "tests/golden/table-80.txt"},
                  {120, "tests/golden/table-120.txt"}};
    struct summary s = read_golden();
    for (size_t i = 0; i < 2; i++) {
        char path[PATH];
        source_path(golden[i].file, path);
        char *want = read_file(path);
        char *got = print_table(&s, golden[i].width, 0);
        cr_assert_str_eq(got, want);
        free(got);
        free(want);
    }
    summary_free(&s);
}

Test(report, no_line_is_wider_than_asked)
{
    struct summary s = read_golden();
    for (unsigned width = 80; width <= 200; width += 7) {
        char *text = print_table(&s, width, 0);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
            cr_assert(strlen(line) <= width, "%u: %s", width, line);
        free(text);
    }
    summary_free(&s);
}

Test(report, colour_adds_escapes_and_changes_nothing_else)
{
    struct summary s = read_golden();
    char *plain = print_table(&s, 80, 0), *colour = print_table(&s, 80, 1);
    cr_assert_null(strchr(plain, '\033'));
    cr_assert_not_null(strchr(colour, '\033'));
    char *to = colour;
    for (const char *from = colour; *from; from++) {
        if (*from == '\033')
            from = strchr(from, 'm');
        else
            *to++ = *from;
    }
    *to = '\0';
    cr_assert_str_eq(colour, plain);
    free(plain);
    free(colour);
    summary_free(&s);
}

/* One estimate of wall_per_op; a ratio to system over `pairs` blocks. */
static struct estimate make_estimate(const char *allocator, uint32_t pairs,
                                     double ratio, double lo, double hi)
{
    struct estimate e = {.key = {.workload = "w",
                                 .threads = 1,
                                 .scale = 1,
                                 .meter = "time",
                                 .touch = "page"},
                         .metric = "wall_per_op",
                         .unit = "ns",
                         .n = pairs,
                         .status = STATUS_OK,
                         .median = {10, 9, 11},
                         .ratio = {ratio, lo, hi},
                         .pairs = pairs};
    snprintf(e.key.allocator, sizeof e.key.allocator, "%s", allocator);
    return e;
}

Test(report, a_verdict_is_given_only_where_the_interval_excludes_1)
{
    struct estimate e[] = {
        make_estimate("system", 10, 1, 1, 1),
        make_estimate("quick", 10, 0.9, 0.85, 0.99),
        make_estimate("slow", 10, 1.2, 1.01, 1.3),
        make_estimate("alike", 10, 0.9, 0.8, 1.0),
        make_estimate("rare", 5, 0.5, 0.4, 0.6),
        make_estimate("null", 10, 0.1, 0.1, 0.1),
    };
    struct summary s = {"system", e, 6};
    char *text = print_table(&s, 200, 0);
    cr_assert_not_null(strstr(text, "faster than system: quick 0.90x. "
                                    "slower than system: slow 1.20x. "
                                    "not told apart: alike 0.90x. "
                                    "too few runs to tell (want 6 pairs): "
                                    "rare 0.50x."),
                       "%s", text);
    free(text);
}

Test(report, without_the_baseline_no_verdict_is_given)
{
    struct estimate e[] = {make_estimate("quick", 0, NAN, NAN, NAN)};
    struct summary s = {"system", e, 1};
    e[0].n = 10;
    char *text = print_table(&s, 80, 0);
    cr_assert_not_null(strstr(text, "no verdict: system has no ok run here"),
                       "%s", text);
    free(text);
}

Test(report, columns_that_do_not_fit_are_dropped_by_rank_and_counted)
{
    struct sheet sheet;
    cr_assert_eq(sheet_init(&sheet, 1), 0);
    sheet.columns = 3;
    for (size_t c = 0; c < 3; c++)
        snprintf(sheet.row[0][c].text, SHEET_CELL_MAX, "%s", "0123456789");
    sheet.column[1].rank = 1;
    sheet.column[2].rank = 2;
    FILE *f = fopen("/dev/null", "w");
    cr_assert_eq(sheet_print(&sheet, f, 34, 0), 0u);
    cr_assert_eq(sheet_print(&sheet, f, 32, 0), 0u, "gaps shrink first");
    cr_assert_eq(sheet_print(&sheet, f, 31, 0), 1u);
    cr_assert_eq(sheet.column[1].is_dropped, false);
    cr_assert_eq(sheet.column[2].is_dropped, true);
    cr_assert_eq(sheet_print(&sheet, f, 5, 0), 2u, "rank 0 stays");
    fclose(f);
    sheet_free(&sheet);
}

/* ---- the charts ---- */

static void remove_folder(const char *path)
{
    char name[PATH + 300];
    DIR *folder = opendir(path);
    for (struct dirent *e; (e = readdir(folder));) {
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        unlink(name);
    }
    closedir(folder);
    rmdir(path);
}

static int draw(const struct summary *s, const char *out, char why[WHY])
{
    char scripts[PATH];
    source_path("plots", scripts);
    return report_charts(s, NULL, scripts, out, "made-up data, no machine", why,
                         WHY);
}

static int has_file(const char *folder, const char *name)
{
    char path[2 * PATH];
    snprintf(path, sizeof path, "%.599s/%.599s", folder, name);
    return access(path, R_OK) == 0;
}

Test(report, without_gnuplot_the_data_of_the_charts_is_written)
{
    char out[] = "/tmp/heapyard-charts-XXXXXX", why[WHY] = "";
    struct summary s = read_golden();
    cr_assert_not_null(mkdtemp(out));
    setenv("PATH", "/nonexistent", 1);
    cr_assert_eq(draw(&s, out, why), ENOENT);
    cr_assert_not_null(strstr(why, "gnuplot-nox"), "%s", why);
    cr_assert(has_file(out, "time.tsv"));
    cr_assert(has_file(out, "peak-memory.tsv"));
    cr_assert(has_file(out, "time-memory.tsv"));
    cr_assert(!has_file(out, "time.svg"));
    remove_folder(out);
    summary_free(&s);
}

/* Exit code 77, which CTest takes as skipped, would end the whole suite. */
static int has_gnuplot(void)
{
    const char *const argument[] = {"gnuplot", "--version", NULL};
    char why[WHY];
    return gnuplot_run(argument, why, WHY) == 0;
}

Test(report, charts_are_drawn_and_the_same_each_time)
{
    if (!has_gnuplot()) {
        cr_log_warn("gnuplot is not installed: not tested");
        return;
    }
    static const char *const names[] = {"time", "peak-memory", "time-memory"};
    char out[2][40], why[WHY] = "";
    struct summary s = read_golden();
    for (int i = 0; i < 2; i++) {
        strcpy(out[i], "/tmp/heapyard-charts-XXXXXX");
        cr_assert_not_null(mkdtemp(out[i]));
        cr_assert_eq(draw(&s, out[i], why), 0, "%s", why);
    }
    for (size_t i = 0; i < 3; i++) {
        char path[2][PATH];
        for (int k = 0; k < 2; k++)
            snprintf(path[k], PATH, "%s/%s.svg", out[k], names[i]);
        char *first = read_file(path[0]), *second = read_file(path[1]);
        cr_assert_str_eq(first, second);
        cr_assert_not_null(strstr(first, "</svg>"), "%s", names[i]);
        cr_assert_not_null(strstr(first, "jemalloc"));
        cr_assert_not_null(strstr(first, "made-up data, no machine"));
        free(first);
        free(second);
        snprintf(path[0], PATH, "%s.png", names[i]);
        cr_assert(has_file(out[0], path[0]));
    }
    remove_folder(out[0]);
    remove_folder(out[1]);
    summary_free(&s);
}

Test(report, names_cannot_break_out_of_the_script_or_the_markup)
{
    if (!has_gnuplot())
        return;
    char out[] = "/tmp/heapyard-charts-XXXXXX", why[WHY] = "", path[PATH];
    struct estimate e[] = {
        make_estimate("system", 10, 1, 1, 1),
        make_estimate("a'\"\\`date`{x}^2_%s<b>&", 10, 2, 2, 2)};
    struct summary s = {"system", e, 2};
    cr_assert_not_null(mkdtemp(out));
    cr_assert_eq(draw(&s, out, why), 0, "%s", why);
    snprintf(path, sizeof path, "%s/time.svg", out);
    char *text = read_file(path);
    cr_assert_not_null(strstr(text, "_%s&lt;b>&amp;"));
    cr_assert_null(strstr(text, "<b>"));
    free(text);
    remove_folder(out);
}

Test(report, many_blocks_get_a_page_a_workload)
{
    struct estimate e[12];
    char out[] = "/tmp/heapyard-charts-XXXXXX", why[WHY] = "";
    static const char *const workloads[] = {"a:x", "a-x"};
    struct summary s = {"system", e, 12};
    for (int i = 0; i < 12; i++) {
        e[i] = make_estimate("system", 10, 1, 1, 1);
        strcpy(e[i].key.workload, workloads[i / 6]);
        e[i].key.threads = 1u + (uint32_t)i % 6;
    }
    cr_assert_not_null(mkdtemp(out));
    setenv("PATH", "/nonexistent", 1);
    cr_assert_eq(draw(&s, out, why), ENOENT);
    /* four panels a page; names that look alike once cleaned are numbered */
    cr_assert(has_file(out, "time-a-x.tsv"));
    cr_assert(has_file(out, "time-a-x-2.tsv"));
    cr_assert(has_file(out, "time-a-x-3.tsv"));
    cr_assert(has_file(out, "time-a-x-4.tsv"));
    remove_folder(out);
}

Test(report, spread_labels_keep_their_distance_and_order)
{
    double y[] = {0, 0.5, 0.6, 0.61, 9.9, 10};
    spread_labels(y, 6, 1, 0, 10);
    for (int i = 1; i < 6; i++)
        cr_assert(y[i] - y[i - 1] >= 1 - 1e-9, "%d: %g %g", i, y[i - 1], y[i]);
    cr_assert(y[0] >= 0 && y[5] <= 10);
}

static size_t count_cut(const double peak[], size_t n, double kept)
{
    size_t cut = 0;
    for (size_t i = 0; i < n; i++)
        cut += peak[i] > curves_top(peak, n, kept);
    return cut;
}

Test(report, curves_far_above_the_others_are_cut)
{
    const double alike[] = {85, 72, 72, 71, 70, 69};
    const double one[] = {720, 85, 72, 72, 71, 70};
    const double twins[] = {800, 720, 85, 72, 71, 70};
    const double most[] = {900, 800, 700, 9, 8};
    cr_assert_eq(count_cut(alike, 6, 65), 0);
    cr_assert_eq(count_cut(one, 6, 72), 1);
    cr_assert_float_eq(curves_top(one, 6, 72), 1.25 * 85, 1e-9);
    cr_assert_eq(count_cut(twins, 6, 72), 2);
    cr_assert_eq(count_cut(one, 6, 720), 0, "the baseline is the outlier");
    cr_assert_eq(count_cut(twins, 6, 720), 0, "one of them is the baseline");
    cr_assert_eq(count_cut(most, 5, 8), 0, "three of five");
    cr_assert_eq(count_cut(one, 1, 0), 0, "one alone");
    cr_assert_eq(count_cut((double[]){9, 0}, 2, 0), 0, "no height is left");
    cr_assert_eq(count_cut(NULL, 0, 5), 0);
}

static int order_downwards(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

Test(report, at_most_half_of_the_curves_are_cut_and_never_the_baseline)
{
    uint32_t random = 1;
    size_t cut_once = 0;
    for (int round = 0; round < 20000; round++) {
        double peak[12];
        size_t n = 1 + (size_t)round % 12;
        for (size_t i = 0; i < n; i++) {
            random = random * 1664525u + 1013904223u;
            peak[i] = pow(10, 3.0 * (random >> 8) / (1 << 24));
        }
        qsort(peak, n, sizeof *peak, order_downwards);
        double baseline = peak[(random >> 8) % n];
        double top = curves_top(peak, n, baseline);
        size_t cut = count_cut(peak, n, baseline);
        cr_assert(baseline < top, "%g is cut at %g", baseline, top);
        cr_assert(cut <= n / 2, "%zu of %zu are cut", cut, n);
        for (size_t i = 0; i < cut; i++)
            cr_assert(peak[i] > 2.5 * peak[cut], "%g: %g", peak[i], peak[cut]);
        cut_once += cut > 0;
    }
    cr_assert(cut_once > 1000, "only %zu rounds cut anything", cut_once);
}

Test(report, a_logarithmic_axis_has_two_to_nine_round_tics)
{
    double tic[LOG_TICS_MAX];
    for (double from = 1e-3; from < 1e6; from *= 1.037)
        for (double ratio = 2.4; ratio < 1e8; ratio *= 1.7) {
            size_t n = log_tics(from, from * ratio, tic);
            cr_assert(n >= 2 && n <= 9, "%g .. %g: %zu", from, from * ratio, n);
            for (size_t i = 0; i < n; i++)
                cr_assert(tic[i] >= from && tic[i] <= from * ratio &&
                          (i == 0 || tic[i] > tic[i - 1]));
        }
}

Test(report, numbers_have_three_digits)
{
    static const struct {
        double v;
        int decimals;
    } cases[] = {{0, 0},     {0.0312, 4}, {0.312, 3}, {4.56, 2},
                 {9.996, 1}, {45.6, 1},   {456, 0},   {45678, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(decimals_short(cases[i].v), cases[i].decimals, "%g",
                     cases[i].v);
    char text[16];
    format_bytes(0, text, sizeof text);
    cr_assert_str_eq(text, "0");
    format_bytes(65536, text, sizeof text);
    cr_assert_str_eq(text, "64K");
    format_bytes(1.5 * 1024 * 1024, text, sizeof text);
    cr_assert_str_eq(text, "1.5M");
}
