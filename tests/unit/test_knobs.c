/* test_knobs.c - knobs are read as documented, and errors say what is right.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload.h"

static const char *const colours[] = {"red", "green", "blue", NULL};
static const struct knob toy_knobs[] = {
    {"size", "bytes", 4096, 16, 0x1p30, "a size", NULL},
    {"cross", "%", 7, 0, 100, "a share", NULL},
    {"count", "events", 10, 1, 1000, "a whole number", NULL},
    {"power", "1", 0.5, -1, 3, "a plain number", NULL},
    {"colour", "1", 1, 0, 2, "a choice", colours},
    {.name = NULL},
};

static int toy_check(const struct knob_values *values, char *why, size_t size)
{
    if (values->v[2] <= 999)
        return 0;
    snprintf(why, size, "toy: count = 1000 (want anything else)");
    return EINVAL;
}

static const struct workload toy = {
    .name = "toy", .knobs = toy_knobs, .check = toy_check};

static const struct {
    const char *text;
    double v[5];
} good[] = {
    {NULL, {4096, 7, 10, 0.5, 1}},
    {"", {4096, 7, 10, 0.5, 1}},
    {"size=64", {64, 7, 10, 0.5, 1}},
    {"size=2k", {2048, 7, 10, 0.5, 1}},
    {"size=1.5m", {1572864, 7, 10, 0.5, 1}},
    {"size=1G", {0x1p30, 7, 10, 0.5, 1}},
    {"cross=0", {4096, 0, 10, 0.5, 1}},
    {"cross=100", {4096, 100, 10, 0.5, 1}},
    {"cross=1.7", {4096, 1.7, 10, 0.5, 1}},
    {"power=-0.25", {4096, 7, 10, -0.25, 1}},
    {"colour=blue", {4096, 7, 10, 0.5, 2}},
    {"colour=red:count=999:size=16", {16, 7, 999, 0.5, 0}},
};

Test(knobs, good_texts_set_what_they_name_and_nothing_else)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct knob_values values;
        char why[160] = "";
        cr_assert_eq(
            workload_knobs(&toy, good[i].text, &values, why, sizeof why), 0,
            "%s: %s", good[i].text, why);
        for (int k = 0; k < 5; k++)
            cr_assert_eq(values.v[k], good[i].v[k], "%s: knob %d = %g",
                         good[i].text, k, values.v[k]);
    }
}

static const struct {
    const char *text, *why;
} bad[] = {
    {"cross=140", "toy: cross = 140 (want 0..100 %)"},
    {"cross=-1", "toy: cross = -1 (want 0..100 %)"},
    {"cross=", "toy: cross = \"\" (want 0..100 %)"},
    {"cross=7%", "toy: cross = 7% (want 0..100 %)"},
    {"cross=0x10", "toy: cross = 0x10 (want 0..100 %)"},
    {"cross=nan", "toy: cross = nan (want 0..100 %)"},
    {"cross=1e1", "toy: cross = 1e1 (want 0..100 %)"},
    {"cross= 7", "toy: cross =  7 (want 0..100 %)"},
    {"cross=1.2.3", "toy: cross = 1.2.3 (want 0..100 %)"},
    {"cross=.5", "toy: cross = .5 (want 0..100 %)"},
    {"cross=2k", "toy: cross = 2k (want 0..100 %)"},
    {"count=1.5", "toy: count = 1.5 (want 1..1000 events)"},
    {"count=1k", "toy: count = 1k (want 1..1000 events)"},
    {"size=1", "toy: size = 1 (want 16..1g bytes)"},
    {"size=k", "toy: size = k (want 16..1g bytes)"},
    {"size=16.0001k", "toy: size = 16.0001k (want 16..1g bytes)"},
    {"size=9999999999999999", "toy: size = 9999999999999999 (want 16..1g "
                              "bytes)"},
    {"power=4", "toy: power = 4 (want -1..3)"},
    {"colour=pink", "toy: colour = pink (want red, green or blue)"},
    {"colour=", "toy: colour = \"\" (want red, green or blue)"},
    {"colour=gree", "toy: colour = gree (want red, green or blue)"},
    {"cros=6", "toy has no knob \"cros\" (did you mean \"cross\"?)"},
    {"Size=16", "toy has no knob \"Size\" (did you mean \"size\"?)"},
    {"wheels=4", "toy has no knob \"wheels\" (heapyard list toy shows "
                 "them)"},
    {"=4", "toy has no knob \"\" (heapyard list toy shows them)"},
    {"cross", "toy: \"cross\" (want knob=value)"},
    {":cross=1", "toy: \"\" (want knob=value)"},
    {"cross=1::size=16", "toy: \"\" (want knob=value)"},
    {"cross=1:", "toy: nothing after the last \":\" (want knob=value)"},
    {"cross=1:cross=1", "toy: cross is given twice (want it once)"},
    {"\033[31m=4", "toy has no knob \"?[31m\" (heapyard list toy shows "
                   "them)"},
    {"count=1000", "toy: count = 1000 (want anything else)"},
};

Test(knobs, bad_texts_are_refused_with_what_would_be_right)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct knob_values values;
        char why[160] = "";
        cr_assert_eq(
            workload_knobs(&toy, bad[i].text, &values, why, sizeof why), EINVAL,
            "%s", bad[i].text);
        cr_assert_str_eq(why, bad[i].why);
    }
}

Test(knobs, messages_are_cut_to_their_buffer)
{
    struct knob_values values;
    char why[12];

    memset(why, 'x', sizeof why);
    cr_assert_eq(workload_knobs(&toy, "cross=140", &values, why, 10), EINVAL);
    cr_assert_str_eq(why, "toy: cros");
    cr_assert_eq(why[10], 'x');
}

Test(knobs, print_has_a_line_for_each_knob)
{
    static const char expected[] =
        "    size             4k       16..1g bytes             a size\n"
        "    cross            7        0..100 %                 a share\n"
        "    count            10       1..1000 events           a whole "
        "number\n"
        "    power            0.5      -1..3                    a plain "
        "number\n"
        "    colour           green    red, green or blue       a choice\n";
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    cr_assert_not_null(out);
    knobs_print(out, toy_knobs);
    fclose(out);
    cr_assert_str_eq(text, expected);
    free(text);
}

/* What every workload in the table must keep. */
Test(knobs, every_table_is_sound)
{
    for (size_t w = 0; workloads[w]; w++) {
        const struct knob *knobs = workloads[w]->knobs;
        struct knob_values values;
        char why[160] = "";
        size_t n = 0;
        for (; knobs[n].name; n++) {
            cr_assert_lt(n, KNOBS_MAX);
            cr_assert_not_null(knobs[n].unit);
            cr_assert_not_null(knobs[n].help);
            cr_assert_leq(knobs[n].min, knobs[n].preset);
            cr_assert_leq(knobs[n].preset, knobs[n].max, "%s:%s",
                          workloads[w]->name, knobs[n].name);
            for (size_t other = 0; other < n; other++)
                cr_assert_str_neq(knobs[n].name, knobs[other].name);
        }
        cr_assert_eq(workload_knobs(workloads[w], "", &values, why, sizeof why),
                     0, "%s", why);
        for (size_t k = 0; k < n; k++)
            cr_assert_eq(values.v[k], knobs[k].preset);
    }
}

static char *file_read(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 16);

    cr_assert_not_null(file, "%s", path);
    cr_assert_not_null(text);
    cr_assert_gt(fread(text, 1, (1 << 16) - 1, file), 0);
    fclose(file);
    return text;
}

/* workloads/README.md names each knob with its preset, as `name=preset`. */
Test(knobs, the_readme_names_every_preset)
{
    static const char *const described[] = {"server-sim", "churn"};
    const char *source = getenv("HEAPYARD_SOURCE");
    char path[4096];

    if (!source)
        cr_skip_test("HEAPYARD_SOURCE is not set");
    snprintf(path, sizeof path, "%s/workloads/README.md", source);
    char *readme = file_read(path);
    for (int i = 0; i < 2; i++) {
        char *text = NULL, *rest, name[64], preset[64], wanted[160];
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        cr_assert_not_null(out);
        knobs_print(out, workload_find(described[i])->knobs);
        fclose(out);
        for (char *line = strtok_r(text, "\n", &rest); line;
             line = strtok_r(NULL, "\n", &rest)) {
            cr_assert_eq(sscanf(line, " %63s %63s", name, preset), 2);
            snprintf(wanted, sizeof wanted, "`%s=%s`", name, preset);
            cr_expect_not_null(strstr(readme, wanted), "no %s in README.md",
                               wanted);
        }
        free(text);
    }
    free(readme);
}
