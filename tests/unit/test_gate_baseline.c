/* test_gate_baseline.c - files of an earlier session: what is read, what is
 * refused with its place, and which machine's counts are excused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "environment.h"
#include "gate_baseline.h"

enum { WHY = 512, PATH = 128 };

#define HEADER                                                                 \
    "session,run,block,workload,threads,scale,seed,allocator,served_by,meter," \
    "touch,window,status,metric,at,unit,value,note\n"
/* A row of run R: key, then what was measured. */
#define ROW(r, what)                                                           \
    "s1," r ",1,churn,1,0.1,1,slab,slab,memory,page,2000,ok," what ",\n"
#define FAILED(r)                                                              \
    "s1," r                                                                    \
    ",1,churn,1,0.1,1,slab,slab,memory,page,2000,crash,,,,,\"signal 11\"\n"

/* A folder of its own, with what a test puts there. */
struct place {
    char folder[PATH], samples[PATH + 16], environment[PATH + 32];
};

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    cr_assert_not_null(f);
    cr_assert(fputs(text, f) >= 0);
    cr_assert_eq(fclose(f), 0);
}

static struct place make_place(const char *samples, const char *environment)
{
    struct place p = {.folder = "/tmp/heapyard baseline'XXXXXX"};

    cr_assert_not_null(mkdtemp(p.folder));
    snprintf(p.samples, sizeof p.samples, "%s/samples.csv", p.folder);
    snprintf(p.environment, sizeof p.environment, "%s/environment.csv",
             p.folder);
    if (samples)
        put_file(p.samples, samples);
    if (environment)
        put_file(p.environment, environment);
    return p;
}

static void drop_place(const struct place *p)
{
    unlink(p->samples);
    unlink(p->environment);
    rmdir(p->folder);
}

static int read_back(const char *path, struct cells *cells,
                     struct gate_baseline *b, char why[WHY])
{
    *cells = (struct cells){0};
    why[0] = 0;
    return gate_baseline_read(path, cells, b, why, WHY);
}

static const struct cell *find(const struct cells *cells, const char *metric)
{
    for (size_t i = 0; i < cells->n; i++)
        if (!strcmp(cells->cell[i]->estimate.metric, metric))
            return cells->cell[i];
    return NULL;
}

Test(gate_baseline, a_file_and_its_folder_are_the_same)
{
    static const char text[] =
        HEADER ROW("1", "rss_peak,,bytes,100") ROW("2", "rss_peak,,bytes,120")
            ROW("2", "rss,12,bytes,7") ROW("2", "rss,13,bytes,8");
    struct place p = make_place(text, "session,key,value\ns1,cpu,\"a, b\"\n"
                                      "s1,libc,glibc 9\ns1,thp,never\n");
    const char *const paths[] = {p.samples, p.folder};

    for (int i = 0; i < 2; i++) {
        struct cells cells;
        struct gate_baseline b;
        char why[WHY];

        cr_assert_eq(read_back(paths[i], &cells, &b, why), 0, "%s", why);
        const struct cell *c = find(&cells, "rss_peak");

        cr_assert(c && c->n == 2);
        cr_assert_eq(c->samples[1].value, 120.0);
        cr_assert_null(find(&cells, "rss"), "a curve is no cell");
        cr_assert_str_eq(b.cpu, "a, b");
        cr_assert_str_eq(b.libc, "glibc 9");
        cr_assert_str_eq(b.thp, "never");
        cells_free(&cells);
    }
    drop_place(&p);
}

Test(gate_baseline, failures_are_kept_with_their_reason)
{
    struct place p = make_place(HEADER FAILED("1") FAILED("2"), NULL);
    struct cells cells;
    struct gate_baseline b;
    char why[WHY];

    cr_assert_eq(read_back(p.samples, &cells, &b, why), 0, "%s", why);
    const struct cell *c = find(&cells, "");

    cr_assert(c && c->failed[STATUS_CRASH] == 2);
    cr_assert_str_eq(c->note[STATUS_CRASH], "signal 11");
    cr_assert(!b.cpu[0] && !b.libc[0] && !b.thp[0]);
    cells_free(&cells);
    drop_place(&p);
}

/* line: where the message points to; 0: not to a line. */
static const struct {
    const char *text;
    int err, line;
    const char *why;
} bad[] = {
    {"", EBADMSG, 0, ""},
    {HEADER, ENODATA, 0, "no rows (want at least one run)"},
    {"session,run,block\n", EBADMSG, 1, "workload"},
    {"\n", EBADMSG, 2, "empty file"},
    {HEADER ROW("1", "rss_peak,,bytes,nan"), EBADMSG, 2, "value = 'nan'"},
    {HEADER ROW("1", "rss_peak,,bytes,inf"), EBADMSG, 2, "value = 'inf'"},
    {HEADER ROW("1", "rss_peak,,bytes,"), EBADMSG, 2, "value"},
    {HEADER ROW("1", "rss_peak,,bytes,x"), EBADMSG, 2, "value = 'x'"},
    {HEADER ROW("1", "rss_peak,,bytes,1") ROW("1", "rss_peak,,bytes,1"),
     EBADMSG, 3, "rss_peak of slab on churn stands twice in run 1"},
    {HEADER FAILED("3") FAILED("3"), EBADMSG, 3,
     "a failure of slab on churn stands twice in run 3"},
    {HEADER ROW("1", "rss_peak,,bytes,1") ROW("2", "rss_peak,,KiB,1"), EBADMSG,
     3, "unit = 'KiB'"},
    {HEADER ROW("1", "rss_peak,,bytes,1") "s1,2,1,churn,1,0.1", EBADMSG, 3, ""},
    {HEADER ROW("0", "rss_peak,,bytes,1"), EBADMSG, 2, "run = '0'"},
    {HEADER "s1,1,1,churn,1,0.1,1,\"slab,slab,memory,page,2000,ok\n", EBADMSG,
     2, ""},
};

Test(gate_baseline, what_is_wrong_is_told_with_its_place)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct place p = make_place(bad[i].text, NULL);
        struct cells cells;
        struct gate_baseline b;
        char why[WHY], where[PATH + 48];
        int err = read_back(p.folder, &cells, &b, why);

        cr_expect_eq(err, bad[i].err, "case %zu: %d: %s", i, err, why);
        cr_expect_not_null(strstr(why, bad[i].why), "case %zu: %s", i, why);
        snprintf(where, sizeof where, bad[i].line ? "%s:%d: " : "%s", p.samples,
                 bad[i].line);
        cr_expect_eq(strncmp(why, where, strlen(where)), 0, "case %zu: %s", i,
                     why);
        cells_free(&cells);
        drop_place(&p);
    }
}

Test(gate_baseline, a_missing_file_is_an_errno_and_named)
{
    struct place p = make_place(NULL, NULL);
    const char *const paths[] = {p.samples, p.folder};

    for (int i = 0; i < 2; i++) {
        struct cells cells;
        struct gate_baseline b;
        char why[WHY];

        cr_assert_eq(read_back(paths[i], &cells, &b, why), ENOENT);
        cr_assert_not_null(strstr(why, p.samples), "%s", why);
        cells_free(&cells);
    }
    drop_place(&p);
}

/* The table of what was seen grows: 3000 values, and one of them twice. */
Test(gate_baseline, a_value_that_stands_twice_is_found_in_long_files)
{
    struct place p = make_place(HEADER, NULL);
    struct cells cells;
    struct gate_baseline b;
    char why[WHY];
    FILE *f = fopen(p.samples, "a");

    for (int i = 1; i <= 3000; i++)
        fprintf(f, ROW("%d", "rss_peak,,bytes,%d"), i, i);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(read_back(p.samples, &cells, &b, why), 0, "%s", why);
    cr_assert_eq(find(&cells, "rss_peak")->n, 3000u);
    cells_free(&cells);
    f = fopen(p.samples, "a");
    fputs(ROW("17", "rss_peak,,bytes,5"), f);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(read_back(p.samples, &cells, &b, why), EBADMSG);
    cr_assert_not_null(strstr(why, ":3002: "), "%s", why);
    cr_assert_not_null(strstr(why, "twice in run 17"), "%s", why);
    cells_free(&cells);
    drop_place(&p);
}

/* ---- the machine ---- */

static const struct gate_rule *rule(const char *metric)
{
    int i = 0;

    while (strcmp(gate_rules[i].metric, metric))
        i++;
    return &gate_rules[i];
}

static struct gate_baseline of_here(void)
{
    struct gate_baseline b = {.date = ""};

    environment_fact("cpu", b.cpu, sizeof b.cpu);
    environment_fact("libc", b.libc, sizeof b.libc);
    environment_fact("thp", b.thp, sizeof b.thp);
    return b;
}

static void expect_excuse(const struct gate_baseline *b, const char *metric,
                          const char *want)
{
    char why[200];

    gate_baseline_excuse(b, rule(metric), why, sizeof why);
    if (want)
        cr_expect_not_null(strstr(why, want), "%s: \"%s\"", metric, why);
    else
        cr_expect_str_eq(why, "", "%s: \"%s\"", metric, why);
}

Test(gate_baseline, counts_of_this_machine_need_no_excuse)
{
    struct gate_baseline b = of_here();

    for (int i = 0; i < GATE_RULES; i++)
        expect_excuse(&b, gate_rules[i].metric,
                      gate_rules[i].tier == GATE_PAIRED ? "times of another"
                                                        : NULL);
}

Test(gate_baseline, another_processor_spoils_simulations_only)
{
    struct gate_baseline b = of_here();

    snprintf(b.cpu, sizeof b.cpu, "Zilog Z80");
    expect_excuse(&b, "sim_instructions", "cpu was \"Zilog Z80\"");
    expect_excuse(&b, "leaked_bytes", NULL);
    expect_excuse(&b, "checked_ops", NULL);
    expect_excuse(&b, "rss_peak", NULL);
}

Test(gate_baseline, another_c_library_spoils_simulations_only)
{
    struct gate_baseline b = of_here();

    snprintf(b.libc, sizeof b.libc, "dietlibc");
    expect_excuse(&b, "sim_d1_misses", "libc was \"dietlibc\"");
    expect_excuse(&b, "rss_peak", NULL);
}

Test(gate_baseline, other_huge_pages_spoil_footprints_only)
{
    struct gate_baseline b = of_here();

    snprintf(b.thp, sizeof b.thp, "sometimes");
    expect_excuse(&b, "rss_peak", "thp was \"sometimes\"");
    expect_excuse(&b, "frag_at_peak_live", "thp was");
    expect_excuse(&b, "sim_instructions", NULL);
    expect_excuse(&b, "leaked_bytes", NULL);
}

Test(gate_baseline, a_machine_that_was_not_recorded_is_another)
{
    struct gate_baseline b = {.cpu = ""};

    expect_excuse(&b, "sim_instructions", "cpu was \"not recorded\"");
    expect_excuse(&b, "rss_peak", "thp was \"not recorded\"");
    expect_excuse(&b, "leaked_bytes", NULL);
}

/* Long names of machines do not overrun what they are copied to, and are
 * compared as far as they were kept. */
Test(gate_baseline, long_facts_are_cut)
{
    char environment[2048], name[900];

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    snprintf(environment, sizeof environment,
             "session,key,value\ns1,cpu,%s\ns1,thp,%s\n", name, name);
    struct place p =
        make_place(HEADER ROW("1", "rss_peak,,bytes,1"), environment);
    struct cells cells;
    struct gate_baseline b;
    char why[WHY];

    cr_assert_eq(read_back(p.samples, &cells, &b, why), 0, "%s", why);
    cr_assert_eq(strlen(b.cpu), sizeof b.cpu - 1);
    expect_excuse(&b, "sim_instructions", "cpu was \"xxx");
    expect_excuse(&b, "rss_peak", "thp was \"xxx");
    cells_free(&cells);
    drop_place(&p);
}
