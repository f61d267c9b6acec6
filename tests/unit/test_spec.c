/* test_spec.c - what a spec accepts, and what it says of the rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scratch.h"
#include "spec.h"

enum { WHY = 9000 };

static struct scratch scratch;
static struct spec spec, before;
static char path[600], why[WHY];

static void open_scratch(void)
{
    scratch_open(&scratch);
    scratch_path(&scratch, "s", path, sizeof path);
    spec_init(&spec);
}

static void close_scratch(void)
{
    scratch_close(&scratch);
}

TestSuite(spec, .init = open_scratch, .fini = close_scratch);

static int read_bytes(const char *text, size_t n)
{
    scratch_write(&scratch, "s", text, n);
    return spec_read(&spec, path, why, sizeof why);
}

static int read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void check_list(const struct spec_list *list, const char *joined)
{
    char text[SPEC_LIST_MAX * SPEC_NAME_MAX] = "";

    for (unsigned i = 0; i < list->n; i++) {
        strcat(text, i ? "|" : "");
        strcat(text, list->item[i]);
    }
    cr_assert_str_eq(text, joined);
}

/* Each help ends in "(default: VALUE)". */
Test(spec, presets_are_those_of_the_help)
{
    memset(&before, 0, sizeof before);
    spec_init(&before);
    memcpy(&spec, &before, sizeof spec);
    for (size_t i = 0; spec_keys[i].name; i++) {
        const char *preset = strstr(spec_keys[i].help, "(default: ");
        char value[400];

        cr_assert_not_null(preset, "%s", spec_keys[i].name);
        snprintf(value, sizeof value, "%s", preset + strlen("(default: "));
        value[strcspn(value, ")")] = 0;
        cr_expect_eq(spec_set(&spec, spec_keys[i].name, value, why, WHY), 0,
                     "%s", why);
        cr_expect_eq(memcmp(&spec, &before, sizeof spec), 0, "%s = %s",
                     spec_keys[i].name, value);
    }
}

/* ---- values ---- */

static const struct {
    const char *key, *value;
} good[] = {
    {"workload", "churn"},
    {"workload", "server-sim:profile=B:sessions=100"},
    {"workload", "a b/c.hyt"},
    {"allocators", " system ,  ./lib x.so "},
    {"threads", "1,2,1024"},
    {"meters", "time,memory,leak,latency,check,counters"},
    {"meters", "check"},
    {"runs", "1"},
    {"runs", "1000"},
    {"memory-runs", "1000"},
    {"seed", "0"},
    {"seed", "18446744073709551615"},
    {"scale", "0.0001"},
    {"scale", "1e4"},
    {"touch", "none"},
    {"window", "0"},
    {"window", "512"},
    {"window", "4294967295"},
    {"timeout", "86400"},
    {"runs", "auto"},
    {"precision", "0.1%"},
    {"precision", "50%"},
    {"precision", "none"},
    {"budget", "1"},
    {"budget", "604800s"},
    {"budget", "10080m"},
    {"budget", "168h"},
    {"budget", "none"},
};

Test(spec, good_values_are_taken)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect_eq(spec_set(&spec, good[i].key, good[i].value, why, WHY), 0,
                     "%s", why);
}

#define NAMES      "(want different names, separated by commas)"
#define THREADS    "(want different numbers in 1..1024, separated by commas)"
#define METERS     "(want names of `heapyard list meters`, each at most once)"
#define TOUCHES    "(want none, byte, page, line, full)"
#define WINDOW     "(want 0, or 512..4294967295 operations)"
#define PRECISIONS "(want 0.1%..50%, or none)"
#define BUDGETS    "(want 1s..168h, as 60s, 5m or 1h, or none)"
#define KEYS                                                                   \
    "(want one of: workload, allocators, threads, meters, runs, memory-runs, " \
    "seed, scale, touch, window, timeout, precision, budget)"

static const struct {
    const char *key, *value, *why;
} bad[] = {
    {"workload", "", "workload =  " NAMES},
    {"workload", ",", "workload = , " NAMES},
    {"workload", "a,", "workload = a, " NAMES},
    {"workload", "a, ", "workload = a,  " NAMES},
    {"workload", ",a", "workload = ,a " NAMES},
    {"workload", "a,,b", "workload = a,,b " NAMES},
    {"workload", "a\tb", "workload = a\tb " NAMES},
    {"allocators", "a\nb", "allocators = a\nb " NAMES},
    {"allocators", "system,arena,system",
     "allocators = system,arena,system " NAMES},
    {"allocators", "a, a", "allocators = a, a " NAMES},
    {"threads", "0", "threads = 0 " THREADS},
    {"threads", "1025", "threads = 1025 " THREADS},
    {"threads", "1,two", "threads = 1,two " THREADS},
    {"threads", "2,02", "threads = 2,02 " THREADS},
    {"meters", "speed", "meters = speed " METERS},
    {"meters", "time,time", "meters = time,time " METERS},
    {"meters", "time memory", "meters = time memory " METERS},
    {"runs", "0", "runs = 0 (want 1..1000)"},
    {"runs", "1001", "runs = 1001 (want 1..1000)"},
    {"runs", "ten", "runs = ten (want 1..1000)"},
    {"memory-runs", "-1", "memory-runs = -1 (want 1..1000)"},
    {"seed", "1.5", "seed = 1.5 (want 0..18446744073709551615)"},
    {"seed", "18446744073709551616",
     "seed = 18446744073709551616 (want 0..18446744073709551615)"},
    {"scale", "0", "scale = 0 (want 0.0001..10000)"},
    {"scale", "0x1", "scale = 0x1 (want 0.0001..10000)"},
    {"scale", "nan", "scale = nan (want 0.0001..10000)"},
    {"touch", "Page", "touch = Page " TOUCHES},
    {"touch", "", "touch =  " TOUCHES},
    {"window", "1", "window = 1 " WINDOW},
    {"window", "511", "window = 511 " WINDOW},
    {"window", "4294967296", "window = 4294967296 " WINDOW},
    {"timeout", "0", "timeout = 0 (want 1..86400 seconds)"},
    {"timeout", "86401", "timeout = 86401 (want 1..86400 seconds)"},
    {"precision", "1", "precision = 1 " PRECISIONS},
    {"precision", "%", "precision = % " PRECISIONS},
    {"precision", "0%", "precision = 0% " PRECISIONS},
    {"precision", "50.1%", "precision = 50.1% " PRECISIONS},
    {"precision", "-1%", "precision = -1% " PRECISIONS},
    {"precision", "1%%", "precision = 1%% " PRECISIONS},
    {"precision", "1.00000000000000001%",
     "precision = 1.00000000000000001% " PRECISIONS},
    {"budget", "0s", "budget = 0s " BUDGETS},
    {"budget", "s", "budget = s " BUDGETS},
    {"budget", "", "budget =  " BUDGETS},
    {"budget", "1d", "budget = 1d " BUDGETS},
    {"budget", "1.5h", "budget = 1.5h " BUDGETS},
    {"budget", "169h", "budget = 169h " BUDGETS},
    {"budget", "00000000000000000001s",
     "budget = 00000000000000000001s " BUDGETS},
    {"thread", "1", "no key is called \"thread\" " KEYS},
    {"", "1", "no key is called \"\" " KEYS},
    {"Runs", "1", "no key is called \"Runs\" " KEYS},
};

Test(spec, bad_values_are_named_and_change_nothing)
{
    memset(&before, 0, sizeof before); /* padding, too */
    spec_init(&before);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int err;

        memcpy(&spec, &before, sizeof spec);
        err = spec_set(&spec, bad[i].key, bad[i].value, why, WHY);
        cr_expect_eq(err, EINVAL, "%s", bad[i].why);
        cr_expect_str_eq(why, bad[i].why);
        cr_expect_eq(memcmp(&spec, &before, sizeof spec), 0, "%s changes",
                     bad[i].why);
    }
}

Test(spec, values_arrive_where_they_belong)
{
    cr_assert_eq(read_text("workload = churn:live=5 , x.hyt\n"
                           "allocators = ./a b.so,system\n"
                           "threads = 4, 2\n"
                           "meters = check , latency\n"
                           "runs=7\n"
                           "memory-runs=2\n"
                           "seed=12\n"
                           "scale=2.5\n"
                           "touch=full\n"
                           "window=0\n"
                           "timeout=9\n"),
                 0, "%s", why);
    check_list(&spec.workloads, "churn:live=5|x.hyt");
    check_list(&spec.allocators, "./a b.so|system");
    check_list(&spec.meters, "check|latency");
    cr_assert_eq(spec.nthreads, 2);
    cr_assert_eq(spec.threads[0], 4);
    cr_assert_eq(spec.threads[1], 2);
    cr_assert_eq(spec.runs, 7);
    cr_assert_eq(spec.memory_runs, 2);
    cr_assert_eq(spec.seed, 12);
    cr_assert_eq(spec.scale, 2.5);
    cr_assert_eq(spec.touch, TOUCH_FULL);
    cr_assert_eq(spec.window, 0);
    cr_assert_eq(spec.timeout_s, 9);
    cr_assert_eq(read_text("precision = 2.5%\nbudget = 2m"), 0, "%s", why);
    cr_assert_eq(spec.precision, 0.025);
    cr_assert_eq(spec.budget_s, 120);
}

static const struct {
    const char *text;
    uint32_t runs;
} most[] = {
    {"seed = 1", 10},
    {"runs = 7", 7},
    {"precision = 1%", 200},
    {"budget = 60s", 1000},
    {"precision = 1%\nbudget = 60s", 1000},
    {"runs = 10\nprecision = 1%", 10},
    {"budget = 60s\nruns = 7", 7},
    {"runs = 7\nruns = auto\nprecision = 1%", 200},
    {"precision = 1%\nprecision = none", 10},
};

Test(spec, a_rule_for_stopping_allows_more_runs_unless_told_how_many)
{
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        spec_init(&spec);
        cr_expect_eq(read_text(most[i].text), 0, "%s", why);
        cr_expect_eq(spec_runs(&spec), most[i].runs, "%s", most[i].text);
    }
}

Test(spec, every_key_has_a_setter_a_value_and_help)
{
    for (size_t i = 0; spec_keys[i].name; i++) {
        cr_expect_eq(spec_set(&spec, spec_keys[i].name, "\x01", why, WHY),
                     EINVAL);
        cr_expect_eq(strncmp(why, spec_keys[i].name, strlen(spec_keys[i].name)),
                     0, "%s", why);
        cr_expect(spec_keys[i].argument && spec_keys[i].help);
    }
}

static void list_of(char *text, size_t items, size_t length)
{
    *text = 0;
    for (size_t i = 0; i < items; i++) {
        char item[SPEC_NAME_MAX + 8];

        snprintf(item, sizeof item, "%s%0*zu", i ? "," : "", (int)length, i);
        strcat(text, item);
    }
}

Test(spec, lists_and_names_have_limits)
{
    static char text[SPEC_LIST_MAX * 20];

    list_of(text, SPEC_LIST_MAX, 5);
    cr_assert_eq(spec_set(&spec, "workload", text, why, WHY), 0);
    cr_assert_eq(spec.workloads.n, SPEC_LIST_MAX);
    list_of(text, SPEC_LIST_MAX + 1, 5);
    cr_assert_eq(spec_set(&spec, "workload", text, why, WHY), EINVAL);
    list_of(text, 1, SPEC_NAME_MAX - 1);
    cr_assert_eq(spec_set(&spec, "workload", text, why, WHY), 0);
    cr_assert_eq(strlen(spec.workloads.item[0]), SPEC_NAME_MAX - 1);
    list_of(text, 1, SPEC_NAME_MAX);
    cr_assert_eq(spec_set(&spec, "workload", text, why, WHY), EINVAL);
}

/* ---- files ---- */

static const struct {
    const char *text;
    const char *why; /* behind the path; NULL: good, and runs is 7 */
} files[] = {
    {"runs = 7", NULL},
    {"runs=7\n", NULL},
    {"runs = 7\r\n", NULL},
    {"\r\n\r\nruns\t=\t7\r\n", NULL},
    {"  runs = 7  # seven\n", NULL},
    {"# runs = 8\nruns = 7\n#\n", NULL},
    {"runs = 8\nruns = 7\n", NULL},
    {"runs = 7\n\n   \n\t\n", NULL},
    {"runs", ":1: \"runs\" (want key = value)"},
    {"runs = 7\n= 8\n", ":2: no key is called \"\" " KEYS},
    {"runs = # 7\n", ":1: runs =  (want 1..1000)"},
    {"runs = 7\n\n\nseed = x\n", ":4: seed = x (want 0..18446744073709551615)"},
    {"runs = 7 = 7\n", ":1: runs = 7 = 7 (want 1..1000)"},
    {"\xef\xbb\xbfruns = 7\n",
     ":1: no key is called \"\xef\xbb\xbfruns\" " KEYS},
    {"runs = 7\rruns = 8\n", ":1: runs = 7\rruns = 8 (want 1..1000)"},
    {"1234567890123456789012345678901234567890cut\n",
     ":1: \"1234567890123456789012345678901234567890\" (want key = value)"},
};

Test(spec, files_are_read_line_by_line)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char want[1200];
        int err;

        spec_init(&spec);
        why[0] = 0;
        err = read_text(files[i].text);
        cr_expect_eq(err, files[i].why ? EINVAL : 0, "\"%s\": %s",
                     files[i].text, why);
        snprintf(want, sizeof want, "%s%s", path,
                 files[i].why ? files[i].why : "");
        if (files[i].why)
            cr_expect_str_eq(why, want);
        else
            cr_expect_eq(spec.runs, 7, "\"%s\"", files[i].text);
    }
}

Test(spec, a_NUL_byte_is_an_error_wherever_it_stands)
{
    static const char in_line[] = "runs = 7\0junk\n", at_end[] = "runs = 7\0";
    char want[700];

    snprintf(want, sizeof want, "%s:1: line holds a NUL byte", path);
    cr_assert_eq(read_bytes(in_line, sizeof in_line - 1), EINVAL);
    cr_assert_str_eq(why, want);
    cr_assert_eq(read_bytes(at_end, sizeof at_end - 1), EINVAL);
    cr_assert_str_eq(why, want);
}

Test(spec, a_line_that_is_too_long_is_an_error)
{
    static char text[9000];
    char want[700];

    memset(text, ' ', sizeof text);
    memcpy(text, "runs=7", 6);
    text[8191] = '\n'; /* the longest line that fits */
    cr_assert_eq(read_bytes(text, 8192), 0, "%s", why);
    cr_assert_eq(spec.runs, 7);
    text[8191] = ' ';
    text[8192] = '\n';
    snprintf(want, sizeof want, "%s:1: line is too long", path);
    cr_assert_eq(read_bytes(text, 8193), EINVAL);
    cr_assert_str_eq(why, want);
}

Test(spec, an_empty_file_changes_nothing)
{
    memset(&before, 0, sizeof before);
    spec_init(&before);
    memcpy(&spec, &before, sizeof spec);
    cr_assert_eq(read_text(""), 0);
    cr_assert_eq(memcmp(&spec, &before, sizeof spec), 0);
}

Test(spec, what_cannot_be_read_is_an_errno)
{
    char want[700], at[600];

    scratch_path(&scratch, "none", at, sizeof at);
    cr_assert_eq(spec_read(&spec, at, why, WHY), ENOENT);
    snprintf(want, sizeof want, "%s: %s", at, strerror(ENOENT));
    cr_assert_str_eq(why, want);
    cr_assert_eq(spec_read(&spec, scratch.dir, why, WHY), EIO);
    snprintf(want, sizeof want, "%s:1: cannot be read", scratch.dir);
    cr_assert_str_eq(why, want);
}
